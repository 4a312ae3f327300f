//! The camera's side: answers searches for its UID and holds one session.
//!
//! ```text
//!   Listening   0x0601 stage 1 ──► 0x0602            0x1002 step 0, right HMAC ──► step 1 with a ticket
//!       │       0x0402 ──► 0x0404, Event::Open       step 2 with that ticket ──► step 3, Event::Open
//!       ▼
//!   Bound       the same requests from the same client get the same answers; data, alive, close: see link.rs
//!               a new session id from the peer's address, after silence ──► Event::Closed
//! ```
//!
//! One datagram is answered with at most one, and all answers but one are no longer than the request: the answer to a
//! search of 88 bytes, or 68 from old clients, has 200, since clients insist on that length. A session also brings alives
//! until the idle limit. So a forged source address can make a camera send 2.9 times what it received (a search of 68
//! bytes), or 2.8 times (0x0402 of 52 bytes: 0x0404 of 52 and four alives of 24).

use core::net::SocketAddr;
use core::time::Duration;

use tutk_core::{Cx, Datagram, Instant, Layer, TxBuf};
use zerocopy::IntoBytes;

use crate::credentials::Credentials;
use crate::ids::Sid;
use crate::link::{Link, Start, put_transcode};
use crate::stats::{Stats, count, dropped};
use crate::wire::{self, Direction, Packet};
use crate::{DeviceConfig, Error, Event, Framing, Framings, HEADROOM, TAILROOM, WrapError};

/// A peer that has been silent for this long and comes back with a new session id has been restarted. One that watches
/// acknowledges ten times a second, so that a forged search cannot end its session. Shorter than a client searches.
const RESTART_SILENCE: Duration = Duration::from_secs(3);

#[derive(Debug)]
enum State {
    Listening,
    Bound(Link),
}

/// A CC51 client that was told a ticket.
#[cfg(feature = "cc51")]
#[derive(Debug, Clone, Copy)]
struct Offer {
    to: SocketAddr,
    sid: Sid,
    ticket: [u8; 2],
}

/// Answers to be sent, one of each kind; the latest request wins.
#[derive(Debug, Default)]
struct Replies {
    search: Option<(SocketAddr, Sid)>,
    session: Option<(SocketAddr, Sid)>,
    #[cfg(feature = "cc51")]
    cc51: Option<(SocketAddr, wire::cc51::SearchBody)>,
}

/// The camera's side of one IOTC session. See the crate's documentation for the contract.
///
/// A camera that serves several viewers has one `Device` for each and hands a datagram to the one that is bound to its
/// source address, to the one that [claims](Self::claims) it, or to one that [is not bound](Self::is_bound); a bound one
/// ignores searches from elsewhere.
#[derive(Debug)]
pub struct Device {
    credentials: Credentials,
    framings: Framings,
    secure: bool,
    version: u8,
    accept: bool,
    state: State,
    #[cfg(feature = "cc51")]
    offer: Option<Offer>,
    replies: Replies,
    stats: Stats,
}

impl Device {
    /// Begins to listen.
    pub fn new(config: &DeviceConfig, _: &mut Cx<'_>) -> Self {
        Self {
            credentials: Credentials {
                uid: config.uid,
                key: config.auth_key.clone(),
            },
            framings: config.framings,
            secure: config.secure,
            version: config.version,
            accept: config.accept,
            state: State::Listening,
            #[cfg(feature = "cc51")]
            offer: None,
            replies: Replies::default(),
            stats: Stats::default(),
        }
    }

    /// Becomes as freshly made: forgets session and counters, listens. Drain [`poll_transmit`](Layer::poll_transmit)
    /// before if a close is to be sent.
    pub fn reset(&mut self, _: &mut Cx<'_>) {
        self.state = State::Listening;
        #[cfg(feature = "cc51")]
        {
            self.offer = None;
        }
        self.replies = Replies::default();
        self.stats = Stats::default();
    }

    /// Makes a packet of the payload in `tx`, addressed to the client. Works from [`Event::Open`] on, and after
    /// [`close`](Self::close) for a last word (DTLS close_notify) until the closes are written. Reserve
    /// [`HEADROOM`](Layer::HEADROOM) and [`TAILROOM`](Layer::TAILROOM) before writing the payload.
    ///
    /// # Errors
    /// Nothing can be sent now, or not this; the session goes on.
    pub fn wrap(&mut self, channel: u8, tx: &mut TxBuf<'_>) -> Result<(), WrapError> {
        match &mut self.state {
            State::Bound(link) => link.wrap(&self.credentials, channel, tx, &mut self.stats),
            State::Listening => Err(WrapError::NotOpen),
        }
    }

    /// Whether a client has a session.
    pub fn is_bound(&self) -> bool {
        matches!(&self.state, State::Bound(link) if link.is_open())
    }

    /// Whether a datagram claims to belong to the open session: it bears its id. Whoever serves several clients gives a
    /// datagram from an unknown address to the device that says so; the upper layer finds out whether it is true, and
    /// with that the client's new address.
    pub fn claims(&self, datagram: &[u8]) -> bool {
        matches!(&self.state, State::Bound(link) if link.is_open()
            && wire::session_of(datagram).as_ref() == Some(link.sid()))
    }

    /// Where the client of the session is.
    pub fn peer(&self) -> Option<SocketAddr> {
        self.link().map(Link::peer)
    }

    /// The framing of the session.
    pub fn framing(&self) -> Option<Framing> {
        self.link().map(Link::framing)
    }

    fn link(&self) -> Option<&Link> {
        match &self.state {
            State::Bound(link) => Some(link),
            State::Listening => None,
        }
    }

    /// The upper layer says: a payload of the latest datagram, which came from `from`, is authentic. The client is there
    /// from now on, and alive.
    pub fn authenticated(&mut self, from: SocketAddr) {
        if let State::Bound(link) = &mut self.state {
            link.authenticated(from, &mut self.stats);
        }
    }

    /// Whether the upper layer authenticates (DTLS is up). From then on only [`authenticated`](Self::authenticated)
    /// changes the peer's address.
    pub fn set_secured(&mut self, secured: bool) {
        if let State::Bound(link) = &mut self.state {
            link.set_secured(secured);
        }
    }

    /// Whether payloads wrapped from now on are encrypted by themselves (DTLS), so that only the first 64 bytes of a
    /// TransCode packet are scrambled; at first as in [`DeviceConfig::secure`].
    pub fn set_encrypted(&mut self, encrypted: bool) {
        if let State::Bound(link) = &mut self.state {
            link.set_encrypted(encrypted);
        }
    }

    /// Ends the session. Drain [`poll_transmit`](Layer::poll_transmit) afterwards: over TransCode it holds three times
    /// 0x0418, which is the device's close by symmetry (its meaning is not proved). CC51's close packet is unknown.
    /// [`reset`](Self::reset) makes the device listen again.
    pub fn close(&mut self) {
        self.replies = Replies::default();
        if let State::Bound(link) = &mut self.state {
            link.close();
        }
    }

    /// Counters.
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    fn speaks(&mut self, framing: Framing) -> bool {
        let speaks = self.framings.contains(framing);
        if !speaks {
            dropped(&mut self.stats.rx_unexpected, "a framing not spoken here");
        }
        speaks
    }

    fn is_ours(&mut self, uid: &[u8; 20]) -> bool {
        let ours = uid == self.credentials.uid.as_bytes();
        if !ours {
            dropped(&mut self.stats.rx_foreign_uid, "about another device");
        }
        ours
    }

    /// Whether a request of the connect stage may be answered: anybody's while listening, the peer's while bound.
    /// The second value tells that the peer has restarted.
    fn may_ask(
        &mut self,
        now: Instant,
        from: SocketAddr,
        sid: &Sid,
        framing: Framing,
    ) -> (bool, bool) {
        let State::Bound(link) = &mut self.state else {
            return (true, false);
        };
        if !link.is_open() {
            dropped(&mut self.stats.rx_unexpected, "the session has ended");
            return (false, false);
        }
        if link.sid() == sid && link.framing() == framing {
            let admitted = link.admit_request(now, from, &mut self.stats);
            if !admitted {
                dropped(&mut self.stats.rx_bad_source, "request from a stranger");
            }
            return (admitted, false);
        }
        if link.sid() == sid {
            dropped(
                &mut self.stats.rx_unexpected,
                "the session has another framing",
            );
            return (false, false);
        }
        let restarted = from == link.peer() && now - link.heard() >= RESTART_SILENCE;
        if restarted {
            tutk_core::debug!("iotc: the client has restarted");
            link.end();
        } else {
            dropped(&mut self.stats.rx_refused, "a session is open already");
        }
        (false, restarted)
    }

    fn on_search(
        &mut self,
        now: Instant,
        from: SocketAddr,
        search: &wire::SearchHead,
    ) -> Option<Event<'static>> {
        if !self.speaks(Framing::TransCode) || !self.is_ours(&search.uid) {
            return None;
        }
        let (answer, restarted) = self.may_ask(now, from, &search.sid, Framing::TransCode);
        // Stage 2 announces 0x0402 and expects no answer.
        if answer && search.stage != wire::STAGE_CONFIRM {
            self.replies.search = Some((from, search.sid));
        }
        restarted.then_some(Event::Closed)
    }

    fn on_session(
        &mut self,
        now: Instant,
        from: SocketAddr,
        request: &wire::Session,
    ) -> Option<Event<'static>> {
        if !self.speaks(Framing::TransCode) || !self.is_ours(&request.uid) {
            return None;
        }
        let (answer, restarted) = self.may_ask(now, from, &request.sid, Framing::TransCode);
        if !answer {
            return restarted.then_some(Event::Closed);
        }
        if matches!(self.state, State::Bound(_)) {
            self.replies.session = Some((from, request.sid));
            return None;
        }
        if !self.accept {
            dropped(&mut self.stats.rx_refused, "no session is accepted");
            return None;
        }
        self.replies.session = Some((from, request.sid));
        let start = Start {
            way: Direction::ToClient,
            framing: Framing::TransCode,
            peer: from,
            sid: request.sid,
            #[cfg(feature = "cc51")]
            ticket: [0; 2],
            secure: self.secure,
            version: self.version,
        };
        self.bind(start, now)
    }

    fn bind(&mut self, start: Start, now: Instant) -> Option<Event<'static>> {
        self.state = State::Bound(Link::new(start, now));
        Some(Event::Open {
            framing: start.framing,
        })
    }

    #[cfg(feature = "cc51")]
    fn on_cc51_search(
        &mut self,
        cx: &mut Cx<'_>,
        from: SocketAddr,
        body: &wire::cc51::SearchBody,
        mac: &[u8; 20],
    ) -> Option<Event<'static>> {
        if !self.speaks(Framing::Cc51) {
            return None;
        }
        if !self.credentials.verify(body.as_bytes(), mac) {
            dropped(&mut self.stats.rx_bad_mac, "request with a wrong HMAC");
            return None;
        }
        let step = body.step.get();
        if body.header.direction.get() != 0 || !matches!(step, 0 | 2) {
            dropped(&mut self.stats.rx_unexpected, "not a client's step");
            return None;
        }
        let (answer, restarted) = self.may_ask(cx.now, from, &body.sid, Framing::Cc51);
        if !answer {
            return restarted.then_some(Event::Closed);
        }
        if step == 0 {
            let ticket = self.ticket_for(cx, from, &body.sid);
            self.reply_cc51(from, 1, ticket, body.sid);
            None
        } else {
            self.on_cc51_claim(cx.now, from, body)
        }
    }

    /// The ticket of a session; a client that asks again is told the same.
    #[cfg(feature = "cc51")]
    fn ticket_for(&mut self, cx: &mut Cx<'_>, from: SocketAddr, sid: &Sid) -> [u8; 2] {
        if let State::Bound(link) = &self.state {
            return link.ticket();
        }
        match &self.offer {
            Some(offer) if offer.to == from && offer.sid == *sid => offer.ticket,
            _ => {
                let mut ticket = [0; 2];
                cx.rng.fill_bytes(&mut ticket);
                // A search has ticket 0.
                if ticket == [0; 2] {
                    ticket = [1, 0];
                }
                self.offer = Some(Offer {
                    to: from,
                    sid: *sid,
                    ticket,
                });
                ticket
            }
        }
    }

    #[cfg(feature = "cc51")]
    fn on_cc51_claim(
        &mut self,
        now: Instant,
        from: SocketAddr,
        body: &wire::cc51::SearchBody,
    ) -> Option<Event<'static>> {
        let known = match (&self.state, &self.offer) {
            (State::Bound(link), _) => link.ticket() == body.ticket,
            (State::Listening, Some(offer)) => {
                offer.to == from && offer.sid == body.sid && offer.ticket == body.ticket
            }
            (State::Listening, None) => false,
        };
        if !known {
            dropped(
                &mut self.stats.rx_foreign_session,
                "claim with another ticket",
            );
            return None;
        }
        let bound = matches!(self.state, State::Bound(_));
        if !bound && !self.accept {
            dropped(&mut self.stats.rx_refused, "no session is accepted");
            return None;
        }
        self.reply_cc51(from, 3, body.ticket, body.sid);
        if bound {
            return None;
        }
        let start = Start {
            way: Direction::ToClient,
            framing: Framing::Cc51,
            peer: from,
            sid: body.sid,
            ticket: body.ticket,
            secure: self.secure,
            version: self.version,
        };
        self.bind(start, now)
    }

    #[cfg(feature = "cc51")]
    fn reply_cc51(&mut self, to: SocketAddr, step: u16, ticket: [u8; 2], sid: Sid) {
        self.replies.cc51 = Some((to, wire::cc51::SearchBody::new(step, ticket, sid)));
    }

    /// Writes one answer of the connect stage.
    fn transmit_reply(&mut self, tx: &mut TxBuf<'_>) -> Result<bool, Error> {
        let uid = *self.credentials.uid.as_bytes();
        let to = if let Some((to, sid)) = self.replies.search {
            put_transcode(
                tx,
                self.version,
                wire::SearchReply::new(uid, sid).as_bytes(),
            )?;
            self.replies.search = None;
            to
        } else if let Some((to, sid)) = self.replies.session {
            let reply = wire::Session::new(Direction::ToClient, uid, sid);
            put_transcode(tx, self.version, reply.as_bytes())?;
            self.replies.session = None;
            to
        } else {
            #[cfg(feature = "cc51")]
            if let Some((to, body)) = self.replies.cc51 {
                crate::link::put_cc51(tx, &self.credentials, body.as_bytes())?;
                self.replies.cc51 = None;
                tx.set_destination(to);
                return Ok(true);
            }
            return Ok(false);
        };
        tx.set_destination(to);
        Ok(true)
    }
}

impl Layer for Device {
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
            Packet::Search(search) => self.on_search(cx.now, from, search),
            Packet::Session(request) => self.on_session(cx.now, from, request),
            #[cfg(feature = "cc51")]
            Packet::Cc51(wire::cc51::Packet::Search { body, mac }) => {
                self.on_cc51_search(cx, from, body, mac)
            }
            other => match &mut self.state {
                State::Bound(link) => {
                    link.handle(cx.now, &self.credentials, from, other, &mut self.stats)
                }
                State::Listening => {
                    dropped(&mut self.stats.rx_unexpected, "no session is open");
                    None
                }
            },
        })
    }

    fn handle_timeout(&mut self, cx: &mut Cx<'_>) -> Result<(), Error> {
        match &mut self.state {
            State::Bound(link) => link.handle_timeout(cx.now),
            State::Listening => Ok(()),
        }
    }

    fn poll_transmit(&mut self, _: &mut Cx<'_>, tx: &mut TxBuf<'_>) -> Result<bool, Error> {
        if self.transmit_reply(tx)? {
            count(&mut self.stats.tx_packets);
            return Ok(true);
        }
        match &mut self.state {
            State::Bound(link) => link.poll_transmit(&self.credentials, tx, &mut self.stats),
            State::Listening => Ok(false),
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        match &self.state {
            State::Bound(link) => link.poll_timeout(),
            State::Listening => None,
        }
    }
}
