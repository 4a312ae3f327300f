//! The laws that hold for every call can fail.

use super::*;
use crate::rng;
use crate::show::Show;

/// A session that breaks one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Broken {
    /// It breaks none.
    Nothing,
    /// It finds no end of events in a datagram, or between datagrams.
    Chatters,
    Dreams,
    /// It leaves a datagram unread.
    Skips,
    /// It sends without end.
    Floods,
    /// It tells something after `Closed`.
    Haunts,
    /// It allocates.
    Wastes,
}

#[derive(Debug)]
struct Fake {
    broken: Broken,
    told: u32,
}

impl Role for Fake {
    fn read(
        &mut self,
        _: &mut Cx<'_>,
        input: &mut Datagram<'_>,
        note: impl FnOnce(Heard<'_>),
    ) -> Lawful<bool> {
        if self.broken != Broken::Skips {
            input.take_all();
        }
        if self.broken == Broken::Chatters {
            note(Heard::Client(Event::TalkReady));
            return Ok(true);
        }
        Ok(false)
    }

    fn poll(&mut self, _: &mut Cx<'_>, note: impl FnOnce(Heard<'_>)) -> Lawful<bool> {
        self.told += 1;
        match self.broken {
            Broken::Dreams => note(Heard::Client(Event::TalkReady)),
            Broken::Haunts if self.told == 1 => note(Heard::Client(Event::Closed(Cause::Peer))),
            Broken::Haunts => note(Heard::Client(Event::TalkReady)),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn tick(&mut self, _: &mut Cx<'_>) {
        if self.broken == Broken::Wastes {
            std::hint::black_box(vec![0u8; 10]);
        }
    }

    fn fill<'b>(&mut self, _: &mut Cx<'_>, buf: &'b mut [u8]) -> Option<Transmit<'b>> {
        (self.broken == Broken::Floods).then_some(Transmit {
            to: ([192, 0, 2, 1], 1).into(),
            datagram: buf,
        })
    }

    fn wake(&self) -> Option<Instant> {
        None
    }

    fn repairs(&self) -> (u32, u32) {
        (0, 0)
    }
}

/// What a datagram, a timer and the sending that follows tell.
fn told(broken: Broken) -> Lawful {
    let (addr, rng) = (([192, 0, 2, 2], 2).into(), &mut rng(1, 1));
    let session = Fake { broken, told: 0 };
    let mut end = End::new(session, addr, Clock::default(), Show::TWO_K);
    end.receive(rng, 0, addr, &mut [0; 10])?;
    end.timeout(rng, 1)?;
    end.transmit(rng, 1, |_, _, _| {}).map(drop)
}

#[test]
fn every_law_of_a_call_is_seen_broken() {
    assert_eq!(told(Broken::Nothing), Ok(()));
    for (broken, wanted) in [
        (Broken::Chatters, "one datagram, 600 events"),
        (Broken::Dreams, "poll_event gave 600 events"),
        (Broken::Skips, "handle_datagram left 10 bytes"),
        (Broken::Floods, "80 datagrams in reply to one input"),
        (Broken::Haunts, "after Closed"),
        (Broken::Wastes, "handle_timeout allocated 10 bytes"),
    ] {
        let told = told(broken).unwrap_err().0;
        assert!(told.contains(wanted), "{told}");
    }
}
