//! ChaCha20-Poly1305 (RFC 8439) in place: by RustCrypto, or with the feature `ring` by ring. Which one it is shows in the
//! time it takes and in nothing else.

#[cfg(not(feature = "ring"))]
pub(crate) use portable::Aead;
#[cfg(feature = "ring")]
pub(crate) use with_ring::Aead;

/// Bytes of the key.
pub(crate) const KEY: usize = 32;
/// Bytes of a nonce.
pub(crate) const NONCE: usize = 12;
/// Bytes of the authentication tag.
pub(crate) const TAG: usize = 16;

#[cfg(any(test, not(feature = "ring")))]
mod portable {
    use chacha20poly1305::aead::AeadInOut;
    use chacha20poly1305::{ChaCha20Poly1305, KeyInit};

    use super::{KEY, NONCE, TAG};

    /// One key, wiped on drop.
    pub(crate) struct Aead(ChaCha20Poly1305);

    impl Aead {
        pub(crate) fn new(key: &[u8; KEY]) -> Self {
            Self(ChaCha20Poly1305::new(key.into()))
        }

        /// Encrypts `text` and says its tag; `None` when `text` is longer than the cipher allows.
        pub(crate) fn seal(
            &self,
            nonce: [u8; NONCE],
            aad: &[u8],
            text: &mut [u8],
        ) -> Option<[u8; TAG]> {
            let sealed = self
                .0
                .encrypt_inout_detached(&nonce.into(), aad, text.into());
            sealed.ok().map(Into::into)
        }

        /// Decrypts `text` and says whether it was authentic; if not, what it then holds is undefined.
        pub(crate) fn open(
            &self,
            nonce: [u8; NONCE],
            aad: &[u8],
            text: &mut [u8],
            tag: [u8; TAG],
        ) -> bool {
            let opened =
                self.0
                    .decrypt_inout_detached(&nonce.into(), aad, text.into(), &tag.into());
            opened.is_ok()
        }
    }
}

#[cfg(feature = "ring")]
mod with_ring {
    use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
    use tutk_core::Secret;

    use super::{KEY, NONCE, TAG};

    /// One key, wiped on drop. ring does not wipe a key of its own: it is given one for each record, which costs less than
    /// a hundredth of the record.
    pub(crate) struct Aead(Secret<[u8; KEY]>);

    impl Aead {
        pub(crate) fn new(key: &[u8; KEY]) -> Self {
            Self(Secret::new(*key))
        }

        fn key(&self) -> Option<LessSafeKey> {
            let key = UnboundKey::new(&CHACHA20_POLY1305, self.0.expose());
            key.ok().map(LessSafeKey::new)
        }

        /// Encrypts `text` and says its tag; `None` when `text` is longer than the cipher allows.
        pub(crate) fn seal(
            &self,
            nonce: [u8; NONCE],
            aad: &[u8],
            text: &mut [u8],
        ) -> Option<[u8; TAG]> {
            let nonce = Nonce::assume_unique_for_key(nonce);
            let sealed = self
                .key()?
                .seal_in_place_separate_tag(nonce, Aad::from(aad), text);
            sealed.ok()?.as_ref().try_into().ok()
        }

        /// Decrypts `text` and says whether it was authentic; if not, what it then holds is undefined.
        pub(crate) fn open(
            &self,
            nonce: [u8; NONCE],
            aad: &[u8],
            text: &mut [u8],
            tag: [u8; TAG],
        ) -> bool {
            let nonce = Nonce::assume_unique_for_key(nonce);
            self.key().is_some_and(|key| {
                key.open_in_place_separate_tag(nonce, Aad::from(aad), tag.into(), text, 0..)
                    .is_ok()
            })
        }
    }
}

#[cfg(all(test, feature = "ring"))]
mod tests {
    use proptest::prelude::*;

    use super::{KEY, NONCE, portable, with_ring};

    proptest! {
        #[test]
        fn what_one_library_seals_the_other_seals_alike_and_opens(
            key: [u8; KEY],
            nonce: [u8; NONCE],
            aad in prop::collection::vec(any::<u8>(), 0..40),
            text in prop::collection::vec(any::<u8>(), 0..1500),
            flipped: prop::sample::Index,
        ) {
            let (ours, rings) = (portable::Aead::new(&key), with_ring::Aead::new(&key));
            let (mut sealed, mut by_ring) = (text.clone(), text.clone());
            let tag = ours.seal(nonce, &aad, &mut sealed).unwrap();
            prop_assert_eq!(rings.seal(nonce, &aad, &mut by_ring), Some(tag));
            prop_assert_eq!(&sealed, &by_ring);

            let mut opened = sealed.clone();
            prop_assert!(rings.open(nonce, &aad, &mut opened, tag));
            prop_assert_eq!(&opened, &text);
            prop_assert!(ours.open(nonce, &aad, &mut by_ring, tag));
            prop_assert_eq!(&by_ring, &text);

            let mut bad = tag;
            let bit = flipped.index(8 * bad.len());
            bad[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(!rings.open(nonce, &aad, &mut sealed.clone(), bad));
            prop_assert!(!ours.open(nonce, &aad, &mut sealed, bad));
        }
    }
}
