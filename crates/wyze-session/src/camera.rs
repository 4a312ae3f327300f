//! The camera's side of a session: what a virtual camera, or a microcontroller that wants to be one, is made of.
//!
//! ```text
//!   search answered ─ Opened ─► DTLS server ─ Secured ─► 0x2100 ─ LoggedIn ─► K10001, K10003 ─ Authenticated ─► frames out
//!          └───────────────────────┴──────── end(cause) ────────┴──────────────────┘
//!                                                ▼
//!                       close_notify, 3 × 0x0418 ─► CameraEvent::Closed(cause) ─► reset() for the next viewer
//! ```
//!
//! One `Camera` serves one viewer. A server holds several and routes datagrams by source address; what comes from an
//! unknown source goes to the one that claims it, a viewer's that has moved, else to the first idle one (`wyze-std` does
//! that).

mod api;
mod reply;

use core::net::SocketAddr;
use core::time::Duration;

pub use api::{CameraConfig, CameraEvent, MediaError};

use tutk_av::{Generation, OutFrame, Outgoing, Packetizer, Responder, ResponderConfig, Stream};
use tutk_core::wire::Writer;
use tutk_core::{Cx, Datagram, Instant, TxBuf};
use tutk_dtls::{Psk, ServerConfig as DtlsConfig};
use tutk_iotc::{AuthKey, DeviceConfig, Framing, Framings, wire};
use wyze_kauth::command::{ControlChannel, Media, Request};
use wyze_kauth::settings::CameraState;
use wyze_kauth::{Challenger, ChallengerConfig, ChallengerEvent, Code, Message, hl};

use reply::Replies;

use crate::association::av_cause;
use crate::event::Cause;
use crate::stack::{Plain, Stack, Stage, Unit};
#[cfg(feature = "talk")]
use crate::talk::CameraTalk;
use crate::{Stats, Storage, Transmit};

/// The protocol version of a Session16 camera that was seen.
const VERSION_SESSION16: u8 = 0x12;
/// What viewers of a camera without DTLS log in with.
const PLAIN_PASSWORD: &[u8] = b"888888";
/// A viewer that has not answered the challenge after this long frees its place: a search costs a neighbour nothing.
const ADMISSION_LIMIT: Duration = Duration::from_secs(20);

/// The camera's side of a session with one viewer.
///
/// Contract: after any call that takes `&mut self`, drain [`poll_transmit`](Self::poll_transmit) until it has nothing,
/// then wait for whichever comes first: a datagram or [`poll_timeout`](Self::poll_timeout). After each datagram and
/// each timeout drain [`poll_event`](Self::poll_event) too. Extra calls are harmless. [`CameraEvent::Closed`] is the
/// last event.
#[derive(Debug)]
pub struct Camera<'m> {
    pub(crate) stack: Stack<tutk_iotc::Device, tutk_dtls::Server<'m>, Responder<'m>>,
    /// `None` without memory for it.
    #[cfg(feature = "talk")]
    pub(crate) talk: Option<CameraTalk<'m>>,
    challenger: Challenger,
    replies: Replies,
    packetizer: Packetizer,
    /// Protocol version that HL messages carry.
    protocol: u8,
    authenticated: bool,
    /// When a viewer that has opened a session must have answered the challenge.
    deadline: Option<Instant>,
    video: bool,
    audio: bool,
    ended: Option<Cause>,
    told: bool,
}

impl<'m> Camera<'m> {
    /// A camera that waits for a viewer.
    pub fn new(config: &CameraConfig<'_>, storage: Storage<'m>, cx: &mut Cx<'_>) -> Self {
        let generation = config.generation;
        let (enr, mac) = config.credentials();
        let device = DeviceConfig {
            framings: if generation.is_plain() {
                Framings::TRANSCODE
            } else {
                config.framings
            },
            version: match generation {
                Generation::Dtls => wire::VERSION,
                Generation::Session25 => wire::VERSION_SESSION25,
                Generation::Session16 => VERSION_SESSION16,
            },
            accept: config.accept,
            ..DeviceConfig::new(config.uid, AuthKey::new(wyze_kauth::auth_key(enr, mac)))
        };
        let dtls = DtlsConfig {
            suites: config.suites,
            cookie: config.cookie,
            ..DtlsConfig::new(Psk::new(*wyze_kauth::psk(enr).expose()))
        };
        let responder = ResponderConfig {
            two_way: config.two_way,
            resend: config.resend,
            password: generation.is_plain().then_some(PLAIN_PASSWORD),
        };
        let mut av = Responder::new(&responder, storage.control, cx);
        av.lend_resend(storage.resend);
        if let Some(group) = storage.parity.first_mut() {
            av.lend_parity(group);
        }
        let challenger = ChallengerConfig {
            enr: config.enr,
            parent_enr: config.parent.map(|(enr, _)| enr),
            status: config.status,
            info: config.info,
        };
        Self {
            stack: Stack::new(
                tutk_iotc::Device::new(&device, cx),
                tutk_dtls::Server::new(&dtls, storage.handshake, cx),
                av,
                Plain::Spoken(generation),
            ),
            #[cfg(feature = "talk")]
            talk: CameraTalk::new(
                dtls.psk,
                config.suites,
                enr,
                storage.talk_handshake,
                storage.audio,
                cx,
            ),
            challenger: Challenger::new(&challenger),
            replies: Replies::default(),
            packetizer: Packetizer::new(),
            protocol: config.info.protocol,
            authenticated: false,
            deadline: None,
            video: false,
            audio: false,
            ended: None,
            told: false,
        }
    }

    /// Forgets the viewer and waits for the next one, in the same memory.
    pub fn reset(&mut self, cx: &mut Cx<'_>) {
        self.stack.stage = Stage::Searching;
        self.stack.iotc.reset(cx);
        self.stack.main.dtls.reset(cx);
        self.stack.main.av.reset();
        #[cfg(feature = "talk")]
        if let Some(talk) = &mut self.talk {
            talk.reset(cx);
        }
        self.challenger.reset();
        self.replies.clear();
        self.packetizer = Packetizer::new();
        self.authenticated = false;
        self.deadline = None;
        self.video = false;
        self.audio = false;
        self.ended = None;
        self.told = false;
    }

    /// Reads a datagram up to the next event. Call again with the same `input` until it answers `None`.
    pub fn handle_datagram<'p>(
        &mut self,
        cx: &mut Cx<'_>,
        input: &mut Datagram<'p>,
    ) -> Option<CameraEvent<'p>> {
        while !input.is_empty() {
            #[cfg(feature = "talk")]
            if input.channel() == Some(tutk_iotc::TALK_CHANNEL) {
                if let Some(event) = self.receive_talk(cx, input) {
                    return Some(event);
                }
                continue;
            }
            match self.stack.receive(cx, input) {
                Ok(Some(unit)) => {
                    let event = self.read_unit(cx, input.from(), unit);
                    if event.is_some() {
                        return event;
                    }
                }
                Ok(None) => {}
                Err(cause) => self.end(cause),
            }
        }
        None
    }

    /// Events that do not lie in the datagram: audio of the viewer's, put in order, and the end. Call after
    /// [`handle_timeout`](Self::handle_timeout) and after each datagram until it answers `None`.
    #[cfg_attr(not(feature = "talk"), expect(unused_variables))]
    pub fn poll_event(&mut self, cx: &mut Cx<'_>) -> Option<CameraEvent<'_>> {
        if self.told {
            return None;
        }
        #[cfg(feature = "talk")]
        if let Some(frame) = self.talk.as_mut().and_then(|t| t.poll_frame(cx.now)) {
            return self.talk.as_ref().map(|t| t.frame_event(frame));
        }
        #[cfg(feature = "talk")]
        if self.ended.is_none()
            && let Some(event) = self.talk.as_mut().and_then(CameraTalk::poll_end)
        {
            return Some(event);
        }
        let cause = self.ended?;
        if self.stack.stage == Stage::Closed {
            self.told = true;
            return Some(CameraEvent::Closed(cause));
        }
        None
    }

    /// Does what is due at `cx.now`.
    pub fn handle_timeout(&mut self, cx: &mut Cx<'_>) {
        if let Err(cause) = self.stack.handle_timeout(cx) {
            self.end(cause);
        }
        if self.deadline.is_some_and(|at| at <= cx.now) {
            self.end(Cause::AuthTimeout);
        }
        #[cfg(feature = "talk")]
        if let Some(talk) = &mut self.talk {
            talk.handle_timeout(cx);
        }
    }

    /// The next datagram to send, written into `buf` (1500 bytes are enough); `None` when there is none.
    /// Call until `None` after every other call.
    pub fn poll_transmit<'b>(
        &mut self,
        cx: &mut Cx<'_>,
        buf: &'b mut [u8],
    ) -> Option<Transmit<'b>> {
        let mut tx = TxBuf::new(buf);
        // What an end has to say does not wait for the next call.
        if self.fill_or_end(cx, &mut tx) || self.ended.is_some() && self.fill_or_end(cx, &mut tx) {
            return Transmit::from_buf(tx);
        }
        None
    }

    /// When [`handle_timeout`](Self::handle_timeout) is next worth calling; the past while the end has not been told,
    /// `None` after it.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.ended.is_some() {
            return (!self.told).then_some(Instant::ZERO);
        }
        [
            self.stack.poll_timeout(),
            self.deadline,
            #[cfg(feature = "talk")]
            self.talk.as_ref().and_then(CameraTalk::poll_timeout),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Whether the viewer has answered the challenge.
    pub fn is_authenticated(&self) -> bool {
        self.authenticated
    }

    /// Begins to send a frame. Drain [`poll_frame`](Self::poll_frame) with what this answers.
    ///
    /// # Errors
    /// The viewer does not want this stream (yet, or any more), or the frame is too long for it; nothing is counted as sent.
    pub fn start_frame<'f>(&mut self, frame: &OutFrame<'f>) -> Result<Outgoing<'f>, MediaError> {
        if !self.wants(frame.stream) {
            return Err(MediaError::NotWanted);
        }
        let max = self.stack.main.av.max_frame(frame.stream);
        if frame.data.len() > max {
            return Err(MediaError::TooLong { max });
        }
        Ok(self.packetizer.start(frame))
    }

    /// The next datagram of a frame, written into `buf` (1500 bytes are enough); `None` when the frame is finished or
    /// the session over.
    pub fn poll_frame<'b>(
        &mut self,
        cx: &mut Cx<'_>,
        frame: &mut Outgoing<'_>,
        buf: &'b mut [u8],
    ) -> Option<Transmit<'b>> {
        if self.stack.stage != Stage::Secured {
            return None;
        }
        let mut tx = TxBuf::new(buf);
        match self.fill_frame(cx, frame, &mut tx) {
            Ok(true) => Transmit::from_buf(tx),
            Ok(false) => None,
            Err(cause) => {
                self.end(cause);
                None
            }
        }
    }

    /// Answers a [`CameraEvent::Command`] from `state`, which one camera keeps for all its viewers. `false` when `state`
    /// has no answer.
    pub fn answer(&mut self, state: &mut CameraState, code: Code, payload: &[u8]) -> bool {
        let version = self.protocol;
        let request = Message {
            version: hl::CLIENT_VERSION,
            code,
            payload,
        };
        self.send_reply(&mut |w| state.handle(&request, w, version))
    }

    /// Answers a [`CameraEvent::Command`] with a body of the caller's. `code` is the command's
    /// [`reply`](Code::reply). `false`, and nothing sent, when the body is longer than 984 bytes.
    pub fn reply(&mut self, code: Code, payload: &[u8]) -> bool {
        let version = self.protocol;
        self.send_reply(&mut |w| {
            hl::write(w, version, code, |w| w.bytes(payload));
            Some(code)
        })
    }

    /// Sends the HL message that `write` produces, and again whenever the viewer repeats its request.
    fn send_reply(&mut self, write: &mut dyn FnMut(&mut Writer<'_>) -> Option<Code>) -> bool {
        self.replies.keep(&mut self.stack.main.av, write)
    }

    /// Whether the viewer wants this stream.
    pub fn wants(&self, stream: Stream) -> bool {
        self.authenticated
            && self.ended.is_none()
            && match stream {
                Stream::Video => self.video,
                Stream::Audio => self.audio,
            }
    }

    /// The viewer's address, once one has opened a session.
    pub fn peer(&self) -> Option<SocketAddr> {
        self.stack.iotc.peer()
    }

    /// Whether a datagram bears the session id of this viewer. From an address that no viewer is at, it is one of a viewer
    /// that has moved: hand it to the camera that says so, and authentication decides.
    pub fn claims(&self, datagram: &[u8]) -> bool {
        self.stack.iotc.claims(datagram)
    }

    /// The framing the viewer chose, once one has opened a session.
    pub fn framing(&self) -> Option<Framing> {
        self.stack.iotc.framing()
    }

    /// Whether it waits for a viewer.
    pub fn is_idle(&self) -> bool {
        self.ended.is_none() && !self.stack.iotc.is_bound()
    }

    /// Ends the session; close_notify and IOTC close go out by [`poll_transmit`](Self::poll_transmit).
    pub fn close(&mut self) {
        self.end(Cause::Local);
    }

    /// Counters of every layer.
    pub fn stats(&self) -> Stats<'_> {
        Stats {
            iotc: self.stack.iotc.stats(),
            dtls: self.stack.main.dtls.stats(),
            av: self.stack.main.av.stats(),
            kauth: self.challenger.stats(),
        }
    }

    fn read_unit<'p>(
        &mut self,
        cx: &mut Cx<'_>,
        from: SocketAddr,
        unit: Unit<'p>,
    ) -> Option<CameraEvent<'p>> {
        match unit {
            #[cfg(feature = "client")]
            Unit::Found { .. } => None,
            Unit::Plain => None,
            Unit::Open => {
                self.deadline = Some(cx.now + ADMISSION_LIMIT);
                Some(CameraEvent::Opened { from })
            }
            Unit::Secured(suite) => Some(CameraEvent::Secured { suite }),
            Unit::Message(message) => match self.stack.main.read(cx, from, message) {
                Ok(Some(event)) => self.read_av(cx, event),
                Ok(None) => None,
                Err(e) => {
                    self.end(av_cause(e));
                    None
                }
            },
        }
    }

    fn read_av<'p>(
        &mut self,
        cx: &mut Cx<'_>,
        event: tutk_av::Event<'p>,
    ) -> Option<CameraEvent<'p>> {
        match event {
            tutk_av::Event::LoggedIn { .. } => Some(CameraEvent::LoggedIn),
            tutk_av::Event::Ioctl(ioctl) => {
                let message = Message::parse(ioctl.payload).ok()?;
                if ioctl.repeat && self.replies.repeat(message.code) {
                    return None;
                }
                self.read_command(cx, &message, ioctl.repeat)
            }
            // Nothing a viewer asks is longer than one packet, and nobody sends a camera media on this channel.
            _ => None,
        }
    }

    #[cfg_attr(not(feature = "talk"), expect(unused_variables))]
    fn read_command<'p>(
        &mut self,
        cx: &mut Cx<'_>,
        message: &Message<'p>,
        repeat: bool,
    ) -> Option<CameraEvent<'p>> {
        if message.code.is_auth() {
            return self.read_auth(cx, message);
        }
        if !self.authenticated {
            return None;
        }
        match message.code {
            ControlChannel::CODE => {
                let ControlChannel { media, on } = message.request().ok()?;
                self.reply(message.code.reply(), &[1]);
                match media {
                    Media::Video => self.video = on,
                    Media::Audio => self.audio = on,
                    #[cfg(feature = "talk")]
                    Media::ReturnAudio => {
                        // A repetition was obeyed when it first came; the talk may have ended since.
                        let plain = self.stack.plain();
                        if let Some(talk) = self.talk.as_mut().filter(|_| !repeat) {
                            talk.switch(cx, on, plain);
                        }
                        return None;
                    }
                    _ => return None,
                }
                Some(CameraEvent::Wanted {
                    video: self.video,
                    audio: self.audio,
                })
            }
            code => Some(CameraEvent::Command {
                code,
                payload: message.payload,
            }),
        }
    }

    fn read_auth<'p>(&mut self, cx: &mut Cx<'_>, message: &Message<'p>) -> Option<CameraEvent<'p>> {
        let event = self.challenger.handle_message(cx.rng, message)?;
        let challenger = &mut self.challenger;
        self.replies
            .keep(&mut self.stack.main.av, &mut |w| challenger.write_reply(w));
        match event {
            ChallengerEvent::Authenticated { video, audio } => {
                self.authenticated = true;
                self.deadline = None;
                self.video = video;
                self.audio = audio;
                Some(CameraEvent::Authenticated)
            }
            _ => None,
        }
    }

    #[inline(never)] // it is called twice
    fn fill_or_end(&mut self, cx: &mut Cx<'_>, tx: &mut TxBuf<'_>) -> bool {
        match self.fill(cx, tx) {
            Ok(filled) => filled,
            Err(cause) => {
                self.end(cause);
                false
            }
        }
    }

    fn fill(&mut self, cx: &mut Cx<'_>, tx: &mut TxBuf<'_>) -> Result<bool, Cause> {
        if self.stack.stage == Stage::Closing && self.transmit_talk(cx, tx) {
            return Ok(true);
        }
        if self.stack.transmit(cx, tx)? {
            return Ok(true);
        }
        if self.stack.stage != Stage::Secured {
            return Ok(false);
        }
        let Some(reply) = self.replies.due() else {
            return Ok(self.transmit_talk(cx, tx));
        };
        reply.due = false;
        self.stack
            .main
            .av
            .write_ioctl(reply.ticket, &reply.message, tx)
            .map_err(|_| Cause::BufferTooSmall)?;
        self.stack.seal(cx, tx)
    }

    /// Its goodbye comes before that of the session, its hello behind K10011.
    #[cfg(feature = "talk")]
    fn transmit_talk(&mut self, cx: &mut Cx<'_>, tx: &mut TxBuf<'_>) -> bool {
        let talk = self.talk.as_mut();
        talk.is_some_and(|talk| talk.transmit(cx, &mut self.stack.iotc, tx))
    }

    #[cfg(not(feature = "talk"))]
    fn transmit_talk(&mut self, _: &mut Cx<'_>, _: &mut TxBuf<'_>) -> bool {
        false
    }

    fn fill_frame(
        &mut self,
        cx: &mut Cx<'_>,
        frame: &mut Outgoing<'_>,
        tx: &mut TxBuf<'_>,
    ) -> Result<bool, Cause> {
        self.stack.reserve(tx)?;
        if !self
            .stack
            .main
            .av
            .write_media(&mut self.packetizer, frame, tx)
            .map_err(|_| Cause::BufferTooSmall)?
        {
            return Ok(false);
        }
        self.stack.seal(cx, tx)
    }

    fn end(&mut self, cause: Cause) {
        if self.ended.is_none() {
            tutk_core::debug!("camera session ends: {:?}", cause);
            self.ended = Some(cause);
            #[cfg(feature = "talk")]
            if let Some(talk) = &mut self.talk {
                talk.close();
            }
            self.stack.close();
        }
    }
}
