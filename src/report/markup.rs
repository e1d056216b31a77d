//! Text that is safe on a page, whoever wrote it. Pure.

use std::fmt;

use crate::script::diagnostic::visible;

/// A text as a page shows it: nothing in it is markup, nothing turns the direction of writing.
pub struct Text<'a>(pub &'a str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for char in visible(self.0).chars() {
            match char {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                // No page may hold them, not even by number.
                '\u{fdd0}'..='\u{fdef}' | '\u{fffe}' | '\u{ffff}' => f.write_str("�")?,
                _ => write!(f, "{char}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_is_markup() {
        let text = "<script>alert('x')</script> \" & \u{0}\u{1b}[31m\u{202e}\u{ffff}\ta\r\nb";
        assert_eq!(
            Text(text).to_string(),
            "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &quot; &amp; ␀␛[31m\\u{202e}�    a\nb"
        );
    }
}
