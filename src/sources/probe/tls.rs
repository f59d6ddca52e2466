//! TLS handshakes: who signed the certificate, for which names, and whether this machine trusts it.

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::client::{WebPkiServerVerifier, verify_server_name};
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use tokio_rustls::rustls::server::ParsedCertificate;
use tokio_rustls::rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};
use x509_parser::extensions::GeneralName;

use crate::evidence::probe::{Distrust, Handshake};
use crate::text;

/// Most names of a certificate that are kept.
const NAMES: usize = 20;
/// Longest of its texts, in characters.
const LONGEST: usize = 300;

/// An open, trusted connection.
pub(super) type Stream = TlsStream<TcpStream>;

/// Whom this machine trusts: the system's store, or what `SSL_CERT_FILE` names.
pub(super) struct Trust {
    provider: Arc<CryptoProvider>,
    /// `None` = there is no certificate to judge by.
    roots: Option<Arc<WebPkiServerVerifier>>,
}

impl Trust {
    pub(super) fn load() -> Self {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(store), Arc::clone(&provider)).build();
        Self { provider, roots: verifier.ok() }
    }

    /// A handshake that ends well only where the certificate is trusted.
    pub(super) async fn handshake(&self, address: SocketAddr, host: &str) -> (Handshake, Option<Stream>) {
        let Some(roots) = &self.roots else {
            let reason = "this machine has no certificate store to judge by (SSL_CERT_FILE names one)".to_owned();
            return (Handshake::NotTried { reason }, None);
        };
        self.with(Arc::clone(roots) as Arc<dyn ServerCertVerifier>, address, host).await
    }

    /// A handshake that judges the names alone: the API server's certificate is of the cluster's own authority.
    pub(super) async fn name_only(&self, address: SocketAddr, host: &str) -> (Handshake, Option<Stream>) {
        let verifier = NameOnly(Arc::clone(&self.provider));
        let (outcome, _) = self.with(Arc::new(verifier), address, host).await;
        // Nothing is ever sent over a connection whose issuer nobody has judged.
        (outcome, None)
    }

    async fn with(
        &self,
        judge: Arc<dyn ServerCertVerifier>,
        address: SocketAddr,
        host: &str,
    ) -> (Handshake, Option<Stream>) {
        let Ok(name) = ServerName::try_from(host.to_owned()) else {
            return (Handshake::NotTried { reason: "it is not a host name".to_owned() }, None);
        };
        let witness = Arc::new(Witness { judge, shown: Mutex::new(None) });
        let builder =
            ClientConfig::builder_with_provider(Arc::clone(&self.provider)).with_safe_default_protocol_versions();
        let Ok(builder) = builder else {
            return (Handshake::NotTried { reason: "TLS cannot be set up".to_owned() }, None);
        };
        let verifier = Arc::clone(&witness) as Arc<dyn ServerCertVerifier>;
        let config = builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
        let stream = match TcpStream::connect(address).await {
            Ok(stream) => stream,
            Err(error) => return (broken(&error), None),
        };
        let connected = TlsConnector::from(Arc::new(config)).connect(name, stream).await;
        let shown = witness.shown.lock().unwrap_or_else(PoisonError::into_inner).take();
        let about = shown.as_ref().map(about).unwrap_or_default();
        match connected {
            Ok(stream) => {
                let About { issuer, names, not_after } = about;
                (Handshake::Trusted { issuer, names, not_after }, Some(stream))
            }
            Err(error) => (failed(&error, about.issuer), None),
        }
    }
}

/// What a handshake that failed says.
fn failed(error: &io::Error, issuer: Option<String>) -> Handshake {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    match inner {
        Some(Error::InvalidCertificate(why)) => Handshake::Untrusted { reason: distrust(why), issuer },
        Some(Error::AlertReceived(_)) => Handshake::Reset,
        Some(_) => Handshake::NotTls,
        None => broken(error),
    }
}

fn broken(error: &io::Error) -> Handshake {
    match error.kind() {
        ErrorKind::TimedOut => Handshake::TimedOut,
        ErrorKind::InvalidData => Handshake::NotTls,
        _ => Handshake::Reset,
    }
}

fn distrust(why: &CertificateError) -> Distrust {
    match why {
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => Distrust::Expired,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => Distrust::WrongName,
        CertificateError::UnknownIssuer | CertificateError::BadSignature => Distrust::UnknownIssuer,
        // A self-signed authority that is shown as a server's own certificate.
        CertificateError::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => Distrust::UnknownIssuer,
        _ => Distrust::Other,
    }
}

#[derive(Default)]
struct About {
    issuer: Option<String>,
    names: Vec<String>,
    not_after: Option<String>,
}

/// What a certificate says of itself.
fn about(certificate: &CertificateDer<'static>) -> About {
    let Ok((_, parsed)) = x509_parser::parse_x509_certificate(certificate) else { return About::default() };
    let names = parsed.subject_alternative_name().ok().flatten().into_iter().flat_map(|own| &own.value.general_names);
    let names = names.filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(text::truncated(name, LONGEST)),
        _ => None,
    });
    let not_after = jiff::Timestamp::from_second(parsed.validity().not_after.timestamp()).ok();
    About {
        issuer: Some(text::truncated(&parsed.issuer().to_string(), LONGEST)),
        names: names.take(NAMES).collect(),
        not_after: not_after.map(|at| at.to_string()),
    }
}

/// Keeps the certificate that is shown, and leaves the judgement to another.
struct Witness {
    judge: Arc<dyn ServerCertVerifier>,
    shown: Mutex<Option<CertificateDer<'static>>>,
}

impl fmt::Debug for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Witness").finish_non_exhaustive()
    }
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = Some(end_entity.clone().into_owned());
        self.judge.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.judge.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.judge.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.judge.supported_verify_schemes()
    }
}

/// Judges the names of a certificate, and not who signed it.
#[derive(Debug)]
struct NameOnly(Arc<CryptoProvider>);

impl ServerCertVerifier for NameOnly {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
