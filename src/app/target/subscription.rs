//! Which subscription: an id or a name, from a flag, the environment or az.

use crate::app::session::Session;
use crate::evidence::id::is_subscription;
use crate::sources::azure::credential;
use crate::sources::azure::subscriptions::Subscription;
use crate::text::{self, problem::Problem};

/// A subscription, and what named it.
#[derive(Debug, Clone)]
pub(crate) struct Subscribed {
    pub(crate) id: String,
    /// `--subscription`, `AZURE_SUBSCRIPTION_ID` or `az account show`.
    pub(crate) from: &'static str,
}

/// What names a subscription without a question to anybody.
fn written(session: &Session<'_>) -> Option<(String, &'static str)> {
    let environment = || std::env::var("AZURE_SUBSCRIPTION_ID").ok().map(|text| (text, "AZURE_SUBSCRIPTION_ID"));
    let flag = session.args.subscription.clone().map(|text| (text, "--subscription"));
    let found = flag.or_else(|| environment().filter(|(text, _)| !text.trim().is_empty()));
    found.map(|(text, from)| (text.trim().to_owned(), from))
}

/// The subscription that is named, if one is.
pub(crate) async fn named(session: &Session<'_>) -> anyhow::Result<Option<Subscribed>> {
    let Some((text, from)) = written(session) else { return Ok(None) };
    let id = if is_subscription(&text) { text } else { of_name(session, &text, from).await? };
    Ok(Some(Subscribed { id, from }))
}

/// The subscription that is named, else the one that az is signed in to.
///
/// # Errors
/// Why none is known.
pub(crate) async fn subscription(session: &Session<'_>) -> anyhow::Result<Subscribed> {
    if let Some(named) = named(session).await? {
        return Ok(named);
    }
    match credential::az_subscription(session.limits.deadline).await {
        Ok(id) if is_subscription(&id) => Ok(Subscribed { id, from: "az account show" }),
        Ok(other) => Err(Problem::new(
            format!("az account show: \"{}\" is not a subscription id", text::clean(&text::bounded(&other, 60))),
            "name one with --subscription ID_OR_NAME",
        )
        .into()),
        Err(why) => Err(Problem::new(
            format!("no subscription is known (az: {})", text::clean(&why)),
            "name it with --subscription ID_OR_NAME, set AZURE_SUBSCRIPTION_ID, or run: az login",
        )
        .into()),
    }
}

/// The id of the one subscription of that name.
async fn of_name(session: &Session<'_>, name: &str, from: &str) -> anyhow::Result<String> {
    let shown = text::clean(&text::bounded(name, 80));
    let all = session.arm().await?.subscriptions().await.map_err(|failure| {
        Problem::new(
            format!("{from}: \"{shown}\" is no id, and the subscriptions cannot be listed: {}", failure.detail),
            "name the subscription by its id (a GUID); az account list prints it",
        )
    })?;
    let same: Vec<&Subscription> = all.iter().filter(|one| one.display_name.eq_ignore_ascii_case(name)).collect();
    match same.as_slice() {
        [one] if is_subscription(&one.subscription_id) => Ok(one.subscription_id.clone()),
        [] => {
            let names = all.iter().map(|one| one.display_name.as_str());
            let near = text::nearest(name, names.clone());
            let hint = match near {
                Some(near) => format!("did you mean \"{}\"?", text::clean(near)),
                None if all.is_empty() => "this sign-in sees no subscription; check the tenant: az login".to_owned(),
                None => format!("it sees: {}", text::listed(names.map(text::clean))),
            };
            Err(Problem::new(format!("{from}: this sign-in sees no subscription \"{shown}\""), hint).into())
        }
        several => {
            let ids = text::listed(several.iter().map(|one| text::clean(&one.subscription_id)));
            let message = format!("{from}: {} subscriptions are named \"{shown}\"", several.len());
            Err(Problem::new(message, format!("name one by its id: {ids}")).into())
        }
    }
}
