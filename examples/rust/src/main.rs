//! Publishes an event over AMQP and receives it as a webhook, verified.

use std::{
    collections::HashSet,
    env,
    sync::{Arc, Mutex, OnceLock},
    time::{Duration, SystemTime},
};

use anyhow::{Context, ensure};
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use posthorn_publisher::{
    Publisher,
    v1::{Event, event::Data},
};
use reqwest::Method;
use serde_json::{Value, json};
use standardwebhooks::Webhook;
use tokio::{net::TcpListener, sync::mpsc, time};

struct Receiver {
    webhook: OnceLock<Webhook>,
    /// In real life: a table with a unique key on `webhook-id`.
    seen: Mutex<HashSet<String>>,
    events: mpsc::Sender<Value>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let (events, mut received) = mpsc::channel(16);
    let receiver = Arc::new(Receiver { webhook: OnceLock::new(), seen: Mutex::default(), events });
    let listener = TcpListener::bind(("127.0.0.1", setting("PORT", "9000").parse()?)).await?;
    let url = format!("http://{}/", listener.local_addr()?);
    let app = Router::new().route("/", post(receive)).with_state(receiver.clone());

    tokio::select! {
        served = axum::serve(listener, app) => served.context("the receiver has stopped"),
        went_round = go_round(&url, &receiver, &mut received) => went_round,
    }
}

/// Registers a webhook, publishes an event, and waits until it is delivered.
async fn go_round(
    url: &str,
    receiver: &Receiver,
    received: &mut mpsc::Receiver<Value>,
) -> anyhow::Result<()> {
    let rules = json!([{ "event_types": ["todo.*"], "companies": ["cmp_hartmann"] }]);
    let webhook = json!({ "name": "rust", "url": url, "rules": rules });
    let made = call(Method::POST, "/v1/webhooks", Some(&webhook)).await?;
    let (id, secret) = (&made["id"], &made["secret"]); // keep the secret: it is not shown again
    let (id, secret) = id.as_str().zip(secret.as_str()).context("a made webhook has an id and a secret")?;
    receiver.webhook.get_or_init(|| Webhook::new(secret).expect("a secret of Posthorn's is one"));
    println!("registered {id}");
    time::sleep(Duration::from_secs(2)).await; // by then every router knows of the webhook

    let amqp_url = setting("POSTHORN_AMQP_URL", "amqp://guest:guest@127.0.0.1:5672/%2f");
    let publisher = Publisher::connect(&amqp_url, &setting("POSTHORN_PREFIX", "posthorn")).await?;
    let event = Event {
        id: uuid::Uuid::now_v7().to_string(),
        r#type: "todo.created".to_owned(),
        company_id: "cmp_hartmann".to_owned(),
        project_id: "prj_office_move".to_owned(),
        occurred_at: Some(SystemTime::now().into()),
        data: Some(Data::Json(json!({ "title": "Order the desks" }).to_string().into())),
    };
    publisher.publish(&event).await?; // returns once RabbitMQ has it safely; after a failure: the same again
    println!("published {}", event.id);

    let event = time::timeout(Duration::from_secs(30), received.recv()).await.context("nothing came")?;
    let event = event.context("the receiver has stopped")?;
    let text = |field: &str| event[field].as_str().unwrap_or_default().to_owned();
    println!("received {} {} {}", text("type"), text("id"), event["data"]);
    call(Method::DELETE, &format!("/v1/webhooks/{id}"), None).await?;
    Ok(())
}

/// Verifies what comes and keeps it.
async fn receive(State(receiver): State<Arc<Receiver>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let Some(webhook) = receiver.webhook.get() else { return StatusCode::SERVICE_UNAVAILABLE };
    if webhook.verify(&body, &headers).is_err() {
        return StatusCode::UNAUTHORIZED;
    }
    let Ok(event) = serde_json::from_slice::<Value>(&body) else { return StatusCode::BAD_REQUEST };
    let id = headers.get("webhook-id").and_then(|id| id.to_str().ok()).unwrap_or_default().to_owned();
    let is_new = receiver.seen.lock().is_ok_and(|mut seen| seen.insert(id));
    if is_new && receiver.events.send(event).await.is_err() {
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    StatusCode::NO_CONTENT
}

/// Asks the management API.
async fn call(method: Method, path: &str, body: Option<&Value>) -> anyhow::Result<Value> {
    let token = env::var("POSTHORN_API_TOKEN").context("POSTHORN_API_TOKEN, with the scope write")?;
    let url = setting("POSTHORN_API", "http://127.0.0.1:8080") + path;
    let request = reqwest::Client::new().request(method, url).bearer_auth(token);
    let request = match body {
        Some(body) => request.header("content-type", "application/json").body(body.to_string()),
        None => request,
    };
    let response = request.send().await?;
    let (status, text) = (response.status(), response.text().await?);
    ensure!(status.is_success(), "{path}: {status} {text}");
    Ok(if text.is_empty() { Value::Null } else { serde_json::from_str(&text)? })
}

fn setting(name: &str, default: &str) -> String {
    env::var(name).unwrap_or_else(|_| default.to_owned())
}
