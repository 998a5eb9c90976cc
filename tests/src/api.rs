//! The management API, as a client sees it.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::{App, Process, app::ADMIN_TOKEN, eventually, http};

/// A running API.
#[must_use = "it stops when it is dropped"]
pub struct Api {
    /// Its process.
    pub process: Process,
    /// Where it listens.
    pub address: SocketAddr,
}

/// Someone who makes requests with a token.
#[derive(Debug, Clone)]
pub struct Client {
    address: SocketAddr,
    token: Option<String>,
    headers: Vec<(String, String)>,
}

/// What was answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    headers: Vec<(String, String)>,
    /// The body as text.
    pub text: String,
}

/// A text in an object of an answer.
pub fn text<'a>(object: &'a Value, field: &str) -> &'a str {
    object[field].as_str().unwrap_or_else(|| panic!("no text `{field}` in {object}"))
}

impl App {
    /// Starts the API and waits until it is ready.
    pub async fn api(&self) -> Api {
        let mut process = self.start_role("api").await;
        let address = process.api().await;
        Api { process, address }
    }
}

impl Api {
    /// Someone with the token that opens everything.
    pub fn admin(&self) -> Client {
        self.with_token(ADMIN_TOKEN)
    }

    /// Someone with this token.
    pub fn with_token(&self, token: &str) -> Client {
        Client { address: self.address, token: Some(token.to_owned()), headers: Vec::new() }
    }

    /// Someone without a token.
    pub fn nobody(&self) -> Client {
        Client { address: self.address, token: None, headers: Vec::new() }
    }

    /// Someone with a fresh token that has these scopes, and sees these companies only, if there are any.
    pub async fn client(&self, scopes: &[&str], companies: &[&str]) -> Client {
        let mut token = json!({ "name": "a test", "scopes": scopes });
        if !companies.is_empty() {
            token["companies"] = json!(companies);
        }
        let made = self.admin().post("/v1/tokens", &token).await.expect(201);
        self.with_token(made["token"].as_str().expect("a made token is shown"))
    }
}

impl Client {
    /// The same with another header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Makes a request with these bytes for a body.
    pub async fn send(&self, method: &str, path: &str, media_type: Option<&str>, body: &[u8]) -> Answer {
        let bearer = self.token.as_ref().map(|token| format!("Bearer {token}"));
        let own = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let headers: Vec<_> = own
            .chain(bearer.as_deref().map(|bearer| ("authorization", bearer)))
            .chain(media_type.map(|media_type| ("content-type", media_type)))
            .collect();
        let sent = http::send(self.address, method, path, &headers, body).await;
        let (status, headers, body) = sent.unwrap_or_else(|error| panic!("{method} {path}: {error}"));
        Answer { status, headers, text: String::from_utf8_lossy(&body).into_owned() }
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, None, b"").await
    }

    /// DELETE.
    pub async fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, None, b"").await
    }

    /// POST with a JSON body.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, Some("application/json"), body.to_string().as_bytes()).await
    }

    /// POST without a body.
    pub async fn act(&self, path: &str) -> Answer {
        self.send("POST", path, None, b"").await
    }

    /// PUT with a JSON body.
    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        self.send("PUT", path, Some("application/json"), body.to_string().as_bytes()).await
    }

    /// PATCH with a JSON merge patch.
    pub async fn patch(&self, path: &str, body: &Value) -> Answer {
        self.send("PATCH", path, Some("application/merge-patch+json"), body.to_string().as_bytes()).await
    }

    /// Makes a webhook with these rules, and answers it with its secret.
    pub async fn add(&self, url: &str, rules: Value) -> Value {
        self.post("/v1/webhooks", &json!({ "url": url, "rules": rules })).await.expect(201)
    }

    /// All rows of a list, page by page.
    pub async fn all(&self, path: &str) -> Vec<Value> {
        let (mut rows, mut cursor) = (Vec::new(), String::new());
        loop {
            let joint = if path.contains('?') { '&' } else { '?' };
            let asked =
                if cursor.is_empty() { path.to_owned() } else { format!("{path}{joint}cursor={cursor}") };
            let page = self.get(&asked).await.expect(200);
            rows.extend(page["data"].as_array().expect("a page has data").iter().cloned());
            match page["next_cursor"].as_str() {
                Some(next) => cursor = next.to_owned(),
                None => return rows,
            }
        }
    }

    /// Waits until the answer to a GET has this value at this place.
    pub async fn shows(&self, path: &str, pointer: &str, value: Value) -> Value {
        eventually(&format!("{path} has {value} at {pointer}"), async || {
            let answer = self.get(path).await;
            let json = if answer.status == 200 { answer.json() } else { Value::Null };
            (json.pointer(pointer) == Some(&value)).then_some(json)
        })
        .await
    }
}

impl Answer {
    /// Expects this status, and returns the body.
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        if self.text.is_empty() { Value::Null } else { self.json() }
    }

    /// Expects a problem of this status and kind, and returns its body.
    pub fn problem(&self, status: u16, kind: &str) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{}", self.text);
        let problem = self.json();
        let named = problem["type"].as_str().and_then(|name| name.rsplit('#').next());
        assert_eq!(named, Some(kind), "{}", self.text);
        assert_eq!(problem["status"], status, "{}", self.text);
        assert!(problem["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{}", self.text);
        problem
    }

    /// Expects a problem at these places of the body or query, each with its code.
    pub fn wrong(&self, status: u16, kind: &str, places: &[(&str, &str)]) {
        let problem = self.problem(status, kind);
        let of = |wrong: &Value| {
            let place = wrong["pointer"].as_str().or(wrong["parameter"].as_str()).unwrap_or_default();
            (place.to_owned(), wrong["code"].as_str().unwrap_or_default().to_owned())
        };
        let mut found: Vec<_> = problem["errors"].as_array().into_iter().flatten().map(of).collect();
        let mut expected: Vec<_> =
            places.iter().map(|(place, code)| ((*place).to_owned(), (*code).to_owned())).collect();
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{}", self.text);
    }

    /// The body.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error} in: {}", self.text))
    }

    /// A header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }
}
