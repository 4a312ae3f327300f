//! What the tests do not notice: cargo-mutants changes one place at a time and runs the tests of the crate.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::process::{cargo, target_dir};
use crate::setup;

/// Where every survivor has to have its reason; a section for each crate.
const EXPLAINED: &str = "docs/mutants.md";

/// Crates with code that only features compile.
const FEATURES: [(&str, &str); 2] = [("tutk-dtls", "keylog,ring"), ("wyze-session", "keylog")];

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Crates to change; all that docs/mutants.md has a section for when none is named
    #[arg(long, short)]
    package: Vec<String>,
    /// Change these files alone
    file: Vec<String>,
    /// Only lines that changed since this commit
    #[arg(long, value_name = "COMMIT")]
    since: Option<String>,
    /// Do without the doc tests and the tests in files of their own: quicker, and more survives
    #[arg(long)]
    lib: bool,
    /// Leave out tests with this in their name, for they take long; those that are left may miss more
    #[arg(long, value_name = "NAME")]
    skip: Vec<String>,
}

/// Fails when a mutant survives that [`EXPLAINED`] does not explain.
pub(crate) fn run(options: &Options) -> Result<String> {
    setup::cargo_tool("cargo-mutants")?;
    let text = std::fs::read_to_string(EXPLAINED).context(EXPLAINED)?;
    let explained: BTreeSet<String> = text.lines().filter_map(row).collect();
    let mut packages = options.package.clone();
    if packages.is_empty() {
        let sections = text.lines().filter_map(|line| line.strip_prefix("## "));
        packages.extend(sections.map(str::to_owned));
    }
    let mut notes = Vec::new();
    let mut unexplained = Vec::new();
    for package in &packages {
        let out = std::path::absolute(target_dir().join("mutants").join(package))?;
        let dir = out.join("mutants.out");
        if dir.exists() {
            // What an earlier run found is not what this one did.
            std::fs::remove_dir_all(&dir)?;
        }
        mutate(options, package, &out)?;
        if options.since.is_some() && !dir.exists() {
            notes.push(format!(
                "{package}: no line changed that a mutant could be of"
            ));
            continue;
        }
        let (note, missed) = outcome(&dir)?;
        notes.push(format!("{package}: {note}"));
        unexplained.extend(missed.into_iter().filter(|m| !explained.contains(&name(m))));
    }
    let note = notes.join("\n");
    ensure!(
        unexplained.is_empty(),
        "{note}\nneither noticed by a test nor explained in {EXPLAINED}:\n{}",
        unexplained.join("\n")
    );
    Ok(note)
}

fn mutate(options: &Options, package: &str, out: &Path) -> Result<()> {
    std::fs::create_dir_all(out)?;
    let mut command = cargo("mutants --cap-lints=true --no-times");
    if let Some(commit) = &options.since {
        let diff = out.join("since.diff");
        std::fs::write(&diff, changes_since(commit)?)?;
        command.arg("--in-diff").arg(diff);
    }
    command
        .arg("--output")
        .arg(out)
        .args(["--package", package]);
    for file in &options.file {
        command.args(["--file", file]);
    }
    if options.lib {
        command.arg("--cargo-arg=--lib");
    }
    if let Some((_, features)) = FEATURES.iter().find(|(name, _)| *name == package) {
        command.arg(format!("--features={features}"));
    }
    if !options.skip.is_empty() {
        // Behind the first are arguments of cargo test, behind the second those of the tests.
        command.args(["--", "--"]);
        for name in &options.skip {
            command.args(["--skip", name]);
        }
    }
    // Each mutant is built anew and run once: the build is what takes the time.
    let status = command
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .env("CARGO_PROFILE_DEV_OPT_LEVEL", "0")
        .env("PROPTEST_CASES", "32")
        .env("PROPTEST_DISABLE_FAILURE_PERSISTENCE", "1")
        .status()
        .context("cargo mutants")?;
    match status.code() {
        // All caught, some missed, some not stopped in time.
        Some(0 | 2 | 3) => Ok(()),
        _ => bail!("cargo mutants of {package} failed ({status})"),
    }
}

/// What `git diff` says of the work tree.
fn changes_since(commit: &str) -> Result<Vec<u8>> {
    let output = Command::new("git").args(["diff", commit]).output()?;
    ensure!(
        output.status.success(),
        "git diff {commit}: {}",
        String::from_utf8_lossy(&output.stderr).trim_end()
    );
    Ok(output.stdout)
}

/// The figures of a run, and the mutants that survived it.
fn outcome(dir: &Path) -> Result<(String, Vec<String>)> {
    let read = |name: &str| std::fs::read_to_string(dir.join(name)).context(name.to_owned());
    let outcomes: Value = serde_json::from_str(&read("outcomes.json")?)?;
    let figure = |key: &str| {
        outcomes[key]
            .as_u64()
            .with_context(|| format!("{key} in outcomes.json"))
    };
    let note = format!(
        "{} mutants: {} caught, {} timeout, {} unviable, {} missed",
        figure("total_mutants")?,
        figure("caught")?,
        figure("timeout")?,
        figure("unviable")?,
        figure("missed")?
    );
    let missed = read("missed.txt")?.lines().map(str::to_owned).collect();
    Ok((note, missed))
}

/// `file: what` of `file:line:column: what`: every edit moves line and column.
fn name(mutant: &str) -> String {
    let Some((place, what)) = mutant.split_once(": ") else {
        return mutant.to_owned();
    };
    let file = place.split_once(':').map_or(place, |(file, _)| file);
    format!("{file}: {what}")
}

/// The mutant that a line of the tables names, if it names one. Markdown wants a bar within a table escaped.
fn row(line: &str) -> Option<String> {
    let (name, why) = line.strip_prefix("| `")?.split_once("` | ")?;
    let why = why.trim_end_matches('|').trim();
    (!why.is_empty()).then(|| name.replace("\\|", "|"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_survivor_is_known_by_its_explanation_wherever_it_moved() {
        let line = r"| `crates/a/src/b.rs: replace \|\| with && in <impl Layer for C>::d` | the two never differ |";
        let moved = "crates/a/src/b.rs:120:9: replace || with && in <impl Layer for C>::d";
        assert_eq!(row(line), Some(name(moved)));
    }

    #[test]
    fn a_row_without_a_reason_explains_nothing() {
        assert_eq!(
            row("| `crates/a/src/b.rs: replace + with - in c` | |"),
            None
        );
        assert_eq!(row("| mutant | why it survives |"), None);
    }
}
