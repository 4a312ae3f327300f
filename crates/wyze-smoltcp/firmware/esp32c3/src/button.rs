//! A button to ground, without its bouncing.

/// Contacts are at rest after so long, milliseconds.
const BOUNCE: u64 = 30;

/// What a button did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edge {
    /// It was pressed.
    Down,
    /// It was let go.
    Up,
}

/// A button.
#[derive(Debug, Default)]
pub struct Button {
    down: bool,
    /// When it last moved, milliseconds.
    moved: Option<u64>,
}

impl Button {
    /// Tells what has changed. Call it every few milliseconds.
    pub fn poll(&mut self, now: u64, down: bool) -> Option<Edge> {
        if self.moved.is_some_and(|at| now - at < BOUNCE) || down == self.down {
            return None;
        }
        (self.down, self.moved) = (down, Some(now));
        Some(if down { Edge::Down } else { Edge::Up })
    }

    /// Whether it is held.
    pub fn is_down(&self) -> bool {
        self.down
    }
}
