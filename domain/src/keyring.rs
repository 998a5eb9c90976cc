//! The key ring that encrypts signing secrets at rest: XChaCha20-Poly1305 with random nonces.
//!
//! The first key encrypts, all decrypt; a sealed secret says which key it needs, so that keys can
//! be changed. It is bound to its webhook: sealed bytes moved to another one don't open. So are the values of
//! a webhook's own headers.

use std::{collections::BTreeMap, fmt, str::FromStr};

use base64::{Engine, engine::general_purpose::STANDARD};
use chacha20poly1305::{
    Key, KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};

use crate::{id::WebhookId, signature::Secret};

const NONCE_BYTES: usize = 24;

/// Named keys of 32 bytes.
#[derive(Clone)]
pub struct KeyRing(Vec<(String, XChaCha20Poly1305)>);

/// An encrypted signing secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The name of the key that opens it.
    pub key_id: String,
    /// The nonce and the ciphertext.
    pub bytes: Vec<u8>,
}

/// Headers of a webhook's own, their values encrypted together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SealedHeaders {
    /// Their names.
    pub names: Vec<String>,
    /// Names and values; `None` if there are none.
    pub sealed: Option<Sealed>,
}

/// A text that is no key ring.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BadKeyRing {
    /// One entry is malformed; named by its position, since it may be a key.
    #[error("key {0} is not written `id:base64 of 32 bytes`")]
    Entry(usize),
    /// Two keys have the same name.
    #[error("two keys are called `{0}`")]
    Twice(String),
}

/// Why a sealed secret does not open.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum CannotOpen {
    /// Its key is missing.
    #[error("the key `{0}` is not in the key ring")]
    NoKey(String),
    /// It was sealed with another key of that name, for another webhook, or was changed.
    #[error("the secret does not open with the key `{0}`")]
    WrongKey(String),
}

impl KeyRing {
    /// A webhook's secret of these bytes, and the same encrypted. Both arguments must be random.
    pub fn fresh_secret(
        &self,
        webhook: WebhookId,
        secret: [u8; 32],
        nonce: [u8; NONCE_BYTES],
    ) -> (Secret, Sealed) {
        let secret = Secret::new(secret);
        let sealed = self.seal(&secret, webhook, nonce);
        (secret, sealed)
    }

    /// Encrypts a webhook's secret with the first key. The nonce must be random.
    pub fn seal(&self, secret: &Secret, webhook: WebhookId, nonce: [u8; NONCE_BYTES]) -> Sealed {
        self.seal_bytes(secret.bytes(), webhook.0.as_bytes(), nonce)
    }

    /// Encrypts the headers of a webhook's own, by name. The nonce must be random.
    pub fn seal_headers(
        &self,
        headers: &BTreeMap<String, String>,
        webhook: WebhookId,
        nonce: [u8; NONCE_BYTES],
    ) -> SealedHeaders {
        let text = serde_json::to_vec(headers).expect("texts can be written");
        let seal = || self.seal_bytes(&text, &headers_of(webhook), nonce);
        SealedHeaders { names: headers.keys().cloned().collect(), sealed: (!headers.is_empty()).then(seal) }
    }

    /// Decrypts the headers of a webhook's own.
    ///
    /// # Errors
    /// If the key is missing or wrong.
    pub fn open_headers(
        &self,
        headers: &SealedHeaders,
        webhook: WebhookId,
    ) -> Result<BTreeMap<String, String>, CannotOpen> {
        let Some(sealed) = &headers.sealed else { return Ok(BTreeMap::new()) };
        let text = self.open_bytes(sealed, &headers_of(webhook))?;
        serde_json::from_slice(&text).map_err(|_| CannotOpen::WrongKey(sealed.key_id.clone()))
    }

    /// Encrypts bytes, at most some megabytes, with the first key; they open only with the same
    /// context. The nonce must be random.
    pub fn seal_bytes(&self, bytes: &[u8], context: &[u8], nonce: [u8; NONCE_BYTES]) -> Sealed {
        let (key_id, cipher) = &self.0[0];
        let payload = Payload { msg: bytes, aad: context };
        let text =
            cipher.encrypt(&XNonce::from(nonce), payload).expect("this is far below the cipher's limit");
        Sealed { key_id: key_id.clone(), bytes: [&nonce[..], &text].concat() }
    }

    /// Decrypts a webhook's secret.
    ///
    /// # Errors
    /// If the key is missing or wrong.
    pub fn open(&self, sealed: &Sealed, webhook: WebhookId) -> Result<Secret, CannotOpen> {
        let bytes = self.open_bytes(sealed, webhook.0.as_bytes())?;
        Secret::from_bytes(bytes).map_err(|_| CannotOpen::WrongKey(sealed.key_id.clone()))
    }

    /// Decrypts bytes.
    ///
    /// # Errors
    /// If the key is missing or wrong, or the context is another.
    pub fn open_bytes(&self, sealed: &Sealed, context: &[u8]) -> Result<Vec<u8>, CannotOpen> {
        let found = self.0.iter().find(|(id, _)| *id == sealed.key_id);
        let (_, cipher) = found.ok_or_else(|| CannotOpen::NoKey(sealed.key_id.clone()))?;
        let wrong = || CannotOpen::WrongKey(sealed.key_id.clone());
        let (nonce, text) = sealed.bytes.split_first_chunk::<NONCE_BYTES>().ok_or_else(wrong)?;
        let payload = Payload { msg: text, aad: context };
        cipher.decrypt(&XNonce::from(*nonce), payload).map_err(|_| wrong())
    }
}

impl FromStr for KeyRing {
    type Err = BadKeyRing;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut keys: Vec<(String, XChaCha20Poly1305)> = Vec::new();
        for (position, entry) in text.split(',').enumerate() {
            let (id, key) = read_key(entry.trim()).ok_or(BadKeyRing::Entry(position + 1))?;
            if keys.iter().any(|(other, _)| *other == id) {
                return Err(BadKeyRing::Twice(id));
            }
            keys.push((id, key));
        }
        Ok(Self(keys))
    }
}

fn read_key(entry: &str) -> Option<(String, XChaCha20Poly1305)> {
    let (id, key) = entry.split_once(':').filter(|(id, _)| !id.is_empty())?;
    let key: [u8; 32] = STANDARD.decode(key).ok()?.try_into().ok()?;
    Some((id.to_owned(), XChaCha20Poly1305::new(&Key::from(key))))
}

/// What a webhook's headers are bound to: neither another webhook nor a place of its secrets takes them.
fn headers_of(webhook: WebhookId) -> Vec<u8> {
    [webhook.0.as_bytes(), &b"headers"[..]].concat()
}

/// A key ring entry of 32 bytes, which must be random.
pub fn entry(id: &str, random: [u8; 32]) -> String {
    format!("{id}:{}", STANDARD.encode(random))
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(id, _)| id)).finish()
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const WEBHOOK: WebhookId = WebhookId(Uuid::from_u128(1));

    fn ring(names: &[&str]) -> KeyRing {
        let entries: Vec<_> = names.iter().map(|name| entry(name, [name.as_bytes()[0]; 32])).collect();
        entries.join(",").parse().unwrap()
    }

    #[test]
    fn the_first_key_encrypts_and_all_decrypt() {
        let secret = Secret::new([9; 32]);
        let sealed = ring(&["old"]).seal(&secret, WEBHOOK, [1; 24]);
        assert_eq!(sealed.key_id, "old");
        assert_eq!(ring(&["new", "old"]).open(&sealed, WEBHOOK), Ok(secret.clone()));
        assert_eq!(ring(&["new", "old"]).seal(&secret, WEBHOOK, [1; 24]).key_id, "new");
        assert!(!sealed.bytes.windows(8).any(|bytes| bytes == [9; 8]), "the secret shows");
    }

    #[test]
    fn what_does_not_belong_does_not_open() {
        let mut sealed = ring(&["a"]).seal(&Secret::new([9; 32]), WEBHOOK, [1; 24]);
        assert_eq!(ring(&["b"]).open(&sealed, WEBHOOK), Err(CannotOpen::NoKey("a".into())));
        let wrong = Err(CannotOpen::WrongKey("a".into()));
        let other_key: KeyRing = entry("a", [0; 32]).parse().unwrap();
        assert_eq!(other_key.open(&sealed, WEBHOOK), wrong);
        assert_eq!(ring(&["a"]).open(&sealed, WebhookId(Uuid::from_u128(2))), wrong);
        sealed.bytes[30] ^= 1;
        assert_eq!(ring(&["a"]).open(&sealed, WEBHOOK), wrong);
        sealed.bytes.truncate(10);
        assert_eq!(ring(&["a"]).open(&sealed, WEBHOOK), wrong);
    }

    #[test]
    fn headers_open_where_they_belong() {
        let headers = BTreeMap::from([("authorization".to_owned(), "Bearer hush-hush".to_owned())]);
        let sealed = ring(&["a"]).seal_headers(&headers, WEBHOOK, [1; 24]);
        assert_eq!(sealed.names, ["authorization"]);
        let bytes = &sealed.sealed.as_ref().unwrap().bytes;
        assert!(!bytes.windows(9).any(|bytes| bytes == b"hush-hush"), "the value shows");
        assert_eq!(ring(&["b", "a"]).open_headers(&sealed, WEBHOOK), Ok(headers));
        assert!(ring(&["a"]).open_headers(&sealed, WebhookId(Uuid::from_u128(2))).is_err());
        assert!(ring(&["a"]).open(sealed.sealed.as_ref().unwrap(), WEBHOOK).is_err(), "it is no secret");
        let none = ring(&["a"]).seal_headers(&BTreeMap::new(), WEBHOOK, [1; 24]);
        assert_eq!(none, SealedHeaders::default());
        assert_eq!(ring(&["b"]).open_headers(&none, WEBHOOK), Ok(BTreeMap::new()));
    }

    #[test]
    fn a_malformed_ring_is_refused_without_showing_keys() {
        for bad in ["", "a", "a:", ":AAAA", "a:AAAA"] {
            assert_eq!(bad.parse::<KeyRing>().unwrap_err(), BadKeyRing::Entry(1), "{bad}");
        }
        let twice = [entry("a", [1; 32]), entry("a", [2; 32])].join(",");
        assert_eq!(twice.parse::<KeyRing>().unwrap_err(), BadKeyRing::Twice("a".into()));
        assert_eq!(format!("{:?}", ring(&["a", "b"])), "[\"a\", \"b\"]");
    }
}
