//! `wyze get`: settings and readings as the camera has them.

mod item;

use std::time::Duration;

use clap::Args;
use serde_json::{Map, Value};
use wyze_std::session::kauth::Support;

use crate::converse::{Conversation, Query, check_before, converse, no_reply};
use crate::failure::{Exit, Failure};
use crate::options::seconds;
use crate::say::{note, say};
use crate::table::text;
use crate::{interrupt, table, target};
use item::Item;
pub(crate) use item::{hex, json_value, setting, value_in};

/// How long a camera may take to answer everything. One that does not know half of the commands would take 30 s, because
/// each is waited for.
const ALL_LIMIT: Duration = Duration::from_secs(8);

/// What `--help` ends with.
fn help() -> String {
    format!(
        "\
Examples:
  wyze get 'Front Door'
  wyze get URL night-vision status-light
  wyze get URL all --json

Without names, or with `all`, everything is read that the camera may know, for at most {} s; standard error names what it
did not answer (null in JSON). A name that this camera does not have is an error: exit code 24 when it is known
beforehand, 25 when the camera does not answer.

Names:
{}
What is marked with * may name addresses, networks or passwords, and is read only when it is named.",
        ALL_LIMIT.as_secs(),
        item::help(),
    )
}

/// Read a camera's settings and what else it tells
#[derive(Debug, Args)]
#[command(after_help = help())]
pub(crate) struct GetArgs {
    #[arg(value_name = "CAMERA", help = target::HELP)]
    camera: String,
    /// Which: all, or their names
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// One JSON object
    #[arg(long)]
    json: bool,
    /// Give up when the camera has not let us in after this long
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "30")]
    timeout: Duration,
}

/// An item, and what the camera says; `None` when it says nothing.
type Row = (Item, Option<Value>);

/// Reads and prints.
pub(crate) fn run(args: &GetArgs) -> Result<(), Failure> {
    let stop = interrupt::install()?;
    let named = named(&args.names)?;
    let url = target::camera(&args.camera)?;
    for (item, query) in &named {
        check_before(&url, query.code(), item.name())?;
    }
    let rows = converse(&url, args.timeout, stop, |conversation| {
        if named.is_empty() {
            read_all(conversation)
        } else {
            read_named(conversation, &named)
        }
    })?;
    if args.json {
        say!("{}", Value::Object(json(rows)));
    } else {
        print(&rows);
    }
    Ok(())
}

/// What was named; nothing when all is meant.
fn named(names: &[String]) -> Result<Vec<(Item, Query)>, Failure> {
    if matches!(names, [all] if all == "all") {
        return Ok(Vec::new());
    }
    let with_query = |name: &String| {
        let item = Item::find(name)?;
        let query = item
            .query()
            .map_err(|e| Failure::new(Exit::Usage, format!("{name}: {e}")))?;
        Ok((item, query))
    };
    names.iter().map(with_query).collect()
}

fn read_named(
    conversation: &mut Conversation<'_, '_>,
    named: &[(Item, Query)],
) -> Result<Vec<Row>, Failure> {
    for (item, query) in named {
        conversation.check(query.code(), item.name())?;
    }
    let rows = read(conversation, named, None)?;
    for ((item, value), (_, query)) in rows.iter().zip(named) {
        if value.is_none() {
            return Err(no_reply(item.name(), query.code()));
        }
    }
    Ok(rows)
}

/// All that the camera may have. What can only be set is a row without a value.
fn read_all(conversation: &mut Conversation<'_, '_>) -> Result<Vec<Row>, Failure> {
    let support = |item: &Item| conversation.support(item.code());
    let items: Vec<Item> = Item::all()
        .filter(|item| !item.is_private() && !matches!(support(item), Support::No { .. }))
        .collect();
    let mut wanted: Vec<_> = items
        .iter()
        .filter_map(|&item| Some((item, item.query().ok()?)))
        .collect();
    // What the camera is known to have comes first: what it ignores takes time.
    wanted.sort_by_key(|(item, _)| support(item) != Support::Yes);
    let mut answers = read(conversation, &wanted, Some(ALL_LIMIT))?;
    let silent: Vec<_> = answers
        .iter()
        .filter(|(_, value)| value.is_none())
        .map(|(item, _)| item.name())
        .collect();
    if let Some((_, query)) = wanted.first()
        && silent.len() == wanted.len()
    {
        return Err(no_reply("all", query.code()));
    }
    if !silent.is_empty() {
        note!(
            "wyze: the camera did not answer, or not within {} s: {}",
            ALL_LIMIT.as_secs(),
            silent.join(", ")
        );
    }
    let answer = |item: Item| {
        let at = answers.iter().position(|(other, _)| *other == item);
        (item, at.and_then(|at| answers.swap_remove(at).1))
    };
    Ok(items.into_iter().map(answer).collect())
}

/// Asks each question once: several settings come in one reply.
fn read(
    conversation: &mut Conversation<'_, '_>,
    wanted: &[(Item, Query)],
    limit: Option<Duration>,
) -> Result<Vec<Row>, Failure> {
    let mut queries: Vec<Query> = Vec::new();
    for (_, query) in wanted {
        if !queries.contains(query) {
            queries.push(query.clone());
        }
    }
    let replies = conversation.ask_all(&queries, limit)?;
    let value = |item: &Item, query: &Query| {
        let at = queries.iter().position(|q| q == query)?;
        item.value(replies.get(at)?.as_ref()?, conversation.model)
    };
    Ok(wanted
        .iter()
        .map(|(item, query)| (*item, value(item, query)))
        .collect())
}

fn json(rows: Vec<Row>) -> Map<String, Value> {
    rows.into_iter()
        .map(|(item, value)| (item.name().to_owned(), value.unwrap_or_default()))
        .collect()
}

fn print(rows: &[Row]) {
    let cells: Vec<[String; 3]> = rows
        .iter()
        .filter_map(|(item, value)| {
            let (shown, help) = match value {
                Some(value) => (text(value), item.help().to_owned()),
                None if item.query().is_err() => {
                    ("-".to_owned(), format!("{}; can only be set", item.help()))
                }
                None => return None,
            };
            Some([item.name().to_owned(), shown, help])
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
        assert!(failure.message.contains("battery"), "{failure}");
        let failure = named(&["floodlight".to_owned()]).unwrap_err();
        assert!(failure.message.contains("only be set"), "{failure}");
        assert!(named(&["all".to_owned()]).unwrap().is_empty());
    }

    #[test]
    fn help_names_everything_once() {
        let help = help();
        for item in Item::all() {
            let row = format!("\n  {} ", item.name());
            assert_eq!(help.matches(&row).count(), 1, "{row}");
        }
    }
}
