//! `posthorn webhook add`.

use posthorn_manage::{Once, webhooks};

use super::Add;
use crate::{
    client::Answer,
    commands::database::{self, Needed, operator},
};

impl Add {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let body = self.described.body(&self.url)?;
        let answer = match self.common.access.client()? {
            Some(api) => api.post(&["v1", "webhooks"], body).await?,
            None => self.insert(&body).await?,
        };
        self.common.print(&answer)
    }

    async fn insert(&self, body: &str) -> anyhow::Result<Answer> {
        let needed = Needed {
            broker: None,
            keys: Some(self.common.keys.ring()?),
            addresses: self.addresses.policy(),
            limits: self.filters.limits(),
        };
        let (manage, by) = (database::manage(&self.common.database, needed)?, operator()?);
        let made = webhooks::create(&manage, &by, Once::default(), database::input(body)?).await?;
        Answer::of(&made.value.view)
    }
}
