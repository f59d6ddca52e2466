//! The client that everything of Azure is asked with. The SDK's own panics where a system trusts nobody.

use std::sync::Arc;

use azure_core::http::Transport;
use reqwest::redirect::Policy;

use crate::sources::peer::root_words;

/// A client without redirects, as the SDK makes it. How long anything may take is for who asks to say.
///
/// # Errors
/// Why there can be none: as a rule that no certificate authority is known.
pub fn transport() -> Result<Transport, String> {
    let client = reqwest::Client::builder().redirect(Policy::none()).gzip(true).build();
    client.map(|client| Transport::new(Arc::new(client))).map_err(|error| root_words(&error))
}
