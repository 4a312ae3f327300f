//! Cameras without DTLS, and that none is made of one with DTLS.

use std::net::SocketAddr;
use std::time::Duration;

use crate::common::*;
use tutk_testkit::net::{Faults, Net};
use tutk_testkit::pump::{Node, World};
use wyze_session::kauth::command::Media;
use wyze_session::{
    AudioFormat, CameraConfig, Cause, ClientConfig, Codec, Cx, Framings, Generation, Instant,
    MediaError, OutFrame, Phase, PlainPolicy, Stream, TalkEnd, TalkFrame,
};

const OLD: [Generation; 2] = [Generation::Session25, Generation::Session16];
const SECOND: Duration = Duration::from_secs(1);
pub(crate) const SILENCE: Faults = Faults {
    loss: 100,
    ..Faults::NONE
};
const SHUFFLED: Faults = Faults {
    reorder: 20,
    duplicate: 10,
    ..Faults::NONE
};

/// Keeps every datagram that a node sends.
pub(crate) struct Tap<'a, N>(pub(crate) &'a mut N, pub(crate) &'a mut Vec<Vec<u8>>);

impl<N: Node> Node for Tap<'_, N> {
    fn addr(&self) -> SocketAddr {
        self.0.addr()
    }

    fn receive(&mut self, cx: &mut Cx<'_>, from: SocketAddr, bytes: &mut [u8]) {
        self.0.receive(cx, from, bytes);
    }

    fn timeout(&mut self, cx: &mut Cx<'_>) {
        self.0.timeout(cx);
    }

    fn transmit<'b>(
        &mut self,
        cx: &mut Cx<'_>,
        buf: &'b mut [u8],
    ) -> Option<(SocketAddr, &'b [u8])> {
        let sent = self.0.transmit(cx, buf)?;
        self.1.push(sent.1.to_vec());
        Some(sent)
    }

    fn deadline(&self) -> Option<Instant> {
        self.0.deadline()
    }
}

#[derive(Clone, Copy)]
pub(crate) struct Setup {
    pub(crate) generation: Generation,
    pub(crate) policy: PlainPolicy,
    pub(crate) faults: Faults,
    pub(crate) framings: Framings,
    pub(crate) accept: bool,
    pub(crate) frames: usize,
}

impl Setup {
    pub(crate) fn new(generation: Generation) -> Self {
        Self {
            generation,
            policy: PlainPolicy::Allowed,
            faults: Faults::NONE,
            framings: Framings::TRANSCODE,
            accept: true,
            frames: 40,
        }
    }
}

pub(crate) struct Pair<'a, 'm> {
    pub(crate) world: World,
    pub(crate) client: &'a mut ClientNode<'m>,
    pub(crate) camera: &'a mut CameraNode<'m>,
    /// What the client sent.
    pub(crate) sent: Vec<Vec<u8>>,
}

pub(crate) fn with_pair(seed: u64, setup: &Setup, then: impl FnOnce(&mut Pair<'_, '_>)) {
    let mut world = World::new(seed, Net::new(seed, setup.faults));
    let (enr, mac, targets) = (enr("sim-enr-16byte!!"), mac(), [addr(DEVICE)]);
    let (mut room1, mut room2) = (Room::new(256 << 10, 16 << 10), Room::new(0, 16 << 10));
    let cx = &mut Cx::new(world.now, &mut world.rng);
    let config = ClientConfig {
        plain: setup.policy,
        resend: setup.generation != Generation::Dtls,
        ..ClientConfig::new(uid(), &enr, &mac, &targets)
    };
    let mut client = ClientNode::new(&config, &mut room1, cx);
    let config = CameraConfig {
        generation: setup.generation,
        framings: setup.framings,
        accept: setup.accept,
        ..CameraConfig::new(uid(), &enr, &mac)
    };
    let show = Show::new(setup.frames, 20, 20_000, 900);
    let mut camera = CameraNode::new(&config, &mut room2, show, cx);
    then(&mut Pair {
        world,
        client: &mut client,
        camera: &mut camera,
        sent: Vec::new(),
    });
}

impl Pair<'_, '_> {
    fn step(&mut self) -> bool {
        let client = &mut Tap(&mut *self.client, &mut self.sent);
        self.world.step(&mut [client, &mut *self.camera])
    }

    pub(crate) fn run_for(&mut self, time: Duration) {
        let end = self.world.now + time;
        let client = &mut Tap(&mut *self.client, &mut self.sent);
        self.world.run_until(end, &mut [client, &mut *self.camera]);
    }

    /// Runs until `done`, a minute at most.
    pub(crate) fn run_until(&mut self, done: impl Fn(&Self) -> bool) {
        let end = self.world.now + 60 * SECOND;
        while !done(self) && self.world.now < end && self.step() {}
        assert!(done(self), "not within a minute: {:?}", self.client.closed);
    }

    pub(crate) fn cx<R>(&mut self, call: impl FnOnce(&mut ClientNode<'_>, &mut Cx<'_>) -> R) -> R {
        call(
            &mut *self.client,
            &mut Cx::new(self.world.now, &mut self.world.rng),
        )
    }

    /// Watches the whole show and closes.
    fn watch(&mut self) {
        self.run_until(|pair| pair.camera.finished() && pair.client.authenticated);
        self.run_for(SECOND);
        self.client.client.close();
        self.run_for(12 * SECOND);
    }

    /// What the client sent on channels: whether encrypted, and the payload.
    fn payloads(&self) -> Vec<(bool, Vec<u8>)> {
        let packets = self.sent.iter().filter_map(|packet| {
            let mut packet = packet.clone();
            tutk_transcode::decode(&mut packet);
            let is_data = packet.len() > 28 && packet[8..10] == [0x07, 0x04];
            is_data.then(|| (packet[3] & 1 == 1, packet[28..].to_vec()))
        });
        packets.collect()
    }

    pub(crate) fn plain_payloads(&self) -> usize {
        self.payloads().iter().filter(|p| !p.0).count()
    }
}

/// Every delivered frame was sent, in order, once, unchanged.
fn assert_honest(delivered: &[Seen], sent: &[Seen], seed: u64) {
    let mut sent = sent.iter();
    for frame in delivered {
        assert!(
            sent.any(|s| s == frame),
            "seed {seed}: frame {}",
            frame.number
        );
    }
}

#[test]
fn both_generations_deliver_every_frame_on_a_perfect_network() {
    for generation in OLD {
        with_pair(1, &Setup::new(generation), |pair| {
            pair.watch();
            let plain = Phase::Plain { generation };
            assert!(
                matches!(pair.client.phases[..], [Phase::Found { .. }, Phase::Open, p, Phase::LoggedIn { .. }] if p == plain),
                "{:?}",
                pair.client.phases
            );
            assert_eq!(pair.client.video.len(), 40);
            assert_eq!(pair.client.video, pair.camera.sent_video);
            assert_eq!(pair.client.audio.len(), 50);
            assert_eq!(pair.client.audio, pair.camera.sent_audio);
            assert_eq!(pair.client.closed, Some(Cause::Local));
            assert_eq!(pair.camera.closed, Some(Cause::Peer));
            for (_, payload) in pair.payloads() {
                let shown = payload.windows(8).any(|w| w == b"sim-enr-");
                assert!(!shown, "the ENR is on the wire");
            }
        });
    }
}

#[test]
fn reordering_and_duplication_alone_lose_nothing() {
    for generation in OLD {
        for seed in 0..100 {
            let setup = Setup {
                faults: SHUFFLED,
                ..Setup::new(generation)
            };
            with_pair(seed, &setup, |pair| {
                pair.watch();
                assert_eq!(pair.client.video, pair.camera.sent_video, "seed {seed}");
                assert_eq!(pair.client.audio, pair.camera.sent_audio, "seed {seed}");
                assert_eq!(pair.client.video.len(), 40, "seed {seed}");
            });
        }
    }
}

#[test]
fn a_bad_network_connects_every_time_and_delivers_only_what_was_sent() {
    for generation in OLD {
        let mut delivered = 0;
        for seed in 0..100 {
            let setup = Setup {
                faults: Faults::BAD_WIFI,
                ..Setup::new(generation)
            };
            with_pair(seed, &setup, |pair| {
                pair.watch();
                assert_honest(&pair.client.video, &pair.camera.sent_video, seed);
                assert_honest(&pair.client.audio, &pair.camera.sent_audio, seed);
                assert_eq!(pair.client.closed, Some(Cause::Local), "seed {seed}");
                assert_eq!(pair.client.client.plain(), None, "closed");
                delivered += pair.client.video.len();
            });
        }
        assert!(delivered > 100, "{delivered} of 4000 frames");
    }
}

#[test]
fn commands_are_answered() {
    for generation in OLD {
        with_pair(2, &Setup::new(generation), |pair| {
            pair.run_until(|pair| pair.client.authenticated);
            assert_eq!(pair.client.client.plain(), Some(generation));
            pair.cx(|node, cx| node.client.enable(cx, Media::Audio, false))
                .unwrap();
            pair.run_until(|pair| !pair.client.replies.is_empty());
            assert_eq!(pair.client.replies, [(10011, vec![1])]);
            assert!(!pair.camera.camera.wants(Stream::Audio));
        });
    }
}

#[test]
fn the_camera_hears_two_talks_of_each_generation() {
    for generation in OLD {
        for seed in 0..10 {
            let setup = Setup {
                faults: if seed == 0 { Faults::NONE } else { SHUFFLED },
                frames: 120,
                ..Setup::new(generation)
            };
            with_pair(seed, &setup, |pair| {
                pair.run_until(|pair| pair.client.authenticated);
                for talk in 1..=2 {
                    pair.camera.heard.frames.clear();
                    pair.cx(|node, cx| node.client.start_talk(cx)).unwrap();
                    pair.run_until(|pair| pair.client.talks == talk);
                    let words: Vec<Vec<u8>> = (0..40)
                        .map(|i| (0..160).map(|j| (i * 57 + j * 13) as u8).collect())
                        .collect();
                    for word in &words {
                        say(pair, word);
                        pair.run_for(Duration::from_millis(20));
                    }
                    pair.run_for(Duration::from_millis(300));
                    let heard = (1..).zip(words.iter().cloned()).collect::<Vec<_>>();
                    assert_eq!(pair.camera.heard.frames, heard, "seed {seed}, talk {talk}");
                    pair.cx(|node, cx| node.client.stop_talk(cx)).unwrap();
                    pair.run_until(|pair| pair.client.talk_ends.len() == talk);
                }
                assert_eq!(pair.client.talk_ends, [TalkEnd::Local; 2]);
                assert_eq!(pair.camera.heard.ends, [TalkEnd::Peer; 2]);
                pair.watch();
                assert_eq!(pair.client.video, pair.camera.sent_video, "seed {seed}");
            });
        }
    }
}

fn say(pair: &mut Pair<'_, '_>, bytes: &[u8]) {
    let frame = TalkFrame {
        codec: Codec::Pcmu,
        format: AudioFormat {
            sample_rate: 8000,
            bits: 16,
            channels: 1,
        },
        micros: pair.world.now.as_micros() as u32,
        data: bytes,
    };
    let mut buf = [0; 1500];
    let cx = &mut Cx::new(pair.world.now, &mut pair.world.rng);
    let t = pair.client.client.send_audio(cx, &frame, &mut buf).unwrap();
    let (now, from) = (pair.world.now, pair.client.addr);
    pair.world.net.send(now, from, t.to, t.datagram);
}

#[test]
fn a_dtls_camera_whose_first_flights_are_lost_is_still_spoken_to_by_dtls() {
    for silence in [500, 2000, 4000, 6000] {
        with_pair(3, &Setup::new(Generation::Dtls), |pair| {
            pair.run_until(|pair| pair.client.phases.contains(&Phase::Open));
            pair.world.net.set_faults(SILENCE);
            pair.run_for(Duration::from_millis(silence));
            // Both protocols are tried once DTLS was silent for 1.5 s, and not before.
            assert_eq!(pair.plain_payloads() > 0, silence > 1500, "{silence}");
            pair.world.net.set_faults(Faults::NONE);
            pair.run_until(|pair| pair.client.authenticated);
            let phase = pair.client.phases[2];
            assert!(matches!(phase, Phase::Secured { .. }), "{phase:?}");
            assert_eq!(pair.client.client.plain(), None);
            let before = pair.plain_payloads();
            pair.watch();
            assert_eq!(pair.plain_payloads(), before);
            assert_eq!(pair.client.video, pair.camera.sent_video);
        });
    }
}

#[test]
fn once_a_dtls_record_has_come_no_login_goes_out_in_the_clear() {
    for steps in 0..20 {
        with_pair(4, &Setup::new(Generation::Dtls), |pair| {
            pair.run_until(|pair| pair.client.phases.contains(&Phase::Open));
            let records = |pair: &Pair<'_, '_>| pair.client.client.stats().dtls.rx_records;
            while records(pair) == 0 {
                assert!(pair.step());
            }
            for _ in 0..steps {
                pair.step();
            }
            pair.world.net.set_faults(SILENCE);
            pair.run_until(|pair| pair.client.closed.is_some());
            assert_eq!(pair.plain_payloads(), 0, "after {steps} steps");
        });
    }
}

#[test]
fn cc51_is_never_left_for_a_login_in_the_clear() {
    let setup = Setup {
        framings: Framings::CC51,
        ..Setup::new(Generation::Dtls)
    };
    with_pair(5, &setup, |pair| {
        pair.run_until(|pair| pair.client.phases.contains(&Phase::Open));
        pair.sent.clear();
        pair.world.net.set_faults(SILENCE);
        pair.run_until(|pair| pair.client.closed.is_some());
        assert!(pair.sent.len() > 3);
        for packet in &pair.sent {
            // An alive, or a datagram on a channel: what it carries is a record.
            assert_eq!(packet[..2], [0x51, 0xcc]);
            assert!(
                packet[4..6] != [0x02, 0x15] || matches!(packet[28], 20..=23),
                "{packet:?}"
            );
        }
    });
}

#[test]
fn where_encryption_is_required_nothing_goes_out_in_the_clear() {
    for (generation, cause) in [
        (Generation::Session25, Cause::Refused),
        (Generation::Session16, Cause::Unencrypted),
    ] {
        let setup = Setup {
            policy: PlainPolicy::Refused,
            ..Setup::new(generation)
        };
        with_pair(6, &setup, |pair| {
            pair.run_until(|pair| pair.client.closed.is_some());
            assert_eq!(pair.client.closed, Some(cause));
            assert_eq!(pair.plain_payloads(), 0);
        });
    }
    let setup = Setup {
        policy: PlainPolicy::Refused,
        ..Setup::new(Generation::Dtls)
    };
    with_pair(6, &setup, |pair| {
        pair.run_until(|pair| pair.client.authenticated);
    });
}

#[test]
fn silence_has_the_causes_that_it_has_with_dtls() {
    for (generation, cause) in [
        (Generation::Dtls, Cause::Refused),
        (Generation::Session25, Cause::Refused),
        (Generation::Session16, Cause::LoginTimeout),
    ] {
        with_pair(7, &Setup::new(generation), |pair| {
            pair.run_until(|pair| pair.client.phases.contains(&Phase::Open));
            pair.world.net.set_faults(SILENCE);
            pair.run_until(|pair| pair.client.closed.is_some());
            assert_eq!(pair.client.closed, Some(cause), "{generation:?}");
        });
    }
    let setup = Setup {
        accept: false,
        ..Setup::new(Generation::Session25)
    };
    with_pair(7, &setup, |pair| {
        pair.run_until(|pair| pair.client.closed.is_some());
        assert_eq!(pair.client.closed, Some(Cause::Refused));
    });
}

#[test]
fn an_audio_frame_that_one_packet_cannot_hold_is_refused_where_it_must_be_one() {
    for generation in OLD {
        with_pair(10, &Setup::new(generation), |pair| {
            pair.run_until(|pair| pair.client.authenticated);
            let audio = |data| OutFrame {
                stream: Stream::Audio,
                key: false,
                info: info(Stream::Audio, Instant::ZERO),
                data,
            };
            let camera = &mut pair.camera.camera;
            let before = camera.start_frame(&audio(&[1; 1024])).unwrap().number();
            let refused = camera
                .start_frame(&audio(&[1; 1025]))
                .map(|out| out.number());
            let after = camera.start_frame(&audio(&[1; 8])).unwrap().number();
            if generation == Generation::Session16 {
                assert_eq!(refused, Err(MediaError::TooLong { max: 1024 }));
                assert_eq!(after, before + 1);
            } else {
                assert_eq!((refused, after), (Ok(before + 1), before + 2));
            }
        });
    }
}

#[test]
fn a_camera_without_dtls_that_says_goodbye_is_believed_when_nothing_follows() {
    for generation in OLD {
        with_pair(9, &Setup::new(generation), |pair| {
            pair.run_until(|pair| pair.client.authenticated);
            pair.camera.camera.close();
            pair.run_for(2 * SECOND);
            assert_eq!(pair.client.closed, None, "{generation:?}");
            pair.run_for(SECOND);
            assert_eq!(pair.client.closed, Some(Cause::Peer), "{generation:?}");
        });
    }
}

#[test]
fn a_camera_without_dtls_serves_one_viewer_after_another() {
    for generation in OLD {
        with_pair(8, &Setup::new(generation), |pair| {
            pair.run_until(|pair| pair.client.authenticated);
            pair.client.client.close();
            pair.run_until(|pair| pair.camera.closed.is_some());
            let cx = &mut Cx::new(pair.world.now, &mut pair.world.rng);
            pair.camera.camera.reset(cx);
            pair.camera.closed = None;
            let (enr, mac, targets) = (enr("sim-enr-16byte!!"), mac(), [addr(DEVICE)]);
            let mut room = Room::new(256 << 10, 16 << 10);
            let config = ClientConfig::new(uid(), &enr, &mac, &targets);
            let mut second = ClientNode::new(&config, &mut room, cx);
            let end = pair.world.now + 10 * SECOND;
            while !second.authenticated && pair.world.now < end {
                pair.world.step(&mut [&mut second, &mut *pair.camera]);
            }
            assert!(second.authenticated, "{:?}", second.closed);
        });
    }
}
