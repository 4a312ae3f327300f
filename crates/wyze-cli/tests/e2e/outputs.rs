//! Outputs that nobody reads, or that are full.
#![cfg(unix)]

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::tempdir;

use crate::harness::*;

/// As in `wyze camera … | grep -m1 listening`.
#[test]
fn a_camera_goes_on_when_nobody_reads_what_it_says() {
    let clip = clip_path();
    let args = ["--file", clip.to_str().unwrap(), "--listen", "127.0.0.1:0"];
    let args = [&["camera", "--show-url", "--once"][..], &args].concat();
    let mut camera = spawn(&args);
    let mut said = BufReader::new(camera.stdout.take().unwrap());
    let mut line = String::new();
    while !line.starts_with("wyze stream '") {
        line.clear();
        assert!(said.read_line(&mut line).unwrap() > 0);
    }
    drop(said);
    let url = line
        .trim_end()
        .trim_start_matches("wyze stream ")
        .trim_matches('\'');
    assert_succeeds(&wyze(&[
        "stream",
        url,
        "-o",
        "/dev/null",
        "-f",
        "mp4",
        "-n",
        "5",
    ]));
    let output = camera.wait_with_output().unwrap();
    assert_succeeds(&output);
    assert_eq!(stderr(&output), "");
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_standard_output_is_said_and_a_closed_one_is_not() {
    let run = |stdout: Stdio| {
        Command::new(env!("CARGO_BIN_EXE_wyze"))
            .arg("logout")
            .env("WYZE_CONFIG_DIR", "/nonexistent/wyze")
            .stdout(stdout)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
            .wait_with_output()
            .unwrap()
    };
    let full = std::fs::File::create("/dev/full").unwrap();
    let message = assert_fails(&run(full.into()), 21);
    assert!(message.contains("standard output"), "{message}");
    let (nobody, pipe) = std::io::pipe().unwrap();
    drop(nobody);
    assert_succeeds(&run(pipe.into()));
}

#[test]
fn a_recording_that_no_longer_fits_ends_with_a_whole_record() {
    let camera = Camera::start(&[]);
    let folder = tempdir().unwrap();
    let pcap = folder.path().join("x.pcap");
    let pcap = pcap.to_str().unwrap();
    // Files may have 40 blocks; the signal that would end the program is ignored, as on a disk that is full.
    let script = "trap '' XFSZ; ulimit -f 40; exec \"$@\"";
    let output = Command::new("sh")
        .args(["-c", script, "sh", env!("CARGO_BIN_EXE_wyze"), "stream"])
        .args([&camera.url(), "-o", "-", "-n", "40", "--pcap", pcap])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
        .wait_with_output()
        .unwrap();
    let message = assert_fails(&output, 21);
    assert!(
        message.contains("recording of the session is incomplete"),
        "{message}"
    );
    let dissected = wyze(&["dissect", pcap, "--brief"]);
    assert_succeeds(&dissected);
    assert!(stdout(&dissected).lines().count() > 10);
}

#[test]
fn one_signal_ends_a_program_that_waits_for_a_reader() {
    let camera = Camera::start(&[]);
    let folder = tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    let child = spawn(&["stream", &camera.url(), "-o", pipe.to_str().unwrap()]);
    std::thread::sleep(Duration::from_millis(500));
    let start = Instant::now();
    signal(&child, "TERM");
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    assert!(start.elapsed() < Duration::from_secs(20));
}
