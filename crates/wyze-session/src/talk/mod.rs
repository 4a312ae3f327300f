//! Talk: audio from the app to the camera, in a DTLS association of its own on a channel of its own.
//!
//! ```text
//!   app                                                    camera
//!                   ── K10010 on ──►   ◄── K10011 ──                       (main channel)
//!   Server            ◄── hello, handshake ──►             Client          Securing
//!   Responder         ◄── AV login, 0x2100 ──►             Initiator       LoggingIn
//!   TalkPacketizer            ── audio ──►                 Assembler       Ready
//!                     ◄── close_notify ──►                                 Closing ─► Idle
//!                         ── K10010 off ──►                                (main channel)
//! ```
//! Without DTLS (§2.12) there is no handshake, and no close_notify: the camera logs in at once, and learns from K10010 that
//! it is over.
//!
//! The roles are the reverse of the main channel's. Whatever fails here ends the talk, never the session; where the peer
//! is, the main channel decides alone. Source: `docs/protocol.md` §2.10, §2.14, §2.15.

use core::time::Duration;

use tutk_core::{Cx, Datagram, Instant, TxBuf};
use tutk_iotc::TALK_CHANNEL;

use tutk_av::Generation;

use crate::association::{Arrived, Association, AvRole, Begin, DtlsRole, av_cause};
use crate::event::{Cause, TalkEnd};
use crate::stack::IotcRole;

#[cfg(feature = "client")]
mod app;
#[cfg(feature = "camera")]
mod camera;

#[cfg(feature = "client")]
pub(crate) use app::AppTalk;
#[cfg(feature = "client")]
pub use app::{MAX_TALK_FRAME, TalkError};
#[cfg(feature = "camera")]
pub(crate) use camera::CameraTalk;

/// How long the handshake may take, and the login after it.
pub(crate) const LIMIT: Duration = Duration::from_secs(5);

/// How far a talk has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Idle,
    /// The handshake is under way, or awaited.
    Securing,
    /// The camera logs in.
    LoggingIn,
    /// Audio flows.
    Ready,
    /// The last alert is still to be sent.
    Closing(TalkEnd),
}

/// What a record held that the role has to act on.
pub(crate) enum Heard<'p> {
    Secured,
    Av(tutk_av::Event<'p>),
}

/// The talk channel of either role.
#[derive(Debug)]
pub(crate) struct Line<D, A> {
    pub(crate) association: Association<D, A>,
    state: State,
    /// When the present state has lasted too long.
    limit: Option<Instant>,
    /// How the last talk ended; the owner has not been told.
    ended: Option<TalkEnd>,
}

impl<D: DtlsRole, A: AvRole> Line<D, A> {
    pub(crate) const fn new(dtls: D, av: A) -> Self {
        Self {
            association: Association::new(TALK_CHANNEL, dtls, av),
            state: State::Idle,
            limit: None,
            ended: None,
        }
    }

    pub(crate) fn state(&self) -> State {
        self.state
    }

    /// Whether a talk is open or opens.
    pub(crate) fn is_active(&self) -> bool {
        matches!(
            self.state,
            State::Securing | State::LoggingIn | State::Ready
        )
    }

    /// Whether the last talk is over and its end has been told.
    #[cfg(feature = "client")]
    pub(crate) fn is_free(&self) -> bool {
        self.state == State::Idle && self.ended.is_none()
    }

    /// Begins a talk with a fresh handshake, or without one in the generation `plain`. One that was open is over: the
    /// peer has forgotten it.
    pub(crate) fn open(&mut self, cx: &mut Cx<'_>, plain: Option<Generation>) {
        self.ended = match self.state {
            State::Idle => self.ended,
            State::Closing(end) => Some(end),
            _ => Some(TalkEnd::Peer),
        };
        let begin = plain.map_or(Begin::Dtls, |generation| Begin::Plain {
            generation,
            known: true,
        });
        self.association.begin(cx, begin);
        self.state = State::Securing;
        self.limit = None;
    }

    /// Sets how long the present state may last.
    #[cfg(feature = "client")]
    pub(crate) fn limit(&mut self, at: Option<Instant>) {
        self.limit = at;
    }

    /// The login is awaited, or sent.
    pub(crate) fn logging_in(&mut self, cx: &mut Cx<'_>) {
        self.state = State::LoggingIn;
        self.limit = Some(cx.now + LIMIT);
    }

    /// The login is answered.
    pub(crate) fn ready(&mut self) {
        self.state = State::Ready;
        self.limit = None;
    }

    /// Says goodbye, if there is anybody to say it to.
    pub(crate) fn close(&mut self, end: TalkEnd) {
        if self.is_active() {
            tutk_core::debug!("talk ends: {:?}", end);
            self.association.close();
            self.state = State::Closing(end);
            self.limit = None;
        }
    }

    /// Forgets everything at once, keys included.
    pub(crate) fn reset(&mut self, cx: &mut Cx<'_>) {
        self.association.dtls.reset(cx);
        self.state = State::Idle;
        self.limit = None;
        self.ended = None;
    }

    /// How a talk has ended, once.
    pub(crate) fn take_ended(&mut self) -> Option<TalkEnd> {
        self.ended.take()
    }

    /// Reads up to the next record that the role has to act on.
    pub(crate) fn receive<'p>(
        &mut self,
        cx: &mut Cx<'_>,
        input: &mut Datagram<'p>,
    ) -> Option<Heard<'p>> {
        while !input.is_empty() {
            if !self.is_active() {
                input.take_all();
                break;
            }
            match self.association.receive(cx, input) {
                Ok(Some(Arrived::Secured(_))) => {
                    self.logging_in(cx);
                    return Some(Heard::Secured);
                }
                Ok(Some(Arrived::Message(message))) => {
                    match self.association.read(cx, input.from(), message) {
                        Ok(Some(event)) => {
                            // Nothing but the login comes first.
                            if self.state == State::Securing {
                                self.logging_in(cx);
                            }
                            return Some(Heard::Av(event));
                        }
                        Ok(None) => {}
                        Err(e) => self.close(TalkEnd::of(av_cause(e))),
                    }
                }
                Ok(Some(Arrived::Goodbye)) => self.close(TalkEnd::Peer),
                Ok(_) => {}
                Err(cause) => self.close(TalkEnd::of(cause)),
            }
        }
        None
    }

    pub(crate) fn handle_timeout(&mut self, cx: &mut Cx<'_>) {
        if !self.is_active() {
            return;
        }
        if self.limit.is_some_and(|at| at <= cx.now) {
            self.close(TalkEnd::Timeout);
        } else if let Err(cause) = self.association.handle_timeout(cx, self.is_secured()) {
            self.close(TalkEnd::of(cause));
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        if !self.is_active() {
            return None;
        }
        let layers = self.association.poll_timeout(self.is_secured());
        layers.into_iter().chain(self.limit).min()
    }

    /// Writes what is to be sent. When it answers `false`, `tx` is as freshly made.
    pub(crate) fn transmit<I: IotcRole>(
        &mut self,
        cx: &mut Cx<'_>,
        iotc: &mut I,
        tx: &mut TxBuf<'_>,
    ) -> bool {
        if self.is_active() {
            match self.association.transmit(cx, iotc, tx, self.is_secured()) {
                Ok(true) => return true,
                Ok(false) => {}
                Err(cause) => self.close(TalkEnd::of(cause)),
            }
        }
        if let State::Closing(end) = self.state {
            if self.association.transmit_dtls(cx, iotc, tx) == Ok(true) {
                return true;
            }
            self.state = State::Idle;
            self.ended = Some(end);
        }
        tx.clear();
        false
    }

    fn is_secured(&self) -> bool {
        matches!(self.state, State::LoggingIn | State::Ready) || self.association.plain().is_some()
    }
}

impl TalkEnd {
    /// What a failure of the talk channel is called.
    pub(crate) fn of(cause: Cause) -> Self {
        match cause {
            // The layers' names for silence, which here has nothing to do with slots or keys.
            Cause::Refused | Cause::WrongKey | Cause::LoginTimeout => Self::Timeout,
            other => Self::Failed(other),
        }
    }
}

#[cfg(all(test, feature = "client"))]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;
    use tutk_core::Layer;
    use tutk_dtls::{ClientConfig, Phase, Psk, ServerConfig, Suites};

    use super::*;

    #[test]
    fn a_line_that_is_opened_again_tells_how_the_last_talk_ended() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let cx = &mut Cx::new(Instant::ZERO, &mut rng);
        let mut memory = [0; 512];
        let app = tutk_dtls::Server::new(&ServerConfig::new(Psk::new([7; 32])), &mut memory, cx);
        let av = tutk_av::Responder::new(&tutk_av::ResponderConfig::default(), &mut [], cx);
        let mut line = Line::new(app, av);
        line.open(cx, None);
        assert_eq!(line.take_ended(), None, "the first");
        line.open(cx, None);
        assert_eq!(line.take_ended(), Some(TalkEnd::Peer), "it was still open");
        line.close(TalkEnd::NoReply);
        assert_eq!(line.state(), State::Closing(TalkEnd::NoReply));
        line.open(cx, None);
        assert_eq!(line.take_ended(), Some(TalkEnd::NoReply));
        assert_eq!(line.take_ended(), None, "once");
    }

    #[test]
    fn a_line_that_is_reset_keeps_no_keys_of_its_last_talk() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let cx = &mut Cx::new(Instant::ZERO, &mut rng);
        let psk = Psk::new([7; 32]);
        let (mut memory, mut memory2) = ([0; 512], [0; 512]);
        let config = ClientConfig {
            suites: Suites::CBC,
            ..ClientConfig::new(psk.clone(), wyze_kauth::PSK_IDENTITY)
        };
        let mut camera = tutk_dtls::Client::new(&config, &mut memory, cx);
        let app = tutk_dtls::Server::new(&ServerConfig::new(psk), &mut memory2, cx);
        let av = tutk_av::Responder::new(&tutk_av::ResponderConfig::default(), &mut [], cx);
        let mut line = Line::new(app, av);
        line.open(cx, None);
        let from = core::net::SocketAddr::from(([192, 0, 2, 1], 1));
        while line.state() == State::Securing {
            let mut buf = [0; 1500];
            let mut tx = TxBuf::new(&mut buf);
            assert!(camera.poll_transmit(cx, &mut tx).unwrap());
            let mut sent = tx.payload().to_vec();
            line.receive(cx, &mut Datagram::new(from, &mut sent));
            let mut tx = TxBuf::new(&mut buf);
            if line.association.dtls.poll_transmit(cx, &mut tx).unwrap() {
                let mut sent = tx.payload().to_vec();
                let mut input = Datagram::new(from, &mut sent);
                while !input.is_empty() {
                    camera.handle_datagram(cx, &mut input).unwrap();
                }
            }
        }
        assert_eq!(line.association.dtls.phase(), Phase::Finished);
        line.reset(cx);
        assert_eq!(line.association.dtls.phase(), Phase::Hello);
        assert_eq!(line.association.dtls.suite(), None);
    }
}
