//! The linker finds the names of the interrupts here, and `memory.x` where the board's library says.
use std::path::Path;
use std::{env, fs};

fn main() {
    let out = env::var("OUT_DIR").expect("cargo sets it");
    // Handlers that nobody wrote.
    let device = "PROVIDE(UART0_RX = DefaultHandler);\nPROVIDE(ETHERNET = DefaultHandler);\n";
    fs::write(Path::new(&out).join("device.x"), device).expect("cargo made the folder");
    println!("cargo::rustc-link-search={out}");
    println!("cargo::rustc-link-arg=-Tlink.x");
    println!("cargo::rerun-if-changed=build.rs");
}
