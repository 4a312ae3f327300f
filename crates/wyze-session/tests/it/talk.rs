//! Audio from the app to the camera.

use std::net::SocketAddr;
use std::time::Duration;

use crate::common::*;
use crate::recorded::ENR;
use crate::replay::{data_payload, plaintexts};
use tutk_av::{
    Assembler, AssemblerConfig, Message, Output, Responder, ResponderConfig, TalkPacketizer,
};
use tutk_core::{Layer, TxBuf};
use tutk_testkit::data;
use tutk_testkit::net::{Faults, Net};
use tutk_testkit::pump::{Node, World};
use wyze_session::{
    AudioFormat, CameraConfig, Cause, ClientConfig, Codec, Cx, Datagram, Framings, Instant,
    MAX_TALK_FRAME, RequestError, Stream, Suites, TalkEnd, TalkError, TalkFrame,
};

/// Holds datagrams back and doubles them, but loses none.
const SHUFFLED: Faults = Faults {
    reorder: 20,
    duplicate: 10,
    ..Faults::NONE
};
const EVERY: Duration = Duration::from_millis(20);
const FORMAT: AudioFormat = AudioFormat {
    sample_rate: 8000,
    bits: 16,
    channels: 1,
};

struct Setup {
    faults: Faults,
    framings: Framings,
    /// What the camera speaks.
    suites: Suites,
    /// Video frames of the show.
    frames: usize,
    /// Whether each side has memory for a talk: client, camera.
    talk: (bool, bool),
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            faults: Faults::NONE,
            framings: Framings::TRANSCODE,
            suites: Suites::ALL,
            frames: 20,
            talk: (true, true),
        }
    }
}

/// A client that a camera has let in.
struct Pair<'a, 'm> {
    world: World,
    client: &'a mut ClientNode<'m>,
    camera: &'a mut CameraNode<'m>,
    /// A datagram of the camera's.
    sample: Vec<u8>,
}

/// Keeps the last datagram that the client got.
struct Tap<'a, 'm>(&'a mut ClientNode<'m>, &'a mut Vec<u8>);

impl Node for Tap<'_, '_> {
    fn addr(&self) -> SocketAddr {
        self.0.addr()
    }

    fn receive(&mut self, cx: &mut Cx<'_>, from: SocketAddr, bytes: &mut [u8]) {
        *self.1 = bytes.to_vec();
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
        self.0.transmit(cx, buf)
    }

    fn deadline(&self) -> Option<Instant> {
        self.0.deadline()
    }
}

fn with_pair(seed: u64, setup: &Setup, then: impl FnOnce(&mut Pair<'_, '_>)) {
    let mut world = World::new(seed, Net::new(seed, setup.faults));
    let (enr, mac, targets) = (enr("sim-enr-16byte!!"), mac(), [addr(DEVICE)]);
    let mut room1 = Room::new(256 << 10, 16 << 10);
    let mut room2 = Room::new(0, 16 << 10);
    if !setup.talk.0 {
        room1.talk_handshake.clear();
    }
    if !setup.talk.1 {
        room2.talk_handshake.clear();
    }
    let cx = &mut Cx::new(world.now, &mut world.rng);
    let config = ClientConfig {
        // The picture ends before the talks do.
        stall: None,
        ..ClientConfig::new(uid(), &enr, &mac, &targets)
    };
    let mut client = ClientNode::new(&config, &mut room1, cx);
    let config = CameraConfig {
        framings: setup.framings,
        suites: setup.suites,
        ..CameraConfig::new(uid(), &enr, &mac)
    };
    let show = Show::new(setup.frames, 20, 20_000, 900);
    let mut camera = CameraNode::new(&config, &mut room2, show, cx);
    let mut sample = Vec::new();
    while !client.authenticated {
        assert!(world.step(&mut [&mut Tap(&mut client, &mut sample), &mut camera]));
    }
    then(&mut Pair {
        world,
        client: &mut client,
        camera: &mut camera,
        sample,
    });
}

impl Pair<'_, '_> {
    fn run_for(&mut self, time: Duration) {
        let end = self.world.now + time;
        self.world
            .run_until(end, &mut [&mut *self.client, &mut *self.camera]);
    }

    /// Runs until `done`, six seconds at most.
    fn run_until(&mut self, done: impl Fn(&Self) -> bool) {
        let end = self.world.now + Duration::from_secs(6);
        while !done(self) && self.world.now < end {
            self.run_for(Duration::from_millis(10));
        }
        assert!(done(self), "not within six seconds");
    }

    fn start(&mut self) -> Result<(), RequestError> {
        let cx = &mut Cx::new(self.world.now, &mut self.world.rng);
        self.client.client.start_talk(cx)
    }

    fn stop(&mut self) -> Result<(), RequestError> {
        let cx = &mut Cx::new(self.world.now, &mut self.world.rng);
        self.client.client.stop_talk(cx)
    }

    /// Starts a talk and waits until it is ready.
    fn open(&mut self) {
        let talks = self.client.talks;
        self.start().unwrap();
        self.run_until(|pair| pair.client.talks > talks);
        assert!(self.client.client.is_talking());
    }

    /// Stops the talk and waits for its end.
    fn shut(&mut self) {
        let ends = self.client.talk_ends.len();
        self.stop().unwrap();
        self.run_until(|pair| pair.client.talk_ends.len() > ends);
    }

    fn say_into(&mut self, bytes: &[u8], buf: &mut [u8]) -> Result<(), TalkError> {
        let frame = TalkFrame {
            codec: Codec::Pcmu,
            format: FORMAT,
            micros: self.world.now.as_micros() as u32,
            data: bytes,
        };
        let cx = &mut Cx::new(self.world.now, &mut self.world.rng);
        let t = self.client.client.send_audio(cx, &frame, buf)?;
        let (now, from) = (self.world.now, self.client.addr);
        self.world.net.send(now, from, t.to, t.datagram);
        Ok(())
    }

    fn say(&mut self, bytes: &[u8]) -> Result<(), TalkError> {
        self.say_into(bytes, &mut [0; 1500])
    }

    /// Says `words`, one every 20 ms, and waits until all must have arrived.
    fn say_all(&mut self, words: &[Vec<u8>]) {
        for word in words {
            self.say(word).unwrap();
            self.run_for(EVERY);
        }
        self.run_for(Duration::from_millis(300));
    }

    /// Delivers a datagram on the talk channel as if the camera had sent it; answers with what the client sends back there.
    fn inject(&mut self, payload: &[u8]) -> Vec<Vec<u8>> {
        let mut packet = self.sample.clone();
        tutk_transcode::decode(&mut packet);
        packet.truncate(28);
        packet.extend_from_slice(payload);
        let len = (packet.len() - 16) as u16;
        packet[4..6].copy_from_slice(&len.to_le_bytes());
        packet[14] = 1;
        tutk_transcode::encode(&mut packet);
        let cx = &mut Cx::new(self.world.now, &mut self.world.rng);
        self.client.receive(cx, addr(DEVICE), &mut packet);
        let mut sent = Vec::new();
        let mut buf = [0; 1500];
        while let Some((_, datagram)) = self.client.transmit(cx, &mut buf) {
            if let Some((1, payload)) = data_payload(&mut datagram.to_vec()) {
                sent.push(payload);
            }
        }
        sent
    }
}

/// Frames that differ, of 1 byte up to the longest.
fn words(n: usize) -> Vec<Vec<u8>> {
    (0..n)
        .map(|i| {
            let len = match i % 10 {
                8 => 1,
                9 => MAX_TALK_FRAME,
                _ => 160,
            };
            (0..len).map(|j| (i * 57 + j * 13) as u8).collect()
        })
        .collect()
}

fn numbered(words: &[Vec<u8>]) -> Vec<(u32, Vec<u8>)> {
    (1..).zip(words.iter().cloned()).collect()
}

#[test]
fn the_camera_hears_every_frame_in_order_while_the_video_goes_on() {
    for (framings, faults) in [
        (Framings::TRANSCODE, Faults::NONE),
        (Framings::CC51, Faults::NONE),
        (Framings::TRANSCODE, SHUFFLED),
        (Framings::CC51, SHUFFLED),
    ] {
        for seed in 0..10 {
            let setup = Setup {
                faults,
                framings,
                frames: 80,
                ..Setup::default()
            };
            with_pair(seed, &setup, |pair| {
                let words = words(100);
                pair.open();
                pair.say_all(&words);
                pair.shut();
                pair.run_for(Duration::from_secs(2));
                let heard = &pair.camera.heard;
                assert_eq!(heard.frames, numbered(&words), "seed {seed}");
                assert_eq!((heard.ready, &heard.ends[..]), (1, &[TalkEnd::Peer][..]));
                assert_eq!(pair.client.talk_ends, [TalkEnd::Local]);
                assert!(pair.camera.finished());
                assert_eq!(pair.client.video, pair.camera.sent_video, "seed {seed}");
                assert_eq!(pair.client.audio, pair.camera.sent_audio, "seed {seed}");
                assert!(pair.client.closed.is_none() && pair.client.unanswered == 0);
            });
        }
    }
}

#[test]
fn a_bad_network_thins_the_talk_out_but_never_changes_it() {
    let mut heard = 0;
    for seed in 0..40 {
        let setup = Setup {
            faults: Faults::BAD_WIFI,
            ..Setup::default()
        };
        with_pair(seed, &setup, |pair| {
            for _ in 0..2 {
                pair.camera.heard.frames.clear();
                pair.open();
                let words = words(50);
                pair.say_all(&words);
                let all = numbered(&words);
                let frames = &pair.camera.heard.frames;
                assert!(frames.windows(2).all(|w| w[0].0 < w[1].0), "seed {seed}");
                assert!(frames.iter().all(|frame| all.contains(frame)));
                heard += frames.len();
                pair.shut();
            }
            assert_eq!(pair.client.talk_ends, [TalkEnd::Local; 2], "seed {seed}");
            assert!(pair.client.closed.is_none());
        });
    }
    assert!(heard > 3200, "{heard} of 4000 frames");
}

#[test]
fn talks_start_and_stop_and_start_again() {
    for faults in [Faults::NONE, SHUFFLED] {
        let setup = Setup {
            faults,
            ..Setup::default()
        };
        with_pair(3, &setup, |pair| {
            for round in 0..3 {
                let words: Vec<_> = words(20 + round).split_off(round);
                pair.camera.heard.frames.clear();
                pair.open();
                pair.say_all(&words);
                assert_eq!(pair.camera.heard.frames, numbered(&words), "round {round}");
                pair.shut();
                assert!(!pair.client.client.is_talking());
                assert_eq!(pair.say(b"silence"), Err(TalkError::NotReady));
            }
            assert_eq!(pair.client.talk_ends, [TalkEnd::Local; 3]);
            assert_eq!(pair.camera.heard.ready, 3);
            assert_eq!(pair.camera.heard.ends, [TalkEnd::Peer; 3]);
        });
    }
}

#[test]
fn a_talk_that_is_stopped_before_it_is_ready_ends_and_another_can_start() {
    for wait in [0, 1, 3, 5, 8, 20, 200] {
        with_pair(4, &Setup::default(), |pair| {
            pair.start().unwrap();
            pair.run_for(Duration::from_millis(wait));
            pair.shut();
            assert_eq!(pair.client.talks, 0);
            pair.open();
            let words = words(5);
            pair.say_all(&words);
            assert_eq!(
                pair.camera.heard.frames,
                numbered(&words),
                "after {wait} ms"
            );
        });
    }
}

#[test]
fn off_goes_out_once_on_is_answered() {
    with_pair(4, &Setup::default(), |pair| {
        pair.run_for(Duration::from_millis(5));
        pair.start().unwrap();
        // "On" goes out and is lost; nothing may overtake its repetition.
        let cx = &mut Cx::new(pair.world.now, &mut pair.world.rng);
        let mut buf = [0; 1500];
        let mut sent = 0;
        while pair.client.transmit(cx, &mut buf).is_some() {
            sent += 1;
        }
        assert!(sent > 0);
        pair.stop().unwrap();
        let cx = &mut Cx::new(pair.world.now, &mut pair.world.rng);
        assert!(pair.client.transmit(cx, &mut buf).is_none());
        pair.run_until(|pair| !pair.client.talk_ends.is_empty());
        assert_eq!(pair.client.talk_ends, [TalkEnd::Local]);
        assert_eq!(pair.camera.heard.ends, [TalkEnd::Peer], "it heard both");
        assert_eq!(pair.client.messages, 0);
    });
}

/// The suites that the next ClientHello on the talk channel offers.
fn offered(pair: &mut Pair<'_, '_>) -> Vec<u16> {
    /// Behind the headers of record and message: the version, and 32 random bytes.
    const SESSION_ID: usize = 13 + 12 + 2 + 32;
    loop {
        let client = &mut Tap(&mut *pair.client, &mut pair.sample);
        assert!(pair.world.step(&mut [client, &mut *pair.camera]));
        let Some((1, record)) = data_payload(&mut pair.sample.clone()) else {
            continue;
        };
        assert_eq!((record[0], record[13]), (22, 1), "a ClientHello");
        assert_eq!(
            record[SESSION_ID..][..2],
            [0, 0],
            "no session id, no cookie"
        );
        let (len, suites) = record[SESSION_ID + 2..].split_at(2);
        let suites = &suites[..usize::from(u16::from_be_bytes([len[0], len[1]]))];
        let codes = suites.chunks_exact(2);
        return codes.map(|c| u16::from_be_bytes([c[0], c[1]])).collect();
    }
}

#[test]
fn the_talk_takes_00ae_unless_the_camera_lacks_it() {
    for framings in [Framings::TRANSCODE, Framings::CC51] {
        for (suites, offer) in [
            (Suites::ALL, 0x00ae),
            (Suites::CBC, 0x00ae),
            (Suites::CHACHA, 0xccac),
        ] {
            let setup = Setup {
                framings,
                suites,
                frames: 60,
                ..Setup::default()
            };
            with_pair(13, &setup, |pair| {
                for _ in 0..2 {
                    pair.camera.heard.frames.clear();
                    let words = words(20);
                    let talks = pair.client.talks;
                    pair.start().unwrap();
                    assert_eq!(offered(pair), [offer], "{suites:?}");
                    pair.run_until(|pair| pair.client.talks > talks);
                    pair.say_all(&words);
                    assert_eq!(pair.camera.heard.frames, numbered(&words), "{suites:?}");
                    pair.shut();
                }
                assert_eq!(pair.client.talk_ends, [TalkEnd::Local; 2]);
                assert_eq!(pair.camera.heard.ends, [TalkEnd::Peer; 2]);
            });
        }
    }
}

#[test]
fn the_app_speaks_half_a_second_after_the_answer_to_the_login() {
    with_pair(5, &Setup::default(), |pair| {
        let asked = pair.world.now;
        pair.start().unwrap();
        pair.run_until(|pair| pair.camera.heard.ready == 1);
        let answered = pair.world.now;
        assert!(answered - asked < Duration::from_millis(100));
        pair.run_until(|pair| pair.client.talks == 1);
        let waited = pair.world.now - answered;
        assert!(
            waited > Duration::from_millis(470) && waited < Duration::from_millis(530),
            "{waited:?}"
        );
    });
}

#[test]
fn a_session_that_is_closed_says_goodbye_on_both_channels() {
    for framings in [Framings::TRANSCODE, Framings::CC51] {
        let setup = Setup {
            framings,
            ..Setup::default()
        };
        with_pair(6, &setup, |pair| {
            pair.open();
            pair.say_all(&words(3));
            pair.client.client.close();
            let mut channels = Vec::new();
            let mut buf = [0; 1500];
            loop {
                let cx = &mut Cx::new(pair.world.now, &mut pair.world.rng);
                let Some(t) = pair.client.client.poll_transmit(cx, &mut buf) else {
                    break;
                };
                pair.world
                    .net
                    .send(pair.world.now, pair.client.addr, t.to, t.datagram);
                if let Some((channel, record)) = data_payload(t.datagram) {
                    assert_eq!(record[0], 21, "an alert");
                    channels.push(channel);
                }
            }
            // CC51 has no close of its own, so that the goodbye of the session is said three times.
            let expected: &[u8] = match framings {
                Framings::CC51 => &[1, 0, 0, 0],
                _ => &[1, 0],
            };
            assert_eq!(channels, expected);
            pair.run_for(Duration::from_secs(1));
            assert_eq!(pair.camera.closed, Some(Cause::Peer));
            assert_eq!(pair.camera.heard.frames.len(), 3);
        });
    }
}

#[test]
fn a_camera_that_closes_the_session_says_goodbye_on_both_channels() {
    with_pair(6, &Setup::default(), |pair| {
        pair.open();
        pair.camera.camera.close();
        let mut channels = Vec::new();
        let mut buf = [0; 1500];
        let cx = &mut Cx::new(pair.world.now, &mut pair.world.rng);
        while let Some(t) = pair.camera.camera.poll_transmit(cx, &mut buf) {
            channels.extend(data_payload(t.datagram).map(|(channel, _)| channel));
        }
        assert_eq!(channels, [1, 0]);
    });
}

#[test]
fn a_camera_that_does_not_open_the_channel_is_given_up_after_five_seconds() {
    let setup = Setup {
        talk: (true, false),
        frames: 140,
        ..Setup::default()
    };
    with_pair(7, &setup, |pair| {
        pair.start().unwrap();
        pair.run_for(Duration::from_millis(4900));
        assert!(pair.client.talk_ends.is_empty());
        pair.run_for(Duration::from_millis(200));
        assert_eq!(pair.client.talk_ends, [TalkEnd::Timeout]);
        pair.run_for(Duration::from_secs(3));
        assert_eq!(pair.client.video, pair.camera.sent_video);
        pair.start().unwrap();
    });
}

#[test]
fn a_camera_that_does_not_answer_at_all_ends_the_talk_and_not_the_session() {
    const SILENCE: Faults = Faults {
        loss: 100,
        ..Faults::NONE
    };
    with_pair(7, &Setup::default(), |pair| {
        pair.world.net.set_faults(SILENCE);
        pair.start().unwrap();
        pair.run_for(Duration::from_millis(4900));
        assert!(pair.client.talk_ends.is_empty());
        pair.run_for(Duration::from_millis(200));
        assert_eq!(pair.client.talk_ends, [TalkEnd::NoReply]);
        assert!(pair.client.closed.is_none());
        pair.world.net.set_faults(Faults::NONE);
        pair.open();
        // Nor does it answer to the end of one.
        pair.world.net.set_faults(SILENCE);
        pair.stop().unwrap();
        pair.run_for(Duration::from_millis(4900));
        assert_eq!(pair.client.talk_ends.len(), 1);
        pair.run_for(Duration::from_millis(200));
        assert_eq!(pair.client.talk_ends, [TalkEnd::NoReply, TalkEnd::Local]);
        pair.world.net.set_faults(Faults::NONE);
        pair.open();
    });
}

#[test]
fn a_viewer_that_does_not_answer_on_the_channel_is_given_up_after_five_seconds() {
    let setup = Setup {
        talk: (false, true),
        ..Setup::default()
    };
    with_pair(7, &setup, |pair| {
        let cx = &mut Cx::new(pair.world.now, &mut pair.world.rng);
        let speaker = wyze_session::kauth::command::Media::ReturnAudio;
        pair.client.client.enable(cx, speaker, true).unwrap();
        pair.run_for(Duration::from_millis(4900));
        assert!(pair.camera.heard.ends.is_empty());
        pair.run_for(Duration::from_millis(200));
        assert_eq!(pair.camera.heard.ends, [TalkEnd::Timeout]);
        assert!(pair.camera.closed.is_none() && pair.client.closed.is_none());
    });
}

#[test]
fn calls_in_the_wrong_order_are_refused_and_change_nothing() {
    let mut rng = tutk_testkit::rng(1);
    let (enr, mac) = (enr("sim-enr-16byte!!"), mac());
    let mut room = Room::new(0, 0);
    let cx = &mut Cx::new(Instant::ZERO, &mut rng);
    let config = ClientConfig::new(uid(), &enr, &mac, &[]);
    let mut stranger = ClientNode::new(&config, &mut room, cx);
    assert_eq!(
        stranger.client.start_talk(cx),
        Err(RequestError::NotReady),
        "before the camera lets us in"
    );
    assert_eq!(stranger.client.stop_talk(cx), Err(RequestError::NoTalk));

    with_pair(8, &Setup::default(), |pair| {
        assert_eq!(pair.stop(), Err(RequestError::NoTalk));
        assert_eq!(pair.say(b"early"), Err(TalkError::NotReady));
        pair.start().unwrap();
        assert_eq!(pair.start(), Err(RequestError::TalkActive));
        assert_eq!(pair.say(b"early"), Err(TalkError::NotReady));
        pair.run_until(|pair| pair.client.talks == 1);
        assert_eq!(pair.start(), Err(RequestError::TalkActive));
        let max = MAX_TALK_FRAME;
        assert_eq!(
            pair.say(&[0; MAX_TALK_FRAME + 1]),
            Err(TalkError::TooLarge { max })
        );
        for len in [0, 60, 300] {
            assert_eq!(
                pair.say_into(&[1; 300], &mut vec![0; len]),
                Err(TalkError::BufferTooSmall)
            );
        }
        let words = words(3);
        pair.say_all(&words);
        assert_eq!(pair.camera.heard.frames, numbered(&words));
        pair.stop().unwrap();
        assert_eq!(pair.stop(), Err(RequestError::NoTalk));
        assert_eq!(pair.start(), Err(RequestError::TalkActive));
    });
    let setup = Setup {
        talk: (false, true),
        ..Setup::default()
    };
    with_pair(9, &setup, |pair| {
        assert_eq!(pair.start(), Err(RequestError::Unsupported));
        pair.run_for(Duration::from_secs(1));
        assert!(pair.client.talk_ends.is_empty() && pair.camera.heard.ends.is_empty());
    });
}

#[test]
fn what_goes_wrong_on_the_talk_channel_ends_the_talk_alone() {
    // An alert that anybody may forge while the handshake is under way: fatal, handshake failure.
    let alert = hex::decode("15fefd00000000000000630002").unwrap();
    let alert = [&alert[..], &[2, 40]].concat();
    with_pair(10, &Setup::default(), |pair| {
        assert!(
            pair.inject(&alert).is_empty(),
            "nobody listens without a talk"
        );
        pair.start().unwrap();
        pair.inject(&[0xff; 200]);
        pair.run_until(|pair| pair.client.talks == 1);
        for noise in [&alert[..], &[0x17; 80], &[]] {
            pair.inject(noise);
        }
        pair.say_all(&words(3));
        assert_eq!(pair.camera.heard.frames.len(), 3);
        pair.shut();
    });
    let setup = Setup {
        talk: (true, false),
        ..Setup::default()
    };
    with_pair(11, &setup, |pair| {
        pair.start().unwrap();
        assert_eq!(pair.inject(&recorded_hello("iotc")).len(), 1);
        pair.inject(&alert);
        assert_eq!(
            pair.client.talk_ends,
            [TalkEnd::Failed(Cause::Secure(tutk_dtls::Error::PeerAlert(
                40
            )))]
        );
        pair.run_for(Duration::from_secs(2));
        assert_eq!(pair.client.video, pair.camera.sent_video);
        assert!(pair.client.closed.is_none());
    });
}

/// Payloads of the recorded handshake on channel 1, in one direction.
fn recorded_flights(name: &str, dir: &str) -> Vec<Vec<u8>> {
    data::session(&format!("sessions/{name}.wire.jsonl"))
        .iter()
        .filter(|line| line["dir"] == dir && line["ch"] == 1)
        .map(|line| data_payload(&mut data::bytes(line, "raw")).unwrap().1)
        .collect()
}

fn recorded_hello(name: &str) -> Vec<u8> {
    recorded_flights(name, "s2c").swap_remove(0)
}

#[test]
fn the_hello_of_the_recorded_camera_is_answered_as_the_recorded_app_did() {
    const RANDOM: std::ops::Range<usize> = 13 + 12 + 2..13 + 12 + 2 + 32;
    for name in ["iotc", "cc51"] {
        let setup = Setup {
            talk: (true, false),
            ..Setup::default()
        };
        with_pair(12, &setup, |pair| {
            pair.start().unwrap();
            let mut flights = pair.inject(&recorded_hello(name));
            assert_eq!(flights.len(), 1, "{name}");
            let mut recorded = recorded_flights(name, "c2s").swap_remove(0);
            flights[0][RANDOM].fill(0);
            recorded[RANDOM].fill(0);
            assert_eq!(hex::encode(&flights[0]), hex::encode(&recorded), "{name}");
        });
    }
}

#[test]
fn the_recorded_talk_is_read_and_written_byte_for_byte() {
    for name in ["iotc", "cc51"] {
        let talk: Vec<_> = plaintexts(name)
            .into_iter()
            .filter(|(_, channel, _)| *channel == 1)
            .collect();
        let mut rng = tutk_testkit::rng(1);
        let cx = &mut Cx::new(Instant::ZERO, &mut rng);
        let config = ResponderConfig {
            two_way: true,
            ..ResponderConfig::default()
        };
        let mut responder = Responder::new(&config, &mut [], cx);
        let mut packetizer = TalkPacketizer::new();
        let mut memory = vec![0; 16 << 10];
        let mut assembler = Assembler::new(Stream::Audio, &mut memory, AssemblerConfig::AUDIO);
        let (mut logins, mut frames) = (0, 0);
        for (by_app, _, mut bytes) in talk {
            let mut buf = [0; 1500];
            let mut tx = TxBuf::new(&mut buf);
            let expected = bytes.clone();
            match Message::parse(&expected).unwrap() {
                Message::Login(login) => {
                    assert!(!by_app);
                    assert_eq!(login.password, ENR.as_bytes(), "{name}");
                    let mut input = Datagram::new(addr(DEVICE), &mut bytes);
                    responder.handle_datagram(cx, &mut input).unwrap();
                    logins += 1;
                }
                Message::LoginReply(_) => {
                    // The recorded camera sends the first packet only.
                    cx.now += Duration::from_millis(50);
                    responder.handle_timeout(cx).unwrap();
                    assert!(responder.poll_transmit(cx, &mut tx).unwrap());
                    assert_eq!(hex::encode(tx.payload()), hex::encode(&expected), "{name}");
                }
                Message::Media(packet) => {
                    let info = packet.info.unwrap();
                    let frame = TalkFrame {
                        codec: info.codec,
                        format: info.audio_format().unwrap(),
                        micros: u32::from_le_bytes(expected[8..12].try_into().unwrap()),
                        data: packet.payload,
                    };
                    packetizer.write(&frame, &mut tx).unwrap();
                    assert_eq!(hex::encode(tx.payload()), hex::encode(&expected), "{name}");
                    assembler.push(cx.now, &packet);
                    let Some(Output::Frame(r)) = assembler.poll(cx.now) else {
                        panic!("{name}: one packet, one frame")
                    };
                    assert_eq!(assembler.frame(r).data, packet.payload);
                    frames += 1;
                }
                other => panic!("{name}: {other:?}"),
            }
        }
        assert_eq!((logins, frames), (1, 5), "{name}");
    }
}
