//! `wyze talk`: what the virtual camera hears is what was said.

use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tempfile::{TempDir, tempdir};
use tutk_iotc::wire::{self, Packet};
use wyze_media::{
    AudioCodec, AudioFormat, AudioFrame, AudioInput, Clip, Output, Sink as _, SoundTarget, Track,
    VideoFrame,
};

use crate::harness::*;

/// A camera whose own audio is silence in `codec`, and what it hears.
struct Listener {
    camera: Camera,
    folder: TempDir,
}

impl Listener {
    fn new(codec: AudioCodec, sample_rate: u32, more: &[&str]) -> Self {
        let folder = tempdir().unwrap();
        let clip = folder.path().join("clip.mp4");
        write_clip(&clip, codec, sample_rate);
        Self::playing(&clip, folder, more)
    }

    /// One that plays the usual clip: AAC, 16 kHz.
    fn aac() -> Self {
        Self::playing(&clip_path(), tempdir().unwrap(), &[])
    }

    fn playing(clip: &Path, folder: TempDir, more: &[&str]) -> Self {
        let heard = folder.path().join("heard");
        let args = [&["--talk", heard.to_str().unwrap()], more].concat();
        let camera = Camera::playing(clip, &args);
        Self { camera, folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Says what the file holds; the last event.
    fn say(&mut self, file: &Path, more: &[&str]) -> serde_json::Value {
        let url = self.camera.url();
        let args = [&["talk", &url, file.to_str().unwrap(), "--json"], more].concat();
        let output = wyze(&args);
        assert_succeeds(&output);
        self.camera.wait_for("gone, it said goodbye");
        let text = stdout(&output);
        serde_json::from_str(text.lines().last().unwrap()).unwrap()
    }

    fn heard(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path("heard").join(name)).unwrap()
    }
}

/// Two seconds of the usual clip's video with silence of another codec.
fn write_clip(path: &Path, codec: AudioCodec, sample_rate: u32) {
    let format = AudioFormat {
        codec,
        sample_rate,
        channels: 1,
    };
    let samples = sample_rate as usize / 50;
    let silence = match codec {
        AudioCodec::Pcm16 => vec![0; samples * 2],
        AudioCodec::Pcma => vec![0xd5; samples],
        _ => vec![0xff; samples],
    };
    let clip = Clip::open(clip_path()).unwrap();
    let mut output = Output::open(path, None, true).unwrap();
    let mut sound = 0;
    for sample in clip.samples().iter().filter(|s| s.track == Track::Video) {
        let time_us = sample.time.as_micros() as u64;
        output
            .write_video(VideoFrame {
                codec: clip.video().unwrap().codec,
                time_us,
                key: sample.key,
                data: &sample.data,
            })
            .unwrap();
        while sound <= time_us {
            let frame = AudioFrame {
                format,
                time_us: sound,
                data: &silence,
            };
            output.write_audio(frame).unwrap();
            sound += 20_000;
        }
        if time_us > 2_000_000 {
            break;
        }
    }
    output.finish().unwrap();
}

/// `millis` of noise, the same in every run; a whole number of frames.
fn noise(rate: u32, millis: u32) -> Vec<i16> {
    let mut seed = 1u32;
    (0..rate * millis / 1000)
        .map(|_| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 16) as i16
        })
        .collect()
}

fn write_wav(path: &Path, rate: u32, samples: &[i16]) {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: rate,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut wav = hound::WavWriter::create(path, spec).unwrap();
    for sample in samples {
        wav.write_sample(*sample).unwrap();
    }
    wav.finalize().unwrap();
}

fn read_wav(path: &Path) -> (u32, Vec<i16>) {
    let wav = hound::WavReader::open(path).unwrap();
    let rate = wav.spec().sample_rate;
    (rate, wav.into_samples().map(Result::unwrap).collect())
}

#[test]
fn pcm_is_heard_sample_by_sample_in_real_time() {
    for framing in ["transcode", "cc51"] {
        let mut listener = Listener::new(AudioCodec::Pcm16, 16_000, &["--framing", framing]);
        let file = listener.path("noise.wav");
        let samples = noise(16_000, 1500);
        write_wav(&file, 16_000, &samples);
        let start = Instant::now();
        let end = listener.say(&file, &[]);
        let took = start.elapsed();
        assert_eq!(
            (&end["frames"], &end["cause"]),
            (&75.into(), &"enough".into())
        );
        println!(
            "{framing}: 1.5 s in 75 frames, {} of them more than 5 ms late, the latest {} ms",
            end["late"], end["worst_ms"]
        );
        assert!(took > Duration::from_millis(1500), "{took:?}");
        let heard = read_wav(&listener.path("heard/talk-1.wav"));
        assert!(heard == (16_000, samples), "{framing}");
    }
}

/// By the program's own clock: `talk::minute` shows when frames arrive, on a virtual one.
#[test]
#[ignore = "a minute of real time, and programs beside it make it late; run it on a machine that does nothing else"]
fn a_minute_is_said_within_five_milliseconds_of_real_time() {
    let mut listener = Listener::new(AudioCodec::Pcm16, 16_000, &[]);
    let file = listener.path("noise.wav");
    let samples = noise(16_000, 60_000);
    write_wav(&file, 16_000, &samples);
    let url = listener.camera.url();
    let talk = spawn(&["talk", &url, file.to_str().unwrap(), "--json"]);
    let output = talk.wait_with_output().unwrap();
    assert_succeeds(&output);
    listener.camera.wait_for("gone, it said goodbye");
    let text = stdout(&output);
    let end: serde_json::Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    println!(
        "60 s in 3000 frames, the latest {} ms late",
        end["worst_ms"]
    );
    assert_eq!((&end["frames"], &end["gaps"]), (&3000.into(), &0.into()));
    assert_eq!(end["late"], 0, "{end}");
    assert!(read_wav(&listener.path("heard/talk-1.wav")) == (16_000, samples));
}

/// Samples that FFmpeg makes of all 256 codes: every one of them must come back.
#[test]
fn a_law_is_heard_byte_by_byte() {
    let decoded = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../wyze-media/tests/data/talk/codes-alaw.s16le");
    let decoded = std::fs::read(decoded).unwrap().repeat(20);
    let codes: Vec<u8> = (0..=255).collect();
    let codes = codes.repeat(20);
    let mut listener = Listener::new(AudioCodec::Pcma, 8_000, &[]);
    let file = listener.path("codes.pcm");
    std::fs::write(&file, decoded).unwrap();
    let end = listener.say(&file, &["--rate", "8000"]);
    assert_eq!(end["frames"], 32);
    assert!(listener.heard("talk-1.alaw") == codes);
}

#[test]
fn aac_is_heard_byte_by_byte() {
    let clip = Clip::open(clip_path()).unwrap();
    let aac = frames(&clip, Track::Audio)[..16].concat();
    let mut listener = Listener::aac();
    let file = listener.path("tone.aac");
    std::fs::write(&file, &aac).unwrap();
    let end = listener.say(&file, &[]);
    assert_eq!(end["frames"], 16);
    assert!(listener.heard("talk-1.aac") == aac);
}

#[test]
fn opus_is_heard_packet_by_packet() {
    let file =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../wyze-media/tests/data/talk/tone.opus");
    let mut listener = Listener::aac();
    let end = listener.say(&file, &["--codec", "opus"]);
    assert_eq!(end["frames"], 26);
    let packets = |path: &Path| -> Vec<Vec<u8>> {
        let format = AudioFormat {
            codec: AudioCodec::Opus,
            sample_rate: 48_000,
            channels: 1,
        };
        let target = SoundTarget {
            format,
            pcm_frame: None,
        };
        let frames = AudioInput::open(path, None).unwrap().into_frames(target);
        frames.unwrap().map(|f| f.unwrap().data).collect()
    };
    assert!(packets(&listener.path("heard/talk-1.opus")) == packets(&file));
}

#[test]
fn a_pipe_is_heard_and_another_rate_becomes_the_cameras() {
    let mut listener = Listener::new(AudioCodec::Pcm16, 16_000, &[]);
    let url = listener.camera.url();
    // A constant level: stereo, 48 kHz.
    let samples = 3000i16.to_le_bytes().repeat(2 * 24_000);
    let output = wyze_fed(
        &["talk", &url, "-", "--rate", "48000", "--channels", "2"],
        samples,
    );
    assert_succeeds(&output);
    assert_eq!(
        (&output.stdout[..], &output.stderr[..]),
        (&b""[..], &b""[..])
    );
    listener.camera.wait_for("gone, it said goodbye");
    let (rate, heard) = read_wav(&listener.path("heard/talk-1.wav"));
    assert_eq!((rate, heard.len()), (16_000, 8_000));
    // At both ends the filter sees silence.
    assert!(heard[100..7_900].iter().all(|s| (2995..=3005).contains(s)));
}

#[test]
fn a_microphones_backlog_is_thrown_away_when_it_is_to_be_live() {
    use std::io::Write as _;
    let mut listener = Listener::new(AudioCodec::Pcm16, 16_000, &[]);
    let url = listener.camera.url();
    let mut talk = std::process::Command::new(env!("CARGO_BIN_EXE_wyze"))
        .args(["talk", &url, "-", "--live", "--rate", "16000"])
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut microphone = talk.stdin.take().unwrap();
    // A second from before anybody listened, then half a second.
    microphone
        .write_all(&(-3000i16).to_le_bytes().repeat(16_000))
        .unwrap();
    listener.camera.wait_for("viewer 1: talks");
    // The app speaks half a second after its login is answered; what comes sooner is thrown away as well.
    std::thread::sleep(Duration::from_millis(2000));
    microphone
        .write_all(&3000i16.to_le_bytes().repeat(8_000))
        .unwrap();
    drop(microphone);
    assert!(talk.wait().unwrap().success());
    listener.camera.wait_for("gone, it said goodbye");
    let (_, heard) = read_wav(&listener.path("heard/talk-1.wav"));
    assert!(heard == [3000; 8_000], "{} samples", heard.len());
    let file = listener.path("x.wav");
    let message = assert_fails(&wyze(&["talk", &url, file.to_str().unwrap(), "--live"]), 2);
    assert!(message.contains("standard input"), "{message}");
}

#[test]
fn the_users_word_stands_for_the_cameras_audio() {
    let mut listener = Listener::aac();
    let file = listener.path("noise.wav");
    write_wav(&file, 8_000, &noise(8_000, 200));
    listener.say(&file, &["--codec", "ulaw:8000"]);
    assert_eq!(listener.heard("talk-1.ulaw").len(), 1600);
}

#[test]
fn ctrl_c_ends_a_talk_properly_and_another_can_start() {
    let mut listener = Listener::new(AudioCodec::Pcm16, 8_000, &["--slots", "1"]);
    let file = listener.path("noise.wav");
    write_wav(&file, 8_000, &noise(8_000, 20_000));
    let url = listener.camera.url();
    let talk = spawn(&["talk", &url, file.to_str().unwrap(), "--json"]);
    listener.camera.wait_for("viewer 1: talks");
    std::thread::sleep(Duration::from_millis(1200));
    signal(&talk, "INT");
    let output = talk.wait_with_output().unwrap();
    assert_succeeds(&output);
    let said = stdout(&output);
    assert!(
        said.lines().last().unwrap().contains("\"interrupted\""),
        "{said}"
    );
    listener
        .camera
        .wait_for("the talk was ended by the other side");
    listener.camera.wait_for("gone, it said goodbye");
    write_wav(&file, 8_000, &noise(8_000, 200));
    listener.say(&file, &[]);
    let (_, heard) = read_wav(&listener.path("heard/talk-2.wav"));
    assert!(heard == noise(8_000, 200));
    let (_, before) = read_wav(&listener.path("heard/talk-1.wav"));
    assert!(!before.is_empty() && before[..] == noise(8_000, 20_000)[..before.len()]);
}

/// A camera without a speaker, or one that another viewer talks to: it answers everything and never opens the channel.
#[test]
fn a_camera_that_never_opens_the_talk_channel_is_told_from_a_lost_one() {
    let listener = Listener::aac();
    let lossy = Lossy::losing(&listener.camera.address, |datagram| {
        matches!(
            wire::open(&mut datagram.to_vec()),
            Ok(Packet::Data { header, .. }) if header.header.channel == 1
        )
    });
    let file = listener.path("noise.wav");
    write_wav(&file, 16_000, &noise(16_000, 500));
    let (start, url) = (Instant::now(), url(&lossy.address, UID, ENR));
    let args = [
        "talk",
        &url,
        file.to_str().unwrap(),
        "--codec",
        "ulaw:16000",
        "--quiet",
    ];
    let message = assert_fails(&wyze(&args), 27);
    assert!(start.elapsed() > Duration::from_secs(4), "{message}");
}

/// Frames of 10 ms leave no long wait between them.
#[test]
fn a_camera_that_goes_away_ends_the_talk_at_once_whatever_the_frames() {
    let mut listener = Listener::aac();
    let file = listener.path("noise.wav");
    write_wav(&file, 16_000, &noise(16_000, 20_000));
    let url = listener.camera.url();
    let path = file.to_str().unwrap();
    let talk = spawn(&["talk", &url, path, "--codec", "ulaw:16000", "--quiet"]);
    listener.camera.wait_for("viewer 1: talks");
    std::thread::sleep(Duration::from_millis(500));
    let start = Instant::now();
    listener.camera.stop();
    let output = talk.wait_with_output().unwrap();
    let took = start.elapsed();
    // The talk channel is closed before the session; which of them is noticed depends on whether they come together.
    let code = output.status.code().unwrap();
    assert!([16, 27].contains(&code), "{code}: {}", stderr(&output));
    assert_fails(&output, code);
    assert!(took < Duration::from_secs(3), "{took:?}");
}

#[test]
fn a_file_of_a_wrong_format_is_refused_before_anything_is_sent() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let url = url(&silent.local_addr().unwrap().to_string(), UID, ENR);
    let folder = tempdir().unwrap();
    let data = |name: &str| {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../wyze-media/tests/data/talk")
            .join(name)
    };
    for (name, cause, remedy) in [
        ("tone.mp3", "is an MP3 file", "ffmpeg -i "),
        ("pcm16.s16le", "raw PCM", "--rate HZ"),
        ("README.md", "no known format", "ffmpeg -i "),
        ("nowhere.wav", "cannot read", "check its name"),
    ] {
        let message = assert_fails(&wyze(&["talk", &url, data(name).to_str().unwrap()]), 20);
        assert!(
            message.contains(cause) && message.contains(remedy),
            "{message}"
        );
    }
    let empty = folder.path().join("empty.wav");
    std::fs::write(&empty, b"").unwrap();
    let message = assert_fails(&wyze(&["talk", &url, empty.to_str().unwrap()]), 20);
    assert!(message.contains("no sound"), "{message}");
    let message = assert_fails(&wyze_fed(&["talk", &url, "-"], b"ID3\x04...".to_vec()), 20);
    assert!(message.contains("standard input is an MP3"), "{message}");
    silent.set_nonblocking(true).unwrap();
    assert!(silent.recv(&mut [0; 1]).is_err(), "something was sent");
}

#[test]
fn what_the_camera_does_not_play_is_refused_with_the_remedy() {
    let mut listener = Listener::aac();
    let file = listener.path("noise.wav");
    write_wav(&file, 8_000, &noise(8_000, 200));
    let url = listener.camera.url();
    let message = assert_fails(&wyze(&["talk", &url, file.to_str().unwrap()]), 20);
    assert!(
        message.contains("the camera plays AAC, 16000 Hz, mono")
            && message.contains("-ar 16000 -ac 1"),
        "{message}"
    );
    // It freed the slot all the same.
    listener.camera.wait_for("gone, it said goodbye");
}
