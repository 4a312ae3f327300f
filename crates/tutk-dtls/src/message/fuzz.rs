//! Body of the fuzz target `dtls_message`: handshake messages.
//!
//! It is here and not in `tutk-testkit`, because what writes them is private.

use tutk_core::wire::{Reader, Writer};

use super::*;
use crate::suite::{CipherSuite, Suites};

/// What any bytes are read as, as a fragment and as the body of each message, is written by the other side's words, and read
/// again as the same.
pub fn dtls_message(bytes: &[u8]) {
    fragment(bytes);
    client_hello(bytes);
    hello_verify_request(bytes);
    server_hello(bytes);
    key_exchanges(bytes);
}

pub(super) fn written(body: impl FnOnce(&mut Writer<'_>)) -> Option<Vec<u8>> {
    let mut memory = [0; 1024];
    let mut w = Writer::new(&mut memory);
    body(&mut w);
    Some(w.finish().ok()?.to_vec())
}

pub(super) fn suites() -> [(CipherSuite, Suites); 2] {
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
