//! Settings: environment variables `POSTHORN_*`, or flags of the same name. Read once, at start.

use std::{
    net::SocketAddr,
    num::{NonZeroU16, NonZeroUsize},
    path::PathBuf,
    time::Duration,
};

use anyhow::Context;
use clap::{Args, ValueEnum};
use humantime::parse_duration;
use ipnet::IpNet;
use posthorn_broker::{Broker, Config, QueueType};
use posthorn_domain::{address::AddressPolicy, keyring::KeyRing, retry::RetryPolicy};
use posthorn_matching::pattern::MOST_STEPS;

mod access;
mod api;
mod filters;
mod mail;
mod secret;

pub(crate) use access::AccessSettings;
pub(crate) use api::ApiSettings;
pub(crate) use filters::{FilterSettings, PatternSettings};
pub(crate) use mail::MailSettings;
pub(crate) use secret::Secret;

/// How logs are written. They go to standard error.
#[derive(Debug, Clone, Args)]
pub(crate) struct LogSettings {
    /// What is logged: a level, or a filter such as info,posthorn_dispatcher=debug
    #[arg(
        long,
        env = "POSTHORN_LOG",
        default_value = "info",
        global = true,
        value_name = "FILTER",
        help_heading = "Logs"
    )]
    pub(crate) log: String,
    /// How logs are written: text for people, json for machines
    #[arg(long, env = "POSTHORN_LOG_FORMAT", default_value = "text", global = true, help_heading = "Logs")]
    pub(crate) log_format: LogFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

/// Where PostgreSQL is.
#[derive(Debug, Clone, Args)]
pub(crate) struct DatabaseSettings {
    /// PostgreSQL, with user and password
    #[arg(
        long,
        env = "POSTHORN_DATABASE_URL",
        default_value = "postgres://posthorn@127.0.0.1/posthorn",
        hide_env_values = true,
        value_name = "URL"
    )]
    database_url: Secret,
    /// Read the PostgreSQL URL from this file instead
    #[arg(long, env = "POSTHORN_DATABASE_URL_FILE", value_name = "FILE")]
    database_url_file: Option<PathBuf>,
}

impl DatabaseSettings {
    pub(crate) fn url(&self) -> anyhow::Result<String> {
        secret::read(Some(&self.database_url), self.database_url_file.as_ref())?.context("no database URL")
    }
}

/// Where RabbitMQ is and what this installation is called there.
#[derive(Debug, Clone, Args)]
pub(crate) struct BrokerSettings {
    /// RabbitMQ, with user, password and virtual host
    #[arg(
        long,
        env = "POSTHORN_AMQP_URL",
        default_value = "amqp://guest:guest@127.0.0.1:5672/%2f",
        hide_env_values = true,
        value_name = "URL"
    )]
    amqp_url: Secret,
    /// Read the RabbitMQ URL from this file instead
    #[arg(long, env = "POSTHORN_AMQP_URL_FILE", value_name = "FILE")]
    amqp_url_file: Option<PathBuf>,
    /// What the names of all exchanges and queues begin with
    #[arg(long, env = "POSTHORN_PREFIX", default_value = "posthorn", value_parser = read_prefix)]
    pub(crate) prefix: String,
}

impl BrokerSettings {
    pub(crate) fn url(&self) -> anyhow::Result<String> {
        secret::read(Some(&self.amqp_url), self.amqp_url_file.as_ref())?.context("no AMQP URL")
    }

    pub(crate) fn broker(&self, topology: &TopologySettings) -> anyhow::Result<Broker> {
        let config = Config {
            url: self.url()?,
            prefix: self.prefix.clone(),
            queue_type: topology.queue_type,
            retry_delays: topology.retry_schedule.queue_delays(),
        };
        Ok(Broker::new(config)?)
    }
}

/// What is declared in RabbitMQ: the same for every role of an installation.
#[derive(Debug, Clone, Args)]
pub(crate) struct TopologySettings {
    /// The delays before the retries, one to ten, such as 5s,30m,2h; the same for every role
    #[arg(long, env = "POSTHORN_RETRY_SCHEDULE", default_value = "5s,5m,30m,2h,8h", value_name = "DELAYS")]
    pub(crate) retry_schedule: RetryPolicy,
    /// Kind of the webhooks' queues: quorum, or classic for many thousands of webhooks on one broker
    #[arg(long, env = "POSTHORN_QUEUE_TYPE", default_value = "quorum", value_name = "KIND")]
    queue_type: QueueType,
}

/// Which addresses webhooks may have.
#[derive(Debug, Clone, Args)]
pub(crate) struct AddressSettings {
    /// Networks that webhooks may reach besides the public Internet, such as 10.0.0.0/8
    #[arg(long, env = "POSTHORN_ALLOW_NETWORKS", value_delimiter = ',', value_name = "CIDRS")]
    allow_networks: Vec<IpNet>,
    /// Allow webhooks with http: URLs besides https:
    #[arg(long, env = "POSTHORN_ALLOW_HTTP", num_args = 0..=1, default_value = "false", default_missing_value = "true", action = clap::ArgAction::Set, value_parser = clap::builder::BoolishValueParser::new())]
    allow_http: bool,
}

impl AddressSettings {
    pub(crate) fn policy(&self) -> AddressPolicy {
        AddressPolicy { allow_networks: self.allow_networks.clone(), allow_http: self.allow_http }
    }
}

/// Who is asked where webhooks' hosts are.
#[derive(Debug, Clone, Args)]
pub(crate) struct NameServerSettings {
    /// Name servers to ask for webhooks' hosts instead of those in /etc/resolv.conf, such as
    /// 10.0.0.2,127.0.0.1:5353
    #[arg(
        long,
        env = "POSTHORN_NAME_SERVERS",
        value_delimiter = ',',
        value_parser = read_name_server,
        value_name = "ADDRS"
    )]
    name_servers: Vec<SocketAddr>,
}

impl NameServerSettings {
    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        self.name_servers.clone()
    }
}

/// The keys that encrypt the webhooks' secrets.
#[derive(Debug, Clone, Args)]
pub(crate) struct KeySettings {
    /// id:base64 of 32 bytes, comma-separated: the first encrypts, all decrypt (see `posthorn key`)
    #[arg(long, env = "POSTHORN_SECRET_KEYS", hide_env_values = true, value_name = "KEYS")]
    secret_keys: Option<Secret>,
    /// Read the keys from this file instead
    #[arg(long, env = "POSTHORN_SECRET_KEYS_FILE", value_name = "FILE")]
    secret_keys_file: Option<PathBuf>,
}

impl KeySettings {
    pub(crate) fn ring(&self) -> anyhow::Result<KeyRing> {
        let keys = secret::read(self.secret_keys.as_ref(), self.secret_keys_file.as_ref())?;
        let keys =
            keys.context("POSTHORN_SECRET_KEYS (or POSTHORN_SECRET_KEYS_FILE) is not set: make a key with `posthorn key` and keep it safe")?;
        keys.parse().context("POSTHORN_SECRET_KEYS is wrong")
    }
}

/// How a role is watched and stopped.
#[derive(Debug, Clone, Args)]
pub(crate) struct AdminSettings {
    /// Where /livez, /readyz and /metrics are served; port 0 takes any free one
    #[arg(long, env = "POSTHORN_ADMIN_ADDR", default_value = "127.0.0.1:9400", value_name = "ADDR")]
    pub(crate) admin_addr: SocketAddr,
    /// Time given to what runs once the process is told to stop; longer than the longest attempt, 30s
    #[arg(long, env = "POSTHORN_GRACE_PERIOD", default_value = "35s", value_parser = parse_duration, value_name = "TIME")]
    pub(crate) grace_period: Duration,
    /// Send traces to this OTLP receiver, such as http://collector:4318; the variables OTEL_… of
    /// OpenTelemetry set headers, sampling and batches
    #[arg(long, env = "POSTHORN_OTLP_ENDPOINT", value_name = "URL")]
    pub(crate) otlp_endpoint: Option<String>,
}

/// How large events may be and what matching them may cost: the same for routers and the API.
#[derive(Debug, Clone, Args)]
pub(crate) struct EventSettings {
    /// The largest event in bytes, at most 8 MiB; larger ones are rejected
    #[arg(
        long,
        env = "POSTHORN_MAX_EVENT_BYTES",
        default_value = "1048576",
        value_parser = clap::value_parser!(u32).range(1..=8_388_608),
        value_name = "BYTES"
    )]
    pub(crate) max_event_bytes: u32,
    /// How many steps matching an event with patterns may take, at least 100000; a step is about the
    /// comparison of one value, 20 million are about 100 ms. An event that takes more is rejected
    #[arg(
        long,
        env = "POSTHORN_MAX_MATCH_STEPS",
        default_value_t = MOST_STEPS,
        value_parser = clap::value_parser!(u64).range(100_000..),
        value_name = "N"
    )]
    pub(crate) max_match_steps: u64,
}

/// What the router alone needs.
#[derive(Debug, Clone, Args)]
pub(crate) struct RoutingSettings {
    /// Events that a router holds unacknowledged
    #[arg(long, env = "POSTHORN_ROUTER_PREFETCH", default_value = "500", value_name = "N")]
    pub(crate) router_prefetch: NonZeroU16,
    /// Bytes of events that a router holds unacknowledged: with large events that is fewer of them
    #[arg(long, env = "POSTHORN_ROUTER_HELD_BYTES", default_value = "536870912", value_name = "BYTES", value_parser = clap::value_parser!(u64).range(1 << 20..=1 << 40))]
    pub(crate) router_held_bytes: u64,
}

/// What the dispatcher alone needs.
#[derive(Debug, Clone, Args)]
pub(crate) struct DeliverySettings {
    /// Deliveries of batches, the quick way, that a dispatcher holds at most at a time, besides attempts that
    /// take longer than a second
    #[arg(long, env = "POSTHORN_DISPATCHER_PREFETCH", default_value = "2048", value_name = "N")]
    pub(crate) dispatcher_prefetch: NonZeroU16,
    /// Bytes of batches that a dispatcher holds at most at a time
    #[arg(long, env = "POSTHORN_DISPATCHER_HELD_BYTES", default_value = "536870912", value_name = "BYTES", value_parser = clap::value_parser!(u64).range(1 << 20..=1 << 40))]
    pub(crate) dispatcher_held_bytes: u64,
    /// Channels over which the webhooks' consumers are spread
    #[arg(long, env = "POSTHORN_DISPATCHER_CHANNELS", default_value = "8", value_name = "N")]
    pub(crate) dispatcher_channels: NonZeroU16,
    /// The most attempts that a dispatcher makes at a time, over all webhooks
    #[arg(long, env = "POSTHORN_MAX_IN_FLIGHT", default_value = "8192", value_name = "N")]
    pub(crate) max_in_flight: NonZeroUsize,
    /// How much of the attempts that are its own or free one company may have, in percent; 100 is no limit
    #[arg(long, env = "POSTHORN_COMPANY_SHARE", default_value = "50", value_name = "PERCENT",
          value_parser = clap::value_parser!(u8).range(1..=100))]
    pub(crate) company_share: u8,
    /// How much of the attempts that are its own or free one receiving host may have, in percent
    #[arg(long, env = "POSTHORN_HOST_SHARE", default_value = "50", value_name = "PERCENT",
          value_parser = clap::value_parser!(u8).range(1..=100))]
    pub(crate) host_share: u8,
    /// The most idle connections that a dispatcher keeps for each company and receiving host
    #[arg(long, env = "POSTHORN_IDLE_CONNECTIONS", default_value = "64", value_name = "N")]
    pub(crate) idle_connections: usize,
}

/// What the recorder alone needs.
#[derive(Debug, Clone, Args)]
pub(crate) struct RecordingSettings {
    /// How long events and attempts are kept, at least 1d
    #[arg(long, env = "POSTHORN_RETENTION", default_value = "30d", value_parser = read_retention, value_name = "TIME")]
    pub(crate) retention: Duration,
    /// How long statistics are kept by minute, at least 1d
    #[arg(long, env = "POSTHORN_STATISTICS_BY_MINUTE", default_value = "3d", value_parser = read_retention, value_name = "TIME")]
    pub(crate) statistics_by_minute: Duration,
    /// How long statistics are kept by hour, at least 1d
    #[arg(long, env = "POSTHORN_STATISTICS_BY_HOUR", default_value = "90d", value_parser = read_retention, value_name = "TIME")]
    pub(crate) statistics_by_hour: Duration,
    /// The most event types, companies and projects, of each, that are added to the catalogue as seen
    #[arg(long, env = "POSTHORN_CATALOGUE_LIMIT", default_value = "100000", value_name = "N", value_parser = clap::value_parser!(u32).range(..=10_000_000))]
    pub(crate) catalogue_limit: u32,
    /// Bytes of rejected messages that are kept in PostgreSQL, about: the oldest make room
    #[arg(long, env = "POSTHORN_REJECTED_BYTES", default_value = "268435456", value_name = "BYTES", value_parser = clap::value_parser!(u64).range(..=1 << 40))]
    pub(crate) rejected_bytes: u64,
    /// Journal batches that a recorder holds unacknowledged
    #[arg(long, env = "POSTHORN_RECORDER_PREFETCH", default_value = "64", value_name = "N")]
    pub(crate) recorder_prefetch: NonZeroU16,
    /// How long after a webhook's deletion its queue is deleted
    #[arg(long, env = "POSTHORN_DELETION_GRACE", default_value = "2m", value_parser = parse_duration, value_name = "TIME")]
    pub(crate) deletion_grace: Duration,
    /// The most connections to PostgreSQL, at least 2
    #[arg(
        long,
        env = "POSTHORN_DATABASE_CONNECTIONS",
        default_value = "4",
        value_parser = clap::value_parser!(u16).range(2..=1000),
        value_name = "N"
    )]
    pub(crate) database_connections: u16,
    #[command(flatten)]
    pub(crate) mail: MailSettings,
}

/// Composes the settings of a role.
macro_rules! role {
    ($(#[$meta:meta])* $name:ident { $($field:ident: $section:ty),+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Args)]
        pub(crate) struct $name {
            $(#[command(flatten)] pub(crate) $field: $section,)+
            #[command(flatten)]
            pub(crate) admin: AdminSettings,
        }
    };
}

role! {
    /// Settings of the router.
    RouterSettings { broker: BrokerSettings, database: DatabaseSettings, topology: TopologySettings, events: EventSettings, routing: RoutingSettings }
}

role! {
    /// Settings of the dispatcher.
    DispatcherSettings {
        broker: BrokerSettings, database: DatabaseSettings, topology: TopologySettings, keys: KeySettings,
        addresses: AddressSettings, name_servers: NameServerSettings, delivery: DeliverySettings
    }
}

role! {
    /// Settings of the recorder.
    RecorderSettings { broker: BrokerSettings, database: DatabaseSettings, topology: TopologySettings, recording: RecordingSettings }
}

role! {
    /// Settings of the API.
    ApiRoleSettings {
        broker: BrokerSettings, database: DatabaseSettings, topology: TopologySettings, keys: KeySettings,
        addresses: AddressSettings, name_servers: NameServerSettings, filters: FilterSettings,
        events: EventSettings, api: ApiSettings
    }
}

role! {
    /// Settings of all roles in one process.
    AllSettings {
        broker: BrokerSettings, database: DatabaseSettings, topology: TopologySettings, keys: KeySettings,
        addresses: AddressSettings, name_servers: NameServerSettings, filters: FilterSettings,
        events: EventSettings, routing: RoutingSettings, delivery: DeliverySettings, recording: RecordingSettings, api: ApiSettings
    }
}

fn read_retention(text: &str) -> Result<Duration, String> {
    match parse_duration(text) {
        Ok(retention) if retention >= Duration::from_secs(24 * 3600) => Ok(retention),
        Ok(_) => Err("it is kept for at least 1d".to_owned()),
        Err(_) => Err(format!("`{text}` is not a time such as 30d")),
    }
}

/// An address, with a port or without.
fn read_name_server(text: &str) -> Result<SocketAddr, String> {
    let with_port = text.parse().ok();
    let address = with_port.or_else(|| Some(SocketAddr::new(text.parse().ok()?, 53)));
    address.ok_or_else(|| format!("`{text}` is not an address such as 10.0.0.2 or 127.0.0.1:5353"))
}

fn read_prefix(text: &str) -> Result<String, String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    match (1..=100).contains(&text.len()) && text.bytes().all(allowed) {
        true => Ok(text.to_owned()),
        false => Err("a prefix is 1 to 100 letters, digits, -, _ and .".to_owned()),
    }
}
