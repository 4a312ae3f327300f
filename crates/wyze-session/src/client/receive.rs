//! What comes from the camera: phases, the challenge, replies, media.

use core::net::SocketAddr;

use tutk_av::{AssemblerConfig, Stream};
use tutk_core::{Cx, Instant};
use wyze_kauth::command::{ControlChannel, Request};
use wyze_kauth::{AuthError, AuthEvent, Authenticator, CameraInfo, Code, Message};

use super::{Access, Client};
use crate::association::av_cause;
use crate::control::Owner;
use crate::event::{Cause, Event, Phase};
use crate::stack::Unit;

/// Where the bytes of an event lie that does not borrow from the datagram.
pub(super) enum Inside {
    /// In the AV layer's memory: an IOCTRL that came in fragments.
    Assembled,
    /// In the memory of this stream, if a frame has become complete.
    Frames(Stream),
}

impl Client<'_> {
    /// What a unit tells; `inside` is set when there may be more to tell. The event is large, so it goes up as it is.
    pub(super) fn read_unit<'p>(
        &mut self,
        cx: &mut Cx<'_>,
        from: SocketAddr,
        unit: Unit<'p>,
        inside: &mut Option<Inside>,
    ) -> Option<Event<'p>> {
        let phase = match unit {
            Unit::Found { from, framing } => Phase::Found { from, framing },
            Unit::Open => Phase::Open,
            Unit::Secured(suite) => {
                // It knows the key, so whoever cannot speak DTLS is another.
                self.stack.refuse_plain();
                Phase::Secured { suite }
            }
            Unit::Plain => Phase::Plain {
                generation: self.stack.plain()?,
            },
            Unit::Message(message) => {
                return match self.stack.main.read(cx, from, message) {
                    Ok(Some(event)) => self.read_av(cx, event, inside),
                    Ok(None) => None,
                    Err(e) => {
                        self.end(av_cause(e));
                        None
                    }
                };
            }
        };
        Some(Event::Phase(phase))
    }

    fn read_av<'p>(
        &mut self,
        cx: &mut Cx<'_>,
        event: tutk_av::Event<'p>,
        inside: &mut Option<Inside>,
    ) -> Option<Event<'p>> {
        match event {
            tutk_av::Event::LoggedIn { two_way, .. } => {
                if self.access == Access::LoggingIn {
                    self.access = Access::Authenticating;
                    self.set_reorder();
                    self.push_auth(cx);
                }
                Some(Event::Phase(Phase::LoggedIn { two_way }))
            }
            tutk_av::Event::Ioctl(ioctl) => self.read_command(cx, ioctl.payload, ioctl.repeat),
            tutk_av::Event::IoctlAssembled => {
                *inside = Some(Inside::Assembled);
                None
            }
            tutk_av::Event::Media(packet) => {
                self.stall.arrived(cx.now, packet.stream);
                *inside = Some(Inside::Frames(packet.stream));
                self.receiver_mut(packet.stream).push(cx.now, &packet)
            }
        }
    }

    /// A frame waits for a repair only where the camera sends again what is lost.
    fn set_reorder(&mut self) {
        let reorder = if self.is_lossless() {
            AssemblerConfig::VIDEO_LOSSLESS.reorder
        } else {
            self.reorder
        };
        self.video.set_reorder(reorder);
        self.audio.set_reorder(reorder);
    }

    /// One K-command from the camera.
    fn read_command<'p>(
        &mut self,
        cx: &mut Cx<'_>,
        payload: &'p [u8],
        repeat: bool,
    ) -> Option<Event<'p>> {
        let message = Message::parse(payload).ok()?;
        self.protocol = message.version;
        let owner = self.take_answered(cx.now, message.code, repeat);
        if repeat && owner.is_none() && self.access == Access::Granted {
            // It was told when it first came.
            return None;
        }
        let step = challenge(self.access, &mut self.auth, &message);
        self.take_step(cx, step);
        reply_event(owner, step == Step::Granted, &message)
    }

    /// One K-command in the AV layer's memory: what [`assembled_event`](Self::assembled_event) needs, if that has
    /// something to tell. It is looked at twice, because an event that borrows from `self` can only be made once
    /// everything else is done.
    pub(super) fn read_assembled(&mut self, cx: &mut Cx<'_>) -> Option<(Option<Owner>, bool)> {
        let message = Message::parse(self.stack.main.av.assembled()?.payload).ok()?;
        let (code, version) = (message.code, message.version);
        let step = challenge(self.access, &mut self.auth, &message);
        self.protocol = version;
        let owner = self.take_answered(cx.now, code, false);
        self.take_step(cx, step);
        let granted = step == Step::Granted;
        self.assembled_event(owner, granted)
            .map(|_| (owner, granted))
    }

    /// The event that an IOCTRL in the AV layer's memory stands for.
    pub(super) fn assembled_event(&self, owner: Option<Owner>, granted: bool) -> Option<Event<'_>> {
        let message = Message::parse(self.stack.main.av.assembled()?.payload).ok()?;
        reply_event(owner, granted, &message)
    }

    /// Takes the request that a K-command answers.
    fn take_answered(&mut self, _now: Instant, reply: Code, repeat: bool) -> Option<Owner> {
        let owner = self.control.answer(reply, repeat);
        #[cfg(feature = "talk")]
        if let (Some(Owner::Talk { on }), Some(talk)) = (owner, &mut self.talk) {
            talk.answered(_now, on);
        }
        owner
    }

    /// Does what a step of the challenge asks for.
    fn take_step(&mut self, cx: &mut Cx<'_>, step: Step) {
        match step {
            Step::Granted => {
                self.access = Access::Granted;
                self.stall.granted(cx.now);
                self.push_quality(cx.now);
            }
            Step::Next => {
                self.push_auth(cx);
                if !self.control.has_auth() {
                    // It was none of the answers that were waited for, but no other will come.
                    self.end(Cause::Auth(AuthError::UnreadableReply));
                }
            }
            Step::Failed(e) => self.end(Cause::Auth(e)),
            Step::Idle => {}
        }
    }

    /// Queues what the challenge wants sent next, if anything.
    fn push_auth(&mut self, cx: &mut Cx<'_>) {
        let auth = &mut self.auth;
        let queued = self
            .control
            .push(cx.now, Some(Owner::Auth), true, &mut |w| {
                auth.poll_request(w)
            });
        if queued.is_err() {
            self.end(Cause::AuthTimeout);
        }
    }
}

/// What a K-command did to the challenge.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    /// K10003: we are in.
    Granted,
    /// The challenge may have something to send.
    Next,
    /// The camera refused.
    Failed(AuthError),
    /// The challenge is not under way.
    Idle,
}

/// Shows a K-command to the challenge while that is under way.
fn challenge(access: Access, auth: &mut Authenticator, message: &Message<'_>) -> Step {
    if access != Access::Authenticating {
        return Step::Idle;
    }
    match auth.handle_message(message) {
        Ok(Some(AuthEvent::Authenticated(_))) => Step::Granted,
        Ok(_) => Step::Next,
        Err(e) => Step::Failed(e),
    }
}

/// What a K-command is to the owner of the session; `granted`: it is the one that let us in. What the camera tells there is
/// read once more, rather than carried through all of this by value.
fn reply_event<'p>(
    owner: Option<Owner>,
    granted: bool,
    message: &Message<'p>,
) -> Option<Event<'p>> {
    let (code, payload) = (message.code, message.payload);
    if granted {
        return CameraInfo::parse(payload).ok().map(Event::Authenticated);
    }
    match owner {
        Some(Owner::User(id)) => Some(Event::Reply { id, code, payload }),
        Some(Owner::Auth | Owner::Own) => None,
        #[cfg(feature = "talk")]
        Some(Owner::Talk { .. }) => None,
        // An answer of the challenge that nobody waits for echoes our own repetition.
        None if code.is_auth() => None,
        // Nor does a camera switch media by itself: it answers a request of ours after its time.
        None if code == ControlChannel::CODE.reply() => None,
        None => Some(Event::Message { code, payload }),
    }
}
