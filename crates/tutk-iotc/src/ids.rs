//! Who is who: UID, AuthKey, session id, framings.

use core::fmt;
use core::str::FromStr;

use tutk_core::Secret;
use tutk_core::rand_core::CryptoRng;

/// The identity of a device: 20 ASCII letters and digits, printed on the camera or listed by the account service.
///
/// It is what a [`Client`](crate::Client) looks for, wherever it is on the network. Whoever knows it can look for the
/// camera too, so it is personal data: `Debug` and `defmt::Format` print `***`.
///
/// ```
/// use tutk_iotc::Uid;
/// let uid: Uid = "SIMCAMSIMCAMSIMCAM11".parse().unwrap();
/// assert_eq!(uid.as_bytes(), b"SIMCAMSIMCAMSIMCAM11");
/// assert_eq!(format!("{uid:?}"), "Uid(***)");
/// assert!("too short".parse::<Uid>().is_err());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Uid([u8; 20]);

/// A text is not a UID.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct InvalidUid;

impl fmt::Display for InvalidUid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a UID is exactly 20 ASCII letters and digits")
    }
}

impl core::error::Error for InvalidUid {}

impl Uid {
    /// The 20 ASCII characters.
    pub const fn as_bytes(&self) -> &[u8; 20] {
        &self.0
    }
}

impl TryFrom<&str> for Uid {
    type Error = InvalidUid;

    fn try_from(text: &str) -> Result<Self, InvalidUid> {
        let bytes: [u8; 20] = text.as_bytes().try_into().map_err(|_| InvalidUid)?;
        if bytes.iter().all(u8::is_ascii_alphanumeric) {
            Ok(Self(bytes))
        } else {
            Err(InvalidUid)
        }
    }
}

impl FromStr for Uid {
    type Err = InvalidUid;

    fn from_str(text: &str) -> Result<Self, InvalidUid> {
        Self::try_from(text)
    }
}

impl fmt::Debug for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Uid(***)")
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for Uid {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "Uid(***)");
    }
}

/// The 8 ASCII characters that prove knowledge of a camera's account secret (derived from ENR and MAC).
///
/// TransCode probes carry it in clear; CC51 packets are authenticated with it. Prints as `***`, wiped on drop.
#[derive(Clone)]
pub struct AuthKey(Secret<[u8; 8]>);

impl AuthKey {
    /// Wraps the 8 characters.
    pub const fn new(key: [u8; 8]) -> Self {
        Self(Secret::new(key))
    }

    /// The 8 characters, to be put into a probe or a MAC key.
    pub const fn expose(&self) -> &[u8; 8] {
        self.0.expose()
    }
}

impl fmt::Debug for AuthKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuthKey(***)")
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for AuthKey {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "AuthKey(***)");
    }
}

/// The 8 bytes a client picks for a session. They travel in clear: they tell sessions apart and keep blind strangers
/// out, they do not authenticate against anyone who listens.
pub(crate) type Sid = [u8; 8];

pub(crate) fn fresh_sid(rng: &mut dyn CryptoRng) -> Sid {
    let mut sid = Sid::default();
    rng.fill_bytes(&mut sid);
    sid
}

/// How packets of a session look on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Framing {
    /// The older one, `04 02` packets scrambled with TransCode. Spoken by firmware with SDK 3.3 to 4.3.3.
    TransCode,
    /// The newer one, `51 CC` packets with an HMAC. Spoken by firmware with SDK 4.3.8.
    Cc51,
}

impl fmt::Display for Framing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TransCode => "TransCode",
            Self::Cc51 => "CC51",
        })
    }
}

/// Which framings to probe with, or to answer. [`CC51`](Self::CC51) has no effect without the feature `cc51`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Framings {
    transcode: bool,
    cc51: bool,
}

impl Framings {
    /// Both.
    pub const BOTH: Self = Self {
        transcode: true,
        cc51: true,
    };
    /// Only [`Framing::TransCode`].
    pub const TRANSCODE: Self = Self {
        transcode: true,
        cc51: false,
    };
    /// Only [`Framing::Cc51`].
    pub const CC51: Self = Self {
        transcode: false,
        cc51: true,
    };

    /// Whether `framing` is in the set.
    pub const fn contains(self, framing: Framing) -> bool {
        match framing {
            Framing::TransCode => self.transcode,
            Framing::Cc51 => self.cc51,
        }
    }
}

impl Default for Framings {
    fn default() -> Self {
        Self::BOTH
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identities_never_show() {
        let uid: Uid = "SIMCAMSIMCAMSIMCAM11".parse().unwrap();
        let key = AuthKey::new(*b"vW28cYGv");
        let shown = format!("{uid:?} {key:?}");
        assert!(!shown.contains("SIM") && !shown.contains("vW2"), "{shown}");
    }

    #[test]
    fn a_uid_is_20_letters_and_digits() {
        for bad in [
            "",
            "SIMCAMSIMCAMSIMCAM1",
            "SIMCAMSIMCAMSIMCAM111",
            "SIMCAM SIMCAMSIMCAM1",
        ] {
            assert_eq!(Uid::try_from(bad), Err(InvalidUid), "{bad:?}");
        }
    }
}
