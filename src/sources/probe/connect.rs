//! TCP connections, with what becomes of them told apart.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use tokio::net::TcpStream;

use crate::evidence::probe::Connected;

pub(super) async fn connect(target: SocketAddr) -> Connected {
    match TcpStream::connect(target).await {
        Ok(_) => Connected::Open,
        Err(error) => failed(&error),
    }
}

fn failed(error: &io::Error) -> Connected {
    match error.kind() {
        ErrorKind::ConnectionRefused => Connected::Refused,
        ErrorKind::TimedOut => Connected::TimedOut,
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe => Connected::Reset,
        _ => Connected::Unreachable,
    }
}
