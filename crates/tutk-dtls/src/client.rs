//! The client role.
//!
//! ```text
//!   Client                                    Server
//!
//!   ClientHello              -------->                         WaitServerHello
//!                            <--------        HelloVerifyRequest   (optional)
//!   ClientHello + cookie     -------->
//!                            <--------        ServerHello
//!                                             ServerKeyExchange    WaitKeyExchange; absent with plain PSK without hint
//!                                             ServerHelloDone  WaitHelloDone
//!   ClientKeyExchange
//!   [ChangeCipherSpec]
//!   Finished                 -------->                         WaitFinished
//!                            <--------        [ChangeCipherSpec]
//!                                             Finished         Connected
//! ```

use core::fmt;

use heapless::Vec;
use subtle::ConstantTimeEq;
use tutk_core::rand_core::Rng;
use tutk_core::wire::{Reader, Writer};
use tutk_core::{Cx, Datagram, Instant, Layer, TxBuf};
use zeroize::Zeroizing;

use crate::cipher;
use crate::config::{ClientConfig, MAX_IDENTITY, Psk, cut};
use crate::engine::{Arrival, Engine, Event, Record, Refusal, Stage, timeout};
use crate::ephemeral::Ephemeral;
use crate::error::{Error, Phase, SealError};
use crate::flight::{Flight, Item};
use crate::keys::{self, Side, VERIFY_DATA};
use crate::message::{self, Fragment, Kind, MAX_COOKIE, ServerHello, ServerKeyExchange};
use crate::record::DTLS_1_2;
use crate::stats::{Stats, count};
use crate::suite::{CipherSuite, Suites};

const HELLO: &[Item] = &[Item::Message(Kind::ClientHello)];
const FINISH: &[Item] = &[
    Item::Message(Kind::ClientKeyExchange),
    Item::ChangeCipherSpec,
    Item::Message(Kind::Finished),
];
/// HelloVerifyRequests that are followed. A second one means that the server's secret has changed meanwhile.
const MAX_VERIFY_ROUNDS: u16 = 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    WaitServerHello,
    WaitKeyExchange,
    WaitHelloDone,
    WaitFinished,
    Connected,
    Closed,
}

/// What the caller chose.
struct Fixed {
    psk: Psk,
    identity: Vec<u8, MAX_IDENTITY>,
    suites: Suites,
    extended_master_secret: bool,
}

/// What our messages are functions of, and what the server's told us.
struct Handshake {
    client_random: [u8; 32],
    cookie: Vec<u8, MAX_COOKIE>,
    server_random: [u8; 32],
    suite: Option<CipherSuite>,
    extended_master_secret: bool,
    /// X25519 public keys: the server's, ours.
    server_point: [u8; 32],
    client_point: [u8; 32],
    /// Content of Finished: ours, and what the server's must be.
    verify_data: [u8; VERIFY_DATA],
    expected: [u8; VERIFY_DATA],
}

impl Handshake {
    fn new(rng: &mut (impl Rng + ?Sized)) -> Self {
        let mut client_random = [0; 32];
        rng.fill_bytes(&mut client_random);
        Self {
            client_random,
            cookie: Vec::new(),
            server_random: [0; 32],
            suite: None,
            extended_master_secret: false,
            server_point: [0; 32],
            client_point: [0; 32],
            verify_data: [0; VERIFY_DATA],
            expected: [0; VERIFY_DATA],
        }
    }

    /// Writes the body of one of our messages. A pure function, so that a repeated flight is the same flight.
    fn encode(&self, fixed: &Fixed, kind: Kind, w: &mut Writer<'_>) {
        match (kind, self.suite) {
            (Kind::ClientHello, _) => message::write_client_hello(
                w,
                &self.client_random,
                &self.cookie,
                fixed.suites,
                fixed.extended_master_secret,
            ),
            (Kind::ClientKeyExchange, Some(suite)) => {
                message::write_client_key_exchange(w, suite, &fixed.identity, &self.client_point);
            }
            (Kind::Finished, _) => w.bytes(&self.verify_data),
            _ => {}
        }
    }
}

/// The DTLS client of one association. See the [crate] for the contract.
///
/// Its hello goes out by the first `poll_transmit`.
pub struct Client<'m> {
    engine: Engine<'m>,
    fixed: Fixed,
    hs: Handshake,
    state: State,
}

impl<'m> Client<'m> {
    /// A client that is about to send its hello. The handshake's time limit starts now.
    ///
    /// `reassembly` holds one fragmented handshake message:
    /// [`RECOMMENDED_REASSEMBLY`](crate::RECOMMENDED_REASSEMBLY) bytes.
    pub fn new(config: &ClientConfig<'_>, reassembly: &'m mut [u8], cx: &mut Cx<'_>) -> Self {
        let mut client = Self {
            engine: Engine::new(reassembly, config.mtu, config.handshake_limit),
            fixed: Fixed {
                psk: config.psk.clone(),
                identity: cut(config.identity),
                suites: config.suites,
                extended_master_secret: config.extended_master_secret,
            },
            hs: Handshake::new(cx.rng),
            state: State::WaitServerHello,
        };
        client.start(cx.now);
        client
    }

    /// As freshly made, with the same configuration and memory: forgets keys and counters, and says hello again.
    pub fn reset(&mut self, cx: &mut Cx<'_>) {
        self.engine.reset();
        self.hs = Handshake::new(cx.rng);
        self.state = State::WaitServerHello;
        self.start(cx.now);
    }

    fn start(&mut self, now: Instant) {
        self.engine.start_deadline(now);
        self.send_hello(0);
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
            State::WaitServerHello => Phase::Hello,
            State::WaitKeyExchange | State::WaitHelloDone => Phase::KeyExchange,
            State::WaitFinished | State::Connected | State::Closed => Phase::Finished,
        }
    }

    /// The suite the server chose, once it has.
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

    /// Seals although the handshake is not done, to see that a server does not believe it.
    #[cfg(all(test, feature = "server", feature = "chacha", feature = "cbc"))]
    pub(crate) fn seal_early(&mut self, cx: &mut Cx<'_>, tx: &mut TxBuf<'_>) {
        self.engine.seal(cx, tx).expect("keys are installed");
    }

    fn stage(&self) -> Stage {
        match self.state {
            State::Connected => Stage::Connected,
            State::Closed => Stage::Closed,
            _ => Stage::Handshake,
        }
    }

    fn send_hello(&mut self, seq: u16) {
        self.engine.next_seq = seq;
        self.engine.transcript = message::Transcript::default();
        self.begin(Flight::new(HELLO, seq, true));
    }

    /// Puts a flight on its way and its messages into the transcript.
    fn begin(&mut self, flight: Flight) {
        self.engine.begin(flight);
        let (hs, fixed) = (&self.hs, &self.fixed);
        if let Err(error) = self.engine.hash_flight(|kind, w| hs.encode(fixed, kind, w)) {
            self.engine.fail(error);
        }
    }

    fn on_handshake(&mut self, cx: &mut Cx<'_>, protected: bool, bytes: &[u8]) {
        let mut r = Reader::new(bytes);
        while !r.is_empty() && self.engine.failed.is_none() {
            let Ok(fragment) = Fragment::read(&mut r) else {
                count(&mut self.engine.stats.rx_bad_handshake);
                return;
            };
            if !protected && self.stage() != Stage::Handshake {
                count(&mut self.engine.stats.rx_plaintext_ignored);
                return;
            }
            if !protected && self.is_another_verify_request(&fragment) {
                let outcome = self.on_hello_verify_request(fragment.bytes);
                self.engine.settle(outcome);
                continue;
            }
            match self
                .engine
                .arrive(&fragment, protected, self.state == State::WaitFinished)
            {
                Arrival::Nothing => {}
                // The server lacks our last flight, if that is already on its way.
                Arrival::Repeated if self.state == State::WaitFinished => self.engine.echo(cx.now),
                Arrival::Repeated => {}
                Arrival::Whole(body) => {
                    let outcome = self.on_message(cx, fragment.kind, body);
                    self.engine.settle(outcome);
                }
                Arrival::Assembled(memory, len) => {
                    let outcome =
                        self.on_message(cx, fragment.kind, memory.get(..len).unwrap_or_default());
                    self.engine.reassembly.restore(memory);
                    self.engine.settle(outcome);
                }
            }
        }
    }

    fn on_message(&mut self, cx: &mut Cx<'_>, kind: Kind, body: &[u8]) -> Result<(), Refusal> {
        match (self.state, kind) {
            (State::WaitServerHello, Kind::HelloVerifyRequest) => {
                self.on_hello_verify_request(body)
            }
            (State::WaitServerHello, Kind::ServerHello) => self.on_server_hello(body),
            (State::WaitKeyExchange, Kind::ServerKeyExchange) => self.on_server_key_exchange(body),
            (State::WaitKeyExchange, Kind::ServerHelloDone) if !self.is_ecdhe() => {
                self.on_server_hello_done(cx, body)
            }
            (State::WaitHelloDone, Kind::ServerHelloDone) => self.on_server_hello_done(cx, body),
            (State::WaitFinished, Kind::Finished) => self.on_finished(body),
            _ => Err(Refusal::Noise),
        }
    }

    fn is_ecdhe(&self) -> bool {
        self.hs.suite.is_some_and(CipherSuite::is_ecdhe)
    }

    /// Whether this asks for a cookie once more. A server that keeps nothing numbers each such request 0, also when its
    /// secret has changed since the last one.
    fn is_another_verify_request(&self, fragment: &Fragment<'_>) -> bool {
        self.state == State::WaitServerHello
            && fragment.kind == Kind::HelloVerifyRequest
            && fragment.is_whole()
            && fragment.seq < self.engine.next_seq
            && message::read_hello_verify_request(fragment.bytes)
                .is_ok_and(|cookie| cookie != self.hs.cookie.as_slice())
    }

    fn on_hello_verify_request(&mut self, body: &[u8]) -> Result<(), Refusal> {
        let cookie = message::read_hello_verify_request(body)?;
        let round = self.engine.next_seq + 1;
        if round > MAX_VERIFY_ROUNDS {
            return Err(Refusal::Noise);
        }
        self.hs.cookie = cut(cookie);
        self.engine.reassembly.clear();
        // Neither the first hello nor this request is part of the transcript.
        self.send_hello(round);
        Ok(())
    }

    fn on_server_hello(&mut self, body: &[u8]) -> Result<(), Refusal> {
        let hello = ServerHello::read(body)?;
        if hello.version != DTLS_1_2 {
            return Err(Error::Version.into());
        }
        let suite = CipherSuite::from_code(hello.suite)
            .filter(|s| self.fixed.suites.contains(*s))
            .ok_or(Error::NoCommonSuite)?;
        if hello.bad_extension
            || (hello.extended_master_secret && !self.fixed.extended_master_secret)
        {
            return Err(Error::Extension.into());
        }
        self.hs.server_random = *hello.random;
        self.hs.suite = Some(suite);
        self.hs.extended_master_secret = hello.extended_master_secret;
        self.engine.received(Kind::ServerHello, body);
        self.state = State::WaitKeyExchange;
        Ok(())
    }

    fn on_server_key_exchange(&mut self, body: &[u8]) -> Result<(), Refusal> {
        let suite = self.hs.suite.ok_or(Refusal::Noise)?;
        match ServerKeyExchange::read(body, suite)? {
            ServerKeyExchange::Psk => {}
            ServerKeyExchange::X25519(point) => self.hs.server_point = *point,
            ServerKeyExchange::OtherGroup => return Err(Error::Group.into()),
        }
        self.engine.received(Kind::ServerKeyExchange, body);
        self.state = State::WaitHelloDone;
        Ok(())
    }

    fn on_server_hello_done(&mut self, cx: &mut Cx<'_>, body: &[u8]) -> Result<(), Refusal> {
        let suite = self
            .hs
            .suite
            .filter(|_| body.is_empty())
            .ok_or(Refusal::Noise)?;
        let mut other = Zeroizing::new([0; 32]);
        if suite.is_ecdhe() {
            let ours = Ephemeral::generate(cx.rng).ok_or(Error::NoCommonSuite)?;
            self.hs.client_point = ours.public();
            other = ours
                .agree(&self.hs.server_point)
                .ok_or(Error::LowOrderPoint)?;
        }
        self.engine.received(Kind::ServerHelloDone, body);
        let first_seq = self.engine.flight.seq_after();
        self.begin(Flight::new(FINISH, first_seq, true));

        let premaster = keys::premaster(&other, self.fixed.psk.expose());
        let (client, server) = (&self.hs.client_random, &self.hs.server_random);
        let hash = self.engine.transcript.hash();
        let master = if self.hs.extended_master_secret {
            keys::extended_master_secret(&premaster, &hash)
        } else {
            keys::master_secret(&premaster, client, server)
        };
        let pair = cipher::derive(suite, Side::Client, &master, client, server)
            .ok_or(Error::NoCommonSuite)?;
        #[cfg(feature = "keylog")]
        self.engine.log_key(client, &master);
        self.engine.install(pair);
        self.hs.verify_data = keys::verify_data(&master, Side::Client, &hash);
        let finished_seq = self.engine.flight.seq_after().wrapping_sub(1);
        self.engine
            .transcript
            .add(Kind::Finished, finished_seq, &self.hs.verify_data);
        self.hs.expected = keys::verify_data(&master, Side::Server, &self.engine.transcript.hash());
        self.state = State::WaitFinished;
        Ok(())
    }

    fn on_finished(&mut self, body: &[u8]) -> Result<(), Refusal> {
        if !bool::from(self.hs.expected.ct_eq(body)) {
            return Err(Error::BadFinished.into());
        }
        self.engine.received(Kind::Finished, body);
        self.engine.timers.stop_all();
        self.engine.flight.stop();
        self.state = State::Connected;
        Ok(())
    }
}

impl Layer for Client<'_> {
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
                    protected, bytes, ..
                } => {
                    let before = self.state;
                    self.on_handshake(cx, protected, bytes);
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
        self.engine.handle_timeout(cx.now, timeout(self.phase()))
    }

    fn poll_transmit(&mut self, cx: &mut Cx<'_>, tx: &mut TxBuf<'_>) -> Result<bool, Error> {
        let (hs, fixed) = (&self.hs, &self.fixed);
        self.engine
            .transmit(cx, tx, |kind, w| hs.encode(fixed, kind, w))
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.engine.timers.next()
    }
}

impl fmt::Debug for Client<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("state", &self.state)
            .field("suite", &self.hs.suite)
            .field("stats", &self.engine.stats)
            .finish_non_exhaustive()
    }
}
