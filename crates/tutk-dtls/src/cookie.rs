//! Stateless proof that a client receives at its address (RFC 6347 §4.2.1).

use core::net::{IpAddr, SocketAddr};

use hmac::Mac;
use subtle::ConstantTimeEq;
use tutk_core::Secret;
use tutk_core::rand_core::CryptoRng;

use crate::keys::hmac;
use crate::message::ClientHello;

/// Bytes of a cookie. DTLS 1.0 clients would take 32 at most.
pub(crate) const COOKIE: usize = 32;

/// Makes and checks cookies. Knows nothing about any client.
pub(crate) struct Jar(Secret<[u8; 32]>);

impl Jar {
    pub(crate) fn new(rng: &mut dyn CryptoRng) -> Self {
        let mut secret = Secret::new([0; 32]);
        rng.fill_bytes(secret.expose_mut());
        Self(secret)
    }

    /// The cookie for this hello from this address: HMAC-SHA256 over the address and everything in the hello but the
    /// cookie itself, which the second hello must repeat unchanged.
    pub(crate) fn bake(&self, from: SocketAddr, hello: &ClientHello<'_>) -> [u8; COOKIE] {
        let mut mac = hmac(self.0.expose());
        match from.ip() {
            // The tag keeps an address with the bytes behind it from reading as one of the other family.
            IpAddr::V4(ip) => {
                mac.update(&[4]);
                mac.update(&ip.octets());
            }
            IpAddr::V6(ip) => {
                mac.update(&[6]);
                mac.update(&ip.octets());
            }
        }
        mac.update(&from.port().to_be_bytes());
        let (before, behind) = hello.around_cookie;
        mac.update(before);
        mac.update(behind);
        mac.finalize().into_bytes().into()
    }

    /// Whether the hello carries its cookie.
    pub(crate) fn accepts(&self, from: SocketAddr, hello: &ClientHello<'_>) -> bool {
        self.bake(from, hello).ct_eq(hello.cookie).into()
    }
}
