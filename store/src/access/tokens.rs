//! Tokens of the management API.

use jiff::Timestamp;
use posthorn_domain::{
    token::{Scope, TokenHash},
    words::UnknownWord,
};
use tokio_postgres::Row;
use uuid::Uuid;

use crate::{actor::Actor, error::StoreError, store::Access};

/// A token as it is made.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// Its id: a fresh UUIDv7.
    pub id: Uuid,
    /// What people call it.
    pub name: String,
    /// What stands for it.
    pub hash: TokenHash,
    /// What it allows.
    pub scopes: Vec<Scope>,
    /// The companies that it sees; `None` for all.
    pub companies: Option<Vec<String>>,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
}

/// A token as people look at it.
#[derive(Debug, Clone)]
pub struct TokenRecord {
    /// Its id.
    pub id: Uuid,
    /// What people call it.
    pub name: String,
    /// What it allows.
    pub scopes: Vec<Scope>,
    /// The companies that it sees; `None` for all.
    pub companies: Option<Vec<String>>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

impl TokenRecord {
    /// Whether it still opens anything.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|at| now < at)
    }
}

/// The columns of [`read_with_hash`].
pub(crate) const SELECT_WITH_HASH: &str =
    "SELECT id, name, scopes, companies, created_at, expires_at, revoked_at, hash FROM tokens";

const SELECT: &str = "SELECT id, name, scopes, companies, created_at, expires_at, revoked_at FROM tokens";

impl Access {
    /// Makes a token.
    ///
    /// # Errors
    /// If the database refuses or is gone.
    pub async fn add_token(&self, token: &NewToken, actor: &Actor) -> Result<TokenRecord, StoreError> {
        let mut client = self.pool.client().await?;
        let added = async {
            let transaction = actor.begin(&mut client).await?;
            let insert = "INSERT INTO tokens (id, name, hash, scopes, companies, expires_at)
                          VALUES ($1, $2, $3, $4, $5, $6)
                          RETURNING id, name, scopes, companies, created_at, expires_at, revoked_at";
            let NewToken { id, name, hash, scopes, companies, expires_at } = token;
            let (hash, scopes): (&[u8], Vec<_>) =
                (&hash.0, scopes.iter().map(|scope| scope.label()).collect());
            let row =
                transaction.query_one(insert, &[id, name, &hash, &scopes, companies, expires_at]).await?;
            transaction.commit().await?;
            Ok(read(&row))
        };
        added.await.map_err(StoreError::query("add the token"))
    }

    /// The token that this stands for, if there is one.
    ///
    /// # Errors
    /// If the database refuses or is gone.
    pub async fn token_with(&self, hash: &TokenHash) -> Result<Option<TokenRecord>, StoreError> {
        let client = self.pool.client().await?;
        let task = "look the token up";
        let query = format!("{SELECT} WHERE hash = $1");
        let statement = client.prepare_cached(&query).await.map_err(StoreError::query(task))?;
        let row = client.query_opt(&statement, &[&&hash.0[..]]).await;
        Ok(row.map_err(StoreError::query(task))?.as_ref().map(read))
    }

    /// One token.
    ///
    /// # Errors
    /// If the database refuses or is gone.
    pub async fn token(&self, id: Uuid) -> Result<Option<TokenRecord>, StoreError> {
        let client = self.pool.client().await?;
        let row = client.query_opt(&format!("{SELECT} WHERE id = $1"), &[&id]).await;
        Ok(row.map_err(StoreError::query("look the token up"))?.as_ref().map(read))
    }

    /// Tokens after `after`, the oldest first, at most `limit`.
    ///
    /// # Errors
    /// If the database refuses or is gone.
    pub async fn tokens(&self, after: Option<Uuid>, limit: i64) -> Result<Vec<TokenRecord>, StoreError> {
        let query = format!("{SELECT} WHERE $1::uuid IS NULL OR id > $1 ORDER BY id LIMIT $2");
        let client = self.pool.client().await?;
        let rows = client.query(&query, &[&after, &limit]).await;
        Ok(rows.map_err(StoreError::query("list the tokens"))?.iter().map(read).collect())
    }

    /// Ends a token, for ever. One that is revoked stays as it is. `None` if there is no such token.
    ///
    /// # Errors
    /// If the database refuses or is gone.
    pub async fn revoke_token(&self, id: Uuid, actor: &Actor) -> Result<Option<TokenRecord>, StoreError> {
        let mut client = self.pool.client().await?;
        let revoked = async {
            let transaction = actor.begin(&mut client).await?;
            let update = "UPDATE tokens SET revoked_at = now() WHERE id = $1 AND revoked_at IS NULL";
            transaction.execute(update, &[&id]).await?;
            transaction.commit().await
        };
        revoked.await.map_err(StoreError::query("revoke the token"))?;
        drop(client);
        self.token(id).await
    }
}

/// With what stands for it.
pub(crate) fn read_with_hash(row: &Row) -> (TokenHash, TokenRecord) {
    // SHA-256, as everyone writes it; another length is the hash of no token.
    let hash = row.get::<_, &[u8]>("hash").try_into().unwrap_or_default();
    (TokenHash(hash), read(row))
}

/// The table's constraints let only known scopes in; one of a later version allows nothing here.
fn read(row: &Row) -> TokenRecord {
    let (id, scopes): (Uuid, Vec<&str>) = (row.get("id"), row.get("scopes"));
    let known = |scope: &&str| {
        let scope = scope.parse();
        scope.map_err(|unknown: UnknownWord| tracing::error!(token.id = %id, "a token's scope allows nothing: {unknown}")).ok()
    };
    TokenRecord {
        id,
        name: row.get("name"),
        scopes: scopes.iter().filter_map(known).collect(),
        companies: row.get("companies"),
        created_at: row.get("created_at"),
        expires_at: row.get("expires_at"),
        revoked_at: row.get("revoked_at"),
    }
}
