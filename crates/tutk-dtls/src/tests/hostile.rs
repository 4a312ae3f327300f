//! What is forged, replayed, out of place or refused.

use tutk_core::{Cx, Layer, TxBuf};

use super::wire::{CBC, CHACHA, world};
use super::world::*;
use crate::keys::Side;
use crate::message::Kind;
use crate::record::{ContentType, Position};
use crate::*;

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

#[test]
fn a_servers_finished_that_does_not_match_is_fatal() {
    // Who has the key opens the server's last flight and writes another Finished.
    let client = ClientConfig {
        suites: Suites::CBC,
        ..client_config()
    };
    let mut w = world(client, server_config());
    let hello = sent_now(&mut w, To::Server).remove(0);
    w.deliver(To::Server, &hello);
    let flight = sent_now(&mut w, To::Client).remove(0);
    w.deliver(To::Client, &flight);
    let finish = sent_now(&mut w, To::Server).remove(0);
    w.deliver(To::Server, &finish);
    let last = sent_now(&mut w, To::Client).remove(0);
    let random = |datagram: &[u8]| {
        let hello = fragments(&[datagram.to_vec()]).remove(0).3;
        <[u8; 32]>::try_from(&hello[2..34]).unwrap()
    };
    let (ours, theirs) = (random(&hello), random(&flight));
    let master = keys::master_secret(&keys::premaster(&[0; 32], &PSK), &ours, &theirs);
    let (sealer, _) = cipher::derive(CBC, Side::Server, &master, &ours, &theirs).unwrap();
    let finished = handshake_record(Kind::Finished, fragments(&[flight]).len() as u16, &[7; 12]);
    let mut memory = [0; 200];
    let mut tx = TxBuf::new(&mut memory);
    tx.reserve(cipher::HEADROOM, cipher::TAILROOM).unwrap();
    tx.append(&finished[13..]).unwrap();
    let at = Position { epoch: 1, seq: 0 };
    sealer
        .seal(ContentType::Handshake, at, &mut w.rng, &mut tx)
        .unwrap();
    assert_eq!(records(&last)[1].1, 1, "the one it replaces");
    w.deliver(To::Client, tx.finish());
    assert_eq!((w.client_error, w.client_seen.len()), (None, 0));
    w.collect();
    assert_eq!(w.client_error, Some(Error::BadFinished));
}
