//! Which combinations are tried.

use std::fmt;

/// A library on the other side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Library {
    Openssl,
    Mbedtls,
    Gnutls,
    Wolfssl,
}

impl Library {
    pub(crate) const ALL: [Self; 4] = [Self::Openssl, Self::Mbedtls, Self::Gnutls, Self::Wolfssl];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Openssl => "openssl",
            Self::Mbedtls => "mbedtls",
            Self::Gnutls => "gnutls",
            Self::Wolfssl => "wolfssl",
        }
    }
}

/// Our side of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Client,
    Server,
}

/// The suite that must come out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Suite {
    /// 0xCCAC.
    Ccac,
    /// 0x00AE.
    Cbc,
}

impl Suite {
    pub(crate) fn short(self) -> &'static str {
        match self {
            Self::Ccac => "ccac",
            Self::Cbc => "cbc",
        }
    }

    /// The name OpenSSL gives it, which is also what our program prints.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ccac => "ECDHE-PSK-CHACHA20-POLY1305",
            Self::Cbc => "PSK-AES128-CBC-SHA256",
        }
    }
}

/// One combination. Knobs are `name` or `name=number` words: ours go to `dtls_peer` as they are; `peer.rs` says what
/// each library makes of theirs (`ems=0`, `etm=0`, `cookie=0`, `listen`, `mtu=N`, `long-hello`).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    pub(crate) library: Library,
    pub(crate) ours: Role,
    pub(crate) suite: Suite,
    /// What we offer or accept, where it is not the suite alone.
    pub(crate) offer: Option<&'static str>,
    pub(crate) our_knobs: &'static str,
    pub(crate) their_knobs: &'static str,
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let role = match self.ours {
            Role::Client => "server",
            Role::Server => "client",
        };
        let [ours, theirs] = [self.our_knobs, self.their_knobs]
            .map(|knobs| if knobs.is_empty() { "-" } else { knobs });
        let offer = self.offer.unwrap_or(self.suite.short());
        let [library, suite] = [self.library.name(), self.suite.short()];
        write!(
            f,
            "{library:7} {role:6}  {suite:4}  ours: {offer:4} {ours:16}  theirs: {theirs}"
        )
    }
}

/// Every combination, library by library.
pub(crate) fn rows() -> Vec<Row> {
    use Library::{Gnutls, Mbedtls, Openssl, Wolfssl};
    use Role::{Client, Server};
    use Suite::{Cbc, Ccac};
    // library, our role, their knobs, our knobs: tried with both suites
    const BOTH_SUITES: &[(Library, Role, &str, &str)] = &[
        (Openssl, Client, "", ""),
        (Openssl, Client, "", "ems"),
        (Openssl, Client, "ems=0", ""),
        (Openssl, Client, "ems=0", "ems"),
        (Openssl, Client, "listen", ""),
        (Openssl, Client, "mtu=256", "mtu=100"),
        (Openssl, Server, "", ""),
        (Openssl, Server, "", "ems"),
        (Openssl, Server, "ems=0", ""),
        (Openssl, Server, "", "cookie"),
        (Openssl, Server, "ems=0", "cookie hint=any"),
        (Openssl, Server, "mtu=256 long-hello", "mtu=100"),
        (Openssl, Server, "mtu=256 long-hello", "mtu=100 cookie"),
        // Its server refuses a fragmented ClientHello, so ours stays whole here; wolfSSL's does too.
        (Mbedtls, Client, "mtu=100", ""),
        (Mbedtls, Client, "mtu=100 cookie=0", ""),
        (Mbedtls, Client, "ems=0 etm=0", ""),
        (Mbedtls, Client, "", "ems"),
        (Mbedtls, Server, "mtu=100", "mtu=100"),
        (Mbedtls, Server, "mtu=100", "cookie"),
        (Mbedtls, Server, "ems=0 etm=0", ""),
        (Mbedtls, Server, "", "ems"),
        (Gnutls, Client, "", ""),
        (Gnutls, Client, "", "ems"),
        (Gnutls, Client, "ems=0 etm=0 mtu=256", "mtu=100"),
        (Gnutls, Server, "", ""),
        (Gnutls, Server, "", "ems"),
        (Gnutls, Server, "ems=0 etm=0 mtu=256", "mtu=100 cookie"),
    ];
    // wolfSSL: no static PSK suite in Debian's build, and no X25519 with ECDHE-PSK as a client (see wolfssl_peer.c).
    const CCAC_ONLY: &[(Library, Role, &str, &str)] = &[
        (Wolfssl, Client, "", ""),
        (Wolfssl, Client, "", "ems"),
        (Wolfssl, Client, "ems=0", ""),
    ];
    let row = |suite, &(library, ours, their_knobs, our_knobs)| Row {
        library,
        ours,
        suite,
        offer: None,
        our_knobs,
        their_knobs,
    };
    let mut rows: Vec<Row> = Vec::new();
    for case in BOTH_SUITES {
        rows.extend([row(Ccac, case), row(Cbc, case)]);
        // Offered together, as a camera's client does: what the other side knows decides.
        if case.2.is_empty() && case.3.is_empty() {
            let both = |suite| Row {
                offer: Some("both"),
                ..row(suite, case)
            };
            rows.extend([both(Ccac), both(Cbc)]);
        }
    }
    rows.extend(CCAC_ONLY.iter().map(|case| row(Ccac, case)));
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_library_is_tried_in_every_role_and_suite_it_has() {
        for library in Library::ALL {
            for ours in [Role::Client, Role::Server] {
                for suite in [Suite::Ccac, Suite::Cbc] {
                    let has =
                        library != Library::Wolfssl || (ours, suite) == (Role::Client, Suite::Ccac);
                    let tried = rows()
                        .iter()
                        .any(|r| (r.library, r.ours, r.suite) == (library, ours, suite));
                    assert_eq!(tried, has, "{library:?} {ours:?} {suite:?}");
                }
            }
        }
    }

    #[test]
    fn no_combination_is_listed_twice() {
        let mut names: Vec<String> = rows().iter().map(Row::to_string).collect();
        let all = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}
