//! The command line.

use clap::{ArgAction, Parser, Subcommand};

use crate::account::{CamerasArgs, LoginArgs};
use crate::act::DoArgs;
use crate::camera::CameraArgs;
use crate::demo::DemoArgs;
use crate::discover::DiscoverArgs;
use crate::dissect::DissectArgs;
use crate::get::GetArgs;
use crate::info::InfoArgs;
use crate::probe::ProbeArgs;
use crate::ptz::PtzArgs;
use crate::set::SetArgs;
use crate::stream::StreamArgs;
use crate::talk::TalkArgs;

const EXAMPLES: &str = "\
Start here:
  wyze demo                         needs no camera and no network; writes demo.mp4
  wyze probe 'wyze://HOST?uid=UID&enr=ENR&mac=MAC&model=MODEL'
                                    what a camera answers, and what to do where it stops
  wyze stream URL -o camera.mp4     record until ctrl-C
  wyze login                        fetch the cameras of your account, once; from then on their names
  wyze stream \"Front Door\"          stand wherever a URL does, offline
  wyze talk URL hello.wav           say something through its speaker
  wyze camera --file clip.mp4       be a camera for other clients

The exit code names the cause of a failure: docs/exit-codes.md.";

/// Watch Wyze cameras on the local network, without the cloud.
#[derive(Debug, Parser)]
#[command(name = "wyze", version, after_help = EXAMPLES)]
pub(crate) struct Cli {
    /// Log what the layers drop and decide (-v), and all else they have to say (-vv); never a secret. RUST_LOG overrides it
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Refuse cameras whose firmware is too old for encryption, and whoever pretends to be one
    #[arg(long, global = true)]
    pub(crate) dtls_only: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Demo(DemoArgs),
    Stream(StreamArgs),
    Camera(CameraArgs),
    Probe(ProbeArgs),
    Discover(DiscoverArgs),
    Dissect(DissectArgs),
    Info(InfoArgs),
    Get(GetArgs),
    Set(SetArgs),
    Ptz(PtzArgs),
    Do(DoArgs),
    Talk(TalkArgs),
    Login(LoginArgs),
    /// Forget tokens and cameras of the account
    Logout,
    Cameras(CamerasArgs),
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
