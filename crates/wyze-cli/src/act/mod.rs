//! `wyze do`: what a camera does once.

use std::time::Duration;

use clap::Args;
use serde_json::json;
use wyze_std::session::kauth::settings::{self, ACTIONS, Action, Values};

use crate::converse::{Query, check_before, converse, no_reply};
use crate::failure::{Exit, Failure};
use crate::get::hex;
use crate::options::seconds;
use crate::say::say;
use crate::{interrupt, table, target};

/// What `--help` ends with.
fn help() -> String {
    let rows: Vec<[String; 3]> = ACTIONS
        .iter()
        .map(|action| {
            let words = Values::Words(action.words).to_string();
            let help = match action.danger {
                Some(danger) => format!("{}: {danger}, so it needs --yes", action.help),
                None => action.help.to_owned(),
            };
            [format!("  {}", action.name), words, help]
        })
        .collect();
    format!(
        "\
Examples:
  wyze do 'Front Door' photo
  wyze do URL quick-reply be-there-shortly
  wyze do URL format-sd --yes

Actions, and the word that follows them:
{}

A camera answers that it has done it; no source tells how to see whether it has.",
        table::lines(&rows).join("\n")
    )
}

/// Let a camera do something: take a photo, say a phrase, format its SD card
#[derive(Debug, Args)]
#[command(after_help = help())]
pub(crate) struct DoArgs {
    #[arg(value_name = "CAMERA", help = target::HELP)]
    camera: String,
    /// What to do
    action: String,
    /// What follows the action
    word: Option<String>,
    /// Do it although something is lost for good
    #[arg(long)]
    yes: bool,
    /// One JSON object
    #[arg(long)]
    json: bool,
    /// Give up when the camera has not let us in after this long
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "30")]
    timeout: Duration,
}

/// Asks for it, and tells that the camera says so.
pub(crate) fn run(args: &DoArgs) -> Result<(), Failure> {
    let stop = interrupt::install()?;
    let (action, request) = Action::parse(&args.action, args.word.as_deref())?;
    let query = Query::Setting(request);
    let url = target::camera(&args.camera)?;
    check_before(&url, query.code(), action.name)?;
    if let Some(danger) = action.danger
        && !args.yes
    {
        return Err(Failure::new(
            Exit::Usage,
            format!(
                "{} was not done: {danger}; add --yes if you mean it",
                action.name
            ),
        ));
    }
    let reply = converse(&url, args.timeout, stop, |conversation| {
        conversation.check(query.code(), action.name)?;
        conversation
            .ask(&query)?
            .ok_or_else(|| no_reply(action.name, query.code()))
    })?;
    let message = reply.message();
    if !settings::is_done(&message) {
        return Err(Failure::new(
            Exit::NotDone,
            format!(
                "{}: the camera answered {} where 01 means done; see in the Wyze app what it did",
                action.name,
                hex(message.payload)
            ),
        ));
    }
    if args.json {
        say!("{}", json!({ "action": action.name, "done": true }));
    } else {
        say!("{} done", action.name);
    }
    Ok(())
}
