//! What both roles do once they are logged in: counters, ACK, statistics, IOCTRL.
//!
//! Source: `docs/protocol.md` §2.5, §2.6.

use core::time::Duration;

use tutk_core::wire::Malformed;
use tutk_core::{Full, Instant, TxBuf};
use zerocopy::IntoBytes;
use zerocopy::little_endian::{U16, U32};

use crate::ioctl::{Added, Assembly, Received};
use crate::message::{IoctlPart, Message, StatsBlock};
use crate::wire::{AckHead, StatsReplyBody, VERSION, kind};
use crate::{Event, Ioctl, IoctlTicket, LinkStats};

/// Time between two ACKs of the side that watches.
const ACK_INTERVAL: Duration = Duration::from_millis(100);
/// Stands in an ACK for "no media yet".
const NO_MEDIA: u16 = 0xffff;

#[derive(Debug)]
pub(crate) struct Link<'m> {
    /// Next sequence number of our reliable messages: ACK and IOCTRL share it.
    next_seq: u16,
    /// Next IOCTRL counter.
    next_ioctl: u16,
    received: Received,
    assembly: Assembly<'m>,
    /// Highest media counter seen.
    highest: u16,
    /// What the ACK before said was the highest.
    acknowledged: u16,
    ordinal: u16,
    /// An ACK is to be sent now.
    ack_due: bool,
    /// When the next regular ACK is due.
    ack_at: Option<Instant>,
    /// A clock of the peer's to be echoed.
    echo: Option<u16>,
    echoes: u16,
    pub(crate) stats: LinkStats,
}

impl<'m> Link<'m> {
    pub(crate) fn new(ioctl_memory: &'m mut [u8]) -> Self {
        Self {
            next_seq: 0,
            next_ioctl: 0,
            received: Received::default(),
            assembly: Assembly::new(ioctl_memory),
            highest: NO_MEDIA,
            acknowledged: NO_MEDIA,
            ordinal: 0,
            ack_due: false,
            ack_at: None,
            echo: None,
            echoes: 0,
            stats: LinkStats::default(),
        }
    }

    /// Forgets everything, in the same memory.
    pub(crate) fn reset(&mut self) {
        let mut assembly = core::mem::replace(&mut self.assembly, Assembly::new(&mut []));
        assembly.reset();
        *self = Self::new(&mut []);
        self.assembly = assembly;
    }

    /// Starts to acknowledge ten times a second, beginning now.
    pub(crate) fn start_acks(&mut self, now: Instant) {
        self.ack_due = true;
        self.ack_at = Some(now + ACK_INTERVAL);
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if self.ack_at.is_some_and(|at| at <= now) {
            self.ack_due = true;
            self.ack_at = Some(now + ACK_INTERVAL);
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.ack_at
    }

    /// Reads a message, and counts it when it can't be read.
    pub(crate) fn parse<'p>(&mut self, bytes: &'p [u8]) -> Option<Message<'p>> {
        Message::parse(bytes)
            .inspect_err(|_why: &Malformed| {
                self.stats.rx_malformed += 1;
                tutk_core::debug!("AV message dropped: {}", _why);
            })
            .ok()
    }

    /// Handles everything but the login.
    pub(crate) fn handle<'p>(&mut self, message: Message<'p>) -> Option<Event<'p>> {
        match message {
            Message::Ioctl(part) => return self.handle_ioctl(part),
            Message::Media(packet) => {
                self.stats.rx_media += 1;
                self.stats.rx_resent += u32::from(packet.resent);
                self.saw_media(packet.counter);
                self.answer(packet.stats);
                return Some(Event::Media(packet));
            }
            Message::Parity(parity) => {
                self.stats.rx_parity += 1;
                self.saw_media(parity.counter);
            }
            Message::StatsRequest(block) => self.answer(Some(block)),
            Message::Channel => {
                self.stats.rx_channel += 1;
                self.ack_due = true;
            }
            // An ACK of a reliable stream matters once we keep sent packets; an IOCTRL is answered by its reply.
            Message::Ack(_) => {}
            Message::Login(_) | Message::LoginReply(_) | Message::StatsReply { .. } => {
                self.stats.rx_unexpected += 1;
            }
            Message::Unknown(_code) => {
                self.stats.rx_unknown += 1;
                tutk_core::debug!("AV message of unknown type {} dropped", _code);
            }
        }
        None
    }

    fn saw_media(&mut self, counter: u16) {
        if self.highest == NO_MEDIA || counter.wrapping_sub(self.highest) < 0x8000 {
            self.highest = counter;
        }
    }

    fn answer(&mut self, request: Option<StatsBlock>) {
        if let Some(request) = request {
            self.echo = Some(request.clock);
        }
    }

    fn handle_ioctl<'p>(&mut self, part: IoctlPart<'p>) -> Option<Event<'p>> {
        self.stats.rx_ioctl += 1;
        self.answer(part.stats);
        self.ack_due = true;
        let repeat = self.received.contains(part.counter);
        self.stats.rx_ioctl_repeated += u32::from(repeat);
        if let Some((kind, payload)) = part.whole() {
            self.received.insert(part.counter);
            return Some(Event::Ioctl(Ioctl {
                kind,
                payload,
                repeat,
            }));
        }
        // A peer that counts packets wants each acknowledged; one that counts messages, only a whole one.
        if part.counter != part.message {
            self.received.insert(part.counter);
        }
        match self.assembly.add(&part, repeat) {
            Added::Complete => {
                self.received.insert(part.message);
                self.received.insert(part.counter);
                Some(Event::IoctlAssembled)
            }
            Added::Pending => None,
            Added::Refused => {
                self.stats.rx_ioctl_dropped += 1;
                tutk_core::debug!("part of an IOCTRL dropped: it does not fit");
                None
            }
        }
    }

    pub(crate) fn assembled(&self) -> Option<Ioctl<'_>> {
        self.assembly.assembled()
    }

    pub(crate) fn ioctl_ticket(&mut self) -> IoctlTicket {
        let ticket = IoctlTicket::new(self.seq(), self.next_ioctl);
        self.next_ioctl = self.next_ioctl.wrapping_add(1);
        ticket
    }

    fn seq(&mut self) -> u16 {
        let seq = self.next_seq;
        self.next_seq = seq.wrapping_add(1);
        seq
    }

    /// Writes a pending statistics reply or ACK.
    pub(crate) fn poll_transmit(&mut self, now: Instant, tx: &mut TxBuf<'_>) -> Result<bool, Full> {
        if let Some(clock) = self.echo {
            let count = self.echoes.wrapping_add(1);
            tx.append(stats_reply(clock, count).as_bytes())?;
            self.echo = None;
            self.echoes = count;
            self.stats.tx_stats_reply += 1;
            return Ok(true);
        }
        if self.ack_due {
            self.ordinal = self.ordinal.wrapping_add(1);
            let ack = AckOut {
                seq: self.seq(),
                from: self.acknowledged,
                highest: self.highest,
                ioctl: self.received.edge(),
                ordinal: self.ordinal,
                clock: now.as_millis() as u32,
            };
            ack.write(&[], tx)?;
            self.acknowledged = self.highest;
            self.ack_due = false;
            self.stats.tx_ack += 1;
            return Ok(true);
        }
        Ok(false)
    }
}

fn stats_reply(clock: u16, count: u16) -> StatsReplyBody {
    StatsReplyBody {
        kind: U16::new(kind::STATS_REPLY),
        version: U16::new(VERSION),
        zero: U32::ZERO,
        clock: U16::new(clock),
        count: U16::new(count),
        count_2: U16::new(count),
        zero_2: [0; 6],
    }
}

/// An ACK to be sent; fields as in [`crate::Ack`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct AckOut {
    pub(crate) seq: u16,
    pub(crate) from: u16,
    pub(crate) highest: u16,
    pub(crate) ioctl: u16,
    pub(crate) ordinal: u16,
    /// Milliseconds.
    pub(crate) clock: u32,
}

impl AckOut {
    /// Writes the ACK, asking for the counters `missing` again. A list of one is not understood by cameras, so its
    /// entry is written twice.
    pub(crate) fn write(&self, missing: &[u16], tx: &mut TxBuf<'_>) -> Result<(), Full> {
        let twice;
        let missing = match missing {
            [one] => {
                twice = [*one; 2];
                &twice
            }
            other => other,
        };
        let n = u16::try_from(missing.len()).map_err(|_| Full)?;
        let clock_len = if missing.is_empty() { 4 } else { 2 };
        if tx.room() < size_of::<AckHead>() + clock_len + 2 * missing.len() {
            return Err(Full);
        }
        let head = AckHead {
            kind: U16::new(kind::ACK),
            version: U16::new(VERSION),
            seq: U16::new(self.seq),
            zero: U16::ZERO,
            from: U16::new(self.from),
            highest: U16::new(self.highest),
            ioctl: U16::new(self.ioctl),
            missing: U16::new(n),
            zero_2: U16::ZERO,
            ordinal: U16::new(self.ordinal),
        };
        tx.append(head.as_bytes())?;
        if missing.is_empty() {
            // The high half comes first.
            return tx.append(&self.clock.rotate_left(16).to_le_bytes());
        }
        tx.append(&(self.clock as u16).to_le_bytes())?;
        for counter in missing {
            tx.append(&counter.wrapping_sub(self.from).to_le_bytes())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{bytes_of, vectors};

    #[test]
    fn acks_match_the_vectors() {
        let derived = &vectors()["derived_av"];
        let cases: [(&str, AckOut, &[u16]); 3] = [
            ("ack_idle", ack(3, 0xffff, 0xffff, 0, 1, 0x0001_1234), &[]),
            ("ack_stream", ack(7, 0x102, 0x110, 2, 5, 0x0001_2345), &[]),
            (
                "ack_missing_2",
                ack(8, 0x110, 0x120, 2, 6, 0x0001_2400),
                &[0x112, 0x118],
            ),
        ];
        for (name, ack, missing) in cases {
            let mut memory = [0; 64];
            let mut tx = TxBuf::new(&mut memory);
            ack.write(missing, &mut tx).unwrap();
            let written = tx.finish();
            assert_eq!(hex::encode(&*written), derived[name].as_str().unwrap());
            let Ok(Message::Ack(read)) = Message::parse(written) else {
                panic!()
            };
            assert_eq!(
                (read.seq, read.from, read.highest),
                (ack.seq, ack.from, ack.highest)
            );
            assert_eq!((read.ioctl, read.ordinal), (ack.ioctl, ack.ordinal));
            assert_eq!(read.missing().collect::<Vec<_>>(), missing);
        }
    }

    fn ack(seq: u16, from: u16, highest: u16, ioctl: u16, ordinal: u16, clock: u32) -> AckOut {
        AckOut {
            seq,
            from,
            highest,
            ioctl,
            ordinal,
            clock,
        }
    }

    #[test]
    fn a_single_missing_counter_is_asked_for_twice() {
        let mut memory = [0; 64];
        let mut tx = TxBuf::new(&mut memory);
        ack(0, 0xfff0, 5, 0, 1, 0).write(&[3], &mut tx).unwrap();
        let Ok(Message::Ack(read)) = Message::parse(tx.payload()) else {
            panic!()
        };
        assert_eq!(read.missing().collect::<Vec<_>>(), [3, 3]);
    }

    #[test]
    fn statistics_reply_matches_the_vector() {
        let vectors = vectors();
        let expected = bytes_of(&vectors["derived_av"]["stats_reply_for_clock_0x510b"]);
        let mut reply = stats_reply(0x510b, 3);
        reply.version = U16::new(0x000b); // the vector is of the older version
        assert_eq!(reply.as_bytes(), expected);
        assert_eq!(
            Message::parse(&expected),
            Ok(Message::StatsReply { clock: 0x510b })
        );
    }

    #[test]
    fn captured_statistics_request_is_echoed() {
        let vectors = vectors();
        let case = vectors["real"]
            .as_array()
            .unwrap()
            .iter()
            .find(|case| case["name"] == "stats_exchange")
            .unwrap();
        let request = bytes_of(&case["rx"]);
        let mut link = Link::new(&mut []);
        let message = link.parse(&request).unwrap();
        assert!(link.handle(message).is_none());
        let mut memory = [0; 64];
        let mut tx = TxBuf::new(&mut memory);
        assert_eq!(link.poll_transmit(Instant::ZERO, &mut tx), Ok(true));
        assert_eq!(
            Message::parse(tx.payload()),
            Ok(Message::StatsReply { clock: 0x510b })
        );
        assert_eq!(link.poll_transmit(Instant::ZERO, &mut tx), Ok(false));
    }
}
