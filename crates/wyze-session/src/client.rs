//! The app's side of a session.
//!
//! ```text
//!   search ─ Found ─ Open ─► DTLS ─ Secured ─► AV login ─ LoggedIn ─► K10000…K10003 ─ Authenticated ─► media, K-commands
//!      └───────────────────────┴──────── end(cause) ────────┴──────────────┴─────────────────┘
//!                                            ▼
//!                  close_notify, 3 × 0x0417 ─► Event::Closed(cause)
//! ```

mod commands;
mod receive;

use core::net::SocketAddr;
use core::time::Duration;

use tutk_av::{AssemblerConfig, Generation, Initiator, RepairConfig, Stream};
use tutk_core::{Cx, Datagram, Instant, TxBuf, earlier};
use tutk_dtls::{ClientConfig as DtlsConfig, Psk};
use wyze_kauth::Authenticator;
use wyze_kauth::command::ControlChannel;

use receive::Inside;

use crate::config::{ClientConfig, PlainPolicy};
use crate::control::{Control, Owner};
use crate::event::{Cause, Event, Phase};
use crate::receiver::Receiver;
use crate::stack::{Plain, Stack, Stage};
use crate::stall::{Due, Stall};
#[cfg(feature = "talk")]
use crate::talk::AppTalk;
use crate::{Stats, Storage, Transmit};

/// How far the K-command challenge has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// The AV login has not been answered yet.
    LoggingIn,
    /// K10000 to K10003 are under way.
    Authenticating,
    /// The camera let us in.
    Granted,
}

/// The app's side of a session with one camera: searches, connects, logs in, receives media, sends K-commands.
///
/// Contract: after any call that takes `&mut self`, drain [`poll_transmit`](Self::poll_transmit) until it has nothing,
/// then wait for whichever comes first: a datagram or [`poll_timeout`](Self::poll_timeout). After each datagram and
/// each timeout drain [`poll_event`](Self::poll_event) too. Extra calls are harmless. [`Event::Closed`] is the last
/// event.
#[derive(Debug)]
pub struct Client<'m> {
    pub(crate) stack: Stack<tutk_iotc::Client, tutk_dtls::Client<'m>, Initiator<'m>>,
    pub(crate) access: Access,
    /// Protocol version of the camera's HL messages; 0 until one came.
    pub(crate) protocol: u8,
    pub(crate) auth: Authenticator,
    pub(crate) control: Control,
    pub(crate) video: Receiver<'m>,
    pub(crate) audio: Receiver<'m>,
    /// `None` without memory for it.
    #[cfg(feature = "talk")]
    pub(crate) talk: Option<AppTalk<'m>>,
    pub(crate) stall: Stall,
    /// There is memory for lossless mode, and it is wanted.
    pub(crate) resend: bool,
    /// How long a complete frame waits for earlier ones without lossless mode.
    reorder: Duration,
    /// Where the camera last let us in, in an earlier session.
    pub(crate) home: Option<SocketAddr>,
    /// The session has opened without a datagram; the owner has not been told.
    pub(crate) opened: bool,
    /// Why the session ends, once it does, and whether the owner has been told.
    pub(crate) ended: Option<Cause>,
    pub(crate) told: bool,
}

impl<'m> Client<'m> {
    /// A session that begins to search at the first [`poll_transmit`](Self::poll_transmit).
    pub fn new(config: &ClientConfig<'_>, storage: Storage<'m>, cx: &mut Cx<'_>) -> Self {
        let (enr, _) = config.credentials();
        let dtls = DtlsConfig {
            suites: config.suites,
            ..DtlsConfig::new(
                Psk::new(*wyze_kauth::psk(enr).expose()),
                wyze_kauth::PSK_IDENTITY,
            )
        };
        let repair = storage
            .repair
            .filter(|_| cfg!(all(feature = "frames", feature = "lossless")))
            .filter(|_| config.resend && !storage.video.is_empty());
        let resend = repair.is_some();
        let assembly = |gate| AssemblerConfig {
            // Until the login tells whether there is lossless mode.
            reorder: config.reorder,
            gate,
        };
        let mut av = Initiator::new(&config.login(resend), storage.control, cx);
        if let Some(memory) = repair {
            av.lend_repair(memory, RepairConfig::DEFAULT);
            av.lend_parity(storage.parity);
        }
        Self {
            stack: Stack::new(
                tutk_iotc::Client::new(&config.iotc(), cx),
                tutk_dtls::Client::new(&dtls, storage.handshake, cx),
                av,
                match config.plain {
                    PlainPolicy::Allowed => Plain::Allowed,
                    PlainPolicy::Refused => Plain::Refused,
                },
            ),
            access: Access::LoggingIn,
            protocol: 0,
            auth: Authenticator::new(&config.auth()),
            control: Control::default(),
            video: Receiver::new(Stream::Video, storage.video, assembly(true)),
            audio: Receiver::new(Stream::Audio, storage.audio, assembly(false)),
            #[cfg(feature = "talk")]
            talk: AppTalk::new(dtls.psk, storage.talk_handshake, cx),
            stall: Stall::new(config),
            resend,
            reorder: config.reorder,
            home: None,
            opened: false,
            ended: None,
            told: false,
        }
    }

    /// Reads a datagram up to the next event. Call again with the same `input` until it answers `None`.
    pub fn handle_datagram<'e, 'p: 'e>(
        &'e mut self,
        cx: &mut Cx<'_>,
        input: &mut Datagram<'p>,
    ) -> Option<Event<'e>> {
        if self.told {
            input.take_all();
            return None;
        }
        if let Some((stream, output)) = self.poll_media(cx.now) {
            return self.receiver(stream).event(output);
        }
        while !input.is_empty() {
            #[cfg(feature = "talk")]
            if input.channel() == Some(tutk_iotc::TALK_CHANNEL) {
                self.receive_talk(cx, input);
                continue;
            }
            let unit = match self.stack.receive(cx, input) {
                Ok(Some(unit)) => unit,
                Ok(None) => continue,
                Err(cause) => {
                    self.end(cause);
                    continue;
                }
            };
            let mut inside = None;
            let event = self.read_unit(cx, input.from(), unit, &mut inside);
            if event.is_some() {
                return event;
            }
            match inside {
                Some(Inside::Assembled) => {
                    if let Some((owner, granted)) = self.read_assembled(cx) {
                        return self.assembled_event(owner, granted);
                    }
                }
                Some(Inside::Frames(stream)) => {
                    if let Some(output) = self.receiver_mut(stream).poll(cx.now) {
                        return self.receiver(stream).event(output);
                    }
                }
                None => {}
            }
        }
        None
    }

    /// Events born of time, not of a datagram: frames that waited for others, requests without a reply, the end.
    /// Call after [`handle_timeout`](Self::handle_timeout) and after each datagram until it answers `None`.
    pub fn poll_event(&mut self, cx: &mut Cx<'_>) -> Option<Event<'_>> {
        if self.told {
            return None;
        }
        if let Some((stream, output)) = self.poll_media(cx.now) {
            return self.receiver(stream).event(output);
        }
        if core::mem::take(&mut self.opened) {
            return Some(Event::Phase(Phase::Open));
        }
        while let Some((owner, code)) = self.control.expired(cx.now) {
            match owner {
                Owner::Auth => self.end(Cause::AuthTimeout),
                Owner::Own => {}
                Owner::User(id) => return Some(Event::NoReply { id, code }),
                #[cfg(feature = "talk")]
                Owner::Talk { on } => {
                    if let Some(talk) = &mut self.talk {
                        talk.unanswered(on);
                    }
                }
            }
        }
        #[cfg(feature = "talk")]
        if self.ended.is_none()
            && let Some(event) = self.talk.as_mut().and_then(AppTalk::poll_event)
        {
            return Some(event);
        }
        if let Some((stream, silence)) = self.stall.take_untold() {
            return Some(Event::Stalled { stream, silence });
        }
        let cause = self.ended?;
        if self.stack.stage == Stage::Closed {
            self.told = true;
            return Some(Event::Closed(cause));
        }
        None
    }

    /// Does what is due at `cx.now`.
    pub fn handle_timeout(&mut self, cx: &mut Cx<'_>) {
        match self.stack.handle_timeout(cx) {
            Ok(opened) => self.opened |= opened,
            Err(cause) => self.end(cause),
        }
        #[cfg(feature = "talk")]
        if let Some(talk) = &mut self.talk {
            talk.handle_timeout(cx);
        }
        self.check_stall(cx.now);
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
        let next = earlier(self.stack.poll_timeout(), self.control.poll_timeout());
        let next = earlier(next, self.video.poll_timeout());
        let next = earlier(next, self.audio.poll_timeout());
        let next = earlier(next, self.stall.poll_timeout());
        #[cfg(feature = "talk")]
        let next = earlier(next, self.talk.as_ref().and_then(AppTalk::poll_timeout));
        next
    }

    /// Ends the session: close_notify and IOTC close go out by [`poll_transmit`](Self::poll_transmit), so that the
    /// camera frees the viewer slot at once; then comes [`Event::Closed`].
    pub fn close(&mut self) {
        self.end(Cause::Local);
    }

    /// The camera's address, once it has answered.
    pub fn peer(&self) -> Option<core::net::SocketAddr> {
        self.stack.iotc.peer()
    }

    /// Whether the camera has let us in.
    pub fn is_authenticated(&self) -> bool {
        self.access == Access::Granted
    }

    /// Why the session is over, once [`Event::Closed`] has told it; `None` before, and again after
    /// [`restart`](Self::restart).
    pub fn closed(&self) -> Option<Cause> {
        self.ended.filter(|_| self.told)
    }

    /// The camera's protocol version, which says what commands it knows
    /// ([`supported`](wyze_kauth::support::supported)); 0 until it has sent a K-command.
    pub fn protocol(&self) -> u8 {
        self.protocol
    }

    /// How long this session has been of use, or was: from when the camera let us in to the last packet of video (or of
    /// audio, where no video is wanted), or to `now` where neither is. Zero until the camera lets us in.
    pub fn healthy(&self, now: Instant) -> Duration {
        self.stall.healthy(now)
    }

    /// Whether the camera sends again what is lost.
    pub fn is_lossless(&self) -> bool {
        self.stack.main.av.is_lossless()
    }

    /// Whether the session runs without encryption, and in which generation; known with the phase that tells.
    pub fn plain(&self) -> Option<Generation> {
        self.stack.plain()
    }

    /// Keeps the master secret of each handshake from now on until
    /// [`take_key_log_entry`](Self::take_key_log_entry) fetches it.
    #[cfg(feature = "keylog")]
    pub fn log_keys(&mut self) {
        self.stack.main.dtls.log_keys();
        #[cfg(feature = "talk")]
        if let Some(talk) = &mut self.talk {
            talk.log_keys();
        }
    }

    /// The master secret of a handshake that was just made, of the session or of a talk, once, if
    /// [`log_keys`](Self::log_keys) was called before. Ask before sending what `poll_transmit` gives, and every record can
    /// be opened from the first on.
    #[cfg(feature = "keylog")]
    pub fn take_key_log_entry(&mut self) -> Option<tutk_dtls::KeyLogEntry> {
        let main = self.stack.main.dtls.take_key_log_entry();
        #[cfg(feature = "talk")]
        let main = main.or_else(|| self.talk.as_mut()?.take_key_log_entry());
        main
    }

    /// Counters of every layer.
    pub fn stats(&self) -> Stats<'_> {
        Stats {
            iotc: self.stack.iotc.stats(),
            dtls: self.stack.main.dtls.stats(),
            av: self.stack.main.av.stats(),
            kauth: self.auth.stats(),
        }
    }

    /// Counters of the frames of a stream; `None` in chunk mode.
    #[cfg(feature = "frames")]
    pub fn frame_stats(&self, stream: Stream) -> Option<crate::AssemblerStats> {
        self.receiver(stream).stats()
    }

    fn receiver(&self, stream: Stream) -> &Receiver<'m> {
        match stream {
            Stream::Video => &self.video,
            Stream::Audio => &self.audio,
        }
    }

    fn receiver_mut(&mut self, stream: Stream) -> &mut Receiver<'m> {
        match stream {
            Stream::Video => &mut self.video,
            Stream::Audio => &mut self.audio,
        }
    }

    fn poll_media(&mut self, now: Instant) -> Option<(Stream, tutk_av::Output)> {
        if let Some(output) = self.video.poll(now) {
            return Some((Stream::Video, output));
        }
        self.audio.poll(now).map(|output| (Stream::Audio, output))
    }

    /// Asks for media that are wanted and have not come, or gives them up.
    fn check_stall(&mut self, now: Instant) {
        if self.ended.is_some() {
            return;
        }
        match self.stall.handle_timeout(now, self.stack.iotc.heard()) {
            Due::Nothing => {}
            Due::Ask(media) => {
                let request = ControlChannel { media, on: true };
                let queued = self.control.push(now, Some(Owner::Own), true, &mut |w| {
                    Some(wyze_kauth::write_request(&request, w))
                });
                // Without room for it now there will be some later.
                if queued.is_ok() {
                    self.stall.asked(now);
                    self.push_quality(now);
                }
            }
            Due::End => self.end(Cause::Stalled),
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
        // Its goodbye comes before K10010 "off", and before the goodbye of the session.
        #[cfg(feature = "talk")]
        if let Some(talk) = &mut self.talk
            && talk.transmit(cx, &mut self.stack.iotc, tx)
        {
            return Ok(true);
        }
        if self.stack.transmit(cx, tx)? {
            return Ok(true);
        }
        if self.stack.stage != Stage::Secured {
            return Ok(false);
        }
        let av = &mut self.stack.main.av;
        let Some((ticket, message)) = self.control.due(cx.now, || av.ioctl_ticket()) else {
            return Ok(false);
        };
        self.stack
            .main
            .av
            .write_ioctl(ticket, message, tx)
            .map_err(|_| Cause::BufferTooSmall)?;
        self.stack.seal(cx, tx)
    }

    /// Begins to close; the first cause stands.
    fn end(&mut self, cause: Cause) {
        if self.ended.is_none() {
            tutk_core::debug!("session ends: {:?}", cause);
            self.ended = Some(cause);
            #[cfg(feature = "talk")]
            if let Some(talk) = &mut self.talk {
                talk.close();
            }
            self.stack.close();
        }
    }
}
