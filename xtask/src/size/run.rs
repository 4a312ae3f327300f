//! The program of `benches/size` that runs in QEMU, and the figures it prints.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::{Build, Figures, build};
use crate::process::capture;

/// Longest time of one run; it takes a second.
const LIMIT: Duration = Duration::from_secs(60);

/// Runs a client against a camera in one guest and answers with what the client needed.
pub(crate) fn run(which: &Build) -> Result<Figures> {
    let program = build(which, "run", "run")?;
    let said = capture(&mut machine(which.target, &program), LIMIT)?;
    read(&said)
}

fn machine(target: &str, program: &Path) -> Command {
    let (qemu, machine) = if target.starts_with("riscv") {
        ("qemu-system-riscv32", "virt")
    } else {
        ("qemu-system-arm", "mps2-an386")
    };
    let mut command = Command::new(qemu);
    command.args(["-M", machine, "-nographic", "-monitor", "none"]);
    if machine == "virt" {
        command.args(["-bios", "none"]);
    }
    // One instruction a nanosecond of guest time: counts repeat, whatever else the host does.
    command.args(["-icount", "shift=0"]);
    command.args(["-semihosting-config", "enable=on,target=native", "-kernel"]);
    command.arg(program);
    command
}

fn read(said: &str) -> Result<Figures> {
    let mut figures = Figures::new();
    for line in said.lines() {
        let (name, value) = line.split_once(' ').with_context(|| line.to_owned())?;
        figures.insert(
            name.to_owned(),
            value.trim().parse().context(line.to_owned())?,
        );
    }
    ensure!(
        figures.contains_key("steady.all"),
        "the run was not completed:\n{said}"
    );
    Ok(figures)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_and_a_broken_run_is_none() {
        let figures = read("handshake.stack 5276\nsteady.all 88704\n").unwrap();
        assert_eq!(figures["handshake.stack"], 5276);
        assert!(read("handshake.stack 5276\n").is_err());
        assert!(read("frames three\n").is_err());
    }
}
