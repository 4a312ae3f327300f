//! ServerKeyExchange and ClientKeyExchange of both suites (RFC 4279 §2, RFC 5489 §2, RFC 8422 §5.4).

use tutk_core::wire::{Malformed, Reader, Writer};

use crate::suite::CipherSuite;

#[cfg(feature = "server")]
const X25519_PARAMETERS: [u8; 3] = [NAMED_CURVE, 0, 29];
const NAMED_CURVE: u8 = 3;

/// Writes a ServerKeyExchange; `point` goes with ECDHE suites.
#[cfg(feature = "server")]
pub(crate) fn write_server_key_exchange(
    w: &mut Writer<'_>,
    suite: CipherSuite,
    hint: &[u8],
    point: &[u8; 32],
) {
    w.vec16(|w| w.bytes(hint));
    if suite.is_ecdhe() {
        w.bytes(&X25519_PARAMETERS);
        w.vec8(|w| w.bytes(point));
    }
}

/// The server's part of the key exchange. The hint is of no use to a client with one key.
#[cfg(feature = "client")]
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ServerKeyExchange<'a> {
    Psk,
    X25519(&'a [u8; 32]),
    OtherGroup,
}

#[cfg(feature = "client")]
impl<'a> ServerKeyExchange<'a> {
    pub(crate) fn read(body: &'a [u8], suite: CipherSuite) -> Result<Self, Malformed> {
        let mut r = Reader::new(body);
        r.vec16()?;
        if !suite.is_ecdhe() {
            return r.expect_empty().map(|()| Self::Psk);
        }
        if r.u8()? != NAMED_CURVE || r.u16_be()? != 29 {
            return Ok(Self::OtherGroup);
        }
        let mut point = r.vec8()?;
        let key = point.array()?;
        point.expect_empty()?;
        r.expect_empty()?;
        Ok(Self::X25519(key))
    }
}

/// Writes a ClientKeyExchange; `point` goes with ECDHE suites.
#[cfg(feature = "client")]
pub(crate) fn write_client_key_exchange(
    w: &mut Writer<'_>,
    suite: CipherSuite,
    identity: &[u8],
    point: &[u8; 32],
) {
    w.vec16(|w| w.bytes(identity));
    if suite.is_ecdhe() {
        w.vec8(|w| w.bytes(point));
    }
}

/// The client's part of the key exchange.
#[cfg(feature = "server")]
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ClientKeyExchange<'a> {
    pub(crate) identity: &'a [u8],
    /// With ECDHE suites.
    pub(crate) point: Option<&'a [u8; 32]>,
}

#[cfg(feature = "server")]
impl<'a> ClientKeyExchange<'a> {
    pub(crate) fn read(body: &'a [u8], suite: CipherSuite) -> Result<Self, Malformed> {
        let mut r = Reader::new(body);
        let identity = r.vec16()?.rest();
        let mut point = None;
        if suite.is_ecdhe() {
            let mut key = r.vec8()?;
            point = Some(key.array()?);
            key.expect_empty()?;
        }
        r.expect_empty()?;
        Ok(Self { identity, point })
    }
}

#[cfg(all(test, feature = "client", feature = "server"))]
mod tests {
    use super::*;

    fn written(body: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
        let mut memory = [0; 100];
        let mut w = Writer::new(&mut memory);
        body(&mut w);
        w.finish().unwrap().to_vec()
    }

    #[test]
    fn ecdhe_with_an_empty_hint_is_38_bytes() {
        let suite = CipherSuite::EcdhePskChaCha20Poly1305;
        let body = written(|w| write_server_key_exchange(w, suite, b"", &[9; 32]));
        assert_eq!(body.len(), 38);
        assert_eq!(hex::encode(&body[..6]), "000003001d20");
        assert_eq!(
            ServerKeyExchange::read(&body, suite),
            Ok(ServerKeyExchange::X25519(&[9; 32]))
        );
    }

    #[test]
    fn another_group_is_named_as_such() {
        let suite = CipherSuite::EcdhePskChaCha20Poly1305;
        let body = hex::decode("00000300174104").unwrap();
        assert_eq!(
            ServerKeyExchange::read(&body, suite),
            Ok(ServerKeyExchange::OtherGroup)
        );
    }

    #[test]
    fn client_key_exchange_round_trips() {
        for suite in [
            CipherSuite::EcdhePskChaCha20Poly1305,
            CipherSuite::PskAes128CbcSha256,
        ] {
            let body = written(|w| write_client_key_exchange(w, suite, b"AUTHPWD_admin", &[3; 32]));
            let read = ClientKeyExchange::read(&body, suite).unwrap();
            assert_eq!(read.identity, b"AUTHPWD_admin");
            assert_eq!(read.point, suite.is_ecdhe().then_some(&[3; 32]));
            for n in 0..body.len() {
                assert!(ClientKeyExchange::read(&body[..n], suite).is_err());
            }
        }
    }
}
