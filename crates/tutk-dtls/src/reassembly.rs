//! One handshake message out of its fragments (RFC 6347 §4.2.3).

use core::mem;

use heapless::Vec;

use crate::message::{Fragment, Kind};

/// Gaps that may be open at once. Peers send fragments in order, so two or three are usual even after loss.
const MAX_HOLES: usize = 16;

/// The next handshake message, in memory the caller lent.
#[derive(Debug)]
pub(crate) struct Reassembly<'m> {
    memory: &'m mut [u8],
    current: Option<Current>,
}

#[derive(Debug)]
struct Current {
    kind: Kind,
    seq: u16,
    len: usize,
    /// Ranges that have not been received.
    holes: Vec<(usize, usize), MAX_HOLES>,
}

/// What became of a fragment.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The message is whole: [`Reassembly::take`] it.
    Complete,
    /// Bytes are still missing.
    Incomplete,
    /// The message does not fit into memory, or came in too many pieces.
    Dropped,
}

impl<'m> Reassembly<'m> {
    pub(crate) fn new(memory: &'m mut [u8]) -> Self {
        Self {
            memory,
            current: None,
        }
    }

    /// Forgets an unfinished message.
    pub(crate) fn clear(&mut self) {
        self.current = None;
    }

    /// Whether a message of this kind and number is unfinished.
    #[cfg(feature = "server")]
    pub(crate) fn is_about(&self, kind: Kind, seq: u16) -> bool {
        self.current
            .as_ref()
            .is_some_and(|c| (c.kind, c.seq) == (kind, seq))
    }

    /// Adds a fragment. One of another message (or another length) than the unfinished one replaces that.
    pub(crate) fn add(&mut self, fragment: &Fragment<'_>) -> Outcome {
        let (start, end) = (fragment.offset, fragment.offset + fragment.bytes.len());
        if fragment.len > self.memory.len() {
            return Outcome::Dropped;
        }
        let Some(room) = self
            .memory
            .get_mut(start..end)
            .filter(|_| fragment.end_is_inside())
        else {
            return Outcome::Dropped;
        };
        let wanted = (fragment.kind, fragment.seq, fragment.len);
        let mut current = match self.current.take() {
            Some(c) if (c.kind, c.seq, c.len) == wanted => c,
            _ => Current {
                kind: fragment.kind,
                seq: fragment.seq,
                len: fragment.len,
                holes: Vec::from_array([(0, fragment.len)]),
            },
        };
        room.copy_from_slice(fragment.bytes);
        let filled = punch(&mut current.holes, start, end);
        let done = current.holes.is_empty();
        self.current = Some(current);
        match (filled, done) {
            (Err(()), _) => Outcome::Dropped,
            (Ok(()), true) => Outcome::Complete,
            (Ok(()), false) => Outcome::Incomplete,
        }
    }

    /// The memory, once it holds a whole message, and how much of it is the message. Give it back with
    /// [`restore`](Self::restore).
    pub(crate) fn take(&mut self) -> Option<(&'m mut [u8], usize)> {
        let current = self.current.take_if(|c| c.holes.is_empty())?;
        Some((mem::take(&mut self.memory), current.len))
    }

    pub(crate) fn restore(&mut self, memory: &'m mut [u8]) {
        self.memory = memory;
    }
}

/// Removes `start..end` from the holes, and the one hole of an empty message, which is empty. Changes nothing when that
/// would leave too many.
fn punch(holes: &mut Vec<(usize, usize), MAX_HOLES>, start: usize, end: usize) -> Result<(), ()> {
    let mut left = Vec::new();
    for &(from, to) in holes.iter() {
        let before = (from, to.min(start));
        let after = (from.max(end), to);
        if before.0 < before.1 {
            left.push(before).map_err(|_| ())?;
        }
        if after.0 < after.1 {
            left.push(after).map_err(|_| ())?;
        }
    }
    *holes = left;
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fragment(message: &[u8], start: usize, end: usize) -> Fragment<'_> {
        Fragment {
            kind: Kind::ServerHello,
            seq: 1,
            len: message.len(),
            offset: start,
            bytes: &message[start..end],
        }
    }

    #[test]
    fn overlapping_fragments_in_any_order_make_the_message() {
        let message: Vec<u8, 100> = (0..100).collect();
        let mut memory = [0; 100];
        let mut r = Reassembly::new(&mut memory);
        for (start, end) in [(90, 100), (10, 50), (0, 20), (40, 41)] {
            assert_eq!(r.add(&fragment(&message, start, end)), Outcome::Incomplete);
        }
        assert!(r.take().is_none());
        assert_eq!(r.add(&fragment(&message, 45, 95)), Outcome::Complete);
        let (bytes, len) = r.take().unwrap();
        assert_eq!(&bytes[..len], &message[..]);
    }

    #[test]
    fn an_empty_message_is_complete_at_once() {
        let mut r = Reassembly::new(&mut []);
        assert_eq!(r.add(&fragment(&[], 0, 0)), Outcome::Complete);
        assert!(r.take().is_some());
    }

    #[test]
    fn an_empty_fragment_fills_nothing() {
        let message = [7; 4];
        let mut memory = [0; 4];
        let mut r = Reassembly::new(&mut memory);
        assert_eq!(r.add(&fragment(&message, 2, 2)), Outcome::Incomplete);
        assert_eq!(r.add(&fragment(&message, 0, 4)), Outcome::Complete);
    }

    #[test]
    fn too_many_gaps_and_too_long_messages_are_dropped() {
        let message = [7; 100];
        let mut memory = [0; 100];
        let mut r = Reassembly::new(&mut memory);
        let outcomes: std::vec::Vec<_> = (0..40)
            .map(|i| r.add(&fragment(&message, 2 * i + 1, 2 * i + 2)))
            .collect();
        assert!(outcomes.contains(&Outcome::Dropped));
        assert_eq!(
            r.add(&fragment(&message, 0, 100)),
            Outcome::Complete,
            "a whole copy still does it"
        );
        let mut memory = [0; 50];
        let mut r = Reassembly::new(&mut memory);
        assert_eq!(r.add(&fragment(&message, 0, 60)), Outcome::Dropped);
    }

    #[test]
    fn a_fragment_of_a_message_that_is_too_long_does_not_end_the_current_one() {
        let message: Vec<u8, 100> = (0..100).collect();
        let mut memory = [0; 100];
        let mut r = Reassembly::new(&mut memory);
        assert_eq!(r.add(&fragment(&message, 0, 60)), Outcome::Incomplete);
        let too_long = Fragment {
            len: 101,
            ..fragment(&message, 0, 10)
        };
        assert_eq!(r.add(&too_long), Outcome::Dropped);
        assert_eq!(r.add(&fragment(&message, 60, 100)), Outcome::Complete);
        let (bytes, len) = r.take().unwrap();
        assert_eq!(&bytes[..len], &message[..]);
    }

    #[test]
    fn a_fragment_of_another_message_begins_that_one_from_nothing() {
        let message: Vec<u8, 100> = (0..100).collect();
        let mut memory = [0; 100];
        let mut r = Reassembly::new(&mut memory);
        assert_eq!(r.add(&fragment(&message, 0, 60)), Outcome::Incomplete);
        let behind = |seq, kind| Fragment {
            seq,
            kind,
            ..fragment(&message, 60, 100)
        };
        let next = behind(2, Kind::ServerHello);
        assert_eq!(r.add(&next), Outcome::Incomplete);
        let other = behind(2, Kind::Finished);
        assert_eq!(r.add(&other), Outcome::Incomplete);
        assert!(r.take().is_none());
    }

    proptest! {
        #[test]
        fn any_cover_makes_the_message(len in 1usize..300, cuts in prop::collection::vec((0usize..300, 0usize..300), 0..12)) {
            let message: std::vec::Vec<u8> = (0..len).map(|i| (i * 7) as u8).collect();
            let mut memory = [0; 300];
            let mut r = Reassembly::new(&mut memory);
            for (a, b) in cuts {
                let (start, end) = (a.min(b).min(len), a.max(b).min(len));
                r.add(&fragment(&message, start, end));
                if let Some((bytes, n)) = r.take() {
                    prop_assert_eq!(&bytes[..n], &message[..]);
                    return Ok(());
                }
            }
            prop_assert_eq!(r.add(&fragment(&message, 0, len)), Outcome::Complete);
            let (bytes, n) = r.take().unwrap();
            prop_assert_eq!(&bytes[..n], &message[..]);
        }
    }
}
