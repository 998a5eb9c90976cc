//! A system under load: the ceiling or Posthorn.

use lapin::Channel;

use crate::{
    ceiling::Ceiling,
    entrance::Entrance,
    installation::{Installation, Started},
    receiver::Receiver,
    servers::{Servers, waiting},
    setup::{Kind, Setup},
    usage::Watched,
};

/// A system with its webhooks, whether it runs or not.
pub(crate) enum System {
    Ceiling(Box<Ceiling>),
    Posthorn(Box<Installation>),
}

impl System {
    pub(crate) async fn prepare(
        servers: &Servers,
        setup: &Setup,
        receiver: &Receiver,
    ) -> anyhow::Result<Self> {
        Ok(match setup.kind {
            Kind::Ceiling => Self::Ceiling(Box::new(Ceiling::prepare(servers, setup, receiver.hosts).await?)),
            Kind::Posthorn => {
                Self::Posthorn(Box::new(Installation::prepare(servers, setup, receiver.hosts).await?))
            }
        })
    }

    pub(crate) fn entrance(&self) -> Entrance {
        match self {
            Self::Ceiling(ceiling) => ceiling.entrance(),
            Self::Posthorn(installation) => installation.entrance(),
        }
    }

    /// Starts all of it.
    pub(crate) async fn start(&mut self) -> anyhow::Result<Vec<Started>> {
        match self {
            Self::Ceiling(ceiling) => ceiling.start(true, true).await.map(|()| Vec::new()),
            Self::Posthorn(installation) => {
                let dispatchers = installation.dispatchers();
                installation.start(&[vec!["router", "recorder"], dispatchers].concat()).await
            }
        }
    }

    /// Starts what routes.
    pub(crate) async fn start_routing(&mut self) -> anyhow::Result<()> {
        match self {
            Self::Ceiling(ceiling) => ceiling.start(true, false).await,
            Self::Posthorn(installation) => installation.start(&["router", "recorder"]).await.map(|_| ()),
        }
    }

    /// Starts what delivers.
    pub(crate) async fn start_delivering(&mut self) -> anyhow::Result<()> {
        match self {
            Self::Ceiling(ceiling) => ceiling.start(false, true).await,
            Self::Posthorn(installation) => {
                let dispatchers = installation.dispatchers();
                installation.start(&dispatchers).await.map(|_| ())
            }
        }
    }

    /// The processes besides the servers and this one.
    pub(crate) fn processes(&self) -> Vec<Watched> {
        match self {
            Self::Ceiling(ceiling) => ceiling.processes(),
            Self::Posthorn(installation) => installation.processes(),
        }
    }

    /// How many deliveries wait for those who make them.
    pub(crate) async fn routed(&self, channel: &Channel) -> anyhow::Result<usize> {
        match self {
            Self::Ceiling(ceiling) => waiting(channel, &ceiling.queues()).await,
            Self::Posthorn(installation) => installation.routed().await,
        }
    }

    /// Transactions that Postgres has committed for it.
    pub(crate) async fn commits(&self) -> anyhow::Result<i64> {
        match self {
            Self::Ceiling(_) => Ok(0),
            Self::Posthorn(installation) => installation.commits().await,
        }
    }

    pub(crate) async fn stop(&mut self) -> anyhow::Result<()> {
        match self {
            Self::Ceiling(ceiling) => ceiling.stop().await,
            Self::Posthorn(installation) => {
                installation.stop().await;
                Ok(())
            }
        }
    }

    /// Removes what it has in the servers.
    pub(crate) async fn remove(mut self) -> anyhow::Result<()> {
        self.stop().await?;
        match self {
            Self::Ceiling(ceiling) => ceiling.remove().await,
            Self::Posthorn(installation) => installation.remove().await,
        }
    }
}
