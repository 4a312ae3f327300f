//! Lossless mode: what arrives over a bad network, what goes over the wire for it, and what hostile ACKs cost.

use std::time::Duration;

use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use tutk_av::*;
use tutk_core::{Cx, Datagram, Instant, Layer, TxBuf};

use crate::common::*;
use crate::lossy::{Mode, Network, Outcome, run};

fn network(loss: u64, reorder: u64) -> Network {
    Network {
        loss,
        reorder,
        duplicate: 0,
    }
}

fn assert_all_delivered(seen: &Outcome) {
    assert_eq!(seen.video_delivered, seen.video_sent, "{seen:?}");
    assert_eq!(seen.audio_delivered, seen.audio_sent, "{seen:?}");
}

#[test]
fn without_resend_reordering_alone_loses_nothing() {
    assert_all_delivered(&run(Mode::Off, network(0, 200), 20, 1));
}

#[test]
fn without_resend_loss_costs_frames() {
    let seen = run(Mode::Off, network(20, 0), 20, 2);
    assert!(seen.video_delivered < seen.video_sent / 2, "{seen:?}");
    assert_eq!(seen.camera.tx_resent, 0);
}

#[test]
fn with_resend_two_percent_loss_costs_no_frame() {
    let seen = run(Mode::Resend, network(20, 0), 30, 3);
    assert_all_delivered(&seen);
    assert!(seen.extra_per_lost() < 1.3, "{}", seen.extra_per_lost());
    assert!(seen.app.rx_repaired > 200 && seen.app.rx_abandoned == 0);
}

#[test]
fn with_resend_reordering_costs_no_frame_and_hardly_a_copy() {
    let seen = run(Mode::Resend, network(0, 200), 30, 4);
    assert_all_delivered(&seen);
    // Until it has learned how late packets can come, it asks too early for some.
    assert!(seen.camera.tx_resent < 50, "{seen:?}");
}

#[test]
fn with_resend_five_percent_loss_costs_hardly_a_frame() {
    let seen = run(Mode::Resend, network(50, 200), 30, 5);
    assert!(
        seen.video_delivered * 1000 >= seen.video_sent * 995,
        "{seen:?}"
    );
    assert!(seen.extra_per_lost() < 1.3, "{}", seen.extra_per_lost());
}

#[test]
fn parity_spares_requests_for_single_losses() {
    let with = run(Mode::ResendAndParity, network(10, 0), 20, 6);
    assert_all_delivered(&with);
    let without = run(Mode::Resend, network(10, 0), 20, 6);
    assert!(with.app.rx_recovered > 50, "{with:?}");
    assert!(
        with.camera.tx_resent * 4 < without.camera.tx_resent * 3,
        "{with:?} {without:?}"
    );
}

#[test]
fn duplicates_are_no_reason_for_anything() {
    let twice = Network {
        duplicate: 1000,
        ..network(0, 0)
    };
    let seen = run(Mode::ResendAndParity, twice, 5, 7);
    assert_all_delivered(&seen);
    assert_eq!((seen.app.rx_holes, seen.camera.tx_resent), (0, 0));
}

pub(crate) struct Pair<'m> {
    pub(crate) cx: Cx<'m>,
    pub(crate) app: Initiator<'m>,
    pub(crate) camera: Responder<'m>,
    packetizer: Packetizer,
}

const MEMORY: usize = 100 * RESEND_SLOT;

/// Both sides in lossless mode, with nothing under way; `armed`: the camera's clock has been echoed.
pub(crate) fn with_pair(armed: bool, test: impl FnOnce(&mut Pair<'_>)) {
    with_parity(armed, false, test);
}

pub(crate) fn with_parity(armed: bool, parity: bool, test: impl FnOnce(&mut Pair<'_>)) {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let mut cx = Cx::new(Instant::ZERO, &mut rng);
    let (mut repair, mut copies) = (RepairMemory::new(), vec![0; MEMORY]);
    let login = LoginConfig {
        user: b"admin",
        password: b"sim-enr-16byte!!",
        resend: true,
    };
    let config = ResponderConfig {
        resend: true,
        ..Default::default()
    };
    let mut app = Initiator::new(&login, &mut [], &mut cx);
    app.lend_repair(&mut repair, RepairConfig::DEFAULT);
    let mut camera = Responder::new(&config, &mut [], &mut cx);
    camera.lend_resend(&mut copies);
    let (mut groups, mut own_group) = ([const { ParityGroup::new() }; 2], ParityGroup::new());
    if parity {
        app.lend_parity(&mut groups);
        camera.lend_parity(&mut own_group);
    }
    let mut pair = Pair {
        cx,
        app,
        camera,
        packetizer: Packetizer::new(),
    };
    let login = take(&mut pair.app, &mut pair.cx);
    pair.give_camera(&login);
    pair.advance(50);
    let mut answer = take(&mut pair.camera, &mut pair.cx);
    answer.retain(|bytes| armed || !matches!(Message::parse(bytes), Ok(Message::StatsRequest(_))));
    pair.give_app(&answer);
    assert!(pair.app.is_lossless() && pair.camera.is_lossless());
    let echoes = take(&mut pair.app, &mut pair.cx);
    pair.give_camera(&echoes);
    let echoes = take(&mut pair.camera, &mut pair.cx);
    pair.give_app(&echoes);
    assert_eq!(pair.app.rtt_ms(), Some(0));
    assert_eq!(pair.camera.rtt_ms(), armed.then_some(0));
    test(&mut pair);
}

pub(crate) fn take<L: Layer>(layer: &mut L, cx: &mut Cx<'_>) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    loop {
        let mut memory = [0; 1200];
        let mut tx = TxBuf::new(&mut memory);
        if !layer.poll_transmit(cx, &mut tx).unwrap() {
            return all;
        }
        all.push(tx.finish().to_vec());
        assert!(all.len() < 1000, "poll_transmit has no end");
    }
}

impl Pair<'_> {
    pub(crate) fn advance(&mut self, millis: u64) {
        self.cx.now += Duration::from_millis(millis);
        self.app.handle_timeout(&mut self.cx).unwrap();
        self.camera.handle_timeout(&mut self.cx).unwrap();
    }

    pub(crate) fn give_camera(&mut self, messages: &[Vec<u8>]) {
        for message in messages {
            let mut bytes = message.clone();
            let mut input = Datagram::new("192.0.2.7:1".parse().unwrap(), &mut bytes);
            self.camera
                .handle_datagram(&mut self.cx, &mut input)
                .unwrap();
        }
    }

    /// Counters of the media packets, and whether they are copies.
    pub(crate) fn give_app(&mut self, messages: &[Vec<u8>]) -> Vec<(u16, bool)> {
        let mut seen = Vec::new();
        for message in messages {
            let mut bytes = message.clone();
            let mut input = Datagram::new("192.0.2.7:1".parse().unwrap(), &mut bytes);
            let event = self.app.handle_datagram(&mut self.cx, &mut input).unwrap();
            if let Some(Event::Media(packet)) = event {
                seen.push((packet.counter, packet.resent));
            }
        }
        seen
    }

    /// The packets of a frame of so many.
    pub(crate) fn frame(&mut self, packets: usize) -> Vec<Vec<u8>> {
        let data = vec![0x5a; (packets - 1) * 1024 + 500];
        let mut out = self.packetizer.start(&video_frame(true, &data));
        let mut all = Vec::new();
        loop {
            let mut memory = [0; 1200];
            let mut tx = TxBuf::new(&mut memory);
            if !self
                .camera
                .write_media(&mut self.packetizer, &mut out, &mut tx)
                .unwrap()
            {
                return all;
            }
            all.push(tx.finish().to_vec());
        }
    }

    /// What the app asks for now: edge and list of each ACK that has one.
    pub(crate) fn requests(&mut self) -> Vec<(u16, Vec<u16>)> {
        let mut requests = Vec::new();
        for message in take(&mut self.app, &mut self.cx) {
            if let Ok(Message::Ack(ack)) = Message::parse(&message)
                && ack.missing().next().is_some()
            {
                requests.push((ack.from, ack.missing().collect()));
            }
            self.give_camera(&[message]);
        }
        requests
    }
}

#[test]
fn media_is_wrapped_and_counted_from_zero_in_groups_of_twenty() {
    with_pair(true, |pair| {
        let packets = pair.frame(45);
        for (i, bytes) in packets.iter().enumerate() {
            let packet = media(bytes);
            let place = FecPlace {
                group: i as u16 / 20,
                index: i as u8 % 20,
                size: 20,
            };
            assert_eq!((packet.fec, packet.counter), (Some(place), i as u16));
        }
        assert_eq!(
            packets[0][..16],
            hex::decode("0c000c00000000000000001401000000").unwrap()
        );
    });
}

#[test]
fn a_hole_is_asked_for_after_the_allowance_and_again_until_the_copy_comes() {
    with_pair(true, |pair| {
        let mut packets = pair.frame(10);
        packets.remove(6);
        packets.remove(3);
        pair.give_app(&packets);
        assert_eq!(pair.requests(), []);
        assert_eq!(
            pair.app.poll_timeout(),
            Some(pair.cx.now + Duration::from_millis(20))
        );
        pair.advance(20);
        assert_eq!(pair.requests(), [(2, vec![3, 6])]);
        let copies = take(&mut pair.camera, &mut pair.cx);
        let copies: Vec<_> = copies.iter().filter(|bytes| bytes[0] == 0x0c).collect();
        assert_eq!(copies.len(), 2);
        assert_eq!(
            (copies[0][16], copies[1][16]),
            (6, 6),
            "key frame, sent again"
        );
        let second = copies[1].clone();
        assert_eq!(pair.give_app(&[second]), [(6, true)]);
        // The first copy was lost.
        pair.advance(99);
        assert_eq!(pair.requests(), []);
        pair.advance(1);
        assert_eq!(
            pair.requests(),
            [(2, vec![3, 3])],
            "a list of one is not understood"
        );
        let copies = take(&mut pair.camera, &mut pair.cx);
        assert_eq!(pair.give_app(&copies), [(3, true)]);
        pair.advance(500);
        assert_eq!(pair.requests(), []);
        assert_eq!(
            (pair.app.stats().rx_repaired, pair.app.stats().rx_abandoned),
            (2, 0)
        );
    });
}

#[test]
fn a_hole_is_given_up_at_the_deadline() {
    with_pair(true, |pair| {
        let mut packets = pair.frame(10);
        packets.remove(3);
        pair.give_app(&packets);
        let begin = pair.cx.now;
        let mut asked = Vec::new();
        for _ in 0..1000 {
            pair.advance(1);
            for request in pair.requests() {
                asked.push((pair.cx.now.since(begin).as_millis(), request));
            }
            take(&mut pair.camera, &mut pair.cx);
        }
        let expected: Vec<_> = (0..6).map(|i| (20 + 100 * i, (2, vec![3, 3]))).collect();
        assert_eq!(asked, expected);
        assert_eq!(pair.app.stats().rx_abandoned, 1);
    });
}

#[test]
fn a_packet_that_was_only_late_is_not_asked_for_and_teaches_patience() {
    with_pair(true, |pair| {
        for (late, asked) in [(18, false), (22, false), (40, true), (40, false)] {
            let mut packets = pair.frame(10);
            let straggler = packets.remove(3);
            pair.give_app(&packets);
            let mut any = false;
            for _ in 0..late {
                pair.advance(1);
                any |= !pair.requests().is_empty();
            }
            assert_eq!(any, asked, "{late} ms late");
            pair.give_app(&[straggler]);
        }
    });
}

#[test]
fn the_beginning_of_a_stream_is_asked_for_too() {
    with_pair(true, |pair| {
        let packets = pair.frame(10);
        pair.give_app(&packets[2..]);
        pair.advance(20);
        assert_eq!(pair.requests(), [(0xffff, vec![0, 1])]);
        let copies = take(&mut pair.camera, &mut pair.cx);
        assert_eq!(pair.give_app(&copies), [(0, true), (1, true)]);
    });
}

#[test]
fn an_outage_is_asked_for_in_part_and_a_stream_that_begins_anew_is_followed() {
    with_pair(true, |pair| {
        for packets in [900, 2000] {
            let first = pair.frame(1);
            pair.give_app(&first);
            let lost = pair.frame(packets);
            let next = pair.frame(20);
            pair.give_app(&lost[lost.len() - 1..]);
            pair.give_app(&next);
            pair.advance(60);
            for (_, list) in pair.requests() {
                assert!(list.len() <= 128);
            }
            for _ in 0..100 {
                pair.advance(10);
                pair.requests();
            }
        }
        // The second outage was too long.
        assert_eq!(pair.app.stats().rx_holes, 899);
        let stats = pair.app.stats();
        assert_eq!(stats.rx_abandoned, stats.rx_holes, "copies were lost, too");
        // Nothing is missing for good: the next hole is asked for as ever.
        let mut packets = pair.frame(10);
        packets.remove(5);
        pair.give_app(&packets);
        pair.advance(60);
        assert_eq!(pair.requests().len(), 1);
    });
}

#[test]
fn counters_wrap() {
    with_pair(true, |pair| {
        let mut asked = 0;
        for _ in 0..7000 {
            let mut packets = pair.frame(10);
            packets.remove(4);
            assert_eq!(pair.give_app(&packets).len(), 9);
            pair.advance(20);
            asked += pair.requests().len();
            let copies = take(&mut pair.camera, &mut pair.cx);
            pair.give_app(&copies);
        }
        let stats = pair.app.stats();
        assert_eq!(
            (asked, stats.rx_repaired, stats.rx_abandoned),
            (7000, 7000, 0)
        );
        assert_eq!(stats.rx_resent_in_vain, 0);
    });
}

#[test]
fn nothing_is_sent_again_before_the_statistics_exchange() {
    with_pair(false, |pair| {
        let mut packets = pair.frame(10);
        packets.remove(3);
        pair.give_app(&packets);
        pair.advance(20);
        assert_eq!(pair.requests().len(), 1);
        let sent = take(&mut pair.camera, &mut pair.cx);
        assert!(sent.iter().all(|bytes| bytes[0] != 0x0c));
    });
}

/// An ACK that lists `missing`.
pub(crate) fn ack(missing: impl ExactSizeIterator<Item = u16>) -> Vec<u8> {
    let mut bytes = hex::decode("09000c000000000000000000ffff").unwrap();
    bytes.extend((missing.len() as u16).to_le_bytes());
    bytes.extend([0; 6]);
    bytes.extend(missing.flat_map(u16::to_le_bytes));
    bytes
}

#[test]
fn a_hostile_ack_costs_a_bounded_number_of_copies() {
    with_pair(true, |pair| {
        pair.frame(300);
        for round in 0..20 {
            pair.give_camera(&[ack(0..700), ack((0..700).map(|_| 250)), ack((0..700).rev())]);
            let copies = take(&mut pair.camera, &mut pair.cx);
            let copies = copies.iter().filter(|bytes| bytes[0] == 0x0c).count();
            // 100 copies are kept; those of the rounds before are still under way.
            assert_eq!(copies, [64, 36, 0][round.min(2)], "round {round}");
        }
        let mut cut = ack(0..700);
        cut.truncate(700);
        pair.give_camera(&[cut, ack([].into_iter())]);
        assert_eq!(pair.camera.stats().rx_malformed, 1);
    });
}

#[test]
fn reset_forgets_the_copies_and_the_mode() {
    with_pair(true, |pair| {
        pair.frame(10);
        pair.give_camera(&[ack(0..5)]);
        pair.camera.reset();
        assert!(!pair.camera.is_lossless() && pair.camera.rtt_ms().is_none());
        assert_eq!(take(&mut pair.camera, &mut pair.cx), Vec::<Vec<u8>>::new());
        assert_eq!(pair.camera.poll_timeout(), None);
    });
}

#[test]
fn parity_gives_back_the_one_packet_that_is_missing_of_its_group() {
    with_parity(true, true, |pair| {
        let whole = pair.frame(40);
        assert_eq!(whole.len(), 42, "a parity packet behind every twenty");
        for (missing, comes) in [(vec![7], true), (vec![19], true), (vec![3, 7], false)] {
            let packets = pair.frame(40);
            let lost: Vec<_> = missing.iter().map(|i| media(&packets[*i])).collect();
            let mut back = None;
            for (i, packet) in packets.iter().enumerate() {
                if missing.contains(&i) {
                    continue;
                }
                let mut bytes = packet.clone();
                let mut input = Datagram::new("192.0.2.7:1".parse().unwrap(), &mut bytes);
                let event = pair.app.handle_datagram(&mut pair.cx, &mut input).unwrap();
                if let (20, Some(Event::Media(packet))) = (i, event) {
                    assert_eq!(
                        (packet.counter, packet.index),
                        (lost[0].counter, lost[0].index)
                    );
                    assert_eq!(
                        (packet.payload, packet.info),
                        (lost[0].payload, lost[0].info)
                    );
                    back = Some(packet.counter);
                }
            }
            assert_eq!(back.is_some(), comes, "{missing:?}");
        }
        assert_eq!(pair.app.stats().rx_recovered, 2);
        assert_eq!(pair.app.stats().rx_parity, 6);
    });
}

#[test]
fn parity_that_does_not_yield_the_missing_packet_is_dropped() {
    with_parity(true, true, |pair| {
        // Inner type, counter, payload length of what would come out; group; group size.
        for (at, value) in [(36, 0x40), (38, 1), (45, 0x80), (9, 1), (11, 1)] {
            let mut packets = pair.frame(20);
            packets.remove(7);
            packets[19][at] ^= value;
            assert_eq!(pair.give_app(&packets).len(), 19, "byte {at}");
        }
        assert_eq!(pair.app.stats().rx_recovered, 0);
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn mutated_messages_do_no_harm_in_lossless_mode(
        mutations in proptest::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>(), 0u8..8), 1..60),
    ) {
        with_parity(true, true, |pair| {
            let mut samples = pair.frame(45);
            samples.extend([ack(0..45), ack(0..700), ack([].into_iter())]);
            samples.push(hex::decode("0b000c00000000003200010001000000000000000000").unwrap());
            samples.push(hex::decode("0a080c00000000003200010001000000").unwrap());
            for (which, at, value, cut) in mutations {
                let mut bytes = which.get(&samples).clone();
                let len = bytes.len();
                bytes[at.index(len.min(48))] = value;
                if cut == 0 {
                    bytes.truncate(at.index(len));
                }
                pair.give_camera(&[bytes.clone()]);
                pair.give_app(&[bytes]);
                assert!(take(&mut pair.app, &mut pair.cx).len() < 10);
                assert!(take(&mut pair.camera, &mut pair.cx).len() < 80);
                pair.advance(20);
            }
        });
    }
}
