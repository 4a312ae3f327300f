//! The answers to K-commands, kept so that a repeated request gets the same one.

use core::fmt;

use heapless::Vec;
use tutk_av::{IoctlTicket, Responder};
use tutk_core::wire::Writer;
use wyze_kauth::Code;
use zeroize::{Zeroize, Zeroizing};

use crate::request::MAX_REQUESTS;

/// Longest reply, HL header included, bytes. One IOCTRL packet carries it.
const MAX_REPLY_LEN: usize = 1000;

/// The latest answer of each code, of as many as a viewer asks at a time: requests that alternate do not make a repeated
/// one look new, which would be obeyed twice.
#[derive(Debug, Default)]
pub(super) struct Replies(Vec<Reply, MAX_REQUESTS>);

impl Replies {
    /// Keeps the HL message that `write` produces, in place of an earlier one of its code, or of the oldest when there is no
    /// room. `false` when it produces none or a longer one than an IOCTRL carries.
    #[inline(never)] // one copy, whatever is written
    pub(super) fn keep(
        &mut self,
        av: &mut Responder<'_>,
        write: &mut dyn FnMut(&mut Writer<'_>) -> Option<Code>,
    ) -> bool {
        let mut memory = Zeroizing::new([0u8; MAX_REPLY_LEN]);
        let mut writer = Writer::new(&mut *memory);
        let (Some(code), Ok(message)) = (write(&mut writer), writer.finish()) else {
            return false;
        };
        let same = self.0.iter().position(|r| r.code == code);
        if let Some(at) = same.or(self.0.is_full().then_some(0)) {
            self.0.remove(at);
        }
        let reply = Reply {
            code,
            message: Vec::new(),
            ticket: av.ioctl_ticket(),
            due: true,
        };
        // There is room now.
        let _ = self.0.push(reply);
        self.0.last_mut().is_some_and(|kept| kept.fill(message))
    }

    /// The same request again: the same answer again, if it is kept.
    pub(super) fn repeat(&mut self, request: Code) -> bool {
        let kept = self.0.iter_mut().find(|r| r.code == request.reply());
        kept.map(|reply| reply.due = true).is_some()
    }

    /// The oldest answer that is to go out.
    pub(super) fn due(&mut self) -> Option<&mut Reply> {
        self.0.iter_mut().find(|r| r.due)
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

/// The answer to a request; repeated when the request is.
pub(super) struct Reply {
    pub(super) code: Code,
    pub(super) message: Vec<u8, MAX_REPLY_LEN>,
    pub(super) ticket: IoctlTicket,
    pub(super) due: bool,
}

/// K10001 holds the challenge.
impl Drop for Reply {
    fn drop(&mut self) {
        self.message.as_mut_slice().zeroize();
    }
}

/// Shows no content: K10003 holds the MAC address.
impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply")
            .field("code", &self.code)
            .field("len", &self.message.len())
            .field("due", &self.due)
            .finish_non_exhaustive()
    }
}

impl Reply {
    /// Overwrites all of its room first: the move to where it lies brought along what the stack held.
    fn fill(&mut self, message: &[u8]) -> bool {
        let zeroed = self.message.resize(MAX_REPLY_LEN, 0).is_ok();
        self.message.clear();
        zeroed && self.message.extend_from_slice(message).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;
    use tutk_av::ResponderConfig;
    use tutk_core::{Cx, Instant};
    use wyze_kauth::hl;

    use super::*;

    #[test]
    fn answers_of_different_codes_are_kept_beside_each_other() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let cx = &mut Cx::new(Instant::ZERO, &mut rng);
        let mut av = Responder::new(&ResponderConfig::default(), &mut [], cx);
        let mut replies = Replies::default();
        let mut keep = |replies: &mut Replies, code: u16, body: u8| {
            let kept = replies.keep(&mut av, &mut |w| {
                hl::write(w, 36, Code(code), |w| w.bytes(&[body]));
                Some(Code(code))
            });
            assert!(kept);
        };
        for (code, body) in [(10_101, 1), (10_103, 2), (10_101, 3)] {
            keep(&mut replies, code, body);
        }
        let kept = |replies: &mut Replies, request: u16| {
            replies.0.iter_mut().for_each(|reply| reply.due = false);
            let found = replies.repeat(Code(request));
            (
                found,
                replies
                    .due()
                    .and_then(|reply| reply.message.last().copied()),
            )
        };
        assert_eq!(kept(&mut replies, 10_100), (true, Some(3)), "the latest");
        assert_eq!(kept(&mut replies, 10_102), (true, Some(2)));
        assert_eq!(kept(&mut replies, 10_104), (false, None));
        // One more than there is room for costs the oldest.
        for i in 0..MAX_REQUESTS as u16 - 1 {
            keep(&mut replies, 11_001 + 2 * i, 9);
        }
        assert_eq!(kept(&mut replies, 10_102), (false, None));
        assert_eq!(kept(&mut replies, 10_100), (true, Some(3)));
    }
}
