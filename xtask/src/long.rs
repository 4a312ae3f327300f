//! What takes long to install or to run.

use anyhow::Result;

use crate::bare_metal::CORE;
use crate::process::{cargo, nightly_cargo, run};
use crate::test::Stage;
use crate::{coverage, fuzz, setup};

/// Time for each fuzz target.
const FUZZ_SECONDS: u32 = 60;

/// Run with `--long`, or by name.
pub(crate) const STAGES: &[Stage] = &[
    ("deny", deny),
    ("powerset", powerset),
    ("miri", miri),
    ("coverage", coverage::run),
    ("fuzz", || fuzz::run(FUZZ_SECONDS, &[])),
];

/// Licences, bans and sources. Not advisories: their database is fetched from a host of its own.
fn deny() -> Result<String> {
    setup::cargo_tool("cargo-deny")?;
    run(&mut cargo(
        "deny --config deny.toml check bans licenses sources",
    ))?;
    Ok(String::new())
}

/// Every set of features of every core crate compiles, on a bare-metal target.
fn powerset() -> Result<String> {
    setup::cargo_tool("cargo-hack")?;
    setup::targets()?;
    let target = setup::BARE_METAL[0];
    for name in CORE {
        // `std` is no feature for a target without it.
        run(&mut cargo(&format!(
            "hack check -p {name} --feature-powerset --exclude-features std --group-features defmt,log {} \
             --no-dev-deps --target {target}",
            needed(name)
        )))?;
    }
    Ok(format!("{} crates", CORE.len()))
}

/// Features of which a crate refuses to be built without any.
fn needed(name: &str) -> &'static str {
    match name {
        "tutk-dtls" => "--at-least-one-of client,server --at-least-one-of chacha,cbc",
        "wyze-session" | "wyze-smoltcp" | "wyze-edge-nal" => {
            "--at-least-one-of client,camera --at-least-one-of chacha,cbc"
        }
        _ => "",
    }
}

/// The codecs on a big-endian 64-bit and a little-endian 32-bit machine, interpreted.
fn miri() -> Result<String> {
    setup::nightly_components("miri rust-src")?;
    for target in ["s390x-unknown-linux-gnu", "i686-unknown-linux-gnu"] {
        let args = format!("miri test --target {target} -p tutk-core -p tutk-transcode --lib");
        run(nightly_cargo(&args)
            .env("MIRIFLAGS", "-Zmiri-disable-isolation")
            .env("PROPTEST_CASES", "4"))?;
    }
    Ok(String::new())
}
