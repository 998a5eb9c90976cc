//! What an event is: an id of its company's own. Two companies may use one id, and one company's id may
//! come with other content.

use std::sync::atomic::{AtomicUsize, Ordering};

use posthorn_tests::{
    Api, App, Client, Data, Event, Gate, Receiver, Reply, Request, always, api::text, event, eventually,
    eventually_is, metrics, reference,
};
use serde_json::{Value, json};

/// An event `order-1` with this note in its data.
fn order(company: &str, note: &str) -> Event {
    let data = Data::Json(json!({ "note": note }).to_string().into());
    Event {
        id: "order-1".to_owned(),
        company_id: company.to_owned(),
        data: Some(data),
        ..event("order.paid")
    }
}

fn notes(requests: &[Request]) -> Vec<String> {
    let note = |request: &Request| text(&request.json()["data"], "note").to_owned();
    let mut notes: Vec<_> = requests.iter().map(note).collect();
    notes.sort();
    notes
}

/// Waits until so many requests came to a path.
async fn arrive(receiver: &Receiver, path: &str, count: usize) -> Vec<Request> {
    let what = format!("{count} requests at {path}");
    eventually(&what, async || Some(receiver.to(path)).filter(|requests| requests.len() >= count)).await
}

/// Companies `a` and `b`, which both have published `order-1`, and who looks at them.
struct Companies {
    app: App,
    api: Api,
    receiver: Receiver,
    /// The webhooks of `a`, of `b`, and of all companies.
    webhooks: [Value; 3],
    _roles: posthorn_tests::Roles,
}

impl Companies {
    async fn publish(
        settings: &[(&str, &str)],
        script: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let app = App::with(settings).await;
        let receiver = Receiver::start(script).await;
        let api = app.api().await;
        let admin = api.admin();
        let webhooks = [
            admin.add(&receiver.url("/a"), json!([{ "companies": ["a"] }])).await,
            admin.add(&receiver.url("/b"), json!([{ "companies": ["b"] }])).await,
            admin.add(&receiver.url("/all"), json!([{ "event_types": ["order.*"] }])).await,
        ];
        let roles = app.start().await;
        app.publish_all(&[order("a", "of a"), order("b", "of b")]).await;
        Self { app, api, receiver, webhooks, _roles: roles }
    }

    /// A delivery to the webhook of `b`.
    fn to_b(&self, event: &str) -> String {
        format!("/v1/deliveries/{event}/{}", text(&self.webhooks[1], "id"))
    }

    async fn of(&self, company: &str) -> Client {
        self.api.client(&["read", "write"], &[company]).await
    }
}

#[tokio::test]
async fn each_company_finds_its_own_event_of_an_id_and_nobody_gets_anothers() {
    let both = Companies::publish(&[], always(200)).await;
    arrive(&both.receiver, "/all", 2).await;
    arrive(&both.receiver, "/a", 1).await;
    arrive(&both.receiver, "/b", 1).await;
    let (of_a, of_b) = (reference("a", "order-1"), reference("b", "order-1"));

    let (ours, theirs) = (both.of("b").await, both.of("a").await);
    for (client, note, own) in [(&ours, "of b", &of_b), (&theirs, "of a", &of_a)] {
        let shown = client.shows("/v1/events/order-1", "/data/note", json!(note)).await;
        assert_eq!((&shown["ref"], &shown["conflicts"]), (&json!(own), &json!([])));
        let listed = client.all("/v1/events?id=order-1").await;
        assert_eq!(listed.iter().map(|it| &it["ref"]).collect::<Vec<_>>(), [&json!(own)]);
        assert!(client.all("/v1/event-conflicts").await.is_empty());
    }
    ours.shows(&both.to_b("order-1"), "/state", json!("succeeded")).await;
    let explain = format!("/v1/events/{of_a}/explain?webhook={}", text(&both.webhooks[1], "id"));
    for path in [format!("/v1/events/{of_a}"), both.to_b(&of_a), explain] {
        ours.get(&path).await.problem(404, "not-found");
    }
    assert!(ours.all(&format!("/v1/events?id={of_a}")).await.is_empty());
    ours.act(&format!("{}/redeliver", both.to_b(&of_a))).await.problem(404, "not-found");

    let path = format!("{}/redeliver", both.to_b("order-1"));
    ours.act(&path).await.expect(202);
    let requests = arrive(&both.receiver, "/b", 2).await;
    assert_eq!(notes(&requests), ["of b", "of b"]);
    assert!(requests.iter().all(|request| request.webhook_id() == of_b));
    assert_eq!(notes(&both.receiver.to("/a")), ["of a"]);
}

#[tokio::test]
async fn an_operator_names_the_event_that_is_meant() {
    let both = Companies::publish(&[], always(200)).await;
    let admin = both.api.admin();
    let (of_a, of_b) = (reference("a", "order-1"), reference("b", "order-1"));
    for (event, note) in [(&of_a, "of a"), (&of_b, "of b")] {
        admin.shows(&format!("/v1/events/{event}"), "/data/note", json!(note)).await;
    }
    let explain = format!("/v1/events/order-1/explain?webhook={}", text(&both.webhooks[1], "id"));
    for path in ["/v1/events/order-1", &both.to_b("order-1"), &explain] {
        let problem = admin.get(path).await.problem(409, "ambiguous");
        let told = problem["errors"].to_string();
        assert!(told.contains(&of_a) && told.contains(&of_b) && told.contains("company `b`"), "{problem}");
    }
    admin.act(&format!("{}/redeliver", both.to_b("order-1"))).await.problem(409, "ambiguous");
    assert_eq!(admin.all("/v1/events?id=order-1").await.len(), 2);
    let one = admin.all("/v1/events?id=order-1&company=b").await;
    assert_eq!((one.len(), &one[0]["ref"]), (1, &json!(of_b)));

    // Nobody's payload goes out under another's name.
    admin.act(&format!("{}/redeliver", both.to_b(&of_a))).await.problem(409, "conflict");
    admin.act(&format!("{}/redeliver", both.to_b(&of_b))).await.expect(202);
    assert_eq!(notes(&arrive(&both.receiver, "/b", 2).await), ["of b", "of b"]);
    let explain = format!("/v1/events/{of_a}/explain?webhook={}", text(&both.webhooks[1], "id"));
    assert_eq!(admin.get(&explain).await.expect(200)["verdict"], "not_matched");

    let sql = "SELECT count(*) FROM events WHERE ref = event_ref(company_id, id) AND ref::text = $1";
    let uuid = uuid::Uuid::parse_str(&of_b[4..]).unwrap().to_string();
    assert_eq!(both.app.database.count(sql, &[&uuid]).await, 1, "PostgreSQL makes the same reference");
}

#[tokio::test]
async fn events_of_one_id_that_are_on_their_way_at_once_are_two_deliveries() {
    let gate = Gate::closed();
    let held = gate.clone();
    let both = Companies::publish(&[], move |_| Reply::status(200).when(&held)).await;
    let requests = arrive(&both.receiver, "/all", 2).await;
    assert_eq!(notes(&requests), ["of a", "of b"]);
    assert_ne!(requests[0].webhook_id(), requests[1].webhook_id());
    gate.open();
    let admin = both.api.admin();
    for company in ["a", "b"] {
        let event = reference(company, "order-1");
        let path = format!("/v1/deliveries/{event}/{}", text(&both.webhooks[2], "id"));
        let shown = admin.shows(&path, "/state", json!("succeeded")).await;
        assert_eq!((&shown["company_id"], shown["attempts"].as_array().unwrap().len()), (&json!(company), 1));
    }
}

#[tokio::test]
async fn a_replay_of_what_failed_leaves_anothers_event_of_the_same_id_alone() {
    let failures = AtomicUsize::new(0);
    let both = Companies::publish(&[("POSTHORN_RETRY_SCHEDULE", "300ms")], move |request| {
        let may_fail = request.path == "/all" && request.json()["company_id"] == "b";
        let fails = may_fail && failures.fetch_add(1, Ordering::SeqCst) < 2;
        Reply::status(if fails { 500 } else { 200 })
    })
    .await;
    let admin = both.api.admin();
    let webhook = format!("/v1/webhooks/{}", text(&both.webhooks[2], "id"));
    admin.shows(&webhook, "/state", json!("disabled")).await;
    admin.act(&format!("{webhook}/enable")).await.expect(200);
    let asked = json!({ "since": "2026-01-01T00:00:00Z", "only": "failed" });
    let replay = admin.post(&format!("{webhook}/replay"), &asked).await.expect(202);
    let path = format!("/v1/replays/{}", text(&replay, "id"));
    let replayed = admin.shows(&path, "/state", json!("finished")).await;
    assert_eq!((&replayed["found"], &replayed["published"]), (&json!(1), &json!(1)));
    let requests = arrive(&both.receiver, "/all", 4).await;
    assert_eq!(notes(&requests), ["of a", "of b", "of b", "of b"]);
}

#[tokio::test]
async fn other_content_under_one_id_is_delivered_recorded_counted_and_shown() {
    let gate = Gate::closed();
    let held = gate.clone();
    let app = App::create().await;
    let receiver = Receiver::start(move |_| Reply::status(200).when(&held)).await;
    let api = app.api().await;
    let admin = api.admin();
    let webhook = admin.add(&receiver.url("/"), json!([{ "event_types": ["order.paid"] }])).await;
    let mut roles = app.start().await;
    for note in ["first", "second"] {
        app.publish(&order("a", note)).await;
    }
    let requests = arrive(&receiver, "/", 2).await;
    assert_eq!(
        notes(&requests),
        ["first", "second"],
        "neither is taken for the other while both are on their way"
    );
    let order_1 = reference("a", "order-1");
    assert!(requests.iter().all(|request| request.webhook_id() == order_1));
    gate.open();

    let path = format!("/v1/events/{order_1}");
    let shown = admin.shows(&path, "/conflicts/0/data/note", json!("second")).await;
    assert_eq!((&shown["data"]["note"], shown["conflicts"].as_array().unwrap().len()), (&json!("first"), 1));
    let conflict = &shown["conflicts"][0];
    assert_ne!(conflict["digest"], shown["digest"]);
    assert_eq!((&conflict["event_ref"], &conflict["company_id"]), (&json!(order_1), &json!("a")));
    let delivery = format!("/v1/deliveries/{order_1}/{}", text(&webhook, "id"));
    let delivered = admin.shows(&delivery, "/attempts/1/outcome", json!("accepted")).await;
    let mut digests: Vec<_> = (0..2).map(|place| &delivered["attempts"][place]["digest"]).collect();
    digests.sort_by_key(|digest| *digest != &shown["digest"]);
    assert_eq!(digests, [&shown["digest"], &conflict["digest"]]);
    let counted = async || {
        let page = roles.recorder.page("/metrics").await.1;
        metrics::parse(&page).get("posthorn_event_conflicts_total").copied().unwrap_or_default() as u64
    };
    eventually_is("conflicts counted", 1, counted).await;

    // The same again is a repetition, of either.
    let came = async |note: &str| notes(&receiver.to("/")).iter().filter(|it| *it == note).count();
    for note in ["first", "second"] {
        app.publish(&order("a", note)).await;
        eventually_is(&format!("requests with the {note} content"), 2, async || came(note).await).await;
    }
    let last = event("order.last");
    app.publish(&last).await;
    app.database.records_event(&last.id).await;
    let all = admin.all("/v1/event-conflicts").await;
    assert_eq!((all.len(), &all[0]["data"]["note"]), (1, &json!("second")));
    assert_eq!(app.database.count("SELECT count(*) FROM events WHERE id = 'order-1'", &[]).await, 1);
    assert_eq!(api.client(&["read"], &["a"]).await.all("/v1/event-conflicts").await.len(), 1);
    assert!(api.client(&["read"], &["b"]).await.all("/v1/event-conflicts").await.is_empty());

    // What is delivered once more is what was recorded first.
    admin.act(&format!("{delivery}/redeliver")).await.expect(202);
    eventually_is("requests with the first content", 3, async || came("first").await).await;
    assert_eq!(came("second").await, 2);
}

#[tokio::test]
async fn an_id_that_looks_like_anothers_reference_opens_nothing() {
    let app = App::create().await;
    let api = app.api().await;
    let _roles = app.start().await;
    let theirs = Event { company_id: "b".to_owned(), ..event("order.paid") };
    let of_b = reference("b", &theirs.id);
    let ours = Event { id: of_b.clone(), company_id: "a".to_owned(), ..event("order.paid") };
    for event in [&theirs, &ours] {
        app.publish(event).await;
        app.database.records_event(&event.id).await;
    }
    let path = format!("/v1/events/{of_b}");
    let seen = async |company| api.client(&["read"], &[company]).await.get(&path).await.expect(200);
    assert_eq!(seen("a").await["ref"], reference("a", &of_b));
    assert_eq!(seen("b").await["ref"], of_b);
    api.admin().get(&path).await.problem(409, "ambiguous");
    api.client(&["read"], &["c"]).await.get(&path).await.problem(404, "not-found");
}
