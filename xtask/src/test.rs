//! `cargo xtask test`: every gate in order.

use anyhow::{Result, ensure};

use crate::process::{cargo, run as run_shown};
use crate::report::Summary;
use crate::{bare_metal, bench, e2e, esp, interop, long, qemu, setup, sim, size};

type Stage = (&'static str, fn() -> Result<String>);

const STAGES: &[Stage] = &[
    ("setup", setup::run_all),
    ("fmt", || quiet("fmt --all --check")),
    ("clippy", || {
        quiet("clippy --workspace --all-targets -- -D warnings")
    }),
    ("tests", || quiet("test --workspace")),
    ("doc", doc),
    ("bare-metal", bare_metal::run),
    ("size", || size::size(true)),
    ("panics", size::panics::check),
    ("interop", || interop::run(&[])),
    ("e2e", e2e::run),
    ("sim", sim::stage),
    ("qemu", qemu::run),
    ("esp32c3", esp::run),
    ("bench", || bench::run(bench::Mode::Check)),
];

/// Runs the stages, all or those named, and prints the table.
pub(crate) fn run(long: bool, only: &[String]) -> Result<()> {
    for name in only {
        let known = STAGES.iter().any(|(stage, _)| stage == name);
        ensure!(
            known,
            "no stage {name}; there are {}",
            STAGES
                .iter()
                .map(|(n, _)| *n)
                .collect::<Vec<_>>()
                .join(", ")
        );
    }
    let mut summary = Summary::default();
    for (name, body) in STAGES {
        if only.is_empty() || only.iter().any(|wanted| wanted == name) {
            summary.stage(name, body);
        }
    }
    if long {
        long::stages(&mut summary);
    }
    println!("\n━━ summary ━━\n{summary}");
    println!("{}", summary.verdict()?);
    Ok(())
}

fn quiet(args: &str) -> Result<String> {
    run_shown(&mut cargo(args))?;
    Ok(String::new())
}

fn doc() -> Result<String> {
    run_shown(cargo("doc --workspace --no-deps").env("RUSTDOCFLAGS", "-D warnings"))?;
    Ok(String::new())
}
