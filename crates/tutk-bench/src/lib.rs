//! Scenarios that are measured twice: `cargo xtask bench` counts their instructions and allocations, `cargo bench -p tutk-bench`
//! takes the time.
//!
//! A scenario is one function in [`scenario`]: it prepares what the rounds need and answers with the round.

mod dtls;
mod reassembly;
pub mod scenario;
mod session;

/// Memory for a scenario, which lives as long as the process.
fn leak(len: usize) -> &'static mut [u8] {
    Box::leak(vec![0; len].into_boxed_slice())
}
