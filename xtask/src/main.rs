//! The gates of this workspace. `docs/testing.md` says what each proves.
#![forbid(unsafe_code)]

mod bare_metal;
mod bench;
mod coverage;
mod e2e;
mod esp;
mod fuzz;
mod interop;
mod long;
mod loopback;
mod mutants;
mod process;
mod qemu;
mod report;
mod setup;
mod sim;
mod size;
mod test;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "The gates of this workspace")]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Sets up what is missing and runs every gate; the exit code is 0 only if none failed
    Test {
        /// Also run what takes long to install or to run: cargo-deny, feature powerset, Miri, coverage, fuzzing,
        /// the budgets of every build
        #[arg(long)]
        long: bool,
        /// Run only these stages, long ones included
        #[arg(long, value_delimiter = ',')]
        only: Vec<String>,
    },
    /// Runs tutk-dtls against other DTLS libraries on loopback
    Interop {
        /// openssl, mbedtls, gnutls, wolfssl; all of them when none is named
        peer: Vec<interop::Library>,
    },
    /// Builds the firmware and runs it on QEMU's boards against the program `wyze`
    Qemu,
    /// Counts instructions and allocations per packet under callgrind
    Bench {
        /// Fail when a scenario needs more than 2 % more instructions than benches/baseline.json says
        #[arg(long, conflicts_with = "save")]
        check: bool,
        /// Write benches/baseline.json
        #[arg(long)]
        save: bool,
        /// Instead: processor time of a client and cameras in two processes, over UDP loopback
        #[arg(long, conflicts_with_all = ["check", "save"])]
        loopback: bool,
        /// Time of one run of --loopback, seconds
        #[arg(long, default_value_t = 5.0, requires = "loopback")]
        seconds: f64,
    },
    /// Runs whole sessions over a simulated network: the loss table, then seeds; `cargo xtask sim --help` lists the options
    #[command(disable_help_flag = true)]
    Sim {
        /// Handed to the simulator
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Says which part of the core crates' lines their tests execute; fails below 95 %
    Coverage,
    /// Changes one place at a time and says which changes no test notices; fails when docs/mutants.md explains one not
    Mutants(mutants::Options),
    /// Weighs firmware and writes docs/memory.md: flash, RAM, stack, instructions
    Size {
        /// Measure the first build alone; fail when a figure is gone or more than 2 % above benches/size.json. All builds:
        /// `cargo xtask test --only size-all`
        #[arg(long)]
        check: bool,
    },
    /// Lists what can panic in the linked firmware; fails when docs/security.md has no reason for one
    Panics,
    /// Runs the fuzz targets and says how often each was executed
    Fuzz(fuzz::Options),
}

fn main() -> ExitCode {
    let outcome = std::env::set_current_dir(process::root())
        .map_err(anyhow::Error::from)
        .and_then(|()| match Args::parse().command {
            Command::Test { long, only } => test::run(long, &only),
            Command::Interop { peer } => setup::packages()
                .and_then(|()| interop::run(&peer))
                .map(drop),
            Command::Bench {
                loopback: true,
                seconds,
                ..
            } => loopback::run(seconds).map(|figures| println!("{figures}")),
            Command::Qemu => setup::packages()
                .and_then(|()| qemu::run())
                .map(|note| println!("PASS: {note}")),
            Command::Bench { check, save, .. } => {
                bench::run(bench::Mode::from_flags(check, save)).map(drop)
            }
            Command::Sim { args } => sim::run(&args).map(drop),
            Command::Coverage => coverage::run().map(drop),
            Command::Mutants(options) => mutants::run(&options).map(|said| println!("{said}")),
            Command::Fuzz(options) => fuzz::run(&options).map(drop),
            Command::Size { check: true } => {
                size::check(&size::BUILDS[..1]).map(|said| println!("{said}"))
            }
            Command::Size { check: false } => size::write().map(|said| println!("{said}")),
            Command::Panics => size::panics::check().map(|said| println!("{said}")),
        });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
