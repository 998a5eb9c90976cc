//! Secrets that change, and the keys that seal them.

use base64::{Engine, prelude::BASE64_STANDARD};
use posthorn_tests::{App, Receiver, Request, Webhook, always, event, eventually, within};

#[tokio::test]
async fn both_secrets_sign_during_the_overlap_and_only_the_new_one_after_it() {
    let app = App::create().await;
    let receiver = Receiver::start(always(200)).await;
    let webhook = app.add_webhook(&receiver.url("/"), &[]).await;
    let _roles = app.start().await;
    let first = &webhook.secret;
    assert!(next_request(&app, &receiver).await.is_signed_with(first));

    let second = &rotated(&app, &webhook, "1h").await;
    let request = becomes_signed_with(&app, &receiver, second).await;
    assert!(request.is_signed_with(first), "the old secret signs during the overlap");
    assert_eq!(request.signatures().len(), 2);

    let third = &rotated(&app, &webhook, "0s").await;
    let request = becomes_signed_with(&app, &receiver, third).await;
    assert_eq!(request.signatures().len(), 1, "an overlap of nothing ends every older secret");
    assert!(!request.is_signed_with(first) && !request.is_signed_with(second));
}

#[tokio::test]
async fn an_overlap_ends_by_itself() {
    let app = App::create().await;
    let receiver = Receiver::start(always(200)).await;
    let webhook = app.add_webhook(&receiver.url("/"), &[]).await;
    let _roles = app.start().await;

    let new = rotated(&app, &webhook, "3s").await;

    becomes_signed_with(&app, &receiver, &new).await;
    eventually("only the new secret signs", async || {
        let request = next_request(&app, &receiver).await;
        assert!(request.is_signed_with(&new));
        (request.signatures().len() == 1).then_some(())
    })
    .await;
}

#[tokio::test]
async fn secrets_are_sealed_in_the_database() {
    let app = App::create().await;
    let webhook = app.add_webhook("http://127.0.0.1:9/", &[]).await;
    let key = BASE64_STANDARD.decode(webhook.secret.strip_prefix("whsec_").unwrap()).unwrap();

    let rows = app.database.query("SELECT sealed, key_id FROM webhook_secrets", &[]).await;

    assert_eq!((rows.len(), rows[0].get::<_, String>(1).as_str()), (1, "test"));
    let sealed: Vec<u8> = rows[0].get(0);
    assert!(key.len() >= 24 && sealed.len() > key.len());
    assert!(!sealed.windows(8).any(|part| key.windows(8).any(|secret| secret == part)));
}

#[tokio::test]
async fn secrets_sealed_with_an_old_key_stay_usable_when_a_new_key_seals() {
    let mut app = App::create().await;
    let receiver = Receiver::start(always(200)).await;
    let webhook = app.add_webhook(&receiver.url("/"), &[]).await;
    let new_key = app.run(&["key"]).await.success();
    let ring = format!("{},{}", new_key.trim(), app.settings["POSTHORN_SECRET_KEYS"]);
    app.settings.insert("POSTHORN_SECRET_KEYS".to_owned(), ring);
    let later = app.add_webhook(&receiver.url("/later"), &[]).await;
    let _roles = app.start().await;

    app.publish(&event("todo.created")).await;

    receiver.receives(2).await;
    assert!(receiver.to("/")[0].is_signed_with(&webhook.secret));
    assert!(receiver.to("/later")[0].is_signed_with(&later.secret));
    let keys = app.database.query("SELECT DISTINCT key_id FROM webhook_secrets", &[]).await;
    assert_eq!(keys.len(), 2);
}

async fn rotated(app: &App, webhook: &Webhook, overlap: &str) -> String {
    let rotate = ["webhook", "rotate-secret", &webhook.id, "--overlap", overlap, "--json"];
    let rotated = app.run(&rotate).await.json();
    assert_ne!(rotated["secret"], webhook.secret.as_str());
    rotated["secret"].as_str().expect("a rotation prints the new secret").to_owned()
}

async fn next_request(app: &App, receiver: &Receiver) -> Request {
    let event = event("todo.created");
    app.publish(&event).await;
    receiver.receives_of(&event.id, 1).await.remove(0)
}

async fn becomes_signed_with(app: &App, receiver: &Receiver, secret: &str) -> Request {
    within(posthorn_tests::IN_FORCE, "the new secret signs", async || {
        Some(next_request(app, receiver).await).filter(|request| request.is_signed_with(secret))
    })
    .await
}
