//! Numbers as decimals: exact, whatever their length, and compared by value: 5 = 5.0 = 5e0.

use std::{cmp::Ordering, fmt};

/// How many digits fit into `head`.
const HEAD: usize = 19;

/// A decimal number `±0.d₁d₂… × 10^exponent` with d₁ ≠ 0; all zeros are one.
///
/// Exponents beyond ±2³¹ count as ±2³¹: such numbers are larger (or nearer to zero) than any that a
/// pattern may hold.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Decimal {
    is_negative: bool,
    exponent: i32,
    /// The first 19 digits, with zeros behind if there are fewer.
    head: u64,
    /// The digits behind them, without zeros at the end.
    tail: Option<Box<Box<str>>>,
}

impl Decimal {
    /// Reads a JSON number (RFC 8259, section 6). Other text counts as zero.
    pub(crate) fn read(text: &str) -> Self {
        let (is_negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (digits, exponent) = match text.split_once(['e', 'E']) {
            Some((digits, exponent)) => (digits, read_exponent(exponent)),
            None => (text, 0),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let all = whole.bytes().chain(fraction.bytes());
        let Some(zeros) = all.clone().position(|digit| digit != b'0') else {
            return Self { is_negative: false, exponent: 0, head: 0, tail: None };
        };
        let point = i64::try_from(whole.len()).unwrap_or(i64::MAX) - i64::try_from(zeros).unwrap_or(i64::MAX);
        let significant = all.skip(zeros).filter(u8::is_ascii_digit);
        let (head, tail) = head_and_tail(significant);
        let exponent = exponent.saturating_add(point).clamp(i32::MIN.into(), i32::MAX.into());
        Self { is_negative, exponent: i32::try_from(exponent).expect("it was clamped"), head, tail }
    }

    /// Whether a double can stand for it without becoming infinite or, if it isn't zero, zero.
    pub(crate) fn fits_a_double(text: &str) -> bool {
        let double: f64 = text.parse().unwrap_or(f64::INFINITY);
        double.is_finite() && (double != 0.0 || Self::read(text).head == 0)
    }

    /// The number as `serde_json` keeps it in a double, to be compared with others that it keeps so.
    pub(crate) fn rounded(&self) -> Self {
        let double: Option<serde_json::Number> =
            serde_json::from_str(&self.to_string()).ok().and_then(serde_json::Number::from_f64);
        double.map_or_else(|| self.clone(), |double| Self::read(&double.to_string()))
    }

    /// Monotonic in the decimal; decimals that differ little have the same rank.
    pub(crate) fn rank(&self) -> u64 {
        let magnitude = match self.head {
            0 => 0,
            // 11 bits of exponent (in patterns between -400 and 400) above 52 bits of digits.
            head => {
                let exponent = u64::try_from(self.exponent.clamp(-1000, 1000) + 1001).expect("at least 1");
                (exponent << 52) | (head >> 12)
            }
        };
        const MIDDLE: u64 = 1 << 63;
        if self.is_negative { MIDDLE - magnitude } else { MIDDLE + magnitude }
    }

    fn tail(&self) -> &str {
        self.tail.as_deref().map_or("", |tail| tail)
    }

    fn magnitude(&self, other: &Self) -> Ordering {
        match (self.head, other.head) {
            (0, 0) => Ordering::Equal,
            (0, _) => Ordering::Less,
            (_, 0) => Ordering::Greater,
            (mine, theirs) => (self.exponent.cmp(&other.exponent))
                .then(mine.cmp(&theirs))
                .then_with(|| self.tail().cmp(other.tail())),
        }
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.is_negative, other.is_negative) {
            (false, false) => self.magnitude(other),
            (true, true) => other.magnitude(self),
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
        }
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// As JSON; whole numbers of up to 19 digits without a point.
impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.is_negative { "-" } else { "" };
        let tail = self.tail.as_deref().map_or("", |tail| tail);
        let all = format!("{:0width$}{tail}", self.head, width = HEAD);
        let digits = all.trim_end_matches('0');
        let length = i32::try_from(digits.len()).unwrap_or(i32::MAX);
        match self.exponent {
            _ if digits.is_empty() => f.write_str("0"),
            whole if whole >= length && whole <= 19 => {
                write!(f, "{sign}{digits}{}", "0".repeat(usize::try_from(whole - length).unwrap_or(0)))
            }
            point @ 1.. if point < length => {
                let (before, behind) = digits.split_at(usize::try_from(point).unwrap_or(0));
                write!(f, "{sign}{before}.{behind}")
            }
            zeros @ -5..=0 => {
                write!(f, "{sign}0.{}{digits}", "0".repeat(usize::try_from(-zeros).unwrap_or(0)))
            }
            exponent => {
                let (first, rest) = digits.split_at(1);
                let point = if rest.is_empty() { "" } else { "." };
                write!(f, "{sign}{first}{point}{rest}e{}", i64::from(exponent) - 1)
            }
        }
    }
}

fn read_exponent(text: &str) -> i64 {
    let (is_negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let mut size = 0_i64;
    for digit in digits.bytes().filter(u8::is_ascii_digit) {
        size = size.saturating_mul(10).saturating_add(i64::from(digit - b'0'));
    }
    // Far from the ends, so that the point's place can be added.
    let size = size.min(i64::MAX / 4);
    if is_negative { -size } else { size }
}

fn head_and_tail(digits: impl Iterator<Item = u8>) -> (u64, Option<Box<Box<str>>>) {
    let (mut head, mut count) = (0_u64, 0);
    let mut tail = String::new();
    for digit in digits {
        match count < HEAD {
            true => head = head * 10 + u64::from(digit - b'0'),
            false => tail.push(char::from(digit)),
        }
        count += 1;
    }
    for _ in count..HEAD {
        head *= 10;
    }
    let tail = tail.trim_end_matches('0');
    (head, (!tail.is_empty()).then(|| Box::new(tail.into())))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decimal(text: &str) -> Decimal {
        Decimal::read(text)
    }

    #[test]
    fn numbers_are_equal_by_value_not_by_spelling() {
        for same in [
            &["5", "5.0", "5e0", "0.5e1", "50E-1", "5.000000000000000000000000"][..],
            &["0", "-0", "0.0", "0e99999999999999999999", "-0.000e-5"],
            &["-1200", "-1.2e3", "-12e+2"],
            &["1e400", "10e399", "0.1e401"],
            &[
                "123456789012345678901234567890",
                "123456789012345678901234567890.0",
                "1.2345678901234567890123456789e29",
            ],
        ] {
            for text in same {
                assert_eq!(decimal(text), decimal(same[0]), "{text}");
            }
        }
    }

    #[test]
    fn numbers_are_ordered_exactly() {
        let rising = [
            "-1e999999999",
            "-123456789012345678901234567891",
            "-123456789012345678901234567890",
            "-2",
            "-1.5",
            "-1e-400",
            "0",
            "1e-999999999999",
            "1e-400",
            "0.3",
            "0.30000000000000004",
            "5",
            "9007199254740992",
            "9007199254740993",
            "123456789012345678901",
            "123456789012345678901.5",
            "123456789012345678902",
            "1e400",
        ];
        for (place, pair) in rising.windows(2).enumerate() {
            assert!(decimal(pair[0]) < decimal(pair[1]), "{place}: {pair:?}");
            assert!(decimal(pair[0]).rank() <= decimal(pair[1]).rank(), "{place}: {pair:?}");
        }
    }

    #[test]
    fn a_decimal_reads_back_what_it_writes() {
        for text in [
            "0",
            "5",
            "-5",
            "0.5",
            "1200",
            "0.000033",
            "1.5e300",
            "-4e-320",
            "12345678901234567890.5",
            "301.8",
        ] {
            let written = decimal(text).to_string();
            assert_eq!(decimal(&written), decimal(text), "{text} {written}");
        }
        assert_eq!(decimal("3.018e2").to_string(), "301.8");
        assert_eq!(decimal("5.0").to_string(), "5");
    }

    #[test]
    fn doubles_set_the_range() {
        for good in ["0", "1e308", "1E-320", "-4e-6", "0e999"] {
            assert!(Decimal::fits_a_double(good), "{good}");
        }
        for bad in ["1E309", "2.0e422", "1E-325"] {
            assert!(!Decimal::fits_a_double(bad), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn order_and_rank_agree_with_whole_numbers(a in any::<i64>(), b in any::<i64>()) {
            let (x, y) = (decimal(&a.to_string()), decimal(&b.to_string()));
            prop_assert_eq!(x.cmp(&y), a.cmp(&b));
            prop_assert!(x < y || x.rank() >= y.rank());
            prop_assert_eq!(x.to_string().parse::<f64>().unwrap(), a as f64);
        }

        #[test]
        fn order_agrees_with_doubles(a in any::<f64>(), b in any::<f64>()) {
            prop_assume!(a.is_finite() && b.is_finite());
            let (x, y) = (decimal(&format!("{a:e}")), decimal(&format!("{b}")));
            prop_assert_eq!(x.cmp(&y), a.partial_cmp(&b).unwrap());
            prop_assert!(x < y || x.rank() >= y.rank());
        }

        #[test]
        fn nothing_panics(text in "-?[0-9]{0,40}(\\.[0-9]{0,40})?([eE][+-]?[0-9]{0,40})?|.{0,10}") {
            let read = decimal(&text);
            let _ = (read.to_string(), read.rank(), Decimal::fits_a_double(&text));
        }
    }
}
