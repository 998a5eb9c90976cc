//! Addresses that policy forbids, and names without any.

use posthorn_tests::{App, Attempt, Receiver, always, database::uuid_of, event};

#[tokio::test]
async fn a_forbidden_address_is_never_connected_to() {
    let app = App::create().await;
    let forbidden = Receiver::at("127.0.0.2:0", always(200)).await;

    for url in [forbidden.url("/"), forbidden.url("/").replace("127.0.0.2", "[::ffff:127.0.0.2]")] {
        let attempt = attempt_at(&app, &url).await;
        assert_eq!(attempt.outcome, "unreachable", "{url}: {attempt:?}");
        assert_eq!(attempt.unreachable_class.as_deref(), Some("blocked"), "{url}: {attempt:?}");
        assert_eq!(attempt.step, "retry");
    }
    assert_eq!(forbidden.connections(), 0);
}

#[tokio::test]
async fn a_name_without_an_address_is_unreachable_by_dns() {
    let app = App::create().await;
    let attempt = attempt_at(&app, "http://no-such-host.invalid/").await;
    assert_eq!(attempt.outcome, "unreachable", "{attempt:?}");
    assert_eq!(attempt.unreachable_class.as_deref(), Some("dns"), "{attempt:?}");
}

#[tokio::test]
async fn forbidden_urls_are_refused_when_a_webhook_is_added() {
    let app = App::create().await;
    for (url, words) in [
        ("http://127.0.0.2:8080/", "127.0.0.2"),
        ("http://10.1.2.3/", "10.1.2.3"),
        ("https://169.254.169.254/latest", "169.254.169.254"),
        ("http://[::1]:8080/", "::1"),
        ("http://2130706434/", "127.0.0.2"),
        ("https://user:password@example.com/", "user"),
        ("ftp://example.com/", "http"),
        ("nonsense", "url"),
    ] {
        let stderr = app.run(&["webhook", "add", "--url", url, "--json"]).await.failure();
        assert!(stderr.to_lowercase().contains(words), "{url}: {stderr}");
    }
    assert!(app.database.webhook_ids().await.is_empty());
}

#[tokio::test]
async fn plain_http_is_refused_unless_it_is_allowed() {
    let app = App::with(&[("POSTHORN_ALLOW_HTTP", "false")]).await;
    let stderr = app.run(&["webhook", "add", "--url", "http://127.0.0.1:8080/"]).await.failure();
    assert!(stderr.contains("https") || stderr.contains("POSTHORN_ALLOW_HTTP"), "{stderr}");
}

/// The first attempt for a webhook whose URL was changed behind the operator's commands.
async fn attempt_at(app: &App, url: &str) -> Attempt {
    let webhook = app.add_webhook("http://127.0.0.1:9/", &[]).await;
    app.database.execute("UPDATE webhooks SET url = $2 WHERE id = $1", &[&uuid_of(&webhook.id), &url]).await;
    let roles = app.start().await;
    app.publish(&event("todo.created")).await;
    let attempt = app.database.records_attempts(&webhook, 1).await.remove(0);
    app.webhook("remove", &webhook).await;
    drop(roles);
    attempt
}
