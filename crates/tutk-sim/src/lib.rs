//! Whole sessions, client and camera, over a simulated network in virtual time.
#![forbid(unsafe_code)]

pub mod ends;
pub mod laws;
pub mod room;
pub mod seeds;
pub mod show;
pub mod table;
pub mod wire;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use wyze_session::{Enr, Mac};

use crate::laws::{Lawful, Violation};

/// Randomness that follows from `seed`; `part` keeps the parts of a run apart.
pub fn rng(seed: u64, part: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..16].copy_from_slice(&part.to_le_bytes());
    ChaCha8Rng::from_seed(key)
}

/// ENR and MAC of the simulated camera.
pub(crate) fn secrets() -> Lawful<(Enr, Mac)> {
    let enr = Enr::new("sim-enr-16byte!!").map_err(|e| Violation(e.to_string()))?;
    let mac = Mac::new("00AA11BB22CC").map_err(|e| Violation(e.to_string()))?;
    Ok((enr, mac))
}
