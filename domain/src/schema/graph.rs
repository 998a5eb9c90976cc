//! A JSON Schema as a graph: which subschema asks which others, of the same value or of one inside it.

use std::collections::{BTreeMap, HashMap};

use posthorn_matching::problem::{Problem, Problems, below};
use serde_json::{Map, Value};

use super::references::References;

/// So many values of an `enum` weigh as much as a subschema.
const VALUES_OF_A_VISIT: usize = 8;
/// Asked of the same value: lists of subschemas, single ones, and objects of them.
const LISTS: [&str; 3] = ["allOf", "anyOf", "oneOf"];
const SINGLE: [&str; 4] = ["not", "if", "then", "else"];
const BY_NAME: [&str; 2] = ["dependentSchemas", "dependencies"];
/// References whose target depends on the way that led to them.
const DYNAMIC: [&str; 2] = ["$dynamicRef", "$recursiveRef"];

/// All subschemas that checking can reach; the first is the whole.
#[derive(Debug)]
pub(super) struct Graph {
    pub(super) nodes: Vec<Node>,
}

/// A subschema. Numbers are places in [`Graph::nodes`].
#[derive(Debug, Default)]
pub(super) struct Node {
    pub(super) pointer: String,
    /// The cost of applying it, without the subschemas that it applies.
    pub(super) weight: u64,
    /// Asked of the same value.
    pub(super) here: Vec<usize>,
    /// Whether these are asked twice, to learn what they leave unevaluated.
    pub(super) asks_twice: bool,
    /// Asked of the field of this name.
    pub(super) fields: BTreeMap<String, usize>,
    /// Asked of fields with none of these names.
    pub(super) other_fields: Option<usize>,
    /// Asked of every field.
    pub(super) all_fields: Vec<usize>,
    /// Asked of the item at this place.
    pub(super) items: Vec<usize>,
    /// Asked of the items behind these.
    pub(super) other_items: Option<usize>,
    /// Asked of every item.
    pub(super) all_items: Vec<usize>,
    /// Its regular expressions.
    pub(super) patterns: usize,
}

impl Graph {
    /// Follows all references within the schema.
    ///
    /// # Errors
    /// If one leads out of it, or depends on the way that led to it.
    pub(super) fn of(schema: &Value) -> Result<Self, Vec<Problem>> {
        let mut reader = Reader {
            schema,
            references: References::of(schema),
            numbers: HashMap::new(),
            found: Vec::new(),
            problems: Problems::default(),
        };
        reader.number(String::new());
        let mut nodes = Vec::new();
        while let Some(pointer) = reader.found.get(nodes.len()).cloned() {
            nodes.push(reader.node(pointer));
        }
        reader.problems.or(Self { nodes })
    }
}

struct Reader<'s> {
    schema: &'s Value,
    references: References,
    numbers: HashMap<String, usize>,
    /// The pointers of all that was found, by number.
    found: Vec<String>,
    problems: Problems,
}

impl Reader<'_> {
    fn number(&mut self, pointer: String) -> usize {
        let next = self.found.len();
        *self.numbers.entry(pointer).or_insert_with_key(|pointer| {
            self.found.push(pointer.clone());
            next
        })
    }

    fn node(&mut self, pointer: String) -> Node {
        let mut node = Node { weight: 1, pointer, ..Node::default() };
        let schema = self.schema;
        if let Some(Value::Object(fields)) = schema.pointer(&node.pointer) {
            self.asked_of_the_same(&mut node, fields);
            self.asked_of_fields(&mut node, fields);
            self.asked_of_items(&mut node, fields);
            let values = fields.get("enum").and_then(Value::as_array).map_or(0, Vec::len);
            node.weight += (values / VALUES_OF_A_VISIT) as u64;
            node.patterns += usize::from(fields.contains_key("pattern"));
        }
        node
    }

    fn asked_of_the_same(&mut self, node: &mut Node, fields: &Map<String, Value>) {
        for name in LISTS {
            node.here.extend(self.all_in(&node.pointer, name, fields));
        }
        for name in BY_NAME {
            node.here.extend(self.by_name(&node.pointer, name, fields).into_iter().map(|(_, number)| number));
        }
        for name in SINGLE {
            node.here.extend(self.one(&node.pointer, name, fields));
        }
        node.here.extend(self.target(&node.pointer, fields));
        for name in DYNAMIC.into_iter().filter(|name| fields.contains_key(*name)) {
            let pointer = below(&node.pointer, name);
            let message = "references that depend on the way to them are not supported: write `$ref`";
            self.problems.add(&pointer, "bad_schema", &fields[name].to_string(), message);
        }
    }

    fn asked_of_fields(&mut self, node: &mut Node, fields: &Map<String, Value>) {
        node.fields = self.by_name(&node.pointer, "properties", fields).into_iter().collect();
        node.other_fields = self.one(&node.pointer, "additionalProperties", fields);
        let by_pattern = self.by_name(&node.pointer, "patternProperties", fields);
        node.patterns += by_pattern.len();
        node.all_fields.extend(by_pattern.into_iter().map(|(_, number)| number));
        node.all_fields.extend(self.one(&node.pointer, "propertyNames", fields));
        let unevaluated = self.one(&node.pointer, "unevaluatedProperties", fields);
        node.asks_twice |= unevaluated.is_some();
        node.all_fields.extend(unevaluated);
    }

    fn asked_of_items(&mut self, node: &mut Node, fields: &Map<String, Value>) {
        node.items = self.all_in(&node.pointer, "prefixItems", fields);
        node.items.extend(self.all_in(&node.pointer, "items", fields));
        // Of one form for all items before 2020-12, and of all items behind `prefixItems` since then.
        node.other_items = self
            .one(&node.pointer, "items", fields)
            .or_else(|| self.one(&node.pointer, "additionalItems", fields));
        node.all_items.extend(self.one(&node.pointer, "contains", fields));
        let unevaluated = self.one(&node.pointer, "unevaluatedItems", fields);
        node.asks_twice |= unevaluated.is_some();
        node.all_items.extend(unevaluated);
    }

    /// The schema that the field holds.
    fn one(&mut self, pointer: &str, name: &str, fields: &Map<String, Value>) -> Option<usize> {
        let is_schema = fields.get(name).is_some_and(|value| value.is_object() || value.is_boolean());
        is_schema.then(|| self.number(below(pointer, name)))
    }

    /// Those in the list that the field holds.
    fn all_in(&mut self, pointer: &str, name: &str, fields: &Map<String, Value>) -> Vec<usize> {
        let count = fields.get(name).and_then(Value::as_array).map_or(0, Vec::len);
        let list = below(pointer, name);
        (0..count).map(|place| self.number(below(&list, &place.to_string()))).collect()
    }

    /// Those in the object that the field holds.
    fn by_name(&mut self, pointer: &str, name: &str, fields: &Map<String, Value>) -> Vec<(String, usize)> {
        let object = fields.get(name).and_then(Value::as_object);
        let schemas =
            object.into_iter().flatten().filter(|(_, value)| value.is_object() || value.is_boolean());
        let inside = below(pointer, name);
        schemas.map(|(name, _)| (name.clone(), self.number(below(&inside, name)))).collect()
    }

    fn target(&mut self, pointer: &str, fields: &Map<String, Value>) -> Option<usize> {
        let reference = fields.get("$ref")?.as_str()?;
        let target = self.references.target(pointer, reference);
        match target.filter(|target| self.schema.pointer(target).is_some()) {
            Some(target) => Some(self.number(target)),
            None => {
                let message = "it refers to nothing in this schema: what stands elsewhere is not fetched";
                let quoted = fields["$ref"].to_string();
                self.problems.add(&below(pointer, "$ref"), "bad_schema", &quoted, message);
                None
            }
        }
    }
}
