//! The connections that are kept between attempts, each for one origin: a company's are its own.

use std::{
    collections::HashMap,
    net::IpAddr,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};

use tokio::{io::ReadBuf, time::Instant};

use crate::{
    dial::Io,
    http2::{Shared, Stream},
    target::Origin,
};

/// How long an idle connection is kept.
const LONGEST_IDLE: Duration = Duration::from_secs(60);
/// How often connections are looked for that were idle for too long, or were closed.
pub(crate) const SWEEP_EVERY: Duration = Duration::from_secs(10);
/// The most idle connections over all origins.
const MOST_IDLE: usize = 16_384;

/// An HTTP/1 connection, which one attempt uses at a time.
pub(crate) struct Connection {
    pub(crate) stream: Box<dyn Io>,
    pub(crate) address: IpAddr,
}

/// A connection that was there.
pub(crate) enum Kept {
    Http1(Connection),
    Http2(Stream),
}

/// The connections that are kept.
pub(crate) struct Pool {
    kept: Mutex<Buckets>,
    most_per_origin: usize,
}

#[derive(Default)]
struct Buckets {
    by_origin: HashMap<Arc<Origin>, Bucket>,
    idle: usize,
}

#[derive(Default)]
struct Bucket {
    /// The one that was used last at the end.
    idle: Vec<Idle>,
    shared: Vec<Arc<Shared>>,
}

struct Idle {
    connection: Connection,
    since: Instant,
}

impl Pool {
    pub(crate) fn new(most_per_origin: usize) -> Self {
        Self { kept: Mutex::default(), most_per_origin }
    }

    /// A connection on which the next request can go out.
    pub(crate) fn take(&self, origin: &Origin, now: Instant) -> Option<Kept> {
        loop {
            let idle = {
                let mut kept = self.kept();
                let bucket = kept.by_origin.get_mut(origin)?;
                if let Some(stream) = bucket.stream(self.most_per_origin) {
                    return Some(Kept::Http2(stream));
                }
                let idle = bucket.idle.pop()?;
                kept.idle -= 1;
                idle
            };
            let Idle { mut connection, since } = idle;
            if now.duration_since(since) < LONGEST_IDLE && is_quiet(&mut *connection.stream) {
                return Some(Kept::Http1(connection));
            }
        }
    }

    /// Keeps a connection whose answer was read to its end, if there is room.
    pub(crate) fn put(&self, origin: &Arc<Origin>, connection: Connection, now: Instant) {
        let mut kept = self.kept();
        if kept.idle >= MOST_IDLE || self.most_per_origin == 0 {
            return;
        }
        let bucket = kept.bucket(origin);
        if bucket.idle.len() < self.most_per_origin {
            bucket.idle.push(Idle { connection, since: now });
            kept.idle += 1;
        }
    }

    /// Keeps an HTTP/2 connection for later attempts, if there is room.
    pub(crate) fn share(&self, origin: &Arc<Origin>, shared: &Arc<Shared>) {
        let mut kept = self.kept();
        if self.most_per_origin == 0 {
            return;
        }
        let bucket = kept.bucket(origin);
        if bucket.shared.len() < self.most_per_origin {
            bucket.shared.push(shared.clone());
        }
    }

    /// Closes connections that were idle for too long, or were closed by the receiver.
    pub(crate) fn sweep(&self, now: Instant) {
        let mut over = Vec::new();
        let mut kept = self.kept();
        kept.by_origin.retain(|_, bucket| {
            let is_over = |idle: &mut Idle| {
                now.duration_since(idle.since) >= LONGEST_IDLE || !is_quiet(&mut *idle.connection.stream)
            };
            over.extend(bucket.idle.extract_if(.., is_over));
            bucket.shared.retain(|shared| shared.idle_for(SWEEP_EVERY) < LONGEST_IDLE);
            !bucket.idle.is_empty() || !bucket.shared.is_empty()
        });
        kept.idle -= over.len();
        drop(kept); // closing takes a system call each
    }

    fn kept(&self) -> MutexGuard<'_, Buckets> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Buckets {
    fn bucket(&mut self, origin: &Arc<Origin>) -> &mut Bucket {
        self.by_origin.entry(origin.clone()).or_default()
    }
}

impl Bucket {
    /// A stream on a connection with room for one, the oldest first, so that the others may end; on the
    /// least used one if no more connections are to be made.
    fn stream(&mut self, most: usize) -> Option<Stream> {
        self.shared.retain(|shared| !shared.is_retired());
        let free = self.shared.iter().find(|shared| shared.has_room());
        let is_full = self.shared.len() >= most;
        let found = free.or_else(|| self.shared.iter().filter(|_| is_full).min_by_key(|it| it.streams()));
        found.map(|shared| Stream::new(shared.clone()))
    }
}

/// Whether a connection is open and no byte has come on it: such a byte would belong to no request.
fn is_quiet(stream: &mut dyn Io) -> bool {
    let mut byte = [0];
    let mut buffer = ReadBuf::new(&mut byte);
    let mut context = Context::from_waker(Waker::noop());
    matches!(Pin::new(stream).poll_read(&mut context, &mut buffer), Poll::Pending)
}

#[cfg(test)]
mod tests {
    use posthorn_domain::tenant::Tenant;
    use tokio::io::{AsyncWriteExt, DuplexStream, duplex};

    use super::*;

    fn origin(company: &str) -> Arc<Origin> {
        let tenant = Tenant::of(Some(company.to_owned()));
        Arc::new(Origin { tenant, is_tls: false, host: "example.com".into(), port: 80, http2: false })
    }

    fn connection() -> (Connection, DuplexStream) {
        let (ours, theirs) = duplex(100);
        (Connection { stream: Box::new(ours), address: [127, 0, 0, 1].into() }, theirs)
    }

    fn has(pool: &Pool, company: &str) -> bool {
        pool.take(&origin(company), Instant::now()).is_some()
    }

    #[test]
    fn a_company_uses_its_own_connections() {
        let pool = Pool::new(2);
        let (connection, _theirs) = connection();
        pool.put(&origin("a"), connection, Instant::now());
        assert!(!has(&pool, "b"));
        assert!(has(&pool, "a"));
        assert!(!has(&pool, "a"), "it is in use");
    }

    #[tokio::test]
    async fn what_was_closed_or_spoke_unasked_is_not_used() {
        let pool = Pool::new(2);
        let ((first, theirs), (second, mut chatty)) = (connection(), connection());
        pool.put(&origin("a"), first, Instant::now());
        pool.put(&origin("a"), second, Instant::now());
        drop(theirs);
        chatty.write_all(b"HTTP/1.1 408 Timeout\r\n\r\n").await.unwrap();
        assert!(!has(&pool, "a"));
    }

    #[test]
    fn idle_ones_are_bounded_and_end() {
        let pool = Pool::new(2);
        let mut theirs = Vec::new();
        for _ in 0..3 {
            let (connection, other) = connection();
            theirs.push(other);
            pool.put(&origin("a"), connection, Instant::now());
        }
        assert_eq!(pool.kept().idle, 2);
        pool.sweep(Instant::now());
        assert_eq!(pool.kept().idle, 2);
        theirs.truncate(2);
        pool.sweep(Instant::now() + LONGEST_IDLE);
        assert!(pool.kept().by_origin.is_empty());
        assert_eq!(pool.kept().idle, 0);
    }
}
