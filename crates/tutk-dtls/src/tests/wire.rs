//! What friendly peers do on the wire, and what is sent again.

use core::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use tutk_core::{Cx, Instant, Layer};

use super::world::*;
use crate::message::{Fragment, Kind};
use crate::*;

pub(super) const CHACHA: CipherSuite = CipherSuite::EcdhePskChaCha20Poly1305;
pub(super) const CBC: CipherSuite = CipherSuite::PskAes128CbcSha256;

pub(super) fn world(client: ClientConfig<'_>, server: ServerConfig<'_>) -> World {
    World::new(7, &client, &server)
}

#[test]
fn hello_verify_request_in_dtls_1_0_is_followed_and_the_transcript_starts_at_the_second_hello() {
    for suite in [CHACHA, CBC] {
        let client = ClientConfig {
            suites: Suites::only(suite),
            ..client_config()
        };
        let mut w = world(
            client,
            ServerConfig {
                cookie: true,
                ..server_config()
            },
        );
        w.run();
        w.assert_connected(suite);
        let verify = &w.sent[1].1;
        assert_eq!(verify[1..3], [0xfe, 0xff], "record version");
        assert_eq!(verify[25..27], [0xfe, 0xff], "server_version");
        let hellos: Vec<_> = w
            .sent
            .iter()
            .filter(|(to, _)| *to == To::Server)
            .take(2)
            .map(|(_, d)| fragments(std::slice::from_ref(d))[0].1)
            .collect();
        assert_eq!(hellos, [0, 1], "message numbers");
    }
}

#[test]
fn server_answers_a_cookie_with_the_numbers_of_the_hello() {
    let mut w = world(
        client_config(),
        ServerConfig {
            cookie: true,
            ..server_config()
        },
    );
    w.run();
    let (hello, answer) = (records(&w.sent[2].1), records(&w.sent[3].1));
    assert_eq!(answer[0].2, hello[0].2, "record number");
    assert_eq!(fragments(&[w.sent[3].1.clone()])[0].1, 1, "message number");
}

#[test]
fn a_server_that_starts_at_any_record_number_is_accepted() {
    let mut w = world(client_config(), server_config());
    let hello = sent_now(&mut w, To::Server);
    w.deliver(To::Server, &hello[0]);
    let mut flight = sent_now(&mut w, To::Client).remove(0);
    flight[5..11].copy_from_slice(&[0, 0, 1, 2, 3, 4]);
    w.deliver(To::Client, &flight);
    w.run();
    w.assert_connected(CHACHA);
}

#[test]
fn each_flight_is_one_datagram_of_several_records() {
    let mut w = world(client_config(), server_config());
    w.run();
    let shape: Vec<Vec<_>> = w
        .sent
        .iter()
        .map(|(_, d)| records(d).iter().map(|r| (r.0, r.1)).collect())
        .collect();
    assert_eq!(
        shape,
        [
            vec![(22, 0)],
            vec![(22, 0), (22, 0), (22, 0)],
            vec![(22, 0), (20, 0), (22, 1)],
            vec![(20, 0), (22, 1)],
        ]
    );
}

#[test]
fn retransmissions_in_other_packing_are_accepted() {
    let mut w = world(client_config(), server_config());
    let hello = sent_now(&mut w, To::Server);
    w.deliver(To::Server, &hello[0]);
    let flight = sent_now(&mut w, To::Client).remove(0);
    for (i, (kind, _, _, body)) in records(&flight).into_iter().enumerate() {
        w.deliver(
            To::Client,
            &plain_record(kind, [0xfe, 0xfd], 40 + i as u8, &body),
        );
    }
    w.run();
    w.assert_connected(CHACHA);
}

#[test]
fn plain_psk_has_a_server_key_exchange_only_with_a_hint() {
    for (suite, hint, expected) in [
        (CBC, None, vec![Kind::ServerHello, Kind::ServerHelloDone]),
        (
            CBC,
            Some(&b"hint"[..]),
            vec![
                Kind::ServerHello,
                Kind::ServerKeyExchange,
                Kind::ServerHelloDone,
            ],
        ),
        (
            CHACHA,
            None,
            vec![
                Kind::ServerHello,
                Kind::ServerKeyExchange,
                Kind::ServerHelloDone,
            ],
        ),
        (
            CHACHA,
            Some(&b"hint"[..]),
            vec![
                Kind::ServerHello,
                Kind::ServerKeyExchange,
                Kind::ServerHelloDone,
            ],
        ),
    ] {
        let client = ClientConfig {
            suites: Suites::only(suite),
            ..client_config()
        };
        let mut w = world(
            client,
            ServerConfig {
                hint,
                ..server_config()
            },
        );
        w.run();
        w.assert_connected(suite);
        let kinds: Vec<_> = fragments(&[w.sent[1].1.clone()])
            .into_iter()
            .map(|f| f.0)
            .collect();
        assert_eq!(kinds, expected, "{suite} {hint:?}");
    }
}

#[test]
fn a_plaintext_alert_is_how_some_servers_report_a_wrong_key() {
    let mut w = world(
        ClientConfig {
            suites: Suites::CBC,
            ..client_config()
        },
        server_config(),
    );
    w.deliver(To::Client, &plain_record(21, [0xfe, 0xfd], 9, &[2, 20]));
    assert_eq!(w.client_error, Some(Error::PeerAlert(20)));
}

#[test]
fn extensions_we_do_not_speak_are_declined_by_silence() {
    // OpenSSL's hello with tickets, encrypt-then-MAC, extended master secret and SCSV.
    let body = hex::decode(
        "fefd88d7f2c86437959e321ad8a6ed34bf2f86b4081f064b40e121e3726c28c04bcb0000000400ae00ff01000040002300000016000000170000\
         000d0030002e040305030603080708080809080a080b080408050806040105010601030302030301020103020202040205020602",
    )
    .unwrap();
    let mut w = world(client_config(), server_config());
    w.deliver(To::Server, &handshake_record(Kind::ClientHello, 0, &body));
    let answer = fragments(&sent_now(&mut w, To::Client)).remove(0).3;
    assert_eq!(
        hex::encode(&answer[35..]),
        "00ae000005ff01000100",
        "only renegotiation_info is answered"
    );
}

#[test]
fn close_notify_is_answered_with_close_notify() {
    for suite in [CHACHA, CBC] {
        let mut w = World::connected(suite);
        w.client.close();
        assert!(!w.client.is_connected());
        w.run();
        assert_eq!(w.server_seen.last(), Some(&Seen::Closed));
        assert_eq!(w.client_seen.last(), Some(&Seen::Closed), "the answer");
        let alerts: Vec<_> = w
            .sent
            .iter()
            .flat_map(|(_, d)| records(d))
            .map(|r| (r.0, r.1))
            .collect();
        assert_eq!(alerts, [(21, 1), (21, 1)], "and no answer to the answer");
        assert!(!w.server.is_connected());
    }
}

#[test]
fn fragments_of_different_messages_may_share_a_datagram() {
    let mut w = world(client_config(), server_config());
    let hello = sent_now(&mut w, To::Server);
    w.deliver(To::Server, &hello[0]);
    let mut pieces = Vec::new();
    for (kind, seq, _, body) in fragments(&sent_now(&mut w, To::Client)) {
        let parts: Vec<&[u8]> = if body.is_empty() {
            vec![&[]]
        } else {
            body.chunks(20).collect()
        };
        for (i, bytes) in parts.into_iter().enumerate() {
            let fragment = Fragment {
                kind,
                len: body.len(),
                seq,
                offset: 20 * i,
                bytes,
            };
            pieces.push(plain_record(
                22,
                [0xfe, 0xfd],
                pieces.len() as u8,
                &[&fragment.header(), bytes].concat(),
            ));
        }
    }
    // ServerHello in three pieces, the last of them together with the first of ServerKeyExchange, and so on.
    assert_eq!(pieces.len(), 3 + 2 + 1);
    for datagram in pieces.chunks(2) {
        w.deliver(To::Client, &datagram.concat());
    }
    w.run();
    w.assert_connected(CHACHA);
}

// --- resending ---

#[test]
fn a_resent_flight_is_the_same_flight_with_new_record_numbers() {
    for mtu in [100, 1200] {
        let mut w = world(
            ClientConfig {
                mtu,
                ..client_config()
            },
            ServerConfig {
                mtu,
                ..server_config()
            },
        );
        let mut cx_rng = ChaCha8Rng::seed_from_u64(3);
        let mut again = |w: &mut World, to: To| {
            let first = sent_now(w, to);
            w.now += Duration::from_millis(500);
            let mut cx = Cx::new(w.now, &mut cx_rng);
            match to {
                To::Server => w.client.handle_timeout(&mut cx).unwrap(),
                To::Client => w.server.handle_timeout(&mut cx).unwrap(),
            }
            let second = sent_now(w, to);
            assert!(!first.is_empty());
            assert_eq!(fragments(&first), fragments(&second));
            let numbers = |d: &[Vec<u8>]| {
                d.iter()
                    .flat_map(|d| records(d))
                    .map(|r| (r.1, r.2))
                    .collect::<Vec<_>>()
            };
            assert!(
                numbers(&second)
                    .iter()
                    .all(|n| !numbers(&first).contains(n))
            );
            first
        };
        for datagram in again(&mut w, To::Server) {
            w.deliver(To::Server, &datagram);
        }
        for datagram in again(&mut w, To::Client) {
            w.deliver(To::Client, &datagram);
        }
        for datagram in again(&mut w, To::Server) {
            w.deliver(To::Server, &datagram);
        }
        w.run();
        w.assert_connected(CHACHA);
    }
}

#[test]
fn a_lost_final_flight_is_sent_again_when_the_client_repeats_its_finished() {
    for suite in [CHACHA, CBC] {
        let mut w = world(
            ClientConfig {
                suites: Suites::only(suite),
                ..client_config()
            },
            server_config(),
        );
        while !w.server.is_connected() {
            assert!(w.step(), "nothing left to do");
        }
        w.collect();
        w.in_flight.clear(); // the server's Finished is lost
        w.run();
        w.assert_connected(suite);
        assert_eq!(w.server.stats().tx_echo_repeats, 1);
        assert_eq!(w.client.stats().tx_timer_repeats, 1);
        assert_eq!(
            w.server.poll_timeout(),
            None,
            "a connected server has no timer"
        );
    }
}

#[test]
fn a_duplicated_flight_is_not_answered_twice_at_once() {
    let mut w = world(client_config(), server_config());
    let hello = sent_now(&mut w, To::Server).remove(0);
    w.deliver(To::Server, &hello);
    assert_eq!(sent_now(&mut w, To::Client).len(), 1);
    for _ in 0..50 {
        w.deliver(To::Server, &hello);
        assert!(sent_now(&mut w, To::Client).is_empty());
    }
    w.now += Duration::from_millis(200);
    w.deliver(To::Server, &hello);
    assert_eq!(sent_now(&mut w, To::Client).len(), 1, "after a while it is");
}

#[test]
fn handle_timeout_before_anything_is_due_changes_nothing() {
    let mut w = world(client_config(), server_config());
    w.collect();
    let due = w.client.poll_timeout().unwrap();
    let mut cx = Cx::new(Instant::from_micros(due.as_micros() - 1), &mut w.rng);
    w.client.handle_timeout(&mut cx).unwrap();
    assert_eq!(w.client.poll_timeout(), Some(due));
    assert!(sent_now(&mut w, To::Server).is_empty());
}
