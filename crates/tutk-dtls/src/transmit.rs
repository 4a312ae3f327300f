//! Records out: flights, encoded from state each time, and alerts.

use tutk_core::wire::Writer;
use tutk_core::{Cx, Full, TxBuf};

use crate::config::MIN_MTU;
use crate::engine::{Engine, Timer};
use crate::error::Error;
use crate::flight::Item;
use crate::message::{self, Fragment, Kind, MAX_BODY};
use crate::record::{self, ContentType, DTLS_1_2, Header, Position};
use crate::stats::count;

/// What stands in front of a fragment in plaintext.
const PLAIN_OVERHEAD: usize = record::HEADER + message::HEADER;

impl From<Full> for Error {
    fn from(_: Full) -> Self {
        Self::BufferTooSmall
    }
}

/// A message body in scratch memory.
fn encoded(
    scratch: &mut [u8; MAX_BODY],
    kind: Kind,
    encode: impl Fn(Kind, &mut Writer<'_>),
) -> Result<&[u8], Full> {
    let mut w = Writer::new(scratch);
    encode(kind, &mut w);
    w.finish().map(|body| &*body)
}

impl Engine<'_> {
    /// Adds every message of the current flight but a Finished to the transcript.
    pub(crate) fn hash_flight(
        &mut self,
        encode: impl Fn(Kind, &mut Writer<'_>),
    ) -> Result<(), Error> {
        for (kind, seq) in self
            .flight
            .messages()
            .filter(|(kind, _)| *kind != Kind::Finished)
        {
            let mut scratch = [0; MAX_BODY];
            let body = encoded(&mut scratch, kind, &encode)?;
            self.transcript.add(kind, seq, body);
        }
        Ok(())
    }

    /// Writes one datagram of what is to be sent; `false` when nothing is.
    pub(crate) fn transmit(
        &mut self,
        cx: &mut Cx<'_>,
        tx: &mut TxBuf<'_>,
        encode: impl Fn(Kind, &mut Writer<'_>),
    ) -> Result<bool, Error> {
        if !self.flight.is_sending() && self.alert.is_none() {
            return self.alive().map(|()| false);
        }
        let limit = self.mtu.min(tx.room());
        if limit < usize::from(MIN_MTU) {
            return Err(Error::BufferTooSmall);
        }
        if self.flight.is_sending() {
            self.transmit_flight(cx, tx, limit, &encode)?;
        } else if let Some(alert) = self.alert.take() {
            let level = if alert.fatal { 2 } else { 1 };
            self.put_record(
                cx,
                tx,
                ContentType::Alert,
                self.sealer.is_some(),
                [&[level, alert.description], &[]],
            )?;
        }
        Ok(true)
    }

    fn transmit_flight(
        &mut self,
        cx: &mut Cx<'_>,
        tx: &mut TxBuf<'_>,
        limit: usize,
        encode: &impl Fn(Kind, &mut Writer<'_>),
    ) -> Result<(), Error> {
        if self.flight.is_at_start() {
            count(&mut self.stats.tx_flights);
        }
        while let Some(item) = self.flight.current() {
            let room = limit.saturating_sub(tx.len());
            let done = match item {
                Item::ChangeCipherSpec if room < record::HEADER + 1 => false,
                Item::ChangeCipherSpec => {
                    self.put_record(cx, tx, ContentType::ChangeCipherSpec, false, [&[1], &[]])?;
                    true
                }
                Item::Message(kind) => self.put_message(cx, tx, kind, room, encode)?,
            };
            if !done {
                return Ok(());
            }
            self.flight.next();
        }
        self.flight.finish(cx.now);
        if self.flight.is_answered() {
            let at = cx.now + self.backoff.advance(cx.rng);
            self.timers.set(Timer::Retransmit as usize, at);
        }
        Ok(())
    }

    /// Writes as much of a message as there is room for; `true` when that was its end.
    fn put_message(
        &mut self,
        cx: &mut Cx<'_>,
        tx: &mut TxBuf<'_>,
        kind: Kind,
        room: usize,
        encode: &impl Fn(Kind, &mut Writer<'_>),
    ) -> Result<bool, Error> {
        let mut scratch = [0; MAX_BODY];
        let body = encoded(&mut scratch, kind, encode)?;
        let (offset, seq) = (self.flight.offset(), self.flight.seq());
        let left = body.get(offset..).unwrap_or_default();
        let whole = |bytes| Fragment {
            kind,
            len: body.len(),
            seq,
            offset,
            bytes,
        };
        if kind == Kind::Finished {
            let len = message::HEADER + left.len();
            let (head, tail) = self.sealer.as_ref().map_or((0, 0), |s| s.overhead(len));
            if head + len + tail > room {
                return Ok(false);
            }
            self.put_record(
                cx,
                tx,
                ContentType::Handshake,
                true,
                [&whole(left).header(), left],
            )?;
            return Ok(true);
        }
        let space = room.saturating_sub(PLAIN_OVERHEAD);
        // What does not fit behind others begins in a datagram of its own.
        if room < PLAIN_OVERHEAD || (left.len() > space && !tx.is_empty()) {
            return Ok(false);
        }
        let part = left.get(..space).unwrap_or(left);
        self.put_record(
            cx,
            tx,
            ContentType::Handshake,
            false,
            [&whole(part).header(), part],
        )?;
        self.flight.advance(part.len());
        Ok(part.len() == left.len())
    }

    /// Writes one record behind what `tx` holds.
    fn put_record(
        &mut self,
        cx: &mut Cx<'_>,
        tx: &mut TxBuf<'_>,
        kind: ContentType,
        protected: bool,
        parts: [&[u8]; 2],
    ) -> Result<(), Error> {
        let at = self.next_position(u16::from(protected))?;
        let len = parts.iter().map(|p| p.len()).sum();
        let Some(sealer) = self.sealer.as_ref().filter(|_| protected) else {
            return put_plain(tx, kind, DTLS_1_2, at, parts, len).map_err(Error::from);
        };
        let (head, tail) = sealer.overhead(len);
        let mut inner = TxBuf::new(tx.grow(head + len + tail)?);
        inner.reserve(head, tail)?;
        for part in parts {
            inner.append(part)?;
        }
        Ok(sealer.seal(kind, at, cx.rng, &mut inner)?)
    }
}

/// Writes a record of epoch 0.
pub(crate) fn put_plain(
    tx: &mut TxBuf<'_>,
    kind: ContentType,
    version: [u8; 2],
    at: Position,
    parts: [&[u8]; 2],
    len: usize,
) -> Result<(), Full> {
    tx.append(
        &Header {
            kind,
            version,
            at,
            len,
        }
        .to_bytes(),
    )?;
    parts.iter().try_for_each(|part| tx.append(part))
}
