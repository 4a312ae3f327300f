//! `cargo xtask test`: every gate in order.

use anyhow::{Result, ensure};

use crate::process::{cargo, run as run_shown};
use crate::report::Summary;
use crate::{bare_metal, bench, e2e, esp, interop, long, qemu, setup, sim, size};

/// A name, and what it runs.
pub(crate) type Stage = (&'static str, fn() -> Result<String>);

const STAGES: &[Stage] = &[
    ("setup", setup::run_all),
    ("fmt", || quiet("fmt --all --check")),
    ("clippy", clippy),
    ("tests", || quiet("test --workspace")),
    ("doc", doc),
    ("bare-metal", bare_metal::run),
    ("size", || size::check(&size::BUILDS[..1])),
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
    let mut summary = Summary::default();
    for (name, body) in chosen(long, only)? {
        summary.stage(name, body);
    }
    println!("\n━━ summary ━━\n{summary}");
    println!("{}", summary.verdict()?);
    Ok(())
}

/// The stages that are named, be they long or not; if none is, all of them, the long ones with `long`.
fn chosen(long: bool, only: &[String]) -> Result<Vec<&'static Stage>> {
    let all = || STAGES.iter().chain(long::STAGES);
    for name in only {
        let names: Vec<_> = all().map(|(name, _)| *name).collect();
        ensure!(
            names.contains(&name.as_str()),
            "no stage {name}; there are {}",
            names.join(", ")
        );
    }
    if only.is_empty() {
        let longer = if long { long::STAGES } else { &[] };
        return Ok(STAGES.iter().chain(longer).collect());
    }
    Ok(all()
        .filter(|(name, _)| only.iter().any(|wanted| wanted == name))
        .collect())
}

fn quiet(args: &str) -> Result<String> {
    run_shown(&mut cargo(args))?;
    Ok(String::new())
}

/// Everything together, and each role of a session alone: what only the other one needs is dead code there.
fn clippy() -> Result<String> {
    quiet("clippy --workspace --all-targets -- -D warnings")?;
    for role in ["client", "camera"] {
        quiet(&format!(
            "clippy -p wyze-session --no-default-features --features {role},chacha -- -D warnings"
        ))?;
    }
    Ok(String::new())
}

fn doc() -> Result<String> {
    run_shown(cargo("doc --workspace --no-deps").env("RUSTDOCFLAGS", "-D warnings"))?;
    Ok(String::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_are_narrowed_by_name_long_or_not() {
        let names = |long, only: &[&str]| {
            let only: Vec<_> = only.iter().map(|&name| name.to_owned()).collect();
            chosen(long, &only)
                .map(|stages| stages.iter().map(|(name, _)| *name).collect::<Vec<_>>())
        };
        assert_eq!(names(true, &["fmt"]).unwrap(), ["fmt"]);
        assert_eq!(names(true, &["miri", "fmt"]).unwrap(), ["fmt", "miri"]);
        assert_eq!(names(false, &["deny"]).unwrap(), ["deny"]);
        assert!(names(true, &["mir"]).is_err());
        let (short, all) = (names(false, &[]).unwrap(), names(true, &[]).unwrap());
        assert!(!short.contains(&"miri") && all.contains(&"miri"));
        assert_eq!(all[..short.len()], short);
    }
}
