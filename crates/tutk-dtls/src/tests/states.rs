//! What counts in which state, and what does not.

use core::time::Duration;

use tutk_core::{Cx, Layer};

use super::wire::world;
use super::world::*;
use crate::message::Kind;
use crate::*;

const CHACHA: CipherSuite = CipherSuite::EcdhePskChaCha20Poly1305;
const A_WHILE: Duration = Duration::from_millis(200);

/// The first `n` records of a datagram.
fn first(datagram: &[u8], n: usize) -> &[u8] {
    let lengths = records(datagram).into_iter().map(|r| 13 + r.3.len());
    &datagram[..lengths.take(n).sum()]
}

#[test]
fn a_handshake_without_faults_drops_nothing() {
    for suites in [Suites::CHACHA, Suites::CBC] {
        let client = ClientConfig {
            suites,
            ..client_config()
        };
        let mut w = world(client, server_config());
        w.run();
        let (client, server) = (*w.client.stats(), *w.server.stats());
        let quiet = Stats {
            tx_flights: 2,
            ..Stats::default()
        };
        let of = |rx_records| Stats {
            rx_records,
            ..quiet
        };
        assert_eq!(server, of(4), "hello, key exchange, cipher, finished");
        assert_eq!(client, of(if suites == Suites::CBC { 4 } else { 5 }));
    }
}

#[test]
fn a_closed_end_believes_no_plaintext_and_delivers_nothing() {
    let mut w = World::connected(CHACHA);
    let data = [w.sealed(To::Client, b"late"), w.sealed(To::Server, b"late")];
    w.client.close();
    w.server.close();
    for (to, data) in [To::Client, To::Server].into_iter().zip(data) {
        w.deliver(to, &data);
        w.deliver(to, &plain_record(21, [0xfe, 0xfd], 9, &[2, 40]));
        w.deliver(to, &handshake_record(Kind::Finished, 9, &[0; 12]));
    }
    assert_eq!((w.client_error, w.server_error), (None, None));
    assert_eq!((w.client_seen.len(), w.server_seen.len()), (1, 1));
    for stats in [w.client.stats(), w.server.stats()] {
        assert_eq!(stats.rx_early, 1);
        assert_eq!(stats.rx_alert_ignored, 1);
        assert_eq!(stats.rx_plaintext_ignored, 1);
    }
}

#[test]
fn a_goodbye_before_there_are_keys_goes_unsaid_however_often_it_is_asked_for() {
    let mut w = world(client_config(), server_config());
    assert_eq!(sent_now(&mut w, To::Server).len(), 1, "the hello");
    for _ in 0..2 {
        w.client.close();
        assert_eq!(sent_now(&mut w, To::Server), Vec::<Vec<u8>>::new());
    }
}

#[test]
fn a_server_to_which_nobody_has_spoken_believes_nothing() {
    let mut w = world(client_config(), server_config());
    w.deliver(To::Server, &plain_record(21, [0xfe, 0xfd], 0, &[2, 40]));
    w.deliver(To::Server, &plain_record(21, [0xfe, 0xfd], 0, &[1, 0]));
    let exchange = handshake_record(Kind::ClientKeyExchange, 0, &[0, 0]);
    w.deliver(To::Server, &exchange);
    let stats = w.server.stats();
    assert_eq!((stats.rx_alert_ignored, stats.rx_bad_handshake), (2, 1));
    assert_eq!((w.server_error, &w.server_seen[..]), (None, &[][..]));
    w.run();
    w.assert_connected(CHACHA);
}

#[test]
fn half_of_the_servers_flight_that_comes_again_is_answered_with_nothing() {
    let mut w = world(client_config(), server_config());
    let flight = server_flight(&mut w);
    w.deliver(To::Client, first(&flight, 1));
    w.now += A_WHILE;
    w.deliver(To::Client, first(&flight, 2));
    assert_eq!(w.client.stats().rx_repeated, 1);
    assert_eq!(sent_now(&mut w, To::Server), Vec::<Vec<u8>>::new());
    w.deliver(To::Client, &flight);
    assert_eq!(sent_now(&mut w, To::Server).len(), 1);
    w.now += A_WHILE;
    w.deliver(To::Client, &flight);
    assert_eq!(sent_now(&mut w, To::Server).len(), 1, "the server lacks it");
    assert_eq!(w.client.stats().tx_echo_repeats, 1);
}

#[test]
fn a_key_exchange_that_comes_again_is_answered_with_nothing() {
    let mut w = world(client_config(), server_config());
    let hello = sent_now(&mut w, To::Server).remove(0);
    w.deliver(To::Server, &hello);
    let flight = sent_now(&mut w, To::Client).remove(0);
    w.deliver(To::Client, &flight);
    let finish = sent_now(&mut w, To::Server).remove(0);
    w.deliver(To::Server, first(&finish, 1));
    w.now += A_WHILE;
    w.deliver(To::Server, first(&finish, 1));
    w.deliver(To::Server, &hello);
    assert_eq!(w.server.stats().rx_repeated, 2);
    assert_eq!(sent_now(&mut w, To::Client), Vec::<Vec<u8>>::new());
}

#[test]
fn a_server_that_closed_does_not_repeat_its_last_flight() {
    let mut w = world(client_config(), server_config());
    while !w.server.is_connected() {
        assert!(w.step(), "nothing left to do");
    }
    sent_now(&mut w, To::Client); // its Finished is lost
    w.server.close();
    assert_eq!(sent_now(&mut w, To::Client).len(), 1, "the goodbye");
    w.now += Duration::from_millis(500);
    let mut cx = Cx::new(w.now, &mut w.rng);
    w.client.handle_timeout(&mut cx).unwrap();
    let again = sent_now(&mut w, To::Server).remove(0);
    w.deliver(To::Server, &again);
    assert_eq!(sent_now(&mut w, To::Client), Vec::<Vec<u8>>::new());
    assert_eq!(w.server.stats().rx_repeated, 1);
}

#[test]
fn data_before_the_servers_finished_is_not_delivered() {
    let mut w = world(client_config(), server_config());
    while !w.server.is_connected() {
        assert!(w.step(), "nothing left to do");
    }
    let finish = sent_now(&mut w, To::Client).remove(0);
    let data = w.sealed(To::Client, b"too soon");
    w.deliver(To::Client, &data);
    assert_eq!((w.client.stats().rx_early, w.client_seen.len()), (1, 0));
    w.deliver(To::Client, &finish);
    w.assert_connected(CHACHA);
    let data = w.sealed(To::Client, b"in time");
    w.deliver(To::Client, &data);
    assert_eq!(w.client_seen[1..], [Seen::Data(b"in time".to_vec())]);
}

#[test]
fn with_ecdhe_a_server_without_a_key_exchange_is_waited_for() {
    let mut w = world(client_config(), server_config());
    let flight = server_flight(&mut w);
    w.deliver(To::Client, first(&flight, 1));
    w.deliver(To::Client, &handshake_record(Kind::ServerHelloDone, 1, &[]));
    assert_eq!(w.client_error, None);
    assert_eq!(w.client.phase(), Phase::KeyExchange);
    assert_eq!(w.client.stats().rx_bad_handshake, 1);
    assert_eq!(sent_now(&mut w, To::Server), Vec::<Vec<u8>>::new());
}

#[test]
fn a_message_behind_a_fatal_one_in_its_record_is_not_looked_at() {
    let mut w = world(client_config(), server_config());
    sent_now(&mut w, To::Server);
    // A ServerHello in DTLS 1.0, and behind it half a fragment header.
    let body = [&[0xfe, 0xff][..], &[7; 32], &[0], &[0xcc, 0xac], &[0]].concat();
    let mut record = handshake_record(Kind::ServerHello, 0, &body);
    record.extend([0; 6]);
    record[12] += 6;
    w.deliver(To::Client, &record);
    assert_eq!(w.client.stats().rx_bad_handshake, 0);
    assert_eq!(sent_now(&mut w, To::Server)[0][13..], [2, 70]);
}

#[test]
fn both_ends_say_which_suite_was_chosen_once_it_is() {
    for (suites, suite) in [
        (Suites::CHACHA, CHACHA),
        (Suites::CBC, CipherSuite::PskAes128CbcSha256),
    ] {
        let client = ClientConfig {
            suites,
            ..client_config()
        };
        let mut w = world(client, server_config());
        let hello = sent_now(&mut w, To::Server).remove(0);
        assert_eq!((w.client.suite(), w.server.suite()), (None, None));
        w.deliver(To::Server, &hello);
        assert_eq!((w.client.suite(), w.server.suite()), (None, Some(suite)));
        w.run();
        assert_eq!(w.client.suite(), Some(suite));
    }
}

#[test]
fn no_cookie_is_asked_for_once_the_server_has_said_hello() {
    let mut w = world(client_config(), server_config());
    let flight = server_flight(&mut w);
    w.deliver(To::Client, first(&flight, 1));
    let body = [0xfe, 0xff, 1, 7];
    let verify = handshake_record(Kind::HelloVerifyRequest, 0, &body);
    w.deliver(To::Client, &verify);
    assert_eq!(w.client.stats().rx_repeated, 1);
    assert_eq!(sent_now(&mut w, To::Server), Vec::<Vec<u8>>::new());
    w.deliver(To::Client, &flight);
    w.run();
    w.assert_connected(CHACHA);
}

#[test]
fn a_piece_of_a_second_verify_request_is_not_the_request() {
    let mut w = world(client_config(), server_config());
    sent_now(&mut w, To::Server);
    let verify = |cookie| handshake_record(Kind::HelloVerifyRequest, 0, &[0xfe, 0xff, 1, cookie]);
    w.deliver(To::Client, &verify(7));
    assert_eq!(sent_now(&mut w, To::Server).len(), 1);
    let mut piece = verify(8);
    piece[13 + 3] += 1; // one byte more is to come
    w.deliver(To::Client, &piece);
    assert_eq!(w.client.stats().rx_repeated, 1);
    assert_eq!(sent_now(&mut w, To::Server), Vec::<Vec<u8>>::new());
}

#[test]
fn a_message_with_a_number_to_come_is_dropped() {
    let mut w = world(client_config(), server_config());
    let flight = server_flight(&mut w);
    let done = |seq| handshake_record(Kind::ServerHelloDone, seq, &[]);
    w.deliver(To::Client, first(&flight, 2));
    w.deliver(To::Client, &done(3));
    assert_eq!(w.client.stats().rx_ahead, 1);
    assert_eq!(sent_now(&mut w, To::Server), Vec::<Vec<u8>>::new());
    w.deliver(To::Client, &done(2));
    w.run();
    w.assert_connected(CHACHA);
    assert_eq!(w.client.stats().rx_bad_handshake, 0);
}

#[test]
fn a_wiretap_reads_what_either_side_said_and_who_said_it() {
    let psk = PSK;
    let client = ClientConfig {
        suites: Suites::CBC,
        ..client_config()
    };
    let mut w = world(client, server_config());
    w.run();
    let random = |to| {
        let (_, datagram) = w.sent.iter().find(|(t, _)| *t == to).unwrap();
        let body = records(datagram).remove(0).3;
        <[u8; 32]>::try_from(&body[14..46]).unwrap()
    };
    let wiretap = Wiretap::with_psk(&psk, &random(To::Server), &random(To::Client)).unwrap();
    for (to, text) in [(To::Server, b"request"), (To::Client, b"answers")] {
        let by_client = to == To::Server;
        let record = w.sealed(to, text);
        let heard = |by| wiretap.open(by, &mut record.clone()).map(|t| t.to_vec());
        assert_eq!(heard(by_client), Some(text.to_vec()));
        assert_eq!(heard(!by_client), None);
    }
}
