//! No output and no log ever holds what identifies or opens a camera.

use tempfile::tempdir;
use tutk_testkit::spellings;
use wyze_std::session::kauth::{Enr, Mac, auth_key, psk};

use crate::harness::*;

/// What identifies or opens the camera.
fn secrets() -> Vec<Vec<u8>> {
    let (enr, mac) = (Enr::new(ENR).unwrap(), Mac::new(MAC).unwrap());
    vec![
        UID.into(),
        ENR[..16].into(),
        ENR[16..].into(),
        MAC.into(),
        auth_key(&enr, &mac).into(),
        psk(&enr).expose()[..8].into(),
    ]
}

/// What a session recorded with its key log worked out: master secret, challenge and answer.
fn of_the_session(pcap: &str, keys: &str) -> Vec<Vec<u8>> {
    let decode = |hex: &str| {
        let digits = hex.as_bytes().chunks(2).map(|c| str::from_utf8(c).unwrap());
        digits.map(|d| u8::from_str_radix(d, 16).unwrap()).collect()
    };
    let lines = std::fs::read_to_string(keys).unwrap();
    let mut secrets: Vec<Vec<u8>> = lines
        .lines()
        .map(|line| decode(line.rsplit(' ').next().unwrap()))
        .collect();
    let output = wyze(&["dissect", pcap, "--keylog", keys, "--json"]);
    assert_succeeds(&output);
    let dissected = stdout(&output);
    for name in ["challenge", "response"] {
        let field = format!("\"name\":\"{name}\",");
        let (_, rest) = dissected.split_once(&field).expect(name);
        let (_, value) = rest.split_once("\"value\":\"").unwrap();
        secrets.push(decode(&value[..32]));
    }
    secrets
}

/// Nothing that identifies or opens the camera is in `said`, however spelled.
#[track_caller]
pub(crate) fn assert_none_of_them(said: &str) {
    assert_none_of(&secrets(), said);
}

#[track_caller]
fn assert_none_of(secrets: &[Vec<u8>], said: &str) {
    for spelling in secrets.iter().flat_map(|secret| spellings(secret)) {
        assert!(!said.contains(&spelling), "{spelling:?} is in the output");
    }
}

#[test]
fn a_talk_at_the_highest_log_level_shows_no_secret() {
    let folder = tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let mut camera = Camera::start(&[
        "-vv",
        "--talk",
        &path("heard"),
        "--ledger",
        &path("ledger"),
        "--generation",
        "25",
    ]);
    let said_to = |camera: &mut Camera| {
        let args = ["talk", &camera.url(), &path("tone.pcm"), "--json"];
        let args = [
            &["-vv"][..],
            &args,
            &["--rate", "16000", "--codec", "ulaw:16000"],
        ]
        .concat();
        let output = wyze(&args);
        assert_succeeds(&output);
        camera.wait_for("gone, it said goodbye");
        stdout(&output) + &stderr(&output)
    };
    std::fs::write(path("tone.pcm"), [7; 16_000]).unwrap();
    // Without DTLS and with.
    let mut said = said_to(&mut camera);
    said += &camera.stop();
    said += &std::fs::read_to_string(path("ledger")).unwrap();
    let mut camera = Camera::start(&["-vv", "--talk", &path("heard"), "--ledger", &path("ledger")]);
    said += &said_to(&mut camera);
    said += &camera.stop();
    said += &std::fs::read_to_string(path("ledger")).unwrap();
    assert!(said.contains("wyze_session::client"), "the log is on");
    assert_none_of_them(&said);
}

#[test]
fn a_whole_session_at_the_highest_log_level_shows_no_secret() {
    for framing in ["transcode", "cc51"] {
        let camera = Camera::start(&["-vv", "--framing", framing]);
        let folder = tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let (pcap, keys) = (path("x.pcap"), path("x.keys"));
        let output = wyze(&[
            "-vv",
            "stream",
            &camera.url(),
            "-o",
            &path("x.mp4"),
            "--pcap",
            &pcap,
            "--keylog",
            &keys,
            "-n",
            "20",
            "--json",
        ]);
        assert_succeeds(&output);
        let failed = wyze(&[
            "-vv",
            "probe",
            &url(&camera.address, "WRONGWRONGWRONGWRON1", ENR),
        ]);
        assert!(!failed.status.success());
        let camera_said = camera.stop();
        let all = [
            stdout(&output),
            stderr(&output),
            stdout(&failed),
            stderr(&failed),
            camera_said,
        ]
        .concat();
        for layer in ["wyze_session::client", "wyze_session::camera", "tutk_iotc"] {
            assert!(
                all.contains(layer),
                "{framing}: the log of {layer} is on: {all}"
            );
        }
        assert_none_of_them(&all);
        assert_none_of(&of_the_session(&pcap, &keys), &all);
    }
}

#[test]
fn commands_and_searches_at_the_highest_log_level_show_no_secret() {
    let camera = Camera::start(&["-vv"]);
    let account = account(&[["Front Door", "HL_CAM3P", "127.0.0.1", UID]]);
    let mut all = String::new();
    for args in [
        &["-vv", "info", &camera.url(), "--json"][..],
        &["-vv", "get", &camera.url()],
        &["-vv", "set", &camera.url(), "night-vision", "on"],
        &["-vv", "discover", "--target", &camera.address],
        &["-vv", "discover", "--uid", UID, "--target", &camera.address],
    ] {
        let output = wyze_at(account.path(), args);
        assert_succeeds(&output);
        all += &(stdout(&output) + &stderr(&output));
    }
    all += &camera.stop();
    assert!(all.contains("wyze_session::client"), "the log is on: {all}");
    assert_none_of_them(&all);
}

#[test]
fn the_url_of_ones_own_credentials_is_only_shown_on_request() {
    let camera = Camera::start(&[]);
    assert!(!camera.stop().contains("enr="));
    let mut camera = Camera::start(&["--show-url"]);
    let line = camera.wait_for("wyze://");
    assert!(line.contains(ENR), "{line}");
}
