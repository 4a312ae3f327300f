//! `wyze set`: changes one setting, and reads it back.

use std::time::Duration;

use clap::Args;
use wyze_std::session::kauth::models::{self, Model};
use wyze_std::session::kauth::settings::{self, Setting};

use crate::converse::{Conversation, Query, check_before, converse, no_reply};
use crate::failure::{Exit, Failure};
use crate::get;
use crate::options::seconds;
use crate::say::say;
use crate::{interrupt, target};

/// How far a clock may run between setting and reading it, seconds.
const CLOCK_DRIFT: i64 = 60;

const EXAMPLES: &str = "\
Examples:
  wyze set 'Front Door' night-vision auto
  wyze set URL time-zone -4

Names and present values: wyze get CAMERA all. Cameras say \"done\" also to what they do not honour, so the setting is
read back where that is possible: exit code 26 when it is another one.";

/// Change one of a camera's settings
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct SetArgs {
    #[arg(value_name = "CAMERA", help = target::HELP)]
    camera: String,
    /// Which setting
    name: String,
    /// Its new value: a word such as on, off, auto, or a number
    #[arg(allow_negative_numbers = true)]
    value: String,
    /// Give up when the camera has not let us in after this long
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "30")]
    timeout: Duration,
}

/// Sets, reads back, prints.
pub(crate) fn run(args: &SetArgs) -> Result<(), Failure> {
    let stop = interrupt::install()?;
    let setting = get::find(&args.name)?;
    let wrong =
        |e: settings::SettingError| Failure::new(Exit::Usage, format!("{}: {e}", setting.name));
    let value = setting.parse(&args.value).map_err(wrong)?;
    let query = |model: Option<&Model>| setting.set_request(value, model).map(Query::Setting);
    let url = target::camera(&args.camera)?;
    let model = url.model().and_then(models::lookup);
    check_before(&url, query(model).map_err(wrong)?.code(), setting.name)?;
    let read_back = converse(&url, args.timeout, stop, |conversation| {
        // Only now is the camera's own word about its model known.
        let query = query(conversation.model).map_err(wrong)?;
        conversation.check(query.code(), setting.name)?;
        change(conversation, setting, &query)?;
        confirm(conversation, setting, value)
    })?;
    let note = if read_back { "" } else { " (not read back)" };
    say!("{} {}{note}", setting.name, setting.show(value));
    Ok(())
}

fn change(
    conversation: &mut Conversation<'_, '_>,
    setting: &Setting,
    query: &Query,
) -> Result<(), Failure> {
    let reply = conversation
        .ask(query)?
        .ok_or_else(|| no_reply(setting.name, query.code()))?;
    if settings::is_done(&reply.message()) {
        return Ok(());
    }
    Err(Failure::new(
        Exit::NotDone,
        format!(
            "{}: the camera refused; the Wyze app may show why",
            setting.name
        ),
    ))
}

/// Reads the setting back; whether that was possible.
fn confirm(
    conversation: &mut Conversation<'_, '_>,
    setting: &Setting,
    wanted: i64,
) -> Result<bool, Failure> {
    let Ok(query) = get::query(setting) else {
        return Ok(false);
    };
    if conversation.check(query.code(), setting.name).is_err() {
        return Ok(false);
    }
    let reply = conversation.ask(&query)?;
    let Some(value) = reply.and_then(|r| get::value_in(setting, &r)) else {
        return Ok(false);
    };
    if honours(setting, wanted, value) {
        return Ok(true);
    }
    Err(Failure::new(
        Exit::NotDone,
        format!(
            "{}: the camera said done, but it is still {}; this model may not have it",
            setting.name,
            setting.show(value)
        ),
    ))
}

fn honours(setting: &Setting, wanted: i64, value: i64) -> bool {
    match setting.name {
        "clock" => (0..=CLOCK_DRIFT).contains(&value.saturating_sub(wanted)),
        _ => value == wanted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_may_have_gone_on() {
        let clock = get::find("clock").unwrap();
        assert!(honours(clock, 1000, 1002));
        assert!(!honours(clock, 1000, 999));
        assert!(!honours(clock, 1000, 2000));
        assert!(!honours(get::find("fps").unwrap(), 15, 16));
    }
}
