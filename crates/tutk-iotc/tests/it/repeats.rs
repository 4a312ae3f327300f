//! What comes again, comes from elsewhere, or comes back.

use std::time::Duration;

use rand_chacha::rand_core::Rng;
use tutk_core::Instant;
use tutk_iotc::Framings;
use tutk_iotc::wire::cc51;

use crate::common::{Net, Seen, Side, addr};

const SECOND: Duration = Duration::from_secs(1);

/// Every datagram of one side, in order.
fn sent_by(net: &Net, side: Side) -> Vec<Vec<u8>> {
    let mine = net.sent.iter().filter(|(from, _)| *from == side);
    mine.map(|(_, bytes)| bytes.clone()).collect()
}

fn opened(framing: Framings) -> Net {
    let mut net = Net::new(21, framing, framing);
    net.run(SECOND);
    assert!(net.client.is_open() && net.device.is_bound());
    net
}

#[test]
fn a_cc51_client_that_asks_again_is_told_the_same_and_opens_nothing_anew() {
    let mut net = opened(Framings::CC51);
    let (asked, told) = (sent_by(&net, Side::Client), sent_by(&net, Side::Device));
    let steps: Vec<_> = asked.iter().map(|packet| packet[12]).collect();
    assert_eq!(steps, [0, 0, 2], "two targets, and the claim");
    net.seen.clear();
    net.sent.clear();
    for step in &asked[1..] {
        net.deliver(Side::Device, net.client_at, step);
    }
    assert_eq!(sent_by(&net, Side::Device), told);
    assert_eq!(net.seen, []);

    let mut other = asked[2].clone();
    other[14] ^= 1; // the ticket, and an HMAC that no longer fits
    net.deliver(Side::Device, net.client_at, &other);
    assert_eq!(net.device.stats().rx_bad_mac, 1);
    assert_eq!(sent_by(&net, Side::Device), told);
}

#[test]
fn a_side_does_not_listen_to_what_it_said_itself() {
    let mut net = opened(Framings::TRANSCODE);
    net.run(3 * SECOND); // alives, both ways
    net.device.close();
    net.flush();
    let (client, device) = (sent_by(&net, Side::Client), sent_by(&net, Side::Device));
    let control =
        |all: &[Vec<u8>]| -> Vec<_> { all.iter().filter(|b| b.len() == 24).cloned().collect() };
    let mut net = opened(Framings::TRANSCODE);
    net.seen.clear();
    net.sent.clear();
    let before = net.device.stats().rx_unexpected;
    let said = control(&device);
    assert!(said.len() > 3, "an alive, and three closes");
    for packet in &said {
        net.deliver(Side::Device, net.client_at, packet);
    }
    assert_eq!(net.device.stats().rx_unexpected - before, said.len() as u32);
    let before = net.client.stats().rx_unexpected;
    for packet in control(&client) {
        net.deliver(Side::Client, net.device_at, &packet);
    }
    assert!(net.client.stats().rx_unexpected > before);
    assert!(net.client.is_open() && net.device.is_bound());
    assert_eq!((net.seen, net.sent), (vec![], vec![]));
}

#[test]
fn a_right_hmac_moves_a_cc51_peer_with_an_alive_and_vouches_for_another_ticket() {
    let mut net = opened(Framings::CC51);
    net.sent.clear();
    net.run(3 * SECOND);
    let alive = sent_by(&net, Side::Device).remove(0);
    let command = u16::from_le_bytes([alive[4], alive[5]]);
    assert_eq!(command, cc51::ALIVE);
    let elsewhere = addr("192.0.2.77:40000");
    net.deliver(Side::Client, elsewhere, &alive);
    assert_eq!(net.client.peer(), Some(elsewhere));

    // A session of the same id whose ticket is another one.
    let mut net = opened(Framings::CC51);
    let mut other = Net::new(21, Framings::CC51, Framings::CC51);
    other.rng.next_u32();
    other.run(SECOND);
    other.payload(Side::Client, 0, b"authentic");
    let mut packet = sent_by(&other, Side::Client).pop().unwrap();
    net.seen.clear();
    net.deliver(Side::Device, net.client_at, &packet);
    let authentic = Seen::Data(0, b"authentic".to_vec());
    assert_eq!(net.seen, [(Side::Device, authentic)]);
    *packet.last_mut().unwrap() ^= 1;
    net.deliver(Side::Device, net.client_at, &packet);
    assert_eq!((net.seen.len(), net.device.stats().rx_bad_mac), (1, 1));
}

#[test]
fn a_client_says_when_it_heard_its_camera() {
    let mut net = Net::new(22, Framings::TRANSCODE, Framings::TRANSCODE);
    assert_eq!(net.client.heard(), None);
    net.run(SECOND);
    let opened = net.client.heard().unwrap();
    assert!(Instant::ZERO < opened && opened < Instant::from_millis(100));
    net.payload(Side::Device, 0, b"frame");
    net.run(Duration::from_millis(1));
    assert_eq!(net.client.heard(), Some(net.now));
    assert_eq!(
        net.seen.last(),
        Some(&(Side::Client, Seen::Data(0, b"frame".to_vec())))
    );
    net.run(3 * SECOND);
    assert!(
        net.client.heard().unwrap() > Instant::from_millis(2000),
        "an alive"
    );
}
