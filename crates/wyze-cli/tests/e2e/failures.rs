//! Each cause has its line, its exit code, and leaves no file that looks complete.

use std::net::UdpSocket;
use std::path::Path;

use tempfile::tempdir;

use crate::harness::*;

const ANY_URL: &str =
    "wyze://127.0.0.1:9?uid=TESTTESTTESTTESTTES1&enr=0123456789abcdef&mac=0A1B2C3D4E5F";

/// Streams into a fresh folder, and checks that nothing was left there.
#[track_caller]
fn stream_fails(url: &str, more: &[&str], code: i32) -> String {
    let folder = tempdir().unwrap();
    let path = folder.path().join("x.mp4");
    let mut args = vec!["stream", url, "-o", path.to_str().unwrap()];
    args.extend(more);
    let message = assert_fails(&wyze(&args), code);
    assert!(!path.exists(), "a file was left");
    message
}

#[test]
fn nothing_listening() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let url = url(&silent.local_addr().unwrap().to_string(), UID, ENR);
    stream_fails(&url, &["--timeout", "1"], 10);
    assert_fails(&wyze(&["probe", &url, "--timeout", "1"]), 10);
}

#[test]
fn the_search_ends_by_itself() {
    stream_fails(ANY_URL, &[], 10);
}

#[test]
fn wrong_uid_is_silence() {
    let camera = Camera::start(&[]);
    let message = stream_fails(&url(&camera.address, "WRONGWRONGWRONGWRON1", ENR), &[], 10);
    assert!(message.contains("UID"), "{message}");
}

#[test]
fn wrong_enr() {
    for suite in ["chacha", "cbc"] {
        let camera = Camera::start(&["--suite", suite]);
        let message = stream_fails(&url(&camera.address, UID, "fedcba9876543210"), &[], 14);
        assert!(message.contains("ENR"), "{message}");
    }
}

#[test]
fn wrong_enr_with_cc51_is_silence() {
    let camera = Camera::start(&["--framing", "cc51"]);
    let message = stream_fails(&url(&camera.address, UID, "fedcba9876543210"), &[], 10);
    assert!(message.contains("ENR"), "{message}");
}

#[test]
fn slots_taken() {
    let mut camera = Camera::start(&["--slots", "1"]);
    let folder = tempdir().unwrap();
    let path = folder.path().join("first.mp4");
    let mut first = spawn(&["stream", &camera.url(), "-o", path.to_str().unwrap()]);
    camera.wait_for("let in");
    stream_fails(&camera.url(), &[], 12);
    signal(&first, "INT");
    first.wait().unwrap();
}

#[test]
fn a_camera_that_cannot_serve_says_why() {
    for (status, word) in [("2", "updating"), ("4", "checking"), ("5", "off")] {
        let folder = tempdir().unwrap();
        let path = folder.path().join("x.mp4");
        let output = wyze(&["demo", "-o", path.to_str().unwrap(), "--status", status]);
        let message = assert_fails(&output, 15);
        assert!(message.contains(word), "{message}");
        assert!(!path.exists());
    }
}

#[test]
fn malformed_urls_name_the_part_and_not_its_value() {
    for (from, to, part) in [
        ("wyze:", "rtsp:", "wyze://"),
        ("uid=TEST", "uid=TESTTEST", "uid"),
        ("enr=0123", "enr=", "enr"),
        ("mac=0A", "mac=0A:?", "mac"),
        ("uid=", "udi=", "uid"),
    ] {
        let url = ANY_URL.replace(from, to);
        let message = stream_fails(&url, &[], 22);
        assert!(message.contains(part), "{message}");
        for secret in ["TESTTEST", "456789abcdef", "1B2C3D"] {
            assert!(!message.contains(secret), "{message}");
        }
    }
}

#[test]
fn a_model_that_speaks_something_else() {
    let url = format!("{ANY_URL}&model=GW_GC1");
    let talk = wyze(&["talk", &url, "hello.wav"]);
    for message in [
        stream_fails(&url, &[], 23),
        assert_fails(&talk, 23),
        assert_fails(&wyze(&["get", &url]), 23),
    ] {
        let clear = message.contains("Gwell") && message.contains("Wyze app");
        assert!(clear, "{message}");
    }
}

#[test]
fn a_full_disk() {
    let camera = Camera::start(&[]);
    let output = wyze(&["stream", &camera.url(), "-o", "/dev/full", "-n", "50"]);
    let message = assert_fails(&output, 21);
    assert!(message.contains("full"), "{message}");
}

#[test]
fn an_output_that_cannot_be_opened_is_noticed_before_the_camera() {
    let output = wyze(&["stream", ANY_URL, "-o", "/nonexistent/x.mp4"]);
    let message = assert_fails(&output, 21);
    assert!(message.contains("/nonexistent/x.mp4"), "{message}");
}

#[test]
fn an_earlier_recording_survives_a_run_without_a_frame() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("x.mp4");
    std::fs::write(&path, "precious").unwrap();
    let output = wyze(&[
        "stream",
        ANY_URL,
        "-o",
        path.to_str().unwrap(),
        "--timeout",
        "0.5",
    ]);
    assert_fails(&output, 10);
    assert_eq!(std::fs::read(&path).unwrap(), b"precious");
}

#[test]
fn a_clip_that_cannot_be_read() {
    let folder = tempdir().unwrap();
    let noise = folder.path().join("noise.mp4");
    std::fs::write(&noise, [7; 1000]).unwrap();
    for file in [Path::new("/nonexistent.mp4"), &noise, folder.path()] {
        let output = wyze(&[
            "camera",
            "--listen",
            "127.0.0.1:0",
            "--file",
            file.to_str().unwrap(),
        ]);
        assert_fails(&output, 20);
    }
}

#[test]
fn ctrl_c_before_the_first_frame_leaves_nothing() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let url = url(&silent.local_addr().unwrap().to_string(), UID, ENR);
    let folder = tempdir().unwrap();
    let path = folder.path().join("x.mp4");
    let child = spawn(&["stream", &url, "-o", path.to_str().unwrap()]);
    // The first probe says that it runs.
    silent.recv(&mut [0; 2048]).unwrap();
    signal(&child, "INT");
    assert_fails(&child.wait_with_output().unwrap(), 130);
    assert!(!path.exists());
}

#[test]
fn one_file_for_two_things_is_refused_and_left_as_it_is() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("x.mp4");
    let path = path.to_str().unwrap();
    let other = folder.path().join("y.mp4");
    let other = other.to_str().unwrap();
    for options in [
        &["-o", other, "--pcap", path, "--keylog", path][..],
        &["-o", path, "--pcap", path],
        &["-o", path, "--pcap", path, "--redact"],
        &["-o", path, "--pcap", other, "--keylog", path],
        &["-o", other, "--pcap", path, "--ledger", path],
    ] {
        std::fs::write(path, "precious").unwrap();
        let output = wyze(&[&["stream", ANY_URL][..], options].concat());
        let message = assert_fails(&output, 2);
        assert!(message.contains("same file"), "{options:?}: {message}");
        assert_eq!(std::fs::read(path).unwrap(), b"precious", "{options:?}");
        assert!(!Path::new(other).exists(), "{options:?}");
    }
}

#[test]
fn usage() {
    for args in [
        &["stream", ANY_URL, "--frames", "0"][..],
        &["stream", ANY_URL, "--duration", "-1"],
        &["stream", ANY_URL, "-o", "x.mkv"],
        &["stream"],
        &["nonsense"],
    ] {
        let output = wyze(args);
        assert_eq!(
            output.status.code(),
            Some(2),
            "{args:?}: {}",
            stderr(&output)
        );
    }
}
