//! Odd texts: whatever is sent, wherever it is sent, the answer names the place and is never 5xx.

use std::time::Instant;

use futures_util::{StreamExt, future::join_all, stream};
use posthorn_tests::{App, Client, Receiver, always, api::Answer, event, eventually};
use serde_json::{Value, json};

/// Texts as they stand in JSON, between quotes.
const IN_JSON: [&str; 9] = [
    r"a\u0000b",
    r"\ud800",
    r"\udc00\ud800",
    r"\ud83d\ude00",
    r"C:\\u0000dir",
    r"\u0001\u007f\u0085",
    r"\u202e\ufeff\uffff",
    "%00%ff",
    r#"'\";--${}"#,
];
/// Texts as they stand in a path or a query.
const IN_URL: [&str; 10] =
    ["%00", "a%00b", "%ff", "%ed%a0%80", "%f0%9f%98%80", "%0d%0a", "%", "%zz", "%2e%2e%2f", "%27%22%3b--"];

fn is_fine(answer: &Answer, what: &str) {
    assert!(answer.status < 500, "{what}: {} {}", answer.status, answer.text);
}

/// Sends requests a few at a time.
async fn send_all(client: &Client, requests: Vec<(String, String, Option<&'static str>, Vec<u8>)>) {
    let count = requests.len();
    let sending = requests.into_iter().map(|(method, path, media_type, body)| async move {
        let answer = client.send(&method, &path, media_type, &body).await;
        is_fine(
            &answer,
            &format!("{method} {path} {}", String::from_utf8_lossy(&body[..body.len().min(300)])),
        );
    });
    let sent: Vec<()> = stream::iter(sending).buffer_unordered(16).collect().await;
    assert_eq!(sent.len(), count);
}

/// The path of an operation with this text for each of its parameters.
fn filled(path: &str, text: &str) -> String {
    let mut filled = String::new();
    let mut rest = path;
    while let Some((before, behind)) = rest.split_once('{') {
        filled += before;
        filled += text;
        rest = behind.split_once('}').map_or("", |(_, behind)| behind);
    }
    filled + rest
}

#[tokio::test]
async fn no_route_fails_on_any_text_in_any_parameter_or_field() {
    let app = App::create().await;
    // It declares where events go.
    let _router = app.start_role("router").await;
    let api = app.api().await;
    let admin = api.admin();
    let webhook = admin.add("http://127.0.0.1:9/", json!([{}])).await;
    let webhook = webhook["id"].as_str().unwrap();
    let document = admin.get("/openapi.json").await.expect(200);
    let long = "x".repeat(20_000);
    let mut requests = Vec::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let (method, is_delete) = (method.to_uppercase(), method == "delete");
            let media_type =
                operation["requestBody"]["content"].as_object().and_then(|it| it.keys().next().cloned());
            let media_type = media_type.map(|it| {
                if it.contains("merge") { "application/merge-patch+json" } else { "application/json" }
            });
            if path.contains('{') {
                for text in IN_URL.into_iter().chain([long.as_str()]) {
                    requests.push((method.clone(), filled(path, text), media_type, b"{}".to_vec()));
                }
            }
            if is_delete {
                continue;
            }
            let known = filled(path, if path.starts_with("/v1/webhooks") { webhook } else { "todo.created" });
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            let named = parameters.filter(|it| it["in"] == "query").filter_map(|it| it["name"].as_str());
            for name in named.chain(["unknown"]) {
                for text in IN_URL.into_iter().chain([
                    "bnVsbA",
                    "WyJcdTAwMDAiLCJcdTAwMDAiXQ",
                    "IlxkODAwIg",
                    long.as_str(),
                ]) {
                    requests.push((
                        method.clone(),
                        format!("{known}?{name}={text}&{text}=1"),
                        media_type,
                        b"{}".to_vec(),
                    ));
                }
            }
            let schema = &operation["requestBody"]["content"].as_object().and_then(|it| it.values().next());
            let Some(schema) = schema.map(|content| resolved(&document, &content["schema"])) else {
                continue;
            };
            for body in bodies(&document, schema) {
                requests.push((method.clone(), known.clone(), media_type, body));
            }
        }
    }
    assert!(requests.len() > 2000, "{} requests", requests.len());
    send_all(&admin, requests).await;
}

fn resolved<'d>(document: &'d Value, schema: &'d Value) -> &'d Value {
    let name = schema["$ref"].as_str().and_then(|name| name.rsplit('/').next());
    let schema = name.map_or(schema, |name| &document["components"]["schemas"][name]);
    match schema["oneOf"].as_array().and_then(|parts| parts.iter().find(|part| part["$ref"].is_string())) {
        Some(part) => resolved(document, part),
        None => schema,
    }
}

/// Bodies with each text in each field, alone, in a list, in an object and as a name.
fn bodies(document: &Value, schema: &Value) -> Vec<Vec<u8>> {
    let mut bodies = Vec::new();
    let good: Vec<(String, String)> = schema["properties"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, field)| (name.clone(), good(name, resolved(document, field)).to_string()))
        .collect();
    for (name, _) in &good {
        for text in IN_JSON {
            for value in [
                format!("\"{text}\""),
                format!("[\"{text}\"]"),
                format!("{{\"{text}\":\"{text}\"}}"),
                format!("[{{\"companies\":[\"{text}\"],\"pattern\":{{\"data\":{{\"a\":[\"{text}\"]}}}}}}]"),
                format!("[{{\"pattern\":{{\"{text}\":[1]}}}}]"),
                format!("{{\"properties\":{{\"{text}\":{{\"description\":\"{text}\"}}}}}}"),
            ] {
                let others = good.iter().filter(|(other, _)| other != name);
                let fields = others.map(|(name, value)| format!("\"{name}\":{value}"));
                let fields: Vec<_> = fields.chain([format!("\"{name}\":{value}")]).collect();
                bodies.push(format!("{{{}}}", fields.join(",")).into_bytes());
            }
        }
        for number in ["1e400", "-1e-99999", "12345678901234567890.5", "1E+20000", "-0"] {
            bodies.push(format!("{{\"{name}\":{{\"n\":{number}}}}}").into_bytes());
            bodies.push(format!("{{\"{name}\":[{{\"pattern\":{{\"n\":[{number}]}}}}]}}").into_bytes());
        }
    }
    for text in IN_JSON {
        bodies.push(format!("{{\"{text}\":1}}").into_bytes());
    }
    bodies.push(b"{\"a\":\"\xff\"}".to_vec());
    bodies.push([&b"{\"data\":"[..], &[b'['; 5000], &[b']'; 5000], b"}"].concat());
    bodies.push([&b"{\"example\":{\"a\":"[..], &[b'['; 200], &[b']'; 200], b"}}"].concat());
    bodies
}

/// A value that a field takes.
fn good(name: &str, field: &Value) -> Value {
    match name {
        "url" => json!("http://127.0.0.1:9/"),
        "rules" => json!([{}]),
        "scopes" => json!(["read"]),
        "type" => json!("todo.created"),
        "since" => json!("2026-01-01T00:00:00Z"),
        "only" => json!("all"),
        "dry_run" => json!(true),
        _ if field["type"].to_string().contains("object") => json!({}),
        _ => Value::Null,
    }
}

#[tokio::test]
async fn texts_that_cannot_be_kept_are_refused_with_their_place() {
    let app = App::create().await;
    let api = app.api().await;
    let admin = api.admin();
    let send = async |method: &str, path: &str, body: &str| {
        admin.send(method, path, Some("application/json"), body.as_bytes()).await
    };
    for (pattern, place) in [
        (r#"{"data":{"a":["x\u0000y"]}}"#, "/rules/0/pattern/data/a/0"),
        (r#"{"data":{"a":["\ud800"]}}"#, "/rules/0/pattern/data/a/0"),
        (r#"{"data":{"\udc00":[1]}}"#, "/rules/0/pattern/data/\u{fffd}"),
    ] {
        let body = format!(r#"{{"url":"http://127.0.0.1:9/","rules":[{{"pattern":{pattern}}}]}}"#);
        send("POST", "/v1/webhooks", &body).await.wrong(422, "invalid", &[(place, "bad_text")]);
    }
    let body = r#"{"url":"http://127.0.0.1:9/","rules":[{"companies":["a\u0000"],"projects":["\ud800"]}]}"#;
    let wrong = [
        ("/rules/0/companies/0", "bad_text"),
        ("/rules/0/projects/0", "bad_text"),
        ("/rules/0/projects/0", "wrong_type"),
    ];
    send("POST", "/v1/webhooks", body).await.wrong(422, "invalid", &wrong);
    let body = r#"{"schema":{"description":"\u0000"}}"#;
    let wrong = [("/schema/description", "bad_text")];
    send("PUT", "/v1/event-types/a", body).await.wrong(422, "invalid", &wrong);
    let body = r#"{"\ud800":1}"#;
    send("POST", "/v1/tokens", body).await.wrong(422, "invalid", &[("/\u{fffd}", "bad_text")]);
    send("PUT", "/v1/event-types/a", r#"{"example":{"path":"C:\\u0000dir"}}"#).await.expect(200);
    send("PUT", "/v1/event-types/a", r#"{"example":{"n":1e-20000}}"#).await.wrong(
        422,
        "invalid",
        &[("/example/n", "number_out_of_range")],
    );

    admin.get("/v1/events?company=a%00&project=%ff").await.wrong(
        400,
        "bad-parameters",
        &[("company", "bad_text"), ("project", "bad_text")],
    );
    admin.get("/v1/events/%00").await.problem(400, "bad-request");
    admin.get("/v1/companies?cursor=Ilx1MDAwMCI").await.wrong(
        400,
        "bad-parameters",
        &[("cursor", "bad_cursor")],
    );
}

#[tokio::test]
async fn numbers_come_back_as_they_were_given() {
    const NUMBER: &str = "12345678901234567890.5";
    let app = App::create().await;
    let _roles = app.start().await;
    let receiver = Receiver::start(always(200)).await;
    let api = app.api().await;
    let admin = api.admin();
    let shows = |answer: &Answer, what: &str| {
        assert!(
            (200..300).contains(&answer.status) && answer.text.contains(NUMBER),
            "{what}: {}",
            answer.text
        );
    };
    let send = async |method: &str, path: &str, body: &str| {
        admin
            .clone()
            .header("idempotency-key", path)
            .send(method, path, Some("application/json"), body.as_bytes())
            .await
    };
    let webhook =
        format!(r#"{{"url":"{}","rules":[{{"pattern":{{"data":{{"n":[{NUMBER}]}}}}}}]}}"#, receiver.url("/"));
    let made = send("POST", "/v1/webhooks", &webhook).await;
    shows(&made, "made");
    shows(&send("POST", "/v1/webhooks", &webhook).await, "the same again");
    let id = made.json()["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/webhooks/{id}");
    shows(&admin.get(&path).await, "shown");
    shows(&admin.get("/v1/webhooks").await, "listed");
    shows(&admin.patch(&path, &json!({ "name": "other" })).await, "changed");
    shows(&admin.act(&format!("{path}/pause")).await, "paused");
    shows(&admin.act(&format!("{path}/resume")).await, "resumed");
    shows(&admin.act(&format!("{path}/rotate-secret")).await, "rotated");
    shows(&admin.get(&format!("/v1/audit-log?subject_id={id}")).await, "audited");

    let described =
        format!(r#"{{"example":{{"n":{NUMBER}}},"schema":{{"properties":{{"n":{{"maximum":{NUMBER}}}}}}}}}"#);
    shows(&send("PUT", "/v1/event-types/todo.created", &described).await, "described");
    let shown = admin.get("/v1/event-types/todo.created").await;
    shows(&shown, "type");
    assert_eq!(shown.text.matches(NUMBER).count(), 2, "{}", shown.text);
    shows(&admin.get("/v1/event-types").await, "types");
    let audited = admin.get("/v1/audit-log?subject_id=todo.created").await;
    assert_eq!(audited.text.matches(NUMBER).count(), 2, "{}", audited.text);

    let event = format!(r#"{{"id":"e1","type":"todo.created","data":{{"n":{NUMBER}}}}}"#);
    send("POST", "/v1/events", &event).await.expect(202);
    let delivered = String::from_utf8(receiver.receives(1).await.remove(0).body).unwrap();
    assert!(delivered.contains(NUMBER), "{delivered}");
    app.database.records_event("e1").await;
    shows(&admin.get("/v1/events/e1").await, "event");
    shows(&admin.get(&format!("/v1/events/e1/explain?webhook={id}")).await, "explained");
}

#[tokio::test]
async fn the_last_second_of_9999_is_a_time() {
    const END: &str = "9999-12-31T23:59:59Z";
    let app = App::create().await;
    let _roles = app.start().await;
    let receiver = Receiver::start(always(200)).await;
    let api = app.api().await;
    let admin = api.admin();
    admin.add(&receiver.url("/"), json!([{}])).await;
    let event = json!({ "id": "e1", "type": "todo.created", "occurred_at": END, "data": {} });
    admin.post("/v1/events", &event).await.expect(202);
    let delivered = receiver.receives(1).await.remove(0).json();
    assert_eq!(delivered["timestamp"], "9999-12-31T23:59:59.000Z");
    app.database.records_event("e1").await;
    assert_eq!(admin.get("/v1/events/e1").await.expect(200)["occurred_at"], END);
    assert_eq!(admin.all(&format!("/v1/events?until={END}")).await.len(), 1);
    let token = json!({ "name": "for ever", "scopes": ["read"], "expires_at": END });
    let made = admin.post("/v1/tokens", &token).await.expect(201);
    api.with_token(made["token"].as_str().unwrap()).get("/v1/events").await.expect(200);
}

#[tokio::test]
async fn concurrent_changes_without_a_version_are_all_made() {
    let app = App::create().await;
    let apis = [app.api().await, app.api().await];
    let admin = apis[0].admin();
    let webhook = admin.add("http://127.0.0.1:9/", json!([{}])).await;
    let path = format!("/v1/webhooks/{}", webhook["id"].as_str().unwrap());
    let started = Instant::now();
    let changes = (0..60).map(|number| {
        let (client, path) = (apis[number % 2].admin(), &path);
        async move { client.patch(path, &json!({ "metadata": { format!("k{}", number % 40): "x" } })).await }
    });
    for answer in join_all(changes).await {
        answer.expect(200);
    }
    assert_eq!(admin.get(&path).await.expect(200)["metadata"].as_object().unwrap().len(), 40);
    assert!(started.elapsed().as_secs() < 30, "{:?}", started.elapsed());
    let tag = admin.get(&path).await.header("etag").unwrap().to_owned();
    let based = admin.clone().header("if-match", &tag);
    based.patch(&path, &json!({ "name": "a" })).await.expect(200);
    based.patch(&path, &json!({ "name": "b" })).await.problem(412, "changed");
    let any = admin.clone().header("if-match", "*");
    let described = json!({ "description": "x" });
    admin.put("/v1/event-types/a", &described).await.expect(200);
    let all = join_all((0..20).map(|_| any.put("/v1/event-types/a", &described))).await;
    assert!(all.iter().all(|answer| answer.status == 200), "{all:?}");
}

#[tokio::test]
async fn every_answer_says_that_it_is_what_it_is_and_not_to_be_kept() {
    let app = App::create().await;
    let api = app.api().await;
    let admin = api.admin();
    for (client, path) in [
        (&admin, "/v1/webhooks"),
        (&admin, "/v1/nowhere"),
        (&admin, "/v1/events/%00"),
        (&admin, "/v1/webhooks?limit=x"),
        (&api.nobody(), "/v1/webhooks"),
        (&admin, "/docs"),
        (&admin, "/openapi.json"),
    ] {
        let answer = client.get(path).await;
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
    }
    let refused = admin.send("DELETE", "/docs", None, b"").await;
    assert_eq!((refused.status, refused.header("cache-control")), (405, Some("no-store")));
}

#[tokio::test]
async fn a_traceparent_that_is_none_reaches_no_receiver() {
    let app = App::create().await;
    let receiver = Receiver::start(always(200)).await;
    app.add_webhook(&receiver.url("/"), &[]).await;
    let _roles = app.start().await;
    let publisher = app.publisher().await;
    for forbidden in [
        "00-00000000000000000000000000000000-0000000000000000-01",
        "00-0AF7651916CD43DD8448EB211C80319C-B7AD6B7169203331-01",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    ] {
        let event = event("todo.created");
        publisher.publish_traced(&event, Some(forbidden), Some("rojo=1")).await.unwrap();
        let request = receiver.receives_of(&event.id, 1).await.remove(0);
        let given = request.headers.iter().find(|(name, _)| *name == "traceparent");
        assert_eq!(given, None, "{forbidden}");
    }
    eventually("all are done", async || (receiver.pending() == 0).then_some(())).await;
}
