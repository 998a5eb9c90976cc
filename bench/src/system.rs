//! A system under load: the ceiling or Posthorn.

use anyhow::Context;
use futures_util::future::try_join_all;
use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties, options::QueueDeclareOptions,
    types::FieldTable,
};
use posthorn_proto::{CONTENT_TYPE, EVENT_TYPE};
use posthorn_publisher::confirm::Publication;

use crate::{
    ceiling::Ceiling,
    event,
    installation::{Installation, Started},
    receiver::Receiver,
    setup::{Kind, Setup},
    tally::Tally,
    usage::Watched,
};

/// The servers to run on.
#[derive(Debug, Clone)]
pub(crate) struct Servers {
    pub(crate) amqp_url: String,
    pub(crate) database_url: String,
    /// The `posthorn` binary.
    pub(crate) binary: std::path::PathBuf,
    /// The servers' processes, where they are known.
    pub(crate) watched: Vec<Watched>,
}

/// Where events go in.
#[derive(Debug, Clone)]
pub(crate) struct Entrance {
    pub(crate) exchange: String,
    pub(crate) routing_key: String,
}

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

impl Entrance {
    /// An event as a message for this system.
    pub(crate) fn publication(&self, tally: &Tally, number: u64, due: u64) -> Publication {
        let id = event::id(tally.run, number);
        let data = event::data(due, tally.setup.payload);
        let body = match tally.setup.kind {
            Kind::Ceiling => data.into(),
            Kind::Posthorn => {
                let group = tally.setup.group_of_event(number);
                event::message(&id, tally.setup.company(group), &project(group), data)
            }
        };
        let properties = BasicProperties::default()
            .with_delivery_mode(2)
            .with_content_type(CONTENT_TYPE.into())
            .with_type(EVENT_TYPE.into())
            .with_message_id(id.into());
        Publication {
            exchange: self.exchange.clone().into(),
            routing_key: self.routing_key.clone().into(),
            properties,
            body,
            mandatory: true,
        }
    }
}

/// The project of a group.
pub(crate) fn project(group: usize) -> String {
    format!("project-{group}")
}

pub(crate) async fn connect(amqp_url: &str, name: &str) -> anyhow::Result<Connection> {
    let properties = ConnectionProperties::default().with_connection_name(name.into());
    Connection::connect(amqp_url, properties).await.context("cannot connect to RabbitMQ")
}

/// How many messages wait in these queues.
async fn waiting(channel: &Channel, queues: &[String]) -> anyhow::Result<usize> {
    let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::durable() };
    let mut sum = 0;
    for chunk in queues.chunks(100) {
        let asked = chunk
            .iter()
            .map(|queue| channel.queue_declare(queue.as_str().into(), options, FieldTable::default()));
        let found = try_join_all(asked).await?;
        sum += found.iter().map(|queue| queue.message_count() as usize).sum::<usize>();
    }
    Ok(sum)
}

/// Deletes queues, many at a time.
pub(crate) async fn delete_queues(channel: &Channel, queues: Vec<String>) -> anyhow::Result<()> {
    for chunk in queues.chunks(100) {
        let deleting =
            chunk.iter().map(|queue| channel.queue_delete(queue.as_str().into(), Default::default()));
        try_join_all(deleting).await?;
    }
    Ok(())
}
