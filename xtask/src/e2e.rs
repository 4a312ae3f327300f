//! The whole stack as a person meets it: `wyze demo` writes a film that ffmpeg reads without a word.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::process::{capture, cargo, root, run as run_shown, target_dir};
use crate::report::Summary;

/// Longest time of one demo.
const LIMIT: Duration = Duration::from_secs(60);

/// Runs the demo in every variety the camera has.
pub(crate) fn run() -> Result<String> {
    run_shown(&mut cargo("build --release -p wyze-cli"))?;
    let program = std::path::absolute(target_dir().join("release/wyze"))?;
    let nul = enr_with_a_zero_byte()?;
    let enr = ["--enr", &nul];
    let cases: [(&str, &[&str]); 8] = [
        ("demo", &[]),
        ("demo, CC51", &["--framing", "cc51"]),
        ("demo, status 1", &["--status", "1"]),
        ("demo, status 3", &["--status", "3"]),
        ("demo, status 6", &["--status", "6"]),
        ("demo, 0xCCAC alone", &["--suite", "ccac"]),
        ("demo, 0x00AE alone", &["--suite", "cbc"]),
        ("demo, zero byte in the key", &enr),
    ];
    let mut summary = Summary::default();
    for (name, args) in cases {
        let start = Instant::now();
        let outcome = demo(&program, args);
        summary.add(name, start.elapsed(), outcome);
    }
    println!("{summary}");
    summary.verdict()
}

fn demo(program: &Path, args: &[&str]) -> Result<String> {
    let dir = tempfile::tempdir()?;
    capture(
        Command::new(program)
            .arg("demo")
            .args(args)
            .current_dir(dir.path()),
        LIMIT,
    )?;
    check_film(&dir.path().join("demo.mp4"))
}

/// H.264 and an audio track, packets in both, and nothing for the decoder to complain about.
fn check_film(film: &Path) -> Result<String> {
    ensure!(film.is_file(), "no demo.mp4 was written");
    let said = capture(
        Command::new("ffprobe")
            .args([
                "-v",
                "error",
                "-count_packets",
                "-show_streams",
                "-of",
                "json",
            ])
            .arg(film),
        LIMIT,
    )?;
    let note =
        describe(&serde_json::from_str(&said).with_context(|| format!("ffprobe said {said}"))?)?;
    let complaints = capture(
        Command::new("ffmpeg")
            .args(["-v", "error", "-i"])
            .arg(film)
            .args(["-f", "null", "-"]),
        LIMIT,
    )?;
    ensure!(
        complaints.trim().is_empty(),
        "ffmpeg complains: {}",
        complaints.trim()
    );
    Ok(note)
}

fn describe(streams: &Value) -> Result<String> {
    let of_type = |kind: &str| {
        let all = streams["streams"].as_array().into_iter().flatten();
        all.filter(|s| s["codec_type"] == kind).collect::<Vec<_>>()
    };
    let packets = |stream: &Value| {
        stream["nb_read_packets"]
            .as_str()
            .and_then(|n| n.parse::<u32>().ok())
    };
    let (video, audio) = (of_type("video"), of_type("audio"));
    ensure!(
        video.len() == 1 && audio.len() == 1,
        "{} video and {} audio tracks",
        video.len(),
        audio.len()
    );
    let (video, audio) = (video[0], audio[0]);
    ensure!(
        video["codec_name"] == "h264",
        "the video is {}",
        video["codec_name"]
    );
    let [frames, sounds] = [video, audio].map(|stream| packets(stream).unwrap_or(0));
    ensure!(
        frames > 0 && sounds > 0,
        "{frames} video and {sounds} audio packets"
    );
    let codec = audio["codec_name"].as_str().unwrap_or("unknown");
    Ok(format!(
        "h264 {}x{}, {frames} frames; {codec}, {sounds} packets",
        video["width"], video["height"]
    ))
}

/// An ENR whose SHA-256 holds a zero byte in the middle, where the key is cut.
fn enr_with_a_zero_byte() -> Result<String> {
    let text = std::fs::read_to_string(root().join("testdata/vectors.json"))?;
    let vectors: Value = serde_json::from_str(&text)?;
    let cases = vectors["derived_psk_nul"]
        .as_array()
        .context("no derived_psk_nul in vectors.json")?;
    let case = cases
        .iter()
        .find(|case| matches!(case["first_nul"].as_u64(), Some(8..=30)));
    let enr = case.and_then(|case| case["enr"].as_str());
    Ok(enr
        .context("no ENR with a zero byte in the middle of its hash")?
        .to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn film(video: &str, frames: &str) -> Value {
        json!({"streams": [
            {"codec_type": "video", "codec_name": video, "width": 640, "height": 360, "nb_read_packets": frames},
            {"codec_type": "audio", "codec_name": "aac", "nb_read_packets": "12"},
        ]})
    }

    #[test]
    fn a_film_needs_h264_audio_and_frames() {
        assert_eq!(
            describe(&film("h264", "90")).unwrap(),
            "h264 640x360, 90 frames; aac, 12 packets"
        );
        assert!(describe(&film("hevc", "90")).is_err());
        assert!(describe(&film("h264", "0")).is_err());
        assert!(describe(&json!({"streams": []})).is_err());
    }

    #[test]
    fn an_enr_with_a_zero_byte_is_found() {
        assert_eq!(enr_with_a_zero_byte().unwrap(), "EnrNul0000001156");
    }
}
