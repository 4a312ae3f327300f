//! One thread a connection, as a program would have it; the whole process is bound to one core from outside.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::time::{ClockId, clock_gettime};
use serde_json::json;
use wyze_std::session::{Cause, Event, Framings};
use wyze_std::{CameraUrl, Connection, Memory, Status};

use crate::{ENR, MAC, UID};

/// What one connection received.
#[derive(Debug, Default, Clone, Copy)]
struct Received {
    frames: u64,
    bytes: u64,
    dropped: u64,
    datagrams: u64,
    /// Times that the thread slept, and was woken.
    wakeups: u64,
    /// At the first frame and at the end.
    first: Option<Clocks>,
    last: Clocks,
}

/// Processor time of the whole process, and time since it began.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Clocks {
    cpu: Duration,
    wall: Duration,
}

/// Watches every camera until it says goodbye.
pub(crate) fn run(port: u16, cameras: u16) -> Result<String> {
    let start = Instant::now();
    let threads: Vec<_> = (0..cameras)
        .map(|n| std::thread::spawn(move || watch(port + n, start)))
        .collect();
    let mut total = Received::default();
    for thread in threads {
        let one = thread.join().ok().context("a connection panicked")??;
        total.frames += one.frames;
        total.bytes += one.bytes;
        total.dropped += one.dropped;
        total.datagrams += one.datagrams;
        total.wakeups += one.wakeups;
        total.first = total.first.into_iter().chain(one.first).min();
        total.last = total.last.max(one.last);
    }
    let first = total.first.context("no frame has come")?;
    Ok(json!({
        "frames": total.frames,
        "bytes": total.bytes,
        "dropped": total.dropped,
        "datagrams": total.datagrams,
        "wakeups": total.wakeups,
        "cpu_seconds": (total.last.cpu - first.cpu).as_secs_f64(),
        "seconds": (total.last.wall - first.wall).as_secs_f64(),
    })
    .to_string())
}

fn watch(port: u16, start: Instant) -> Result<Received> {
    let url: CameraUrl =
        format!("wyze://127.0.0.1:{port}?uid={UID}&enr={ENR}&mac={MAC}").parse()?;
    let mut memory = Memory::new(4 << 20, 1 << 10);
    let config = wyze_std::session::ClientConfig {
        resend: false,
        framings: Framings::TRANSCODE,
        audio: false,
        ..url.config()
    };
    let mut connection = Connection::open(&url, &config, &mut memory)?;
    let mut received = Received::default();
    loop {
        let status = connection.step(Duration::from_secs(1), |event| match event {
            Event::Video(frame) => {
                received.first.get_or_insert_with(|| clocks(start));
                received.frames += 1;
                received.bytes += frame.data.len() as u64;
            }
            Event::Dropped { .. } => received.dropped += 1,
            _ => {}
        })?;
        if let Status::Closed(cause) = status {
            ensure!(cause == Cause::Peer, "{cause}");
            break;
        }
    }
    received.last = clocks(start);
    let (client, _) = connection.client();
    received.datagrams = u64::from(client.stats().iotc.rx_datagrams);
    received.wakeups = wakeups()?;
    Ok(received)
}

/// How often this thread has slept so far.
fn wakeups() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/thread-self/status")?;
    let count = status
        .lines()
        .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))
        .context("the system does not count switches")?;
    Ok(count.trim().parse()?)
}

fn clocks(start: Instant) -> Clocks {
    let cpu = clock_gettime(ClockId::ProcessCPUTime);
    Clocks {
        cpu: Duration::new(cpu.tv_sec as u64, cpu.tv_nsec as u32),
        wall: start.elapsed(),
    }
}
