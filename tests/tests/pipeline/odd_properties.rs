//! Whatever a publisher wrote beside an event, the event is judged by its body, and nobody else's waits.

use posthorn_tests::{App, Process, Receiver, always, broker::RawProperties, event, eventually_is, metrics};
use prost::Message;

/// Each with the routing key, which RabbitMQ passes on like the properties.
fn odd() -> Vec<(&'static str, &'static [u8], RawProperties)> {
    let none = RawProperties::default;
    let key = b"todo.created".as_slice();
    let headers = |entries: Vec<u8>| RawProperties { headers: entries, ..none() };
    vec![
        ("correlation_id", key, RawProperties { correlation_id: b"\xff\xfe", ..none() }),
        ("message_id", key, RawProperties { message_id: b"\xff\x00\xaa", ..none() }),
        ("reply_to", key, RawProperties { reply_to: b"\xc3\x28", ..none() }),
        ("longest", key, RawProperties { correlation_id: &[0xff; 255], ..none() }),
        ("routing key", b"a.caf\xe9", none()),
        ("header", key, headers(entry(b"\xe9", b"V"))),
        ("nested header", key, headers(entry(b"in", &tabled(&entry(b"\xf0", b"V"))))),
        ("x-delivery-count 25", key, headers(entry(b"x-delivery-count", b"l\0\0\0\0\0\0\0\x19"))),
        ("x-delivery-count 4e9", key, headers(entry(b"x-delivery-count", b"l\0\0\0\0\xee\x6b\x28\0"))),
        ("x-delivery-count -5", key, headers(entry(b"x-delivery-count", b"I\xff\xff\xff\xfb"))),
        ("x-delivery-count text", key, headers(entry(b"x-delivery-count", b"S\0\0\0\x04many"))),
        ("posthorn-attempt", key, headers(entry(b"posthorn-attempt", b"I\x7f\xff\xff\xff"))),
        ("posthorn-epoch", key, headers(entry(b"posthorn-epoch", b"l\0\0\0\x01\0\0\0\0"))),
        ("timestamp_in_ms", key, headers(entry(b"timestamp_in_ms", b"l\x7f\xff\xff\xff\xff\xff\xff\xff"))),
        ("decimal", key, headers(entry(b"d", b"D\xff\xff\xff\xff\xff"))),
        ("deep", key, headers(deep(15_000))),
        ("large", key, headers(entry(b"s", &[b"S\0\x01\x86\xa0".as_slice(), &[b'x'; 100_000]].concat()))),
    ]
}

#[tokio::test]
async fn an_event_is_judged_by_its_body_whatever_its_properties_are() {
    let app = App::create().await;
    let receiver = Receiver::start(always(200)).await;
    app.add_webhook(&receiver.url("/"), &[]).await;
    let mut roles = app.start().await;

    let mut published = Vec::new();
    for (what, key, properties) in odd() {
        let (odd, next) = (event("todo.created"), event("todo.created"));
        app.broker.publish_raw(&app.name("events"), key, &properties, &odd.encode_to_vec()).await;
        app.publish(&next).await;
        eventually_is(what, (1, 1), async || (receiver.of(&odd.id).len(), receiver.of(&next.id).len())).await;
        published.extend([odd, next]);
    }

    for request in receiver.requests() {
        assert_eq!(request.header("posthorn-attempt"), "1");
    }
    let last = published.last().expect("there are odd properties");
    app.database.records_event(&last.id).await;
    assert_eq!(app.database.rejected_events().await.len(), 0);
    assert_eq!(lost_sessions(&mut roles.router).await, 0.0, "no session with the broker was lost");
    assert_eq!(lost_sessions(&mut roles.dispatcher).await, 0.0, "no session with the broker was lost");
}

async fn lost_sessions(process: &mut Process) -> f64 {
    let page = metrics::parse(&process.page("/metrics").await.1);
    page["posthorn_broker_sessions_lost_total"]
}

/// A header, whose value begins with its type.
fn entry(name: &[u8], value: &[u8]) -> Vec<u8> {
    [&[name.len() as u8], name, value].concat()
}

/// A table as a value.
fn tabled(entries: &[u8]) -> Vec<u8> {
    [b"F".as_slice(), &(entries.len() as u32).to_be_bytes(), entries].concat()
}

/// A header that is a table in a table, and so on.
fn deep(levels: usize) -> Vec<u8> {
    (0..levels).fold(Vec::new(), |inner, _| entry(b"", &tabled(&inner)))
}
