//! HTTP/2 with a receiver at the other end of a connection in memory.

use std::time::Duration;

use h2::{Reason, server};
use posthorn_domain::{
    address::AddressPolicy,
    id::{EventRef, WebhookId},
    keyring::{KeyRing, entry},
    signature::Secret,
    webhook::{DisablePolicy, LiveSecret, State, Webhook},
};
use tokio::{
    io::{DuplexStream, duplex},
    time::timeout,
};
use uuid::Uuid;

use super::*;
use crate::{failure::Repeat, mask::Masks, request::Request, target::Target};

/// Status, headers and body.
type Whole = (u16, Vec<(String, String)>, Vec<u8>);
type Receiver = server::Connection<DuplexStream, Bytes>;

fn target() -> Target {
    let id = WebhookId(Uuid::from_u128(1));
    let keys: KeyRing = entry("a", [1; 32]).parse().unwrap();
    let webhook = Webhook {
        id,
        url: "https://example.com/hook".to_owned(),
        rules: Vec::new(),
        tenant: Default::default(),
        state: State::Enabled,
        epoch: 1,
        timeout: Duration::from_secs(1),
        max_in_flight: 1,
        disable_policy: DisablePolicy::Exhausted,
        http2: true,
        headers: Default::default(),
        secrets: vec![LiveSecret { sealed: keys.seal(&Secret::new([2; 32]), id, [3; 24]), expires_at: None }],
    };
    Target::prepare(&webhook, &keys, &AddressPolicy::default()).unwrap()
}

/// A connection that attempts share, and its other end.
async fn connected(drivers: &Drivers) -> (Arc<Shared>, Receiver) {
    let (ours, theirs) = duplex(1 << 20);
    let dialled = Dialled { stream: Box::new(ours), address: [127, 0, 0, 1].into(), is_http2: true };
    let (shared, receiver) = tokio::join!(drivers.start(dialled), server::handshake(theirs));
    (shared.map_err(|failure| failure.outcome(&Masks::default())).unwrap(), receiver.unwrap())
}

/// What an attempt on it comes to.
async fn attempt(shared: &Arc<Shared>) -> Result<Whole, Failure> {
    let target = target();
    let request = Request {
        event: EventRef::new("c1", "e1"),
        body: Bytes::from_static(b"{}"),
        attempt: 1,
        trace: None,
    };
    let endpoint = target.endpoint.as_ref().unwrap();
    let signed = Signed::new(&target, endpoint, &request);
    let mut answered = Stream::new(shared.clone()).exchange(&signed).await?;
    let mut body = Beginning::default();
    answered.read_body(&mut body).await;
    Ok((answered.status, answered.headers, body.bytes().to_vec()))
}

async fn beside<T>(attempt: impl Future<Output = T>, receiver: impl Future<Output = ()>) -> T {
    tokio::select! {
        answer = attempt => answer,
        () = async { receiver.await; std::future::pending().await } => unreachable!("it never ends"),
    }
}

/// Goes on with what is left to send and to receive, and answers nothing.
async fn linger(mut receiver: Receiver) {
    let mut held = Vec::new();
    while let Some(request) = receiver.accept().await {
        held.push(request);
    }
}

fn ended(answer: Result<Whole, Failure>) -> (UnreachableClass, Repeat) {
    let failure = answer.expect_err("there is no answer");
    let repeat = failure.repeat;
    (failure.outcome(&Masks::default()).unreachable().unwrap().0, repeat)
}

#[tokio::test]
async fn an_answer_with_many_kilobytes_of_headers_counts() {
    let drivers = Drivers::default();
    let (shared, mut receiver) = connected(&drivers).await;
    let answering = async {
        let (_, mut respond) = receiver.accept().await.unwrap().unwrap();
        let mut response = http::Response::builder().status(202);
        for place in 0..27 {
            response = response.header(format!("x-{place}"), "y".repeat(1000));
        }
        let mut stream = respond.send_response(response.body(()).unwrap(), false).unwrap();
        stream.send_data(Bytes::from_static(b"taken"), true).unwrap();
        linger(receiver).await;
    };
    let (status, headers, body) = beside(attempt(&shared), answering).await.unwrap();
    assert_eq!((status, headers.len(), &body[..]), (202, 27, &b"taken"[..]));
    assert!(!shared.is_retired() && shared.streams() == 0);
}

#[tokio::test]
async fn a_refused_stream_may_be_sent_again_and_the_connection_lives() {
    let drivers = Drivers::default();
    let (shared, mut receiver) = connected(&drivers).await;
    let refusing = async {
        let (_, mut respond) = receiver.accept().await.unwrap().unwrap();
        respond.send_reset(Reason::REFUSED_STREAM);
        linger(receiver).await;
    };
    let answer = beside(attempt(&shared), refusing).await;
    assert_eq!(ended(answer), (UnreachableClass::Reset, Repeat::Always));
    assert!(!shared.is_retired());
}

#[tokio::test]
async fn a_stream_that_was_broken_off_is_not_sent_again() {
    let drivers = Drivers::default();
    let (shared, mut receiver) = connected(&drivers).await;
    let breaking = async {
        let (_, mut respond) = receiver.accept().await.unwrap().unwrap();
        respond.send_reset(Reason::INTERNAL_ERROR);
        linger(receiver).await;
    };
    assert_eq!(ended(beside(attempt(&shared), breaking).await), (UnreachableClass::Reset, Repeat::Never));
}

#[tokio::test]
async fn what_the_receiver_never_took_may_be_sent_again_elsewhere() {
    let drivers = Drivers::default();
    let (shared, mut receiver) = connected(&drivers).await;
    let leaving = async {
        receiver.abrupt_shutdown(Reason::NO_ERROR);
        linger(receiver).await;
    };
    let (_, repeat) = ended(beside(attempt(&shared), leaving).await);
    assert_eq!(repeat, Repeat::Always);
    assert!(shared.is_retired());
}

#[tokio::test]
async fn a_connection_that_does_not_answer_is_retired() {
    let drivers = Drivers::default();
    let (shared, receiver) = connected(&drivers).await;
    let deaf = linger(receiver);
    assert!(beside(timeout(Duration::from_millis(50), attempt(&shared)), deaf).await.is_err());
    assert!(shared.is_retired());
}

#[tokio::test]
async fn headers_beyond_the_bound_are_no_answer() {
    let drivers = Drivers::default();
    let (shared, mut receiver) = connected(&drivers).await;
    let answering = async {
        let (_, mut respond) = receiver.accept().await.unwrap().unwrap();
        let response = http::Response::builder().status(200).header("x-long", "y".repeat(70_000));
        let _ = respond.send_response(response.body(()).unwrap(), true);
        linger(receiver).await;
    };
    assert_eq!(ended(beside(attempt(&shared), answering).await).0, UnreachableClass::InvalidReply);
}
