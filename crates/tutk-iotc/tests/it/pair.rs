//! A client against a device over a network with loss, duplicates, reordering and changing addresses.

use std::time::Duration;

use rand_chacha::rand_core::SeedableRng;
use tutk_core::{Cx, Instant, Layer, TxBuf};
use tutk_iotc::{
    CONFIRM_GAP, Client, ClientConfig, Device, DeviceConfig, Error, Framing, Framings, IDLE_LIMIT,
    MAX_TARGETS, SESSION_INTERVAL, WrapError, wire,
};

use crate::common::{
    BROADCAST, FixedRng, HINT, Net, Seen, Side, addr, drain, give, key, plain, uid,
};

const FRAMINGS: [Framings; 2] = [Framings::TRANSCODE, Framings::CC51];
const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_session_opens_in_every_pairing_of_framings_over_a_bad_network() {
    for (client, device) in [
        (Framings::BOTH, Framings::TRANSCODE),
        (Framings::BOTH, Framings::CC51),
        (Framings::BOTH, Framings::BOTH),
        (Framings::TRANSCODE, Framings::BOTH),
        (Framings::CC51, Framings::BOTH),
    ] {
        for seed in 0..200 {
            let mut net = Net::new(seed, client, device);
            net.loss = 10;
            net.duplicates = 10;
            net.jitter = Duration::from_millis(20);
            net.run(8 * SECOND);
            let framing = net.client.framing();
            assert!(framing.is_some(), "seed {seed}, {client:?}, {device:?}");
            assert_eq!(framing, net.device.framing(), "seed {seed}");
            assert_eq!(net.client.peer(), Some(net.device_at));
            assert_eq!(net.device.peer(), Some(net.client_at));
            let opens = |side| {
                let seen = net.seen_by(side);
                seen.iter().filter(|e| matches!(e, Seen::Open(_))).count()
            };
            assert_eq!((opens(Side::Client), opens(Side::Device)), (1, 1));
            assert_eq!(net.failed, []);
        }
    }
}

#[test]
fn a_good_network_opens_a_session_in_two_round_trips_and_over_transcode_a_gap() {
    for framing in FRAMINGS {
        let mut net = Net::new(1, Framings::BOTH, framing);
        let gap = if framing == Framings::CC51 {
            Duration::ZERO
        } else {
            CONFIRM_GAP
        };
        net.run(Duration::from_millis(4) + gap);
        assert!(net.client.is_open(), "round trips of 2 ms");
    }
}

#[test]
fn an_answer_to_a_search_is_followed_by_one_datagram_and_after_a_gap_by_another() {
    let mut net = Net::new(1, Framings::TRANSCODE, Framings::TRANSCODE);
    let mut cx = Cx::new(Instant::ZERO, &mut net.rng);
    let search = drain(&mut net.client, &mut cx).remove(0).1;
    give(&mut net.device, &mut cx, net.client_at, &search).unwrap();
    let answer = drain(&mut net.device, &mut cx).remove(0).1;
    give(&mut net.client, &mut cx, net.device_at, &answer).unwrap();
    let lengths = |net: &mut Net, now: Duration| -> Vec<usize> {
        let mut cx = Cx::new(Instant::ZERO + now, &mut net.rng);
        net.client.handle_timeout(&mut cx).unwrap();
        let sent = drain(&mut net.client, &mut cx);
        sent.iter().map(|(_, bytes)| bytes.len()).collect()
    };
    assert_eq!(lengths(&mut net, Duration::ZERO), [88], "0x0601 of stage 2");
    let early = CONFIRM_GAP - Duration::from_micros(1);
    assert_eq!(lengths(&mut net, early), [0; 0]);
    assert_eq!(lengths(&mut net, CONFIRM_GAP), [52], "0x0402");
    let again = CONFIRM_GAP + SESSION_INTERVAL;
    assert_eq!(
        lengths(&mut net, again),
        [88, 52],
        "both, until there is an answer"
    );
}

#[test]
fn the_first_probes_go_to_every_target_in_both_framings_at_once_and_then_every_250_ms() {
    let mut net = Net::new(1, Framings::BOTH, Framings::BOTH);
    let mut cx = Cx::new(net.now, &mut net.rng);
    let probes = drain(&mut net.client, &mut cx);
    let to: Vec<_> = probes.iter().map(|(to, _)| *to).collect();
    assert_eq!(to, [HINT, HINT, BROADCAST, BROADCAST].map(addr));
    let sizes: Vec<_> = probes.iter().map(|(_, b)| b.len()).collect();
    assert_eq!(sizes, [88, 52, 88, 52]);
    assert_eq!(net.client.poll_timeout(), Some(Instant::from_millis(250)));

    let mut early = Cx::new(Instant::from_millis(249), &mut net.rng);
    net.client.handle_timeout(&mut early).unwrap();
    assert!(drain(&mut net.client, &mut early).is_empty());
    let mut due = Cx::new(Instant::from_millis(250), &mut net.rng);
    net.client.handle_timeout(&mut due).unwrap();
    assert_eq!(drain(&mut net.client, &mut due), probes);
}

#[test]
fn repeated_and_surplus_targets_are_left_out() {
    let targets: Vec<_> = (0..20)
        .map(|i| addr(&format!("192.0.2.{}:32761", i / 2)))
        .collect();
    let mut rng = crate::common::FixedRng::new(&[7; 8]);
    let mut cx = Cx::new(Instant::ZERO, &mut rng);
    let config = ClientConfig::new(uid(), key(), &targets);
    let mut client = tutk_iotc::Client::new(&config, &mut cx);
    let probes = drain(&mut client, &mut cx);
    assert_eq!(probes.len(), 2 * MAX_TARGETS);
    assert_eq!(probes[15].0, addr("192.0.2.7:32761"));
}

#[test]
fn payloads_arrive_unchanged_both_ways_on_both_channels() {
    for framing in FRAMINGS {
        let mut net = Net::open(2, framing);
        for len in [1, 3, 35, 36, 37, 300, 1400] {
            for (channel, side, other) in [
                (0, Side::Client, Side::Device),
                (1, Side::Client, Side::Device),
                (0, Side::Device, Side::Client),
                (1, Side::Device, Side::Client),
            ] {
                let payload: Vec<u8> = (0..len).map(|i| (i * 7) as u8).collect();
                net.payload(side, channel, &payload);
                net.run(Duration::from_millis(2));
                assert_eq!(
                    net.seen_by(other).last(),
                    Some(&Seen::Data(channel, payload))
                );
            }
        }
    }
}

#[test]
fn without_dtls_the_whole_packet_is_scrambled() {
    let mut config = DeviceConfig::new(uid(), key());
    config.framings = Framings::TRANSCODE;
    for secure in [true, false] {
        config.secure = secure;
        let mut net = Net::with(2, Framings::TRANSCODE, &config);
        net.run(SECOND);
        net.sent.clear();
        net.payload(Side::Device, 0, &[0; 200]);
        let packet = &net.sent[0].1;
        assert_eq!(packet[64..] == [0; 164], secure);
        assert_eq!(plain(packet)[3], if secure { 0x0b } else { 0x0a });
        net.run(SECOND);
        assert_eq!(
            net.seen_by(Side::Client).last(),
            Some(&Seen::Data(0, vec![0; 200]))
        );
    }
}

#[test]
fn encryption_is_a_matter_of_each_packet() {
    let mut net = Net::with(2, Framings::TRANSCODE, &DeviceConfig::new(uid(), key()));
    net.run(SECOND);
    for encrypted in [false, true] {
        net.device.set_encrypted(encrypted);
        net.client.set_encrypted(encrypted);
        for (side, other) in [(Side::Device, Side::Client), (Side::Client, Side::Device)] {
            net.sent.clear();
            net.payload(side, 0, &[0; 200]);
            let packet = plain(&net.sent[0].1);
            assert_eq!(
                (packet[3], packet[15]),
                if encrypted { (0x0b, 1) } else { (0x0a, 0) }
            );
            net.run(SECOND);
            assert_eq!(
                net.seen_by(other).last(),
                Some(&Seen::Data(0, vec![0; 200]))
            );
        }
    }
}

#[test]
fn a_client_knows_the_version_of_its_device_where_dtls_may_be_missing() {
    for (framings, version, known) in [
        (Framings::TRANSCODE, 0x12, Some(0x12)),
        (Framings::TRANSCODE, 0x19, Some(0x19)),
        (Framings::CC51, 0x12, None),
    ] {
        let mut config = DeviceConfig::new(uid(), key());
        config.version = version;
        config.framings = framings;
        let mut net = Net::with(2, Framings::BOTH, &config);
        assert_eq!(net.client.peer_version(), None);
        net.run(SECOND);
        assert!(net.client.is_open());
        assert_eq!(net.client.peer_version(), known);
        net.payload(Side::Device, 0, &[1]);
        let packet = &net.sent.last().unwrap().1;
        if known.is_some() {
            assert_eq!(plain(packet)[2], version, "every packet bears it");
        }
    }
}

#[test]
fn silence_is_no_answer_after_exactly_the_limit() {
    let mut net = Net::new(3, Framings::BOTH, Framings::BOTH);
    net.loss = 100;
    net.run(10 * SECOND);
    let limit = Instant::from_millis(5000);
    assert_eq!(net.failed, [(limit, Side::Client, Error::NoAnswer)]);
    assert_eq!(net.client.poll_timeout(), None);
    assert_eq!(
        net.client.stats().tx_repeats,
        19,
        "4 a second, less the last"
    );
}

#[test]
fn answers_of_another_device_only_are_told_apart_from_silence() {
    let mut net = Net::new(3, Framings::BOTH, Framings::TRANSCODE);
    let mut rng = crate::common::FixedRng::new(&[]);
    let other = DeviceConfig::new("OTHERCAMERAOTHERCAM1".parse().unwrap(), key());
    net.device = tutk_iotc::Device::new(&other, &mut Cx::new(Instant::ZERO, &mut rng));
    net.run(SECOND);
    assert_eq!(
        net.seen,
        [],
        "it does not answer a search for somebody else"
    );
    assert_eq!(net.device.stats().rx_foreign_uid, 4, "searches a second");

    // One that answers every search.
    let reply = wire::SearchReply::new(*b"OTHERCAMERAOTHERCAM1", [0; 8]);
    let mut answer = zerocopy::IntoBytes::as_bytes(&reply).to_vec();
    tutk_transcode::encode(&mut answer);
    net.deliver(Side::Client, net.device_at, &answer);
    let stats = net.client.stats();
    assert_eq!((stats.rx_datagrams, stats.rx_foreign_uid), (1, 1));
    net.run(5 * SECOND);
    let limit = Instant::from_millis(5000);
    assert_eq!(net.failed, [(limit, Side::Client, Error::OtherDevice)]);
}

#[test]
fn a_wrong_auth_key_is_silence_over_cc51() {
    let mut config = DeviceConfig::new(uid(), tutk_iotc::AuthKey::new(*b"wrongkey"));
    config.framings = Framings::CC51;
    let mut net = Net::with(4, Framings::BOTH, &config);
    net.run(6 * SECOND);
    assert_eq!(net.failed[0].2, Error::NoAnswer);
    assert!(net.device.stats().rx_bad_mac > 0);
}

#[test]
fn a_full_camera_refuses_over_cc51_and_lets_transcode_go_on_after_2_s() {
    let mut config = DeviceConfig::new(uid(), key());
    config.accept = false;
    config.framings = Framings::CC51;
    let mut net = Net::with(5, Framings::BOTH, &config);
    net.run(10 * SECOND);
    assert_eq!(net.failed.len(), 1);
    assert_eq!(net.failed[0].2, Error::NotConfirmed);
    assert!(net.device.stats().rx_refused > 0);

    config.framings = Framings::TRANSCODE;
    let mut net = Net::with(5, Framings::BOTH, &config);
    net.run(Duration::from_millis(1990));
    assert!(!net.client.is_open());
    net.run(Duration::from_millis(20));
    assert!(net.client.is_open());
    let open = Seen::Open(Framing::TransCode);
    assert_eq!(net.seen_by(Side::Client).last(), Some(&open));
}

#[test]
fn an_idle_session_lives_for_minutes() {
    for framing in FRAMINGS {
        for seed in 0..20 {
            let mut net = Net::open(seed, framing);
            net.loss = 10;
            net.run(120 * SECOND);
            assert_eq!(
                (&net.failed[..], net.seen.len()),
                (&[][..], 0),
                "seed {seed}"
            );
            let packets = net.sent.len();
            assert!(
                (50..400).contains(&packets),
                "{packets} packets in 2 minutes"
            );
        }
    }
}

#[test]
fn alive_packets_stop_where_payloads_flow() {
    for framing in FRAMINGS {
        let mut net = Net::open(6, framing);
        for _ in 0..100 {
            net.payload(Side::Client, 0, b"ack");
            net.payload(Side::Device, 0, b"frame");
            net.run(Duration::from_millis(100));
        }
        assert_eq!(net.sent.len(), 200);
        // Before: a search, a confirmation and a request, or two steps; the other target's search went astray.
        let control = if framing == Framings::TRANSCODE { 4 } else { 3 };
        assert_eq!(net.client.stats().tx_packets, 100 + control);
        assert_eq!(net.device.stats().tx_packets, 100 + 2);
    }
}

/// As a viewer of the oldest firmware does, which acknowledges no media: alives are all that tells its camera where it is.
#[test]
fn a_client_that_only_listens_is_heard_every_two_seconds() {
    let mut net = Net::open(10, Framings::TRANSCODE);
    let before = net.client.stats().tx_packets;
    for _ in 0..200 {
        net.payload(Side::Device, 0, b"frame");
        net.run(Duration::from_millis(100));
    }
    let alives = net.client.stats().tx_packets - before;
    assert!((9..=20).contains(&alives), "{alives} in 20 s");
}

#[test]
fn a_peer_that_vanished_is_noticed_after_the_idle_limit() {
    for framing in FRAMINGS {
        let mut net = Net::open(7, framing);
        net.loss = 100;
        let start = net.now;
        net.run(60 * SECOND);
        let mut sides: Vec<_> = net.failed.iter().map(|(_, side, e)| (*side, *e)).collect();
        sides.sort_by_key(|(side, _)| *side == Side::Device);
        let gone = Error::AliveTimeout;
        assert_eq!(sides, [(Side::Client, gone), (Side::Device, gone)]);
        assert!(net.failed.iter().all(|(at, ..)| *at - start <= IDLE_LIMIT));
        assert!(!net.client.is_open() && !net.device.is_bound());
    }
}

#[test]
fn close_frees_the_device_even_when_two_of_three_are_lost() {
    let mut net = Net::open(8, Framings::TRANSCODE);
    net.client.close();
    let mut cx = Cx::new(net.now, &mut net.rng);
    let closes = drain(&mut net.client, &mut cx);
    assert_eq!(closes.len(), 3);
    net.deliver(Side::Device, net.client_at, &closes[2].1);
    assert_eq!(net.seen_by(Side::Device), [Seen::Closed]);
    assert!(!net.device.is_bound());
    assert_eq!(net.client.poll_timeout(), None);

    let mut cx = Cx::new(net.now, &mut net.rng);
    net.device.reset(&mut cx);
    assert_eq!(net.device.stats().rx_datagrams, 0);
    assert_eq!((net.device.peer(), net.device.framing()), (None, None));
}

#[test]
fn a_device_that_closes_tells_its_client() {
    let mut net = Net::open(9, Framings::TRANSCODE);
    net.device.close();
    net.run(SECOND);
    assert_eq!(net.seen_by(Side::Client), [Seen::Closed]);
    assert!(!net.client.is_open() && !net.device.is_bound());
}

#[test]
fn the_upper_layer_has_the_last_word_between_close_and_the_closes() {
    for framing in FRAMINGS {
        let mut net = Net::open(10, framing);
        net.client.close();
        net.payload(Side::Client, 0, b"close_notify");
        net.run(SECOND);
        let seen = net.seen_by(Side::Device);
        assert_eq!(seen[0], Seen::Data(0, b"close_notify".to_vec()));
        let closed = framing == Framings::TRANSCODE;
        assert_eq!(seen.last() == Some(&Seen::Closed), closed);
    }
}

#[test]
fn a_close_before_the_session_is_confirmed_frees_the_slot_too() {
    let mut net = Net::new(10, Framings::TRANSCODE, Framings::TRANSCODE);
    net.run(CONFIRM_GAP + Duration::from_millis(3)); // 0x0402 has arrived, 0x0404 has not
    assert!(net.device.is_bound() && !net.client.is_open());
    net.client.close();
    net.run(SECOND);
    assert!(!net.device.is_bound());
}

#[test]
fn a_new_source_port_is_adopted_by_proof_before_dtls_and_by_dtls_after() {
    for framing in FRAMINGS {
        let mut net = Net::open(11, framing);
        net.client_at = addr("192.0.2.1:50001");
        net.payload(Side::Client, 0, b"moved");
        net.run(Duration::from_millis(10));
        assert_eq!(net.device.peer(), Some(net.client_at), "{framing:?}");

        net.device.set_secured(true);
        let old = net.client_at;
        net.client_at = addr("203.0.113.9:1");
        net.payload(Side::Client, 0, b"moved again");
        net.run(Duration::from_millis(10));
        assert_eq!(
            net.seen_by(Side::Device).last(),
            Some(&Seen::Data(0, b"moved again".to_vec()))
        );
        assert_eq!(
            net.device.peer(),
            Some(old),
            "a session id proves nothing now"
        );
        net.device.authenticated(net.client_at);
        assert_eq!(net.device.peer(), Some(net.client_at));
        assert_eq!(net.device.stats().peer_moved, 2);
    }
}

#[test]
fn the_camera_may_move_too() {
    for framing in FRAMINGS {
        let mut net = Net::open(12, framing);
        net.device_at = addr("192.0.2.77:40000");
        net.payload(Side::Device, 0, b"moved");
        net.run(Duration::from_millis(10));
        assert_eq!(net.client.peer(), Some(net.device_at));
        net.client.set_secured(true);
        net.device_at = addr("192.0.2.77:40001");
        net.payload(Side::Device, 0, b"moved");
        net.run(Duration::from_millis(10));
        assert_ne!(net.client.peer(), Some(net.device_at));
        assert_eq!(net.client.stats().peer_moved, 1);
        net.client.authenticated(net.device_at);
        assert_eq!(net.client.peer(), Some(net.device_at));
        assert_eq!(net.client.stats().peer_moved, 2);
    }
}

#[test]
fn a_client_restarted_on_its_port_gets_a_session_after_silence_and_not_before() {
    for framing in FRAMINGS {
        let mut net = Net::open(13, framing);
        net.payload(Side::Client, 0, b"last words");
        net.run(Duration::from_millis(1));
        net.seen.clear();
        let targets = [addr(BROADCAST)];
        let mut config = ClientConfig::new(uid(), key(), &targets);
        config.framings = framing;
        let mut cx = Cx::new(net.now, &mut net.rng);
        net.client = tutk_iotc::Client::new(&config, &mut cx);
        net.run(Duration::from_millis(2900));
        assert!(
            net.device.is_bound(),
            "a live session is not ended by a search"
        );
        assert!(net.device.stats().rx_refused > 0);
        net.run(Duration::from_millis(400));
        assert_eq!(net.seen_by(Side::Device), [Seen::Closed]);
        let mut cx = Cx::new(net.now, &mut net.rng);
        net.device.reset(&mut cx);
        net.run(SECOND);
        assert!(net.client.is_open() && net.device.is_bound());
    }
}

/// A camera of two slots: the first holds the offer for one client at a time, the second has made none.
#[test]
fn a_client_whose_offer_another_took_asks_for_a_new_one() {
    let mut net = Net::new(16, Framings::CC51, Framings::CC51);
    let (mut rng, config) = (FixedRng::new(&[9; 99]), DeviceConfig::new(uid(), key()));
    let mut cx = Cx::new(net.now, &mut rng);
    let mut first = Device::new(&config, &mut cx);
    let targets = [addr(BROADCAST)];
    let mut other = Client::new(&ClientConfig::new(uid(), key(), &targets), &mut cx);
    let search = drain(&mut net.client, &mut cx).remove(0).1;
    give(&mut first, &mut cx, net.client_at, &search).unwrap();
    let offer = drain(&mut first, &mut cx).remove(0).1;
    for (_, search) in drain(&mut other, &mut cx) {
        give(&mut first, &mut cx, addr("192.0.2.2:1"), &search).unwrap();
    }
    // The claim goes astray, and so would the next ones: `net.device` has the client from here on.
    let camera = net.device_at;
    give(&mut net.client, &mut cx, camera, &offer).unwrap();
    let claim = drain(&mut net.client, &mut cx).remove(0).1;
    for slot in [&mut first, &mut net.device] {
        assert_eq!(give(slot, &mut cx, net.client_at, &claim), Ok(None));
        assert_eq!(slot.stats().rx_foreign_session, 1);
    }
    net.run(Duration::from_millis(600));
    assert!(net.client.is_open() && net.device.is_bound());
    assert_eq!(net.device.peer(), Some(net.client_at));
}

#[test]
fn a_repeated_request_keeps_the_session_from_the_moment_it_comes() {
    let mut net = Net::new(17, Framings::TRANSCODE, Framings::TRANSCODE);
    let (client_at, mut device) = (net.client_at, net.device);
    let mut opening = Net::new(17, Framings::TRANSCODE, Framings::TRANSCODE);
    opening.run(Duration::from_millis(500));
    let requests = opening.sent.into_iter().filter(|(s, _)| *s == Side::Client);
    let requests: Vec<_> = requests.map(|(_, bytes)| bytes).collect();
    let mut cx = Cx::new(Instant::ZERO, &mut net.rng);
    for bytes in &requests {
        give(&mut device, &mut cx, client_at, bytes).unwrap();
    }
    cx.now = Instant::from_millis(2000);
    device.handle_timeout(&mut cx).unwrap();
    cx.now = Instant::from_millis(3500);
    for bytes in &requests {
        give(&mut device, &mut cx, client_at, bytes).unwrap();
    }
    while device.handle_timeout(&mut cx).is_ok() {
        let next = device.poll_timeout().unwrap();
        assert!(cx.now < next, "a timer that does not move");
        cx.now = next;
    }
    assert_eq!(cx.now, Instant::from_millis(13_500));
}

#[test]
fn nothing_is_wrapped_without_a_session_without_room_or_above_the_length_field() {
    let mut memory = vec![0; 70_000];
    let mut net = Net::new(14, Framings::BOTH, Framings::TRANSCODE);
    let mut tx = TxBuf::new(&mut memory);
    assert_eq!(net.client.wrap(0, &mut tx), Err(WrapError::NotOpen));
    assert_eq!(net.device.wrap(0, &mut tx), Err(WrapError::NotOpen));
    for framing in FRAMINGS {
        let mut net = Net::open(14, framing);
        let mut tx = TxBuf::new(&mut memory);
        tx.append(b"no room in front").unwrap();
        assert_eq!(net.client.wrap(0, &mut tx), Err(WrapError::NoRoom));
        let mut tx = TxBuf::new(&mut memory);
        tx.reserve(28, 20).unwrap();
        tx.grow(wire::MAX_DATA + 1).unwrap();
        let result = net.client.wrap(0, &mut tx);
        assert!(
            matches!(result, Err(WrapError::TooLong { .. })),
            "{result:?}"
        );
    }
}

#[test]
fn the_longest_payload_of_a_packet_fills_its_length_field() {
    let way = wire::Direction::ToDevice;
    let transcode = |len| wire::DataHeader::new(way, true, 0, 0, [0; 8], len);
    let header = transcode(wire::MAX_DATA).unwrap();
    assert_eq!(header.header.body_len.get(), u16::MAX);
    assert!(transcode(wire::MAX_DATA + 1).is_none());
    let cc51 = |len| wire::cc51::DataHeader::new(0, [0; 2], [0; 8], len);
    let header = cc51(wire::cc51::MAX_DATA).unwrap();
    assert_eq!(header.header.body_len.get(), u16::MAX);
    assert!(cc51(wire::cc51::MAX_DATA + 1).is_none());
}

#[test]
fn a_buffer_too_small_for_a_control_packet_is_fatal() {
    let mut net = Net::new(15, Framings::BOTH, Framings::BOTH);
    let mut memory = [0; 60];
    let mut tx = TxBuf::new(&mut memory);
    let mut cx = Cx::new(net.now, &mut net.rng);
    let result = net.client.poll_transmit(&mut cx, &mut tx);
    assert_eq!(result, Err(Error::BufferTooSmall));
}

#[test]
fn a_device_claims_what_its_client_sends_in_the_session_and_nothing_else() {
    for (framings, secure) in [
        (Framings::TRANSCODE, true),
        (Framings::TRANSCODE, false),
        (Framings::CC51, true),
    ] {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(13);
        let mut cx = Cx::new(Instant::ZERO, &mut rng);
        let (app, camera) = (addr("192.0.2.1:50000"), addr(HINT));
        let open = |cx: &mut Cx<'_>| {
            let targets = [camera];
            let config = ClientConfig {
                framings,
                secure,
                ..ClientConfig::new(uid(), key(), &targets)
            };
            let mut client = Client::new(&config, cx);
            let mut device = Device::new(&DeviceConfig::new(uid(), key()), cx);
            for _ in 0..2 {
                for (_, sent) in drain(&mut client, cx) {
                    assert!(!device.claims(&sent), "a search is nobody's");
                    give(&mut device, cx, app, &sent).unwrap();
                }
                for (_, sent) in drain(&mut device, cx) {
                    give(&mut client, cx, camera, &sent).unwrap();
                }
                cx.now += CONFIRM_GAP;
                client.handle_timeout(cx).unwrap();
            }
            assert!(client.is_open(), "two round trips");
            (client, device)
        };
        let (mut client, mut device) = open(&mut cx);
        let (_, other) = open(&mut cx);
        let mut sent = Vec::new();
        for len in 1..100 {
            let mut memory = [0; 256];
            let mut tx = TxBuf::new(&mut memory);
            tx.reserve(Client::HEADROOM, Client::TAILROOM).unwrap();
            tx.append(&vec![0x17; len]).unwrap();
            client.wrap(0, &mut tx).unwrap();
            sent.push(tx.finish().to_vec());
        }
        // Alives, asked for where the framing has none of its own, and closes.
        cx.now += 2 * SECOND;
        device.handle_timeout(&mut cx).unwrap();
        for (_, alive) in drain(&mut device, &mut cx) {
            give(&mut client, &mut cx, camera, &alive).unwrap();
        }
        let alives = drain(&mut client, &mut cx);
        assert_eq!(alives.len(), 1);
        client.close();
        let closes = drain(&mut client, &mut cx);
        sent.extend(alives.into_iter().chain(closes).map(|(_, bytes)| bytes));
        for datagram in &sent {
            let before = datagram.clone();
            assert!(device.claims(datagram), "{} bytes", datagram.len());
            assert_eq!(*datagram, before);
            assert!(!other.claims(datagram), "another session's");
            for len in 0..24 {
                assert!(!device.claims(&datagram[..len]));
            }
        }
        device.reset(&mut cx);
        assert!(!device.claims(&sent[0]));
    }
}

#[test]
fn only_what_a_client_may_send_names_a_session() {
    let header = wire::DataHeader::new(wire::Direction::ToDevice, false, 0, 0, *b"session1", 4);
    let named = |change: fn(&mut wire::DataHeader), payload: &[u8]| {
        let mut header = header.unwrap();
        change(&mut header);
        let mut packet = [zerocopy::IntoBytes::as_bytes(&header), payload].concat();
        tutk_transcode::encode(&mut packet);
        wire::session_of(&packet)
    };
    assert_eq!(named(|_| {}, b"data"), Some(*b"session1"));
    assert_eq!(named(|h| h.header.magic[0] ^= 1, b"data"), None);
    assert_eq!(named(|h| h.header.flags = 0x12.into(), b"data"), None);
    assert_eq!(named(|_| {}, b"data and more"), None);
    assert_eq!(named(|_| {}, b""), None);
}
