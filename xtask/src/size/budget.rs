//! What was asked for, and whether it is so.

use super::{All, BUILDS, Figures};

/// One line of the budget for the first build.
pub(crate) struct Line {
    pub(crate) what: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) limit: f64,
    figure: fn(&Figures) -> Option<f64>,
}

fn get(figures: &Figures, name: &str) -> Option<f64> {
    figures.get(name).map(|figure| *figure as f64)
}

/// Client with DTLS (0xCCAC), K-auth, chunk mode; no talk-back, no 0xCC51, no whole frames.
pub(crate) const LINES: [Line; 6] = [
    Line {
        what: "flash",
        unit: "bytes",
        limit: 65_536.0,
        figure: |f| get(f, "flash.client"),
    },
    Line {
        what: "static RAM besides one datagram buffer",
        unit: "bytes",
        limit: 4_096.0,
        figure: |f| get(f, "ram.client"),
    },
    Line {
        what: "peak stack until authenticated",
        unit: "bytes",
        limit: 8_192.0,
        figure: |f| Some(get(f, "handshake.stack")?.max(get(f, "construct.stack")?)),
    },
    Line {
        what: "peak stack in steady state",
        unit: "bytes",
        limit: 2_048.0,
        figure: |f| get(f, "steady.stack"),
    },
    Line {
        what: "from the search to authenticated",
        unit: "instructions",
        limit: 8_000_000.0,
        figure: |f| get(f, "handshake.instructions"),
    },
    Line {
        what: "a received KiB, ACKs and timers included, by its bare ChaCha20-Poly1305",
        unit: "times",
        limit: 1.15,
        figure: |f| Some(get(f, "steady.all")? / get(f, "floor.open")?),
    },
];

impl Line {
    /// The figure of the first build.
    pub(crate) fn now(&self, all: &All) -> Option<f64> {
        (self.figure)(all.get(BUILDS[0].name)?)
    }

    /// Whether the figure is within the limit.
    pub(crate) fn is_kept(&self, all: &All) -> bool {
        self.now(all).is_some_and(|now| now <= self.limit)
    }
}

/// Whether all are kept.
pub(crate) fn kept(all: &All) -> bool {
    LINES.iter().all(|line| line.is_kept(all))
}

/// How many are kept, and which are not.
pub(crate) fn summary(all: &All) -> String {
    let missed: Vec<_> = LINES.iter().filter(|line| !line.is_kept(all)).collect();
    let mut text = format!(
        "{} of {} budgets kept",
        LINES.len() - missed.len(),
        LINES.len()
    );
    for line in missed {
        text += &format!(
            "; {} {:.0} of {:.0} {}",
            line.what,
            line.now(all).unwrap_or_default(),
            line.limit,
            line.unit
        );
    }
    text
}
