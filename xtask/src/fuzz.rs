//! Every fuzz target for a while, from its committed seeds; what it finds new goes to `target/`, not into the repository.

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::process::{capture, nightly_cargo, run as run_shown, target_dir};
use crate::setup;

/// Beyond the time asked for: start, replay of the corpus, end.
const GRACE: Duration = Duration::from_secs(120);

/// Runs the targets named in `only` (every one without) for `seconds` each, and prints how often each was executed.
pub(crate) fn run(seconds: u32, only: &[String]) -> Result<String> {
    setup::cargo_tool("cargo-fuzz")?;
    let mut targets = targets()?;
    if let Some(unknown) = only.iter().find(|name| !targets.contains(name)) {
        anyhow::bail!("there is no target {unknown}: {}", targets.join(", "));
    }
    targets.retain(|name| only.is_empty() || only.contains(name));
    run_shown(&mut nightly_cargo("fuzz build"))?;
    let mut total = 0;
    for target in &targets {
        let found = std::path::absolute(target_dir().join("fuzz-corpus").join(target))?;
        std::fs::create_dir_all(&found)?;
        let (found, seeds) = (found.display(), format!("fuzz/corpus/{target}"));
        let said = capture(
            &mut nightly_cargo(&format!(
                "fuzz run {target} {found} {seeds} -- -max_total_time={seconds} -seed=1 -print_final_stats=1 \
                 -dict=fuzz/tutk.dict"
            )),
            Duration::from_secs(seconds.into()) + GRACE,
        )?;
        let executions = executions(&said).with_context(|| format!("{target}: no statistics"))?;
        total += executions;
        println!("{target:16} {executions:>12} executions");
    }
    println!("{:16} {total:>12} executions", "total");
    Ok(format!(
        "{} targets, {seconds} s each, {total} executions",
        targets.len()
    ))
}

/// What libFuzzer says in the end about how often it called the target.
fn executions(said: &str) -> Option<u64> {
    let line = said
        .lines()
        .find_map(|line| line.strip_prefix("stat::number_of_executed_units:"))?;
    line.trim().parse().ok()
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
        let said = "Done 5 runs\nstat::number_of_executed_units: 81234\nstat::average_exec_per_sec:     1340\n";
        assert_eq!(executions(said), Some(81234));
        assert_eq!(executions("==ERROR: libFuzzer: deadly signal"), None);
    }
}
