//! Questions to the user: on the terminal, or line by line from standard input when that is none.

use std::io::{self, IsTerminal, Write};

use crate::failure::{Exit, Failure};

/// An environment variable that says something.
pub(super) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}

/// Whether somebody sits there.
pub(super) fn is_interactive() -> bool {
    io::stdin().is_terminal()
}

/// A line of text.
pub(super) fn line(prompt: &str) -> Result<String, Failure> {
    let read = || -> io::Result<String> {
        let mut err = io::stderr();
        if is_interactive() {
            write!(err, "{prompt}")?;
            err.flush()?;
        }
        let mut text = String::new();
        io::stdin().read_line(&mut text)?;
        Ok(text)
    };
    answer(prompt, read())
}

/// The same, without showing what is typed.
pub(super) fn secret(prompt: &str) -> Result<String, Failure> {
    if is_interactive() {
        answer(prompt, rpassword::prompt_password(prompt))
    } else {
        line(prompt)
    }
}

fn answer(prompt: &str, read: io::Result<String>) -> Result<String, Failure> {
    let what = prompt.trim_end_matches([':', ' ']);
    let text = read.map_err(|e| Failure::new(Exit::Input, format!("cannot read {what}: {e}")))?;
    let text = text.trim_end_matches(['\r', '\n']);
    if text.is_empty() {
        return Err(Failure::new(
            Exit::Input,
            format!("{what} was not given; type it, or see wyze login --help"),
        ));
    }
    Ok(text.to_owned())
}
