//! Mails to the contacts of webhooks, one after the other.

use std::time::Duration;

use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{
        Mailbox,
        header::{ContentType, HeaderName, HeaderValue},
    },
    transport::smtp::{
        self,
        response::{Category, Code},
    },
};
use posthorn_domain::error_chain::error_chain;
use posthorn_store::{DueMail, Store};
use posthorn_timing::Backoff;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::{LONGEST_PAUSE, metrics};

const EVERY: Duration = Duration::from_secs(2);
/// How long sending one may take: shorter than the pause after which it is due again.
const SEND_TIMEOUT: Duration = Duration::from_secs(25);

/// Sends mails.
pub struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

/// Settings with which no mail can be sent.
#[derive(Debug, thiserror::Error)]
pub enum BadMailer {
    /// The URL.
    #[error("POSTHORN_SMTP_URL is not a mail server's URL such as smtps://user:password@host")]
    Url(#[source] smtp::Error),
    /// The sender.
    #[error("POSTHORN_SMTP_FROM is not a mail address such as Posthorn <posthorn@example.com>")]
    From(#[source] lettre::address::AddressError),
}

/// What came of sending.
enum Sent {
    Yes,
    /// The mail is at fault: trying again cannot help.
    Never(String),
    NotNow(String),
}

impl Mailer {
    /// A mailer; connects to nothing yet.
    ///
    /// # Errors
    /// If the URL or the sender is none.
    pub fn new(url: &str, from: &str) -> Result<Self, BadMailer> {
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(url).map_err(BadMailer::Url)?;
        let transport = transport.timeout(Some(SEND_TIMEOUT)).build();
        Ok(Self { transport, from: from.parse().map_err(BadMailer::From)? })
    }

    /// Sends what is due until `halt`. What is being sent then is sent to its end.
    pub(crate) async fn run(&self, store: &Store, halt: &CancellationToken) {
        while let Some(due) = halt.run_until_cancelled(next(store)).await {
            let recorded = match self.send(&due).await {
                Sent::Yes => {
                    metrics::mailed("sent");
                    store.notifications.mail_sent(due.number).await
                }
                Sent::Never(reason) => {
                    metrics::mailed("refused");
                    tracing::error!(event.id = %due.mail.event_id, "a mail can never be sent: {reason}");
                    store.notifications.mail_sent(due.number).await
                }
                Sent::NotNow(reason) => {
                    metrics::mailed("failed");
                    tracing::warn!(
                        event.id = %due.mail.event_id,
                        "cannot send a mail ({reason}), trying again"
                    );
                    Ok(())
                }
            };
            if let Err(error) = recorded {
                tracing::warn!("a mail will be sent twice: {}", error_chain(&error));
            }
        }
    }

    async fn send(&self, due: &DueMail) -> Sent {
        let message = match self.message(due) {
            Ok(message) => message,
            Err(reason) => return Sent::Never(reason),
        };
        match timeout(SEND_TIMEOUT, self.transport.send(message)).await {
            Ok(Ok(_)) => Sent::Yes,
            Ok(Err(error)) if error.is_permanent() && error.status().is_some_and(is_about_the_mail) => {
                Sent::Never(error_chain(&error))
            }
            Ok(Err(error)) => Sent::NotNow(error_chain(&error)),
            Err(_) => Sent::NotNow("the server does not answer".to_owned()),
        }
    }

    fn message(&self, due: &DueMail) -> Result<Message, String> {
        let to: Mailbox = due.recipient.parse().map_err(|error| format!("the contact: {error}"))?;
        // RFC 3834: nobody answers to a machine.
        let automatic =
            HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned());
        Message::builder()
            .from(self.from.clone())
            .to(to)
            .subject(&*due.mail.subject)
            .message_id(Some(format!("<{}@{}>", due.mail.event_id, self.from.email.domain())))
            .raw_header(automatic)
            .header(ContentType::TEXT_PLAIN)
            .body(due.mail.text.clone())
            .map_err(|error| error.to_string())
    }
}

/// Whether a refusal for good is about the mail: a login that is wanted or wrong (RFC 4954, section 6) is
/// about our settings, and every mail is still good once they are mended.
fn is_about_the_mail(code: Code) -> bool {
    code.category != Category::Unspecified3
}

/// Waits for a mail.
async fn next(store: &Store) -> DueMail {
    let mut backoff = Backoff::new(EVERY, LONGEST_PAUSE);
    loop {
        match store.notifications.due_mail().await {
            Ok(Some(due)) => return due,
            Ok(None) => backoff.reset(),
            Err(error) => tracing::debug!("cannot look for mails: {}", error_chain(&error)),
        }
        sleep(backoff.pause(rand::random())).await;
    }
}

#[cfg(test)]
mod tests {
    use lettre::transport::smtp::response::{Detail, Severity};
    use posthorn_domain::{id::EventId, notification::mail::Mail, webhook::owner};

    use super::*;

    #[test]
    fn a_wrong_password_is_not_the_mails_fault() {
        let code = |category, detail| Code::new(Severity::PermanentNegativeCompletion, category, detail);
        assert!(!is_about_the_mail(code(Category::Unspecified3, Detail::Zero)), "530");
        assert!(!is_about_the_mail(code(Category::Unspecified3, Detail::Five)), "535");
        assert!(is_about_the_mail(code(Category::MailSystem, Detail::Zero)), "550");
    }

    #[test]
    fn what_passes_as_a_contact_can_be_mailed_to() {
        let longest = format!("{}@{}.example.com", "a".repeat(64), "b".repeat(63));
        for contact in
            ["ops@example.com", "first.last+posthorn@a-b.c", "!#$%&'*+-/=?^_`{|}~@localhost", &longest]
        {
            assert_eq!(owner::check_contact(contact), Ok(()), "{contact}");
            assert!(contact.parse::<Mailbox>().is_ok(), "{contact}");
        }
    }

    fn due(recipient: &str) -> DueMail {
        let mail = Mail {
            event_id: EventId::from("webhook_failing_1"),
            subject: "It fails".to_owned(),
            text: "Why".to_owned(),
        };
        DueMail { number: 1, recipient: recipient.to_owned(), mail }
    }

    // Its transport wants a runtime.
    #[tokio::test]
    async fn a_mail_has_one_id_however_often_it_is_sent_and_wants_no_answer() {
        let mailer = Mailer::new("smtp://localhost", "Posthorn <posthorn@example.com>")
            .expect("the settings are good");
        let message = mailer.message(&due("ops@example.com")).expect("it can be sent");
        let text = String::from_utf8(message.formatted()).expect("it is text");
        assert!(text.contains("Message-ID: <webhook_failing_1@example.com>"), "{text}");
        assert!(
            text.contains("Auto-Submitted: auto-generated") && text.contains("Subject: It fails"),
            "{text}"
        );
        assert!(mailer.message(&due("nobody")).is_err(), "that is no address");
    }
}
