//! What the program says while it runs: lines for people, a progress line on a terminal, JSON events for scripts.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use serde_json::{Map, Value, json};
use wyze_std::session::{Cause, Dropped, Stream};

use crate::failure::{Exit, Failure};
use crate::meter::Meter;
use crate::step::Step;

/// How often the progress line is drawn on a terminal, and how often JSON says progress.
const REDRAW: Duration = Duration::from_millis(500);
const JSON_PROGRESS: Duration = Duration::from_secs(1);

/// Who listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// Every step on a line of its own.
    Lines,
    /// A progress line that is drawn again and again; for a terminal.
    Progress,
    /// One JSON object a line.
    Json,
    /// Nobody.
    Silent,
}

impl Style {
    /// For `stream`: people who look at a terminal see progress, all others nothing.
    pub(crate) fn for_stream(json: bool, quiet: bool) -> Self {
        if json {
            Self::Json
        } else if !quiet && io::stderr().is_terminal() {
            Self::Progress
        } else {
            Self::Silent
        }
    }

    /// For `demo` and `probe`, whose report is what they are run for.
    pub(crate) const fn for_report(json: bool) -> Self {
        if json { Self::Json } else { Self::Lines }
    }
}

/// Writes the report.
pub(crate) struct Report {
    style: Style,
    out: Box<dyn Write>,
    /// The progress line is on the screen and must be wiped before anything else.
    drawn: bool,
    /// When [`Report::talked`] last said something.
    last_note: Duration,
}

impl Report {
    /// `stdout_is_taken`: media go to standard output, so the report goes to standard error.
    pub(crate) fn new(style: Style, stdout_is_taken: bool) -> Self {
        let to_stderr = stdout_is_taken || style == Style::Progress;
        Self {
            style,
            out: if to_stderr {
                Box::new(io::stderr())
            } else {
                Box::new(io::stdout())
            },
            drawn: false,
            last_note: Duration::ZERO,
        }
    }

    pub(crate) fn step(&mut self, at: Duration, step: &Step) {
        match self.style {
            Style::Lines => {
                self.line(&format!(
                    "{:7} ms  {:14} {step}",
                    at.as_millis(),
                    step.name()
                ));
            }
            Style::Progress => self.draw(&format!("{}: {step}", step.name())),
            Style::Json => {
                let mut event =
                    object(json!({ "event": "phase", "phase": step.name(), "ms": millis(at) }));
                event.extend(object(step.details()));
                self.json(event);
            }
            Style::Silent => {}
        }
    }

    pub(crate) fn dropped(&mut self, stream: Stream, frame: &Dropped) {
        if self.style == Style::Json {
            let stream = match stream {
                Stream::Video => "video",
                Stream::Audio => "audio",
            };
            let reason = format!("{:?}", frame.reason);
            self.json(object(json!({
                "event": "dropped", "stream": stream, "frame": frame.number, "reason": reason,
            })));
        }
    }

    /// The camera is gone and searched for.
    pub(crate) fn lost(&mut self, at: Duration, cause: Cause) {
        self.change(
            &format!("lost the camera, searching for it: {cause}"),
            json!({ "event": "lost", "cause": Exit::of(cause).name(), "ms": millis(at) }),
        );
    }

    /// It is back.
    pub(crate) fn found(&mut self, at: Duration, away: Duration) {
        self.change(
            &format!("the camera is back after {:.1} s", away.as_secs_f64()),
            json!({ "event": "found-again", "away_ms": millis(away), "ms": millis(at) }),
        );
    }

    fn change(&mut self, text: &str, event: Value) {
        match self.style {
            Style::Lines | Style::Progress => self.line(text),
            Style::Json => self.json(object(event)),
            Style::Silent => log::warn!("{text}"),
        }
    }

    pub(crate) fn progress(&mut self, now: Duration, meter: &mut Meter) {
        match self.style {
            Style::Progress => {
                if meter.measure(now, REDRAW).is_some() {
                    self.draw(&meter.line());
                }
            }
            Style::Json => {
                if let Some(rates) = meter.measure(now, JSON_PROGRESS) {
                    let mut event = object(json!({ "event": "progress" }));
                    event.extend(meter.totals());
                    rates.add_to(&mut event);
                    self.json(event);
                }
            }
            Style::Lines | Style::Silent => {}
        }
    }

    /// Something beside the phases: a line in place of the progress line, or an event.
    pub(crate) fn note(&mut self, text: &str, event: impl FnOnce() -> Value) {
        match self.style {
            Style::Lines => self.line(text),
            Style::Progress => self.draw(text),
            Style::Json => self.json(object(event())),
            Style::Silent => {}
        }
    }

    /// How far a talk has come.
    pub(crate) fn talked(&mut self, now: Duration, played: Duration, frames: u64) {
        let every = match self.style {
            Style::Progress => REDRAW,
            Style::Json => JSON_PROGRESS,
            Style::Lines | Style::Silent => return,
        };
        if now.saturating_sub(self.last_note) >= every {
            self.last_note = now;
            let seconds = played.as_secs_f64();
            self.note(
                &format!("{seconds:.1} s said, {frames} frames"),
                || json!({ "event": "progress", "seconds": seconds, "frames": frames }),
            );
        }
    }

    /// The last word: `summary` for people, totals and cause for scripts. The failure itself is printed by `main`.
    pub(crate) fn end(
        &mut self,
        cause: &str,
        failure: Option<&Failure>,
        mut totals: Map<String, Value>,
        summary: Option<&str>,
    ) {
        if self.style == Style::Json {
            let mut event = object(json!({
                "event": "end",
                "exit": failure.map_or(0, |f| f.exit.code()),
                "cause": failure.map_or(cause, |f| f.exit.name()),
            }));
            if let Some(failure) = failure {
                event.insert("message".into(), failure.message.clone().into());
            }
            event.append(&mut totals);
            self.json(event);
        } else if let Some(summary) = summary
            && self.style != Style::Silent
        {
            self.line(summary);
        } else {
            self.wipe();
        }
    }

    fn line(&mut self, text: &str) {
        self.wipe();
        // A reader that has gone away is no reason to stop recording.
        let _ = writeln!(self.out, "{text}");
    }

    fn draw(&mut self, text: &str) {
        let _ = write!(self.out, "\r\x1b[K{text}");
        let _ = self.out.flush();
        self.drawn = true;
    }

    fn wipe(&mut self) {
        if std::mem::take(&mut self.drawn) {
            let _ = write!(self.out, "\r\x1b[K");
            let _ = self.out.flush();
        }
    }

    fn json(&mut self, event: Map<String, Value>) {
        let _ = writeln!(self.out, "{}", Value::Object(event));
        let _ = self.out.flush();
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn millis(at: Duration) -> u64 {
    u64::try_from(at.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn written(style: Style, act: impl FnOnce(&mut Report)) -> String {
        let shared = Shared::default();
        let mut report = Report {
            style,
            out: Box::new(shared.clone()),
            drawn: false,
            last_note: Duration::ZERO,
        };
        act(&mut report);
        String::from_utf8(shared.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn json_is_one_object_a_line() {
        let text = written(Style::Json, |report| {
            report.step(Duration::from_millis(12), &Step::LoggedIn { two_way: true });
            let failure = Failure::new(Exit::Lost, "gone");
            report.end("", Some(&failure), Meter::default().totals(), None);
        });
        let events: Vec<Value> = text
            .lines()
            .map(|l| serde_json::from_str(l).unwrap())
            .collect();
        assert_eq!(
            events[0],
            json!({ "event": "phase", "phase": "logged-in", "ms": 12, "two_way": true })
        );
        assert_eq!(events[1]["exit"], 16);
        assert_eq!(events[1]["cause"], "lost");
        assert_eq!(events[1]["video_frames"], 0);
        assert_eq!(events.len(), 2);
    }

    #[test]
    fn the_summary_replaces_the_progress_line() {
        let text = written(Style::Progress, |report| {
            report.step(Duration::ZERO, &Step::Open);
            report.end("", None, Map::new(), Some("done"));
        });
        assert!(text.ends_with("\r\x1b[Kdone\n"), "{text:?}");
    }

    #[test]
    fn silence_is_silent() {
        let text = written(Style::Silent, |report| {
            report.step(Duration::ZERO, &Step::Open);
            report.end("", None, Map::new(), Some("done"));
        });
        assert_eq!(text, "");
    }
}
