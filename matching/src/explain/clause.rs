//! A clause: one requirement of a rule, compared with an event.

use serde::{Deserialize, Serialize};

/// One requirement of a rule, and what the event has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clause {
    /// The list of the rule, or the path of a field in the body.
    pub of: String,
    /// What the rule requires, in words.
    pub wanted: String,
    /// What the event has, in words.
    pub seen: String,
    /// Whether the event meets the requirement.
    pub matched: bool,
}
