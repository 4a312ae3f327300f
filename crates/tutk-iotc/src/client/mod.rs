//! The app's side: finds a camera by UID and opens a session.
//!
//! ```text
//!   Searching   0x0601 stage 1 and 0x1002 step 0, to every target, every 250 ms, up to the limit ──► Err(NoAnswer | OtherDevice)
//!       │
//!       │ 0x0602: our UID, our sid                   0x1002 step 1: our sid, right HMAC
//!       │        Event::Found                                 Event::Found
//!       ▼                                                     ▼
//!   Opening     0x0601 stage 2, 0x0402, every 500 ms      ││   0x1002 steps 0 and 2, every 500 ms ──► limit: Err(NotConfirmed)
//!       │       0x0404, or 2 s without                    ││   0x1002 step 3
//!       ▼                         whichever is first: Event::Open
//!   Open        see link.rs
//!       │
//!       ▼
//!   Ended       closed by either side
//! ```
//!
//! A repeated step 2 comes with a repeated step 0, since a camera keeps a ticket for the client that asked last: if another
//! one was faster, step 1 brings a new ticket. Both tracks of `Opening` may run at once; the one that completes first is
//! the session and the other is dropped.

mod receive;

use core::net::SocketAddr;
use core::time::Duration;

use tutk_core::{Cx, Datagram, Instant, Layer, Timers, TxBuf};
use zerocopy::IntoBytes;

use crate::credentials::Credentials;
use crate::ids::{Sid, fresh_sid};
use crate::link::{Link, Start, put_transcode};
use crate::stats::{Stats, count, dropped};
use crate::wire::{self, Direction, Packet};
use crate::{
    ClientConfig, Error, Event, Framing, Framings, HEADROOM, MAX_TARGETS, PROBE_INTERVAL,
    SESSION_INTERVAL, TAILROOM, WrapError,
};

#[derive(Debug, Clone, Copy)]
enum Timer {
    /// Probe again, or ask again.
    Resend,
    /// Go on without 0x0404.
    Patience,
    /// Give up.
    Limit,
}

#[derive(Debug)]
enum State {
    /// `next` counts the probes of this round, two for each target.
    Searching {
        next: usize,
    },
    Opening(Opening),
    Open(Link),
    Ended,
}

/// A camera has answered in at least one framing.
#[derive(Debug, Default)]
struct Opening {
    knock: Option<Knock>,
    #[cfg(feature = "cc51")]
    claim: Option<Claim>,
}

/// A camera that speaks TransCode, being asked for a session.
#[derive(Debug)]
struct Knock {
    at: SocketAddr,
    /// The protocol version of its answer.
    version: u8,
    /// 0x0601 stage 2 is to be sent.
    confirm: bool,
    /// 0x0402 is to be sent.
    ask: bool,
    /// It was to be sent before.
    asked: bool,
}

/// A camera that speaks CC51, being asked for a session.
#[cfg(feature = "cc51")]
#[derive(Debug)]
struct Claim {
    at: SocketAddr,
    ticket: [u8; 2],
    /// Step 0 is to be sent once more: the camera may have forgotten the ticket.
    search: bool,
    /// Step 2 is to be sent.
    ask: bool,
}

/// The app's side of an IOTC session. See the crate's documentation for the contract.
#[derive(Debug)]
pub struct Client {
    credentials: Credentials,
    targets: [Option<SocketAddr>; MAX_TARGETS],
    framings: Framings,
    limit: Duration,
    secure: bool,
    sid: Sid,
    state: State,
    timers: Timers<3>,
    /// The session opened because time passed; to be told by `poll_event`.
    opened: bool,
    /// The camera's protocol version, once it has answered over TransCode.
    version: Option<u8>,
    stats: Stats,
}

impl Client {
    /// Begins to search: the first probes are ready to be sent at once. Each object is one attempt with a session id of
    /// its own.
    pub fn new(config: &ClientConfig<'_>, cx: &mut Cx<'_>) -> Self {
        let mut targets = [None; MAX_TARGETS];
        let mut slots = targets.iter_mut();
        for (i, target) in config.targets.iter().enumerate() {
            let repeated = config.targets.iter().take(i).any(|t| t == target);
            if !repeated && let Some(slot) = slots.next() {
                *slot = Some(*target);
            }
        }
        let mut timers = Timers::new();
        timers.set(Timer::Resend as usize, cx.now + PROBE_INTERVAL);
        timers.set(Timer::Limit as usize, cx.now + config.limit);
        Self {
            credentials: Credentials {
                uid: config.uid,
                key: config.auth_key.clone(),
            },
            targets,
            framings: config.framings,
            limit: config.limit,
            secure: config.secure,
            sid: fresh_sid(cx.rng),
            state: State::Searching { next: 0 },
            timers,
            opened: false,
            version: None,
            stats: Stats::default(),
        }
    }

    /// Makes a packet of the payload in `tx`, addressed to the camera. Works from [`Event::Open`] on, and after
    /// [`close`](Self::close) for a last word (DTLS close_notify) until the closes are written. Reserve
    /// [`HEADROOM`](Layer::HEADROOM) and [`TAILROOM`](Layer::TAILROOM) before writing the payload.
    ///
    /// # Errors
    /// Nothing can be sent now, or not this; the session goes on.
    pub fn wrap(&mut self, channel: u8, tx: &mut TxBuf<'_>) -> Result<(), WrapError> {
        match &mut self.state {
            State::Open(link) => link.wrap(&self.credentials, channel, tx, &mut self.stats),
            _ => Err(WrapError::NotOpen),
        }
    }

    /// An event that no datagram brought about: [`Event::Open`] when the camera never sent 0x0404. Ask after
    /// [`handle_timeout`](Layer::handle_timeout).
    pub fn poll_event(&mut self) -> Option<Event<'static>> {
        core::mem::take(&mut self.opened).then_some(Event::Open {
            framing: Framing::TransCode,
        })
    }

    /// Whether payloads may flow.
    pub fn is_open(&self) -> bool {
        matches!(&self.state, State::Open(link) if link.is_open())
    }

    /// Where the camera is, once it has answered.
    pub fn peer(&self) -> Option<SocketAddr> {
        match &self.state {
            State::Opening(opening) => opening.peer(),
            State::Open(link) => Some(link.peer()),
            State::Searching { .. } | State::Ended => None,
        }
    }

    /// The protocol version that the camera of an open TransCode session writes into its packets; `None` with CC51. Where
    /// its answers differ, the higher one: nobody proves a version, and a lower one means less protection.
    pub fn peer_version(&self) -> Option<u8> {
        self.version.filter(|_| self.is_open())
    }

    /// When the camera was last heard, alives included, once a session has opened. As much to be believed as a source
    /// address.
    pub fn heard(&self) -> Option<Instant> {
        match &self.state {
            State::Open(link) => Some(link.heard()),
            _ => None,
        }
    }

    /// The framing of the session, once it is open.
    pub fn framing(&self) -> Option<Framing> {
        match &self.state {
            State::Open(link) => Some(link.framing()),
            _ => None,
        }
    }

    /// The upper layer says: a payload of the latest datagram, which came from `from`, is authentic. The camera is there
    /// from now on, and alive.
    pub fn authenticated(&mut self, from: SocketAddr) {
        if let State::Open(link) = &mut self.state {
            link.authenticated(from, &mut self.stats);
        }
    }

    /// Whether the upper layer authenticates (DTLS is up). From then on only [`authenticated`](Self::authenticated)
    /// changes the peer's address: knowing the session id no longer suffices.
    pub fn set_secured(&mut self, secured: bool) {
        if let State::Open(link) = &mut self.state {
            link.set_secured(secured);
        }
    }

    /// Whether payloads wrapped from now on are encrypted by themselves (DTLS), so that only the first 64 bytes of a
    /// TransCode packet are scrambled; at first as in [`ClientConfig::secure`].
    pub fn set_encrypted(&mut self, encrypted: bool) {
        if let State::Open(link) = &mut self.state {
            link.set_encrypted(encrypted);
        }
    }

    /// Ends the session. Drain [`poll_transmit`](Layer::poll_transmit) afterwards: over TransCode it holds three times
    /// 0x0417, which frees the camera's viewer slot. CC51's close packet is unknown; there a camera notices by the DTLS
    /// close_notify that the layer above sent, or by silence.
    pub fn close(&mut self) {
        self.opened = false;
        // 0x0402 may have arrived, so the camera may hold a session for us.
        if let State::Opening(Opening {
            knock: Some(knock), ..
        }) = &self.state
        {
            let at = knock.at;
            self.open_transcode(at, Instant::ZERO);
        }
        self.timers.stop_all();
        match &mut self.state {
            State::Open(link) => link.close(),
            state => *state = State::Ended,
        }
    }

    /// Counters.
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    #[inline(never)] // a link is made in three places
    fn open_transcode(&mut self, peer: SocketAddr, now: Instant) {
        let start = Start {
            way: Direction::ToDevice,
            framing: Framing::TransCode,
            peer,
            sid: self.sid,
            #[cfg(feature = "cc51")]
            ticket: [0; 2],
            secure: self.secure,
            version: wire::VERSION,
        };
        self.open(start, now);
    }

    fn open(&mut self, start: Start, now: Instant) {
        self.timers.stop_all();
        self.state = State::Open(Link::new(start, now));
    }

    fn on_timeout_searching(&mut self, now: Instant) -> Result<(), Error> {
        if self.timers.expired(Timer::Limit as usize, now) {
            self.timers.stop_all();
            self.state = State::Ended;
            return Err(if self.stats.rx_foreign_uid > 0 {
                Error::OtherDevice
            } else {
                Error::NoAnswer
            });
        }
        if self.timers.expired(Timer::Resend as usize, now) {
            self.timers
                .set(Timer::Resend as usize, now + PROBE_INTERVAL);
            self.state = State::Searching { next: 0 };
            count(&mut self.stats.tx_repeats);
        }
        Ok(())
    }

    fn on_timeout_opening(&mut self, now: Instant) -> Result<(), Error> {
        let limit = self.timers.expired(Timer::Limit as usize, now);
        let patience = self.timers.expired(Timer::Patience as usize, now);
        let resend = self.timers.expired(Timer::Resend as usize, now);
        let State::Opening(opening) = &mut self.state else {
            return Ok(());
        };
        match opening.knock.as_ref().map(|knock| knock.at) {
            // A camera that also answered over CC51 gets the whole limit to confirm there.
            Some(peer) if (patience || limit) && !opening.claimed() => {
                self.version = opening.knock.as_ref().map(|knock| knock.version);
                self.open_transcode(peer, now);
                self.opened = true;
            }
            _ if limit => {
                self.timers.stop_all();
                self.state = State::Ended;
                return Err(Error::NotConfirmed);
            }
            _ if resend => {
                opening.ask_again();
                count(&mut self.stats.tx_repeats);
                self.timers
                    .set(Timer::Resend as usize, now + SESSION_INTERVAL);
            }
            _ => {}
        }
        Ok(())
    }

    /// Writes the probe after the last one; `false` at the end of the round.
    fn transmit_searching(&mut self, tx: &mut TxBuf<'_>) -> Result<bool, Error> {
        let State::Searching { next } = &mut self.state else {
            return Ok(false);
        };
        while let Some(target) = self.targets.get(*next / 2).copied().flatten() {
            let framing = if next.is_multiple_of(2) {
                Framing::TransCode
            } else {
                Framing::Cc51
            };
            if self.framings.contains(framing) && probe(framing, &self.credentials, self.sid, tx)? {
                *next += 1;
                tx.set_destination(target);
                return Ok(true);
            }
            *next += 1;
        }
        Ok(false)
    }

    fn transmit_opening(&mut self, tx: &mut TxBuf<'_>) -> Result<bool, Error> {
        let uid = *self.credentials.uid.as_bytes();
        let State::Opening(opening) = &mut self.state else {
            return Ok(false);
        };
        if let Some(knock) = &mut opening.knock {
            if knock.confirm {
                put_search(tx, uid, self.sid, wire::STAGE_CONFIRM, [0; 8])?;
                tx.set_destination(knock.at);
                knock.confirm = false;
                return Ok(true);
            }
            if knock.ask {
                let ask = wire::Session::new(Direction::ToDevice, uid, self.sid);
                put_transcode(tx, wire::VERSION, ask.as_bytes())?;
                tx.set_destination(knock.at);
                knock.ask = false;
                return Ok(true);
            }
        }
        #[cfg(feature = "cc51")]
        if let Some(claim) = &mut opening.claim
            && claim.search
        {
            probe(Framing::Cc51, &self.credentials, self.sid, tx)?;
            tx.set_destination(claim.at);
            claim.search = false;
            return Ok(true);
        }
        #[cfg(feature = "cc51")]
        if let Some(claim) = &mut opening.claim
            && claim.ask
        {
            let body = wire::cc51::SearchBody::new(2, claim.ticket, self.sid);
            crate::link::put_cc51(tx, &self.credentials, body.as_bytes())?;
            tx.set_destination(claim.at);
            claim.ask = false;
            return Ok(true);
        }
        Ok(false)
    }
}

/// Writes a search of the TransCode framing, or its confirmation.
#[inline(never)]
fn put_search(
    tx: &mut TxBuf<'_>,
    uid: [u8; 20],
    sid: Sid,
    stage: u8,
    auth_key: [u8; 8],
) -> Result<(), Error> {
    let search = wire::Search::new(uid, sid, stage, auth_key);
    put_transcode(tx, wire::VERSION, search.as_bytes())
}

/// Writes a probe; `false` when this build does not speak the framing.
fn probe(
    framing: Framing,
    credentials: &Credentials,
    sid: Sid,
    tx: &mut TxBuf<'_>,
) -> Result<bool, Error> {
    match framing {
        Framing::TransCode => {
            let uid = *credentials.uid.as_bytes();
            let key = *credentials.key.expose();
            put_search(tx, uid, sid, wire::STAGE_SEARCH, key)?;
            Ok(true)
        }
        #[cfg(feature = "cc51")]
        Framing::Cc51 => {
            let body = wire::cc51::SearchBody::new(0, [0; 2], sid);
            crate::link::put_cc51(tx, credentials, body.as_bytes())?;
            Ok(true)
        }
        #[cfg(not(feature = "cc51"))]
        Framing::Cc51 => Ok(false),
    }
}

impl Opening {
    fn peer(&self) -> Option<SocketAddr> {
        let knock = self.knock.as_ref().map(|knock| knock.at);
        #[cfg(feature = "cc51")]
        let knock = knock.or(self.claim.as_ref().map(|claim| claim.at));
        knock
    }

    fn claimed(&self) -> bool {
        #[cfg(feature = "cc51")]
        return self.claim.is_some();
        #[cfg(not(feature = "cc51"))]
        false
    }

    fn ask_again(&mut self) {
        if let Some(knock) = &mut self.knock {
            knock.confirm = knock.asked;
            knock.ask = true;
            knock.asked = true;
        }
        #[cfg(feature = "cc51")]
        if let Some(claim) = &mut self.claim {
            claim.search = true;
            claim.ask = true;
        }
    }
}

impl Layer for Client {
    const HEADROOM: usize = HEADROOM;
    const TAILROOM: usize = TAILROOM;
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
        let from = input.from();
        count(&mut self.stats.rx_datagrams);
        let Ok(packet) = wire::open(input.take_all()) else {
            dropped(&mut self.stats.rx_malformed, "not an IOTC packet");
            return Ok(None);
        };
        Ok(match packet {
            Packet::SearchReply { version, uid, sid } => {
                self.on_search_reply(cx.now, from, version, uid, sid)
            }
            Packet::SessionReply(reply) => self.on_session_reply(cx.now, from, reply),
            #[cfg(feature = "cc51")]
            Packet::Cc51(wire::cc51::Packet::Search { body, mac }) => {
                self.on_cc51_search(cx.now, from, body, mac)
            }
            other => match &mut self.state {
                State::Open(link) => {
                    link.handle(cx.now, &self.credentials, from, other, &mut self.stats)
                }
                _ => {
                    dropped(&mut self.stats.rx_unexpected, "no session is open");
                    None
                }
            },
        })
    }

    fn handle_timeout(&mut self, cx: &mut Cx<'_>) -> Result<(), Error> {
        match &mut self.state {
            State::Searching { .. } => self.on_timeout_searching(cx.now),
            State::Opening(_) => self.on_timeout_opening(cx.now),
            State::Open(link) => link.handle_timeout(cx.now),
            State::Ended => Ok(()),
        }
    }

    fn poll_transmit(&mut self, _: &mut Cx<'_>, tx: &mut TxBuf<'_>) -> Result<bool, Error> {
        let sent = match &mut self.state {
            State::Searching { .. } => self.transmit_searching(tx)?,
            State::Opening(_) => self.transmit_opening(tx)?,
            State::Open(link) => {
                return link.poll_transmit(&self.credentials, tx, &mut self.stats);
            }
            State::Ended => false,
        };
        if sent {
            count(&mut self.stats.tx_packets);
        }
        Ok(sent)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        match &self.state {
            State::Searching { .. } | State::Opening(_) => self.timers.next(),
            State::Open(link) => link.poll_timeout(),
            State::Ended => None,
        }
    }
}
