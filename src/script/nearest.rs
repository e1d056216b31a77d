//! Which known name somebody may have meant.
//!
//! Pure.

/// The candidate that `name` most likely is a slip of, if any is close enough. Capitals and
/// underscores do not count: `waitForStatus` is close to `wait_for_status`.
#[must_use]
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = plain(name);
    let limit = (plain.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .filter(|candidate| *candidate != name)
        .map(|candidate| (strsim::damerau_levenshtein(&plain, &self::plain(candidate)), candidate))
        // Every letter of a name as short as the limit could be another one.
        .filter(|(distance, candidate)| *distance <= limit && *distance < candidate.chars().count())
        .min()
        .map(|(_, candidate)| candidate)
}

fn plain(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '_' | '-')).flat_map(char::to_lowercase).collect()
}

/// The hint for a name that does not exist: `` did you mean `launch`? ``, or nothing.
#[must_use]
pub fn did_you_mean<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    nearest(name, candidates).map(|nearest| format!("did you mean `{nearest}`?")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_close() {
        let names = ["launch", "attach", "wait_for_status", "qmp", "hmp"];
        assert_eq!(nearest("lunch", names), Some("launch"));
        assert_eq!(nearest("lanuch", names), Some("launch"));
        assert_eq!(nearest("waitForStatus", names), Some("wait_for_status"));
        assert_eq!(nearest("wait-for-state", names), Some("wait_for_status"));
        assert_eq!(nearest("qpm", names), Some("qmp"));
        assert_eq!(did_you_mean("lunch", names), "did you mean `launch`?");
    }

    #[test]
    fn other_words_are_not() {
        assert_eq!(nearest("migrate", ["launch", "attach"]), None);
        assert_eq!(nearest("x", ["y", "launch"]), None);
        assert_eq!(nearest("same", ["same"]), None);
        assert_eq!(did_you_mean("zzz", ["launch"]), "");
    }
}
