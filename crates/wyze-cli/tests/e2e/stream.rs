//! `wyze stream` and `wyze probe` against `wyze camera`.

use tempfile::tempdir;
use wyze_media::{Clip, Track};

use crate::harness::*;

#[test]
fn an_mp4_file_begins_with_the_cameras_frames() {
    let camera = Camera::start(&[]);
    let folder = tempdir().unwrap();
    let path = folder.path().join("x.mp4");
    let output = wyze(&[
        "stream",
        &camera.url(),
        "-o",
        path.to_str().unwrap(),
        "--frames",
        "30",
    ]);
    assert_succeeds(&output);
    assert_eq!(output.stdout, b"", "without a terminal it is quiet");
    assert_eq!(output.stderr, b"", "without a terminal it is quiet");
    let file = Clip::open(&path).unwrap();
    assert_eq!(assert_begins_like_the_clip(&file), 30);
    assert!(!frames(&file, Track::Audio).is_empty());
}

#[test]
fn raw_video_is_what_the_camera_coded() {
    let camera = Camera::start(&["--framing", "cc51"]);
    let folder = tempdir().unwrap();
    let path = folder.path().join("x.h264");
    let output = wyze(&[
        "stream",
        &camera.url(),
        "-o",
        path.to_str().unwrap(),
        "-n",
        "25",
    ]);
    assert_succeeds(&output);
    let clip = Clip::open(clip_path()).unwrap();
    let wanted = frames(&clip, Track::Video)[..25].concat();
    assert!(std::fs::read(&path).unwrap() == wanted);
}

#[test]
fn sound_alone_is_recorded_without_a_picture() {
    let camera = Camera::start(&[]);
    let folder = tempdir().unwrap();
    let path = folder.path().join("x.aac");
    let name = path.to_str().unwrap();
    let args = [
        "stream",
        &camera.url(),
        "-o",
        name,
        "--duration",
        "1",
        "--json",
    ];
    let output = wyze(&args);
    assert_succeeds(&output);
    let text = stdout(&output);
    let end: serde_json::Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!(
        (&end["cause"], &end["video_frames"]),
        (&"enough".into(), &0.into())
    );
    let wanted = frames(&Clip::open(clip_path()).unwrap(), Track::Audio).concat();
    let got = std::fs::read(&path).unwrap();
    assert!(!got.is_empty() && wanted.starts_with(&got));
    assert!(!camera.stop().contains("video on"));
}

#[test]
fn a_camera_that_sends_no_sound_is_asked_for_the_picture_too_and_then_given_up() {
    let folder = tempdir().unwrap();
    let clip = folder.path().join("mute.h264");
    let video = frames(&Clip::open(clip_path()).unwrap(), Track::Video).concat();
    std::fs::write(&clip, video).unwrap();
    let mut camera = Camera::playing(&clip, &[]);
    let path = folder.path().join("x.aac");
    let name = path.to_str().unwrap();
    let output = wyze(&["stream", &camera.url(), "-o", name, "--timeout", "5"]);
    let message = assert_fails(&output, 18);
    assert!(message.contains("sent no sound"), "{message}");
    camera.wait_for("video on, audio on");
    assert!(!path.exists());
}

#[test]
fn standard_output_gets_the_media_and_standard_error_the_events() {
    let camera = Camera::start(&[]);
    let output = wyze(&[
        "stream",
        &camera.url(),
        "-o",
        "-",
        "--duration",
        "1.5",
        "--no-audio",
        "--json",
    ]);
    assert_succeeds(&output);
    let file = Clip::from_bytes(&output.stdout).unwrap();
    let count = assert_begins_like_the_clip(&file);
    assert!(
        (20..=45).contains(&count),
        "1.5 s at 20 fps gave {count} frames"
    );
    assert_eq!(frames(&file, Track::Audio).len(), 0);
    let events: Vec<serde_json::Value> = stderr(&output)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(
        events
            .iter()
            .any(|e| e["event"] == "progress" && e["fps"].as_f64() > Some(10.0))
    );
    assert_eq!(events.last().unwrap()["cause"], "enough");
}

#[test]
fn ctrl_c_leaves_a_playable_file_and_frees_the_slot() {
    let mut camera = Camera::start(&["--slots", "1"]);
    let folder = tempdir().unwrap();
    let path = folder.path().join("x.mp4");
    let child = spawn(&["stream", &camera.url(), "-o", path.to_str().unwrap()]);
    wait_for_bytes(&path);
    signal(&child, "INT");
    assert_succeeds(&child.wait_with_output().unwrap());
    assert_begins_like_the_clip(&Clip::open(&path).unwrap());
    camera.wait_for("gone, it said goodbye");
    let second = wyze(&["probe", &camera.url()]);
    assert_succeeds(&second);
}

#[test]
fn a_lost_camera_leaves_what_came_before_and_its_exit_code() {
    let mut camera = Camera::start(&[]);
    let folder = tempdir().unwrap();
    let path = folder.path().join("x.mp4");
    let child = spawn(&[
        "stream",
        &camera.url(),
        "-o",
        path.to_str().unwrap(),
        "--reconnect",
        "off",
    ]);
    wait_for_bytes(&path);
    camera.kill();
    let output = child.wait_with_output().unwrap();
    let message = assert_fails(&output, 16);
    assert!(message.contains("x.mp4"), "{message}");
    assert_begins_like_the_clip(&Clip::open(&path).unwrap());
}

#[test]
fn a_camera_that_comes_back_is_recorded_into_the_same_file() {
    let camera = Camera::start(&[]);
    let (address, url) = (camera.address.clone(), camera.url());
    let folder = tempdir().unwrap();
    let path = folder.path().join("x.mp4");
    let child = spawn(&[
        "stream",
        &url,
        "-o",
        path.to_str().unwrap(),
        "-n",
        "60",
        "--no-audio",
        "--json",
    ]);
    wait_for_bytes(&path);
    camera.stop();
    let _again = Camera::start_as(UID, &address, &[]);
    let output = child.wait_with_output().unwrap();
    assert_succeeds(&output);
    let events = stdout(&output);
    assert_eq!(events.matches(r#""event":"lost""#).count(), 1, "{events}");
    assert_eq!(
        events.matches(r#""event":"found-again""#).count(),
        1,
        "{events}"
    );
    assert!(events.contains(r#""losses":1"#), "{events}");
    let file = Clip::open(&path).unwrap();
    assert_eq!(frames(&file, Track::Video).len(), 60);
    let times: Vec<_> = file.samples().iter().map(|s| s.time).collect();
    assert!(times.windows(2).all(|w| w[0] < w[1]), "{times:?}");
    assert!(
        times
            .windows(2)
            .any(|w| w[1] - w[0] > std::time::Duration::from_millis(500)),
        "the gap stays: {times:?}"
    );
}

#[test]
fn the_quality_is_asked_for() {
    let mut camera = Camera::start(&[]);
    let folder = tempdir().unwrap();
    let path = folder.path().join("x.mp4");
    let output = wyze(&[
        "stream",
        &camera.url(),
        "-o",
        path.to_str().unwrap(),
        "-n",
        "20",
        "--quality",
        "sd",
    ]);
    assert_succeeds(&output);
    camera.wait_for("command K10056");
}

#[test]
fn the_cameras_own_word_about_its_model_decides_what_quality_means() {
    for (model, command, size) in [
        ("HL_BC", "K10056", "1296p"),
        ("HL_CFL2", "K10056", "1296p"),
        ("HL_CAM4", "K10056", "1440p"),
        ("HL_DB2", "K10056", "hd"),
        ("WYZEDB3", "K10052", "hd"),
    ] {
        let mut camera = Camera::start(&["--model", model]);
        // Neither a URL that does not name the model, nor one that names another, decides.
        for said in ["", "&model=WYZEC1-JZ"] {
            let url = camera.url().replace("&model=HL_CAM3P", said);
            let folder = tempdir().unwrap();
            let path = folder.path().join("x.mp4");
            let output = wyze(&["stream", &url, "-o", path.to_str().unwrap(), "-n", "20"]);
            assert_succeeds(&output);
            assert!(camera.wait_for("command K").ends_with(command), "{model}");
            let output = wyze(&["get", &url, "resolution"]);
            let row = format!("resolution  {size} ");
            assert!(stdout(&output).starts_with(&row), "{model}: {output:?}");
            assert!(camera.wait_for("command K").ends_with("K10050"), "{model}");
        }
    }
}

#[test]
fn two_viewers_get_the_same_picture() {
    let camera = Camera::start(&["--slots", "2"]);
    let folder = tempdir().unwrap();
    let paths = [folder.path().join("a.mp4"), folder.path().join("b.mp4")];
    let children = paths.each_ref().map(|path| {
        spawn(&[
            "stream",
            &camera.url(),
            "-o",
            path.to_str().unwrap(),
            "-n",
            "40",
        ])
    });
    for child in children {
        assert_succeeds(&child.wait_with_output().unwrap());
    }
    for path in &paths {
        assert_eq!(assert_begins_like_the_clip(&Clip::open(path).unwrap()), 40);
    }
}

#[test]
fn probe_names_each_phase() {
    let camera = Camera::start(&["--suite", "cbc", "--framing", "cc51"]);
    let output = wyze(&["probe", &camera.url()]);
    assert_succeeds(&output);
    let text = stdout(&output);
    for part in [
        "found",
        "CC51",
        "session",
        "PSK-AES128-CBC-SHA256",
        "logged-in",
        "HL_CAM3P",
        "H.264",
        "can be watched",
    ] {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
}

/// Runs `stream --json` through a network that loses datagrams from the camera, but none of the first key frame's 16; the
/// last event.
fn stream_with_loss(resend: &str, parity: bool) -> serde_json::Value {
    let camera = Camera::start(if parity { &["--parity"] } else { &[] });
    let lossy = Lossy::start(&camera.address, 30);
    let folder = tempdir().unwrap();
    let path = folder.path().join("x.mp4");
    let url = url(&lossy.address, UID, ENR);
    let path = path.to_str().unwrap();
    let output = wyze(&[
        "stream",
        &url,
        "-o",
        path,
        "--json",
        "--duration",
        "3",
        "--resend",
        resend,
        "--parity",
        if parity { "on" } else { "off" },
    ]);
    assert_succeeds(&output);
    let text = stdout(&output);
    serde_json::from_str(text.lines().last().unwrap()).unwrap()
}

#[test]
fn with_resend_what_is_lost_is_repaired() {
    for parity in [false, true] {
        let end = stream_with_loss("on", parity);
        assert_eq!(end["lossless"], true);
        assert!(end["repaired"].as_u64() > Some(0), "{end}");
        assert_eq!(end["dropped"], 0, "{end}");
    }
}

#[test]
fn without_resend_what_is_lost_stays_lost() {
    let end = stream_with_loss("off", false);
    assert_eq!(end["lossless"], false);
    assert_eq!(end["repaired"], 0);
    assert!(end["dropped"].as_u64() > Some(0), "{end}");
}
