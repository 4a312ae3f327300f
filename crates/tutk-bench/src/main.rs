//! What `cargo xtask bench` measures: `tutk-bench SCENARIO ROUNDS`; without arguments, the names of the scenarios.

use std::process::ExitCode;

use tutk_bench::scenario;

/// The loop that callgrind counts: it knows it by this name.
#[inline(never)]
fn measured_rounds(round: &mut dyn FnMut(usize), rounds: usize) {
    for n in 0..rounds {
        round(n);
    }
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
