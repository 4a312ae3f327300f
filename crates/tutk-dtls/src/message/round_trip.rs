//! What is read of any bytes, written by the other side's words, and read again, is the same.

use proptest::prelude::*;
use tutk_core::wire::Malformed;

use super::fuzz::{dtls_message, suites, written};
use super::*;
use crate::suite::Suites;

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
        dtls_message(&bytes);
    }

    #[test]
    fn so_is_what_any_bytes_happen_to_be(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
        dtls_message(&bytes);
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

#[test]
fn the_body_of_the_fuzz_target_survives_its_corpus() {
    let folder = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../fuzz/corpus/dtls_message"
    );
    let mut replayed = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        dtls_message(&std::fs::read(file.unwrap().path()).unwrap());
        replayed += 1;
    }
    assert!(replayed > 0, "no seeds");
}
