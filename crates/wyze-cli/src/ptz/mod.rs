//! `wyze ptz`: turns a camera.

use std::time::{Duration, SystemTime};

use clap::Args;
use serde_json::{Value, json};
use wyze_std::session::kauth::command::{CruisePoint, GetCruisePoints, GetPtzPosition};
use wyze_std::session::kauth::settings::{self, PTZ_VERBS, PtzRequest};

use crate::converse::{Query, Reply, check_before, converse, no_reply};
use crate::failure::{Exit, Failure};
use crate::options::seconds;
use crate::say::say;
use crate::{interrupt, table, target};

/// What `--help` ends with.
fn help() -> String {
    let rows: Vec<[String; 2]> = PTZ_VERBS
        .iter()
        .map(|verb| {
            let words = format!("  {} {}", verb.name, verb.usage);
            [words.trim_end().to_owned(), verb.help.to_owned()]
        })
        .collect();
    format!(
        "\
Examples:
  wyze ptz 'Back Yard' left
  wyze ptz URL position 20 175
  wyze ptz URL cruise 20,0 20,175,30         rests 10 s at the first point and 30 s at the second

Verbs, and what follows them:
{}

A camera does not answer `home` and `turn`, so nobody knows whether it turned; ask for its position.",
        table::lines(&rows).join("\n")
    )
}

/// Turn a camera that has a motor
#[derive(Debug, Args)]
#[command(after_help = help())]
pub(crate) struct PtzArgs {
    #[arg(value_name = "CAMERA", help = target::HELP)]
    camera: String,
    /// What to do
    verb: String,
    /// What the verb takes
    #[arg(value_name = "NUMBER", allow_negative_numbers = true)]
    numbers: Vec<String>,
    /// What the camera tells as a JSON object
    #[arg(long)]
    json: bool,
    /// Give up when the camera has not let us in after this long
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "30")]
    timeout: Duration,
}

/// Turns, or tells where it looks.
pub(crate) fn run(args: &PtzArgs) -> Result<(), Failure> {
    let stop = interrupt::install()?;
    let numbers: Vec<&str> = args.numbers.iter().map(String::as_str).collect();
    let query = Query::Ptz(PtzRequest::parse(&args.verb, &numbers, unix_millis())?);
    let what = format!("ptz {}", args.verb);
    let url = target::camera(&args.camera)?;
    check_before(&url, query.code(), &what)?;
    let reply = converse(&url, args.timeout, stop, |conversation| {
        conversation.check(query.code(), &what)?;
        conversation.ask(&query)
    })?;
    match reply {
        Some(reply) => tell(&what, &query, &reply, args.json),
        None if query.awaits_reply() => Err(no_reply(&what, query.code())),
        None => Ok(()),
    }
}

fn tell(what: &str, query: &Query, reply: &Reply, as_json: bool) -> Result<(), Failure> {
    let message = reply.message();
    let (text, json) = match query {
        Query::Ptz(PtzRequest::Where(_)) => message.reply_to::<GetPtzPosition>().map(|at| {
            let text = format!("vertical {}, horizontal {}", at.vertical, at.horizontal);
            (
                text,
                json!({ "vertical": at.vertical, "horizontal": at.horizontal }),
            )
        }),
        Query::Ptz(PtzRequest::CruiseWhere(_)) => message
            .reply_to::<GetCruisePoints>()
            .map(|round| told(round.as_slice())),
        _ => {
            // No source tells what else a camera may say here.
            if !settings::is_done(&message) {
                log::debug!("the reply to {what} is not the usual one");
            }
            return Ok(());
        }
    }
    .map_err(|e| {
        Failure::new(
            Exit::NotDone,
            format!("{what}: the camera's reply cannot be read ({e}); please report its firmware"),
        )
    })?;
    if as_json {
        say!("{json}");
    } else {
        say!("{text}");
    }
    Ok(())
}

/// Cruise points: as they are given, and as JSON.
fn told(points: &[CruisePoint]) -> (String, Value) {
    let text: Vec<String> = points
        .iter()
        .map(|p| format!("{},{},{}", p.vertical, p.horizontal, p.seconds))
        .collect();
    let text = if text.is_empty() {
        "none".to_owned()
    } else {
        text.join(" ")
    };
    let json = |p: &CruisePoint| json!({ "vertical": p.vertical, "horizontal": p.horizontal, "seconds": p.seconds });
    let points: Vec<Value> = points.iter().map(json).collect();
    (text, json!({ "cruise": points }))
}

/// Milliseconds since 1970.
fn unix_millis() -> u64 {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
