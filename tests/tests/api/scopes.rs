//! What a token may see and do. Every route of the document is tried: a new one cannot be forgotten.

use posthorn_tests::{Api, App, Client, Event, api, broker::identified, event, eventually};
use serde_json::{Value, json};

const SCOPES: [&str; 4] = ["read", "write", "publish", "admin"];

/// A route of the document.
#[derive(Debug)]
struct Route {
    method: String,
    path: String,
    scope: String,
}

async fn routes(api: &Api) -> Vec<Route> {
    let document = api.nobody().get("/openapi.json").await.expect(200);
    let mut routes = Vec::new();
    for (path, operations) in document["paths"].as_object().expect("the document has paths") {
        for (method, operation) in operations.as_object().expect("a path has operations") {
            let scope = operation["security"][0]["token"][0].as_str();
            let scope = scope.unwrap_or_else(|| panic!("{method} {path} names no scope")).to_owned();
            routes.push(Route { method: method.to_uppercase(), path: path.clone(), scope });
        }
    }
    assert!(routes.len() > 25, "{routes:?}");
    routes
}

/// What company B has.
struct Theirs {
    webhook: String,
    event: Event,
    replay: String,
    rejected: String,
    token: String,
}

impl Theirs {
    async fn make(app: &App, api: &Api) -> Self {
        let admin = api.admin();
        let text = |value: &Value| api::text(value, "id").to_owned();
        let webhook = text(&admin.add("http://127.0.0.1:9/", json!([{ "companies": ["b"] }])).await);
        let event = Event { company_id: "b".to_owned(), ..event("todo.created") };
        app.publish(&event).await;
        app.database.records_event(&event.id).await;
        app.broker.publish(&app.name("events"), "key", identified("x"), b"no event").await;
        let listed = async || admin.all("/v1/rejected-events").await.pop();
        let rejected = text(&eventually("it is rejected", listed).await);
        let asked = json!({ "since": "2026-01-01T00:00:00Z", "only": "all", "dry_run": true });
        let replay = text(&admin.post(&format!("/v1/webhooks/{webhook}/replay"), &asked).await.expect(202));
        let token =
            text(&admin.post("/v1/tokens", &json!({ "name": "b", "scopes": ["read"] })).await.expect(201));
        Self { webhook, event, replay, rejected, token }
    }

    /// The route with their ids.
    fn path(&self, route: &Route) -> String {
        let id = match route.path.split('/').nth(2) {
            Some("webhooks") => &self.webhook,
            Some("replays") => &self.replay,
            Some("rejected-events") => &self.rejected,
            Some("tokens") => &self.token,
            Some("companies") => "b",
            Some("projects") => "p",
            _ => "",
        };
        let path = route.path.replace("{id}", id).replace("{event}", &self.event.id);
        let path = path.replace("{webhook}", &self.webhook).replace("{type}", "todo.created");
        assert!(!path.contains('{'), "say what stands for the parts of {}", route.path);
        match &*route.path {
            "/v1/events/{event}/explain" => format!("{path}?webhook={}", self.webhook),
            "/v1/projects/{id}" => format!("{path}?company=b"),
            _ => path,
        }
    }
}

/// A body that is good enough to be refused only for whose it is.
fn body(route: &Route) -> Option<Value> {
    match (route.method.as_str(), route.path.as_str()) {
        ("PATCH", _) => Some(json!({ "name": "mine" })),
        ("PUT", "/v1/event-types/{type}") => Some(json!({ "description": "mine" })),
        ("PUT", _) => Some(json!({ "name": "mine" })),
        ("POST", "/v1/webhooks") => Some(json!({ "url": "http://127.0.0.1:9/", "rules": [{}] })),
        ("POST", "/v1/events") => Some(json!({ "type": "a", "company_id": "b", "data": {} })),
        ("POST", "/v1/events:batch") => {
            Some(json!({ "events": [{ "type": "a", "company_id": "b", "data": {} }] }))
        }
        ("POST", "/v1/tokens") => Some(json!({ "name": "x", "scopes": ["read"] })),
        ("POST", "/v1/webhooks/{id}/replay") => {
            Some(json!({ "since": "2026-01-01T00:00:00Z", "only": "all", "dry_run": true }))
        }
        ("POST", "/v1/rejected-events/{id}/publish") => Some(json!({ "type": "a", "data": {} })),
        _ => None,
    }
}

async fn send(client: &Client, route: &Route, path: &str) -> posthorn_tests::api::Answer {
    match body(route) {
        Some(body) if route.method == "PATCH" => client.patch(path, &body).await,
        Some(body) if route.method == "PUT" => client.put(path, &body).await,
        Some(body) => client.post(path, &body).await,
        None => client.send(&route.method, path, None, b"").await,
    }
}

#[tokio::test]
async fn every_route_needs_a_token_with_its_scope() {
    let app = App::create().await;
    let _roles = app.start().await;
    let api = app.api().await;
    let theirs = Theirs::make(&app, &api).await;
    for route in routes(&api).await {
        let path = theirs.path(&route);
        send(&api.nobody(), &route, &path).await.problem(401, "unauthenticated");
        let others: Vec<_> = SCOPES.into_iter().filter(|scope| *scope != route.scope).collect();
        let client = api.client(&others, &[]).await;
        let refused = send(&client, &route, &path).await.problem(403, "forbidden");
        assert!(refused["detail"].as_str().unwrap().contains(&route.scope), "{route:?}: {refused}");
    }
}

#[tokio::test]
async fn a_token_of_one_company_finds_nothing_of_another() {
    let app = App::create().await;
    let _roles = app.start().await;
    let api = app.api().await;
    let theirs = Theirs::make(&app, &api).await;
    let ours = api.client(&["read", "write", "publish"], &["a"]).await;
    for route in routes(&api).await {
        let path = theirs.path(&route);
        let answer = send(&ours, &route, &path).await;
        match (route.method.as_str(), route.path.as_str()) {
            (_, admin) if route.scope == "admin" => {
                answer.problem(403, "forbidden");
                assert!(admin.starts_with("/v1/tokens") || admin == "/v1/audit-log", "{route:?}");
            }
            // The names of event types are no company's own.
            ("GET", "/v1/event-types" | "/v1/event-types/{type}") => _ = answer.expect(200),
            (_, "/v1/event-types/{type}") | ("GET", "/v1/statistics") => _ = answer.problem(403, "forbidden"),
            (_, one) if one.contains('{') => _ = answer.problem(404, "not-found"),
            (
                "GET",
                "/v1/webhooks"
                | "/v1/events"
                | "/v1/event-conflicts"
                | "/v1/rejected-events"
                | "/v1/companies"
                | "/v1/projects",
            ) => {
                assert_eq!(answer.expect(200)["data"], json!([]), "{route:?}");
            }
            ("POST", "/v1/webhooks") => {
                answer.wrong(422, "invalid", &[("/rules/0/companies", "outside_scope")]);
            }
            ("POST", "/v1/events") => answer.wrong(422, "invalid", &[("/company_id", "outside_scope")]),
            ("POST", "/v1/events:batch") => {
                assert_eq!(answer.expect(207)["data"][0]["result"], "refused");
            }
            _ => panic!("say what a token of another company may expect of {route:?}"),
        }
    }
    let kept = api.admin().get(&format!("/v1/webhooks/{}", theirs.webhook)).await.expect(200);
    assert_eq!((&kept["name"], &kept["epoch"]), (&json!(""), &json!(1)));
    assert!(kept["state"] != "paused" && kept["state"] != "disabled", "{kept}");
}

#[tokio::test]
async fn a_token_of_a_company_makes_and_sees_only_webhooks_of_its_companies() {
    let app = App::create().await;
    let api = app.api().await;
    let ours = api.client(&["read", "write"], &["a", "c"]).await;
    let made =
        ours.add("http://127.0.0.1:9/", json!([{ "companies": ["a"] }, { "companies": ["c", "a"] }])).await;
    let mixed = json!([{ "companies": ["a"] }, { "companies": ["a", "b"] }, {}]);
    let wrong = [("/rules/1/companies", "outside_scope"), ("/rules/2/companies", "outside_scope")];
    let input = json!({ "url": "http://127.0.0.1:9/", "rules": mixed });
    ours.post("/v1/webhooks", &input).await.wrong(422, "invalid", &wrong);
    api.admin().add("http://127.0.0.1:9/", mixed.clone()).await;
    let path = format!("/v1/webhooks/{}", made["id"].as_str().unwrap());
    ours.patch(&path, &json!({ "rules": mixed })).await.wrong(422, "invalid", &wrong);
    let seen = ours.all("/v1/webhooks").await;
    assert_eq!((seen.len(), &seen[0]["id"]), (1, &made["id"]));

    // What leaves the scope is gone for it.
    api.admin().patch(&path, &json!({ "rules": [{}] })).await.expect(200);
    ours.get(&path).await.problem(404, "not-found");
}
