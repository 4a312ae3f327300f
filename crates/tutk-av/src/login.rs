//! The bytes of the AV login. Layout: `docs/protocol.md` §2.7.

use tutk_core::{Full, TxBuf};
use zerocopy::little_endian::{U16, U32};
use zerocopy::{FromBytes, IntoBytes};

use crate::wire::{CAPABILITIES, LOGIN_1_LEN, LoginBody, LoginReplyBody, VERSION, kind};

/// Bytes of a name or password that go into their field, with at least one zero behind them.
pub(crate) const ACCOUNT_MAX: usize = 256;

/// Which packet of the pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Half {
    First,
    Second,
}

/// Writes one login packet. `serial` is that of the pair; the second packet bears the next one.
pub(crate) fn write_login(
    half: Half,
    serial: u32,
    user: &[u8],
    password: &[u8],
    resend: bool,
    tx: &mut TxBuf<'_>,
) -> Result<(), Full> {
    let (code, size, first, add) = match half {
        Half::First => (kind::LOGIN_1, 0x222, 1, 0),
        Half::Second => (kind::LOGIN_2, 0x224, 0, 1),
    };
    let len = match half {
        Half::First => LOGIN_1_LEN,
        Half::Second => LOGIN_1_LEN + 2,
    };
    let bytes = tx.grow(len)?;
    bytes.fill(0);
    let (body, tail) = LoginBody::mut_from_prefix(bytes).map_err(|_| Full)?;
    body.kind = U16::new(code);
    body.version = U16::new(VERSION);
    body.size = U16::new(size);
    body.first = U16::new(first);
    body.serial = U32::new(serial.wrapping_add(add));
    fill(&mut body.user, user);
    fill(&mut body.password, password);
    body.resend = U32::new(resend.into());
    body.words = U32::new(4);
    body.bitmap = CAPABILITIES;
    // The numbers 0 and 1, and in the second packet another 1.
    for low in tail.iter_mut().skip(4).step_by(4) {
        *low = 1;
    }
    Ok(())
}

/// Copies `text` to the front of `slot`, leaving at least one zero behind it.
fn fill(slot: &mut [u8; ACCOUNT_MAX + 1], text: &[u8]) {
    for (to, from) in slot.iter_mut().take(ACCOUNT_MAX).zip(text) {
        *to = *from;
    }
}

/// Writes the answer to the login packet that bore `serial`.
pub(crate) fn write_reply(
    serial: u32,
    enable: bool,
    two_way: bool,
    tx: &mut TxBuf<'_>,
) -> Result<(), Full> {
    let body = LoginReplyBody {
        kind: U16::new(kind::LOGIN_REPLY),
        version: U16::new(VERSION),
        result: U32::new(0x10),
        zero: [0; 8],
        size: U32::new(0x24),
        serial: U32::new(serial),
        zero_2: [0; 5],
        enable: enable.into(),
        zero_3: 0,
        two_way: two_way.into(),
        zero_4: U32::ZERO,
        words: U32::new(4),
        bitmap: CAPABILITIES,
        two: U32::new(2),
    };
    tx.append(body.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{bytes_of, vectors};
    use crate::{LoginReply, Message};

    fn written(half: Half, resend: bool) -> String {
        let mut memory = [0xaa; 600];
        let mut tx = TxBuf::new(&mut memory);
        write_login(
            half,
            0x4433_22ff,
            b"admin",
            b"sim-enr-16byte!!",
            resend,
            &mut tx,
        )
        .unwrap();
        hex::encode(tx.finish())
    }

    #[test]
    fn login_pair_matches_the_vectors() {
        let derived = &vectors()["derived_av"];
        assert_eq!(
            written(Half::First, false),
            derived["login1_native"].as_str().unwrap()
        );
        assert_eq!(
            written(Half::Second, false),
            derived["login2_native"].as_str().unwrap()
        );
        assert_eq!(
            written(Half::First, true),
            derived["login1_resend"].as_str().unwrap()
        );
    }

    #[test]
    fn both_layouts_of_the_login_are_read() {
        let vectors = vectors();
        let (derived, go2rtc) = (&vectors["derived_av"], &vectors["derived_packets_go2rtc"]);
        for (case, second, resend) in [
            (&derived["login1_native"], false, false),
            (&derived["login2_native"], true, false),
            (&derived["login1_resend"], false, true),
            (&go2rtc["go2rtc_av_login1"], false, false),
            (&go2rtc["go2rtc_av_login2"], true, false),
        ] {
            let bytes = bytes_of(case);
            let Ok(Message::Login(login)) = Message::parse(&bytes) else {
                panic!("{case}")
            };
            assert_eq!((login.second, login.resend), (second, resend));
            assert_eq!(login.password, b"sim-enr-16byte!!");
            assert!(login.user.starts_with(b"admin"));
        }
    }

    #[test]
    fn reply_matches_the_vectors() {
        let vectors = vectors();
        let expected = bytes_of(&vectors["derived_packets_go2rtc"]["av_login_resp_0xaabbccdd"]);
        let mut memory = [0; 60];
        let mut tx = TxBuf::new(&mut memory);
        write_reply(0xaabb_ccdd, true, true, &mut tx).unwrap();
        assert_eq!(tx.finish(), expected);

        let real = vectors["real"].as_array().unwrap();
        let captured = real
            .iter()
            .find(|case| case["name"] == "av_login_resp_sdk")
            .unwrap();
        assert_eq!(
            Message::parse(&bytes_of(&captured["bytes"])),
            Ok(Message::LoginReply(LoginReply {
                serial: 0x40ca_accd,
                enable: true,
                two_way: true
            }))
        );
        assert!(
            Message::parse(&expected[..32]).is_ok(),
            "cameras may send less"
        );
        assert!(Message::parse(&expected[..31]).is_err());
    }

    #[test]
    fn a_password_of_any_length_stays_in_its_slot() {
        let mut memory = [0; 600];
        let mut tx = TxBuf::new(&mut memory);
        write_login(Half::First, 1, &[b'u'; 400], &[b'p'; 400], false, &mut tx).unwrap();
        let Ok(Message::Login(login)) = Message::parse(tx.payload()) else {
            panic!()
        };
        assert_eq!((login.user.len(), login.password.len()), (256, 256));
    }
}
