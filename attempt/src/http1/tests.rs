//! Answers as receivers give them, over a connection in memory.

use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use super::*;

/// What an answer came to: status, body, whether the connection is kept.
async fn answered(answer: &[u8]) -> Result<(u16, Vec<u8>, bool), Failure> {
    let (mut ours, mut theirs) = duplex(1 << 20);
    theirs.write_all(answer).await.unwrap();
    let mut answered = exchange(&mut ours, b"POST / HTTP/1.1\r\n\r\n".to_vec(), Bytes::from("{}")).await?;
    drop(theirs);
    let mut body = Beginning::default();
    let is_kept = answered.read_body(&mut ours, &mut body).await;
    Ok((answered.status, body.bytes().to_vec(), is_kept))
}

async fn of(answer: &str) -> (u16, Vec<u8>, bool) {
    answered(answer.as_bytes()).await.unwrap()
}

#[tokio::test]
async fn a_body_ends_where_its_framing_says() {
    assert_eq!(of("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await, (200, b"ok".to_vec(), true));
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
    assert_eq!(of(chunked).await, (200, b"ok".to_vec(), true));
    assert_eq!(of("HTTP/1.0 200 OK\r\n\r\nold").await, (200, b"old".to_vec(), false));
    assert_eq!(of("HTTP/1.1 204 N\r\ncontent-length: 5\r\n\r\nhello").await, (204, Vec::new(), false));
}

#[tokio::test]
async fn a_connection_with_more_on_it_is_not_used_again() {
    let twice = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\nHTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n";
    assert_eq!(of(twice).await, (200, Vec::new(), false));
    let lengths = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 5\r\n\r\nokokok";
    assert_eq!(of(lengths).await, (200, b"okokok".to_vec(), false));
    let broken = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nx";
    assert_eq!(of(broken).await, (200, Vec::new(), false));
}

#[tokio::test]
async fn a_few_interim_answers_are_skipped_and_many_are_no_answer() {
    let hints = "HTTP/1.1 103 Early Hints\r\nlink: <a>\r\n\r\n";
    let ok = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
    assert_eq!(of(&format!("{}{ok}", hints.repeat(MOST_INTERIM))).await, (200, Vec::new(), true));
    assert!(answered(format!("{}{ok}", hints.repeat(MOST_INTERIM + 1)).as_bytes()).await.is_err());
    assert_eq!(of("HTTP/1.1 101 Switching Protocols\r\n\r\n").await, (101, Vec::new(), false));
}

#[tokio::test]
async fn a_head_that_grows_is_given_up() {
    let long = format!("HTTP/1.1 200 OK\r\nx-long: {}", "x".repeat(MOST_HEAD + 1));
    assert!(answered(long.as_bytes()).await.is_err());
    let many = format!("HTTP/1.1 200 OK\r\n{}", "a: b\r\n".repeat(MOST_HEAD / 6 + 1));
    assert!(answered(many.as_bytes()).await.is_err());
    let fits = format!("HTTP/1.1 200 OK\r\n{}content-length: 0\r\n\r\n", "a: b\r\n".repeat(5000));
    assert_eq!(of(&fits).await, (200, Vec::new(), true));
}

#[tokio::test]
async fn an_answer_before_the_end_of_the_request_counts_and_closes() {
    let (mut ours, mut theirs) = duplex(100);
    let body = Bytes::from(vec![b'x'; 10_000]);
    let exchanging = exchange(&mut ours, b"POST / HTTP/1.1\r\n\r\n".to_vec(), body);
    let answering = async {
        theirs.read_u8().await.unwrap();
        theirs.write_all(b"HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n").await.unwrap();
    };
    let (answered, ()) = tokio::join!(exchanging, answering);
    let mut answered = answered.unwrap();
    assert_eq!(
        (answered.status, answered.read_body(&mut ours, &mut Beginning::default()).await),
        (413, false)
    );
}
