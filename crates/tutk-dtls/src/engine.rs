//! What both roles share: records in, keys, sequence numbers, timers, alerts. Records out are in `transmit`.

use core::fmt;
use core::time::Duration;

use tutk_core::{Backoff, Cx, Datagram, Instant, Timers, TxBuf};

use crate::cipher::{Opener, Sealer};
use crate::config::MIN_MTU;
use crate::error::{Error, Phase, SealError, alert};
use crate::flight::Flight;
use crate::message::{Fragment, Kind, Transcript};
use crate::reassembly::{Outcome, Reassembly};
use crate::record::{ContentType, DTLS_1_2, HEADER, Header, MAX_PLAINTEXT, MAX_SEQUENCE, Position};
use crate::stats::{Stats, count};
use crate::suite::CipherSuite;
use crate::window::ReplayWindow;

/// First interval of flight repetition; it doubles up to [`RETRANSMIT_CAP`] (`docs/protocol.md` §2.14).
const RETRANSMIT_FIRST: Duration = Duration::from_millis(300);
/// Longest interval: within the default limit of 8 s a flight gets eight chances.
const RETRANSMIT_CAP: Duration = Duration::from_millis(1200);
/// A flight is not repeated at the peer's instigation sooner than this after it was last sent: what repeats faster is a
/// duplicated or forged datagram.
const ECHO_GAP: Duration = Duration::from_millis(150);

/// What a datagram brought about. `Debug` tells the length of data only.
#[derive(PartialEq, Eq)]
pub enum Event<'p> {
    /// The handshake is done and the peer has proved that it has the key. Happens once.
    Connected {
        /// The suite that was agreed.
        suite: CipherSuite,
    },
    /// Application data of one record, decrypted where it lay. May be empty.
    Data(&'p mut [u8]),
    /// The peer said goodbye (close_notify). Nothing more can be sent or will be received. Happens once.
    Closed,
}

impl fmt::Debug for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connected { suite } => write!(f, "Connected({suite:?})"),
            Self::Data(bytes) => write!(f, "Data({} bytes)", bytes.len()),
            Self::Closed => f.write_str("Closed"),
        }
    }
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Timer {
    Retransmit,
    Deadline,
}

/// A record that is worth a look.
pub(crate) enum Record<'p> {
    Handshake {
        protected: bool,
        #[cfg(feature = "server")]
        seq: u64,
        bytes: &'p [u8],
    },
    Alert {
        protected: bool,
        bytes: &'p [u8],
    },
    Data(&'p mut [u8]),
}

/// What a fragment led to.
pub(crate) enum Arrival<'p, 'm> {
    /// Nothing yet.
    Nothing,
    /// It belongs to a message that was received before.
    Repeated,
    /// The next message, where it lies.
    Whole(&'p [u8]),
    /// The next message, in the memory that must be restored, and its length.
    Assembled(&'m mut [u8], usize),
}

/// Why a message was not taken.
pub(crate) enum Refusal {
    /// Malformed, or of no use in this state: dropped.
    Noise,
    Fatal(Error),
}

impl From<tutk_core::wire::Malformed> for Refusal {
    fn from(_: tutk_core::wire::Malformed) -> Self {
        Self::Noise
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Fatal(error)
    }
}

/// An alert to send.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Alert {
    pub(crate) fatal: bool,
    pub(crate) description: u8,
}

pub(crate) struct Engine<'m> {
    pub(crate) reassembly: Reassembly<'m>,
    pub(crate) transcript: Transcript,
    pub(crate) flight: Flight,
    pub(crate) alert: Option<Alert>,
    pub(crate) timers: Timers<2>,
    pub(crate) backoff: Backoff,
    pub(crate) mtu: usize,
    /// Number of the handshake message that is expected next.
    pub(crate) next_seq: u16,
    pub(crate) sealer: Option<Sealer>,
    opener: Option<Opener>,
    window: ReplayWindow,
    /// Next record number of each epoch.
    tx_seq: [u64; 2],
    limit: Duration,
    pub(crate) failed: Option<Error>,
    /// The peer has said goodbye.
    peer_closed: bool,
    /// Somebody wants master secrets; a reset does not change that.
    #[cfg(feature = "keylog")]
    pub(crate) logs_keys: bool,
    /// The master secret, until it is fetched.
    #[cfg(feature = "keylog")]
    pub(crate) key_log: Option<crate::KeyLogEntry>,
    pub(crate) stats: Stats,
}

impl<'m> Engine<'m> {
    pub(crate) fn new(reassembly: &'m mut [u8], mtu: u16, limit: Duration) -> Self {
        Self {
            reassembly: Reassembly::new(reassembly),
            transcript: Transcript::default(),
            flight: Flight::default(),
            alert: None,
            timers: Timers::new(),
            backoff: Backoff::new(RETRANSMIT_FIRST, RETRANSMIT_CAP),
            mtu: mtu.max(MIN_MTU).into(),
            next_seq: 0,
            sealer: None,
            opener: None,
            window: ReplayWindow::default(),
            tx_seq: [0; 2],
            limit,
            failed: None,
            peer_closed: false,
            #[cfg(feature = "keylog")]
            logs_keys: false,
            #[cfg(feature = "keylog")]
            key_log: None,
            stats: Stats::default(),
        }
    }

    /// As freshly made, in the same memory.
    ///
    /// Field by field: a whole new object, moved here, would bring along what the stack held where it has no keys yet.
    pub(crate) fn reset(&mut self) {
        self.forget_handshake();
        self.alert = None;
        self.timers.stop_all();
        self.next_seq = 0;
        self.tx_seq[0] = 0;
        self.failed = None;
        self.peer_closed = false;
        self.stats = Stats::default();
    }

    /// Forgets a half-done handshake, but not the record numbers of epoch 0: a peer may have seen them.
    pub(crate) fn forget_handshake(&mut self) {
        self.reassembly.clear();
        self.transcript = Transcript::default();
        self.flight = Flight::default();
        self.timers.stop(Timer::Retransmit as usize);
        self.backoff.reset();
        self.sealer = None;
        self.opener = None;
        self.window = ReplayWindow::default();
        self.tx_seq[1] = 0;
        #[cfg(feature = "keylog")]
        {
            self.key_log = None;
        }
    }

    /// Keeps the master secret for whoever has asked for it.
    #[cfg(feature = "keylog")]
    pub(crate) fn log_key(&mut self, client_random: &[u8; 32], master: &crate::keys::Master) {
        if self.logs_keys {
            self.key_log = Some(crate::KeyLogEntry::new(client_random, master));
        }
    }

    // --- records in ---

    /// The next record of `input` that is worth a look; the others are dropped and counted. `None`: used up, or the
    /// association is finished.
    pub(crate) fn next_record<'p>(&mut self, input: &mut Datagram<'p>) -> Option<Record<'p>> {
        if self.failed.is_some() {
            input.take_all();
        }
        while !input.is_empty() {
            let header = Header::parse(input.peek()).ok();
            let record = header.and_then(|h| input.take(HEADER + h.len).zip(Some(h)));
            let Some((record, header)) = record else {
                tutk_core::debug!("dropped {} bytes that are no DTLS record", input.len());
                count(&mut self.stats.rx_malformed);
                input.take_all();
                return None;
            };
            count(&mut self.stats.rx_records);
            let body = record.get_mut(HEADER..).unwrap_or_default();
            let protected = header.at.epoch != 0;
            let plain = if protected {
                self.open(&header, body)
            } else {
                Some(body)
            };
            let Some(bytes) = plain else { continue };
            match header.kind {
                ContentType::Handshake => {
                    return Some(Record::Handshake {
                        protected,
                        #[cfg(feature = "server")]
                        seq: header.at.seq,
                        bytes,
                    });
                }
                ContentType::Alert => return Some(Record::Alert { protected, bytes }),
                ContentType::ApplicationData if protected => return Some(Record::Data(bytes)),
                // The epoch in each record says what a ChangeCipherSpec would: nothing waits for it.
                ContentType::ChangeCipherSpec => {}
                ContentType::ApplicationData => count(&mut self.stats.rx_early),
                ContentType::Unknown(_) => count(&mut self.stats.rx_malformed),
            }
        }
        None
    }

    /// Opens a record of epoch 1.
    fn open<'p>(&mut self, header: &Header, body: &'p mut [u8]) -> Option<&'p mut [u8]> {
        let Some(opener) = self.opener.as_ref().filter(|_| header.at.epoch == 1) else {
            count(&mut self.stats.rx_early);
            return None;
        };
        if !self.window.admits(header.at.seq) {
            count(&mut self.stats.rx_replayed);
            return None;
        }
        let opened = if header.version == DTLS_1_2 {
            opener.open(header.kind, header.at, body)
        } else {
            None
        };
        let Some(plain) = opened.filter(|p| p.len() <= MAX_PLAINTEXT) else {
            tutk_core::debug!("dropped a record that does not authenticate");
            count(&mut self.stats.rx_bad_record);
            return None;
        };
        self.window.mark(header.at.seq);
        Some(plain)
    }

    // --- handshake messages in ---

    /// Sorts a fragment by its message number. `protected` says whether the next message must come in epoch 1.
    pub(crate) fn arrive<'p>(
        &mut self,
        fragment: &Fragment<'p>,
        protected: bool,
        must_be_protected: bool,
    ) -> Arrival<'p, 'm> {
        if fragment.seq < self.next_seq {
            count(&mut self.stats.rx_repeated);
            return Arrival::Repeated;
        }
        if fragment.seq > self.next_seq {
            count(&mut self.stats.rx_ahead);
            return Arrival::Nothing;
        }
        if protected != must_be_protected {
            count(&mut self.stats.rx_bad_handshake);
            return Arrival::Nothing;
        }
        self.assemble(fragment)
    }

    /// The message of a fragment, if that makes it whole.
    pub(crate) fn assemble<'p>(&mut self, fragment: &Fragment<'p>) -> Arrival<'p, 'm> {
        if fragment.is_whole() {
            return Arrival::Whole(fragment.bytes);
        }
        match self.reassembly.add(fragment) {
            Outcome::Complete => match self.reassembly.take() {
                Some((memory, len)) => Arrival::Assembled(memory, len),
                None => Arrival::Nothing,
            },
            Outcome::Incomplete => Arrival::Nothing,
            Outcome::Dropped => {
                count(&mut self.stats.rx_fragment_dropped);
                Arrival::Nothing
            }
        }
    }

    /// The expected message was good: it enters the transcript, and the one after it is expected.
    pub(crate) fn received(&mut self, kind: Kind, body: &[u8]) {
        self.transcript.add(kind, self.next_seq, body);
        self.next_seq = self.next_seq.wrapping_add(1);
        self.reassembly.clear();
    }

    /// Notes what became of a message.
    pub(crate) fn settle(&mut self, outcome: Result<(), Refusal>) {
        match outcome {
            Ok(()) => {}
            Err(Refusal::Noise) => {
                tutk_core::debug!("dropped a handshake message");
                count(&mut self.stats.rx_bad_handshake);
            }
            Err(Refusal::Fatal(error)) => self.fail(error),
        }
    }

    // --- alerts, end ---

    /// Reads an alert. `Ok(true)`: the peer closed.
    pub(crate) fn on_alert(
        &mut self,
        protected: bool,
        bytes: &[u8],
        stage: Stage,
    ) -> Result<bool, Error> {
        let believed = match stage {
            #[cfg(feature = "server")]
            Stage::Idle => false,
            Stage::Handshake => true,
            Stage::Connected | Stage::Closed => protected,
        };
        match *bytes {
            [_, alert::CLOSE_NOTIFY]
                if protected
                    && matches!(stage, Stage::Connected | Stage::Closed)
                    && !self.peer_closed =>
            {
                self.peer_closed = true;
                if stage == Stage::Connected {
                    self.say_goodbye();
                }
                Ok(true)
            }
            [2, description] if believed => {
                let error = Error::PeerAlert(description);
                self.failed = Some(error);
                self.timers.stop_all();
                self.flight.stop();
                self.alert = None;
                Err(error)
            }
            _ => {
                count(&mut self.stats.rx_alert_ignored);
                Ok(false)
            }
        }
    }

    /// close_notify goes out by the next `poll_transmit`, if there are keys for it and nothing worse has been said.
    #[inline(never)] // it is said in two places of each role
    pub(crate) fn say_goodbye(&mut self) {
        if self.sealer.is_some() && self.failed.is_none() {
            self.alert = Some(Alert {
                fatal: false,
                description: alert::CLOSE_NOTIFY,
            });
        }
    }

    /// Ends the association: an alert goes out by the next `poll_transmit`, the one after it returns the error.
    pub(crate) fn fail(&mut self, error: Error) {
        tutk_core::warn!("DTLS ends: alert {}", error.alert());
        self.failed = Some(error);
        self.flight.stop();
        self.timers.stop_all();
        self.alert = Some(Alert {
            fatal: true,
            description: error.alert(),
        });
    }

    /// `Err` when the association is finished.
    pub(crate) fn alive(&self) -> Result<(), Error> {
        self.failed.map_or(Ok(()), Err)
    }

    // --- time ---

    /// Starts the handshake's clock, if it does not run yet.
    pub(crate) fn start_deadline(&mut self, now: Instant) {
        if self.timers.get(Timer::Deadline as usize).is_none() {
            self.timers.set(Timer::Deadline as usize, now + self.limit);
        }
    }

    /// Does what is due. `timeout` is what a passed deadline means.
    pub(crate) fn handle_timeout(&mut self, now: Instant, timeout: Error) -> Result<(), Error> {
        self.alive()?;
        if self.timers.expired(Timer::Deadline as usize, now) {
            self.timers.stop_all();
            self.flight.stop();
            self.failed = Some(timeout);
            return Err(timeout);
        }
        if self.timers.expired(Timer::Retransmit as usize, now) {
            count(&mut self.stats.tx_timer_repeats);
            self.flight.restart();
        }
        Ok(())
    }

    /// Sends a new flight.
    pub(crate) fn begin(&mut self, flight: Flight) {
        self.timers.stop(Timer::Retransmit as usize);
        self.backoff.reset();
        self.flight = flight;
    }

    /// The peer repeats its flight, so it lacks ours: sends that again, unless it has only just gone out.
    pub(crate) fn echo(&mut self, now: Instant) {
        let due = self.flight.sent_at().is_some_and(|at| now - at >= ECHO_GAP);
        if due && !self.flight.is_sending() && self.failed.is_none() {
            count(&mut self.stats.tx_echo_repeats);
            self.flight.restart();
        }
    }

    /// The keys are known: records of epoch 1 can be sent and opened from now on.
    pub(crate) fn install(&mut self, (sealer, opener): (Sealer, Opener)) {
        self.sealer = Some(sealer);
        self.opener = Some(opener);
    }

    // --- payload out ---

    /// Makes what `tx` holds one application data record.
    pub(crate) fn seal(&mut self, cx: &mut Cx<'_>, tx: &mut TxBuf<'_>) -> Result<(), SealError> {
        if tx.len() > MAX_PLAINTEXT {
            return Err(SealError::TooLong);
        }
        let at = self.next_position(1).map_err(|_| SealError::Exhausted)?;
        let sealer = self.sealer.as_ref().ok_or(SealError::NotConnected)?;
        sealer.seal(ContentType::ApplicationData, at, cx.rng, tx)?;
        count(&mut self.stats.tx_data);
        Ok(())
    }

    /// A record number that was never used, and never will be again.
    pub(crate) fn next_position(&mut self, epoch: u16) -> Result<Position, Error> {
        let next = self
            .tx_seq
            .get_mut(usize::from(epoch))
            .ok_or(Error::SequenceExhausted)?;
        let seq = *next;
        if seq > MAX_SEQUENCE {
            return Err(Error::SequenceExhausted);
        }
        *next += 1;
        Ok(Position { epoch, seq })
    }

    /// Goes on behind the record number `seq` of epoch 0, as a stateless server must (RFC 6347 §4.2.1). One that nobody can
    /// have reached by counting is not believed.
    #[cfg(feature = "server")]
    pub(crate) fn continue_after(&mut self, seq: u64) {
        if seq < u64::from(u32::MAX) {
            self.tx_seq[0] = self.tx_seq[0].max(seq);
        }
    }
}

/// How far a role has come, as far as the engine cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// A server to which nobody has spoken.
    #[cfg(feature = "server")]
    Idle,
    Handshake,
    Connected,
    Closed,
}

/// What a passed deadline is called.
pub(crate) fn timeout(after: Phase) -> Error {
    Error::HandshakeTimeout { after }
}

#[cfg(test)]
mod tests {
    use rand_chacha::rand_core::SeedableRng;

    use super::*;

    #[test]
    fn debug_of_data_tells_its_length_only() {
        let text = format!("{:?}", Event::Data(&mut b"AUTHPWD".clone()));
        assert_eq!(text, "Data(7 bytes)");
    }

    #[test]
    fn the_peer_closes_once() {
        let mut engine = Engine::new(&mut [], 1200, Duration::from_secs(8));
        let goodbye = [1, alert::CLOSE_NOTIFY];
        assert_eq!(engine.on_alert(true, &goodbye, Stage::Connected), Ok(true));
        assert_eq!(engine.on_alert(true, &goodbye, Stage::Closed), Ok(false));
        assert_eq!(engine.stats.rx_alert_ignored, 1);
        engine.reset();
        assert_eq!(engine.on_alert(true, &goodbye, Stage::Closed), Ok(true));
    }

    #[test]
    fn the_last_record_number_is_used_and_none_after_it() {
        let mut engine = Engine::new(&mut [], 1200, Duration::from_secs(8));
        engine.tx_seq[1] = MAX_SEQUENCE;
        let last = Position {
            epoch: 1,
            seq: MAX_SEQUENCE,
        };
        assert_eq!(engine.next_position(1), Ok(last));
        assert_eq!(engine.next_position(1), Err(Error::SequenceExhausted));
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
        let cx = &mut Cx::new(Instant::ZERO, &mut rng);
        let sealed = engine.seal(cx, &mut TxBuf::new(&mut [0; 100]));
        assert_eq!(sealed, Err(SealError::Exhausted));
    }

    #[test]
    #[cfg(feature = "server")]
    fn a_hello_number_that_nobody_reaches_by_counting_is_not_gone_on_from() {
        let mut engine = Engine::new(&mut [], 1200, Duration::from_secs(8));
        for (hello, ours) in [(7, 7), (3, 7), (0xffff_ffff, 7), (0xffff_fffe, 0xffff_fffe)] {
            engine.continue_after(hello);
            assert_eq!(engine.tx_seq[0], ours);
        }
    }
}
