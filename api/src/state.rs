//! What all handlers share.

use std::{sync::Arc, time::Duration};

use posthorn_manage::Rates;
use uuid::Uuid;

use crate::bodies::Bodies;

/// Settings of the API.
#[derive(Debug)]
pub struct Settings {
    /// The largest body of a request.
    pub most_body_bytes: usize,
    /// How many requests a token may make in a second.
    pub requests_per_second: u32,
    /// The origins whose pages may use the API.
    pub allow_origins: Vec<String>,
    /// How many connections there are at a time.
    pub connections: usize,
    /// How long a connection may have no request.
    pub idle: Duration,
    /// How many bytes of bodies are held at a time.
    pub bodies_bytes: usize,
    /// How many requests the tokens of a company may make in a second.
    pub company_requests_per_second: u32,
}

/// What all handlers share.
pub(crate) struct Api {
    pub(crate) settings: Settings,
    /// The use cases.
    pub(crate) manage: posthorn_manage::Shared,
    /// Requests of each token.
    pub(crate) rates: Rates<Uuid>,
    /// Requests of the tokens that see the same companies.
    pub(crate) company_requests: Rates<Vec<String>>,
    /// Bodies that are held.
    pub(crate) bodies: Arc<Bodies>,
}

/// The state of the router.
pub(crate) type Shared = Arc<Api>;
