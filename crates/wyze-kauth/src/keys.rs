//! What identifies a camera towards its owner, and the keys made from it (`docs/protocol.md` §1 rows 13 to 14, §7.2).

use core::fmt;

use sha2::{Digest, Sha256};
use tutk_core::Secret;
use zeroize::Zeroize;

/// The identity an application gives in the DTLS-PSK key exchange.
pub const PSK_IDENTITY: &[u8] = b"AUTHPWD_admin";

/// Fewest characters of an ENR.
const ENR_MIN: usize = 16;
/// Most characters of an ENR that we take; the longest seen has 32.
const ENR_MAX: usize = 64;
/// Most characters of a MAC; the cloud prefixes some with the model.
const MAC_MAX: usize = 32;
/// Most characters of an open user id; the ones seen have 32.
const USER_ID_MAX: usize = 64;

/// Why a string cannot be a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum CredentialError {
    /// An ENR that is shorter than 16 or longer than 64 characters.
    EnrLength,
    /// An ENR with a blank, a control character or a character outside ASCII.
    EnrCharacters,
    /// A MAC that is empty or longer than 32 characters.
    MacLength,
    /// A MAC with something else than letters, digits and underscores.
    MacCharacters,
    /// A user id that is longer than 64 characters.
    UserIdLength,
    /// A user id with a blank, a control character or a character outside ASCII.
    UserIdCharacters,
}

impl fmt::Display for CredentialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EnrLength => {
                "the ENR must have 16 to 64 characters (cameras have 16 or 32); copy it whole from the device list"
            }
            Self::EnrCharacters => {
                "the ENR holds a blank or a character that is not ASCII; in a URL, percent-encode special characters"
            }
            Self::MacLength => {
                "the MAC must have 1 to 32 characters; copy it from the device list, such as AABBCCDDEEFF"
            }
            Self::MacCharacters => {
                "the MAC must be written without colons or dashes, as the device list has it, such as AABBCCDDEEFF"
            }
            Self::UserIdLength => "the open user id must have at most 64 characters",
            Self::UserIdCharacters => {
                "the open user id holds a blank or a character that is not ASCII"
            }
        })
    }
}

impl core::error::Error for CredentialError {}

/// A camera's ENR: the secret it shares with its owner's account. 16 or 32 ASCII characters, up to 64 accepted.
///
/// Wiped on drop; `Debug` prints `***`.
#[derive(Clone)]
pub struct Enr {
    bytes: Secret<[u8; ENR_MAX]>,
    len: usize,
}

impl Enr {
    /// Takes an ENR as the device list delivers it.
    ///
    /// # Errors
    /// A length outside 16 to 64, or a character that is no visible ASCII character.
    pub fn new(enr: &str) -> Result<Self, CredentialError> {
        let given = enr.as_bytes();
        if given.len() < ENR_MIN {
            return Err(CredentialError::EnrLength);
        }
        let mut bytes = Secret::new([0; ENR_MAX]);
        bytes
            .expose_mut()
            .get_mut(..given.len())
            .ok_or(CredentialError::EnrLength)?
            .copy_from_slice(given);
        if !given.iter().all(u8::is_ascii_graphic) {
            return Err(CredentialError::EnrCharacters);
        }
        Ok(Self {
            bytes,
            len: given.len(),
        })
    }

    /// The characters. They are secret: for key derivation and the AV login's password only.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.expose().get(..self.len).unwrap_or_default()
    }
}

impl fmt::Debug for Enr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Enr(***)")
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for Enr {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "Enr(***)");
    }
}

/// A camera's MAC address as the cloud delivers it, in upper case: usually twelve hexadecimal digits without colons.
///
/// It identifies a household's device, so `Debug` prints `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Mac(heapless::String<MAC_MAX>);

impl Mac {
    /// Takes a MAC as the device list delivers it; letters are upper-cased, nothing else is changed.
    ///
    /// # Errors
    /// An empty or overlong one, or one with colons, dashes or other characters than letters, digits and `_`.
    pub fn new(mac: &str) -> Result<Self, CredentialError> {
        if mac.is_empty() {
            return Err(CredentialError::MacLength);
        }
        if !mac.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            return Err(CredentialError::MacCharacters);
        }
        let mut mac = heapless::String::try_from(mac).map_err(|_| CredentialError::MacLength)?;
        mac.make_ascii_uppercase();
        Ok(Self(mac))
    }

    /// The characters, in upper case. They identify a household's device: never log them.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mac(***)")
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for Mac {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "Mac(***)");
    }
}

/// The account's open user id, which K10006 and K10008 carry. At most 64 visible ASCII characters; may be empty.
///
/// It identifies a person, so `Debug` prints `***`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct OpenUserId(heapless::String<USER_ID_MAX>);

impl OpenUserId {
    /// Takes a user id as the account service delivers it.
    ///
    /// # Errors
    /// More than 64 characters, or a character that is no visible ASCII character.
    pub fn new(id: &str) -> Result<Self, CredentialError> {
        if !id.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(CredentialError::UserIdCharacters);
        }
        heapless::String::try_from(id)
            .map(Self)
            .map_err(|_| CredentialError::UserIdLength)
    }

    /// The characters. Never log them.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for OpenUserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OpenUserId(***)")
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for OpenUserId {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "OpenUserId(***)");
    }
}

/// The AuthKey: eight ASCII characters that show the camera in the search packets that we know its ENR.
///
/// Base64 of the first six bytes of SHA-256(ENR ‖ MAC), in which `+` is written `Z` and `/` is written `9`.
pub fn auth_key(enr: &Enr, mac: &Mac) -> [u8; 8] {
    let mut hash = sha256(enr.as_bytes(), mac.as_str().as_bytes());
    let [a, b, c, d, e, f, ..] = hash;
    let [k0, k1, k2, k3] = base64_quad([a, b, c]);
    let [k4, k5, k6, k7] = base64_quad([d, e, f]);
    hash.zeroize();
    [k0, k1, k2, k3, k4, k5, k6, k7]
}

/// The DTLS pre-shared key: SHA-256(ENR) with everything from the first zero byte on set to zero.
///
/// The native library passes the hash through a C string, and pads again to 32 bytes. One ENR in eight has such a hash.
pub fn psk(enr: &Enr) -> Secret<[u8; 32]> {
    let mut key = Secret::new(sha256(enr.as_bytes(), &[]));
    let mut ended = false;
    for byte in key.expose_mut().iter_mut() {
        ended |= *byte == 0;
        if ended {
            *byte = 0;
        }
    }
    key
}

/// How many bytes of the PSK the zero-byte rule leaves: 32 for most ENRs, and 0 for one in 256, whose key everybody knows
/// (`docs/security.md`, "The zero-byte rule costs entropy").
pub fn psk_len(enr: &Enr) -> usize {
    psk(enr).expose().iter().take_while(|b| **b != 0).count()
}

/// Not inline: the code of a digest is long and would be there twice.
#[inline(never)]
fn sha256(a: &[u8], b: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in [a, b] {
        hash.update(part);
    }
    hash.finalize().into()
}

fn base64_quad([a, b, c]: [u8; 3]) -> [u8; 4] {
    [
        a >> 2,
        (a & 0x03) << 4 | b >> 4,
        (b & 0x0f) << 2 | c >> 6,
        c & 0x3f,
    ]
    .map(|sextet| match sextet {
        0..=25 => b'A' + sextet,
        26..=51 => b'a' + (sextet - 26),
        52..=61 => b'0' + (sextet - 52),
        62 => b'Z',
        _ => b'9',
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_never_show() {
        let enr = Enr::new("0123456789abcdef").unwrap();
        let mac = Mac::new("aabbccddeeff").unwrap();
        assert_eq!(format!("{enr:?} {mac:?}"), "Enr(***) Mac(***)");
        let id = OpenUserId::new("0123456789abcdef").unwrap();
        assert_eq!(format!("{id:?}"), "OpenUserId(***)");
        assert_eq!(format!("{:?}", psk(&enr)), "***");
    }

    #[test]
    fn strings_that_are_no_credentials_are_refused_with_their_reason() {
        use CredentialError::*;
        let long = "x".repeat(65);
        for (enr, why) in [
            ("", EnrLength),
            ("0123456789abcde", EnrLength),
            (long.as_str(), EnrLength),
            ("0123456789 abcdef", EnrCharacters),
            ("0123456789abcdé0", EnrCharacters),
        ] {
            assert_eq!(Enr::new(enr).err(), Some(why), "{enr}");
        }
        assert!(Enr::new(&"x".repeat(64)).is_ok());
        for (mac, why) in [
            ("", MacLength),
            (&long[..33], MacLength),
            ("AA:BB:CC:DD:EE:FF", MacCharacters),
            ("AA-BB", MacCharacters),
            ("AÄ", MacCharacters),
        ] {
            assert_eq!(Mac::new(mac).err(), Some(why), "{mac}");
        }
        assert_eq!(OpenUserId::new(&long).err(), Some(UserIdLength));
        assert_eq!(OpenUserId::new("a b").err(), Some(UserIdCharacters));
        assert_eq!(OpenUserId::new(""), Ok(OpenUserId::default()));
    }

    #[test]
    fn the_length_of_a_psk_ends_at_its_first_zero_byte() {
        for (enr, len) in [
            ("0123456789abcdef", 32),
            ("EnrZero000000218", 0),
            ("EnrShort00000682", 5),
        ] {
            assert_eq!(psk_len(&Enr::new(enr).unwrap()), len, "{enr}");
        }
    }

    #[test]
    fn base64_uses_z_and_9_for_the_two_special_characters() {
        assert_eq!(&base64_quad([0xfb, 0xff, 0xbf]), b"Z9Z9");
        assert_eq!(&base64_quad([0x00, 0x10, 0x83]), b"ABCD");
    }
}
