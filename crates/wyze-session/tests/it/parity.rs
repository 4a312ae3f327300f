//! Parity packets, whose semantics are inferred: used only where memory for them is lent (`docs/decisions/0016`).

use std::net::SocketAddr;
use std::time::Duration;

use crate::common::*;
use tutk_testkit::net::{Faults, Net};
use tutk_testkit::pump::{Node, World};
use wyze_session::{CameraConfig, ClientConfig, Cx, Framings, Instant, ParityGroup};

const FRAMES: usize = 100;
/// Datagrams longer than this hold media.
const MEDIA: usize = 300;
/// A group is 20 packets and their parity: every 23rd is never two of one group.
const EVERY: usize = 23;
/// Behind this many packets nothing is lost any more: the last group never gets its parity.
const LOSSES_END: usize = 300;

/// A camera whose network loses some of what it sends.
struct Losing<'a, 'm> {
    camera: &'a mut CameraNode<'m>,
    media: usize,
    lost: u32,
}

impl Node for Losing<'_, '_> {
    fn addr(&self) -> SocketAddr {
        self.camera.addr()
    }

    fn receive(&mut self, cx: &mut Cx<'_>, from: SocketAddr, bytes: &mut [u8]) {
        self.camera.receive(cx, from, bytes);
    }

    fn timeout(&mut self, cx: &mut Cx<'_>) {
        self.camera.timeout(cx);
    }

    fn transmit<'b>(
        &mut self,
        cx: &mut Cx<'_>,
        buf: &'b mut [u8],
    ) -> Option<(SocketAddr, &'b [u8])> {
        let mut memory = [0; 1500];
        loop {
            let (to, datagram) = self.camera.transmit(cx, &mut memory)?;
            let media = datagram.len() > MEDIA;
            self.media += usize::from(media);
            if media && self.media < LOSSES_END && self.media.is_multiple_of(EVERY) {
                self.lost += 1;
                continue;
            }
            return Some((to, put(buf, datagram)));
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.camera.deadline()
    }
}

struct Outcome {
    /// Frames that were shown and came as they were sent.
    video: usize,
    /// Packets that were lost, computed from parity, and asked for in vain.
    lost: u32,
    recovered: u32,
    abandoned: u32,
}

/// Watches a camera that sends nothing twice; `parity`: camera and app have memory for it.
fn watch(framings: Framings, parity: (bool, bool)) -> Outcome {
    let mut world = World::new(1, Net::new(1, Faults::NONE));
    let (enr, mac, targets) = (enr("sim-enr-16byte!!"), mac(), [addr(DEVICE)]);
    let (mut room1, mut room2) = (Room::new(256 << 10, 16 << 10), Room::new(0, 0));
    room2.resend.clear();
    room1.parity = vec![ParityGroup::new(); if parity.1 { 2 } else { 0 }];
    room2.parity = vec![ParityGroup::new(); usize::from(parity.0)];
    let cx = &mut Cx::new(world.now, &mut world.rng);
    let config = ClientConfig::new(uid(), &enr, &mac, &targets);
    let mut client = ClientNode::new(&config, &mut room1, cx);
    let config = CameraConfig {
        framings,
        ..CameraConfig::new(uid(), &enr, &mac)
    };
    let show = Show::new(FRAMES, 20, 20_000, 900);
    let mut camera = CameraNode::new(&config, &mut room2, show, cx);
    let mut losing = Losing {
        camera: &mut camera,
        media: 0,
        lost: 0,
    };
    let end = Instant::ZERO + Duration::from_secs(10);
    world.run_until(end, &mut [&mut client, &mut losing]);
    let lost = losing.lost;
    assert!(client.client.is_lossless() && camera.finished());
    assert_eq!(camera.camera.stats().av.tx_resent, 0);
    let mut sent = camera.sent_video.iter();
    assert!(client.video.iter().all(|got| sent.any(|s| s == got)));
    let av = client.client.stats().av;
    Outcome {
        video: client.video.len(),
        lost,
        recovered: av.rx_recovered,
        abandoned: av.rx_abandoned,
    }
}

#[test]
fn a_packet_that_nobody_sends_again_comes_back_from_parity_where_both_sides_lend_memory() {
    for framings in [Framings::TRANSCODE, Framings::CC51] {
        let with = watch(framings, (true, true));
        assert_eq!((with.video, with.abandoned), (FRAMES, 0));
        // The others that were lost were parity.
        assert!(
            with.lost >= 10 && with.recovered >= 10,
            "{}",
            with.recovered
        );
        for parity in [(false, false), (true, false), (false, true)] {
            let without = watch(framings, parity);
            assert_eq!(without.recovered, 0, "{parity:?}");
            assert!(
                without.abandoned > 0 && without.video < FRAMES,
                "{parity:?}"
            );
        }
    }
}
