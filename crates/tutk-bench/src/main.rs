//! What `cargo xtask bench` measures: `tutk-bench SCENARIO ROUNDS`; without arguments, the names of the scenarios.
//!
//! A scenario is one function in [`scenario`]: it prepares what the rounds need and answers with the round.

mod dtls;
mod reassembly;
mod scenario;
mod session;

use std::process::ExitCode;

/// The loop that callgrind counts: it knows it by this name.
#[inline(never)]
fn measured_rounds(round: &mut dyn FnMut(usize), rounds: usize) {
    for n in 0..rounds {
        round(n);
    }
}

/// Memory for a scenario, which lives as long as the process.
fn leak(len: usize) -> &'static mut [u8] {
    Box::leak(vec![0; len].into_boxed_slice())
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [name, rounds] = &args[..] else {
        for (name, _) in scenario::ALL {
            println!("{name}");
        }
        return ExitCode::SUCCESS;
    };
    let make = scenario::ALL
        .iter()
        .find(|(known, _)| known == name)
        .map(|(_, make)| make);
    let (Some(make), Ok(rounds)) = (make, rounds.parse()) else {
        eprintln!("usage: tutk-bench [SCENARIO ROUNDS]");
        return ExitCode::FAILURE;
    };
    let mut round = make(rounds);
    let info = allocation_counter::measure(|| measured_rounds(&mut *round, rounds));
    println!("allocations {}", info.count_total);
    ExitCode::SUCCESS
}
