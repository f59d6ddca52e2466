//! What a dependency trips over costs one answer, and never the report.

use std::any::Any;
use std::panic::AssertUnwindSafe;

use futures::FutureExt as _;

use super::azure::error::Failure;
use crate::evidence::Reason;
use crate::text;

/// Does a part of the work; a panic in it is a failure of this part alone. Nothing that it left half done is used.
///
/// # Errors
/// What the panic said.
pub async fn caught<T>(work: impl Future<Output = T>) -> Result<T, Failure> {
    AssertUnwindSafe(work).catch_unwind().await.map_err(|panic| {
        let said = words(panic.as_ref());
        Failure::new(Reason::Malformed, format!("aksiso failed on it, which is a bug (please report it): {said}"))
    })
}

fn words(panic: &(dyn Any + Send)) -> String {
    let said = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    text::bounded(&text::without_secrets(said.unwrap_or("no message")), 200)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_a_failure_of_its_part_alone() {
        assert_eq!(caught(async { 7 }).await, Ok(7));
        let failed = caught(async {
            tokio::task::yield_now().await;
            panic!("index {} out of bounds", 3)
        });
        let failure: Result<(), Failure> = failed.await;
        assert!(failure.expect_err("it panicked").detail.ends_with("index 3 out of bounds"));
    }
}
