//! The X25519 half of a key exchange.

pub(crate) use imp::Ephemeral;

#[cfg(feature = "chacha")]
mod imp {
    use tutk_core::rand_core::CryptoRng;
    use x25519_dalek::{PublicKey, StaticSecret, X25519_BASEPOINT_BYTES};
    use zeroize::Zeroizing;

    /// A secret made for one handshake, wiped on drop.
    pub(crate) struct Ephemeral(StaticSecret);

    impl Ephemeral {
        /// A fresh one; `None` in a build without X25519.
        pub(crate) fn generate(rng: &mut dyn CryptoRng) -> Option<Self> {
            let mut bytes = Zeroizing::new([0; 32]);
            rng.fill_bytes(&mut *bytes);
            Some(Self(StaticSecret::from(*bytes)))
        }

        pub(crate) fn public(&self) -> [u8; 32] {
            // By the ladder that `agree` needs anyway: `PublicKey::from` would go over the Edwards curve, which is 4 %
            // faster without its tables and several kilobytes of code, and takes a deeper stack.
            let base = PublicKey::from(X25519_BASEPOINT_BYTES);
            self.0.diffie_hellman(&base).to_bytes()
        }

        /// The shared secret; `None` when the peer's point is of low order.
        pub(crate) fn agree(&self, peer: &[u8; 32]) -> Option<Zeroizing<[u8; 32]>> {
            let shared = self.0.diffie_hellman(&PublicKey::from(*peer));
            shared
                .was_contributory()
                .then(|| Zeroizing::new(shared.to_bytes()))
        }
    }
}

#[cfg(not(feature = "chacha"))]
mod imp {
    use tutk_core::rand_core::CryptoRng;
    use zeroize::Zeroizing;

    /// Does not exist in a build without X25519.
    pub(crate) enum Ephemeral {}

    impl Ephemeral {
        pub(crate) fn generate(_: &mut dyn CryptoRng) -> Option<Self> {
            None
        }

        pub(crate) fn public(&self) -> [u8; 32] {
            match *self {}
        }

        pub(crate) fn agree(&self, _: &[u8; 32]) -> Option<Zeroizing<[u8; 32]>> {
            match *self {}
        }
    }
}
