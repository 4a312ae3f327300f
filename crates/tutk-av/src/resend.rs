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
