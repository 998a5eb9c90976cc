//! What checking data against a schema costs, before anything is checked.
//!
//! References make a short text ask one value the same thing a million times: twenty definitions, each
//! `allOf` of the next one twice. [`visits`] follows all that can be asked of one value, and of the values
//! inside it, as deep as data can be, and counts; it keeps what it has counted, so that counting itself is
//! bounded. What would ask too often is refused when the schema is saved.

use posthorn_matching::problem::Problem;
use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::graph::{Graph, Node};

/// The most subschemas, by weight, that one value is asked.
const MOST_VISITS: u64 = 2000;
/// How deep data can be: serde_json reads no deeper.
const DEEPEST: usize = 128;
/// How many different sets of subschemas are looked at, and steps made.
const MOST_SETS: usize = 20_000;
const MOST_STEPS: usize = 2_000_000;

/// Subschemas asked of one value, each how often, in order.
type Asked = Vec<(usize, u64)>;

/// How many subschemas, by weight, one value is asked at most.
///
/// # Errors
/// If that has no bound that could be afforded.
pub(super) fn visits(graph: &Graph) -> Result<u64, Problem> {
    let order = Order::of(graph)?;
    let mut counting = Counting { graph, order, most: 0, steps: 0, seen: HashSet::new(), next: Vec::new() };
    counting.note(Asked::from([(0, 1)]));
    for _ in 0..DEEPEST {
        for asked in std::mem::take(&mut counting.next) {
            let asked = counting.of_the_same(asked)?;
            counting.of_fields(&asked)?;
            counting.of_items(&asked)?;
        }
    }
    Ok(counting.most)
}

struct Counting<'g> {
    graph: &'g Graph,
    order: Order,
    most: u64,
    steps: usize,
    seen: HashSet<Asked>,
    next: Vec<Asked>,
}

impl Counting<'_> {
    /// Remembers to go on with these, once.
    fn note(&mut self, asked: Asked) {
        if !asked.is_empty() && self.seen.insert(asked.clone()) {
            self.next.push(asked);
        }
    }

    /// Those, and all that they ask of the same value.
    fn of_the_same(&mut self, asked: Asked) -> Result<Asked, Problem> {
        let mut waiting: BTreeMap<usize, u64> = BTreeMap::new();
        for (number, times) in asked {
            *waiting.entry(self.order.rank[number]).or_default() += times;
        }
        let (mut all, mut total) = (Asked::new(), 0_u64);
        while let Some((rank, times)) = waiting.pop_first() {
            let number = self.order.numbers[rank];
            let node = &self.graph.nodes[number];
            total += times * node.weight;
            self.step(node)?;
            if total > MOST_VISITS {
                return Err(too_costly(node));
            }
            let times_each = if node.asks_twice { 2 * times } else { times };
            for next in &node.here {
                *waiting.entry(self.order.rank[*next]).or_default() += times_each;
            }
            all.push((number, times));
        }
        self.most = self.most.max(total);
        Ok(all)
    }

    /// What they ask of each field, by its name, and of one with another name.
    fn of_fields(&mut self, asked: &Asked) -> Result<(), Problem> {
        let nodes: Vec<(&Node, u64)> =
            asked.iter().map(|(at, times)| (&self.graph.nodes[*at], *times)).collect();
        let names: BTreeSet<_> = nodes.iter().flat_map(|(node, _)| node.fields.keys()).collect();
        for name in names.into_iter().map(Some).chain([None]) {
            let mut next = BTreeMap::new();
            for (node, times) in &nodes {
                self.step(node)?;
                let own = name.and_then(|name| node.fields.get(name)).or(node.other_fields.as_ref());
                for number in own.into_iter().chain(&node.all_fields) {
                    *next.entry(*number).or_default() += times;
                }
            }
            self.note(next.into_iter().collect());
        }
        Ok(())
    }

    /// What they ask of each item, by its place, and of one behind all of these.
    fn of_items(&mut self, asked: &Asked) -> Result<(), Problem> {
        let nodes: Vec<(&Node, u64)> =
            asked.iter().map(|(at, times)| (&self.graph.nodes[*at], *times)).collect();
        let places = nodes.iter().map(|(node, _)| node.items.len()).max().unwrap_or_default();
        for place in 0..=places {
            let mut next = BTreeMap::new();
            for (node, times) in &nodes {
                self.step(node)?;
                let own = node.items.get(place).or(node.other_items.as_ref());
                for number in own.into_iter().chain(&node.all_items) {
                    *next.entry(*number).or_default() += times;
                }
            }
            self.note(next.into_iter().collect());
        }
        Ok(())
    }

    fn step(&mut self, node: &Node) -> Result<(), Problem> {
        self.steps += 1;
        match self.steps > MOST_STEPS || self.seen.len() > MOST_SETS {
            true => Err(too_costly(node)),
            false => Ok(()),
        }
    }
}

fn too_costly(node: &Node) -> Problem {
    let message = format!(
        "this is asked too often: with all references followed, more than {MOST_VISITS} subschemas would be \
         asked of one value; refer to it less often"
    );
    Problem { pointer: node.pointer.clone(), code: "too_costly", value: "…".to_owned(), message }
}

/// An order in which each subschema comes before those that it applies to the same value.
struct Order {
    numbers: Vec<usize>,
    rank: Vec<usize>,
}

impl Order {
    fn of(graph: &Graph) -> Result<Self, Problem> {
        let count = graph.nodes.len();
        let mut asked_by = vec![0_usize; count];
        graph.nodes.iter().flat_map(|node| &node.here).for_each(|number| asked_by[*number] += 1);
        let mut free: Vec<_> = (0..count).filter(|number| asked_by[*number] == 0).collect();
        let (mut numbers, mut rank) = (Vec::with_capacity(count), vec![0; count]);
        while let Some(number) = free.pop() {
            rank[number] = numbers.len();
            numbers.push(number);
            for next in &graph.nodes[number].here {
                asked_by[*next] -= 1;
                if asked_by[*next] == 0 {
                    free.push(*next);
                }
            }
        }
        match asked_by.iter().position(|waits| *waits > 0) {
            None => Ok(Self { numbers, rank }),
            Some(number) => Err(endless(&graph.nodes[number])),
        }
    }
}

fn endless(node: &Node) -> Problem {
    let message = "it leads back to itself without going into the data: checking would never end";
    let (pointer, value) = (node.pointer.clone(), "…".to_owned());
    Problem { pointer, code: "endless", value, message: message.to_owned() }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn cost(schema: Value) -> Result<u64, String> {
        let graph = Graph::of(&schema).map_err(|problems| problems[0].pointer.clone())?;
        visits(&graph).map_err(|problem| format!("{} {}", problem.code, problem.pointer))
    }

    /// Definitions that each say something of the next one twice.
    fn doubling(levels: usize, twice: impl Fn(Value) -> Value) -> Value {
        let definition = |level: usize| {
            let next = json!({"$ref": format!("#/$defs/d{}", level + 1)});
            (format!("d{level}"), if level == levels { json!({"type": "object"}) } else { twice(next) })
        };
        let all: serde_json::Map<_, _> = (0..=levels).map(definition).collect();
        json!({"$defs": all, "$ref": "#/$defs/d0"})
    }

    #[test]
    fn what_asks_a_value_too_often_is_refused() {
        let all_of = |next: Value| json!({"allOf": [next, next]});
        assert!(cost(doubling(5, all_of)).is_ok_and(|visits| visits > 64));
        for levels in [17, 24, 500] {
            assert!(
                cost(doubling(levels, all_of)).unwrap_err().starts_with("too_costly /$defs/d"),
                "{levels}"
            );
        }
        let mixed = |next: Value| json!({"anyOf": [next], "if": next});
        assert!(cost(doubling(24, mixed)).is_err());
        let same_field = |next: Value| json!({"properties": {"a": next}, "patternProperties": {"": next}});
        assert!(cost(doubling(24, same_field)).is_err());
        let nested =
            (0..24).fold(json!({}), |inner, _| json!({"allOf": [inner], "unevaluatedProperties": false}));
        assert!(cost(nested).is_err());
    }

    #[test]
    fn what_grows_with_the_depth_of_the_data_is_refused() {
        let twice = json!({"allOf": [{"$ref": "#"}, {"$ref": "#"}]});
        assert!(cost(json!({"properties": {"a": twice}})).is_err());
        assert!(cost(json!({"items": twice})).is_err());
        assert!(cost(json!({"items": {"$ref": "#"}, "contains": {"$ref": "#"}})).is_err());
    }

    #[test]
    fn what_never_goes_into_the_data_is_refused() {
        assert_eq!(cost(json!({"allOf": [{"$ref": "#"}]})), Err("endless ".to_owned()));
        let round = json!({"$defs": {"a": {"not": {"$ref": "#/$defs/b"}}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"});
        assert!(cost(round).unwrap_err().starts_with("endless"));
    }

    #[test]
    fn schemas_as_people_write_them_cost_little() {
        let tree = json!({"properties": {"left": {"$ref": "#"}, "right": {"$ref": "#"}, "all": {"items": {"$ref": "#"}}}});
        assert!(cost(tree).is_ok_and(|visits| visits <= 3));
        let condition = json!({"oneOf": [
            {"properties": {"and": {"items": {"$ref": "#"}}}},
            {"properties": {"or": {"items": {"$ref": "#"}}}},
            {"properties": {"not": {"$ref": "#"}}},
            {"properties": {"value": {"enum": ["a", "b"]}}}
        ]});
        assert!(cost(condition).is_ok_and(|visits| visits <= 10));
        let separate = |next: Value| json!({"properties": {"a": next, "b": next}});
        assert!(cost(doubling(24, separate)).is_ok_and(|visits| visits <= 3));
        let variants: Vec<_> =
            (0..200).map(|kind| json!({"properties": {"kind": {"const": kind}}})).collect();
        assert!(cost(json!({"oneOf": variants})).is_ok_and(|visits| visits <= 201));
        let wide: serde_json::Map<_, _> =
            (0..2000).map(|at| (format!("f{at}"), json!({"type": "string"}))).collect();
        assert_eq!(cost(json!({"properties": wide})), Ok(1));
    }

    #[test]
    fn references_that_lead_out_or_wander_are_refused() {
        for name in ["$ref", "$dynamicRef"] {
            let schema = json!({"properties": {"a": {name: "https://example.com/other.json"}}});
            assert_eq!(cost(schema), Err(format!("/properties/a/{name}")));
        }
    }
}
