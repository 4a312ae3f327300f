//! When to try again after a session has ended, and whether at all.
//!
//! ```text
//!   Event::Closed(cause) ─► Reconnect::after(cause, client.healthy(now)) ─► None: it would be in vain
//!                                           │
//!                                           ▼ Some(at): close to 1, 2, 4, … 60 s from now
//!                       sleep until then ─► Client::restart ─► the same run loop as before
//! ```

use core::time::Duration;

use tutk_core::{Backoff, Cx, Instant};
use wyze_kauth::AuthError;

use crate::event::Cause;

/// Before the first attempt. Each wait is twice as long as the one before, and all are lengthened by up to an eighth at
/// random, so that the viewers of one camera do not come back together.
pub const FIRST_DELAY: Duration = Duration::from_secs(1);
/// The longest wait, before the eighth.
pub const LONGEST_DELAY: Duration = Duration::from_secs(60);
/// A session that was of use for so long is not counted with the failures before it.
pub const HEALTHY: Duration = Duration::from_secs(30);
/// So often, without a session of use in between, a camera must seem to know another key before that is believed.
pub const BELIEVED: u8 = 3;

/// When to try again after a session has ended, and whether at all.
///
/// | cause | try again? |
/// |---|---|
/// | [`Local`](Cause::Local) | no: it was our wish |
/// | [`Peer`](Cause::Peer), [`Lost`](Cause::Lost), [`Stalled`](Cause::Stalled), [`Exhausted`](Cause::Exhausted) | yes |
/// | [`NoAnswer`](Cause::NoAnswer), [`OtherDevice`](Cause::OtherDevice) | yes: it may be off, or restarting, or away; its old address may be another's by now |
/// | [`Refused`](Cause::Refused) | yes: a slot may become free |
/// | [`LoginTimeout`](Cause::LoginTimeout), [`AuthTimeout`](Cause::AuthTimeout) | yes: it vanished on the way |
/// | [`WrongKey`](Cause::WrongKey), [`Secure`](Cause::Secure), [`Unencrypted`](Cause::Unencrypted) | yes, until it has happened [`BELIEVED`] times without a session of use in between: a camera that vanishes in the middle of a handshake looks the same as one with another key, and alerts and versions can be forged |
/// | [`Auth`](Cause::Auth): updating, checking its ENR, switched off | yes: that passes |
/// | [`Auth`](Cause::Auth), anything else | no: the camera itself says that the credentials are wrong |
/// | [`BufferTooSmall`](Cause::BufferTooSmall) | no: a bug of the program |
///
/// ```
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
/// use wyze_session::{Cause, Cx, Duration, Instant, Reconnect};
///
/// let mut rng = ChaCha8Rng::seed_from_u64(1);
/// let mut cx = Cx::new(Instant::ZERO, &mut rng);
/// let mut reconnect = Reconnect::new();
/// let at = reconnect.after(Cause::Lost, Duration::ZERO, &mut cx).unwrap();
/// assert!(at >= Instant::from_millis(1000) && at <= Instant::from_millis(1125));
/// assert_eq!(reconnect.after(Cause::Local, Duration::ZERO, &mut cx), None);
/// ```
#[derive(Debug, Clone)]
pub struct Reconnect {
    backoff: Backoff,
    /// Attempts that are left until there is a healthy session; `None`: any number.
    left: Option<u32>,
    /// What `left` begins with.
    limit: Option<u32>,
    /// How often the camera has seemed to know another key since the last session that was of use.
    doubts: u8,
}

impl Reconnect {
    /// Tries for ever.
    pub const fn new() -> Self {
        Self {
            backoff: Backoff::new(FIRST_DELAY, LONGEST_DELAY),
            left: None,
            limit: None,
            doubts: 0,
        }
    }

    /// Tries so often in a row; a session that was [healthy](HEALTHY) begins a new row.
    pub const fn limited(attempts: u32) -> Self {
        Self {
            left: Some(attempts),
            limit: Some(attempts),
            ..Self::new()
        }
    }

    /// When to try again; `None`: do not. `healthy` is what [`Client::healthy`](crate::Client::healthy) says of the
    /// session that has ended with `cause`.
    pub fn after(&mut self, cause: Cause, healthy: Duration, cx: &mut Cx<'_>) -> Option<Instant> {
        if healthy > Duration::ZERO {
            // The key was right.
            self.doubts = 0;
        }
        if healthy >= HEALTHY {
            self.backoff.reset();
            self.left = self.limit;
        }
        match verdict(cause) {
            Verdict::Never => return None,
            Verdict::Again => {}
            Verdict::Doubtful => {
                self.doubts = self.doubts.saturating_add(1);
                if self.doubts >= BELIEVED {
                    return None;
                }
            }
        }
        if let Some(left) = &mut self.left {
            *left = left.checked_sub(1)?;
        }
        Some(cx.now + self.backoff.advance(cx.rng))
    }
}

impl Default for Reconnect {
    fn default() -> Self {
        Self::new()
    }
}

enum Verdict {
    Again,
    /// As if the key were wrong; it may be something else.
    Doubtful,
    Never,
}

const fn verdict(cause: Cause) -> Verdict {
    match cause {
        Cause::Local | Cause::BufferTooSmall => Verdict::Never,
        Cause::Secure(tutk_dtls::Error::BufferTooSmall) => Verdict::Never,
        Cause::Peer
        | Cause::Secure(tutk_dtls::Error::SequenceExhausted)
        | Cause::NoAnswer
        | Cause::OtherDevice
        | Cause::Refused
        | Cause::Exhausted
        | Cause::LoginTimeout
        | Cause::AuthTimeout
        | Cause::Lost
        | Cause::Stalled => Verdict::Again,
        Cause::WrongKey | Cause::Unencrypted | Cause::Secure(_) => Verdict::Doubtful,
        Cause::Auth(AuthError::CameraUpdating | AuthError::CheckingEnr | AuthError::CameraOff) => {
            Verdict::Again
        }
        Cause::Auth(_) => Verdict::Never,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    /// The waits after each of `causes`, in sessions that were of use for `healthy`.
    fn waits(
        policy: &mut Reconnect,
        seed: u64,
        healthy: Duration,
        causes: &[Cause],
    ) -> Vec<Option<Duration>> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let now = Instant::from_millis(5000);
        causes
            .iter()
            .map(|cause| {
                let at = policy.after(*cause, healthy, &mut Cx::new(now, &mut rng))?;
                Some(at - now)
            })
            .collect()
    }

    #[test]
    fn waits_double_up_to_a_minute_each_with_up_to_an_eighth_more() {
        let mut distinct = std::collections::BTreeSet::new();
        for seed in 0..200 {
            let all = waits(
                &mut Reconnect::new(),
                seed,
                Duration::ZERO,
                &[Cause::Lost; 10],
            );
            for (wait, base) in all.iter().zip([1, 2, 4, 8, 16, 32, 60, 60, 60, 60]) {
                let (wait, base) = (wait.unwrap(), Duration::from_secs(base));
                assert!(
                    wait >= base && wait <= base + base / 8,
                    "{wait:?} for {base:?}"
                );
            }
            distinct.insert(all[0]);
        }
        assert!(distinct.len() > 190, "{} different waits", distinct.len());
    }

    #[test]
    fn a_limit_holds_from_the_first_attempt() {
        let mut policy = Reconnect::limited(2);
        let all = waits(&mut policy, 1, Duration::ZERO, &[Cause::Lost; 3]);
        let tried: Vec<_> = all.iter().map(Option::is_some).collect();
        assert_eq!(tried, [true, true, false]);
    }

    #[test]
    fn a_healthy_session_begins_a_new_row() {
        let mut policy = Reconnect::limited(3);
        let failed = waits(&mut policy, 1, Duration::ZERO, &[Cause::Lost; 2]);
        assert!(failed[1].unwrap() >= 2 * FIRST_DELAY);
        let after = waits(&mut policy, 2, HEALTHY, &[Cause::Lost]);
        assert!(after[0].unwrap() < 2 * FIRST_DELAY);
        let rest = waits(&mut policy, 3, Duration::from_secs(5), &[Cause::Lost; 3]);
        assert!(
            rest[0].is_some() && rest[1].is_some() && rest[2].is_none(),
            "{rest:?}"
        );
    }

    #[test]
    fn a_key_is_believed_to_be_wrong_at_the_third_time_in_a_row() {
        let key = [
            Cause::WrongKey,
            Cause::NoAnswer,
            Cause::WrongKey,
            Cause::WrongKey,
        ];
        let mut policy = Reconnect::new();
        let all = waits(&mut policy, 1, Duration::ZERO, &key);
        assert!(
            all[..3].iter().all(Option::is_some) && all[3].is_none(),
            "{all:?}"
        );
        // A session that worked in between proves it right.
        let mut policy = Reconnect::new();
        waits(&mut policy, 1, Duration::ZERO, &key[..3]);
        waits(&mut policy, 1, Duration::from_millis(1), &[Cause::Lost]);
        let all = waits(&mut policy, 1, Duration::ZERO, &key[..3]);
        assert!(all.iter().all(Option::is_some), "{all:?}");
    }

    #[test]
    fn what_is_in_vain_is_not_tried() {
        for (cause, again) in [
            (Cause::Local, false),
            (Cause::Peer, true),
            (Cause::NoAnswer, true),
            (Cause::OtherDevice, true),
            (Cause::Refused, true),
            (Cause::WrongKey, true),
            (Cause::Unencrypted, true),
            (Cause::Secure(tutk_dtls::Error::PeerAlert(40)), true),
            (Cause::Secure(tutk_dtls::Error::BufferTooSmall), false),
            (Cause::Secure(tutk_dtls::Error::SequenceExhausted), true),
            (Cause::Exhausted, true),
            (Cause::LoginTimeout, true),
            (Cause::AuthTimeout, true),
            (Cause::Auth(AuthError::CameraUpdating), true),
            (Cause::Auth(AuthError::CheckingEnr), true),
            (Cause::Auth(AuthError::CameraOff), true),
            (Cause::Auth(AuthError::UnknownStatus(9)), false),
            (Cause::Auth(AuthError::EnrTooShort), false),
            (Cause::Auth(AuthError::EnrRejected), false),
            (Cause::Auth(AuthError::Rejected), false),
            (Cause::Auth(AuthError::UnreadableReply), false),
            (Cause::Lost, true),
            (Cause::Stalled, true),
            (Cause::BufferTooSmall, false),
        ] {
            let wait = waits(&mut Reconnect::new(), 1, HEALTHY, &[cause]);
            assert_eq!(wait[0].is_some(), again, "{cause:?}");
        }
        let none = waits(&mut Reconnect::limited(0), 1, HEALTHY, &[Cause::Lost]);
        assert_eq!(none, [None]);
    }
}
