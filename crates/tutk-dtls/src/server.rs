//! The server role.
//!
//! ```text
//!   Client                                    Server
//!
//!   ClientHello              -------->                         WaitClientHello
//!                            <--------        HelloVerifyRequest   (with `cookie`; leaves no state behind)
//!   ClientHello + cookie     -------->
//!                            <--------        ServerHello
//!                                             ServerKeyExchange    with ECDHE, or with a hint
//!                                             ServerHelloDone  WaitKeyExchange
//!   ClientKeyExchange        -------->                         WaitFinished
//!   [ChangeCipherSpec]
//!   Finished                 -------->
//!                            <--------        [ChangeCipherSpec]
//!                                             Finished         Connected
//! ```
//!
//! A ClientHello with another random begins the handshake anew as long as it is not done: the client has tried again. The
//! time limit runs from the first one.

use core::fmt;
use core::net::SocketAddr;

use heapless::Vec;
use subtle::ConstantTimeEq;
use tutk_core::wire::{Reader, Writer};
use tutk_core::{Cx, Datagram, Instant, Layer, TxBuf};
use zeroize::Zeroizing;

use crate::cipher;
use crate::config::{MAX_IDENTITY, Psk, ServerConfig, cut};
use crate::cookie::{COOKIE, Jar};
use crate::engine::{Alert, Arrival, Engine, Event, Record, Refusal, Stage, timeout};
use crate::ephemeral::Ephemeral;
use crate::error::{Error, Phase, SealError};
use crate::flight::{Flight, Item};
use crate::keys::{self, Side, VERIFY_DATA};
use crate::message::{self, Asked, ClientHello, ClientKeyExchange, Fragment, Kind};
use crate::record::{ContentType, DTLS_1_0, Position};
use crate::stats::{Stats, count};
use crate::suite::{CipherSuite, Suites};
use crate::transmit::put_plain;

const HELLO: &[Item] = &[
    Item::Message(Kind::ServerHello),
    Item::Message(Kind::ServerHelloDone),
];
const HELLO_WITH_KEY_EXCHANGE: &[Item] = &[
    Item::Message(Kind::ServerHello),
    Item::Message(Kind::ServerKeyExchange),
    Item::Message(Kind::ServerHelloDone),
];
const FINISH: &[Item] = &[Item::ChangeCipherSpec, Item::Message(Kind::Finished)];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    WaitClientHello,
    WaitKeyExchange,
    WaitFinished,
    Connected,
    Closed,
}

/// What the caller chose.
struct Fixed {
    psk: Psk,
    identity_prefix: Vec<u8, MAX_IDENTITY>,
    hint: Option<Vec<u8, MAX_IDENTITY>>,
    suites: Suites,
    extended_master_secret: bool,
}

/// What our messages are functions of, and what the client's told us.
#[derive(Default)]
struct Handshake {
    client_random: [u8; 32],
    /// Number and length of the ClientHello that was accepted.
    hello: (u16, usize),
    server_random: [u8; 32],
    suite: Option<CipherSuite>,
    /// What our hello answers.
    asked: Asked,
    ephemeral: Option<Ephemeral>,
    server_point: [u8; 32],
    /// Content of Finished: ours, and what the client's must be.
    verify_data: [u8; VERIFY_DATA],
    expected: [u8; VERIFY_DATA],
}

impl Handshake {
    /// Writes the body of one of our messages. A pure function, so that a repeated flight is the same flight.
    fn encode(&self, fixed: &Fixed, kind: Kind, w: &mut Writer<'_>) {
        match (kind, self.suite) {
            (Kind::ServerHello, Some(suite)) => {
                message::write_server_hello(w, &self.server_random, suite, self.asked)
            }
            (Kind::ServerKeyExchange, Some(suite)) => {
                let hint = fixed.hint.as_deref().unwrap_or_default();
                message::write_server_key_exchange(w, suite, hint, &self.server_point);
            }
            (Kind::Finished, _) => w.bytes(&self.verify_data),
            _ => {} // ServerHelloDone has no body
        }
    }
}

/// The DTLS server of one association. See the [crate] for the contract.
///
/// It serves one client. While nobody is connected, hellos of other clients displace a half-done handshake.
/// A hello that offers no suite of ours is answered with alert 40, and the server goes on listening, because clients try
/// again with another suite; when none fits within the limit it ends with [`Error::NoCommonSuite`].
pub struct Server<'m> {
    engine: Engine<'m>,
    fixed: Fixed,
    hs: Handshake,
    state: State,
    jar: Option<Jar>,
    /// A HelloVerifyRequest to send: cookie and record number.
    verify: Option<([u8; COOKIE], u64)>,
    /// A hello of the current datagram was answered. One datagram must not cost a key pair for each hello it holds.
    answered: bool,
}

impl<'m> Server<'m> {
    /// A server that waits, without limit, for the first hello.
    ///
    /// `reassembly` holds one fragmented handshake message:
    /// [`RECOMMENDED_REASSEMBLY`](crate::RECOMMENDED_REASSEMBLY) bytes.
    pub fn new(config: &ServerConfig<'_>, reassembly: &'m mut [u8], cx: &mut Cx<'_>) -> Self {
        Self {
            engine: Engine::new(reassembly, config.mtu, config.handshake_limit),
            fixed: Fixed {
                psk: config.psk.clone(),
                identity_prefix: cut(config.identity_prefix),
                hint: config.hint.map(cut),
                suites: config.suites,
                extended_master_secret: config.extended_master_secret,
            },
            hs: Handshake::default(),
            state: State::WaitClientHello,
            jar: config.cookie.then(|| Jar::new(cx.rng)),
            verify: None,
            answered: false,
        }
    }

    /// As freshly made, with the same configuration and memory: forgets keys and counters, and listens again.
    pub fn reset(&mut self, cx: &mut Cx<'_>) {
        self.engine.reset();
        self.hs = Handshake::default();
        self.state = State::WaitClientHello;
        self.jar = self.jar.is_some().then(|| Jar::new(cx.rng));
        self.verify = None;
    }

    /// Makes what `tx` holds one application data record, encrypted in place.
    ///
    /// Reserve [`HEADROOM`](Layer::HEADROOM) and [`TAILROOM`](Layer::TAILROOM) before appending the payload (at most
    /// 16384 bytes).
    ///
    /// # Errors
    /// The association is unaffected; the content of `tx` is undefined after [`SealError::Full`].
    pub fn seal(&mut self, cx: &mut Cx<'_>, tx: &mut TxBuf<'_>) -> Result<(), SealError> {
        if !self.is_connected() {
            return Err(SealError::NotConnected);
        }
        self.engine.seal(cx, tx)
    }

    /// Says goodbye: close_notify goes out by the next `poll_transmit`, and nothing can be sealed any more. Before the
    /// handshake is done it just stops. Called again it says so once more, as nobody acknowledges it.
    pub fn close(&mut self) {
        match self.state {
            State::Connected | State::Closed => self.engine.say_goodbye(),
            _ => self.engine.flight.stop(),
        }
        self.verify = None;
        self.engine.timers.stop_all();
        self.state = State::Closed;
    }

    /// Whether payloads can be sealed: after [`Event::Connected`], until either side closes.
    pub fn is_connected(&self) -> bool {
        self.state == State::Connected && self.engine.failed.is_none()
    }

    /// What the handshake waits for. [`Phase::Finished`] from the moment the keys are in place, and ever after; also
    /// after [`close`](Self::close), however far it had come.
    pub fn phase(&self) -> Phase {
        match self.state {
            State::WaitClientHello => Phase::Hello,
            State::WaitKeyExchange => Phase::KeyExchange,
            State::WaitFinished | State::Connected | State::Closed => Phase::Finished,
        }
    }

    /// The suite that was chosen for the current handshake, once there is one.
    pub fn suite(&self) -> Option<CipherSuite> {
        self.hs.suite
    }

    /// Keeps the master secret of each handshake from now on, also after [`reset`](Self::reset), until
    /// [`take_key_log_entry`](Self::take_key_log_entry) fetches it.
    #[cfg(feature = "keylog")]
    pub fn log_keys(&mut self) {
        self.engine.logs_keys = true;
    }

    /// The master secret of the latest handshake, once, if [`log_keys`](Self::log_keys) was called before; `None` before it
    /// is made, and after it was fetched or forgotten.
    #[cfg(feature = "keylog")]
    pub fn take_key_log_entry(&mut self) -> Option<crate::KeyLogEntry> {
        self.engine.key_log.take()
    }

    /// What has happened and what was dropped.
    pub fn stats(&self) -> &Stats {
        &self.engine.stats
    }

    fn stage(&self) -> Stage {
        match self.state {
            State::WaitClientHello => Stage::Idle,
            State::WaitKeyExchange | State::WaitFinished => Stage::Handshake,
            State::Connected => Stage::Connected,
            State::Closed => Stage::Closed,
        }
    }

    fn on_handshake(
        &mut self,
        cx: &mut Cx<'_>,
        from: SocketAddr,
        protected: bool,
        record_seq: u64,
        bytes: &[u8],
    ) {
        let mut r = Reader::new(bytes);
        while !r.is_empty() && self.engine.failed.is_none() {
            let Ok(fragment) = Fragment::read(&mut r) else {
                count(&mut self.engine.stats.rx_bad_handshake);
                return;
            };
            if !protected && matches!(self.stage(), Stage::Connected | Stage::Closed) {
                count(&mut self.engine.stats.rx_plaintext_ignored);
                return;
            }
            if fragment.kind == Kind::ClientHello && !protected {
                self.on_hello_fragment(cx, from, record_seq, &fragment);
            } else if self.state == State::WaitClientHello {
                count(&mut self.engine.stats.rx_bad_handshake);
            } else {
                self.on_fragment(cx, protected, &fragment);
            }
        }
    }

    /// A hello is looked at in every state before `Connected`, whatever its number: it may be of a new attempt.
    fn on_hello_fragment(
        &mut self,
        cx: &mut Cx<'_>,
        from: SocketAddr,
        record_seq: u64,
        fragment: &Fragment<'_>,
    ) {
        if self.state != State::WaitClientHello && self.repeats_our_hello(fragment) {
            count(&mut self.engine.stats.rx_repeated);
            if self.state == State::WaitKeyExchange {
                self.engine.echo(cx.now);
            }
            return;
        }
        match self.engine.assemble(fragment) {
            Arrival::Whole(body) => self.on_client_hello(cx, from, record_seq, fragment.seq, body),
            Arrival::Assembled(memory, len) => {
                let body = memory.get(..len).unwrap_or_default();
                self.on_client_hello(cx, from, record_seq, fragment.seq, body);
                self.engine.reassembly.restore(memory);
            }
            Arrival::Nothing | Arrival::Repeated => {}
        }
    }

    /// Whether this belongs to the hello whose handshake is under way (or to the hello without a cookie before it).
    fn repeats_our_hello(&self, fragment: &Fragment<'_>) -> bool {
        const RANDOM_AT: usize = 2;
        let random = fragment
            .bytes
            .get(RANDOM_AT..RANDOM_AT + 32)
            .filter(|_| fragment.offset == 0);
        match random {
            Some(random) => random == self.hs.client_random,
            None => {
                (fragment.seq, fragment.len) == self.hs.hello
                    && !self
                        .engine
                        .reassembly
                        .is_about(Kind::ClientHello, fragment.seq)
            }
        }
    }

    fn on_client_hello(
        &mut self,
        cx: &mut Cx<'_>,
        from: SocketAddr,
        record_seq: u64,
        seq: u16,
        body: &[u8],
    ) {
        let Ok(hello) = ClientHello::read(body) else {
            count(&mut self.engine.stats.rx_bad_handshake);
            return;
        };
        if let Some(jar) = &self.jar {
            if !jar.accepts(from, &hello) {
                count(&mut self.engine.stats.rx_hello_unverified);
                self.verify = Some((jar.bake(from, &hello), record_seq));
                return;
            }
            self.engine.continue_after(record_seq);
        }
        self.engine.start_deadline(cx.now);
        let chosen = hello.choose(self.fixed.suites).filter(|_| hello.speaks_1_2);
        let Some(suite) = chosen else {
            count(&mut self.engine.stats.rx_hello_refused);
            if self.state == State::WaitClientHello {
                let error = if hello.speaks_1_2 {
                    Error::NoCommonSuite
                } else {
                    Error::Version
                };
                self.engine.alert = Some(Alert {
                    fatal: true,
                    description: error.alert(),
                });
            }
            return;
        };
        if core::mem::replace(&mut self.answered, true) {
            count(&mut self.engine.stats.rx_bad_handshake);
            return;
        }
        if self.state != State::WaitClientHello {
            // The time limit goes on: whoever keeps saying hello without the key must not hold the server forever.
            count(&mut self.engine.stats.restarts);
        }
        self.answer(cx, suite, &hello, seq, body);
    }

    /// Sends our hello flight.
    fn answer(
        &mut self,
        cx: &mut Cx<'_>,
        suite: CipherSuite,
        hello: &ClientHello<'_>,
        seq: u16,
        body: &[u8],
    ) {
        let ems = hello.asks.extended_master_secret && self.fixed.extended_master_secret;
        self.hs = Handshake {
            client_random: *hello.random,
            hello: (seq, body.len()),
            suite: Some(suite),
            asked: Asked {
                extended_master_secret: ems,
                ..hello.asks
            },
            ..Handshake::default()
        };
        cx.rng.fill_bytes(&mut self.hs.server_random);
        if suite.is_ecdhe() {
            self.hs.ephemeral = Ephemeral::generate(cx.rng);
            self.hs.server_point = self
                .hs
                .ephemeral
                .as_ref()
                .map(Ephemeral::public)
                .unwrap_or_default();
        }
        self.verify = None;
        self.engine.alert = None;
        self.engine.forget_handshake();
        self.engine.next_seq = seq;
        self.engine.received(Kind::ClientHello, body);
        let with_key_exchange = suite.is_ecdhe() || self.fixed.hint.is_some();
        let items = if with_key_exchange {
            HELLO_WITH_KEY_EXCHANGE
        } else {
            HELLO
        };
        // Numbered as the hello that it answers, so that nothing need be remembered of a cookie exchange.
        self.engine.begin(Flight::new(items, seq, true));
        let (hs, fixed) = (&self.hs, &self.fixed);
        if let Err(error) = self.engine.hash_flight(|kind, w| hs.encode(fixed, kind, w)) {
            self.engine.fail(error);
        }
        self.state = State::WaitKeyExchange;
    }

    fn on_fragment(&mut self, cx: &mut Cx<'_>, protected: bool, fragment: &Fragment<'_>) {
        let must_be_protected = self.state != State::WaitKeyExchange;
        match self.engine.arrive(fragment, protected, must_be_protected) {
            Arrival::Nothing => {}
            // The client lacks our Finished.
            Arrival::Repeated if protected && self.state == State::Connected => {
                self.engine.echo(cx.now)
            }
            Arrival::Repeated => {}
            Arrival::Whole(body) => {
                let outcome = self.on_message(fragment.kind, body);
                self.engine.settle(outcome);
            }
            Arrival::Assembled(memory, len) => {
                let outcome = self.on_message(fragment.kind, memory.get(..len).unwrap_or_default());
                self.engine.reassembly.restore(memory);
                self.engine.settle(outcome);
            }
        }
    }

    fn on_message(&mut self, kind: Kind, body: &[u8]) -> Result<(), Refusal> {
        match (self.state, kind) {
            (State::WaitKeyExchange, Kind::ClientKeyExchange) => self.on_client_key_exchange(body),
            (State::WaitFinished, Kind::Finished) => self.on_finished(body),
            _ => Err(Refusal::Noise),
        }
    }

    fn on_client_key_exchange(&mut self, body: &[u8]) -> Result<(), Refusal> {
        let suite = self.hs.suite.ok_or(Refusal::Noise)?;
        let exchange = ClientKeyExchange::read(body, suite)?;
        if !exchange.identity.starts_with(&self.fixed.identity_prefix) {
            return Err(Error::UnknownIdentity.into());
        }
        let mut other = Zeroizing::new([0; 32]);
        if let Some(point) = exchange.point {
            let ours = self.hs.ephemeral.as_ref().ok_or(Refusal::Noise)?;
            let agreed = ours.agree(point);
            // Dropped where it lies: what is moved out of here would stay behind unwiped.
            self.hs.ephemeral = None;
            other = agreed.ok_or(Error::LowOrderPoint)?;
        }
        self.engine.received(Kind::ClientKeyExchange, body);

        let premaster = keys::premaster(&other, self.fixed.psk.expose());
        let (client, server) = (&self.hs.client_random, &self.hs.server_random);
        let hash = self.engine.transcript.hash();
        let master = if self.hs.asked.extended_master_secret {
            keys::extended_master_secret(&premaster, &hash)
        } else {
            keys::master_secret(&premaster, client, server)
        };
        let pair = cipher::derive(suite, Side::Server, &master, client, server)
            .ok_or(Error::NoCommonSuite)?;
        #[cfg(feature = "keylog")]
        self.engine.log_key(client, &master);
        self.engine.install(pair);
        self.hs.expected = keys::verify_data(&master, Side::Client, &hash);
        // The client's Finished can only be this one, so ours is known now, and the master secret can go.
        let mut transcript = self.engine.transcript.clone();
        transcript.add(Kind::Finished, self.engine.next_seq, &self.hs.expected);
        self.hs.verify_data = keys::verify_data(&master, Side::Server, &transcript.hash());
        self.state = State::WaitFinished;
        Ok(())
    }

    fn on_finished(&mut self, body: &[u8]) -> Result<(), Refusal> {
        if !bool::from(self.hs.expected.ct_eq(body)) {
            return Err(Error::BadFinished.into());
        }
        self.engine.received(Kind::Finished, body);
        self.engine.timers.stop_all();
        let seq = self.engine.flight.seq_after();
        // Nobody answers this flight: it is repeated when the client repeats its own.
        self.engine.begin(Flight::new(FINISH, seq, false));
        self.state = State::Connected;
        Ok(())
    }
}

impl Layer for Server<'_> {
    const HEADROOM: usize = cipher::HEADROOM;
    const TAILROOM: usize = cipher::TAILROOM;
    type Event<'p> = Event<'p>;
    type Error = Error;

    fn handle_datagram<'p>(
        &mut self,
        cx: &mut Cx<'_>,
        input: &mut Datagram<'p>,
    ) -> Result<Option<Event<'p>>, Error> {
        self.engine.alive()?;
        self.answered = false;
        while let Some(record) = self.engine.next_record(input) {
            match record {
                Record::Data(bytes) if self.state == State::Connected => {
                    count(&mut self.engine.stats.rx_data);
                    return Ok(Some(Event::Data(bytes)));
                }
                Record::Data(_) => count(&mut self.engine.stats.rx_early),
                Record::Alert { protected, bytes } => {
                    if self.engine.on_alert(protected, bytes, self.stage())? {
                        self.state = State::Closed;
                        return Ok(Some(Event::Closed));
                    }
                }
                Record::Handshake {
                    protected,
                    seq,
                    bytes,
                } => {
                    let before = self.state;
                    self.on_handshake(cx, input.from(), protected, seq, bytes);
                    if let (State::Connected, State::WaitFinished, Some(suite)) =
                        (self.state, before, self.hs.suite)
                    {
                        return Ok(Some(Event::Connected { suite }));
                    }
                }
            }
        }
        Ok(None)
    }

    fn handle_timeout(&mut self, cx: &mut Cx<'_>) -> Result<(), Error> {
        let error = match self.state {
            // The clock runs before a handshake does only where a hello was refused.
            State::WaitClientHello => Error::NoCommonSuite,
            _ => timeout(self.phase()),
        };
        self.engine.handle_timeout(cx.now, error)
    }

    fn poll_transmit(&mut self, cx: &mut Cx<'_>, tx: &mut TxBuf<'_>) -> Result<bool, Error> {
        if let Some((cookie, seq)) = self.verify.take() {
            self.transmit_verify(tx, &cookie, seq)?;
            return Ok(true);
        }
        let (hs, fixed) = (&self.hs, &self.fixed);
        self.engine
            .transmit(cx, tx, |kind, w| hs.encode(fixed, kind, w))
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.engine.timers.next()
    }
}

impl Server<'_> {
    /// Writes a HelloVerifyRequest: number 0, and the record number of the hello, since we keep none (RFC 6347 §4.2.1).
    fn transmit_verify(
        &self,
        tx: &mut TxBuf<'_>,
        cookie: &[u8; COOKIE],
        seq: u64,
    ) -> Result<(), Error> {
        let mut memory = [0; 3 + COOKIE];
        let mut w = Writer::new(&mut memory);
        message::write_hello_verify_request(&mut w, cookie);
        let body = w.finish()?;
        let whole = Fragment {
            kind: Kind::HelloVerifyRequest,
            len: body.len(),
            seq: 0,
            offset: 0,
            bytes: body,
        };
        let at = Position { epoch: 0, seq };
        let len = message::HEADER + body.len();
        put_plain(
            tx,
            ContentType::Handshake,
            DTLS_1_0,
            at,
            [&whole.header(), body],
            len,
        )?;
        Ok(())
    }
}

impl fmt::Debug for Server<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("state", &self.state)
            .field("suite", &self.hs.suite)
            .field("stats", &self.engine.stats)
            .finish_non_exhaustive()
    }
}
