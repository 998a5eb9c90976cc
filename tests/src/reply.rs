//! What a receiver answers, well-behaved or not.

use std::time::Duration;

use tokio::sync::watch;

use crate::Request;

/// What a receiver does with a request.
#[derive(Debug, Clone)]
pub enum Reply {
    /// Writes these bytes, then behaves like that.
    Write(Vec<u8>, Then),
    /// Waits for the gate before it replies.
    When(Gate, Box<Reply>),
    /// Takes this long to reply.
    After(Duration, Box<Reply>),
}

/// What a receiver does with the connection after its bytes.
#[derive(Debug, Clone, Copy)]
pub enum Then {
    /// Waits for the next request.
    KeepAlive,
    /// Closes it.
    Close,
    /// Resets it (RST).
    Reset,
    /// Holds it and says nothing more.
    Silence,
    /// Goes on with this, ten times a second, until the sender goes away.
    Trickle(&'static [u8]),
    /// Goes on with this, as fast as it can, until the sender goes away.
    Flood(&'static [u8]),
}

impl Reply {
    /// A bare status.
    pub fn status(status: u16) -> Self {
        Self::full(status, &[], "")
    }

    /// A whole, valid reply.
    pub fn full(status: u16, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref();
        let mut bytes = Self::head(status, headers);
        bytes.extend_from_slice(format!("content-length: {}\r\n\r\n", body.len()).as_bytes());
        bytes.extend_from_slice(body);
        Self::Write(bytes, Then::KeepAlive)
    }

    /// Any bytes at all.
    pub fn raw(bytes: impl Into<Vec<u8>>, then: Then) -> Self {
        Self::Write(bytes.into(), then)
    }

    /// The same, held until the gate opens.
    pub fn when(self, gate: &Gate) -> Self {
        Self::When(gate.clone(), Box::new(self))
    }

    /// The same, from a receiver that takes so long.
    pub fn after(self, latency: Duration) -> Self {
        Self::After(latency, Box::new(self))
    }

    /// Waits for its gates; what to write then, and what to do after it.
    pub async fn ready(self) -> (Vec<u8>, Then) {
        let mut reply = self;
        loop {
            match reply {
                Self::Write(bytes, then) => return (bytes, then),
                Self::When(gate, held) => {
                    gate.passed().await;
                    reply = *held;
                }
                Self::After(latency, late) => {
                    tokio::time::sleep(latency).await;
                    reply = *late;
                }
            }
        }
    }

    fn head(status: u16, headers: &[(&str, &str)]) -> Vec<u8> {
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        format!("HTTP/1.1 {status} Scripted\r\n{headers}").into_bytes()
    }
}

/// A script: this status to every request.
pub fn always(status: u16) -> impl Fn(&Request) -> Reply {
    move |_| Reply::status(status)
}

/// A script: the n-th status to attempt n; the last one repeats.
pub fn statuses<const N: usize>(statuses: [u16; N]) -> impl Fn(&Request) -> Reply {
    move |request| Reply::status(statuses[request.attempt().min(N) - 1])
}

/// Holds replies until it is opened.
#[derive(Debug, Clone)]
pub struct Gate(watch::Sender<bool>);

impl Gate {
    /// A closed gate.
    pub fn closed() -> Self {
        Self(watch::Sender::new(false))
    }

    /// Lets all pass, now and later.
    pub fn open(&self) {
        self.0.send_replace(true);
    }

    /// Waits until it is open.
    pub async fn passed(&self) {
        let mut state = self.0.subscribe();
        state.wait_for(|open| *open).await.expect("this gate keeps its own sender");
    }
}
