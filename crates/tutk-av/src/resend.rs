//! Copies of the media packets sent last, and which of them the peer wants again: the sender's half of lossless mode.
//!
//! The caller's memory is a ring of places of [`RESEND_SLOT`] bytes, a packet's place follows from its counter:
//!
//! ```text
//! counter u16 | length u16 | flags u8 | 0 | when the last copy went out, ms u16 | the message as it was sent, ≤ 1100
//! ```
//! Source: `docs/protocol.md` §2.6, §2.8.

use core::fmt;

use tutk_core::{Full, Instant, TxBuf};
use zerocopy::FromBytes;
use zerocopy::little_endian::U16;

use crate::FrameInfo;
use crate::message::MediaPacket;
use crate::wire::{FRAGMENT, FecBlock, Inner, Outer, SlotHead};

/// Longest media message: all headers, a whole fragment, FRAMEINFO.
const MESSAGE: usize =
    size_of::<Outer>() + size_of::<FecBlock>() + size_of::<Inner>() + FRAGMENT + FrameInfo::CAMERA;
/// Bytes of memory that the copy of one media packet takes.
pub const RESEND_SLOT: usize = size_of::<SlotHead>() + MESSAGE;

/// Most copies that wait to be sent.
const MAX_WANTED: u16 = 64;
/// Requests for a packet are ignored this long after a copy of it went out, milliseconds.
const SPACING_MS: u16 = 60;

/// The peer wants it.
const WANTED: u8 = 1;
/// A copy has been sent.
const COPIED: u8 = 2;

pub(crate) struct Resend<'m> {
    memory: &'m mut [u8],
    slots: usize,
    /// Places marked as wanted.
    wanted: u16,
    /// Where the search for a wanted place goes on.
    cursor: usize,
}

impl fmt::Debug for Resend<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resend")
            .field("slots", &self.slots)
            .field("wanted", &self.wanted)
            .finish_non_exhaustive()
    }
}

impl<'m> Resend<'m> {
    pub(crate) fn new(memory: &'m mut [u8]) -> Self {
        let slots = (memory.len() / RESEND_SLOT).min(usize::from(u16::MAX));
        let mut new = Self {
            memory,
            slots,
            wanted: 0,
            cursor: 0,
        };
        new.clear();
        new
    }

    /// Forgets all copies.
    pub(crate) fn clear(&mut self) {
        for i in 0..self.slots {
            if let Some((head, _)) = self.slot(i) {
                head.len = U16::ZERO;
                head.flags = 0;
            }
        }
        self.wanted = 0;
        self.cursor = 0;
    }

    fn slot(&mut self, i: usize) -> Option<(&mut SlotHead, &mut [u8])> {
        let start = i.checked_mul(RESEND_SLOT)?;
        let bytes = self.memory.get_mut(start..start + RESEND_SLOT)?;
        SlotHead::mut_from_prefix(bytes).ok()
    }

    fn slot_of(&mut self, counter: u16) -> Option<(&mut SlotHead, &mut [u8])> {
        let i = usize::from(counter).checked_rem(self.slots)?;
        self.slot(i)
    }

    /// Keeps a copy of `message`, which `packet` was read from.
    pub(crate) fn keep(&mut self, packet: &MediaPacket<'_>, message: &[u8]) {
        let Some((head, room)) = self.slot_of(packet.counter) else {
            return;
        };
        let was_wanted = head.flags & WANTED != 0;
        head.flags = 0;
        head.counter = U16::new(packet.counter);
        head.len = match room.get_mut(..message.len()) {
            Some(room) => {
                room.copy_from_slice(message);
                U16::new(message.len() as u16)
            }
            None => U16::ZERO,
        };
        self.wanted = self.wanted.saturating_sub(was_wanted.into());
    }

    /// Marks a packet that the peer asked for. No effect when it is gone, or a copy of it is still under way.
    pub(crate) fn want(&mut self, now: Instant, counter: u16) {
        if self.wanted >= MAX_WANTED {
            return;
        }
        let Some((head, _)) = self.slot_of(counter) else {
            return;
        };
        let age = (now.as_millis() as u16).wrapping_sub(head.copied_at.get());
        let fresh = head.flags & COPIED != 0 && age < SPACING_MS;
        if head.len == U16::ZERO || head.counter.get() != counter || fresh {
            return;
        }
        let new = head.flags & WANTED == 0;
        head.flags |= WANTED;
        self.wanted += u16::from(new);
    }

    /// Writes the next copy that is wanted into `tx`; `false` when there is none.
    pub(crate) fn write(&mut self, now: Instant, tx: &mut TxBuf<'_>) -> Result<bool, Full> {
        if self.wanted == 0 {
            return Ok(false);
        }
        for _ in 0..self.slots {
            let i = self.cursor;
            self.cursor = (i + 1) % self.slots;
            let Some((head, message)) = self.slot(i) else {
                continue;
            };
            if head.flags & WANTED == 0 {
                continue;
            }
            let message = message.get(..head.len.get().into()).unwrap_or_default();
            let start = tx.len();
            tx.append(message)?;
            head.flags = COPIED;
            head.copied_at = U16::new(now.as_millis() as u16);
            self.wanted -= 1;
            mark_as_copy(tx.payload_mut().get_mut(start..).unwrap_or_default());
            return Ok(true);
        }
        self.wanted = 0;
        Ok(false)
    }
}

/// Copies say so in the type of their inner header: 3, 5, 7 become 4, 6, 8.
fn mark_as_copy(message: &mut [u8]) {
    let inner = size_of::<Outer>() + size_of::<FecBlock>();
    if let Some(kind) = message.get_mut(inner) {
        *kind += 1;
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;
    use crate::testing::{frame_packets, media};
    use crate::{Codec, OutFrame, Packetizer, Stream};

    const NOW: Instant = Instant::from_millis(100_000);

    /// Keeps the packet with `counter`, whose message is `len` bytes long.
    fn keep(resend: &mut Resend<'_>, counter: u16, len: usize) {
        let mut packet = frame_packets(1, true, b"a frame").remove(0);
        packet[10..12].copy_from_slice(&counter.to_le_bytes());
        let mut message = vec![0x20; len];
        message[..2].copy_from_slice(&counter.to_le_bytes());
        resend.keep(&media(&packet), &message);
    }

    /// Counters of the copies that go out, at most so many.
    fn copies(resend: &mut Resend<'_>, now: Instant, most: usize) -> Vec<u16> {
        let mut all = Vec::new();
        for _ in 0..most {
            let mut memory = [0; MESSAGE];
            let mut tx = TxBuf::new(&mut memory);
            if !resend.write(now, &mut tx).unwrap() {
                break;
            }
            all.push(u16::from_le_bytes([tx.payload()[0], tx.payload()[1]]));
        }
        all
    }

    #[test]
    fn the_longest_packet_of_lossless_mode_just_fits_into_its_place() {
        let mut packetizer = Packetizer::new();
        packetizer.set_lossless(true);
        let mut out = packetizer.start(&OutFrame {
            stream: Stream::Video,
            key: true,
            info: FrameInfo::video(Codec::H264, 20, 0),
            data: &[7; FRAGMENT],
        });
        let mut memory = [0; 1500];
        let mut tx = TxBuf::new(&mut memory);
        assert_eq!(packetizer.next(&mut out, &mut tx), Ok(true));
        assert_eq!((tx.len(), RESEND_SLOT), (MESSAGE, 1108));
    }

    #[test]
    fn only_what_is_kept_is_sent_again() {
        let mut memory = vec![0; 4 * RESEND_SLOT];
        let mut resend = Resend::new(&mut memory);
        resend.want(NOW, 0);
        assert_eq!(copies(&mut resend, NOW, 9), [0; 0], "nothing is kept yet");
        for counter in 0..6 {
            keep(&mut resend, counter, 100);
        }
        keep(&mut resend, 6, MESSAGE + 1);
        for counter in 0..8 {
            resend.want(NOW, counter);
        }
        // 4 and 5 took the places of 0 and 1; 6, too long to be kept, that of 2.
        assert_eq!(copies(&mut resend, NOW, 9), [4, 5, 3]);
    }

    #[test]
    fn a_request_within_60_ms_of_a_copy_is_ignored() {
        let mut memory = vec![0; 4 * RESEND_SLOT];
        let mut resend = Resend::new(&mut memory);
        keep(&mut resend, 3, 100);
        for (after, sent) in [
            (0, true),
            (59, false),
            (60, true),
            (119, false),
            (120, true),
        ] {
            let now = NOW + Duration::from_millis(after);
            resend.want(now, 3);
            assert_eq!(
                copies(&mut resend, now, 9).len(),
                usize::from(sent),
                "{after} ms"
            );
        }
    }

    #[test]
    fn each_copy_that_goes_out_makes_room_for_a_request() {
        let mut memory = vec![0; 200 * RESEND_SLOT];
        let mut resend = Resend::new(&mut memory);
        for counter in 0..200 {
            keep(&mut resend, counter, 100);
        }
        let want = |resend: &mut Resend<'_>, counters: core::ops::Range<u16>| {
            counters.for_each(|counter| resend.want(NOW, counter));
        };
        want(&mut resend, 0..100);
        assert_eq!(copies(&mut resend, NOW, 40), (0..40).collect::<Vec<_>>());
        want(&mut resend, 100..200);
        let rest: Vec<_> = (40..64).chain(100..140).collect();
        assert_eq!(copies(&mut resend, NOW, 200), rest);
    }
}
