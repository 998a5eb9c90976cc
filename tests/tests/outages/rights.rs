//! The users of deploy/rabbitmq and deploy/postgres: each role works with its own, and they may no more
//! than they need. On private servers, since users are seen by all who share a server.

use std::time::Duration;

use jiff::Timestamp;
use lapin::{Channel, Connection, ConnectionProperties, options::BasicGetOptions};
use posthorn_broker::{Raw, RawError};
use posthorn_domain::{
    event::ContentDigest,
    id::{AttemptId, EventId},
    journal::{Attempted, Entry, encode},
    outcome::{Outcome, Phases},
    step::Step,
};
use posthorn_publisher::Publisher;
use posthorn_tests::{App, Receiver, Servers, Webhook, always, event, eventually_is, metrics};
use uuid::Uuid;

const DEFINITIONS: &str = include_str!("../../../deploy/rabbitmq/definitions.json");
const MANIFESTS: &str = include_str!("../../../deploy/kubernetes/posthorn.yaml");
const COMPOSE: &str = include_str!("../../../docker-compose.yml");
const GRANTS: &str = include_str!("../../../deploy/postgres/grants.sql");

#[tokio::test]
async fn every_role_works_with_the_least_rights() {
    let servers = Servers::private().await;
    let mut app = App::on(&servers, &[]).await;
    for _ in 0..2 {
        app.database.script(GRANTS).await; // again after each migration
    }
    let mut definitions = DEFINITIONS.replace("PREFIX", &app.prefix);
    for user in ["ROUTER", "DISPATCHER", "RECORDER", "API", "PUBLISHER", "ADMIN"] {
        definitions = definitions.replace(&format!("{user}_PASSWORD"), "secret");
    }
    servers.control(&["import_definitions", &app.file("definitions.json", &definitions)]).await;

    let receiver = Receiver::start(always(200)).await;
    let mut processes = Vec::new();
    for role in ["router", "dispatcher", "recorder"] {
        log_in(&mut app, &servers, role, (role != "recorder").then_some(role));
        processes.push(app.start_role(role).await);
    }
    log_in(&mut app, &servers, "api", Some("api"));
    let api = app.api().await;
    let webhook = app.add_webhook(&receiver.url("/"), &[]).await;
    let router = &mut processes[0];
    eventually_is("webhooks that the router knows", Some(1.0), async || {
        metrics::parse(&router.page("/metrics").await.1).get("posthorn_webhooks").copied()
    })
    .await;
    let event = event("todo.created");
    let publisher = Publisher::connect(&user_url(&servers, "publisher"), &app.prefix).await.unwrap();
    publisher.publish(&event).await.unwrap();

    receiver.receives_of(&event.id, 1).await;
    app.database.records_attempts(&webhook, 1).await;
    let path = format!("/v1/deliveries/{}/{}/redeliver", event.id, webhook.id);
    api.admin().act(&path).await.expect(202);
    receiver.receives_of(&event.id, 2).await;
    let shown = async || app.run(&["webhook", "show", &webhook.id, "--json"]).await.json()["waiting"].clone();
    eventually_is("what the api sees of the queue", 0.into(), shown).await;

    no_user_reads_a_queue_of_others(&app, &servers, &webhook).await;
    no_user_publishes_for_others(&app, &servers, &webhook).await;
    // A rule that nothing enforces but the permissions: the same entry from a recorder is believed.
    let recorder = Raw::connect(&user_url(&servers, "recorder")).await.unwrap();
    publish(recorder, &app.name("journal"), b"", &forged(&webhook.id)).await.unwrap();
    let state = async || app.state(&webhook).await;
    eventually_is("what the forged entry does", "disabled".to_owned(), state).await;
    no_user_reads_a_table_of_others(&app).await;
}

async fn no_user_reads_a_queue_of_others(app: &App, servers: &Servers, webhook: &Webhook) {
    for (user, queue) in [
        ("publisher", "router"),
        ("api", "router"),
        ("router", &*format!("webhook.{}", webhook.id)),
        ("dispatcher", "router"),
        ("recorder", "router"),
    ] {
        let refused = channel(&user_url(servers, user)).await;
        let got = refused.basic_get(app.name(queue).into(), BasicGetOptions::default()).await;
        let error = got.expect_err(user).to_string();
        assert!(error.contains("ACCESS_REFUSED") || error.contains("access"), "{user}: {error}");
    }
}

async fn no_user_publishes_for_others(app: &App, servers: &Servers, webhook: &Webhook) {
    for (user, exchange) in [
        ("publisher", "journal"),
        ("publisher", "batches"),
        ("publisher", "deliveries"),
        ("publisher", "suspects.events"),
        ("publisher", ""),
        ("api", "journal"),
        ("api", "batches"),
        ("api", "retry.300"),
        ("api", ""),
    ] {
        let name = if exchange.is_empty() { String::new() } else { app.name(exchange) };
        let refused = Raw::connect(&user_url(servers, user)).await.expect(user);
        let key = app.name("journal").into_bytes();
        let error = publish(refused, &name, &key, &forged(&webhook.id)).await.expect_err(user).to_string();
        assert!(error.contains("ACCESS_REFUSED"), "{user}, {exchange}: {error}");
    }
}

async fn no_user_reads_a_table_of_others(app: &App) {
    for (role, table) in [("router", "webhook_secrets"), ("dispatcher", "attempts")] {
        let url = database_url(&app.database.url, role);
        let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.expect(role);
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(connection);
        let refused = client.query(&format!("SELECT 1 FROM {table}"), &[]).await.expect_err(role);
        assert_eq!(refused.code(), Some(&tokio_postgres::error::SqlState::INSUFFICIENT_PRIVILEGE), "{role}");
    }
}

#[test]
fn each_pod_and_container_has_only_the_secrets_of_its_role() {
    let documents: Vec<_> =
        MANIFESTS.split("\n---\n").filter(|text| text.contains("\n  template:")).collect();
    assert_eq!(documents.len(), 5);
    for role in ["migrate", "router", "dispatcher", "recorder", "api"] {
        let own = |text: &&&str| text.contains(&format!("\n  name: posthorn-{role}\n"));
        let manifest = documents.iter().find(own).expect(role);
        assert!(manifest.contains("automountServiceAccountToken: false"), "{role}");
        assert_eq!(manifest.matches("secretName").count(), 1, "{role}");
        assert!(manifest.contains(&format!("secretName: posthorn-{role} ")), "{role}");
    }
    for (role, secrets) in [
        ("router", "database_url_router, amqp_url_router"),
        ("dispatcher", "database_url_dispatcher, amqp_url_dispatcher, secret_keys"),
        ("recorder", "database_url, amqp_url_recorder"),
        ("api", "database_url_api, amqp_url_api, secret_keys, admin_token"),
        ("cli", "database_url_api, amqp_url_api, secret_keys"),
        ("demo-producer", "amqp_url_publisher"),
    ] {
        let (_, service) = COMPOSE.split_once(&format!("\n  {role}:")).expect(role);
        let given = service.lines().find_map(|line| line.strip_prefix("    secrets: ")).expect(role);
        assert_eq!(given, format!("[{secrets}]"), "{role}");
    }
}

async fn publish(mut raw: Raw, exchange: &str, key: &[u8], body: &[u8]) -> Result<(), RawError> {
    const PERSISTENT: [u8; 3] = [0x10, 0, 2];
    raw.publish(exchange, key, &PERSISTENT, body).await
}

/// A journal batch that says that the webhook's receiver answered 410.
fn forged(webhook: &str) -> Vec<u8> {
    let now = Timestamp::now();
    let attempted = Attempted {
        id: AttemptId(Uuid::now_v7()),
        event_id: EventId(Uuid::now_v7().to_string()),
        event_type: "todo.created".to_owned(),
        company_id: String::new(),
        digest: ContentDigest(Uuid::nil()),
        webhook_id: webhook.parse().expect("it is a webhook's id"),
        epoch: 1,
        attempt: 1,
        started_at: now,
        duration: Duration::from_millis(1),
        outcome: Outcome::Gone,
        phases: Phases::default(),
        address: None,
        response_headers: Vec::new(),
        response_body: String::new(),
        step: Step::Disable,
        first_attempt_at: now,
    };
    encode([&Entry::Attempted(Box::new(attempted))]).to_vec()
}

/// From now on the app's processes log in as this user of the broker, and as this one of the database,
/// if not as its owner.
fn log_in(app: &mut App, servers: &Servers, user: &str, role: Option<&str>) {
    let database = match role {
        Some(role) => database_url(&app.database.url, role),
        None => app.database.url.clone(),
    };
    app.settings.insert("POSTHORN_AMQP_URL".to_owned(), user_url(servers, user));
    app.settings.insert("POSTHORN_DATABASE_URL".to_owned(), database);
}

fn user_url(servers: &Servers, user: &str) -> String {
    servers.amqp_url.replace("guest:guest", &format!("posthorn-{user}:secret"))
}

fn database_url(owners: &str, role: &str) -> String {
    owners.replace("posthorn@", &format!("posthorn_{role}@"))
}

async fn channel(url: &str) -> Channel {
    let connection =
        Connection::connect(url, ConnectionProperties::default()).await.expect("the user exists");
    connection.create_channel().await.expect("the broker gives a channel")
}
