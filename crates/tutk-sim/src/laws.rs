//! What must always hold.

use std::fmt;

use crate::show::{Id, Kind};

/// A law that was broken, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation(pub String);

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Violation {}

/// What a step answers with.
pub type Lawful<T = ()> = Result<T, Violation>;

/// Breaks a law unless `holds`.
pub fn law(holds: bool, broken: impl FnOnce() -> String) -> Lawful {
    if holds {
        Ok(())
    } else {
        Err(Violation(broken()))
    }
}

/// Most events of one input: sixteen frames in flight a stream, and a report for each of at most 256 missing numbers.
pub const MAX_EVENTS: usize = 600;
/// Most datagrams after one input: 64 copies, and one of each other kind.
pub const MAX_BURST: usize = 80;
/// Most times that a timer may ask to be called at one moment.
pub const MAX_STALL: u32 = 16;
/// Most that a datagram is answered with which nobody has authenticated (`docs/security.md`).
#[derive(Debug, Clone, Copy)]
pub struct Answer {
    /// Datagrams.
    pub datagrams: usize,
    /// Length, in multiples of what is answered.
    pub times: f64,
}

/// A camera: a search of 68 bytes is answered with 200.
pub const CAMERA_ANSWER: Answer = Answer {
    datagrams: 1,
    times: 2.95,
};
/// A viewer that searches: an answer of 52 bytes is followed by a ClientHello of 156.
pub const VIEWER_ANSWER: Answer = Answer {
    datagrams: 1,
    times: 3.1,
};

/// Calls into a session: no memory is allocated, ever.
pub fn frugal<T>(what: &str, call: impl FnOnce() -> T) -> Lawful<T> {
    let mut answer = None;
    let seen = allocation_counter::measure(|| answer = Some(call()));
    law(seen.count_total == 0, || {
        format!("{what} allocated {} bytes", seen.bytes_total)
    })?;
    answer.ok_or_else(|| Violation(format!("{what} did not return")))
}

/// What was sent: how many frames of each kind in each session of the camera, or talk of the viewer.
#[derive(Debug, Default)]
pub struct Sent {
    shows: Vec<[u32; 2]>,
    talks: Vec<u32>,
}

impl Sent {
    /// A viewer was let in, or a talk began; answers with its number.
    pub fn begin(&mut self, talk: bool) -> u32 {
        if talk {
            self.talks.push(0);
            return self.talks.len() as u32 - 1;
        }
        self.shows.push([0; 2]);
        self.shows.len() as u32 - 1
    }

    fn count(&mut self, kind: Kind, session: u32) -> Option<&mut u32> {
        let session = session as usize;
        match kind {
            Kind::Talk => self.talks.get_mut(session),
            kind => self.shows.get_mut(session)?.get_mut(kind as usize),
        }
    }

    /// Names the next frame of a kind; it counts as sent.
    pub fn next(&mut self, kind: Kind, session: u32) -> Id {
        let count = self.count(kind, session);
        let ordinal = count.map_or(0, |count| {
            *count += 1;
            *count - 1
        });
        Id {
            kind,
            session,
            ordinal,
        }
    }

    /// Whether it was sent.
    pub fn holds(&mut self, id: Id) -> bool {
        self.count(id.kind, id.session)
            .is_some_and(|count| id.ordinal < *count)
    }

    /// Frames sent of a kind in a session.
    pub fn total(&mut self, kind: Kind, session: u32) -> u32 {
        self.count(kind, session).map_or(0, |count| *count)
    }
}

/// What one receiver has been given of one kind: only what was sent, in order, once.
#[derive(Debug, Default)]
pub struct Delivered {
    last: Option<(u32, u32)>,
    count: u32,
    skipped: u32,
}

impl Delivered {
    /// Frames delivered.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Frames that were not delivered, between two of their session that were.
    pub fn skipped(&self) -> u32 {
        self.skipped
    }

    /// The session that the last one was of.
    pub fn session(&self) -> Option<u32> {
        self.last.map(|(session, _)| session)
    }

    /// Takes what was delivered; `id` is what [`Show::identify`](crate::show::Show::identify) said.
    pub fn take(&mut self, sent: &mut Sent, kind: Kind, id: Option<Id>) -> Lawful {
        let Some(id) = id else {
            return Err(Violation(format!(
                "{kind:?}: bytes were delivered that nobody sent"
            )));
        };
        law(id.kind == kind && sent.holds(id), || {
            format!("{kind:?}: {id:?} was delivered and never sent")
        })?;
        let place = (id.session, id.ordinal);
        law(self.last.is_none_or(|last| last < place), || {
            format!("{kind:?}: {place:?} was delivered after {:?}", self.last)
        })?;
        if let Some((session, ordinal)) = self.last
            && session == id.session
        {
            self.skipped += id.ordinal - ordinal - 1;
        }
        self.last = Some(place);
        self.count += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(session: u32, ordinal: u32) -> Option<Id> {
        Some(Id {
            kind: Kind::Video,
            session,
            ordinal,
        })
    }

    fn sent() -> Sent {
        let mut sent = Sent::default();
        for session in 0..2 {
            assert_eq!(sent.begin(false), session);
            for _ in 0..3 {
                sent.next(Kind::Video, session);
            }
        }
        sent
    }

    #[test]
    fn gaps_are_lawful_and_all_else_is_not() {
        let (mut sent, mut seen) = (sent(), Delivered::default());
        for lawful in [id(0, 0), id(0, 2), id(1, 1)] {
            seen.take(&mut sent, Kind::Video, lawful).unwrap();
        }
        for (broken, why) in [
            (id(1, 1), "after"),
            (id(1, 0), "after"),
            (id(0, 2), "after"),
            (id(1, 3), "never sent"),
            (id(2, 0), "never sent"),
            (None, "nobody sent"),
        ] {
            let told = seen.take(&mut sent, Kind::Video, broken).unwrap_err();
            assert!(told.0.contains(why), "{told}");
        }
        assert!(seen.take(&mut sent, Kind::Audio, id(1, 2)).is_err());
        assert_eq!(seen.count(), 3);
    }

    #[test]
    fn an_allocation_is_noticed() {
        assert_eq!(frugal("nothing", || 1), Ok(1));
        let told = frugal("a vector", || vec![0u8; 100]).unwrap_err();
        assert_eq!(told.0, "a vector allocated 100 bytes");
    }
}
