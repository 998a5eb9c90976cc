//! Conditions of a query that depend on what is asked, with their values.

use tokio_postgres::types::ToSql;

/// What stands behind WHERE, in two parts: what an index bears, and what is looked at row by row.
#[derive(Default)]
pub(crate) struct Conditions {
    scan: Vec<String>,
    filters: Vec<String>,
    values: Vec<Box<dyn ToSql + Sync + Send>>,
    scan_values: usize,
}

impl Conditions {
    /// Notes a value of the scan and answers how the query names it.
    pub(crate) fn value(&mut self, value: impl ToSql + Sync + Send + 'static) -> String {
        debug_assert!(self.filters.is_empty(), "the values of the scan come first");
        self.values.push(Box::new(value));
        self.scan_values = self.values.len();
        format!("${}", self.values.len())
    }

    /// Adds a condition to the scan.
    pub(crate) fn scan(&mut self, condition: String) {
        self.scan.push(condition);
    }

    /// Adds a condition on a value to the scan, if there is one; `{}` stands for it.
    pub(crate) fn scan_if(&mut self, condition: &str, value: Option<impl ToSql + Sync + Send + 'static>) {
        if let Some(value) = value {
            let name = self.value(value);
            self.scan(condition.replace("{}", &name));
        }
    }

    /// Adds a condition on a value to the filters, if there is one; `{}` stands for it.
    pub(crate) fn filter_if(&mut self, condition: &str, value: Option<impl ToSql + Sync + Send + 'static>) {
        if let Some(value) = value {
            self.values.push(Box::new(value));
            self.filters.push(condition.replace("{}", &format!("${}", self.values.len())));
        }
    }

    /// Adds a condition without a value to the filters.
    pub(crate) fn filter(&mut self, condition: &str) {
        self.filters.push(condition.to_owned());
    }

    pub(crate) fn scan_sql(&self) -> String {
        joined(&self.scan)
    }

    pub(crate) fn filter_sql(&self) -> String {
        joined(&self.filters)
    }

    /// All values, in order.
    pub(crate) fn values(&self) -> Vec<&(dyn ToSql + Sync)> {
        self.values.iter().map(|value| &**value as &(dyn ToSql + Sync)).collect()
    }

    /// Those of the scan.
    pub(crate) fn scan_values(&self) -> Vec<&(dyn ToSql + Sync)> {
        self.values()[..self.scan_values].to_vec()
    }
}

fn joined(conditions: &[String]) -> String {
    if conditions.is_empty() { "true".to_owned() } else { conditions.join(" AND ") }
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

    #[test]
    fn the_values_of_the_scan_come_first() {
        let mut conditions = Conditions::default();
        conditions.scan_if("a = {}", Some(1));
        conditions.scan_if("b = {}", None::<i32>);
        conditions.filter_if("c = {}", Some("x".to_owned()));
        assert_eq!((conditions.scan_sql(), conditions.filter_sql()), ("a = $1".into(), "c = $2".into()));
        assert_eq!((conditions.values().len(), conditions.scan_values().len()), (2, 1));
        assert_eq!(Conditions::default().scan_sql(), "true");
    }
}
