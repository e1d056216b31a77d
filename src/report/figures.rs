//! Figures as people read them: bytes, rates, times. Pure.

/// Bytes: `512 KiB`, `1.2 GiB`.
pub fn bytes(bytes: f64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes.max(0.0);
    let mut unit = 0;
    while value >= 1023.5 && unit + 1 < units.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{} {}", short(value), units[unit])
}

/// Bytes, of what was counted.
#[allow(clippy::cast_precision_loss)] // it is shown with three digits
pub fn counted(count: u64) -> String {
    bytes(count as f64)
}

/// Milliseconds: `4.94 ms`, `216 ms`, `1.52 s`, `3 min 20 s`.
pub fn time(ms: f64) -> String {
    match ms.abs() {
        ..999.5 => format!("{} ms", short(ms)),
        ..59_950.0 => format!("{} s", short(ms / 1e3)),
        _ => {
            let seconds = (ms / 1e3).round();
            format!("{} min {} s", (seconds / 60.0).floor(), seconds % 60.0)
        }
    }
}

/// Three digits, and no zeros at the end of a fraction.
pub fn short(value: f64) -> String {
    let digits = match value.abs() {
        ..9.995 => 2,
        ..99.95 => 1,
        _ => 0,
    };
    let text = format!("{value:.digits$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// A day and a time in UTC: `2026-11-23 05:52:59 UTC`; `ms` is since 1970.
pub fn date(ms: f64) -> String {
    #[allow(clippy::cast_possible_truncation)]
    let seconds = (ms / 1e3) as i64;
    // The days of an era of 400 years that begins in March, after which the calendar repeats itself.
    let days = seconds.div_euclid(86_400) + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    let time = seconds.rem_euclid(86_400);
    let (hour, minute, second) = (time / 3600, time / 60 % 60, time % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_digits() {
        let shown = [0.0, 512.0, 1023.0, 1024.0, 1_258_291.2, 1_048_575.0, 537_403_392.0].map(bytes);
        assert_eq!(shown, ["0 B", "512 B", "1023 B", "1 KiB", "1.2 MiB", "1 MiB", "513 MiB"]);
        let shown = [0.0, -0.001, 4.935, 19.573, 216.0, 999.9, 1520.0, 59_990.0, 200_000.0].map(time);
        assert_eq!(
            shown,
            ["0 ms", "0 ms", "4.93 ms", "19.6 ms", "216 ms", "1 s", "1.52 s", "1 min 0 s", "3 min 20 s"]
        );
    }

    #[test]
    fn dates_are_of_the_calendar() {
        assert_eq!(date(0.0), "1970-01-01 00:00:00 UTC");
        assert_eq!(date(1_795_413_179_034.0), "2026-11-23 05:52:59 UTC");
        assert_eq!(date(951_782_400_000.0), "2000-02-29 00:00:00 UTC");
    }
}
