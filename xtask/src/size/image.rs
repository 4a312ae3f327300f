//! One linked image, taken apart: how large it is, and whose code fills it.
//!
//! After link-time optimisation one symbol holds the code of many crates, so bytes are counted by what the debug
//! information says of each address: the innermost function that is not `core`'s.

use std::collections::BTreeMap;
use std::path::Path;

use addr2line::Loader;
use anyhow::{Context, Result, ensure};
use object::{Object, ObjectSection, ObjectSymbol, SectionKind};

/// Instructions of both families are two or four bytes long.
const STEP: u64 = 2;

/// Where bytes of code come from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Origin {
    /// A crate's name as its folder has it, `core`, or `?`.
    pub(crate) package: String,
    /// The function's full name.
    pub(crate) function: String,
}

/// What an image holds.
#[derive(Debug, Default)]
pub(crate) struct Image {
    /// Bytes in flash: code, constants, initial values.
    pub(crate) flash: u64,
    /// Bytes of code by origin.
    pub(crate) code: BTreeMap<Origin, u64>,
    /// Bytes that are not code.
    pub(crate) constants: u64,
}

impl Image {
    /// Reads a linked image.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
        let file = object::File::parse(&*bytes)?;
        let loader = Lines::open(path)?;
        let mut image = Self::default();
        for section in file.sections() {
            let size = section.size();
            match section.kind() {
                SectionKind::Text => {
                    image.flash += size;
                    let (start, end) = (section.address(), section.address() + size);
                    for at in (start..end).step_by(STEP as usize) {
                        *image.code.entry(loader.origin(at)?).or_default() += STEP;
                    }
                }
                // .eh_frame is for unwinding, which a firmware that aborts does not do; a linker script may drop it.
                SectionKind::ReadOnlyData | SectionKind::ReadOnlyString | SectionKind::Data
                    if section
                        .name()
                        .is_ok_and(|name| !name.starts_with(".eh_frame")) =>
                {
                    image.flash += size;
                    image.constants += size;
                }
                _ => {}
            }
        }
        ensure!(image.flash > 0, "{} holds nothing", path.display());
        Ok(image)
    }

    /// Bytes of code by crate, largest first.
    pub(crate) fn by_package(&self) -> Vec<(String, u64)> {
        let mut sums = BTreeMap::<&str, u64>::new();
        for (origin, bytes) in &self.code {
            *sums.entry(&origin.package).or_default() += bytes;
        }
        let mut rows: Vec<_> = sums.into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
        rows.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
        rows
    }
}

/// Fails when floating point is emulated in the image at `path`, which is how it shows on targets without a unit for it.
pub(crate) fn no_floats(path: &Path) -> Result<()> {
    let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
    let file = object::File::parse(&*bytes)?;
    let symbols: Vec<_> = file.symbols().filter_map(|it| it.name().ok()).collect();
    ensure!(!symbols.is_empty(), "{} has no symbols", path.display());
    let found: Vec<_> = symbols.iter().filter(|name| is_float(name)).collect();
    ensure!(
        found.is_empty(),
        "floating point in {}: {found:?}",
        path.display()
    );
    Ok(())
}

/// The debug information of an image.
pub(crate) struct Lines(Loader);

impl Lines {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        Loader::new(path)
            .map(Self)
            .map_err(|error| anyhow::anyhow!("{}: {error}", path.display()))
    }

    /// The innermost function at an address that is not of the standard library.
    pub(crate) fn origin(&self, at: u64) -> Result<Origin> {
        let mut frames = self.0.find_frames(at).map_err(|e| anyhow::anyhow!("{e}"))?;
        let mut best = None;
        while let Some(frame) = frames.next().map_err(|e| anyhow::anyhow!("{e}"))? {
            let file = frame.location.as_ref().and_then(|l| l.file).unwrap_or("");
            let function = frame
                .function
                .as_ref()
                .and_then(|f| f.raw_name().ok())
                .map_or_else(|| "?".to_owned(), |name| demangle(&name));
            let found = Origin {
                package: package(file).to_owned(),
                function,
            };
            if found.package != "core" && found.package != "?" {
                return Ok(found);
            }
            best = Some(found);
        }
        Ok(best.unwrap_or_else(|| Origin {
            package: "?".into(),
            function: "?".into(),
        }))
    }
}

/// Whether a symbol is a routine of the compiler's for floating point: `__addsf3`, `__floatundidf`, `__aeabi_dmul`.
pub(crate) fn is_float(symbol: &str) -> bool {
    let intrinsic = symbol.starts_with("__") && !symbol.contains("__rust");
    let of = ["sf", "df", "sf2", "df2", "sf3", "df3", "sf4", "df4"];
    let from = [
        "__fixsf",
        "__fixdf",
        "__fixunssf",
        "__fixunsdf",
        "__aeabi_f",
        "__aeabi_d",
    ];
    let integers = ["__aeabi_di", "__udf"];
    intrinsic
        && (of.iter().any(|end| symbol.ends_with(end))
            || from.iter().any(|start| symbol.starts_with(start)))
        && !integers.iter().any(|start| symbol.starts_with(start))
}

/// A name without the hash at its end.
pub(crate) fn demangle(name: &str) -> String {
    format!("{:#}", rustc_demangle::demangle(name))
}

/// The crate that a source file belongs to.
fn package(file: &str) -> &str {
    let parts: Vec<&str> = file.split('/').collect();
    let after = |name: &str| {
        let at = parts.iter().position(|part| *part == name)?;
        parts.get(at + 1).copied()
    };
    // ~/.cargo/registry/src/INDEX/NAME-VERSION/src/…
    if let Some(at) = parts.iter().position(|part| *part == "registry")
        && let Some(folder) = parts.get(at + 3)
    {
        let version = folder.rfind('-').unwrap_or(folder.len());
        return &folder[..version];
    }
    match after("library") {
        Some("compiler-builtins") => "compiler-builtins",
        Some(_) => "core",
        None if file.contains("compiler_builtins") || file.contains("compiler-builtins") => {
            "compiler-builtins"
        }
        None if file.contains("benches/size") || file.starts_with("src/") => "the program",
        None => after("crates").unwrap_or("?"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routines_for_floats_are_told_from_others() {
        for name in [
            "__addsf3",
            "__muldf3",
            "__floatundidf",
            "__fixunssfsi",
            "__aeabi_dmul",
            "__eqdf2",
        ] {
            assert!(is_float(name), "{name}");
        }
        for name in [
            "__udivdi3",
            "__muldi3",
            "memcpy",
            "__aeabi_uldivmod",
            "__rust_alloc",
            "main",
        ] {
            assert!(!is_float(name), "{name}");
        }
    }

    #[test]
    fn a_file_belongs_to_the_crate_whose_folder_it_is_in() {
        for (file, name) in [
            (
                "/root/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f/curve25519-dalek-5.0.0/src/field.rs",
                "curve25519-dalek",
            ),
            ("/rustc/59807/library/core/src/slice/mod.rs", "core"),
            ("/x/crates/wyze-session/src/client.rs", "wyze-session"),
            ("src/bin/image.rs", "the program"),
            ("", "?"),
        ] {
            assert_eq!(package(file), name, "{file}");
        }
    }
}
