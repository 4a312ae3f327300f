//! What both roles do once they are logged in: counters, ACK, statistics, IOCTRL.
//!
//! Source: `docs/protocol.md` §2.5, §2.6.

mod session16;

use core::time::Duration;

use tutk_core::wire::Malformed;
use tutk_core::{Full, Instant, TxBuf};
use zerocopy::IntoBytes;

use crate::ack::{AckOut, stats_reply, stats_request};
use crate::error::{count, count_all};
use crate::ioctl::{Added, Assembly, Received};
use crate::message::{Ack, IoctlPart, MediaPacket, Message, StatsBlock};
use crate::parity::ParityGroup;
use crate::repair::{Repair, retry_ms};
use crate::resend::Resend;
use crate::session16::Answer;
use crate::wire::{ExtBlock, FLAG_EXT, FecBlock, Inner, Outer, WRAPPED};
use crate::{Event, Generation, Ioctl, IoctlTicket, LinkStats, Outgoing, Packetizer};

/// Time between two ACKs of the side that watches.
const ACK_INTERVAL: Duration = Duration::from_millis(100);
/// While frames come, ACKs go with the end of one, because whoever watches is awake then: the first one this long after the
/// ACK before, ...
const ACK_EARLIEST: Duration = Duration::from_millis(75);
/// ... which may be a little late.
const ACK_LATEST: Duration = Duration::from_millis(110);
/// Time between two statistics requests of ours, in lossless mode.
const STATS_INTERVAL: Duration = Duration::from_millis(200);
/// Echoes of older clocks are not believed, milliseconds.
const ECHO_LIMIT: u16 = 4000;
/// Without the feature nothing asks for lossless mode, and the compiler may leave out what it needs.
pub(crate) const LOSSLESS: bool = cfg!(feature = "lossless");
/// Stands in an ACK for "no media yet".
const NO_MEDIA: u16 = 0xffff;

#[derive(Debug)]
pub(crate) struct Link<'m> {
    generation: Generation,
    /// Session16: what is owed to the peer.
    answer: Option<Answer>,
    /// Session16: number of the furthest frame of video and of audio.
    frames: [u32; 2],
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
    /// Both sides want lossless mode.
    lossless: bool,
    /// When the next statistics request of ours is due.
    stats_at: Option<Instant>,
    /// Smoothed round trip, milliseconds; known once the peer has echoed a clock of ours, which also arms `resend`.
    rtt_ms: Option<u16>,
    repair: Option<Repair<'m>>,
    resend: Option<Resend<'m>>,
    parity: &'m mut [ParityGroup],
    /// The packet at hand was computed from parity.
    recovered: bool,
    pub(crate) stats: LinkStats,
}

impl<'m> Link<'m> {
    pub(crate) fn new(ioctl_memory: &'m mut [u8]) -> Self {
        Self {
            generation: Generation::Dtls,
            answer: None,
            frames: [0; 2],
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
            lossless: false,
            stats_at: None,
            rtt_ms: None,
            repair: None,
            resend: None,
            parity: &mut [],
            recovered: false,
            stats: LinkStats::default(),
        }
    }

    pub(crate) fn lend_repair(&mut self, repair: Repair<'m>) {
        self.repair = Some(repair);
    }

    pub(crate) fn lend_resend(&mut self, resend: Resend<'m>) {
        self.resend = Some(resend);
    }

    pub(crate) fn lend_parity(&mut self, groups: &'m mut [ParityGroup]) {
        self.parity = groups;
        self.clear_parity();
    }

    fn clear_parity(&mut self) {
        for group in self.parity.iter_mut() {
            group.clear();
        }
    }

    /// Forgets everything, in the same memory.
    pub(crate) fn reset(&mut self) {
        self.assembly.reset();
        self.clear_parity();
        if let Some(resend) = &mut self.resend {
            resend.clear();
        }
        if let Some(repair) = &mut self.repair {
            repair.clear();
        }
        let old = core::mem::replace(self, Self::new(&mut []));
        self.generation = old.generation;
        self.assembly = old.assembly;
        self.repair = old.repair;
        self.resend = old.resend;
        self.parity = old.parity;
    }

    pub(crate) fn set_generation(&mut self, generation: Generation) {
        self.generation = generation;
    }

    pub(crate) fn generation(&self) -> Generation {
        self.generation
    }

    /// Begins lossless mode.
    pub(crate) fn start_lossless(&mut self, now: Instant) {
        self.lossless = true;
        self.stats_at = Some(now);
    }

    pub(crate) fn is_lossless(&self) -> bool {
        LOSSLESS && self.lossless
    }

    /// Smoothed round trip, milliseconds.
    pub(crate) fn rtt_ms(&self) -> Option<u16> {
        self.rtt_ms
    }

    /// Starts to acknowledge ten times a second, beginning now.
    pub(crate) fn start_acks(&mut self, now: Instant) {
        if self.generation.is_oldest() {
            return;
        }
        self.ack_due = true;
        self.ack_at = Some(now + ACK_INTERVAL);
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if self.ack_at.is_some_and(|at| at <= now) {
            self.ack_due = true;
            let frames_come = self.highest != self.acknowledged;
            self.ack_at = Some(
                now + if frames_come {
                    ACK_LATEST
                } else {
                    ACK_INTERVAL
                },
            );
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        if !self.is_lossless() {
            return self.ack_at;
        }
        let repair = self.repair.as_ref().and_then(Repair::poll_timeout);
        [self.ack_at, self.stats_at, repair]
            .into_iter()
            .flatten()
            .min()
    }

    /// Turns a parity packet into the one packet of its group that is missing, where it lies; answers with the message
    /// that `bytes` then hold.
    #[inline]
    pub(crate) fn recover<'p>(&mut self, bytes: &'p mut [u8]) -> &'p [u8] {
        if !self.is_lossless() || self.parity.is_empty() || bytes.first() != Some(&WRAPPED) {
            return bytes;
        }
        self.recover_parity(bytes)
    }

    #[inline(never)]
    fn recover_parity<'p>(&mut self, bytes: &'p mut [u8]) -> &'p [u8] {
        self.recovered = false;
        let Ok(Message::Parity(parity)) = Message::parse(bytes) else {
            return bytes;
        };
        let place = parity.fec;
        let extended = bytes.get(1).is_some_and(|flags| flags & FLAG_EXT != 0);
        let payload = size_of::<Outer>()
            + size_of::<FecBlock>()
            + size_of::<Inner>()
            + usize::from(extended) * size_of::<ExtBlock>();
        let which = usize::from(place.group).checked_rem(self.parity.len());
        let group = which.and_then(|which| self.parity.get(which));
        let (Some(group), Some((head, protected))) = (group, bytes.split_at_mut_checked(payload))
        else {
            return bytes;
        };
        let from = payload - size_of::<Outer>();
        if !group.recover(place, protected) {
            return bytes;
        }
        // A header of its own makes it a message like any other, of which only the inner header counts.
        if let (Some(outer), Some(kind)) = (head.get_mut(from..), protected.first()) {
            outer.fill(0);
            if let Some(to) = outer.first_mut() {
                *to = *kind;
            }
        }
        self.recovered = true;
        count(&mut self.stats.rx_parity);
        count(&mut self.stats.rx_recovered);
        bytes.get(from..).unwrap_or_default()
    }

    /// Reads a message, and counts it when it can't be read.
    pub(crate) fn parse<'p>(&mut self, bytes: &'p [u8]) -> Result<Message<'p>, Malformed> {
        // Handed on as it is: it is large, and in another wrapping it would be copied.
        let message = Message::parse(bytes);
        if let Err(_why) = &message {
            count(&mut self.stats.rx_malformed);
            tutk_core::debug!("AV message dropped: {}", _why);
        }
        message
    }

    /// Handles everything but the login.
    pub(crate) fn handle<'p>(&mut self, now: Instant, message: &Message<'p>) -> Option<Event<'p>> {
        match *message {
            Message::Ioctl(part) => return self.handle_ioctl(part),
            Message::Media(packet) => {
                count(&mut self.stats.rx_media);
                count_all(&mut self.stats.rx_resent, u32::from(packet.resent));
                self.saw_media(packet.counter);
                if self.is_lossless() {
                    self.track(now, &packet);
                }
                self.echo(packet.stats);
                if packet.last {
                    self.end_of_frame(now);
                }
                return Some(Event::Media(packet));
            }
            // In the one capture counter = group × size + index, so that parity packets have none of their own.
            Message::Parity(_) => count(&mut self.stats.rx_parity),
            Message::StatsRequest(block) => self.echo(Some(block)),
            Message::Channel => {
                count(&mut self.stats.rx_channel);
                self.ack_due = true;
            }
            Message::Ack(ack) => self.handle_ack(now, &ack),
            Message::StatsReply { clock } if self.is_lossless() => self.handle_echo(now, clock),
            Message::Login(_) | Message::LoginReply(_) | Message::StatsReply { .. } => {
                count(&mut self.stats.rx_unexpected);
            }
            Message::Unknown(_code) => {
                count(&mut self.stats.rx_unknown);
                tutk_core::debug!("AV message of unknown type {} dropped", _code);
            }
        }
        None
    }

    /// The last packet of a frame has come.
    fn end_of_frame(&mut self, now: Instant) {
        self.ack_due |= self.generation.is_plain();
        if self
            .ack_at
            .is_some_and(|at| at <= now + (ACK_LATEST - ACK_EARLIEST))
        {
            self.ack_due = true;
            self.ack_at = Some(now + ACK_LATEST);
        }
    }

    fn saw_media(&mut self, counter: u16) {
        if self.highest == NO_MEDIA || counter.wrapping_sub(self.highest) < 0x8000 {
            self.highest = counter;
        }
    }

    /// Notes in lossless mode what has come.
    #[inline(never)]
    fn track(&mut self, now: Instant, packet: &MediaPacket<'_>) {
        let recovered = core::mem::take(&mut self.recovered);
        if let Some(repair) = &mut self.repair {
            repair.received(now, packet, recovered, &mut self.stats);
            self.highest = repair.highest().unwrap_or(self.highest);
        }
        if let Some(place) = packet.fec
            && let Some(which) = usize::from(place.group).checked_rem(self.parity.len())
            && let Some(group) = self.parity.get_mut(which)
        {
            group.add(packet);
        }
    }

    /// Marks what the peer misses. An IOCTRL needs no acknowledgement: its reply is one.
    fn handle_ack(&mut self, now: Instant, ack: &Ack<'_>) {
        let (Some(resend), Some(_armed), true) = (&mut self.resend, self.rtt_ms, LOSSLESS) else {
            return;
        };
        for counter in ack.missing() {
            count(&mut self.stats.rx_requests);
            resend.want(now, counter);
        }
    }

    /// Our clock has come back.
    fn handle_echo(&mut self, now: Instant, clock: u16) {
        let rtt = (now.as_millis() as u16).wrapping_sub(clock);
        if rtt >= ECHO_LIMIT {
            count(&mut self.stats.rx_unexpected);
            return;
        }
        self.rtt_ms = Some(self.rtt_ms.map_or(rtt, |old| (7 * old + rtt) / 8));
    }

    /// Writes the next packet of a frame, in the form that the login settled, and keeps a copy in lossless mode.
    pub(crate) fn write_media(
        &mut self,
        packetizer: &mut Packetizer,
        out: &mut Outgoing<'_>,
        tx: &mut TxBuf<'_>,
    ) -> Result<bool, Full> {
        if self.generation.is_oldest() {
            return packetizer.next16(out, tx);
        }
        packetizer.set_lossless(self.is_lossless());
        if !self.is_lossless() {
            let start = tx.len();
            let written = packetizer.next(out, tx)?;
            self.generation.stamp(start, tx);
            return Ok(written);
        }
        if let Some(group) = self.parity.first_mut()
            && group.is_complete()
        {
            packetizer.write_parity(group, tx)?;
            group.clear();
            count(&mut self.stats.tx_parity);
            return Ok(true);
        }
        let start = tx.len();
        if !packetizer.next(out, tx)? {
            return Ok(false);
        }
        let message = tx.payload().get(start..).unwrap_or_default();
        if let Ok(Message::Media(packet)) = Message::parse(message) {
            if let Some(resend) = &mut self.resend {
                resend.keep(&packet, message);
            }
            if let Some(group) = self.parity.first_mut() {
                group.add(&packet);
            }
        }
        Ok(true)
    }

    fn echo(&mut self, request: Option<StatsBlock>) {
        if let Some(request) = request {
            self.echo = Some(request.clock);
        }
    }

    fn handle_ioctl<'p>(&mut self, part: IoctlPart<'p>) -> Option<Event<'p>> {
        count(&mut self.stats.rx_ioctl);
        self.echo(part.stats);
        self.ack_due = true;
        let repeat = self.received.contains(part.counter);
        count_all(&mut self.stats.rx_ioctl_repeated, u32::from(repeat));
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
                count(&mut self.stats.rx_ioctl_dropped);
                tutk_core::debug!("part of an IOCTRL dropped: it does not fit");
                None
            }
        }
    }

    pub(crate) fn assembled(&self) -> Option<Ioctl<'_>> {
        self.assembly.assembled()
    }

    pub(crate) fn ioctl_ticket(&mut self) -> IoctlTicket {
        let ticket =
            IoctlTicket::new(self.seq(), self.next_ioctl).form(self.generation.ioctl_form());
        self.next_ioctl = self.next_ioctl.wrapping_add(1);
        ticket
    }

    fn seq(&mut self) -> u16 {
        let seq = self.next_seq;
        self.next_seq = seq.wrapping_add(1);
        seq
    }

    /// Writes one packet of an IOCTRL.
    pub(crate) fn write_ioctl(
        &self,
        ticket: IoctlTicket,
        io_type: u32,
        payload: &[u8],
        tx: &mut TxBuf<'_>,
    ) -> Result<(), Full> {
        let start = tx.len();
        ticket.write(io_type, payload, tx)?;
        self.generation.stamp(start, tx);
        Ok(())
    }

    /// Writes what is to be sent beside the login.
    pub(crate) fn poll_transmit(&mut self, now: Instant, tx: &mut TxBuf<'_>) -> Result<bool, Full> {
        if self.generation.is_oldest() {
            let Some(answer) = self.answer else {
                return Ok(false);
            };
            answer.write(tx)?;
            self.answer = None;
            count(&mut self.stats.tx_ack);
            return Ok(true);
        }
        let start = tx.len();
        let written = self.poll_streamed(now, tx)?;
        self.generation.stamp(start, tx);
        Ok(written)
    }

    /// Writes a pending statistics reply or ACK.
    fn poll_streamed(&mut self, now: Instant, tx: &mut TxBuf<'_>) -> Result<bool, Full> {
        if let Some(clock) = self.echo {
            let echoes = self.echoes.wrapping_add(1);
            tx.append(stats_reply(clock, echoes).as_bytes())?;
            self.echo = None;
            self.echoes = echoes;
            count(&mut self.stats.tx_stats_reply);
            return Ok(true);
        }
        if LOSSLESS && self.stats_at.is_some_and(|at| at <= now) {
            let clock = now.as_millis() as u16;
            let timeout_ms = retry_ms(self.rtt_ms) as u16;
            let seq = self.seq();
            tx.append(stats_request(seq, clock, timeout_ms, self.highest).as_bytes())?;
            self.stats_at = Some(now + STATS_INTERVAL);
            count(&mut self.stats.tx_stats_request);
            return Ok(true);
        }
        if self.write_ack(now, tx)? {
            return Ok(true);
        }
        let (Some(resend), true) = (&mut self.resend, LOSSLESS) else {
            return Ok(false);
        };
        let resent = resend.write(now, tx)?;
        count_all(&mut self.stats.tx_resent, u32::from(resent));
        Ok(resent)
    }

    /// Writes an ACK when one is due, or packets are to be asked for.
    fn write_ack(&mut self, now: Instant, tx: &mut TxBuf<'_>) -> Result<bool, Full> {
        let mut missing = heapless::Vec::new();
        let mut from = self.acknowledged;
        if LOSSLESS
            && let Some(repair) = &mut self.repair
            && (self.ack_due || repair.is_due(now))
        {
            repair.requests(now, self.rtt_ms, &mut missing, &mut self.stats);
            if !missing.is_empty() {
                from = repair.edge();
            }
        }
        if !self.ack_due && missing.is_empty() {
            return Ok(false);
        }
        self.ordinal = self.ordinal.wrapping_add(1);
        let ack = AckOut {
            seq: self.seq(),
            from,
            highest: self.highest,
            ioctl: self.received.edge(),
            ordinal: self.ordinal,
            clock: now.as_millis() as u32,
        };
        ack.write(&missing, tx)?;
        self.acknowledged = self.highest;
        self.ack_due = false;
        count(&mut self.stats.tx_ack);
        Ok(true)
    }
}

#[cfg(test)]
mod tests;
