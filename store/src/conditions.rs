//! Conditions of a query that depend on what is asked, with their values.

use tokio_postgres::types::ToSql;

/// What stands behind WHERE.
#[derive(Default)]
pub(crate) struct Conditions {
    sql: Vec<String>,
    values: Vec<Box<dyn ToSql + Sync + Send>>,
}

impl Conditions {
    /// Notes a value and answers how the query names it.
    pub(crate) fn value(&mut self, value: impl ToSql + Sync + Send + 'static) -> String {
        self.values.push(Box::new(value));
        format!("${}", self.values.len())
    }

    /// Adds a condition.
    pub(crate) fn add(&mut self, condition: String) {
        self.sql.push(condition);
    }

    /// Adds a condition on a value, if there is one; `{}` stands for it.
    pub(crate) fn add_if(&mut self, condition: &str, value: Option<impl ToSql + Sync + Send + 'static>) {
        if let Some(value) = value {
            let name = self.value(value);
            self.add(condition.replace("{}", &name));
        }
    }

    /// All of them.
    pub(crate) fn all(&self) -> String {
        if self.sql.is_empty() { "true".to_owned() } else { self.sql.join(" AND ") }
    }

    /// The values, in order.
    pub(crate) fn values(&self) -> Vec<&(dyn ToSql + Sync)> {
        self.values.iter().map(|value| &**value as &(dyn ToSql + Sync)).collect()
    }
}

/// An event type with `*` as a LIKE pattern.
pub(crate) fn like(pattern: &str) -> String {
    pattern.replace('_', r"\_").replace('*', "%")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_any_run_and_an_underscore_is_itself() {
        assert_eq!(like("todo_item.*"), r"todo\_item.%");
    }
}
