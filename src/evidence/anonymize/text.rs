//! Turns texts word by word: addresses, GUIDs, digests and names each in their own way, everything between stays.

use std::net::IpAddr;

use ipnet::IpNet;

use super::pseudonyms::{MARK, Pseudonyms, is_word};
use crate::evidence::cloud;
use crate::evidence::id::is_subscription;

/// Below this path a registry caches Microsoft's own images.
const CACHED: &str = "aks-managed-repository/";
/// Hosts that everybody knows, besides those of the clouds.
const HOSTS: &str = include_str!("hosts.txt");
/// Names that Azure gives to networks that it peers; a check knows them by how they begin.
const PREFIXES: [&str; 2] = ["HV_", "RemoteVnetToHubPeering"];

/// A piece of a text.
#[derive(Debug, PartialEq)]
enum Piece<'t> {
    Address(IpAddr),
    Network(IpNet),
    Word(&'t str),
    Other(&'t str),
}

impl Pseudonyms {
    /// A text that is no sentence: an id, a host, a reference of an image, a name.
    pub(super) fn structured(&mut self, text: &str) -> String {
        if text.parse::<jiff::Timestamp>().is_ok() {
            return text.to_owned();
        }
        // What a node calls its machine begins with azure://, and ARM writes its ids in any casing.
        let lower = text.to_ascii_lowercase();
        let scope = lower.starts_with("/providers/").then_some(0).or_else(|| lower.find("/subscriptions/"));
        if let Some(at) = scope {
            return format!("{}{}", &text[..at], self.id(&text[at..]));
        }
        match microsofts(text) {
            Some((own, theirs, rest)) => format!("{}{theirs}{}", self.parts(own), self.structured(rest)),
            None => self.parts(text),
        }
    }

    /// A condition of a role assignment: its operators stay.
    pub(super) fn condition(&mut self, text: &str) -> String {
        self.turn(text, |own, word| own.phrases.contains(word))
    }

    /// A sentence: what looks like a name, a host or a path is turned as such; of the other words those stay that
    /// runtimes and Azure use.
    pub(super) fn sentence(&mut self, text: &str) -> String {
        text.split_inclusive(char::is_whitespace).map(|chunk| self.chunk(chunk)).collect()
    }

    fn chunk(&mut self, chunk: &str) -> String {
        let core = chunk.trim_matches(|c: char| c.is_whitespace() || "\"'`()[]{}<>,;:.!?".contains(c));
        let start = chunk.find(core).unwrap_or_default();
        let (before, after) = (&chunk[..start], &chunk[start + core.len()..]);
        let turned = if let Some((theirs, own)) = self.in_quotes(core) {
            format!("{theirs}{own}")
        } else if core.contains(['/', '.', '@']) {
            self.structured(core)
        } else {
            self.turn(core, |own, word| own.phrases.contains(word))
        };
        format!("{before}{turned}{after}")
    }

    /// `Get"https://…"` and `message:"client`: only what follows the last quote may be a path.
    fn in_quotes(&mut self, core: &str) -> Option<(String, String)> {
        let at = core.rfind(['"', '\''])? + 1;
        let (before, after) = core.split_at(at);
        Some((self.chunk(&before[..at - 1]) + &before[at - 1..], self.chunk(after)))
    }

    /// An ARM id: the types stay, the names turn.
    fn id(&mut self, id: &str) -> String {
        let mut turned = Vec::new();
        let mut parts = id.split('/').skip(1);
        while let Some(word) = parts.next() {
            turned.push(word.to_owned());
            let Some(value) = parts.next() else { break };
            // A namespace is Azure's, and what follows it are types and names in turn.
            turned.push(if word.eq_ignore_ascii_case("providers") { value.to_owned() } else { self.structured(value) });
        }
        format!("/{}", turned.join("/"))
    }

    /// A name that stands alone may be any word; within a host or path, the words that all of them share stay.
    fn parts(&mut self, text: &str) -> String {
        let alone = !text.contains(['.', '/', ':']);
        self.turn(text, |own, word| if alone { own.alone.contains(word) } else { own.words.contains(word) })
    }

    /// Turns every piece but the words, in lower case, that stay.
    fn turn(&mut self, text: &str, stays: impl Fn(&Self, &str) -> bool + Copy) -> String {
        let mut out = String::with_capacity(text.len());
        for piece in pieces(text) {
            match piece {
                Piece::Other(other) => out.push_str(other),
                Piece::Address(address) => out.push_str(&self.address(address).to_string()),
                Piece::Network(net) => {
                    let address = self.address(net.network());
                    let turned = IpNet::new(address, net.prefix_len()).map_or(net, |net| net.trunc());
                    out.push_str(&turned.to_string());
                }
                Piece::Word(word) => out.push_str(&self.word(word, stays)),
            }
        }
        out
    }

    fn word(&mut self, word: &str, stays: impl Fn(&Self, &str) -> bool + Copy) -> String {
        let short_number = word.len() <= 5 && word.trim_start_matches('v').chars().all(|c| c.is_ascii_digit());
        if short_number || stays(self, &word.to_lowercase()) {
            return word.to_owned();
        }
        if is_subscription(word) {
            return self.guid(word);
        }
        if word.len() == 64 && word.chars().all(|c| c.is_ascii_hexdigit()) {
            return self.digest(word);
        }
        if let Some(prefix) = PREFIXES.iter().find(|prefix| word.starts_with(**prefix)) {
            return format!("{prefix}{}", self.name(&word[prefix.len()..]));
        }
        // Names of scale sets and nodes: aks-POOL-NUMBER-vmss000001 begins with the pool's name.
        match word.strip_prefix("aks-") {
            Some(rest) if rest.contains('-') => {
                let parts =
                    rest.split('-').map(|part| if is_machine(part) { part.to_owned() } else { self.word(part, stays) });
                format!("aks-{}", parts.collect::<Vec<_>>().join("-"))
            }
            _ => self.name(word),
        }
    }

    /// Puts the names and addresses back.
    pub(super) fn restore(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        for piece in pieces(text) {
            match piece {
                Piece::Other(other) => out.push_str(other),
                Piece::Address(address) => out.push_str(&self.original_address(address).unwrap_or(address).to_string()),
                Piece::Network(net) => {
                    let address = self.original_address(net.network()).unwrap_or(net.network());
                    let turned = IpNet::new(address, net.prefix_len()).map_or(net, |net| net.trunc());
                    out.push_str(&turned.to_string());
                }
                Piece::Word(word) => out.push_str(&self.restored(word)),
            }
        }
        out
    }

    fn restored(&self, word: &str) -> String {
        if let Some(name) = self.original(word) {
            return name.to_owned();
        }
        // A pseudonym may be a part of a word: aks-anon3-anon4-vmss000001.
        let parts = word.split('-').map(|part| {
            let at = part.find(MARK).filter(|at| *at > 0 && self.original(&part[*at..]).is_some());
            match (self.original(part), at) {
                (Some(name), _) => name.to_owned(),
                (None, Some(at)) => format!("{}{}", &part[..at], self.original(&part[at..]).unwrap_or_default()),
                (None, None) => part.to_owned(),
            }
        });
        parts.collect::<Vec<_>>().join("-")
    }
}

/// Splits before and after what is Microsoft's own: the path of an image, up to where a reference can end.
fn microsofts(text: &str) -> Option<(&str, &str, &str)> {
    let below = |host: &'static str| text.match_indices(host).find(|(at, _)| text[at + host.len()..].starts_with('/'));
    let hosts = cloud::mcr_hosts().filter_map(below).map(|(at, _)| at);
    let start = hosts.chain(text.find(CACHED)).min()?;
    let end = text[start..].find(|c: char| c.is_whitespace() || "\"'?&,;()<>".contains(c));
    let end = end.map_or(text.len(), |end| start + end);
    Some((&text[..start], &text[start..end], &text[end..]))
}

/// The last part of a machine's name.
fn is_machine(part: &str) -> bool {
    let number = part.strip_prefix("vmss").or_else(|| part.strip_prefix("vms"));
    number.is_some_and(|number| number.len() <= 6 && number.chars().all(|c| c.is_ascii_alphanumeric()))
}

/// Cuts a text into addresses, words and what is between them.
fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    let mut fresh = true; // whether an address may begin here
    while let Some(first) = rest.chars().next() {
        let address = if fresh { address(rest) } else { None };
        let (piece, length) = match address {
            Some(found) => found,
            None if fresh && let Some(host) = public_host(rest) => (Piece::Other(host), host.len()),
            None if is_word(first) => {
                let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
                (Piece::Word(&rest[..end]), end)
            }
            None => (Piece::Other(&rest[..first.len_utf8()]), first.len_utf8()),
        };
        fresh = matches!(piece, Piece::Other(other) if other != "." );
        pieces.push(piece);
        rest = &rest[length..];
    }
    pieces
}

/// The public host that a text begins with.
fn public_host(text: &str) -> Option<&str> {
    let end = text.find(|c| !is_word(c) && c != '.').unwrap_or(text.len());
    let host = text[..end].trim_end_matches('.');
    (cloud::is_public(host) || HOSTS.split_whitespace().any(|known| known == host)).then_some(host)
}

/// The address or network that a text begins with.
fn address(text: &str) -> Option<(Piece<'_>, usize)> {
    let end = text.find(|c: char| !c.is_ascii_hexdigit() && c != '.' && c != ':').unwrap_or(text.len());
    let four = text[..end].find(':').unwrap_or(end); // a port may follow
    [end, four].into_iter().find_map(|end| {
        let candidate = text[..end].trim_end_matches(['.', ':']);
        let address: IpAddr = candidate.parse().ok()?;
        let after = &text[candidate.len()..];
        if after.starts_with(is_word) {
            return None;
        }
        let digits = after
            .strip_prefix('/')
            .map(|after| &after[..after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len())]);
        let net = digits.and_then(|digits| Some((IpNet::new(address, digits.parse().ok()?).ok()?, digits.len() + 1)));
        Some(match net {
            Some((net, more)) => (Piece::Network(net), candidate.len() + more),
            None => (Piece::Address(address), candidate.len()),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_into_what_they_are_made_of() {
        let net = |text: &str| Piece::Network(text.parse().expect("a net"));
        let ip = |text: &str| Piece::Address(text.parse().expect("an address"));
        assert_eq!(pieces("10.1.2.4:443"), [ip("10.1.2.4"), Piece::Other(":"), Piece::Word("443")]);
        assert_eq!(pieces("10.1.0.0/16"), [net("10.1.0.0/16")]);
        assert_eq!(
            pieces("[::1]:53"),
            [Piece::Other("["), ip("::1"), Piece::Other("]"), Piece::Other(":"), Piece::Word("53")]
        );
        assert_eq!(pieces("a.1.2.3.4").len(), 9, "a host is no address");
    }

    #[test]
    fn what_every_cloud_shares_stays() {
        let mut names = Pseudonyms::default();
        for cloud in cloud::ALL {
            let server = names.structured(&format!("contoso.{}", cloud.registry_suffix));
            assert!(
                server.ends_with(&format!(".{}", cloud.registry_suffix)) && !server.contains("contoso"),
                "{server}"
            );
            for host in cloud.mcr_hosts {
                assert_eq!(names.structured(&format!("{host}/oss/x:1")), format!("{host}/oss/x:1"));
            }
        }
    }

    #[test]
    fn the_same_name_gets_the_same_pseudonym_wherever_it_stands() {
        let mut names = Pseudonyms::default();
        let id = names.structured(
            "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/RG/providers/\
             Microsoft.ContainerRegistry/registries/contoso",
        );
        assert_eq!(
            id,
            "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/anon2/providers/\
             Microsoft.ContainerRegistry/registries/anon3"
        );
        assert_eq!(names.structured("contoso.azurecr.io"), "anon3.azurecr.io");
        assert_eq!(names.structured("mcr.microsoft.com/oss/x:1"), "mcr.microsoft.com/oss/x:1");
        let message = "failed to resolve reference \"contoso.azurecr.io/shop/web:v2\": lookup contoso.azurecr.io on \
                       10.9.0.10:53: no such host (ask Jane)";
        assert_eq!(
            names.sentence(message),
            "failed to resolve reference \"anon3.azurecr.io/anon4/anon5:v2\": lookup anon3.azurecr.io on 10.0.0.0:53: \
             no such host (anon6 anon7)"
        );
        let turned = names.sentence(message);
        assert_eq!(names.restore(&turned), message);
        assert_eq!(names.structured("registry.k8s.io/contoso/x@sha256:1"), "registry.k8s.io/anon3/anon8@sha256:1");
        assert_eq!(names.structured("aks-contoso-12345678-vmss00000a"), "aks-anon3-anon9-vmss00000a");
    }
}
