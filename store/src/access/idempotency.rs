//! Requests by their Idempotency-Key.

use posthorn_domain::keyring::Sealed;
use uuid::Uuid;

use crate::{error::StoreError, store::Access};

/// What is known of a key.
#[derive(Debug)]
pub enum Begun {
    /// Nothing: the request is the first, and may run.
    First,
    /// Its first request had another content.
    Different,
    /// Its first request runs, or its process fell.
    Running,
    /// Its first request was answered.
    Answered(Sealed),
}

impl Access {
    /// Takes a key for a request, unless it is taken. A key lives for 24 hours.
    ///
    /// # Errors
    /// If the database refuses or is gone.
    pub async fn begin_once(&self, token: Uuid, key: &str, fingerprint: &[u8]) -> Result<Begun, StoreError> {
        let task = "look the Idempotency-Key up";
        let client = self.pool.client().await?;
        let insert = "INSERT INTO idempotency_keys (token_id, key, fingerprint) VALUES ($1, $2, $3)
                      ON CONFLICT (token_id, key) DO UPDATE
                      SET fingerprint = excluded.fingerprint, created_at = now(), key_id = NULL, answer = NULL
                      WHERE idempotency_keys.created_at < now() - interval '24 hours'";
        let taken = client.execute(insert, &[&token, &key, &fingerprint]).await;
        if taken.map_err(StoreError::query(task))? == 1 {
            return Ok(Begun::First);
        }
        let query =
            "SELECT fingerprint, key_id, answer FROM idempotency_keys WHERE token_id = $1 AND key = $2";
        let row = client.query_opt(query, &[&token, &key]).await.map_err(StoreError::query(task))?;
        // Given up between the two: the next try takes it.
        let Some(row) = row else { return Ok(Begun::Running) };
        if row.get::<_, &[u8]>("fingerprint") != fingerprint {
            return Ok(Begun::Different);
        }
        Ok(match (row.get("key_id"), row.get("answer")) {
            (Some(key_id), Some(bytes)) => Begun::Answered(Sealed { key_id, bytes }),
            _ => Begun::Running,
        })
    }

    /// Keeps the answer of a key's first request.
    ///
    /// # Errors
    /// If the database refuses or is gone.
    pub async fn answer_once(&self, token: Uuid, key: &str, answer: &Sealed) -> Result<(), StoreError> {
        let update = "UPDATE idempotency_keys SET key_id = $3, answer = $4 WHERE token_id = $1 AND key = $2";
        let client = self.pool.client().await?;
        let kept = client.execute(update, &[&token, &key, &answer.key_id, &answer.bytes]).await;
        kept.map(|_| ()).map_err(StoreError::query("keep an answer"))
    }

    /// Gives a key up whose request has changed nothing.
    ///
    /// # Errors
    /// If the database refuses or is gone.
    pub async fn give_up_once(&self, token: Uuid, key: &str) -> Result<(), StoreError> {
        let delete = "DELETE FROM idempotency_keys WHERE token_id = $1 AND key = $2 AND answer IS NULL";
        let client = self.pool.client().await?;
        let given = client.execute(delete, &[&token, &key]).await;
        given.map(|_| ()).map_err(StoreError::query("give an Idempotency-Key up"))
    }
}
