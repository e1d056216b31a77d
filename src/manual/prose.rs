//! The text of a doc comment: paragraphs, lists, what is quoted as it is; and in a line, words and code.
//!
//! Pure.

/// A piece of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Block {
    /// Sentences, on one line.
    Paragraph(String),
    /// Items, each on one line.
    List(Vec<String>),
    /// Lines that stay as they are.
    Quoted(String),
}

/// The pieces of a text: what is indented is quoted, what begins with a dash is an item.
#[must_use]
pub fn blocks(text: &str) -> Vec<Block> {
    text.split("\n\n").filter(|it| !it.trim().is_empty()).map(|it| block(it.trim_matches('\n'))).collect()
}

fn block(text: &str) -> Block {
    let joined = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.lines().all(|line| line.starts_with("  ")) {
        return Block::Quoted(text.to_owned());
    }
    match text.strip_prefix("- ") {
        Some(items) => Block::List(items.split("\n- ").map(joined).collect()),
        None => Block::Paragraph(joined(text)),
    }
}

/// The words and the code of a line, in turns; `true` for code, without its backticks.
#[must_use]
pub fn spans(text: &str) -> Vec<(bool, &str)> {
    let (mut spans, mut rest) = (Vec::new(), text);
    while let Some((words, (code, after))) =
        rest.split_once('`').and_then(|(words, after)| Some((words, after.split_once('`')?)))
    {
        spans.extend([(false, words), (true, code)]);
        rest = after;
    }
    spans.push((false, rest));
    spans.retain(|(_, text)| !text.is_empty());
    spans
}

/// A line as lines of at most `width` characters, but for words that are longer.
#[must_use]
pub fn wrap(line: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in line.split(' ') {
        let last = lines.last_mut().map(|line| (line.chars().count(), line));
        match last {
            Some((0, line)) => line.push_str(word),
            Some((length, line)) if length + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_pieces() {
        let text = "One\ntwo.\n\n- a\n  b\n- c\n\n  as\n    it is\n\n\nEnd.";
        let expected = [
            Block::Paragraph("One two.".into()),
            Block::List(vec!["a b".into(), "c".into()]),
            Block::Quoted("  as\n    it is".into()),
            Block::Paragraph("End.".into()),
        ];
        assert_eq!(blocks(text), expected);
        assert_eq!(blocks(""), []);
    }

    #[test]
    fn a_line_has_words_and_code() {
        assert_eq!(spans("a `b` c`d`"), [(false, "a "), (true, "b"), (false, " c"), (true, "d")]);
        assert_eq!(spans("an `open end"), [(false, "an `open end")]);
    }

    #[test]
    fn lines_are_wrapped_between_words() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("incomprehensibilities are", 7), ["incomprehensibilities", "are"]);
        assert_eq!(wrap("", 7), [""]);
    }
}
