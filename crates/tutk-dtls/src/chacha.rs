//! Record protection of 0xCCAC: ChaCha20-Poly1305 (RFC 7905).

use tutk_core::{Full, Secret, TxBuf};

pub(crate) use crate::aead::TAG;
use crate::aead::{Aead, KEY, NONCE};
use crate::record::{ContentType, DTLS_1_2, HEADER, Header, Position, additional_data};

/// Keys of one direction.
pub(crate) struct Keys {
    cipher: Aead,
    iv: Secret<[u8; NONCE]>,
}

impl Keys {
    pub(crate) fn new(key: &[u8; KEY], iv: &[u8; NONCE]) -> Self {
        Self {
            cipher: Aead::new(key),
            iv: Secret::new(*iv),
        }
    }

    /// IV xor (four zeros, epoch, number).
    fn nonce(&self, at: Position) -> [u8; NONCE] {
        let mut nonce = *self.iv.expose();
        for (n, p) in nonce.iter_mut().skip(4).zip(at.to_bytes()) {
            *n ^= p;
        }
        nonce
    }

    /// Makes what `tx` holds one record.
    pub(crate) fn seal(
        &self,
        kind: ContentType,
        at: Position,
        tx: &mut TxBuf<'_>,
    ) -> Result<(), Full> {
        let len = tx.len();
        let header = Header {
            kind,
            version: DTLS_1_2,
            at,
            len: len + TAG,
        };
        tx.push_trailer(&[0; TAG])?;
        tx.push_header(&header.to_bytes())?;
        let aad = additional_data(kind, at, len);
        let (text, tag) = tx
            .payload_mut()
            .get_mut(HEADER..)
            .and_then(<[u8]>::split_last_chunk_mut::<TAG>)
            .ok_or(Full)?;
        *tag = self.cipher.seal(self.nonce(at), &aad, text).ok_or(Full)?;
        Ok(())
    }

    /// The plaintext of a record body, decrypted where it lies; `None` when it does not authenticate.
    pub(crate) fn open<'p>(
        &self,
        kind: ContentType,
        at: Position,
        body: &'p mut [u8],
    ) -> Option<&'p mut [u8]> {
        let (text, tag) = body.split_last_chunk_mut::<TAG>()?;
        let aad = additional_data(kind, at, text.len());
        self.cipher
            .open(self.nonce(at), &aad, text, *tag)
            .then_some(text)
    }
}
