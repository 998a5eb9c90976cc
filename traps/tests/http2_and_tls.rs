//! What a common HTTP client makes of the traps of HTTP/2 and TLS.

use std::{error::Error, time::Duration};

use futures_util::future::join_all;
use posthorn_traps::{Settings, Traps};
use reqwest::{Certificate, Client, ClientBuilder, Response, Version};

#[tokio::test]
async fn a_client_that_trusts_the_authority_is_answered_over_http_2_or_1() {
    let traps = traps().await;
    let client = client(&traps, |builder| builder);
    for (name, version) in [("h2-ok", Version::HTTP_2), ("tls-ok", Version::HTTP_11)] {
        assert_eq!(post(&client, &traps, name).await.unwrap().version(), version, "{name}");
    }
    let only_1 = self::client(&traps, ClientBuilder::http1_only);
    for name in ["h2-ok", "h2-refused-stream", "h2-goaway", "h2-deaf", "h2-data-first"] {
        let answer = post(&only_1, &traps, name).await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.version()), (200, Version::HTTP_11), "{name}");
    }
}

#[tokio::test]
async fn requests_are_refused_in_turn() {
    let traps = traps().await;
    let client = client(&traps, |builder| builder);
    for name in ["h2-refused-stream", "h2-goaway"] {
        for round in 0..2 {
            let refused = post(&client, &traps, name).await;
            assert!(refused.is_err(), "{name} {round}");
            assert_eq!(post(&client, &traps, name).await.unwrap().status(), 200, "{name} {round}");
            if name == "h2-goaway" {
                break;
            }
        }
    }
    assert_eq!((traps.connections("h2-refused-stream"), traps.requests("h2-refused-stream")), (1, 4));
    assert_eq!(traps.connections("h2-goaway"), 2);
}

#[tokio::test]
async fn a_connection_turns_deaf_after_three_answers() {
    let traps = traps().await;
    let client = client(&traps, |builder| builder.timeout(Duration::from_millis(500)));
    for _ in 0..3 {
        post(&client, &traps, "h2-deaf").await.unwrap();
    }
    assert!(post(&client, &traps, "h2-deaf").await.unwrap_err().is_timeout());
}

#[tokio::test]
async fn two_streams_are_taken_at_a_time() {
    let traps = traps().await;
    let client = client(&traps, |builder| builder);
    let five = join_all((0..5).map(|_| post(&client, &traps, "h2-two-streams"))).await;
    // Those that were sent before the client knew of the limit are refused.
    let answered = five.iter().filter(|answer| answer.is_ok()).count();
    assert!(answered >= 2, "{five:?}");
    let four = join_all((0..4).map(|_| post(&client, &traps, "h2-two-streams"))).await;
    assert!(four.iter().all(Result::is_ok), "{four:?}");
}

#[tokio::test]
async fn frames_of_http_2_are_wrong_as_their_lines_say() {
    let traps = traps().await;
    let client = client(&traps, |builder| builder.http2_max_header_list_size(64 << 10));
    let long = post(&client, &traps, "h2-long-headers").await.unwrap();
    assert!(long.headers().values().map(|value| value.len()).sum::<usize>() >= 26_900);
    let cut = post(&client, &traps, "h2-reset-after-status").await.unwrap();
    assert_eq!(cut.status(), 200);
    assert!(cut.bytes().await.is_err());
    for name in ["h2-data-first", "h2-endless-headers"] {
        assert!(post(&client, &traps, name).await.is_err(), "{name}");
    }
}

#[tokio::test]
async fn certificates_and_handshakes_are_bad_as_their_lines_say() {
    let traps = traps().await;
    let client = client(&traps, |builder| builder);
    for name in ["tls-asks-for-certificate", "tls-no-close-notify"] {
        assert_eq!(post(&client, &traps, name).await.unwrap().status(), 200, "{name}");
    }
    for (name, words) in [
        ("tls-expired", "expired"),
        ("tls-other-host", "other.example.com"),
        ("tls-self-signed", "UnknownIssuer"),
        ("tls-900-names", "host-899.example.com"),
        ("tls-demands-certificate", "CertificateRequired"),
        ("tls-1.1-only", "ServerDoesNotSupportTls12Or13"),
        ("tls-1.1-alert", "ProtocolVersion"),
        ("tls-plain-text", "corrupt"),
        ("tls-stalls", "eof"),
    ] {
        let error = post(&client, &traps, name).await.unwrap_err();
        let told = error_chain(&error);
        assert!(told.contains(words), "{name}: {told}");
        assert_eq!(traps.requests(name), 0, "{name}");
    }
}

/// A handshake that drips is whole in the end, if one waits for it.
#[tokio::test]
async fn a_handshake_drips() {
    let traps = traps().await;
    let client = client(&traps, |builder| builder.timeout(Duration::from_millis(600)));
    assert!(post(&client, &traps, "tls-drip").await.unwrap_err().is_timeout());
}

async fn traps() -> Traps {
    let settings = Settings { patience: Duration::from_secs(2), ..Settings::default() };
    Traps::start(settings).await.expect("ports of loopback are free")
}

fn client(traps: &Traps, with: impl Fn(ClientBuilder) -> ClientBuilder) -> Client {
    let authority = Certificate::from_pem(traps.authority().as_bytes()).expect("it is PEM");
    let builder = Client::builder().tls_certs_only([authority]).retry(reqwest::retry::never()).no_proxy();
    with(builder).build().expect("the client can be built")
}

async fn post(client: &Client, traps: &Traps, name: &str) -> reqwest::Result<Response> {
    client.post(traps.url(name)).body("{}").send().await
}

fn error_chain(error: &(dyn Error + 'static)) -> String {
    std::iter::successors(Some(error), |&error| error.source())
        .map(|error| format!("{error:?} {error}; "))
        .collect()
}
