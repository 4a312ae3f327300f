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
fn a_resolution_is_set_and_named_as_the_model_has_it() {
    for (model, words, command) in [
        (
            "HL_CAM3P",
            &["720p", "1440p", "360p", "1080p"][..],
            "K10056",
        ),
        ("HL_BC", &["1296p"], "K10056"),
        ("WYZEC1", &["720p"], "K10052"),
        ("HL_DB2", &["hd", "sd"], "K10056"),
        ("WYZEDB3", &["hd", "sd"], "K10052"),
    ] {
        let mut camera = Camera::start(&["--model", model]);
        // The camera tells the model; the URL does not.
        let url = camera.url().replace("&model=HL_CAM3P", "");
        for word in words {
            let output = wyze(&["set", &url, "resolution", word]);
            assert_succeeds(&output);
            assert_eq!(stdout(&output), format!("resolution {word}\n"), "{model}");
            let said = camera.wait_for("command K");
            assert!(said.ends_with(command), "{model}: {said}");
            camera.wait_for("command K10050");
            assert_eq!(get(&url, &["resolution"]), json!({ "resolution": word }));
            camera.wait_for("command K10050");
        }
        let info = stdout(&wyze(&["info", &url]));
        let last = words.last().unwrap();
        let row = |line: &str| line.starts_with("resolution") && line.contains(last);
        assert!(info.lines().any(row), "{model}: {info}");
    }
    let camera = Camera::start(&["--model", "WYZEDB3"]);
    let url = camera.url().replace("&model=HL_CAM3P", "");
    let message = assert_fails(&wyze(&["set", &url, "resolution", "1440p"]), 2);
    assert!(message.contains("hd, sd"), "{message}");
}

#[test]
fn the_clock_is_set_to_now() {
    let camera = Camera::start(&[]);
    let unix = || {
        let now = std::time::SystemTime::now();
        now.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
    };
    let before = unix();
    assert_succeeds(&wyze(&["set", &camera.url(), "clock", "now"]));
    let clock = get(&camera.url(), &["clock"])["clock"].as_u64().unwrap();
    assert!((before..=unix()).contains(&clock), "{clock}");
}

#[test]
fn what_nothing_sets_is_read_too() {
    // What `wyze camera` answers: no bytes where no source tells what is in them, and no RTSP.
    let unused = json!({ "since-charge": 0, "live": 0, "events-sent": 0, "events-filtered": 0, "sd-card": 0 });
    for (model, name, command, value) in [
        ("HL_CAM3P", "night", "K10620", json!("")),
        ("HL_WCO2", "battery", "K10448", unused),
        ("HL_WCO2", "connection", "K10446", json!({})),
        ("HL_CAM3P", "accessories", "K10720", json!({})),
        ("HL_CFL2", "floodlight-info", "K10788", json!("")),
        ("HL_CAM3P", "white-light", "K10820", json!("")),
        ("HL_CAM3P", "rtsp-url", "K10604", json!("")),
    ] {
        let mut camera = Camera::start(&["--model", model]);
        let url = camera.url().replace("HL_CAM3P", model);
        assert_eq!(get(&url, &[name]), json!({ name: value }), "{name}");
        let said = camera.wait_for("command K");
        assert!(said.ends_with(command), "{name}: {said}");
        let output = wyze(&["get", &url, name]);
        assert_succeeds(&output);
        assert!(stdout(&output).starts_with(name), "{output:?}");
        // What may name a network or a password only who asks for it sees.
        let all = get(&url, &[]);
        let private = ["connection", "accessories", "rtsp-url"].contains(&name);
        assert_eq!(all.get(name).is_none(), private, "{name}: {all}");
    }
}

#[test]
fn a_camera_does_what_it_is_told_once() {
    for (model, words, command) in [
        ("HL_CAM3P", &["photo"][..], "K10058"),
        ("HL_CAM3P", &["sd-pages"], "K10148"),
        ("HL_CAM3P", &["format-sd", "--yes"], "K10242"),
        ("HL_DB2", &["quick-reply", "leave-package"], "K11635"),
    ] {
        let mut camera = Camera::start(&["--model", model]);
        let url = camera.url().replace("HL_CAM3P", model);
        let name = words[0];
        let output = wyze(&[&["do", &url][..], words].concat());
        assert_succeeds(&output);
        assert_eq!(stdout(&output), format!("{name} done\n"));
        assert!(camera.wait_for("command K").ends_with(command), "{name}");
        let output = wyze(&[&["do", &url, "--json"][..], words].concat());
        let said: Value = serde_json::from_str(&stdout(&output)).unwrap();
        assert_eq!(said, json!({ "action": name, "done": true }));
    }
}

#[test]
fn what_cannot_be_undone_needs_a_yes() {
    let camera = Camera::start(&[]);
    let message = assert_fails(&wyze(&["do", &camera.url(), "format-sd"]), 2);
    assert!(message.contains("recordings"), "{message}");
    assert!(message.contains("--yes"), "{message}");
    assert!(!camera.stop().contains("viewer 1"), "it connected");
}

#[test]
fn a_camera_keeps_the_points_of_its_round() {
    let (_camera, url) = pan();
    let ptz = |words: &[&str]| {
        let output = wyze(&[&["ptz", &url][..], words].concat());
        assert_succeeds(&output);
        stdout(&output)
    };
    assert_eq!(ptz(&["cruise"]), "none\n");
    assert_eq!(ptz(&["cruise", "20,175", "0,350,255"]), "");
    assert_eq!(ptz(&["cruise"]), "20,175,10 0,350,255\n");
    let said: Value = serde_json::from_str(&ptz(&["cruise", "--json"])).unwrap();
    assert_eq!(
        said["cruise"][1],
        json!({ "vertical": 0, "horizontal": 350, "seconds": 255 })
    );
    ptz(&["cruise", "none"]);
    assert_eq!(ptz(&["cruise"]), "none\n");
    let said: Value = serde_json::from_str(&ptz(&["position", "--json"])).unwrap();
    assert_eq!(said, json!({ "vertical": 20, "horizontal": 175 }));
}

#[test]
fn a_camera_that_ignores_commands_does_not_hold_up_the_others() {
    let camera = Camera::start(&[]);
    // Six replies get through after K10003, the one large datagram; then only what keeps the session alive.
    let (mut let_in, mut replies) = (false, 0);
    let lossy = Lossy::losing(&camera.address, move |datagram| {
        let is_reply = let_in && datagram.len() > 100;
        let_in |= datagram.len() > 300;
        replies += usize::from(is_reply);
        is_reply && replies > 6
    });
    let url = url(&lossy.address, UID, ENR);
    let start = std::time::Instant::now();
    let output = wyze(&["get", &url, "--json"]);
    let took = start.elapsed();
    assert_succeeds(&output);
    assert!(took.as_secs() < 12, "{took:?}");
    let all: Value = serde_json::from_str(&stdout(&output)).unwrap();
    let said = stderr(&output);
    assert_eq!(said.lines().count(), 1, "{said}");
    let (_, silent) = said.split_once("within 8 s: ").unwrap();
    let silent: Vec<&str> = silent.trim().split(", ").collect();
    assert!(silent.len() > 5, "{said}");
    for (name, value) in all.as_object().unwrap() {
        let write_only = name == "floodlight";
        assert_eq!(
            value.is_null() && !write_only,
            silent.contains(&&name[..]),
            "{name}: {value}, {said}"
        );
    }
    assert!(all.as_object().unwrap().values().any(|v| !v.is_null()));
}

#[test]
fn a_setting_that_nobody_can_read_is_set_all_the_same() {
    let camera = Camera::start(&[]);
    let output = wyze(&["set", &camera.url(), "floodlight", "on"]);
    assert_succeeds(&output);
    assert!(stdout(&output).contains("not read back"));
    assert_eq!(get(&camera.url(), &[])["floodlight"], Value::Null);
    let output = wyze(&["get", &camera.url()]);
    let row = |l: &str| l.starts_with("floodlight ") && l.contains("only be set");
    assert!(stdout(&output).lines().any(row), "{output:?}");
    assert_eq!(output.stderr, b"", "nothing was asked that has no answer");
    for help in [wyze(&["set", "--help"]), wyze(&["get", "--help"])] {
        for name in ["floodlight", "awake", "motion-tracking"] {
            assert!(stdout(&help).contains(name), "{name}");
        }
    }
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
fn info_shows_what_is_known_of_the_model() {
    for (model, known) in [
        (
            "HL_CAM3P",
            json!({ "best-picture": "2560×1440", "audio": "16 kHz" }),
        ),
        (
            "HL_CAM4",
            json!({ "best-picture": "2560×1440", "only-cc51-from": "4.52.9.5332" }),
        ),
        (
            "HL_CFL2",
            json!({ "best-picture": "2304×1296", "built-in-floodlight": true }),
        ),
        (
            "HL_PAN3",
            json!({ "best-picture": "1920×1080", "pan-tilt": true }),
        ),
        (
            "WYZEDB3",
            json!({ "only-suite": "PSK-AES128-CBC-SHA256", "frame-info-bytes": 48 }),
        ),
        ("TOMORROW", json!({})),
    ] {
        let camera = Camera::start(&["--model", model]);
        let url = camera.url().replace("&model=HL_CAM3P", "");
        let output = wyze(&["info", &url, "--json"]);
        assert_succeeds(&output);
        let info: Value = serde_json::from_str(&stdout(&output)).unwrap();
        assert_eq!(info["known"], known, "{model}");
        let table = stdout(&wyze(&["info", &url]));
        for (name, _) in known.as_object().unwrap() {
            let row = |l: &str| l.starts_with(name) && l.ends_with("known of the model");
            assert!(table.lines().any(row), "{name}: {table}");
        }
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
        &["get", &url, "battery"],
        &["get", &url, "connection"],
        &["ptz", &url, "cruise"],
        &["ptz", &url, "cruise", "0,0"],
        &["do", &url, "quick-reply", "leave-package"],
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
    let url = old.url().replace("HL_CAM3P", "HL_PAN3");
    for args in [
        &["ptz", &url, "cruise"][..],
        &["do", &url, "photo"],
        &["get", &url, "rtsp-url"],
    ] {
        let message = assert_fails(&wyze(args), 24);
        assert!(message.contains("protocol version 4"), "{message}");
    }
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
        (&["set", &url, "resolution", "1296p"], "1440p, 1080p, 720p"),
        (&["set", &url, "motion-sensitivity", "5"], "only be read"),
        (&["set", &url, "battery", "5"], "only be read"),
        (&["set", &url, "clock", "yesterday"], "clock"),
        (&["ptz", &url, "sideways"], "left"),
        (&["ptz", &url, "left", "10"], "1 to 9"),
        (&["ptz", &url, "position", "1"], "VERTICAL"),
        (&["ptz", &url, "cruise", "41,0"], "VERTICAL,HORIZONTAL"),
        (&["do", &url, "dance"], "photo, sd-pages"),
        (&["do", &url, "photo", "now"], "nothing follows"),
        (&["do", &url, "quick-reply"], "be-there-shortly"),
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
