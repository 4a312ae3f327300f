//! tutk-dtls against other DTLS libraries, as processes on loopback, one row a combination.
//!
//! A row passes when both sides finished the handshake with the suite asked for, each saw the other's text, and ours
//! closed in good order, all within [`LIMIT`].

mod matrix;
mod peer;

use std::net::UdpSocket;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

pub(crate) use matrix::Library;
use matrix::{Role, Row};

use crate::process::{Job, cargo, command, run as run_shown, target_dir};
use crate::report::Summary;

/// Longest time of a row.
const LIMIT: Duration = Duration::from_secs(10);
/// Rows at the same time.
const WORKERS: usize = 4;
/// SHA-256 of "example-enr-string", which is how TUTK makes a key of an ENR.
const PSK: &str = "688831da27f81097acb2c659ab51ba2893a8d64a4b542fab81e1d4865cb0676d";
const IDENTITY: &str = "AUTHPWD_admin";

/// Runs every row of the libraries named, or of all.
pub(crate) fn run(only: &[Library]) -> Result<String> {
    let rows: Vec<Row> = matrix::rows()
        .into_iter()
        .filter(|row| only.is_empty() || only.contains(&row.library))
        .collect();
    run_shown(&mut cargo("build -p tutk-dtls --example dtls_peer"))?;
    for library in Library::ALL {
        if rows.iter().any(|row| row.library == library) {
            peer::build(library)?;
        }
    }
    let todo = Mutex::new(rows.iter().enumerate());
    let done = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                loop {
                    let next = todo.lock().ok().and_then(|mut rows| rows.next());
                    let Some((n, row)) = next else { return };
                    let start = Instant::now();
                    let outcome = attempt(row);
                    if let Ok(mut done) = done.lock() {
                        done.push((n, row, start.elapsed(), outcome));
                    }
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_default();
    done.sort_by_key(|(n, ..)| *n);
    ensure!(
        done.len() == rows.len(),
        "only {} of {} rows were run",
        done.len(),
        rows.len()
    );
    let mut summary = Summary::default();
    for (_, row, took, outcome) in done {
        summary.add(&row.to_string(), took, outcome.map(|()| String::new()));
    }
    println!("{summary}");
    summary.verdict()
}

fn attempt(row: &Row) -> Result<()> {
    let end = Instant::now() + LIMIT;
    let port = free_port()?;
    let (mut ours, mut theirs);
    match row.ours {
        Role::Client => {
            theirs = peer::start(row, port)?;
            wait_for_port(&mut theirs, port, end)?;
            ours = start_ours(row, port)?;
        }
        Role::Server => {
            ours = start_ours(row, port)?;
            wait_for_port(&mut ours, port, end)?;
            theirs = peer::start(row, port)?;
        }
    }
    let connected = format!("connected {}", row.suite.name());
    converse(row, &mut ours, &mut theirs, &connected, end).map_err(|error| {
        let (ours, theirs) = (ours.said(), theirs.said());
        anyhow::anyhow!("{error:#}\n-- ours:\n{ours}\n-- theirs:\n{theirs}")
    })
}

fn converse(
    row: &Row,
    ours: &mut Job,
    theirs: &mut Job,
    connected: &str,
    end: Instant,
) -> Result<()> {
    ours.wait_until(end, "the handshake was done", |said| {
        said.contains(connected)
    })?;
    if let Some(text) = peer::typed(row.library) {
        theirs.type_line(text)?;
    }
    let expected = peer::text(row);
    ours.wait_until(end, "the peer's text came", |said| {
        said.contains(&format!("got: {expected}"))
    })?;
    if !peer::echoes(row) {
        let text = match row.ours {
            Role::Client => "hello-from-tutk-client",
            Role::Server => "hello-from-tutk-server",
        };
        theirs.wait_until(end, "our text came", |said| said.contains(text))?;
    }
    let status = ours.wait(end)?;
    ensure!(status.success(), "ours ended with {status}");
    Ok(())
}

fn start_ours(row: &Row, port: u16) -> Result<Job> {
    let program: PathBuf = target_dir().join("debug/examples/dtls_peer");
    let role = match row.ours {
        Role::Client => "client",
        Role::Server => "server",
    };
    let offer = row.offer.unwrap_or(row.suite.short());
    Job::start(&mut command(
        program,
        &format!(
            "{role} {port} {offer} {PSK} timeout_ms=8000 {}",
            row.our_knobs
        ),
    ))
}

/// A UDP port that was free a moment ago, and that no other row of this run was given.
fn free_port() -> Result<u16> {
    static GIVEN: Mutex<Vec<u16>> = Mutex::new(Vec::new());
    let mut given = GIVEN
        .lock()
        .map_err(|_| anyhow::anyhow!("another row panicked"))?;
    loop {
        let port = UdpSocket::bind("127.0.0.1:0")?.local_addr()?.port();
        if !given.contains(&port) {
            given.push(port);
            return Ok(port);
        }
    }
}

/// Waits until a server has bound its port, as the kernel's own table tells.
fn wait_for_port(server: &mut Job, port: u16, end: Instant) -> Result<()> {
    server.wait_until(end, "its port was bound", |_| {
        ["/proc/net/udp", "/proc/net/udp6"]
            .iter()
            .any(|table| std::fs::read_to_string(table).is_ok_and(|text| lists_port(&text, port)))
    })
}

/// Whether a table like /proc/net/udp has a socket bound to `port`.
fn lists_port(table: &str, port: u16) -> bool {
    let suffix = format!(":{port:04X}");
    table.lines().skip(1).any(|line| {
        line.split_whitespace()
            .nth(1)
            .is_some_and(|local| local.ends_with(&suffix))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_port_is_found_in_the_local_column_only() {
        let table = "  sl  local_address rem_address   st\n 10: 0100007F:60E1 0100007F:BD1B 01\n";
        assert!(lists_port(table, 0x60e1));
        assert!(!lists_port(table, 0xbd1b));
    }

    #[test]
    fn no_port_is_given_twice() {
        let mut ports: Vec<u16> = (0..50).map(|_| free_port().unwrap()).collect();
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), 50);
    }
}
