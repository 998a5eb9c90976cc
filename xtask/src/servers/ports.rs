//! The ports of a folder's servers, and the name of its RabbitMQ: the file `ports`.

use std::{fs, path::Path};

use crate::port;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Ports {
    /// The Erlang node.
    pub(super) node: String,
    pub(super) amqp: u16,
    /// Erlang's distribution.
    pub(super) distribution: u16,
    pub(super) epmd: u16,
    pub(super) postgres: u16,
}

impl Ports {
    /// Those that were chosen before.
    pub(super) fn read(folder: &Path) -> Option<Self> {
        fs::read_to_string(folder.join("ports")).ok().map(|text| Self::parse(&text))
    }

    /// Chooses those of RabbitMQ that were not chosen yet, or that something else has taken since.
    pub(super) fn choose_for_broker(&mut self) -> anyhow::Result<()> {
        if self.node.is_empty() {
            self.node = format!("posthorn-{:016x}@localhost", port::random()?);
        }
        keep_or_replace([&mut self.amqp, &mut self.distribution, &mut self.epmd])
    }

    /// Chooses that of PostgreSQL in the same way.
    pub(super) fn choose_for_postgres(&mut self) -> anyhow::Result<()> {
        keep_or_replace([&mut self.postgres])
    }

    pub(super) fn write(&self, folder: &Path) -> anyhow::Result<()> {
        Ok(fs::write(folder.join("ports"), self.text())?)
    }

    fn parse(text: &str) -> Self {
        let value = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
            line.unwrap_or_default().trim_matches('"')
        };
        let number = |name| value(name).parse().unwrap_or_default();
        Self {
            node: value("node").to_owned(),
            amqp: number("amqp_port"),
            distribution: number("dist_port"),
            epmd: number("epmd_port"),
            postgres: number("postgres_port"),
        }
    }

    fn text(&self) -> String {
        format!(
            "node=\"{}\"\namqp_port=\"{}\"\ndist_port=\"{}\"\nepmd_port=\"{}\"\npostgres_port=\"{}\"\n",
            self.node, self.amqp, self.distribution, self.epmd, self.postgres
        )
    }
}

fn keep_or_replace<const N: usize>(ports: [&mut u16; N]) -> anyhow::Result<()> {
    for kept in ports {
        if *kept == 0 || !port::is_free(*kept) {
            *kept = port::random_free()?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_read_as_they_were_written() {
        let ports = Ports { node: "a@localhost".into(), amqp: 1, distribution: 2, epmd: 3, postgres: 4 };
        assert_eq!(Ports::parse(&ports.text()), ports);
        assert_eq!(Ports::parse(""), Ports::default());
    }
}
