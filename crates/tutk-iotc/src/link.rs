//! An open session: what a client and a device have in common.
//!
//! ```text
//!              wrap ──► data                     data ──► Event::Data
//!   Open    nothing sent for 2 s ──► alive       alive ──► the client answers it
//!    │      nothing heard for 10 s ──► Err       close from the peer ──► Event::Closed, Ended
//!    │                                           0x0418 without DTLS, and 2.5 s of silence ──► Err
//!    ▼ close()
//!  Closing  wrap ──► data; close, three times ──► Ended
//! ```

use core::mem::offset_of;
use core::net::SocketAddr;

use tutk_core::{Instant, Timers, TxBuf};
use zerocopy::IntoBytes;

use crate::credentials::Credentials;
use crate::ids::Sid;
use crate::stats::{Stats, count, dropped};
use crate::wire::{self, Direction, Packet};
use crate::{ALIVE_INTERVAL, Error, Event, Framing, IDLE_LIMIT, WrapError};

/// Closes are not acknowledged; so many are sent, as the original software does.
const CLOSES: u8 = 3;

/// Where old firmware sends packets of its own.
const NATIVE_CHANNEL: u8 = 5;
/// Bytes that it sends there.
const NATIVE_LEN: usize = 20;

#[derive(Debug, Clone, Copy)]
enum Timer {
    /// Time to look whether an alive is needed.
    Alive,
    /// The peer has been silent for too long.
    Idle,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    Closing { left: u8 },
    Ended,
}

#[derive(Debug)]
pub(crate) struct Link {
    /// Which way our own packets travel.
    way: Direction,
    framing: Framing,
    peer: SocketAddr,
    sid: Sid,
    #[cfg(feature = "cc51")]
    ticket: [u8; 2],
    /// Payloads are encrypted by themselves: mode byte 0x0b.
    secure: bool,
    /// Our own protocol version.
    version: u8,
    /// Only `authenticated` adopts a new address.
    secured: bool,
    phase: Phase,
    /// Of the next data packet (TransCode).
    sequence: u16,
    /// Of the last alive packet.
    #[cfg(feature = "cc51")]
    counter: u32,
    /// An alive to answer, with its token.
    answer: Option<[u8; 8]>,
    /// What old firmware sent on [`NATIVE_CHANNEL`], as it wants it back.
    native: Option<[u8; NATIVE_LEN]>,
    /// A camera without DTLS has sent 0x0418, and nothing since.
    #[cfg(feature = "plain")]
    goodbye: bool,
    /// An alive of our own is due.
    alive_due: bool,
    /// A payload was sent since the alive timer last fired. An alive does not put off the next one.
    sent: bool,
    heard: Instant,
    /// When this was last called with a time.
    now: Instant,
    timers: Timers<2>,
}

/// How a session starts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Start {
    pub(crate) way: Direction,
    pub(crate) framing: Framing,
    pub(crate) peer: SocketAddr,
    pub(crate) sid: Sid,
    #[cfg(feature = "cc51")]
    pub(crate) ticket: [u8; 2],
    pub(crate) secure: bool,
    pub(crate) version: u8,
}

impl Link {
    pub(crate) fn new(start: Start, now: Instant) -> Self {
        let mut timers = Timers::new();
        timers.set(Timer::Alive as usize, now + ALIVE_INTERVAL);
        timers.set(Timer::Idle as usize, now + IDLE_LIMIT);
        Self {
            way: start.way,
            framing: start.framing,
            peer: start.peer,
            sid: start.sid,
            #[cfg(feature = "cc51")]
            ticket: start.ticket,
            secure: start.secure,
            version: start.version,
            secured: false,
            phase: Phase::Open,
            sequence: 0,
            #[cfg(feature = "cc51")]
            counter: 0,
            answer: None,
            native: None,
            #[cfg(feature = "plain")]
            goodbye: false,
            alive_due: false,
            sent: false,
            heard: now,
            now,
            timers,
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    pub(crate) fn peer(&self) -> SocketAddr {
        self.peer
    }

    pub(crate) fn framing(&self) -> Framing {
        self.framing
    }

    pub(crate) fn sid(&self) -> &Sid {
        &self.sid
    }

    #[cfg(feature = "cc51")]
    pub(crate) fn ticket(&self) -> [u8; 2] {
        self.ticket
    }

    pub(crate) fn heard(&self) -> Instant {
        self.heard
    }

    pub(crate) fn set_encrypted(&mut self, encrypted: bool) {
        self.secure = encrypted;
    }

    pub(crate) fn set_secured(&mut self, secured: bool) {
        self.secured = secured;
    }

    /// The upper layer authenticated a payload that came from `from` in the latest datagram.
    pub(crate) fn authenticated(&mut self, from: SocketAddr, stats: &mut Stats) {
        if self.is_open() {
            self.adopt(from, stats);
        }
    }

    fn adopt(&mut self, from: SocketAddr, stats: &mut Stats) {
        if !is_same(from, self.peer) {
            tutk_core::debug!("iotc: the peer's address changed");
            count(&mut stats.peer_moved);
            self.peer = from;
        }
        self.heard = self.now;
        self.timers.set(Timer::Idle as usize, self.now + IDLE_LIMIT);
        #[cfg(feature = "plain")]
        {
            self.goodbye = false;
        }
    }

    /// Whether a packet from `from` counts as the peer's; `proven` says that it could prove itself.
    fn admit(&mut self, from: SocketAddr, proven: bool, stats: &mut Stats) -> bool {
        let admitted = is_same(from, self.peer) || (proven && !self.secured);
        if admitted {
            self.adopt(from, stats);
        }
        admitted
    }

    /// The same for a request of the connect stage that bears our session id.
    pub(crate) fn admit_request(
        &mut self,
        now: Instant,
        from: SocketAddr,
        stats: &mut Stats,
    ) -> bool {
        self.now = now;
        self.admit(from, true, stats)
    }

    /// Says goodbye. CC51's close packet is unknown, so there is none.
    pub(crate) fn close(&mut self) {
        if self.is_open() {
            self.end();
            self.phase = Phase::Closing {
                left: match self.framing {
                    Framing::TransCode => CLOSES,
                    Framing::Cc51 => 0,
                },
            };
        }
    }

    pub(crate) fn end(&mut self) {
        self.phase = Phase::Ended;
        self.timers.stop_all();
        self.answer = None;
        self.native = None;
        self.alive_due = false;
    }

    /// A packet of an open session.
    #[cfg_attr(not(feature = "cc51"), expect(unused_variables))]
    pub(crate) fn handle<'p>(
        &mut self,
        now: Instant,
        credentials: &Credentials,
        from: SocketAddr,
        packet: Packet<'p>,
        stats: &mut Stats,
    ) -> Option<Event<'p>> {
        self.now = now;
        if !self.is_open() {
            dropped(&mut stats.rx_unexpected, "the session has ended");
            return None;
        }
        match (self.framing, packet) {
            (
                Framing::TransCode,
                Packet::Data {
                    direction,
                    header,
                    payload,
                },
            ) if direction != self.way => {
                if header.sid != self.sid {
                    dropped(&mut stats.rx_foreign_session, "data of another session");
                    return None;
                }
                // A secured session delivers it from anywhere: the upper layer says whether it is authentic.
                self.admit(from, true, stats);
                if header.header.channel == NATIVE_CHANNEL && self.way == Direction::ToDevice {
                    self.on_native(payload);
                    return None;
                }
                Some(Event::Data {
                    channel: header.header.channel,
                    payload,
                })
            }
            (Framing::TransCode, Packet::Alive { direction, token }) if direction != self.way => {
                self.on_alive(from, *token, stats);
                None
            }
            (Framing::TransCode, Packet::Close { direction, sid }) if direction != self.way => {
                self.on_close(from, sid, stats)
            }
            #[cfg(feature = "cc51")]
            (Framing::Cc51, Packet::Cc51(packet)) => self.on_cc51(credentials, from, packet, stats),
            _ => {
                dropped(&mut stats.rx_unexpected, "not a packet of this session");
                None
            }
        }
    }

    /// From the peer's address any token will do: old firmware does not put the session id there.
    fn on_alive(&mut self, from: SocketAddr, token: [u8; 8], stats: &mut Stats) {
        if !self.admit(from, token == self.sid, stats) {
            dropped(&mut stats.rx_bad_source, "alive from a stranger");
        } else if self.way == Direction::ToDevice {
            self.answer = Some(token);
        }
    }

    /// Asks for an answer like an alive does; what else it means is not known (`docs/protocol.md` §2.4).
    fn on_native(&mut self, payload: &[u8]) {
        if let Ok(mut answer) = <[u8; NATIVE_LEN]>::try_from(payload)
            && let [_, _, _, _, code @ 0x01, ..] = &mut answer
        {
            *code = 0x41;
            self.native = Some(answer);
        }
    }

    fn on_close(
        &mut self,
        from: SocketAddr,
        sid: &Sid,
        stats: &mut Stats,
    ) -> Option<Event<'static>> {
        if *sid != self.sid {
            dropped(&mut stats.rx_foreign_session, "close of another session");
            return None;
        }
        if !is_same(from, self.peer) {
            dropped(&mut stats.rx_bad_source, "close from a stranger");
            return None;
        }
        #[cfg(feature = "plain")]
        if self.way == Direction::ToDevice && !self.secure {
            self.doubt();
            return None;
        }
        self.end();
        Some(Event::Closed)
    }

    /// That 0x0418 is a close is inferred, and old firmware may mean something else by it: then more will come.
    #[cfg(feature = "plain")]
    fn doubt(&mut self) {
        let at = self.now + crate::GOODBYE_DOUBT;
        if !self.goodbye {
            self.timers.set(Timer::Idle as usize, at);
        }
        self.goodbye = true;
    }

    #[cfg(feature = "cc51")]
    fn on_cc51<'p>(
        &mut self,
        credentials: &Credentials,
        from: SocketAddr,
        packet: wire::cc51::Packet<'p>,
        stats: &mut Stats,
    ) -> Option<Event<'p>> {
        use wire::cc51::Packet as Cc51;
        match packet {
            Cc51::Data {
                header,
                payload,
                mac,
            } => {
                if header.sid != self.sid {
                    dropped(&mut stats.rx_foreign_session, "data of another session");
                    return None;
                }
                // Whether cameras fill in this HMAC is unknown, so it counts only where the address or the ticket
                // leaves a doubt. That also spares hashing every media packet.
                let known = header.ticket == self.ticket;
                let proven = (!known || (!is_same(from, self.peer) && !self.secured))
                    && credentials.verify(header.as_bytes(), mac);
                if !known && !proven {
                    dropped(&mut stats.rx_bad_mac, "data with another ticket");
                    return None;
                }
                self.admit(from, proven, stats);
                Some(Event::Data {
                    channel: header.channel,
                    payload,
                })
            }
            Cc51::Alive { body, mac } => {
                if body.sid != self.sid {
                    dropped(&mut stats.rx_foreign_session, "alive of another session");
                    return None;
                }
                let proven = !is_same(from, self.peer) && credentials.verify(body.as_bytes(), mac);
                if !self.admit(from, proven, stats) {
                    dropped(&mut stats.rx_bad_source, "alive from a stranger");
                } else if self.way == Direction::ToDevice {
                    self.answer = Some(self.sid);
                }
                None
            }
            _ => {
                dropped(&mut stats.rx_unexpected, "not a packet of this session");
                None
            }
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Result<(), Error> {
        self.now = now;
        if self.timers.expired(Timer::Idle as usize, now) {
            self.end();
            #[cfg(feature = "plain")]
            if self.goodbye {
                return Err(Error::PeerClosed);
            }
            return Err(Error::AliveTimeout);
        }
        if self.timers.expired(Timer::Alive as usize, now) {
            self.timers.set(Timer::Alive as usize, now + ALIVE_INTERVAL);
            // A device also asks when it hears nothing: the answer keeps its session alive. A CC51 client only answers.
            self.alive_due |= match (self.way, self.framing) {
                (Direction::ToDevice, Framing::TransCode) => !self.sent,
                (Direction::ToDevice, Framing::Cc51) => false,
                (Direction::ToClient, _) => !self.sent || now - self.heard >= ALIVE_INTERVAL,
            };
            self.sent = false;
        }
        Ok(())
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    pub(crate) fn poll_transmit(
        &mut self,
        credentials: &Credentials,
        tx: &mut TxBuf<'_>,
        stats: &mut Stats,
    ) -> Result<bool, Error> {
        if let Some(token) = self.answer {
            self.write_alive(credentials, token, tx)?;
            self.answer = None;
            self.alive_due = false;
        } else if self.alive_due {
            self.write_alive(credentials, self.sid, tx)?;
            self.alive_due = false;
        } else if let Some(answer) = self.native.take() {
            tx.reserve(wire::DATA_HEADER_LEN, 0)?;
            tx.append(&answer)?;
            // It fits: it is shorter than any data.
            let _ = self.wrap_transcode(NATIVE_CHANNEL, false, tx);
        } else if let Phase::Closing { left: left @ 1.. } = self.phase {
            let close = wire::Control::close(self.way, self.sid);
            put_transcode(tx, self.version, close.as_bytes())?;
            self.phase = match left - 1 {
                0 => Phase::Ended,
                left => Phase::Closing { left },
            };
        } else {
            return Ok(false);
        }
        tx.set_destination(self.peer);
        count(&mut stats.tx_packets);
        Ok(true)
    }

    #[cfg_attr(not(feature = "cc51"), expect(unused_variables))]
    fn write_alive(
        &mut self,
        credentials: &Credentials,
        token: [u8; 8],
        tx: &mut TxBuf<'_>,
    ) -> Result<(), Error> {
        match self.framing {
            Framing::TransCode => {
                let alive = wire::Control::alive(self.way, token);
                put_transcode(tx, self.version, alive.as_bytes())
            }
            #[cfg(feature = "cc51")]
            Framing::Cc51 => {
                self.counter = self.counter.wrapping_add(2);
                let body = wire::cc51::AliveBody::new(self.counter, self.sid);
                put_cc51(tx, credentials, body.as_bytes())
            }
            #[cfg(not(feature = "cc51"))]
            Framing::Cc51 => Ok(()),
        }
    }

    /// Makes a packet of the payload in `tx`.
    pub(crate) fn wrap(
        &mut self,
        credentials: &Credentials,
        channel: u8,
        tx: &mut TxBuf<'_>,
        stats: &mut Stats,
    ) -> Result<(), WrapError> {
        // The last word of the upper layer may come after `close`, while the closes wait to be written.
        if self.phase == Phase::Ended {
            return Err(WrapError::NotOpen);
        }
        match self.framing {
            Framing::TransCode => self.wrap_transcode(channel, self.secure, tx)?,
            Framing::Cc51 => self.wrap_cc51(credentials, channel, tx)?,
        }
        tx.set_destination(self.peer);
        self.sent = true;
        count(&mut stats.tx_packets);
        Ok(())
    }

    fn wrap_transcode(
        &mut self,
        channel: u8,
        secure: bool,
        tx: &mut TxBuf<'_>,
    ) -> Result<(), WrapError> {
        let header =
            wire::DataHeader::new(self.way, secure, self.sequence, channel, self.sid, tx.len())
                .ok_or(WrapError::TooLong {
                    max: wire::MAX_DATA,
                })?;
        tx.push_header(header.as_bytes())?;
        scramble(self.version, tx);
        self.sequence = self.sequence.wrapping_add(1);
        Ok(())
    }

    #[cfg(feature = "cc51")]
    fn wrap_cc51(
        &mut self,
        credentials: &Credentials,
        channel: u8,
        tx: &mut TxBuf<'_>,
    ) -> Result<(), WrapError> {
        let header = wire::cc51::DataHeader::new(channel, self.ticket, self.sid, tx.len()).ok_or(
            WrapError::TooLong {
                max: wire::cc51::MAX_DATA,
            },
        )?;
        tx.push_trailer(&credentials.mac(header.as_bytes()))?;
        tx.push_header(header.as_bytes())?;
        Ok(())
    }

    #[cfg(not(feature = "cc51"))]
    fn wrap_cc51(&mut self, _: &Credentials, _: u8, _: &mut TxBuf<'_>) -> Result<(), WrapError> {
        Err(WrapError::NotOpen)
    }
}

/// Whether two addresses are the same.
#[inline(never)] // both kinds of address are hundreds of bytes to compare
pub(crate) fn is_same(a: SocketAddr, b: SocketAddr) -> bool {
    a == b
}

/// Writes a TransCode control packet of protocol version `version`.
#[inline(never)] // there are six kinds of them
pub(crate) fn put_transcode(tx: &mut TxBuf<'_>, version: u8, packet: &[u8]) -> Result<(), Error> {
    tx.append(packet)?;
    scramble(version, tx);
    Ok(())
}

/// Puts our protocol version into the packet in `tx` and scrambles it.
fn scramble(version: u8, tx: &mut TxBuf<'_>) {
    let packet = tx.payload_mut();
    if let Some(byte) = packet.get_mut(offset_of!(wire::Header, version)) {
        *byte = version;
    }
    tutk_transcode::encode(packet);
}

/// Writes a CC51 control packet: `body` and its HMAC.
#[cfg(feature = "cc51")]
pub(crate) fn put_cc51(
    tx: &mut TxBuf<'_>,
    credentials: &Credentials,
    body: &[u8],
) -> Result<(), Error> {
    tx.append(body)?;
    tx.append(&credentials.mac(body))?;
    Ok(())
}
