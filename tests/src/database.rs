//! A database of a test's own, and the rows in it.

use std::sync::Arc;

use tokio::{sync::Mutex, task::JoinSet};
use tokio_postgres::{Client, NoTls, Row, types::ToSql};
use url::Url;
use uuid::Uuid;

/// A database that is made for one test.
pub struct Database {
    /// The URL that leads to it.
    pub url: String,
    server_url: String,
    name: String,
    connection: Mutex<Option<Connection>>,
}

struct Connection {
    client: Arc<Client>,
    _driver: JoinSet<()>,
}

/// The id of a webhook as Postgres has it: `whk_` and 32 hexadecimal digits stand for a UUID.
pub fn uuid_of(webhook_id: &str) -> Uuid {
    let digits = webhook_id.strip_prefix("whk_").unwrap_or_else(|| panic!("not a webhook id: {webhook_id}"));
    Uuid::try_parse(digits).unwrap_or_else(|_| panic!("not a webhook id: {webhook_id}"))
}

impl Database {
    /// Makes an empty database `name` on the server of `server_url`.
    pub async fn create(server_url: &str, name: &str) -> Self {
        let server = connect(server_url).await.expect("Postgres runs");
        server
            .client
            .batch_execute(&format!("CREATE DATABASE {name}"))
            .await
            .expect("a database can be made");
        Self::named(server_url, name)
    }

    /// The database `name`, which may not exist yet.
    pub fn named(server_url: &str, name: &str) -> Self {
        let mut url = Url::parse(server_url).expect("POSTHORN_DATABASE_URL is a URL");
        url.set_path(name);
        let (url, server_url) = (url.to_string(), server_url.to_owned());
        Self { url, server_url, name: name.to_owned(), connection: Mutex::new(None) }
    }

    /// The same database with a connection of its own.
    pub fn reopened(&self) -> Self {
        Self::named(&self.server_url, &self.name)
    }

    /// Runs a query, on a fresh connection if the last was lost.
    pub async fn query(&self, sql: &str, values: &[&(dyn ToSql + Sync)]) -> Vec<Row> {
        let rows = self.client().await.query(sql, values).await;
        rows.unwrap_or_else(|error| panic!("{sql}: {error:?}"))
    }

    /// Runs a query that answers one number.
    pub async fn count(&self, sql: &str, values: &[&(dyn ToSql + Sync)]) -> i64 {
        self.query(sql, values).await[0].get(0)
    }

    /// Runs statements that answer nothing.
    pub async fn execute(&self, sql: &str, values: &[&(dyn ToSql + Sync)]) {
        let done = self.client().await.execute(sql, values).await;
        done.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }

    /// Runs several statements without values.
    pub async fn script(&self, sql: &str) {
        let done = self.client().await.batch_execute(sql).await;
        done.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }

    /// The ids of all webhooks, also of deleted ones; none if there is no such table yet.
    pub async fn webhook_ids(&self) -> Vec<String> {
        if self.count("SELECT count(*) FROM pg_tables WHERE tablename = 'webhooks'", &[]).await == 0 {
            return Vec::new();
        }
        let rows = self.query("SELECT id FROM webhooks", &[]).await;
        rows.iter().map(|row| format!("whk_{}", row.get::<_, Uuid>(0).simple())).collect()
    }

    /// Drops the database, whoever is connected to it.
    pub async fn drop_it(&self) {
        let server = connect(&self.server_url).await.expect("Postgres runs");
        let drop = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        server.client.batch_execute(&drop).await.expect("the database can be dropped");
    }

    async fn client(&self) -> Arc<Client> {
        let mut connection = self.connection.lock().await;
        if connection.as_ref().is_none_or(|open| open.client.is_closed()) {
            *connection = Some(connect(&self.url).await.expect("Postgres runs"));
        }
        connection.as_ref().expect("it was opened above").client.clone()
    }
}

async fn connect(url: &str) -> Result<Connection, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    let mut driver = JoinSet::new();
    driver.spawn(async {
        let _ = connection.await;
    });
    Ok(Connection { client: Arc::new(client), _driver: driver })
}
