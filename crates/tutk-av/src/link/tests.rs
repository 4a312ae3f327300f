use super::*;
use crate::testing::{bytes_of, frame_packets, media, vectors};
use crate::{Codec, FrameInfo, OutFrame, Stream};

#[test]
fn captured_statistics_request_is_echoed() {
    let vectors = vectors();
    let case = vectors["real"]
        .as_array()
        .unwrap()
        .iter()
        .find(|case| case["name"] == "stats_exchange")
        .unwrap();
    let request = bytes_of(&case["rx"]);
    let mut link = Link::new(&mut []);
    let message = link.parse(&request).unwrap();
    assert!(link.handle(Instant::ZERO, &message).is_none());
    let mut memory = [0; 64];
    let mut tx = TxBuf::new(&mut memory);
    assert_eq!(link.poll_transmit(Instant::ZERO, &mut tx), Ok(true));
    assert_eq!(
        Message::parse(tx.payload()),
        Ok(Message::StatsReply { clock: 0x510b })
    );
    assert_eq!(link.poll_transmit(Instant::ZERO, &mut tx), Ok(false));
}

#[test]
fn acks_go_with_the_end_of_a_frame_and_without_frames_every_100_ms() {
    let mut link = Link::new(&mut []);
    let mut sent = Vec::new();
    let mut poll = |link: &mut Link<'_>, now: Instant| {
        let mut memory = [0; 64];
        link.handle_timeout(now);
        if link.poll_transmit(now, &mut TxBuf::new(&mut memory)) == Ok(true) {
            sent.push(now.as_millis());
        }
    };
    link.start_acks(Instant::ZERO);
    for ms in 0..600 {
        let now = Instant::from_millis(ms);
        // Twenty frames a second of one packet, on the way for 3 to 5 ms; none after a quarter of a second.
        if ms < 250 && ms % 50 == 3 + ms / 50 % 3 {
            let mut packets = frame_packets(ms as u32, true, b"a frame");
            packets[0][10..12].copy_from_slice(&(ms as u16).to_le_bytes());
            link.handle(now, &Message::Media(media(&packets[0])));
        }
        poll(&mut link, now);
    }
    assert_eq!(sent, [0, 100, 204, 314, 414, 514]);
}

/// Wants lossless mode, and has memory for a group.
fn lossless(group: &mut [ParityGroup]) -> Link<'_> {
    let mut link = Link::new(&mut []);
    link.lend_parity(group);
    link.start_lossless(Instant::ZERO);
    link
}

/// What is written of a frame of so many packets.
fn written(link: &mut Link<'_>, packetizer: &mut Packetizer, packets: usize) -> Vec<Vec<u8>> {
    let data: Vec<_> = (0..packets * 1024)
        .map(|i| (i * 7 + i / 1024 * 37) as u8)
        .collect();
    let mut out = packetizer.start(&OutFrame {
        stream: Stream::Video,
        key: true,
        info: FrameInfo::video(Codec::H264, 20, 0),
        data: &data,
    });
    let mut all = Vec::new();
    loop {
        let mut memory = [0; 1500];
        let mut tx = TxBuf::new(&mut memory);
        if !link.write_media(packetizer, &mut out, &mut tx).unwrap() {
            return all;
        }
        all.push(tx.finish().to_vec());
    }
}

fn is_parity(bytes: &[u8]) -> bool {
    matches!(Message::parse(bytes), Ok(Message::Parity(_)))
}

#[test]
fn a_group_begun_before_a_reset_is_no_part_of_the_next_stream() {
    let mut groups = [ParityGroup::new()];
    let mut link = lossless(&mut groups);
    assert_eq!(written(&mut link, &mut Packetizer::new(), 10).len(), 10);
    link.reset();
    link.start_lossless(Instant::ZERO);
    let after = written(&mut link, &mut Packetizer::new(), 21);
    let parity: Vec<_> = (0..after.len()).filter(|i| is_parity(&after[*i])).collect();
    assert_eq!(parity, [20], "behind twenty packets of its own");
    // The same of memory that held a group when it was lent.
    let mut link = lossless(&mut groups);
    let after = written(&mut link, &mut Packetizer::new(), 21);
    let parity: Vec<_> = (0..after.len()).filter(|i| is_parity(&after[*i])).collect();
    assert_eq!(parity, [20]);
}

#[test]
fn a_parity_packet_is_written_whole_or_not_at_all() {
    let mut groups = [ParityGroup::new()];
    let mut link = lossless(&mut groups);
    let mut packetizer = Packetizer::new();
    let data = [7; 20 * 1024];
    let mut out = packetizer.start(&OutFrame {
        stream: Stream::Video,
        key: true,
        info: FrameInfo::video(Codec::H264, 20, 0),
        data: &data,
    });
    let mut memory = [0; 1500];
    for _ in 0..20 {
        let mut tx = TxBuf::new(&mut memory);
        assert_eq!(
            link.write_media(&mut packetizer, &mut out, &mut tx),
            Ok(true)
        );
    }
    // Its group holds the longest packet there is.
    let needed = 8 + 8 + 20 + 20 + 1024 + 40;
    for (room, result) in [(needed - 1, Err(Full)), (needed, Ok(true))] {
        let mut tx = TxBuf::new(&mut memory[..room]);
        assert_eq!(link.write_media(&mut packetizer, &mut out, &mut tx), result);
        assert_eq!(tx.is_empty(), result.is_err());
    }
    assert_eq!(link.stats.tx_parity, 1);
}

#[test]
fn a_parity_packet_that_asks_for_statistics_gives_the_missing_packet_back() {
    let (mut ours, mut theirs) = ([ParityGroup::new()], [ParityGroup::new()]);
    let mut camera = lossless(&mut ours);
    let mut packets = written(&mut camera, &mut Packetizer::new(), 21);
    let lost = packets.remove(7);
    // The extension stands between the wrapper and what is protected.
    let parity = &mut packets[19];
    assert!(is_parity(parity));
    parity[1] |= FLAG_EXT;
    let at = size_of::<Outer>() + size_of::<FecBlock>();
    let extension = [0; size_of::<ExtBlock>()];
    parity.splice(at..at, extension);
    assert!(is_parity(parity));
    let mut app = lossless(&mut theirs);
    for bytes in &mut packets[..20] {
        let message = Message::parse(app.recover(bytes)).unwrap();
        if let Some(Event::Media(packet)) = app.handle(Instant::ZERO, &message)
            && app.stats.rx_recovered == 1
        {
            assert_eq!(packet.counter, media(&lost).counter);
            assert_eq!(packet.payload, media(&lost).payload);
            return;
        }
    }
    panic!("nothing was recovered");
}

#[test]
fn the_round_trip_is_smoothed_over_eight() {
    let mut link = lossless(&mut []);
    let mut echo = |now: u64, clock| {
        link.handle(Instant::from_millis(now), &Message::StatsReply { clock });
        link.rtt_ms()
    };
    assert_eq!(echo(1080, 1000), Some(80));
    assert_eq!(echo(2000, 2000), Some(70));
    assert_eq!(echo(3150, 3000), Some(80));
    assert_eq!(echo(9000, 5000), Some(80), "too long ago");
    assert_eq!(echo(9999, 6000), Some(569), "just not");
    assert_eq!(link.stats.rx_unexpected, 1);
}

#[test]
fn a_clock_that_was_never_sent_is_not_believed() {
    let mut link = Link::new(&mut []);
    let echo = Message::StatsReply { clock: 0 };
    link.handle(Instant::from_millis(10), &echo);
    assert_eq!((link.rtt_ms(), link.stats.rx_unexpected), (None, 1));
}

#[test]
fn the_highest_counter_is_the_furthest_wherever_the_stream_begins() {
    for (counters, highest) in [
        (&[0x9000u16][..], 0x9000u16),
        (&[0x9000, 0x8fff], 0x9000),
        (&[5, 0xfff0], 5),
        (&[0xfff0, 5], 5),
        (&[0x7000, 0xe000, 0x4000], 0x4000),
    ] {
        let mut link = Link::new(&mut []);
        for counter in counters {
            let mut packets = frame_packets(1, true, b"a frame");
            packets[0][10..12].copy_from_slice(&counter.to_le_bytes());
            link.handle(Instant::ZERO, &Message::Media(media(&packets[0])));
        }
        link.start_acks(Instant::ZERO);
        let mut memory = [0; 64];
        let mut tx = TxBuf::new(&mut memory);
        assert_eq!(link.poll_transmit(Instant::ZERO, &mut tx), Ok(true));
        let Ok(Message::Ack(ack)) = Message::parse(tx.payload()) else {
            panic!()
        };
        assert_eq!(ack.highest, highest, "{counters:x?}");
    }
}
