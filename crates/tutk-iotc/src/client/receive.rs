//! What a client makes of answers to its search.

use core::net::SocketAddr;

use tutk_core::Instant;
#[cfg(feature = "cc51")]
use zerocopy::IntoBytes;

#[cfg(feature = "cc51")]
use super::Claim;
use super::{Client, Knock, Opening, State, Timer};
use crate::ids::Sid;
#[cfg(feature = "cc51")]
use crate::link::Start;
use crate::link::is_same;
use crate::stats::dropped;
#[cfg(feature = "cc51")]
use crate::wire::Direction;
use crate::{CONFIRM_GAP, Event, Framing, SESSION_INTERVAL, SESSION_PATIENCE, wire};

impl Client {
    /// The first answer of a camera ends the search and starts the time that it has to confirm.
    fn stop_searching(&mut self, now: Instant) {
        if matches!(self.state, State::Searching { .. }) {
            self.timers
                .set(Timer::Resend as usize, now + SESSION_INTERVAL);
            self.timers.set(Timer::Limit as usize, now + self.limit);
            self.state = State::Opening(Opening::default());
        }
    }

    pub(super) fn on_search_reply(
        &mut self,
        now: Instant,
        from: SocketAddr,
        version: u8,
        uid: &[u8; 20],
        sid: Option<&Sid>,
    ) -> Option<Event<'static>> {
        if uid != self.credentials.uid.as_bytes() {
            dropped(&mut self.stats.rx_foreign_uid, "answer of another device");
            return None;
        }
        if sid.is_some_and(|sid| *sid != self.sid) {
            dropped(
                &mut self.stats.rx_foreign_session,
                "answer to another search",
            );
            return None;
        }
        if !self.framings.contains(Framing::TransCode) {
            dropped(&mut self.stats.rx_unexpected, "a framing not asked for");
            return None;
        }
        self.stop_searching(now);
        match &mut self.state {
            State::Opening(opening) if opening.knock.is_none() => {
                opening.knock = Some(Knock {
                    at: from,
                    version,
                    confirm: true,
                    ask: false,
                    asked: false,
                });
            }
            _ => {
                dropped(&mut self.stats.rx_unexpected, "one more answer");
                return None;
            }
        }
        // Anybody may have said this: it is followed by one datagram.
        self.timers.set(Timer::Resend as usize, now + CONFIRM_GAP);
        self.timers
            .set(Timer::Patience as usize, now + SESSION_PATIENCE);
        Some(Event::Found {
            from,
            framing: Framing::TransCode,
        })
    }

    pub(super) fn on_session_reply(
        &mut self,
        now: Instant,
        from: SocketAddr,
        reply: &wire::Session,
    ) -> Option<Event<'static>> {
        let State::Opening(Opening {
            knock: Some(knock), ..
        }) = &self.state
        else {
            dropped(&mut self.stats.rx_unexpected, "no session was asked for");
            return None;
        };
        // What cameras put into 0x0404 is not known for sure, so from the camera's address anything will do. From
        // elsewhere it has to show UID and session id.
        let proven = reply.uid == *self.credentials.uid.as_bytes() && reply.sid == self.sid;
        if !is_same(from, knock.at) && !proven {
            dropped(
                &mut self.stats.rx_bad_source,
                "session granted by a stranger",
            );
            return None;
        }
        self.version = Some(knock.version.max(reply.header.version));
        self.open_transcode(from, now);
        Some(Event::Open {
            framing: Framing::TransCode,
        })
    }

    #[cfg(feature = "cc51")]
    pub(super) fn on_cc51_search(
        &mut self,
        now: Instant,
        from: SocketAddr,
        body: &wire::cc51::SearchBody,
        mac: &[u8; 20],
    ) -> Option<Event<'static>> {
        if body.sid != self.sid {
            dropped(
                &mut self.stats.rx_foreign_session,
                "answer to another search",
            );
            return None;
        }
        if matches!(self.state, State::Open(_) | State::Ended)
            || !self.framings.contains(Framing::Cc51)
            || body.header.direction.get() != wire::cc51::REPLY
        {
            dropped(&mut self.stats.rx_unexpected, "nobody is searching");
            return None;
        }
        if !self.credentials.verify(body.as_bytes(), mac) {
            dropped(&mut self.stats.rx_bad_mac, "answer with a wrong HMAC");
            return None;
        }
        match body.step.get() {
            1 => self.on_cc51_found(now, from, body.ticket),
            3 => self.on_cc51_granted(now, from, body.ticket),
            _ => {
                dropped(&mut self.stats.rx_unexpected, "not a device's step");
                None
            }
        }
    }

    #[cfg(feature = "cc51")]
    pub(super) fn on_cc51_found(
        &mut self,
        now: Instant,
        from: SocketAddr,
        ticket: [u8; 2],
    ) -> Option<Event<'static>> {
        self.stop_searching(now);
        let State::Opening(opening) = &mut self.state else {
            return None;
        };
        let first = opening.claim.is_none();
        if matches!(&opening.claim, Some(claim) if claim.ticket == ticket) {
            dropped(&mut self.stats.rx_unexpected, "one more answer");
            return None;
        }
        // A camera that was restarted meanwhile, or was asked by others, has a new ticket.
        opening.claim = Some(Claim {
            at: from,
            ticket,
            search: false,
            ask: true,
        });
        first.then_some(Event::Found {
            from,
            framing: Framing::Cc51,
        })
    }

    #[cfg(feature = "cc51")]
    pub(super) fn on_cc51_granted(
        &mut self,
        now: Instant,
        from: SocketAddr,
        ticket: [u8; 2],
    ) -> Option<Event<'static>> {
        match &self.state {
            State::Opening(Opening {
                claim: Some(claim), ..
            }) if claim.ticket == ticket => {}
            _ => {
                dropped(
                    &mut self.stats.rx_foreign_session,
                    "grant of another ticket",
                );
                return None;
            }
        }
        let start = Start {
            way: Direction::ToDevice,
            framing: Framing::Cc51,
            peer: from,
            sid: self.sid,
            ticket,
            secure: self.secure,
            version: wire::VERSION,
        };
        self.open(start, now);
        Some(Event::Open {
            framing: Framing::Cc51,
        })
    }
}
