//! The firmware for the ESP32-C3 is built and linked on every test run, and run on no machine: there is no such board here.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use object::{Object, ObjectSegment};

use crate::process::{cargo, root, run as run_shown, target_dir};
use crate::setup;

/// What is built into the firmware, here for nobody's camera.
const BUILT_IN: [(&str, &str); 5] = [
    ("WIFI_SSID", "example"),
    ("WIFI_PASSWORD", "example"),
    ("CAMERA_UID", "EXAMPLEEXAMPLE111111"),
    ("CAMERA_ENR", "example-example-"),
    ("CAMERA_MAC", "00AA11BB22CC"),
];

/// What ESP-IDF's default partition table gives an application.
const PARTITION: u64 = 1 << 20;

/// Its features: where status goes. The first one is what is built by default.
const STATUS: [&str; 2] = ["rtt", "serial"];

/// Links it, with the versions of its own lock file, and says how large it is.
pub(crate) fn run() -> Result<String> {
    setup::targets()?;
    let mut sizes = Vec::new();
    for status in STATUS {
        let flash = link(status).context(status)?;
        ensure!(
            flash <= PARTITION,
            "{flash} bytes do not fit a partition of {PARTITION}"
        );
        sizes.push(format!("{status} {} KiB", flash.div_ceil(1024)));
    }
    Ok(format!("linked, flash: {}; not run", sizes.join(", ")))
}

/// Bytes of flash.
fn link(status: &str) -> Result<u64> {
    let target_dir = std::path::absolute(target_dir())?.join("firmware-esp32c3");
    let mut build = cargo(&format!(
        "build --quiet --release --locked --no-default-features --features {status} --target-dir {}",
        target_dir.display()
    ));
    build
        // There, so that its .cargo/config.toml counts: target and linker script; and flags of ours do not.
        .current_dir(root().join("crates/wyze-smoltcp/firmware/esp32c3"))
        .env_remove("RUSTFLAGS")
        .env_remove("DEFMT_LOG")
        .envs(BUILT_IN);
    run_shown(&mut build)?;
    flash(
        &target_dir
            .join(setup::BARE_METAL[0])
            .join("release/esp32c3"),
    )
}

/// What of an image is written to flash: code, constants, initial values.
fn flash(path: &Path) -> Result<u64> {
    let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
    let file = object::File::parse(&*bytes)?;
    Ok(file.segments().map(|segment| segment.file_range().1).sum())
}
