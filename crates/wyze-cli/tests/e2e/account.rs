//! The account: names in place of URLs, the list, logging out, and a login that fails.

use serde_json::Value;

use crate::harness::*;

const GATE: [&str; 4] = ["Gate", "GW_GC1", "127.0.0.1", "TESTTESTTESTTESTTES4"];

/// `wyze login` with this answer to each question, and the service at this address.
fn login(config: &std::path::Path, url: &str, answers: &str) -> std::process::Output {
    assert_cmd::Command::new(env!("CARGO_BIN_EXE_wyze"))
        .args(["-vv", "login"])
        .env("WYZE_CONFIG_DIR", config)
        .env("WYZE_AUTH_URL", url)
        .env("WYZE_API_URL", url)
        .env("NO_PROXY", "*")
        .env_remove("RUST_LOG")
        .write_stdin(answers)
        .output()
        .unwrap()
}

/// A real camera listens on the one port that the account implies, so this one has an address of its own; only Linux
/// gives all of 127.0.0.0/8 to the loopback interface.
#[cfg(target_os = "linux")]
#[test]
fn a_name_stands_wherever_a_url_does() {
    let address = "127.61.7.2";
    let camera = Camera::start_as(UID, &format!("{address}:32761"), &[]);
    let account = account(&[["Front Door", "HL_CAM3P", address, UID], GATE]);
    let config = account.path();
    let path = config.join("x.mp4");
    let path = path.to_str().unwrap();
    for args in [
        &["probe", "Front Door"][..],
        &["stream", "front door", "-o", path, "-n", "10"],
        &["set", "Front Door", "night-vision", "off"],
        &["get", "Front Door", "night-vision"],
        &["info", "Front Door"],
    ] {
        let output = wyze_at(config, args);
        assert_succeeds(&output);
        let text = stdout(&output);
        for secret in [UID, ENR, MAC] {
            assert!(!text.contains(secret), "{text}");
        }
    }
    let output = wyze_at(config, &["get", "Front Door", "night-vision", "--json"]);
    assert_eq!(stdout(&output), "{\"night-vision\":\"off\"}\n");
    drop(camera);
}

#[test]
fn an_unknown_name_lists_the_names_there_are() {
    let account = account(&[["Front Door", "HL_CAM3P", "127.0.0.1", UID], GATE]);
    for command in ["stream", "probe", "get", "info"] {
        let message = assert_fails(&wyze_at(account.path(), &[command, "Back Door"]), 35);
        assert!(
            message.contains("Front Door") && message.contains("Gate"),
            "{message}"
        );
    }
    let message = assert_fails(&wyze(&["probe", "Front Door"]), 35);
    assert!(message.contains("wyze login"), "{message}");
    assert_fails(&wyze_at(account.path(), &["probe", "Gate"]), 23);
}

#[test]
fn the_list_shows_credentials_on_request_only() {
    let account = account(&[["Front Door", "HL_CAM3P", "127.0.0.1", UID], GATE]);
    let list = |more: &[&str]| {
        let output = wyze_at(account.path(), &[&["cameras", "-vv"][..], more].concat());
        assert_succeeds(&output);
        stdout(&output) + &stderr(&output)
    };
    for text in [list(&[]), list(&["--json"])] {
        for part in ["Front Door", "HL_CAM3P", "4.58.0.0", "Gwell"] {
            assert!(text.contains(part), "{part:?} is not in {text}");
        }
        for secret in [UID, ENR, MAC] {
            assert!(!text.contains(secret), "{text}");
        }
    }
    assert!(list(&["--show-urls"]).contains(ENR));
    let output = wyze_at(account.path(), &["cameras", "--json", "--show-urls"]);
    let json: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(json[0]["supported"], true);
    assert!(json[0]["url"].as_str().unwrap().starts_with("wyze://"));
    assert_eq!(json[1]["supported"], false);
    assert_eq!(json[1]["url"], Value::Null);
}

#[test]
fn logging_out_forgets_the_cameras() {
    let account = account(&[["Front Door", "HL_CAM3P", "127.0.0.1", UID]]);
    assert_succeeds(&wyze_at(account.path(), &["logout"]));
    let file = std::fs::read_to_string(account.path().join("account.json")).unwrap();
    assert!(!file.contains(ENR), "{file}");
    for command in [&["cameras"][..], &["cameras", "--refresh"]] {
        let message = assert_fails(&wyze_at(account.path(), command), 32);
        assert!(message.contains("wyze login"), "{message}");
    }
    assert_succeeds(&wyze_at(account.path(), &["logout"]));
}

#[test]
fn a_damaged_store_is_named() {
    let account = account(&[]);
    let path = account.path().join("account.json");
    std::fs::write(&path, "{").unwrap();
    let message = assert_fails(&wyze_at(account.path(), &["cameras"]), 34);
    assert!(message.contains("account.json"), "{message}");
}

#[test]
fn a_login_that_fails_says_why_and_shows_no_secret() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = closed.local_addr().unwrap();
    drop(closed);
    let service = format!("https://{address}");
    let answers = "someone@example.org\nkey-id-0001\napi-key-0002\npassword-0003\n";
    let config = tempfile::tempdir().unwrap();
    for (url, answers, code) in [
        (service.as_str(), answers, 33),
        ("http://127.0.0.1", answers, 33),
        (&service, "nobody\nid\nkey\npassword-0003\n", 30),
        (&service, "someone@example.org\n", 20),
    ] {
        let output = login(config.path(), url, answers);
        let all = stdout(&output) + &stderr(&output);
        assert_eq!(output.status.code(), Some(code), "{all}");
        for secret in ["someone", "key-id-0001", "api-key-0002", "password-0003"] {
            assert!(!all.contains(secret), "{all}");
        }
    }
    assert_fails(&wyze_at(config.path(), &["cameras"]), 32);
}
