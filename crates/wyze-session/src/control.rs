//! Requests under way: K-commands that are repeated until their reply comes.

use core::fmt;

use heapless::Vec;
use tutk_av::IoctlTicket;
use tutk_core::wire::Writer;
use tutk_core::{Instant, earlier};
use wyze_kauth::Code;
use zeroize::Zeroize;

use crate::request::{LIMIT, MAX_REQUEST_LEN, MAX_REQUESTS, REPEAT, RequestError, RequestId};

/// Whose request it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    /// The K-command challenge: its loss ends the session.
    Auth,
    /// The application.
    User(RequestId),
    /// The session itself: media that do not come, the picture after a reconnect. Its loss changes nothing.
    Own,
    /// The talk: K10010 for audio to the camera.
    #[cfg(feature = "talk")]
    Talk { on: bool },
}

struct Pending {
    owner: Owner,
    code: Code,
    message: Vec<u8, MAX_REQUEST_LEN>,
    /// Allocated at the first transmission; a repetition sends identical bytes.
    ticket: Option<IoctlTicket>,
    /// When it goes out next.
    next: Instant,
    /// When it is given up, counted from when it first went out.
    deadline: Instant,
    /// Whether a reply will come; without one it goes out once and is forgotten.
    awaits_reply: bool,
}

impl Pending {
    /// Fills in what `write` writes; `false` when that is nothing.
    fn write(
        &mut self,
        write: &mut dyn FnMut(&mut Writer<'_>) -> Option<Code>,
    ) -> Result<bool, RequestError> {
        let too_long = |_| RequestError::TooLong;
        self.message
            .resize(MAX_REQUEST_LEN, 0)
            .map_err(|_| RequestError::TooLong)?;
        let mut writer = Writer::new(&mut self.message);
        let code = write(&mut writer);
        let len = writer.finish().map_err(too_long)?.len();
        self.message.truncate(len);
        self.code = code.unwrap_or(self.code);
        Ok(code.is_some())
    }
}

/// A request may hold the answer to a challenge.
impl Drop for Pending {
    fn drop(&mut self) {
        self.message.as_mut_slice().zeroize();
    }
}

/// Shows no content: a request may hold the answer to a challenge, or a MAC address.
impl fmt::Debug for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending")
            .field("owner", &self.owner)
            .field("code", &self.code)
            .field("len", &self.message.len())
            .finish_non_exhaustive()
    }
}

/// The requests under way.
#[derive(Debug, Default)]
pub(crate) struct Control {
    pending: Vec<Pending, MAX_REQUESTS>,
    last_id: u16,
}

impl Control {
    /// Queues the HL message that `write` produces; without an `owner` the application's. `Ok(None)`: `write` had none.
    #[inline(never)] // one copy, whatever is written
    pub(crate) fn push(
        &mut self,
        now: Instant,
        owner: Option<Owner>,
        awaits_reply: bool,
        write: &mut dyn FnMut(&mut Writer<'_>) -> Option<Code>,
    ) -> Result<Option<RequestId>, RequestError> {
        self.forget_sent();
        let id = RequestId(self.last_id.wrapping_add(1));
        let pending = Pending {
            owner: owner.unwrap_or(Owner::User(id)),
            code: Code(0),
            message: Vec::new(),
            ticket: None,
            next: now,
            deadline: now + LIMIT,
            awaits_reply,
        };
        self.pending.push(pending).map_err(|_| RequestError::Busy)?;
        // It is written where it stays: it may hold the answer to a challenge.
        let written = self.pending.last_mut().map(|pending| pending.write(write));
        match written {
            Some(Ok(true)) => {
                self.last_id = id.0;
                Ok(Some(id))
            }
            other => {
                self.pending.pop();
                other.unwrap_or(Ok(false)).map(|_| None)
            }
        }
    }

    /// Drops all requests; their ids are not used again.
    pub(crate) fn clear(&mut self) {
        self.pending.clear();
    }

    /// The request that was queued last, as a whole HL message.
    pub(crate) fn newest(&self) -> Option<&[u8]> {
        self.pending.last().map(|p| p.message.as_slice())
    }

    /// Drops the requests that have gone out and get no reply.
    fn forget_sent(&mut self) {
        self.forget_where(|p| !p.awaits_reply && p.ticket.is_some());
    }

    /// Drops the requests of `owner` that have not gone out.
    #[cfg(feature = "talk")]
    pub(crate) fn forget_unsent(&mut self, owner: Owner) {
        self.forget_where(|p| p.owner == owner && p.ticket.is_none());
    }

    /// Makes the requests of `owner` the session's own: they go on, but nobody hears how they end.
    #[cfg(feature = "talk")]
    pub(crate) fn disown(&mut self, owner: Owner) {
        for pending in self.pending.iter_mut().filter(|p| p.owner == owner) {
            pending.owner = Owner::Own;
        }
    }

    fn forget_where(&mut self, unwanted: impl Fn(&Pending) -> bool) {
        while let Some(at) = self.pending.iter().position(&unwanted) {
            self.take(at);
        }
    }

    /// Takes a request out. Its message is wiped where it lies: what is moved away leaves a copy behind.
    fn take(&mut self, at: usize) -> Option<(Owner, Code)> {
        let behind = self.pending.get_mut(at..)?;
        let pending = behind.first_mut()?;
        pending.message.as_mut_slice().zeroize();
        let taken = (pending.owner, pending.code);
        // The last place, one after the other. `rotate_left` has three ways of doing this, half a kilobyte of them.
        let mut rest = behind;
        while let [this, next, ..] = rest {
            core::mem::swap(this, next);
            rest = rest.get_mut(1..).unwrap_or_default();
        }
        self.pending.pop();
        Some(taken)
    }

    /// Takes the request that `reply` answers: the one under way whose code is one less. A `repeat` has answered a request
    /// before, so it is no answer to the application's next one of the same code.
    pub(crate) fn answer(&mut self, reply: Code, repeat: bool) -> Option<Owner> {
        let answers = |p: &Pending| {
            let answered_before = repeat && matches!(p.owner, Owner::User(_));
            p.code.reply() == reply && p.ticket.is_some() && !answered_before
        };
        let at = self.pending.iter().position(answers)?;
        self.take(at).map(|(owner, _)| owner)
    }

    /// Takes a request whose time is up.
    pub(crate) fn expired(&mut self, now: Instant) -> Option<(Owner, Code)> {
        self.forget_sent();
        let over = |p: &Pending| p.ticket.is_some() && p.deadline <= now;
        let at = self.pending.iter().position(over)?;
        self.take(at)
    }

    /// The next message that is due, with the ticket it goes out under. Requests of one code go out one after the other:
    /// nothing in a reply tells which of them it answers.
    pub(crate) fn due(
        &mut self,
        now: Instant,
        ticket: impl FnOnce() -> IoctlTicket,
    ) -> Option<(IoctlTicket, &[u8])> {
        self.forget_sent();
        let due = |(at, p): (usize, &Pending)| p.next <= now && !self.waits(at);
        let at = self.pending.iter().enumerate().position(due)?;
        let pending = self.pending.get_mut(at)?;
        pending.next = now + REPEAT;
        if pending.ticket.is_none() {
            pending.deadline = now + LIMIT;
        }
        let ticket = *pending.ticket.get_or_insert_with(ticket);
        Some((ticket, &pending.message))
    }

    /// Whether an earlier request of the same code is under way.
    fn waits(&self, at: usize) -> bool {
        let code = self.pending.get(at).map(|p| p.code);
        let mut earlier = self.pending.iter().take(at);
        earlier.any(|p| Some(p.code) == code && p.awaits_reply)
    }

    /// Whether the challenge has a request under way.
    pub(crate) fn has_auth(&self) -> bool {
        self.pending.iter().any(|p| p.owner == Owner::Auth)
    }

    /// When the next repetition or deadline is.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let under_way = |(at, p): &(usize, &Pending)| {
            (p.awaits_reply || p.ticket.is_none()) && !self.waits(*at)
        };
        let all = self.pending.iter().enumerate().filter(under_way);
        all.fold(None, |first, (_, p)| {
            earlier(first, Some(p.next.min(p.deadline)))
        })
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;
    use tutk_av::{Initiator, LoginConfig};
    use tutk_core::Cx;
    use wyze_kauth::hl;

    use super::*;

    const CODE: Code = Code(11_000);

    /// Requests with these bodies, all of one code, and what hands out their tickets.
    fn asked(bodies: &[u8]) -> (Control, Initiator<'static>, Vec<RequestId, MAX_REQUESTS>) {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let login = LoginConfig {
            user: b"admin",
            password: b"sim-enr-16byte!!",
            resend: false,
        };
        let av = Initiator::new(&login, &mut [], &mut Cx::new(Instant::ZERO, &mut rng));
        let mut control = Control::default();
        let push = |body: &u8| {
            let mut write = |w: &mut Writer<'_>| {
                hl::write(w, hl::CLIENT_VERSION, CODE, |w| w.bytes(&[*body]));
                Some(CODE)
            };
            control.push(Instant::ZERO, None, true, &mut write).unwrap()
        };
        let ids = bodies.iter().filter_map(push).collect();
        (control, av, ids)
    }

    fn sent(control: &mut Control, av: &mut Initiator<'_>, now: Instant) -> Option<u8> {
        let (_, message) = control.due(now, || av.ioctl_ticket())?;
        message.last().copied()
    }

    #[test]
    fn requests_of_one_code_go_out_one_after_the_other() {
        let (mut control, mut av, ids) = asked(&[1, 2]);
        let at = Instant::from_millis;
        assert_eq!(sent(&mut control, &mut av, at(0)), Some(1));
        assert_eq!(
            sent(&mut control, &mut av, at(0)),
            None,
            "the first has no answer yet"
        );
        assert_eq!(control.poll_timeout(), Some(at(500)), "its repetition");
        assert_eq!(
            control.answer(CODE.reply(), false),
            Some(Owner::User(ids[0]))
        );
        assert_eq!(
            control.answer(CODE.reply(), false),
            None,
            "nobody has asked yet"
        );
        assert_eq!(sent(&mut control, &mut av, at(40)), Some(2));
        assert_eq!(
            control.answer(CODE.reply(), false),
            Some(Owner::User(ids[1]))
        );
    }

    #[test]
    fn a_request_that_waits_for_another_has_its_whole_time_afterwards() {
        let (mut control, mut av, ids) = asked(&[1, 2]);
        let at = Instant::from_millis;
        assert_eq!(sent(&mut control, &mut av, at(0)), Some(1));
        assert_eq!(control.expired(at(5000)), Some((Owner::User(ids[0]), CODE)));
        assert_eq!(control.expired(at(5000)), None);
        assert_eq!(sent(&mut control, &mut av, at(5000)), Some(2));
        assert_eq!(control.expired(at(9999)), None);
        assert_eq!(
            control.expired(at(10_000)),
            Some((Owner::User(ids[1]), CODE))
        );
    }

    #[test]
    fn what_is_cleared_is_not_sent_and_not_answered() {
        let (mut control, mut av, _) = asked(&[1, 2]);
        assert_eq!(sent(&mut control, &mut av, Instant::ZERO), Some(1));
        control.clear();
        assert_eq!(control.answer(CODE.reply(), false), None);
        assert_eq!(sent(&mut control, &mut av, Instant::from_millis(500)), None);
        assert_eq!(control.poll_timeout(), None);
    }

    #[test]
    fn only_the_challenge_makes_it_one_of_the_challenge() {
        let (mut control, _, _) = asked(&[1]);
        assert!(!control.has_auth());
        let mut write = |w: &mut Writer<'_>| {
            hl::write(w, hl::CLIENT_VERSION, Code::K10000, |_| {});
            Some(Code::K10000)
        };
        control
            .push(Instant::ZERO, Some(Owner::Auth), true, &mut write)
            .unwrap();
        assert!(control.has_auth());
        control.clear();
        assert!(!control.has_auth());
    }

    #[cfg(feature = "talk")]
    #[test]
    fn what_is_disowned_still_goes_before_the_next_of_its_code() {
        let (mut control, mut av, _) = asked(&[]);
        let push = |control: &mut Control, on: bool| {
            let mut write = |w: &mut Writer<'_>| {
                hl::write(w, hl::CLIENT_VERSION, CODE, |w| w.bytes(&[on.into()]));
                Some(CODE)
            };
            let owner = Some(Owner::Talk { on });
            control
                .push(Instant::ZERO, owner, true, &mut write)
                .unwrap();
        };
        push(&mut control, true);
        assert_eq!(sent(&mut control, &mut av, Instant::ZERO), Some(1));
        control.forget_unsent(Owner::Talk { on: true });
        push(&mut control, false);
        control.disown(Owner::Talk { on: true });
        assert_eq!(sent(&mut control, &mut av, Instant::ZERO), None);
        assert_eq!(control.answer(CODE.reply(), false), Some(Owner::Own));
        assert_eq!(sent(&mut control, &mut av, Instant::ZERO), Some(0));
        let off = Some(Owner::Talk { on: false });
        assert_eq!(control.answer(CODE.reply(), false), off);

        push(&mut control, true);
        control.forget_unsent(Owner::Talk { on: true });
        assert_eq!(sent(&mut control, &mut av, Instant::ZERO), None);
    }

    #[test]
    fn a_repeated_reply_does_not_answer_the_next_request() {
        let (mut control, mut av, ids) = asked(&[1]);
        assert_eq!(sent(&mut control, &mut av, Instant::ZERO), Some(1));
        assert_eq!(control.answer(CODE.reply(), true), None);
        assert_eq!(
            control.answer(CODE.reply(), false),
            Some(Owner::User(ids[0]))
        );
    }
}
