//! Files by name, raw streams, and what is left behind when writing fails.

use std::fs;
use std::io::{self, Write};

use crate::ffmpeg::{EPOCH_US, assert_decodes, data, demo, h265_path, probed, run, send};
use wyze_media::{
    AnnexBWriter, AudioCodec, AudioFrame, AudioWriter, Clip, Fmp4Options, Fmp4Writer, Format,
    Output, Sink, SinkError, Track,
};

#[test]
fn extension_decides_what_is_in_the_file() {
    let clip = demo();
    let folder = tempfile::tempdir().unwrap();
    let record = |name: &str| {
        let path = folder.path().join(name);
        let mut output = Output::open(&path, None, true).unwrap();
        send(&mut output, &clip, clip.samples(), EPOCH_US).unwrap();
        output.finish().unwrap();
        assert_decodes(&path);
        path
    };
    let mp4 = record("a.mp4");
    assert_eq!(Clip::open(mp4).unwrap().samples(), clip.samples());
    let h264 = record("a.h264");
    assert_eq!(fs::read(h264).unwrap(), data(&clip, Track::Video).concat());
    let aac = record("a.aac");
    assert_eq!(fs::read(&aac).unwrap(), data(&clip, Track::Audio).concat());
    assert_eq!(probed(&aac, "audio").unwrap().times.len(), 80);
}

#[test]
fn raw_h265_is_written_and_other_codecs_are_refused() {
    let clip = Clip::open(h265_path()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut output = Output::open(folder.path().join("a.265"), None, true).unwrap();
    send(&mut output, &clip, clip.samples(), 0).unwrap();
    output.finish().unwrap();
    assert_decodes(&folder.path().join("a.265"));

    let path = folder.path().join("a.264");
    let mut output = Output::open(&path, None, true).unwrap();
    let error = send(&mut output, &clip, clip.samples(), 0).unwrap_err();
    assert!(
        error.to_string().contains("the camera sends H.265"),
        "{error}"
    );
    drop(output);
    assert!(!path.exists());

    let path = folder.path().join("any.bin");
    let mut output = Output::open(&path, Some(Format::AnnexB(None)), true).unwrap();
    send(&mut output, &clip, clip.samples(), 0).unwrap();
    assert_eq!(fs::read(&path).unwrap(), data(&clip, Track::Video).concat());
}

#[test]
fn raw_video_starts_at_a_key_frame() {
    let clip = demo();
    let mut writer = AnnexBWriter::new(Vec::new(), None);
    send(&mut writer, &clip, &clip.samples()[1..], 0).unwrap();
    writer.finish().unwrap();
    assert_eq!(writer.stats().before_key, 39);
    assert_eq!(
        writer.into_inner(),
        data(&clip, Track::Video)[40..].concat()
    );

    let mut writer = AnnexBWriter::new(Vec::new(), None);
    send(&mut writer, &clip, &clip.samples()[1..20], 0).unwrap();
    assert!(matches!(writer.finish(), Err(SinkError::NothingWritten)));
}

#[test]
fn bare_aac_gets_its_headers_in_a_raw_file() {
    let clip = demo();
    let mut writer = AudioWriter::new(Vec::new(), AudioCodec::Aac).unwrap();
    for frame in data(&clip, Track::Audio) {
        let format = *clip.audio().unwrap();
        let data = &frame[7..];
        writer
            .write_audio(AudioFrame {
                format,
                time_us: 0,
                data,
            })
            .unwrap();
    }
    assert_eq!(writer.into_inner(), data(&clip, Track::Audio).concat());
    assert!(AudioWriter::new(Vec::new(), AudioCodec::Opus).is_err());
}

#[test]
fn file_without_frames_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let fresh = folder.path().join("fresh.mp4");
    let mut output = Output::open(&fresh, None, true).unwrap();
    assert!(matches!(output.finish(), Err(SinkError::NothingWritten)));
    drop(output);
    assert!(!fresh.exists());

    let old = folder.path().join("old.mp4");
    fs::write(&old, b"last week").unwrap();
    drop(Output::open(&old, None, true).unwrap());
    assert_eq!(fs::read(&old).unwrap(), b"last week");
    // The first frame replaces it, however long it was.
    fs::write(&old, vec![0; 1_000_000]).unwrap();
    let clip = demo();
    let mut output = Output::open(&old, None, true).unwrap();
    send(&mut output, &clip, clip.samples(), 0).unwrap();
    output.finish().unwrap();
    assert_eq!(Clip::open(&old).unwrap().samples(), clip.samples());
}

#[test]
fn output_that_cannot_be_opened_says_which_and_why() {
    let error = Output::open("/no/such/folder/a.mp4", None, true).unwrap_err();
    assert!(
        error.to_string().contains("/no/such/folder/a.mp4"),
        "{error}"
    );
    let error = Output::open("a.mkv", None, true).unwrap_err();
    assert!(error.to_string().contains("mkv"), "{error}");
}

#[cfg(target_os = "linux")]
#[test]
fn full_disk_is_named() {
    let clip = demo();
    let mut output = Output::open("/dev/full", Some(Format::Mp4), true).unwrap();
    let error = send(&mut output, &clip, clip.samples(), 0).unwrap_err();
    assert!(error.to_string().contains("the disk is full"), "{error}");
    assert!(matches!(output.finish(), Err(SinkError::Finished)));
}

/// A file that is cut off while ffplay would read it from a pipe: every frame is there as soon as it was sent.
#[test]
fn pipe_gets_every_frame_at_once() {
    #[derive(Default)]
    struct Pieces(Vec<usize>);
    impl Write for Pieces {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.push(bytes.len());
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let clip = demo();
    let mut writer = Fmp4Writer::new(Pieces::default(), crate::ffmpeg::PIPE);
    send(&mut writer, &clip, clip.samples(), 0).unwrap();
    let pieces = writer.into_inner().0.len();
    assert_eq!(pieces, 1 + clip.samples().len());
}

#[test]
fn ffmpeg_plays_from_a_pipe() {
    let clip = demo();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pipe.mp4");
    let pipe = path.to_str().unwrap();
    assert!(run("mkfifo", &[pipe]).status.success());
    let player = std::thread::spawn({
        let pipe = pipe.to_owned();
        move || {
            run(
                "ffmpeg",
                &[
                    "-v", "error", "-i", &pipe, "-f", "framecrc", "-map", "0:v", "-",
                ],
            )
        }
    });
    let mut output = Output::open(&path, None, true).unwrap();
    send(&mut output, &clip, clip.samples(), 0).unwrap();
    output.finish().unwrap();
    drop(output);
    let out = player.join().unwrap();
    assert!(
        out.stderr.is_empty(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    let frames = String::from_utf8_lossy(&out.stdout);
    assert_eq!(frames.lines().filter(|l| !l.starts_with('#')).count(), 100);
}

#[test]
fn reader_that_goes_away_is_told_apart() {
    struct Closed;
    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let clip = demo();
    let mut writer = Fmp4Writer::new(Closed, Fmp4Options::default());
    let error = send(&mut writer, &clip, clip.samples(), 0).unwrap_err();
    assert!(error.is_broken_pipe());
}
