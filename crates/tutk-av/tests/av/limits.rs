//! What just fits, and what just does not; what is late, and what only looks so.

use std::time::Duration;

use tutk_av::*;
use tutk_core::{Full, Instant, TxBuf};

use crate::common::*;

const NOW: Instant = Instant::ZERO;

/// Numbers of the frames that come out; given up ones negative.
fn poll(assembler: &mut Assembler<'_>, now: Instant) -> Vec<i64> {
    let mut all = Vec::new();
    while let Some(output) = assembler.poll(now) {
        assembler.check_invariants().unwrap();
        all.push(match output {
            Output::Frame(r) => assembler.frame(r).number.into(),
            Output::Dropped(dropped) => -i64::from(dropped.number),
        });
    }
    all
}

/// Frames 1, 2, … of one sender, so that the media counter goes on.
fn stream(frames: u32, len: usize) -> Vec<Vec<Vec<u8>>> {
    let mut packetizer = Packetizer::new();
    let frame = |i| packets_of(&mut packetizer, &video_frame(i == 0, &vec![i as u8; len]));
    (0..frames).map(frame).collect()
}

#[test]
fn a_packet_is_written_whole_or_not_at_all() {
    for lossless in [false, true] {
        for len in [0, 1, 1024, 1500] {
            let data = vec![7; len];
            let mut packetizer = Packetizer::new();
            packetizer.set_lossless(lossless);
            let twin = packets_of(&mut packetizer.clone(), &video_frame(true, &data));
            let mut out = packetizer.start(&video_frame(true, &data));
            for needed in twin.iter().map(Vec::len) {
                let mut memory = [0; 1500];
                for room in [0, needed - 1] {
                    let mut tx = TxBuf::new(&mut memory[..room]);
                    assert_eq!(packetizer.next(&mut out, &mut tx), Err(Full));
                    assert!(tx.is_empty(), "{len} in {room}");
                }
                let mut tx = TxBuf::new(&mut memory[..needed]);
                assert_eq!(packetizer.next(&mut out, &mut tx), Ok(true));
            }
            assert_eq!(
                packetizer.next(&mut out, &mut TxBuf::new(&mut [])),
                Ok(false)
            );
        }
    }
}

#[test]
fn a_frame_under_way_tells_its_number_and_its_packets() {
    let mut packetizer = Packetizer::new();
    for (number, (len, packets)) in [(0, 1), (1024, 1), (1025, 2), (5000, 5)]
        .into_iter()
        .enumerate()
    {
        let data = vec![7; len];
        let out = packetizer.start(&video_frame(true, &data));
        assert_eq!((out.number(), out.packets()), (number as u32 + 1, packets));
    }
}

#[test]
fn either_of_two_flags_marks_the_last_packet() {
    let packets = packets_of(&mut Packetizer::new(), &video_frame(true, &[7; 10]));
    for (outer, inner) in [(1, 0), (0, 1), (1, 1)] {
        let mut bytes = packets[0].clone();
        (bytes[1], bytes[9]) = (outer, inner);
        let packet = media(&bytes);
        assert!(packet.last && packet.info.is_some(), "{outer} {inner}");
    }
}

#[test]
fn a_lost_frame_waits_for_its_turn_too() {
    let frames = stream(4, 10);
    let large = packets_of(&mut Packetizer::new(), &video_frame(true, &[7; 9000]));
    let mut large = large[..1].to_vec();
    renumber(&mut large, 3);
    let mut memory = [0; 8 * 1026];
    let mut video = Assembler::new(Stream::Video, &mut memory, AssemblerConfig::VIDEO);
    video.push(NOW, &media(&frames[0][0]));
    assert_eq!(poll(&mut video, NOW), [1]);
    video.push(NOW, &media(&large[0]));
    assert_eq!(poll(&mut video, NOW), [0; 0], "2 may still come");
    video.push(NOW, &media(&frames[1][0]));
    assert_eq!(poll(&mut video, NOW), [2, -3]);
}

#[test]
fn late_copies_are_no_restart_and_a_restart_counts_what_it_forgets() {
    let mut memory = [0; 64 * 1026];
    let mut video = Assembler::new(Stream::Video, &mut memory, AssemblerConfig::VIDEO);
    let frames = stream(30, 10);
    for (i, frame) in frames.iter().enumerate() {
        video.push(NOW, &media(&frame[0]));
        assert_eq!(poll(&mut video, NOW), [i as i64 + 1]);
    }
    for frame in &frames {
        video.push(NOW, &media(&frame[0]));
        assert_eq!(poll(&mut video, NOW), [0; 0]);
    }
    let stats = video.stats();
    assert_eq!((stats.late, stats.restarts, stats.forgotten), (30, 0, 0));
    // Two strays far away from each other, then a sender that counts from another number.
    let far = |number: u32, packets: usize| {
        let data = vec![7; packets * 1024];
        let mut packets = packets_of(&mut Packetizer::new(), &video_frame(true, &data));
        renumber(&mut packets, number);
        packets
    };
    for number in [1_000_000, 2_000_000] {
        video.push(NOW, &media(&far(number, 3)[0]));
    }
    for packet in far(5000, 8) {
        video.push(NOW, &media(&packet));
    }
    let stats = video.stats();
    assert_eq!((stats.restarts, stats.forgotten), (1, 2));
}

#[test]
fn a_wait_that_is_changed_holds_for_frames_that_wait_already() {
    let mut memory = [0; 16 * 1026];
    let mut video = Assembler::new(Stream::Video, &mut memory, AssemblerConfig::VIDEO);
    let frames = stream(3, 10);
    video.push(NOW, &media(&frames[0][0]));
    assert_eq!(poll(&mut video, NOW), [1]);
    video.push(NOW, &media(&frames[2][0]));
    video.set_reorder(Duration::from_millis(650));
    let at = NOW + Duration::from_millis(650);
    assert_eq!(video.poll_timeout(), Some(at));
    assert_eq!(poll(&mut video, NOW + Duration::from_millis(649)), [0; 0]);
    assert_eq!(poll(&mut video, at), [-2, -3], "nothing leads to 3");
}

#[test]
fn a_fragment_that_contradicts_its_frame_is_a_conflict() {
    let packets = packets_of(&mut Packetizer::new(), &video_frame(true, &[7; 5000]));
    let joined = |info| Some(Joined { data: 5000, info });
    let good = MediaPacket {
        joined: joined(32),
        ..media(&packets[1])
    };
    let long = [7; 1025];
    let mut memory = [0; 16 * 1026];
    let mut video = Assembler::new(Stream::Video, &mut memory, AssemblerConfig::VIDEO);
    video.push(NOW, &good);
    for (n, bad) in [
        MediaPacket { total: 4, ..good },
        MediaPacket { index: 5, ..good },
        MediaPacket { key: false, ..good },
        MediaPacket {
            joined: joined(40),
            ..good
        },
        MediaPacket {
            joined: None,
            ..good
        },
        MediaPacket {
            payload: &long,
            ..good
        },
    ]
    .into_iter()
    .enumerate()
    {
        let index = if bad.index == 5 { 5 } else { 2 };
        video.push(NOW, &MediaPacket { index, ..bad });
        assert_eq!(video.stats().conflicts, n as u32 + 1, "{n}");
    }
}
