//! The app's side of a talk: DTLS server, answers the login, sends audio.
//!
//! ```text
//!   Idle ─ start_talk ─► Securing ─ Secured ─► LoggingIn ─ 0x2100 sent, 500 ms ─► Ready (TalkReady)
//!    ▲   K10011: 5 s from here    └── 5 s ──────────┴─ close, failure ─┬────────────┘
//!    └───────── TalkClosed ◄── K10011 for "off", if we stopped ◄── Closing
//! ```

use core::fmt;
use core::time::Duration;

use tutk_av::{Generation, Responder, ResponderConfig, TalkFrame, TalkPacketizer};
use tutk_core::{Cx, Datagram, Instant, TxBuf};
use tutk_dtls::{Psk, ServerConfig};
use wyze_kauth::command::{ControlChannel, Media};

use super::{Heard, LIMIT, Line, State};
use crate::control::Owner;
use crate::event::{Event, TalkEnd};
use crate::stack::{IotcRole, Stage};
use crate::{Client, RequestError, Transmit};

/// Longest frame of a talk, bytes.
pub const MAX_TALK_FRAME: usize = 1024;
/// The same in [`Generation::Session16`], where one packet holds frame and FRAMEINFO.
const MAX_TALK_FRAME_SESSION16: usize = 984;
/// Repeated logins are waited for so long before audio begins, as by other clients (`docs/protocol.md` §2.14).
const SETTLE: Duration = Duration::from_millis(500);

/// Why a frame of audio was not sent; the session and the talk go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum TalkError {
    /// No talk is open: wait for `Event::TalkReady`.
    NotReady,
    /// The frame is too long for one packet.
    TooLarge {
        /// The longest, in bytes.
        max: usize,
    },
    /// The lent buffer is too small; lend 1500 bytes.
    BufferTooSmall,
}

impl fmt::Display for TalkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotReady => f.write_str("no talk is open: start one and wait until it is ready"),
            Self::TooLarge { max } => {
                write!(f, "a frame of audio to the camera has at most {max} bytes")
            }
            Self::BufferTooSmall => {
                f.write_str("the transmit buffer is too small; lend at least 1500 bytes")
            }
        }
    }
}

impl core::error::Error for TalkError {}

/// The talk of a client; between two talks it waits in the same memory.
#[derive(Debug)]
pub(crate) struct AppTalk<'m> {
    line: Line<tutk_dtls::Server<'m>, Responder<'static>>,
    packetizer: TalkPacketizer,
    /// When the login counts as settled, once it is answered.
    settled: Option<Instant>,
    /// Audio may be sent; the owner has not been told.
    ready: bool,
    /// K10010 "off" waits for its answer.
    switching_off: bool,
}

impl<'m> AppTalk<'m> {
    #[cfg(feature = "keylog")]
    pub(crate) fn log_keys(&mut self) {
        self.line.association.dtls.log_keys();
    }

    #[cfg(feature = "keylog")]
    pub(crate) fn take_key_log_entry(&mut self) -> Option<tutk_dtls::KeyLogEntry> {
        self.line.association.dtls.take_key_log_entry()
    }

    /// Without `memory` there is no talk.
    pub(crate) fn new(psk: Psk, memory: &'m mut [u8], cx: &mut Cx<'_>) -> Option<Self> {
        if memory.is_empty() {
            return None;
        }
        let dtls = ServerConfig {
            // Cameras have seen this hint from other clients.
            hint: Some(wyze_kauth::PSK_IDENTITY),
            handshake_limit: LIMIT,
            ..ServerConfig::new(psk)
        };
        let av = ResponderConfig {
            two_way: true,
            ..ResponderConfig::default()
        };
        Some(Self {
            line: Line::new(
                tutk_dtls::Server::new(&dtls, memory, cx),
                Responder::new(&av, &mut [], cx),
            ),
            packetizer: TalkPacketizer::new(),
            settled: None,
            ready: false,
            switching_off: false,
        })
    }

    fn start(&mut self, cx: &mut Cx<'_>, plain: Option<Generation>) {
        self.line.open(cx, plain);
        self.line.association.av.reset();
        self.packetizer = TalkPacketizer::new();
        self.settled = None;
        self.ready = false;
    }

    /// Forgets the camera.
    pub(crate) fn reset(&mut self, cx: &mut Cx<'_>) {
        self.line.reset(cx);
        self.settled = None;
        self.ready = false;
        self.switching_off = false;
    }

    /// Says goodbye, if there is anybody to say it to.
    pub(crate) fn close(&mut self) {
        self.line.close(TalkEnd::Local);
    }

    /// K10011 came.
    pub(crate) fn answered(&mut self, now: Instant, on: bool) {
        if !on {
            self.switching_off = false;
        } else if self.line.state() == State::Securing {
            self.line.limit(Some(now + LIMIT));
        }
    }

    /// K10011 never came. A camera that opens the channel has answered all the same.
    pub(crate) fn unanswered(&mut self, on: bool) {
        if !on {
            self.switching_off = false;
        } else if self.line.state() == State::Securing {
            self.line.close(TalkEnd::NoReply);
        }
    }

    /// Reads the talk channel. A camera has nothing to tell there but its login, which the AV layer answers.
    pub(crate) fn receive(&mut self, cx: &mut Cx<'_>, input: &mut Datagram<'_>) {
        while let Some(heard) = self.line.receive(cx, input) {
            if let Heard::Av(tutk_av::Event::LoggedIn { .. }) = heard {
                self.line.limit(None);
            }
        }
    }

    pub(crate) fn handle_timeout(&mut self, cx: &mut Cx<'_>) {
        self.line.handle_timeout(cx);
        if self.line.state() == State::LoggingIn && self.settled.is_some_and(|at| at <= cx.now) {
            self.line.ready();
            self.settled = None;
            self.ready = true;
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let settled = self.settled.filter(|_| self.line.is_active());
        self.line.poll_timeout().into_iter().chain(settled).min()
    }

    pub(crate) fn transmit<I: IotcRole>(
        &mut self,
        cx: &mut Cx<'_>,
        iotc: &mut I,
        tx: &mut TxBuf<'_>,
    ) -> bool {
        let sent = self.line.transmit(cx, iotc, tx);
        let answered = self.line.association.av.is_logged_in();
        if self.line.state() == State::LoggingIn && answered && self.settled.is_none() {
            self.settled = Some(cx.now + SETTLE);
        }
        sent
    }

    /// What has happened to the talk.
    pub(crate) fn poll_event(&mut self) -> Option<Event<'static>> {
        if core::mem::take(&mut self.ready) && self.line.state() == State::Ready {
            return Some(Event::TalkReady);
        }
        if self.switching_off {
            return None;
        }
        self.line.take_ended().map(Event::TalkClosed)
    }

    fn write<I: IotcRole>(
        &mut self,
        cx: &mut Cx<'_>,
        iotc: &mut I,
        frame: &TalkFrame<'_>,
        tx: &mut TxBuf<'_>,
    ) -> Result<(), TalkError> {
        if self.line.state() != State::Ready {
            return Err(TalkError::NotReady);
        }
        let max = match self.line.association.plain() {
            Some(Generation::Session16) => MAX_TALK_FRAME_SESSION16,
            _ => MAX_TALK_FRAME,
        };
        if frame.data.len() > max {
            return Err(TalkError::TooLarge { max });
        }
        self.line
            .association
            .reserve::<I>(tx)
            .map_err(|_| TalkError::BufferTooSmall)?;
        let association = &mut self.line.association;
        association
            .av
            .write_talk(&mut self.packetizer, frame, tx)
            .map_err(|_| TalkError::BufferTooSmall)?;
        // All room is reserved, so what fails now is the association itself.
        self.line.association.seal(cx, iotc, tx).map_err(|cause| {
            self.line.close(TalkEnd::of(cause));
            TalkError::NotReady
        })
    }
}

/// Talk.
impl Client<'_> {
    /// Asks the camera to play audio of ours (K10010). It then opens a channel for it, and [`Event::TalkReady`] comes;
    /// or [`Event::TalkClosed`] does, when it has not within five seconds of its answer.
    ///
    /// # Errors
    /// Before [`Event::Authenticated`]; without [`Storage::talk_handshake`](crate::Storage::talk_handshake); while a
    /// talk is under way, until its [`Event::TalkClosed`]; with too many requests under way.
    pub fn start_talk(&mut self, cx: &mut Cx<'_>) -> Result<(), RequestError> {
        if !self.is_authenticated() || self.ended.is_some() {
            return Err(RequestError::NotReady);
        }
        let talk = self.talk.as_mut().ok_or(RequestError::Unsupported)?;
        if !talk.line.is_free() || talk.switching_off {
            return Err(RequestError::TalkActive);
        }
        self.switch_talk(cx, true)?;
        let plain = self.stack.plain();
        if let Some(talk) = &mut self.talk {
            talk.start(cx, plain);
        }
        Ok(())
    }

    /// Ends the talk: close_notify on its channel, then K10010. [`Event::TalkClosed`] comes when the camera has answered
    /// that, or after five seconds (that count from the answer to the start, or from five seconds without one); then
    /// another talk may start.
    ///
    /// # Errors
    /// Without a talk; with too many requests under way, and then the talk goes on.
    pub fn stop_talk(&mut self, cx: &mut Cx<'_>) -> Result<(), RequestError> {
        if !self.talk.as_ref().is_some_and(|t| t.line.is_active()) {
            return Err(RequestError::NoTalk);
        }
        // One that is on its way may be obeyed yet, so that "off" has to come after its answer.
        self.control.forget_unsent(Owner::Talk { on: true });
        self.switch_talk(cx, false)?;
        self.control.disown(Owner::Talk { on: true });
        if let Some(talk) = &mut self.talk {
            talk.close();
            talk.switching_off = true;
        }
        Ok(())
    }

    /// Makes a datagram of one frame of audio, in the codec of the camera's own, written into `buf` (1500 bytes are
    /// enough). Pace them as they are played: 20 ms of audio every 20 ms.
    ///
    /// # Errors
    /// Nothing was sent or counted, and the session goes on.
    pub fn send_audio<'b>(
        &mut self,
        cx: &mut Cx<'_>,
        frame: &TalkFrame<'_>,
        buf: &'b mut [u8],
    ) -> Result<Transmit<'b>, TalkError> {
        let talk = self.talk.as_mut().ok_or(TalkError::NotReady)?;
        let mut tx = TxBuf::new(buf);
        talk.write(cx, &mut self.stack.iotc, frame, &mut tx)?;
        Transmit::from_buf(tx).ok_or(TalkError::NotReady)
    }

    /// Whether [`send_audio`](Self::send_audio) takes frames.
    pub fn is_talking(&self) -> bool {
        let talk = self.talk.as_ref();
        talk.is_some_and(|talk| talk.line.state() == State::Ready)
    }

    fn switch_talk(&mut self, cx: &mut Cx<'_>, on: bool) -> Result<(), RequestError> {
        let request = ControlChannel {
            media: Media::ReturnAudio,
            on,
        };
        self.control
            .push(cx.now, Some(Owner::Talk { on }), true, &mut |w| {
                Some(wyze_kauth::write_request(&request, w))
            })
            .map(|_| ())
    }

    /// Reads what came on the talk channel.
    pub(crate) fn receive_talk(&mut self, cx: &mut Cx<'_>, input: &mut Datagram<'_>) {
        match &mut self.talk {
            Some(talk) if self.stack.stage == Stage::Secured => talk.receive(cx, input),
            _ => {
                input.take_all();
            }
        }
    }
}
