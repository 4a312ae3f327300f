//! Cookies, handshakes that begin again, ends, and the calls themselves.

use core::time::Duration;

use tutk_core::{Cx, Instant, Layer, TxBuf};

use super::wire::{CBC, CHACHA, world};
use super::world::*;
use crate::message::Kind;
use crate::*;

#[test]
fn a_cookie_server_keeps_nothing_until_the_cookie_comes_back() {
    let mut w = world(
        client_config(),
        ServerConfig {
            cookie: true,
            ..server_config()
        },
    );
    let hello = sent_now(&mut w, To::Server).remove(0);
    for _ in 0..100 {
        w.deliver(To::Server, &hello);
        assert_eq!(sent_now(&mut w, To::Client).len(), 1);
    }
    assert_eq!(w.server.suite(), None);
    assert_eq!(w.server.poll_timeout(), None);
    assert_eq!(w.server.stats().rx_hello_unverified, 100);
}

#[test]
fn a_cookie_of_another_address_or_another_hello_is_not_accepted() {
    let mut w = world(
        client_config(),
        ServerConfig {
            cookie: true,
            ..server_config()
        },
    );
    let hello = sent_now(&mut w, To::Server).remove(0);
    w.deliver(To::Server, &hello);
    let verify = sent_now(&mut w, To::Client).remove(0);
    w.deliver(To::Client, &verify);
    let second = sent_now(&mut w, To::Server).remove(0);
    let mut bytes = second.clone();
    let mut input = tutk_core::Datagram::new("192.0.2.66:1".parse().unwrap(), &mut bytes);
    let mut cx = Cx::new(w.now, &mut w.rng);
    assert_eq!(w.server.handle_datagram(&mut cx, &mut input), Ok(None));
    let mut changed = second.clone();
    changed[30] ^= 1; // the random
    w.deliver(To::Server, &changed);
    assert_eq!(w.server.stats().rx_hello_unverified, 3);
    w.deliver(To::Server, &second);
    assert_eq!(w.server.suite(), Some(CHACHA));
}

#[test]
fn a_client_that_tries_again_displaces_its_half_done_handshake() {
    for cookie in [false, true] {
        for mtu in [100, 1200] {
            let config = ClientConfig {
                mtu,
                ..client_config()
            };
            let mut w = world(
                config.clone(),
                ServerConfig {
                    cookie,
                    mtu,
                    ..server_config()
                },
            );
            while w.server.suite().is_none() {
                assert!(w.step(), "nothing left to do");
            }
            w.collect();
            w.in_flight.clear();
            w.client = Client::new(
                &config,
                vec![0; 512].leak(),
                &mut Cx::new(w.now, &mut w.rng),
            );
            w.run();
            w.assert_connected(CHACHA);
            assert_eq!(w.server.stats().restarts, 1);
        }
    }
}

#[test]
fn a_server_whose_cookie_secret_changes_meanwhile_is_followed() {
    let cookie = ServerConfig {
        cookie: true,
        ..server_config()
    };
    let mut w = world(client_config(), cookie);
    let hello = sent_now(&mut w, To::Server).remove(0);
    w.deliver(To::Server, &hello);
    let verify = sent_now(&mut w, To::Client).remove(0);
    w.deliver(To::Client, &verify);
    w.deliver(To::Client, &verify);
    assert_eq!(
        w.client.stats().rx_repeated,
        1,
        "the same cookie is no news"
    );
    w.server.reset(&mut Cx::new(w.now, &mut w.rng));
    w.run();
    w.assert_connected(CHACHA);
    assert_eq!(w.server.stats().rx_hello_unverified, 1);
}

#[test]
fn verify_requests_are_followed_twice_and_no_further() {
    let mut w = world(client_config(), server_config());
    assert_eq!(sent_now(&mut w, To::Server).len(), 1);
    let hellos = (1..=9u8).map(|cookie| {
        let body = [0xfe, 0xff, 1, cookie];
        let verify = handshake_record(Kind::HelloVerifyRequest, 0, &body);
        w.deliver(To::Client, &verify);
        sent_now(&mut w, To::Server).len()
    });
    assert_eq!(hellos.sum::<usize>(), 2);
}

/// A ClientHello with this in every byte of its random.
fn hello_with_random(hello: &[u8], random: u8) -> Vec<u8> {
    let mut bytes = hello.to_vec();
    bytes[27..59].fill(random);
    bytes
}

#[test]
fn hellos_without_the_key_do_not_prolong_the_handshake() {
    let mut w = world(client_config(), server_config());
    let hello = sent_now(&mut w, To::Server).remove(0);
    let mut random = 0;
    while w.server_error.is_none() {
        assert!(w.now <= Instant::from_millis(8000), "held for too long");
        random += 1;
        w.deliver(To::Server, &hello_with_random(&hello, random));
        w.now += Duration::from_secs(1);
        let mut cx = Cx::new(w.now, &mut w.rng);
        w.server_error = w.server.handle_timeout(&mut cx).err();
    }
    let after = Phase::KeyExchange;
    assert_eq!(w.server_error, Some(Error::HandshakeTimeout { after }));
    assert!(w.server.stats().restarts >= 6);
}

#[test]
fn one_datagram_makes_one_key_pair() {
    let mut w = world(client_config(), server_config());
    let hello = sent_now(&mut w, To::Server).remove(0);
    let many: Vec<_> = (1..=5)
        .flat_map(|random| hello_with_random(&hello, random))
        .collect();
    w.deliver(To::Server, &many);
    assert_eq!(w.server.stats().restarts, 0);
    assert_eq!(w.server.stats().rx_bad_handshake, 4);
    w.deliver(To::Server, &many);
    assert_eq!(
        w.server.stats().restarts,
        1,
        "one more, of those that differ"
    );
}

// --- ends ---

#[test]
fn nothing_is_sent_after_the_peers_fatal_alert() {
    let mut w = world(client_config(), server_config());
    w.deliver(To::Client, &plain_record(21, [0xfe, 0xfd], 9, &[2, 40]));
    assert_eq!(w.client_error, Some(Error::PeerAlert(40)));
    let mut memory = [0; 1200];
    let mut tx = TxBuf::new(&mut memory);
    let mut cx = Cx::new(w.now, &mut w.rng);
    assert_eq!(
        w.client.poll_transmit(&mut cx, &mut tx),
        Err(Error::PeerAlert(40)),
        "not even the hello that had been due"
    );
}

#[test]
fn records_behind_a_fatal_message_are_not_looked_at() {
    let mut w = world(client_config(), server_config());
    assert_eq!(sent_now(&mut w, To::Server).len(), 1);
    // A ServerHello in DTLS 1.0, behind it an alert.
    let body = [&[0xfe, 0xff][..], &[7; 32], &[0], &[0xcc, 0xac], &[0]].concat();
    let mut datagram = handshake_record(Kind::ServerHello, 0, &body);
    datagram.extend(plain_record(21, [0xfe, 0xfd], 9, &[2, 20]));
    w.deliver(To::Client, &datagram);
    assert_eq!(w.client_error, None, "the alert would have been an error");
    assert_eq!(w.client.stats().rx_records, 1);
    assert_eq!(sent_now(&mut w, To::Server)[0][13..], [2, 70]);
}

// --- the calls themselves ---

#[test]
fn seal_refuses_before_and_after_the_connection() {
    let mut w = world(client_config(), server_config());
    let mut memory = [0; 100];
    let mut tx = TxBuf::new(&mut memory);
    tx.append(b"x").unwrap();
    let mut cx = Cx::new(w.now, &mut w.rng);
    assert_eq!(
        w.client.seal(&mut cx, &mut tx),
        Err(SealError::NotConnected)
    );
    let mut w = World::connected(CHACHA);
    let mut cx = Cx::new(w.now, &mut w.rng);
    assert_eq!(
        w.client.seal(&mut cx, &mut tx),
        Err(SealError::Full),
        "nothing was reserved"
    );
    w.client.close();
    assert_eq!(
        w.client.seal(&mut cx, &mut tx),
        Err(SealError::NotConnected)
    );
}

#[test]
fn a_payload_beyond_the_record_limit_is_refused() {
    let mut w = World::connected(CHACHA);
    let mut memory = vec![0; 17000];
    let mut tx = TxBuf::new(&mut memory);
    tx.reserve(Client::HEADROOM, Client::TAILROOM).unwrap();
    tx.grow(16385).unwrap();
    assert_eq!(
        w.client.seal(&mut Cx::new(w.now, &mut w.rng), &mut tx),
        Err(SealError::TooLong)
    );
}

#[test]
fn a_transmit_buffer_that_is_too_small_is_an_error() {
    let mut w = world(client_config(), server_config());
    let mut memory = [0; 99];
    let mut tx = TxBuf::new(&mut memory);
    let mut cx = Cx::new(w.now, &mut w.rng);
    assert_eq!(
        w.client.poll_transmit(&mut cx, &mut tx),
        Err(Error::BufferTooSmall)
    );
}

#[test]
fn reset_connects_again_in_the_same_memory_with_other_keys() {
    let mut w = World::connected(CHACHA);
    let old = w.sealed(To::Server, b"old");
    let mut cx = Cx::new(w.now, &mut w.rng);
    w.client.reset(&mut cx);
    w.server.reset(&mut cx);
    assert!(!w.client.is_connected() && !w.server.is_connected());
    w.client_seen.clear();
    w.server_seen.clear();
    w.run();
    w.assert_connected(CHACHA);
    w.deliver(To::Server, &old);
    assert_eq!(w.server_seen.len(), 1);
}

#[test]
fn debug_output_has_no_key_in_it() {
    let text = format!(
        "{:?} {:?} {:?}",
        client_config(),
        World::connected(CHACHA).client,
        World::connected(CBC).server
    );
    assert!(text.contains("***") && !text.contains("90, 90"), "{text}");
}
