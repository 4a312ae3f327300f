//! Packets for people: one block a packet, one line a field.
//!
//! ```text
//! 3  +0.001028  192.0.2.1:40000 > 192.0.2.2:32761  88 bytes
//!   iotc @0+88  search, stage 2
//!     @  0 + 2  magic          0402
//!     …
//!     ! error @4+2  the header says 72 bytes of body, 71 are there
//! ```

use std::fmt::{self, Write};
use std::time::Duration;

use crate::tree::{Field, Layer, Packet, Severity, Value};

/// One packet, its time counted from `start`.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a> {
    /// The packet.
    pub packet: &'a Packet,
    /// When the capture began.
    pub start: Duration,
    /// Layers and findings alone, without fields.
    pub brief: bool,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let packet = self.packet;
        let time = packet.time.saturating_sub(self.start);
        write!(f, "{}  +{:.6}  ", packet.number, time.as_secs_f64())?;
        if let (Some(from), Some(to)) = (packet.from, packet.to) {
            write!(f, "{from} > {to}  ")?;
        }
        writeln!(f, "{} bytes", packet.length)?;
        for layer in &packet.layers {
            show_layer(f, layer, self.brief)?;
        }
        Ok(())
    }
}

fn show_layer(f: &mut fmt::Formatter<'_>, layer: &Layer, brief: bool) -> fmt::Result {
    writeln!(
        f,
        "  {} @{}+{}  {}",
        layer.name, layer.offset, layer.length, layer.summary
    )?;
    if !brief {
        for field in &layer.fields {
            show_field(f, field)?;
        }
    }
    for expert in &layer.experts {
        let severity = match expert.severity {
            Severity::Note => "note",
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        writeln!(
            f,
            "    ! {severity} @{}+{}  {}",
            expert.offset, expert.length, expert.reason
        )?;
    }
    Ok(())
}

fn show_field(f: &mut fmt::Formatter<'_>, field: &Field) -> fmt::Result {
    write!(
        f,
        "    @{:>4} +{:>3}  {:<16} ",
        field.offset, field.length, field.name
    )?;
    match &field.value {
        Value::Number(n) => write!(f, "{n}")?,
        Value::Code(n) => write!(f, "{n:#0width$x}", width = 2 + 2 * field.length)?,
        Value::Bytes(bytes) => bytes.iter().try_for_each(|b| write!(f, "{b:02x}"))?,
        Value::Text(text) => write!(f, "\"{text}\"")?,
        Value::Hidden => f.write_str("***")?,
    }
    if field.note.is_empty() {
        f.write_char('\n')
    } else {
        writeln!(f, "  ({})", field.note)
    }
}
