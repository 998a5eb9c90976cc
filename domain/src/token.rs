//! Tokens of the management API: what they are made of and what they allow.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::words::words;

const PREFIX: &str = "pht_";

/// A token as its bearer writes it: `pht_` and 64 hexadecimal digits, or any text that an operator has
/// set. Its `Debug` does not show it.
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

words! {
    /// What a token allows.
    Scope, "a scope":
    /// To look at webhooks, events and deliveries.
    Read = "read",
    /// To change webhooks, redeliver and replay.
    Write = "write",
    /// To publish events.
    Publish = "publish",
    /// To manage tokens and read the audit log.
    Admin = "admin",
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
