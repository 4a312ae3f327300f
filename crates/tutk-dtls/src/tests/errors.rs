//! What a user reads, and what the peer is told, when an association ends.

use crate::error::alert;
use crate::{CipherSuite, Error, Phase, SealError};

const ERRORS: [(Error, &str, u8); 17] = [
    (
        Error::HandshakeTimeout {
            after: Phase::Hello,
        },
        "did not answer",
        alert::HANDSHAKE_FAILURE,
    ),
    (
        Error::HandshakeTimeout {
            after: Phase::KeyExchange,
        },
        "before the key exchange",
        alert::HANDSHAKE_FAILURE,
    ),
    (
        Error::HandshakeTimeout {
            after: Phase::Finished,
        },
        "the key is wrong",
        alert::HANDSHAKE_FAILURE,
    ),
    (
        Error::PeerAlert(20),
        "the key is wrong",
        alert::HANDSHAKE_FAILURE,
    ),
    (
        Error::PeerAlert(40),
        "cipher suites",
        alert::HANDSHAKE_FAILURE,
    ),
    (
        Error::PeerAlert(70),
        "refuses DTLS 1.2",
        alert::HANDSHAKE_FAILURE,
    ),
    (Error::PeerAlert(115), "identity", alert::HANDSHAKE_FAILURE),
    (Error::PeerAlert(99), "alert 99", alert::HANDSHAKE_FAILURE),
    (Error::BadFinished, "tampered", alert::DECRYPT_ERROR),
    (Error::NoCommonSuite, "in common", alert::HANDSHAKE_FAILURE),
    (Error::Version, "version", alert::PROTOCOL_VERSION),
    (Error::Extension, "extension", alert::UNSUPPORTED_EXTENSION),
    (Error::Group, "X25519", alert::ILLEGAL_PARAMETER),
    (Error::LowOrderPoint, "low order", alert::ILLEGAL_PARAMETER),
    (
        Error::UnknownIdentity,
        "not an accepted",
        alert::UNKNOWN_PSK_IDENTITY,
    ),
    (
        Error::SequenceExhausted,
        "connect again",
        alert::HANDSHAKE_FAILURE,
    ),
    (Error::BufferTooSmall, "100 bytes", alert::HANDSHAKE_FAILURE),
];

#[test]
fn each_reason_reads_differently_and_has_its_alert() {
    let mut texts = Vec::new();
    for (error, word, alert) in ERRORS {
        let text = error.to_string();
        assert!(text.contains(word), "{text}");
        assert_eq!(error.alert(), alert, "{text}");
        texts.push(text);
    }
    texts.sort();
    texts.dedup();
    assert_eq!(texts.len(), ERRORS.len());
    assert_eq!(
        Error::PeerAlert(51).to_string(),
        Error::PeerAlert(20).to_string()
    );
}

#[test]
fn each_refusal_to_seal_reads_differently() {
    let mut texts: Vec<String> = [
        SealError::NotConnected,
        tutk_core::Full.into(),
        SealError::TooLong,
        SealError::Exhausted,
    ]
    .iter()
    .map(ToString::to_string)
    .collect();
    for (text, word) in texts
        .iter()
        .zip(["not connected", "room", "16384", "connect again"])
    {
        assert!(text.contains(word), "{text}");
    }
    texts.dedup();
    assert_eq!(texts.len(), 4);
}

#[test]
fn suites_have_the_names_of_their_registry() {
    let names = [
        CipherSuite::EcdhePskChaCha20Poly1305,
        CipherSuite::PskAes128CbcSha256,
    ]
    .map(|suite| suite.to_string());
    assert_eq!(
        names,
        ["ECDHE-PSK-CHACHA20-POLY1305", "PSK-AES128-CBC-SHA256"]
    );
}
