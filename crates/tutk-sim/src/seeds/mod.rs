//! Runs of whole sessions in worlds that a seed draws, on every core.

mod attacker;
mod run;
mod scenario;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use clap::ValueEnum;
pub use run::Sabotage;
use run::{Deed, Outcome, Pool, run};
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
    deeds: [u64; Deed::ALL.len()],
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
        for (sum, times) in self.deeds.iter_mut().zip(outcome.deeds) {
            *sum += times;
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
        for (sum, times) in self.deeds.iter_mut().zip(other.deeds) {
            *sum += times;
        }
        self.datagrams += other.datagrams;
        self.hostile += other.hostile;
        self.micros += other.micros;
        self.broken.extend(other.broken);
    }
}

/// Which seeds, and how.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// The first.
    pub from: u64,
    /// How many.
    pub count: u64,
    /// Whether to print what happens.
    pub trace: bool,
    /// A law to be broken, to see that it would be noticed.
    pub sabotage: Sabotage,
}

impl Plan {
    /// The command that runs one of its seeds again.
    fn replay(&self, seed: u64) -> String {
        let sabotage = match self.sabotage.to_possible_value() {
            Some(value) if self.sabotage != Sabotage::None => {
                format!(" --sabotage {}", value.get_name())
            }
            _ => String::new(),
        };
        format!("cargo xtask sim --seeds 1 --from {seed} --trace{sabotage}")
    }

    /// One seed; a panic is a violation, too.
    fn one(&self, seed: u64, pool: &mut Pool) -> Lawful<Outcome> {
        let scenario = Scenario::of(seed);
        let attempt = AssertUnwindSafe(|| run(&scenario, pool, self.sabotage, self.trace));
        catch_unwind(attempt).unwrap_or_else(|_| Err(Violation("a panic, told above".into())))
    }

    /// All of them, on every core.
    fn sweep(&self) -> Sum {
        let (next, broken) = (AtomicU64::new(self.from), AtomicU64::new(0));
        let end = self.from.saturating_add(self.count);
        let work = || {
            let (mut sum, mut pool) = (Sum::default(), Pool::default());
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= end || broken.load(Ordering::Relaxed) >= ENOUGH as u64 {
                    return sum;
                }
                sum.add(seed, self.one(seed, &mut pool));
                if sum.broken.last().is_some_and(|(last, _)| *last == seed) {
                    broken.fetch_add(1, Ordering::Relaxed);
                }
            }
        };
        let workers = thread::available_parallelism().map_or(1, usize::from);
        let mut sum = Sum::default();
        thread::scope(|scope| {
            let all: Vec<_> = (0..workers.min(self.count as usize))
                .map(|_| scope.spawn(work))
                .collect();
            for worker in all {
                if let Ok(part) = worker.join() {
                    sum.join(part);
                }
            }
        });
        sum.broken.sort_by_key(|(seed, _)| *seed);
        sum
    }
}

/// Runs the seeds and prints what they came to.
///
/// # Errors
/// A law was broken.
pub fn run_all(plan: &Plan) -> anyhow::Result<()> {
    let start = Instant::now();
    let sum = plan.sweep();
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
    let deeds: Vec<String> = Deed::ALL
        .iter()
        .zip(sum.deeds)
        .map(|(deed, n)| format!("{deed:?} {n}"))
        .collect();
    println!("what happened: {}", deeds.join(", "));
    for (seed, violation) in &sum.broken {
        println!("seed {seed}: {violation}\n    {}", plan.replay(*seed));
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
