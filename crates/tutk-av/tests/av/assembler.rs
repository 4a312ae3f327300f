//! One rule of the assembler a test.

use std::time::Duration;

use tutk_av::*;
use tutk_core::Instant;

use crate::common::*;

fn frame(number: u32, key: bool, len: usize) -> Vec<Vec<u8>> {
    let data = vec![number as u8; len];
    let mut packets = packets_of(&mut Packetizer::new(), &video_frame(key, &data));
    renumber(&mut packets, number);
    packets
}

fn at(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

fn push(assembler: &mut Assembler<'_>, now: Instant, packets: &[Vec<u8>]) {
    for packet in packets {
        assembler.push(now, &media(packet));
    }
}

/// Numbers of what comes out: delivered ones as they are, given up with the reason.
fn poll(assembler: &mut Assembler<'_>, now: Instant) -> Vec<(u32, Option<DropReason>)> {
    let mut all = Vec::new();
    while let Some(output) = assembler.poll(now) {
        assembler.check_invariants().unwrap();
        all.push(match output {
            Output::Frame(r) => {
                let frame = assembler.frame(r);
                assert!(frame.data.iter().all(|b| *b == frame.number as u8));
                (frame.number, None)
            }
            Output::Dropped(dropped) => (dropped.number, Some(dropped.reason)),
        });
    }
    all
}

fn incomplete(have: u16, total: u16) -> Option<DropReason> {
    Some(DropReason::Incomplete { have, total })
}

#[test]
fn a_direct_successor_is_delivered_at_once() {
    let mut memory = [0; 10 * 1026];
    let mut video = Assembler::new(Stream::Video, &mut memory, AssemblerConfig::VIDEO);
    for number in 7..100 {
        push(&mut video, at(0), &frame(number, number == 7, 3000));
        assert_eq!(poll(&mut video, at(0)), [(number, None)]);
        assert_eq!(video.poll_timeout(), None);
    }
}

#[test]
fn previous_tells_that_skipped_numbers_are_no_loss() {
    let mut memory = [0; 10 * 1026];
    let mut video = Assembler::new(Stream::Video, &mut memory, AssemblerConfig::VIDEO);
    push(&mut video, at(0), &frame(7, true, 10));
    assert_eq!(poll(&mut video, at(0)), [(7, None)]);
    let mut skipped = frame(11, false, 10);
    skipped[0][20] = 7;
    push(&mut video, at(0), &skipped);
    assert_eq!(poll(&mut video, at(0)), [(11, None)]);
}

#[test]
fn a_gap_is_waited_for_then_given_up_and_gates_until_a_key_frame() {
    let mut memory = [0; 30 * 1026];
    let mut video = Assembler::new(Stream::Video, &mut memory, AssemblerConfig::VIDEO);
    push(&mut video, at(0), &frame(1, true, 3000));
    assert_eq!(poll(&mut video, at(0)), [(1, None)]);
    push(&mut video, at(50), &frame(3, false, 2500)[..2]);
    push(&mut video, at(100), &frame(4, false, 100));
    push(&mut video, at(150), &frame(5, true, 5000));
    push(&mut video, at(200), &frame(6, false, 100));
    assert_eq!(poll(&mut video, at(299)), []);
    assert_eq!(video.poll_timeout(), Some(at(300)));
    let undecodable = Some(DropReason::Undecodable);
    let expected = [
        (2, incomplete(0, 0)),
        (3, incomplete(2, 3)),
        (4, undecodable),
        (5, None),
        (6, None),
    ];
    assert_eq!(poll(&mut video, at(300)), expected);
    push(&mut video, at(301), &frame(3, false, 2500));
    assert_eq!(poll(&mut video, at(900)), [], "too late");
    assert_eq!(video.stats().late, 3);
    assert_eq!((video.stats().frames, video.stats().dropped), (3, 3));
}

#[test]
fn every_packet_is_counted_and_what_came_before_by_whether_its_frame_is_still_under_way() {
    let mut memory = [0; 10 * 1026];
    let mut video = Assembler::new(Stream::Video, &mut memory, AssemblerConfig::VIDEO);
    let packets = frame(1, true, 3000);
    push(&mut video, at(0), &packets[..2]);
    push(&mut video, at(0), &packets[..2]);
    let stats = video.stats();
    assert_eq!((stats.packets, stats.duplicates, stats.late), (4, 2, 0));
    push(&mut video, at(0), &packets[2..]);
    assert_eq!(poll(&mut video, at(0)), [(1, None)]);
    push(&mut video, at(0), &packets);
    let stats = video.stats();
    assert_eq!((stats.packets, stats.duplicates, stats.late), (8, 2, 3));
}

#[test]
fn the_widest_gap_is_given_up_in_a_bounded_number_of_polls() {
    let mut memory = [0; 30 * 1026];
    let mut video = Assembler::new(Stream::Video, &mut memory, AssemblerConfig::VIDEO);
    push(&mut video, at(0), &frame(1, true, 10));
    assert_eq!(poll(&mut video, at(0)), [(1, None)]);
    push(&mut video, at(10), &frame(257, true, 10));
    let outputs = poll(&mut video, at(900));
    assert_eq!(outputs.len(), 256);
    assert_eq!(outputs.last(), Some(&(257, None)));
    // One further is taken for a sender that counts anew, and waits apart.
    push(&mut video, at(901), &frame(514, true, 10));
    assert_eq!(video.poll_timeout(), None, "for nothing in particular");
    assert_eq!(poll(&mut video, at(9000)), []);
}

#[test]
fn frames_that_a_restarted_sender_has_under_way_are_near_each_other() {
    let mut memory = [0; 30 * 1026];
    let mut video = Assembler::new(Stream::Video, &mut memory, AssemblerConfig::VIDEO);
    push(&mut video, at(0), &frame(1, true, 10));
    assert_eq!(poll(&mut video, at(0)), [(1, None)]);
    // Each is near the last one, by which the stream begins anew, and the first two are not near each other.
    for number in [9_800, 10_300, 9_999, 10_001] {
        push(&mut video, at(10), &frame(number, true, 10));
    }
    push(&mut video, at(10), &frame(10_000, true, 4_000));
    assert_eq!(video.stats().restarts, 1);
    assert_eq!(
        poll(&mut video, at(900)),
        [(9_999, None), (10_000, None), (10_001, None)]
    );
}

#[test]
fn a_gated_stream_begins_at_its_first_key_frame() {
    let mut memory = [0; 30 * 1026];
    let mut video = Assembler::new(Stream::Video, &mut memory, AssemblerConfig::VIDEO);
    push(&mut video, at(0), &frame(5, false, 10));
    push(&mut video, at(0), &frame(6, false, 2000)[..1]);
    assert_eq!(poll(&mut video, at(10)), []);
    push(&mut video, at(20), &frame(7, true, 2000));
    assert_eq!(poll(&mut video, at(20)), [(7, None)]);
    assert_eq!(video.stats().forgotten, 2);
}

#[test]
fn frames_before_any_key_frame_are_given_up_after_the_window() {
    let mut memory = [0; 30 * 1026];
    let mut video = Assembler::new(Stream::Video, &mut memory, AssemblerConfig::VIDEO);
    push(&mut video, at(0), &frame(5, false, 10));
    assert_eq!(poll(&mut video, at(199)), []);
    assert_eq!(
        poll(&mut video, at(200)),
        [(5, Some(DropReason::Undecodable))]
    );
    push(&mut video, at(210), &frame(8, true, 10));
    assert_eq!(
        poll(&mut video, at(210)),
        [(8, None)],
        "nothing before it is of use"
    );
}

#[test]
fn audio_begins_at_once_with_frame_one_and_else_after_the_window() {
    let mut memory = [0; 30 * 1026];
    let audio = |number| {
        let mut packets = packets_of(&mut Packetizer::new(), &audio_frame(&[number as u8; 160]));
        renumber(&mut packets, number);
        packets
    };
    let mut first = Assembler::new(Stream::Audio, &mut memory, AssemblerConfig::AUDIO);
    push(&mut first, at(0), &audio(1));
    assert_eq!(poll(&mut first, at(0)), [(1, None)]);
    let mut later = Assembler::new(Stream::Audio, &mut memory, AssemblerConfig::AUDIO);
    push(&mut later, at(0), &audio(41));
    push(&mut later, at(20), &audio(40));
    assert_eq!(poll(&mut later, at(20)), []);
    assert_eq!(poll(&mut later, at(200)), [(40, None), (41, None)]);
    push(&mut later, at(210), &frame(42, true, 10));
    assert_eq!(later.stats().wrong_stream, 1);
}

#[test]
fn an_oversize_frame_is_reported_once_and_the_stream_goes_on() {
    let mut memory = [0; 5 * 1026];
    let mut video = Assembler::new(Stream::Video, &mut memory, AssemblerConfig::VIDEO);
    push(&mut video, at(0), &frame(1, true, 2000));
    assert_eq!(poll(&mut video, at(0)), [(1, None)]);
    let mut seen = Vec::new();
    for packet in frame(2, true, 6000) {
        push(&mut video, at(50), &[packet]);
        seen.extend(poll(&mut video, at(50)));
    }
    let needed = 6 * 1026;
    assert_eq!(seen, [(2, Some(DropReason::TooLarge { needed }))]);
    push(&mut video, at(100), &frame(3, false, 10));
    assert_eq!(
        poll(&mut video, at(100)),
        [(3, Some(DropReason::Undecodable))]
    );
    push(&mut video, at(150), &frame(4, true, 5 * 1024));
    assert_eq!(poll(&mut video, at(150)), [(4, None)]);
}

#[test]
fn the_oldest_incomplete_frame_makes_room() {
    let mut memory = [0; 6 * 1026];
    let mut video = Assembler::new(Stream::Video, &mut memory, AssemblerConfig::VIDEO);
    push(&mut video, at(0), &frame(1, true, 10));
    assert_eq!(poll(&mut video, at(0)), [(1, None)]);
    push(&mut video, at(0), &frame(2, false, 3000)[..1]);
    push(&mut video, at(0), &frame(3, false, 3000)[..1]);
    assert_eq!(poll(&mut video, at(0)), []);
    push(&mut video, at(0), &frame(4, true, 3000));
    assert_eq!(poll(&mut video, at(0)), [(2, Some(DropReason::NoMemory))]);
    assert_eq!(
        poll(&mut video, at(200)),
        [(3, incomplete(1, 3)), (4, None)]
    );
}

#[test]
fn a_frame_older_than_all_in_flight_does_not_push_them_out() {
    let mut memory = [0; 6 * 1026];
    let mut video = Assembler::new(Stream::Video, &mut memory, AssemblerConfig::VIDEO);
    push(&mut video, at(0), &frame(1, true, 10));
    assert_eq!(poll(&mut video, at(0)), [(1, None)]);
    push(&mut video, at(0), &frame(3, true, 3000)[1..]);
    push(&mut video, at(0), &frame(4, true, 3000)[1..]);
    push(&mut video, at(0), &frame(2, true, 3000));
    assert_eq!(poll(&mut video, at(0)), [(2, Some(DropReason::NoMemory))]);
    push(&mut video, at(0), &frame(3, true, 3000)[..1]);
    assert_eq!(poll(&mut video, at(0)), [(3, None)]);
}

#[test]
fn more_frames_in_flight_than_places_cost_the_oldest() {
    let mut memory = [0; 64 * 1026];
    let mut video = Assembler::new(Stream::Video, &mut memory, AssemblerConfig::VIDEO);
    push(&mut video, at(0), &frame(1, true, 10));
    assert_eq!(poll(&mut video, at(0)), [(1, None)]);
    let mut seen = Vec::new();
    for number in 2..42 {
        push(&mut video, at(1), &frame(number, true, 1500)[..1]);
        seen.extend(poll(&mut video, at(1)));
    }
    let expected: Vec<_> = (2..2 + 25).map(|n| (n, incomplete(1, 2))).collect();
    assert_eq!(seen, expected);
    for number in 27..42 {
        push(&mut video, at(2), &frame(number, true, 1500)[1..]);
        seen.extend(poll(&mut video, at(2)));
    }
    assert_eq!(seen.len(), 40, "the other fifteen");
    assert_eq!(video.stats().no_slot, 0);
}

#[test]
fn without_polling_packets_are_dropped_and_counted() {
    let mut memory = [0; 64 * 1026];
    let mut video = Assembler::new(Stream::Video, &mut memory, AssemblerConfig::VIDEO);
    for number in 1..=20 {
        push(&mut video, at(1), &frame(number, true, 10));
    }
    assert_eq!(video.stats().no_slot, 4);
    assert_eq!(poll(&mut video, at(1)).len(), 16);
}

#[test]
fn a_wrong_declared_length_is_never_delivered() {
    let mut memory = [0; 64 * 1026];
    let mut video = Assembler::new(Stream::Video, &mut memory, AssemblerConfig::VIDEO);
    let mut packets = frame(1, true, 3000);
    let end = packets[2].len();
    packets[2][end - 24] ^= 1;
    push(&mut video, at(0), &packets);
    assert_eq!(
        poll(&mut video, at(200)),
        [(1, Some(DropReason::LengthMismatch))]
    );
}

#[test]
fn contradicting_packets_of_one_frame_are_dropped() {
    let mut memory = [0; 64 * 1026];
    let mut video = Assembler::new(Stream::Video, &mut memory, AssemblerConfig::VIDEO);
    let packets = frame(1, true, 3000);
    push(&mut video, at(0), &packets[..1]);
    push(&mut video, at(0), &frame(1, true, 5000)[1..]);
    push(&mut video, at(0), &frame(1, false, 3000)[1..]);
    assert_eq!(video.stats().conflicts, 4 + 2);
    push(&mut video, at(0), &packets[1..]);
    assert_eq!(poll(&mut video, at(0)), [(1, None)]);
}

#[test]
fn numbers_that_begin_anew_lose_nothing() {
    let mut memory = [0; 64 * 1026];
    let mut video = Assembler::new(Stream::Video, &mut memory, AssemblerConfig::VIDEO);
    push(&mut video, at(0), &frame(5000, true, 10));
    assert_eq!(poll(&mut video, at(0)), [(5000, None)]);
    push(&mut video, at(0), &frame(4000, true, 5000)[..3]);
    push(&mut video, at(0), &frame(5001, false, 10));
    assert_eq!(
        poll(&mut video, at(0)),
        [(5001, None)],
        "three strays are no restart"
    );
    let mut seen = Vec::new();
    for number in 1..=10 {
        for packet in frame(number, number == 1, 4000) {
            push(&mut video, at(10), &[packet]);
            seen.extend(poll(&mut video, at(10)));
        }
    }
    let expected: Vec<_> = (1..=10).map(|n| (n, None)).collect();
    assert_eq!(seen, expected);
    assert_eq!(video.stats().restarts, 1);
}

#[test]
fn a_jump_far_ahead_is_believed_after_eight_packets() {
    let mut memory = [0; 64 * 1026];
    let mut video = Assembler::new(Stream::Video, &mut memory, AssemblerConfig::VIDEO);
    push(&mut video, at(0), &frame(1, true, 10));
    assert_eq!(poll(&mut video, at(0)), [(1, None)]);
    let mut seen = Vec::new();
    for number in 1_000_000..1_000_010 {
        push(&mut video, at(10), &frame(number, number == 1_000_000, 10));
        seen.extend(poll(&mut video, at(10)));
        assert_eq!(seen.is_empty(), number < 1_000_007);
    }
    let expected: Vec<_> = (1_000_000..1_000_010).map(|n| (n, None)).collect();
    assert_eq!(seen, expected);
}

#[test]
fn frames_far_ahead_do_not_starve_the_stream() {
    let mut memory = [0; 64 * 1026];
    let mut video = Assembler::new(Stream::Video, &mut memory, AssemblerConfig::VIDEO);
    let mut seen = Vec::new();
    for number in 1..100 {
        // Both the places and the memory would be taken by these.
        let stray = frame(number * 1_000_000, true, 40_000);
        for packet in frame(number, number == 1, 4000).iter().zip(&stray[1..]) {
            push(&mut video, at(10), std::slice::from_ref(packet.0));
            push(&mut video, at(10), std::slice::from_ref(packet.1));
            seen.extend(poll(&mut video, at(10)));
        }
    }
    let expected: Vec<_> = (1..100).map(|n| (n, None)).collect();
    assert_eq!(seen, expected);
    assert_eq!(video.stats().restarts, 0);
}

#[test]
fn a_sender_that_counts_anew_nearby_is_followed() {
    let mut memory = [0; 64 * 1026];
    let mut video = Assembler::new(Stream::Video, &mut memory, AssemblerConfig::VIDEO);
    let mut packetizer = Packetizer::new();
    let mut next = |number: u32, key: bool| {
        let data = vec![number as u8; 2000];
        let mut packets = packets_of(&mut packetizer, &video_frame(key, &data));
        renumber(&mut packets, number);
        packets
    };
    for number in 1..=100 {
        push(&mut video, at(0), &next(number, number == 1));
        assert_eq!(poll(&mut video, at(0)), [(number, None)]);
    }
    let mut seen = Vec::new();
    for number in 1..=20 {
        push(&mut video, at(10), &next(number, number % 5 == 1));
        seen.extend(poll(&mut video, at(10)));
    }
    let expected: Vec<_> = (6..=20).map(|n| (n, None)).collect();
    assert_eq!(seen, expected, "from the next key frame on");
    assert_eq!((video.stats().restarts, video.stats().late), (1, 8));
}

#[test]
fn the_rest_of_an_oversize_frame_is_no_restart() {
    let mut memory = [0; 5 * 1026];
    let mut video = Assembler::new(Stream::Video, &mut memory, AssemblerConfig::VIDEO);
    let mut packetizer = Packetizer::new();
    let mut seen = Vec::new();
    for len in [10, 50_000, 10] {
        for packet in packets_of(&mut packetizer, &video_frame(true, &vec![7; len])) {
            push(&mut video, at(10), &[packet]);
            while let Some(output) = video.poll(at(10)) {
                seen.push(matches!(output, Output::Frame(_)));
            }
        }
    }
    assert_eq!(seen, [true, false, true]);
    assert_eq!((video.stats().restarts, video.stats().late), (0, 48));
}

#[test]
fn a_frame_that_can_get_no_room_pushes_nobody_out() {
    let mut memory = [0; 9 * 1026];
    let mut video = Assembler::new(Stream::Video, &mut memory, AssemblerConfig::VIDEO);
    push(&mut video, at(0), &frame(1, true, 10));
    assert_eq!(poll(&mut video, at(0)), [(1, None)]);
    push(&mut video, at(0), &frame(2, false, 3000)[1..]);
    push(&mut video, at(0), &frame(3, false, 3000));
    push(&mut video, at(0), &frame(4, true, 7000));
    push(&mut video, at(0), &frame(2, false, 3000)[..1]);
    let lost = Some(DropReason::NoMemory);
    assert_eq!(
        poll(&mut video, at(0)),
        [(2, None), (3, None), (4, lost)],
        "3 is complete, so without 2 there would still be no room"
    );
}

#[test]
fn debug_output_has_no_contents() {
    let packets = frame(7, true, 10);
    let packet = media(&packets[0]);
    let mut memory = [0; 5 * 1026];
    let mut video = Assembler::new(Stream::Video, &mut memory, AssemblerConfig::VIDEO);
    video.push(at(0), &packet);
    let ioctl = Ioctl {
        kind: 0x0100,
        payload: &[7; 10],
        repeat: false,
    };
    let shown = format!("{packet:?} {:?} {ioctl:?} {video:?}", Event::Ioctl(ioctl));
    assert!(
        shown.contains("10 bytes") && !shown.contains("7, 7"),
        "{shown}"
    );
    let Some(Output::Frame(r)) = video.poll(at(0)) else {
        panic!()
    };
    assert!(!format!("{:?} {video:?}", video.frame(r)).contains("7, 7"));
}

#[test]
fn a_frame_is_gone_after_the_next_call() {
    let mut memory = [0; 8 * 1026];
    let mut video = Assembler::new(Stream::Video, &mut memory, AssemblerConfig::VIDEO);
    push(&mut video, at(0), &frame(1, true, 10));
    let Some(Output::Frame(r)) = video.poll(at(0)) else {
        panic!()
    };
    assert_eq!(video.frame(r).data, [1; 10]);
    assert_eq!(video.frame(r).data, [1; 10], "can be read twice");
    video.push(at(0), &media(&frame(2, false, 9)[0]));
    assert!(video.frame(r).data.is_empty());
    assert_eq!(video.frame(r).number, 1);
}

#[test]
fn reset_forgets_all() {
    let mut memory = [0; 8 * 1026];
    let config = AssemblerConfig {
        reorder: Duration::ZERO,
        ..AssemblerConfig::VIDEO
    };
    let mut video = Assembler::new(Stream::Video, &mut memory, config);
    push(&mut video, at(0), &frame(100, true, 10));
    assert_eq!(poll(&mut video, at(0)), [(100, None)]);
    push(&mut video, at(0), &frame(101, false, 3000)[..1]);
    video.reset();
    push(&mut video, at(0), &frame(99, true, 8 * 1024));
    assert_eq!(poll(&mut video, at(0)), [(99, None)]);
}

#[test]
fn counters_of_the_packetizer_wrap() {
    let mut packetizer = Packetizer::new();
    let mut last = None;
    for _ in 0..70_000 {
        let packets = packets_of(&mut packetizer, &video_frame(true, &[1]));
        let packet = media(&packets[0]);
        if let Some((counter, frame)) = last {
            assert_eq!(packet.counter, u16::wrapping_add(counter, 1));
            assert_eq!((packet.frame, packet.previous), (frame + 1, frame));
        }
        last = Some((packet.counter, packet.frame));
    }
    assert_eq!(last, Some((70_000u32 as u16, 70_000)));
}

#[test]
fn both_streams_share_the_counter_and_number_their_frames_apart() {
    let mut packetizer = Packetizer::with_mac(*b"AABBCCDDEEFF");
    let video = packets_of(&mut packetizer, &video_frame(true, &[1; 2000]));
    let audio = packets_of(&mut packetizer, &audio_frame(&[2; 160]));
    let packets: Vec<_> = video
        .iter()
        .chain(&audio)
        .map(|bytes| media(bytes))
        .collect();
    let counters: Vec<_> = packets.iter().map(|packet| packet.counter).collect();
    assert_eq!(counters, [1, 2, 3]);
    assert!(packets.iter().all(|packet| packet.frame == 1));
    // What the recorded camera wrote: flag bytes 0, 5 and 1.
    let flags: Vec<_> = video.iter().chain(&audio).map(|bytes| bytes[1]).collect();
    assert_eq!(flags, [0, 5, 1]);
    assert!(audio[0].windows(12).any(|w| w == b"AABBCCDDEEFF"));
}

#[test]
fn a_full_buffer_costs_no_packet() {
    let mut packetizer = Packetizer::new();
    let mut out = packetizer.start(&video_frame(true, &[1; 1500]));
    let mut small = [0; 1000];
    let mut tx = tutk_core::TxBuf::new(&mut small);
    assert_eq!(packetizer.next(&mut out, &mut tx), Err(tutk_core::Full));
    assert!(tx.is_empty());
    let mut large = [0; 1500];
    let mut tx = tutk_core::TxBuf::new(&mut large);
    assert_eq!(packetizer.next(&mut out, &mut tx), Ok(true));
    assert_eq!(
        (media(tx.payload()).index, media(tx.payload()).counter),
        (0, 1)
    );
}
