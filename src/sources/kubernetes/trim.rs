//! Takes out of a page what fills most of it and what nobody reads, before it is parsed: on a large cluster skipping it
//! field by field would cost more than all the rest.

use memchr::{memchr, memchr_iter, memchr2, memmem};

/// Lists that no check reads: who wrote which field, and what a node has in its image store. In JSON such a key cannot
/// occur within a text, where its quotes would be escaped.
const LISTS: [&[u8]; 2] = [b"\"managedFields\":[", b"\"images\":["];

/// The page with these lists empty. What is not balanced stays as it is: the parser will say so.
pub(super) fn trimmed(mut page: Vec<u8>) -> Vec<u8> {
    for key in LISTS {
        let length = without(&mut page, &memmem::Finder::new(key), key.len());
        page.truncate(length);
    }
    page
}

/// Moves what stays to the front, in place, and says how long that is.
fn without(page: &mut [u8], key: &memmem::Finder<'_>, key_length: usize) -> usize {
    let (mut read, mut kept) = (0, 0);
    while let Some(at) = key.find(&page[read..]) {
        let open = read + at + key_length - 1;
        let Some(length) = flat(&page[open..]).or_else(|| list(&page[open..])) else { break };
        page.copy_within(read..=open, kept);
        kept += open + 1 - read;
        page[kept] = b']';
        kept += 1;
        read = open + length;
    }
    page.copy_within(read.., kept);
    kept + page.len() - read
}

/// The length of a list that holds no other, found by counting, which costs a fraction of reading it: the first `]` ends
/// it where no other `[` stands before it, and where the quotes before it that no backslash escapes are in pairs.
fn flat(text: &[u8]) -> Option<usize> {
    let end = memchr(b']', text)?;
    let inner = &text[1..end];
    let escaped = memmem::find_iter(inner, b"\\\"").count();
    let quotes = memchr_iter(b'"', inner).count() - escaped;
    // Two backslashes are one that escapes nothing: left to the reader.
    let plain = memchr(b'[', inner).is_none() && memmem::find(inner, b"\\\\").is_none();
    (plain && quotes.is_multiple_of(2)).then_some(end + 1)
}

/// How long the list is that a text begins with.
fn list(text: &[u8]) -> Option<usize> {
    let (mut at, mut depth) = (0, 0_usize);
    while let Some(byte) = text.get(at) {
        at += 1;
        match byte {
            b'[' => depth += 1,
            b']' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at);
                }
            }
            b'"' => at += string(&text[at..])?,
            _ => {}
        }
    }
    None
}

/// How far it is to behind the quote that ends a string.
fn string(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr2(b'"', b'\\', text.get(at..)?)?;
        if text[at] == b'"' {
            return Some(at + 1);
        }
        at += 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(page: &str) -> String {
        String::from_utf8(trimmed(page.as_bytes().to_vec())).expect("UTF-8")
    }

    #[test]
    fn only_the_lists_go() {
        let page = r#"{"items":[{"metadata":{"managedFields":[{"a":"]\"\\","b":[[1],{}]}],"name":"n"},"status":{"images":[{"names":["x"]}],"x":1}},{"managedFields":[]}]}"#;
        let expected = r#"{"items":[{"metadata":{"managedFields":[],"name":"n"},"status":{"images":[],"x":1}},{"managedFields":[]}]}"#;
        assert_eq!(text(page), expected);
        let cases = [
            (r#"{"managedFields":[{"k:{\"a\":\"x]\"}":{}}],"n":1}"#, r#"{"managedFields":[],"n":1}"#),
            (r#"{"managedFields":[{"a":"\\"},"]"],"n":1}"#, r#"{"managedFields":[],"n":1}"#),
            (r#"{"managedFields":["]","\"]"],"n":[]}"#, r#"{"managedFields":[],"n":[]}"#),
        ];
        for (page, expected) in cases {
            assert_eq!(text(page), expected);
        }
        for same in [
            r#"{"a":"\"managedFields\":[ is a text"}"#,
            r#"{"managedFields":[{"cut"#,
            r#"{"managedFields":["\"#,
            "",
            "]",
        ] {
            assert_eq!(text(same), same);
        }
    }
}
