//! Who presents a token.

use std::net::IpAddr;

use posthorn_domain::token::Token;

use crate::{
    error::{Error, Kind},
    manage::Manage,
    principal::Principal,
};

/// What somebody presents.
#[derive(Debug)]
pub struct Presented<'a> {
    /// The token.
    pub token: &'a str,
    /// Where it comes from.
    pub address: Option<IpAddr>,
    /// The id of the request.
    pub request_id: String,
}

impl Manage {
    /// Tells whose token it is.
    ///
    /// # Errors
    /// If it opens nothing, or it cannot be told whose it is.
    pub async fn authenticate(&self, presented: Presented<'_>) -> Result<Principal, Error> {
        let Presented { token, address, request_id } = presented;
        let hash = Token::presented(token).hash();
        if self.settings.admin_token == Some(hash) {
            return Ok(Principal::admin(request_id));
        }
        let found = self.access.token(&hash, address, &self.store).await?;
        let unknown = "the token is not known, has expired or was revoked";
        let token = found.ok_or_else(|| Error::new(Kind::Unauthenticated, unknown))?;
        Ok(Principal::of(&token, request_id))
    }
}
