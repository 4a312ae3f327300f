//! The scenarios. Each works on one media packet of 1024 bytes per round, except where it says otherwise.

use std::hint::black_box;

use chacha20poly1305::aead::AeadInOut;
use chacha20poly1305::{ChaCha20Poly1305, Key, KeyInit, Nonce, Tag};

use crate::{dtls, reassembly, session};

/// One round; it is told its number.
pub type Round = Box<dyn FnMut(usize)>;
/// Prepares that many rounds.
pub type Prepare = fn(usize) -> Round;

/// Every scenario by name.
pub const ALL: &[(&str, Prepare)] = &[
    ("aead-open", aead_open),
    ("aead-seal", aead_seal),
    ("memcpy", memcpy),
    ("x25519", dtls::x25519),
    ("transcode", transcode),
    ("seal", dtls::seal),
    ("open", dtls::open),
    ("cbc-bad-mac", dtls::bad_mac),
    ("cbc-bad-padding", dtls::bad_padding),
    ("reassembly", reassembly::reassembly),
    ("receive", session::transcode),
    ("receive-cc51", session::cc51),
    ("send", session::send),
    ("handshake-client", dtls::handshake_client),
    ("handshake-server", dtls::handshake_server),
];

/// Media bytes in one packet, the most that cameras send.
pub(crate) const PAYLOAD: usize = 1024;
/// Media packets of one frame: 20 KiB, a usual P frame of a 2K camera.
pub(crate) const PACKETS: usize = 20;
/// Bytes of such a frame; FRAMEINFO takes the rest of its last packet.
pub(crate) const FRAME: usize = PACKETS * PAYLOAD - 40;
/// AV header in front of them (`docs/protocol.md` §2.9).
const AV_HEADER: usize = 36;
/// What DTLS encrypts: AV header and payload.
pub(crate) const PLAIN: usize = AV_HEADER + PAYLOAD;
/// Bytes in front of the DTLS fragment: IOTC 28, record header 13.
const OUTER: usize = 28 + 13;
const TAG: usize = 16;

/// Associated data of a record: epoch and number, type, version, length.
const AAD: [u8; 13] = [0x17; 13];

fn cipher() -> ChaCha20Poly1305 {
    ChaCha20Poly1305::new(&Key::from([7; 32]))
}

fn nonce(n: usize) -> Nonce {
    let mut nonce = [0; 12];
    nonce[4..].copy_from_slice(&(n as u64).to_be_bytes());
    Nonce::from(nonce)
}

fn seal(cipher: &ChaCha20Poly1305, n: usize, bytes: &mut [u8]) -> Tag {
    cipher
        .encrypt_inout_detached(&nonce(n), &AAD, bytes.into())
        .expect("a kilobyte can be sealed")
}

/// The floor of receiving: opening the record's bytes with the cipher alone, nothing around it.
fn aead_open(rounds: usize) -> Round {
    let cipher = cipher();
    let mut records: Vec<([u8; PLAIN], Tag)> = (0..rounds)
        .map(|n| {
            let mut bytes = [n as u8; PLAIN];
            let tag = seal(&cipher, n, &mut bytes);
            (bytes, tag)
        })
        .collect();
    Box::new(move |n| {
        let (bytes, tag) = &mut records[n];
        cipher
            .decrypt_inout_detached(&nonce(n), &AAD, (&mut bytes[..]).into(), tag)
            .expect("what was sealed opens");
        black_box(bytes);
    })
}

/// The floor of sending: sealing the record's bytes with the cipher alone.
fn aead_seal(rounds: usize) -> Round {
    let cipher = cipher();
    let mut records = vec![[0x5a; PLAIN]; rounds];
    Box::new(move |n| {
        let tag = seal(&cipher, n, &mut records[n]);
        black_box((&records[n], tag));
    })
}

/// One copy of the payload, as a frame is put together.
fn memcpy(_: usize) -> Round {
    let packet = vec![1u8; PLAIN];
    let mut frame = vec![0u8; PAYLOAD];
    Box::new(move |_| {
        frame.copy_from_slice(&black_box(&packet)[AV_HEADER..]);
        black_box(&mut frame);
    })
}

/// TransCode of a received data packet: only its 16-byte header and 48 bytes after it are coded.
fn transcode(rounds: usize) -> Round {
    let mut packet = vec![0u8; OUTER + PLAIN + TAG];
    packet[..4].copy_from_slice(&[0x04, 0x02, 0x1a, 0x0b]);
    tutk_transcode::encode(&mut packet);
    let mut packets = vec![packet; rounds];
    Box::new(move |n| tutk_transcode::decode(black_box(&mut packets[n])))
}
