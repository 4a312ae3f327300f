//! Bodies of the fuzz targets: plain functions of arbitrary bytes that panic when a promise is broken.
//!
//! `fuzz/fuzz_targets/*.rs` call them; so do the tests below, over every file of `fuzz/corpus/` and some random input, so
//! that a target can't rot unseen. [`TARGETS`] is the one list of them.

mod dissect;
mod dtls;
mod emit;
mod endpoint;
mod feed;
mod insider;
mod kauth;
mod lossless;
mod packet;
mod session;
mod session16;

use tutk_core::wire::{Malformed, Reader, Writer};

pub use dissect::dissect;
pub use dtls::dtls_pair;
pub use feed::{assembler, av_message, dtls_client, dtls_server, iotc_client, iotc_device};
pub use insider::{session_camera, session_client};
pub use kauth::kauth;
pub use lossless::{frames, resend};
pub use session::session_pair;
pub use session16::av_session16;

/// A target: the name of its binary and corpus folder, and its body.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: &[Target] = &[
    ("assembler", assembler),
    ("av_message", av_message),
    ("av_session16", av_session16),
    ("dissect", dissect),
    ("dtls_client", dtls_client),
    ("dtls_pair", dtls_pair),
    ("dtls_server", dtls_server),
    ("frames", frames),
    ("iotc_client", iotc_client),
    ("iotc_device", iotc_device),
    ("kauth", kauth),
    ("resend", resend),
    ("session_camera", session_camera),
    ("session_client", session_client),
    ("session_pair", session_pair),
    ("transcode", transcode),
    ("wire", wire),
];

/// TransCode: decoding takes any bytes and gives back what encoding takes, for the whole-buffer rule and the packet rule.
pub fn transcode(data: &[u8]) {
    let mut bytes = data.to_vec();
    tutk_transcode::encode_flat(&mut bytes);
    tutk_transcode::decode_flat(&mut bytes);
    assert_eq!(bytes, data);
    tutk_transcode::encode(&mut bytes);
    tutk_transcode::decode(&mut bytes);
    assert_eq!(bytes, data);
    tutk_transcode::decode(&mut bytes);
    assert_eq!(bytes.len(), data.len());
}

/// The cursors: a program of reads, each of which takes all it asks for or nothing, and what was read can be written
/// back to the same bytes.
pub fn wire(data: &[u8]) {
    let Some((program, bytes)) = data.split_at_checked(data.len() / 2) else {
        return;
    };
    let mut memory = vec![0u8; bytes.len()];
    let mut w = Writer::new(&mut memory);
    let mut r = Reader::new(bytes);
    for op in program {
        let before = r.rest();
        if let Err(why) = copy_one(*op, &mut r, &mut w) {
            assert_eq!(why, Malformed::Truncated, "op {op}");
            let taken = before.len() - r.rest().len();
            assert!(taken <= 2, "a failed read took {taken} bytes");
            break;
        }
    }
    let read = w.len();
    assert_eq!(
        w.finish().expect("never longer than the input"),
        &bytes[..read]
    );
}

/// Reads one thing and writes it again.
fn copy_one(op: u8, r: &mut Reader<'_>, w: &mut Writer<'_>) -> Result<(), Malformed> {
    match op % 8 {
        0 => w.u8(r.u8()?),
        1 => w.u16_be(r.u16_be()?),
        2 => w.u16_le(r.u16_le()?),
        3 => w.u24_be(r.u24_be()?),
        4 => w.u32_be(r.u32_be()?),
        5 => w.u32_le(r.u32_le()?),
        6 => {
            let inner = r.vec8()?;
            w.vec8(|w| w.bytes(inner.rest()));
        }
        _ => {
            let inner = r.vec16()?;
            w.vec16(|w| w.bytes(inner.rest()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rand_core::Rng;

    use super::*;

    fn fuzz_dir() -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
    }

    #[test]
    fn every_body_survives_its_corpus() {
        for (name, body) in TARGETS {
            let corpus = fuzz_dir().join("corpus").join(name);
            let files =
                std::fs::read_dir(&corpus).unwrap_or_else(|e| panic!("{}: {e}", corpus.display()));
            let mut replayed = 0;
            for file in files {
                body(&std::fs::read(file.unwrap().path()).unwrap());
                replayed += 1;
            }
            assert!(replayed > 0, "{}: no seeds", corpus.display());
        }
    }

    /// Bytes put in, taken out, turned over, and exchanged for others.
    fn damage(data: &mut Vec<u8>, rng: &mut impl Rng) {
        for _ in 0..1 + rng.next_u32() % 6 {
            let at = rng.next_u32() as usize % (data.len() + 1);
            match rng.next_u32() % 4 {
                0 => data.insert(at, rng.next_u32() as u8),
                1 if at < data.len() => drop(data.remove(at)),
                2 if at < data.len() => data[at] ^= 1 << (rng.next_u32() % 8),
                _ if at < data.len() => data[at] = rng.next_u32() as u8,
                _ => {}
            }
        }
    }

    #[test]
    fn every_body_survives_its_corpus_damaged() {
        // More rounds: TUTK_FUZZ_ROUNDS=1000 cargo test -p tutk-testkit --release damaged
        let rounds = std::env::var("TUTK_FUZZ_ROUNDS").map_or(4, |n| n.parse().unwrap());
        for (name, body) in TARGETS {
            let mut rng = crate::rng(rounds + name.len() as u64);
            let mut executions = 0;
            for file in std::fs::read_dir(fuzz_dir().join("corpus").join(name)).unwrap() {
                let seed = std::fs::read(file.unwrap().path()).unwrap();
                for _ in 0..rounds {
                    let mut data = seed.clone();
                    damage(&mut data, &mut rng);
                    body(&data);
                    executions += 1;
                }
            }
            println!("{name}: {executions}");
        }
    }

    #[test]
    fn every_body_survives_random_bytes() {
        for (name, body) in TARGETS {
            let mut rng = crate::rng(name.len() as u64);
            for _ in 0..2000 {
                let mut data = vec![0u8; rng.next_u32() as usize % 300];
                rng.fill_bytes(&mut data);
                body(&data);
            }
        }
    }

    #[test]
    fn every_body_has_a_target_and_every_target_a_body() {
        let mut files: Vec<String> = std::fs::read_dir(fuzz_dir().join("fuzz_targets"))
            .unwrap()
            .map(|f| {
                f.unwrap()
                    .path()
                    .file_stem()
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .to_owned()
            })
            .collect();
        files.sort();
        let mut names: Vec<_> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
        // Their bodies are in wyze-cloud, tutk-dtls, wyze-media and wyze-std, each with a replay of its own.
        names.extend(["cloud_json", "dtls_message", "media", "url"].map(str::to_owned));
        names.sort();
        assert_eq!(files, names);
        let manifest = std::fs::read_to_string(fuzz_dir().join("Cargo.toml")).unwrap();
        for name in names {
            assert!(
                manifest.contains(&format!("name = \"{name}\"")),
                "fuzz/Cargo.toml lacks {name}"
            );
        }
    }
}
