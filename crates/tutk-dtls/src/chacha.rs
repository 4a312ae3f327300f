//! Record protection of 0xCCAC: ChaCha20-Poly1305 (RFC 7905).

use chacha20poly1305::aead::AeadInOut;
use chacha20poly1305::{ChaCha20Poly1305, KeyInit, Nonce, Tag};
use tutk_core::{Full, Secret, TxBuf};

use crate::record::{ContentType, DTLS_1_2, HEADER, Header, Position, additional_data};

/// Bytes of the authentication tag.
pub(crate) const TAG: usize = 16;

/// Keys of one direction.
pub(crate) struct Keys {
    cipher: ChaCha20Poly1305,
    iv: Secret<[u8; 12]>,
}

impl Keys {
    pub(crate) fn new(key: &[u8; 32], iv: &[u8; 12]) -> Self {
        Self {
            cipher: ChaCha20Poly1305::new(key.into()),
            iv: Secret::new(*iv),
        }
    }

    /// IV xor (four zeros, epoch, number).
    fn nonce(&self, at: Position) -> Nonce {
        let mut nonce = *self.iv.expose();
        for (n, p) in nonce.iter_mut().skip(4).zip(at.to_bytes()) {
            *n ^= p;
        }
        Nonce::from(nonce)
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
        let computed = self
            .cipher
            .encrypt_inout_detached(&self.nonce(at), &aad, text.into())
            .map_err(|_| Full)?;
        *tag = computed.into();
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
            .decrypt_inout_detached(&self.nonce(at), &aad, (&mut *text).into(), &Tag::from(*tag))
            .ok()?;
        Some(text)
    }
}
