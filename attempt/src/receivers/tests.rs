//! Attempts at receivers on bare sockets, which answer what receivers answer.

use std::{collections::BTreeMap, future::Future, time::Duration};

use bytes::Bytes;
use posthorn_domain::{
    id::{EventRef, WebhookId},
    keyring::{KeyRing, entry},
    outcome::UnreachableClass,
    signature::Secret,
    tenant::Tenant,
    webhook::{DisablePolicy, LiveSecret, State, Webhook},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, UdpSocket},
    time::sleep,
};
use uuid::Uuid;

use super::*;

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

fn receivers() -> Receivers {
    Receivers::new(policy(), &[], 8).unwrap()
}

fn policy() -> AddressPolicy {
    AddressPolicy { allow_networks: vec!["127.0.0.0/8".parse().unwrap()], allow_http: true }
}

fn target(url: &str, company: &str, headers: &[(&str, &str)]) -> Target {
    let id = WebhookId(Uuid::from_u128(1));
    let keys: KeyRing = entry("a", [1; 32]).parse().unwrap();
    let sealed = keys.seal(&Secret::new([2; 32]), id, [3; 24]);
    let headers: BTreeMap<_, _> =
        headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let webhook = Webhook {
        id,
        url: url.to_owned(),
        rules: Vec::new(),
        tenant: Tenant::of(Some(company.to_owned())),
        state: State::Enabled,
        epoch: 1,
        timeout: Duration::from_secs(1),
        max_in_flight: 1,
        disable_policy: DisablePolicy::Exhausted,
        http2: false,
        headers: keys.seal_headers(&headers, id, [4; 24]),
        secrets: vec![LiveSecret { sealed, expires_at: None }],
    };
    Target::prepare(&webhook, &keys, &policy()).unwrap()
}

async fn attempt(receivers: &Receivers, target: &Target) -> Answer {
    let body = Bytes::from_static(b"{}");
    receivers.send(target, Request { event: EventRef::new("c1", "e1"), body, attempt: 1, trace: None }).await
}

/// Reads one request; false if the connection ends instead.
async fn request(stream: &mut TcpStream) -> bool {
    let mut read = Vec::new();
    while !read.ends_with(b"\r\n\r\n{}") {
        if stream.read_buf(&mut read).await.unwrap_or(0) == 0 {
            return false;
        }
    }
    true
}

/// Runs an attempt beside its receiver, which is given up when the attempt has ended.
async fn beside<T>(attempt: impl Future<Output = T>, receiver: impl Future<Output = ()>) -> T {
    let receiver = async {
        receiver.await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        answer = attempt => answer,
        () = receiver => unreachable!("it never ends"),
    }
}

/// Answers the first request of each connection like this, the others with 200.
async fn answer_first(listener: &TcpListener, answer: &[u8], closes: bool) {
    for is_first in std::iter::once(true).chain(std::iter::repeat(false)) {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut answer = if is_first { answer } else { OK.as_bytes() };
        while request(&mut stream).await {
            let _ = stream.write_all(answer).await;
            if closes {
                break;
            }
            answer = OK.as_bytes();
        }
    }
}

fn came_to(answer: &Answer) -> String {
    match &answer.outcome {
        Outcome::Unreachable { class, .. } => format!("unreachable {}", class.label()),
        Outcome::Gone => "gone".to_owned(),
        other => format!("{} {}", other.label(), other.status().unwrap_or_default()),
    }
}

#[tokio::test]
async fn the_status_decides_whatever_else_is_odd() {
    let many: String = (0..150).map(|i| format!("x-{i}: y\r\n")).collect();
    let many = format!("HTTP/1.1 200 OK\r\n{many}content-length: 0\r\n\r\n");
    let long =
        format!("HTTP/1.1 301 R\r\nlocation: http://a/{}\r\ncontent-length: 0\r\n\r\n", "x".repeat(9000));
    let with = |line: &str| format!("HTTP/1.1 200 OK\r\n{line}\r\ncontent-length: 0\r\n\r\n");
    let empty = |status: &str| format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
    let cases = [
        (with("set-cookie: a=\u{1}b"), false, "accepted 200"),
        (with("x-a : 1"), false, "accepted 200"),
        (with("x a: 1"), false, "accepted 200"),
        (with("x-a: 1\r\n  and more"), false, "accepted 200"),
        (with("nonsense"), false, "accepted 200"),
        (with("x-nul: a\0b"), false, "accepted 200"),
        (with("x-name: caf\u{e9}"), false, "accepted 200"),
        (many, false, "accepted 200"),
        ("HTTP/1.1 200 OK\r\ncontent-length:\r\n\r\n".to_owned(), true, "accepted 200"),
        (empty("200"), false, "accepted 200"),
        ("HTTP/1.1 200 OK\ncontent-length: 0\n\n".to_owned(), false, "accepted 200"),
        ("HTTP/1.0 200 OK\r\n\r\nold".to_owned(), true, "accepted 200"),
        ("HTTP/1.1 200 OK\r\n\r\nuntil the end".to_owned(), true, "accepted 200"),
        ("HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\nhello".to_owned(), false, "accepted 204"),
        (format!("HTTP/1.1 103 Early Hints\r\nlink: <a>\r\n\r\n{}", empty("200 OK")), false, "accepted 200"),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nx".to_owned(), true, "accepted 200"),
        (with("content-length: 5"), true, "accepted 200"),
        (empty("600 X"), false, "refused 600"),
        (empty("2OO X"), false, "unreachable invalid_reply"),
        ("220 mail.example.com ESMTP\r\n".to_owned(), true, "unreachable invalid_reply"),
        ("<html>hello</html>".to_owned(), true, "unreachable invalid_reply"),
        (long, false, "refused 301"),
        (empty("410 Gone"), false, "gone"),
        (empty("429 S\r\nretry-after: NaN"), false, "refused 429"),
        (empty("503 S\r\nretry-after: Fri, 31 Dec 9999 23:59:59 GMT"), false, "refused 503"),
        (empty("101 Switching Protocols"), false, "refused 101"),
        (format!("{}{}", empty("200 OK"), empty("410 Gone")), false, "accepted 200"),
    ];
    for (text, closes, outcome) in cases {
        let bytes: Vec<u8> = text.chars().map(|c| c as u8).collect();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = target(&format!("http://{}/", listener.local_addr().unwrap()), "c1", &[]);
        let receivers = receivers();
        let both = async {
            let first = attempt(&receivers, &target).await;
            (first, attempt(&receivers, &target).await)
        };
        let (first, second) = beside(both, answer_first(&listener, &bytes, closes)).await;
        assert_eq!(came_to(&first), outcome, "{text:?}: {first:?}");
        assert_eq!(
            (came_to(&second).as_str(), second.body.as_str()),
            ("accepted 200", "ok"),
            "behind {text:?}"
        );
        assert!(first.is_connected && first.address.is_some());
    }
}

#[tokio::test]
async fn a_kept_connection_that_dies_under_the_next_request_costs_no_attempt() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = target(&format!("http://{}/", listener.local_addr().unwrap()), "c1", &[]);
    let receivers = receivers();
    let dying = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        assert!(request(&mut stream).await);
        stream.write_all(OK.as_bytes()).await.unwrap();
        assert!(request(&mut stream).await, "it goes out on the kept connection");
        drop(stream);
        answer_first(&listener, OK.as_bytes(), false).await;
    };
    let both = async { (attempt(&receivers, &target).await, attempt(&receivers, &target).await) };
    let (first, second) = beside(both, dying).await;
    assert_eq!((came_to(&first), came_to(&second)), ("accepted 200".to_owned(), "accepted 200".to_owned()));
    assert_eq!((first.connections, first.repeats), (1, 0));
    assert_eq!((second.connections, second.repeats), (1, 1));
}

#[tokio::test]
async fn a_fresh_connection_that_dies_is_no_reason_to_send_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = target(&format!("http://{}/", listener.local_addr().unwrap()), "c1", &[]);
    let receivers = receivers();
    let dying = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        request(&mut stream).await;
        drop(stream);
        answer_first(&listener, OK.as_bytes(), false).await;
    };
    let answer = beside(attempt(&receivers, &target), dying).await;
    assert_eq!(came_to(&answer), "unreachable reset", "{answer:?}");
}

#[tokio::test]
async fn companies_share_no_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let targets = [target(&url, "c1", &[]), target(&url, "c2", &[])];
    let receivers = receivers();
    let answering = async {
        let mut streams = Vec::new();
        for _ in 0..2 {
            let (mut stream, _) = listener.accept().await.unwrap();
            assert!(request(&mut stream).await);
            stream.write_all(OK.as_bytes()).await.unwrap();
            streams.push(stream);
        }
        assert!(request(&mut streams[0]).await, "the first company's own");
        streams[0].write_all(OK.as_bytes()).await.unwrap();
        std::future::pending::<()>().await;
    };
    let all = async {
        for target in [&targets[0], &targets[1], &targets[0]] {
            assert_eq!(came_to(&attempt(&receivers, target).await), "accepted 200");
        }
    };
    beside(all, answering).await;
}

#[tokio::test]
async fn the_deadline_holds_whatever_comes() {
    for (flood, class) in [
        (&b"HTTP/1.1 100 Continue\r\n\r\n"[..], UnreachableClass::InvalidReply),
        (b"HTTP/1.1 200 OK\r\nx-more: yes\r\nx-more", UnreachableClass::InvalidReply),
        (b"", UnreachableClass::Timeout),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = target(&format!("http://{}/", listener.local_addr().unwrap()), "c1", &[]);
        let receivers = receivers();
        let flooding = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            while !flood.is_empty() && stream.write_all(&flood.repeat(100)).await.is_ok() {}
            std::future::pending::<()>().await;
        };
        let started = Instant::now();
        let answer = beside(attempt(&receivers, &target), flooding).await;
        assert_eq!(answer.outcome.unreachable().map(|(class, _)| class), Some(class), "{answer:?}");
        assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    }
}

/// Time stands still but for what sleeps: no machine is too slow for it.
#[tokio::test(start_paused = true)]
async fn the_deadline_holds_to_the_millisecond() {
    let drips: [&[u8]; 4] = [
        b"H",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx-one: more\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n",
    ];
    for drip in drips {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = target(&format!("http://{}/", listener.local_addr().unwrap()), "c1", &[]);
        let receivers = receivers();
        let dripping = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut piece = drip;
            while stream.write_all(piece).await.is_ok() {
                piece = if drip.ends_with(b"\r\n\r\n") { drip } else { &drip[drip.len() - 1..] };
                sleep(Duration::from_millis(300)).await;
            }
        };
        let started = Instant::now();
        beside(attempt(&receivers, &target), dripping).await;
        let over = started.elapsed().saturating_sub(target.timeout);
        assert!(over <= Duration::from_millis(1), "{over:?} over, at {:?}", drip.escape_ascii().to_string());
    }
}

#[tokio::test]
async fn a_silent_name_server_is_given_up_within_its_own_budget() {
    let silent = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let receivers = Receivers::new(policy(), &[silent.local_addr().unwrap()], 8).unwrap();
    let mut target = target("http://hook.example.com/", "c1", &[]);
    target.timeout = Duration::from_secs(30);

    let answer = timeout_at(Instant::now() + Duration::from_secs(5), attempt(&receivers, &target)).await;

    let answer = answer.expect("names have a budget of their own, below 5 s");
    let (class, words) = answer.outcome.unreachable().unwrap();
    assert_eq!(class, UnreachableClass::Dns);
    assert!(words.contains("no name server answered within 4.0 s"), "{words}");
}

#[tokio::test]
async fn what_a_receiver_echoes_of_its_own_headers_is_hidden() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let target = target(&url, "c1", &[("Authorization", "Bearer hush-hush")]);
    let echo = b"HTTP/1.1 401 No\r\nx-echo: hush-hush\r\nconnection: close\r\n\r\nnot Bearer hush-hush";
    let receivers = receivers();
    let answer = beside(attempt(&receivers, &target), answer_first(&listener, echo, true)).await;
    assert_eq!(answer.body, "not [hidden]");
    assert_eq!(answer.headers[0], ("x-echo".to_owned(), "[hidden]".to_owned()));
    let echo = b"Authorization: Bearer hush-hush\r\n";
    let answer = beside(attempt(&receivers, &target), answer_first(&listener, echo, true)).await;
    let (_, words) = answer.outcome.unreachable().unwrap();
    assert_eq!(words, "it answers, but not with HTTP: `Authorization: [hidden]`");
}

#[tokio::test]
async fn what_is_forbidden_is_told_without_its_address() {
    let target = target("http://127.0.0.1:9/", "c1", &[]);
    let strict =
        Receivers::new(AddressPolicy { allow_http: true, ..AddressPolicy::default() }, &[], 8).unwrap();
    let answer = attempt(&strict, &target).await;
    let (class, words) = answer.outcome.unreachable().unwrap();
    assert_eq!((class, words), (UnreachableClass::Blocked, "its address is not public"));
    assert_eq!((answer.address, answer.is_connected), (Some([127, 0, 0, 1].into()), false));
}
