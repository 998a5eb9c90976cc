//! Events that no router survives, as bytes: nothing else is safe to do with them.

use crate::{
    names::Names,
    raw::{Raw, RawError, RawMessage},
};

/// The quarantine, looked through from the oldest. What was looked at and neither dropped nor released goes
/// back when it is closed.
pub struct Quarantine {
    raw: Raw,
    names: Names,
}

/// An event in quarantine.
#[derive(Debug, Clone)]
pub struct Quarantined(RawMessage);

impl Quarantine {
    /// Connects to the installation whose names begin with `prefix`.
    ///
    /// # Errors
    /// If the broker refuses or cannot be reached.
    pub async fn open(url: &str, prefix: &str) -> Result<Self, RawError> {
        Ok(Self { raw: Raw::connect(url).await?, names: Names::new(prefix) })
    }

    /// The next event.
    ///
    /// # Errors
    /// If the broker refuses or is gone.
    pub async fn next(&mut self) -> Result<Option<Quarantined>, RawError> {
        Ok(self.raw.get(&self.names.quarantine()).await?.map(Quarantined))
    }

    /// Drops an event for good.
    ///
    /// # Errors
    /// If the broker is gone.
    pub async fn discard(&mut self, event: &Quarantined) -> Result<(), RawError> {
        self.raw.ack(event.0.tag).await
    }

    /// Gives an event back to the routers, which try it alone.
    ///
    /// # Errors
    /// If the broker refuses or is gone, or no router has declared its queues.
    pub async fn release(&mut self, event: &Quarantined) -> Result<(), RawError> {
        let RawMessage { tag, routing_key, properties, body } = &event.0;
        self.raw.publish(&self.names.suspect_events(), routing_key, properties, body).await?;
        self.raw.ack(*tag).await
    }

    /// Ends the connection: all that was done has arrived.
    ///
    /// # Errors
    /// If the broker is gone.
    pub async fn close(self) -> Result<(), RawError> {
        self.raw.close().await
    }
}

impl Quarantined {
    /// Its routing key.
    pub fn routing_key(&self) -> &[u8] {
        &self.0.routing_key
    }

    /// Its properties: their flags, then the properties themselves. The broker changes them each time that
    /// it hands the message out.
    pub fn properties(&self) -> &[u8] {
        &self.0.properties
    }

    /// The payload.
    pub fn body(&self) -> &[u8] {
        &self.0.body
    }
}
