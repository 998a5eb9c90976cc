//! Signatures, as receivers verify them.

use std::{collections::BTreeMap, env, process::Stdio};

use posthorn_tests::{App, Data, Event, Receiver, Request, always, event, statuses};
use serde_json::json;
use tokio::{io::AsyncWriteExt, process::Command};

fn awkward_events() -> Vec<Event> {
    let data = [r#"{}"#, r#"{"text":"Grüße ☕ \u0000 \" \\"}"#, "{\n\t\"n\" : 1.0e3\r\n}"];
    let with = |data: &str| Event { data: Some(Data::Json(data.to_owned().into())), ..event("todo.created") };
    data.iter().map(|data| with(data)).collect()
}

#[tokio::test]
async fn every_attempt_verifies_with_the_webhooks_own_secret_only() {
    let app = App::create().await;
    let receiver = Receiver::start(statuses([500, 200])).await;
    let (one, two) = (
        app.add_webhook(&receiver.url("/one"), &[]).await,
        app.add_webhook(&receiver.url("/two"), &[]).await,
    );
    let _roles = app.start().await;

    app.publish_all(&awkward_events()).await;

    for request in receiver.receives(12).await {
        let (own, other) = if request.path == "/one" { (&one, &two) } else { (&two, &one) };
        assert!(request.is_signed_with(&own.secret), "{request:?}");
        assert!(!request.is_signed_with(&other.secret), "{request:?}");
        assert_eq!(request.signatures().len(), 1);
    }
}

#[tokio::test]
async fn the_standardwebhooks_package_of_pypi_verifies_what_we_send() {
    let Some(python) = env::var_os("POSTHORN_TEST_PYTHON") else {
        let skip = env::var("POSTHORN_ALLOW_SKIP").is_ok_and(|allow| allow == "1");
        assert!(skip, "POSTHORN_TEST_PYTHON (a Python with `standardwebhooks`) is not set: run `make test`");
        return;
    };
    let app = App::create().await;
    let receiver = Receiver::start(always(200)).await;
    let webhook = app.add_webhook(&receiver.url("/"), &[]).await;
    let _roles = app.start().await;

    app.publish_all(&awkward_events()).await;

    let requests = receiver.receives(3).await;
    let lines = requests.iter().map(|request| as_line(request, &webhook.secret)).collect::<String>();
    let mut verifier = Command::new(python)
        .args(["-c", include_str!("verify.py")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    verifier.stdin.take().unwrap().write_all(lines.as_bytes()).await.unwrap();
    let output = verifier.wait_with_output().await.unwrap();
    assert_eq!((output.status.success(), String::from_utf8_lossy(&output.stdout).trim()), (true, "3"));
}

fn as_line(request: &Request, secret: &str) -> String {
    let headers: BTreeMap<_, _> = request.headers.iter().cloned().collect();
    let body = String::from_utf8_lossy(&request.body);
    format!("{}\n", json!({ "secret": secret, "headers": headers, "body": body }))
}
