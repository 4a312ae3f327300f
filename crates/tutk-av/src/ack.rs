//! The bytes of ACK and statistics messages that we send. Layout: `docs/protocol.md` §2.6.

use tutk_core::{Full, TxBuf};
use zerocopy::IntoBytes;
use zerocopy::little_endian::{U16, U32};

use crate::wire::{AckHead, StatsReplyBody, StatsRequestBody, VERSION, kind};

pub(crate) fn stats_request(
    seq: u16,
    clock: u16,
    timeout_ms: u16,
    highest: u16,
) -> StatsRequestBody {
    StatsRequestBody {
        kind: U16::new(kind::STATS_REQUEST),
        version: U16::new(VERSION),
        seq: U16::new(seq),
        zero: U16::ZERO,
        clock: U16::new(clock),
        timeout_ms: U16::new(timeout_ms),
        highest: U32::new(highest.into()),
    }
}

pub(crate) fn stats_reply(clock: u16, count: u16) -> StatsReplyBody {
    StatsReplyBody {
        kind: U16::new(kind::STATS_REPLY),
        version: U16::new(VERSION),
        zero: U32::ZERO,
        clock: U16::new(clock),
        count: U16::new(count),
        count_2: U16::new(count),
        zero_2: [0; 6],
    }
}

/// An ACK to be sent; fields as in [`crate::Ack`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct AckOut {
    pub(crate) seq: u16,
    pub(crate) from: u16,
    pub(crate) highest: u16,
    pub(crate) ioctl: u16,
    pub(crate) ordinal: u16,
    /// Milliseconds.
    pub(crate) clock: u32,
}

impl AckOut {
    /// Writes the ACK, asking for the counters `missing` again. A list of one is not understood by cameras, so its
    /// entry is written twice.
    pub(crate) fn write(&self, missing: &[u16], tx: &mut TxBuf<'_>) -> Result<(), Full> {
        let twice;
        let missing = match missing {
            [one] => {
                twice = [*one; 2];
                &twice
            }
            other => other,
        };
        let n = u16::try_from(missing.len()).map_err(|_| Full)?;
        let clock_len = if missing.is_empty() { 4 } else { 2 };
        if tx.room() < size_of::<AckHead>() + clock_len + 2 * missing.len() {
            return Err(Full);
        }
        let head = AckHead {
            kind: U16::new(kind::ACK),
            version: U16::new(VERSION),
            seq: U16::new(self.seq),
            zero: U16::ZERO,
            from: U16::new(self.from),
            highest: U16::new(self.highest),
            ioctl: U16::new(self.ioctl),
            missing: U16::new(n),
            zero_2: U16::ZERO,
            ordinal: U16::new(self.ordinal),
        };
        tx.append(head.as_bytes())?;
        if missing.is_empty() {
            // The high half comes first.
            return tx.append(&self.clock.rotate_left(16).to_le_bytes());
        }
        tx.append(&(self.clock as u16).to_le_bytes())?;
        for counter in missing {
            tx.append(&counter.wrapping_sub(self.from).to_le_bytes())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Message;
    use crate::testing::{bytes_of, vectors};

    #[test]
    fn acks_match_the_vectors() {
        let derived = &vectors()["derived_av"];
        let cases: [(&str, AckOut, &[u16]); 3] = [
            ("ack_idle", ack(3, 0xffff, 0xffff, 0, 1, 0x0001_1234), &[]),
            ("ack_stream", ack(7, 0x102, 0x110, 2, 5, 0x0001_2345), &[]),
            (
                "ack_missing_2",
                ack(8, 0x110, 0x120, 2, 6, 0x0001_2400),
                &[0x112, 0x118],
            ),
        ];
        for (name, ack, missing) in cases {
            let mut memory = [0; 64];
            let mut tx = TxBuf::new(&mut memory);
            ack.write(missing, &mut tx).unwrap();
            let written = tx.finish();
            assert_eq!(hex::encode(&*written), derived[name].as_str().unwrap());
            let Ok(Message::Ack(read)) = Message::parse(written) else {
                panic!()
            };
            assert_eq!(
                (read.seq, read.from, read.highest),
                (ack.seq, ack.from, ack.highest)
            );
            assert_eq!((read.ioctl, read.ordinal), (ack.ioctl, ack.ordinal));
            assert_eq!(read.missing().collect::<Vec<_>>(), missing);
        }
    }

    fn ack(seq: u16, from: u16, highest: u16, ioctl: u16, ordinal: u16, clock: u32) -> AckOut {
        AckOut {
            seq,
            from,
            highest,
            ioctl,
            ordinal,
            clock,
        }
    }

    #[test]
    fn a_single_missing_counter_is_asked_for_twice() {
        let mut memory = [0; 64];
        let mut tx = TxBuf::new(&mut memory);
        ack(0, 0xfff0, 5, 0, 1, 0).write(&[3], &mut tx).unwrap();
        let Ok(Message::Ack(read)) = Message::parse(tx.payload()) else {
            panic!()
        };
        assert_eq!(read.missing().collect::<Vec<_>>(), [3, 3]);
    }

    #[test]
    fn an_ack_is_written_whole_or_not_at_all() {
        for missing in [&[][..], &[7], &[7, 9], &[7, 8, 9, 10, 11, 12]] {
            let mut memory = [0; 64];
            let mut tx = TxBuf::new(&mut memory);
            ack(0, 0, 5, 0, 1, 0).write(missing, &mut tx).unwrap();
            let needed = tx.len();
            for (room, result) in [(needed, Ok(())), (needed - 1, Err(Full)), (0, Err(Full))] {
                let mut tx = TxBuf::new(&mut memory[..room]);
                assert_eq!(ack(0, 0, 5, 0, 1, 0).write(missing, &mut tx), result);
                assert_eq!(
                    tx.is_empty(),
                    result.is_err(),
                    "{missing:?} in {room} bytes"
                );
            }
        }
    }

    #[test]
    fn statistics_reply_matches_the_vector() {
        let vectors = vectors();
        let expected = bytes_of(&vectors["derived_av"]["stats_reply_for_clock_0x510b"]);
        let mut reply = stats_reply(0x510b, 3);
        reply.version = U16::new(0x000b); // the vector is of the older version
        assert_eq!(reply.as_bytes(), expected);
        assert_eq!(
            Message::parse(&expected),
            Ok(Message::StatsReply { clock: 0x510b })
        );
    }

    #[test]
    fn statistics_request_has_the_captured_layout() {
        let vectors = vectors();
        let real = vectors["real"].as_array().unwrap();
        let case = real.iter().find(|case| case["name"] == "stats_exchange");
        let mut request = stats_request(0x5b, 0x510b, 0x59, 2);
        request.version = U16::new(0x000b); // captured from an older version
        assert_eq!(request.as_bytes(), bytes_of(&case.unwrap()["rx"]));
    }
}
