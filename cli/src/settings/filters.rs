//! Bounds on what rules and patterns may be, kept when they are saved.

use clap::Args;
use posthorn_matching::{pattern, rule};

/// How large rules and patterns may be.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Limits of rules")]
pub(crate) struct FilterSettings {
    /// The most rules of a webhook, 1 to 200
    #[arg(long, env = "POSTHORN_MAX_RULES", default_value = "20", value_name = "N", hide_short_help = true, value_parser = range(200))]
    max_rules: u32,
    /// The most event types in a list, 1 to 10000
    #[arg(long, env = "POSTHORN_MAX_RULE_TYPES", default_value = "200", value_name = "N", hide_short_help = true, value_parser = range(10_000))]
    max_rule_types: u32,
    /// The most companies or projects in a list, 1 to 100000
    #[arg(long, env = "POSTHORN_MAX_RULE_IDS", default_value = "1000", value_name = "N", hide_short_help = true, value_parser = range(100_000))]
    max_rule_ids: u32,
    /// With how many values the patterns of all rules of a webhook compare an event, 1 to 1000000
    #[arg(long, env = "POSTHORN_MAX_WEBHOOK_TESTS", default_value = "2000", value_name = "N", value_parser = range(1_000_000))]
    max_webhook_tests: u32,
    #[command(flatten)]
    pattern: PatternSettings,
}

/// How large patterns may be.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Limits of patterns")]
pub(crate) struct PatternSettings {
    /// The longest pattern in bytes, 1 to 262144
    #[arg(long, env = "POSTHORN_MAX_PATTERN_BYTES", default_value = "16384", value_name = "N", hide_short_help = true, value_parser = range(262_144))]
    max_pattern_bytes: u32,
    /// The most fields with values in a pattern, 1 to 1000
    #[arg(long, env = "POSTHORN_MAX_PATTERN_FIELDS", default_value = "50", value_name = "N", hide_short_help = true, value_parser = range(1000))]
    max_pattern_fields: u32,
    /// How deep objects may lie inside each other in a pattern, 1 to 50
    #[arg(long, env = "POSTHORN_MAX_PATTERN_DEPTH", default_value = "10", value_name = "N", hide_short_help = true, value_parser = range(50))]
    max_pattern_depth: u32,
    /// The most values of a field in a pattern, 1 to 10000
    #[arg(long, env = "POSTHORN_MAX_PATTERN_VALUES", default_value = "100", value_name = "N", hide_short_help = true, value_parser = range(10_000))]
    max_pattern_values: u32,
    /// To how many alternatives the $or of a pattern may multiply, 1 to 1024
    #[arg(long, env = "POSTHORN_MAX_PATTERN_BRANCHES", default_value = "64", value_name = "N", hide_short_help = true, value_parser = range(1024))]
    max_pattern_branches: u32,
    /// The most stars in a wildcard, 1 to 50
    #[arg(long, env = "POSTHORN_MAX_WILDCARD_STARS", default_value = "5", value_name = "N", hide_short_help = true, value_parser = range(50))]
    max_wildcard_stars: u32,
}

/// From 1 to what the domain reads back.
fn range(most: i64) -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..=most)
}

impl FilterSettings {
    pub(crate) fn limits(&self) -> rule::Limits {
        rule::Limits {
            rules: self.max_rules as usize,
            types: self.max_rule_types as usize,
            ids: self.max_rule_ids as usize,
            tests: self.max_webhook_tests as usize,
            pattern: self.pattern.limits(),
        }
    }
}

impl PatternSettings {
    pub(crate) fn limits(&self) -> pattern::Limits {
        pattern::Limits {
            bytes: self.max_pattern_bytes as usize,
            fields: self.max_pattern_fields as usize,
            depth: self.max_pattern_depth as usize,
            values: self.max_pattern_values as usize,
            branches: self.max_pattern_branches as usize,
            stars: self.max_wildcard_stars as usize,
        }
    }
}
