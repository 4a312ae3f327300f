//! How secrets are written into the store's file. Public types do not implement `Serialize`, so that nobody prints them
//! by accident; their records, which are private, do.

pub(crate) mod secret {
    //! For `#[serde(with = "record::secret")]`.

    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use tutk_core::Secret;

    pub(crate) fn serialize<S: Serializer>(
        secret: &Secret<String>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        secret.expose().serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Secret<String>, D::Error> {
        String::deserialize(deserializer).map(Secret::new)
    }
}
