//! Whole sessions over a simulated network: `crates/tutk-sim`, which prints what it finds.

use anyhow::Result;

use crate::process::{cargo, command, run as run_shown, target_dir};

/// What it does in `cargo xtask test`.
const SHORT: [&str; 2] = ["--table --seconds 20", "--seeds 2000"];

/// Passes `args` on.
pub(crate) fn run(args: &[String]) -> Result<String> {
    run_shown(&mut cargo("build --release -p tutk-sim"))?;
    let program = target_dir().join("release/tutk-sim");
    run_shown(command(program, "").args(args))?;
    Ok(String::new())
}

/// The stage of `cargo xtask test`.
pub(crate) fn stage() -> Result<String> {
    for args in SHORT {
        let args: Vec<String> = args.split(' ').map(Into::into).collect();
        run(&args)?;
    }
    Ok("20 s a row, 2000 seeds".into())
}
