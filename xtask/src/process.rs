//! Child processes: run and shown, run and captured within a time limit, or kept running and watched.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

/// How often a waiting loop looks.
const TICK: Duration = Duration::from_millis(5);

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// Where cargo builds, which the environment may have moved.
pub(crate) fn target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from)
}

/// A command with its arguments, which may be given as one text split at blanks.
pub(crate) fn command(program: impl AsRef<std::ffi::OsStr>, args: &str) -> Command {
    let mut command = Command::new(program);
    command.args(args.split_ascii_whitespace());
    command
}

/// `cargo` of the toolchain in use, without what `cargo run` told us about our own package.
pub(crate) fn cargo(args: &str) -> Command {
    let mut command = command("cargo", args);
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_")
            || text.starts_with("CARGO_MANIFEST_")
            || text.starts_with("CARGO_BIN_")
        {
            command.env_remove(&name);
        }
    }
    command
}

/// `cargo` of the nightly toolchain.
pub(crate) fn nightly_cargo(args: &str) -> Command {
    cargo(&format!("+nightly {args}"))
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words
        .map(|w| w.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

/// Runs a command with its output going straight to ours.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let text = shown(command);
    println!("$ {text}");
    let status = command
        .stdin(Stdio::null())
        .status()
        .with_context(|| text.clone())?;
    ensure!(status.success(), "`{text}` failed ({status})");
    Ok(())
}

/// Runs a command to its end, within `limit`, and answers with what it wrote to stdout and stderr.
pub(crate) fn capture(command: &mut Command, limit: Duration) -> Result<String> {
    let text = shown(command);
    let mut job = Job::start(command)?;
    let status = job.wait(Instant::now() + limit)?;
    let said = job.said();
    ensure!(
        status.success(),
        "`{text}` failed ({status}):\n{}",
        said.trim()
    );
    Ok(said)
}

/// Whether a program can be started.
pub(crate) fn exists(program: &str) -> bool {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&paths).any(|dir| dir.join(program).is_file())
}

/// A running child whose output goes to a file, killed when dropped.
#[derive(Debug)]
pub(crate) struct Job {
    child: Child,
    text: String,
    log: tempfile::NamedTempFile,
}

impl Job {
    /// Starts a command with its stdin held open.
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        let log = tempfile::NamedTempFile::new()?;
        let open = || -> std::io::Result<File> { File::options().append(true).open(log.path()) };
        let text = shown(command);
        let child = command
            .stdin(Stdio::piped())
            .stdout(open()?)
            .stderr(open()?)
            .spawn()
            .with_context(|| format!("`{text}` could not be started"))?;
        Ok(Self { child, text, log })
    }

    /// Everything it has written so far, to stdout and stderr.
    pub(crate) fn said(&self) -> String {
        std::fs::read(self.log.path()).map_or_else(
            |_| String::new(),
            |bytes| String::from_utf8_lossy(&bytes).into_owned(),
        )
    }

    /// Writes a line to its stdin.
    pub(crate) fn type_line(&mut self, line: &str) -> Result<()> {
        let stdin = self.child.stdin.as_mut().context("stdin is closed")?;
        // In one piece: a peer may answer, and be gone, before a line break that comes by itself.
        stdin
            .write_all(format!("{line}\n").as_bytes())
            .with_context(|| format!("`{}` closed its stdin", self.text))
    }

    /// Waits until `done` of what it said.
    pub(crate) fn wait_until(
        &mut self,
        end: Instant,
        what: &str,
        mut done: impl FnMut(&str) -> bool,
    ) -> Result<()> {
        loop {
            // Asked first, so that what it wrote just before it ended still counts.
            let ended = self.child.try_wait()?;
            let said = self.said();
            if done(&said) {
                return Ok(());
            }
            if let Some(status) = ended {
                bail!(
                    "`{}` ended ({status}) before {what}:\n{}",
                    self.text,
                    said.trim()
                );
            }
            if Instant::now() >= end {
                bail!("`{}` timed out before {what}:\n{}", self.text, said.trim());
            }
            sleep(TICK);
        }
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self, end: Instant) -> Result<ExitStatus> {
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            if Instant::now() >= end {
                bail!(
                    "`{}` did not end in time:\n{}",
                    self.text,
                    self.said().trim()
                );
            }
            sleep(TICK);
        }
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(5)
    }

    #[test]
    fn captured_output_holds_both_streams() {
        let said = capture(
            Command::new("sh").args(["-c", "echo out; echo err >&2"]),
            Duration::from_secs(5),
        )
        .unwrap();
        assert!(said.contains("out") && said.contains("err"), "{said}");
    }

    #[test]
    fn a_failing_command_is_named_with_what_it_said() {
        let error = capture(
            Command::new("sh").args(["-c", "echo why; exit 3"]),
            Duration::from_secs(5),
        )
        .unwrap_err();
        let text = error.to_string();
        assert!(text.contains("exit 3") && text.contains("why"), "{text}");
    }

    #[test]
    fn a_job_reads_lines_and_is_killed_at_its_limit() {
        let mut job = Job::start(&mut Command::new("cat")).unwrap();
        job.type_line("hello").unwrap();
        job.wait_until(soon(), "its echo", |said| said.contains("hello"))
            .unwrap();
        let error = job.wait(Instant::now()).unwrap_err();
        assert!(error.to_string().contains("did not end in time"));
    }

    #[test]
    fn a_program_on_the_path_exists() {
        assert!(exists("sh"));
        assert!(!exists("no-such-program-here"));
    }
}
