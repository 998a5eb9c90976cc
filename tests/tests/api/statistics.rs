//! Statistics, as a client sees them.

use posthorn_tests::{App, Event, Receiver, always, event};
use serde_json::json;

#[tokio::test]
async fn events_attempts_and_latency_are_counted_for_a_webhook_and_for_all() {
    let app = App::create().await;
    let _roles = app.start().await;
    let api = app.api().await;
    let good = Receiver::start(always(200)).await;
    let bad = Receiver::start(always(410)).await;
    let ours = api.client(&["read", "write"], &["a"]).await;
    let rules = json!([{ "companies": ["a"] }]);
    let (good, bad) = (ours.add(&good.url("/"), rules.clone()).await, ours.add(&bad.url("/"), rules).await);
    let path = |webhook: &serde_json::Value| {
        format!("/v1/webhooks/{}/statistics", webhook["id"].as_str().expect("it has an id"))
    };
    app.publish(&Event { company_id: "a".to_owned(), ..event("todo.created") }).await;

    let counted = ours.shows(&path(&good), "/total/accepted", json!(1)).await;
    assert_eq!((&counted["step"], &counted["total"]["events"]), (&json!("minute"), &json!(1)));
    assert!(counted["total"]["latency_ms"]["p99"].as_f64().is_some_and(|millis| millis > 0.0), "{counted}");
    assert_eq!(counted["data"].as_array().unwrap().len(), 1);
    let refused = ours.shows(&path(&bad), "/total/failed", json!(1)).await;
    assert_eq!((&refused["total"]["gone"], &refused["total"]["accepted"]), (&json!(1), &json!(0)));
    let all = api.admin().shows("/v1/statistics?step=hour", "/total/accepted", json!(1)).await;
    assert_eq!(all["data"][0]["failed"], 1);

    let before = format!("{}?since=2026-01-01T00:00:00Z&until=2026-01-02T00:00:00Z", path(&good));
    assert_eq!(ours.get(&before).await.expect(200)["total"]["latency_ms"], json!(null));
    let wrong = [("step", "out_of_range")];
    ours.get(&format!("{before}&step=minute").replace("01-02", "01-31")).await.wrong(
        400,
        "bad-parameters",
        &wrong,
    );
}
