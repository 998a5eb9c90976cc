//! The OpenAPI document: what the handlers say of themselves, and what holds for all of them.

use posthorn_manage::Wrong;
use serde_json::{Map, Value, json};
use utoipa::{
    Modify, OpenApi,
    openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
};

use crate::problem::Problem;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Posthorn",
        description = "Webhooks, events and deliveries of a Posthorn installation.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    components(schemas(Problem, Wrong)),
    modifiers(&Bearer)
)]
pub(crate) struct Document;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("A token `pht_…`; the scopes are those that it needs."));
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("token", SecurityScheme::Http(scheme.build()));
    }
}

/// Adds to every operation what holds for all of its kind: the refusals that any request can meet, and
/// the header `Idempotency-Key`.
pub(crate) fn complete(document: utoipa::openapi::OpenApi) -> Value {
    let mut document = serde_json::to_value(document).expect("the document can be written");
    let paths = document["paths"].as_object_mut().into_iter().flatten();
    for (path, operations) in paths {
        for (method, operation) in operations.as_object_mut().into_iter().flatten() {
            if let Some(operation) = operation.as_object_mut() {
                operation.insert("operationId".to_owned(), name(method, path).into());
                complete_operation(path, operation);
            }
        }
    }
    let schemas = document["components"]["schemas"].as_object_mut().into_iter().flatten();
    for (_, schema) in schemas {
        let properties = schema.get_mut("properties").and_then(Value::as_object_mut);
        for (_, property) in properties.into_iter().flatten() {
            // What can be left out is null in Rust, but not everywhere in JSON.
            let property = property.as_object_mut();
            if let Some(property) = property.filter(|it| it.get("default") == Some(&Value::Null)) {
                property.remove("default");
            }
        }
    }
    document
}

/// Such as `post_webhooks_id_pause`.
fn name(method: &str, path: &str) -> String {
    let words = path.trim_start_matches("/v1/").split(|c: char| !c.is_ascii_alphanumeric());
    let words: Vec<_> = std::iter::once(method).chain(words.filter(|word| !word.is_empty())).collect();
    words.join("_")
}

fn complete_operation(path: &str, operation: &mut Map<String, Value>) {
    let has_body = operation.contains_key("requestBody");
    let is_idempotent = operation.remove("x-idempotent").is_some();
    let mut statuses = vec![
        (400, "The request cannot be read"),
        (401, "A valid token is missing"),
        (403, "The token does not allow this"),
        (429, "Too many requests"),
        (500, "Something went wrong here"),
        (503, "RabbitMQ or PostgreSQL is away"),
    ];
    if path.contains('{') {
        statuses.push((404, "There is no such thing, or none that the token may see"));
    }
    if has_body {
        statuses.push((408, "The body came too slowly"));
        statuses.push((413, "The body is too large"));
        statuses.push((415, "The body is not JSON"));
        statuses.push((422, "The body is wrong"));
    }
    if is_idempotent {
        statuses.push((409, "The state forbids it, or the same request was begun"));
        let parameters = operation.entry("parameters").or_insert_with(|| json!([]));
        if let Some(parameters) = parameters.as_array_mut() {
            parameters.push(json!({
                "name": "idempotency-key", "in": "header", "required": false,
                "description": "Any text of your own: the same request with the same key is done once, and \
                                answered the same for 24 hours.",
                "schema": { "type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$" }
            }));
        }
    }
    let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) else { return };
    for (status, description) in statuses {
        responses.entry(status.to_string()).or_insert_with(|| json!({ "description": description }));
    }
    for (status, response) in responses.iter_mut() {
        if response["description"].as_str().unwrap_or_default().is_empty() {
            response["description"] = "It is done".into();
        }
        if status.starts_with(['4', '5']) {
            let schema = json!({ "schema": { "$ref": "#/components/schemas/Problem" } });
            response["content"] = json!({ "application/problem+json": schema });
        }
    }
    responses.sort_keys();
}
