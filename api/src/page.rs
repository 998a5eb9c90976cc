//! The OpenAPI document as a page for people, without a script and without anything from elsewhere.

use std::fmt::Write;

use serde_json::Value;

use crate::problem::Kind;

const HEAD: &str = include_str!("page.html");
const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// Writes the page.
pub(crate) fn write(document: &Value) -> String {
    let mut page = HEAD.to_owned();
    let version = escape(&document["info"]["version"]);
    let _ = write!(
        page,
        "<h1>Posthorn API {version}</h1><p>{} The same for machines: \
         <a href=\"openapi.json\">openapi.json</a>.</p>",
        escape(&document["info"]["description"])
    );
    let operations = operations(document);
    let mut tags: Vec<_> = operations.iter().map(|(_, _, operation)| &operation["tags"][0]).collect();
    tags.dedup();
    for tag in tags {
        let _ = write!(page, "<h2>{}</h2>", escape(tag));
        for (path, method, operation) in &operations {
            if operation["tags"][0] == *tag {
                write_operation(&mut page, document, path, method, operation);
            }
        }
    }
    write_problems(&mut page);
    page
}

/// The kinds of problems, each where the `type` of its problems refers to.
fn write_problems(page: &mut String) {
    page.push_str("<h2>Problems</h2><table><tr><th>Kind</th><th>Status</th><th>Meaning</th></tr>");
    for (status, name, title) in Kind::ALL.map(Kind::describe) {
        let code = status.as_u16();
        let _ = write!(
            page,
            "<tr id=\"{name}\"><td><code>{name}</code></td><td><code>{code}</code></td><td>{title}</td></tr>"
        );
    }
    page.push_str("</table>");
}

/// All operations, those of a tag together, in the order of the tags' first ones.
fn operations(document: &Value) -> Vec<(&str, &str, &Value)> {
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        let methods = METHODS.iter().filter_map(|method| Some((*method, item.get(*method)?)));
        found.extend(methods.map(|(method, operation)| (path.as_str(), method, operation)));
    }
    let tags: Vec<_> = found.iter().map(|(_, _, operation)| operation["tags"][0].clone()).collect();
    let place = |operation: &Value| tags.iter().position(|tag| *tag == operation["tags"][0]);
    found.sort_by_key(|(_, _, operation)| place(operation));
    found
}

fn write_operation(page: &mut String, document: &Value, path: &str, method: &str, operation: &Value) {
    let scopes: Vec<_> = operation["security"][0]["token"].as_array().into_iter().flatten().collect();
    let scopes: Vec<_> = scopes.iter().map(|scope| escape(scope)).collect();
    let _ = write!(
        page,
        "<details><summary><b>{}</b> <code>{}</code> {}</summary><p>{}</p><p>Scope: <code>{}</code></p>",
        method.to_uppercase(),
        escape_text(path),
        escape(&operation["summary"]),
        escape(&operation["description"]),
        scopes.join(", ")
    );
    let parameters: Vec<_> = operation["parameters"].as_array().into_iter().flatten().collect();
    if !parameters.is_empty() {
        page.push_str("<table><tr><th>Parameter</th><th>In</th><th>What it is</th></tr>");
        for parameter in parameters {
            let _ = write!(
                page,
                "<tr><td><code>{}</code></td><td>{}</td><td>{}</td></tr>",
                escape(&parameter["name"]),
                escape(&parameter["in"]),
                escape(&parameter["description"])
            );
        }
        page.push_str("</table>");
    }
    for (media_type, content) in operation["requestBody"]["content"].as_object().into_iter().flatten() {
        let _ = write!(page, "<p>Body, <code>{}</code>:</p>", escape_text(media_type));
        write_schema(page, document, &content["schema"]);
    }
    page.push_str("<table><tr><th>Status</th><th>Meaning</th></tr>");
    for (status, response) in operation["responses"].as_object().into_iter().flatten() {
        let content = response["content"].as_object().into_iter().flatten().next();
        let schema = content.map(|(_, content)| &content["schema"]).unwrap_or(&Value::Null);
        let _ = write!(
            page,
            "<tr><td><code>{}</code></td><td>{} <code>{}</code></td></tr>",
            escape_text(status),
            escape(&response["description"]),
            escape_text(&kind(schema))
        );
    }
    page.push_str("</table>");
    for (status, response) in operation["responses"].as_object().into_iter().flatten() {
        if let Some(schema) = response["content"].get("application/json").map(|content| &content["schema"]) {
            let _ = write!(page, "<p>Answer {}:</p>", escape_text(status));
            write_schema(page, document, schema);
        }
    }
    page.push_str("</details>");
}

/// A table of an object's fields; the objects in it are named.
fn write_schema(page: &mut String, document: &Value, schema: &Value) {
    let resolved = resolve(document, schema);
    let Some(fields) = resolved["properties"].as_object() else {
        for part in ["oneOf", "allOf"] {
            for part in resolved[part].as_array().into_iter().flatten() {
                write_schema(page, document, part);
            }
        }
        return;
    };
    page.push_str("<table><tr><th>Field</th><th>Type</th><th>What it is</th></tr>");
    for (name, field) in fields {
        let required = resolved["required"].as_array().is_some_and(|names| names.iter().any(|it| it == name));
        let _ = write!(
            page,
            "<tr><td><code>{}</code>{}</td><td><code>{}</code></td><td>{}</td></tr>",
            escape_text(name),
            if required { "" } else { " (optional)" },
            escape_text(&kind(field)),
            escape(&field["description"])
        );
    }
    page.push_str("</table>");
    if let Some(items) = fields.get("data").and_then(|data| data.get("items")) {
        write_schema(page, document, items);
    }
}

fn resolve<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    let name = schema["$ref"].as_str().and_then(|name| name.rsplit('/').next());
    name.map_or(schema, |name| &document["components"]["schemas"][name])
}

/// The type of a value in a few characters.
fn kind(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str() {
        return name.rsplit('/').next().unwrap_or_default().to_owned();
    }
    if let Some(parts) = schema["oneOf"].as_array() {
        return parts.iter().map(kind).collect::<Vec<_>>().join(" or ");
    }
    match &schema["type"] {
        Value::String(name) if name == "array" => format!("list of {}", kind(&schema["items"])),
        Value::String(name) => name.clone(),
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or "),
        _ => String::new(),
    }
}

fn escape(value: &Value) -> String {
    escape_text(value.as_str().unwrap_or_default())
}

fn escape_text(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
