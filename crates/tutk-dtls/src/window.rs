//! Which records have been seen (RFC 6347 §4.1.2.6).

/// The last 64 record numbers up to the highest authenticated one.
///
/// [`admits`](Self::admits) only looks; [`mark`](Self::mark) is for a record that authenticated. A forged record can
/// therefore never move the window.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ReplayWindow {
    /// One past the highest number seen.
    next: u64,
    /// Bit `i` stands for the number `next - 1 - i`.
    seen: u64,
}

impl ReplayWindow {
    /// Whether `seq` is new and not older than the window.
    pub(crate) fn admits(&self, seq: u64) -> bool {
        if seq >= self.next {
            return true;
        }
        let age = self.next - 1 - seq;
        age < 64 && self.seen & (1 << age) == 0
    }

    /// Remembers `seq`.
    pub(crate) fn mark(&mut self, seq: u64) {
        if seq >= self.next {
            let shift = seq + 1 - self.next;
            self.seen = if shift < 64 { self.seen << shift } else { 0 } | 1;
            self.next = seq + 1;
        } else {
            let age = self.next - 1 - seq;
            if age < 64 {
                self.seen |= 1 << age;
            }
        }
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
    fn records_older_than_64_are_refused() {
        let mut window = ReplayWindow::default();
        window.mark(100);
        assert!(!window.admits(36));
        assert!(window.admits(37));
        window.mark(37);
        assert!(!window.admits(37));
        window.mark(1000);
        assert!(!window.admits(100));
        assert!(window.admits(999));
    }

    proptest! {
        #[test]
        fn agrees_with_a_set(numbers in prop::collection::vec(0u64..200, 1..300)) {
            let mut window = ReplayWindow::default();
            let (mut seen, mut highest) = (HashSet::new(), 0);
            for n in numbers {
                let expected = n + 64 > highest && !seen.contains(&n);
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
