//! `wyze get`, `set`, `ptz` and `info`, over the wire.

use std::net::UdpSocket;

use serde_json::{Value, json};

use crate::harness::*;

/// A camera with a motor, and its URL.
fn pan() -> (Camera, String) {
    let camera = Camera::start(&["--model", "HL_PAN3"]);
    let url = camera.url().replace("HL_CAM3P", "HL_PAN3");
    (camera, url)
}

#[track_caller]
fn get(url: &str, names: &[&str]) -> Value {
    let args = [&["get", url, "--json"][..], names].concat();
    let output = wyze(&args);
    assert_succeeds(&output);
    serde_json::from_str(&stdout(&output)).unwrap()
}

#[test]
fn what_was_set_is_what_is_read_in_the_next_session() {
    for framing in ["transcode", "cc51"] {
        let camera = Camera::start(&["--framing", framing]);
        for (name, value, read) in [
            ("night-vision", "on", json!("on")),
            ("status-light", "off", json!("off")),
            ("bit-rate", "60", json!(60)),
            ("motion-alarm", "on", json!("on")),
            ("time-zone", "-4", json!(-4)),
        ] {
            let output = wyze(&["set", &camera.url(), name, value]);
            assert_succeeds(&output);
            assert_eq!(stdout(&output), format!("{name} {value}\n"));
            let seen = get(&camera.url(), &[name]);
            assert_eq!(seen, json!({ name: read }), "{framing}");
        }
    }
}

#[test]
fn all_settings_are_read_at_once() {
    let camera = Camera::start(&[]);
    assert_succeeds(&wyze(&["set", &camera.url(), "vertical-flip", "on"]));
    let all = get(&camera.url(), &[]);
    assert_eq!(all, get(&camera.url(), &["all"]));
    assert_eq!(all["vertical-flip"], "on");
    assert_eq!(all["night-vision"], "auto");
    assert_eq!(all["fps"], 20);
    assert!(all.get("pan-scan").is_none(), "it has no motor: {all}");
    let table = stdout(&wyze(&["get", &camera.url()]));
    assert!(
        table
            .lines()
            .any(|l| l.starts_with("night-vision") && l.contains("auto")),
        "{table}"
    );
}

#[test]
fn a_setting_that_nobody_can_read_is_set_all_the_same() {
    let camera = Camera::start(&[]);
    let output = wyze(&["set", &camera.url(), "floodlight", "on"]);
    assert_succeeds(&output);
    assert!(stdout(&output).contains("not read back"));
}

#[test]
fn a_camera_with_a_motor_turns_and_tells_where_it_looks() {
    let (_camera, url) = pan();
    let ptz = |words: &[&str]| {
        let output = wyze(&[&["ptz", &url][..], words].concat());
        assert_succeeds(&output);
        stdout(&output)
    };
    assert_eq!(ptz(&["position", "10", "300"]), "");
    assert_eq!(ptz(&["position"]), "vertical 10, horizontal 300\n");
    ptz(&["left", "9"]);
    ptz(&["up"]);
    assert_eq!(ptz(&["position"]), "vertical 15, horizontal 291\n");
    ptz(&["turn", "-30", "10"]);
    assert_eq!(ptz(&["position"]), "vertical 25, horizontal 261\n");
    ptz(&["home"]);
    assert_eq!(ptz(&["position"]), "vertical 20, horizontal 175\n");
}

#[test]
fn info_shows_what_the_camera_tells_but_not_its_mac() {
    let camera = Camera::start(&[]);
    let output = wyze(&["info", &camera.url(), "--json"]);
    assert_succeeds(&output);
    let info: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(info["camera"]["model"], "HL_CAM3P");
    assert_eq!(info["camera"]["name"], "Cam v3 Pro");
    assert_eq!(info["camera"]["firmware"], "4.58.0.0");
    assert!(info["camera"]["protocol"].as_u64() > Some(0));
    assert_eq!(info["parameters"]["night-vision"], "auto");
    assert_eq!(info["parameters"]["bit-rate"], 120);
    let table = wyze(&["info", &camera.url()]);
    assert_succeeds(&table);
    assert!(stdout(&table).contains("4.58.0.0"));
    for text in [stdout(&output), stdout(&table)] {
        assert!(!text.contains(MAC), "{text}");
    }
}

#[test]
fn a_command_that_the_model_does_not_take_is_refused_before_anything_is_sent() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let url = url(&silent.local_addr().unwrap().to_string(), UID, ENR);
    for args in [
        &["ptz", &url, "left"][..],
        &["get", &url, "motion-tracking"],
        &["set", &url, "awake", "off"],
    ] {
        let message = assert_fails(&wyze(args), 24);
        assert!(message.contains("this model"), "{message}");
    }
    silent.set_nonblocking(true).unwrap();
    assert!(silent.recv(&mut [0; 1]).is_err(), "something was sent");
}

#[test]
fn the_cameras_own_word_about_its_model_counts() {
    let camera = Camera::start(&["--model", "HL_CAM4"]);
    let url = camera.url().replace("&model=HL_CAM3P", "");
    let message = assert_fails(&wyze(&["ptz", &url, "home"]), 24);
    assert!(message.contains("motor"), "{message}");
    assert!(!camera.stop().contains("K11004"), "it was sent");
}

#[test]
fn a_command_that_the_firmware_is_too_old_for_is_not_sent() {
    let [mut old, mut new] =
        ["4", "5"].map(|protocol| Camera::start(&["--model", "HL_PAN3", "--protocol", protocol]));
    let left = |camera: &Camera| {
        let url = camera.url().replace("HL_CAM3P", "HL_PAN3");
        wyze(&["ptz", &url, "left"])
    };
    let message = assert_fails(&left(&old), 24);
    assert_eq!(
        message,
        "wyze: ptz left: the camera's firmware speaks protocol version 4, and this needs 5; update the firmware in the \
         Wyze app\n"
    );
    assert_succeeds(&left(&new));
    old.wait_for("gone, it said goodbye");
    new.wait_for("gone, it said goodbye");
    let said = old.stop();
    assert!(said.contains("let in"), "{said}");
    assert!(!said.contains("command K"), "{said}");
    assert!(new.stop().contains("command K11002"));
}

#[test]
fn what_cannot_be_meant_is_told_what_can() {
    let url = url("127.0.0.1:9", UID, ENR);
    for (args, hint) in [
        (&["set", &url, "nightvision", "on"][..], "night-vision"),
        (&["get", &url, "nightvision"], "night-vision"),
        (&["get", &url, "floodlight"], "only be set"),
        (&["set", &url, "night-vision", "dusk"], "on, off, auto"),
        (&["set", &url, "bit-rate", "9000"], "30 to 240"),
        (&["set", &url, "resolution", "720p"], "only be read"),
        (&["ptz", &url, "sideways"], "left"),
        (&["ptz", &url, "left", "10"], "1 to 9"),
        (&["ptz", &url, "position", "1"], "VERTICAL"),
    ] {
        let message = assert_fails(&wyze(args), 2);
        assert!(message.contains(hint), "{message}");
    }
}

#[test]
fn a_command_needs_a_camera_that_lets_us_in() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let nowhere = url(&silent.local_addr().unwrap().to_string(), UID, ENR);
    let output = wyze(&["get", &nowhere, "--timeout", "1"]);
    assert_fails(&output, 10);
    let camera = Camera::start(&[]);
    let wrong = url(&camera.address, UID, "fedcba9876543210");
    assert_fails(&wyze(&["info", &wrong]), 14);
}

/// 1 ENR in 256 makes a key of zeros.
#[test]
fn every_command_warns_of_a_key_that_protects_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let sound = folder.path().join("sound.pcm");
    std::fs::write(&sound, [0; 640]).unwrap();
    let sound = sound.to_str().unwrap();
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let url = url(
        &silent.local_addr().unwrap().to_string(),
        UID,
        "EnrZero000000218",
    );
    for args in [
        &["talk", &url, sound, "--rate", "8000"][..],
        &["get", &url],
        &["info", &url],
    ] {
        let output = wyze(&[args, &["--timeout", "0.2"]].concat());
        assert_eq!(output.status.code(), Some(10));
        let said = stderr(&output);
        assert_eq!(said.matches("DTLS key is all zeros").count(), 1, "{said}");
    }
}

#[test]
fn a_command_frees_its_slot_at_once() {
    let mut camera = Camera::start(&["--slots", "1"]);
    for _ in 0..3 {
        assert_eq!(get(&camera.url(), &["fps"]), json!({ "fps": 20 }));
        camera.wait_for("gone, it said goodbye");
    }
    let said = camera.stop();
    assert!(!said.contains("video on"), "media were asked for: {said}");
}
