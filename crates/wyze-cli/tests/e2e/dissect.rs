//! Sessions recorded by `wyze stream`, taken apart by `wyze dissect`.

use std::path::Path;

use crate::harness::{
    Camera, ENR, MAC, UID, assert_fails, assert_succeeds, signal, spawn, stderr, stdout,
    wait_for_bytes, wyze,
};
use crate::secrets::assert_none_of_them;

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

/// The other suite has a key exchange, and so stays closed to who knows the ENR.
#[test]
fn the_enr_opens_a_session_in_suite_00ae_and_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let pcap = dir.path().join("session.pcap");
    let dissect = |enr: &str| {
        let output = wyze(&["dissect", pcap.to_str().unwrap(), "--enr", enr]);
        assert_succeeds(&output);
        (stdout(&output), stderr(&output))
    };
    record(dir.path(), &["--suite", "cbc"], &[]);
    let (said, end) = dissect(ENR);
    assert!(end.contains(" 0 errors, 0 warnings;"), "{end}");
    assert!(said.contains("K10000, hello") && said.contains("frameinfo @"));
    assert!(!said.contains(ENR));
    let (said, end) = dissect("another-enr-16ch");
    assert!(said.contains("another ENR than the one given"), "{said}");
    assert!(end.contains(" 0 errors, "), "{end}");

    record(dir.path(), &["--suite", "chacha"], &[]);
    let (said, _) = dissect(ENR);
    assert!(said.contains("the key log has no line"), "{said}");
    assert!(!said.contains("K10000, hello"));
}

#[test]
fn firmware_without_dtls_dissects_completely_without_keys() {
    for generation in ["25", "16"] {
        for redact in [false, true] {
            let dir = tempfile::tempdir().unwrap();
            let more: &[&str] = if redact { &["--redact"] } else { &[] };
            record(dir.path(), &["--generation", generation], more);
            let pcap = dir.path().join("session.pcap");
            let output = wyze(&["dissect", pcap.to_str().unwrap()]);
            assert_succeeds(&output);
            let (said, end) = (stdout(&output), stderr(&output));
            assert!(end.contains(" 0 errors,"), "{generation}: {end}");
            for part in ["K10000, hello", "K10003", "frameinfo @"] {
                assert!(said.contains(part), "{generation}: no {part}");
            }
            assert!(!said.contains("unexplained"), "{generation}: {said}");
            assert_none_of_them(&said);
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

/// A viewer that records, at the highest log level, while the camera is restarted; then ctrl-C. What all of them said.
fn record_across_a_reconnect(dir: &Path, more: &[&str]) -> String {
    let ledger = dir.join("ledger");
    let log = ["-vv", "--ledger", ledger.to_str().unwrap()];
    let camera = Camera::start(&log);
    let (address, url) = (camera.address.clone(), camera.url());
    let (pcap, film) = (dir.join("session.pcap"), dir.join("film.mp4"));
    let mut args = vec![
        "-vv",
        "stream",
        &url,
        "-o",
        film.to_str().unwrap(),
        "--json",
    ];
    args.extend(["--pcap", pcap.to_str().unwrap()]);
    args.extend(more);
    let child = spawn(&args);
    wait_for_bytes(&film);
    let mut said = std::fs::read_to_string(&ledger).unwrap_or_default();
    said += &camera.stop();
    let mut again = Camera::start_as(UID, &address, &log);
    again.wait_for("let in");
    std::thread::sleep(std::time::Duration::from_millis(500));
    signal(&child, "INT");
    let output = child.wait_with_output().unwrap();
    assert_succeeds(&output);
    again.wait_for("gone, it said goodbye");
    said += &(stdout(&output) + &stderr(&output) + &again.stop());
    said + &std::fs::read_to_string(&ledger).unwrap()
}

#[test]
fn a_recording_across_a_reconnect_that_ctrl_c_ended_dissects_with_its_keys() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let said = record_across_a_reconnect(dir.path(), &["--keylog", &file("keys")]);
    assert!(said.contains(r#""event":"found-again""#), "{said}");
    assert!(said.contains("wyze_session::client"), "the log is on");
    assert_none_of_them(&said);
    let keys = std::fs::read_to_string(file("keys")).unwrap();
    assert_eq!(keys.lines().count(), 2, "one line a session");
    for line in keys.lines() {
        let master = line.rsplit(' ').next().unwrap();
        assert!(master.len() == 96 && !said.contains(master));
    }
    let output = wyze(&["dissect", &file("session.pcap"), "--keylog", &file("keys")]);
    assert_succeeds(&output);
    let (all, end) = (stdout(&output), stderr(&output));
    assert!(end.contains(" 0 errors, 0 warnings;"), "{end}");
    assert!(all.matches("K10000, hello").count() >= 2);
    assert!(all.matches("(close_notify)").count() >= 2, "both goodbyes");
    assert!(all.matches("frameinfo @").count() > 10);
}

#[test]
fn a_redacted_recording_across_a_reconnect_dissects_and_shows_no_secret() {
    let dir = tempfile::tempdir().unwrap();
    let said = record_across_a_reconnect(dir.path(), &["--redact"]);
    assert_none_of_them(&said);
    let pcap = dir.path().join("session.pcap");
    let output = wyze(&["dissect", pcap.to_str().unwrap(), "--show-secrets"]);
    assert_succeeds(&output);
    let end = stderr(&output);
    assert!(end.contains(" 0 errors, 0 warnings;"), "{end}");
    let all = stdout(&output);
    assert!(all.matches("K10000, hello").count() >= 2);
    assert_none_of_them(&all);
    let bytes = std::fs::read(&pcap).unwrap();
    for secret in [ENR, MAC, UID] {
        assert!(!bytes.windows(secret.len()).any(|w| w == secret.as_bytes()));
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
    let message = assert_fails(&wyze(&["dissect", dir.path().to_str().unwrap()]), 20);
    assert!(message.contains("directory"), "{message}");
}
