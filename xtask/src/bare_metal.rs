//! The core crates on targets without an operating system, and the proof that they need no allocator.
//!
//! The proof is a static library that uses every core crate and has no `#[global_allocator]`: rustc refuses to make one
//! when anything in it so much as links `alloc`. As a second witness, no allocator symbol may be named in it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::process::{capture, cargo, command, root, run as run_shown, target_dir};
use crate::setup;

/// The crates that firmware is made of.
pub(crate) const CORE: [&str; 10] = [
    "tutk-core",
    "tutk-transcode",
    "tutk-iotc",
    "tutk-dtls",
    "tutk-av",
    "wyze-kauth",
    "wyze-session",
    "wyze-smoltcp",
    "wyze-edge-nal",
    "wyze-embedded-io",
];

/// Sets of features, each taken from every core crate that has them: what firmware gets by default, and both ways to
/// log at once.
const FEATURES: [&[&str]; 2] = [&[], &["defmt", "log"]];

/// Targets that are compiled for besides those that are inspected.
const ALSO: [&str; 4] = [
    "thumbv7em-none-eabihf",
    "riscv32imac-unknown-none-elf",
    "wasm32-unknown-unknown",
    "x86_64-unknown-linux-gnu",
];

/// Symbols that rustc makes when code calls an allocator.
const ALLOCATOR: [&str; 4] = [
    "__rust_alloc",
    "__rg_alloc",
    "__rdl_alloc",
    "__rust_no_alloc_shim",
];

/// Builds and inspects every target with every set of features.
pub(crate) fn run() -> Result<String> {
    no_cfg_target()?;
    setup::targets()?;
    setup::bare_metal_targets(&ALSO)?;
    let have = features()?;
    // 64-bit atomics do not exist on half of these, so that this proves that there are none.
    let probe = write_probe(&have, FEATURES[0])?;
    for target in ALSO {
        run_shown(&mut cargo(&format!(
            "check --quiet --release --manifest-path {} --target {target} --target-dir {}",
            probe.join("Cargo.toml").display(),
            std::path::absolute(target_dir())?.display(),
        )))?;
    }
    for target in setup::BARE_METAL {
        for features in FEATURES {
            let probe = write_probe(&have, features)?;
            run_shown(&mut cargo(&format!(
                "build --quiet --release --manifest-path {} --target {target} --target-dir {}",
                probe.join("Cargo.toml").display(),
                std::path::absolute(target_dir())?.display(),
            )))?;
            let library = target_dir().join(target).join("release/libprobe.a");
            inspect(&library).with_context(|| format!("{target}, features {features:?}"))?;
        }
    }
    Ok(format!(
        "{} crates, {} targets, no allocator",
        CORE.len(),
        setup::BARE_METAL.len() + ALSO.len()
    ))
}

/// The same source serves every target: no core crate asks for which it is compiled.
fn no_cfg_target() -> Result<()> {
    let mut folders: Vec<_> = CORE
        .iter()
        .map(|name| root().join("crates").join(name).join("src"))
        .collect();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let text = fs::read_to_string(&path)?;
                ensure!(
                    !asks_for_target(&text),
                    "{} asks what it is compiled for",
                    path.display()
                );
            }
        }
    }
    Ok(())
}

fn asks_for_target(source: &str) -> bool {
    source
        .match_indices("cfg")
        .filter_map(|(at, _)| condition(&source[at..]))
        .any(|condition| condition.contains("target_"))
}

/// What stands in the parentheses behind `cfg`, `cfg!`, `cfg_attr` or `cfg_select!`, on however many lines.
fn condition(source: &str) -> Option<&str> {
    let open = source.find(['(', '{'])?;
    let name: String = source[..open].split_whitespace().collect();
    if !["cfg", "cfg!", "cfg_attr", "cfg_select!"].contains(&name.as_str()) {
        return None;
    }
    let mut depth = 0;
    let end = source[open..].find(|c| {
        match c {
            '(' | '{' => depth += 1,
            ')' | '}' => depth -= 1,
            _ => {}
        }
        depth == 0
    });
    Some(&source[open..end.map_or(source.len(), |end| open + end)])
}

/// The features of every package of this workspace.
fn features() -> Result<BTreeMap<String, Vec<String>>> {
    let said = capture(
        &mut cargo("metadata --quiet --no-deps --format-version 1"),
        Duration::from_secs(60),
    )?;
    let json = said
        .lines()
        .find(|line| line.starts_with('{'))
        .context("cargo metadata said nothing")?;
    let all: Value = serde_json::from_str(json)?;
    let packages = all["packages"].as_array().context("no packages")?;
    let entry = |package: &Value| {
        let features = package["features"].as_object()?.keys().cloned().collect();
        Some((package["name"].as_str()?.to_owned(), features))
    };
    Ok(packages.iter().filter_map(entry).collect())
}

/// Writes the static library's sources under `target/` and answers with their folder.
fn write_probe(have: &BTreeMap<String, Vec<String>>, features: &[&str]) -> Result<PathBuf> {
    let mut manifest = String::from(
        "[workspace]\n[package]\nname = \"probe\"\nversion = \"0.0.0\"\nedition = \"2024\"\npublish = false\n\
         [lib]\ncrate-type = [\"staticlib\"]\n[profile.release]\npanic = \"abort\"\n[dependencies]\n",
    );
    let mut source = String::from("#![no_std]\n");
    for name in CORE {
        let offered = have
            .get(name)
            .with_context(|| format!("there is no crate {name} in this workspace"))?;
        let enabled: Vec<_> = features
            .iter()
            .filter(|f| offered.iter().any(|o| o == *f))
            .collect();
        let path = std::path::absolute(root().join("crates").join(name))?;
        manifest += &format!("{name} = {{ path = {path:?}, features = {enabled:?} }}\n");
        source += &format!("use {} as _;\n", name.replace('-', "_"));
    }
    source += "#[panic_handler]\nfn panic(_: &core::panic::PanicInfo<'_>) -> ! {\n    loop {}\n}\n";
    let folder = std::path::absolute(target_dir())?.join("probe");
    fs::create_dir_all(folder.join("src"))?;
    fs::write(folder.join("Cargo.toml"), manifest)?;
    fs::write(folder.join("src/lib.rs"), source)?;
    // The versions that the workspace is tested with.
    fs::copy(root().join("Cargo.lock"), folder.join("Cargo.lock"))?;
    Ok(folder)
}

fn inspect(library: &Path) -> Result<()> {
    let nm = llvm_nm()?;
    let said = capture(
        command(&nm, "--just-symbol-name --quiet").arg(library),
        Duration::from_secs(60),
    )?;
    let symbols = said.lines().filter(|line| !line.is_empty()).count();
    ensure!(
        symbols > 100,
        "only {symbols} symbols in {}: is it the right file?",
        library.display()
    );
    let found = allocator_symbols(&said);
    ensure!(
        found.is_empty(),
        "{} calls an allocator: {}",
        library.display(),
        found.join(" ")
    );
    Ok(())
}

fn allocator_symbols(names: &str) -> Vec<&str> {
    names
        .lines()
        .filter(|name| ALLOCATOR.iter().any(|symbol| name.contains(symbol)))
        .collect()
}

/// `llvm-nm` of the toolchain in use, or a system-wide one.
fn llvm_nm() -> Result<PathBuf> {
    let sysroot = capture(
        &mut command("rustc", "--print sysroot"),
        Duration::from_secs(10),
    )?;
    let host = capture(
        &mut command("rustc", "--print host-tuple"),
        Duration::from_secs(10),
    )?;
    let ours = Path::new(sysroot.trim())
        .join("lib/rustlib")
        .join(host.trim())
        .join("bin/llvm-nm");
    if ours.is_file() {
        return Ok(ours);
    }
    setup::llvm_tools()?;
    ensure!(
        ours.is_file(),
        "llvm-tools is installed, and there is no {}",
        ours.display()
    );
    Ok(ours)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_for_the_target_is_found() {
        assert!(asks_for_target("#[cfg(target_arch = \"arm\")]"));
        assert!(asks_for_target("if cfg!(target_pointer_width = \"32\") {"));
        assert!(asks_for_target(
            "#[cfg(any(\n    feature = \"log\",\n    target_os = \"none\"\n))]"
        ));
        assert!(asks_for_target(
            "#[cfg_attr(\n    all(test, target_os = \"linux\"),\n    ignore\n)]"
        ));
        assert!(!asks_for_target(
            "// cfg of what\nfn f(target_a: u8) {}\n#[cfg(all(\n    test\n))]\nlet target_b = 1;"
        ));
        assert!(!asks_for_target(
            "#[cfg(feature = \"log\")]\nlet target_a = 1;"
        ));
    }

    #[test]
    fn allocator_symbols_are_found_mangled_or_not() {
        let names =
            "memcpy\n_RNvCs123_7___rustc12___rust_alloc\n__rust_no_alloc_shim_is_unstable_v2\n";
        assert_eq!(allocator_symbols(names).len(), 2);
        assert!(allocator_symbols("memcpy\nmemset\n").is_empty());
    }
}
