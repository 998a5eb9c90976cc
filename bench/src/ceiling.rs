//! The ceiling: what the broker allows with as little as possible around it.
//!
//! Published events are moved to the webhooks' queues, posted, and acknowledged in runs. Nothing is
//! matched, signed, retried, recorded or remembered; a failure ends the run.

use std::process::Stdio;

use anyhow::{Context, ensure};
use futures_util::future::try_join_all;
use lapin::{
    Channel, Connection,
    options::QueueDeclareOptions,
    types::{AMQPValue, FieldTable},
};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

use crate::{
    entrance::Entrance,
    mover::{Order, READY},
    receiver::Hosts,
    servers::{Servers, connect, delete_queues},
    setup::{QueueType, Setup},
    usage::Watched,
};

pub(crate) struct Ceiling {
    order: Order,
    amqp_url: String,
    admin: Connection,
    running: Vec<Child>,
}

impl Ceiling {
    pub(crate) async fn prepare(servers: &Servers, setup: &Setup, receiver: Hosts) -> anyhow::Result<Self> {
        let admin = connect(&servers.amqp_url, "ceiling admin").await?;
        let prefix = format!("ceiling-{}", uuid::Uuid::now_v7().simple());
        let order = Order { setup: setup.clone(), prefix, port: receiver.port, moves: false, posts: false };
        let channel = admin.create_channel().await?;
        declare(&channel, &order.events(), QueueType::Quorum).await?;
        for chunk in order.queues().chunks(100) {
            try_join_all(chunk.iter().map(|queue| declare(&channel, queue, setup.queue_type))).await?;
        }
        Ok(Self { order, amqp_url: servers.amqp_url.clone(), admin, running: Vec::new() })
    }

    /// The default exchange routes to the queue that the key names.
    pub(crate) fn entrance(&self) -> Entrance {
        Entrance { exchange: String::new(), routing_key: self.order.events() }
    }

    pub(crate) fn queues(&self) -> Vec<String> {
        self.order.queues()
    }

    pub(crate) fn processes(&self) -> Vec<Watched> {
        let watched = |pid| Watched { name: "ceiling".to_owned(), pid, with_children: false };
        self.running.iter().filter_map(Child::id).map(watched).collect()
    }

    /// Starts a process that moves events, posts them, or both.
    pub(crate) async fn start(&mut self, moves: bool, posts: bool) -> anyhow::Result<()> {
        let order = Order { moves, posts, ..self.order.clone() };
        let mut child = Command::new(std::env::current_exe()?)
            .arg("--ceiling")
            .arg(serde_json::to_string(&order)?)
            .env("POSTHORN_AMQP_URL", &self.amqp_url)
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let said = child.stdout.take().context("its output is a pipe")?;
        self.running.push(child);
        let ready = BufReader::new(said).lines().next_line().await?;
        ensure!(ready.as_deref() == Some(READY), "the ceiling's process has failed");
        Ok(())
    }

    /// Stops; tells if it has failed before.
    pub(crate) async fn stop(&mut self) -> anyhow::Result<()> {
        for mut child in self.running.drain(..) {
            ensure!(child.try_wait()?.is_none(), "the ceiling's process has failed");
            child.kill().await?;
        }
        Ok(())
    }

    pub(crate) async fn remove(self) -> anyhow::Result<()> {
        let channel = self.admin.create_channel().await?;
        delete_queues(&channel, [self.queues(), vec![self.order.events()]].concat()).await
    }
}

async fn declare(channel: &Channel, queue: &str, queue_type: QueueType) -> lapin::Result<()> {
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString(queue_type.name().into()));
    channel.queue_declare(queue.into(), QueueDeclareOptions::durable(), arguments).await.map(|_| ())
}
