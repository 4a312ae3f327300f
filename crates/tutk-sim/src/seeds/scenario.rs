//! What a seed stands for: who talks how, and what happens to them when.

use std::fmt;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;
use wyze_session::{Framings, Suites};

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
    /// Everything at once.
    Storm,
}

impl World {
    /// Every kind.
    pub(crate) const ALL: [Self; 4] = [Self::Weather, Self::Ambush, Self::Siege, Self::Storm];

    /// Whether somebody attacks.
    pub(crate) fn is_hostile(self) -> bool {
        self != Self::Weather
    }

    /// Whether the network and the machines misbehave by themselves.
    pub(crate) fn is_rough(self) -> bool {
        matches!(self, Self::Weather | Self::Storm)
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
    /// The viewer has another address from now on.
    MoveViewer,
    /// The camera has another address from now on.
    MoveCamera,
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
    /// What the camera speaks; the viewer searches with both.
    pub(crate) framings: Framings,
    /// Cipher suites of the viewer.
    pub(crate) suites: Suites,
    /// Whether the camera's handshake begins with a cookie.
    pub(crate) cookie: bool,
    /// Whether the viewer asks for lossless mode.
    pub(crate) resend: bool,
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
            12 => Act::MoveViewer,
            13 => Act::MoveCamera,
            14 => Act::ViewerClock {
                micros: self.jump(),
            },
            15 => Act::CameraClock {
                micros: self.jump(),
            },
            _ => Act::Close,
        }
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
        let weather = if rough { draw.weather() } else { Weather::CALM };
        let end = draw.between(4 * SECOND, 14 * SECOND);
        let mut script: Vec<(u64, Act)> = (0..draw.between(1, 8))
            .map(|_| (draw.between(SECOND / 4, end), draw.act(rough, talk)))
            .collect();
        script.sort_by_key(|&(at, _)| at);
        Self {
            seed,
            world,
            framings,
            suites,
            cookie,
            resend,
            chunks,
            talk,
            show,
            weather,
            script,
            end,
            strike_every: draw.between(5 * MILLI, 200 * MILLI),
        }
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "seed {}: {:?}, {:?}, {:?}, cookie {}, resend {}, chunks {}, talk {}, audio {}, {:?}, attacks every {} ms",
            self.seed,
            self.world,
            self.framings,
            self.suites,
            self.cookie,
            self.resend,
            self.chunks,
            self.talk,
            self.show.audio_every > 0,
            self.weather,
            if self.world.is_hostile() {
                self.strike_every / MILLI
            } else {
                0
            },
        )
    }
}
