//! Durations and sizes as people write them: `30s`, `1.5 min`, `512M`, `4 GiB`.
//!
//! Pure: text to values and back.

use std::fmt;
use std::time::Duration;

/// Read a duration with its unit: `us`, `ms`, `s`, `min`, `h`.
///
/// # Errors
/// A sentence that says what is wrong; a number without a unit is refused.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = split_number(text)?;
    let seconds = match unit {
        "us" | "µs" => number / 1e6,
        "ms" => number / 1e3,
        "s" => number,
        "min" | "m" => number * 60.0,
        "h" => number * 3600.0,
        "" => return Err(format!("`{text}` has no unit, such as `{text}s` or `{text}ms`")),
        _ => return Err(format!("`{unit}` is no unit of time (us, ms, s, min, h)")),
    };
    Duration::try_from_secs_f64(seconds).map_err(|_| format!("`{text}` is no possible duration"))
}

/// Read a size in bytes: a plain number, or one with `K`, `M`, `G`, `T` (as in QEMU, powers of 1024; `MiB` is the same as `M`).
///
/// # Errors
/// A sentence that says what is wrong.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let (number, unit) = split_number(text)?;
    let shift = match unit.trim_end_matches("iB").trim_end_matches('B') {
        "" => 0,
        "K" | "k" => 10,
        "M" => 20,
        "G" => 30,
        "T" => 40,
        _ => return Err(format!("`{unit}` is no unit of size (K, M, G, T)")),
    };
    let bytes = number * 2f64.powi(shift);
    // Exact for whole numbers below 2^53, and a size is a whole number.
    match format!("{bytes:.0}").parse() {
        Ok(whole) if bytes.fract() == 0.0 && bytes < 2f64.powi(53) => Ok(whole),
        _ => Err(format!("`{text}` is no possible size")),
    }
}

fn split_number(text: &str) -> Result<(f64, &str), String> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let number = text[..end].parse().map_err(|_| format!("`{text}` does not start with a number"))?;
    Ok((number, text[end..].trim_start()))
}

/// A duration for people: `250 µs`, `40 ms`, `1.5 s`, `90 s`.
pub struct Seconds(pub Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs_f64();
        let (value, unit) = match self.0.as_micros() {
            0 => return f.write_str("0 s"),
            1..1_000 => (seconds * 1e6, "µs"),
            1_000..1_000_000 => (seconds * 1e3, "ms"),
            _ => (seconds, "s"),
        };
        write!(f, "{} {unit}", (value * 1e3).round() / 1e3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        assert_eq!(parse_duration("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(parse_duration("1.5 min"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_duration("250us"), Ok(Duration::from_micros(250)));
        assert_eq!(parse_duration("30"), Err("`30` has no unit, such as `30s` or `30ms`".into()));
        assert_eq!(parse_duration("3 d"), Err("`d` is no unit of time (us, ms, s, min, h)".into()));
        assert_eq!(parse_duration("soon"), Err("`soon` does not start with a number".into()));
        assert_eq!(
            parse_duration("99999999999999999999h"),
            Err("`99999999999999999999h` is no possible duration".into())
        );
    }

    #[test]
    fn sizes_are_powers_of_1024() {
        assert_eq!(parse_size("4096"), Ok(4096));
        assert_eq!(parse_size("512M"), Ok(512 << 20));
        assert_eq!(parse_size("4 GiB"), Ok(4 << 30));
        assert_eq!(parse_size("1.5T"), Ok(3 << 39));
        assert_eq!(parse_size("99999999T"), Err("`99999999T` is no possible size".into()));
        assert_eq!(parse_size("4X"), Err("`X` is no unit of size (K, M, G, T)".into()));
    }

    #[test]
    fn seconds_read_well() {
        let shown = |ms: f64| Seconds(Duration::from_secs_f64(ms / 1e3)).to_string();
        assert_eq!(shown(0.25), "250 µs");
        assert_eq!(shown(40.0), "40 ms");
        assert_eq!(shown(1500.0), "1.5 s");
        assert_eq!(shown(90_000.0), "90 s");
    }
}
