//! What `cargo xtask sim` runs.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;
use tutk_sim::seeds::{Plan, Sabotage};

/// Runs whole sessions over a simulated network, in virtual time: the loss table, then seeds.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask sim")]
struct Args {
    /// The loss table only
    #[arg(long, conflicts_with_all = ["seeds", "trace"])]
    table: bool,
    /// Seconds of stream in each row of the table
    #[arg(long, default_value_t = 120)]
    seconds: u32,
    /// Seeds only: how many
    #[arg(long)]
    seeds: Option<u64>,
    /// The first seed
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Print what happens when; for a single seed
    #[arg(long, requires = "seeds")]
    trace: bool,
    /// Break a law on purpose, to see it noticed
    #[arg(long, requires = "seeds", hide = true, value_enum, default_value_t)]
    sabotage: Sabotage,
}

/// Seeds when nothing else is said.
const SEEDS: u64 = 2000;

fn run(args: &Args) -> anyhow::Result<()> {
    if args.table || args.seeds.is_none() {
        tutk_sim::table::run(args.seconds)?;
    }
    if !args.table {
        tutk_sim::seeds::run_all(&Plan {
            from: args.from,
            count: args.seeds.unwrap_or(SEEDS),
            trace: args.trace,
            sabotage: args.sabotage,
        })?;
    }
    Ok(())
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(broken) => {
            eprintln!("error: {broken:#}");
            ExitCode::FAILURE
        }
    }
}
