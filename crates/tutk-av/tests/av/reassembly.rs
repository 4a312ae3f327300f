//! The assembler under reordering, duplication and loss: against what was sent, and against a naive model.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use tutk_av::*;
use tutk_core::Instant;

use crate::common::*;
use crate::model::Model;

/// A packet on its way.
struct Arrival {
    at: u64,
    bytes: Vec<u8>,
}

struct Sent {
    key: bool,
    data: Vec<u8>,
}

/// What a camera sends in `frames` video frames at 20 fps and five times as many of audio, with numbers from `first`.
struct Traffic {
    video: BTreeMap<u32, Sent>,
    audio: BTreeMap<u32, Sent>,
    arrivals: Vec<Arrival>,
}

struct Network {
    loss: u64,
    duplication: u64,
    max_delay_us: u64,
}

fn traffic(dice: &mut Dice, frames: u32, first: u32, network: &Network) -> Traffic {
    let mut packetizer = Packetizer::new();
    let mut all = Traffic {
        video: BTreeMap::new(),
        audio: BTreeMap::new(),
        arrivals: Vec::new(),
    };
    for i in 0..frames {
        let taken = u64::from(i) * 50_000;
        let number = first.wrapping_add(i);
        let key = i % 10 == 0;
        let len = if key {
            2000 + dice.below(10_000)
        } else {
            dice.below(3500)
        };
        let data = dice.bytes(len as usize);
        let mut packets = packets_of(&mut packetizer, &video_frame(key, &data));
        renumber(&mut packets, number);
        all.video.insert(number, Sent { key, data });
        for j in 0..2 {
            let number = first.wrapping_add(2 * i + j);
            let data = dice.bytes(160);
            let mut packet = packets_of(&mut packetizer, &audio_frame(&data));
            renumber(&mut packet, number);
            all.audio.insert(number, Sent { key: false, data });
            packets.append(&mut packet);
        }
        for (j, bytes) in packets.into_iter().enumerate() {
            let sent = taken + j as u64 * 100;
            let copies = 1 + u64::from(dice.percent(network.duplication));
            for _ in 0..copies {
                let delay = dice.below(network.max_delay_us + 1);
                if !dice.percent(network.loss) {
                    all.arrivals.push(Arrival {
                        at: sent + delay,
                        bytes: bytes.clone(),
                    });
                }
            }
        }
    }
    all.arrivals.sort_by_key(|arrival| arrival.at);
    all
}

#[derive(Default)]
struct Got {
    /// Number and whether it was delivered, in order.
    outcomes: Vec<(u32, Result<(), DropReason>)>,
}

fn drain(assembler: &mut Assembler<'_>, now: Instant, sent: &BTreeMap<u32, Sent>, got: &mut Got) {
    while let Some(output) = assembler.poll(now) {
        match output {
            Output::Frame(r) => {
                let frame = assembler.frame(r);
                let original = &sent[&frame.number];
                assert!(
                    frame.data == original.data,
                    "frame {} is corrupt",
                    frame.number
                );
                assert_eq!(frame.key, original.key);
                got.outcomes.push((frame.number, Ok(())));
            }
            Output::Dropped(dropped) => got.outcomes.push((dropped.number, Err(dropped.reason))),
        }
    }
    assembler.check_invariants().unwrap();
    assert!(
        assembler.poll_timeout().is_none_or(|at| at > now),
        "a timer that changes nothing"
    );
}

/// Feeds the arrivals of one stream, with timers, and then waits.
fn run(assembler: &mut Assembler<'_>, stream: Stream, all: &Traffic) -> Got {
    let sent = match stream {
        Stream::Video => &all.video,
        Stream::Audio => &all.audio,
    };
    let mut got = Got::default();
    for arrival in &all.arrivals {
        let packet = media(&arrival.bytes);
        if packet.stream != stream {
            continue;
        }
        let now = Instant::from_micros(arrival.at);
        while let Some(due) = assembler.poll_timeout().filter(|due| *due <= now) {
            drain(assembler, due, sent, &mut got);
        }
        assembler.push(now, &packet);
        drain(assembler, now, sent, &mut got);
    }
    while let Some(due) = assembler.poll_timeout() {
        drain(assembler, due, sent, &mut got);
    }
    got
}

const KEEP: Network = Network {
    loss: 0,
    duplication: 10,
    max_delay_us: 100_000,
};
const LOSE: Network = Network {
    loss: 3,
    duplication: 5,
    max_delay_us: 60_000,
};

#[test]
fn reordering_and_duplication_lose_nothing() {
    let (mut video_memory, mut audio_memory) = (vec![0; 160 * 1026], vec![0; 16 * 1026]);
    let mut repeated = 0;
    for seed in 0..1000 {
        let mut dice = Dice::new(seed);
        let all = traffic(&mut dice, 24, 1, &KEEP);
        let mut video = Assembler::new(Stream::Video, &mut video_memory, AssemblerConfig::VIDEO);
        let mut audio = Assembler::new(Stream::Audio, &mut audio_memory, AssemblerConfig::AUDIO);
        let expected: Vec<_> = all.video.keys().map(|n| (*n, Ok(()))).collect();
        assert_eq!(
            run(&mut video, Stream::Video, &all).outcomes,
            expected,
            "seed {seed}"
        );
        let expected: Vec<_> = all.audio.keys().map(|n| (*n, Ok(()))).collect();
        assert_eq!(
            run(&mut audio, Stream::Audio, &all).outcomes,
            expected,
            "seed {seed}"
        );
        repeated += video.stats().duplicates + video.stats().late;
    }
    assert!(repeated > 1000);
}

#[test]
fn loss_never_corrupts_reorders_or_repeats() {
    let (mut video_memory, mut audio_memory) = (vec![0; 100 * 1026], vec![0; 16 * 1026]);
    let (mut delivered, mut dropped) = (0, 0);
    for seed in 0..500 {
        let mut dice = Dice::new(seed);
        let all = traffic(&mut dice, 40, 1, &LOSE);
        let mut video = Assembler::new(Stream::Video, &mut video_memory, AssemblerConfig::VIDEO);
        let mut audio = Assembler::new(Stream::Audio, &mut audio_memory, AssemblerConfig::AUDIO);
        for (got, sent) in [
            (run(&mut video, Stream::Video, &all), &all.video),
            (run(&mut audio, Stream::Audio, &all), &all.audio),
        ] {
            let numbers: Vec<_> = got.outcomes.iter().map(|(n, _)| *n).collect();
            // What is left when the first key frame comes is forgotten without a word; then there are no gaps.
            let Some(first) = got.outcomes.iter().position(|(_, outcome)| outcome.is_ok()) else {
                continue;
            };
            let accounted = &numbers[first..];
            let all_of_them: Vec<_> = (accounted[0]..).take(accounted.len()).collect();
            assert_eq!(
                accounted, all_of_them,
                "seed {seed}: each is delivered or dropped, in order"
            );
            assert!(numbers[..=first].is_sorted());
            let mut last = None;
            for (number, outcome) in &got.outcomes {
                match outcome {
                    Ok(()) => {
                        let frame = &sent[number];
                        let is_audio = frame.data.len() == 160;
                        assert!(
                            is_audio || frame.key || last == Some(number - 1),
                            "seed {seed}"
                        );
                        last = Some(*number);
                        delivered += 1;
                    }
                    Err(DropReason::Incomplete { .. } | DropReason::Undecodable) => dropped += 1,
                    Err(other) => panic!("seed {seed}: {other:?}"),
                }
            }
        }
    }
    assert!(
        delivered > 30_000 && dropped > 1000,
        "{delivered} {dropped}"
    );
}

#[test]
fn frame_numbers_wrap() {
    let mut memory = vec![0; 100 * 1026];
    for seed in 0..50 {
        let mut dice = Dice::new(seed);
        let all = traffic(&mut dice, 20, u32::MAX - 9, &KEEP);
        let mut video = Assembler::new(Stream::Video, &mut memory, AssemblerConfig::VIDEO);
        let got = run(&mut video, Stream::Video, &all).outcomes;
        let expected: Vec<_> = (0..20)
            .map(|i| ((u32::MAX - 9).wrapping_add(i), Ok(())))
            .collect();
        assert_eq!(got, expected, "seed {seed}");
        let mut audio = Assembler::new(Stream::Audio, &mut memory, AssemblerConfig::AUDIO);
        let got = run(&mut audio, Stream::Audio, &all).outcomes;
        let expected: Vec<_> = (0..40)
            .map(|i| ((u32::MAX - 9).wrapping_add(i), Ok(())))
            .collect();
        assert_eq!(got, expected, "seed {seed}");
    }
}

#[test]
fn agrees_with_a_naive_model() {
    let mut memory = vec![0; 200 * 1026];
    let mut full = 0;
    for seed in 0..300 {
        let mut dice = Dice::new(seed);
        let network = Network {
            loss: dice.below(8),
            duplication: dice.below(20),
            max_delay_us: dice.below(150_000),
        };
        let stream = if dice.percent(70) {
            Stream::Video
        } else {
            Stream::Audio
        };
        let first = [1, 2, 1000][dice.below(3) as usize];
        let config = AssemblerConfig {
            reorder: Duration::from_millis(50 + dice.below(500)),
            gate: dice.percent(70),
        };
        let all = traffic(&mut dice, 40, first, &network);
        let mut assembler = Assembler::new(stream, &mut memory, config);
        let mut model = Model::new(config);
        for arrival in &all.arrivals {
            let packet = media(&arrival.bytes);
            if packet.stream != stream {
                continue;
            }
            let now = Instant::from_micros(arrival.at);
            assembler.push(now, &packet);
            model.push(now, &packet);
            full += u32::from(model.in_flight() == MAX_IN_FLIGHT);
            loop {
                let got = assembler.poll(now).map(|output| match output {
                    Output::Frame(r) => (
                        assembler.frame(r).number,
                        Ok(assembler.frame(r).data.to_vec()),
                    ),
                    Output::Dropped(dropped) => (dropped.number, Err(dropped.reason)),
                });
                let expected = model.poll(now);
                assert!(got == expected, "seed {seed} at {now:?}");
                if got.is_none() {
                    break;
                }
            }
        }
    }
    assert!(full > 0, "never as many frames in flight as there may be");
}

fn one_frame(data: &[u8], shuffle: &[usize]) -> Vec<u8> {
    let packets = packets_of(&mut Packetizer::new(), &video_frame(true, data));
    let mut memory = vec![0xee; packets.len() * 1026];
    let mut assembler = Assembler::new(Stream::Video, &mut memory, AssemblerConfig::VIDEO);
    let mut order: Vec<_> = packets.iter().collect();
    for (i, j) in shuffle.iter().enumerate() {
        let n = order.len();
        order.swap(i % n, j % n);
    }
    for packet in order {
        assembler.push(Instant::ZERO, &media(packet));
    }
    let Some(Output::Frame(r)) = assembler.poll(Instant::ZERO) else {
        panic!("{} bytes", data.len())
    };
    assembler.frame(r).data.to_vec()
}

#[test]
fn every_size_survives_packetizing() {
    let mut dice = Dice::new(5);
    let data = dice.bytes(5000);
    for len in 0..=5000 {
        assert!(one_frame(&data[..len], &[]) == data[..len], "{len} bytes");
    }
    for _ in 0..20 {
        let len = 100_000 + dice.below(400_000) as usize;
        let data = dice.bytes(len);
        assert!(one_frame(&data, &[1, 99, 3, 7, 2]) == data);
    }
}

/// Packets of a frame cut into fragments of the given lengths, each of at most 1024 bytes.
fn cut(number: u32, key: bool, lens: &[usize]) -> (Vec<u8>, Vec<Vec<u8>>) {
    let mut packets = Vec::new();
    let data = Dice::new(u64::from(number)).bytes(lens.iter().sum());
    let mut rest = data.as_slice();
    for (i, len) in lens.iter().enumerate() {
        let (part, tail) = rest.split_at(*len);
        rest = tail;
        let last = i + 1 == lens.len();
        let mut out = packets_of(&mut Packetizer::new(), &video_frame(key, part)).remove(0);
        let at = out.len() - 24;
        out[at..at + 4].copy_from_slice(&(data.len() as u32).to_le_bytes());
        if !last {
            out.truncate(28 + len);
            out[16..18].copy_from_slice(&(*len as u16).to_le_bytes());
            out[14..16].copy_from_slice(&(i as u16).to_le_bytes());
            (out[1], out[9]) = (0, 0);
        }
        out[12..14].copy_from_slice(&(lens.len() as u16).to_le_bytes());
        packets.push(out);
    }
    renumber(&mut packets, number);
    (data, packets)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_order_of_packets_gives_the_frame(
        len in 0usize..30_000,
        shuffle in proptest::collection::vec(any::<usize>(), 0..40),
    ) {
        let data = Dice::new(len as u64).bytes(len);
        prop_assert!(one_frame(&data, &shuffle) == data);
    }

    #[test]
    fn fragments_of_any_length_close_up(
        lens in proptest::collection::vec(0usize..=1024, 1..20),
        shuffle in proptest::collection::vec(any::<usize>(), 0..20),
    ) {
        let (data, mut packets) = cut(1, true, &lens);
        let n = packets.len();
        for (i, j) in shuffle.iter().enumerate() {
            packets.swap(i % n, j % n);
        }
        let mut memory = vec![0xee; n * 1026];
        let mut assembler = Assembler::new(Stream::Video, &mut memory, AssemblerConfig::VIDEO);
        for packet in &packets {
            assembler.push(Instant::ZERO, &media(packet));
        }
        let Some(Output::Frame(r)) = assembler.poll(Instant::ZERO) else { panic!() };
        prop_assert!(assembler.frame(r).data == data);
    }

    /// Whatever comes: no panic, bounded output, consistent memory, order kept.
    #[test]
    fn hostile_packets_do_no_harm(
        memory_len in 0usize..20_000,
        gate in any::<bool>(),
        packets in proptest::collection::vec(
            (0u32..700, 0u32..3, 1u16..12, any::<u16>(), 0usize..=1024, any::<bool>(), 0u64..100_000),
            0..300,
        ),
    ) {
        let mut memory = vec![0; memory_len];
        let config = AssemblerConfig { gate, ..AssemblerConfig::VIDEO };
        let mut assembler = Assembler::new(Stream::Video, &mut memory, config);
        let payload = [7; 1024];
        let mut now = Instant::ZERO;
        let mut last: Option<u32> = None;
        for (frame, high, total, index, len, key, wait) in packets {
            now += Duration::from_micros(wait);
            let frame = frame.wrapping_add(high.wrapping_mul(0x6000_0000));
            let index = index % total;
            let ends = index + 1 == total;
            let packet = MediaPacket {
                stream: Stream::Video,
                key,
                resent: false,
                counter: 0,
                frame,
                previous: frame.wrapping_sub(1),
                index,
                total,
                last: ends,
                payload: &payload[..len],
                info: ends.then(|| FrameInfo { size: 16, ..FrameInfo::video(Codec::H264, 1, 0) }),
                stats: None,
                joined: None,
                fec: None,
                protected: &[],
            };
            let restarts = assembler.stats().restarts;
            assembler.push(now, &packet);
            if assembler.stats().restarts != restarts {
                last = None;
            }
            for round in 0.. {
                assert!(round < 10_000, "poll has no end");
                let Some(output) = assembler.poll(now) else { break };
                if let Output::Frame(r) = output {
                    let number = assembler.frame(r).number;
                    assert!(last.is_none_or(|last| number.wrapping_sub(last).wrapping_sub(1) < 1 << 31));
                    last = Some(number);
                }
                assembler.check_invariants().unwrap();
            }
        }
    }
}
