//! Key logs: lines `CLIENT_RANDOM <client random> <master secret>`, as `SSLKEYLOGFILE` makes browsers write them.

use std::collections::HashMap;
use std::fmt;
use std::io::BufRead;

use zeroize::{Zeroize, Zeroizing};

/// Associations that a key log may hold. More are ignored.
const MAX_ENTRIES: usize = 65_536;

/// The master secrets of DTLS associations, by client random; and a pre-shared key, for those that it opens alone.
///
/// `Debug` shows how many; the secrets are wiped on drop.
#[derive(Default, Clone)]
pub struct KeyLog {
    masters: HashMap<[u8; 32], Zeroizing<[u8; 48]>>,
    psk: Option<Zeroizing<[u8; 32]>>,
}

impl fmt::Debug for KeyLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyLog({} associations)", self.masters.len())
    }
}

impl KeyLog {
    /// An empty log.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads a log. Lines that are no `CLIENT_RANDOM` lines are skipped: other versions of TLS have lines of their own.
    ///
    /// # Errors
    /// The input cannot be read.
    pub fn read(mut input: impl BufRead) -> std::io::Result<Self> {
        let mut log = Self::default();
        let mut line = Vec::new();
        loop {
            line.clear();
            if input.read_until(b'\n', &mut line)? == 0 {
                line.zeroize();
                return Ok(log);
            }
            log.add_line(&line);
        }
    }

    fn add_line(&mut self, line: &[u8]) -> Option<()> {
        let mut words = line
            .split(u8::is_ascii_whitespace)
            .filter(|w| !w.is_empty());
        if words.next()? != b"CLIENT_RANDOM" {
            return None;
        }
        let (mut random, mut master) = ([0; 32], Zeroizing::new([0; 48]));
        hex::decode_to_slice(words.next()?, &mut random).ok()?;
        hex::decode_to_slice(words.next()?, &mut *master).ok()?;
        self.insert(random, &master);
        Some(())
    }

    /// Adds the master secret of one association.
    pub fn insert(&mut self, client_random: [u8; 32], master: &[u8; 48]) {
        if self.masters.len() < MAX_ENTRIES {
            self.masters.insert(client_random, Zeroizing::new(*master));
        }
    }

    /// Sets the pre-shared key of the camera. It opens associations in suite 0x00AE that have no line of their own;
    /// not those in 0xCCAC, whose key exchange keeps a recording closed even to who knows it.
    pub fn set_psk(&mut self, psk: &[u8; 32]) {
        self.psk = Some(Zeroizing::new(*psk));
    }

    /// How many associations there are.
    pub fn len(&self) -> usize {
        self.masters.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.masters.is_empty()
    }

    pub(crate) fn get(&self, client_random: &[u8; 32]) -> Option<&[u8; 48]> {
        self.masters.get(client_random).map(|master| &**master)
    }

    pub(crate) fn psk(&self) -> Option<&[u8; 32]> {
        self.psk.as_deref()
    }
}

/// One association's line of a key log, without a line break. **It opens the recorded session: write it to the key log and
/// nowhere else.**
pub fn key_log_line(client_random: &[u8; 32], master: &[u8; 48]) -> Zeroizing<String> {
    let secret = Zeroizing::new(hex::encode(master));
    // In one piece of memory from the beginning, so that no copy stays behind.
    let mut line = Zeroizing::new(String::with_capacity(256));
    for part in ["CLIENT_RANDOM ", &hex::encode(client_random), " ", &secret] {
        line.push_str(part);
    }
    line
}
