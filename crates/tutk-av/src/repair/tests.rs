use std::vec::Vec;

use super::{Instant, LinkStats, Repair, RepairConfig, RepairMemory, retry_ms};
use crate::testing::{frame_packets, media};

struct Receiver<'m> {
    repair: Repair<'m>,
    stats: LinkStats,
    now: u64,
}

impl Receiver<'_> {
    fn at(&self) -> Instant {
        Instant::from_millis(self.now)
    }

    fn receive(&mut self, counter: u16, index: u16) {
        let bytes = frame_packets(1, true, &[1; 3000]).remove(0);
        let mut packet = media(&bytes);
        (packet.counter, packet.index) = (counter, index);
        self.repair
            .received(self.at(), &packet, false, &mut self.stats);
    }

    fn requests(&mut self, rtt_ms: Option<u16>) -> Vec<u16> {
        let mut list = heapless::Vec::new();
        self.repair
            .requests(self.at(), rtt_ms, &mut list, &mut self.stats);
        list.to_vec()
    }

    /// In how many milliseconds there is something to do.
    fn wait(&self) -> Option<u64> {
        let at = self.repair.poll_timeout()?;
        Some(at.as_millis() - self.now)
    }
}

/// A receiver whose clock shows a hundred seconds.
fn with_receiver(test: impl FnOnce(&mut Receiver<'_>)) {
    let mut memory = RepairMemory::new();
    test(&mut Receiver {
        repair: Repair::new(&mut memory, RepairConfig::DEFAULT),
        stats: LinkStats::default(),
        now: 100_000,
    });
}

#[test]
fn the_time_between_two_requests_follows_the_round_trip() {
    let cases = [
        (None, 150),
        (Some(0), 100),
        (Some(40), 100),
        (Some(41), 102),
    ];
    for (rtt, ms) in cases.into_iter().chain([(Some(80), 180), (Some(200), 250)]) {
        assert_eq!(retry_ms(rtt), ms, "{rtt:?}");
    }
}

#[test]
fn what_is_missing_at_the_beginning_follows_from_the_first_packet() {
    for (counter, index, missing) in [
        (0, 0, 0),
        (1, 0, 1),
        (63, 0, 63), // a stream that began at 0
        (64, 0, 0),  // joined between two frames
        (500, 3, 3), // joined within a frame
        (5000, 2000, 1024),
    ] {
        with_receiver(|receiver| {
            receiver.receive(counter, index);
            assert_eq!(receiver.stats.rx_holes, missing, "{counter} {index}");
            assert_eq!(receiver.repair.highest(), Some(counter));
        });
    }
}

#[test]
fn the_highest_counter_is_that_of_the_stream_and_not_of_a_stray() {
    with_receiver(|receiver| {
        assert_eq!(receiver.repair.highest(), None);
        for counter in [500, 501, 499, 9000] {
            receiver.receive(counter, 0);
        }
        assert_eq!(receiver.repair.highest(), Some(501));
    });
}

#[test]
fn the_eighth_stray_in_a_row_is_followed() {
    with_receiver(|receiver| {
        receiver.receive(500, 0);
        for counter in 9000..9007 {
            receiver.receive(counter, 0);
        }
        assert_eq!(receiver.repair.highest(), Some(500), "seven");
        receiver.receive(501, 0);
        for counter in 9007..9014 {
            receiver.receive(counter, 0);
        }
        assert_eq!(receiver.repair.highest(), Some(501), "seven, not fourteen");
        receiver.receive(9014, 0);
        assert_eq!(receiver.repair.highest(), Some(9014));
    });
}

#[test]
fn the_oldest_holes_are_given_up_for_the_newest() {
    with_receiver(|receiver| {
        receiver.receive(500, 0);
        receiver.receive(701, 0);
        assert_eq!(
            (receiver.stats.rx_holes, receiver.stats.rx_abandoned),
            (200, 0)
        );
        receiver.receive(802, 0);
        assert_eq!(
            (receiver.stats.rx_holes, receiver.stats.rx_abandoned),
            (300, 44)
        );
        receiver.now += 30;
        let first: Vec<_> = (545..545 + 128).collect();
        assert_eq!(receiver.requests(None), first);
        // The rest goes with the next ACK that asks.
        assert_eq!(receiver.wait(), Some(10));
    });
}

#[test]
fn a_hole_is_asked_for_after_the_allowance_and_again_after_the_retry() {
    with_receiver(|receiver| {
        receiver.receive(500, 0);
        receiver.receive(502, 0);
        assert_eq!(receiver.wait(), Some(20));
        receiver.now += 20;
        assert_eq!(receiver.requests(Some(80)), [501]);
        assert_eq!(receiver.wait(), Some(180));
        // Another hole in between is asked for in its own time.
        receiver.now += 50;
        receiver.receive(504, 0);
        assert_eq!(receiver.wait(), Some(20));
        receiver.now += 20;
        assert_eq!(receiver.requests(Some(80)), [503]);
        assert_eq!(receiver.wait(), Some(110));
    });
}

#[test]
fn the_allowance_comes_down_slowly_and_not_below_15_ms() {
    with_receiver(|receiver| {
        receiver.receive(500, 0);
        for (requests, wait) in [(0, 20), (10_000, 17), (10_000, 17)] {
            for _ in 0..requests {
                assert_eq!(receiver.requests(None), [0; 0]);
            }
            let next = receiver.repair.highest().unwrap();
            receiver.receive(next + 2, 0);
            assert_eq!(receiver.wait(), Some(wait));
            receiver.receive(next + 1, 0);
            receiver.now += 1000;
            assert_eq!(receiver.requests(None), [0; 0], "it has come");
        }
    });
}

#[test]
fn clear_forgets_what_is_missing_and_what_was_learnt() {
    with_receiver(|receiver| {
        receiver.receive(500, 0);
        receiver.receive(502, 0);
        receiver.now += 50;
        receiver.receive(501, 0);
        assert_eq!(receiver.requests(None), [0; 0]);
        receiver.receive(504, 0);
        assert_eq!(receiver.wait(), Some(55), "as late as the last one");
        for counter in 9000..9007 {
            receiver.receive(counter, 0);
        }
        receiver.repair.clear();
        assert_eq!((receiver.wait(), receiver.repair.highest()), (None, None));
        assert_eq!(receiver.repair.edge(), 0xffff);
        receiver.receive(70, 0);
        receiver.receive(72, 0);
        receiver.receive(9007, 0);
        assert_eq!(receiver.repair.highest(), Some(72), "one stray, not eight");
        assert_eq!(receiver.wait(), Some(20));
        receiver.now += 20;
        assert_eq!(receiver.requests(None), [71]);
    });
}
