//! What both ends told, and whether it may be so.

use wyze_session::RequestId;

use super::{RECOVERY, REDIAL, Run, SECOND, SWITCHED, Sabotage, Stage};
use crate::ends::Told;
use crate::laws::{Lawful, Violation, law};
use crate::seeds::scenario::World;
use crate::show::Kind;
use crate::wire::Weather;

impl Run<'_> {
    /// The script is over: a good network, nobody who attacks, a camera that runs.
    pub(super) fn calm(&mut self) -> Lawful {
        self.say(|| "calm".into());
        if self.s.world == World::Siege {
            self.check_siege()?;
        }
        self.stage = Stage::Calm(self.now, self.seen[0].count());
        self.wire.weather = Weather::CALM;
        self.wire.stalled_until = 0;
        Ok(())
    }

    /// Nobody noticed the attacker.
    pub(super) fn check_siege(&mut self) -> Lawful {
        law(
            self.outcome.sessions == 1 && self.outcome.causes.is_empty(),
            || format!("a siege ended the session: {:?}", self.outcome.causes),
        )?;
        let Some((session, _)) = self.session else {
            return Err(Violation("a siege kept the viewer out".into()));
        };
        for kind in [Kind::Video, Kind::Audio] {
            let (sent, seen) = (
                self.sent.total(kind, session),
                self.seen[kind as usize].count(),
            );
            // What is under way, and an audio stream's beginning, which waits for its place in order.
            law(sent <= seen + 6, || {
                format!("a siege lost {kind:?}: {seen} of {sent} arrived")
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
        law(told.is_some(), || {
            "close was called, and Closed never came".into()
        })?;
        let quiet = self.viewer.as_ref().is_none_or(|v| v.deadline().is_none());
        law(quiet, || "a session that is over still has a timer".into())?;
        law(self.session.is_none(), || {
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
            Told::Frame(kind, id) => {
                let id = id.filter(|_| self.sabotage != Sabotage::Alien);
                let seen = &mut self.seen[kind as usize];
                seen.take(&mut self.sent, kind, id)?;
                if self.sabotage == Sabotage::Twice {
                    seen.take(&mut self.sent, kind, id)?;
                }
                if self.strike_at.is_none() && self.s.world == World::Siege {
                    self.strike_at = Some(self.now + self.s.strike_every);
                }
            }
            Told::Reply(id, body) => return self.answered(id, Some(&body)),
            Told::Message(code) => {
                // Replies to what was given up: a request after its time, "on" of a talk that was stopped before.
                let late = !self.missed.is_empty() || (self.s.talk && code == SWITCHED);
                law(late, || {
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
                self.dial_at = Some(self.now + REDIAL);
            }
            _ => {}
        }
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
        let late = self.missed.iter().any(|missed| missed == body);
        law(body == asked || late, || {
            format!("{id:?} asked {asked:?} and was answered {body:?}")
        })
    }

    pub(super) fn camera_told(&mut self, told: Told) -> Lawful {
        match told {
            Told::Authenticated => {
                self.session = Some((self.sent.begin(false), self.now));
            }
            Told::Frame(kind, id) => self.heard.take(&mut self.sent, kind, id)?,
            Told::Command(code, body) => {
                if let Some(camera) = &mut self.camera {
                    camera.session.reply(code.reply(), &body);
                }
            }
            Told::Closed(_) => {
                self.session = None;
                if let Some(camera) = &mut self.camera {
                    camera.reset(&mut self.random, self.now)?;
                }
            }
            _ => {}
        }
        Ok(())
    }
}
