//! The side that is logged in to: the camera on channel 0, the app on the talk channel.
//!
//! ```text
//!            login 2 (or login 1 and 50 ms of silence)
//! Listening ──────────────────────────────────────────► Connected
//!                       0x2100 goes out                     │ login again: 0x2100 again
//!                                                           │ IOCTRL: ACK; statistics request: reply
//!                                                           └ lossless mode: a statistics request every 200 ms;
//!                                                             once echoed, what an ACK lists as missing goes out again
//! ```
//! Cameras answer the second packet of the pair. The grace period answers peers that send only one, or whose second one
//! was lost. Source: `docs/protocol.md` §2.7, §2.10, §2.15.

use core::time::Duration;

use subtle::ConstantTimeEq;
use tutk_core::{Cx, Datagram, Full, Instant, Layer, Secret, TxBuf, earlier};

use crate::error::count;
use crate::link::{LOSSLESS, Link};
use crate::login::write_reply;
use crate::message::{Login, Message};
use crate::packetizer::MAX_FRAME;
use crate::resend::Resend;
use crate::session16::{self, Message16, Trailer};
use crate::wire::FRAGMENT;
use crate::{
    Error, Event, Generation, IO_TYPE, Ioctl, IoctlTicket, LinkStats, Outgoing, Packetizer,
    ParityGroup, Stream, TalkFrame, TalkPacketizer,
};

/// How long the second login packet may take before the first is answered.
const GRACE: Duration = Duration::from_millis(50);
/// Longest password that can be expected.
const PASSWORD_MAX: usize = 64;

/// What to tell those who log in.
#[derive(Clone, Copy, Default)]
pub struct ResponderConfig<'a> {
    /// Offer to play audio.
    pub two_way: bool,
    /// Allow lossless mode to those who ask; takes the feature `lossless`.
    pub resend: bool,
    /// Drop logins with another password. `None`, as behind DTLS, accepts any. At most 64 bytes count.
    pub password: Option<&'a [u8]>,
}

impl core::fmt::Debug for ResponderConfig<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("ResponderConfig")
            .field("two_way", &self.two_way)
            .field("resend", &self.resend)
            .finish_non_exhaustive()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Listening,
    Connected,
}

/// An answer that is owed.
#[derive(Debug, Clone, Copy)]
struct Answer {
    serial: u32,
    enable: bool,
    /// Session16: the end of the login.
    trailer: Trailer,
}

/// The side that is logged in to. See the [crate documentation](crate) for the contract.
///
/// [`Event::LoggedIn`] comes with the first packet of a valid login, up to 50 ms before the answer goes out: send
/// nothing of your own until [`is_logged_in`](Self::is_logged_in) says that it has.
#[derive(Debug)]
pub struct Responder<'m> {
    state: State,
    two_way: bool,
    allow_resend: bool,
    /// The peer asked for lossless mode and gets it.
    resend: bool,
    password: Option<(Secret<[u8; PASSWORD_MAX]>, u8)>,
    answer: Option<Answer>,
    /// When the answer goes out; at once when `None`.
    answer_at: Option<Instant>,
    answered: bool,
    link: Link<'m>,
}

impl<'m> Responder<'m> {
    /// Waits for a login. `ioctl_memory` as in [`Initiator::new`](crate::Initiator::new).
    pub fn new(config: &ResponderConfig<'_>, ioctl_memory: &'m mut [u8], _cx: &mut Cx<'_>) -> Self {
        let password = config.password.map(|password| {
            let mut kept = Secret::new([0; PASSWORD_MAX]);
            for (to, from) in kept.expose_mut().iter_mut().zip(password) {
                *to = *from;
            }
            (kept, password.len().min(PASSWORD_MAX) as u8)
        });
        Self {
            state: State::Listening,
            two_way: config.two_way,
            allow_resend: LOSSLESS && config.resend,
            resend: false,
            password,
            answer: None,
            answer_at: None,
            answered: false,
            link: Link::new(ioctl_memory),
        }
    }

    /// Forgets everything but its configuration, and waits for the next login in the same memory.
    pub fn reset(&mut self) {
        self.state = State::Listening;
        self.answer = None;
        self.answer_at = None;
        self.answered = false;
        self.resend = false;
        self.link.reset();
    }

    /// Says which generation is spoken, at first [`Generation::Dtls`]. Without DTLS there is no lossless mode.
    pub fn set_generation(&mut self, generation: Generation) {
        self.link.set_generation(generation);
    }

    /// Lends memory for copies of the media packets sent last, [`RESEND_SLOT`](crate::RESEND_SLOT) bytes each, so that
    /// lossless mode can send them again: those of half a second or more. Without, it only changes the form of the
    /// packets.
    pub fn lend_resend(&mut self, memory: &'m mut [u8]) {
        self.link.lend_resend(Resend::new(memory));
    }

    /// Lends memory for one FEC group, so that lossless mode sends a parity packet after every 20 media packets.
    /// What parity packets of cameras hold is inferred (`docs/protocol.md` §2.8).
    pub fn lend_parity(&mut self, group: &'m mut ParityGroup) {
        self.link.lend_parity(core::slice::from_mut(group));
    }

    /// Whether lossless mode was asked for and granted, and the login answered.
    pub fn is_lossless(&self) -> bool {
        self.link.is_lossless()
    }

    /// Smoothed round trip, milliseconds; known in lossless mode only.
    pub fn rtt_ms(&self) -> Option<u16> {
        self.link.rtt_ms()
    }

    /// Bytes of the longest frame of `stream` that can be sent: in Session16 one of audio must fit into one packet.
    pub fn max_frame(&self, stream: Stream) -> usize {
        match stream {
            Stream::Audio if self.link.generation().is_oldest() => FRAGMENT,
            // FRAMEINFO may take another packet.
            _ => MAX_FRAME - FRAGMENT,
        }
    }

    /// Writes the next packet of a frame into `tx` like [`Packetizer::next`], in the form that the login settled; of one
    /// longer than [`max_frame`](Self::max_frame) there may be none. In lossless mode it keeps a copy of it, and
    /// [`poll_transmit`](Layer::poll_transmit) sends that again on request.
    ///
    /// # Errors
    /// [`Full`], with nothing written: lend at least 1100 bytes beside the room of the outer layers, and try again.
    pub fn write_media(
        &mut self,
        packetizer: &mut Packetizer,
        out: &mut Outgoing<'_>,
        tx: &mut TxBuf<'_>,
    ) -> Result<bool, Full> {
        self.link.write_media(packetizer, out, tx)
    }

    /// Writes a frame of talk into `tx` like [`TalkPacketizer::write`], in the form of the generation.
    ///
    /// # Errors
    /// [`Full`], with nothing written or counted: `tx` is too small, or the frame is longer than 1024 bytes (Session16:
    /// 984).
    pub fn write_talk(
        &mut self,
        packetizer: &mut TalkPacketizer,
        frame: &TalkFrame<'_>,
        tx: &mut TxBuf<'_>,
    ) -> Result<(), Full> {
        let generation = self.link.generation();
        if generation.is_oldest() {
            return packetizer.write16(frame, tx);
        }
        let start = tx.len();
        packetizer.write(frame, tx)?;
        generation.stamp(start, tx);
        Ok(())
    }

    /// Whether a valid login has come and been answered.
    pub fn is_logged_in(&self) -> bool {
        self.answered
    }

    /// What has been counted.
    pub fn stats(&self) -> LinkStats {
        self.link.stats
    }

    /// The IOCTRL of several packets that [`Event::IoctlAssembled`] announced; valid until the next datagram.
    pub fn assembled(&self) -> Option<Ioctl<'_>> {
        self.link.assembled()
    }

    /// Numbers the next IOCTRL of ours.
    pub fn ioctl_ticket(&mut self) -> IoctlTicket {
        self.link.ioctl_ticket()
    }

    /// Writes one packet of an IOCTRL of [`IO_TYPE`] into `tx`: the ticket says which ([`IoctlTicket::fragment`]).
    ///
    /// # Errors
    /// [`Full`], with nothing written, when `tx` is too small or the message has no such packet.
    pub fn write_ioctl(
        &mut self,
        ticket: IoctlTicket,
        payload: &[u8],
        tx: &mut TxBuf<'_>,
    ) -> Result<(), Full> {
        self.write_ioctl_as(ticket, IO_TYPE, payload, tx)
    }

    /// The same of another IO type, as Xiaomi's cameras have them (`docs/protocol.md` §2.12).
    ///
    /// # Errors
    /// As [`write_ioctl`](Self::write_ioctl).
    pub fn write_ioctl_as(
        &mut self,
        ticket: IoctlTicket,
        io_type: u32,
        payload: &[u8],
        tx: &mut TxBuf<'_>,
    ) -> Result<(), Full> {
        self.link.write_ioctl(ticket, io_type, payload, tx)
    }

    fn knows(&self, login: &Login<'_>) -> bool {
        self.password.as_ref().is_none_or(|(expected, len)| {
            let expected = expected.expose().get(..usize::from(*len));
            expected.is_some_and(|expected| expected.ct_eq(login.password).into())
        })
    }

    fn handle_login(
        &mut self,
        now: Instant,
        login: &Login<'_>,
        trailer: Trailer,
    ) -> Option<Event<'static>> {
        if !self.knows(login) {
            count(&mut self.link.stats.rx_login_refused);
            tutk_core::debug!("AV login with another password dropped");
            return None;
        }
        let allow_resend = self.allow_resend && !self.link.generation().is_plain();
        self.answer = Some(Answer {
            serial: login.serial,
            // Cameras grant it to those who did not ask, too.
            enable: allow_resend || !login.resend,
            trailer,
        });
        self.answer_at = (!login.second).then(|| now + GRACE);
        if self.state == State::Connected {
            return None;
        }
        self.state = State::Connected;
        self.resend = allow_resend && login.resend;
        Some(Event::LoggedIn {
            resend: self.resend,
            two_way: self.two_way,
        })
    }
}

impl Layer for Responder<'_> {
    const HEADROOM: usize = 0;
    const TAILROOM: usize = 0;
    type Event<'p> = Event<'p>;
    type Error = Error;

    fn handle_datagram<'p>(
        &mut self,
        cx: &mut Cx<'_>,
        input: &mut Datagram<'p>,
    ) -> Result<Option<Event<'p>>, Error> {
        if input.is_empty() {
            return Ok(None);
        }
        let bytes: &'p [u8] = input.take_all();
        if self.link.generation().is_oldest() {
            return Ok(match self.link.parse16(bytes) {
                Some(Message16::Login(login, trailer)) => {
                    self.handle_login(cx.now, &login, trailer)
                }
                Some(message) if self.state == State::Connected => self.link.handle16(message),
                Some(_) => {
                    count(&mut self.link.stats.rx_unexpected);
                    None
                }
                None => None,
            });
        }
        Ok(match &self.link.parse(bytes) {
            Ok(Message::Login(login)) => self.handle_login(cx.now, login, [0; 32]),
            Ok(message) if self.state == State::Connected => self.link.handle(cx.now, message),
            Ok(_) => {
                count(&mut self.link.stats.rx_unexpected);
                None
            }
            Err(_) => None,
        })
    }

    fn handle_timeout(&mut self, cx: &mut Cx<'_>) -> Result<(), Error> {
        if self.answer_at.is_some_and(|at| at <= cx.now) {
            self.answer_at = None;
        }
        self.link.handle_timeout(cx.now);
        Ok(())
    }

    fn poll_transmit(&mut self, cx: &mut Cx<'_>, tx: &mut TxBuf<'_>) -> Result<bool, Error> {
        if let (Some(answer), None) = (self.answer, self.answer_at) {
            let generation = self.link.generation();
            if generation.is_oldest() {
                session16::write_login_reply(answer.serial, &answer.trailer, tx)?;
                self.link.negotiate();
            } else {
                let start = tx.len();
                write_reply(answer.serial, answer.enable, self.two_way, tx)?;
                generation.stamp(start, tx);
            }
            self.answer = None;
            self.answered = true;
            count(&mut self.link.stats.tx_login);
            if self.resend && !self.link.is_lossless() {
                self.link.start_lossless(cx.now);
            }
            return Ok(true);
        }
        Ok(self.link.poll_transmit(cx.now, tx)?)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        earlier(self.answer_at, self.link.poll_timeout())
    }
}
