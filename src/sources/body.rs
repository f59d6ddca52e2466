//! The body of an answer, read up to a limit: no server, and no proxy in its place, may fill this machine's memory.

use std::error::Error;

use futures::{Stream, StreamExt as _};

use super::azure::error::Failure;
use super::peer::Peer;
use crate::evidence::Reason;

/// Reads a body chunk by chunk. `too_large` is said of one with more than `limit` bytes, and the rest of it is not
/// read.
///
/// # Errors
/// Where the connection to the peer broke off, or the body is larger than the limit.
pub async fn read<C: AsRef<[u8]>, E: Error + 'static>(
    mut chunks: impl Stream<Item = Result<C, E>> + Unpin,
    peer: &Peer,
    limit: usize,
    too_large: impl FnOnce() -> String,
) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|error| Failure::from_transport(&error, peer))?;
        let chunk = chunk.as_ref();
        if body.len() + chunk.len() > limit {
            return Err(Failure::new(Reason::Malformed, too_large()));
        }
        body.extend_from_slice(chunk);
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use std::io;

    use futures::stream;

    use super::*;

    async fn of(chunks: Vec<io::Result<&'static [u8]>>) -> Result<Vec<u8>, Failure> {
        let peer = Peer { name: "host".to_owned(), proxy: None, trust: "" };
        read(stream::iter(chunks), &peer, 4, || "too large".to_owned()).await
    }

    #[tokio::test]
    async fn a_body_is_read_up_to_its_limit() {
        assert_eq!(of(vec![Ok(b"ab"), Ok(b"cd")]).await, Ok(b"abcd".to_vec()));
        assert_eq!(of(Vec::new()).await, Ok(Vec::new()));
        // What comes behind the limit is not asked for: the broken connection is never met.
        let larger = of(vec![Ok(b"ab"), Ok(b"cde"), Err(io::ErrorKind::ConnectionReset.into())]).await;
        assert_eq!(larger, Err(Failure::new(Reason::Malformed, "too large")));
    }

    #[tokio::test]
    async fn half_a_body_is_none() {
        let cut = of(vec![Ok(b"ab"), Err(io::ErrorKind::ConnectionReset.into())]).await;
        assert_eq!(cut.map_err(|failure| failure.reason), Err(Reason::Unreachable));
    }
}
