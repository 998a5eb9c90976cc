//! Quotas and shares: what one company, or one token, may take, so that others are served.

use std::time::Instant;

use futures_util::future::join_all;
use posthorn_tests::{App, Gate, Receiver, Reply, Request, eventually, metrics};
use serde_json::{Value, json};

#[tokio::test]
async fn a_companys_webhooks_fit_into_its_quotas_and_others_do_not_count() {
    let app = App::with(&[
        ("POSTHORN_COMPANY_WEBHOOKS", "2"),
        ("POSTHORN_COMPANY_IN_FLIGHT", "40"),
        ("POSTHORN_COMPANY_TESTS", "5"),
    ])
    .await;
    let api = app.api().await;
    let admin = api.admin();
    let of = |companies: &[&str], max_in_flight: u16| json!({ "url": "http://127.0.0.1:9/", "rules": [{ "companies": companies }], "max_in_flight": max_in_flight });
    let over = async |answer: posthorn_tests::api::Answer, quota: &str| {
        let problem = answer.problem(409, "over-quota");
        assert_eq!(problem["errors"][0]["code"], quota, "{problem}");
    };

    admin.post("/v1/webhooks", &of(&["c1"], 30)).await.expect(201);
    over(admin.post("/v1/webhooks", &of(&["c1"], 16)).await, "company_in_flight").await;
    let second = admin.post("/v1/webhooks", &of(&["c1"], 10)).await.expect(201);
    over(admin.post("/v1/webhooks", &of(&["c1"], 1)).await, "company_webhooks").await;
    let path = format!("/v1/webhooks/{}", second["id"].as_str().unwrap());
    over(admin.patch(&path, &json!({ "max_in_flight": 11 })).await, "company_in_flight").await;
    admin.patch(&path, &json!({ "max_in_flight": 9, "name": "smaller" })).await.expect(200);
    let wide = json!([{ "companies": ["c1"], "pattern": { "data": { "n": [1, 2, 3, 4, 5, 6] } } }]);
    over(admin.patch(&path, &json!({ "rules": wide })).await, "company_tests").await;

    // What sees several companies counts for the installation, unless a company makes it.
    for _ in 0..3 {
        admin.post("/v1/webhooks", &of(&["c1", "c2"], 100)).await.expect(201);
    }
    let theirs = api.client(&["read", "write"], &["c1", "c2"]).await;
    over(theirs.post("/v1/webhooks", &of(&["c1", "c2"], 1)).await, "company_webhooks").await;
    admin.post("/v1/webhooks", &of(&["c3"], 40)).await.expect(201);

    admin.delete(&path).await.expect(204);
    admin.post("/v1/webhooks", &of(&["c1", "c1"], 10)).await.expect(201);
}

#[tokio::test]
async fn webhooks_made_at_once_do_not_slip_past_a_quota() {
    let app = App::with(&[("POSTHORN_COMPANY_WEBHOOKS", "3")]).await;
    let api = app.api().await;
    let admin = api.admin();
    let input = json!({ "url": "http://127.0.0.1:9/", "rules": [{ "companies": ["c1"] }] });
    let made = join_all((0..12).map(|_| admin.post("/v1/webhooks", &input))).await;
    assert_eq!(made.iter().filter(|answer| answer.status == 201).count(), 3);
    assert_eq!(made.iter().filter(|answer| answer.status == 409).count(), 9);
}

#[tokio::test]
async fn a_companys_events_and_requests_have_their_rates() {
    let app =
        App::with(&[("POSTHORN_COMPANY_EVENT_RATE", "2"), ("POSTHORN_COMPANY_REQUEST_RATE", "20")]).await;
    let _router = app.start_role("router").await;
    let mut api = app.api().await;
    let publisher = api.client(&["publish"], &[]).await;
    let event = |company: &str| json!({ "type": "todo.created", "company_id": company, "data": {} });

    let refused = eventually("c1 has published enough", async || {
        let answer = publisher.post("/v1/events", &event("c1")).await;
        (answer.status != 202).then_some(answer)
    })
    .await;
    refused.problem(429, "too-many-requests");
    assert!(refused.header("retry-after").is_some());
    publisher.post("/v1/events", &event("c2")).await.expect(202);
    let batch = json!({ "events": [event("c1"), event("c3")] });
    let answer = publisher.post("/v1/events:batch", &batch).await.expect(207);
    let told: Vec<_> = answer["data"].as_array().unwrap().iter().map(|item| &item["result"]).collect();
    assert_eq!(told, ["unconfirmed", "published"], "{answer}");
    assert_eq!(answer["data"][0]["errors"][0]["code"], "too_many_events");

    let tokens = [api.client(&["read"], &["c1"]).await, api.client(&["read"], &["c1"]).await];
    eventually("both tokens of c1 together have asked enough", async || {
        let asked = tokens.iter().flat_map(|token| (0..20).map(|_| token.get("/v1/webhooks")));
        join_all(asked).await.iter().any(|answer| answer.status == 429).then_some(())
    })
    .await;
    api.client(&["read"], &["c2"]).await.get("/v1/webhooks").await.expect(200);
    let (_, page) = api.process.page("/metrics").await;
    for reason in ["company_events", "company_requests"] {
        let line = page.lines().find(|line| line.contains(&format!("reason=\"{reason}\""))).unwrap();
        assert!(!line.ends_with(" 0"), "{line}");
    }
    assert!(metrics::parse(&page)["posthorn_api_refused_total"] > 1.0);
}

#[tokio::test]
async fn one_companys_tests_leave_room_for_anothers() {
    let app = App::create().await;
    let gate = Gate::closed();
    let held = gate.clone();
    let receiver = Receiver::start(move |request: &Request| match request.path.as_str() {
        "/hangs" => Reply::status(200).when(&held),
        _ => Reply::status(200),
    })
    .await;
    let api = app.api().await;
    let admin = api.admin();
    let add = async |path: &str, company: &str| {
        let webhook = admin.add(&receiver.url(path), json!([{ "companies": [company] }])).await;
        format!("/v1/webhooks/{}/test", webhook["id"].as_str().unwrap())
    };
    let (hangs, other) = (add("/hangs", "c1").await, add("/", "c2").await);

    let hanging = join_all((0..4).map(|_| admin.act(&hangs)));
    let meanwhile = async {
        receiver.receives(4).await;
        admin.act(&hangs).await.problem(429, "too-many-requests");
        let started = Instant::now();
        let tested = admin.act(&other).await.expect(200);
        assert_eq!(tested["outcome"], "accepted");
        assert!(started.elapsed().as_secs() < 5);
        gate.open();
    };
    let (answers, ()) = tokio::join!(hanging, meanwhile);
    assert!(answers.iter().all(|answer| answer.json()["outcome"] == "accepted"), "{answers:?}");
    let _: Value = admin.act(&hangs).await.expect(200);
}
