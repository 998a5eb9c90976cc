//! Tokens of the management API: what they are made of and what they allow.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

const PREFIX: &str = "pht_";

/// A token as its bearer writes it: `pht_` and 64 hexadecimal digits, or any text that an operator has
/// set. Its `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

/// What stands for a token in the database. A token is random and long, so that a plain hash of it can
/// be neither guessed nor reversed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenHash(pub [u8; 32]);

impl Token {
    /// A token of 32 bytes, which must be random.
    pub fn new(random: [u8; 32]) -> Self {
        let digits: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        Self(format!("{PREFIX}{digits}"))
    }

    /// A token that someone presents.
    pub fn presented(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The token as its bearer sees it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What stands for it.
    pub fn hash(&self) -> TokenHash {
        TokenHash(Sha256::digest(self.0.as_bytes()).into())
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// What a token allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// To look at webhooks, events and deliveries.
    Read,
    /// To change webhooks, redeliver and replay.
    Write,
    /// To publish events.
    Publish,
    /// To manage tokens and read the audit log.
    Admin,
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Read, Self::Write, Self::Publish, Self::Admin];

    /// One word for it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Publish => "publish",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

impl FromStr for Scope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|scope| scope.label() == text);
        found.ok_or_else(|| format!("`{text}` is not a scope: use read, write, publish or admin"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_shows_only_when_it_is_revealed() {
        let token = Token::new([0xab; 32]);
        assert_eq!(token.reveal(), format!("pht_{}", "ab".repeat(32)));
        assert_eq!(format!("{token:?}"), "Token(…)");
        assert_eq!(Token::presented(token.reveal()).hash(), token.hash());
        assert_ne!(Token::presented("pht_").hash(), token.hash());
    }

    #[test]
    fn scopes_read_back() {
        for scope in Scope::ALL {
            assert_eq!(scope.to_string().parse(), Ok(scope));
        }
        assert!("root".parse::<Scope>().is_err());
    }
}
