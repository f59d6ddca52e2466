//! Kubeconfigs, read as `kubectl` reads them, and the contexts in them. Everything is checked before the Kubernetes
//! client sees it: nothing that a file holds may end the process, and each thing that is wrong has its own sentence.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use azure_core::base64;
use http::{HeaderValue, Uri};
use kube::config::{AuthInfo, Cluster, Context, ExecAuthCluster, Kubeconfig};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use secrecy::ExposeSecret;

use super::plugin::Plugin;
use crate::sources::proxy::Proxy;
use crate::text;

/// Largest kubeconfig, and largest file that it names, in bytes.
const LIMIT: u64 = 16 << 20;

/// Reads one file that was named. Paths in it are relative to its folder.
///
/// # Errors
/// A sentence that says what is wrong with it, and never quotes it: the file holds secrets.
pub fn read(path: &Path) -> Result<Kubeconfig, String> {
    let name = text::clean(&path.display().to_string());
    let bytes = bytes(path).map_err(|error| format!("{name} cannot be read: {error}"))?;
    let mut config = decoded(&bytes)
        .and_then(|yaml| Kubeconfig::from_yaml(&yaml).ok())
        .ok_or_else(|| format!("{name} is not a kubeconfig"))?;
    if let Some(folder) = path.parent() {
        relative_to(folder, &mut config);
    }
    Ok(config)
}

/// Reads the files of `KUBECONFIG`, or `~/.kube/config`; what is not there is left out.
///
/// # Errors
/// What is wrong with one that is there.
pub fn read_default() -> Result<Kubeconfig, String> {
    let named = std::env::var_os("KUBECONFIG").unwrap_or_default();
    let mut paths: Vec<PathBuf> = std::env::split_paths(&named).filter(|path| !path.as_os_str().is_empty()).collect();
    if paths.is_empty() {
        paths.extend(std::env::home_dir().map(|home| home.join(".kube").join("config")));
    }
    let there = paths.iter().filter(|path| path.exists());
    there.map(|path| read(path)).try_fold(Kubeconfig::default(), |merged, next| {
        merged.merge(next?).map_err(|_| "the files of KUBECONFIG are of different kinds or versions".to_owned())
    })
}

/// A file's content, bounded; it may be a pipe.
fn bytes(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(LIMIT + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LIMIT {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it is larger than {} MiB", LIMIT >> 20)));
    }
    Ok(bytes)
}

/// UTF-8, or what PowerShell writes.
fn decoded(bytes: &[u8]) -> Option<String> {
    let utf16 = |bytes: &[u8], unit: fn([u8; 2]) -> u16| {
        let (pairs, rest) = bytes.as_chunks::<2>();
        rest.is_empty().then(|| String::from_utf16(&pairs.iter().map(|pair| unit(*pair)).collect::<Vec<_>>()).ok())?
    };
    match bytes {
        [0xFF, 0xFE, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xFE, 0xFF, rest @ ..] => utf16(rest, u16::from_be_bytes),
        [0xEF, 0xBB, 0xBF, rest @ ..] | rest => String::from_utf8(rest.to_vec()).ok(),
    }
}

fn relative_to(folder: &Path, config: &mut Kubeconfig) {
    let join = |path: &mut Option<String>| {
        if let Some(own) = path.as_deref().filter(|own| !own.is_empty() && Path::new(own).is_relative()) {
            *path = folder.join(own).to_str().map(str::to_owned);
        }
    };
    for cluster in config.clusters.iter_mut().filter_map(|named| named.cluster.as_mut()) {
        join(&mut cluster.certificate_authority);
    }
    for user in config.auth_infos.iter_mut().filter_map(|named| named.auth_info.as_mut()) {
        join(&mut user.client_certificate);
        join(&mut user.client_key);
        join(&mut user.token_file);
        // A bare name is looked up in PATH.
        if let Some(exec) = user.exec.as_mut()
            && exec.command.as_deref().is_some_and(|command| command.contains(std::path::MAIN_SEPARATOR))
        {
            join(&mut exec.command);
        }
    }
}

/// The names of the contexts whose server has one of these host names; the current one first.
pub fn contexts_of<'c>(config: &'c Kubeconfig, hosts: &[&str]) -> Vec<&'c str> {
    let is_own = |name: &str| {
        let cluster = config.clusters.iter().find(|named| named.name == name).and_then(|named| named.cluster.as_ref());
        let host =
            cluster.and_then(|cluster| server(cluster.server.as_deref()?)).and_then(|uri| Some(uri.host()?.to_owned()));
        host.is_some_and(|host| hosts.iter().any(|own| own.eq_ignore_ascii_case(&host)))
    };
    let contexts = config.contexts.iter();
    let own = contexts.filter(|named| named.context.as_ref().is_some_and(|context| is_own(&context.cluster)));
    let mut own: Vec<&str> = own.map(|named| named.name.as_str()).collect();
    own.sort_by_key(|name| config.current_context.as_deref() != Some(*name));
    own
}

/// A server's address. Without a scheme it is https: a token is not sent in the clear unless that is asked for.
pub(super) fn server(address: &str) -> Option<Uri> {
    let address = address.trim();
    let whole = if address.contains("://") { address.to_owned() } else { format!("https://{address}") };
    let uri: Uri = whole.parse().ok()?;
    let known = matches!(uri.scheme_str(), Some("http" | "https"));
    (known && uri.host().is_some_and(|host| !host.is_empty())).then_some(uri)
}

/// A context that can be used: all that it names is there and was read, but for what a plug-in will give.
#[derive(Debug, Clone)]
pub struct Access {
    pub server: Uri,
    /// `proxy-url`.
    pub proxy: Option<Proxy>,
    /// The authorities that may vouch for the server; `None` = those of this system.
    pub authorities: Option<Vec<Vec<u8>>>,
    pub insecure: bool,
    pub tls_name: Option<String>,
    pub uncompressed: bool,
    /// The sign-in, without files and plug-ins.
    pub user: AuthInfo,
    /// What signs in, where the user's own fields do not.
    pub plugin: Option<Plugin>,
}

impl Access {
    /// Reads a context, the current one where none is named.
    ///
    /// # Errors
    /// A sentence that says what is wrong, with the names that stand in the file and none of its secrets.
    pub fn of(config: &Kubeconfig, context: Option<&str>) -> Result<Self, String> {
        let current = config.current_context.as_deref().filter(|name| !name.is_empty());
        let name = context.or(current).ok_or("the kubeconfig has no current context")?;
        let found = config.contexts.iter().find(|named| named.name == name);
        let Some(Context { cluster, user, .. }) = found.and_then(|named| named.context.as_ref()) else {
            let known: Vec<String> = config.contexts.iter().map(|named| quoted(&named.name)).collect();
            return Err(format!("the kubeconfig has no context {} (it has: {})", quoted(name), text::listed(known)));
        };
        let entry = config.clusters.iter().find(|named| named.name == *cluster);
        let Some(endpoint) = entry.and_then(|named| named.cluster.as_ref()) else {
            return Err(format!(
                "context {} names cluster {}, which the kubeconfig lacks",
                quoted(name),
                quoted(cluster)
            ));
        };
        // A context without a user is anonymous, as with kubectl; one whose user is not there is a mistake.
        let login = match user.as_deref().filter(|user| !user.is_empty()) {
            None => AuthInfo::default(),
            Some(user) => {
                let entry = config.auth_infos.iter().find(|named| named.name == user);
                entry.and_then(|named| named.auth_info.clone()).ok_or_else(|| {
                    format!("context {} names user {}, which the kubeconfig lacks", quoted(name), quoted(user))
                })?
            }
        };
        let access = Self::reached(endpoint).map_err(|why| format!("cluster {}: {why}", quoted(cluster)))?;
        let user = user.as_deref().unwrap_or_default();
        access.signed_in(login, endpoint).map_err(|why| format!("user {}: {why}", quoted(user)))
    }

    fn reached(cluster: &Cluster) -> Result<Self, String> {
        let address = given(cluster.server.as_deref()).ok_or("it has no server")?;
        let server = server(address).ok_or("its server is not an https:// address")?;
        let proxy = given(cluster.proxy_url.as_deref()).map(|url| Proxy::parse(url, "the kubeconfig's proxy-url"));
        let authority = pem(
            "certificate-authority",
            given(cluster.certificate_authority_data.as_deref()),
            given(cluster.certificate_authority.as_deref()),
        )?;
        let authorities = authority.map(|pem| {
            let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
            let read = read.ok().filter(|certificates| !certificates.is_empty());
            read.ok_or("certificate-authority holds no PEM certificate")
        });
        let authorities = authorities.transpose()?;
        Ok(Self {
            server,
            proxy: proxy.transpose()?,
            authorities: authorities.map(|all| all.into_iter().map(|one| one.to_vec()).collect()),
            insecure: cluster.insecure_skip_tls_verify == Some(true),
            tls_name: given(cluster.tls_server_name.as_deref()).map(str::to_owned),
            uncompressed: cluster.disable_compression == Some(true),
            user: AuthInfo::default(),
            plugin: None,
        })
    }

    /// The sign-in, in client-go's order: a token, a name and password, a plug-in; a certificate beside any of them.
    fn signed_in(mut self, login: AuthInfo, cluster: &Cluster) -> Result<Self, String> {
        let token = token(&login)?;
        let certificate = pem(
            "client-certificate",
            given(login.client_certificate_data.as_deref()),
            given(login.client_certificate.as_deref()),
        )?;
        let key = login.client_key_data.as_ref().map(ExposeSecret::expose_secret);
        let key = pem("client-key", given(key), given(login.client_key.as_deref()))?;
        let basic = login.username.is_some() && login.password.is_some();
        if let Some(exec) = login.exec.as_ref().filter(|_| token.is_none() && !basic) {
            let info = exec.provide_cluster_info.then(|| ExecAuthCluster::try_from(cluster));
            let info = info.transpose().map_err(|_| "its cluster cannot be told to the plug-in")?;
            self.plugin = Some(Plugin::of(exec, info.as_ref())?);
        }
        self.user = AuthInfo {
            token: token.map(Into::into),
            auth_provider: None,
            token_file: None,
            exec: None,
            client_certificate: None,
            client_certificate_data: None,
            client_key: None,
            client_key_data: None,
            ..login
        };
        self.with_certificate(certificate, key)
    }

    /// The same with a client certificate.
    ///
    /// # Errors
    /// What is wrong with the pair.
    pub fn with_certificate(mut self, certificate: Option<Vec<u8>>, key: Option<Vec<u8>>) -> Result<Self, String> {
        let (certificate, key) = match (certificate, key) {
            (None, None) => return Ok(self),
            (Some(certificate), Some(key)) => (certificate, key),
            (Some(_), None) => return Err("client-certificate has no client-key".to_owned()),
            (None, Some(_)) => return Err("client-key has no client-certificate".to_owned()),
        };
        CertificateDer::from_pem_slice(&certificate).map_err(|_| "client-certificate holds no PEM certificate")?;
        PrivateKeyDer::from_pem_slice(&key).map_err(|_| "client-key holds no unencrypted PEM key")?;
        self.user.client_certificate_data = Some(base64::encode(certificate));
        self.user.client_key_data = Some(base64::encode(key).into());
        Ok(self)
    }
}

/// The token of a user, from its file first, as client-go has it; one that no header may hold is refused.
fn token(login: &AuthInfo) -> Result<Option<String>, String> {
    let own = login.token.as_ref().map(|token| token.expose_secret().to_owned());
    let written = match given(login.token_file.as_deref()).map(|path| (path, bytes(Path::new(path)))) {
        Some((_, Ok(token))) => Some(String::from_utf8(token).map_err(|_| "tokenFile is not UTF-8")?),
        // What was written into the kubeconfig is the last that was read.
        Some((path, Err(error))) if own.is_none() => return Err(unread("tokenFile", path, &error)),
        _ => own,
    };
    let token = match &login.auth_provider {
        Some(provider) if written.is_none() && provider.name == "oidc" => provider.config.get("id-token").cloned(),
        Some(_) if written.is_none() => {
            return Err("its auth-provider is no longer supported, by kubectl neither: convert it (kubelogin \
                        convert-kubeconfig)"
                .to_owned());
        }
        _ => written,
    };
    let token = token.map(|token| token.trim().to_owned()).filter(|token| !token.is_empty());
    if token.as_ref().is_some_and(|token| HeaderValue::try_from(format!("Bearer {token}")).is_err()) {
        return Err("its token holds characters that no token has".to_owned());
    }
    Ok(token)
}

/// The PEM of a field: its data first, else its file.
fn pem(field: &str, data: Option<&str>, path: Option<&str>) -> Result<Option<Vec<u8>>, String> {
    match (data, path) {
        (Some(data), _) => base64::decode(data).map(Some).map_err(|_| format!("{field}-data is not base64")),
        (None, Some(path)) => bytes(Path::new(path)).map(Some).map_err(|error| unread(field, path, &error)),
        (None, None) => Ok(None),
    }
}

fn unread(field: &str, path: &str, error: &io::Error) -> String {
    format!("{field} {} cannot be read: {error}", text::clean(&text::bounded(path, 200)))
}

/// An empty field is none.
fn given(field: Option<&str>) -> Option<&str> {
    field.filter(|field| !field.is_empty())
}

/// A name that stands in a file.
fn quoted(name: &str) -> String {
    format!("\"{}\"", text::clean(&text::bounded(name, 100)))
}

#[cfg(test)]
mod tests;
