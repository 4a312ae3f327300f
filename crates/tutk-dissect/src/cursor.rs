//! Reads a layer front to back and writes its fields down. Never beyond its end.

use crate::tree::{Field, Layer, Severity, Value};

/// A layer while it is being read. Every method that reads gives `None` when the bytes do not suffice, and says so in the
/// layer once.
pub(crate) struct Cursor<'b> {
    /// The UDP payload, obfuscation and encryption undone as far as possible.
    datagram: &'b [u8],
    at: usize,
    end: usize,
    pub(crate) layer: Layer,
}

impl<'b> Cursor<'b> {
    /// The layer `name` in `datagram[from..to]`.
    pub(crate) fn new(name: &'static str, datagram: &'b [u8], from: usize, to: usize) -> Self {
        let end = to.min(datagram.len());
        let at = from.min(end);
        Self {
            datagram,
            at,
            end,
            layer: Layer::new(name, at, end - at),
        }
    }

    pub(crate) const fn at(&self) -> usize {
        self.at
    }

    pub(crate) const fn end(&self) -> usize {
        self.end
    }

    pub(crate) const fn left(&self) -> usize {
        self.end - self.at
    }

    /// What is left of the layer.
    pub(crate) fn rest(&self) -> &'b [u8] {
        self.datagram.get(self.at..self.end).unwrap_or_default()
    }

    /// Ends the layer `n` bytes further on, if it is that long.
    pub(crate) fn limit(&mut self, n: usize) {
        self.end = self.end.min(self.at.saturating_add(n));
        self.layer.length = self.end - self.layer.offset;
    }

    fn take(&mut self, name: &str, n: usize) -> Option<(usize, &'b [u8])> {
        let at = self.at;
        if n > self.left() {
            let (left, offset) = (self.left(), self.at);
            self.layer.expert(
                Severity::Error,
                offset,
                left,
                format!("truncated: {name} needs {n} bytes and {left} are left"),
            );
            return None;
        }
        self.at += n;
        Some((at, self.datagram.get(at..at + n)?))
    }

    fn push(&mut self, name: &'static str, offset: usize, length: usize, value: Value) {
        self.layer.fields.push(Field {
            name,
            offset,
            length,
            value,
            note: String::new(),
        });
    }

    /// Explains the field read last.
    pub(crate) fn note(&mut self, note: impl Into<String>) {
        if let Some(field) = self.layer.fields.last_mut() {
            field.note = note.into();
        }
    }

    /// Says what is wrong with the field read last.
    pub(crate) fn blame(&mut self, severity: Severity, reason: impl Into<String>) {
        let (offset, length) = self
            .layer
            .fields
            .last()
            .map_or((self.at, 0), |field| (field.offset, field.length));
        self.layer.expert(severity, offset, length, reason);
    }

    fn number(&mut self, name: &'static str, n: usize, big: bool, code: bool) -> Option<u64> {
        let (at, bytes) = self.take(name, n)?;
        let fold = |sum: u64, byte: &u8| (sum << 8) | u64::from(*byte);
        let value = if big {
            bytes.iter().fold(0, fold)
        } else {
            bytes.iter().rev().fold(0, fold)
        };
        let shown = if code {
            Value::Code(value)
        } else {
            Value::Number(value)
        };
        self.push(name, at, n, shown);
        Some(value)
    }

    /// A little-endian number of `n` bytes, shown as decimal.
    pub(crate) fn le(&mut self, name: &'static str, n: usize) -> Option<u64> {
        self.number(name, n, false, false)
    }

    /// A little-endian code of `n` bytes, shown as hexadecimal.
    pub(crate) fn code(&mut self, name: &'static str, n: usize) -> Option<u64> {
        self.number(name, n, false, true)
    }

    /// A big-endian number of `n` bytes, shown as decimal.
    pub(crate) fn be(&mut self, name: &'static str, n: usize) -> Option<u64> {
        self.number(name, n, true, false)
    }

    /// A big-endian code of `n` bytes, shown as hexadecimal.
    pub(crate) fn be_code(&mut self, name: &'static str, n: usize) -> Option<u64> {
        self.number(name, n, true, true)
    }

    /// `n` bytes as they are.
    pub(crate) fn bytes(&mut self, name: &'static str, n: usize) -> Option<&'b [u8]> {
        let (at, bytes) = self.take(name, n)?;
        self.push(name, at, n, Value::Bytes(bytes.to_vec()));
        Some(bytes)
    }

    /// `n` bytes of which only the number matters: media, ciphertext.
    pub(crate) fn opaque(&mut self, name: &'static str, n: usize) -> Option<&'b [u8]> {
        let (at, bytes) = self.take(name, n)?;
        let head = bytes.get(..n.min(16)).unwrap_or_default();
        self.push(name, at, n, Value::Bytes(head.to_vec()));
        if head.len() < n {
            self.note(format!("the first 16 of {n} bytes"));
        }
        Some(bytes)
    }

    /// `n` bytes of ASCII, up to the first zero byte.
    pub(crate) fn text(&mut self, name: &'static str, n: usize) -> Option<&'b [u8]> {
        let (at, bytes) = self.take(name, n)?;
        let text = bytes.split(|b| *b == 0).next().unwrap_or_default();
        self.push(name, at, n, Value::Text(printable(text)));
        Some(text)
    }

    /// The same, but what it says is hidden unless `show`.
    pub(crate) fn secret(&mut self, name: &'static str, n: usize, show: bool) -> Option<&'b [u8]> {
        if show {
            return self.text(name, n);
        }
        let (at, bytes) = self.take(name, n)?;
        let text = bytes.split(|b| *b == 0).next().unwrap_or_default();
        let value = if text.is_empty() {
            Value::Text(String::new())
        } else {
            Value::Hidden
        };
        self.push(name, at, n, value);
        Some(text)
    }

    /// Bytes without a known meaning, expected to be zero.
    pub(crate) fn zeros(&mut self, n: usize) -> Option<()> {
        let bytes = self.bytes("reserved", n)?;
        if bytes.iter().any(|b| *b != 0) {
            self.note("usually zero");
        } else {
            // Long runs of zeros say nothing.
            self.layer.fields.pop();
        }
        Some(())
    }

    /// The finished layer; what was not read is listed as such.
    pub(crate) fn finish(mut self, summary: impl Into<String>) -> Layer {
        if self
            .layer
            .experts
            .iter()
            .all(|e| e.severity < Severity::Error)
            && self.left() > 0
        {
            let n = self.left();
            self.opaque("unexplained", n);
            self.blame(Severity::Warning, format!("{n} bytes nobody has explained"));
        }
        self.layer.summary = summary.into();
        self.layer
    }

    /// The layer without a look at what is left: another layer reads on.
    pub(crate) fn hand_over(mut self, summary: impl Into<String>) -> Layer {
        self.layer.summary = summary.into();
        self.layer
    }
}

/// Text from the network: everything escaped that is not printable ASCII.
pub(crate) fn printable(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text
            .chars()
            .flat_map(|c| {
                let plain = !c.is_control() && (c.is_ascii() || c.is_alphanumeric());
                let escaped = (!plain).then(|| c.escape_default());
                escaped.into_iter().flatten().chain(plain.then_some(c))
            })
            .collect(),
        Err(_) => bytes.escape_ascii().to_string(),
    }
}
