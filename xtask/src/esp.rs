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

/// Links it, with the versions of its own lock file, and says how large it is.
pub(crate) fn run() -> Result<String> {
    setup::targets()?;
    let target_dir = std::path::absolute(target_dir())?.join("firmware-esp32c3");
    let mut build = cargo(&format!(
        "build --quiet --release --locked --target-dir {}",
        target_dir.display()
    ));
    build
        // There, so that its .cargo/config.toml counts: target and linker script; and flags of ours do not.
        .current_dir(root().join("crates/wyze-smoltcp/firmware/esp32c3"))
        .env_remove("RUSTFLAGS")
        .envs(BUILT_IN);
    run_shown(&mut build)?;
    let image = target_dir
        .join(setup::BARE_METAL[0])
        .join("release/esp32c3");
    let flash = flash(&image)?;
    ensure!(
        flash <= PARTITION,
        "{flash} bytes do not fit a partition of {PARTITION}"
    );
    Ok(format!(
        "linked, {} KiB of flash, not run",
        flash.div_ceil(1024)
    ))
}

/// What of an image is written to flash: code, constants, initial values.
fn flash(path: &Path) -> Result<u64> {
    let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
    let file = object::File::parse(&*bytes)?;
    Ok(file.segments().map(|segment| segment.file_range().1).sum())
}
