//! A proxy of the tests: whatever host a client asks for, it leads to one server, and notes what was asked for.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// How a proxy behaves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Manner {
    /// CONNECT, and a tunnel.
    Http,
    /// SOCKS 5, names resolved here.
    Socks,
    /// SOCKS 5 for addresses.
    SocksByAddress,
    /// Every CONNECT gets this status.
    Refuses(u16),
}

pub struct Proxy {
    pub address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    pub fn start(target: SocketAddr, manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let noted = Arc::clone(&asked);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let noted = Arc::clone(&noted);
                // What a client does not finish is its own affair.
                std::thread::spawn(move || drop(serve(client, target, manner, &noted)));
            }
        });
        Self { address, asked }
    }

    pub fn used(&self) -> bool {
        !self.asked.lock().expect("a lock").is_empty()
    }

    /// The hosts that clients asked for, each once, without those of this machine.
    pub fn asked(&self) -> Vec<String> {
        let mut asked = self.asked.lock().expect("a lock").clone();
        asked.retain(|host| !host.starts_with("127.0.0.1"));
        asked.sort();
        asked.dedup();
        asked
    }
}

fn serve(mut client: TcpStream, target: SocketAddr, manner: Manner, noted: &Mutex<Vec<String>>) -> io::Result<()> {
    let host = match manner {
        Manner::Socks => socks(&mut client)?,
        Manner::SocksByAddress => socks_by_address(&mut client)?,
        Manner::Http | Manner::Refuses(_) => connect(&mut client)?,
    };
    noted.lock().expect("a lock").push(host);
    match manner {
        Manner::Http => client.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?,
        Manner::Socks | Manner::SocksByAddress => client.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0])?,
        Manner::Refuses(status) => return write!(client, "HTTP/1.1 {status} No\r\ncontent-length: 0\r\n\r\n"),
    }
    let server = TcpStream::connect(target)?;
    let (mut from, mut to) = (client.try_clone()?, server.try_clone()?);
    std::thread::spawn(move || {
        let _ = io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    });
    let (mut from, mut to) = (server, client);
    io::copy(&mut from, &mut to)?;
    to.shutdown(Shutdown::Write)
}

/// `CONNECT host:port HTTP/1.1` and its headers.
fn connect(client: &mut TcpStream) -> io::Result<String> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        client.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    Ok(head.split(' ').nth(1).unwrap_or_default().to_owned())
}

/// A greeting without a sign-in.
fn greet(client: &mut TcpStream) -> io::Result<()> {
    let mut greeting = [0; 2];
    client.read_exact(&mut greeting)?;
    client.read_exact(&mut vec![0; greeting[1].into()])?;
    client.write_all(&[5, 0])
}

/// A request for an IPv4 address.
fn socks_by_address(client: &mut TcpStream) -> io::Result<String> {
    greet(client)?;
    let mut request = [0; 10];
    client.read_exact(&mut request)?;
    Ok(format!("{:?}", &request[4..8]))
}

/// A request for a name.
fn socks(client: &mut TcpStream) -> io::Result<String> {
    greet(client)?;
    let mut request = [0; 5];
    client.read_exact(&mut request)?;
    assert_eq!(request[3], 3, "a name, which the proxy resolves");
    let mut name = vec![0; usize::from(request[4]) + 2];
    client.read_exact(&mut name)?;
    let (name, port) = name.split_at(request[4].into());
    Ok(format!("{}:{}", String::from_utf8_lossy(name), u16::from_be_bytes([port[0], port[1]])))
}
