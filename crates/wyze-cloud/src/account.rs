//! What a login needs and what it yields.

use std::fmt;

use md5::{Digest, Md5};
use serde::{Deserialize, Serialize};
use tutk_core::Secret;
use zeroize::Zeroizing;

use crate::Error;
use crate::api::LoginReply;

/// The credentials of an account.
///
/// API key and key id are made by the user in the vendor's developer console; a login needs them.
#[derive(Clone)]
pub struct Account {
    pub(crate) email: String,
    /// MD5 three times over, hexadecimal.
    pub(crate) password: Secret<String>,
    pub(crate) key_id: Secret<String>,
    pub(crate) api_key: Secret<String>,
}

impl Account {
    /// Takes credentials as the user types them. All but the password are trimmed.
    ///
    /// A password that begins with `md5:` or `hashed:` is taken as the hash itself (32 hexadecimal digits), so that
    /// nobody has to store the password.
    ///
    /// # Errors
    /// [`Error::Input`] with the name of what cannot be right.
    pub fn new(email: &str, password: &str, key_id: &str, api_key: &str) -> Result<Self, Error> {
        let email = email.trim();
        if !email.contains('@') || email.contains(char::is_control) {
            return Err(Error::Input("the e-mail address"));
        }
        let header = |text: &str, name| {
            let text = text.trim();
            let good = !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic());
            good.then(|| Secret::new(text.to_owned()))
                .ok_or(Error::Input(name))
        };
        Ok(Self {
            email: email.to_owned(),
            password: hash(password)?,
            key_id: header(key_id, "the key id")?,
            api_key: header(api_key, "the API key")?,
        })
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Account(***)")
    }
}

fn hash(password: &str) -> Result<Secret<String>, Error> {
    let password = password.trim_end_matches(['\r', '\n']);
    for prefix in ["md5:", "hashed:"] {
        if let Some((head, hash)) = password.split_at_checked(prefix.len())
            && head.eq_ignore_ascii_case(prefix)
        {
            let hash = hash.trim();
            let good = hash.len() == 32 && hash.bytes().all(|b| b.is_ascii_hexdigit());
            return good
                .then(|| Secret::new(hash.to_ascii_lowercase()))
                .ok_or(Error::Input("the hash of the password"));
        }
    }
    if password.is_empty() {
        return Err(Error::Input("the password"));
    }
    let mut text = Zeroizing::new(password.to_owned());
    for _ in 0..3 {
        let digest = Md5::digest(text.as_bytes());
        text = Zeroizing::new(digest.iter().map(|byte| format!("{byte:02x}")).collect());
    }
    Ok(Secret::new(std::mem::take(&mut *text)))
}

/// What a login yields: access for about a day, and the means to renew it.
#[derive(Clone)]
pub struct Tokens(pub(crate) TokenRecord);

#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct TokenRecord {
    #[serde(with = "crate::record::secret")]
    pub(crate) access: Secret<String>,
    #[serde(with = "crate::record::secret")]
    pub(crate) refresh: Secret<String>,
}

impl Tokens {
    /// Tokens that came from somewhere else than [`Client::login`](crate::Client::login).
    pub fn new(access: &str, refresh: &str) -> Self {
        Self(TokenRecord {
            access: Secret::new(access.to_owned()),
            refresh: Secret::new(refresh.to_owned()),
        })
    }

    /// The access token: secret.
    pub fn access(&self) -> &Secret<String> {
        &self.0.access
    }

    /// The refresh token: secret.
    pub fn refresh(&self) -> &Secret<String> {
        &self.0.refresh
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tokens(***)")
    }
}

/// How the service takes a right password.
#[derive(Debug, Clone)]
pub enum Login {
    /// It suffices.
    Done(Tokens),
    /// A code is wanted as well.
    SecondFactor(SecondFactor),
}

/// A login that waits for a code. It can be tried repeatedly, with different codes.
#[derive(Clone)]
pub struct SecondFactor {
    pub(crate) account: Account,
    pub(crate) user_id: Secret<String>,
    /// The first authenticator app of the account.
    pub(crate) totp_app: Option<Secret<String>>,
    pub(crate) sms_session: Option<Secret<String>>,
}

impl SecondFactor {
    /// What the answer to a login offers; `None` when it wants no second factor.
    pub(crate) fn offered(account: &Account, reply: &LoginReply) -> Option<Result<Self, Error>> {
        let secret = |text: &str| Secret::new(text.to_owned());
        let some = |text: &str| (!text.is_empty()).then(|| secret(text));
        let listed = |name: &str| {
            reply
                .mfa_options
                .0
                .iter()
                .any(|option| option.text() == name)
        };
        if reply.mfa_options.0.is_empty() {
            return None;
        }
        let factor = Self {
            account: account.clone(),
            user_id: secret(reply.user_id.text()),
            totp_app: reply
                .mfa_details
                .0
                .totp_apps
                .0
                .iter()
                .find_map(|app| some(app.0.app_id.text()))
                .filter(|_| listed("TotpVerificationCode")),
            sms_session: some(reply.sms_session_id.text()).filter(|_| listed("PrimaryPhone")),
        };
        Some(if factor.offers_totp() || factor.offers_sms() {
            Ok(factor)
        } else {
            Err(Error::SecondFactorUnsupported)
        })
    }

    /// Whether the code of an authenticator app is accepted: [`Client::login_totp`](crate::Client::login_totp).
    pub fn offers_totp(&self) -> bool {
        self.totp_app.is_some()
    }

    /// Whether a code can be sent by SMS: [`Client::send_sms_code`](crate::Client::send_sms_code).
    pub fn offers_sms(&self) -> bool {
        self.sms_session.is_some()
    }
}

impl fmt::Debug for SecondFactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecondFactor")
            .field("offers_totp", &self.offers_totp())
            .field("offers_sms", &self.offers_sms())
            .finish_non_exhaustive()
    }
}

/// An SMS that is on its way.
#[derive(Debug, Clone)]
pub struct SmsSession(pub(crate) Secret<String>);

#[cfg(test)]
mod tests {
    use super::*;

    fn account(email: &str, password: &str, id: &str, key: &str) -> Result<Account, Error> {
        Account::new(email, password, id, key)
    }

    #[test]
    fn the_password_is_hashed_three_times_over_the_hexadecimal_digits() {
        // for i in 1 2 3; do s=$(printf %s "$s" | md5sum | cut -d' ' -f1); done, with s=password
        let account = account("a@b", "password", "id", "key").unwrap();
        assert_eq!(
            account.password.expose(),
            "5a22e6c339c96c9c0513a46e44c39683"
        );
    }

    #[test]
    fn a_hash_is_taken_as_it_is() {
        let hash = "0123456789abcdef0123456789abcdef";
        for prefix in ["md5:", "hashed:", "MD5:", "Hashed: "] {
            let account = account("a@b", &format!("{prefix}{hash}"), "id", "key").unwrap();
            assert_eq!(account.password.expose(), hash, "{prefix}");
        }
    }

    #[test]
    fn impossible_input_is_named_before_anything_is_sent() {
        for (email, password, id, key, what) in [
            ("nobody", "p", "i", "k", "the e-mail address"),
            (" ", "p", "i", "k", "the e-mail address"),
            ("a@b", "", "i", "k", "the password"),
            ("a@b", "\n", "i", "k", "the password"),
            ("a@b", "md5:abc", "i", "k", "the hash of the password"),
            ("a@b", "p", " ", "k", "the key id"),
            ("a@b", "p", "i\r\nx: y", "k", "the key id"),
            ("a@b", "p", "i", "ключ", "the API key"),
        ] {
            let error = account(email, password, id, key).unwrap_err();
            assert_eq!(error, Error::Input(what));
        }
        assert!(account(" a@b \n", "é", " i", "k\n").is_ok());
    }
}
