//! `wyze get`: settings as the camera has them.

use std::time::Duration;

use clap::Args;
use serde_json::{Map, Value};
use wyze_std::session::kauth::Support;
use wyze_std::session::kauth::settings::{Setting, SettingError, Values, settings_table};

use crate::converse::{Conversation, Query, Reply, check_before, converse, no_reply};
use crate::failure::{Exit, Failure};
use crate::options::seconds;
use crate::say::say;
use crate::{interrupt, table, target};

const EXAMPLES: &str = "\
Examples:
  wyze get 'Front Door'
  wyze get URL night-vision status-light
  wyze get URL all --json

Without names, or with `all`, everything is read that the camera may know; what it does not answer is left out (null in
JSON). A setting that is named and that this camera does not have is an error: exit code 24 when it is known beforehand,
25 when the camera does not answer. An unknown name lists all names.";

/// Read a camera's settings
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct GetArgs {
    #[arg(value_name = "CAMERA", help = target::HELP)]
    camera: String,
    /// Which settings: all, or their names
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// One JSON object
    #[arg(long)]
    json: bool,
    /// Give up when the camera has not let us in after this long
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "30")]
    timeout: Duration,
}

/// A setting, and what the camera says; `None` when it says nothing.
type Row = (&'static Setting, Option<i64>);

/// Reads and prints.
pub(crate) fn run(args: &GetArgs) -> Result<(), Failure> {
    let stop = interrupt::install()?;
    let named = named(&args.names)?;
    let url = target::camera(&args.camera)?;
    for (setting, query) in &named {
        check_before(&url, query.code(), setting.name)?;
    }
    let rows = converse(&url, args.timeout, stop, |conversation| {
        if named.is_empty() {
            read_all(conversation)
        } else {
            read_named(conversation, &named)
        }
    })?;
    if args.json {
        say!("{}", Value::Object(json(&rows)));
    } else {
        print(&rows);
    }
    Ok(())
}

/// The setting of this name.
pub(crate) fn find(name: &str) -> Result<&'static Setting, Failure> {
    settings_table()
        .iter()
        .find(|s| s.name == name)
        .ok_or_else(|| {
            let names: Vec<_> = settings_table().iter().map(|s| s.name).collect();
            Failure::new(
                Exit::Usage,
                format!("no setting has this name; there are: {}", names.join(", ")),
            )
        })
}

/// The request that reads a setting.
pub(crate) fn query(setting: &Setting) -> Result<Query, SettingError> {
    setting.get_request().map(Query::Setting)
}

/// The settings that were named; none when all are meant.
fn named(names: &[String]) -> Result<Vec<(&'static Setting, Query)>, Failure> {
    if matches!(names, [all] if all == "all") {
        return Ok(Vec::new());
    }
    let with_query = |name: &String| {
        let setting = find(name)?;
        let query = query(setting)
            .map_err(|e| Failure::new(Exit::Usage, format!("{}: {e}", setting.name)))?;
        Ok((setting, query))
    };
    names.iter().map(with_query).collect()
}

fn read_named(
    conversation: &mut Conversation<'_, '_>,
    named: &[(&'static Setting, Query)],
) -> Result<Vec<Row>, Failure> {
    for (setting, query) in named {
        conversation.check(query.code(), setting.name)?;
    }
    let rows = read(conversation, named)?;
    for ((setting, value), (_, query)) in rows.iter().zip(named) {
        if value.is_none() {
            return Err(no_reply(setting.name, query.code()));
        }
    }
    Ok(rows)
}

fn read_all(conversation: &mut Conversation<'_, '_>) -> Result<Vec<Row>, Failure> {
    let readable: Vec<_> = settings_table()
        .iter()
        .filter_map(|setting| Some((setting, query(setting).ok()?)))
        .filter(|(_, query)| !matches!(conversation.support(query.code()), Support::No { .. }))
        .collect();
    read(conversation, &readable)
}

/// Asks each question once: several settings come in one reply.
fn read(
    conversation: &mut Conversation<'_, '_>,
    wanted: &[(&'static Setting, Query)],
) -> Result<Vec<Row>, Failure> {
    let mut queries: Vec<Query> = Vec::new();
    for (_, query) in wanted {
        if !queries.contains(query) {
            queries.push(query.clone());
        }
    }
    let replies = conversation.ask_all(&queries)?;
    let value = |setting: &Setting, query: &Query| -> Option<i64> {
        let at = queries.iter().position(|q| q == query)?;
        value_in(setting, replies.get(at)?.as_ref()?)
    };
    Ok(wanted
        .iter()
        .map(|(setting, query)| (*setting, value(setting, query)))
        .collect())
}

/// The value of a setting in a reply; one that cannot be read counts as none.
pub(crate) fn value_in(setting: &Setting, reply: &Reply) -> Option<i64> {
    let value = setting.read_reply(&reply.message());
    if let Err(e) = &value {
        log::debug!("the reply does not tell {}: {e}", setting.name);
    }
    value.ok()
}

/// A value as JSON: words as text, numbers as numbers.
pub(crate) fn json_value(setting: &Setting, value: i64) -> Value {
    match setting.values {
        Values::Range(..) => value.into(),
        _ => setting.show(value).to_string().into(),
    }
}

fn json(rows: &[Row]) -> Map<String, Value> {
    rows.iter()
        .map(|(setting, value)| {
            let value = value.map_or(Value::Null, |v| json_value(setting, v));
            (setting.name.to_owned(), value)
        })
        .collect()
}

fn print(rows: &[Row]) {
    let cells: Vec<[String; 3]> = rows
        .iter()
        .filter_map(|(setting, value)| {
            let shown = setting.show((*value)?).to_string();
            Some([setting.name.to_owned(), shown, setting.help.to_owned()])
        })
        .collect();
    table::print(&cells);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_name_lists_all_names() {
        let failure = named(&["dusk".to_owned()]).unwrap_err();
        assert_eq!(failure.exit, Exit::Usage);
        assert!(failure.message.contains("night-vision"), "{failure}");
        let failure = named(&["floodlight".to_owned()]).unwrap_err();
        assert!(failure.message.contains("only be set"), "{failure}");
        assert!(named(&["all".to_owned()]).unwrap().is_empty());
    }

    #[test]
    fn json_tells_words_from_numbers() {
        let rows = [
            ("night-vision", Some(3)),
            ("fps", Some(20)),
            ("siren", None),
        ]
        .map(|(name, value)| (find(name).unwrap(), value));
        let text = Value::Object(json(&rows)).to_string();
        assert_eq!(text, r#"{"fps":20,"night-vision":"auto","siren":null}"#);
    }
}
