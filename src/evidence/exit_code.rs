//! The exit code of a node's bootstrap (the scale set extension `vmssCSE`), in every form in which ARM writes it: a
//! number, the code's name, or a sentence.

/// Names and sentences that stand for a code, squeezed as in [`squeezed`]. A name is found in each of its spellings:
/// `VMExtensionError_OrasPullUnauthorized`, `OrasPullUnauthorizedVMExtensionError`, `ERR_ORAS_PULL_UNAUTHORIZED`, and
/// the page that ARM links to.
const WRITTEN: [(&str, u32); 15] = [
    ("k8sdownloadtimeout", 31),
    ("cnidownloadtimeout", 41),
    ("outboundconnfail", 50),
    ("unabletoestablishoutboundconnectionfromagents", 50),
    ("k8sapiserverconnfail", 51),
    ("agentsareunabletoestablishconnectiontokubernetesapiserver", 51),
    ("k8sapiserverdnslookupfail", 52),
    ("agentsareunabletoresolvekubernetesapiservername", 52),
    ("vhdfilenotfound", 65),
    ("oraspullnetworktimeout", 211),
    ("bootstrapcontainerregistryisntreachable", 211),
    ("bootstrapcontainerregistryisnotreachable", 211),
    ("oraspullunauthorized", 212),
    ("bootstrapcontainerregistryauthorizationfailed", 212),
    ("bootstrapcontainerregistryauthorizationhasfailed", 212),
];

/// What a number counts that is no exit code.
const UNITS: [&str; 12] = ["s", "m", "h", "ms", "sec", "second", "min", "minute", "hour", "retries", "attempt", "time"];

/// What can be a code of the bootstrap's.
const CODES: std::ops::Range<u32> = 2..1_000;

/// Finds the exit code that a message carries. A number is believed before a name, and a name before a sentence that
/// comes later.
pub fn find(message: &str) -> Option<u32> {
    after(message, "exit status", " =:")
        .or_else(|| after(message, "ExitCode", "\\\":=| "))
        .or_else(|| after(message, "exit code", " =:"))
        .or_else(|| of_extension(message))
        .or_else(|| in_words(message))
}

/// The number that follows a word, with nothing but `between` before it.
fn after(message: &str, word: &str, between: &str) -> Option<u32> {
    let lower = message.to_ascii_lowercase();
    lower.match_indices(&word.to_ascii_lowercase()).find_map(|(at, _)| {
        let rest = lower[at + word.len()..].trim_start_matches(|c| between.contains(c));
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        // 0 is no failure: the code stands further on.
        rest[..digits].parse().ok().filter(|code| *code != 0)
    })
}

/// `vmssCSE … 211`: a number of its own, in the same sentence as the extension's name.
fn of_extension(message: &str) -> Option<u32> {
    let (_, rest) = message.split_once("vmssCSE")?;
    let end = [". ", "\n", ".\""].iter().filter_map(|stop| rest.find(stop)).min().unwrap_or(rest.len());
    let words: Vec<&str> = rest[..end].split_whitespace().collect();
    words.iter().enumerate().find_map(|(at, word)| {
        let number: u32 = word.trim_matches(|c: char| "()[]{},;:.'\"".contains(c)).parse().ok()?;
        let unit = words.get(at + 1).map(|unit| unit.to_ascii_lowercase());
        let counts = unit.is_some_and(|unit| UNITS.iter().any(|own| unit == *own || unit == format!("{own}s")));
        (!counts && CODES.contains(&number)).then_some(number)
    })
}

fn in_words(message: &str) -> Option<u32> {
    let message = squeezed(message);
    let found = WRITTEN.iter().filter_map(|(words, number)| Some((message.find(words)?, *number)));
    found.min().map(|(_, number)| number)
}

/// Letters and digits alone, in lower case: spaces, underscores and apostrophes vary.
fn squeezed(message: &str) -> String {
    message.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zero_is_no_code() {
        assert_eq!(find("Enable failed: exit status=0 \"ExitCode\":\"211\""), Some(211));
        assert_eq!(find("command terminated with exit status=0"), None);
    }

    #[test]
    fn every_form_of_the_message_is_read() {
        let cases = [
            (
                "Enable failed: failed to execute command: command terminated with exit status=211\n[stdout]\n{ \
                 \"ExitCode\": \"211\", \"Output\": \"…\"",
                Some(211),
            ),
            ("{\\\"ExitCode\\\": \\\"207\\\", \\\"Output\\\"", Some(207)),
            ("terminated with exit status 50", Some(50)),
            ("ExitCode: 211", Some(211)),
            ("ExitCode: |79|, Output: |WINDOWS_CSE_ERROR_ORAS_PULL_UNAUTHORIZED|", Some(79)),
            ("the bootstrap ended with exit code 207", Some(207)),
            ("vmssCSE failed: 211", Some(211)),
            ("VM has reported a failure when processing extension 'vmssCSE' (212)", Some(212)),
            ("Unable to establish outbound connection from agents, please see https://x", Some(50)),
            ("see https://x/error-codes/vmextensionerror-outboundconnfail", Some(50)),
            (
                "CSE failed with 'VMExtensionError_K8SAPIServerDNSLookupFail'. Agents are unable to resolve Kubernetes \
                 API server name.",
                Some(52),
            ),
            ("VMExtensionError_K8SAPIServerConnFail", Some(51)),
            ("CniDownloadTimeoutVMExtensionError", Some(41)),
            ("ERR_VHD_FILE_NOT_FOUND", Some(65)),
            ("Bootstrap Container Registry isn't reachable.", Some(211)),
            ("Bootstrap Container Registry isn’t reachable.", Some(211)),
            ("Bootstrap Container Registry authorization failed.", Some(212)),
            ("The VM has reached its exit status", None),
            ("vmssCSE has not reported after 20 minutes", None),
            ("vmssCSE of aks-apps-11112222-vmss_0 failed. 3 of 50 nodes are left", None),
            ("quota exceeded", None),
        ];
        for (message, code) in cases {
            assert_eq!(find(message), code, "{message}");
        }
    }
}
