//! ClientHello, HelloVerifyRequest, ServerHello.

use tutk_core::wire::{Malformed, Reader, Writer};

use crate::record::DTLS_1_2;
use crate::suite::{CipherSuite, Suites};

/// Most bytes of a cookie (RFC 6347 §4.2.1).
#[cfg(feature = "client")]
pub(crate) const MAX_COOKIE: usize = 255;

#[cfg(feature = "server")]
const X25519: u16 = 0x001d;
/// TLS_EMPTY_RENEGOTIATION_INFO_SCSV (RFC 5746 §3.3).
#[cfg(feature = "server")]
const SCSV: u16 = 0x00ff;
/// Whole extensions of a ClientHello: number, length, and what is in it, with a length of its own before a list.
///
/// The signature algorithms are those that cameras are offered by known clients (`docs/protocol.md` §6). No suite of ours
/// signs anything.
#[cfg(feature = "client")]
#[rustfmt::skip]
const SIGNATURE_ALGORITHMS: [u8; 20] = [
    0x00, 0x0d, 0, 16, 0, 14, 4, 3, 5, 3, 6, 3, 4, 1, 5, 1, 6, 1, 8, 7,
];
#[cfg(feature = "client")]
const NO_RENEGOTIATION: [u8; 5] = [0xff, 0x01, 0, 1, 0];
#[cfg(feature = "client")]
const X25519_ALONE: [u8; 8] = [0x00, 0x0a, 0, 4, 0, 2, 0x00, 0x1d];
#[cfg(feature = "client")]
const POINTS_UNCOMPRESSED: [u8; 6] = [0x00, 0x0b, 0, 2, 1, 0];
#[cfg(feature = "client")]
const ASKS_EXTENDED_MASTER_SECRET: [u8; 4] = [0x00, 0x17, 0, 0];

mod extension {
    pub(super) const SUPPORTED_GROUPS: u16 = 0x000a;
    pub(super) const EC_POINT_FORMATS: u16 = 0x000b;
    pub(super) const EXTENDED_MASTER_SECRET: u16 = 0x0017;
    pub(super) const RENEGOTIATION_INFO: u16 = 0xff01;
}

/// Reads a list of extensions; an absent one is an empty one.
fn extensions<'a>(
    r: &mut Reader<'a>,
    mut each: impl FnMut(u16, Reader<'a>) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    if r.is_empty() {
        return Ok(());
    }
    let mut list = r.vec16()?;
    r.expect_empty()?;
    while !list.is_empty() {
        each(list.u16_be()?, list.vec16()?)?;
    }
    Ok(())
}

/// Writes the ClientHello of a client. Extensions in the order in which pion writes them.
#[cfg(feature = "client")]
pub(crate) fn write_client_hello(
    w: &mut Writer<'_>,
    random: &[u8; 32],
    cookie: &[u8],
    suites: Suites,
    ems: bool,
) {
    w.bytes(&DTLS_1_2);
    w.bytes(random);
    w.vec8(|_| {}); // session id: nothing to resume
    w.vec8(|w| w.bytes(cookie));
    w.vec16(|w| suites.iter().for_each(|s| w.u16_be(s.code())));
    w.vec8(|w| w.u8(0)); // no compression
    w.vec16(|w| {
        w.bytes(&SIGNATURE_ALGORITHMS);
        w.bytes(&NO_RENEGOTIATION);
        if suites.iter().any(CipherSuite::is_ecdhe) {
            w.bytes(&X25519_ALONE);
            w.bytes(&POINTS_UNCOMPRESSED);
        }
        if ems {
            w.bytes(&ASKS_EXTENDED_MASTER_SECRET);
        }
    });
}

/// What a server needs to know of a ClientHello.
#[cfg(feature = "server")]
#[derive(Debug, Clone, Copy)]
pub(crate) struct ClientHello<'a> {
    pub(crate) random: &'a [u8; 32],
    pub(crate) cookie: &'a [u8],
    /// The most the client speaks is at least DTLS 1.2.
    pub(crate) speaks_1_2: bool,
    /// Everything in front of the cookie, and everything behind it: what a cookie is bound to.
    pub(crate) around_cookie: (&'a [u8], &'a [u8]),
    suites: &'a [u8],
    x25519: bool,
    pub(crate) asks: Asked,
}

/// What a ClientHello asks to see answered.
#[cfg(feature = "server")]
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Asked {
    pub(crate) renegotiation_info: bool,
    pub(crate) point_formats: bool,
    pub(crate) extended_master_secret: bool,
}

#[cfg(feature = "server")]
impl<'a> ClientHello<'a> {
    pub(crate) fn read(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(body);
        let [major, minor] = *r.array()?;
        let random = r.array()?;
        r.vec8()?; // a session to resume: there is none
        let before = body.len() - r.rest().len();
        let cookie = r.vec8()?.rest();
        let behind = r.rest();
        let suites = r.vec16()?.rest();
        if suites.len() % 2 != 0 {
            return Err(Malformed::BadLength);
        }
        if !r.vec8()?.rest().contains(&0) {
            return Err(Malformed::BadValue);
        }
        let mut asks = Asked {
            renegotiation_info: offers(suites, SCSV),
            ..Asked::default()
        };
        let mut x25519 = true; // without a list of groups a server may choose
        extensions(&mut r, |id, mut data| {
            match id {
                extension::SUPPORTED_GROUPS => x25519 = offers(data.vec16()?.rest(), X25519),
                extension::EC_POINT_FORMATS => asks.point_formats = true,
                extension::RENEGOTIATION_INFO => asks.renegotiation_info = true,
                extension::EXTENDED_MASTER_SECRET => asks.extended_master_secret = true,
                _ => {} // among them encrypt-then-MAC and tickets, which we decline by silence
            }
            Ok(())
        })?;
        Ok(Self {
            random,
            cookie,
            speaks_1_2: major == 0xfe && minor <= 0xfd,
            around_cookie: (body.get(..before).unwrap_or_default(), behind),
            suites,
            x25519,
            asks,
        })
    }

    /// The suite of `ours` to use.
    pub(crate) fn choose(&self, ours: Suites) -> Option<CipherSuite> {
        ours.iter()
            .find(|s| offers(self.suites, s.code()) && (self.x25519 || !s.is_ecdhe()))
    }
}

#[cfg(feature = "server")]
fn offers(list: &[u8], code: u16) -> bool {
    list.chunks_exact(2).any(|c| c == code.to_be_bytes())
}

/// Writes a HelloVerifyRequest. Its version is that of DTLS 1.0 whatever comes later (RFC 6347 §4.2.1).
#[cfg(feature = "server")]
pub(crate) fn write_hello_verify_request(w: &mut Writer<'_>, cookie: &[u8]) {
    w.bytes(&crate::record::DTLS_1_0);
    w.vec8(|w| w.bytes(cookie));
}

/// The cookie of a HelloVerifyRequest. Its version says nothing and is not looked at.
#[cfg(feature = "client")]
pub(crate) fn read_hello_verify_request(body: &[u8]) -> Result<&[u8], Malformed> {
    let mut r = Reader::new(body);
    r.array::<2>()?;
    let cookie = r.vec8()?.rest();
    r.expect_empty()?;
    Ok(cookie)
}

/// Writes a ServerHello with an empty session id, answering what was asked.
#[cfg(feature = "server")]
pub(crate) fn write_server_hello(
    w: &mut Writer<'_>,
    random: &[u8; 32],
    suite: CipherSuite,
    asked: Asked,
) {
    w.bytes(&DTLS_1_2);
    w.bytes(random);
    w.vec8(|_| {});
    w.u16_be(suite.code());
    w.u8(0);
    let point_formats = asked.point_formats && suite.is_ecdhe();
    if !(asked.renegotiation_info || point_formats || asked.extended_master_secret) {
        return;
    }
    w.vec16(|w| {
        if asked.renegotiation_info {
            w.u16_be(extension::RENEGOTIATION_INFO);
            w.vec16(|w| w.vec8(|_| {}));
        }
        if point_formats {
            w.u16_be(extension::EC_POINT_FORMATS);
            w.vec16(|w| w.vec8(|w| w.u8(0)));
        }
        if asked.extended_master_secret {
            w.u16_be(extension::EXTENDED_MASTER_SECRET);
            w.vec16(|_| {});
        }
    });
}

/// What a client needs to know of a ServerHello.
#[cfg(feature = "client")]
#[derive(Debug, Clone, Copy)]
pub(crate) struct ServerHello<'a> {
    pub(crate) random: &'a [u8; 32],
    pub(crate) version: [u8; 2],
    /// Code of the chosen suite.
    pub(crate) suite: u16,
    pub(crate) extended_master_secret: bool,
    /// An extension that no client of ours offers, or one that is not answered as it must be.
    pub(crate) bad_extension: bool,
}

#[cfg(feature = "client")]
impl<'a> ServerHello<'a> {
    pub(crate) fn read(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(body);
        let version = *r.array()?;
        let random = r.array()?;
        if r.vec8()?.rest().len() > 32 {
            return Err(Malformed::BadLength);
        }
        let suite = r.u16_be()?;
        if r.u8()? != 0 {
            return Err(Malformed::BadValue); // compression was not offered
        }
        let (mut extended_master_secret, mut bad_extension) = (false, false);
        extensions(&mut r, |id, data| {
            match id {
                extension::RENEGOTIATION_INFO => bad_extension |= data.rest() != [0],
                // Lists in an answer mean nothing for our suites; some servers echo the groups.
                extension::EC_POINT_FORMATS | extension::SUPPORTED_GROUPS => {}
                extension::EXTENDED_MASTER_SECRET => extended_master_secret = true,
                _ => bad_extension = true,
            }
            Ok(())
        })?;
        Ok(Self {
            random,
            version,
            suite,
            extended_master_secret,
            bad_extension,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(body: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
        let mut memory = [0; crate::message::MAX_BODY];
        let mut w = Writer::new(&mut memory);
        body(&mut w);
        w.finish().unwrap().to_vec()
    }

    #[test]
    #[cfg(all(feature = "client", feature = "chacha", feature = "cbc"))]
    fn client_hello_has_the_bytes_that_cameras_know() {
        // The recorded hello of go2rtc (testdata/vectors.json, go2rtc_pion_client_vs_openssl) with X25519 as the only group and
        // both suites.
        let random: [u8; 32] = std::array::from_fn(|i| i as u8);
        let hello = written(|w| write_client_hello(w, &random, b"", Suites::ALL, false));
        let expected = "fefd".to_owned()
            + &hex::encode(random)
            + "00000004ccac00ae0100"
            + "0027000d0010000e0403050306030401050106010807ff01000100000a00040002001d000b00020100";
        assert_eq!(hex::encode(hello), expected);
    }

    #[test]
    #[cfg(feature = "client")]
    fn longest_client_hello_fits() {
        let hello =
            written(|w| write_client_hello(w, &[0; 32], &[0; MAX_COOKIE], Suites::ALL, true));
        assert!(hello.len() <= crate::message::MAX_BODY, "{}", hello.len());
    }

    #[test]
    #[cfg(feature = "server")]
    fn hello_of_openssl_is_read_and_its_extras_are_left_alone() {
        // testdata/vectors.json, openssl_client_vs_go2rtc_pion_server_00ae: tickets, encrypt-then-MAC, EMS, SCSV.
        let body = hex::decode(
            "fefd88d7f2c86437959e321ad8a6ed34bf2f86b4081f064b40e121e3726c28c04bcb0000000400ae00ff0100004000230000001600000017\
             0000000d0030002e040305030603080708080809080a080b080408050806040105010601030302030301020103020202040205020602",
        );
        let body = body.unwrap();
        let body = &body[..body.len()];
        let hello = ClientHello::read(body).unwrap();
        assert!(hello.speaks_1_2 && hello.cookie.is_empty());
        assert!(
            hello.asks.renegotiation_info
                && hello.asks.extended_master_secret
                && !hello.asks.point_formats
        );
        #[cfg(feature = "cbc")]
        assert_eq!(
            hello.choose(Suites::ALL),
            Some(CipherSuite::PskAes128CbcSha256)
        );
        let answer = written(|w| {
            let asked = Asked {
                extended_master_secret: false,
                ..hello.asks
            };
            write_server_hello(w, &[7; 32], CipherSuite::PskAes128CbcSha256, asked);
        });
        assert_eq!(hex::encode(&answer[35..]), "00ae000005ff01000100");
    }

    #[test]
    #[cfg(all(feature = "client", feature = "server"))]
    fn server_hello_without_extensions_has_no_empty_list() {
        let answer = written(|w| {
            write_server_hello(
                w,
                &[7; 32],
                CipherSuite::PskAes128CbcSha256,
                Asked::default(),
            )
        });
        assert_eq!(answer.len(), 38);
        assert!(!ServerHello::read(&answer).unwrap().bad_extension);
    }

    #[test]
    #[cfg(all(feature = "server", feature = "chacha"))]
    fn a_client_without_x25519_gets_no_ecdhe() {
        for (groups, chosen) in [
            ("0017", None),
            ("0017001d", Some(CipherSuite::EcdhePskChaCha20Poly1305)),
        ] {
            let n = groups.len() / 2;
            let hello = "fefd".to_owned()
                + &"00".repeat(34)
                + "0002ccac0100"
                + &format!("{:04x}000a{:04x}{n:04x}{groups}", n + 6, n + 2);
            let hello = hex::decode(hello).unwrap();
            assert_eq!(
                ClientHello::read(&hello).unwrap().choose(Suites::ALL),
                chosen
            );
        }
    }

    #[test]
    #[cfg(feature = "client")]
    fn hello_verify_request_of_either_version_is_read() {
        for version in ["feff", "fefd"] {
            let body = hex::decode(version.to_owned() + "03010203").unwrap();
            assert_eq!(read_hello_verify_request(&body), Ok(&[1, 2, 3][..]));
        }
        assert!(read_hello_verify_request(&[0xfe, 0xff, 4, 1]).is_err());
    }

    #[test]
    #[cfg(feature = "server")]
    fn only_dtls_1_2_and_what_comes_after_it_will_do() {
        for (version, ok) in [
            ("fefd", true),
            ("fefc", true),
            ("feff", false),
            ("0303", false),
            ("0100", false),
        ] {
            let hello = version.to_owned() + &"00".repeat(34) + "000200ae0100";
            let hello = hex::decode(hello).unwrap();
            assert_eq!(ClientHello::read(&hello).unwrap().speaks_1_2, ok);
        }
    }

    #[test]
    #[cfg(all(feature = "client", feature = "server"))]
    fn what_a_hello_asks_for_is_answered_where_it_has_a_meaning_and_nothing_else() {
        for (suite, points) in [
            (CipherSuite::EcdhePskChaCha20Poly1305, "000b00020100"),
            (CipherSuite::PskAes128CbcSha256, ""),
        ] {
            for bits in 0..8 {
                let asked = [(1, "ff01000100"), (2, "000b00020100"), (4, "00170000")];
                let offered: String = asked
                    .iter()
                    .map(|(bit, ext)| if bits & bit != 0 { *ext } else { "" })
                    .collect();
                let hello = "fefd".to_owned()
                    + &"00".repeat(34)
                    + "0002ccac0100"
                    + &format!("{:04x}{offered}", offered.len() / 2);
                let hello = hex::decode(hello).unwrap();
                let asks = ClientHello::read(&hello).unwrap().asks;
                let answer = written(|w| write_server_hello(w, &[7; 32], suite, asks));
                let expected = offered.replace("000b00020100", points);
                let expected = if expected.is_empty() {
                    expected
                } else {
                    format!("{:04x}{expected}", expected.len() / 2)
                };
                assert_eq!(hex::encode(&answer[38..]), expected, "{suite} {bits}");
                let read = ServerHello::read(&answer).unwrap();
                assert_eq!(read.extended_master_secret, bits & 4 != 0);
                assert!(!read.bad_extension);
            }
        }
    }

    #[test]
    #[cfg(feature = "client")]
    fn a_server_that_renegotiates_is_not_believed() {
        for (content, bad) in [("00", false), ("0100", true), ("", true)] {
            let n = content.len() / 2;
            let hello = "fefd".to_owned()
                + &"00".repeat(33)
                + "00ae00"
                + &format!("{:04x}ff01{n:04x}{content}", n + 4);
            let hello = hex::decode(hello).unwrap();
            let read = ServerHello::read(&hello).unwrap();
            assert_eq!(read.bad_extension, bad, "{content}");
        }
    }
}
