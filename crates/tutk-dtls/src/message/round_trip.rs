//! What is read of any bytes, written by the other side's words, and read again, is the same.

use proptest::prelude::*;
use tutk_core::wire::{Malformed, Reader, Writer};

use super::*;
use crate::suite::{CipherSuite, Suites};

fn written(body: impl FnOnce(&mut Writer<'_>)) -> Option<Vec<u8>> {
    let mut memory = [0; 1024];
    let mut w = Writer::new(&mut memory);
    body(&mut w);
    Some(w.finish().ok()?.to_vec())
}

fn suites() -> [(CipherSuite, Suites); 2] {
    let chacha = CipherSuite::EcdhePskChaCha20Poly1305;
    let cbc = CipherSuite::PskAes128CbcSha256;
    [(chacha, Suites::only(chacha)), (cbc, Suites::only(cbc))]
}

fn fragment(bytes: &[u8]) {
    let mut r = Reader::new(bytes);
    while let Ok(read) = Fragment::read(&mut r) {
        let again = [&read.header()[..], read.bytes].concat();
        let again = Fragment::read(&mut Reader::new(&again)).unwrap();
        let parts = |f: &Fragment<'_>| (f.kind, f.len, f.seq, f.offset, f.bytes.to_vec());
        assert_eq!(parts(&again), parts(&read));
    }
}

fn client_hello(body: &[u8]) {
    let Ok(read) = ClientHello::read(body) else {
        return;
    };
    let ems = read.asks.extended_master_secret;
    for (suite, offered) in suites() {
        if read.choose(offered) != Some(suite) {
            continue;
        }
        let bytes = written(|w| write_client_hello(w, read.random, read.cookie, offered, ems));
        let bytes = bytes.unwrap();
        let again = ClientHello::read(&bytes).unwrap();
        assert_eq!((again.random, again.cookie), (read.random, read.cookie));
        assert_eq!(again.choose(offered), Some(suite));
        assert!(again.speaks_1_2 && again.asks.renegotiation_info);
        assert_eq!(again.asks.extended_master_secret, ems);
    }
}

fn hello_verify_request(body: &[u8]) {
    if let Ok(cookie) = read_hello_verify_request(body) {
        let bytes = written(|w| write_hello_verify_request(w, cookie)).unwrap();
        assert_eq!(read_hello_verify_request(&bytes), Ok(cookie));
    }
}

fn server_hello(body: &[u8]) {
    let Ok(read) = ServerHello::read(body) else {
        return;
    };
    for (suite, _) in suites() {
        let asked = Asked {
            extended_master_secret: read.extended_master_secret,
            renegotiation_info: read.bad_extension,
            point_formats: true,
        };
        let bytes = written(|w| write_server_hello(w, read.random, suite, asked)).unwrap();
        let again = ServerHello::read(&bytes).unwrap();
        assert_eq!((again.random, again.suite), (read.random, suite.code()));
        let ems = again.extended_master_secret;
        assert_eq!(ems, read.extended_master_secret);
        assert!(!again.bad_extension);
    }
}

fn key_exchanges(body: &[u8]) {
    for (suite, _) in suites() {
        if let Ok(read) = ClientKeyExchange::read(body, suite) {
            let point = read.point.copied().unwrap_or_default();
            let bytes = written(|w| write_client_key_exchange(w, suite, read.identity, &point));
            assert_eq!(bytes.as_deref(), Some(body), "every byte has a meaning");
        }
        let Ok(read) = ServerKeyExchange::read(body, suite) else {
            continue;
        };
        let hint = Reader::new(body).vec16().unwrap().rest();
        match read {
            ServerKeyExchange::Psk => {
                let bytes = written(|w| write_server_key_exchange(w, suite, hint, &[0; 32]));
                assert_eq!(bytes.as_deref(), Some(body));
            }
            ServerKeyExchange::X25519(point) => {
                let bytes = written(|w| write_server_key_exchange(w, suite, hint, point));
                assert_eq!(bytes.as_deref(), Some(body));
            }
            ServerKeyExchange::OtherGroup => assert!(suite.is_ecdhe()),
        }
    }
}

fn all(bytes: &[u8]) {
    fragment(bytes);
    client_hello(bytes);
    hello_verify_request(bytes);
    server_hello(bytes);
    key_exchanges(bytes);
}

/// What we write of made-up contents, then damaged in a few places: random bytes alone are seldom a message.
fn near() -> impl Strategy<Value = Vec<u8>> {
    let contents = (
        any::<[u8; 32]>(),
        prop::collection::vec(any::<u8>(), 0..60),
        any::<bool>(),
        0..6u8,
    );
    let made = contents.prop_map(|(random, words, ems, which)| {
        let [(chacha, _), (cbc, _)] = suites();
        let asked = Asked {
            extended_master_secret: ems,
            renegotiation_info: true,
            point_formats: true,
        };
        let suite = if ems { chacha } else { cbc };
        written(|w| match which {
            0 => write_client_hello(w, &random, &words, Suites::ALL, ems),
            1 => write_hello_verify_request(w, &words),
            2 => write_server_hello(w, &random, suite, asked),
            3 => write_server_key_exchange(w, suite, &words, &random),
            4 => write_client_key_exchange(w, suite, &words, &random),
            _ => {
                let fragment = Fragment {
                    kind: Kind::from(random[0]),
                    len: words.len() + usize::from(random[1]),
                    seq: u16::from(random[2]),
                    offset: usize::from(random[1]) / 2,
                    bytes: &words,
                };
                w.bytes(&fragment.header());
                w.bytes(&words);
            }
        })
        .unwrap()
    });
    let damage = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3);
    (made, damage).prop_map(|(mut bytes, damage)| {
        for (at, value) in damage {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        bytes
    })
}

proptest! {
    #[test]
    fn any_handshake_message_that_is_read_is_written_and_read_again_as_the_same(bytes in near()) {
        all(&bytes);
    }

    #[test]
    fn so_is_what_any_bytes_happen_to_be(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
        all(&bytes);
    }
}

#[test]
fn what_we_write_is_read() -> Result<(), Malformed> {
    for (suite, offered) in suites() {
        for ems in [false, true] {
            let hello = written(|w| write_client_hello(w, &[7; 32], b"cookie", offered, ems));
            let hello = hello.unwrap();
            let read = ClientHello::read(&hello)?;
            assert_eq!(
                (read.cookie, read.choose(Suites::ALL)),
                (&b"cookie"[..], Some(suite))
            );
            assert_eq!(read.asks.point_formats, suite.is_ecdhe());
            let answer = written(|w| write_server_hello(w, &[8; 32], suite, read.asks)).unwrap();
            let read = ServerHello::read(&answer)?;
            assert_eq!(
                (read.suite, read.extended_master_secret),
                (suite.code(), ems)
            );
            assert!(!read.bad_extension);
        }
    }
    Ok(())
}
