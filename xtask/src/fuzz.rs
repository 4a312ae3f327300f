//! Every fuzz target for a while, from its committed seeds; what it finds new goes to `target/`, not into the repository.

use anyhow::{Context, Result, ensure};

use crate::process::{nightly_cargo, run as run_shown, target_dir};
use crate::setup;

/// Runs every target for `seconds`.
pub(crate) fn run(seconds: u32) -> Result<String> {
    setup::cargo_tool("cargo-fuzz")?;
    let targets = targets()?;
    for target in &targets {
        let found = std::path::absolute(target_dir().join("fuzz-corpus").join(target))?;
        std::fs::create_dir_all(&found)?;
        let (found, seeds) = (found.display(), format!("fuzz/corpus/{target}"));
        run_shown(&mut nightly_cargo(&format!(
            "fuzz run {target} {found} {seeds} -- -max_total_time={seconds} -seed=1 -print_final_stats=1"
        )))?;
    }
    Ok(format!("{} targets, {seconds} s each", targets.len()))
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
