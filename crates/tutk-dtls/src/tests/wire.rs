//! One test for each behaviour on the wire, friendly or not.

use core::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use tutk_core::{Cx, Instant, Layer, TxBuf};

use super::world::*;
use crate::message::{Fragment, Kind};
use crate::*;

const CHACHA: CipherSuite = CipherSuite::EcdhePskChaCha20Poly1305;
const CBC: CipherSuite = CipherSuite::PskAes128CbcSha256;

pub(super) fn world(client: ClientConfig<'_>, server: ServerConfig<'_>) -> World {
    World::new(7, &client, &server)
}

// --- interop/README §3, in its order (docs/testing.md keeps the list) ---

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

// --- forged, replayed, out of place ---

#[test]
fn a_replayed_record_is_dropped() {
    let mut w = World::connected(CHACHA);
    let record = w.sealed(To::Client, b"once");
    w.deliver(To::Client, &record);
    w.deliver(To::Client, &record);
    assert_eq!(w.client_seen[1..], [Seen::Data(b"once".to_vec())]);
    assert_eq!(w.client.stats().rx_replayed, 1);
}

#[test]
fn failed_auth_does_not_advance_the_window() {
    let mut w = World::connected(CHACHA);
    let good = w.sealed(To::Server, b"true");
    let mut forged = good.clone();
    forged[5..11].copy_from_slice(&[0xff; 6]);
    w.deliver(To::Server, &forged);
    assert_eq!(w.server.stats().rx_bad_record, 1);
    w.deliver(To::Server, &good);
    assert_eq!(w.server_seen[1..], [Seen::Data(b"true".to_vec())]);
}

#[test]
fn a_bad_record_does_not_hide_the_good_one_behind_it() {
    let mut w = World::connected(CBC);
    let (mut bad, good) = (w.sealed(To::Server, b"bad"), w.sealed(To::Server, b"good"));
    bad[40] ^= 1;
    w.deliver(To::Server, &[bad, good].concat());
    assert_eq!(w.server_seen[1..], [Seen::Data(b"good".to_vec())]);
}

#[test]
fn several_records_of_a_datagram_are_several_events() {
    let mut w = World::connected(CHACHA);
    let both = [w.sealed(To::Client, b"one"), w.sealed(To::Client, b"")].concat();
    w.deliver(To::Client, &both);
    assert_eq!(
        w.client_seen[1..],
        [Seen::Data(b"one".to_vec()), Seen::Data(vec![])]
    );
}

#[test]
fn plaintext_application_data_is_never_delivered() {
    for connected in [false, true] {
        let mut w = if connected {
            World::connected(CHACHA)
        } else {
            world(client_config(), server_config())
        };
        let (c, s) = (w.client_seen.len(), w.server_seen.len());
        let record = plain_record(23, [0xfe, 0xfd], 9, b"trust me");
        w.deliver(To::Client, &record);
        w.deliver(To::Server, &record);
        assert_eq!((w.client_seen.len(), w.server_seen.len()), (c, s));
        assert_eq!(w.client.stats().rx_early, 1);
    }
}

#[test]
fn records_of_a_later_epoch_are_dropped() {
    let mut w = World::connected(CHACHA);
    let mut record = w.sealed(To::Server, b"x");
    record[4] = 2;
    w.deliver(To::Server, &record);
    let mut w2 = world(client_config(), server_config());
    record[4] = 1;
    w2.deliver(To::Server, &record);
    assert_eq!(
        (w.server.stats().rx_early, w2.server.stats().rx_early),
        (1, 1)
    );
    assert_eq!(w.server_seen.len(), 1);
}

#[test]
fn data_before_the_clients_finished_is_not_delivered() {
    let mut w = world(client_config(), server_config());
    let flight = server_flight(&mut w);
    w.deliver(To::Client, &flight);
    let finish = sent_now(&mut w, To::Server).remove(0);
    let n = records(&finish)[0].3.len() + 13;
    w.deliver(To::Server, &finish[..n]); // only the ClientKeyExchange
    let mut memory = [0; 200];
    let mut tx = TxBuf::new(&mut memory);
    tx.reserve(Client::HEADROOM, Client::TAILROOM).unwrap();
    tx.append(b"too soon").unwrap();
    w.client
        .seal_early(&mut Cx::new(w.now, &mut w.rng), &mut tx);
    w.deliver(To::Server, tx.finish());
    assert_eq!(w.server_seen, []);
    assert_eq!(w.server.stats().rx_early, 1);
    w.deliver(To::Server, &finish);
    w.run();
    w.assert_connected(CHACHA);
}

#[test]
fn a_plaintext_finished_is_not_a_finished() {
    let mut w = world(client_config(), server_config());
    let flight = server_flight(&mut w);
    w.deliver(To::Client, &flight);
    w.deliver(To::Client, &handshake_record(Kind::Finished, 3, &[0; 12]));
    assert_eq!(w.client.stats().rx_bad_handshake, 1);
    assert_eq!(w.client_error, None);
    w.run();
    w.assert_connected(CHACHA);
}

#[test]
fn plaintext_alerts_and_hellos_after_connected_are_ignored() {
    let mut w = World::connected(CHACHA);
    let mut other = world(client_config(), server_config());
    let hello = sent_now(&mut other, To::Server).remove(0);
    for bytes in [
        plain_record(21, [0xfe, 0xfd], 9, &[2, 40]),
        plain_record(21, [0xfe, 0xfd], 9, &[1, 0]),
        hello,
    ] {
        w.deliver(To::Client, &bytes);
        w.deliver(To::Server, &bytes);
    }
    assert!(w.client.is_connected() && w.server.is_connected());
    assert!(sent_now(&mut w, To::Client).is_empty());
    assert_eq!(w.server.stats().rx_alert_ignored, 2);
    assert_eq!(w.server.stats().rx_plaintext_ignored, 1);
}

#[test]
fn truncated_and_overlong_records_are_dropped() {
    let mut w = World::connected(CHACHA);
    let good = w.sealed(To::Server, b"payload");
    for n in 0..good.len() {
        w.deliver(To::Server, &good[..n]);
    }
    let mut long = good.clone();
    long[12] += 1;
    w.deliver(To::Server, &long);
    assert_eq!(w.server_seen.len(), 1);
    assert_eq!(
        w.server.stats().rx_malformed as usize,
        good.len(),
        "every cut but the empty one, and the overlong one"
    );
    w.deliver(To::Server, &good);
    assert_eq!(w.server_seen.len(), 2);
}

// --- refusals ---

#[test]
fn no_common_suite_is_alert_40_and_the_server_goes_on_listening() {
    let server = ServerConfig {
        suites: Suites::CBC,
        ..server_config()
    };
    let mut w = world(
        ClientConfig {
            suites: Suites::CHACHA,
            ..client_config()
        },
        server,
    );
    while w.client_error.is_none() {
        assert!(w.step(), "nothing left to do");
    }
    assert_eq!(w.client_error, Some(Error::PeerAlert(40)));
    assert_eq!(w.server_error, None);
    let retry = ClientConfig {
        suites: Suites::CBC,
        ..client_config()
    };
    w.client = Client::new(&retry, vec![0; 512].leak(), &mut Cx::new(w.now, &mut w.rng));
    w.client_error = None;
    w.run();
    w.assert_connected(CBC);
}

#[test]
fn a_server_that_finds_no_common_suite_says_so_in_the_end() {
    let server = ServerConfig {
        suites: Suites::CBC,
        ..server_config()
    };
    let mut w = world(
        ClientConfig {
            suites: Suites::CHACHA,
            ..client_config()
        },
        server,
    );
    w.run();
    assert_eq!(w.server_error, Some(Error::NoCommonSuite));
}

#[test]
fn an_unknown_identity_is_refused() {
    let mut w = world(
        ClientConfig::new(Psk::new(PSK), b"somebody"),
        server_config(),
    );
    w.run();
    assert_eq!(
        (w.client_error, w.server_error),
        (Some(Error::PeerAlert(115)), Some(Error::UnknownIdentity))
    );
}

/// The server's hello flight with `change` made to it, and what the client says to that.
fn client_after(
    client: ClientConfig<'_>,
    change: impl Fn(&mut Vec<(Kind, Vec<u8>)>),
) -> (Option<Error>, Vec<Vec<u8>>) {
    let mut w = world(client, server_config());
    let hello = sent_now(&mut w, To::Server).remove(0);
    w.deliver(To::Server, &hello);
    let flight = sent_now(&mut w, To::Client);
    let mut messages: Vec<_> = fragments(&flight).into_iter().map(|f| (f.0, f.3)).collect();
    change(&mut messages);
    for (i, (kind, body)) in messages.iter().enumerate() {
        w.deliver(To::Client, &handshake_record(*kind, i as u16, body));
        let sent = sent_now(&mut w, To::Server);
        if w.client_error.is_some() {
            return (w.client_error, sent);
        }
    }
    (None, Vec::new())
}

#[test]
fn illegal_server_hellos_end_the_handshake_with_an_alert() {
    type Change = fn(&mut Vec<(Kind, Vec<u8>)>);
    let set_suite: Change = |m| m[0].1[35..37].copy_from_slice(&[0xc0, 0x38]);
    let version: Change = |m| m[0].1[1] = 0xff;
    let ems: Change = |m| {
        m[0].1.truncate(38);
        m[0].1.extend([0, 4, 0, 0x17, 0, 0]);
    };
    let etm: Change = |m| {
        m[0].1.truncate(38);
        m[0].1.extend([0, 4, 0, 0x16, 0, 0]);
    };
    let group: Change = |m| m[1].1[4] = 23;
    let low_order: Change = |m| m[1].1[6..].fill(0);
    for (change, error, alert) in [
        (set_suite, Error::NoCommonSuite, 40),
        (version, Error::Version, 70),
        (ems, Error::Extension, 110),
        (etm, Error::Extension, 110),
        (group, Error::Group, 47),
        (low_order, Error::LowOrderPoint, 47),
    ] {
        let (seen, sent) = client_after(client_config(), change);
        assert_eq!(seen, Some(error));
        assert_eq!(records(sent.last().unwrap())[0].3, [2, alert], "{error:?}");
    }
}

#[test]
fn a_low_order_point_from_the_client_is_refused() {
    let mut w = world(client_config(), server_config());
    let hello = sent_now(&mut w, To::Server).remove(0);
    w.deliver(To::Server, &hello);
    sent_now(&mut w, To::Client);
    let mut body = vec![0, 8];
    body.extend(b"AUTHPWD_\x20");
    body.extend([0; 32]);
    w.deliver(
        To::Server,
        &handshake_record(Kind::ClientKeyExchange, 1, &body),
    );
    let sent = sent_now(&mut w, To::Client);
    assert_eq!(records(&sent[0])[0].3, [2, 47]);
    assert_eq!(w.server_error, Some(Error::LowOrderPoint));
}

#[test]
fn a_finished_that_decrypts_but_does_not_match_is_fatal() {
    // Someone on the path changes the hello in a way that both ends accept: the extension list is shortened.
    let mut w = world(client_config(), server_config());
    let hello = sent_now(&mut w, To::Server).remove(0);
    let mut body = fragments(&[hello]).remove(0).3;
    let n = body.len() - 6; // ec_point_formats
    body.truncate(n);
    let at = body.len() - 33;
    body[at - 2..at].copy_from_slice(&33u16.to_be_bytes());
    w.deliver(To::Server, &handshake_record(Kind::ClientHello, 0, &body));
    w.run();
    // The keys agree, as the classic master secret is not bound to the transcript, so the records decrypt.
    assert_eq!(w.server_error, Some(Error::BadFinished));
    assert_eq!(
        (w.client_error, w.client_seen),
        (Some(Error::PeerAlert(51)), vec![])
    );
}

// --- cookies, restarts ---

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
