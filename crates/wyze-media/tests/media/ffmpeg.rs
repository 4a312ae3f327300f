//! FFmpeg as the independent reader and writer, and helpers around it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use wyze_media::{
    AudioFormat, AudioFrame, Clip, Fmp4Options, Fmp4Writer, Fragments, Sample, Sink, SinkStats,
    Track, VideoFrame,
};

pub(crate) const FILE: Fmp4Options = Fmp4Options {
    fragments: Fragments::KeyFrame,
    audio: true,
};
pub(crate) const PIPE: Fmp4Options = Fmp4Options {
    fragments: Fragments::EveryFrame,
    audio: true,
};

/// The clip that `wyze demo` plays: H.264 and AAC.
pub(crate) fn demo() -> Clip {
    Clip::open(demo_path()).unwrap()
}

pub(crate) fn demo_path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/demo.mp4")
}

/// The raw H.265 stream.
pub(crate) fn h265_path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/testsrc2.h265")
}

/// Runs `program` of FFmpeg; its absence is an error, never a skipped test.
pub(crate) fn run(program: &str, args: &[&str]) -> Output {
    Command::new(program)
        .args(args)
        .output()
        .unwrap_or_else(|e| panic!("{program}: {e}; install the Debian package `ffmpeg`"))
}

/// Makes a file with ffmpeg and returns its path.
pub(crate) fn ffmpeg(folder: &Path, name: &str, args: &[&str]) -> PathBuf {
    let path = folder.join(name);
    let text = path.to_str().unwrap();
    let mut all = vec!["-y", "-v", "error"];
    all.extend(args);
    all.push(text);
    let out = run("ffmpeg", &all);
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    path
}

/// ffmpeg decodes the whole file and has nothing to complain about.
pub(crate) fn assert_decodes(path: &Path) {
    let out = run(
        "ffmpeg",
        &[
            "-v",
            "error",
            "-i",
            path.to_str().unwrap(),
            "-f",
            "null",
            "-",
        ],
    );
    let complaints = String::from_utf8_lossy(&out.stderr);
    assert!(
        out.status.success() && complaints.is_empty(),
        "{complaints}"
    );
}

pub(crate) fn probe(path: &Path) -> Value {
    let args = [
        "-v",
        "error",
        "-of",
        "json",
        "-show_streams",
        "-show_packets",
    ];
    let out = run("ffprobe", &[&args[..], &[path.to_str().unwrap()]].concat());
    assert!(
        out.stderr.is_empty(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    serde_json::from_slice(&out.stdout).unwrap()
}

/// One stream as ffprobe sees it.
#[derive(Debug)]
pub(crate) struct Probed {
    pub(crate) codec: String,
    pub(crate) stream: Value,
    /// Decoding times in seconds, in file order; none for raw streams.
    pub(crate) times: Vec<f64>,
    pub(crate) sizes: Vec<usize>,
}

pub(crate) fn probed(path: &Path, kind: &str) -> Option<Probed> {
    let all = probe(path);
    let stream = all["streams"]
        .as_array()?
        .iter()
        .find(|s| s["codec_type"] == kind)?
        .clone();
    let packets = || {
        all["packets"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|p| p["stream_index"] == stream["index"])
    };
    Some(Probed {
        codec: stream["codec_name"].as_str()?.to_owned(),
        times: packets()
            .filter_map(|p| p["dts_time"].as_str()?.parse().ok())
            .collect(),
        sizes: packets()
            .map(|p| p["size"].as_str().unwrap().parse().unwrap())
            .collect(),
        stream,
    })
}

/// Sends samples to a sink as a camera would; the time of the first one is `epoch_us` on its clock.
pub(crate) fn send(
    sink: &mut dyn Sink,
    clip: &Clip,
    samples: &[Sample],
    epoch_us: u64,
) -> Result<(), wyze_media::SinkError> {
    for sample in samples {
        let time_us = epoch_us + sample.time.as_micros() as u64;
        match sample.track {
            Track::Video => sink.write_video(VideoFrame {
                codec: clip.video().unwrap().codec,
                time_us,
                key: sample.key,
                data: &sample.data,
            })?,
            Track::Audio => sink.write_audio(AudioFrame {
                format: *clip.audio().unwrap(),
                time_us,
                data: &sample.data,
            })?,
        }
    }
    Ok(())
}

pub(crate) const EPOCH_US: u64 = 1_795_000_000_000_000;

/// The whole clip as fragmented MP4.
pub(crate) fn mux(clip: &Clip, options: Fmp4Options) -> (Vec<u8>, SinkStats) {
    let mut writer = Fmp4Writer::new(Vec::new(), options);
    send(&mut writer, clip, clip.samples(), EPOCH_US).unwrap();
    writer.finish().unwrap();
    let stats = writer.stats();
    (writer.into_inner(), stats)
}

pub(crate) fn write(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

pub(crate) fn of(clip: &Clip, track: Track) -> Vec<&Sample> {
    clip.samples().iter().filter(|s| s.track == track).collect()
}

pub(crate) fn data(clip: &Clip, track: Track) -> Vec<&[u8]> {
    of(clip, track).iter().map(|s| s.data.as_slice()).collect()
}

pub(crate) fn audio_format(clip: &Clip) -> AudioFormat {
    *clip.audio().expect("the clip has no audio")
}
