//! The names of the two ends, in a sentence that calls them `source` and `target`. Pure.

/// The text with the names of the two ends for `source` and `target`: all at once, since the guest of a
/// QEMU that is called `target` may be on its way into a third one.
#[must_use]
pub fn named(text: &str, source: &str, target: &str) -> String {
    let parts = text.split('`').enumerate().map(|(index, part)| match part {
        "source" if index % 2 == 1 => source,
        "target" if index % 2 == 1 => target,
        other => other,
    });
    parts.collect::<Vec<_>>().join("`")
}

#[cfg(test)]
mod tests {
    use super::named;

    #[test]
    fn each_end_goes_by_its_own_name() {
        let text = "the guest is on `source`; `cont` the source, never `target`";
        assert_eq!(
            named(text, "target", "next"),
            "the guest is on `target`; `cont` the source, never `next`"
        );
        assert_eq!(
            named(text, "target", "source"),
            "the guest is on `target`; `cont` the source, never `source`"
        );
    }
}
