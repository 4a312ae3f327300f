//! Records a session as a capture: every datagram, and the keys that open it or nothing that must not be shown.

use std::cell::RefCell;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Args;
use tutk_dissect::{Recording, Redactor, key_log_line};
use tutk_iotc::AuthKey;
use wyze_std::session::kauth::keys;
use wyze_std::{CameraUrl, KeyLogEntry, Tap};

use crate::failure::{Exit, Failure};

/// What `wyze stream` is told about recording.
#[derive(Debug, Args)]
pub(crate) struct TapeArgs {
    /// Also record every datagram, as pcap for `wyze dissect` and Wireshark. Without --redact it may hold UID and AuthKey,
    /// and of firmware that speaks no DTLS all of the session
    #[arg(long, value_name = "FILE", help_heading = "Recording the session")]
    pcap: Option<PathBuf>,
    /// Write the keys that open the recording; whoever has both sees all of it
    #[arg(
        long,
        value_name = "FILE",
        requires = "pcap",
        help_heading = "Recording the session"
    )]
    keylog: Option<PathBuf>,
    /// Leave secrets, identities, addresses, pictures and sound out of the recording, so that it can be shown. It is then in
    /// clear and needs no keys (docs/dissect.md)
    #[arg(
        long,
        requires = "pcap",
        conflicts_with = "keylog",
        help_heading = "Recording the session"
    )]
    redact: bool,
}

impl TapeArgs {
    /// The files that this writes, with the options that name them.
    pub(crate) fn files(&self) -> [(&'static str, Option<&Path>); 2] {
        [
            ("--pcap", self.pcap.as_deref()),
            ("--keylog", self.keylog.as_deref()),
        ]
    }
}

/// A recording that goes on. Copies write to the same files.
#[derive(Clone)]
pub(crate) struct Tape(Rc<RefCell<Files>>);

impl fmt::Debug for Tape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tape")
    }
}

struct Files {
    pcap: Recording<Whole>,
    keylog: Option<Whole>,
    redactor: Option<Redactor>,
    /// The address that a socket bound to none in particular uses towards the last peer.
    local: Option<(IpAddr, IpAddr)>,
    /// Why it ended before its time.
    failed: Option<io::Error>,
}

/// A file that holds whole records only: of one that could not be written to its end, nothing stays.
struct Whole {
    file: File,
    len: u64,
}

impl Write for Whole {
    /// Writes a whole record.
    fn write(&mut self, record: &[u8]) -> io::Result<usize> {
        match self.file.write_all(record) {
            Ok(()) => {
                self.len += record.len() as u64;
                Ok(record.len())
            }
            Err(e) => {
                // What is no file, such as a pipe, cannot be cut.
                let _ = self.file.set_len(self.len);
                Err(e)
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Tape {
    /// Creates the files; `None` when none is asked for.
    ///
    /// # Errors
    /// A file cannot be created.
    pub(crate) fn open(args: &TapeArgs, url: &CameraUrl) -> Result<Option<Self>, Failure> {
        let Some(path) = &args.pcap else {
            return Ok(None);
        };
        let pcap = create(path)
            .and_then(Recording::new)
            .map_err(|e| cannot_write(path, &e))?;
        let keylog = args
            .keylog
            .as_ref()
            .map(|path| create(path).map_err(|e| cannot_write(path, &e)));
        let redactor = args.redact.then(|| {
            let config = url.config();
            // Behind a base station, its secrets make the keys.
            let (enr, mac) = config.credentials();
            let key = AuthKey::new(keys::auth_key(enr, mac));
            let mut redactor = Redactor::new(&config.uid, &key, enr, mac);
            redactor.hide(config.enr.as_bytes());
            redactor.hide(config.mac.as_str().as_bytes());
            redactor
        });
        Ok(Some(Self(Rc::new(RefCell::new(Files {
            pcap,
            keylog: keylog.transpose()?,
            redactor,
            local: None,
            failed: None,
        })))))
    }

    /// Tells whether all of it was written. The files are valid at any time.
    ///
    /// # Errors
    /// Something was not.
    pub(crate) fn end(&self) -> Result<(), Failure> {
        match self.0.borrow_mut().failed.take() {
            None => Ok(()),
            Some(e) => Err(Failure::new(
                Exit::Output,
                format!("the recording of the session is incomplete: {e}"),
            )),
        }
    }
}

/// Creates a file that only its user can read.
fn create(path: &Path) -> io::Result<Whole> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let file = options.open(path)?;
    #[cfg(unix)]
    if file.metadata()?.is_file() {
        use std::os::unix::fs::PermissionsExt;
        // One that was there before keeps its mode otherwise.
        file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
    }
    Ok(Whole { file, len: 0 })
}

fn cannot_write(path: &Path, error: &io::Error) -> Failure {
    Failure::new(
        Exit::Output,
        format!("{} cannot be written: {error}", path.display()),
    )
}

impl Files {
    fn write(&mut self, from: SocketAddr, to: SocketAddr, datagram: &[u8]) {
        if self.failed.is_some() {
            // What follows a gap would be read as if there were none.
            return;
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.unwrap_or(Duration::ZERO);
        let written = match &mut self.redactor {
            None => self.pcap.datagram(now, from, to, datagram),
            Some(redactor) => match redactor.datagram(from, to, datagram) {
                Some(bytes) => {
                    let (from, to) = (redactor.address(from), redactor.address(to));
                    self.pcap.datagram(now, from, to, &bytes)
                }
                None => Ok(()),
            },
        };
        self.note(written);
    }

    /// Keeps the first failure.
    fn note(&mut self, written: io::Result<()>) {
        if let (Err(e), None) = (written, &self.failed) {
            self.failed = Some(e);
        }
    }

    /// Which of our addresses a datagram to or from `peer` has.
    fn local(&mut self, local: SocketAddr, peer: SocketAddr) -> SocketAddr {
        if !local.ip().is_unspecified() {
            return local;
        }
        let ip = match self.local {
            Some((known, ip)) if known == peer.ip() => ip,
            _ => {
                let ip = route(peer).unwrap_or(local.ip());
                self.local = Some((peer.ip(), ip));
                ip
            }
        };
        SocketAddr::new(ip, local.port())
    }
}

/// The address that the system would use towards `peer`. Nothing is sent.
fn route(peer: SocketAddr) -> Option<IpAddr> {
    let any: IpAddr = match peer {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect(peer).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

impl Tap for Tape {
    fn received(&mut self, from: SocketAddr, local: SocketAddr, datagram: &[u8]) {
        let mut files = self.0.borrow_mut();
        let local = files.local(local, from);
        files.write(from, local, datagram);
    }

    fn sent(&mut self, local: SocketAddr, to: SocketAddr, datagram: &[u8]) {
        let mut files = self.0.borrow_mut();
        let local = files.local(local, to);
        files.write(local, to, datagram);
    }

    fn key(&mut self, entry: &KeyLogEntry) {
        let mut files = self.0.borrow_mut();
        let (random, master) = (entry.client_random, entry.master_secret.expose());
        if let Some(redactor) = &mut files.redactor {
            redactor.add_key(random, master);
        }
        let goes_on = files.failed.is_none();
        if let Some(keylog) = files.keylog.as_mut().filter(|_| goes_on) {
            let mut line = key_log_line(&random, master);
            line.push('\n');
            let written = keylog.write_all(line.as_bytes());
            files.note(written);
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_that_was_there_before_is_closed_to_others() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.log");
        std::fs::write(&path, "old").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        create(&path).unwrap();
        let metadata = std::fs::metadata(&path).unwrap();
        assert_eq!(
            (metadata.permissions().mode() & 0o777, metadata.len()),
            (0o600, 0)
        );
        // What is no file stays what it is.
        create(Path::new("/dev/null")).unwrap();
    }
}
