//! The API, and the worker of what goes on in its background.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context;
use posthorn_attempt::Receivers;
use posthorn_broker::{Broker, Client};
use posthorn_domain::{error_chain::error_chain, status::Status};
use posthorn_manage::Manage;
use posthorn_replay::Worker;
use posthorn_store::{AccessUpdate, AccessWatch, Store};
use tokio::{
    net::{TcpListener, TcpSocket},
    sync::mpsc,
};
use tokio_util::sync::CancellationToken;

use super::{MOST_UPDATES, check, connected};
use crate::{admin::Check, lifecycle::Lifecycle, settings::ApiRoleSettings};

/// Connections to the API that wait to be taken.
const BACKLOG: u32 = 4096;

pub(super) fn start(settings: ApiRoleSettings, lifecycle: &mut Lifecycle) -> anyhow::Result<Vec<Check>> {
    let broker = Arc::new(settings.broker.broker(&settings.topology)?);
    let store = Store::new(&settings.database.url()?, settings.api.api_database_connections.into())?;
    let status = Status::starting("PostgreSQL has not answered");
    let (changes, access) = mpsc::channel(MOST_UPDATES);
    let watch = AccessWatch::new(&settings.database.url()?, changes);
    let checks = vec![connected(&broker), check(&status), check(&watch.status())];
    let address = settings.api.api_addr;
    let listener = listen(address).with_context(|| {
        format!("cannot serve the API on {address}: set POSTHORN_API_ADDR to a free address")
    })?;
    tracing::info!("serving the API on http://{}", listener.local_addr()?);
    let client = Arc::new(Client::new(settings.broker.url()?, settings.broker.prefix.clone()));
    let running = Running {
        listener,
        manage: manage(&settings, store.clone(), client.clone())?,
        api: api_settings(&settings),
        access,
        worker: worker(&settings, store.clone(), client.clone()),
        client,
        broker,
    };
    let stop = lifecycle.stop_token();
    lifecycle.spawn(async move { Ok(watch.run(stop).await?) });
    let stop = lifecycle.stop_token();
    lifecycle.spawn(async move { running.run(stop).await });
    let stop = lifecycle.stop_token();
    lifecycle.spawn(async move {
        stop.run_until_cancelled(watch_database(store, status)).await;
        Ok(())
    });
    Ok(checks)
}

/// The use cases that the API offers.
fn manage(
    settings: &ApiRoleSettings,
    store: Store,
    client: Arc<Client>,
) -> anyhow::Result<posthorn_manage::Shared> {
    let addresses = settings.addresses.policy();
    let receivers = Receivers::new(addresses.clone(), &settings.name_servers.addresses(), 0)?;
    let keys = settings.keys.ring()?;
    let parts =
        posthorn_manage::Parts { store, client: Some(client), keys: Some(keys), receivers: Some(receivers) };
    let use_cases = posthorn_manage::Settings {
        most_event_bytes: settings.events.max_event_bytes as usize,
        most_match_steps: settings.events.max_match_steps,
        admin_token: settings.api.admin_token()?,
        limits: settings.filters.limits(),
        addresses,
        quotas: Some(settings.api.quotas()),
        company_events_per_second: settings.api.quotas.company_event_rate,
    };
    Ok(Manage::new(parts, use_cases))
}

fn api_settings(settings: &ApiRoleSettings) -> posthorn_api::Settings {
    let api = &settings.api;
    posthorn_api::Settings {
        most_body_bytes: api.api_max_body_bytes as usize,
        requests_per_second: api.api_rate,
        allow_origins: api.api_allow_origins.clone(),
        connections: api.api_connections as usize,
        idle: api.api_idle_timeout,
        bodies_bytes: api.api_body_bytes as usize,
        company_requests_per_second: api.quotas.company_request_rate,
    }
}

fn worker(settings: &ApiRoleSettings, store: Store, client: Arc<Client>) -> Worker {
    let replaying = posthorn_replay::Settings {
        per_second: settings.api.replay_rate,
        most_match_steps: settings.events.max_match_steps,
    };
    Worker { store, client, settings: replaying }
}

/// The API, the worker, and the connections that both need.
struct Running {
    listener: TcpListener,
    manage: posthorn_manage::Shared,
    api: posthorn_api::Settings,
    access: mpsc::Receiver<AccessUpdate>,
    worker: Worker,
    client: Arc<Client>,
    broker: Arc<Broker>,
}

impl Running {
    /// Runs until `stop`. RabbitMQ is let go at the very end: requests that run need it.
    async fn run(self, stop: CancellationToken) -> anyhow::Result<()> {
        let Self { listener, manage, api, access, worker, client, broker } = self;
        // Whichever ends first ends the others.
        let halt = stop.child_token();
        let serving = async {
            let _halt = halt.clone().drop_guard();
            posthorn_api::run(listener, manage.clone(), api, &halt).await;
            manage.finish().await;
        };
        let following = async {
            let _halt = halt.clone().drop_guard();
            manage.follow(access, &halt).await;
        };
        let keeping = async {
            let _halt = halt.clone().drop_guard();
            client.keep(&broker, &halt).await
        };
        let working = async {
            let _halt = halt.clone().drop_guard();
            worker.run(halt.clone()).await;
        };
        let ((), (), kept, ()) = tokio::join!(serving, following, keeping, working);
        client.close().await;
        Ok(kept?)
    }
}

/// Connections that the API has no time for yet wait with the system.
fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Tells whether the database answers, again and again.
async fn watch_database(store: Store, status: Status) {
    loop {
        let missing = store.check().await.err().map(|error| format!("PostgreSQL: {}", error_chain(&error)));
        let pause = if missing.is_some() { Duration::from_millis(500) } else { Duration::from_secs(5) };
        status.set(missing);
        tokio::time::sleep(pause).await;
    }
}
