//! What a seed stands for: who talks how, and what happens to them when.

use std::fmt;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;
use wyze_session::{Framings, Generation, PlainPolicy, Suites};

use crate::rng;
use crate::show::Show;
use crate::wire::Weather;

const MILLI: u64 = 1000;
const SECOND: u64 = 1_000_000;

/// A kind of scenario. Another is a line here, in [`World::ALL`], and where [`Scenario::of`] draws its script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum World {
    /// Bad networks, reboots, changed addresses, odd clocks; nobody means harm.
    Weather,
    /// A good network with an attacker who is there from the beginning.
    Ambush,
    /// A good network with an attacker who comes once pictures flow, and must not be able to disturb them at all. He
    /// forges no IOTC close, as nothing protects from that (`docs/security.md`).
    Siege,
    /// A good network in which both ends change address and port again and again, once pictures flow; with or without
    /// somebody who does what he does in a [`Siege`](Self::Siege). The session must go on.
    Roam,
    /// Everything at once.
    Storm,
}

impl World {
    /// Every kind.
    pub(crate) const ALL: [Self; 5] = [
        Self::Weather,
        Self::Ambush,
        Self::Siege,
        Self::Roam,
        Self::Storm,
    ];

    /// Whether the network and the machines misbehave by themselves.
    pub(crate) fn is_rough(self) -> bool {
        matches!(self, Self::Weather | Self::Storm)
    }

    /// Whether script and attacker wait until pictures flow, and must not end the session then.
    pub(crate) fn is_gentle(self) -> bool {
        matches!(self, Self::Siege | Self::Roam)
    }
}

/// Something that happens. Times are microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    /// The network changes.
    Weather(Weather),
    /// Nothing arrives for a while; what is under way comes all at once afterwards, or is lost.
    Stall { micros: u64, lose: bool },
    /// The camera loses power, and is back after a while.
    Reboot { micros: u64 },
    /// The viewer has another port from now on, or another address.
    MoveViewer { port: bool },
    /// The camera has another port from now on, or another address. It is searched for on the old port as before.
    MoveCamera { port: bool },
    /// The viewer's clock jumps.
    ViewerClock { micros: i64 },
    /// The camera's clock jumps.
    CameraClock { micros: i64 },
    /// The viewer closes, and comes again.
    Close,
    /// The viewer sends a K-command.
    Ask,
    /// The viewer begins to talk, or stops.
    Talk,
}

/// What a seed stands for.
#[derive(Debug, Clone)]
pub(crate) struct Scenario {
    /// Its number.
    pub(crate) seed: u64,
    /// Its kind.
    pub(crate) world: World,
    /// Which firmware the camera has.
    pub(crate) generation: Generation,
    /// Whether the viewer may speak without DTLS.
    pub(crate) plain: PlainPolicy,
    /// Whether somebody attacks.
    pub(crate) hostile: bool,
    /// What the camera speaks; the viewer searches with both.
    pub(crate) framings: Framings,
    /// Cipher suites of the viewer.
    pub(crate) suites: Suites,
    /// Whether the camera's handshake begins with a cookie.
    pub(crate) cookie: bool,
    /// Whether the viewer asks for lossless mode.
    pub(crate) resend: bool,
    /// Whether the camera grants it.
    pub(crate) grants: bool,
    /// Whether a viewer whose session ended begins the next in the same memory, when `Reconnect` says; else it is another.
    pub(crate) stays: bool,
    /// Whether the viewer has no memory for frames.
    pub(crate) chunks: bool,
    /// Whether the viewer may talk.
    pub(crate) talk: bool,
    /// What the camera shows.
    pub(crate) show: Show,
    /// The network at the beginning.
    pub(crate) weather: Weather,
    /// What happens when, in order.
    pub(crate) script: Vec<(u64, Act)>,
    /// Until when; it is calm from then on.
    pub(crate) end: u64,
    /// Mean time between two strikes of the attacker.
    pub(crate) strike_every: u64,
}

struct Draw(ChaCha8Rng);

impl Draw {
    fn below(&mut self, end: u64) -> u64 {
        self.0.next_u64() % end.max(1)
    }

    fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.below(to - from)
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    /// 0 mostly, else up to `most`.
    fn sometimes(&mut self, most: u32) -> u32 {
        if self.one_in(2) {
            0
        } else {
            self.below(most.into()) as u32
        }
    }

    fn weather(&mut self) -> Weather {
        Weather {
            loss: self.sometimes(150),
            burst: self.sometimes(15),
            reorder: self.sometimes(250),
            duplicate: self.sometimes(100),
            corrupt: self.sometimes(40),
            truncate: self.sometimes(20),
            latency: self.between(200, 80 * MILLI),
            hold: self.between(MILLI, 100 * MILLI),
            mtu: match self.below(8) {
                0 => self.between(300, 1200) as usize,
                1 => 1280,
                _ => 1500,
            },
        }
    }

    fn act(&mut self, rough: bool, talk: bool) -> Act {
        match self.below(if rough { 18 } else { 4 }) {
            0 | 1 => Act::Ask,
            2 | 3 if talk => Act::Talk,
            2 | 3 => Act::Ask,
            4..=7 => Act::Weather(self.weather()),
            8 | 9 => Act::Stall {
                micros: self.between(200 * MILLI, 12 * SECOND),
                lose: self.one_in(2),
            },
            10 | 11 => Act::Reboot {
                micros: self.between(100 * MILLI, 8 * SECOND),
            },
            12 => Act::MoveViewer {
                port: self.one_in(2),
            },
            13 => Act::MoveCamera {
                port: self.one_in(2),
            },
            14 => Act::ViewerClock {
                micros: self.jump(),
            },
            15 => Act::CameraClock {
                micros: self.jump(),
            },
            _ => Act::Close,
        }
    }

    /// One camera in four is too old for DTLS; then nothing is promised in a siege, which has none therefore.
    fn generation(&mut self, world: World) -> (Generation, PlainPolicy) {
        match self.below(8) {
            0 if world != World::Siege => (Generation::Session25, PlainPolicy::Allowed),
            1 if world != World::Siege => (Generation::Session16, PlainPolicy::Allowed),
            2..=4 => (Generation::Dtls, PlainPolicy::Refused),
            _ => (Generation::Dtls, PlainPolicy::Allowed),
        }
    }

    /// What happens when, and how long it goes on; `whole`: no datagram is damaged.
    fn script(&mut self, rough: bool, talk: bool, whole: bool) -> (Vec<(u64, Act)>, u64) {
        let end = self.between(4 * SECOND, 14 * SECOND);
        let mut script: Vec<(u64, Act)> = (0..self.between(1, 8))
            .map(|_| (self.between(SECOND / 4, end), self.act(rough, talk)))
            .collect();
        for (_, act) in &mut script {
            if let (Act::Weather(weather), true) = (act, whole) {
                weather.heal();
            }
        }
        script.sort_by_key(|&(at, _)| at);
        (script, end)
    }

    /// One end moves, then perhaps the other; both at once could not find each other again.
    fn journey(&mut self, talk: bool) -> (Vec<(u64, Act)>, u64) {
        let (mut script, mut at) = (Vec::new(), 0);
        for _ in 0..self.between(1, 6) {
            at += self.between(2500 * MILLI, 5 * SECOND);
            let port = self.one_in(2);
            let moves = if self.one_in(2) {
                Act::MoveViewer { port }
            } else {
                Act::MoveCamera { port }
            };
            script.push((at, moves));
            if self.one_in(2) {
                let soon = at + self.below(SECOND);
                script.push((soon, self.act(false, talk)));
            }
        }
        (script, at + 3 * SECOND)
    }

    /// Back by a little, ahead by a little, or by up to an hour.
    fn jump(&mut self) -> i64 {
        match self.below(4) {
            0 => -(self.below(50 * MILLI) as i64),
            1 => self.below(3600 * SECOND) as i64,
            _ => self.below(3 * SECOND) as i64,
        }
    }
}

impl Scenario {
    /// What `seed` stands for.
    pub(crate) fn of(seed: u64) -> Self {
        let mut draw = Draw(rng(seed, 1));
        let world = World::ALL[draw.below(World::ALL.len() as u64) as usize];
        let framings = [Framings::TRANSCODE, Framings::CC51][draw.below(2) as usize];
        let suites = [Suites::ALL, Suites::CHACHA, Suites::CBC][draw.below(3) as usize];
        let (cookie, resend) = (draw.one_in(4), draw.one_in(2));
        let (talk, chunks) = (draw.one_in(3), !resend && draw.one_in(3));
        let hostile = match world {
            World::Weather => false,
            World::Roam => draw.one_in(2),
            World::Ambush | World::Siege | World::Storm => true,
        };
        let (generation, plain) = draw.generation(world);
        let show = Show {
            video_every: 100 * MILLI,
            group: 10,
            key_len: 5000,
            other_len: 1400,
            audio_every: if draw.one_in(2) { 60 * MILLI } else { 0 },
            audio_len: 320,
            pace: 0,
        };
        let rough = world.is_rough();
        let mut weather = if rough { draw.weather() } else { Weather::CALM };
        if generation.is_plain() && draw.one_in(2) {
            weather.heal();
        }
        let (script, end) = match world {
            World::Roam => draw.journey(talk),
            _ => draw.script(rough, talk, generation.is_plain() && !weather.damages()),
        };
        Self {
            seed,
            world,
            generation,
            plain,
            hostile,
            framings,
            suites,
            cookie,
            resend,
            grants: !draw.one_in(4),
            stays: draw.one_in(2),
            chunks,
            talk,
            show,
            weather,
            script,
            end,
            strike_every: draw.between(5 * MILLI, 200 * MILLI),
        }
    }

    /// Whether packets may be delivered that nobody sent, because nothing protects them from those who make them, nor from
    /// damage.
    pub(crate) fn is_gullible(&self) -> bool {
        let damages = |&(_, act): &(u64, Act)| matches!(act, Act::Weather(w) if w.damages());
        self.generation.is_plain()
            && (self.hostile || self.weather.damages() || self.script.iter().any(damages))
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "seed {}: {:?}, {:?}, {:?}, {:?}, {:?}, cookie {}, resend {} granted {}, stays {}, chunks {}, talk {}, audio {}, \
             {:?}, attacks every {} ms",
            self.seed,
            self.world,
            self.generation,
            self.plain,
            self.framings,
            self.suites,
            self.cookie,
            self.resend,
            self.grants,
            self.stays,
            self.chunks,
            self.talk,
            self.show.audio_every > 0,
            self.weather,
            if self.hostile {
                self.strike_every / MILLI
            } else {
                0
            },
        )
    }
}
