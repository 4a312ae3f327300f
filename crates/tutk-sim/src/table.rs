//! Which part of a 2K stream arrives, over networks from good to bad, without and with lossless mode.
//!
//! The session is set up over a good network, which then becomes what the row says; the stream goes on for a second more
//! than is counted, so that the last frames have their chance.

use std::fmt;
use std::thread;

use rand_chacha::ChaCha8Rng;
use wyze_session::{Camera, CameraConfig, Client, ClientConfig, Cx, LAN_PORT};

use crate::ends::{Cam, Clock, Told, Viewer, Why};
use crate::laws::{Delivered, Lawful, Sent, Violation, law};
use crate::room::Room;
use crate::show::{Id, Kind, Show};
use crate::wire::{Fate, Weather, Wire};
use crate::{rng, secrets};

const SECOND: u64 = 1_000_000;
/// When the network becomes bad, and from when on frames count.
const BEGIN: u64 = 3 * SECOND;
/// Chances of loss, per mille.
const LOSS: [u32; 5] = [0, 10, 20, 50, 100];
/// Chances of being held back, per mille.
const REORDER: [u32; 3] = [0, 50, 200];

/// One row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Per mille, both ways.
    pub loss: u32,
    /// Per mille, both ways.
    pub reorder: u32,
    /// Lossless mode.
    pub resend: bool,
}

/// What a row came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Outcome {
    /// Video frames sent and delivered.
    pub video: [u32; 2],
    /// Audio frames sent and delivered.
    pub audio: [u32; 2],
    /// Bytes of media packets that the network lost, copies not counted.
    pub lost: u64,
    /// Bytes of copies, and of the datagrams that asked for them.
    pub extra: u64,
}

impl Outcome {
    fn percent([sent, delivered]: [u32; 2]) -> f64 {
        100.0 * f64::from(delivered) / f64::from(sent.max(1))
    }

    /// Extra traffic in multiples of what was lost; `None` when nothing was.
    pub fn extra_per_lost(&self) -> Option<f64> {
        (self.lost > 0).then(|| self.extra as f64 / self.lost as f64)
    }
}

/// What a row must come to.
pub fn verdict(row: Row, outcome: &Outcome) -> Lawful {
    let delivered = [outcome.video, outcome.audio].map(Outcome::percent);
    let least = match (row.loss, row.resend) {
        (0, _) | (..=20, true) => 100.0,
        (..=50, true) => 99.5,
        _ => 0.0,
    };
    law(delivered.iter().all(|&percent| percent >= least), || {
        format!("{row}: {delivered:.2?} % arrived, not {least} %")
    })?;
    let extra = outcome.extra_per_lost().filter(|_| row.resend);
    law(extra.is_none_or(|extra| extra < 1.3), || {
        format!("{row}: {extra:.2?} times the loss was sent in addition, not less than 1.3")
    })
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let resend = if self.resend { "on" } else { "off" };
        let (loss, reorder) = (self.loss / 10, self.reorder / 10);
        write!(f, "{loss:3} %   {reorder:4} %  {resend:>6}")
    }
}

/// Prints the table.
///
/// # Errors
/// A figure is not what it must be, or a law was broken.
pub fn run(seconds: u32) -> anyhow::Result<()> {
    println!(
        "2304x1296, 20 fps, 4 Mbit/s, a key frame every 2 s, PCM of 16 kHz; 20 ms each way, up to 30 ms more for \
         what is reordered; {seconds} s a row"
    );
    println!(" loss  reorder  resend     video     audio  extra/lost");
    let rows: Vec<Row> = LOSS
        .iter()
        .flat_map(|&loss| REORDER.map(|reorder| (loss, reorder)))
        .flat_map(|(loss, reorder)| {
            [false, true].map(|resend| Row {
                loss,
                reorder,
                resend,
            })
        })
        .collect();
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let mut broken = Vec::new();
    for some in rows.chunks(workers) {
        let outcomes = thread::scope(|scope| {
            let run = |&row| scope.spawn(move || play(row, seconds));
            let all: Vec<_> = some.iter().map(run).collect();
            all.into_iter().map(|one| one.join()).collect::<Vec<_>>()
        });
        for (&row, outcome) in some.iter().zip(outcomes) {
            let outcome = outcome.map_err(|_| anyhow::anyhow!("{row}: panicked"))??;
            let [video, audio] = [outcome.video, outcome.audio].map(Outcome::percent);
            let extra = outcome.extra_per_lost().filter(|_| row.resend);
            let extra = extra.map_or("-".into(), |extra| format!("{extra:.2}"));
            println!("{row}  {video:6.2} %  {audio:6.2} %  {extra:>10}");
            broken.extend(verdict(row, &outcome).err());
        }
    }
    anyhow::ensure!(
        broken.is_empty(),
        "{}",
        broken
            .iter()
            .map(Violation::to_string)
            .collect::<Vec<_>>()
            .join("\n")
    );
    Ok(())
}

/// Streams for `seconds`.
///
/// # Errors
/// A law was broken.
pub fn play(row: Row, seconds: u32) -> Lawful<Outcome> {
    let seed = u64::from(row.loss << 16 | row.reorder);
    let mut random = rng(seed, 1);
    let uid = "SIMCAMSIMCAMSIMCAM11"
        .parse()
        .map_err(|e| Violation(format!("{e}")))?;
    let (enr, mac) = secrets()?;
    let device = ([192, 0, 2, 2], LAN_PORT).into();
    let targets = [device];
    let (mut room, mut other) = (Room::new(1 << 20, 64 << 10, 0), Room::new(0, 0, 512));
    let (show, clock) = (Show::TWO_K, Clock::default());
    let mut cx = Cx::new(clock.local(0), &mut random);
    let client = ClientConfig {
        resend: row.resend,
        ..ClientConfig::new(uid, &enr, &mac, &targets)
    };
    let client = Client::new(&client, room.storage(false, false), &mut cx);
    let camera = CameraConfig::new(uid, &enr, &mac);
    let camera = Camera::new(&camera, other.storage(false, false), &mut cx);
    Table {
        row,
        viewer: Viewer::new(client, ([192, 0, 2, 1], 50_000).into(), clock, show),
        camera: Cam::new(camera, device, clock, show),
        wire: Wire::new(Weather::CALM, rng(seed, 2)),
        random,
        now: 0,
        sent: Sent::default(),
        begun: None,
        seen: Default::default(),
        counted: Default::default(),
        outcome: Outcome::default(),
        end: BEGIN + u64::from(seconds) * SECOND,
    }
    .play()
}

struct Table<'m> {
    row: Row,
    viewer: Viewer<'m>,
    camera: Cam<'m>,
    wire: Wire,
    random: ChaCha8Rng,
    now: u64,
    sent: Sent,
    /// When the show began; every kind goes on from there.
    begun: Option<u64>,
    seen: [Delivered; 2],
    /// First and one past the last ordinal that counts, by kind.
    counted: [[u32; 2]; 2],
    outcome: Outcome,
    end: u64,
}

const KINDS: [Kind; 2] = [Kind::Video, Kind::Audio];

impl Table<'_> {
    fn play(mut self) -> Lawful<Outcome> {
        self.run_until(self.end + SECOND, &KINDS)?;
        self.outcome.video[0] = self.counted[0][1] - self.counted[0][0];
        self.outcome.audio[0] = self.counted[1][1] - self.counted[1][0];
        Ok(self.outcome)
    }

    /// Lets everything happen that happens by `end`; of frames, only those of `kinds` begin.
    fn run_until(&mut self, end: u64, kinds: &[Kind]) -> Lawful {
        loop {
            self.transmit()?;
            self.look()?;
            let next = [
                self.wire.next_arrival(),
                self.viewer.deadline(),
                self.camera.deadline(),
                kinds.iter().filter_map(|&kind| self.frame_at(kind)).min(),
            ];
            let next = next.into_iter().flatten().min().unwrap_or(u64::MAX);
            if next > end {
                self.now = end.max(self.now);
                return Ok(());
            }
            self.now = next.max(self.now);
            if self.now >= BEGIN {
                self.wire.weather = Weather {
                    loss: self.row.loss,
                    reorder: self.row.reorder,
                    ..Weather::CALM
                };
            }
            self.step(kinds)?;
        }
    }

    /// When the next frame of a kind is due.
    fn frame_at(&mut self, kind: Kind) -> Option<u64> {
        let every = match kind {
            Kind::Video => Show::TWO_K.video_every,
            _ => Show::TWO_K.audio_every,
        };
        Some(self.begun? + every * u64::from(self.sent.total(kind, 0)))
    }

    fn step(&mut self, kinds: &[Kind]) -> Lawful {
        let (now, rng) = (self.now, &mut self.random);
        if let Some(mut flying) = self.wire.arrived(now) {
            if flying.to == self.viewer.addr {
                return self
                    .viewer
                    .receive(rng, now, flying.from, &mut flying.bytes);
            }
            return self
                .camera
                .receive(rng, now, flying.from, &mut flying.bytes);
        }
        if self.viewer.deadline().is_some_and(|at| at <= now) {
            return self.viewer.timeout(rng, now);
        }
        if self.camera.deadline().is_some_and(|at| at <= now) {
            return self.camera.timeout(rng, now);
        }
        for &kind in kinds {
            if self.frame_at(kind).is_some_and(|at| at <= now) {
                self.send_frame(kind)?;
            }
        }
        Ok(())
    }

    fn send_frame(&mut self, kind: Kind) -> Lawful {
        let id = self.sent.next(kind, 0);
        let counted = &mut self.counted[kind as usize];
        if self.now < BEGIN {
            *counted = [id.ordinal + 1; 2];
        } else if self.now < self.end {
            counted[1] = id.ordinal + 1;
        }
        let (data, from) = (Show::TWO_K.data(id), self.camera.addr);
        let Some(mut out) = self.camera.start(self.now, id, &data)? else {
            return Ok(());
        };
        loop {
            let (wire, outcome, now) = (&mut self.wire, &mut self.outcome, self.now);
            let send = |to, datagram: &[u8]| {
                if wire.send(now, from, to, datagram) == Fate::Lost {
                    outcome.lost += datagram.len() as u64;
                }
            };
            if !self.camera.packet(&mut self.random, now, &mut out, send)? {
                return Ok(());
            }
            // Between the packets of a picture the world goes on, and sound is sent.
            if kind == Kind::Video {
                self.run_until(now + Show::TWO_K.pace, &[Kind::Audio])?;
            }
        }
    }

    fn transmit(&mut self) -> Lawful {
        let (now, rng) = (self.now, &mut self.random);
        let (wire, outcome) = (&mut self.wire, &mut self.outcome);
        let mut send = |from, why, to, datagram: &[u8]| {
            if matches!(why, Why::Copy | Why::Request) {
                outcome.extra += datagram.len() as u64;
            }
            wire.send(now, from, to, datagram);
        };
        let (viewer, camera) = (self.viewer.addr, self.camera.addr);
        self.viewer
            .transmit(rng, now, |why, to, bytes| send(viewer, why, to, bytes))?;
        self.camera
            .transmit(rng, now, |why, to, bytes| send(camera, why, to, bytes))?;
        Ok(())
    }

    /// Reads what both ends told.
    fn look(&mut self) -> Lawful {
        for told in std::mem::take(&mut self.camera.inbox) {
            if let Told::Authenticated = told {
                self.sent.begin(false);
                self.begun = Some(self.now);
            }
        }
        for told in std::mem::take(&mut self.viewer.inbox) {
            let Told::Frame(kind, id) = told else {
                law(!matches!(told, Told::Closed(_)), || {
                    format!("{}: {told:?}", self.row)
                })?;
                continue;
            };
            self.seen[kind as usize].take(&mut self.sent, kind, id)?;
            let [from, to] = self.counted[kind as usize];
            let counts = id.is_some_and(|Id { ordinal, .. }| (from..to).contains(&ordinal));
            let outcome = match kind {
                Kind::Video => &mut self.outcome.video,
                _ => &mut self.outcome.audio,
            };
            outcome[1] += u32::from(counts);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_below_the_line_are_told() {
        let good = Outcome {
            video: [1000, 1000],
            audio: [1000, 1000],
            lost: 1000,
            extra: 1299,
        };
        let row = |loss, resend| Row {
            loss,
            reorder: 200,
            resend,
        };
        assert_eq!(verdict(row(20, true), &good), Ok(()));
        let one_lost = Outcome {
            video: [1000, 999],
            ..good
        };
        assert!(verdict(row(20, true), &one_lost).is_err());
        assert_eq!(verdict(row(50, true), &one_lost), Ok(()));
        assert!(verdict(row(0, false), &one_lost).is_err());
        assert_eq!(verdict(row(10, false), &one_lost), Ok(()));
        let chatty = Outcome {
            extra: 1300,
            ..good
        };
        assert!(verdict(row(50, true), &chatty).is_err());
    }

    #[test]
    fn two_seconds_of_a_bad_network_are_all_there_in_lossless_mode() {
        let row = Row {
            loss: 20,
            reorder: 200,
            resend: true,
        };
        let outcome = play(row, 2).unwrap();
        assert_eq!((outcome.video, outcome.audio), ([40, 40], [100, 100]));
        assert!(outcome.lost > 0 && outcome.extra > 0);
    }
}
