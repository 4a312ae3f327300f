//! Stages with their times, and the table at the end.

use std::fmt;
use std::time::{Duration, Instant};

/// The one reason for which a stage may stand as NOT RUN: a toolchain part that could not be downloaded.
#[derive(Debug)]
pub(crate) struct NotRun(pub(crate) String);

impl fmt::Display for NotRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NotRun {}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Pass,
    Fail,
    NotRun,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Pass => "PASS",
            Self::Fail => "FAIL",
            Self::NotRun => "NOT RUN",
        })
    }
}

#[derive(Debug)]
struct Row {
    name: String,
    outcome: Outcome,
    took: Duration,
    note: String,
}

/// What has been run so far.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    rows: Vec<Row>,
}

impl Summary {
    /// Runs a stage. It answers with a note for the table; a [`NotRun`] anywhere in its error keeps it from failing.
    pub(crate) fn stage(&mut self, name: &str, body: impl FnOnce() -> anyhow::Result<String>) {
        println!("\n━━ {name} ━━");
        let start = Instant::now();
        let outcome = body();
        self.add(name, start.elapsed(), outcome);
    }

    /// Puts the outcome of something that took `took` into the table.
    pub(crate) fn add(&mut self, name: &str, took: Duration, outcome: anyhow::Result<String>) {
        let (outcome, note) = match outcome {
            Ok(note) => (Outcome::Pass, note),
            Err(error) => {
                let excused = error.chain().any(|cause| cause.is::<NotRun>());
                let outcome = if excused {
                    Outcome::NotRun
                } else {
                    Outcome::Fail
                };
                (outcome, format!("{error:#}"))
            }
        };
        if outcome != Outcome::Pass {
            eprintln!("{outcome}: {name}: {note}");
        }
        self.rows.push(Row {
            name: name.to_owned(),
            outcome,
            took,
            note,
        });
    }

    fn count(&self, outcome: Outcome) -> usize {
        self.rows
            .iter()
            .filter(|row| row.outcome == outcome)
            .count()
    }

    /// Fails when a stage failed, or when there was none.
    pub(crate) fn verdict(&self) -> anyhow::Result<String> {
        let failed = self.count(Outcome::Fail);
        anyhow::ensure!(!self.rows.is_empty(), "nothing was run");
        anyhow::ensure!(failed == 0, "{failed} of {} failed", self.rows.len());
        Ok(match self.count(Outcome::NotRun) {
            0 => format!("{} passed", self.rows.len()),
            skipped => format!("{} passed, {skipped} NOT RUN", self.count(Outcome::Pass)),
        })
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self
            .rows
            .iter()
            .map(|row| row.name.chars().count())
            .max()
            .unwrap_or(0);
        for Row {
            name,
            outcome,
            took,
            note,
        } in &self.rows
        {
            let first = note.lines().next().unwrap_or_default();
            let time = match took.as_secs() {
                0 => format!("{} ms", took.as_millis()),
                _ => format!("{:.1} s", took.as_secs_f32()),
            };
            writeln!(f, "{name:width$}  {outcome:7}  {time:>8}  {first}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use anyhow::{Context, anyhow};

    use super::*;

    fn outcome_of(result: anyhow::Result<String>) -> Outcome {
        let mut summary = Summary::default();
        summary.stage("x", || result);
        summary.rows[0].outcome
    }

    #[test]
    fn only_a_refused_download_stands_as_not_run() {
        assert_eq!(outcome_of(Ok(String::new())), Outcome::Pass);
        assert_eq!(outcome_of(Err(anyhow!("ffmpeg: not found"))), Outcome::Fail);
        let refused: anyhow::Result<String> = Err(NotRun("no network".into()).into());
        assert_eq!(
            outcome_of(refused.context("rustup target add")),
            Outcome::NotRun
        );
    }

    #[test]
    fn verdict_fails_on_a_failure_and_on_nothing_but_not_on_not_run() {
        let mut summary = Summary::default();
        assert!(summary.verdict().is_err(), "nothing run proves nothing");
        summary.stage("a", || Ok("fine".into()));
        assert_eq!(summary.verdict().unwrap(), "1 passed");
        summary.stage("b", || Err(NotRun("no network".into()).into()));
        assert_eq!(summary.verdict().unwrap(), "1 passed, 1 NOT RUN");
        summary.stage("c", || Err(anyhow!("broken")));
        assert_eq!(summary.verdict().unwrap_err().to_string(), "1 of 3 failed");
    }

    #[test]
    fn table_is_aligned_and_shows_the_first_line_of_a_note() {
        let mut summary = Summary::default();
        summary.add(
            "fmt",
            Duration::from_millis(1500),
            Ok("3 files\nmore".into()),
        );
        summary.add("bare-metal", Duration::from_millis(7), Err(anyhow!("no")));
        let text = summary.to_string();
        assert_eq!(
            text,
            "fmt         PASS        1.5 s  3 files\nbare-metal  FAIL         7 ms  no\n"
        );
    }
}
