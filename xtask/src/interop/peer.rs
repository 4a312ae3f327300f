//! How each library is built, started and spoken to.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::matrix::{Library, Role, Row, Suite};
use super::{IDENTITY, PSK};
use crate::process::{Job, command, root, run, target_dir};

/// Compiles the library's C peer, where it has one.
pub(crate) fn build(library: Library) -> Result<()> {
    let libraries = match library {
        Library::Openssl => return Ok(()),
        Library::Mbedtls => "-lmbedtls -lmbedx509 -lmbedcrypto",
        Library::Gnutls => "-lgnutls",
        Library::Wolfssl => "-lwolfssl",
    };
    let program = program(library);
    std::fs::create_dir_all(program.parent().context("no folder for the peers")?)?;
    let source = format!("interop/{}_peer.c", library.name());
    let (program, flags) = (
        program.display(),
        "-std=c11 -D_DEFAULT_SOURCE -O1 -Wall -Wextra -Werror",
    );
    run(&mut command(
        "cc",
        &format!("{flags} {source} -o {program} {libraries}"),
    ))
}

fn program(library: Library) -> PathBuf {
    target_dir().join("interop").join(library.name())
}

/// Starts the other side of `row`: a server on `port`, or a client towards it.
pub(crate) fn start(row: &Row, port: u16) -> Result<Job> {
    match (row.library, row.ours) {
        (Library::Openssl, _) => Job::start(&mut openssl(row, port)?),
        (Library::Gnutls, Role::Client) => Job::start(&mut gnutls_serv(row, port)?),
        (library, ours) => {
            let role = match ours {
                Role::Client => "server",
                Role::Server => "client",
            };
            let suite = row.suite.short();
            Job::start(&mut command(
                program(library),
                &format!("{role} {port} {suite} {PSK} {}", row.their_knobs),
            ))
        }
    }
}

/// What is typed into a peer that sends its standard input.
pub(crate) fn typed(library: Library) -> Option<&'static str> {
    (library == Library::Openssl).then_some("hello-from-openssl")
}

/// Whether the peer sends back what it gets, so that what we got proves what it got.
pub(crate) fn echoes(row: &Row) -> bool {
    (row.library, row.ours) == (Library::Gnutls, Role::Client)
}

/// The text that must come from the peer.
pub(crate) fn text(row: &Row) -> String {
    if echoes(row) {
        "hello-from-tutk-client".into()
    } else {
        format!("hello-from-{}", row.library.name())
    }
}

/// `openssl s_server` or `s_client`. It has no switch against the extended master secret, but a configuration file does.
fn openssl(row: &Row, port: u16) -> Result<Command> {
    let key = format!(
        "-psk {PSK} -psk_identity {IDENTITY} -cipher {}",
        row.suite.name()
    );
    let mut command = command(
        "openssl",
        &match row.ours {
            Role::Client => format!(
                "s_server -dtls1_2 -accept 127.0.0.1:{port} -nocert -psk_hint {IDENTITY} {key}"
            ),
            Role::Server => format!("s_client -dtls1_2 -connect 127.0.0.1:{port} {key}"),
        },
    );
    for knob in row.their_knobs.split_ascii_whitespace() {
        match knob.split_once('=') {
            Some(("ems", "0")) => {
                command.env("OPENSSL_CONF", root().join("interop/openssl-plain.cnf"));
            }
            Some(("mtu", bytes)) => {
                command.args(["-mtu", bytes, "-timeout"]);
            }
            None if knob == "listen" => {
                command.arg("-listen");
            }
            None if knob == "long-hello" => {
                // Our messages fit any MTU that OpenSSL accepts; a long list of protocols makes its hello fragment.
                let protocols: Vec<String> = (1..=20)
                    .map(|n| format!("protocol-number-{n:02}"))
                    .collect();
                command.args(["-alpn", &protocols.join(",")]);
            }
            _ => bail!("openssl has no knob {knob}"),
        }
    }
    Ok(command)
}

/// `gnutls-serv`, which echoes. It reads the key from a file.
fn gnutls_serv(row: &Row, port: u16) -> Result<Command> {
    let mut priority = match row.suite {
        Suite::Ccac => "NORMAL:-VERS-ALL:+VERS-DTLS1.2:-KX-ALL:+ECDHE-PSK:-CIPHER-ALL:+CHACHA20-POLY1305:-GROUP-ALL:+GROUP-X25519",
        Suite::Cbc => "NORMAL:-VERS-ALL:+VERS-DTLS1.2:-KX-ALL:+PSK:-CIPHER-ALL:+AES-128-CBC:-MAC-ALL:+SHA256",
    }
    .to_owned();
    let mut mtu = "1200";
    for knob in row.their_knobs.split_ascii_whitespace() {
        match knob.split_once('=') {
            Some(("ems", "0")) => priority.push_str(":%NO_SESSION_HASH"),
            Some(("etm", "0")) => priority.push_str(":%NO_ETM"),
            Some(("mtu", bytes)) => mtu = bytes,
            _ => bail!("gnutls-serv has no knob {knob}"),
        }
    }
    let keys = target_dir().join("interop/psk.txt");
    std::fs::write(&keys, format!("{IDENTITY}:{PSK}\n"))?;
    let keys = keys.display();
    Ok(command(
        "gnutls-serv",
        &format!(
            "--udp --port {port} --mtu {mtu} --pskpasswd {keys} --pskhint {IDENTITY} --echo --noticket --priority {priority}"
        ),
    ))
}
