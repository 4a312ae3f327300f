//! `wyze set`: changes one setting, and reads it back.

use std::time::{Duration, SystemTime};

use clap::Args;
use wyze_std::session::kauth::models::{self, Model};
use wyze_std::session::kauth::settings::{self, Setting, SettingError, settings_table};

use crate::converse::{Conversation, Query, check_before, converse, no_reply};
use crate::failure::{Exit, Failure};
use crate::get;
use crate::options::seconds;
use crate::say::say;
use crate::{interrupt, table, target};

/// How far a clock may run between setting and reading it, seconds.
const CLOCK_DRIFT: i64 = 60;

/// The setting that takes a word for the present time.
const CLOCK: &str = "clock";
const NOW: &str = "now";

/// What `--help` ends with.
fn help() -> String {
    let rows: Vec<[String; 3]> = settings_table()
        .iter()
        .filter(|setting| setting.set.is_some())
        .map(|setting| {
            let name = format!("  {}", setting.name);
            [name, values(setting), setting.help.to_owned()]
        })
        .collect();
    format!(
        "\
Examples:
  wyze set 'Front Door' night-vision auto
  wyze set URL time-zone -4
  wyze set URL clock now

Cameras say \"done\" also to what they do not honour, so the setting is read back where that is possible: exit code 26 when
it is another one. Which sizes a picture has depends on the model. Present values: wyze get CAMERA all.

Names, and their values:
{}",
        table::lines(&rows).join("\n")
    )
}

/// The values of a setting, for the user.
fn values(setting: &Setting) -> String {
    match setting.name {
        CLOCK => format!("{NOW}, or seconds since 1970"),
        _ => setting.values.to_string(),
    }
}

/// Change one of a camera's settings
#[derive(Debug, Args)]
#[command(after_help = help())]
pub(crate) struct SetArgs {
    #[arg(value_name = "CAMERA", help = target::HELP)]
    camera: String,
    /// Which setting
    name: String,
    /// Its new value
    #[arg(allow_negative_numbers = true)]
    value: String,
    /// Give up when the camera has not let us in after this long
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "30")]
    timeout: Duration,
}

/// Sets, reads back, prints.
pub(crate) fn run(args: &SetArgs) -> Result<(), Failure> {
    let stop = interrupt::install()?;
    let named = get::setting(&args.name)?;
    let wrong = |e: SettingError| Failure::new(Exit::Usage, format!("{}: {e}", named.name));
    let query = |model: Option<&Model>| {
        let setting = named.on(model);
        let value = parse(&setting, &args.value)?;
        let query = Query::Setting(setting.set_request(value, model)?);
        Ok((setting, value, query))
    };
    let url = target::camera(&args.camera)?;
    let (_, _, first) = query(url.model().and_then(models::lookup)).map_err(wrong)?;
    check_before(&url, first.code(), named.name)?;
    let (shown, read_back) = converse(&url, args.timeout, stop, |conversation| {
        // Only now is the camera's own word about its model known.
        let (setting, value, query) = query(conversation.model).map_err(wrong)?;
        conversation.check(query.code(), setting.name)?;
        change(conversation, &setting, &query)?;
        let read_back = confirm(conversation, &setting, value)?;
        Ok((setting.show(value).to_string(), read_back))
    })?;
    let note = if read_back { "" } else { " (not read back)" };
    say!("{} {shown}{note}", named.name);
    Ok(())
}

/// The value that a user means.
fn parse(setting: &Setting, text: &str) -> Result<i64, SettingError> {
    if (setting.name, text) != (CLOCK, NOW) {
        return setting.parse(text);
    }
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    i64::try_from(now.unwrap_or_default().as_secs())
        .map_err(|_| SettingError::NotAllowed(setting.values))
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
    let Ok(query) = setting.get_request().map(Query::Setting) else {
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
        CLOCK => (0..=CLOCK_DRIFT).contains(&value.saturating_sub(wanted)),
        _ => value == wanted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_names_every_setting_with_its_values() {
        let help = help();
        for setting in settings_table() {
            let row = help.lines().find(|l| {
                let mut words = l.split_whitespace();
                words.next() == Some(setting.name)
            });
            match row {
                Some(row) => assert!(row.contains(&values(setting)), "{row}"),
                None => assert_eq!(setting.set, None, "{}", setting.name),
            }
        }
        assert!(help.contains("now, or seconds since 1970"));
    }

    #[test]
    fn a_clock_may_have_gone_on() {
        let clock = get::setting("clock").unwrap();
        assert!(honours(clock, 1000, 1002));
        assert!(!honours(clock, 1000, 999));
        assert!(!honours(clock, 1000, 2000));
        assert!(!honours(get::setting("fps").unwrap(), 15, 16));
    }
}
