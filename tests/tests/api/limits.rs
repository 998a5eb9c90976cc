//! What costs much is bounded: connections, bodies, tokens that nobody knows, schemas.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use posthorn_tests::{App, Client, app::ADMIN_TOKEN, eventually, within};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// A connection on which so much of a request was sent.
async fn begin(address: SocketAddr, sent: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.expect("connections are taken");
    stream.write_all(sent).await.expect("it can be written to");
    stream
}

/// Waits until the other side has closed it, and returns what came before.
async fn closed(stream: &mut TcpStream) -> String {
    let mut read = Vec::new();
    let end = timeout(Duration::from_secs(30), stream.read_to_end(&mut read)).await;
    let _ = end.expect("it is closed in time");
    String::from_utf8_lossy(&read).into_owned()
}

#[tokio::test]
async fn connections_without_a_request_are_closed() {
    let app = App::with(&[("POSTHORN_API_IDLE_TIMEOUT", "1s")]).await;
    let api = app.api().await;
    let begun: [&[u8]; 3] = [b"", b"GET /docs HTTP/1.1\r\nx: ", b"GET /nowhere HTTP/1.1\r\nhost: a\r\n\r\n"];
    let begun = join_all(begun.map(|sent| begin(api.address, sent))).await;
    for mut stream in begun {
        closed(&mut stream).await;
    }
}

#[tokio::test]
async fn connections_without_a_request_make_room_for_others() {
    let app = App::with(&[("POSTHORN_API_CONNECTIONS", "10"), ("POSTHORN_API_IDLE_TIMEOUT", "10m")]).await;
    let mut api = app.api().await;
    let mut idle = Vec::new();
    for number in 0..40 {
        let sent: &[u8] = if number % 2 == 0 { b"" } else { b"GET / HTTP/1.1\r\n" };
        idle.push(begin(api.address, sent).await);
        if number % 10 == 9 {
            api.admin().get("/v1/webhooks").await.expect(200);
        }
    }
    let (_, page) = api.process.page("/metrics").await;
    let open: f64 = posthorn_tests::metrics::parse(&page)["posthorn_api_connections"];
    assert!(open <= 10.0, "{open}");
    closed(&mut idle[0]).await;
}

#[tokio::test]
async fn bodies_that_do_not_end_take_a_bounded_part_of_memory() {
    const BODY: usize = 1 << 20;
    let app =
        App::with(&[("POSTHORN_API_MAX_BODY_BYTES", "1048576"), ("POSTHORN_API_BODY_BYTES", "8388608")])
            .await;
    let mut api = app.api().await;
    let head = format!(
        "POST /v1/events HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {ADMIN_TOKEN}\r\n\
         content-type: application/json\r\ncontent-length: {BODY}\r\n\r\n"
    );
    let sent = [head.as_bytes(), &vec![b' '; BODY - 1]].concat();
    // Two of a mebibyte are a token's part; whatever is more is refused.
    let mut bodies = join_all((0..12).map(|_| async {
        let mut stream = TcpStream::connect(api.address).await.expect("connections are taken");
        let _ = stream.write_all(&sent).await;
        stream
    }))
    .await;
    let mut refused = 0;
    for stream in &mut bodies {
        let mut begin = [0; 12];
        if let Ok(read) = timeout(Duration::from_secs(1), stream.read_exact(&mut begin)).await {
            // What was not read of a body may take the answer with it when the connection is closed.
            assert!(read.is_err() || begin == *b"HTTP/1.1 429", "{}", String::from_utf8_lossy(&begin));
            refused += 1;
        }
    }
    assert!((8..12).contains(&refused), "{refused} of 12 were refused");
    let (_, page) = api.process.page("/metrics").await;
    let held = posthorn_tests::metrics::parse(&page)["posthorn_api_body_bytes"];
    assert!(held <= 2.0 * BODY as f64 + 1.0, "{held}");

    drop(bodies);
    let ended = async || {
        let (_, page) = api.process.page("/metrics").await;
        (posthorn_tests::metrics::parse(&page)["posthorn_api_body_bytes"] == 0.0).then_some(())
    };
    within(Duration::from_secs(20), "what was held is given back", ended).await;
    api.admin().post("/v1/webhooks", &json!({})).await.problem(422, "invalid");
}

#[tokio::test]
async fn tokens_that_nobody_knows_are_not_looked_up_without_end() {
    let app = App::create().await;
    let api = app.api().await;
    let known = api.client(&["read"], &[]).await;
    let guess = |number: usize| api.with_token(&format!("pht_guess-{number}"));
    let guesses: Vec<Client> = (0..200).map(guess).collect();
    let answers = join_all(guesses.iter().map(|client| client.get("/v1/webhooks"))).await;
    let count = |status: u16| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!(count(401) + count(429), 200);
    assert!((1..100).contains(&count(401)), "{} were looked up", count(401));
    known.get("/v1/webhooks").await.expect(200);
}

#[tokio::test]
async fn a_schema_that_would_take_for_ever_is_refused_at_once() {
    let app = App::create().await;
    let api = app.api().await;
    let admin = api.admin();
    for levels in [17, 24] {
        let next = |level: usize| json!({ "$ref": format!("#/$defs/d{}", level + 1) });
        let mut all: serde_json::Map<_, _> = (0..levels)
            .map(|level| (format!("d{level}"), json!({ "allOf": [next(level), next(level)] })))
            .collect();
        all.insert(format!("d{levels}"), json!({ "required": ["a"] }));
        let schema = json!({ "$defs": all, "$ref": "#/$defs/d0" });
        let started = Instant::now();
        let answer = admin.put("/v1/event-types/order.paid", &json!({ "schema": schema })).await;
        let problem = answer.problem(422, "invalid");
        assert_eq!(problem["errors"][0]["code"], "too_costly", "{problem}");
        assert!(
            problem["errors"][0]["pointer"].as_str().unwrap().starts_with("/schema/$defs/d"),
            "{problem}"
        );
        assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    }
}

#[tokio::test]
async fn a_schema_that_was_saved_before_costs_nothing_either() {
    let app = App::create().await;
    let _router = app.start_role("router").await;
    let api = app.api().await;
    let admin = api.admin();
    admin.put("/v1/event-types/order.paid", &json!({ "schema": { "required": ["a"] } })).await.expect(200);
    let event = json!({ "type": "order.paid", "data": {} });
    admin.post("/v1/events", &event).await.problem(422, "invalid");
    let next = |level: usize| json!({ "$ref": format!("#/$defs/d{}", level + 1) });
    let mut all: serde_json::Map<_, _> =
        (0..24).map(|level| (format!("d{level}"), json!({ "allOf": [next(level), next(level)] }))).collect();
    all.insert("d24".to_owned(), json!({ "required": ["a"] }));
    let schema = json!({ "$defs": all, "$ref": "#/$defs/d0" }).to_string();
    let update =
        "UPDATE event_types SET schema = $1::text::json, revision = revision + 1 WHERE type = 'order.paid'";
    app.database.execute(update, &[&schema]).await;
    let started = Instant::now();
    eventually("the event is taken unchecked", async || {
        (admin.post("/v1/events", &event).await.status == 202).then_some(())
    })
    .await;
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
}
