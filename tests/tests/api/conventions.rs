//! What holds for every route: problems, limits, ids, pages.

use posthorn_tests::{App, eventually, metrics};
use serde_json::json;

#[tokio::test]
async fn requests_that_cannot_be_read_are_told_so() {
    let app = App::with(&[("POSTHORN_API_MAX_BODY_BYTES", "2000")]).await;
    let api = app.api().await;
    let admin = api.admin();

    api.nobody().get("/v1/webhooks").await.problem(401, "unauthenticated");
    api.with_token("pht_nonsense").get("/v1/webhooks").await.problem(401, "unauthenticated");
    api.nobody()
        .header("authorization", "Basic eDp5")
        .get("/v1/webhooks")
        .await
        .problem(401, "unauthenticated");
    admin.get("/v1/nonsense").await.problem(404, "not-found");
    admin.send("PUT", "/v1/webhooks", None, b"").await.problem(405, "method-not-allowed");
    admin.get("/v1/webhooks/whk_nonsense").await.problem(404, "not-found");

    let json = Some("application/json");
    admin.send("POST", "/v1/webhooks", None, b"{}").await.problem(415, "unsupported-media-type");
    admin
        .send("POST", "/v1/webhooks", Some("text/plain"), b"{}")
        .await
        .problem(415, "unsupported-media-type");
    admin.send("POST", "/v1/webhooks", json, b"{").await.problem(400, "bad-request");
    admin.send("POST", "/v1/webhooks", json, b"\xff{}").await.problem(400, "bad-request");
    admin.send("POST", "/v1/webhooks", json, b"[]").await.wrong(422, "invalid", &[("", "wrong_type")]);
    admin.send("POST", "/v1/webhooks", json, &[b' '; 3000]).await.problem(413, "too-large");
    let wrong = [("limit", "wrong_type"), ("colour", "unknown_parameter")];
    admin.get("/v1/webhooks?limit=x&colour=red").await.wrong(400, "bad-parameters", &wrong);
    admin.get("/v1/webhooks?limit=251").await.wrong(400, "bad-parameters", &[("limit", "out_of_range")]);
    admin.get("/v1/webhooks?cursor=x").await.wrong(400, "bad-parameters", &[("cursor", "bad_cursor")]);
    admin.get("/v1/events?since=yesterday").await.wrong(400, "bad-parameters", &[("since", "wrong_type")]);
}

#[tokio::test]
async fn every_request_has_an_id_and_is_counted() {
    let app = App::create().await;
    let mut api = app.api().await;

    let answer = api.admin().header("x-request-id", "my-own-id").get("/v1/webhooks").await;
    assert_eq!(answer.header("x-request-id"), Some("my-own-id"));
    let answer = api.nobody().get("/v1/webhooks").await;
    assert!(answer.header("x-request-id").is_some_and(|id| id.len() == 36), "{answer:?}");

    let (_, page) = api.process.page("/metrics").await;
    assert_eq!(metrics::parse(&page)["posthorn_api_requests_total"], 2.0, "{page}");
    let labels = r#"route="/v1/webhooks",method="GET",status="4xx""#;
    assert!(page.contains(labels), "{page}");
}

#[tokio::test]
async fn a_token_makes_so_many_requests_a_second_and_others_are_not_held_up() {
    let app = App::with(&[("POSTHORN_API_RATE", "2")]).await;
    let api = app.api().await;
    let other = api.client(&["read"], &[]).await;

    let refused = eventually("the bucket is empty", async || {
        let answer = api.admin().get("/v1/webhooks").await;
        (answer.status != 200).then_some(answer)
    })
    .await;
    refused.problem(429, "too-many-requests");
    assert_eq!(refused.header("retry-after"), Some("1"));
    other.get("/v1/webhooks").await.expect(200);
}

#[tokio::test]
async fn pages_of_other_origins_may_use_it_only_if_they_are_named() {
    let app = App::create().await;
    let api = app.api().await;
    let from = |origin: &str| api.admin().header("origin", origin);
    let answer = from("https://console.example.com").get("/v1/webhooks").await;
    assert_eq!(answer.header("access-control-allow-origin"), None);
    drop(api);

    let app = App::with(&[("POSTHORN_API_ALLOW_ORIGINS", "https://console.example.com")]).await;
    let api = app.api().await;
    let from = |origin: &str| api.admin().header("origin", origin);
    let answer = from("https://console.example.com").get("/v1/webhooks").await;
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://console.example.com"));
    let answer = from("https://other.example.com").get("/v1/webhooks").await;
    assert_eq!(answer.header("access-control-allow-origin"), None);
}

#[tokio::test]
async fn it_finishes_what_runs_when_it_is_told_to_stop() {
    let app = App::create().await;
    let api = app.api().await;
    api.admin().add("http://127.0.0.1:9/", json!([{}])).await;
    api.process.stop().await;
}

#[tokio::test]
async fn a_short_admin_token_is_refused_at_start() {
    let app = App::with(&[("POSTHORN_ADMIN_TOKEN", "short")]).await;
    let stderr = app.run(&["api"]).await.failure();
    assert!(stderr.contains("POSTHORN_ADMIN_TOKEN"), "{stderr}");
}
