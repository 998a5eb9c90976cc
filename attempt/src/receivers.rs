//! Attempts: one signed request each, sent again only where the receiver cannot have processed it.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use jiff::Timestamp;
use posthorn_domain::{address::AddressPolicy, outage::Reach, outcome::Outcome};
use tokio::{
    task::JoinSet,
    time::{Instant, interval, timeout_at},
};

use crate::{
    answer::{Answer, Beginning, kept},
    dial::{CannotPrepare, Dialler, blocked},
    failure::{Failure, Repeat},
    http1, http2,
    pool::{Connection, Kept, Pool, SWEEP_EVERY},
    progress::{Progress, Stage},
    request::{Request, Signed},
    target::{Endpoint, Target},
};

/// How often a request goes out again within an attempt, at most.
const MOST_REPEATS: u32 = 2;

/// The receivers of all webhooks, behind one pool of connections.
pub struct Receivers {
    pub(crate) dialler: Dialler,
    pool: Arc<Pool>,
    drivers: http2::Drivers,
    _sweeper: JoinSet<()>,
}

/// An answer whose status is known, on its connection.
enum Answered {
    Http1(http1::Answered, Connection),
    Http2(http2::Answered),
}

impl Receivers {
    /// Prepares the client, inside of a runtime; for each company and host it keeps at most
    /// `idle_connections`, and it asks these name servers, or the system's if none are given.
    ///
    /// # Errors
    /// If name lookup or TLS cannot be prepared.
    pub fn new(
        policy: AddressPolicy,
        name_servers: &[SocketAddr],
        idle_connections: usize,
    ) -> Result<Self, CannotPrepare> {
        let pool = Arc::new(Pool::new(idle_connections));
        let mut sweeper = JoinSet::new();
        sweeper.spawn(sweep(pool.clone()));
        let dialler = Dialler::new(policy, name_servers)?;
        Ok(Self { dialler, pool, drivers: Default::default(), _sweeper: sweeper })
    }

    /// Makes one attempt. The deadline runs from name lookup to the last byte of the answer; the status
    /// decides, whatever the body does after it.
    pub async fn send(&self, target: &Target, request: Request<'_>) -> Answer {
        let started = Instant::now();
        let deadline = started + target.timeout;
        let mut progress = Progress::default();
        let answered = timeout_at(deadline, self.answer(target, &request, &mut progress)).await;
        let answered = answered.unwrap_or_else(|_| Err(progress.timed_out(target.timeout)));
        let told = |outcome, is_local| Answer {
            reach: Reach::of(&outcome, progress.link(), is_local),
            phases: progress.phases(started.elapsed()),
            is_connected: progress.is_connected,
            connections: progress.connections,
            repeats: progress.repeats,
            address: progress.address,
            ..Answer::none(outcome)
        };
        match answered {
            Ok((answered, endpoint)) => {
                let answer = told(answered.outcome(), false);
                self.read(answer, answered, target, endpoint, deadline).await
            }
            Err(failure) => {
                let is_local = failure.is_local;
                told(failure.outcome(&target.masks), is_local)
            }
        }
    }

    async fn answer<'t>(
        &self,
        target: &'t Target,
        request: &Request<'_>,
        progress: &mut Progress,
    ) -> Result<(Answered, &'t Endpoint), Failure> {
        let endpoint = target.endpoint.as_ref().map_err(|forbidden| blocked(forbidden, progress))?;
        let signed = Signed::new(target, endpoint, request);
        loop {
            // What was refused, or met a dead connection, goes out on a fresh one.
            let is_first = progress.repeats == 0;
            let kept = is_first.then(|| self.pool.take(&endpoint.origin, Instant::now())).flatten();
            let is_kept = kept.is_some();
            let connection = match kept {
                Some(kept) => kept,
                None => self.connect(endpoint, progress).await?,
            };
            progress.reached(connection.address());
            let failure = match exchange(connection, &signed).await {
                Ok(answered) => return Ok((answered, endpoint)),
                Err(failure) => failure,
            };
            let is_safe = match failure.repeat {
                Repeat::Never => false,
                Repeat::OnKept => is_kept,
                Repeat::Always => true,
            };
            if !is_safe || progress.repeats == MOST_REPEATS {
                return Err(failure);
            }
            progress.repeats += 1;
        }
    }

    async fn connect(&self, endpoint: &Endpoint, progress: &mut Progress) -> Result<Kept, Failure> {
        let dialled = self.dialler.dial(&endpoint.origin, progress).await?;
        if !dialled.is_http2 {
            return Ok(Kept::Http1(Connection { stream: dialled.stream, address: dialled.address }));
        }
        let shared = self.drivers.start(dialled).await?;
        let stream = http2::Stream::new(shared.clone());
        self.pool.share(&endpoint.origin, &shared);
        Ok(Kept::Http2(stream))
    }

    /// Reads what is kept of an answer's body, and keeps its connection if the body has ended.
    async fn read(
        &self,
        answer: Answer,
        answered: Answered,
        target: &Target,
        endpoint: &Endpoint,
        deadline: Instant,
    ) -> Answer {
        let mut body = Beginning::default();
        let headers = match answered {
            Answered::Http1(mut answered, mut connection) => {
                let reading = answered.read_body(&mut connection.stream, &mut body);
                if let Ok(true) = timeout_at(deadline, reading).await {
                    self.pool.put(&endpoint.origin, connection, Instant::now());
                }
                answered.headers
            }
            Answered::Http2(mut answered) => {
                let _ = timeout_at(deadline, answered.read_body(&mut body)).await;
                answered.headers
            }
        };
        Answer { headers: kept(headers, &target.masks), body: body.text(&target.masks), ..answer }
    }
}

/// Closes unused connections, until the client is dropped.
async fn sweep(pool: Arc<Pool>) {
    let mut every = interval(SWEEP_EVERY);
    loop {
        pool.sweep(every.tick().await);
    }
}

async fn exchange(connection: Kept, signed: &Signed<'_>) -> Result<Answered, Failure> {
    match connection {
        Kept::Http1(mut connection) => {
            let answered = http1::exchange(&mut connection.stream, signed.http1(), signed.body()).await?;
            Ok(Answered::Http1(answered, connection))
        }
        Kept::Http2(stream) => Ok(Answered::Http2(stream.exchange(signed).await?)),
    }
}

impl Kept {
    fn address(&self) -> IpAddr {
        match self {
            Self::Http1(connection) => connection.address,
            Self::Http2(stream) => stream.address(),
        }
    }
}

impl Progress {
    /// There is a connection: now the answer is waited for.
    fn reached(&mut self, address: IpAddr) {
        self.stage = Stage::Answer;
        self.is_connected = true;
        self.address = Some(address);
    }
}

impl Answered {
    fn outcome(&self) -> Outcome {
        let (status, headers) = match self {
            Self::Http1(answered, _) => (answered.status, &answered.headers),
            Self::Http2(answered) => (answered.status, &answered.headers),
        };
        let retry_after = headers.iter().find(|(name, _)| name == "retry-after");
        Outcome::of_status(status, retry_after.map(|(_, value)| &value[..]), Timestamp::now())
    }
}

#[cfg(test)]
mod tests;
