//! TransCode, the scrambling of every IOTC packet of the older TUTK framing. No dependency, no heap, no `unsafe`.
//!
//! It is an obfuscation, not encryption: the key is a constant, and anyone can undo it. Nothing it "protects" is secret
//! or authentic. Both directions work in place on a temporary of 16 bytes.
//!
//! | bytes | treatment |
//! |---|---|
//! | blocks of 16 | rotate the four little-endian words right by 1, 5, 9, 13; XOR the key; permute bytes; rotate by 3, 7, 11, 15 |
//! | a tail of n < 16 | XOR the first n bytes of the key; with n = 2, 4, 8 swap bytes as well |
//! | a packet whose byte 3 has bit 0 set | only its first 64 bytes (16 of header, 48 of body) are scrambled |
//!
//! ```
//! let mut packet = *b"\x04\x02\x1a\x0a\x08\x00\x00\x00\x27\x04\x21\x00\x00\x00\x00\x00sid-sid-";
//! let plain = packet;
//! tutk_transcode::encode(&mut packet);
//! assert_ne!(packet, plain);
//! tutk_transcode::decode(&mut packet);
//! assert_eq!(packet, plain);
//! ```
//!
//! Source: `docs/protocol.md` §2.1; vectors `real` and `derived_transcode` in `testdata/vectors.json`. The swap of a
//! 2-byte tail rests on one published implementation only; those of 4 and 8 bytes are proved by captures.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic
    )
)]

/// Length in bytes of a scrambling block, and of an IOTC packet header.
pub const BLOCK: usize = 16;

/// Bytes of a packet that the partial rule scrambles: the header and 48 bytes of body.
pub const PARTIAL: usize = 64;

/// The part of the constant that is ever used.
const KEY: [u8; BLOCK] = *b"Charlie is the d";

/// Scrambles a whole IOTC packet in place.
///
/// When bit 0 of byte 3 is set, bytes from [`PARTIAL`] on stay as they are. Any length is fine; one below [`BLOCK`]
/// holds no header and is treated as a tail.
pub fn encode(packet: &mut [u8]) {
    let partial = is_partial(packet);
    encode_flat(coded(packet, partial));
}

/// Unscrambles a whole IOTC packet in place: the inverse of [`encode`].
///
/// The header says after its own decoding whether the rest is partly in clear. There is no checksum: bytes that were
/// never scrambled come out as other bytes, and the caller has to recognise its packets.
pub fn decode(packet: &mut [u8]) {
    match packet.split_first_chunk_mut::<BLOCK>() {
        Some((header, body)) => {
            decode_block(header);
            let partial = is_partial(header);
            decode_flat(match body.get_mut(..PARTIAL - BLOCK) {
                Some(start) if partial => start,
                _ => body,
            });
        }
        None => decode_flat(packet),
    }
}

/// Scrambles every byte of `bytes` in place, block by block and then the tail, whatever byte 3 says.
pub fn encode_flat(bytes: &mut [u8]) {
    let (blocks, tail) = bytes.as_chunks_mut::<BLOCK>();
    for block in blocks {
        encode_block(block);
    }
    xor_key(tail);
    swap_tail(tail);
}

/// Unscrambles every byte of `bytes` in place: the inverse of [`encode_flat`].
pub fn decode_flat(bytes: &mut [u8]) {
    let (blocks, tail) = bytes.as_chunks_mut::<BLOCK>();
    for block in blocks {
        decode_block(block);
    }
    swap_tail(tail);
    xor_key(tail);
}

fn is_partial(plain: &[u8]) -> bool {
    plain.get(3).is_some_and(|mode| mode & 1 == 1)
}

fn coded(packet: &mut [u8], partial: bool) -> &mut [u8] {
    let len = if partial && packet.len() > PARTIAL {
        PARTIAL
    } else {
        packet.len()
    };
    packet.split_at_mut(len).0
}

// The two block routines are straight-line code on fixed-size arrays, so that no bounds check and no loop remains.
// `docs/protocol.md` §2.1 gives the byte permutation as c[j] = b[P[j]], P = 11 9 8 15 13 10 12 14 2 1 5 0 6 4 7 3.

#[inline]
fn encode_block(block: &mut [u8; BLOCK]) {
    let mixed = permute(xor(rotate_right(words(block), [1, 5, 9, 13]), KEY_WORDS));
    *block = bytes(rotate_right(mixed, [3, 7, 11, 15]));
}

#[inline]
fn decode_block(block: &mut [u8; BLOCK]) {
    let mixed = rotate_right(words(block), [32 - 3, 32 - 7, 32 - 11, 32 - 15]);
    let plain = xor(permute(mixed), KEY_WORDS);
    *block = bytes(rotate_right(plain, [32 - 1, 32 - 5, 32 - 9, 32 - 13]));
}

/// A block as its four little-endian words: both halves of the work stay in registers.
type Words = [u32; 4];

const KEY_WORDS: Words = words(&KEY);

/// The byte permutation. It is its own inverse.
#[inline]
const fn permute([a, b, c, d]: Words) -> Words {
    let (a, b, c, d) = (
        a.to_le_bytes(),
        b.to_le_bytes(),
        c.to_le_bytes(),
        d.to_le_bytes(),
    );
    [
        u32::from_le_bytes([c[3], c[1], c[0], d[3]]),
        u32::from_le_bytes([d[1], c[2], d[0], d[2]]),
        u32::from_le_bytes([a[2], a[1], b[1], a[0]]),
        u32::from_le_bytes([b[2], b[0], b[3], a[3]]),
    ]
}

/// Rotates each word right by its own count.
#[inline]
const fn rotate_right([a, b, c, d]: Words, by: [u32; 4]) -> Words {
    [
        a.rotate_right(by[0]),
        b.rotate_right(by[1]),
        c.rotate_right(by[2]),
        d.rotate_right(by[3]),
    ]
}

#[inline]
const fn xor([a, b, c, d]: Words, key: Words) -> Words {
    [a ^ key[0], b ^ key[1], c ^ key[2], d ^ key[3]]
}

#[inline]
const fn words(b: &[u8; BLOCK]) -> Words {
    [
        u32::from_le_bytes([b[0], b[1], b[2], b[3]]),
        u32::from_le_bytes([b[4], b[5], b[6], b[7]]),
        u32::from_le_bytes([b[8], b[9], b[10], b[11]]),
        u32::from_le_bytes([b[12], b[13], b[14], b[15]]),
    ]
}

#[inline]
const fn bytes([a, b, c, d]: Words) -> [u8; BLOCK] {
    let (a, b, c, d) = (
        a.to_le_bytes(),
        b.to_le_bytes(),
        c.to_le_bytes(),
        d.to_le_bytes(),
    );
    [
        a[0], a[1], a[2], a[3], b[0], b[1], b[2], b[3], c[0], c[1], c[2], c[3], d[0], d[1], d[2],
        d[3],
    ]
}

fn xor_key(tail: &mut [u8]) {
    for (byte, key) in tail.iter_mut().zip(KEY) {
        *byte ^= key;
    }
}

/// The permutations of tails of 2, 4 and 8 bytes. Each is its own inverse; other lengths keep their order.
fn swap_tail(tail: &mut [u8]) {
    use core::mem::swap;
    match tail {
        [a, b] => swap(a, b),
        [a, b, c, d] => {
            swap(a, c);
            swap(b, d);
        }
        [a, b, c, d, e, f, g, h] => {
            swap(a, h);
            swap(b, e);
            swap(c, d);
            swap(f, g);
        }
        _ => {}
    }
}
