//! What both ends told, and whether it may be so.

use wyze_session::{Cause, Generation, LAN_PORT, PlainPolicy, RequestId};

use super::{ASK, Deed, RECOVERY, REDIAL, Run, SECOND, SWITCHED, Sabotage, Stage};
use crate::ends::Told;
use crate::laws::{Lawful, Violation, law};
use crate::seeds::scenario::Act;
use crate::show::{Id, Kind};
use crate::wire::Weather;

/// What a move costs at most: the time until whoever moved is heard again, and until the next key frame.
const MOVED: u64 = 2 * SECOND + SECOND / 5;

/// Frames that may be under way to a viewer to whom nothing is lost.
const UNDER_WAY: u32 = 2;

impl Run<'_> {
    /// The script is over: a good network, nobody who attacks, a camera that runs.
    pub(super) fn calm(&mut self) -> Lawful {
        self.say(|| "calm".into());
        if self.s.world.is_gentle() && !self.s.is_gullible() {
            self.check_gentle()?;
        }
        self.stage = Stage::Calm(self.now, self.seen[0].count());
        self.wire.weather = Weather::CALM;
        self.wire.stalled_until = 0;
        Ok(())
    }

    /// Nobody noticed the attacker, and whoever moved was followed.
    pub(super) fn check_gentle(&mut self) -> Lawful {
        let world = self.s.world;
        law(
            self.outcome.sessions == 1 && self.outcome.causes.is_empty(),
            || format!("{world:?}: the session ended: {:?}", self.outcome.causes),
        )?;
        let Some((session, _)) = self.session else {
            return Err(Violation(format!("{world:?}: the viewer was kept out")));
        };
        let moves = |&&(_, act): &&(u64, Act)| {
            matches!(act, Act::MoveViewer { .. } | Act::MoveCamera { .. })
        };
        let moves = self.s.script.iter().filter(moves).count() as u64;
        for kind in [Kind::Video, Kind::Audio] {
            let (sent, seen) = (
                self.sent.total(kind, session),
                self.seen[kind as usize].count(),
            );
            // What is under way, and an audio stream's beginning, which waits for its place in order; and what is sent to
            // where somebody was.
            let every = match kind {
                Kind::Video => self.s.show.video_every,
                _ => self.s.show.audio_every.max(1),
            };
            let missing = UNDER_WAY + (MOVED * moves / every) as u32;
            law(sent <= seen + missing, || {
                format!("{world:?}: of {kind:?}, {seen} of {sent} arrived")
            })?;
            let skipped = self.seen[kind as usize].skipped();
            law(moves > 0 || skipped == 0, || {
                format!("{world:?}: {skipped} frames of {kind:?} are missing between others")
            })?;
        }
        Ok(())
    }

    pub(super) fn no_recovery(&self) -> Violation {
        Violation(format!(
            "{} s of calm and no pictures: the viewer is {:?}, the camera's session {:?}",
            RECOVERY / SECOND,
            self.viewer
                .as_ref()
                .map(|v| (v.session.is_authenticated(), v.closed)),
            self.session,
        ))
    }

    /// Both ends have been told, and want nothing more.
    pub(super) fn farewell(&mut self) -> Lawful {
        let told = self.viewer.as_ref().and_then(|v| v.closed);
        let told = told.filter(|_| self.sabotage != Sabotage::Untold);
        law(told.is_some(), || {
            "close was called, and Closed never came".into()
        })?;
        let quiet = self.viewer.as_ref().is_none_or(|v| v.deadline().is_none());
        law(quiet && self.sabotage != Sabotage::Restless, || {
            "a session that is over still has a timer".into()
        })?;
        let gone = self.session.is_none() && self.sabotage != Sabotage::Unheard;
        law(gone, || {
            "the camera was not told that the viewer left".into()
        })
    }

    /// Reads what both ends told.
    pub(super) fn look(&mut self) -> Lawful {
        if let Some(viewer) = &mut self.viewer {
            for told in std::mem::take(&mut viewer.inbox) {
                self.say(|| format!("viewer: {told:?}"));
                self.viewer_told(told)?;
            }
        }
        if let Some(camera) = &mut self.camera {
            for told in std::mem::take(&mut camera.inbox) {
                self.say(|| format!("camera: {told:?}"));
                self.camera_told(told)?;
            }
        }
        Ok(())
    }

    pub(super) fn viewer_told(&mut self, told: Told) -> Lawful {
        match told {
            Told::Phase(_) => self.check_plain()?,
            Told::Authenticated => self.let_in(),
            Told::Frame(kind, id) => self.saw(kind, id)?,
            Told::Reply(..) if self.sabotage == Sabotage::Unasked => {
                return self.viewer_told(Told::Message(ASK.reply()));
            }
            Told::Reply(id, body) => {
                self.answered(id, Some(&body))?;
                if self.sabotage == Sabotage::Echo {
                    self.answered(id, Some(&body))?;
                }
            }
            Told::Message(code) => {
                // Replies to what was given up: a request after its time, "on" of a talk that was stopped before.
                let late = !self.missed.is_empty() || (self.s.talk && code == SWITCHED);
                law(late || self.s.is_gullible(), || {
                    format!("{code:?} was delivered, and nobody sent it, or not twice")
                })?;
            }
            Told::NoReply(id) => return self.answered(id, None),
            Told::TalkReady => {
                let talk = self.sent.begin(true);
                self.talk = Some((talk, self.now));
            }
            Told::TalkClosed(_) => self.talk = None,
            Told::Closed(cause) => {
                self.outcome.causes.push(cause);
                self.talk = None;
                self.ended(cause)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// A frame was delivered.
    fn saw(&mut self, kind: Kind, id: Option<Id>) -> Lawful {
        let id = id.filter(|_| self.sabotage != Sabotage::Alien);
        let tenth = id.is_some_and(|id| kind == Kind::Video && id.ordinal == 9);
        if self.sabotage == Sabotage::Hole && tenth {
            return Ok(());
        }
        let seen = &mut self.seen[kind as usize];
        let lawful = seen.take(&mut self.sent, kind, id);
        if !self.s.is_gullible() {
            lawful?;
        }
        if self.sabotage == Sabotage::Twice {
            seen.take(&mut self.sent, kind, id)?;
        }
        if self.begun.is_none() {
            self.begun = Some(self.now);
            self.strike_at = self.s.hostile.then_some(self.now + self.s.strike_every);
        }
        Ok(())
    }

    /// The camera let the viewer in.
    fn let_in(&mut self) {
        let Some(viewer) = &self.viewer else { return };
        let lossless = viewer.session.is_lossless();
        let deed = match viewer.session.plain() {
            Some(Generation::Session16) => Some(Deed::Session16),
            Some(_) => Some(Deed::Session25),
            None if !self.s.resend || self.s.chunks => None,
            None if lossless => Some(Deed::Lossless),
            None => Some(Deed::Refused),
        };
        self.encrypted |= viewer.session.plain().is_none();
        let resumed = self.resuming.then_some(Deed::Resumed);
        for deed in deed.into_iter().chain(resumed) {
            self.outcome.deeds[deed as usize] += 1;
        }
    }

    /// No session without DTLS where that was refused, or where this viewer has had one with it.
    fn check_plain(&self) -> Lawful {
        let Some(viewer) = &self.viewer else {
            return Ok(());
        };
        let refused = self.s.plain == PlainPolicy::Refused || self.encrypted;
        let plain = viewer.session.plain().is_some() || self.sabotage == Sabotage::Naked;
        law(!(refused && plain), || {
            format!("{:?}, where it was refused", viewer.session.plain())
        })
    }

    /// A session of the viewer is over; another follows.
    fn ended(&mut self, cause: Cause) -> Lawful {
        let Some(viewer) = &mut self.viewer else {
            return Ok(());
        };
        let policy = &mut self.policy;
        let again = viewer.with(&mut self.random, self.now, |client, cx| {
            policy.after(cause, client.healthy(cx.now), cx)
        })?;
        let again = again.filter(|_| self.s.stays);
        let at = again.map(|at| viewer.clock.world(at));
        law(at.is_none_or(|at| at > self.now), || {
            "a session is to begin anew in the past".into()
        })?;
        self.resuming = at.is_some();
        let closing = matches!(self.stage, Stage::Closing(_));
        self.dial_at = (!closing).then(|| at.unwrap_or(self.now + REDIAL));
        Ok(())
    }

    /// A request has its answer, and only one.
    pub(super) fn answered(&mut self, id: RequestId, body: Option<&[u8]>) -> Lawful {
        let Some((_, asked, done)) = self.asked.iter_mut().find(|(asked, ..)| *asked == id) else {
            return Err(Violation(format!("{id:?} was answered and never asked")));
        };
        law(!std::mem::replace(done, true), || {
            format!("{id:?} was answered twice")
        })?;
        let body = body
            .filter(|_| self.sabotage != Sabotage::Liar)
            .or(body.map(|_| &[0][..]));
        let Some(body) = body else {
            self.missed.push(asked.clone());
            return Ok(());
        };
        let late = self.s.is_gullible() || self.missed.iter().any(|missed| missed == body);
        law(body == asked || late, || {
            format!("{id:?} asked {asked:?} and was answered {body:?}")
        })
    }

    pub(super) fn camera_told(&mut self, told: Told) -> Lawful {
        match told {
            Told::Authenticated => {
                self.session = Some((self.sent.begin(false), self.now));
            }
            Told::Frame(kind, id) => {
                let lawful = self.heard.take(&mut self.sent, kind, id);
                if !self.s.is_gullible() {
                    lawful?;
                }
            }
            Told::Command(code, body) => {
                if let Some(camera) = &mut self.camera {
                    camera.session.reply(code.reply(), &body);
                }
            }
            Told::Closed(_) => {
                self.session = None;
                self.outcome.deeds[Deed::Reset as usize] += 1;
                self.camera_addr.set_port(LAN_PORT);
                if let Some(camera) = &mut self.camera {
                    camera.addr = self.camera_addr;
                    camera.reset(&mut self.random, self.now)?;
                }
            }
            _ => {}
        }
        Ok(())
    }
}
