//! What takes long to install or to run.

use anyhow::Result;

use crate::bare_metal::CORE;
use crate::process::{cargo, nightly_cargo, run};
use crate::test::Stage;
use crate::{coverage, fuzz, setup, size};

/// Time for each fuzz target.
const FUZZ_SECONDS: u32 = 60;

/// Run with `--long`, or by name.
pub(crate) const STAGES: &[Stage] = &[
    ("deny", deny),
    ("powerset", powerset),
    ("miri", miri),
    ("coverage", coverage::run),
    ("size-all", || size::check(&size::BUILDS)),
    ("fuzz", fuzz),
];

fn fuzz() -> Result<String> {
    fuzz::run(&fuzz::Options {
        seconds: FUZZ_SECONDS,
        seed: 1,
        ..Default::default()
    })
}

/// Everything with a lock file of its own.
const WORKSPACES: [&str; 5] = [
    ".",
    "benches/size",
    "crates/wyze-smoltcp/firmware",
    "crates/wyze-smoltcp/firmware/esp32c3",
    "fuzz",
];

/// Licences, bans and sources. Not advisories: their database is fetched from a host of its own.
fn deny() -> Result<String> {
    setup::cargo_tool("cargo-deny")?;
    for workspace in WORKSPACES {
        run(&mut cargo(&format!(
            "deny --manifest-path {workspace}/Cargo.toml --config deny.toml check bans licenses sources"
        )))?;
    }
    Ok(format!("{} lock files", WORKSPACES.len()))
}

/// Sets of features of every core crate compile, on a bare-metal target: all sets, but for the crates with a
/// thousand of them, of which [`shape`] leaves some out.
fn powerset() -> Result<String> {
    setup::cargo_tool("cargo-hack")?;
    setup::targets()?;
    let target = setup::BARE_METAL[0];
    for name in CORE {
        // `std` is no feature for a target without it, `fuzz` takes it along, and ring has no such target.
        run(&mut cargo(&format!(
            "hack check -p {name} --feature-powerset --exclude-features fuzz,std,ring {} --target {target}",
            shape(name)
        )))?;
    }
    Ok(format!("{} crates", CORE.len()))
}

/// Features of which a crate refuses to be built without any, and which sets are left out. Of a session: those of more than
/// four features, where both ways to log are one, so that every pair is there, on or off, with a role and a suite. Of what is
/// built upon it: those that take only some of the features that its own sources do not ask for.
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

/// What Miri interprets here: a core crate, and where its tests are.
const INTERPRETED: [(&str, &str); 7] = [
    ("tutk-core", "--lib --test tools"),
    ("tutk-transcode", "--test vectors"),
    ("tutk-iotc", "--lib --test it"),
    ("tutk-dtls", "--lib"),
    ("tutk-av", "--lib"),
    ("wyze-kauth", "--lib --test errors"),
    ("wyze-session", "--lib"),
];

/// Tests that are left out, because interpreted each takes minutes; by the beginnings of their names or parts of them.
const TOO_SLOW: [&str; 20] = [
    // An X25519 takes most of a minute.
    "tests::lossy",
    "tests::wire",
    "tests::hostile",
    "tests::restarts",
    "tests::noise",
    "tests::packing",
    "tests::states",
    // So does reading a file of vectors or a recording.
    "vectors::",
    "sessions::",
    "captured_blocks",
    "captured_packets",
    "derived_vectors",
    "packets_of_another_implementation",
    // Conversations of both sides over minutes of their time.
    "pair::",
    // Every length, every padding, every byte of a record, every packet of two sessions, hundreds of rounds.
    "decode_undoes_encode_at_every_length",
    "cbc::tests::every_",
    "cbc::tests::any_flipped_bit",
    "every_packet_we_write",
    "never_amplif",
    // 65 536 bytes one by one.
    "a_vector_without_room_for_its_length",
];

/// The unit tests of the core crates, interpreted; the shared types and the codec on other machines as well.
fn miri() -> Result<String> {
    setup::nightly_components("miri rust-src")?;
    let skipped: String = TOO_SLOW
        .iter()
        .map(|name| format!(" --skip {name}"))
        .collect();
    let interpret = |target: &str, (name, tests): (&str, &str)| {
        run(
            nightly_cargo(&format!("miri test {target} -p {name} {tests} --{skipped}"))
                // Tests leak the memory that they lend to a session.
                .env("MIRIFLAGS", "-Zmiri-disable-isolation -Zmiri-ignore-leaks")
                .env("PROPTEST_CASES", "4"),
        )
    };
    for tests in INTERPRETED {
        interpret("", tests)?;
    }
    for target in OTHER_MACHINES {
        for tests in &INTERPRETED[..2] {
            interpret(&format!("--target {target}"), *tests)?;
        }
    }
    Ok(format!("{} crates", INTERPRETED.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_lock_file_of_the_repository_is_checked() {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
        let listed = crate::process::capture(
            std::process::Command::new("git").current_dir(root).args([
                "ls-files",
                "--",
                "Cargo.lock",
                "*/Cargo.lock",
            ]),
            std::time::Duration::from_secs(20),
        );
        let listed = listed.unwrap();
        let mut found: Vec<&str> = listed
            .lines()
            .map(|file| file.strip_suffix("/Cargo.lock").unwrap_or("."))
            .collect();
        found.sort_unstable();
        assert_eq!(found, WORKSPACES);
    }
}
