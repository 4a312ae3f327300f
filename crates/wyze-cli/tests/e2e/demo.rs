//! `wyze demo`: the file holds what the camera sent, whatever the camera is like.

use tempfile::tempdir;
use wyze_media::{Clip, Track};

use crate::harness::*;

/// Runs a demo for each set of options, all at once, and compares each file with the clip.
fn assert_demos_are_exact(variants: &[&[&str]]) {
    let folder = tempdir().unwrap();
    let runs: Vec<_> = variants
        .iter()
        .enumerate()
        .map(|(i, options)| {
            let path = folder.path().join(format!("{i}.mp4"));
            let mut args = vec!["demo", "-o", path.to_str().unwrap()];
            args.extend(*options);
            (spawn(&args), path.clone(), options)
        })
        .collect();
    let clip = Clip::open(clip_path()).unwrap();
    for (child, path, options) in runs {
        let output = child.wait_with_output().unwrap();
        assert!(
            output.status.success(),
            "{options:?}: {}{}",
            stdout(&output),
            stderr(&output)
        );
        let file = Clip::open(&path).unwrap();
        for track in [Track::Video, Track::Audio] {
            assert!(
                frames(&file, track) == frames(&clip, track),
                "{options:?}: {track:?} differs"
            );
        }
    }
}

#[test]
fn the_file_is_the_clip_byte_for_byte_with_either_framing_and_any_status() {
    assert_demos_are_exact(&[
        &[],
        &["--framing", "cc51"],
        &["--status", "1"],
        &["--status", "3"],
        &["--status", "6"],
        &["--framing", "cc51", "--status", "6"],
    ]);
}

#[test]
fn either_suite_alone_will_do_and_so_will_an_enr_whose_hash_has_a_zero_byte() {
    assert_demos_are_exact(&[
        &["--suite", "ccac"],
        &["--suite", "cbc"],
        &["--enr", "EnrNul0000001156"],
        &["--enr", "GkB9S7cX38GgzSC6"],
        &["--enr", "EnrNul0000001156", "--suite", "cbc"],
    ]);
}

#[test]
fn firmware_without_encryption_is_watched_with_a_warning_or_refused() {
    assert_demos_are_exact(&[&["--generation", "25"], &["--generation", "16"]]);
    let folder = tempdir().unwrap();
    let path = folder.path().join("x.mp4");
    let demo = ["demo", "-o", path.to_str().unwrap(), "--generation", "16"];
    let output = wyze(&demo);
    assert_succeeds(&output);
    assert_eq!(stderr(&output).matches("not encrypted").count(), 1);
    let output = wyze(&[&demo[..], &["--dtls-only"]].concat());
    assert_eq!(output.status.code(), Some(13), "{}", stderr(&output));
    assert!(stderr(&output).contains("too old for encryption"));
}

#[test]
fn it_reports_phases_in_order_and_what_was_written() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("x.mp4");
    let output = wyze(&["demo", "-o", path.to_str().unwrap(), "--json"]);
    assert_succeeds(&output);
    let events: Vec<serde_json::Value> = stdout(&output)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let phases: Vec<_> = events.iter().filter_map(|e| e["phase"].as_str()).collect();
    assert_eq!(
        phases,
        [
            "found",
            "session",
            "secured",
            "logged-in",
            "authenticated",
            "first-frame"
        ]
    );
    let times: Vec<_> = events.iter().filter_map(|e| e["ms"].as_u64()).collect();
    assert!(times.is_sorted(), "{times:?}");
    let end = events.last().unwrap();
    assert_eq!(end["event"], "end");
    assert_eq!((&end["exit"], &end["dropped"]), (&0.into(), &0.into()));
    assert_eq!(
        (&end["video_frames"], &end["audio_frames"]),
        (&100.into(), &80.into())
    );
}

#[test]
fn ctrl_c_leaves_a_playable_file() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("x.mp4");
    let child = spawn(&["demo", "-o", path.to_str().unwrap()]);
    wait_for_bytes(&path);
    signal(&child, "INT");
    let output = child.wait_with_output().unwrap();
    assert_succeeds(&output);
    assert!(
        stdout(&output).contains("interrupted"),
        "{}",
        stdout(&output)
    );
    assert!(assert_begins_like_the_clip(&Clip::open(&path).unwrap()) < 100);
}
