//! Codes of a failed bootstrap, in every form in which ARM writes them: the same rules and causes.

use serde_json::Value;

use crate::judged::essence;
use crate::{fixtures, in_parallel};

/// The forms that stand for any number.
fn numbered(number: &str) -> Vec<String> {
    vec![
        format!("Enable failed: command terminated with exit status={number}"),
        format!("command terminated with exit status {number}\n[stdout]\n{{\"Output\": \"2 of 3 retries\"}}"),
        format!("{{\\\"ExitCode\\\": \\\"{number}\\\", \\\"Output\\\": \\\"…\\\"}}"),
        format!("ExitCode: {number}"),
        format!("VM has reported a failure when processing extension 'vmssCSE' ({number}). See the log."),
        format!("vmssCSE failed with {number}"),
    ]
}

/// The names and sentences of the codes that have them.
fn named(number: &str) -> Vec<&'static str> {
    match number {
        "31" => vec!["VMExtensionError_K8SDownloadTimeout"],
        "41" => vec!["VMExtensionError_CniDownloadTimeout"],
        "50" => vec![
            "CSE failed with 'VMExtensionError_OutBoundConnFail'.",
            "Unable to establish outbound connection from agents, please see https://x",
        ],
        "51" => vec![
            "K8SAPIServerConnFailVMExtensionError",
            "Agents are unable to establish connection to Kubernetes API server.",
        ],
        "52" => vec![
            "VMExtensionError_K8SAPIServerDNSLookupFail",
            "Agents are unable to resolve Kubernetes API server name.",
        ],
        "65" => vec!["VMExtensionError_VHDFileNotFound"],
        "211" => vec![
            "VMExtensionError_OrasPullNetworkTimeout",
            "Bootstrap Container Registry isn't reachable. Please check its private endpoint.",
        ],
        "212" => vec![
            "VMExtensionError_OrasPullUnauthorized",
            "Bootstrap Container Registry authorization failed. Please ensure that the identity has access.",
        ],
        _ => Vec::new(),
    }
}

/// Every message that carries the number, in another form.
fn rewritten(value: &Value, number: &str, form: &str) -> Value {
    match value {
        Value::String(text) if code_of(text).as_deref() == Some(number) => Value::String(form.to_owned()),
        Value::Array(items) => items.iter().map(|item| rewritten(item, number, form)).collect(),
        Value::Object(map) => map.iter().map(|(key, own)| (key.clone(), rewritten(own, number, form))).collect(),
        other => other.clone(),
    }
}

fn code_of(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("exit status=")?;
    let number: String = rest.chars().take_while(char::is_ascii_digit).collect();
    (!number.is_empty()).then_some(number)
}

fn codes(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => code_of(text).into_iter().collect(),
        Value::Array(items) => items.iter().flat_map(codes).collect(),
        Value::Object(map) => map.values().flat_map(codes).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn every_form_of_a_code_leads_to_the_same_findings() {
    let wrong = std::sync::Mutex::new(Vec::new());
    let tried = std::sync::atomic::AtomicUsize::new(0);
    in_parallel::each(2, fixtures::all().into_iter().collect(), |(name, snapshot): (String, Value)| {
        let mut numbers = codes(&snapshot);
        numbers.sort();
        numbers.dedup();
        for number in &numbers {
            let before = essence(&fixtures::evidence(&snapshot));
            let forms = numbered(number).into_iter().chain(named(number).into_iter().map(str::to_owned));
            for form in forms {
                tried.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                let after = essence(&fixtures::evidence(&rewritten(&snapshot, number, &form)));
                if after != before {
                    wrong.lock().expect("a lock").push(format!("{name}: {form}\n  {before:?}\n  {after:?}"));
                }
            }
        }
    });
    let (wrong, tried) = (wrong.into_inner().expect("a lock"), tried.into_inner());
    assert!(tried > 100, "only {tried} forms were tried");
    assert!(wrong.is_empty(), "{} of {tried}\n{}", wrong.len(), wrong.join("\n"));
}
