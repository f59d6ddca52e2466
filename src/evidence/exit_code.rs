//! The exit code of a node's bootstrap (the scale set extension `vmssCSE`), as ARM's messages carry it.

/// Finds the exit code in a message of either form: `exit status=50`, or `"ExitCode": "50"` with or without escapes.
/// ARM sometimes rewrites 50 to a sentence without a number.
pub fn find(message: &str) -> Option<u32> {
    after(message, "exit status", " =")
        .or_else(|| after(message, "ExitCode", "\\\": "))
        .or_else(|| message.contains("Unable to establish outbound connection from agents").then_some(50))
}

/// The number that follows a word, with nothing but `between` before it.
fn after(message: &str, word: &str, between: &str) -> Option<u32> {
    message.match_indices(word).find_map(|(at, _)| {
        let rest = message[at + word.len()..].trim_start_matches(|c| between.contains(c));
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        rest[..digits].parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_the_message_are_read() {
        let extension = "Enable failed: failed to execute command: command terminated with exit \
                         status=211\n[stdout]\n{ \"ExitCode\": \"211\", \"Output\": \"…\"";
        assert_eq!(find(extension), Some(211));
        assert_eq!(find("{\\\"ExitCode\\\": \\\"207\\\", \\\"Output\\\""), Some(207));
        assert_eq!(find("terminated with exit status 50"), Some(50));
        assert_eq!(
            find("Unable to establish outbound connection from agents, please see https://learn.microsoft.com/x"),
            Some(50)
        );
        assert_eq!(find("The VM has reached its exit status"), None);
        assert_eq!(find("quota exceeded"), None);
    }
}
