//! One seed from its first search to its last goodbye, with the laws checked after every step.
//!
//! ```text
//!   rough: script, weather, strikes ── end ─► calm: pictures must flow again ─► the viewer closes ─► both ends are told
//!             └─ a viewer that was closed dials again; a camera that was closed waits for the next viewer ─┘
//! ```

mod deeds;
mod network;
mod told;

use std::net::SocketAddr;
use std::slice::IterMut;

use rand_chacha::ChaCha8Rng;
use wyze_session::kauth::hl::Code;
use wyze_session::{CameraConfig, Cause, ClientConfig, LAN_PORT, Reconnect, RequestId, Uid};

use super::attacker::Attacker;
use super::scenario::{Act, Scenario};
use crate::ends::{Cam, Clock, Viewer};
use crate::laws::{Delivered, Lawful, MAX_STALL, Sent, Violation, law};
use crate::room::Room;
use crate::show::Kind;
use crate::wire::Wire;
use crate::{rng, secrets};

const SECOND: u64 = 1_000_000;
const UID: &str = "SIMCAMSIMCAMSIMCAM11";
/// Where the two begin; the third byte tells them apart, wherever they go.
const VIEWER_AT: ([u8; 4], u16) = ([192, 0, 1, 1], 50_000);
const CAMERA_AT: ([u8; 4], u16) = ([192, 0, 2, 1], LAN_PORT);

/// Whether the viewer is at `addr`, or was.
pub(crate) fn is_viewers(addr: SocketAddr) -> bool {
    matches!(addr, SocketAddr::V4(addr) if addr.ip().octets()[2] == VIEWER_AT.0[2])
}

/// A viewer that was closed dials again after this long.
const REDIAL: u64 = SECOND;
/// In calm weather pictures flow again within this: a stranger may hold the camera's place for 20 s, several times.
const RECOVERY: u64 = 120 * SECOND;
/// Pictures that prove it.
const PROOF: u32 = 5;
/// Both ends have been told of a close within this.
const GOODBYE: u64 = 15 * SECOND;
/// Where an attacker may have led the camera to another address it does not hear the goodbye, and a late packet of the viewer may
/// lead it back: then its limit of ten seconds without one ends the session.
const UNHEARD: u64 = 10 * SECOND;
/// Pictures flow within this where the script waits for them.
const OVERTURE: u64 = 30 * SECOND;
/// The K-command that the viewer sends; nothing in the stack knows it.
const ASK: Code = Code(11_000);
/// The answer to K10010, with which a talk is switched on and off.
const SWITCHED: Code = Code(10_011);
/// Microseconds from one frame of a talk to the next.
const TALK_EVERY: u64 = 40_000;

/// A law that the harness breaks itself, to show that it would be noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Sabotage {
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
    /// A timer that was served is set in the past.
    Past,
    /// A camera in calm weather shows nothing.
    Mute,
    /// A request is answered with something else.
    Liar,
    /// Whoever moves is not followed.
    Lost,
    /// A picture is not delivered.
    Hole,
    /// An unauthenticated datagram is answered with many more bytes.
    Verbose,
    /// The camera sends what it has to the attacker.
    Seduced,
    /// A session says that it has no DTLS.
    Naked,
    /// A request is answered once more.
    Echo,
    /// An answer is told as a command that nobody asked for.
    Unasked,
    /// The end of a session that was closed is not told.
    Untold,
    /// A session that is over wants to be called.
    Restless,
    /// The camera does not hear that the viewer left.
    Unheard,
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
    /// Times that something happened: see [`Deed`].
    pub(crate) deeds: [u64; Deed::ALL.len()],
    /// Datagrams delivered to either end, hostile ones included.
    pub(crate) datagrams: u64,
    /// Datagrams of the attacker.
    pub(crate) hostile: u64,
    /// Virtual time, microseconds.
    pub(crate) micros: u64,
}

/// What should happen in some of the runs at least, for what is never tried is never wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deed {
    /// A viewer was let in by a camera without DTLS, of the one generation or the other.
    Session25,
    Session16,
    /// Lossless mode was granted, or not though asked for.
    Lossless,
    Refused,
    /// A session began in the memory of the one before.
    Restarted,
    /// It came as far as pictures.
    Resumed,
    /// A viewer followed its camera, or a camera its viewer.
    CameraFollowed,
    ViewerFollowed,
    /// A camera rebooted.
    Rebooted,
    /// A camera made itself ready for the next viewer.
    Reset,
}

impl Deed {
    /// Every one.
    pub(crate) const ALL: [Self; 10] = [
        Self::Session25,
        Self::Session16,
        Self::Lossless,
        Self::Refused,
        Self::Restarted,
        Self::Resumed,
        Self::CameraFollowed,
        Self::ViewerFollowed,
        Self::Rebooted,
        Self::Reset,
    ];
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
    let uid: Uid = UID.parse().map_err(|e| Violation(format!("{e}")))?;
    let (enr, mac) = secrets()?;
    let auth_key = wyze_session::kauth::auth_key(&enr, &mac);
    let camera: SocketAddr = CAMERA_AT.into();
    let targets = [camera, ([255, 255, 255, 255], LAN_PORT).into()];
    let seed = scenario.seed;
    let closes = !scenario.world.is_gentle();
    let mut run = Run {
        client: ClientConfig {
            suites: scenario.suites,
            resend: scenario.resend,
            plain: scenario.plain,
            audio: scenario.show.audio_every > 0,
            ..ClientConfig::new(uid, &enr, &mac, &targets)
        },
        device: CameraConfig {
            generation: scenario.generation,
            framings: scenario.framings,
            resend: scenario.grants,
            cookie: scenario.cookie,
            two_way: scenario.talk,
            ..CameraConfig::new(uid, &enr, &mac)
        },
        s: scenario,
        sabotage,
        trace,
        random: rng(seed, 2),
        wire: Wire::new(scenario.weather, rng(seed, 3)),
        attacker: Attacker::new(rng(seed, 4), closes, [UID.as_bytes(), &auth_key].concat()),
        now: 0,
        script: scenario.script.iter(),
        begun: (!scenario.world.is_gentle()).then_some(0),
        strike_at: (scenario.hostile && !scenario.world.is_gentle()).then_some(0),
        stage: Stage::Rough,
        viewer: None,
        viewer_rooms: pool.viewers.iter_mut(),
        viewer_addr: VIEWER_AT.into(),
        viewer_clock: Clock::default(),
        dial_at: Some(0),
        policy: Reconnect::new(),
        resuming: false,
        encrypted: false,
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
        peers: [None; 2],
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
    /// When the times of the script begin; unknown where it waits for pictures.
    begun: Option<u64>,
    strike_at: Option<u64>,
    stage: Stage,
    viewer: Option<Viewer<'m>>,
    viewer_rooms: IterMut<'m, Room>,
    viewer_addr: SocketAddr,
    viewer_clock: Clock,
    dial_at: Option<u64>,
    policy: Reconnect,
    /// Whether the session of the viewer began, or will, in the memory of the last.
    resuming: bool,
    /// Whether this viewer has been let in with DTLS.
    encrypted: bool,
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
    /// Whom viewer and camera last spoke to while both were in a session.
    peers: [Option<SocketAddr>; 2],
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
                Stage::Rough => self.begun.map_or(OVERTURE, |begun| begun + self.s.end),
                Stage::Calm(since, _) => since + RECOVERY,
                Stage::Closing(since) if self.s.is_gullible() => since + GOODBYE + UNHEARD,
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
                    self.dial_at = None;
                    if let Some(viewer) = &mut self.viewer {
                        viewer.with(&mut self.random, self.now, |client, _| client.close())?;
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
            self.dial_at,
            self.boot_at,
            self.script_at().filter(|_| rough),
            self.strike_at.filter(|_| rough),
        ];
        all.into_iter().flatten().min()
    }

    fn script_at(&self) -> Option<u64> {
        let (at, _) = self.script.as_slice().first()?;
        Some(self.begun? + at)
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
            return self.dial();
        }
        for kind in [Kind::Video, Kind::Audio] {
            if due(self.frame_at(kind)) {
                return self.send_frame(kind);
            }
        }
        if let Some((talk, at)) = self.talk.filter(|&(_, at)| at <= now) {
            self.talk = Some((talk, at.max(now) + TALK_EVERY));
            return self.say_something(talk);
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
        if let (Some(viewer), true) = (&mut self.viewer, self.sabotage != Sabotage::Stuck) {
            viewer.timeout(&mut self.random, self.now)?;
            self.transmit(false)?;
        }
        self.not_in_the_past("viewer", self.viewer.as_ref().and_then(Viewer::deadline))
    }

    fn camera_timer(&mut self) -> Lawful {
        self.served(1)?;
        if let Some(camera) = &mut self.camera {
            camera.timeout(&mut self.random, self.now)?;
            self.transmit(false)?;
        }
        self.not_in_the_past("camera", self.camera.as_ref().and_then(Cam::deadline))
    }

    /// A timer that was served is set anew.
    fn not_in_the_past(&self, who: &str, deadline: Option<u64>) -> Lawful {
        let Some(mut at) = deadline else {
            return Ok(());
        };
        if self.sabotage == Sabotage::Past {
            at = at.min(self.now - 1);
        }
        law(at >= self.now || self.sabotage == Sabotage::Stuck, || {
            format!("the {who}'s timer is set {} µs in the past", self.now - at)
        })
    }

    /// The same of both, where both were served before.
    fn none_in_the_past(&self) -> Lawful {
        self.not_in_the_past("viewer", self.viewer.as_ref().and_then(Viewer::deadline))?;
        self.not_in_the_past("camera", self.camera.as_ref().and_then(Cam::deadline))
    }
}
