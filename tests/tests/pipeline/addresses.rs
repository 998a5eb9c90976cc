//! Addresses that policy forbids, and names without any.

use posthorn_tests::{App, Attempt, NameServer, Receiver, always, database::uuid_of, event};

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
async fn names_of_container_networks_are_looked_up() {
    let known = ["my_service", "_a.my_network", "plain"].map(|name| (name, [127, 0, 0, 1].into()));
    let name_server = NameServer::start(&known).await;
    let app = App::with(&[("POSTHORN_NAME_SERVERS", &name_server.setting())]).await;
    let receiver = Receiver::start(always(200)).await;
    for (name, _) in known {
        is_delivered_to(&app, &receiver, &receiver.url("/").replace("127.0.0.1", name)).await;
    }
}

#[tokio::test]
async fn of_a_names_addresses_the_allowed_one_is_dialled() {
    let app = App::create().await;
    let receiver = Receiver::start(always(200)).await;
    is_delivered_to(&app, &receiver, &receiver.url("/").replace("127.0.0.1", "localhost")).await;
}

#[tokio::test]
async fn a_name_with_none_but_forbidden_addresses_is_blocked_without_telling_them() {
    let known = [("inner.example.com", [10, 1, 2, 3].into()), ("inner.example.com", [127, 0, 0, 2].into())];
    let name_server = NameServer::start(&known).await;
    let app = App::with(&[("POSTHORN_NAME_SERVERS", &name_server.setting())]).await;
    let attempt = attempt_at(&app, "http://inner.example.com/").await;
    assert_eq!(attempt.unreachable_class.as_deref(), Some("blocked"), "{attempt:?}");
    assert!(!format!("{attempt:?}").contains("10.1.2.3"), "{attempt:?}");
}

#[tokio::test]
async fn a_query_arrives_byte_for_byte() {
    let app = App::create().await;
    let receiver = Receiver::start(always(200)).await;
    let path = "/a?q='x'&a=%2B+%zz";
    is_delivered_to(&app, &receiver, &receiver.url(path)).await;
    assert_eq!(receiver.requests()[0].path, path);
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
        ("https://a..b/", "dots"),
        ("https://example.com/a\nb", "line end"),
        ("https:example.com", "//"),
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

/// Expects that an event arrives at a receiver whose webhook has this URL.
async fn is_delivered_to(app: &App, receiver: &Receiver, url: &str) {
    let webhook = app.add_webhook(url, &[]).await;
    let roles = app.start().await;
    let event = event("todo.created");
    app.publish(&event).await;
    let attempt = app.database.records_attempts(&webhook, 1).await.remove(0);
    assert_eq!(attempt.outcome, "accepted", "{url}: {attempt:?}");
    assert_eq!(receiver.of(&event.id).len(), 1, "{url}");
    app.webhook("remove", &webhook).await;
    drop(roles);
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
