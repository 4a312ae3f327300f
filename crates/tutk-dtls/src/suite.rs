//! Cipher suites and sets of them.

/// A cipher suite this crate speaks. `as u16` is its code on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[repr(u16)]
pub enum CipherSuite {
    /// TLS_ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256 (RFC 7905), here always with X25519. Channel 0 of cameras.
    EcdhePskChaCha20Poly1305 = 0xccac,
    /// TLS_PSK_WITH_AES_128_CBC_SHA256 (RFC 5487), MAC-then-encrypt. The talk channel, and firmware before 2021.
    PskAes128CbcSha256 = 0x00ae,
}

impl CipherSuite {
    /// Code on the wire.
    pub const fn code(self) -> u16 {
        self as u16
    }

    /// The suite with this code, if it is one of ours.
    pub const fn from_code(code: u16) -> Option<Self> {
        match code {
            0xccac => Some(Self::EcdhePskChaCha20Poly1305),
            0x00ae => Some(Self::PskAes128CbcSha256),
            _ => None,
        }
    }

    /// Whether the key exchange has an X25519 part.
    pub(crate) const fn is_ecdhe(self) -> bool {
        matches!(self, Self::EcdhePskChaCha20Poly1305)
    }

    /// Whether this build has the suite's code.
    const fn is_compiled(self) -> bool {
        match self {
            Self::EcdhePskChaCha20Poly1305 => cfg!(feature = "chacha"),
            Self::PskAes128CbcSha256 => cfg!(feature = "cbc"),
        }
    }
}

impl core::fmt::Display for CipherSuite {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::EcdhePskChaCha20Poly1305 => "ECDHE-PSK-CHACHA20-POLY1305",
            Self::PskAes128CbcSha256 => "PSK-AES128-CBC-SHA256",
        })
    }
}

/// A set of cipher suites to offer or to accept.
///
/// Suites that this build was compiled without (features `chacha`, `cbc`) are never in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Suites(u8);

impl Suites {
    /// Every suite of this build.
    pub const ALL: Self = Self(Self::CHACHA.0 | Self::CBC.0);
    /// Only [`CipherSuite::EcdhePskChaCha20Poly1305`].
    pub const CHACHA: Self = Self::only(CipherSuite::EcdhePskChaCha20Poly1305);
    /// Only [`CipherSuite::PskAes128CbcSha256`].
    pub const CBC: Self = Self::only(CipherSuite::PskAes128CbcSha256);

    /// In order of preference.
    const ORDER: [CipherSuite; 2] = [
        CipherSuite::EcdhePskChaCha20Poly1305,
        CipherSuite::PskAes128CbcSha256,
    ];

    /// The set of one; empty when this build lacks it.
    pub const fn only(suite: CipherSuite) -> Self {
        Self(if suite.is_compiled() {
            Self::bit(suite)
        } else {
            0
        })
    }

    /// Whether `suite` is in the set.
    pub const fn contains(self, suite: CipherSuite) -> bool {
        self.0 & Self::bit(suite) != 0
    }

    /// The members, preferred one first.
    pub fn iter(self) -> impl Iterator<Item = CipherSuite> {
        Self::ORDER.into_iter().filter(move |s| self.contains(*s))
    }

    const fn bit(suite: CipherSuite) -> u8 {
        match suite {
            CipherSuite::EcdhePskChaCha20Poly1305 => 1,
            CipherSuite::PskAes128CbcSha256 => 2,
        }
    }
}

impl Default for Suites {
    fn default() -> Self {
        Self::ALL
    }
}

#[cfg(all(test, feature = "chacha", feature = "cbc"))]
mod tests {
    use super::*;

    #[test]
    fn chacha_is_preferred() {
        let codes: Vec<u16> = Suites::ALL.iter().map(CipherSuite::code).collect();
        assert_eq!(codes, [0xccac, 0x00ae]);
        assert!(!Suites::CBC.contains(CipherSuite::EcdhePskChaCha20Poly1305));
        assert_eq!(CipherSuite::from_code(0xc038), None);
    }
}
