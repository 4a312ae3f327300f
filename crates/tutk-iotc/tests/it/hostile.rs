//! Forged packets, foreign packets and noise.

use std::time::Duration;

use proptest::prelude::*;
use tutk_core::{Cx, Instant};
use tutk_iotc::wire::{self, Control, Direction, cc51};
use tutk_iotc::{DeviceConfig, Framings, Stats};
use zerocopy::{Immutable, IntoBytes};

use crate::common::{Net, Seen, Side, addr, drain, give, key, plain, uid};

const MALLORY: &str = "198.51.100.66:6666";
const SECOND: Duration = Duration::from_secs(1);
const DATA: [u8; 4] = *b"evil";

pub(crate) fn scrambled(packet: &(impl IntoBytes + Immutable)) -> Vec<u8> {
    let mut wire = packet.as_bytes().to_vec();
    tutk_transcode::encode(&mut wire);
    wire
}

/// Data to the device under a session id, as TransCode or, with a ticket and an HMAC of zeros, as CC51.
fn transcode_data(sid: [u8; 8]) -> Vec<u8> {
    let header = wire::DataHeader::new(Direction::ToDevice, true, 9, 0, sid, DATA.len()).unwrap();
    let mut packet = header.as_bytes().to_vec();
    packet.extend(DATA);
    tutk_transcode::encode(&mut packet);
    packet
}

fn cc51_data(sid: [u8; 8], ticket: [u8; 2]) -> Vec<u8> {
    let header = cc51::DataHeader::new(0, ticket, sid, DATA.len()).unwrap();
    [header.as_bytes(), &DATA, &[0; 20]].concat()
}

/// Session id and ticket, read off the wire as anybody on the LAN can.
pub(crate) fn overheard(net: &mut Net, framing: Framings) -> ([u8; 8], [u8; 2]) {
    net.payload(Side::Client, 0, b"x");
    let packet = net.sent.last().unwrap().1.clone();
    net.run(Duration::from_millis(5));
    net.seen.clear();
    if framing == Framings::TRANSCODE {
        (plain(&packet)[20..28].try_into().unwrap(), [0; 2])
    } else {
        (
            packet[16..24].try_into().unwrap(),
            packet[14..16].try_into().unwrap(),
        )
    }
}

fn stats(net: &Net) -> Stats {
    *net.device.stats()
}

#[test]
fn data_of_another_session_is_dropped_whoever_sends_it() {
    for framing in [Framings::TRANSCODE, Framings::CC51] {
        let mut net = Net::open(1, framing);
        let forged = if framing == Framings::TRANSCODE {
            transcode_data([9; 8])
        } else {
            cc51_data([9; 8], [0; 2])
        };
        for from in [net.client_at, addr(MALLORY)] {
            net.deliver(Side::Device, from, &forged);
        }
        assert_eq!(stats(&net).rx_foreign_session, 2);
        assert_eq!(
            (net.seen.len(), net.device.peer()),
            (0, Some(net.client_at))
        );
    }
}

#[test]
fn cc51_data_from_elsewhere_without_a_right_hmac_moves_nobody() {
    let mut net = Net::open(2, Framings::CC51);
    let (sid, ticket) = overheard(&mut net, Framings::CC51);
    net.deliver(Side::Device, addr(MALLORY), &cc51_data(sid, ticket));
    // The layer above sees it, and would fail to decrypt it.
    assert_eq!(net.seen_by(Side::Device), [Seen::Data(0, DATA.to_vec())]);
    assert_eq!(net.device.peer(), Some(net.client_at));

    let wrong_ticket = [ticket[0] ^ 1, ticket[1]];
    net.deliver(Side::Device, net.client_at, &cc51_data(sid, wrong_ticket));
    assert_eq!(stats(&net).rx_bad_mac, 1);
    assert_eq!(net.seen.len(), 1);
}

#[test]
fn once_secured_an_overheard_session_id_moves_nobody_and_keeps_nobody_alive() {
    for framing in [Framings::TRANSCODE, Framings::CC51] {
        let mut net = Net::open(3, framing);
        let (sid, ticket) = overheard(&mut net, framing);
        net.device.set_secured(true);
        net.loss = 100; // the real client is gone
        for _ in 0..30 {
            let forged = if framing == Framings::TRANSCODE {
                transcode_data(sid)
            } else {
                cc51_data(sid, ticket)
            };
            net.deliver(Side::Device, addr(MALLORY), &forged);
            let alive = scrambled(&Control::alive(Direction::ToDevice, sid));
            net.deliver(Side::Device, addr(MALLORY), &alive);
            net.run(Duration::from_millis(500));
            assert_eq!(net.device.peer(), Some(net.client_at));
        }
        assert!(!net.device.is_bound(), "15 s without the client");
        assert_eq!(stats(&net).peer_moved, 0);
    }
}

#[test]
fn a_close_needs_the_session_id_and_the_address() {
    let mut net = Net::open(4, Framings::TRANSCODE);
    let (sid, _) = overheard(&mut net, Framings::TRANSCODE);
    let right = scrambled(&Control::close(Direction::ToDevice, sid));
    let wrong = scrambled(&Control::close(Direction::ToDevice, [1; 8]));
    net.deliver(Side::Device, addr(MALLORY), &right);
    net.deliver(Side::Device, net.client_at, &wrong);
    assert!(net.device.is_bound());
    assert_eq!(stats(&net).rx_bad_source, 1);
    assert_eq!(stats(&net).rx_foreign_session, 1);
    net.deliver(Side::Device, net.client_at, &right);
    assert_eq!(net.seen_by(Side::Device), [Seen::Closed]);
}

#[test]
fn an_alive_from_a_stranger_is_not_answered() {
    let mut net = Net::open(5, Framings::TRANSCODE);
    let forged = scrambled(&Control::alive(Direction::ToClient, [1; 8]));
    net.deliver(Side::Client, addr(MALLORY), &forged);
    assert_eq!(net.sent, []);
    assert_eq!(net.client.stats().rx_bad_source, 1);

    let mut net = Net::open(5, Framings::CC51);
    let (sid, _) = overheard(&mut net, Framings::CC51);
    let forged = [cc51::AliveBody::new(2, sid).as_bytes(), &[0; 20]].concat();
    net.sent.clear();
    net.deliver(Side::Client, addr(MALLORY), &forged);
    assert_eq!(net.sent, []);
    assert_eq!(net.client.stats().rx_bad_source, 1);
}

#[test]
fn an_answer_to_the_search_must_repeat_the_session_id_and_over_cc51_be_authentic() {
    let mut net = Net::new(6, Framings::BOTH, Framings::BOTH);
    net.loss = 100;
    net.run(Duration::from_millis(10));
    let probe = net
        .sent
        .iter()
        .find(|(_, b)| b.len() == 52)
        .unwrap()
        .1
        .clone();
    let sid: [u8; 8] = probe[16..24].try_into().unwrap();

    let wrong_sid = scrambled(&wire::SearchReply::new(*uid().as_bytes(), [1; 8]));
    net.deliver(Side::Client, addr(MALLORY), &wrong_sid);
    assert_eq!(net.client.stats().rx_foreign_session, 1);
    let found = cc51::SearchBody::new(1, [1, 2], sid);
    let no_mac = [found.as_bytes(), &[0; 20]].concat();
    net.deliver(Side::Client, addr(MALLORY), &no_mac);
    assert_eq!(net.client.stats().rx_bad_mac, 1);
    // Our own probe, thrown back.
    net.deliver(Side::Client, addr(MALLORY), &probe);
    assert_eq!(net.client.stats().rx_unexpected, 1);
    assert_eq!((net.seen.len(), net.client.peer()), (0, None));
}

#[test]
fn a_session_is_granted_from_elsewhere_only_by_who_knows_it() {
    let mut net = Net::new(7, Framings::TRANSCODE, Framings::TRANSCODE);
    net.run(Duration::from_millis(3)); // found, and asked for a session
    assert_eq!(net.client.peer(), Some(net.device_at));
    let forged = wire::Session::new(Direction::ToClient, *uid().as_bytes(), [1; 8]);
    net.deliver(Side::Client, addr(MALLORY), &scrambled(&forged));
    assert!(!net.client.is_open());
    assert_eq!(net.client.stats().rx_bad_source, 1);
    net.run(SECOND);
    assert!(net.client.is_open());
}

#[test]
fn a_bound_device_ignores_requests_of_others() {
    let mut net = Net::open(8, Framings::BOTH);
    let search = wire::Search::new(*uid().as_bytes(), [7; 8], wire::STAGE_SEARCH, [0; 8]);
    let ask = wire::Session::new(Direction::ToDevice, *uid().as_bytes(), [7; 8]);
    net.deliver(Side::Device, addr(MALLORY), &scrambled(&search));
    net.deliver(Side::Device, addr(MALLORY), &scrambled(&ask));
    assert_eq!(stats(&net).rx_refused, 2);
    assert_eq!((net.sent.len(), net.seen.len()), (0, 0));
    assert_eq!(net.device.peer(), Some(net.client_at));
}

#[test]
fn a_search_without_auth_key_of_an_old_client_is_answered() {
    let mut net = Net::new(9, Framings::TRANSCODE, Framings::TRANSCODE);
    let mut search = wire::Search::new(*uid().as_bytes(), [7; 8], wire::STAGE_SEARCH, [0; 8]);
    search.head.header.body_len = 52.into();
    let mut cx = Cx::new(net.now, &mut net.rng);
    give(
        &mut net.device,
        &mut cx,
        addr(MALLORY),
        &scrambled(&search.head),
    )
    .unwrap();
    let replies = drain(&mut net.device, &mut cx);
    assert_eq!(replies.len(), 1);
    assert_eq!((replies[0].0, replies[0].1.len()), (addr(MALLORY), 200));
}

#[test]
fn the_version_byte_of_a_peer_does_not_matter() {
    let mut net = Net::open(10, Framings::TRANSCODE);
    let (sid, _) = overheard(&mut net, Framings::TRANSCODE);
    for version in [0, 0x12, 0x1d, 0xff] {
        let mut packet = plain(&transcode_data(sid));
        packet[2] = version;
        tutk_transcode::encode(&mut packet);
        net.deliver(Side::Device, net.client_at, &packet);
        assert_eq!(
            net.seen.pop(),
            Some((Side::Device, Seen::Data(0, DATA.to_vec())))
        );
    }
}

#[test]
fn packets_of_the_wrong_direction_or_without_payload_are_dropped() {
    let mut net = Net::open(11, Framings::TRANSCODE);
    let (sid, _) = overheard(&mut net, Framings::TRANSCODE);
    net.deliver(Side::Client, net.device_at, &transcode_data(sid));
    assert_eq!(net.client.stats().rx_unexpected, 1, "0x0407 is for devices");
    let empty = wire::DataHeader::new(Direction::ToDevice, true, 0, 0, sid, 0).unwrap();
    net.deliver(Side::Device, net.client_at, &scrambled(&empty));
    assert_eq!(stats(&net).rx_malformed, 1);
    assert_eq!(net.seen.len(), 0);
}

/// A device in any state, given any datagram, says at most one thing and answers with at most one datagram.
fn one_reply_at_most(net: &mut Net, from: &str, bytes: &[u8]) {
    let mut cx = Cx::new(net.now, &mut net.rng);
    let before = net.device.stats().rx_datagrams;
    give(&mut net.device, &mut cx, addr(from), bytes).unwrap();
    let replies = drain(&mut net.device, &mut cx);
    assert!(replies.len() <= 1, "{} replies", replies.len());
    let read = net.device.stats().rx_datagrams - before;
    assert_eq!(read, u32::from(!bytes.is_empty()));
    for (_, reply) in replies {
        assert!(reply.len() <= bytes.len().max(200));
    }
}

/// Every packet that this crate can write, as sent.
fn corpus() -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for framing in [Framings::TRANSCODE, Framings::CC51] {
        let mut net = Net::new(12, framing, framing);
        net.run(5 * SECOND);
        net.payload(Side::Client, 0, &[1; 100]);
        net.payload(Side::Device, 1, &[2; 100]);
        net.run(SECOND);
        net.client.close();
        net.device.close();
        net.run(SECOND);
        all.extend(net.sent.drain(..).map(|(_, bytes)| bytes));
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn noise_never_panics_and_never_amplifies(
        datagrams in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..260), 1..8),
        magic in 0..3,
        open: bool,
    ) {
        let framing = if magic == 1 { Framings::CC51 } else { Framings::TRANSCODE };
        let mut net = if open { Net::open(13, framing) } else { Net::new(13, framing, framing) };
        for mut bytes in datagrams {
            // Get past the first checks: a right magic and, over TransCode, a right length.
            if magic == 1 && bytes.len() > 1 {
                bytes[..2].copy_from_slice(&wire::CC51_MAGIC);
            } else if magic == 2 && bytes.len() >= 16 {
                let body_len = (bytes.len() - 16) as u16;
                bytes[..2].copy_from_slice(&wire::MAGIC);
                bytes[4..6].copy_from_slice(&body_len.to_le_bytes());
                tutk_transcode::encode(&mut bytes);
            }
            one_reply_at_most(&mut net, MALLORY, &bytes);
            let from = net.device_at;
            net.deliver(Side::Client, from, &bytes);
        }
        prop_assert!(net.failed.is_empty());
    }

    #[test]
    fn mutated_packets_never_panic_and_never_amplify(
        picks in prop::collection::vec(
            (any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>(), 0usize..4),
            1..20,
        ),
        open: bool,
    ) {
        let corpus = corpus();
        let mut net = if open { Net::open(14, Framings::BOTH) } else { Net::new(14, Framings::BOTH, Framings::BOTH) };
        for (which, at, value, cut) in picks {
            let mut bytes = which.get(&corpus).clone();
            let is_cc51 = bytes.starts_with(&wire::CC51_MAGIC);
            if !is_cc51 {
                tutk_transcode::decode(&mut bytes);
            }
            let at = at.index(bytes.len());
            bytes[at] = value;
            bytes.truncate(bytes.len() - cut);
            if !is_cc51 {
                tutk_transcode::encode(&mut bytes);
            }
            one_reply_at_most(&mut net, "192.0.2.1:50000", &bytes);
            let from = net.device_at;
            net.deliver(Side::Client, from, &bytes);
            net.run(Duration::from_millis(50));
        }
    }
}

#[test]
fn every_packet_we_write_is_answered_with_at_most_one() {
    let config = DeviceConfig::new(uid(), key());
    for bytes in corpus() {
        let mut net = Net::with(15, Framings::BOTH, &config);
        net.now = Instant::from_millis(1);
        one_reply_at_most(&mut net, MALLORY, &bytes);
    }
}
