//! Where a user's tokens and cameras are kept between runs.
//!
//! One file, `account.json`, readable by its owner alone. It is replaced as a whole or not at all: a new one is written
//! beside it, synced, and renamed over it.

use std::fmt;
use std::fs::{self, DirBuilder};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use etcetera::{BaseStrategy, choose_base_strategy};
use log::warn;
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;
use zeroize::Zeroizing;

use crate::account::{TokenRecord, Tokens};
use crate::camera::{Camera, CameraRecord};

/// Names another directory than the usual.
const DIR_VARIABLE: &str = "WYZE_CONFIG_DIR";
const FILE: &str = "account.json";
/// Version of the file's form.
const VERSION: u32 = 1;

/// Tokens, cameras and the phone id of a user. `Debug` shows no secret.
pub struct Store {
    dir: PathBuf,
    contents: Contents,
    cameras: Vec<Camera>,
}

#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Contents {
    version: u32,
    phone_id: Option<PhoneId>,
    tokens: Option<TokenRecord>,
    cameras: Vec<CameraRecord>,
}

/// What this installation calls itself towards the service: random, and the same for ever, so that the service does not
/// see a new device at each login.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PhoneId(String);

impl PhoneId {
    /// A new one, in the form of a random UUID.
    ///
    /// # Errors
    /// The system has no randomness.
    pub fn random() -> Result<Self, StoreError> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(|_| StoreError::Random)?;
        let version_4 = 0xffff_ffff_ffff_0fff_3fff_ffff_ffff_ffff;
        let bits = u128::from_be_bytes(bytes) & version_4 | 0x4000_8000_0000_0000_0000;
        let hex = format!("{bits:032x}");
        let mut id = String::new();
        for (i, digit) in hex.chars().enumerate() {
            if matches!(i, 8 | 12 | 16 | 20) {
                id.push('-');
            }
            id.push(digit);
        }
        Ok(Self(id))
    }

    /// The characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PhoneId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PhoneId(***)")
    }
}

/// Why the store cannot be read or written. What was in it stays as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreError {
    /// There is no home directory to be found.
    NoHome,
    /// The file cannot be read.
    Read(PathBuf, io::ErrorKind),
    /// The file or its directory cannot be written.
    Write(PathBuf, io::ErrorKind),
    /// The file is no store, or damaged from this line on.
    Damaged(PathBuf, usize),
    /// The file is of a newer version of this program.
    Newer(PathBuf),
    /// The system has no randomness.
    Random,
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoHome => write!(
                f,
                "no home directory found: name a directory in {DIR_VARIABLE}"
            ),
            Self::Read(path, kind) => write!(f, "cannot read {}: {kind}", path.display()),
            Self::Write(path, kind) => write!(f, "cannot write {}: {kind}", path.display()),
            Self::Damaged(path, line) => write!(
                f,
                "{} is damaged at line {line}: mend it, or move it away and log in again (it was left as it is)",
                path.display()
            ),
            Self::Newer(path) => write!(
                f,
                "{} was written by a newer version of this program: use that one, or move the file away and log in again",
                path.display()
            ),
            Self::Random => f.write_str("the system gives no random numbers"),
        }
    }
}

impl std::error::Error for StoreError {}

/// Why a name leads to no camera.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FindError {
    /// The store holds no camera at all.
    NoCameras,
    /// None is called like this.
    Unknown {
        /// What was asked for.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// Several are called like this.
    Ambiguous {
        /// What was asked for.
        name: String,
        /// Those that are meant, with their models.
        matches: Vec<String>,
    },
}

impl fmt::Display for FindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCameras => {
                f.write_str("no cameras are known yet: log in and fetch the list first")
            }
            Self::Unknown { name, known } => write!(
                f,
                "no camera is called {name:?}; there are: {}",
                known.join(", ")
            ),
            Self::Ambiguous { name, matches } => write!(
                f,
                "{name:?} may be any of {}: rename one in the Wyze app and fetch the list again",
                matches.join(", ")
            ),
        }
    }
}

impl std::error::Error for FindError {}

impl Store {
    /// The directory that programs use unless told otherwise: `$WYZE_CONFIG_DIR`, or `wyze` in the user's configuration
    /// directory (`$XDG_CONFIG_HOME` or `~/.config`; on Windows `%APPDATA%`).
    ///
    /// # Errors
    /// [`StoreError::NoHome`].
    pub fn default_dir() -> Result<PathBuf, StoreError> {
        if let Some(dir) = std::env::var_os(DIR_VARIABLE).filter(|dir| !dir.is_empty()) {
            return Ok(dir.into());
        }
        let base = choose_base_strategy().map_err(|_| StoreError::NoHome)?;
        Ok(base.config_dir().join("wyze"))
    }

    /// Reads the store in `dir`. One that does not exist is empty, and is made when something is stored.
    ///
    /// # Errors
    /// The file exists and cannot be read or understood.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        let path = dir.join(FILE);
        let mut contents = match fs::read(&path).map(Zeroizing::new) {
            Ok(bytes) => {
                close_to_others(&path);
                read(&path, &bytes)?
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => Contents::default(),
            Err(e) => return Err(StoreError::Read(path, e.kind())),
        };
        contents.version = VERSION;
        Ok(Self {
            dir: dir.to_owned(),
            cameras: std::mem::take(&mut contents.cameras)
                .into_iter()
                .map(Camera)
                .collect(),
            contents,
        })
    }

    /// The file that holds everything.
    pub fn path(&self) -> PathBuf {
        self.dir.join(FILE)
    }

    /// This installation's phone id; made and stored the first time.
    ///
    /// # Errors
    /// The store cannot be written.
    pub fn phone_id(&mut self) -> Result<PhoneId, StoreError> {
        if let Some(id) = &self.contents.phone_id {
            return Ok(id.clone());
        }
        let id = PhoneId::random()?;
        self.contents.phone_id = Some(id.clone());
        self.save()?;
        Ok(id)
    }

    /// The tokens of the last login or renewal.
    pub fn tokens(&self) -> Option<Tokens> {
        self.contents.tokens.clone().map(Tokens)
    }

    /// Stores tokens.
    ///
    /// # Errors
    /// The store cannot be written; the file still holds the former ones.
    pub fn set_tokens(&mut self, tokens: Tokens) -> Result<(), StoreError> {
        self.contents.tokens = Some(tokens.0);
        self.save()
    }

    /// The cameras as last fetched, in the service's order.
    pub fn cameras(&self) -> &[Camera] {
        &self.cameras
    }

    /// Stores the list of cameras, in place of the former one.
    ///
    /// # Errors
    /// The store cannot be written; the file still holds the former ones.
    pub fn set_cameras(&mut self, cameras: Vec<Camera>) -> Result<(), StoreError> {
        self.cameras = cameras;
        self.save()
    }

    /// Forgets tokens and cameras, but not the phone id.
    ///
    /// # Errors
    /// The store cannot be written; the file still holds everything.
    pub fn forget(&mut self) -> Result<(), StoreError> {
        self.contents.tokens = None;
        self.cameras.clear();
        self.save()
    }

    /// The camera with this name, in upper or lower case; the exact spelling goes first.
    ///
    /// # Errors
    /// None or several are called like this; the names are in the error.
    pub fn find(&self, name: &str) -> Result<&Camera, FindError> {
        let name = name.trim();
        if self.cameras.is_empty() {
            return Err(FindError::NoCameras);
        }
        let select = |same: &dyn Fn(&str) -> bool| -> Vec<&Camera> {
            self.cameras.iter().filter(|c| same(c.name())).collect()
        };
        let folded = name.to_lowercase();
        let mut found = select(&|other| other == name);
        if found.is_empty() {
            found = select(&|other| other.to_lowercase() == folded);
        }
        match *found.as_slice() {
            [camera] => Ok(camera),
            [] => Err(FindError::Unknown {
                name: name.to_owned(),
                known: self.cameras.iter().map(|c| c.name().to_owned()).collect(),
            }),
            _ => Err(FindError::Ambiguous {
                name: name.to_owned(),
                matches: found
                    .iter()
                    .map(|c| format!("{} ({})", c.name(), c.model()))
                    .collect(),
            }),
        }
    }

    fn save(&self) -> Result<(), StoreError> {
        #[derive(Serialize)]
        struct File<'a> {
            version: u32,
            phone_id: &'a Option<PhoneId>,
            tokens: &'a Option<TokenRecord>,
            cameras: Vec<&'a CameraRecord>,
        }
        let file = File {
            version: VERSION,
            phone_id: &self.contents.phone_id,
            tokens: &self.contents.tokens,
            cameras: self.cameras.iter().map(|camera| &camera.0).collect(),
        };
        let write = || -> io::Result<()> {
            let bytes = Zeroizing::new(serde_json::to_vec_pretty(&file)?);
            make_dir(&self.dir)?;
            // In the same directory, so that it can be renamed; only its owner may read it, from the first byte on.
            let mut new = NamedTempFile::new_in(&self.dir)?;
            new.write_all(&bytes)?;
            new.as_file().sync_all()?;
            new.persist(self.path())?;
            Ok(())
        };
        write().map_err(|e| StoreError::Write(self.path(), e.kind()))
    }
}

/// Reads the store's file, which is at `path`.
pub(crate) fn read(path: &Path, bytes: &[u8]) -> Result<Contents, StoreError> {
    #[derive(Deserialize)]
    struct Version {
        version: u32,
    }
    let damaged = |e: serde_json::Error| StoreError::Damaged(path.to_owned(), e.line());
    let Version { version } = serde_json::from_slice(bytes).map_err(damaged)?;
    if version > VERSION {
        return Err(StoreError::Newer(path.to_owned()));
    }
    serde_json::from_slice(bytes).map_err(damaged)
}

/// Makes the directory, for its owner alone. One that exists keeps its permissions: it may be someone's choice.
fn make_dir(dir: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
}

/// Takes away other users' access, which a copied or restored file may have.
fn close_to_others(path: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let open = fs::metadata(path).is_ok_and(|m| m.permissions().mode() & 0o077 != 0);
        if open {
            warn!(
                "{} was open to other users of this computer",
                path.display()
            );
            if fs::set_permissions(path, fs::Permissions::from_mode(0o600)).is_err() {
                warn!("its permissions cannot be changed");
            }
        }
    }
    #[cfg(not(unix))]
    let _ = path;
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("dir", &self.dir)
            .field("logged_in", &self.contents.tokens.is_some())
            .field("cameras", &self.cameras)
            .finish_non_exhaustive()
    }
}
