//! The side that logs in: the app on channel 0, the camera on the talk channel.
//!
//! ```text
//!             poll_transmit            10 ms                 0x2100
//! LoginFirst ──── login 1 ──► Pause ─────────► LoginSecond ─ login 2 ─► Waiting ──────► Connected
//!     ▲                                                                   │  1 s after login 1
//!     └───────────────────────────────────────────────────────────────────┘
//! 5 s after the very first login 1 without 0x2100: Err(LoginTimeout). The answer is taken in any state.
//! Without DTLS another account logs in, and the answer must bear one of the two serials; Session16 answers with 0x1400 too.
//! Connected: an ACK at once, after every IOCTRL and every 100 ms or so; each statistics request is answered.
//!            Lossless mode: also an ACK that lists what is missing, and a statistics request every 200 ms.
//! ```
//! Source: `docs/protocol.md` §2.6, §2.7, §2.14.

use core::time::Duration;

use tutk_core::{Cx, Datagram, Full, Instant, Layer, Secret, Timers, TxBuf, earlier};

use crate::error::count;
use crate::link::{LOSSLESS, Link};
#[cfg(feature = "plain")]
use crate::login::ACCOUNT_MAX;
use crate::login::{Half, write_login};
use crate::message::{LoginReply, Message};
use crate::repair::Repair;
use crate::session16::{self, Message16};
use crate::{
    Error, Event, Generation, IO_TYPE, Ioctl, IoctlTicket, LinkStats, ParityGroup, RepairConfig,
    RepairMemory,
};

const PAIR_GAP: Duration = Duration::from_millis(10);
const PAIR_REPEAT: Duration = Duration::from_secs(1);
const LOGIN_LIMIT: Duration = Duration::from_secs(5);

/// Longest account name kept.
const USER_MAX: usize = 16;
/// Longest password kept.
const PASSWORD_MAX: usize = 64;

/// Who logs in, and how. What stands here is sent inside of DTLS only ([`Generation::Dtls`]); without, a
/// [`PlainAccount`] logs in, whatever stands here.
#[derive(Clone, Copy)]
pub struct LoginConfig<'a> {
    /// Account name, `admin` everywhere; at most 16 bytes are used.
    pub user: &'a [u8],
    /// The ENR; at most 64 bytes are used.
    pub password: &'a [u8],
    /// Ask for lossless mode; takes the feature `lossless`.
    pub resend: bool,
}

impl core::fmt::Debug for LoginConfig<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("LoginConfig")
            .field("resend", &self.resend)
            .finish_non_exhaustive()
    }
}

/// Who logs in without DTLS, where all can read it: never the ENR of a camera.
#[cfg(feature = "plain")]
#[derive(Clone, Copy)]
pub struct PlainAccount<'a> {
    user: &'a [u8],
    password: &'a [u8],
}

#[cfg(feature = "plain")]
impl<'a> PlainAccount<'a> {
    /// What each of the two fields holds, bytes.
    pub const MAX: usize = ACCOUNT_MAX;
    /// That of every Wyze camera: `admin`, `888888`.
    pub const WYZE: PlainAccount<'static> = PlainAccount {
        user: b"admin",
        password: b"888888",
    };

    /// Another one, as Xiaomi's cameras want it (`docs/protocol.md` §2.12); `None` when `user` or `password` is longer
    /// than [`MAX`](Self::MAX).
    pub const fn new(user: &'a [u8], password: &'a [u8]) -> Option<Self> {
        if user.len() > Self::MAX || password.len() > Self::MAX {
            return None;
        }
        Some(Self { user, password })
    }
}

#[cfg(feature = "plain")]
impl core::fmt::Debug for PlainAccount<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("PlainAccount").finish_non_exhaustive()
    }
}

#[derive(Debug)]
enum State {
    LoginFirst,
    Pause,
    LoginSecond,
    Waiting,
    Connected,
}

enum Timer {
    Gap,
    Repeat,
    Limit,
}

/// What the login needs; wiped as soon as it is answered.
#[derive(Debug)]
struct Credentials {
    user: heapless::Vec<u8, USER_MAX>,
    password: Secret<[u8; PASSWORD_MAX]>,
    password_len: u8,
}

impl Credentials {
    fn new(config: &LoginConfig<'_>) -> Self {
        let mut credentials = Self {
            user: heapless::Vec::from_slice(config.user.get(..USER_MAX).unwrap_or(config.user))
                .unwrap_or_default(),
            password: Secret::new([0; PASSWORD_MAX]),
            password_len: config.password.len().min(PASSWORD_MAX) as u8,
        };
        let slot = credentials.password.expose_mut().iter_mut();
        for (to, from) in slot.zip(config.password) {
            *to = *from;
        }
        credentials
    }

    fn password(&self) -> &[u8] {
        let password = self.password.expose().as_slice();
        password.get(..self.password_len.into()).unwrap_or_default()
    }
}

/// The side that logs in. See the [crate documentation](crate) for the contract.
#[derive(Debug)]
pub struct Initiator<'m> {
    state: State,
    serial: u32,
    resend: bool,
    credentials: Option<Credentials>,
    #[cfg(feature = "plain")]
    plain: PlainAccount<'m>,
    timers: Timers<3>,
    link: Link<'m>,
}

impl<'m> Initiator<'m> {
    /// Begins to log in with the next [`poll_transmit`](Layer::poll_transmit), which may be long after: the five seconds
    /// for an answer run from there.
    ///
    /// `ioctl_memory` is where IOCTRLs of more than one packet are put together: 1024 bytes a packet; none is known to
    /// need more than two, and empty memory just drops them.
    pub fn new(config: &LoginConfig<'_>, ioctl_memory: &'m mut [u8], cx: &mut Cx<'_>) -> Self {
        Self {
            state: State::LoginFirst,
            serial: cx.rng.next_u32(),
            resend: LOSSLESS && config.resend,
            credentials: Some(Credentials::new(config)),
            #[cfg(feature = "plain")]
            plain: PlainAccount::WYZE,
            timers: Timers::new(),
            link: Link::new(ioctl_memory),
        }
    }

    /// Begins to log in anew, in another generation. One that was logged in has nothing left to log in with.
    pub fn set_generation(&mut self, generation: Generation) {
        self.link.set_generation(generation);
        self.state = State::LoginFirst;
        self.timers.stop_all();
    }

    /// Says who logs in without DTLS, at first [`PlainAccount::WYZE`]; it stays so over [`restart`](Self::restart).
    #[cfg(feature = "plain")]
    pub fn set_plain_account(&mut self, account: PlainAccount<'m>) {
        self.plain = account;
    }

    /// The generation spoken; at first [`Generation::Dtls`].
    pub fn generation(&self) -> Generation {
        self.link.generation()
    }

    /// Whether `message` answers a login of ours that went out without DTLS: it bears the serial.
    pub fn is_answer(&self, message: &[u8]) -> bool {
        let reply = if self.link.generation().is_oldest() {
            match session16::parse(message) {
                Ok(Message16::LoginReply(reply)) => reply,
                _ => return false,
            }
        } else {
            match Message::parse(message) {
                Ok(Message::LoginReply(reply)) => reply,
                _ => return false,
            }
        };
        self.has_asked() && self.is_serial(reply.serial)
    }

    fn has_asked(&self) -> bool {
        self.timers.get(Timer::Limit as usize).is_some()
    }

    fn is_serial(&self, serial: u32) -> bool {
        serial.wrapping_sub(self.serial) <= 1
    }

    /// Forgets the peer, and begins to log in anew in the memory that was lent.
    pub fn restart(&mut self, config: &LoginConfig<'_>, cx: &mut Cx<'_>) {
        self.state = State::LoginFirst;
        self.serial = cx.rng.next_u32();
        self.resend = LOSSLESS && config.resend;
        self.credentials = Some(Credentials::new(config));
        self.timers.stop_all();
        self.link.reset();
        self.link.set_generation(Generation::Dtls);
    }

    /// Lends memory for the list of missing packets, so that lossless mode, once granted, asks for them. Without, it
    /// only changes the form of the packets.
    pub fn lend_repair(&mut self, memory: &'m mut RepairMemory, config: RepairConfig) {
        self.link.lend_repair(Repair::new(memory, config));
    }

    /// Lends memory for FEC groups, two or more, so that lossless mode computes a packet from parity when exactly one
    /// of its group is missing. What parity packets of cameras hold is inferred (`docs/protocol.md` §2.8); a result
    /// that does not look like the missing packet is dropped.
    pub fn lend_parity(&mut self, groups: &'m mut [ParityGroup]) {
        self.link.lend_parity(groups);
    }

    /// Whether lossless mode was asked for and granted.
    pub fn is_lossless(&self) -> bool {
        self.link.is_lossless()
    }

    /// Smoothed round trip, milliseconds; known in lossless mode only.
    pub fn rtt_ms(&self) -> Option<u16> {
        self.link.rtt_ms()
    }

    /// Whether the peer has answered the login.
    pub fn is_logged_in(&self) -> bool {
        matches!(self.state, State::Connected)
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

    /// User and password of the generation.
    fn account<'a>(&'a self, credentials: &'a Credentials) -> (&'a [u8], &'a [u8]) {
        #[cfg(feature = "plain")]
        if self.link.generation().is_plain() {
            return (self.plain.user, self.plain.password);
        }
        (&credentials.user, credentials.password())
    }

    fn handle_reply(&mut self, now: Instant, reply: LoginReply) -> Option<Event<'static>> {
        let plain = self.link.generation().is_plain();
        if self.is_logged_in() || (plain && !self.is_serial(reply.serial)) {
            count(&mut self.link.stats.rx_unexpected);
            return None;
        }
        self.state = State::Connected;
        self.credentials = None;
        self.timers.stop_all();
        self.link.start_acks(now);
        let resend = self.resend && reply.enable && !plain;
        if resend {
            self.link.start_lossless(now);
        }
        Some(Event::LoggedIn {
            resend,
            two_way: reply.two_way,
        })
    }

    fn write_half(&mut self, half: Half, tx: &mut TxBuf<'_>) -> Result<bool, Full> {
        let Some(credentials) = &self.credentials else {
            return Ok(false);
        };
        let generation = self.link.generation();
        let (user, password) = self.account(credentials);
        let resend = self.resend && !generation.is_plain();
        let start = tx.len();
        write_login(half, self.serial, user, password, resend, tx)?;
        generation.stamp(start, tx);
        count(&mut self.link.stats.tx_login);
        Ok(true)
    }
}

impl Layer for Initiator<'_> {
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
        if self.link.generation().is_oldest() {
            return Ok(match self.link.parse16(input.take_all()) {
                Some(Message16::LoginReply(reply)) => self.handle_reply(cx.now, reply),
                Some(message) if self.is_logged_in() => self.link.handle16(message),
                Some(_) => {
                    count(&mut self.link.stats.rx_unexpected);
                    None
                }
                None => None,
            });
        }
        let bytes = self.link.recover(input.take_all());
        Ok(match &self.link.parse(bytes) {
            Ok(Message::LoginReply(reply)) => self.handle_reply(cx.now, *reply),
            Ok(message) if self.is_logged_in() => self.link.handle(cx.now, message),
            Ok(_) => {
                count(&mut self.link.stats.rx_unexpected);
                None
            }
            Err(_) => None,
        })
    }

    fn handle_timeout(&mut self, cx: &mut Cx<'_>) -> Result<(), Error> {
        if self.timers.expired(Timer::Limit as usize, cx.now) {
            return Err(Error::LoginTimeout);
        }
        if self.timers.expired(Timer::Gap as usize, cx.now) {
            self.state = State::LoginSecond;
        }
        if self.timers.expired(Timer::Repeat as usize, cx.now) {
            self.state = State::LoginFirst;
        }
        self.link.handle_timeout(cx.now);
        Ok(())
    }

    fn poll_transmit(&mut self, cx: &mut Cx<'_>, tx: &mut TxBuf<'_>) -> Result<bool, Error> {
        match self.state {
            State::LoginFirst => {
                self.write_half(Half::First, tx)?;
                if self.timers.get(Timer::Limit as usize).is_none() {
                    self.timers.set(Timer::Limit as usize, cx.now + LOGIN_LIMIT);
                }
                self.timers.set(Timer::Gap as usize, cx.now + PAIR_GAP);
                self.timers
                    .set(Timer::Repeat as usize, cx.now + PAIR_REPEAT);
                self.state = State::Pause;
                Ok(true)
            }
            State::LoginSecond => {
                self.write_half(Half::Second, tx)?;
                self.state = State::Waiting;
                Ok(true)
            }
            State::Pause | State::Waiting => Ok(false),
            State::Connected => Ok(self.link.poll_transmit(cx.now, tx)?),
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        earlier(self.timers.next(), self.link.poll_timeout())
    }
}

#[cfg(all(test, not(feature = "lossless")))]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    use super::*;

    #[test]
    fn without_the_feature_no_login_asks_for_lossless_mode() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let cx = &mut Cx::new(Instant::ZERO, &mut rng);
        let config = LoginConfig {
            user: b"admin",
            password: b"",
            resend: true,
        };
        let mut app = Initiator::new(&config, &mut [], cx);
        for _ in 0..2 {
            let mut memory = [0; 600];
            let mut tx = TxBuf::new(&mut memory);
            app.poll_transmit(cx, &mut tx).unwrap();
            let Ok(Message::Login(login)) = Message::parse(tx.payload()) else {
                panic!()
            };
            assert!(!login.resend);
            app.restart(&config, cx);
        }
    }
}
