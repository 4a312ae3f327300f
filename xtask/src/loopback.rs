//! What receiving costs end to end: a client process on one core, cameras on another, UDP over loopback between them.
//!
//! Processor seconds, not instructions, and the system's part is in them: so these are figures to look at, on a machine that
//! does nothing else, and no gate. The cipher is ring's, as in the program `wyze`.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::process::{Job, capture, cargo, command, run as run_shown, target_dir};

/// First port of the cameras.
const PORT: u16 = 42_000;
/// Rates of one connection that are tried from the lowest to the first that loses a frame, Mbit/s.
const RATES: [f64; 10] = [
    200.0, 400.0, 600.0, 800.0, 1000.0, 1200.0, 1600.0, 2000.0, 2400.0, 3200.0,
];
/// Cameras at 4 Mbit/s and 20 frames a second that are tried likewise.
const CAMERAS: [u16; 9] = [25, 50, 100, 150, 200, 300, 400, 500, 600];

struct Load {
    cameras: u16,
    mbit: f64,
    fps: f64,
    seconds: f64,
    /// Datagrams that reach the client's system together.
    burst: u16,
}

struct Figures {
    sent: u64,
    frames: u64,
    cpu: f64,
    seconds: f64,
    bytes: f64,
    datagrams: f64,
    wakeups: f64,
}

impl Figures {
    fn lost(&self) -> u64 {
        self.sent.saturating_sub(self.frames)
    }
}

/// Measures and prints a table; `seconds` is the time of one run.
pub(crate) fn run(seconds: f64) -> Result<String> {
    run_shown(&mut cargo(
        "build --release -p tutk-bench --bin tutk-loopback --features ring",
    ))?;
    println!(
        "{:34} {:>8} {:>7} {:>10} {:>12} {:>16} {:>7}",
        "load", "frames", "lost", "CPU s/GB", "us/datagram", "wakeups/datagram", "core"
    );
    for burst in [1, 16, 48] {
        show(&one(2.7, 20.0, seconds, burst))?;
    }
    for burst in [1, 16, 48] {
        show(&one(100.0, 60.0, seconds, burst))?;
    }
    let highest = highest(RATES, |rate| one(rate, rate / 2.0, seconds, 48))?;
    let cameras = highest_cameras(seconds)?;
    Ok(format!(
        "one connection without a lost frame at {highest} Mbit/s, {cameras} cameras at 4 Mbit/s"
    ))
}

fn one(mbit: f64, fps: f64, seconds: f64, burst: u16) -> Load {
    Load {
        cameras: 1,
        mbit,
        fps,
        seconds,
        burst,
    }
}

fn highest<const N: usize>(rates: [f64; N], load: impl Fn(f64) -> Load) -> Result<f64> {
    let mut highest = 0.0;
    for rate in rates {
        if show(&load(rate))?.lost() > 0 {
            break;
        }
        highest = rate;
    }
    Ok(highest)
}

fn highest_cameras(seconds: f64) -> Result<u16> {
    let mut highest = 0;
    for cameras in CAMERAS {
        let load = Load {
            cameras,
            ..one(4.0, 20.0, seconds, 16)
        };
        if show(&load)?.lost() > 0 {
            break;
        }
        highest = cameras;
    }
    Ok(highest)
}

fn show(load: &Load) -> Result<Figures> {
    let figures = measure(load)?;
    println!(
        "{:34} {:>8} {:>7} {:>10.2} {:>12.2} {:>16.3} {:>6.1}%",
        format!(
            "{} x {} Mbit/s, bursts of {}",
            load.cameras, load.mbit, load.burst
        ),
        figures.frames,
        figures.lost(),
        figures.cpu / figures.bytes * 1e9,
        figures.cpu / figures.datagrams * 1e6,
        figures.wakeups / figures.datagrams,
        figures.cpu / figures.seconds * 100.0,
    );
    Ok(figures)
}

fn measure(load: &Load) -> Result<Figures> {
    let program = target_dir().join("release/tutk-loopback");
    let limit = Duration::from_secs_f64(load.seconds + 40.0);
    let mut cameras = Job::start(
        command("taskset", "-c 1")
            .arg(&program)
            .args(["camera", &PORT.to_string(), &load.cameras.to_string()])
            .args([load.mbit, load.fps, load.seconds].map(|n| n.to_string()))
            .arg(load.burst.to_string()),
    )?;
    let end = Instant::now() + limit;
    cameras.wait_until(end, "it was ready", |said| said.contains("ready"))?;
    let said = capture(
        command("taskset", "-c 0").arg(&program).args([
            "client",
            &PORT.to_string(),
            &load.cameras.to_string(),
        ]),
        limit,
    )?;
    let status = cameras.wait(end)?;
    ensure!(status.success(), "the cameras failed:\n{}", cameras.said());
    let client = json(&said)?;
    let sent = json(&cameras.said())?;
    let number = |value: &Value, name: &str| value[name].as_f64().with_context(|| name.to_owned());
    Ok(Figures {
        sent: number(&sent, "frames")? as u64,
        frames: number(&client, "frames")? as u64,
        cpu: number(&client, "cpu_seconds")?,
        seconds: number(&client, "seconds")?,
        bytes: number(&client, "bytes")?,
        datagrams: number(&client, "datagrams")?,
        wakeups: number(&client, "wakeups")?,
    })
}

fn json(said: &str) -> Result<Value> {
    let line = said.lines().rfind(|line| line.starts_with('{'));
    Ok(serde_json::from_str(line.context("no figures")?)?)
}
