//! Protection of records of epoch 1, whichever suite was agreed.

use tutk_core::rand_core::CryptoRng;
use tutk_core::{Full, TxBuf};

#[cfg(feature = "cbc")]
use crate::cbc;
#[cfg(feature = "chacha")]
use crate::chacha;
use crate::keys::{self, Master, Side};
use crate::record::{ContentType, HEADER, Position};
use crate::suite::CipherSuite;

/// Most bytes that a protected record has in front of its payload.
#[cfg(feature = "cbc")]
pub(crate) const HEADROOM: usize = HEADER + cbc::BLOCK;
#[cfg(not(feature = "cbc"))]
pub(crate) const HEADROOM: usize = HEADER;
/// Most bytes that a protected record has behind its payload.
#[cfg(feature = "cbc")]
pub(crate) const TAILROOM: usize = cbc::MAC + cbc::BLOCK;
#[cfg(not(feature = "cbc"))]
pub(crate) const TAILROOM: usize = chacha::TAG;

/// Protects what we send.
#[allow(
    clippy::large_enum_variant,
    reason = "there is no heap to put the larger one on"
)]
pub(crate) enum Sealer {
    #[cfg(feature = "chacha")]
    ChaCha(chacha::Keys),
    #[cfg(feature = "cbc")]
    Cbc(cbc::Sealer),
}

/// Opens what the peer sends.
#[allow(
    clippy::large_enum_variant,
    reason = "there is no heap to put the larger one on"
)]
pub(crate) enum Opener {
    #[cfg(feature = "chacha")]
    ChaCha(chacha::Keys),
    #[cfg(feature = "cbc")]
    Cbc(cbc::Opener),
}

/// The keys of `side`. `None` for a suite this build lacks.
pub(crate) fn derive(
    suite: CipherSuite,
    side: Side,
    master: &Master,
    client_random: &[u8; 32],
    server_random: &[u8; 32],
) -> Option<(Sealer, Opener)> {
    match suite {
        #[cfg(feature = "chacha")]
        CipherSuite::EcdhePskChaCha20Poly1305 => {
            let block =
                keys::key_block::<{ keys::CHACHA_BLOCK }>(master, client_random, server_random);
            let mut rest = &block[..];
            let (client_key, server_key) = (keys::split(&mut rest)?, keys::split(&mut rest)?);
            let (client_iv, server_iv) = (keys::split(&mut rest)?, keys::split(&mut rest)?);
            let client = chacha::Keys::new(client_key, client_iv);
            let server = chacha::Keys::new(server_key, server_iv);
            let (ours, theirs) = if side == Side::Client {
                (client, server)
            } else {
                (server, client)
            };
            Some((Sealer::ChaCha(ours), Opener::ChaCha(theirs)))
        }
        #[cfg(feature = "cbc")]
        CipherSuite::PskAes128CbcSha256 => {
            let block =
                keys::key_block::<{ keys::CBC_BLOCK }>(master, client_random, server_random);
            let mut rest = &block[..];
            let macs = [keys::split(&mut rest)?, keys::split(&mut rest)?];
            let keys = [keys::split(&mut rest)?, keys::split(&mut rest)?];
            let [client, server] = [0, 1];
            let (ours, theirs) = if side == Side::Client {
                (client, server)
            } else {
                (server, client)
            };
            let (Some(our_mac), Some(our_key)) = (macs.get(ours), keys.get(ours)) else {
                return None;
            };
            let (Some(their_mac), Some(their_key)) = (macs.get(theirs), keys.get(theirs)) else {
                return None;
            };
            let sealer = cbc::Sealer::new(our_key, our_mac);
            let opener = cbc::Opener::new(their_key, their_mac);
            Some((Sealer::Cbc(sealer), Opener::Cbc(opener)))
        }
        #[cfg(not(all(feature = "chacha", feature = "cbc")))]
        _ => None,
    }
}

impl Sealer {
    /// Makes what `tx` holds one record, pushing into reserved room.
    pub(crate) fn seal(
        &self,
        kind: ContentType,
        at: Position,
        rng: &mut dyn CryptoRng,
        tx: &mut TxBuf<'_>,
    ) -> Result<(), Full> {
        #[cfg(not(feature = "cbc"))]
        let _ = rng;
        match self {
            #[cfg(feature = "chacha")]
            Self::ChaCha(keys) => keys.seal(kind, at, tx),
            #[cfg(feature = "cbc")]
            Self::Cbc(keys) => keys.seal(kind, at, rng, tx),
        }
    }

    /// Bytes in front of and behind a payload of `len` bytes.
    pub(crate) fn overhead(&self, len: usize) -> (usize, usize) {
        #[cfg(not(feature = "cbc"))]
        let _ = len;
        match self {
            #[cfg(feature = "chacha")]
            Self::ChaCha(_) => (HEADER, chacha::TAG),
            #[cfg(feature = "cbc")]
            Self::Cbc(_) => (HEADER + cbc::BLOCK, cbc::trailer(len)),
        }
    }
}

impl Opener {
    /// The plaintext of a record body, decrypted where it lies; `None` when it does not authenticate.
    pub(crate) fn open<'p>(
        &self,
        kind: ContentType,
        at: Position,
        body: &'p mut [u8],
    ) -> Option<&'p mut [u8]> {
        match self {
            #[cfg(feature = "chacha")]
            Self::ChaCha(keys) => keys.open(kind, at, body),
            #[cfg(feature = "cbc")]
            Self::Cbc(keys) => keys.open(kind, at, body),
        }
    }
}
