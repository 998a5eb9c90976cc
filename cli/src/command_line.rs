//! What can be written behind `posthorn`.

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand, builder::Resettable};

use crate::{
    commands::{
        self, audit::Audit, catalogue::CatalogueCommand, delivery::DeliveryCommand, event::EventCommand,
        healthcheck::Healthcheck, listen::Listen, pattern::PatternCommand, publish::Publish,
        quarantine::QuarantineCommand, rejected::RejectedCommand, replay::ReplayCommand,
        statistics::Statistics, token::TokenCommand, webhook::WebhookCommand,
    },
    roles::{self, Role},
    settings::{self, DatabaseSettings, LogSettings},
};

/// Posthorn routes events from RabbitMQ to webhooks: matched by rules, signed, retried.
///
/// Settings are environment variables or the flags of the same name; a secret can also come from a
/// file named by the variable with _FILE behind it.
#[derive(Debug, Parser)]
#[command(name = "posthorn", version, propagate_version = true)]
pub(crate) struct CommandLine {
    #[command(flatten)]
    pub(crate) log: LogSettings,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Bring the database up to date; safe to run from many replicas at once
    Migrate(DatabaseSettings),
    /// Match events with webhooks and publish their deliveries
    Router(settings::RouterSettings),
    /// Make the attempts: signed POSTs, retries
    Dispatcher(settings::DispatcherSettings),
    /// Write what happened to PostgreSQL and disable webhooks that fail
    Recorder(settings::RecorderSettings),
    /// Serve the management API
    Api(Box<settings::ApiRoleSettings>),
    /// Run every role in one process, for small installations
    All(Box<settings::AllSettings>),
    /// Publish events to RabbitMQ, with confirms
    Publish(Publish),
    /// Receive webhooks here: print and verify what comes
    Listen(Listen),
    /// Add, list, change and remove webhooks, over the management API or in PostgreSQL
    #[command(subcommand)]
    Webhook(WebhookCommand),
    /// List, show, publish and explain events, over the management API
    #[command(subcommand)]
    Event(EventCommand),
    /// List and show deliveries, and make them once more, over the management API
    #[command(subcommand)]
    Delivery(DeliveryCommand),
    /// Make many deliveries once more, over the management API
    #[command(subcommand)]
    Replay(ReplayCommand),
    /// Look after messages that are no events, over the management API
    #[command(subcommand)]
    Rejected(RejectedCommand),
    /// List and describe event types, companies and projects, over the management API
    #[command(subcommand)]
    Catalogue(CatalogueCommand),
    /// Look after events that no router survives, in RabbitMQ
    #[command(subcommand)]
    Quarantine(QuarantineCommand),
    /// Show what was counted by the minute or hour, over the management API
    Statistics(Statistics),
    /// Make, list and revoke tokens of the management API, over it or in PostgreSQL
    #[command(subcommand)]
    Token(TokenCommand),
    /// Read the audit log, over the management API
    Audit(Audit),
    /// Try out patterns on events' data; needs no servers
    #[command(subcommand)]
    Pattern(PatternCommand),
    /// Ask the role that runs here whether it can work; the exit code tells, for containers
    Healthcheck(Healthcheck),
    /// Print a fresh key for POSTHORN_SECRET_KEYS
    Key {
        /// The key's name; give every new key another one
        #[arg(long, default_value = "k1")]
        name: String,
    },
}

impl CommandLine {
    /// Reads it, or ends the process with the usage.
    pub(crate) fn read() -> Self {
        let read = Self::from_arg_matches(&unset_empty(Self::command()).get_matches());
        read.unwrap_or_else(|error| error.exit())
    }
}

/// A variable that is set to nothing, as compose files often leave them, counts as not set.
fn unset_empty(command: clap::Command) -> clap::Command {
    let is_empty =
        |arg: &clap::Arg| arg.get_env().and_then(std::env::var_os).is_some_and(|value| value.is_empty());
    let unset = |arg: clap::Arg| if is_empty(&arg) { arg.env(Resettable::Reset) } else { arg };
    command.mut_args(unset).mut_subcommands(unset_empty)
}

/// Runs a role until a signal, or a command to its end.
pub(crate) async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Migrate(database) => commands::migrate::run(&database).await,
        Command::Router(settings) => roles::run(settings.admin.clone(), vec![Role::Router(settings)]).await,
        Command::Dispatcher(settings) => {
            roles::run(settings.admin.clone(), vec![Role::Dispatcher(settings)]).await
        }
        Command::Recorder(settings) => {
            roles::run(settings.admin.clone(), vec![Role::Recorder(settings)]).await
        }
        Command::Api(settings) => roles::run(settings.admin.clone(), vec![Role::Api(settings)]).await,
        Command::All(settings) => roles::run(settings.admin.clone(), settings.roles()).await,
        Command::Publish(publish) => publish.run().await,
        Command::Listen(listen) => listen.run().await,
        Command::Webhook(command) => command.run().await,
        Command::Event(command) => command.run().await,
        Command::Delivery(command) => command.run().await,
        Command::Replay(command) => command.run().await,
        Command::Rejected(command) => command.run().await,
        Command::Quarantine(command) => command.run().await,
        Command::Healthcheck(command) => command.run().await,
        Command::Catalogue(command) => command.run().await,
        Command::Statistics(statistics) => statistics.run().await,
        Command::Token(command) => command.run().await,
        Command::Audit(audit) => audit.run().await,
        Command::Pattern(_) => unreachable!("it has an exit status of its own"),
        Command::Key { name } => commands::key::run(&name),
    }
}
