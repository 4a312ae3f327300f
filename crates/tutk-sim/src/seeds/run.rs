//! One seed from its first search to its last goodbye, with the laws checked after every step.
//!
//! ```text
//!   rough: script, weather, strikes ── end ─► calm: pictures must flow again ─► the viewer closes ─► both ends are told
//!             └─ a viewer that was closed dials again; a camera that was closed waits for the next viewer ─┘
//! ```

mod deeds;
mod told;

use std::net::SocketAddr;
use std::slice::IterMut;

use rand_chacha::ChaCha8Rng;
use wyze_session::kauth::hl::Code;
use wyze_session::{CameraConfig, Cause, ClientConfig, LAN_PORT, RequestId, Uid};

use super::attacker::Attacker;
use super::scenario::{Act, Scenario, World};
use crate::ends::{Cam, Clock, Viewer};
use crate::laws::{
    Answer, CAMERA_ANSWER, Delivered, Lawful, MAX_STALL, Sent, VIEWER_ANSWER, Violation, law,
};
use crate::room::Room;
use crate::show::Kind;
use crate::wire::{Fate, Flying, Origin, Wire, reaches};
use crate::{rng, secrets};

const SECOND: u64 = 1_000_000;
/// A viewer that was closed dials again after this long.
const REDIAL: u64 = SECOND;
/// In calm weather pictures flow again within this: a stranger may hold the camera's place for 20 s, several times.
const RECOVERY: u64 = 120 * SECOND;
/// Pictures that prove it.
const PROOF: u32 = 5;
/// Both ends have been told of a close within this.
const GOODBYE: u64 = 15 * SECOND;
/// Datagrams that end a session: a goodbye on each of two channels and three closes.
const FAREWELL: usize = 5;
/// The K-command that the viewer sends; nothing in the stack knows it.
const ASK: Code = Code(11_000);
/// The answer to K10010, with which a talk is switched on and off.
const SWITCHED: Code = Code(10_011);
/// Microseconds from one frame of a talk to the next.
const TALK_EVERY: u64 = 40_000;

/// A law that the harness breaks itself, to show that it would be noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Sabotage {
    /// None.
    #[default]
    None,
    /// A frame is delivered twice.
    Twice,
    /// A frame is delivered that was not sent.
    Alien,
    /// An unauthenticated datagram is answered with one more.
    Chatty,
    /// A timer is not served.
    Stuck,
    /// A camera in calm weather shows nothing.
    Mute,
    /// A request is answered with something else.
    Liar,
}

/// What happened in a run.
#[derive(Debug, Clone, Default)]
pub(crate) struct Outcome {
    /// Sessions of the viewer.
    pub(crate) sessions: u32,
    /// How they ended.
    pub(crate) causes: Vec<Cause>,
    /// Frames delivered: video, audio, talk.
    pub(crate) frames: [u32; 3],
    /// Datagrams delivered to either end, hostile ones included.
    pub(crate) datagrams: u64,
    /// Datagrams of the attacker.
    pub(crate) hostile: u64,
    /// Virtual time, microseconds.
    pub(crate) micros: u64,
}

/// Memory of a thread, lent to one run after the other.
#[derive(Debug)]
pub(crate) struct Pool {
    viewers: Vec<Room>,
    cameras: Vec<Room>,
}

impl Default for Pool {
    fn default() -> Self {
        Self {
            viewers: (0..64).map(|_| Room::new(64 << 10, 8 << 10, 0)).collect(),
            cameras: (0..9).map(|_| Room::new(0, 16 << 10, 128)).collect(),
        }
    }
}

/// Runs a seed.
///
/// # Errors
/// A law was broken.
pub(crate) fn run(
    scenario: &Scenario,
    pool: &mut Pool,
    sabotage: Sabotage,
    trace: bool,
) -> Lawful<Outcome> {
    let uid: Uid = "SIMCAMSIMCAMSIMCAM11"
        .parse()
        .map_err(|e| Violation(format!("{e}")))?;
    let (enr, mac) = secrets()?;
    let camera: SocketAddr = ([192, 0, 2, 2], LAN_PORT).into();
    let targets = [camera, ([255, 255, 255, 255], LAN_PORT).into()];
    let seed = scenario.seed;
    let closes = scenario.world != World::Siege;
    let mut run = Run {
        client: ClientConfig {
            suites: scenario.suites,
            resend: scenario.resend,
            audio: scenario.show.audio_every > 0,
            ..ClientConfig::new(uid, &enr, &mac, &targets)
        },
        device: CameraConfig {
            framings: scenario.framings,
            cookie: scenario.cookie,
            two_way: scenario.talk,
            ..CameraConfig::new(uid, &enr, &mac)
        },
        s: scenario,
        sabotage,
        trace,
        random: rng(seed, 2),
        wire: Wire::new(scenario.weather, rng(seed, 3)),
        attacker: Attacker::new(rng(seed, 4), closes),
        now: 0,
        script: scenario.script.iter(),
        strike_at: (scenario.world.is_hostile() && scenario.world != World::Siege).then_some(0),
        stage: Stage::Rough,
        viewer: None,
        viewer_rooms: pool.viewers.iter_mut(),
        viewer_addr: ([192, 0, 2, 1], 50_000).into(),
        viewer_clock: Clock::default(),
        dial_at: Some(0),
        camera: None,
        camera_rooms: pool.cameras.iter_mut(),
        camera_addr: camera,
        camera_clock: Clock::default(),
        boot_at: Some(0),
        session: None,
        sent: Sent::default(),
        seen: Default::default(),
        heard: Delivered::default(),
        talk: None,
        asked: Vec::new(),
        missed: Vec::new(),
        asks: 0,
        stalls: [(0, 0); 2],
        outcome: Outcome::default(),
    };
    run.say(|| scenario.to_string());
    let ended = run.go();
    run.outcome.micros = run.now;
    run.outcome.hostile = run.attacker.sent;
    run.outcome.frames = [run.seen[0].count(), run.seen[1].count(), run.heard.count()];
    ended.map(|()| run.outcome)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Rough,
    /// Since when, and how many pictures had been delivered then.
    Calm(u64, u32),
    /// The viewer closes, since then.
    Closing(u64),
}

struct Run<'m> {
    s: &'m Scenario,
    client: ClientConfig<'m>,
    device: CameraConfig<'m>,
    sabotage: Sabotage,
    trace: bool,
    random: ChaCha8Rng,
    wire: Wire,
    attacker: Attacker,
    now: u64,
    script: std::slice::Iter<'m, (u64, Act)>,
    strike_at: Option<u64>,
    stage: Stage,
    viewer: Option<Viewer<'m>>,
    viewer_rooms: IterMut<'m, Room>,
    viewer_addr: SocketAddr,
    viewer_clock: Clock,
    dial_at: Option<u64>,
    camera: Option<Cam<'m>>,
    camera_rooms: IterMut<'m, Room>,
    camera_addr: SocketAddr,
    camera_clock: Clock,
    boot_at: Option<u64>,
    /// The camera's session with a viewer that was let in, and when it began.
    session: Option<(u32, u64)>,
    sent: Sent,
    seen: [Delivered; 2],
    heard: Delivered,
    /// The talk that is open, and when the next frame of it is due.
    talk: Option<(u32, u64)>,
    /// Requests of this viewer, what they carried, and whether they were answered.
    asked: Vec<(RequestId, Vec<u8>, bool)>,
    /// What was not answered in time, and may be later: K-commands carry nothing that tells whose answer it is.
    missed: Vec<Vec<u8>>,
    asks: u32,
    /// When a timer was last served, and how often at that moment: viewer, camera.
    stalls: [(u64, u32); 2],
    outcome: Outcome,
}

impl<'m> Run<'m> {
    fn say(&self, what: impl FnOnce() -> String) {
        if self.trace {
            println!("{:12.6}  {}", self.now as f64 / 1e6, what());
        }
    }

    fn go(&mut self) -> Lawful {
        loop {
            self.transmit(false)?;
            self.look()?;
            let next = self.next().unwrap_or(u64::MAX);
            let limit = match self.stage {
                Stage::Rough => self.s.end,
                Stage::Calm(since, _) => since + RECOVERY,
                Stage::Closing(since) => since + GOODBYE,
            };
            if next > limit {
                self.now = self.now.max(limit);
                match self.stage {
                    Stage::Rough => self.calm()?,
                    Stage::Calm(..) => return Err(self.no_recovery()),
                    Stage::Closing(_) => return self.farewell(),
                }
                continue;
            }
            self.now = self.now.max(next);
            self.step()?;
            self.look()?;
            match self.stage {
                Stage::Calm(_, before) if self.seen[0].count() >= before + PROOF => {
                    self.say(|| "pictures flow; the viewer closes".into());
                    self.stage = Stage::Closing(self.now);
                    if let Some(viewer) = &mut self.viewer {
                        viewer.with(&mut self.random, self.now, |client, _| client.close());
                    }
                }
                Stage::Closing(_) if self.session.is_none() && self.is_told() => {
                    return self.farewell();
                }
                _ => {}
            }
        }
    }

    /// Whether the viewer knows that its session is over.
    fn is_told(&self) -> bool {
        self.viewer
            .as_ref()
            .is_none_or(|viewer| viewer.closed.is_some())
    }

    /// When the next thing happens.
    fn next(&mut self) -> Option<u64> {
        let rough = self.stage == Stage::Rough;
        let all = [
            self.wire.next_arrival(),
            self.viewer.as_ref().and_then(Viewer::deadline),
            self.camera.as_ref().and_then(Cam::deadline),
            self.frame_at(Kind::Video),
            self.frame_at(Kind::Audio),
            self.talk.map(|(_, at)| at),
            self.dial_at
                .filter(|_| !matches!(self.stage, Stage::Closing(_))),
            self.boot_at,
            self.script
                .as_slice()
                .first()
                .map(|&(at, _)| at)
                .filter(|_| rough),
            self.strike_at.filter(|_| rough),
        ];
        all.into_iter().flatten().min()
    }

    fn frame_at(&mut self, kind: Kind) -> Option<u64> {
        let every = match kind {
            Kind::Video => self.s.show.video_every,
            _ => self.s.show.audio_every,
        };
        let (session, begun) = self.session.filter(|_| every > 0)?;
        if !self.camera.as_ref()?.wants(kind) {
            return None;
        }
        Some(begun + every * u64::from(self.sent.total(kind, session)))
    }

    /// Lets one thing happen.
    fn step(&mut self) -> Lawful {
        let now = self.now;
        let due = |at: Option<u64>| at.is_some_and(|at| at <= now);
        if due(self.viewer.as_ref().and_then(Viewer::deadline)) {
            return self.viewer_timer();
        }
        if due(self.camera.as_ref().and_then(Cam::deadline)) {
            return self.camera_timer();
        }
        if let Some(flying) = self.wire.arrived(now) {
            return self.deliver(flying);
        }
        if due(self.boot_at) {
            return self.boot();
        }
        if due(self.dial_at) {
            self.dial();
            return Ok(());
        }
        for kind in [Kind::Video, Kind::Audio] {
            if due(self.frame_at(kind)) {
                return self.send_frame(kind);
            }
        }
        if let Some((talk, at)) = self.talk.filter(|&(_, at)| at <= now) {
            self.talk = Some((talk, at.max(now) + TALK_EVERY));
            self.say_something(talk);
            return Ok(());
        }
        if due(self.strike_at) {
            let peers = [self.viewer_addr, self.camera_addr];
            let said = self.attacker.strike(now, &mut self.wire, peers);
            self.say(|| format!("attacker: {said}"));
            self.strike_at = Some(now + self.attacker.pause(self.s.strike_every));
            return Ok(());
        }
        match self.script.next() {
            Some(&(_, act)) => self.act(act),
            None => Ok(()),
        }
    }

    fn served(&mut self, which: usize) -> Lawful {
        let (at, times) = &mut self.stalls[which];
        *times = if *at == self.now { *times + 1 } else { 1 };
        *at = self.now;
        let times = *times;
        law(times <= MAX_STALL, || {
            let who = ["viewer", "camera"][which];
            format!("busy loop: the {who}'s timer asked {times} times at one moment")
        })
    }

    fn viewer_timer(&mut self) -> Lawful {
        self.served(0)?;
        match &mut self.viewer {
            Some(viewer) if self.sabotage != Sabotage::Stuck => {
                viewer.timeout(&mut self.random, self.now)
            }
            _ => Ok(()),
        }
    }

    fn camera_timer(&mut self) -> Lawful {
        self.served(1)?;
        match &mut self.camera {
            Some(camera) => camera.timeout(&mut self.random, self.now),
            None => Ok(()),
        }
    }

    fn deliver(&mut self, flying: Flying) -> Lawful {
        let Flying {
            from,
            to,
            mut bytes,
            origin,
            ..
        } = flying;
        let len = bytes.len();
        let (viewer, camera) = (reaches(to, self.viewer_addr), reaches(to, self.camera_addr));
        self.say(|| {
            let who = if viewer {
                "viewer"
            } else if camera {
                "camera"
            } else {
                "nobody"
            };
            format!("{from} -> {who}: {len} bytes, {origin:?}")
        });
        self.stalls = [(0, 0); 2];
        let rng = &mut self.random;
        let seen = (self.s.world.is_hostile() && origin == Origin::Genuine).then(|| bytes.clone());
        match (&mut self.viewer, &mut self.camera) {
            (Some(end), _) if viewer => end.receive(rng, self.now, from, &mut bytes)?,
            (_, Some(end)) if camera => end.receive(rng, self.now, from, &mut bytes)?,
            _ => return Ok(()),
        }
        self.outcome.datagrams += 1;
        if let Some(bytes) = seen {
            self.attacker.sees(from, to, &bytes);
        }
        let (mut answers, bytes) = self.transmit(origin == Origin::Hostile)?;
        if origin == Origin::Hostile {
            answers += 2 * usize::from(self.sabotage == Sabotage::Chatty);
            let most = if viewer { VIEWER_ANSWER } else { CAMERA_ANSWER };
            self.check_answer(len, answers, bytes, most)?;
        }
        Ok(())
    }

    /// What nobody has authenticated is answered with little; or it ends a handshake.
    fn check_answer(&self, len: usize, answers: usize, bytes: usize, most: Answer) -> Lawful {
        let ends = answers <= FAREWELL
            && (self.viewer.as_ref().is_some_and(|v| v.closed.is_some())
                || self.camera.as_ref().is_some_and(|c| c.closed.is_some()));
        law(answers <= most.datagrams || ends, || {
            format!("{answers} datagrams in answer to one that nobody authenticated")
        })?;
        law(bytes as f64 <= most.times * len as f64 || ends, || {
            format!("{bytes} bytes in answer to {len} that nobody authenticated")
        })
    }

    /// Takes what both ends have to send; answers with how many datagrams and bytes.
    fn transmit(&mut self, in_answer: bool) -> Lawful<(usize, usize)> {
        let (mut count, mut total) = (0, 0);
        let (wire, now, trace) = (&mut self.wire, self.now, self.trace);
        let mut send = |who: &str, from, to, bytes: &[u8]| {
            let fate = wire.send(now, from, to, bytes);
            count += 1;
            total += bytes.len();
            if trace {
                let (lost, why) = (
                    fate == Fate::Lost,
                    if in_answer { " in answer" } else { "" },
                );
                let fate = if lost { ", lost" } else { "" };
                println!(
                    "{:12.6}  {who} -> {to}: {} bytes{why}{fate}",
                    now as f64 / 1e6,
                    bytes.len()
                );
            }
        };
        if let Some(viewer) = &mut self.viewer {
            let from = viewer.addr;
            viewer.transmit(&mut self.random, now, |_, to, bytes| {
                send("viewer", from, to, bytes)
            })?;
        }
        if let Some(camera) = &mut self.camera {
            let from = camera.addr;
            camera.transmit(&mut self.random, now, |_, to, bytes| {
                send("camera", from, to, bytes)
            })?;
        }
        Ok((count, total))
    }
}
