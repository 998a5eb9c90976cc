//! Roles: read settings, connect, start, wait.

use std::sync::Arc;

use anyhow::Context;
use posthorn_broker::Broker;
use posthorn_domain::status::Status;
use posthorn_store::{Store, Wants, Watch};
use posthorn_timing::Clock;
use tokio::sync::mpsc;

use crate::{
    admin::{self, Check},
    lifecycle::Lifecycle,
    settings::{
        AdminSettings, AllSettings, ApiRoleSettings, DatabaseSettings, DispatcherSettings, RecorderSettings,
        RouterSettings,
    },
    telemetry,
};

mod api;

/// Updates that wait for a role: each holds at most all webhooks.
const MOST_UPDATES: usize = 16;

/// A role and its settings.
pub(crate) enum Role {
    Router(RouterSettings),
    Dispatcher(DispatcherSettings),
    Recorder(RecorderSettings),
    Api(Box<ApiRoleSettings>),
}

/// Runs roles in this process until a signal.
pub(crate) async fn run(admin: AdminSettings, roles: Vec<Role>) -> anyhow::Result<()> {
    if let Err(error) = rlimit::increase_nofile_limit(u64::MAX) {
        tracing::warn!("cannot raise the limit of open files: {error}");
    }
    let role = name(&roles);
    let metrics = telemetry::metrics(role)?;
    let traces = telemetry::traces(admin.otlp_endpoint.as_deref(), role)?;
    let listener = admin::bind(admin.admin_addr).await?;
    let mut lifecycle = Lifecycle::until_signal()?;
    let mut checks = Vec::new();
    for role in roles {
        checks.extend(role.start(&mut lifecycle).await?);
    }
    lifecycle.serve(telemetry::upkeep(metrics.clone()));
    lifecycle.serve(admin::serve(listener, metrics, checks, lifecycle.stop_token()));
    let finished = lifecycle.finish(admin.grace_period).await;
    if let Some(traces) = traces {
        tokio::task::spawn_blocking(|| traces.finish()).await.context("the last traces were not sent")?;
    }
    finished
}

/// One word for what the process does.
fn name(roles: &[Role]) -> &'static str {
    match roles {
        [role] => role.name(),
        _ => "all",
    }
}

impl Role {
    /// One word for it.
    fn name(&self) -> &'static str {
        match self {
            Self::Router(_) => "router",
            Self::Dispatcher(_) => "dispatcher",
            Self::Recorder(_) => "recorder",
            Self::Api(_) => "api",
        }
    }

    async fn start(self, lifecycle: &mut Lifecycle) -> anyhow::Result<Vec<Check>> {
        match self {
            Self::Router(settings) => start_router(settings, lifecycle),
            Self::Dispatcher(settings) => start_dispatcher(settings, lifecycle),
            Self::Recorder(settings) => start_recorder(settings, lifecycle),
            Self::Api(settings) => api::start(*settings, lifecycle),
        }
    }
}

impl AllSettings {
    /// Every role.
    pub(crate) fn roles(self) -> Vec<Role> {
        let Self { broker, database, topology, keys, addresses, filters, events, admin, .. } = self;
        let Self { name_servers, routing, delivery, recording, api, .. } = self;
        let router = RouterSettings {
            broker: broker.clone(),
            database: database.clone(),
            topology: topology.clone(),
            events: events.clone(),
            routing,
            admin: admin.clone(),
        };
        let recorder = RecorderSettings {
            broker: broker.clone(),
            database: database.clone(),
            topology: topology.clone(),
            recording,
            admin: admin.clone(),
        };
        let dispatcher = DispatcherSettings {
            broker: broker.clone(),
            database: database.clone(),
            topology: topology.clone(),
            keys: keys.clone(),
            addresses: addresses.clone(),
            name_servers: name_servers.clone(),
            delivery,
            admin: admin.clone(),
        };
        let api = ApiRoleSettings {
            broker,
            database,
            topology,
            keys,
            addresses,
            name_servers,
            filters,
            events,
            api,
            admin,
        };
        vec![
            Role::Router(router),
            Role::Dispatcher(dispatcher),
            Role::Recorder(recorder),
            Role::Api(Box::new(api)),
        ]
    }
}

fn start_router(settings: RouterSettings, lifecycle: &mut Lifecycle) -> anyhow::Result<Vec<Check>> {
    let broker = Arc::new(settings.broker.broker(&settings.topology)?);
    let (updates, watching) = watch(&settings.database, Wants::Rules, lifecycle)?;
    let queues = Status::starting("the webhooks' queues have not been declared");
    let checks = vec![connected(&broker), check(&watching), check(&queues)];
    let stop = lifecycle.stop_token();
    let settings = posthorn_router::Settings {
        most_held: settings.routing.router_prefetch.get(),
        most_held_bytes: settings.routing.router_held_bytes,
        most_event_bytes: settings.events.max_event_bytes as usize,
        most_match_steps: settings.events.max_match_steps,
        clock: Clock::system(),
    };
    lifecycle.spawn(async move { Ok(posthorn_router::run(broker, updates, settings, queues, stop).await?) });
    Ok(checks)
}

fn start_dispatcher(settings: DispatcherSettings, lifecycle: &mut Lifecycle) -> anyhow::Result<Vec<Check>> {
    let broker = Arc::new(settings.broker.broker(&settings.topology)?);
    let dispatcher = posthorn_dispatcher::Settings {
        addresses: settings.addresses.policy(),
        name_servers: settings.name_servers.addresses(),
        keys: settings.keys.ring()?,
        retry: settings.topology.retry_schedule,
        held: settings.delivery.dispatcher_prefetch.get().into(),
        held_bytes: usize::try_from(settings.delivery.dispatcher_held_bytes).unwrap_or(usize::MAX),
        channels: settings.delivery.dispatcher_channels.get().into(),
        most_in_flight: settings.delivery.max_in_flight.get(),
        shares: posthorn_dispatcher::Shares {
            tenant: settings.delivery.company_share,
            host: settings.delivery.host_share,
        },
        idle_connections: settings.delivery.idle_connections,
        clock: Clock::system(),
    };
    let (updates, watching) = watch(&settings.database, Wants::Secrets, lifecycle)?;
    let consuming = Status::starting("the webhooks' queues are not consumed");
    let checks = vec![connected(&broker), check(&watching), check(&consuming)];
    let stop = lifecycle.stop_token();
    lifecycle.spawn(async move {
        Ok(posthorn_dispatcher::run(broker, updates, dispatcher, consuming, stop).await?)
    });
    Ok(checks)
}

fn start_recorder(settings: RecorderSettings, lifecycle: &mut Lifecycle) -> anyhow::Result<Vec<Check>> {
    let broker = Arc::new(settings.broker.broker(&settings.topology)?);
    let store = Store::new(&settings.database.url()?, settings.recording.database_connections.into())?;
    let status = Status::default();
    let checks = vec![connected(&broker), check(&status)];
    let stop = lifecycle.stop_token();
    let mailer = settings.recording.mail.mailer()?;
    let settings = posthorn_recorder::Settings {
        prefetch: settings.recording.recorder_prefetch.get(),
        retention: settings.recording.retention,
        minutes: settings.recording.statistics_by_minute,
        hours: settings.recording.statistics_by_hour,
        recording: posthorn_store::Recording {
            retries: settings.topology.retry_schedule.retries(),
            most_seen: settings.recording.catalogue_limit,
            most_rejected_bytes: settings.recording.rejected_bytes,
        },
        deletion_grace: settings.recording.deletion_grace,
    };
    lifecycle.spawn(async move {
        Ok(posthorn_recorder::run(broker, store, settings, mailer, status, stop).await?)
    });
    Ok(checks)
}

fn check(status: &Status) -> Check {
    let status = status.clone();
    Box::new(move || status.missing())
}

fn connected(broker: &Arc<Broker>) -> Check {
    let broker = broker.clone();
    Box::new(move || broker.missing())
}

fn watch(
    database: &DatabaseSettings,
    wants: Wants,
    lifecycle: &mut Lifecycle,
) -> anyhow::Result<(mpsc::Receiver<posthorn_domain::webhook::updates::Update>, Status)> {
    let (sender, updates) = mpsc::channel(MOST_UPDATES);
    let watch = Watch::new(&database.url()?, wants, sender);
    let status = watch.status();
    let stop = lifecycle.stop_token();
    lifecycle.spawn(async move { Ok(watch.run(stop).await?) });
    Ok((updates, status))
}
