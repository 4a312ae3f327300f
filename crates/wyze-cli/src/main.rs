//! `wyze`: watch Wyze cameras on the local network, command them, talk through them, probe them, or be one.
#![forbid(unsafe_code)]
// They panic when nobody reads.
#![deny(clippy::print_stdout, clippy::print_stderr)]

mod account;
mod act;
mod camera;
mod cli;
mod converse;
mod demo;
mod discover;
mod dissect;
mod distinct;
mod failure;
mod get;
mod info;
mod interrupt;
mod ledger;
mod logging;
mod meter;
mod options;
mod probe;
mod ptz;
mod reach;
mod recorder;
mod report;
mod say;
mod set;
mod step;
mod stream;
mod table;
mod talk;
mod tape;
mod target;
mod virtual_camera;
mod watch;
mod weak_key;

use std::process::ExitCode;

use clap::Parser;
use cli::{Cli, Command};
use say::note;

fn main() -> ExitCode {
    let cli = Cli::parse();
    logging::init(cli.verbose);
    target::set_dtls_only(cli.dtls_only);
    let result = match &cli.command {
        Command::Demo(args) => demo::run(args),
        Command::Stream(args) => stream::run(args),
        Command::Camera(args) => camera::run(args),
        Command::Probe(args) => probe::run(args),
        Command::Discover(args) => discover::run(args),
        Command::Dissect(args) => dissect::run(args),
        Command::Info(args) => info::run(args),
        Command::Get(args) => get::run(args),
        Command::Set(args) => set::run(args),
        Command::Ptz(args) => ptz::run(args),
        Command::Do(args) => act::run(args),
        Command::Talk(args) => talk::run(args),
        Command::Login(args) => account::login(args),
        Command::Logout => account::logout(),
        Command::Cameras(args) => account::cameras(args),
    };
    match result.and_then(|()| say::end()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            note!("wyze: {failure}");
            ExitCode::from(failure.exit.code())
        }
    }
}
