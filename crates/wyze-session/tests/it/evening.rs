//! A whole evening with one camera: watch, another picture, pan, talk twice, lose it for half a minute, find it at another
//! port, go on.

use std::time::Duration;

use wyze_session::kauth::command::{FrameSize, Pan, RotateByAction, Tilt};
use wyze_session::kauth::models::Quality;
use wyze_session::{AudioFormat, Cause, Codec, Cx, TalkEnd, TalkFrame};

use crate::common::DEVICE;
use crate::common::addr;
use crate::film::{Picture, Rooms, SECOND, Stage};
use crate::over::Over;

/// Time of one frame of what is said.
const WORD: Duration = Duration::from_millis(20);
const PAN: u16 = 11002;
const QUALITY: u16 = 10056;
const LEFT: RotateByAction = RotateByAction {
    pan: Pan::Left,
    tilt: Tilt::Stay,
    speed: 5,
};

impl Stage<'_> {
    /// Says `count` frames in real time, while pictures go on, and stops.
    fn talk(&mut self, count: u32) {
        let (talks, ends) = (self.viewer.told.talks, self.viewer.told.talk_ends.len());
        self.film.heard.frames.clear();
        let cx = &mut Cx::new(self.world.now, &mut self.world.rng);
        self.viewer.client.start_talk(cx).unwrap();
        self.step_until(|stage| stage.viewer.told.talks > talks);
        let words: Vec<(u32, Vec<u8>)> = (1..=count)
            .map(|n| (n, (0..160).map(|i| (n * 57 + i * 13) as u8).collect()))
            .collect();
        for (_, word) in &words {
            self.say(word);
            self.run(WORD);
        }
        self.run(SECOND / 2);
        assert_eq!(self.film.heard.frames, words);
        let cx = &mut Cx::new(self.world.now, &mut self.world.rng);
        self.viewer.client.stop_talk(cx).unwrap();
        self.step_until(|stage| stage.viewer.told.talk_ends.len() > ends);
        assert_eq!(self.viewer.told.talk_ends.last(), Some(&TalkEnd::Local));
    }

    fn say(&mut self, data: &[u8]) {
        let frame = TalkFrame {
            codec: Codec::Pcmu,
            format: AudioFormat {
                sample_rate: 8000,
                bits: 16,
                channels: 1,
            },
            micros: self.world.now.as_micros() as u32,
            data,
        };
        let mut buf = [0; 1500];
        let cx = &mut Cx::new(self.world.now, &mut self.world.rng);
        let t = self.viewer.client.send_audio(cx, &frame, &mut buf).unwrap();
        let (now, from) = (self.world.now, self.viewer.addr);
        self.world.net.send(now, from, t.to, t.datagram);
    }

    /// The session is of the kind that is tried.
    fn assert_is(&self, over: Over) {
        let client = &self.viewer.client;
        assert_eq!(client.plain(), over.plain());
        assert_eq!(client.is_lossless(), over.plain().is_none());
    }

    fn step_until(&mut self, done: impl Fn(&Self) -> bool) {
        let end = self.world.now + 60 * SECOND;
        while !done(self) {
            assert!(self.world.now < end, "not within a minute");
            assert!(self.world.step(&mut [&mut self.viewer, &mut self.film]));
        }
    }
}

fn evening(over: Over, seed: u64) {
    let minute = 60 * SECOND;
    let mut rooms = Rooms::new();
    let mut stage = rooms.stage(over, seed, Duration::from_millis(50), |config| {
        config.audio = true;
        config.resend = true;
    });
    stage.film.picture = Picture::Real;
    stage.run_until_let_in(1);
    stage.assert_is(over);
    let begin = stage.world.now;
    stage.run(10 * minute);
    stage.assert_sees(FrameSize::P1080, begin);

    let begin = stage.world.now;
    let cx = &mut Cx::new(stage.world.now, &mut stage.world.rng);
    stage
        .viewer
        .client
        .set_quality(cx, Quality::Sd, None)
        .unwrap();
    stage.run(10 * minute);
    stage.assert_sees(FrameSize::P360, begin);

    let cx = &mut Cx::new(stage.world.now, &mut stage.world.rng);
    stage.viewer.client.request(cx, &LEFT).unwrap();
    stage.run(minute);
    assert_eq!(stage.film.commands, [QUALITY, PAN]);
    assert_eq!(stage.viewer.told.answers, 2, "both were answered");

    stage.talk(500);
    stage.run(5 * minute);
    stage.talk(250);
    stage.run(5 * minute);
    assert_eq!(stage.film.heard.ends, [TalkEnd::Peer; 2]);
    assert!(stage.viewer.told.ends.is_empty());
    stage.assert_every_frame_is_accounted_for();

    // Nobody hears anybody for half a minute, and then the camera is at another port.
    stage.excuse(30 * SECOND + 2 * SECOND);
    stage.outage(30 * SECOND);
    let moved = addr("192.0.2.2:40123");
    assert_ne!(moved, addr(DEVICE));
    stage.film.addr = moved;
    stage.run_until_let_in(2);
    let begin = stage.world.now;
    stage.run(10 * minute);
    assert_eq!(stage.viewer.told.let_in, 2);
    assert_eq!(stage.viewer.told.ends[0], Cause::Lost);
    assert_eq!(stage.viewer.client.peer(), Some(moved));
    assert_eq!(stage.film.commands[2..], [QUALITY]);
    stage.talk(100);
    stage.run(10 * minute);
    // It was asked for again: the picture is as it was.
    stage.assert_sees(FrameSize::P360, begin);

    stage.assert_is(over);

    stage.viewer.client.close();
    // Until the camera hears of it.
    stage.excuse(Duration::from_millis(1));
    stage.run(SECOND);
    assert_eq!(stage.viewer.told.ends.last(), Some(&Cause::Local));
    stage.assert_every_frame_is_accounted_for();
    let (came, sent) = (stage.viewer.told.frames.len(), stage.film.sent.len());
    assert!(sent > 50 * 60 * 20, "{sent} pictures in 51 minutes");
    // What was sent into the void before the camera gave the viewer up, ten seconds.
    assert!(sent - came <= 210, "{came} of {sent}");
    let sound = stage.viewer.told.audio.len();
    assert!(sound > 50 * 60 * 20, "{sound} of sound in 51 minutes");
}

#[test]
fn a_whole_evening_over_transcode() {
    evening(Over::TransCode, 1);
}

#[test]
fn a_whole_evening_over_cc51() {
    evening(Over::Cc51, 2);
}

#[test]
fn a_whole_evening_without_dtls() {
    for over in [Over::Session25, Over::Session16] {
        evening(over, 3);
    }
}
