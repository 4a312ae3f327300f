//! How flights are cut into datagrams, to the byte, and what becomes of the pieces.

use tutk_core::Cx;

use super::world::*;
use crate::cipher::{HEADROOM, TAILROOM};
use crate::*;

/// A handshake in which every message is as long as it gets.
fn longest(suite: CipherSuite, mtu: u16) -> World {
    let client = ClientConfig {
        suites: Suites::only(suite),
        mtu,
        ..ClientConfig::new(Psk::new(PSK), &[b'i'; 32])
    };
    let server = ServerConfig {
        mtu,
        identity_prefix: b"",
        hint: Some(&[b'h'; 32]),
        ..server_config()
    };
    let mut world = World::new(4, &client, &server);
    world.net.mtu = mtu.into();
    world.run();
    world.assert_connected(suite);
    world
}

#[test]
fn no_datagram_is_longer_than_the_mtu_and_nothing_waits_that_would_have_fitted() {
    use CipherSuite::*;
    for (suite, mtus) in [
        (PskAes128CbcSha256, 100..=300),
        (EcdhePskChaCha20Poly1305, 100..=240),
    ] {
        for mtu in mtus {
            let world = longest(suite, mtu);
            for flight in world.sent.chunk_by(|a, b| a.0 == b.0) {
                for pair in flight.windows(2) {
                    let behind = records(&pair[1].1)[0].3.len() + 13;
                    let both = pair[0].1.len() + behind;
                    assert!(both > mtu.into(), "{suite}, {mtu} bytes: {flight:02x?}");
                }
            }
        }
    }
}

#[test]
fn a_flight_of_many_datagrams_is_one_flight() {
    for mtu in [100, 1200] {
        let world = longest(CipherSuite::EcdhePskChaCha20Poly1305, mtu);
        let (client, server) = (world.client.stats(), world.server.stats());
        assert_eq!((client.tx_flights, server.tx_flights), (2, 2), "{mtu}");
        assert_eq!(client.tx_timer_repeats + server.tx_timer_repeats, 0);
    }
}

#[test]
fn the_longest_payload_of_a_record_arrives() {
    let mut world = World::connected(CipherSuite::PskAes128CbcSha256);
    let mut memory = vec![0; 17_000];
    let mut tx = tutk_core::TxBuf::new(&mut memory);
    tx.reserve(HEADROOM, TAILROOM).unwrap();
    tx.append(&[7; 16_384]).unwrap();
    let mut cx = Cx::new(world.now, &mut world.rng);
    world.client.seal(&mut cx, &mut tx).unwrap();
    world.deliver(To::Server, tx.finish());
    assert_eq!(world.server_seen.last(), Some(&Seen::Data(vec![7; 16_384])));
}

/// The hello of a new client, in datagrams of that many bytes.
fn hello(world: &mut World, mtu: u16) -> Vec<Vec<u8>> {
    let config = ClientConfig {
        mtu,
        ..client_config()
    };
    let mut cx = Cx::new(world.now, &mut world.rng);
    let mut client = Client::new(&config, &mut [], &mut cx);
    drain(&mut client, &mut cx).0
}

#[test]
fn every_piece_of_a_repeated_hello_is_known_to_be_one() {
    let mut world = World::new(1, &client_config(), &server_config());
    let hello = hello(&mut world, 100);
    assert_eq!(hello.len(), 2);
    for datagram in [&hello[..], &hello[..]].concat() {
        world.deliver(To::Server, &datagram);
    }
    let stats = world.server.stats();
    assert_eq!((stats.rx_repeated, stats.restarts), (2, 0));
}

#[test]
fn a_whole_hello_ends_one_of_which_a_piece_was_there() {
    let mut world = World::new(1, &client_config(), &server_config());
    let (old, new) = (hello(&mut world, 100), hello(&mut world, 1200));
    world.deliver(To::Server, &old[0]);
    world.deliver(To::Server, &new[0]);
    world.deliver(To::Server, &old[1]);
    let stats = world.server.stats();
    assert_eq!((stats.rx_repeated, stats.restarts), (1, 0));
}
