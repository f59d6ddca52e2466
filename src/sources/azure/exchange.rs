//! One exchange with a server of Azure: the SDK sends, and sends again; the body is read here, and its connection may
//! break off too.

use azure_core::http::headers::Headers;
use azure_core::http::{Context, Pipeline, PipelineStreamOptions, Request};

use super::error::Failure;
use super::retry;
use crate::sources::body;
use crate::sources::caught::caught;
use crate::sources::peer::Peer;

/// How often a request is made again whose answer broke off.
const AGAIN: u32 = 2;

/// What came back, whatever its status.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Headers,
    pub(super) body: Vec<u8>,
}

/// Sends a request until a whole answer is there, or there is none to be had.
pub(super) async fn exchange(
    pipeline: &Pipeline,
    peer: &Peer,
    request: &mut Request,
    limit: usize,
    too_large: impl Fn() -> String,
) -> Result<Answer, Failure> {
    let mut attempt = 1;
    loop {
        match caught(once(pipeline, peer, request, limit, &too_large)).await? {
            // A request that brought nothing at all was made again already.
            Err((true, failure)) if failure.cut() && attempt <= AGAIN => {
                tokio::time::sleep(retry::pause(attempt)).await;
                attempt += 1;
            }
            answer => return answer.map_err(|(_, failure)| failure),
        }
    }
}

/// The failure says whether an answer had begun.
async fn once(
    pipeline: &Pipeline,
    peer: &Peer,
    request: &mut Request,
    limit: usize,
    too_large: impl Fn() -> String,
) -> Result<Answer, (bool, Failure)> {
    let unchecked = PipelineStreamOptions { skip_checks: true, ..PipelineStreamOptions::default() };
    let sent = pipeline.stream(&Context::new(), request, Some(unchecked)).await;
    let response = sent.map_err(|error| (false, Failure::from_pipeline(&error, peer)))?;
    let (status, headers) = (u16::from(response.status()), response.headers().clone());
    let body = body::read(response.into_body(), peer, limit, too_large).await.map_err(|failure| (true, failure))?;
    Ok(Answer { status, headers, body })
}
