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
    ("fuzz", fuzz),
];

fn fuzz() -> Result<String> {
    fuzz::run(&fuzz::Options {
        seconds: FUZZ_SECONDS,
        seed: 1,
        ..Default::default()
    })
}

/// Licences, bans and sources. Not advisories: their database is fetched from a host of its own.
fn deny() -> Result<String> {
    setup::cargo_tool("cargo-deny")?;
    run(&mut cargo(
        "deny --config deny.toml check bans licenses sources",
    ))?;
    Ok(String::new())
}

/// Sets of features of every core crate compile, on a bare-metal target: all sets, but where those would take hours as
/// [`shape`] says.
fn powerset() -> Result<String> {
    setup::cargo_tool("cargo-hack")?;
    setup::targets()?;
    let target = setup::BARE_METAL[0];
    for name in CORE {
        // `std` is no feature for a target without it.
        run(&mut cargo(&format!(
            "hack check -p {name} --feature-powerset --exclude-features std {} --target {target}",
            shape(name)
        )))?;
    }
    Ok(format!("{} crates", CORE.len()))
}

/// Features of which a crate refuses to be built without any, and which sets are left out: of a session those of more than
/// four features, where both ways to log are one, so that every pair is there, on or off, with a role and a suite; of what is built upon it those that take
/// only some of the features that its own sources do not ask for.
fn shape(name: &str) -> &'static str {
    match name {
        "tutk-dtls" => "--at-least-one-of client,server --at-least-one-of chacha,cbc",
        "wyze-session" => {
            "--at-least-one-of client,camera --at-least-one-of chacha,cbc --group-features defmt,log --depth 4"
        }
        "wyze-smoltcp" | "wyze-edge-nal" => {
            "--at-least-one-of client,camera --at-least-one-of chacha,cbc \
             --group-features chacha,cbc,cc51,frames,lossless"
        }
        _ => "",
    }
}

/// Machines besides this one: big-endian with 64 bits, and little-endian with 32.
const OTHER_MACHINES: [&str; 2] = ["s390x-unknown-linux-gnu", "i686-unknown-linux-gnu"];

/// What Miri interprets here: a core crate, and which of its tests. Interpreted, an X25519 takes most of a minute and the file of
/// vectors minutes to read, so that handshakes and vectors stay out.
const INTERPRETED: [(&str, &str); 7] = [
    ("tutk-core", "--lib --test tools"),
    (
        "tutk-transcode",
        "--test vectors -- any_bytes a_long_partial",
    ),
    ("tutk-iotc", "--lib"),
    (
        "tutk-dtls",
        "--lib -- --skip tests::lossy --skip tests::wire --skip tests::vectors --skip tests::noise",
    ),
    ("tutk-av", "--lib"),
    ("wyze-kauth", "--lib --test errors"),
    ("wyze-session", "--lib"),
];

/// The unit tests of the core crates, interpreted; the shared types and the codec on other machines as well.
fn miri() -> Result<String> {
    setup::nightly_components("miri rust-src")?;
    let interpret = |args: &str| {
        run(nightly_cargo(&format!("miri test {args}"))
            .env("MIRIFLAGS", "-Zmiri-disable-isolation")
            .env("PROPTEST_CASES", "4"))
    };
    for (name, tests) in INTERPRETED {
        interpret(&format!("-p {name} {tests}"))?;
    }
    for target in OTHER_MACHINES {
        for (name, tests) in &INTERPRETED[..2] {
            interpret(&format!("--target {target} -p {name} {tests}"))?;
        }
    }
    Ok(format!("{} crates", INTERPRETED.len()))
}
