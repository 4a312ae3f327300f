//! Runs of whole sessions in worlds that a seed draws, on every core.

mod attacker;
mod run;
mod scenario;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use run::{Outcome, Pool, Sabotage, run};
use scenario::Scenario;

use crate::laws::{Lawful, Violation};

/// Broken seeds after which no more are tried.
const ENOUGH: usize = 10;

/// What a range of seeds came to.
#[derive(Debug, Default)]
struct Sum {
    seeds: u64,
    sessions: u64,
    causes: BTreeMap<String, u64>,
    frames: [u64; 3],
    datagrams: u64,
    hostile: u64,
    micros: u64,
    broken: Vec<(u64, Violation)>,
}

impl Sum {
    fn add(&mut self, seed: u64, outcome: Lawful<Outcome>) {
        self.seeds += 1;
        let outcome = match outcome {
            Ok(outcome) => outcome,
            Err(violation) => return self.broken.push((seed, violation)),
        };
        self.sessions += u64::from(outcome.sessions);
        for cause in outcome.causes {
            *self.causes.entry(format!("{cause:?}")).or_default() += 1;
        }
        for (sum, frames) in self.frames.iter_mut().zip(outcome.frames) {
            *sum += u64::from(frames);
        }
        self.datagrams += outcome.datagrams;
        self.hostile += outcome.hostile;
        self.micros += outcome.micros;
    }

    fn join(&mut self, other: Self) {
        self.seeds += other.seeds;
        self.sessions += other.sessions;
        for (cause, count) in other.causes {
            *self.causes.entry(cause).or_default() += count;
        }
        for (sum, frames) in self.frames.iter_mut().zip(other.frames) {
            *sum += frames;
        }
        self.datagrams += other.datagrams;
        self.hostile += other.hostile;
        self.micros += other.micros;
        self.broken.extend(other.broken);
    }
}

/// One seed; a panic is a violation, too.
fn one(seed: u64, pool: &mut Pool, trace: bool) -> Lawful<Outcome> {
    let scenario = Scenario::of(seed);
    let attempt = AssertUnwindSafe(|| run(&scenario, pool, Sabotage::None, trace));
    catch_unwind(attempt).unwrap_or_else(|_| Err(Violation("a panic, told above".into())))
}

/// Runs `count` seeds from `from` on and prints what they came to.
///
/// # Errors
/// A law was broken.
pub fn run_all(from: u64, count: u64, trace: bool) -> anyhow::Result<()> {
    let start = Instant::now();
    let (next, broken) = (AtomicU64::new(from), AtomicU64::new(0));
    let end = from.saturating_add(count);
    let work = || {
        let (mut sum, mut pool) = (Sum::default(), Pool::default());
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= end || broken.load(Ordering::Relaxed) >= ENOUGH as u64 {
                return sum;
            }
            sum.add(seed, one(seed, &mut pool, trace));
            if sum.broken.last().is_some_and(|(last, _)| *last == seed) {
                broken.fetch_add(1, Ordering::Relaxed);
            }
        }
    };
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let mut sum = Sum::default();
    thread::scope(|scope| {
        let all: Vec<_> = (0..workers.min(count as usize))
            .map(|_| scope.spawn(work))
            .collect();
        for worker in all {
            if let Ok(part) = worker.join() {
                sum.join(part);
            }
        }
    });
    sum.broken.sort_by_key(|(seed, _)| *seed);
    let [video, audio, talk] = sum.frames;
    println!(
        "{} seeds in {:.1} s: {} sessions, {:.0} virtual hours; {} datagrams and {} of an attacker; {video} video, \
         {audio} audio and {talk} talk frames",
        sum.seeds,
        start.elapsed().as_secs_f64(),
        sum.sessions,
        sum.micros as f64 / 3.6e9,
        sum.datagrams,
        sum.hostile,
    );
    let causes: Vec<String> = sum
        .causes
        .iter()
        .map(|(cause, n)| format!("{cause} {n}"))
        .collect();
    println!("ended by: {}", causes.join(", "));
    for (seed, violation) in &sum.broken {
        println!("seed {seed}: {violation}\n    cargo xtask sim --seeds 1 --from {seed} --trace");
    }
    anyhow::ensure!(
        sum.broken.is_empty(),
        "{} seeds broke a law",
        sum.broken.len()
    );
    Ok(())
}

#[cfg(test)]
mod tests;
