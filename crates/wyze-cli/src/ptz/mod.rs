//! `wyze ptz`: turns a camera.

use std::time::{Duration, SystemTime};

use clap::Args;
use wyze_std::session::kauth::command::GetPtzPosition;
use wyze_std::session::kauth::settings::{self, PtzRequest};

use crate::converse::{Query, Reply, check_before, converse, no_reply};
use crate::failure::{Exit, Failure};
use crate::options::seconds;
use crate::say::say;
use crate::{interrupt, target};

const EXAMPLES: &str = "\
Examples:
  wyze ptz 'Back Yard' left                  a step; a number from 1 to 9 behind it is the speed
  wyze ptz URL home                          to the start position
  wyze ptz URL position                      where it looks
  wyze ptz URL position 20 175               to vertical 0 to 40, horizontal 0 to 350
  wyze ptz URL turn -30 10                   by degrees, sideways and up or down

A camera does not answer `home` and `turn`, so nobody knows whether it turned; ask for its position.";

/// Turn a camera that has a motor
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct PtzArgs {
    #[arg(value_name = "CAMERA", help = target::HELP)]
    camera: String,
    /// left, right, up, down, home, position or turn
    verb: String,
    /// What the verb takes
    #[arg(value_name = "NUMBER", allow_negative_numbers = true)]
    numbers: Vec<String>,
    /// Give up when the camera has not let us in after this long
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "30")]
    timeout: Duration,
}

/// Turns, or tells where it looks.
pub(crate) fn run(args: &PtzArgs) -> Result<(), Failure> {
    let stop = interrupt::install()?;
    let numbers: Vec<&str> = args.numbers.iter().map(String::as_str).collect();
    let request = PtzRequest::parse(&args.verb, &numbers, unix_millis())?;
    let query = Query::Ptz(request);
    let what = format!("ptz {}", args.verb);
    let url = target::camera(&args.camera)?;
    check_before(&url, query.code(), &what)?;
    let reply = converse(&url, args.timeout, stop, |conversation| {
        conversation.check(query.code(), &what)?;
        conversation.ask(&query)
    })?;
    match reply {
        Some(reply) => tell(&what, &request, &reply),
        None if request.awaits_reply() => Err(no_reply(&what, query.code())),
        None => Ok(()),
    }
}

fn tell(what: &str, request: &PtzRequest, reply: &Reply) -> Result<(), Failure> {
    let message = reply.message();
    if !matches!(request, PtzRequest::Where(_)) {
        // No source tells what else a camera may say here.
        if !settings::is_done(&message) {
            log::debug!("the reply to {what} is not the usual one");
        }
        return Ok(());
    }
    let position = message.reply_to::<GetPtzPosition>().map_err(|e| {
        Failure::new(
            Exit::NotDone,
            format!("{what}: the camera's reply cannot be read ({e}); please report its firmware"),
        )
    })?;
    say!(
        "vertical {}, horizontal {}",
        position.vertical,
        position.horizontal
    );
    Ok(())
}

/// Milliseconds since 1970.
fn unix_millis() -> u64 {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
