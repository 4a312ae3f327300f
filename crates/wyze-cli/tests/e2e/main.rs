//! The program `wyze` over loopback: every test runs the real binary, most of them against its own virtual camera.

mod harness;

mod account;
mod commands;
mod demo;
mod discover;
mod dissect;
mod failures;
mod interfaces;
mod login;
mod outdoor;
mod outputs;
mod secrets;
mod stream;
mod talk;
