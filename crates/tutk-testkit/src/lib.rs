//! What the tests of this workspace share. Development only, never published.
//!
//! | module | what it holds |
//! |---|---|
//! | [`net`] | an in-process network that loses, reorders, duplicates and corrupts, the same way for the same seed |
//! | [`pump`] | a virtual clock that drives any number of [`Node`](pump::Node)s over a [`Net`](net::Net) and checks the laws of the run loop |
//! | [`proxy`] | the same faults between real UDP sockets, for peers that are processes |
//! | [`data`] | loaders for `testdata/`: vectors, captures, key logs, recorded sessions |
//! | [`fuzz`] | bodies of the fuzz targets, as ordinary functions that ordinary tests replay |
//!
//! A failing test prints its seed; the same seed fails the same way on every machine.
#![forbid(unsafe_code)]

pub mod data;
pub mod fuzz;
pub mod net;
pub mod proxy;
pub mod pump;
mod reassembly;

/// The random number generator of every test: the same `seed` gives the same bytes on every machine.
pub fn rng(seed: u64) -> rand_chacha::ChaCha8Rng {
    use rand_core::SeedableRng;
    rand_chacha::ChaCha8Rng::seed_from_u64(seed)
}

/// Asserts that each of `texts`, which users read, holds its own of `words`, and that no two are the same.
///
/// # Panics
/// One does not.
pub fn differ(texts: &[String], words: &[&str]) {
    assert_eq!(texts.len(), words.len());
    for (text, word) in texts.iter().zip(words) {
        assert!(text.contains(word), "{text}: {word}");
    }
    let mut sorted = texts.to_vec();
    sorted.sort();
    sorted.dedup();
    assert_eq!(sorted.len(), texts.len(), "{texts:?}");
}

/// The ways in which a program could write `secret` by accident: as text, as hexadecimal, as the list that `{:?}`, `{:x?}` and
/// `{:02x?}` make of bytes.
pub fn spellings(secret: &[u8]) -> Vec<String> {
    let list = |all: String| all.trim_matches(['[', ']']).to_owned();
    vec![
        String::from_utf8_lossy(secret).into_owned(),
        hex::encode(secret),
        hex::encode_upper(secret),
        list(format!("{secret:?}")),
        list(format!("{secret:x?}")),
        list(format!("{secret:X?}")),
        list(format!("{secret:02x?}")),
        list(format!("{secret:02X?}")),
    ]
}
