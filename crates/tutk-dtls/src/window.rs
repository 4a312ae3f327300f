//! Which records have been seen (RFC 6347 §4.1.2.6).

const WORDS: u64 = 8;
/// Numbers below the highest one that are still told apart, the highest included. On a network that holds packets back for
/// 30 ms, a key frame of 2K puts some 300 records in front of them; one dropped as too old is a lost frame, or asked for
/// again in vain.
pub(crate) const WIDTH: u64 = (WORDS - 1) * 64;

/// The last [`WIDTH`] record numbers up to the highest authenticated one, as a ring of words of 64 (as RFC 6479 does it):
/// moving on clears words and shifts nothing.
///
/// [`admits`](Self::admits) only looks; [`mark`](Self::mark) is for a record that authenticated. A forged record can
/// therefore never move the window.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ReplayWindow {
    /// One past the highest number seen.
    next: u64,
    /// Bit `seq % 64` of word `seq / 64 % WORDS` stands for `seq`.
    seen: [u64; WORDS as usize],
}

impl ReplayWindow {
    /// Whether `seq` is new and not older than the window.
    pub(crate) fn admits(&self, seq: u64) -> bool {
        if seq >= self.next {
            return true;
        }
        let age = self.next - 1 - seq;
        let word = self.seen.get(Self::word(seq)).copied().unwrap_or(u64::MAX);
        age < WIDTH && word & (1 << (seq % 64)) == 0
    }

    /// Remembers `seq`.
    pub(crate) fn mark(&mut self, seq: u64) {
        if seq >= self.next {
            let (from, to) = (self.next.div_ceil(64), seq / 64);
            for word in from..(to + 1).min(from + WORDS) {
                if let Some(word) = self.seen.get_mut(Self::word(word * 64)) {
                    *word = 0;
                }
            }
            self.next = seq + 1;
        } else if self.next - 1 - seq >= WIDTH {
            return;
        }
        if let Some(word) = self.seen.get_mut(Self::word(seq)) {
            *word |= 1 << (seq % 64);
        }
    }

    fn word(seq: u64) -> usize {
        (seq / 64 % WORDS) as usize
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn looking_does_not_move_the_window() {
        let mut window = ReplayWindow::default();
        assert!(window.admits(u64::MAX >> 16));
        assert!(window.admits(0));
        window.mark(0);
        assert!(!window.admits(0));
    }

    #[test]
    fn records_older_than_the_window_are_refused() {
        let mut window = ReplayWindow::default();
        window.mark(1000);
        assert!(!window.admits(1000 - WIDTH));
        assert!(window.admits(1001 - WIDTH));
        window.mark(1001 - WIDTH);
        assert!(!window.admits(1001 - WIDTH));
        window.mark(1000 - WIDTH);
        window.mark(10_000);
        assert!(!window.admits(1000));
        assert!(window.admits(9999));
    }

    #[test]
    fn four_hundred_and_forty_eight_numbers_are_told_apart() {
        let mut window = ReplayWindow::default();
        window.mark(2000);
        assert!(window.admits(2000 - 447));
        assert!(!window.admits(2000 - 448));
    }

    #[test]
    fn the_longest_jump_costs_no_more_than_the_ring() {
        let mut window = ReplayWindow::default();
        window.mark(1 << 47);
        window.mark((1 << 48) - 1);
        assert!(!window.admits((1 << 48) - 1));
        assert!(window.admits((1 << 48) - 2));
    }

    #[test]
    fn a_jump_over_the_whole_ring_forgets_what_lay_there() {
        let mut window = ReplayWindow::default();
        for seq in 0..64 * WORDS {
            window.mark(seq);
        }
        let far = 64 * WORDS * 100 + 63;
        window.mark(far);
        assert!((far + 1 - WIDTH..far).all(|seq| window.admits(seq)));
        assert!(!window.admits(far));
    }

    proptest! {
        #[test]
        fn agrees_with_a_set(numbers in prop::collection::vec(0u64..1500, 1..600)) {
            let mut window = ReplayWindow::default();
            let (mut seen, mut highest) = (HashSet::new(), 0);
            for n in numbers {
                let expected = n + WIDTH > highest && !seen.contains(&n);
                prop_assert_eq!(window.admits(n), expected);
                if expected {
                    window.mark(n);
                    seen.insert(n);
                    highest = highest.max(n);
                }
            }
        }
    }
}
