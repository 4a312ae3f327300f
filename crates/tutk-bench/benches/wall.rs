//! Wall time of the scenarios that `cargo xtask bench` counts the instructions of: `cargo bench -p tutk-bench [-- FILTER]`.
//! Behind each scenario stands its ratio to its floor, of the same run.

use std::time::{Duration, Instant};

use criterion::Criterion;
use tutk_bench::scenario::{self, Prepare};

/// Rounds that are prepared together. Preparing is not timed.
const ROUNDS: u64 = 500;

/// What each scenario is compared with: the sum of some others.
const FLOORS: &[(&str, &[&str])] = &[
    ("seal", &["aead-seal"]),
    ("open", &["aead-open"]),
    ("cbc-bad-padding", &["cbc-bad-mac"]),
    ("reassembly", &["memcpy"]),
    ("receive", &["aead-open", "memcpy"]),
    ("receive-cc51", &["aead-open", "memcpy"]),
    ("send", &["aead-seal", "memcpy"]),
    ("handshake-client", &["x25519"]),
    ("handshake-server", &["x25519"]),
];

/// The time of `rounds` rounds.
fn time(make: Prepare, rounds: u64) -> Duration {
    let mut total = Duration::ZERO;
    let mut left = rounds;
    while left > 0 {
        let now = left.min(ROUNDS);
        let mut round = make(now as usize);
        let start = Instant::now();
        for n in 0..now as usize {
            round(n);
        }
        total += start.elapsed();
        left -= now;
    }
    total
}

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .sample_size(20)
        .configure_from_args();
    let mut seconds: Vec<(&str, f64)> = Vec::new();
    for &(name, make) in scenario::ALL {
        let mut best = f64::INFINITY;
        criterion.bench_function(name, |bencher| {
            bencher.iter_custom(|rounds| {
                let total = time(make, rounds);
                best = best.min(total.as_secs_f64() / rounds as f64);
                total
            });
        });
        seconds.push((name, best));
    }
    criterion.final_summary();
    let of = |name: &str| {
        let found = seconds.iter().find(|(known, _)| *known == name);
        found.map_or(f64::INFINITY, |(_, seconds)| *seconds)
    };
    println!("{:16} {:>10} {:>6}  floor", "scenario", "best, us", "ratio");
    for (name, floor) in FLOORS {
        let floor_seconds: f64 = floor.iter().map(|part| of(part)).sum();
        let ratio = of(name) / floor_seconds;
        // A filter left one of them out.
        if ratio.is_finite() && ratio > 0.0 {
            let micros = of(name) * 1e6;
            println!(
                "{name:16} {micros:>10.3} {ratio:>6.3}  {}",
                floor.join(" + ")
            );
        }
    }
}
