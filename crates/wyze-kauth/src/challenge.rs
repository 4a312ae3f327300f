//! The challenge of K10001 and its answer (`docs/protocol.md` §1 rows 13 and 28, §3.1).

use tutk_core::Secret;

use crate::authenticator::AuthError;
use crate::keys::Enr;
use crate::xxtea::decrypt16;

/// Bytes of a challenge and of its answer.
pub const CHALLENGE_LEN: usize = 16;

/// The key for [`Status::Default`]: sixteen letters, not sixteen 0xff bytes.
const DEFAULT_KEY: &[u8; 16] = b"FFFFFFFFFFFFFFFF";

/// What a camera says about itself in K10001: which key its challenge wants, or why it cannot be entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Status {
    /// 1: the fixed key of sixteen letters "F". The ENR was proved by DTLS only.
    #[default]
    Default,
    /// 2: it is updating its firmware.
    Updating,
    /// 3: the first 16 characters of the ENR.
    Enr16,
    /// 4: it is still checking its ENR with the cloud.
    CheckingEnr,
    /// 5: it is switched off.
    Off,
    /// 6: characters 0 to 15 of the ENR, then characters 16 to 31. Where the camera's own ENR ends early (outdoor
    /// cameras), its base station's continues it.
    Enr32,
    /// Anything else.
    Unknown(u8),
}

impl Status {
    /// Reads the status byte.
    pub const fn from_wire(byte: u8) -> Self {
        match byte {
            1 => Self::Default,
            2 => Self::Updating,
            3 => Self::Enr16,
            4 => Self::CheckingEnr,
            5 => Self::Off,
            6 => Self::Enr32,
            other => Self::Unknown(other),
        }
    }

    /// The status byte.
    pub const fn to_wire(self) -> u8 {
        match self {
            Self::Default => 1,
            Self::Updating => 2,
            Self::Enr16 => 3,
            Self::CheckingEnr => 4,
            Self::Off => 5,
            Self::Enr32 => 6,
            Self::Unknown(other) => other,
        }
    }

    /// Whether a challenge of this status can be answered with this ENR (and the base station's).
    ///
    /// # Errors
    /// Why not.
    pub fn check(self, enr: &Enr, parent: Option<&Enr>) -> Result<(), AuthError> {
        answer(self, &[0; CHALLENGE_LEN], enr, parent).map(drop)
    }
}

/// The answer to `challenge`: XXTEA-decrypted with each key that `status` names.
pub(crate) fn answer(
    status: Status,
    challenge: &[u8; CHALLENGE_LEN],
    enr: &Enr,
    parent: Option<&Enr>,
) -> Result<Secret<[u8; CHALLENGE_LEN]>, AuthError> {
    let keys = match status {
        Status::Default => [Some(Secret::new(*DEFAULT_KEY)), None],
        Status::Enr16 => [Some(key_at(0, enr, None)?), None],
        Status::Enr32 => [Some(key_at(0, enr, None)?), Some(key_at(16, enr, parent)?)],
        Status::Updating => return Err(AuthError::CameraUpdating),
        Status::CheckingEnr => return Err(AuthError::CheckingEnr),
        Status::Off => return Err(AuthError::CameraOff),
        Status::Unknown(status) => return Err(AuthError::UnknownStatus(status)),
    };
    let mut block = Secret::new(*challenge);
    for key in keys.iter().flatten() {
        decrypt16(key.expose(), block.expose_mut());
    }
    Ok(block)
}

/// Sixteen characters from `at` on of the ENR, continued by the parent's.
fn key_at(at: usize, enr: &Enr, parent: Option<&Enr>) -> Result<Secret<[u8; 16]>, AuthError> {
    let parent = parent.map(Enr::as_bytes).unwrap_or_default();
    let mut characters = enr.as_bytes().iter().chain(parent).skip(at);
    let mut key = Secret::new([0; 16]);
    for slot in key.expose_mut() {
        *slot = *characters.next().ok_or(AuthError::EnrTooShort)?;
    }
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enr(s: &str) -> Enr {
        Enr::new(s).unwrap()
    }

    #[test]
    fn every_status_byte_survives_the_round_trip() {
        for byte in 0..=u8::MAX {
            assert_eq!(Status::from_wire(byte).to_wire(), byte);
        }
    }

    #[test]
    fn a_base_stations_enr_continues_a_short_one() {
        let challenge = [0x5a; 16];
        let (short, parent) = (enr("0123456789abcdef"), enr("ghijklmnopqrstuv"));
        let whole = enr("0123456789abcdefghijklmnopqrstuv");
        let joined = answer(Status::Enr32, &challenge, &short, Some(&parent)).unwrap();
        let one = answer(Status::Enr32, &challenge, &whole, None).unwrap();
        assert_eq!(joined.expose(), one.expose());
        // A camera whose own ENR suffices does not look at its parent's.
        let ignored = answer(Status::Enr32, &challenge, &whole, Some(&parent)).unwrap();
        assert_eq!(ignored.expose(), one.expose());
    }

    #[test]
    fn a_status_that_the_enr_cannot_serve_is_found_beforehand() {
        let (short, long) = (
            enr("0123456789abcdef"),
            enr("0123456789abcdefghijklmnopqrstuv"),
        );
        assert_eq!(
            Status::Enr32.check(&short, None),
            Err(AuthError::EnrTooShort)
        );
        assert_eq!(Status::Enr32.check(&short, Some(&short)), Ok(()));
        assert_eq!(Status::Enr32.check(&long, None), Ok(()));
        assert_eq!(Status::Enr16.check(&short, None), Ok(()));
        assert_eq!(Status::Off.check(&long, None), Err(AuthError::CameraOff));
    }
}
