//! Text for people, kept to one line: reasons and messages end up in tables and logs.

/// Longest reason or message, in characters.
pub const LIMIT: usize = 200;

/// The text on one line, without control characters, cut to [`LIMIT`] characters.
pub fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len().min(LIMIT));
    let words = text
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty());
    for word in words {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if let Some((cut, _)) = line.char_indices().nth(LIMIT) {
        line.truncate(cut);
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::one_line;

    #[test]
    fn a_long_message_of_many_lines_becomes_one_short_line() {
        assert_eq!(
            one_line("first\r\n  second\tthird\u{7}"),
            "first second third"
        );
        assert_eq!(one_line(&"ї".repeat(500)), format!("{}…", "ї".repeat(200)));
    }
}
