//! What is done once, however often it is asked for: `Idempotency-Key`.
//!
//! The first request with a key takes it, and its result is kept for 24 hours, encrypted, since it may hold a
//! secret. What it does runs to its end whatever becomes of the request, so that whoever asks again is
//! answered. If the process falls in between, nobody knows whether something was made: the key stays taken,
//! so that it is never made twice.

use std::fmt;

use posthorn_domain::{error_chain::error_chain, keyring::Sealed};
use posthorn_store::Begun;
use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{
    error::{Error, Kind},
    manage::{Manage, Shared},
    principal::Principal,
};

/// What makes a request the same as another.
#[derive(Default)]
pub struct Once {
    key: Option<(String, [u8; 32])>,
    held: Option<Box<dyn Send>>,
}

/// What was done.
#[derive(Debug)]
pub struct Done<T> {
    /// The result.
    pub value: T,
    /// Whether it was done before.
    pub is_repeated: bool,
}

impl Once {
    /// A request with this key, if it has one; `parts` are all that it asks for.
    ///
    /// # Errors
    /// If it is no key.
    pub fn new(key: Option<&str>, parts: &[&[u8]]) -> Result<Self, Error> {
        let is_good =
            |text: &str| (1..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        let key = match key {
            Some(key) if !is_good(key) => {
                let detail = "an Idempotency-Key is 1 to 255 visible ASCII characters";
                return Err(Error::new(Kind::Unreadable, detail));
            }
            key => key.map(|key| (key.to_owned(), fingerprint(parts))),
        };
        Ok(Self { key, held: None })
    }

    /// The same, which keeps something until it is done, such as the count of the request's bytes.
    pub fn holding(self, held: impl Send + 'static) -> Self {
        Self { held: Some(Box::new(held)), ..self }
    }
}

impl fmt::Debug for Once {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Once").field("key", &self.key.as_ref().map(|(key, _)| key)).finish_non_exhaustive()
    }
}

fn fingerprint(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

impl Manage {
    /// Does it to its end, unless it was done before: then answers as before.
    ///
    /// # Errors
    /// Those of doing it; and if the key's first request runs, or was another.
    pub(crate) async fn once<T, A>(
        self: &Shared,
        by: &Principal,
        once: Once,
        act: A,
    ) -> Result<Done<T>, Error>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
        A: Future<Output = Result<T, Error>> + Send + 'static,
    {
        let Once { key, held } = once;
        let Some((key, fingerprint)) = key else {
            return Ok(Done { value: act.await?, is_repeated: false });
        };
        let (manage, token) = (self.clone(), by.token_id);
        let doing = async move {
            let _held = held;
            match manage.begin(token, &key, &fingerprint).await? {
                Some(value) => Ok(Done { value, is_repeated: true }),
                None => manage.end(token, &key, act.await).await,
            }
        };
        self.actions.run(doing).await
    }

    /// Takes a key; answers what was done with it before.
    async fn begin<T: DeserializeOwned>(
        &self,
        token: Uuid,
        key: &str,
        fingerprint: &[u8],
    ) -> Result<Option<T>, Error> {
        match self.store.access.begin_once(token, key, fingerprint).await? {
            Begun::First => Ok(None),
            Begun::Answered(sealed) => self.open_result(&sealed, key).map(Some),
            Begun::Different => {
                let detail = "this Idempotency-Key came with another request before: take a new one";
                Err(Error::new(Kind::KeyReused, detail))
            }
            Begun::Running => {
                let detail = "a request with this Idempotency-Key was begun and has no answer yet: try again, \
                              or look what it has made";
                Err(Error::new(Kind::KeyInUse, detail).after(1))
            }
        }
    }

    /// Keeps what was done with a key, or gives the key up if nothing was.
    async fn end<T: Serialize>(
        &self,
        token: Uuid,
        key: &str,
        done: Result<T, Error>,
    ) -> Result<Done<T>, Error> {
        match done {
            Ok(value) => {
                let written = serde_json::to_vec(&value).expect("what we show can be written");
                let sealed = self.keys()?.seal_bytes(&written, key.as_bytes(), rand::random());
                if let Err(error) = self.store.access.answer_once(token, key, &sealed).await {
                    tracing::warn!("cannot keep a result for its Idempotency-Key: {}", error_chain(&error));
                }
                Ok(Done { value, is_repeated: false })
            }
            Err(error) => {
                if let Err(error) = self.store.access.give_up_once(token, key).await {
                    tracing::warn!("cannot give an Idempotency-Key up: {}", error_chain(&error));
                }
                Err(error)
            }
        }
    }

    fn open_result<T: DeserializeOwned>(&self, sealed: &Sealed, key: &str) -> Result<T, Error> {
        let lost = || Error::new(Kind::Internal, "the kept result cannot be read any more");
        let bytes = self.keys()?.open_bytes(sealed, key.as_bytes()).map_err(|_| lost())?;
        serde_json::from_slice(&bytes).map_err(|_| lost())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_request_has_the_same_fingerprint() {
        let of = |parts: &[&str]| fingerprint(&parts.iter().map(|part| part.as_bytes()).collect::<Vec<_>>());
        assert_eq!(of(&["POST", "/a", "{}"]), of(&["POST", "/a", "{}"]));
        assert_ne!(of(&["POST", "/a", "{}"]), of(&["POST", "/a", "{ }"]));
        assert_ne!(of(&["ab", "c"]), of(&["a", "bc"]));
    }

    #[test]
    fn a_key_is_short_and_visible() {
        for good in [None, Some("key-1"), Some("~")] {
            assert!(Once::new(good, &[]).is_ok(), "{good:?}");
        }
        for bad in ["", "a b", "é", &"x".repeat(256)] {
            assert!(Once::new(Some(bad), &[]).is_err(), "{bad:?}");
        }
    }
}
