//! Use cases without the management API: by an operator who has the right to the database.

use std::sync::Arc;

use posthorn_broker::Client;
use posthorn_domain::{address::AddressPolicy, keyring::KeyRing};
use posthorn_manage::{
    Error, Manage, May, Needs, PageOf, Parts, Principal, Settings, Shared,
    fields::{fields, read},
};
use posthorn_matching::rule::Limits;
use posthorn_store::Store;
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    client::Listed,
    settings::{BrokerSettings, DatabaseSettings},
};

/// What the use cases need, besides PostgreSQL.
#[derive(Default)]
pub(crate) struct Needed<'a> {
    /// RabbitMQ, to tell what waits.
    pub(crate) broker: Option<&'a BrokerSettings>,
    /// The keys of secrets.
    pub(crate) keys: Option<KeyRing>,
    /// Which addresses webhooks may have.
    pub(crate) addresses: AddressPolicy,
    /// How large rules may be.
    pub(crate) limits: Limits,
}

/// The use cases on a database.
pub(crate) fn manage(database: &DatabaseSettings, needed: Needed<'_>) -> anyhow::Result<Shared> {
    let Needed { broker, keys, addresses, limits } = needed;
    let client =
        |broker: &BrokerSettings| anyhow::Ok(Arc::new(Client::new(broker.url()?, broker.prefix.clone())));
    let parts = Parts {
        store: Store::new(&database.url()?, 1)?,
        client: broker.map(client).transpose()?,
        keys,
        receivers: None,
    };
    Ok(Manage::new(parts, Settings::of_command(addresses, limits)))
}

/// The operator's right to what needs the scope `N`.
pub(crate) fn operator<N: Needs>() -> Result<May<N>, Error> {
    Principal::command_line().may()
}

/// All rows of a list, page by page.
pub(crate) async fn all<T: Serialize>(
    mut page: impl AsyncFnMut(Option<String>) -> Result<PageOf<T>, Error>,
) -> anyhow::Result<Listed> {
    let mut listed = Listed::default();
    let mut cursor = None;
    loop {
        let PageOf { data, next_cursor } = page(cursor).await?;
        listed.extend(&data)?;
        if next_cursor.is_none() {
            return Ok(listed);
        }
        cursor = next_cursor;
    }
}

/// Reads what a use case is asked for, as the API would.
pub(crate) fn input<T: DeserializeOwned>(body: &str) -> Result<T, Error> {
    read(&fields(body.as_bytes())?).map_err(Error::invalid)
}
