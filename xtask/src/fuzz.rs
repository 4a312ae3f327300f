//! Every fuzz target for a while, from its committed seeds; what it finds new goes to `target/`, not into the repository.
//!
//! What each run did is kept in a ledger there, so that the table in the end is of the whole campaign.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::process::{capture, nightly_cargo, run as run_shown, target_dir};
use crate::setup;

/// Beyond the time asked for: start, replay of the corpus, end.
const GRACE: Duration = Duration::from_secs(300);

/// Which targets, how long, how.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Options {
    /// Only these
    pub(crate) targets: Vec<String>,
    /// Time for each target
    #[arg(long, default_value_t = 60)]
    pub(crate) seconds: u32,
    /// Where libFuzzer's randomness starts
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u32,
    /// Without AddressSanitizer: our code has no `unsafe` to watch, and this is several times faster. Overflow checks and
    /// debug assertions stay
    #[arg(long)]
    pub(crate) fast: bool,
    /// Afterwards add to the committed corpora a small set of inputs that reach what those do not
    #[arg(long)]
    pub(crate) keep: bool,
}

/// What has been done with a target, over all runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Tally {
    executions: u64,
    seconds: u64,
    /// Edges and features in the end, and inputs kept: the most of any run.
    edges: u64,
    features: u64,
    corpus: u64,
}

impl Tally {
    fn add(&mut self, run: Self) {
        self.executions += run.executions;
        self.seconds += run.seconds;
        self.edges = self.edges.max(run.edges);
        self.features = self.features.max(run.features);
        self.corpus = self.corpus.max(run.corpus);
    }
}

/// The table of a campaign, for a person and for `docs/testing.md`.
struct Table<'a>(&'a BTreeMap<String, Tally>);

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| target | executions | seconds | a second | edges | features | corpus |\n|---|--:|--:|--:|--:|--:|--:|"
        )?;
        let mut total = Tally::default();
        for (name, tally) in self.0 {
            row(f, &format!("`{name}`"), tally)?;
            total.executions += tally.executions;
            total.seconds += tally.seconds;
            total.edges += tally.edges;
            total.features += tally.features;
            total.corpus += tally.corpus;
        }
        row(f, "all", &total)
    }
}

fn row(f: &mut fmt::Formatter<'_>, name: &str, tally: &Tally) -> fmt::Result {
    let rate = tally.executions / tally.seconds.max(1);
    writeln!(
        f,
        "| {name} | {} | {} | {rate} | {} | {} | {} |",
        tally.executions, tally.seconds, tally.edges, tally.features, tally.corpus
    )
}

/// Runs the targets and prints the table of the campaign so far.
pub(crate) fn run(options: &Options) -> Result<String> {
    setup::cargo_tool("cargo-fuzz")?;
    let mut targets = targets()?;
    let only = &options.targets;
    if let Some(unknown) = only.iter().find(|name| !targets.contains(name)) {
        bail!("there is no target {unknown}: {}", targets.join(", "));
    }
    targets.retain(|name| only.is_empty() || only.contains(name));
    let sanitizer = if options.fast { "none" } else { "address" };
    run_shown(&mut nightly_cargo(&format!("fuzz build -s {sanitizer}")))?;
    let ledger = target_dir().join("fuzz-ledger.tsv");
    let mut executions = 0;
    for target in &targets {
        let tally = fuzz(target, sanitizer, options)?;
        println!(
            "{target:16} {:>12} executions in {} s",
            tally.executions, tally.seconds
        );
        executions += tally.executions;
        note(&ledger, target, &tally)?;
        if options.keep {
            keep(target, sanitizer)?;
        }
    }
    let text = std::fs::read_to_string(&ledger)?;
    println!(
        "\nsince {} was begun:\n\n{}",
        ledger.display(),
        Table(&tallies(&text))
    );
    Ok(format!(
        "{} targets, {} s each, {executions} executions",
        targets.len(),
        options.seconds
    ))
}

/// Where new finds of a target go.
fn found(target: &str) -> Result<PathBuf> {
    let found = std::path::absolute(target_dir().join("fuzz-corpus").join(target))?;
    std::fs::create_dir_all(&found)?;
    Ok(found)
}

fn seeds(target: &str) -> String {
    format!("fuzz/corpus/{target}")
}

/// A target's own dictionary, or the protocol's.
fn dictionary(target: &str) -> String {
    let own = format!("fuzz/{target}.dict");
    if Path::new(&own).exists() {
        own
    } else {
        "fuzz/tutk.dict".to_owned()
    }
}

fn fuzz(target: &str, sanitizer: &str, options: &Options) -> Result<Tally> {
    let Options { seconds, seed, .. } = options;
    let (found, seeds, dictionary) = (found(target)?, seeds(target), dictionary(target));
    let said = capture(
        &mut nightly_cargo(&format!(
            "fuzz run -s {sanitizer} {target} {} {seeds} -- -max_total_time={seconds} -seed={seed} \
             -print_final_stats=1 -dict={dictionary}",
            found.display()
        )),
        Duration::from_secs((*seconds).into()) + GRACE,
    )?;
    tally(&said).with_context(|| format!("{target}: no statistics"))
}

/// Merges what was found into the committed corpus: a small set of inputs that together reach every edge which is not
/// reached from there already. By edges, not by how often each is passed, which would be ten times as many.
fn keep(target: &str, sanitizer: &str) -> Result<()> {
    let (found, seeds) = (found(target)?, seeds(target));
    capture(
        &mut nightly_cargo(&format!(
            "fuzz run -s {sanitizer} {target} {seeds} {} -- -merge=1 -set_cover_merge=1 -use_counters=0",
            found.display()
        )),
        GRACE,
    )
    .map(drop)
}

/// What libFuzzer says in the end about what it did.
fn tally(said: &str) -> Option<Tally> {
    let statistic = |name: &str| {
        let line = said
            .lines()
            .find_map(|line| line.strip_prefix("stat::")?.strip_prefix(name));
        line?.strip_prefix(':')?.trim().parse().ok()
    };
    // `#81234\tDONE   cov: 412 ft: 1033 corp: 200/12Kb lim: 4096 exec/s: 1340 rss: 400Mb`
    let end = said.lines().rfind(|line| line.contains("DONE"))?;
    let words: Vec<&str> = end.split_ascii_whitespace().collect();
    let after = |name: &str| {
        let at = words.iter().position(|word| *word == name)?;
        words.get(at + 1)?.split('/').next()?.parse().ok()
    };
    // `Done 81234 runs in 61 second(s)`
    let time = said.lines().rfind(|line| line.starts_with("Done "))?;
    Some(Tally {
        executions: statistic("number_of_executed_units")?,
        seconds: time.split_ascii_whitespace().rev().nth(1)?.parse().ok()?,
        edges: after("cov:")?,
        features: after("ft:")?,
        corpus: after("corp:")?,
    })
}

/// Adds a run to the ledger.
fn note(ledger: &Path, target: &str, tally: &Tally) -> Result<()> {
    let mut file = std::fs::File::options()
        .create(true)
        .append(true)
        .open(ledger)?;
    let Tally {
        executions,
        seconds,
        edges,
        features,
        corpus,
    } = tally;
    let line = format!("{target}\t{executions}\t{seconds}\t{edges}\t{features}\t{corpus}\n");
    // In one piece, as two runs may go on side by side.
    file.write_all(line.as_bytes())?;
    Ok(())
}

/// Every target's runs, added up.
fn tallies(ledger: &str) -> BTreeMap<String, Tally> {
    let mut found = BTreeMap::<_, Tally>::new();
    for line in ledger.lines() {
        let mut words = line.split('\t');
        let name = words.next().unwrap_or_default();
        let numbers: Vec<u64> = words.filter_map(|word| word.parse().ok()).collect();
        if let [executions, seconds, edges, features, corpus] = *numbers {
            found.entry(name.to_owned()).or_default().add(Tally {
                executions,
                seconds,
                edges,
                features,
                corpus,
            });
        }
    }
    found
}

fn targets() -> Result<Vec<String>> {
    let folder = std::fs::read_dir("fuzz/fuzz_targets").context("fuzz/fuzz_targets")?;
    let mut names: Vec<String> = folder
        .filter_map(|file| Some(file.ok()?.path().file_stem()?.to_str()?.to_owned()))
        .collect();
    names.sort();
    ensure!(!names.is_empty(), "fuzz/fuzz_targets is empty");
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_statistics_of_libfuzzer_are_read() {
        let said = "#81200\tREDUCE cov: 9 ft: 9 corp: 9/9b lim: 4 exec/s: 0 rss: 1Mb\n\
            #81234\tDONE   cov: 412 ft: 1033 corp: 200/12Kb lim: 4096 exec/s: 1340 rss: 400Mb\n\
            Done 81234 runs in 61 second(s)\nstat::number_of_executed_units: 81234\nstat::average_exec_per_sec:     1340\n";
        let expected = Tally {
            executions: 81234,
            seconds: 61,
            edges: 412,
            features: 1033,
            corpus: 200,
        };
        assert_eq!(tally(said), Some(expected));
        assert_eq!(tally("==ERROR: libFuzzer: deadly signal"), None);
    }

    #[test]
    fn runs_in_the_ledger_add_up_and_coverage_does_not() {
        let ledger =
            "wire\t100\t10\t5\t7\t3\nkauth\t8\t2\t1\t1\t1\nwire\t50\t10\t6\t6\t2\nhalf a li";
        let table = Table(&tallies(ledger)).to_string();
        assert!(
            table.contains("| `wire` | 150 | 20 | 7 | 6 | 7 | 3 |"),
            "{table}"
        );
        assert!(
            table.contains("| all | 158 | 22 | 7 | 7 | 8 | 4 |"),
            "{table}"
        );
    }
}
