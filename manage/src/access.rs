//! What is known without asking the database: tokens, and the schemas of event types.
//!
//! The watch in `store` keeps it fresh (`AccessWatch`). A token that is made or revoked by this process is
//! noted at once; one of another is heard of within moments, and one that is not known is looked up, so that
//! a fresh one works everywhere at once. Such look-ups are few, since anybody can present anything.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, PoisonError, RwLock},
};

use jiff::Timestamp;
use posthorn_domain::token::TokenHash;
use posthorn_store::{AccessUpdate, EventType, Store, TokenRecord, TypeSchema};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    error::{Error, Kind},
    metrics::{self, Refused},
    rates::Rates,
};

/// How many unknown tokens of one address are looked up in a second, and of all together.
const LOOKUPS_OF_AN_ADDRESS: u32 = 10;
const LOOKUPS_OF_ALL: u32 = 50;

/// What is known.
pub(crate) struct Access {
    known: RwLock<Known>,
    lookups_of_an_address: Rates<Option<IpAddr>>,
    lookups_of_all: Rates<()>,
}

#[derive(Default)]
struct Known {
    tokens: HashMap<TokenHash, Arc<TokenRecord>>,
    hashes: HashMap<Uuid, TokenHash>,
    schemas: HashMap<String, Arc<TypeSchema>>,
}

impl Access {
    pub(crate) fn new() -> Self {
        Self {
            known: RwLock::default(),
            lookups_of_an_address: Rates::new(LOOKUPS_OF_AN_ADDRESS),
            lookups_of_all: Rates::new(LOOKUPS_OF_ALL),
        }
    }

    /// Takes in what the watch tells, until `stop`.
    pub(crate) async fn follow(&self, mut updates: mpsc::Receiver<AccessUpdate>, stop: &CancellationToken) {
        while let Some(Some(update)) = stop.run_until_cancelled(updates.recv()).await {
            self.change(|known| known.apply(update));
        }
    }

    /// The live token that this stands for.
    ///
    /// # Errors
    /// If it is not known, and too many such were looked up, or the database does not answer.
    pub(crate) async fn token(
        &self,
        hash: &TokenHash,
        address: Option<IpAddr>,
        store: &Store,
    ) -> Result<Option<Arc<TokenRecord>>, Error> {
        let is_live = |token: &Arc<TokenRecord>| token.is_live(Timestamp::now());
        if let Some(token) = self.read(|known| known.tokens.get(hash).cloned()) {
            return Ok(Some(token).filter(is_live));
        }
        let asked = self.lookups_of_an_address.take(address).and_then(|()| self.lookups_of_all.take(()));
        asked.map_err(|seconds| {
            metrics::refused(Refused::UnknownTokens);
            let detail = "too many requests with tokens that are not known came from this address";
            Error::new(Kind::TooManyRequests, detail).after(seconds)
        })?;
        let found = store.access.token_with(hash).await?.map(Arc::new).filter(is_live);
        Ok(found.inspect(|token| self.add(*hash, token.clone())))
    }

    /// Notes a token.
    pub(crate) fn add(&self, hash: TokenHash, token: Arc<TokenRecord>) {
        self.change(|known| known.add(hash, token));
    }

    /// Forgets a token.
    pub(crate) fn remove(&self, id: Uuid) {
        self.change(|known| known.remove(id));
    }

    /// Notes how an event type is described; `None` if it was forgotten.
    pub(crate) fn describe(&self, event_type: &str, described: Option<&EventType>) {
        let schema = described.and_then(|described| {
            let json = described.described.schema.clone()?;
            Some(TypeSchema { revision: described.revision, json })
        });
        self.change(|known| known.apply(AccessUpdate::Schema(event_type.to_owned(), schema)));
    }

    /// The schema of an event type, if it has one.
    pub(crate) fn schema(&self, event_type: &str) -> Option<Arc<TypeSchema>> {
        self.read(|known| known.schemas.get(event_type).cloned())
    }

    fn read<T>(&self, read: impl FnOnce(&Known) -> T) -> T {
        read(&self.known.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn change(&self, change: impl FnOnce(&mut Known)) {
        change(&mut self.known.write().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Known {
    fn apply(&mut self, update: AccessUpdate) {
        match update {
            AccessUpdate::All { tokens, schemas } => {
                *self = Self::default();
                tokens.into_iter().for_each(|(hash, token)| self.add(hash, Arc::new(token)));
                self.schemas = schemas.into_iter().map(|(name, schema)| (name, Arc::new(schema))).collect();
            }
            AccessUpdate::Token(_, Some((hash, token))) => self.add(hash, Arc::new(token)),
            AccessUpdate::Token(id, None) => self.remove(id),
            AccessUpdate::Schema(name, Some(schema)) => {
                self.schemas.insert(name, Arc::new(schema));
            }
            AccessUpdate::Schema(name, None) => {
                self.schemas.remove(&name);
            }
        }
    }

    /// One that was revoked opens nothing for ever: it is forgotten.
    fn add(&mut self, hash: TokenHash, token: Arc<TokenRecord>) {
        if token.revoked_at.is_some() {
            return self.remove(token.id);
        }
        self.hashes.insert(token.id, hash);
        self.tokens.insert(hash, token);
    }

    fn remove(&mut self, id: Uuid) {
        if let Some(hash) = self.hashes.remove(&id) {
            self.tokens.remove(&hash);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(id: u128, revoked_at: Option<Timestamp>) -> TokenRecord {
        TokenRecord {
            id: Uuid::from_u128(id),
            name: String::new(),
            scopes: Vec::new(),
            companies: None,
            created_at: Timestamp::UNIX_EPOCH,
            expires_at: None,
            revoked_at,
        }
    }

    fn known(access: &Access) -> Vec<u8> {
        let mut hashes: Vec<_> = access.read(|known| known.tokens.keys().map(|hash| hash.0[0]).collect());
        hashes.sort_unstable();
        hashes
    }

    #[test]
    fn what_is_told_is_known_and_what_is_revoked_is_not() {
        let access = Access::new();
        let hash = |byte| TokenHash([byte; 32]);
        let tokens = vec![(hash(1), token(1, None)), (hash(2), token(2, None))];
        access.change(|known| known.apply(AccessUpdate::All { tokens, schemas: HashMap::new() }));
        let revoked = token(1, Some(Timestamp::UNIX_EPOCH));
        access.change(|known| known.apply(AccessUpdate::Token(revoked.id, Some((hash(1), revoked)))));
        access.add(hash(3), Arc::new(token(3, None)));
        assert_eq!(known(&access), [2, 3]);
        access.remove(Uuid::from_u128(2));
        access.change(|known| known.apply(AccessUpdate::Token(Uuid::from_u128(3), None)));
        assert!(known(&access).is_empty());
    }
}
