//! `posthorn quarantine …`: events that no router survives, read from RabbitMQ as bytes, since nothing
//! else is safe to do with them.

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use posthorn_broker::{Quarantine, Quarantined};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::settings::BrokerSettings;

/// Bytes of the properties, and of the body, that people are shown.
const MOST_BYTES: usize = 1024;

#[derive(Debug, Subcommand)]
pub(crate) enum QuarantineCommand {
    /// List what is in quarantine, the oldest first
    List(List),
    /// Show one with its bytes
    Show(One),
    /// Drop one for good
    Drop(One),
    /// Give one back to the routers: after an update that survives it
    Release(One),
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// The most that are listed
    #[arg(long, default_value_t = 20)]
    limit: usize,
    #[command(flatten)]
    looking: Looking,
}

#[derive(Debug, Args)]
pub(crate) struct One {
    /// Its id, as `posthorn quarantine list` tells it
    id: String,
    #[command(flatten)]
    looking: Looking,
}

#[derive(Debug, Args)]
struct Looking {
    #[command(flatten)]
    broker: BrokerSettings,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl QuarantineCommand {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::List(list) => list.run().await,
            Self::Show(one) => one.show().await,
            Self::Drop(one) => one.drop_it().await,
            Self::Release(one) => one.release().await,
        }
    }
}

impl Looking {
    async fn open(&self) -> anyhow::Result<Quarantine> {
        Ok(Quarantine::open(&self.broker.url()?, &self.broker.prefix).await?)
    }

    fn print(&self, message: &Quarantined) {
        match self.json {
            true => println!("{}", whole(message)),
            false => people(message),
        }
    }
}

impl List {
    async fn run(self) -> anyhow::Result<()> {
        let mut quarantine = self.looking.open().await?;
        let mut listed = 0;
        while listed < self.limit {
            let Some(message) = quarantine.next().await? else { break };
            listed += 1;
            match self.looking.json {
                true => println!("{}", line(&message)),
                false => println!(
                    "{}  {:>9} bytes  properties {:>7} bytes  {}",
                    id(&message),
                    message.body().len(),
                    message.properties().len(),
                    message.routing_key().escape_ascii()
                ),
            }
        }
        if listed == 0 && !self.looking.json {
            println!("Nothing is in quarantine.");
        }
        // What was looked at goes back.
        Ok(quarantine.close().await?)
    }
}

impl One {
    async fn show(self) -> anyhow::Result<()> {
        let mut quarantine = self.looking.open().await?;
        let message = self.find(&mut quarantine).await?;
        self.looking.print(&message);
        Ok(quarantine.close().await?)
    }

    async fn drop_it(self) -> anyhow::Result<()> {
        let mut quarantine = self.looking.open().await?;
        let message = self.find(&mut quarantine).await?;
        quarantine.discard(&message).await?;
        quarantine.close().await?;
        println!("dropped {}", self.id);
        Ok(())
    }

    async fn release(self) -> anyhow::Result<()> {
        let mut quarantine = self.looking.open().await?;
        let message = self.find(&mut quarantine).await?;
        quarantine.release(&message).await?;
        quarantine.close().await?;
        println!("released {}: a router tries it within seconds, alone", self.id);
        Ok(())
    }

    async fn find(&self, quarantine: &mut Quarantine) -> anyhow::Result<Quarantined> {
        while let Some(message) = quarantine.next().await.context("cannot read the quarantine")? {
            if id(&message) == self.id {
                return Ok(message);
            }
        }
        bail!("{} is not in quarantine: `posthorn quarantine list` tells what is", self.id)
    }
}

/// Of what the publisher wrote. The broker changes the properties each time that it hands the message out.
fn id(message: &Quarantined) -> String {
    let digest = Sha256::new()
        .chain_update((message.routing_key().len() as u64).to_be_bytes())
        .chain_update(message.routing_key())
        .chain_update(message.body())
        .finalize();
    hex(&digest[..6])
}

fn line(message: &Quarantined) -> serde_json::Value {
    json!({
        "id": id(message),
        "routing_key": message.routing_key().escape_ascii().to_string(),
        "properties_bytes": message.properties().len(),
        "body_bytes": message.body().len(),
    })
}

fn whole(message: &Quarantined) -> serde_json::Value {
    let mut whole = line(message);
    whole["properties_hex"] = hex(message.properties()).into();
    whole["body_hex"] = hex(message.body()).into();
    whole
}

fn people(message: &Quarantined) {
    println!("{:<14}{}", "id", id(message));
    println!("{:<14}{}", "routing key", message.routing_key().escape_ascii());
    for (name, bytes) in [("properties", message.properties()), ("body", message.body())] {
        println!("{name:<14}{} bytes", bytes.len());
        bytes.chunks(16).take(MOST_BYTES / 16).for_each(|row| println!("  {}", dumped(row)));
        if bytes.len() > MOST_BYTES {
            println!("  … (all with --json)");
        }
    }
}

/// As hexadecimal digits, and as the text that it may be.
fn dumped(row: &[u8]) -> String {
    let digits: Vec<_> = row.iter().map(|byte| format!("{byte:02x}")).collect();
    let printed = |byte: &u8| if byte.is_ascii_graphic() || *byte == b' ' { char::from(*byte) } else { '.' };
    format!("{:<47}  {}", digits.join(" "), row.iter().map(printed).collect::<String>())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_shown_as_digits_and_as_text() {
        let row = dumped(b"a\xff\x1b[2J z");
        assert_eq!(row.split_once("   ").unwrap().0, "61 ff 1b 5b 32 4a 20 7a");
        assert!(row.ends_with("  a..[2J z"), "{row}");
    }
}
