//! Sessions recorded by `wyze stream`, taken apart by `wyze dissect`.

use std::path::Path;

use crate::harness::{Camera, ENR, MAC, UID, assert_fails, assert_succeeds, stderr, stdout, wyze};

/// Records a few frames into `dir`.
fn record(dir: &Path, camera: &[&str], more: &[&str]) {
    let camera = Camera::start(camera);
    let (pcap, film) = (dir.join("session.pcap"), dir.join("film.mp4"));
    let url = format!("wyze://{}?uid={UID}&enr={ENR}&mac={MAC}", camera.address);
    let mut args = vec!["stream", &url, "-n", "5", "-o", film.to_str().unwrap()];
    args.extend(["--pcap", pcap.to_str().unwrap()]);
    args.extend(more);
    assert_succeeds(&wyze(&args));
}

#[test]
fn a_recorded_session_dissects_completely_with_its_keys() {
    for framing in ["transcode", "cc51"] {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
        record(
            dir.path(),
            &["--framing", framing],
            &["--keylog", &file("keys")],
        );
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(file("keys"))
                .unwrap()
                .permissions()
                .mode();
            assert_eq!(mode & 0o077, 0, "others can read the keys");
        }
        let pcap = file("session.pcap");
        let output = wyze(&["dissect", &pcap, "--keylog", &file("keys")]);
        assert_succeeds(&output);
        let (said, end) = (stdout(&output), stderr(&output));
        assert!(end.contains(" 0 errors, 0 warnings;"), "{end}");
        for part in [
            "hl @",
            "frameinfo @",
            "K10000, hello",
            "close_notify",
            "login response",
        ] {
            assert!(said.contains(part), "{framing}: no {part}");
        }
        for secret in [ENR, MAC, UID] {
            assert!(!said.contains(secret), "{secret}");
        }
        let output = wyze(&[
            "dissect",
            &pcap,
            "--keylog",
            &file("keys"),
            "--show-secrets",
        ]);
        assert!(stdout(&output).contains(ENR));

        let output = wyze(&["dissect", &pcap, "--json"]);
        assert_succeeds(&output);
        let lines = stdout(&output);
        assert!(lines.lines().count() > 20);
        for line in lines.lines() {
            let packet: serde_json::Value = serde_json::from_str(line).unwrap();
            assert!(
                packet["layers"][0]["fields"][0]["offset"].is_u64(),
                "{line}"
            );
        }
    }
}

#[test]
fn a_redacted_session_dissects_without_keys_and_holds_no_secret() {
    for framing in ["transcode", "cc51"] {
        let dir = tempfile::tempdir().unwrap();
        record(dir.path(), &["--framing", framing], &["--redact"]);
        let pcap = dir.path().join("session.pcap");
        let output = wyze(&["dissect", pcap.to_str().unwrap(), "--show-secrets"]);
        assert_succeeds(&output);
        let said = stdout(&output);
        assert!(
            stderr(&output).contains(" 0 errors, 0 warnings;"),
            "{}",
            stderr(&output)
        );
        assert!(
            said.contains("K10003") && said.contains("frameinfo @"),
            "{said}"
        );
        let bytes = std::fs::read(&pcap).unwrap();
        for secret in [ENR, MAC, UID] {
            assert!(!said.contains(secret), "{secret}");
            assert!(!bytes.windows(secret.len()).any(|w| w == secret.as_bytes()));
        }
        assert!(!said.contains("127.0.0.1"));
    }
}

#[test]
fn what_is_no_capture_is_called_so() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.pcap");
    std::fs::write(&path, "this is no capture, but text").unwrap();
    let message = assert_fails(&wyze(&["dissect", path.to_str().unwrap()]), 20);
    assert!(message.contains("no capture"), "{message}");
    assert_fails(&wyze(&["dissect", "/nonexistent.pcap"]), 20);
}
