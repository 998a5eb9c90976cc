//! A mail server that keeps what it gets.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use crate::eventually;

/// A mail server without TLS.
pub struct Mailbox {
    /// For `POSTHORN_SMTP_URL`.
    pub url: String,
    kept: Arc<Kept>,
    _server: JoinSet<()>,
}

#[derive(Default)]
struct Kept {
    mails: Mutex<Vec<Mail>>,
    to_refuse: AtomicUsize,
    refused: AtomicUsize,
}

/// A mail that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// Whom the envelope names.
    pub recipient: String,
    /// Headers and text as they came, encoded.
    pub data: String,
}

impl Mailbox {
    /// A server that refuses, for now, the first `to_refuse` mails.
    pub async fn start(to_refuse: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has free ports");
        let address = listener.local_addr().expect("it is bound");
        let kept = Arc::new(Kept { to_refuse: AtomicUsize::new(to_refuse), ..Kept::default() });
        let mut server = JoinSet::new();
        server.spawn(serve(listener, kept.clone()));
        Self { url: format!("smtp://{address}"), kept, _server: server }
    }

    /// How many were refused so far.
    pub fn refused(&self) -> usize {
        self.kept.refused.load(Ordering::SeqCst)
    }

    /// All mails so far.
    pub fn mails(&self) -> Vec<Mail> {
        self.kept.mails.lock().expect("no test has panicked with it").clone()
    }

    /// Waits until so many mails came, and returns them.
    pub async fn receives(&self, count: usize) -> Vec<Mail> {
        let what = format!("{count} mails");
        eventually(&what, async || Some(self.mails()).filter(|mails| mails.len() >= count)).await
    }
}

async fn serve(listener: TcpListener, kept: Arc<Kept>) {
    let mut conversations = JoinSet::new();
    while let Ok((connection, _)) = listener.accept().await {
        let kept = kept.clone();
        conversations.spawn(async move {
            // A client that hangs up early is the client's business.
            let _ = converse(connection, &kept).await;
        });
    }
}

/// RFC 5321, as far as clients need it.
async fn converse(connection: TcpStream, kept: &Kept) -> std::io::Result<()> {
    let (reading, mut writing) = connection.into_split();
    let mut lines = BufReader::new(reading).lines();
    writing.write_all(b"220 mailbox.example.com\r\n").await?;
    let mut recipient = String::new();
    while let Some(line) = lines.next_line().await? {
        let reply = match line.get(..4).unwrap_or_default().to_ascii_uppercase().as_str() {
            "RCPT" if kept.refuses() => "451 not now",
            "RCPT" => {
                recipient = line.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
                "250 ok"
            }
            "DATA" => {
                writing.write_all(b"354 go on\r\n").await?;
                let mut data = String::new();
                while let Some(line) = lines.next_line().await?.filter(|line| line != ".") {
                    data.push_str(&line);
                    data.push('\n');
                }
                let mail = Mail { recipient: recipient.clone(), data };
                kept.mails.lock().expect("no test has panicked with it").push(mail);
                "250 kept"
            }
            "QUIT" => return writing.write_all(b"221 bye\r\n").await,
            _ => "250 ok",
        };
        writing.write_all(format!("{reply}\r\n").as_bytes()).await?;
    }
    Ok(())
}

impl Kept {
    fn refuses(&self) -> bool {
        let refuses = |left: usize| left.checked_sub(1);
        let refused = self.to_refuse.fetch_update(Ordering::SeqCst, Ordering::SeqCst, refuses).is_ok();
        if refused {
            self.refused.fetch_add(1, Ordering::SeqCst);
        }
        refused
    }
}
