//! How long the parts of an attempt take, as far as the client lets one look.
//!
//! Looking a name up and making a connection happen inside the client, on the task of the request that
//! needs them: what they took is left where the request finds it. A request that gets a connection of
//! the pool has neither.

use std::{
    cell::Cell,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use posthorn_domain::outcome::Phases;
use tower_layer::Layer;
use tower_service::Service;

/// What was measured inside the client.
#[derive(Debug, Default)]
struct Inside {
    dns: Cell<Option<Duration>>,
    connector: Cell<Option<Duration>>,
}

tokio::task_local! {
    static INSIDE: Inside;
}

/// Runs a request and tells, besides what it answers, how long its parts took.
pub(crate) async fn measured<T>(request: impl Future<Output = T>) -> (T, Phases) {
    INSIDE
        .scope(Inside::default(), async {
            let started = Instant::now();
            let answer = request.await;
            (answer, INSIDE.with(|inside| inside.phases(started.elapsed())))
        })
        .await
}

/// A name was looked up for the request that runs on this task, if one does.
pub(crate) fn looked_up(took: Duration) {
    let _ = INSIDE.try_with(|inside| inside.dns.set(Some(took)));
}

impl Inside {
    fn phases(&self, total: Duration) -> Phases {
        let (dns, connector) = (self.dns.get(), self.connector.get());
        Phases {
            dns,
            connect: connector.map(|took| took.saturating_sub(dns.unwrap_or_default())),
            first_byte: total.saturating_sub(connector.or(dns).unwrap_or_default()),
        }
    }
}

/// Measures the client's connector.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Measured;

#[derive(Debug, Clone)]
pub(crate) struct MeasuredConnector<S>(S);

impl<S> Layer<S> for Measured {
    type Service = MeasuredConnector<S>;

    fn layer(&self, connector: S) -> Self::Service {
        MeasuredConnector(connector)
    }
}

impl<S, R> Service<R> for MeasuredConnector<S>
where
    S: Service<R>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let connecting = self.0.call(request);
        Box::pin(async move {
            let started = Instant::now();
            let connected = connecting.await;
            let _ = INSIDE.try_with(|inside| inside.connector.set(Some(started.elapsed())));
            connected
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_do_not_overlap() {
        let ms = Duration::from_millis;
        let inside = Inside { dns: Cell::new(Some(ms(10))), connector: Cell::new(Some(ms(30))) };
        let phases = Phases { dns: Some(ms(10)), connect: Some(ms(20)), first_byte: ms(70) };
        assert_eq!(inside.phases(ms(100)), phases);
        assert_eq!(Inside::default().phases(ms(5)), Phases { first_byte: ms(5), ..Phases::default() });
    }
}
