//! What ffprobe reads in recordings of the demo clip, whole frames and chunks.

use std::process::Command;

use tutk_av::{AudioFormat, Chunk, Codec, Frame, FrameInfo, Stream};
use wyze_embedded_io::Recording;
use wyze_media::{Clip, Track};

fn clip() -> Clip {
    Clip::open(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../assets/demo.mp4"
    ))
    .unwrap()
}

/// The recording of one track, twice: frame by frame and chunk by chunk.
fn record(track: Track, stream: Stream) -> (Vec<u8>, Vec<u8>, usize) {
    let clip = clip();
    let format = AudioFormat {
        sample_rate: 16000,
        bits: 16,
        channels: 1,
    };
    let info = match stream {
        Stream::Video => FrameInfo::video(Codec::H264, 20, 0),
        Stream::Audio => FrameInfo::audio(Codec::AacWyze, format, 0),
    };
    let mut frames = Recording::new(Vec::new(), stream);
    let mut chunks = Recording::new(Vec::new(), stream);
    let mut count = 0;
    for sample in clip.samples().iter().filter(|s| s.track == track) {
        let frame = Frame {
            stream,
            number: count as u32,
            key: sample.key,
            info,
            timestamp: 0,
            data: &sample.data,
        };
        assert_eq!(frames.frame(&frame), Ok(true));
        for (i, bytes) in sample.data.chunks(1024).enumerate() {
            let chunk = Chunk {
                stream,
                frame: count as u32,
                key: sample.key,
                offset: (i * 1024) as u32,
                last: (i + 1) * 1024 >= sample.data.len(),
                bytes,
                info: None,
            };
            assert_eq!(chunks.chunk(&chunk), Ok(true));
        }
        count += 1;
    }
    (frames.into_inner(), chunks.into_inner(), count)
}

/// Codec and packets of a file, as ffprobe sees it.
fn probe(bytes: &[u8], name: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-count_packets", "-show_entries"])
        .args(["stream=codec_name,nb_read_packets", "-of", "csv=p=0"])
        .arg(&path)
        .output()
        .expect("ffprobe is installed (cargo xtask test installs it)");
    assert!(output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn ffprobe_counts_the_frames_of_a_video_recording() {
    let (frames, chunks, count) = record(Track::Video, Stream::Video);
    assert!(frames == chunks);
    assert_eq!(probe(&frames, "x.h264"), format!("h264,{count}"));
}

#[test]
fn ffprobe_counts_the_frames_of_an_audio_recording() {
    let (frames, chunks, count) = record(Track::Audio, Stream::Audio);
    assert!(frames == chunks);
    assert_eq!(probe(&frames, "x.aac"), format!("aac,{count}"));
}
