//! Names of hosts, as far as they can be judged without looking them up.

use super::forbidden::Forbidden;

const LONGEST_NAME: usize = 253;
const LONGEST_LABEL: usize = 63;

/// Refuses what no name server could know, or no certificate be for. Underscores pass: container networks
/// have names with them.
pub(super) fn check(name: &str) -> Result<(), Forbidden> {
    problem(name.strip_suffix('.').unwrap_or(name))
        .map_or(Ok(()), |problem| Err(Forbidden::HostName(problem)))
}

/// Whether a name stands for this machine, wherever it is looked up.
pub(super) fn is_localhost(name: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

/// What is wrong with a name.
pub(crate) fn problem(name: &str) -> Option<String> {
    if name.len() > LONGEST_NAME {
        return Some(format!("it has {} characters, at most {LONGEST_NAME} are possible", name.len()));
    }
    name.split('.').find_map(|label| match label {
        "" => Some("something is missing before, after or between its dots".to_owned()),
        _ if label.len() > LONGEST_LABEL => Some(format!(
            "the part {}… has {} characters, at most {LONGEST_LABEL} are possible",
            &label[..8],
            label.len()
        )),
        _ if label.starts_with('-') || label.ends_with('-') => {
            Some(format!("the part {label} begins or ends with -"))
        }
        _ => {
            let odd = label.chars().find(|c| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_'))?;
            Some(format!("it holds {odd}: letters, digits, - and _ are possible"))
        }
    })
}
