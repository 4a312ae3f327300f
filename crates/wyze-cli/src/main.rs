//! `wyze`: watch Wyze cameras on the local network, probe them, or be one.
#![forbid(unsafe_code)]

mod camera;
mod cli;
mod demo;
mod failure;
mod interrupt;
mod logging;
mod meter;
mod options;
mod probe;
mod recorder;
mod report;
mod step;
mod stream;
mod virtual_camera;
mod watch;

use std::process::ExitCode;

use clap::Parser;
use cli::{Cli, Command};

fn main() -> ExitCode {
    let cli = Cli::parse();
    logging::init(cli.verbose);
    let result = match &cli.command {
        Command::Demo(args) => demo::run(args),
        Command::Stream(args) => stream::run(args),
        Command::Camera(args) => camera::run(args),
        Command::Probe(args) => probe::run(args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("wyze: {failure}");
            ExitCode::from(failure.exit.code())
        }
    }
}
