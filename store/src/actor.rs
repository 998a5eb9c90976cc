//! Who makes a change: what the audit log says of it.

use deadpool_postgres::{Object, Transaction};
use serde_json::json;
use tokio_postgres::Error;
use uuid::Uuid;

/// Who makes a change, and what it is called.
#[derive(Debug, Clone)]
pub struct Actor {
    /// The token of the API that was used.
    pub token_id: Option<Uuid>,
    /// Its name, or who else it is.
    pub name: String,
    /// The id of the request.
    pub request_id: Option<String>,
    /// What is done, such as `webhook.pause`.
    pub action: &'static str,
}

impl Actor {
    /// Someone who runs a command.
    pub fn command(action: &'static str) -> Self {
        Self { token_id: None, name: "command line".to_owned(), request_id: None, action }
    }

    /// Begins a transaction whose changes the audit log ascribes to the actor.
    pub(crate) async fn begin<'a>(&self, client: &'a mut Object) -> Result<Transaction<'a>, Error> {
        let transaction = client.transaction().await?;
        let actor = json!({
            "token_id": self.token_id,
            "name": self.name,
            "request_id": self.request_id,
            "action": self.action,
        });
        let set = "SELECT set_config('posthorn.actor', $1, true)";
        transaction.execute(set, &[&actor.to_string()]).await?;
        Ok(transaction)
    }
}
