//! What the ceiling's process does: move events to the webhooks' queues, post them, acknowledge in runs.

use std::collections::VecDeque;

use bytes::Bytes;
use futures_util::{
    FutureExt, StreamExt,
    future::try_join_all,
    stream::{FuturesUnordered, SelectAll},
};
use http_body_util::{BodyExt, Full};
use hyper::{Request, header::CONTENT_TYPE};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use lapin::{
    BasicProperties, Channel, Connection, Consumer,
    message::Delivery,
    options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions},
    types::FieldTable,
};
use posthorn_publisher::confirm::{ConfirmChannel, Publication};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use crate::{
    event,
    receiver::Hosts,
    servers::connect,
    setup::{IN_FLIGHT, Setup},
};

const MOVER_PREFETCH: u16 = 1000;
const MOST_UNCONFIRMED: usize = 4000;
const CHANNELS: usize = 8;
/// What the process prints when it consumes.
pub(crate) const READY: &str = "ready";

/// What a process of the ceiling is to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) setup: Setup,
    pub(crate) prefix: String,
    /// The receiver's.
    pub(crate) port: u16,
    pub(crate) moves: bool,
    pub(crate) posts: bool,
}

impl Order {
    /// The queue where events come in.
    pub(crate) fn events(&self) -> String {
        format!("{}.events", self.prefix)
    }

    pub(crate) fn queues(&self) -> Vec<String> {
        (0..self.setup.webhooks).map(|webhook| self.queue(webhook)).collect()
    }

    fn queue(&self, webhook: usize) -> String {
        format!("{}.webhook.{webhook}", self.prefix)
    }

    /// Does it until something fails or the process is killed.
    pub(crate) async fn carry_out(&self, amqp_url: &str) -> anyhow::Result<()> {
        let mut running = JoinSet::new();
        let consuming = connect(amqp_url, "ceiling consuming").await?;
        let publishing = connect(amqp_url, "ceiling publishing").await?;
        if self.moves {
            let channel = consuming.create_channel().await?;
            let source = consume(&channel, &self.events(), MOVER_PREFETCH).await?;
            let publisher = ConfirmChannel::open(&publishing).await?;
            let (setup, queues) = (self.setup.clone(), self.queues());
            running.spawn(async move { move_events(&setup, &queues, channel, source, publisher).await });
        }
        if self.posts {
            self.post(&consuming, &mut running).await?;
        }
        println!("{READY}");
        while let Some(ended) = running.join_next().await {
            ended??;
        }
        Ok(())
    }

    async fn post(
        &self,
        connection: &Connection,
        running: &mut JoinSet<anyhow::Result<()>>,
    ) -> anyhow::Result<()> {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new()).build(connector);
        for position in 0..CHANNELS.min(self.setup.webhooks) {
            let channel = connection.create_channel().await?;
            let webhooks = (position..self.setup.webhooks).step_by(CHANNELS);
            let queues: Vec<_> = webhooks.map(|webhook| self.queue(webhook)).collect();
            let mut sources = SelectAll::new();
            for chunk in queues.chunks(100) {
                let consuming = chunk.iter().map(|queue| consume(&channel, queue, IN_FLIGHT));
                sources.extend(try_join_all(consuming).await?);
            }
            running.spawn(post_events(client.clone(), Hosts { port: self.port }, channel, sources));
        }
        Ok(())
    }
}

async fn consume(channel: &Channel, queue: &str, prefetch: u16) -> lapin::Result<Consumer> {
    channel.basic_qos(prefetch, BasicQosOptions { global: false }).await?;
    channel
        .basic_consume(queue.into(), "".into(), BasicConsumeOptions::default(), FieldTable::default())
        .await
}

/// What is unfinished of each message of a channel, whose tags count from 1.
struct Unfinished {
    first: u64,
    left: VecDeque<usize>,
}

impl Unfinished {
    fn new() -> Self {
        Self { first: 1, left: VecDeque::new() }
    }

    /// Tags of several consumers come in any order.
    fn received(&mut self, tag: u64, parts: usize) {
        let position = (tag - self.first) as usize;
        if self.left.len() <= position {
            self.left.resize(position + 1, usize::MAX);
        }
        self.left[position] = parts;
    }

    fn finish_part(&mut self, tag: u64) {
        self.left[(tag - self.first) as usize] -= 1;
    }

    /// The last tag of the finished run at the front, if there is one.
    fn run(&mut self) -> Option<u64> {
        let before = self.first;
        while self.left.front() == Some(&0) {
            self.left.pop_front();
            self.first += 1;
        }
        (self.first > before).then_some(self.first - 1)
    }

    async fn acknowledge(&mut self, channel: &Channel) -> lapin::Result<()> {
        match self.run() {
            Some(tag) => channel.basic_ack(tag, BasicAckOptions { multiple: true }).await.map(|_| ()),
            None => Ok(()),
        }
    }
}

async fn move_events(
    setup: &Setup,
    queues: &[String],
    channel: Channel,
    mut source: Consumer,
    mut publisher: ConfirmChannel<u64>,
) -> anyhow::Result<()> {
    let mut unfinished = Unfinished::new();
    loop {
        tokio::select! {
            next = source.next(), if publisher.in_flight() < MOST_UNCONFIRMED => {
                let mut next = next;
                while let Some(delivery) = next.transpose()? {
                    unfinished.received(delivery.delivery_tag, setup.fan_out);
                    move_event(setup, queues, delivery, &publisher);
                    next = match publisher.in_flight() < MOST_UNCONFIRMED {
                        true => source.next().now_or_never().flatten(),
                        false => None,
                    };
                }
            }
            confirmed = publisher.confirmed(), if publisher.in_flight() > 0 => {
                confirmed?.into_iter().for_each(|tag| unfinished.finish_part(tag));
                unfinished.acknowledge(&channel).await?;
            }
        }
    }
}

fn move_event(setup: &Setup, queues: &[String], delivery: Delivery, publisher: &ConfirmChannel<u64>) {
    let id = delivery.properties.message_id().clone().unwrap_or_default();
    let number = event::read_id(id.as_str()).map_or(0, |(_, number)| number);
    let body = Bytes::from(delivery.data);
    for webhook in setup.members(setup.group_of_event(number)) {
        let publication = Publication {
            exchange: "".into(),
            routing_key: queues[webhook].as_str().into(),
            properties: BasicProperties::default().with_delivery_mode(2).with_message_id(id.clone()),
            body: body.clone(),
            mandatory: false,
        };
        publisher.publish(publication, delivery.delivery_tag);
    }
}

async fn post_events(
    client: Client<HttpConnector, Full<Bytes>>,
    receiver: Hosts,
    channel: Channel,
    mut sources: SelectAll<Consumer>,
) -> anyhow::Result<()> {
    let mut unfinished = Unfinished::new();
    let mut posts = FuturesUnordered::new();
    loop {
        tokio::select! {
            Some(delivery) = sources.next() => {
                let delivery = delivery?;
                unfinished.received(delivery.delivery_tag, 1);
                posts.push(post(&client, receiver, delivery));
            }
            Some(tag) = posts.next(), if !posts.is_empty() => {
                unfinished.finish_part(tag?);
                while let Some(Some(tag)) = posts.next().now_or_never() {
                    unfinished.finish_part(tag?);
                }
                unfinished.acknowledge(&channel).await?;
            }
        }
    }
}

async fn post(
    client: &Client<HttpConnector, Full<Bytes>>,
    receiver: Hosts,
    delivery: Delivery,
) -> anyhow::Result<u64> {
    let id = delivery.properties.message_id().clone().unwrap_or_default();
    let webhook = delivery.routing_key.as_str().rsplit_once('.').and_then(|(_, number)| number.parse().ok());
    let url = format!("http://{}/accept", receiver.of(webhook.unwrap_or_default()));
    let request = Request::post(url)
        .header(CONTENT_TYPE, "application/json")
        .header("webhook-id", id.as_str())
        .body(Full::new(Bytes::from(delivery.data)))?;
    let response = client.request(request).await?;
    anyhow::ensure!(response.status().is_success(), "the receiver answered {}", response.status());
    response.into_body().collect().await?;
    Ok(delivery.delivery_tag)
}
