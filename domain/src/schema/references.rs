//! References inside a JSON Schema: `#/$defs/id`, `#anchor`, and the URIs that `$id` gives to its parts.

use std::collections::HashMap;

use percent_encoding::percent_decode_str;
use posthorn_matching::problem::below;
use serde_json::Value;
use url::Url;

/// What a schema without an `$id` is called.
const NAMELESS: &str = "json-schema:///";

/// Where the parts of a schema are that can be referred to.
#[derive(Debug)]
pub(super) struct References {
    /// Parts with a URI of their own, by pointer.
    parts: Vec<(String, Url)>,
    /// Pointers of anchors, by URI and name.
    anchors: HashMap<(Url, String), String>,
}

impl References {
    pub(super) fn of(schema: &Value) -> Self {
        let nameless = Url::parse(NAMELESS).expect("it is a URL");
        let mut found = Self { parts: vec![(String::new(), nameless.clone())], anchors: HashMap::new() };
        found.look(schema, String::new(), &nameless);
        found
    }

    /// The pointer that a reference at `pointer` leads to, whether something is there or not.
    pub(super) fn target(&self, pointer: &str, reference: &str) -> Option<String> {
        let around = self.parts.iter().filter(|(part, _)| is_within(pointer, part));
        let (_, base) = around.max_by_key(|(part, _)| part.len())?;
        let mut target = base.join(reference).ok()?;
        let fragment =
            percent_decode_str(target.fragment().unwrap_or_default()).decode_utf8_lossy().into_owned();
        target.set_fragment(None);
        match fragment.as_str() {
            name if !name.is_empty() && !name.starts_with('/') => {
                self.anchors.get(&(target, name.to_owned())).cloned()
            }
            inside => {
                let (part, _) = self.parts.iter().rev().find(|(_, uri)| *uri == target)?;
                Some(format!("{part}{inside}"))
            }
        }
    }

    fn look(&mut self, value: &Value, pointer: String, base: &Url) {
        match value {
            Value::Object(fields) => {
                let id = ["$id", "id"].iter().find_map(|name| fields.get(*name)?.as_str());
                let own = id.filter(|id| !id.starts_with('#')).and_then(|id| base.join(id).ok());
                let base = own.as_ref().map_or_else(|| base.clone(), |own| without_fragment(own.clone()));
                if own.is_some() {
                    self.parts.push((pointer.clone(), base.clone()));
                }
                let anchor = fields.get("$anchor").and_then(Value::as_str);
                let anchor = anchor.or(id.and_then(|id| id.strip_prefix('#')));
                if let Some(anchor) = anchor {
                    self.anchors.insert((base.clone(), anchor.to_owned()), pointer.clone());
                }
                for (name, value) in fields {
                    self.look(value, below(&pointer, name), &base);
                }
            }
            Value::Array(items) => {
                for (place, item) in items.iter().enumerate() {
                    self.look(item, below(&pointer, &place.to_string()), base);
                }
            }
            _ => {}
        }
    }
}

fn is_within(pointer: &str, part: &str) -> bool {
    pointer.strip_prefix(part).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn without_fragment(mut url: Url) -> Url {
    url.set_fragment(None);
    url
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn references_are_followed_as_the_specification_has_them() {
        let schema = json!({
            "$id": "https://example.com/root.json",
            "$defs": {
                "a b": {"$anchor": "here"},
                "own": {"$id": "own.json", "$defs": {"x": {"$anchor": "here"}}},
                "old": {"$id": "#old"}
            }
        });
        let references = References::of(&schema);
        let target = |pointer: &str, reference: &str| references.target(pointer, reference);
        for (reference, expected) in [
            ("#", ""),
            ("#/$defs/a%20b", "/$defs/a b"),
            ("#here", "/$defs/a b"),
            ("#old", "/$defs/old"),
            ("own.json", "/$defs/own"),
            ("own.json#here", "/$defs/own/$defs/x"),
            ("https://example.com/own.json#/$defs/x", "/$defs/own/$defs/x"),
            ("https://example.com/root.json#/$defs/old", "/$defs/old"),
        ] {
            assert_eq!(target("/properties/a", reference).as_deref(), Some(expected), "{reference}");
        }
        assert_eq!(target("/$defs/own/$defs/x", "#").as_deref(), Some("/$defs/own"));
        assert_eq!(target("", "https://example.com/other.json"), None);
        assert_eq!(target("", "#nowhere"), None);
        assert_eq!(References::of(&json!({})).target("", "#/$defs/a").as_deref(), Some("/$defs/a"));
    }
}
