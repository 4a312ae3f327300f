//! Writing fragmented MP4, held against FFmpeg and read back.

use crate::ffmpeg::{
    EPOCH_US, FILE, PIPE, assert_decodes, audio_format, data, demo, ffmpeg, h265_path, mux, of,
    probed, run, send, write,
};
use wyze_media::{
    AudioCodec, AudioFormat, AudioFrame, Clip, Fmp4Options, Fmp4Writer, Sink, SinkError, Track,
    VideoCodec, VideoFrame,
};

const QUIET: Fmp4Options = Fmp4Options {
    audio: false,
    ..FILE
};

#[test]
fn h264_and_aac_come_out_as_they_went_in() {
    let clip = demo();
    let folder = tempfile::tempdir().unwrap();
    for options in [FILE, PIPE] {
        let (bytes, stats) = mux(&clip, options);
        assert_eq!((stats.video_frames, stats.audio_frames), (100, 80));
        assert_eq!(stats.bytes, bytes.len() as u64);
        assert_eq!(
            (
                stats.before_key,
                stats.malformed,
                stats.audio_left_out,
                stats.parameter_changes
            ),
            (0, 0, 0, 0)
        );
        let again = Clip::from_bytes(&bytes).unwrap();
        assert_eq!(again.video(), clip.video());
        assert_eq!(again.audio(), clip.audio());
        assert_eq!(again.samples(), clip.samples());

        let path = write(folder.path(), "out.mp4", &bytes);
        assert_decodes(&path);
        let video = probed(&path, "video").unwrap();
        assert_eq!((video.codec.as_str(), video.times.len()), ("h264", 100));
        assert_eq!(
            (&video.stream["width"], &video.stream["height"]),
            (&640.into(), &360.into())
        );
        let audio = probed(&path, "audio").unwrap();
        assert_eq!((audio.codec.as_str(), audio.times.len()), ("aac", 80));
        assert_eq!(audio.stream["sample_rate"], "16000");
    }
}

/// FFmpeg, not this crate, takes the NAL units out of the file: they are the camera's.
#[test]
fn video_that_ffmpeg_extracts_is_the_cameras_byte_for_byte() {
    let folder = tempfile::tempdir().unwrap();
    for clip in [demo(), Clip::open(h265_path()).unwrap()] {
        let (bytes, _) = mux(&clip, FILE);
        let path = write(folder.path(), "out.mp4", &bytes);
        // As a whole: mp4 packets are length-prefixed NAL units, dumped without touching them.
        let args = [
            "-v",
            "error",
            "-i",
            path.to_str().unwrap(),
            "-map",
            "0:v",
            "-c",
            "copy",
            "-f",
            "data",
            "-",
        ];
        let dumped = run("ffmpeg", &args).stdout;
        let mut annex_b = Vec::new();
        let mut rest = dumped.as_slice();
        while let Some((length, tail)) = rest.split_first_chunk::<4>() {
            let (nal, tail) = tail.split_at(u32::from_be_bytes(*length) as usize);
            annex_b.extend([0, 0, 0, 1]);
            annex_b.extend(nal);
            rest = tail;
        }
        assert_eq!(annex_b, data(&clip, Track::Video).concat());
    }
}

#[test]
fn h265_is_stored_as_hvc1() {
    let clip = Clip::open(h265_path()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for options in [FILE, PIPE] {
        let (bytes, stats) = mux(&clip, options);
        let path = write(folder.path(), "out.mp4", &bytes);
        assert_decodes(&path);
        let video = probed(&path, "video").unwrap();
        assert_eq!((video.codec.as_str(), video.times.len()), ("hevc", 60));
        assert_eq!(video.stream["codec_tag_string"], "hvc1");
        assert!(probed(&path, "audio").is_none());
        assert_eq!(stats.video_frames, 60);
        assert_eq!(Clip::from_bytes(&bytes).unwrap().samples(), clip.samples());
    }
}

/// A clip with demo pictures and `encoder` audio, made by ffmpeg.
fn with_audio(folder: &tempfile::TempDir, name: &str, encoder: &[&str]) -> Clip {
    let mut args = vec![
        "-i",
        "DEMO",
        "-f",
        "lavfi",
        "-i",
        "sine=sample_rate=8000",
        "-map",
        "0:v",
        "-map",
        "1:a",
    ];
    let demo = crate::ffmpeg::demo_path();
    args[1] = demo.to_str().unwrap();
    args.extend(["-c:v", "copy", "-shortest", "-ac", "1", "-c:a"]);
    args.extend(encoder);
    Clip::open(ffmpeg(folder.path(), name, &args)).unwrap()
}

#[test]
fn every_audio_codec_is_stored_and_decodes() {
    let folder = tempfile::tempdir().unwrap();
    for (name, encoder, codec, as_ffmpeg) in [
        (
            "a.mp4",
            &["libopus", "-b:a", "16k"][..],
            AudioCodec::Opus,
            "opus",
        ),
        ("b.mov", &["pcm_mulaw"], AudioCodec::Pcmu, "pcm_mulaw"),
        ("c.mov", &["pcm_alaw"], AudioCodec::Pcma, "pcm_alaw"),
        ("d.mov", &["pcm_s16le"], AudioCodec::Pcm16, "pcm_s16le"),
        (
            "e.mov",
            &["pcm_s16le", "-ar", "48000"],
            AudioCodec::Pcm16,
            "pcm_s16le",
        ),
    ] {
        let clip = with_audio(&folder, name, encoder);
        assert_eq!(audio_format(&clip).codec, codec);
        for options in [FILE, PIPE] {
            let (bytes, stats) = mux(&clip, options);
            let path = write(folder.path(), "out.mp4", &bytes);
            assert_decodes(&path);
            let audio = probed(&path, "audio").unwrap();
            assert_eq!(audio.codec, as_ffmpeg);
            assert_eq!(audio.times.len() as u64, stats.audio_frames);
            assert_eq!(probed(&path, "video").unwrap().times.len(), 100);
            let again = Clip::from_bytes(&bytes).unwrap();
            assert_eq!(again.audio(), clip.audio(), "{name}");
            let sent = data(&clip, Track::Audio);
            let kept = data(&again, Track::Audio);
            assert_eq!(kept, sent[sent.len() - kept.len()..], "{name}");
            // Opus has an encoder delay: its first packet may end before the first picture.
            assert!(sent.len() - kept.len() <= usize::from(codec == AudioCodec::Opus));
        }
    }
}

#[test]
fn sound_that_ffmpeg_decodes_is_as_long_as_it_was_sent() {
    let folder = tempfile::tempdir().unwrap();
    let clip = with_audio(&folder, "u.mov", &["pcm_mulaw"]);
    let (bytes, _) = mux(&clip, FILE);
    let path = write(folder.path(), "out.mp4", &bytes);
    let args = [
        "-v",
        "error",
        "-i",
        path.to_str().unwrap(),
        "-map",
        "0:a",
        "-c",
        "copy",
        "-f",
        "mulaw",
        "-",
    ];
    assert_eq!(
        run("ffmpeg", &args).stdout,
        data(&clip, Track::Audio).concat()
    );
}

#[test]
fn gaps_and_jitter_of_the_camera_clock_are_in_the_file() {
    let clip = demo();
    let folder = tempfile::tempdir().unwrap();
    let offset_us = |i: usize| {
        i as u64 * 50_000 + [0, 3_000, 1_000][i % 3] + if i >= 30 { 7_000_000 } else { 0 }
    };
    for options in [FILE, PIPE] {
        let mut writer = Fmp4Writer::new(
            Vec::new(),
            Fmp4Options {
                audio: false,
                ..options
            },
        );
        for (i, frame) in of(&clip, Track::Video).iter().enumerate() {
            writer
                .write_video(VideoFrame {
                    codec: VideoCodec::H264,
                    time_us: EPOCH_US + offset_us(i),
                    key: frame.key,
                    data: &frame.data,
                })
                .unwrap();
        }
        writer.finish().unwrap();
        let path = write(folder.path(), "out.mp4", &writer.into_inner());
        assert_decodes(&path);
        let times = probed(&path, "video").unwrap().times;
        assert_eq!(times.len(), 100);
        for (i, time) in times.iter().enumerate() {
            assert!(
                (time - offset_us(i) as f64 / 1e6).abs() < 2e-5,
                "{i}: {time}"
            );
        }
    }
}

/// A pipe cannot wait for the next frame to know how long this one lasts; it goes by the last distance.
#[test]
fn pipes_name_the_frame_rate_of_the_camera() {
    let clip = demo();
    let mut writer = Fmp4Writer::new(
        Vec::new(),
        Fmp4Options {
            audio: false,
            ..PIPE
        },
    );
    for (i, frame) in of(&clip, Track::Video).iter().enumerate() {
        let time_us = EPOCH_US + i as u64 * 100_000;
        writer
            .write_video(VideoFrame {
                codec: VideoCodec::H264,
                time_us,
                key: frame.key,
                data: &frame.data,
            })
            .unwrap();
    }
    writer.finish().unwrap();
    let again = Clip::from_bytes(&writer.into_inner()).unwrap();
    assert_eq!(again.duration(), std::time::Duration::from_secs(10));
}

#[test]
fn sound_and_picture_keep_their_distance() {
    let clip = demo();
    let folder = tempfile::tempdir().unwrap();
    // The camera starts with audio; the first key frame comes 500 ms later and is slow to arrive.
    let mut writer = Fmp4Writer::new(Vec::new(), FILE);
    let format = audio_format(&clip);
    let audio = of(&clip, Track::Audio);
    let send_audio = |writer: &mut Fmp4Writer<Vec<u8>>, range: std::ops::Range<usize>| {
        for frame in &audio[range] {
            let time_us = EPOCH_US + frame.time.as_micros() as u64;
            writer
                .write_audio(AudioFrame {
                    format,
                    time_us,
                    data: &frame.data,
                })
                .unwrap();
        }
    };
    send_audio(&mut writer, 0..12);
    for frame in of(&clip, Track::Video) {
        let time_us = EPOCH_US + 500_000 + frame.time.as_micros() as u64;
        writer
            .write_video(VideoFrame {
                codec: VideoCodec::H264,
                time_us,
                key: frame.key,
                data: &frame.data,
            })
            .unwrap();
    }
    send_audio(&mut writer, 12..80);
    writer.finish().unwrap();
    // Frames 0 to 6 end at 448 ms; frame 7 covers the start of the picture.
    let stats = writer.stats();
    assert_eq!(
        (stats.before_key, stats.audio_frames, stats.video_frames),
        (7, 73, 100)
    );
    let path = write(folder.path(), "out.mp4", &writer.into_inner());
    assert_decodes(&path);
    let distance =
        probed(&path, "video").unwrap().times[0] - probed(&path, "audio").unwrap().times[0];
    assert!((distance - 0.052).abs() < 1e-4, "{distance}");
}

#[test]
fn without_audio_the_header_comes_after_a_second() {
    let clip = demo();
    let mut writer = Fmp4Writer::new(Vec::new(), PIPE);
    let video: Vec<_> = of(&clip, Track::Video).into_iter().cloned().collect();
    send(&mut writer, &clip, &video[..20], EPOCH_US).unwrap();
    assert_eq!(writer.stats().bytes, 0);
    send(&mut writer, &clip, &video[20..21], EPOCH_US).unwrap();
    assert!(writer.stats().bytes > 0);
    // Too late for a track.
    let audio: Vec<_> = of(&clip, Track::Audio).into_iter().cloned().collect();
    send(&mut writer, &clip, &audio[..1], EPOCH_US).unwrap();
    assert_eq!(writer.stats().audio_left_out, 1);
    writer.finish().unwrap();
    let again = Clip::from_bytes(&writer.into_inner()).unwrap();
    assert_eq!((again.audio(), again.samples().len()), (None, 21));
}

#[test]
fn killed_process_leaves_a_file_that_plays_up_to_its_last_fragment() {
    let clip = demo();
    let folder = tempfile::tempdir().unwrap();
    let (bytes, _) = mux(&clip, FILE);
    let starts: Vec<_> = bytes
        .windows(4)
        .enumerate()
        .filter(|(_, w)| *w == b"moof")
        .map(|(at, _)| at - 4)
        .collect();
    assert!((4..=12).contains(&starts.len()), "{starts:?}");
    // In the middle of the media, of the index, and of the box header of the fourth fragment.
    for cut in [starts[3] + 3000, starts[3] + 50, starts[3] + 5, starts[3]] {
        let whole = Clip::from_bytes(&bytes[..starts[3]]).unwrap();
        let torn = Clip::from_bytes(&bytes[..cut]).unwrap();
        assert!(torn.samples().len() >= whole.samples().len());
        let frames = of(&torn, Track::Video).len();
        assert!((40..100).contains(&frames));
        assert_eq!(
            data(&torn, Track::Video),
            data(&clip, Track::Video)[..frames]
        );
        let path = write(folder.path(), "torn.mp4", &bytes[..cut]);
        let out = run(
            "ffprobe",
            &[
                "-v",
                "quiet",
                "-count_packets",
                "-select_streams",
                "v",
                "-show_entries",
                "stream=nb_read_packets",
                "-of",
                "csv=p=0",
                path.to_str().unwrap(),
            ],
        );
        let seen: usize = String::from_utf8_lossy(&out.stdout).trim().parse().unwrap();
        assert!(seen >= of(&whole, Track::Video).len(), "{seen}");
    }
}

#[test]
fn change_of_resolution_stays_decodable() {
    let folder = tempfile::tempdir().unwrap();
    let small = [
        "-f",
        "lavfi",
        "-i",
        "testsrc2=size=320x240:rate=20",
        "-t",
        "1",
        "-pix_fmt",
        "yuv420p",
        "-c:v",
        "libx264",
        "-bf",
        "0",
    ];
    let small = Clip::open(ffmpeg(folder.path(), "small.h264", &small)).unwrap();
    let large = demo();
    for options in [FILE, PIPE] {
        let mut writer = Fmp4Writer::new(
            Vec::new(),
            Fmp4Options {
                audio: false,
                ..options
            },
        );
        let video: Vec<_> = of(&large, Track::Video).into_iter().cloned().collect();
        send(&mut writer, &large, &video[..40], EPOCH_US).unwrap();
        send(&mut writer, &small, small.samples(), EPOCH_US + 2_000_000).unwrap();
        writer.finish().unwrap();
        assert_eq!(writer.stats().parameter_changes, 1);
        let path = write(folder.path(), "out.mp4", &writer.into_inner());
        let args = [
            "-v",
            "error",
            "-show_entries",
            "frame=width,height",
            "-of",
            "csv=p=0",
            path.to_str().unwrap(),
        ];
        let out = run("ffprobe", &args);
        assert!(
            out.stderr.is_empty(),
            "{}",
            String::from_utf8_lossy(&out.stderr)
        );
        let frames = String::from_utf8_lossy(&out.stdout).into_owned();
        let count = |size: &str| frames.lines().filter(|l| l.starts_with(size)).count();
        assert_eq!((count("640,360"), count("320,240")), (40, 20));
    }
}

#[test]
fn change_of_codec_ends_the_file() {
    let (h264, h265) = (demo(), Clip::open(h265_path()).unwrap());
    let mut writer = Fmp4Writer::new(Vec::new(), QUIET);
    send(&mut writer, &h264, &h264.samples()[..1], 0).unwrap();
    let error = send(&mut writer, &h265, &h265.samples()[..1], 0).unwrap_err();
    assert!(matches!(error, SinkError::CodecChanged { .. }), "{error}");
    assert!(matches!(writer.finish(), Err(SinkError::Finished)));
}

#[test]
fn parameter_sets_in_a_frame_of_their_own_are_kept() {
    let clip = demo();
    let key = of(&clip, Track::Video)[0].clone();
    let slice = key
        .data
        .windows(5)
        .position(|w| w == [0, 0, 0, 1, 0x65])
        .unwrap();
    let mut writer = Fmp4Writer::new(Vec::new(), QUIET);
    let mut send = |data, key| {
        let codec = VideoCodec::H264;
        writer
            .write_video(VideoFrame {
                codec,
                time_us: 5,
                key,
                data,
            })
            .unwrap();
    };
    send(&key.data[..slice], false);
    send(&key.data[slice..], true);
    writer.finish().unwrap();
    assert_eq!(writer.stats().video_frames, 2);
    let again = Clip::from_bytes(&writer.into_inner()).unwrap();
    assert_eq!(data(&again, Track::Video), [key.data.as_slice()]);
}

#[test]
fn nothing_is_written_before_a_key_frame() {
    let clip = demo();
    let mut writer = Fmp4Writer::new(Vec::new(), FILE);
    send(&mut writer, &clip, &clip.samples()[1..40], EPOCH_US).unwrap();
    let stats = writer.stats();
    assert_eq!((stats.bytes, stats.video_frames), (0, 0));
    assert!(stats.before_key > 10);
    assert!(matches!(writer.finish(), Err(SinkError::NothingWritten)));
    assert!(writer.into_inner().is_empty());
}

#[test]
fn bare_and_grouped_aac_become_the_same_track() {
    let clip = demo();
    let audio = data(&clip, Track::Audio);
    let video: Vec<_> = of(&clip, Track::Video)
        .into_iter()
        .take(1)
        .cloned()
        .collect();
    let write_all = |frames: &[Vec<u8>]| {
        let mut writer = Fmp4Writer::new(Vec::new(), FILE);
        send(&mut writer, &clip, &video, 0).unwrap();
        for (i, frame) in frames.iter().enumerate() {
            let time_us = i as u64 * 64_000 * (8 / frames.len() as u64);
            let format = audio_format(&clip);
            writer
                .write_audio(AudioFrame {
                    format,
                    time_us,
                    data: frame,
                })
                .unwrap();
        }
        writer.finish().unwrap();
        writer.into_inner()
    };
    let adts: Vec<_> = audio[..8].iter().map(|f| f.to_vec()).collect();
    let bare: Vec<_> = audio[..8].iter().map(|f| f[7..].to_vec()).collect();
    let pairs: Vec<_> = adts.chunks(2).map(|pair| pair.concat()).collect();
    assert_eq!(write_all(&bare), write_all(&adts));
    assert_eq!(write_all(&pairs), write_all(&adts));
}

#[test]
fn frames_that_are_not_what_they_say_are_counted_and_left_out() {
    let clip = demo();
    let mut writer = Fmp4Writer::new(Vec::new(), FILE);
    send(&mut writer, &clip, &clip.samples()[..10], EPOCH_US).unwrap();
    let video = |data| VideoFrame {
        codec: VideoCodec::H264,
        time_us: EPOCH_US + 500_000,
        key: false,
        data,
    };
    let audio = |codec, channels, data| AudioFrame {
        format: AudioFormat {
            codec,
            sample_rate: 16_000,
            channels,
        },
        time_us: EPOCH_US + 500_000,
        data,
    };
    writer.write_video(video(b"")).unwrap();
    writer.write_video(video(b"no start code")).unwrap();
    writer
        .write_audio(audio(AudioCodec::Aac, 1, &[0xff, 0xf1, 0x50]))
        .unwrap();
    writer.write_audio(audio(AudioCodec::Aac, 1, b"")).unwrap();
    writer
        .write_audio(audio(AudioCodec::Pcm16, 0, &[1, 2]))
        .unwrap();
    writer
        .write_audio(audio(AudioCodec::Pcm16, 1, &[1, 2, 3]))
        .unwrap();
    assert_eq!(writer.stats().malformed, 6);
    // Well-formed, but of another kind than the track.
    writer
        .write_audio(audio(AudioCodec::Pcm16, 1, &[1, 2]))
        .unwrap();
    assert_eq!(writer.stats().audio_left_out, 1);
    writer.finish().unwrap();
    let again = Clip::from_bytes(&writer.into_inner()).unwrap();
    assert_eq!(again.samples(), &clip.samples()[..10]);
}

#[test]
fn same_input_gives_the_same_file() {
    for options in [FILE, PIPE] {
        assert_eq!(mux(&demo(), options).0, mux(&demo(), options).0);
    }
}
