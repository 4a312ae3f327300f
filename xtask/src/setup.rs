//! What the gates need from the machine: programs, libraries, compilation targets.

use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::process::{self, capture, command, exists, run};
use crate::report::NotRun;

/// Targets that the core crates are built for, and wasm32 for the powerset.
pub(crate) const BARE_METAL: [&str; 2] = ["riscv32imc-unknown-none-elf", "thumbv6m-none-eabi"];

/// Targets that the firmware for QEMU is built for.
pub(crate) const FIRMWARE: [&str; 2] = ["riscv32imac-unknown-none-elf", "thumbv7em-none-eabihf"];

/// Debian packages and how to see that one is there: a program or a header.
const PACKAGES: &[(&str, Probe)] = &[
    ("ffmpeg", Probe::Program("ffprobe")),
    ("valgrind", Probe::Program("valgrind")),
    ("openssl", Probe::Program("openssl")),
    ("gcc", Probe::Program("cc")),
    ("iproute2", Probe::Program("ip")),
    ("tshark", Probe::Program("tshark")),
    ("gnutls-bin", Probe::Program("gnutls-serv")),
    ("qemu-system-misc", Probe::Program("qemu-system-riscv32")),
    ("qemu-system-arm", Probe::Program("qemu-system-arm")),
    ("libmbedtls-dev", Probe::Header("mbedtls/ssl.h")),
    ("libwolfssl-dev", Probe::Header("wolfssl/ssl.h")),
    ("libgnutls28-dev", Probe::Header("gnutls/gnutls.h")),
];

#[derive(Debug)]
enum Probe {
    Program(&'static str),
    Header(&'static str),
}

impl Probe {
    fn present(&self) -> bool {
        match self {
            Self::Program(name) => exists(name),
            Self::Header(path) => ["/usr/include", "/usr/local/include"]
                .iter()
                .any(|dir| std::path::Path::new(dir).join(path).is_file()),
        }
    }
}

fn missing() -> Vec<&'static str> {
    let absent = PACKAGES.iter().filter(|(_, probe)| !probe.present());
    absent.map(|(name, _)| *name).collect()
}

/// Installs the Debian packages that are missing, or says which to install.
pub(crate) fn packages() -> Result<()> {
    let wanted = missing();
    if wanted.is_empty() {
        return Ok(());
    }
    let advice = format!(
        "install what is missing: apt-get install -y {}",
        wanted.join(" ")
    );
    let root =
        capture(&mut command("id", "-u"), Duration::from_secs(5)).is_ok_and(|id| id.trim() == "0");
    if !root || !exists("apt-get") {
        bail!(advice);
    }
    let install = format!(
        "install -y -qq --no-install-recommends {}",
        wanted.join(" ")
    );
    let apt = |args: &str| {
        let mut command = command("apt-get", args);
        run(command.env("DEBIAN_FRONTEND", "noninteractive"))
    };
    // A stale mirror list is no reason to stop: the installation itself decides.
    let _ = apt("update -qq");
    apt(&install).context(advice.clone())?;
    let still = missing();
    anyhow::ensure!(
        still.is_empty(),
        "{} installed, and still absent: {}",
        advice,
        still.join(" ")
    );
    Ok(())
}

/// Adds the compilation targets to the toolchain in use. `rust-toolchain.toml` names them too, but
/// `RUSTUP_AUTO_INSTALL=0` makes rustup ignore that list without a word.
pub(crate) fn targets() -> Result<()> {
    bare_metal_targets(&[BARE_METAL, FIRMWARE].concat())
}

/// The same for other targets.
pub(crate) fn bare_metal_targets(wanted: &[&str]) -> Result<()> {
    let have = capture(
        &mut command("rustup", "target list --installed"),
        Duration::from_secs(30),
    )?;
    let absent = lacking(&have, wanted);
    if absent.is_empty() {
        return Ok(());
    }
    download(&format!("target add {}", absent.join(" ")))
}

/// Adds `llvm-tools` (for `llvm-nm`) to the toolchain in use.
pub(crate) fn llvm_tools() -> Result<()> {
    let have = capture(
        &mut command("rustup", "component list --installed"),
        Duration::from_secs(30),
    )?;
    if have.lines().any(|line| line.starts_with("llvm-tools")) {
        return Ok(());
    }
    download("component add llvm-tools")
}

/// Adds components to the nightly toolchain.
pub(crate) fn nightly_components(names: &str) -> Result<()> {
    download(&format!("component add --toolchain nightly {names}"))
}

fn lacking<'a>(installed: &str, wanted: &[&'a str]) -> Vec<&'a str> {
    let absent = |name: &&&str| !installed.lines().any(|line| line.trim() == **name);
    wanted.iter().filter(absent).copied().collect()
}

/// A rustup call that fetches something; a refused download is [`NotRun`], anything else a failure.
fn download(args: &str) -> Result<()> {
    println!("$ rustup {args}");
    capture(&mut command("rustup", args), Duration::from_secs(600))
        .map(drop)
        .map_err(|error| {
            let text = format!("{error:#}");
            if is_refused_download(&text) {
                anyhow::Error::new(NotRun(format!("no way to download it here: rustup {args}")))
                    .context(text)
            } else {
                error
            }
        })
}

fn is_refused_download(said: &str) -> bool {
    let said = said.to_lowercase();
    [
        "could not download",
        "failed to download",
        "error downloading",
        "error sending request",
        "dns error",
    ]
    .iter()
    .any(|sign| said.contains(sign))
}

/// Installs a cargo subcommand from crates.io unless it is there.
pub(crate) fn cargo_tool(name: &str) -> Result<()> {
    if exists(name) {
        return Ok(());
    }
    run(&mut process::cargo(&format!("install --locked {name}")))
}

/// Everything that every run needs. A missing target is left to the stage that uses it.
pub(crate) fn run_all() -> Result<String> {
    packages()?;
    let mut notes = Vec::new();
    for (what, outcome) in [("targets", targets()), ("llvm-tools", llvm_tools())] {
        if let Err(error) = outcome {
            if !error.chain().any(|cause| cause.is::<NotRun>()) {
                return Err(error);
            }
            eprintln!("{error:#}");
            notes.push(format!("{what} could not be downloaded"));
        }
    }
    Ok(notes.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_targets_not_installed_are_asked_for() {
        let have = "thumbv6m-none-eabi\nx86_64-unknown-linux-gnu\n";
        assert_eq!(lacking(have, &BARE_METAL), ["riscv32imc-unknown-none-elf"]);
    }

    #[test]
    fn a_refused_download_is_told_from_other_failures() {
        assert!(is_refused_download(
            "error: could not download file from 'https://…'"
        ));
        assert!(!is_refused_download(
            "error: toolchain 'stable' does not support target 'xtensa'"
        ));
    }
}
