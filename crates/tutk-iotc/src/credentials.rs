//! The UID and AuthKey of a camera, and the HMAC they key.

#[cfg(feature = "cc51")]
use hmac::{Hmac, KeyInit, Mac};
#[cfg(feature = "cc51")]
use sha1::Sha1;
#[cfg(feature = "cc51")]
use tutk_core::Secret;

use crate::{AuthKey, Uid};

#[derive(Debug, Clone)]
pub(crate) struct Credentials {
    pub(crate) uid: Uid,
    pub(crate) key: AuthKey,
}

#[cfg(feature = "cc51")]
impl Credentials {
    /// HMAC-SHA1 of `signed`; the key is the UID followed by the AuthKey.
    pub(crate) fn mac(&self, signed: &[u8]) -> [u8; 20] {
        self.hmac(signed).finalize().into_bytes().into()
    }

    /// Whether `mac` is the HMAC of `signed`, in constant time.
    pub(crate) fn verify(&self, signed: &[u8], mac: &[u8; 20]) -> bool {
        self.hmac(signed).verify_slice(mac).is_ok()
    }

    fn hmac(&self, signed: &[u8]) -> Hmac<Sha1> {
        // HMAC pads a short key with zeros to the hash's block. Doing so here makes the constructor infallible.
        let mut key = Secret::new([0u8; 64]);
        let parts = self.uid.as_bytes().iter().chain(self.key.expose());
        for (slot, byte) in key.expose_mut().iter_mut().zip(parts) {
            *slot = *byte;
        }
        let mut hmac = Hmac::<Sha1>::new(key.expose().into());
        hmac.update(signed);
        hmac
    }
}
