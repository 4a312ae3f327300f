//! What is dropped without a word is counted, once each, and the handshake goes on as if it had not come.

use tutk_core::{Cx, TxBuf};

use super::world::*;
use crate::message::{Fragment, Kind};
use crate::*;

const CBC: CipherSuite = CipherSuite::PskAes128CbcSha256;

/// Two that have said nothing yet, with the suite that costs least.
fn fresh() -> World {
    let mut client = client_config();
    client.suites = Suites::only(CBC);
    World::new(7, &client, &server_config())
}

/// The same, and the flight with which the server answers the first hello.
fn with_server_flight() -> (World, Vec<u8>) {
    let mut w = fresh();
    let hello = sent_now(&mut w, To::Server);
    w.deliver(To::Server, &hello[0]);
    let flight = sent_now(&mut w, To::Client).remove(0);
    (w, flight)
}

/// `bytes` at `offset` of a ServerHello of `len`, in a record of its own.
fn piece(len: usize, offset: usize, bytes: &[u8]) -> Vec<u8> {
    let fragment = Fragment {
        kind: Kind::ServerHello,
        len,
        seq: 0,
        offset,
        bytes,
    };
    let body = [&fragment.header(), bytes].concat();
    plain_record(22, [0xfe, 0xfd], offset as u8, &body)
}

#[test]
fn a_message_ahead_of_the_next_is_counted_and_comes_again_in_its_turn() {
    let (mut w, flight) = with_server_flight();
    // ServerHello, ServerHelloDone.
    let (kind, _, seq, body) = records(&flight).remove(1);
    let done = plain_record(kind, [0xfe, 0xfd], seq as u8, &body);
    w.deliver(To::Client, &done);
    assert_eq!(w.client.stats().rx_ahead, 1);
    w.deliver(To::Client, &flight);
    w.run();
    w.assert_connected(CBC);
    assert_eq!(w.client.stats().rx_ahead, 1, "in turn it is not ahead");
    assert_eq!(w.server.stats().rx_ahead, 0);
}

#[test]
fn a_piece_of_a_message_beyond_the_reassembly_memory_is_counted() {
    let (mut w, flight) = with_server_flight();
    let longest = RECOMMENDED_REASSEMBLY;
    w.deliver(To::Client, &piece(longest, 0, b"fits"));
    assert_eq!(w.client.stats().rx_fragment_dropped, 0);
    w.deliver(To::Client, &piece(longest + 1, 0, b"does not"));
    assert_eq!(w.client.stats().rx_fragment_dropped, 1);
    w.deliver(To::Client, &flight);
    w.run();
    w.assert_connected(CBC);
    assert_eq!(w.client.stats().rx_fragment_dropped, 1);
}

#[test]
fn a_message_in_too_many_pieces_is_counted_piece_by_piece() {
    let (mut w, flight) = with_server_flight();
    // Each second byte: sixteen gaps are open after fifteen pieces.
    for n in 0..15 {
        w.deliver(To::Client, &piece(64, 1 + 2 * n, b"x"));
    }
    assert_eq!(w.client.stats().rx_fragment_dropped, 0);
    for n in 15..18 {
        w.deliver(To::Client, &piece(64, 1 + 2 * n, b"x"));
    }
    assert_eq!(w.client.stats().rx_fragment_dropped, 3);
    w.deliver(To::Client, &flight);
    w.run();
    w.assert_connected(CBC);
}

#[test]
fn each_hello_without_a_common_suite_or_version_is_counted() {
    let mut w = fresh();
    let hello = sent_now(&mut w, To::Server).remove(0);
    let mut old = hello.clone();
    old[25..27].copy_from_slice(&[0xfe, 0xff]);
    // TLS_PSK_WITH_NULL_SHA in place of the one suite, behind version, random, session id, cookie and length.
    let mut other = hello.clone();
    assert_eq!(other[63..65], [0x00, 0xae]);
    other[64] = 0x2c;
    for (n, hello) in [(1, &old), (2, &other), (3, &old)] {
        w.deliver(To::Server, hello);
        assert_eq!(w.server.stats().rx_hello_refused, n);
    }
    w.deliver(To::Server, &hello);
    w.run();
    w.assert_connected(CBC);
    assert_eq!(w.server.stats().rx_hello_refused, 3);
    assert_eq!(w.client.stats().rx_hello_refused, 0, "a client gets none");
}

#[test]
fn each_payload_that_was_sealed_is_counted_and_no_other() {
    let mut w = World::connected(CBC);
    assert_eq!(w.client.stats().tx_data, 0, "handshakes are no payload");
    for n in 1..=3 {
        let record = w.sealed(To::Server, b"payload");
        assert_eq!(w.client.stats().tx_data, n);
        w.deliver(To::Server, &record);
        assert_eq!(w.server.stats().rx_data, n);
    }
    let mut memory = [0; 64];
    let mut tx = TxBuf::new(&mut memory);
    tx.append(b"no room was reserved").unwrap();
    let mut cx = Cx::new(w.now, &mut w.rng);
    assert_eq!(w.client.seal(&mut cx, &mut tx), Err(SealError::Full));
    assert_eq!(w.client.stats().tx_data, 3);
    w.sealed(To::Client, b"answer");
    assert_eq!((w.client.stats().tx_data, w.server.stats().tx_data), (3, 1));
}
