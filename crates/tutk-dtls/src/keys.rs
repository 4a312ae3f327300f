//! From the pre-shared key to record keys and Finished values (RFC 5246 §5, §6.3, §8.1; RFC 4279 §2; RFC 5489 §2).

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// Key block of 0xCCAC: two keys of 32, two IVs of 12.
#[cfg(feature = "chacha")]
pub(crate) const CHACHA_BLOCK: usize = 88;
/// Key block of 0x00AE: two MAC keys of 32, two keys of 16. IVs are explicit.
#[cfg(feature = "cbc")]
pub(crate) const CBC_BLOCK: usize = 96;
/// Bytes of a Finished.
pub(crate) const VERIFY_DATA: usize = 12;

/// `u16 len | other secret | u16 len | psk`, both 32 bytes in our suites.
pub(crate) type Premaster = Zeroizing<[u8; 68]>;
/// The secret everything of one association follows from.
pub(crate) type Master = Zeroizing<[u8; 48]>;

/// Which end of the association.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Client,
    Server,
}

/// HMAC-SHA256 keyed with anything.
pub(crate) fn hmac(key: &[u8]) -> Hmac<Sha256> {
    let mut block = Zeroizing::new([0u8; 64]);
    if let Some(room) = block.get_mut(..key.len()) {
        room.copy_from_slice(key);
    } else {
        let mut hash = Sha256::new();
        absorb(&mut hash, key);
        let digest = Zeroizing::new(finish(hash));
        for (b, d) in block.iter_mut().zip(digest.iter()) {
            *b = *d;
        }
    }
    Hmac::new((&*block).into())
}

/// P_SHA256 over label and two seeds.
pub(crate) fn prf(secret: &[u8], label: &[u8], seeds: [&[u8]; 2], out: &mut [u8]) {
    let keyed = hmac(secret);
    let mut a = mac_of(&keyed, [&[], label, seeds[0], seeds[1]]);
    for chunk in out.chunks_mut(32) {
        let block = mac_of(&keyed, [&*a, label, seeds[0], seeds[1]]);
        for (o, b) in chunk.iter_mut().zip(block.iter()) {
            *o = *b;
        }
        a = mac_of(&keyed, [&*a, &[], &[], &[]]);
    }
}

/// The code of a digest is long and would be there once for each use.
#[inline(never)]
fn mac_of(keyed: &Hmac<Sha256>, parts: [&[u8]; 4]) -> Zeroizing<[u8; 32]> {
    let mut mac = keyed.clone();
    for part in parts {
        mac.update(part);
    }
    Zeroizing::new(mac.finalize().into_bytes().into())
}

/// Takes in more of what is hashed. As with [`finish`], one copy is enough.
#[inline(never)]
pub(crate) fn absorb(hash: &mut Sha256, bytes: &[u8]) {
    hash.update(bytes);
}

/// The end of a hash; not inline for the same reason.
#[inline(never)]
pub(crate) fn finish(hash: Sha256) -> [u8; 32] {
    hash.finalize().into()
}

/// `other` is the X25519 shared secret, or 32 zeros for plain PSK.
pub(crate) fn premaster(other: &[u8; 32], psk: &[u8; 32]) -> Premaster {
    let mut out = Zeroizing::new([0u8; 68]);
    let parts = [0u8, 32].iter().chain(other).chain(&[0u8, 32]).chain(psk);
    for (o, b) in out.iter_mut().zip(parts) {
        *o = *b;
    }
    out
}

/// The classic master secret.
pub(crate) fn master_secret(
    premaster: &Premaster,
    client_random: &[u8],
    server_random: &[u8],
) -> Master {
    let mut out = Zeroizing::new([0u8; 48]);
    prf(
        &**premaster,
        b"master secret",
        [client_random, server_random],
        &mut *out,
    );
    out
}

/// The extended master secret (RFC 7627): bound to the transcript up to and including ClientKeyExchange.
pub(crate) fn extended_master_secret(premaster: &Premaster, session_hash: &[u8; 32]) -> Master {
    let mut out = Zeroizing::new([0u8; 48]);
    prf(
        &**premaster,
        b"extended master secret",
        [session_hash, &[]],
        &mut *out,
    );
    out
}

/// The first `N` bytes of the key block.
pub(crate) fn key_block<const N: usize>(
    master: &Master,
    client_random: &[u8; 32],
    server_random: &[u8; 32],
) -> Zeroizing<[u8; N]> {
    let mut out = Zeroizing::new([0u8; N]);
    prf(
        &**master,
        b"key expansion",
        [server_random, client_random],
        &mut *out,
    );
    out
}

/// Content of `side`'s Finished, over the hash of all handshake messages before it.
pub(crate) fn verify_data(master: &Master, side: Side, transcript: &[u8; 32]) -> [u8; VERIFY_DATA] {
    let label: &[u8] = match side {
        Side::Client => b"client finished",
        Side::Server => b"server finished",
    };
    let mut out = [0u8; VERIFY_DATA];
    prf(&**master, label, [transcript, &[]], &mut out);
    out
}

/// The next `N` bytes of a key block.
pub(crate) fn split<'b, const N: usize>(block: &mut &'b [u8]) -> Option<&'b [u8; N]> {
    let (head, tail) = block.split_first_chunk::<N>()?;
    *block = tail;
    Some(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The P_SHA256 vector that circulates on the IETF TLS mailing list (2008-07), 100 bytes.
    #[test]
    fn prf_matches_the_mailing_list_vector() {
        let mut out = [0u8; 100];
        prf(
            &hex::decode("9bbe436ba940f017b17652849a71db35").unwrap(),
            b"test label",
            [
                &hex::decode("a0ba9f936cda311827a6f796ffd5198c").unwrap(),
                &[],
            ],
            &mut out,
        );
        assert_eq!(
            hex::encode(out),
            "e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a6b301791e90d35c9c9a46b4e14baf9af0fa022f7077def\
             17abfd3797c0564bab4fbc91666e9def9b97fce34f796789baa48082d122ee42c5a72e5a5110fff70187347b66"
        );
    }
}
