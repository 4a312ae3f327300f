//! Reading clips, held against what FFmpeg says of the same files.

use std::time::Duration;

use crate::ffmpeg::{data, demo, demo_path, ffmpeg, h265_path, of, probed};
use wyze_media::{AudioCodec, AudioFormat, Clip, ClipError, ClipOptions, Track, VideoCodec};

/// The NAL types of an Annex B frame with four-byte start codes, found without the crate's help.
fn nal_types(codec: VideoCodec, frame: &[u8]) -> Vec<u8> {
    assert!(frame.starts_with(&[0, 0, 0, 1]));
    let starts = frame
        .windows(4)
        .enumerate()
        .filter(|(_, w)| *w == [0, 0, 0, 1]);
    starts
        .map(|(at, _)| match codec {
            VideoCodec::H264 => frame[at + 4] & 0x1f,
            VideoCodec::H265 => frame[at + 4] >> 1 & 0x3f,
        })
        .collect()
}

#[test]
fn demo_is_what_its_readme_says() {
    let clip = demo();
    let video = clip.video().unwrap();
    assert_eq!(video.codec, VideoCodec::H264);
    assert_eq!((video.width, video.height), (640, 360));
    assert!((video.fps - 20.0).abs() < 0.01, "{}", video.fps);
    assert_eq!(
        clip.audio(),
        Some(&AudioFormat {
            codec: AudioCodec::Aac,
            sample_rate: 16_000,
            channels: 1
        })
    );
    assert!(clip.left_out().is_empty());
    let frames = of(&clip, Track::Video);
    assert_eq!(frames.len(), 100);
    assert_eq!(frames.iter().filter(|f| f.key).count(), 3);
    assert!(frames.iter().any(|f| f.data.len() > 20 * 1024));
    assert_eq!(clip.samples()[0].time, Duration::ZERO);
    assert!(clip.duration() >= Duration::from_secs(5));
    assert!(clip.duration() < Duration::from_millis(5150));
    assert!(std::fs::metadata(demo_path()).unwrap().len() < 400 * 1024);
}

#[test]
fn frames_have_the_times_and_bytes_that_ffprobe_sees() {
    let clip = demo();
    for (track, kind, extra) in [(Track::Video, "video", 0), (Track::Audio, "audio", 7)] {
        let probed = probed(&demo_path(), kind).unwrap();
        let frames = of(&clip, track);
        assert_eq!(frames.len(), probed.times.len());
        for ((frame, time), size) in frames.iter().zip(probed.times).zip(probed.sizes) {
            assert!((frame.time.as_secs_f64() - time).abs() < 1e-5);
            // ADTS adds its header; start codes are as long as lengths.
            assert_eq!(frame.data.len(), size + extra);
        }
    }
}

#[test]
fn samples_are_in_order_and_video_goes_first() {
    let clip = demo();
    assert_eq!(clip.samples()[0].track, Track::Video);
    assert!(clip.samples().windows(2).all(|w| w[0].time <= w[1].time));
}

#[test]
fn parameter_sets_precede_every_key_frame() {
    let folder = tempfile::tempdir().unwrap();
    // hvc1: the parameter sets are in the header only.
    let raw = h265_path();
    let args = [
        "-r",
        "20",
        "-i",
        raw.to_str().unwrap(),
        "-c",
        "copy",
        "-tag:v",
        "hvc1",
    ];
    let hvc1 = ffmpeg(folder.path(), "hvc1.mp4", &args);
    let avc1 = ffmpeg(
        folder.path(),
        "avc1.mp4",
        &[
            "-i",
            demo_path().to_str().unwrap(),
            "-c",
            "copy",
            "-bsf:v",
            "filter_units=remove_types=7-8",
        ],
    );
    for (path, codec, sets) in [
        (demo_path(), VideoCodec::H264, &[7, 8][..]),
        (avc1, VideoCodec::H264, &[7, 8]),
        (hvc1, VideoCodec::H265, &[32, 33, 34]),
        (raw, VideoCodec::H265, &[32, 33, 34]),
    ] {
        let clip = Clip::open(&path).unwrap();
        assert_eq!(clip.video().unwrap().codec, codec);
        for frame in of(&clip, Track::Video).iter().filter(|f| f.key) {
            let types = nal_types(codec, &frame.data);
            assert!(types.starts_with(sets), "{path:?}: {types:?}");
            for set in sets {
                assert_eq!(types.iter().filter(|t| *t == set).count(), 1);
            }
        }
    }
}

#[test]
fn raw_stream_is_cut_into_the_frames_that_ffmpeg_finds() {
    let clip = Clip::open(h265_path()).unwrap();
    let probed = probed(&h265_path(), "video").unwrap();
    let video = clip.video().unwrap();
    assert_eq!(
        (video.codec, video.width, video.height),
        (VideoCodec::H265, 320, 240)
    );
    let sizes: Vec<_> = data(&clip, Track::Video).iter().map(|d| d.len()).collect();
    assert_eq!(sizes.len(), 60);
    // Three-byte start codes of the file became four-byte ones; nothing else changed.
    let file = std::fs::read(h265_path()).unwrap();
    let four = file.windows(4).filter(|w| *w == [0, 0, 0, 1]).count();
    let all = file.windows(3).filter(|w| *w == [0, 0, 1]).count();
    assert_eq!(sizes.iter().sum::<usize>(), file.len() + all - four);
    assert_eq!(probed.sizes.len(), 60);
    assert_eq!(clip.duration(), Duration::from_secs(3));

    let slow = Clip::open_with(h265_path(), &ClipOptions { raw_fps: 10.0 }).unwrap();
    assert_eq!(slow.duration(), Duration::from_secs(6));
    assert!((slow.video().unwrap().fps - 10.0).abs() < 1e-6);
}

#[test]
fn slices_of_raw_h264_are_joined_into_pictures() {
    let folder = tempfile::tempdir().unwrap();
    let args = [
        "-f",
        "lavfi",
        "-i",
        "testsrc2=size=320x240:rate=10",
        "-t",
        "2",
        "-pix_fmt",
        "yuv420p",
        "-c:v",
        "libx264",
        "-bf",
        "0",
        "-g",
        "5",
        "-x264-params",
        "slices=4:repeat-headers=1",
    ];
    let clip = Clip::open(ffmpeg(folder.path(), "slices.h264", &args)).unwrap();
    assert_eq!(clip.samples().len(), 20);
    assert_eq!(clip.samples().iter().filter(|s| s.key).count(), 4);
    let slices = |frame: &[u8]| {
        nal_types(VideoCodec::H264, frame)
            .iter()
            .filter(|t| matches!(t, 1 | 5))
            .count()
    };
    assert!(clip.samples().iter().all(|s| slices(&s.data) == 4));
}

#[test]
fn quicktime_pcm_is_cut_into_packets() {
    let folder = tempfile::tempdir().unwrap();
    for (encoder, raw, codec, bytes) in [
        ("pcm_mulaw", "mulaw", AudioCodec::Pcmu, 1),
        ("pcm_alaw", "alaw", AudioCodec::Pcma, 1),
        ("pcm_s16le", "s16le", AudioCodec::Pcm16, 2),
    ] {
        let sine = [
            "-f",
            "lavfi",
            "-i",
            "sine=sample_rate=8000",
            "-t",
            "1.01",
            "-c:a",
            encoder,
        ];
        let clip = Clip::open(ffmpeg(folder.path(), "pcm.mov", &sine)).unwrap();
        let format = AudioFormat {
            codec,
            sample_rate: 8_000,
            channels: 1,
        };
        assert_eq!(clip.audio(), Some(&format));
        assert!(clip.video().is_none());
        let frames = data(&clip, Track::Audio);
        assert!(frames.iter().all(|f| f.len() <= 160 * bytes));
        assert_eq!(frames[0].len(), 160 * bytes);
        assert!(clip.samples().windows(2).all(|w| w[0].time < w[1].time));
        let plain = ffmpeg(
            folder.path(),
            "pcm.raw",
            &[&sine[..], &["-f", raw]].concat(),
        );
        assert_eq!(frames.concat(), std::fs::read(plain).unwrap());
    }
}

#[test]
fn fragmented_files_of_ffmpeg_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = demo_path();
    for flags in ["+empty_moov", "+empty_moov+default_base_moof", ""] {
        let flags = format!("+frag_keyframe{flags}");
        let args = [
            "-i",
            path.to_str().unwrap(),
            "-c",
            "copy",
            "-movflags",
            &flags,
        ];
        let clip = Clip::open(ffmpeg(folder.path(), "frag.mp4", &args)).unwrap();
        assert_eq!(clip.samples().len(), demo().samples().len(), "{flags}");
        for track in [Track::Video, Track::Audio] {
            assert_eq!(data(&clip, track), data(&demo(), track), "{flags}");
        }
    }
}

#[test]
fn audio_that_no_camera_sends_is_left_out_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let demo = demo_path();
    let args = [
        "-i",
        demo.to_str().unwrap(),
        "-c:v",
        "copy",
        "-c:a",
        "flac",
        "-strict",
        "-2",
    ];
    let clip = Clip::open(ffmpeg(folder.path(), "flac.mp4", &args)).unwrap();
    assert_eq!(clip.audio(), None);
    assert_eq!(clip.left_out(), ["track `fLaC`"]);
    assert_eq!(clip.samples().len(), 100);
}

#[test]
fn unusable_clips_say_why_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let mpeg4 = [
        "-f",
        "lavfi",
        "-i",
        "testsrc2=size=64x64:rate=5",
        "-t",
        "1",
        "-c:v",
        "mpeg4",
    ];
    let mpeg4 = std::fs::read(ffmpeg(folder.path(), "mpeg4.mp4", &mpeg4)).unwrap();
    let demo = std::fs::read(demo_path()).unwrap();
    let moov = demo.windows(4).position(|w| w == b"moov").unwrap();
    let read = |bytes: &[u8]| Clip::from_bytes(bytes).unwrap_err();
    for (error, part) in [
        (
            Clip::open(folder.path().join("none.mp4")).unwrap_err(),
            "check the path",
        ),
        (read(b""), "empty file"),
        (read(b"GIF89a and so on and so on"), "neither MP4 nor"),
        (read(&mpeg4), "`mp4v`"),
        (read(&demo[..moov + 100]), "record it again"),
        (read(&demo[..demo.len() / 2]), "damaged"),
        (read(&[0, 0, 0, 1, 0x41, 0x9a, 1, 2, 3]), "no key frame"),
    ] {
        assert!(error.to_string().contains(part), "{error}");
        assert!(!error.to_string().contains('\n'));
    }
    assert!(matches!(read(&demo[..moov + 100]), ClipError::NoIndex));
}
