//! Reading `/metrics`: the Prometheus text format.

use std::collections::BTreeMap;

/// The sum of all series of each metric. Panics on a line that is not in the format.
pub fn parse(page: &str) -> BTreeMap<String, f64> {
    let mut sums = BTreeMap::new();
    for line in page.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("not a sample: {line}"));
        let value: f64 = value.parse().unwrap_or_else(|_| panic!("not a number: {line}"));
        let name = series.split('{').next().unwrap_or_default();
        let well_formed =
            !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':');
        assert!(well_formed, "not a metric's name: {line}");
        *sums.entry(name.to_owned()).or_default() += value;
    }
    sums
}
