//! What is cut into several packets and put together again: IOCTRLs, and FRAMEINFO of the oldest firmware. Bounded, as
//! captures are hostile.

use std::collections::BTreeMap;
use std::net::SocketAddr;

/// IOCTRLs under way in one association; the oldest makes room.
const MAX_COMMANDS: usize = 2;
/// Packets of one.
const MAX_PARTS: u64 = 16;
/// Longest FRAMEINFO of which a part is kept, bytes.
const MAX_INFO: usize = 64;

/// One packet of an IOCTRL.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CommandPart {
    /// The sender's number of the message.
    pub(crate) message: u64,
    pub(crate) index: u64,
    pub(crate) total: u64,
}

#[derive(Debug)]
struct Command {
    sender: Option<SocketAddr>,
    message: u64,
    total: u64,
    parts: BTreeMap<u64, Vec<u8>>,
}

/// What has come so far.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    commands: Vec<Command>,
    info: Option<(u64, Vec<u8>)>,
}

impl Pending {
    /// Keeps a packet of an IOCTRL; the whole, when this was the last that was missing.
    pub(crate) fn command(
        &mut self,
        sender: Option<SocketAddr>,
        part: CommandPart,
        bytes: &[u8],
    ) -> Option<Vec<u8>> {
        if part.total > MAX_PARTS || part.index >= part.total {
            return None;
        }
        let same =
            |c: &Command| (c.sender, c.message, c.total) == (sender, part.message, part.total);
        let at = match self.commands.iter().position(same) {
            Some(at) => at,
            None => {
                if self.commands.len() >= MAX_COMMANDS {
                    self.commands.remove(0);
                }
                self.commands.push(Command {
                    sender,
                    message: part.message,
                    total: part.total,
                    parts: BTreeMap::new(),
                });
                self.commands.len() - 1
            }
        };
        let command = self.commands.get_mut(at)?;
        command.parts.insert(part.index, bytes.to_vec());
        if (command.parts.len() as u64) < command.total {
            return None;
        }
        let whole = self.commands.remove(at);
        Some(whole.parts.into_values().flatten().collect())
    }

    /// Keeps the beginning of the FRAMEINFO of a frame.
    pub(crate) fn info_begins(&mut self, frame: u64, bytes: &[u8]) {
        self.info = (bytes.len() <= MAX_INFO).then(|| (frame, bytes.to_vec()));
    }

    /// The FRAMEINFO that ends with `bytes`.
    pub(crate) fn info_ends(&mut self, frame: u64, bytes: &[u8]) -> Option<Vec<u8>> {
        let (began, mut info) = self.info.take()?;
        info.extend(bytes.get(..bytes.len().min(MAX_INFO))?);
        (began == frame).then_some(info)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(message: u64, index: u64, total: u64) -> CommandPart {
        CommandPart {
            message,
            index,
            total,
        }
    }

    #[test]
    fn packets_in_any_order_make_the_command_and_those_of_others_do_not() {
        let (app, camera) = ("192.0.2.1:1".parse().ok(), "192.0.2.2:2".parse().ok());
        let mut pending = Pending::default();
        assert_eq!(pending.command(app, part(1, 1, 3), b"b"), None);
        assert_eq!(pending.command(camera, part(1, 0, 3), b"x"), None);
        assert_eq!(pending.command(app, part(1, 1, 3), b"b"), None);
        assert_eq!(pending.command(app, part(1, 2, 3), b"c"), None);
        assert_eq!(
            pending.command(app, part(1, 0, 3), b"a"),
            Some(b"abc".to_vec())
        );
        assert_eq!(pending.commands.len(), 1);
    }

    #[test]
    fn what_a_capture_can_make_it_keep_is_bounded() {
        let mut pending = Pending::default();
        for message in 0..1000 {
            for index in 0..100 {
                pending.command(None, part(message, index, 20), &[0; 1400]);
                pending.command(None, part(message, index, 16), &[0; 1400]);
            }
            pending.info_begins(message, &[0; 1400]);
        }
        assert!(pending.commands.len() <= MAX_COMMANDS);
        assert_eq!(pending.info, None);
    }
}
