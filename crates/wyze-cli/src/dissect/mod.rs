//! `wyze dissect`: a capture, layer by layer and byte by byte.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use tutk_dissect::{Dissector, KeyLog, Options, Packet, Severity, read_capture, text};
use tutk_iotc::AuthKey;
use wyze_std::session::kauth::keys;
use wyze_std::session::{Enr, Mac, Uid};

use crate::failure::{Exit, Failure};
use crate::say::note;

const EXAMPLES: &str = "\
Examples:
  Record a session, then look at it:
    wyze stream URL --pcap session.pcap --keylog session.keys
    wyze dissect session.pcap --keylog session.keys | less
  One line a layer, and what looks wrong:
    wyze dissect session.pcap --keylog session.keys --brief
  All findings:
    wyze dissect session.pcap --json | jq -c '.layers[].experts // empty'

Offsets count from the first byte of the UDP payload, TransCode and encryption undone in place.
Passwords, AuthKeys, UIDs and MACs are shown as ***. docs/dissect.md says more.";

/// Take a capture (pcap or pcapng) apart, and say what looks wrong
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct DissectArgs {
    /// The capture; `-` is standard input
    #[arg(value_name = "CAPTURE")]
    capture: PathBuf,
    /// Keys of DTLS sessions, lines CLIENT_RANDOM as in SSLKEYLOGFILE
    #[arg(long, value_name = "FILE")]
    keylog: Option<PathBuf>,
    /// The camera's UID, to check HMACs; a search in the capture tells it as well
    #[arg(long, value_parser = parse::<Uid>, requires_all = ["enr", "mac"])]
    uid: Option<Uid>,
    /// The camera's ENR, or its base station's: alone it opens sessions in suite 0x00AE, without a key log
    #[arg(long, value_parser = enr)]
    enr: Option<Enr>,
    /// The camera's MAC
    #[arg(long, value_parser = mac, requires = "uid")]
    mac: Option<Mac>,
    /// One JSON object a packet and line
    #[arg(long)]
    json: bool,
    /// Layers and findings only, without fields
    #[arg(long, conflicts_with = "json")]
    brief: bool,
    /// Also packets of other protocols
    #[arg(long)]
    all: bool,
    /// Show passwords, AuthKeys, UIDs and MACs
    #[arg(long)]
    show_secrets: bool,
}

fn parse<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|e: T::Err| e.to_string())
}

fn enr(text: &str) -> Result<Enr, String> {
    Enr::new(text).map_err(|e| e.to_string())
}

fn mac(text: &str) -> Result<Mac, String> {
    Mac::new(&text.replace(':', "")).map_err(|e| e.to_string())
}

/// Prints every packet.
pub(crate) fn run(args: &DissectArgs) -> Result<(), Failure> {
    let mut dissector = Dissector::new(args.options()?);
    let mut printer = Printer {
        args,
        out: BufWriter::new(io::stdout().lock()),
        start: None,
        counts: Counts::default(),
        failed: None,
    };
    let input: Box<dyn io::Read + Send> = if args.capture.as_os_str() == "-" {
        Box::new(io::stdin())
    } else {
        Box::new(open(&args.capture)?)
    };
    let end = read_capture(input, |frame| printer.packet(&dissector.frame(&frame)));
    printer.finish()?;
    end.map_err(|e| Failure::new(Exit::Input, format!("{}: {e}", args.capture.display())))
}

fn open(path: &Path) -> Result<File, Failure> {
    File::open(path).map_err(|e| {
        Failure::new(
            Exit::Input,
            format!("{} cannot be read: {e}", path.display()),
        )
    })
}

impl DissectArgs {
    fn options(&self) -> Result<Options, Failure> {
        let mut keys = match &self.keylog {
            Some(path) => KeyLog::read(BufReader::new(open(path)?)).map_err(|e| {
                Failure::new(
                    Exit::Input,
                    format!("{} cannot be read: {e}", path.display()),
                )
            })?,
            None => KeyLog::new(),
        };
        if let Some(enr) = &self.enr {
            keys.set_psk(keys::psk(enr).expose());
        }
        let credentials = match (&self.uid, &self.enr, &self.mac) {
            (Some(uid), Some(enr), Some(mac)) => {
                Some((*uid, AuthKey::new(keys::auth_key(enr, mac))))
            }
            _ => None,
        };
        Ok(Options {
            credentials,
            keys,
            show_secrets: self.show_secrets,
        })
    }
}

#[derive(Default)]
struct Counts {
    packets: u64,
    others: u64,
    errors: u64,
    warnings: u64,
}

struct Printer<'a> {
    args: &'a DissectArgs,
    out: BufWriter<io::StdoutLock<'static>>,
    /// When the first packet came.
    start: Option<Duration>,
    counts: Counts,
    failed: Option<io::Error>,
}

impl Printer<'_> {
    /// Prints a packet; `false` when nobody reads any more.
    fn packet(&mut self, packet: &Packet) -> bool {
        let start = *self.start.get_or_insert(packet.time);
        let other = packet.layer("other").is_some();
        self.counts.packets += u64::from(!other);
        self.counts.others += u64::from(other);
        for expert in packet.experts() {
            match expert.severity {
                Severity::Error => self.counts.errors += 1,
                Severity::Warning => self.counts.warnings += 1,
                Severity::Note => {}
            }
        }
        if other && !self.args.all {
            return true;
        }
        let brief = self.args.brief;
        let written = if self.args.json {
            serde_json::to_writer(&mut self.out, packet)
                .map_err(io::Error::from)
                .and_then(|()| self.out.write_all(b"\n"))
        } else {
            writeln!(
                self.out,
                "{}",
                text::Shown {
                    packet,
                    start,
                    brief
                }
            )
        };
        match written {
            Ok(()) => true,
            Err(e) => {
                self.failed = Some(e);
                false
            }
        }
    }

    fn finish(mut self) -> Result<(), Failure> {
        let Counts {
            packets,
            others,
            errors,
            warnings,
        } = self.counts;
        let ended = match self.failed.take() {
            Some(e) => Err(e),
            None => self.out.flush(),
        };
        match ended {
            // Such as `| head`: it has what it wanted.
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            Err(e) => {
                return Err(Failure::new(
                    Exit::Output,
                    format!("standard output cannot be written: {e}"),
                ));
            }
            Ok(()) => {}
        }
        if !self.args.json && packets + others > 0 {
            note!(
                "{packets} packets, {errors} errors, {warnings} warnings; {others} packets of other protocols"
            );
        }
        Ok(())
    }
}
