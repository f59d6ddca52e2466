//! The script for a node: it runs in a POSIX shell, prints one short line, and that line is a probe file.

use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use aksiso::evidence::probe::{self, Probe, Vantage};

use super::world::{Authority, Behaviour, Host};

const NAME: &str = "contosoboot.test";
/// Most that Azure shows of a run command's output, in bytes.
const SHOWN: usize = 4_000;

fn script(arguments: &[&str]) -> String {
    let mut command = assert_cmd::Command::cargo_bin("aksiso").expect("the binary");
    let output = command.args(["probe", "--script"]).args(arguments).output().expect("it runs");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    // This machine stands for a node, whether or not a kubelet runs on it.
    String::from_utf8(output.stdout).expect("text").replace("-d /var/lib/kubelet ", "-d / ")
}

/// Puts a program of the test's own before those of the machine.
fn program(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    fs::write(&path, text).expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("made a program");
}

/// The shells that are here.
fn shells() -> Vec<Vec<&'static str>> {
    let there = |words: &[&str]| Command::new(words[0]).args(&words[1..]).args(["-c", "true"]).status().is_ok();
    [vec!["sh"], vec!["dash"], vec!["bash", "--posix"], vec!["busybox", "sh"]]
        .into_iter()
        .filter(|own| there(own))
        .collect()
}

fn run(shell: &[&str], script: &str, folder: &Path, roots: &Path) -> Probe {
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").expect("a path"));
    let output = Command::new(shell[0])
        .args(&shell[1..])
        .args(["-c", script])
        .env("PATH", path)
        .env("CURL_CA_BUNDLE", roots)
        .output()
        .expect("it runs");
    let line = String::from_utf8(output.stdout).expect("text");
    assert!(line.len() < SHOWN && line.lines().count() == 1, "{} bytes: {line}", line.len());
    probe::parse(line.as_bytes(), "the script's line")
        .unwrap_or_else(|problem| panic!("{problem}: {line}{}", String::from_utf8_lossy(&output.stderr)))
}

fn kinds(probe: &Probe) -> Vec<String> {
    let own = probe.results.iter().map(|own| serde_json::to_value(own).expect("JSON"));
    own.map(|own| format!("{} {} {}", own["probe"], own["target"], own["outcome"]["kind"]).replace('"', "")).collect()
}

#[test]
fn the_script_says_what_the_probe_says() {
    if Command::new("curl").arg("--version").output().is_err() {
        return;
    }
    let (authority, foreign) = (Authority::new("Test"), Authority::new("Contoso Inspection"));
    let folder = tempfile::tempdir().expect("a folder");
    let roots = folder.path().join("roots.pem");
    fs::write(&roots, authority.pem()).expect("written");
    let challenge = "HTTP/1.1 401 Unauthorized\r\nWww-Authenticate: Bearer realm=\"https://contosoboot.test/oauth2/token\",service=\"contosoboot.test\"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let forbidden = "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let html = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\nConnection: close\r\n\r\n<html>";
    let good = |answer: &str| Behaviour::Answers(authority.server(&[NAME], false), answer.to_owned());
    let cases = [
        (good(challenge), "open", vec!["tls contosoboot.test trusted", "registry contosoboot.test challenge"]),
        (good(forbidden), "open", vec!["tls contosoboot.test trusted", "registry contosoboot.test forbidden"]),
        (good(html), "open", vec!["tls contosoboot.test trusted", "registry contosoboot.test other"]),
        (
            Behaviour::Answers(foreign.server(&[NAME], false), String::new()),
            "open",
            vec!["tls contosoboot.test untrusted"],
        ),
        (
            Behaviour::Answers(authority.server(&["other.test"], false), String::new()),
            "open",
            vec!["tls contosoboot.test untrusted"],
        ),
        (Behaviour::Plain, "open", vec!["tls contosoboot.test not-tls"]),
    ];
    let answer = "#!/bin/sh\nprintf 'Server:\\t\\t10.0.0.4\\nAddress:\\t10.0.0.4#53\\n\\nNon-authoritative answer:\\n'\nfor last; do :; done\ncase $last in contosoboot.test.) printf 'contosoboot.test\\tcanonical name = contosoboot.privatelink.test.\\nName:\\tcontosoboot.privatelink.test\\nAddress: 127.0.0.1\\n';; *) printf '** server can%st find %s: NXDOMAIN\\n' \"'\" \"$last\"; exit 1;; esac\n";
    program(folder.path(), "nslookup", answer);
    for (behaviour, connect, expected) in cases {
        let host = Host::start(behaviour);
        let port = host.address.port();
        let text = script(&["--login-server", &format!("{NAME}:{port}"), "--region", "eastus"]);
        for shell in shells() {
            let probe = run(&shell, &text, folder.path(), &roots);
            assert_eq!(probe.vantage, Vantage::Node);
            let own = kinds(&probe);
            let has = |wanted: &str| own.iter().any(|own| own == wanted);
            assert!(has("resolve contosoboot.test addresses"), "{shell:?} {own:?}");
            assert!(has("resolve contosoboot.eastus.data.test nxdomain"), "{shell:?} {own:?}");
            assert!(has(&format!("connect 127.0.0.1:{port} {connect}")), "{shell:?} {own:?}");
            expected.iter().for_each(|wanted| assert!(has(wanted), "{shell:?}: no {wanted} in {own:?}"));
            assert_eq!(probe.results[0].outcome.probe(), "host-file", "what is short and sure comes first");
            let resolved = probe.results.iter().find_map(|own| match &own.outcome {
                probe::Outcome::Resolve(resolved) => Some(resolved),
                _ => None,
            });
            let resolved = resolved.expect("a resolution");
            assert_eq!(resolved.addresses(), [std::net::IpAddr::V4(Ipv4Addr::LOCALHOST)]);
        }
        assert!(host.requests().iter().all(|request| request.starts_with("GET /v2/ ")), "{:?}", host.requests());
    }
}

/// A closed port, and name servers that fail in every way.
#[test]
fn the_script_tells_bad_answers_apart() {
    if Command::new("curl").arg("--version").output().is_err() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let cases = [
        ("** server can't find x: NXDOMAIN", "nxdomain"),
        ("** server can't find x: SERVFAIL", "servfail"),
        ("** server can't find x: REFUSED", "refused"),
        ("*** Can't find x: No answer", "no-data"),
        (";; connection timed out; no servers could be reached", "timed-out"),
        (";; communications error to 10.0.0.4#53: end of file", "malformed"),
        ("nslookup: segmentation fault", "not-tried"),
    ];
    program(folder.path(), "getent", "#!/bin/sh\nexit 2\n");
    for (said, kind) in cases {
        program(folder.path(), "nslookup", &format!("#!/bin/sh\ncat <<'END'\n{said}\nEND\nexit 1\n"));
        for shell in shells() {
            let probe = run(&shell, &script(&["--login-server", NAME]), folder.path(), folder.path());
            assert!(kinds(&probe).contains(&format!("resolve {NAME} {kind}")), "{shell:?}: {:?}", kinds(&probe));
        }
    }
    let answer = "#!/bin/sh\nprintf 'Server: x\\nAddress: 10.0.0.4\\n\\nName: x\\nAddress: 127.0.0.1\\n'\n";
    program(folder.path(), "nslookup", answer);
    let probe = run(&["sh"], &script(&["--login-server", &format!("{NAME}:1")]), folder.path(), folder.path());
    assert!(kinds(&probe).contains(&"connect 127.0.0.1:1 refused".to_owned()), "{:?}", kinds(&probe));
}

/// However much there is to say, and whatever stands in files and answers, the line stays short and whole.
#[test]
fn the_line_stays_short_whatever_the_answers_are() {
    if Command::new("curl").arg("--version").output().is_err() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let many = "#!/bin/sh\nprintf 'Server: x\\nAddress: 10.0.0.4\\n\\n'\ni=1; while [ $i -lt 40 ]; do printf 'x canonical name = %s\"\\\\##vso.%d.test.\\n' aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa $i; i=$((i+1)); done\nprintf 'Name: x\\nAddress: 127.0.0.1\\n'\n";
    program(folder.path(), "nslookup", many);
    for shell in shells() {
        let probe = run(&shell, &script(&["--login-server", &format!("{NAME}:1")]), folder.path(), folder.path());
        assert!(!probe.results.is_empty());
    }
    // A name with many addresses, and a machine with long names: the node's files and who answers are still there.
    let many = "#!/bin/sh\nprintf 'Server: x\\nAddress: 10.0.0.4\\n\\n'\ni=1; while [ $i -lt 60 ]; do printf 'Name: x\\nAddress: 127.0.0.%d\\n' $i; i=$((i+1)); done\n";
    program(folder.path(), "nslookup", many);
    let addresses =
        "#!/bin/sh\ni=1; while [ $i -lt 60 ]; do printf '2001:db8:1111:2222:3333:4444:5555:%d ' $i; i=$((i+1)); done\n";
    program(folder.path(), "hostname", addresses);
    let authority = Authority::new("Test");
    let roots = folder.path().join("roots.pem");
    fs::write(&roots, authority.pem()).expect("written");
    let host = Host::start(Behaviour::Answers(
        authority.server(&[NAME], false),
        "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_owned(),
    ));
    let text = script(&["--login-server", &format!("{NAME}:{}", host.address.port()), "--api-server", "api.test"]);
    let probe = run(&["sh"], &text, folder.path(), &roots);
    let own = kinds(&probe);
    let count = |what: &str| own.iter().filter(|own| own.starts_with(what)).count();
    assert_eq!(count("host-file"), 5, "{own:?}");
    assert!(count(&format!("connect 127.0.0.1:{} open", host.address.port())) == 1 && count("connect") <= 8, "{own:?}");
    assert!(count("tls contosoboot.test") == 1 && count("registry contosoboot.test forbidden") == 1, "{own:?}");
}

/// What an answer holds is no pattern of file names; where there is no node, there are no files of one; and what does
/// not fit on the line is said to be missing.
#[test]
fn the_script_takes_answers_as_text_and_tells_what_it_left_out() {
    if Command::new("curl").arg("--version").output().is_err() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let pattern = "#!/bin/sh\nprintf 'Server: x\\nAddress: 10.0.0.4\\n\\nx canonical name = /*\\nName: x\\nAddress: 127.0.0.1\\n'\n";
    program(folder.path(), "nslookup", pattern);
    let text = script(&["--login-server", &format!("{NAME}:1")]);
    for shell in shells() {
        let probe = run(&shell, &text, folder.path(), folder.path());
        assert!(!serde_json::to_string(&probe).expect("JSON").contains("/bin"), "{shell:?}");
    }
    let elsewhere = run(&["sh"], &text.replace("-d / ", "-d /not/there "), folder.path(), folder.path());
    assert!(kinds(&elsewhere).iter().all(|own| !own.starts_with("host-file")), "{:?}", kinds(&elsewhere));
    let long = "a".repeat(40);
    let many = format!(
        "#!/bin/sh\nprintf 'Server: x\\nAddress: 10.0.0.4\\n\\n'\ni=1; while [ $i -lt 5 ]; do printf 'x canonical name = {long}%d.{long}.{long}.test.\\n' $i; i=$((i+1)); done\nprintf 'Name: x\\nAddress: 127.0.0.1\\n'\n"
    );
    program(folder.path(), "nslookup", &many);
    let regions = ["eastus", "westus", "northeurope", "westeurope"].iter().flat_map(|own| ["--region", own]);
    let arguments: Vec<&str> =
        ["--login-server", "contosoboot.test:1", "--api-server", "api.test"].into_iter().chain(regions).collect();
    let probe = run(&["sh"], &script(&arguments), folder.path(), folder.path());
    assert!(kinds(&probe).iter().any(|own| own.ends_with("not-tried")), "{:?}", kinds(&probe));
}

#[test]
fn a_script_needs_targets_and_real_ones() {
    let code = |arguments: &[&str]| {
        let mut command = assert_cmd::Command::cargo_bin("aksiso").expect("the binary");
        command.arg("probe").args(arguments).output().expect("it runs").status.code()
    };
    assert_eq!(code(&["--script"]), Some(2));
    assert_eq!(code(&["--script", "--login-server", "x;reboot"]), Some(2));
    assert_eq!(code(&["--login-server", NAME, "--host-root", "/not/there"]), Some(2), "a folder that is not there");
    let text = script(&["--login-server", NAME, "--egress", "proxy.test:8443"]);
    assert!(text.contains("proxy.test:8443"), "an egress host keeps its port");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("a.json");
    let mut command = assert_cmd::Command::cargo_bin("aksiso").expect("the binary");
    let example = crate::fixtures::folder().join("example.json");
    command.args(["collect", "--anonymize", "--from"]).arg(&example).arg("-o").arg(&file).assert().success();
    assert_eq!(code(&["--script", "--from", &file.display().to_string()]), Some(2), "pseudonyms are no hosts");
    assert_eq!(code(&["--how", "--from", &example.display().to_string()]), Some(0));
    let text = script(&["--from", &example.display().to_string()]);
    assert!(text.contains("contosoboot.azurecr.io") && text.contains("contosoboot.eastus.data.azurecr.io"));
}

#[test]
fn the_script_is_clean_where_a_linter_is_at_hand() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("probe.sh");
    fs::write(&file, script(&["--login-server", NAME])).expect("written");
    let checked = Command::new("sh").arg("-n").arg(&file).status().expect("a shell");
    assert!(checked.success());
    if let Ok(checked) = Command::new("shellcheck").args(["-s", "sh"]).arg(&file).output() {
        assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
    }
}
