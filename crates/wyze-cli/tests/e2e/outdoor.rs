//! Outdoor cameras behind a base station, whose credentials make the keys.

use tempfile::tempdir;
use wyze_media::Clip;

use crate::harness::*;

const MODEL: &str = "HL_WCO2";

#[test]
fn an_outdoor_camera_is_watched_by_its_url() {
    for framing in ["transcode", "cc51"] {
        for status in ["3", "6"] {
            let more = ["--framing", framing, "--status", status, "--show-url"];
            let mut camera = Camera::outdoor("127.0.0.1:0", &more);
            let line = camera.wait_for("wyze stream '");
            let url = line.split('\'').nth(1).unwrap();
            let folder = tempdir().unwrap();
            let path = folder.path().join("x.mp4");
            let args = ["stream", url, "-n", "10", "-o", path.to_str().unwrap()];
            let output = wyze(&args);
            assert_succeeds(&output);
            let said = stdout(&output) + &stderr(&output);
            assert!(!said.contains(BASE_ENR) && !said.contains(BASE_MAC));
            assert_eq!(assert_begins_like_the_clip(&Clip::open(path).unwrap()), 10);
            // Its own credentials are not enough.
            let own = url.split("&parent_enr").next().unwrap();
            let code = if framing == "cc51" { 10 } else { 14 };
            assert_fails(&wyze(&["probe", own]), code);
        }
    }
}

#[test]
fn an_outdoor_cameras_url_is_shown_on_request_only() {
    let mut camera = Camera::outdoor("127.0.0.1:0", &[]);
    camera.wait_for("--show-url");
    let said = camera.stop();
    assert!(
        !said.contains(BASE_ENR) && !said.contains(BASE_MAC),
        "{said}"
    );
}

/// Only Linux gives all of 127.0.0.0/8 to the loopback interface.
#[cfg(target_os = "linux")]
#[test]
fn an_outdoor_camera_is_watched_by_its_name() {
    let address = "127.61.7.3";
    let _camera = Camera::outdoor(&format!("{address}:32761"), &["--status", "6"]);
    let entry = |parent_dtls: bool| {
        let mut entry = stored(&["Shed", MODEL, address, UID]);
        entry["enr"] = ENR[..16].into();
        entry["parent_enr"] = BASE_ENR.into();
        entry["parent_mac"] = BASE_MAC.into();
        entry["parent_dtls"] = parent_dtls.into();
        account_of(vec![entry])
    };
    assert_succeeds(&wyze_at(entry(true).path(), &["probe", "Shed"]));
    // The account says that the camera makes its own keys; this one does not.
    assert_fails(&wyze_at(entry(false).path(), &["probe", "Shed"]), 14);
}

#[test]
fn half_of_a_base_stations_credentials_is_named() {
    let url = url("127.0.0.1:9", UID, ENR);
    let message = assert_fails(
        &wyze(&["probe", &format!("{url}&parent_enr={BASE_ENR}")]),
        22,
    );
    assert!(
        message.contains("parent_mac=") && !message.contains(BASE_ENR) && !message.contains("uid"),
        "{message}"
    );
}
