//! The program `wyze` over loopback: every test runs the real binary, most of them against its own virtual camera.

mod harness;

mod demo;
mod failures;
mod secrets;
mod stream;
