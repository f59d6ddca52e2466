//! Takes secrets out of texts that servers and tools wrote: a report may be mailed to anybody.

/// What stands instead of a secret.
const CUT: &str = "…";

/// Words after which a secret follows.
const SCHEMES: [&str; 3] = ["bearer", "basic", "sharedaccesssignature"];

/// Names of values that are secrets, in lower case and without `-` and `_`.
const NAMES: [&str; 16] = [
    "accesskey",
    "accesstoken",
    "accountkey",
    "apikey",
    "assertion",
    "authorization",
    "clientassertion",
    "clientsecret",
    "idtoken",
    "password",
    "passwd",
    "pwd",
    "refreshtoken",
    "secret",
    "sharedaccesskey",
    "sig",
];

/// Takes out what may carry a secret: queries and user names of addresses, tokens after `Bearer` and the like, JSON web
/// tokens, and values whose name says that they are secret.
pub fn without_secrets(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut before = Before::Nothing;
    for chunk in text.split_inclusive(char::is_whitespace) {
        let word = chunk.trim_end_matches(char::is_whitespace);
        if word.is_empty() {
            out.push_str(chunk);
            continue;
        }
        let scheme = SCHEMES.contains(&word.trim_matches(is_around).to_lowercase().as_str());
        // "no basic auth credentials" and "bearer token" announce nothing.
        let plain = word.len() <= 12 && word.chars().all(|c| c.is_ascii_lowercase());
        match before {
            Before::Name if !scheme => out.push_str(&cut(word)),
            Before::Scheme if !plain => out.push_str(&cut(word)),
            _ => out.push_str(&secretless(word)),
        }
        before = match (scheme, names_a_secret(word)) {
            (true, _) => Before::Scheme,
            (false, true) => Before::Name,
            (false, false) => Before::Nothing,
        };
        out.push_str(&chunk[word.len()..]);
    }
    out
}

/// What the word before says of the next one.
enum Before {
    Nothing,
    /// It is a way to sign in, such as `Bearer`.
    Scheme,
    /// It names a secret, and its value comes next.
    Name,
}

/// A word that is a secret, without it.
fn cut(word: &str) -> String {
    format!("{}{CUT}", &word[..word.len() - word.trim_start_matches(is_around).len()])
}

/// What may stand around a word or a value.
fn is_around(c: char) -> bool {
    "\"'`()[]{}<>,;:=\\".contains(c)
}

/// Whether a word ends in the name of a secret and the sign that its value follows.
fn names_a_secret(word: &str) -> bool {
    let name = word.trim_end_matches(['"', '\'', '\\', ' ']);
    let Some(name) = name.strip_suffix([':', '=']) else { return false };
    is_name(last_name(name.trim_end_matches(['"', '\'', '\\'])))
}

fn last_name(text: &str) -> &str {
    let start = text.rfind(|c: char| !c.is_alphanumeric() && c != '_' && c != '-');
    &text[start.map_or(0, |at| at + text[at..].chars().next().map_or(1, char::len_utf8))..]
}

fn is_name(name: &str) -> bool {
    let plain: String = name.chars().filter(|c| !"-_".contains(*c)).collect::<String>().to_lowercase();
    NAMES.iter().any(|known| plain == *known)
        || plain.ends_with("token") && plain != "token"
        || plain.ends_with("secret")
}

/// A word without white space, without the secrets in it.
fn secretless(word: &str) -> String {
    let addresses = without_queries(word);
    let tokens = without_tokens(&addresses);
    without_values(&tokens)
}

/// Cuts the user and the query of every address.
fn without_queries(word: &str) -> String {
    let mut out = String::with_capacity(word.len());
    let mut rest = word;
    while let Some(at) = rest.find("://") {
        let (before, address) = rest.split_at(at + 3);
        out.push_str(before);
        let end = address.find(['"', '\'', ')', '>', '<', '`', '\\', '|', ']', '}']).unwrap_or(address.len());
        let (address, after) = address.split_at(end);
        let authority = address.find(['/', '?', '#']).unwrap_or(address.len());
        let host = address[..authority].rfind('@').map(|at| &address[at..]);
        if host.is_some() {
            out.push_str(CUT);
        }
        let address = host.unwrap_or(address);
        match address.find('?') {
            // Two addresses may stand in one word: what follows the second scheme is looked at again.
            Some(query) => out.push_str(&format!("{}?{CUT}", &address[..query])),
            None => out.push_str(address),
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Cuts JSON web tokens: every one begins with the encoding of `{"`.
fn without_tokens(word: &str) -> String {
    let mut out = String::with_capacity(word.len());
    let mut rest = word;
    while let Some(at) = rest.find("eyJ") {
        let token = &rest[at..];
        let end = token.find(|c: char| !c.is_ascii_alphanumeric() && !"-_.=".contains(c)).unwrap_or(token.len());
        out.push_str(&rest[..at]);
        out.push_str(if end > 20 { CUT } else { &token[..end] });
        rest = &token[end..];
    }
    out.push_str(rest);
    out
}

/// Cuts values that follow the name of a secret: `password=x`, `"access_token":"x"`.
fn without_values(word: &str) -> String {
    let mut out = String::with_capacity(word.len());
    let mut rest = word;
    while let Some(at) = rest.find(['=', ':']) {
        let (before, after) = rest.split_at(at + 1);
        out.push_str(before);
        let value = after.trim_start_matches(['"', '\'', '\\']);
        let quotes = after.len() - value.len();
        let end = value.find(['"', '\'', '&', ';', ',', '}', '\\']).unwrap_or(value.len());
        let named = is_name(last_name(before[..at].trim_end_matches(['"', '\'', '\\'])));
        if named && end > 0 {
            out.push_str(&format!("{}{CUT}", &after[..quotes]));
            rest = &value[end..];
        } else {
            rest = after;
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_cut_in_every_form_that_errors_show_them_in() {
        let cases = [
            "GET https://store/x?sig=SECRET&se=1 failed",
            "[\"https://a/?sig=SECRET\",\"https://b/?sig=SECRET\"]",
            "https://user:SECRET@proxy:8080/x",
            "Bearer eyJhbGciOiJSUzI1NiIsImtpZCI6IjEyMzQ1Njc4OTAifQ.SECRET.SECRET end",
            "Authorization: Bearer SECRET",
            "authorization: Basic SECRET",
            "{\"error\":\"x\",\"access_token\":\"SECRET\",\"n\":1}",
            "{\"client_secret\": \"SECRET\"}",
            "{\\\"password\\\": \\\"SECRET\\\"}",
            "AccountName=a;AccountKey=SECRET;EndpointSuffix=core",
            "SharedAccessSignature SECRET",
            "--password=SECRET",
            "https://a/x?sig=SECRET\u{c}rest",
            "refresh_token=SECRET&grant_type=x",
        ];
        for case in cases {
            let safe = without_secrets(case);
            assert!(!safe.contains("SECRET"), "{case} -> {safe}");
            assert_eq!(without_secrets(&safe), safe);
        }
    }

    #[test]
    fn what_is_no_secret_stays() {
        for text in [
            "failed to fetch anonymous token: unexpected status from GET request to \
             https://r.azurecr.io/oauth2/token: 401 Unauthorized",
            "dial tcp 10.1.2.4:443: i/o timeout",
            "no basic auth credentials",
            "command terminated with exit status=211 [stdout] { \"ExitCode\": \"211\" }",
            "Head \"https://r.azurecr.io/v2/x/manifests/1\": EOF",
        ] {
            assert_eq!(without_secrets(text), text);
        }
    }
}
