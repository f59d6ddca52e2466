//! Who a token says it is for. It is not verified: Azure does that; this is to be shown to its owner.

use azure_core::base64;
use serde::Deserialize;

use crate::text;

/// Longest name that is kept.
const LIMIT: usize = 200;

/// Whom a token is for; a token that says nothing gives nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity {
    /// The user's or application's name, or the id of a managed identity.
    pub name: Option<String>,
    /// Its object id, which role assignments name.
    pub object_id: Option<String>,
    pub tenant: Option<String>,
}

#[derive(Deserialize)]
struct Claims {
    tid: Option<String>,
    oid: Option<String>,
    upn: Option<String>,
    unique_name: Option<String>,
    preferred_username: Option<String>,
    app_displayname: Option<String>,
    appid: Option<String>,
    /// The managed identity's resource id.
    xms_mirid: Option<String>,
}

impl Identity {
    /// Reads a token's claims.
    pub fn of(token: &str) -> Self {
        let payload = token.split('.').nth(1).and_then(|part| base64::decode_url_safe(part.trim_end_matches('=')).ok());
        let claims = payload.and_then(|payload| serde_json::from_slice::<Claims>(&payload).ok());
        let kept = |claim: String| text::bounded(&text::clean(&claim), LIMIT);
        claims.map_or_else(Self::default, |claims| {
            let person = claims.upn.or(claims.unique_name).or(claims.preferred_username);
            let application = claims.xms_mirid.or(claims.app_displayname).or(claims.appid);
            Self {
                name: person.or(application).map(kept),
                object_id: claims.oid.map(kept),
                tenant: claims.tid.map(kept),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_says_whom_it_is_for() {
        let token = |claims: &str| format!("e30.{}.sig", base64::encode_url_safe(claims).trim_end_matches('='));
        let person = Identity::of(&token(r#"{"upn":"anna@contoso.com","oid":"o","tid":"t","appid":"az"}"#));
        assert_eq!(person.name.as_deref(), Some("anna@contoso.com"));
        assert_eq!((person.object_id.as_deref(), person.tenant.as_deref()), (Some("o"), Some("t")));
        let application = Identity::of(&token(r#"{"appid":"app\u001b[31m","tid":"t"}"#));
        assert_eq!(application.name.as_deref(), Some("app\\u{1b}[31m"));
        for nothing in ["", "opaque", "a.b.c", "e30.e30.x"] {
            assert_eq!(Identity::of(nothing), Identity::default(), "{nothing}");
        }
    }
}
