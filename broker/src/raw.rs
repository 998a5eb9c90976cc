//! A plain AMQP 0-9-1 client for messages that lapin cannot read, or cannot write: it takes routing keys
//! and properties for bytes, and passes them on as they came. One message at a time, for operators and
//! tests.

mod error;
mod link;
mod wire;

use std::str::FromStr;

use lapin::uri::AMQPUri;

pub use error::RawError;

use link::{Frame, Link};
use wire::{Reader, Writer};

/// A message as it lies in a queue.
#[derive(Debug, Clone)]
pub struct RawMessage {
    /// With which it is acknowledged.
    pub tag: u64,
    /// Its routing key.
    pub routing_key: Vec<u8>,
    /// Its properties: their flags, then the properties themselves.
    pub properties: Vec<u8>,
    /// The payload.
    pub body: Vec<u8>,
}

/// A connection with one channel, in confirm mode.
pub struct Raw {
    link: Link,
}

const CHANNEL: u16 = 1;

impl Raw {
    /// Connects and opens the channel.
    ///
    /// # Errors
    /// If the broker refuses or cannot be reached.
    pub async fn connect(url: &str) -> Result<Self, RawError> {
        let url = AMQPUri::from_str(url).map_err(|_| RawError::BadUrl)?;
        let mut link = Link::open(&url).await?;
        let user = &url.authority.userinfo;
        let plain = [b"\0", user.username.as_bytes(), b"\0", user.password.as_bytes()].concat();
        link.method(0, (10, 10)).await?;
        let start = Writer::method(10, 11).table(&[]).short(b"PLAIN").long(&plain).short(b"en_US");
        link.send(0, start).await?;
        let mut tune = link.method(0, (10, 30)).await?;
        let (channels, frame_max) = (tune.u16()?, tune.u32()?);
        link.frame_max = frame_max;
        link.send(0, Writer::method(10, 31).u16(channels).u32(frame_max).u16(0)).await?;
        let vhost = if url.vhost.is_empty() { "/" } else { &url.vhost };
        link.send(0, Writer::method(10, 40).short(vhost.as_bytes()).short(b"").u8(0)).await?;
        link.method(0, (10, 41)).await?;
        link.send(CHANNEL, Writer::method(20, 10).short(b"")).await?;
        link.method(CHANNEL, (20, 11)).await?;
        link.send(CHANNEL, Writer::method(85, 10).u8(0)).await?;
        link.method(CHANNEL, (85, 11)).await?;
        Ok(Self { link })
    }

    /// The next message of a queue, which stays there unless it is acknowledged before the connection ends.
    ///
    /// # Errors
    /// If the broker refuses or is gone.
    pub async fn get(&mut self, queue: &str) -> Result<Option<RawMessage>, RawError> {
        self.link.send(CHANNEL, Writer::method(60, 70).u16(0).short(queue.as_bytes()).u8(0)).await?;
        let (method, mut got) = self.link.any_method(CHANNEL).await?;
        match method {
            (60, 72) => return Ok(None),
            (60, 71) => {}
            _ => return Err(RawError::Unexpected("no answer to basic.get")),
        }
        let tag = got.u64()?;
        got.u8()?;
        got.short()?;
        let routing_key = got.short()?;
        let (properties, body) = self.content().await?;
        Ok(Some(RawMessage { tag, routing_key, properties, body }))
    }

    /// Removes a message from its queue.
    ///
    /// # Errors
    /// If the broker is gone.
    pub async fn ack(&mut self, tag: u64) -> Result<(), RawError> {
        self.link.send(CHANNEL, Writer::method(60, 80).u64(tag).u8(0)).await
    }

    /// Publishes a message and waits until the broker has it safely. `properties` are their flags, then the
    /// properties themselves.
    ///
    /// # Errors
    /// If the broker refuses or is gone, or no queue takes the message.
    pub async fn publish(
        &mut self,
        exchange: &str,
        routing_key: &[u8],
        properties: &[u8],
        body: &[u8],
    ) -> Result<(), RawError> {
        const MANDATORY: u8 = 1;
        let publish =
            Writer::method(60, 40).u16(0).short(exchange.as_bytes()).short(routing_key).u8(MANDATORY);
        self.link.send(CHANNEL, publish).await?;
        let header = Writer::default().u16(60).u16(0).u64(body.len() as u64).bytes(properties);
        self.link.send_frame(Frame::HEADER, CHANNEL, &header.0).await?;
        let most = if self.link.frame_max == 0 { 128 << 10 } else { self.link.frame_max as usize - 8 };
        for chunk in body.chunks(most) {
            self.link.send_frame(Frame::BODY, CHANNEL, chunk).await?;
        }
        match self.link.any_method(CHANNEL).await?.0 {
            (60, 80) => Ok(()),
            (60, 50) => {
                self.content().await?;
                self.link.method(CHANNEL, (60, 80)).await?;
                Err(RawError::Unroutable(exchange.to_owned()))
            }
            (60, 120) => Err(RawError::Refused("it did not take the message (basic.nack)".to_owned())),
            _ => Err(RawError::Unexpected("no confirm")),
        }
    }

    /// Ends the connection: all that was sent has arrived, and what was not acknowledged is back.
    ///
    /// # Errors
    /// If the broker is gone.
    pub async fn close(mut self) -> Result<(), RawError> {
        self.link.send(0, Writer::method(10, 50).u16(200).short(b"bye").u16(0).u16(0)).await?;
        self.link.method(0, (10, 51)).await.map(|_| ())
    }

    async fn content(&mut self) -> Result<(Vec<u8>, Vec<u8>), RawError> {
        let frame = self.link.frame().await?;
        if frame.kind != Frame::HEADER {
            return Err(RawError::Unexpected("no content header"));
        }
        let mut header = Reader::new(frame.payload);
        header.u32()?;
        let size = header.u64()?;
        let mut body = Vec::new();
        while (body.len() as u64) < size {
            let frame = self.link.frame().await?;
            if frame.kind != Frame::BODY {
                return Err(RawError::Unexpected("no body"));
            }
            body.extend(frame.payload);
        }
        Ok((header.rest(), body))
    }
}
