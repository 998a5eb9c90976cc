//! Each trap of HTTP/1.1 does what its line says.

mod client;

use std::time::Duration;

use client::{ask, traps};
use futures_util::future::join_all;
use posthorn_traps::{Settings, Traps, catalogue};
use tokio::time::timeout;

const LONG: Duration = Duration::from_secs(20);

/// Every answer of `answers.json` as it stands there.
#[tokio::test]
async fn answers_are_served_byte_for_byte() {
    let traps = traps().await;
    let answers: Vec<serde_json::Value> = serde_json::from_str(include_str!("../answers.json")).unwrap();
    assert!(answers.len() >= 27);
    let name = |answer: &serde_json::Value| answer["name"].as_str().unwrap().to_owned();
    let names: Vec<_> = answers.iter().map(name).collect();
    let served = join_all(names.iter().map(|name| ask(&traps, name))).await;
    for ((name, answer), served) in names.iter().zip(&answers).zip(served) {
        let bytes: Vec<u8> = answer["response"].as_str().unwrap().chars().map(|c| c as u8).collect();
        assert_eq!(served, bytes, "{name}");
        assert_eq!(traps.requests(name), 1, "{name}");
    }
}

#[tokio::test]
async fn behaviours_begin_as_their_lines_say() {
    let traps = traps().await;
    let beginnings = [
        ("ok", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"),
        ("silent-after-accept", ""),
        ("never-reads-the-body", ""),
        ("silent-after-request", ""),
        ("ends-without-a-byte", ""),
        ("reset-before-status", ""),
        ("reset-in-status", "HTTP/1.1 20"),
        ("reset-after-status", "HTTP/1.1 200 OK\r\n"),
        ("reset-after-head", "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n"),
        ("reset-in-body", "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nab"),
        ("switching-protocols", "HTTP/1.1 101 "),
        ("413-before-body", "HTTP/1.1 413 "),
        ("200-before-body", "HTTP/1.1 200 "),
        ("drip-status-200", "HT"),
        ("drip-status-500", "HT"),
        ("drip-header-200", "HTTP/1.1 200 OK\r\nx-drip: xx"),
        ("drip-header-500", "HTTP/1.1 500 No\r\nx-drip: xx"),
        ("drip-body-200", "HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\nxx"),
        ("drip-body-500", "HTTP/1.1 500 No\r\ncontent-length: 100000\r\n\r\nxx"),
        ("endless-header", "HTTP/1.1 200 OK\r\nx-long: xxx"),
        ("endless-headers", "HTTP/1.1 200 OK\r\nx-one: of many\r\nx-one: of many\r\n"),
        ("endless-100-continue", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"),
        ("200-early-hints", "HTTP/1.1 103 Early Hints\r\nlink: </0>\r\n"),
        ("endless-body", "HTTP/1.1 200 OK\r\n\r\nxxx"),
        ("one-byte-chunks", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n1\r\nx\r\n"),
        ("endless-chunk-extension", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1;x=xx"),
        ("endless-trailers", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\nx-one: of many\r\n"),
    ];
    let answers = join_all(beginnings.iter().map(|(name, _)| ask(&traps, name))).await;
    for ((name, beginning), answer) in beginnings.into_iter().zip(answers) {
        let shown = String::from_utf8_lossy(&answer);
        assert!(shown.starts_with(beginning), "{name}: {}", &shown[..shown.len().min(100)]);
        assert_eq!(answer.is_empty(), beginning.is_empty(), "{name}");
    }
}

#[tokio::test]
async fn long_answers_are_as_long_as_their_lines_say() {
    let traps = traps().await;
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 5000000\r\n\r\n";
    assert_eq!(ask(&traps, "body-of-5-mb").await.len(), head.len() + 5_000_000);
    let hints = ask(&traps, "200-early-hints").await;
    assert_eq!(String::from_utf8_lossy(&hints).matches("HTTP/1.1 103").count(), 200);
    assert!(hints.ends_with(b"\r\n\r\nok"));
    assert!(ask(&traps, "gzip-bomb").await.len() > 5_000_000);
}

/// A second request on a connection that the first left open.
#[tokio::test]
async fn a_kept_connection_closes_under_the_next_request() {
    let traps = traps().await;
    let twice = client::REQUEST.repeat(2);
    let answer = client::exchange(traps.url("closes-under-the-next-request"), twice.as_bytes()).await;
    assert_eq!(answer, b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    assert_eq!(traps.requests("closes-under-the-next-request"), 2);
    let answers = client::exchange(traps.url("ok"), twice.as_bytes()).await;
    assert_eq!(answers, b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok".repeat(2));
}

/// Whatever a client does, a conversation is bounded in time and in bytes.
#[tokio::test]
async fn every_trap_ends_by_itself() {
    let (patience, most_bytes) = (Duration::from_millis(500), 1 << 20);
    let traps = Traps::start(Settings { patience, most_bytes, ..Settings::default() }).await.unwrap();
    let asking = catalogue::all().iter().map(|trap| timeout(LONG, ask(&traps, &trap.name)));
    for (trap, answer) in catalogue::all().iter().zip(join_all(asking).await) {
        let answer = answer.unwrap_or_else(|_| panic!("{} goes on", trap.name));
        assert!(answer.len() as u64 <= most_bytes, "{}: {}", trap.name, answer.len());
        assert_eq!(traps.connections(&trap.name), 1, "{}", trap.name);
    }
    traps.stop().await;
}
