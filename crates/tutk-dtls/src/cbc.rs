//! Record protection of 0x00AE: AES-128-CBC with HMAC-SHA256, MAC-then-encrypt (RFC 5246 §6.2.3.2).
//!
//! # Timing
//!
//! MAC-then-encrypt invites padding oracles (Lucky Thirteen). [`Opener::open`] has one path for every record of a given
//! length: padding is checked over a fixed span without branches, a record with bad padding is treated as one without
//! padding, SHA-256 always runs as many compressions as the longest possible content needs, the MAC is picked out of the
//! record without an address that depends on the padding, and only the conjunction of all checks is looked at.
//! What remains is the copying of the last partial hash block, a few bytes more or less. Records that fail are dropped
//! in silence, so an attacker sees no answer to time, only what a dropped record does not cause.

use aes::{Aes128Dec, Aes128Enc};
use cbc::cipher::block_padding::NoPadding;
use cbc::cipher::{BlockModeDecrypt, BlockModeEncrypt, InnerIvInit, KeyInit};
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq, ConstantTimeGreater};
use tutk_core::rand_core::CryptoRng;
use tutk_core::{Full, TxBuf};

use crate::keys::hmac;
use crate::record::{ContentType, DTLS_1_2, HEADER, Header, Position, additional_data};

/// AES block, and explicit IV of each record.
pub(crate) const BLOCK: usize = 16;
/// HMAC-SHA256.
pub(crate) const MAC: usize = 32;

/// Bytes of MAC and padding behind `len` bytes of plaintext.
pub(crate) const fn trailer(len: usize) -> usize {
    MAC + BLOCK - (len + MAC) % BLOCK
}

/// Keys of the sending direction: key schedule and keyed hash state, computed once.
pub(crate) struct Sealer {
    cipher: Aes128Enc,
    mac: Hmac<Sha256>,
}

impl Sealer {
    pub(crate) fn new(key: &[u8; 16], mac_key: &[u8; 32]) -> Self {
        Self {
            cipher: Aes128Enc::new(key.into()),
            mac: hmac(mac_key),
        }
    }

    /// Makes what `tx` holds one record.
    pub(crate) fn seal(
        &self,
        kind: ContentType,
        at: Position,
        rng: &mut dyn CryptoRng,
        tx: &mut TxBuf<'_>,
    ) -> Result<(), Full> {
        let len = tx.len();
        let mut mac = self.mac.clone();
        mac.update(&additional_data(kind, at, len));
        mac.update(tx.payload());
        tx.push_trailer(&mac.finalize().into_bytes())?;
        let padding = trailer(len) - MAC;
        let fill = [(padding - 1) as u8; BLOCK];
        tx.push_trailer(fill.get(..padding).ok_or(Full)?)?;

        let mut iv = [0; BLOCK];
        rng.fill_bytes(&mut iv);
        let sealed = tx.len();
        cbc::Encryptor::inner_iv_init(&self.cipher, (&iv).into())
            .encrypt_padded::<NoPadding>(tx.payload_mut(), sealed)
            .map_err(|_| Full)?;
        tx.push_header(&iv)?;
        let header = Header {
            kind,
            version: DTLS_1_2,
            at,
            len: BLOCK + sealed,
        };
        tx.push_header(&header.to_bytes())
    }
}

/// Keys of the receiving direction.
pub(crate) struct Opener {
    cipher: Aes128Dec,
    mac: Hmac<Sha256>,
}

impl Opener {
    pub(crate) fn new(key: &[u8; 16], mac_key: &[u8; 32]) -> Self {
        Self {
            cipher: Aes128Dec::new(key.into()),
            mac: hmac(mac_key),
        }
    }

    /// The plaintext of a record body, decrypted where it lies; `None` when it does not authenticate.
    pub(crate) fn open<'p>(
        &self,
        kind: ContentType,
        at: Position,
        body: &'p mut [u8],
    ) -> Option<&'p mut [u8]> {
        let (iv, text) = body.split_first_chunk_mut::<BLOCK>()?;
        let total = text.len();
        // Lengths are public: everything up to here may branch on them.
        let longest = total.checked_sub(MAC + 1)?;
        cbc::Decryptor::inner_iv_init(&self.cipher, (&*iv).into())
            .decrypt_padded::<NoPadding>(text)
            .ok()?;

        let (good, padding) = check_padding(text);
        let len = longest - usize::from(padding);
        let expected = self.mac_of(kind, at, text.get(..len)?, longest);
        let received = pick_mac(text, len);
        let good = good & expected.ct_eq(&received);
        if bool::from(good) {
            text.get_mut(..len)
        } else {
            None
        }
    }

    /// The MAC over `text`, in the time that one over `longest` bytes would take.
    fn mac_of(&self, kind: ContentType, at: Position, text: &[u8], longest: usize) -> [u8; MAC] {
        let mut mac = self.mac.clone();
        mac.update(&additional_data(kind, at, text.len()));
        mac.update(text);
        let mac = mac.finalize().into_bytes().into();
        let mut spare = Sha256::new();
        for _ in compressions(text.len())..compressions(longest) {
            spare.update([0; 64]);
        }
        core::hint::black_box(spare);
        mac
    }
}

/// SHA-256 compressions of the inner hash over header and `len` bytes: the end mark takes 9 more.
const fn compressions(len: usize) -> usize {
    (HEADER + len + 9).div_ceil(64)
}

/// Whether the padding at the end of a decrypted record is right, and its length without the length byte; zero when it is
/// wrong. Looks at the same bytes whatever they hold.
fn check_padding(text: &[u8]) -> (Choice, u8) {
    let padding = text.last().copied().unwrap_or(0);
    let room = text.len().saturating_sub(MAC + 1).min(255) as u8;
    let mut good = !padding.ct_gt(&room);
    for (i, b) in text.iter().rev().take(256).enumerate() {
        let beyond = (i as u8).ct_gt(&padding);
        good &= beyond | b.ct_eq(&padding);
    }
    (good, u8::conditional_select(&0, &padding, good))
}

/// The MAC that starts at `at`, where `at` is secret: every byte of the span it can lie in is read.
fn pick_mac(text: &[u8], at: usize) -> [u8; MAC] {
    let span_start = text.len().saturating_sub(MAC + 256);
    let at = (at - span_start) as u32;
    let mut rotated = [0u8; MAC];
    let mut inside = Choice::from(0);
    let mut shift = 0u8;
    for (i, b) in text.iter().skip(span_start).enumerate() {
        let i = i as u32;
        let slot = i % MAC as u32;
        let first = i.ct_eq(&at);
        inside = (inside | first) & !i.ct_eq(&(at + MAC as u32));
        shift = u8::conditional_select(&shift, &(slot as u8), first);
        if let Some(r) = rotated.get_mut(slot as usize) {
            *r |= u8::conditional_select(&0, b, inside);
        }
    }
    for bit in 0..5u8 {
        let mut turned = rotated;
        turned.rotate_left(1 << bit);
        let turn = Choice::from((shift >> bit) & 1);
        for (r, t) in rotated.iter_mut().zip(turned) {
            r.conditional_assign(&t, turn);
        }
    }
    rotated
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    use super::*;

    const AT: Position = Position { epoch: 1, seq: 5 };

    fn pair() -> (Sealer, Opener) {
        (
            Sealer::new(&[1; 16], &[2; 32]),
            Opener::new(&[1; 16], &[2; 32]),
        )
    }

    /// A record body whose plaintext, MAC included, is given: for padding that no sealer makes.
    fn encrypt(sealer: &Sealer, text: &[u8]) -> Vec<u8> {
        let mut body = vec![9; BLOCK];
        body.extend_from_slice(text);
        cbc::Encryptor::inner_iv_init(&sealer.cipher, (&[9; BLOCK]).into())
            .encrypt_padded::<NoPadding>(&mut body[BLOCK..], text.len())
            .unwrap();
        body
    }

    fn with_mac(sealer: &Sealer, text: &[u8]) -> Vec<u8> {
        let mut mac = sealer.mac.clone();
        mac.update(&additional_data(
            ContentType::ApplicationData,
            AT,
            text.len(),
        ));
        mac.update(text);
        [text, &mac.finalize().into_bytes()].concat()
    }

    #[test]
    fn every_length_round_trips() {
        let (sealer, opener) = pair();
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for len in 0..600 {
            let text: Vec<u8> = (0..len).map(|i| i as u8).collect();
            let mut memory = [0; 700];
            let mut tx = TxBuf::new(&mut memory);
            tx.reserve(HEADER + BLOCK, MAC + BLOCK).unwrap();
            tx.append(&text).unwrap();
            sealer
                .seal(ContentType::ApplicationData, AT, &mut rng, &mut tx)
                .unwrap();
            let record = tx.finish();
            assert_eq!(record.len(), HEADER + BLOCK + len + trailer(len));
            let opened = opener.open(ContentType::ApplicationData, AT, &mut record[HEADER..]);
            assert_eq!(opened.as_deref(), Some(&text[..]));
        }
    }

    #[test]
    fn every_padding_up_to_256_opens_and_every_broken_one_does_not() {
        let (sealer, opener) = pair();
        for len in [0usize, 1, 15, 16, 40, 300] {
            for padding in 0..=255u8 {
                let mut text = with_mac(&sealer, &vec![0x55; len]);
                text.resize(text.len() + usize::from(padding) + 1, padding);
                if !text.len().is_multiple_of(BLOCK) {
                    continue;
                }
                let mut body = encrypt(&sealer, &text);
                let opened = opener.open(ContentType::ApplicationData, AT, &mut body);
                assert_eq!(
                    opened.map(|t| t.len()),
                    Some(len),
                    "padding {padding} after {len}"
                );
                for broken in [0, usize::from(padding) / 2] {
                    if usize::from(padding) == broken {
                        continue;
                    }
                    let mut text = text.clone();
                    let at = len + MAC + broken;
                    text[at] ^= 1;
                    let mut body = encrypt(&sealer, &text);
                    assert!(
                        opener
                            .open(ContentType::ApplicationData, AT, &mut body)
                            .is_none()
                    );
                }
            }
        }
    }

    #[test]
    fn padding_that_would_reach_into_the_mac_is_refused() {
        let (sealer, opener) = pair();
        let mut body = encrypt(&sealer, &[47; 48]); // 47 + 1 bytes of padding leave no room for a MAC
        assert!(
            opener
                .open(ContentType::ApplicationData, AT, &mut body)
                .is_none()
        );
        // One byte of padding too many, and two.
        for padding in [16, 17] {
            let mut body = encrypt(&sealer, &[padding; 48]);
            let opened = opener.open(ContentType::ApplicationData, AT, &mut body);
            assert!(opened.is_none());
        }
        for len in [0, 15, 16, 31, 32, 47] {
            assert!(
                opener
                    .open(ContentType::ApplicationData, AT, &mut vec![0; len])
                    .is_none()
            );
        }
        assert!(
            opener
                .open(ContentType::ApplicationData, AT, &mut [0; 65])
                .is_none()
        );
    }

    #[test]
    fn any_flipped_bit_is_refused() {
        let (sealer, opener) = pair();
        let mut text = with_mac(&sealer, b"0123456789abcdef");
        text.resize(64, 15);
        let body = encrypt(&sealer, &text);
        for i in 0..body.len() {
            let mut bad = body.clone();
            bad[i] ^= 0x10;
            assert!(
                opener
                    .open(ContentType::ApplicationData, AT, &mut bad)
                    .is_none(),
                "byte {i}"
            );
        }
        let elsewhere = Position { epoch: 1, seq: 6 };
        assert!(
            opener
                .open(ContentType::ApplicationData, elsewhere, &mut body.clone())
                .is_none()
        );
        assert!(
            opener
                .open(ContentType::Alert, AT, &mut body.clone())
                .is_none()
        );
    }

    #[test]
    fn header_and_end_mark_count_as_hashed() {
        // 64 - 13 - 9 = 42 bytes still fit into the first compression.
        assert_eq!((compressions(42), compressions(43)), (1, 2));
    }
}
