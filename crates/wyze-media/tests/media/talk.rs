//! Sound for a camera's speaker, held against FFmpeg's.

use std::io::Read;
use std::path::PathBuf;

use audio_codec_algorithms::{decode_alaw, decode_ulaw};
use wyze_media::{
    AudioCodec, AudioFormat, AudioInput, AudioInputError, OggOpusWriter, RawPcm, SoundFrame,
    SoundTarget,
};

use crate::ffmpeg::{assert_decodes, probed, write};

const RAW: RawPcm = RawPcm {
    sample_rate: 8_000,
    channels: 1,
};

fn path(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests/data/talk", name]
        .iter()
        .collect()
}

fn file(name: &str) -> Vec<u8> {
    std::fs::read(path(name)).unwrap()
}

const fn target(codec: AudioCodec, sample_rate: u32) -> SoundTarget {
    let format = AudioFormat {
        codec,
        sample_rate,
        channels: 1,
    };
    SoundTarget {
        format,
        pcm_frame: None,
    }
}

fn frames(input: AudioInput, target: SoundTarget) -> Vec<SoundFrame> {
    let frames = input.into_frames(target).unwrap();
    frames.map(Result::unwrap).collect()
}

/// All frames of a file in a row.
fn bytes(input: AudioInput, target: SoundTarget) -> Vec<u8> {
    let frames = frames(input, target);
    frames.iter().flat_map(|f| f.data.clone()).collect()
}

fn raw(samples: Vec<u8>) -> AudioInput {
    AudioInput::from_stdin(std::io::Cursor::new(samples), Some(RAW)).unwrap()
}

fn samples(bytes: &[u8]) -> Vec<i16> {
    let (samples, _) = bytes.as_chunks();
    samples.iter().map(|s| i16::from_le_bytes(*s)).collect()
}

#[test]
fn every_width_of_wav_holds_the_same_tone() {
    let wanted = samples(&file("pcm16.s16le"));
    let pcm = target(AudioCodec::Pcm16, 8_000);
    for (name, tolerance) in [
        ("pcm16-pipe.wav", 0),
        ("pcm24.wav", 1),
        ("pcmf32.wav", 1),
        ("pcm8.wav", 256),
    ] {
        let input = AudioInput::open(path(name), None).unwrap();
        assert_eq!(input.format().to_string(), "PCM 16 bit, 8000 Hz, mono");
        let got = samples(&bytes(input, pcm));
        // Three frames of 20 ms hold 50 ms, the rest is silence.
        assert_eq!(got.len(), 480, "{name}");
        for (n, (got, wanted)) in got.iter().zip(&wanted).enumerate() {
            let off = (i32::from(*got) - i32::from(*wanted)).abs();
            assert!(off <= tolerance, "{name} @{n}: {got} for {wanted}");
        }
        assert!(got[400..].iter().all(|s| *s == 0), "{name}");
    }
}

#[test]
fn raw_samples_come_out_exactly() {
    let all = file("pcm16.s16le");
    for len in [2usize, 3, 319, 320, 321, 799, 800] {
        let got = bytes(raw(all[..len].to_vec()), target(AudioCodec::Pcm16, 8_000));
        let whole = len / 2 * 2;
        assert_eq!(got.len(), whole.div_ceil(320) * 320, "{len}");
        assert_eq!(got[..whole], all[..whole], "{len}");
    }
    let half = raw(vec![7]).into_frames(target(AudioCodec::Pcm16, 8_000));
    assert!(half.unwrap().next().unwrap().is_err());
}

#[test]
fn stereo_becomes_the_mean_of_both() {
    let input = AudioInput::open(path("stereo.wav"), None).unwrap();
    let got = samples(&bytes(input, target(AudioCodec::Pcm16, 8_000)));
    assert!(got[..80].iter().all(|s| *s == 12_288), "{got:?}");
}

#[test]
fn every_code_of_g711_that_ffmpeg_decodes_comes_back() {
    for (codec, name) in [
        (AudioCodec::Pcma, "codes-alaw.s16le"),
        (AudioCodec::Pcmu, "codes-mulaw.s16le"),
    ] {
        let got = bytes(raw(file(name)), target(codec, 8_000));
        let mut wanted: Vec<u8> = (0..=255).collect();
        if codec == AudioCodec::Pcmu {
            wanted[0x7f] = 0xff; // both are zero
        }
        assert_eq!(got[..256], wanted, "{name}");
    }
}

/// FFmpeg takes the nearest code. G.711's decision values differ from that halfway between two codes and at the ends of
/// segments, where the neighbour is meant; otherwise both agree.
#[test]
fn g711_is_ffmpegs_but_for_ties() {
    let ramp: Vec<i16> = (-32768..32768).step_by(31).map(|v| v as i16).collect();
    let ramp_bytes: Vec<u8> = ramp.iter().flat_map(|s| s.to_le_bytes()).collect();
    for (codec, name, decode, unit) in [
        (
            AudioCodec::Pcma,
            "ramp.alaw",
            decode_alaw as fn(u8) -> i16,
            8,
        ),
        (AudioCodec::Pcmu, "ramp.mulaw", decode_ulaw, 4),
    ] {
        let got = bytes(raw(ramp_bytes.clone()), target(codec, 8_000));
        let wanted = file(name);
        assert_eq!(wanted.len(), ramp.len());
        let mut ties = 0;
        for ((&sample, &got), &wanted) in ramp.iter().zip(&got).zip(&wanted) {
            if got != wanted {
                ties += 1;
                let off = |code| (i32::from(sample) - i32::from(decode(code))).abs();
                assert!(off(got) <= 2 * off(wanted) + unit, "{name}: {sample}");
            }
        }
        assert!(ties <= ramp.len() / 50, "{name}: {ties}");
    }
}

#[test]
fn frames_have_the_length_that_the_codec_wants() {
    let long = || raw(file("pcm16.s16le").repeat(10));
    for (target, len, duration) in [
        (target(AudioCodec::Pcma, 8_000), 160, 160),
        (target(AudioCodec::Pcmu, 16_000), 160, 160),
        (target(AudioCodec::Pcm16, 16_000), 640, 320),
        (target(AudioCodec::Pcm16, 48_000), 1024, 512),
        (
            SoundTarget {
                pcm_frame: Some(400),
                ..target(AudioCodec::Pcm16, 8_000)
            },
            800,
            400,
        ),
        (
            SoundTarget {
                pcm_frame: Some(9_999),
                ..target(AudioCodec::Pcm16, 8_000)
            },
            1024,
            512,
        ),
    ] {
        let input = long();
        let frames = input.into_frames(target).unwrap();
        assert_eq!(frames.clock_rate(), target.format.sample_rate);
        let frames: Vec<_> = frames.map(Result::unwrap).collect();
        for frame in &frames {
            assert_eq!(
                (frame.data.len(), frame.samples),
                (len, duration),
                "{target:?}"
            );
        }
        let played: u32 = frames.iter().map(|f| f.samples).sum();
        let wanted = target.format.sample_rate / 2;
        assert!((wanted..wanted + duration).contains(&played), "{played}");
    }
}

#[test]
fn aac_passes_through_byte_for_byte() {
    let input = AudioInput::open(path("tone-16000.aac"), None).unwrap();
    let frames = frames(input, target(AudioCodec::Aac, 16_000));
    // As ffprobe counts.
    assert_eq!(frames.len(), 9);
    assert!(frames.iter().all(|f| f.samples == 1024));
    let all: Vec<u8> = frames.into_iter().flat_map(|f| f.data).collect();
    assert!(all == file("tone-16000.aac"));
}

#[test]
fn opus_passes_through_packet_by_packet() {
    let input = AudioInput::open(path("tone.opus"), None).unwrap();
    let frames = input.into_frames(target(AudioCodec::Opus, 48_000)).unwrap();
    assert_eq!(frames.clock_rate(), 48_000);
    let frames: Vec<_> = frames.map(Result::unwrap).collect();
    // As ffprobe counts.
    assert_eq!(frames.len(), 26);
    assert!(frames.iter().all(|f| f.samples == 960));
    let file = file("tone.opus");
    for frame in frames {
        assert!(file.windows(frame.data.len()).any(|w| w == frame.data));
    }
}

/// Packets as an Ogg file.
fn ogg(packets: &[Vec<u8>]) -> Vec<u8> {
    let mut writer = OggOpusWriter::new(Vec::new(), 16_000, 1).unwrap();
    packets.iter().for_each(|p| writer.write(p).unwrap());
    writer.finish().unwrap()
}

#[test]
fn opus_packets_come_back_from_their_file_byte_for_byte() {
    let opus = target(AudioCodec::Opus, 48_000);
    let packets = |input| -> Vec<Vec<u8>> {
        let frames = frames(input, opus);
        frames.into_iter().map(|f| f.data).collect()
    };
    let tone = packets(AudioInput::open(path("tone.opus"), None).unwrap());
    // Ten seconds, with packets around a multiple of 255, whose lacing is a value longer.
    let mut all = [&tone[..]; 20].concat();
    for len in [1, 254, 255, 256, 510, 1000] {
        all.push(vec![0x78; len]);
    }
    let file = ogg(&all);
    let back = packets(AudioInput::from_stdin(std::io::Cursor::new(file.clone()), None).unwrap());
    assert!(back == all);
    // Pages of a second: a player that opens the file while it is written is no further behind.
    let pages = file.windows(4).filter(|w| w == b"OggS").count();
    assert!((12..16).contains(&pages), "{pages} pages");
}

#[test]
fn ffmpeg_reads_an_opus_file_of_ours() {
    let input = AudioInput::open(path("tone.opus"), None).unwrap();
    let frames = frames(input, target(AudioCodec::Opus, 48_000));
    let packets: Vec<_> = frames.into_iter().map(|f| f.data).collect();
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "heard.opus", &ogg(&packets));
    assert_decodes(&path);
    let probed = probed(&path, "audio").unwrap();
    assert_eq!(probed.codec, "opus");
    let sizes: Vec<_> = packets.iter().map(Vec::len).collect();
    assert_eq!(probed.sizes, sizes);
}

fn refused(name: &str, raw: Option<RawPcm>) -> String {
    one_line(AudioInput::open(path(name), raw).unwrap_err())
}

fn one_line(error: AudioInputError) -> String {
    let text = error.to_string();
    assert_eq!(text.lines().count(), 1, "{text}");
    text
}

#[test]
fn what_cannot_be_played_is_named_with_its_remedy() {
    let text = refused("tone.mp3", None);
    assert!(
        text.contains("is an MP3 file; convert it with: ffmpeg -i "),
        "{text}"
    );
    let text = refused("pcm16.s16le", None);
    assert!(text.contains("add --rate HZ"), "{text}");
    let text = refused("README.md", None);
    assert!(text.contains("no known format"), "{text}");
    let text = refused("nowhere.wav", None);
    assert!(text.contains("cannot read"), "{text}");
    let input = |bytes: &'static [u8]| AudioInput::from_stdin(bytes, None);
    let text = one_line(input(b"").unwrap_err());
    assert!(text.contains("no sound in standard input"), "{text}");
    let text = one_line(input(b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\x06\0\x01\0").unwrap_err());
    assert!(text.contains("ends too early"), "{text}");
    // A-law in WAV.
    let text = one_line(
        input(b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\x06\0\x01\0\x40\x1f\0\0\x40\x1f\0\0\x01\0\x08\0data\0\0\0\0")
            .unwrap_err(),
    );
    assert!(text.contains("not linear PCM"), "{text}");
}

#[test]
fn a_wav_without_samples_has_no_sound() {
    const HEADER: &[u8] = b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0data\0\0\0\0";
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("empty.wav");
    std::fs::write(&path, HEADER).unwrap();
    let text = AudioInput::open(&path, None).unwrap_err().to_string();
    assert!(text.contains("no sound"), "{text}");
    // From a pipe the length may be unknown: only its end tells.
    let g711 = target(AudioCodec::Pcma, 8_000);
    let piped = |bytes| {
        AudioInput::from_stdin(bytes, None)
            .unwrap()
            .into_frames(g711)
    };
    let mut none = piped(HEADER).unwrap();
    let text = none.next().unwrap().unwrap_err().to_string();
    assert!(text.contains("no sound in standard input"), "{text}");
    assert!(none.next().is_none());
    let some: &'static [u8] = [HEADER, &[0; 640]].concat().leak();
    assert_eq!(piped(some).unwrap().count(), 2);
}

#[test]
fn what_the_camera_does_not_play_is_named_with_its_remedy() {
    for (name, target, remedy) in [
        (
            "pcm24.wav",
            target(AudioCodec::Aac, 16_000),
            "-ar 16000 -ac 1 ",
        ),
        ("pcm24.wav", target(AudioCodec::Opus, 48_000), "libopus"),
        ("tone-16000.aac", target(AudioCodec::Pcma, 8_000), ".wav"),
        (
            "tone-16000.aac",
            target(AudioCodec::Aac, 8_000),
            "-ar 8000 -ac 1 ",
        ),
        ("tone.opus", target(AudioCodec::Pcm16, 16_000), ".wav"),
    ] {
        let input = AudioInput::open(path(name), None).unwrap();
        let error = input.into_frames(target).unwrap_err();
        assert!(error.is_mismatch());
        let text = one_line(error);
        assert!(text.contains(remedy), "{text}");
    }
    // What has no header FFmpeg must be told; of WAV it must not.
    let remedy = |input: AudioInput| {
        let error = input.into_frames(target(AudioCodec::Aac, 16_000));
        one_line(error.unwrap_err())
    };
    for input in [
        AudioInput::open(path("pcm16.s16le"), Some(RAW)).unwrap(),
        raw(vec![0; 640]),
    ] {
        let told = format!("ffmpeg -f s16le -ar {} -ac 1 -i ", RAW.sample_rate);
        let text = remedy(input);
        assert!(text.contains(&told), "{text}");
    }
    let text = remedy(AudioInput::open(path("pcm24.wav"), Some(RAW)).unwrap());
    assert!(text.contains("with: ffmpeg -i "), "{text}");
}

#[test]
fn the_remedy_for_raw_samples_works_as_pasted() {
    let folder = tempfile::tempdir().unwrap();
    let pcm = folder.path().join("door bell.s16le");
    std::fs::copy(path("pcm16.s16le"), &pcm).unwrap();
    let aac = target(AudioCodec::Aac, 16_000);
    let error = AudioInput::open(&pcm, Some(RAW)).unwrap().into_frames(aac);
    let text = one_line(error.unwrap_err());
    let (_, command) = text.split_once("convert it with: ").unwrap();
    let output = std::process::Command::new("sh")
        .args(["-c", command])
        .output();
    let output = output.expect("ffmpeg is installed (cargo xtask test installs it)");
    assert!(output.status.success(), "{command}: {output:?}");
    let converted = folder.path().join("door bell-talk.aac");
    assert!(!bytes(AudioInput::open(converted, None).unwrap(), aac).is_empty());
}

#[test]
fn damaged_sound_ends_and_never_panics() {
    for (name, wants) in [
        ("pcm24.wav", target(AudioCodec::Pcma, 16_000)),
        ("tone-16000.aac", target(AudioCodec::Aac, 16_000)),
        ("tone.opus", target(AudioCodec::Opus, 48_000)),
    ] {
        let whole = file(name);
        let mut damaged: Vec<Vec<u8>> = (0..whole.len().min(200))
            .step_by(3)
            .map(|len| whole[..len].to_vec())
            .collect();
        for at in (0..whole.len().min(400)).step_by(3) {
            for bit in [0x01, 0x80] {
                let mut copy = whole.clone();
                copy[at] ^= bit;
                damaged.push(copy);
            }
        }
        for bytes in damaged {
            let Ok(input) = AudioInput::from_stdin(std::io::Cursor::new(bytes), None) else {
                continue;
            };
            let Ok(frames) = input.into_frames(wants) else {
                continue;
            };
            let read = frames.inspect(|f| {
                if let Ok(frame) = f {
                    assert!(frame.data.len() <= 1024 && frame.samples > 0);
                }
            });
            assert!(read.count() < 100);
        }
    }
}

/// A microphone: gives what is asked for a byte at a time, and panics when more is asked for than it has recorded so far.
struct Live {
    recorded: Vec<u8>,
    at: usize,
}

impl Read for Live {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let byte = self.recorded.get(self.at).expect("waited for more");
        buf[0] = *byte;
        self.at += 1;
        Ok(1)
    }
}

#[test]
fn a_pipe_is_opened_as_soon_as_its_header_is_there() {
    let mut recorded = file("pcm16-pipe.wav");
    recorded.truncate(78 + 320);
    let live = Live { recorded, at: 0 };
    let input = AudioInput::from_stdin(live, None).unwrap();
    let mut frames = input.into_frames(target(AudioCodec::Pcm16, 8_000)).unwrap();
    let first = frames.next().unwrap().unwrap();
    assert_eq!(first.data, file("pcm16.s16le")[..320]);
}
