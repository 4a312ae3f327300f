//! Damaged input: an error or fewer frames, never a panic.

use crate::ffmpeg::{FILE, PIPE, demo, demo_path, h265_path, mux};
use wyze_media::{
    AudioCodec, AudioFormat, AudioFrame, Clip, Fmp4Writer, Sink, VideoCodec, VideoFrame,
};

/// xorshift: the same mutations on every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
}

/// Changes a few bytes of `bytes[..reach]`, with a liking for extreme values.
fn mutate(random: &mut Random, bytes: &mut [u8], reach: usize) {
    for _ in 0..=random.below(4) {
        let at = random.below(reach.min(bytes.len()));
        bytes[at] = match random.below(4) {
            0 => 0xff,
            1 => 0,
            2 => bytes[at] ^ (1 << random.below(8)),
            _ => random.next() as u8,
        };
    }
}

fn hammer(original: &[u8], reach: usize, rounds: usize) -> (usize, usize) {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let (mut good, mut bad) = (0, 0);
    for round in 0..rounds {
        let mut bytes = original.to_vec();
        if round % 4 == 0 {
            bytes.truncate(random.below(original.len()));
        }
        if !bytes.is_empty() {
            mutate(&mut random, &mut bytes, reach);
        }
        match Clip::from_bytes(&bytes) {
            Ok(_) => good += 1,
            Err(_) => bad += 1,
        }
    }
    (good, bad)
}

#[test]
fn damaged_index_never_panics() {
    let demo = std::fs::read(demo_path()).unwrap();
    // The index stands in front of the media in this file.
    let media = demo.windows(4).position(|w| w == b"mdat").unwrap();
    let (good, bad) = hammer(&demo[..media + 4096], media, 4000);
    assert!(bad > 100, "{good} good, {bad} bad");
    let (good, bad) = hammer(&demo, media, 300);
    assert!(good > 10 && bad > 10, "{good} good, {bad} bad");
}

#[test]
fn damaged_fragments_never_panic() {
    for options in [FILE, PIPE] {
        let (bytes, _) = mux(&demo(), options);
        let (good, bad) = hammer(&bytes, 4096, 500);
        assert!(good > 10 && bad > 10, "{good} good, {bad} bad");
    }
}

#[test]
fn a_run_that_claims_more_samples_than_the_file_has_bytes_is_refused_before_room_is_made_for_them()
{
    let (mut bytes, _) = mux(&demo(), PIPE);
    let run = bytes.windows(4).position(|w| w == b"trun").unwrap();
    // No field for each sample, and four thousand million of them: 160 GB, if they were believed.
    bytes[run + 4..run + 12].copy_from_slice(&[0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]);
    let refused = Clip::from_bytes(&bytes).unwrap_err().to_string();
    assert!(refused.contains("more samples than it holds"), "{refused}");
}

#[test]
fn damaged_raw_stream_never_panics() {
    let bytes = std::fs::read(h265_path()).unwrap();
    let (good, _) = hammer(&bytes, bytes.len(), 300);
    assert!(good > 100);
    let (_, bad) = hammer(&bytes[..4096], 64, 1000);
    assert!(bad > 100);
}

#[test]
fn writer_takes_any_frame_without_panic() {
    let clip = demo();
    let mut random = Random(7);
    for round in 0..300 {
        let mut writer = Fmp4Writer::new(std::io::sink(), if round % 2 == 0 { FILE } else { PIPE });
        for sample in clip.samples().iter().take(30) {
            let mut data = sample.data.clone();
            if random.below(3) == 0 {
                let reach = data.len().min(64);
                mutate(&mut random, &mut data, reach);
            }
            let time_us = match random.below(20) {
                0 => random.next(),
                1 => u64::MAX,
                _ => sample.time.as_micros() as u64,
            };
            let codec = [AudioCodec::Aac, AudioCodec::Opus, AudioCodec::Pcm16][random.below(3)];
            let _ = writer.write_video(VideoFrame {
                codec: VideoCodec::H264,
                time_us,
                key: sample.key,
                data: &data,
            });
            let _ = writer.write_audio(AudioFrame {
                format: AudioFormat {
                    codec,
                    sample_rate: [0, 8_000, 16_000, u32::MAX][random.below(4)],
                    channels: random.below(256) as u8,
                },
                time_us,
                data: &data,
            });
        }
        let _ = writer.finish();
    }
}
