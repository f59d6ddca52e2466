//! Servers of the test's own on loopback: name servers that answer by hand-made bytes, and hosts behind TLS that answer
//! anything.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned, crypto::aws_lc_rs};

/// What a name server answers to a query for addresses.
#[derive(Clone)]
pub enum Reply {
    Address(Ipv4Addr),
    /// Aliases in their order, then an address.
    Chain(Vec<&'static str>, Ipv4Addr),
    Code(u8),
    NoData,
    Silence,
    Garbage,
}

/// Starts a name server; what it is not told of does not exist.
pub fn name_server(answers: Vec<(&'static str, Reply)>) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let address = socket.local_addr().expect("an address");
    thread::spawn(move || {
        let mut buffer = [0; 1500];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            let query = &buffer[..length];
            let (name, end) = question(query);
            let reply = answers.iter().find(|(own, _)| own.eq_ignore_ascii_case(&name)).map(|(_, reply)| reply.clone());
            let four = query[end - 3] == 1;
            if let Some(bytes) = answer(&query[..end], reply.unwrap_or(Reply::Code(3)), four) {
                let _ = socket.send_to(&bytes, from);
            }
        }
    });
    address
}

/// The name of a query, and where its question ends.
fn question(query: &[u8]) -> (String, usize) {
    let (mut labels, mut at) = (Vec::new(), 12);
    while query[at] != 0 {
        let end = at + 1 + usize::from(query[at]);
        labels.push(String::from_utf8_lossy(&query[at + 1..end]).into_owned());
        at = end;
    }
    (labels.join("."), at + 5)
}

fn answer(query: &[u8], reply: Reply, four: bool) -> Option<Vec<u8>> {
    let mut out = query.to_vec();
    (out[2], out[3]) = (0x81, 0x80);
    out[6..12].fill(0);
    let record = |out: &mut Vec<u8>, name: &[u8], kind: u8, data: &[u8]| {
        out[7] += 1;
        out.extend(name);
        out.extend([0, kind, 0, 1, 0, 0, 0, 5, 0, u8::try_from(data.len()).expect("short")]);
        out.extend(data);
    };
    let encoded = |name: &str| {
        let mut bytes: Vec<u8> = Vec::new();
        name.split('.').for_each(|label| {
            bytes.push(u8::try_from(label.len()).expect("short"));
            bytes.extend(label.bytes());
        });
        bytes.push(0);
        bytes
    };
    match reply {
        Reply::Silence => return None,
        Reply::Garbage => {
            out.truncate(12);
            out[7] = 7;
            out.extend([0xff; 9]);
        }
        Reply::Code(code) => out[3] |= code,
        Reply::Address(address) if four => record(&mut out, &[0xc0, 12], 1, &address.octets()),
        Reply::Chain(names, address) if four => {
            let mut owner = vec![0xc0, 12];
            for name in names {
                let data = encoded(name);
                record(&mut out, &owner, 5, &data);
                owner = data;
            }
            record(&mut out, &owner, 1, &address.octets());
        }
        Reply::NoData | Reply::Address(_) | Reply::Chain(..) => {}
    }
    Some(out)
}

/// An authority that signs, and the certificates of its hosts.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::self_signed(params, key).expect("a certificate"))
    }

    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A server's configuration with a certificate for these names; `expired` = it ended long ago.
    pub fn server(&self, names: &[&str], expired: bool) -> Arc<ServerConfig> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("names");
        if expired {
            (params.not_before, params.not_after) =
                (rcgen::date_time_ymd(2020, 1, 1), rcgen::date_time_ymd(2021, 1, 1));
        }
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        let chain = vec![CertificateDer::from(certificate.der().to_vec())];
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
        let builder = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().expect("versions").with_no_client_auth();
        Arc::new(builder.with_single_cert(chain, key).expect("a configuration"))
    }
}

/// What a host does with a connection.
#[derive(Clone)]
pub enum Behaviour {
    /// TLS, then this answer to whatever is asked.
    Answers(Arc<ServerConfig>, String),
    /// TLS, then silence.
    Silent(Arc<ServerConfig>),
    /// TLS, then the connection ends.
    HangsUp(Arc<ServerConfig>),
    /// Plain text.
    Plain,
    /// The connection ends at once.
    Closes,
    /// Silence before TLS.
    Nothing,
}

/// A host, and what it was asked.
pub struct Host {
    pub address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Host {
    pub fn start(behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (behaviour, seen) = (behaviour.clone(), Arc::clone(&seen));
                thread::spawn(move || serve(stream, behaviour, &seen));
            }
        });
        Self { address, requests }
    }

    /// The heads and bodies of what was asked.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().expect("a lock").clone()
    }
}

fn serve(stream: TcpStream, behaviour: Behaviour, seen: &Mutex<Vec<String>>) {
    let tls = |stream, config| StreamOwned::new(ServerConnection::new(config).expect("TLS"), stream);
    match behaviour {
        Behaviour::Answers(config, text) => {
            let mut stream = tls(stream, config);
            let Some(request) = request(&mut stream) else { return };
            seen.lock().expect("a lock").push(request);
            let _ = stream.write_all(text.as_bytes());
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
        Behaviour::Silent(config) => {
            let mut stream = tls(stream, config);
            let _ = request(&mut stream);
            thread::sleep(Duration::from_secs(30));
        }
        Behaviour::HangsUp(config) => drop(request(&mut tls(stream, config))),
        Behaviour::Plain => {
            let mut stream = stream;
            let _ = stream.write_all(b"SSH-2.0-OpenSSH_9.6\r\n");
            let _ = stream.read(&mut [0; 512]);
            thread::sleep(Duration::from_millis(200));
        }
        Behaviour::Closes => drop(stream),
        Behaviour::Nothing => thread::sleep(Duration::from_secs(30)),
    }
}

/// One request with its body.
pub fn request(stream: &mut impl std::io::Read) -> Option<String> {
    let (mut text, mut buffer) = (String::new(), [0; 4096]);
    loop {
        let read = stream.read(&mut buffer).ok().filter(|read| *read > 0)?;
        text.push_str(&String::from_utf8_lossy(&buffer[..read]));
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
        if body.len() >= length.unwrap_or(0) {
            return Some(text);
        }
    }
}
