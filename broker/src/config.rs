//! Who connects to which broker, and what is declared there.

use std::{fmt, str::FromStr, time::Duration};

/// Bytes of a frame. lapin makes room for 64 of them on each connection.
const FRAME_MAX: u32 = 16 << 10;
/// The same where messages of services come in. Their headers lie in one frame each, as large as the
/// broker takes from a publisher: 128 KiB if it is not told otherwise.
const PUBLISHERS_FRAME_MAX: u32 = 1 << 20;

/// Who opens a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Routes events.
    Router,
    /// Routes events that came back again and again, beside a router's own session.
    Suspects,
    /// Makes attempts.
    Dispatcher,
    /// Writes the journal to the database.
    Recorder,
    /// Publishes deliveries for requests.
    Api,
}

/// The kind of a webhook's queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueueType {
    /// Replicated and flushed to disk: survives a power cut.
    Quorum,
    /// About a third of the memory, for brokers with many thousands of webhooks.
    Classic,
}

/// Where the broker is and what is declared there. No `Debug`: the URL holds a password.
#[derive(Clone)]
pub struct Config {
    /// `amqp://` or `amqps://`, with user and password.
    pub url: String,
    /// What all names of the installation begin with.
    pub prefix: String,
    /// The kind of the webhooks' queues.
    pub queue_type: QueueType,
    /// The delays of the retry queues.
    pub retry_delays: Vec<Duration>,
}

impl Role {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Router => "router",
            Self::Suspects => "router of suspects",
            Self::Dispatcher => "dispatcher",
            Self::Recorder => "recorder",
            Self::Api => "api",
        }
    }

    /// Bytes of a frame on the connection that publishes, and on the one that consumes.
    pub(crate) fn frames(self) -> (u32, u32) {
        match self {
            Self::Router | Self::Suspects => (FRAME_MAX, PUBLISHERS_FRAME_MAX),
            Self::Dispatcher | Self::Recorder | Self::Api => (FRAME_MAX, FRAME_MAX),
        }
    }
}

impl QueueType {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Quorum => "quorum",
            Self::Classic => "classic",
        }
    }
}

impl fmt::Display for QueueType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for QueueType {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "quorum" => Ok(Self::Quorum),
            "classic" => Ok(Self::Classic),
            other => Err(format!("`{other}` is not a queue type: use quorum or classic")),
        }
    }
}
