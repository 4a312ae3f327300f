//! No output and no log ever holds what identifies or opens a camera.

use tempfile::tempdir;
use wyze_std::session::kauth::{Enr, Mac, auth_key, psk};

use crate::harness::*;

/// Every way in which a secret could be spelled.
fn spellings() -> Vec<String> {
    let (enr, mac) = (Enr::new(ENR).unwrap(), Mac::new(MAC).unwrap());
    let key = auth_key(&enr, &mac);
    let secrets: [&[u8]; 5] = [
        UID.as_bytes(),
        &ENR.as_bytes()[..16],
        &ENR.as_bytes()[16..],
        MAC.as_bytes(),
        &key,
    ];
    let mut spellings = Vec::new();
    for secret in secrets.into_iter().chain([&psk(&enr).expose()[..8]]) {
        spellings.push(String::from_utf8_lossy(secret).into_owned());
        spellings.push(secret.iter().map(|b| format!("{b:02x}")).collect());
        let decimal = format!("{secret:?}");
        spellings.push(decimal.trim_matches(['[', ']']).to_owned());
    }
    spellings
}

/// Nothing that identifies or opens the camera is in `said`, however spelled.
#[track_caller]
pub(crate) fn assert_none_of_them(said: &str) {
    for spelling in spellings() {
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
        let path = folder.path().join("x.mp4");
        let output = wyze(&[
            "-vv",
            "stream",
            &camera.url(),
            "-o",
            path.to_str().unwrap(),
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
