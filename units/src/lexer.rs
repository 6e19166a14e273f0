//! The text of a unit file as a sequence of section headers and options.
//!
//! The rules are those of fleet 1.0, as its hashes depend on them; a line may have any length.

use std::fmt;

/// Longest piece of offending text that an error repeats.
const MAX_QUOTE: usize = 60;

/// Longest name of a section, in bytes. Each option carries a copy of it, so that a long one makes
/// gigabytes of a small file.
const MAX_SECTION: usize = 256;

/// A meaningful part of a unit file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Token<'a> {
    /// A header, `[Name]`.
    Section(&'a str),
    /// An option of the section above it.
    Option {
        /// Name, without blanks around it.
        name: &'a str,
        /// Value, without blanks at its ends.
        value: String,
    },
}

/// Why a text is not a unit file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {kind}")]
pub struct ParseError {
    /// Line, counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub kind: ParseErrorKind,
}

impl ParseError {
    /// The error for bytes of which only `valid`, the first ones, are text.
    pub(crate) fn not_text(valid: &[u8]) -> Self {
        let line = 1 + valid.iter().filter(|byte| **byte == b'\n').count();
        Self { line, kind: ParseErrorKind::NotText }
    }
}

/// What is wrong with a line of a unit file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseErrorKind {
    /// The file is not text at all.
    #[error("not a unit file: holds bytes that are not text: give a unit file in UTF-8")]
    NotText,
    /// There is text, but no section.
    #[error("not a unit file: no [Section] header: put one, such as [Service], before {text}")]
    NoSection {
        /// First line that is neither blank nor a comment.
        text: Quote,
    },
    /// A header has no end on its line.
    #[error("section header {text} has no end: write \"[Section]\" on a line of its own")]
    UnclosedSection {
        /// The header.
        text: Quote,
    },
    /// A header shares its line.
    #[error("found garbage after section name [{section}]: move {text} to a line of its own")]
    GarbageAfterSection {
        /// The section.
        section: String,
        /// What follows it.
        text: Quote,
    },
    /// A header has a name longer than any that means something.
    #[error(
        "the name of section {name} has {length} bytes, {MAX_SECTION} at most are possible: shorten it"
    )]
    LongSection {
        /// Its beginning.
        name: Quote,
        /// Its length.
        length: usize,
    },
    /// A line is neither option, header nor comment.
    #[error(
        "{text} has no \"=\": write \"Name=Value\", or put \"#\" before it to make it a comment"
    )]
    NoEquals {
        /// The line.
        text: Quote,
    },
}

/// Offending text, shown in quotes and cut to a bearable length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote(String);

impl Quote {
    fn new(text: &str) -> Self {
        let text = text.trim();
        let mut quote: String = text.chars().take(MAX_QUOTE).collect();
        if quote.len() < text.len() {
            quote.push_str("...");
        }
        Self(quote)
    }
}

impl fmt::Display for Quote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

/// Splits a text into its meaningful parts.
pub(crate) fn lex(text: &str) -> Result<Vec<Token<'_>>, ParseError> {
    if let Some(nul) = text.bytes().position(|byte| byte == 0) {
        return Err(ParseError::not_text(&text.as_bytes()[..nul]));
    }
    let mut lexer = Lexer { rest: text, line: 1 };
    let mut tokens = Vec::new();
    if !lexer.skip_preamble()? {
        return Ok(tokens);
    }
    tokens.push(lexer.section()?);
    while let Some(first) = lexer.skip_blanks() {
        match first {
            '[' => tokens.push(lexer.section()?),
            '#' | ';' => lexer.skip_comment(),
            _ => tokens.push(lexer.option()?),
        }
    }
    Ok(tokens)
}

struct Lexer<'a> {
    rest: &'a str,
    /// Number of the line on which `rest` starts.
    line: usize,
}

impl<'a> Lexer<'a> {
    /// Skips what stands before the first `[`; returns whether there is one.
    fn skip_preamble(&mut self) -> Result<bool, ParseError> {
        let mut content = None;
        loop {
            let end = self.rest.find(['[', '#', ';']).unwrap_or(self.rest.len());
            let skipped = self.advance(end);
            let first_line = self.line - skipped.matches('\n').count();
            let mut lines = (first_line..).zip(skipped.lines());
            let written = lines.find(|(_, line)| !line.trim().is_empty());
            content = content.or(written);
            match (self.rest.chars().next(), content) {
                (Some('['), _) => return Ok(true),
                (Some(_), _) => self.skip_comment(),
                (None, None) => return Ok(false),
                (None, Some((line, text))) => {
                    let kind = ParseErrorKind::NoSection { text: Quote::new(text) };
                    return Err(ParseError { line, kind });
                }
            }
        }
    }

    /// Reads a header, up to the end of its line.
    fn section(&mut self) -> Result<Token<'a>, ParseError> {
        let line = self.line;
        let header = self.take_line();
        let text = header.strip_prefix('[').unwrap_or(header);
        let Some((name, garbage)) = text.split_once(']') else {
            let kind = ParseErrorKind::UnclosedSection { text: Quote::new(header) };
            return Err(ParseError { line, kind });
        };
        if !garbage.trim().is_empty() {
            let text = Quote::new(garbage);
            let kind = ParseErrorKind::GarbageAfterSection { section: name.to_owned(), text };
            return Err(ParseError { line, kind });
        }
        if name.len() > MAX_SECTION {
            let (name, length) = (Quote::new(name), name.len());
            return Err(ParseError { line, kind: ParseErrorKind::LongSection { name, length } });
        }
        Ok(Token::Section(name))
    }

    /// Reads an option with all its continuation lines.
    fn option(&mut self) -> Result<Token<'a>, ParseError> {
        let line = self.line;
        let mut text = self.take_line();
        let (name, first) =
            text.split_once('=').filter(|(name, _)| !name.contains('\r')).ok_or_else(|| {
                ParseError { line, kind: ParseErrorKind::NoEquals { text: Quote::new(text) } }
            })?;
        text = first;
        let mut value = String::new();
        while !text.trim().is_empty() {
            value.push_str(text);
            if !text.ends_with('\\') {
                break;
            }
            value.push('\n');
            text = self.take_line();
        }
        // Only a continuation that nothing follows leaves a line end, and it is a part of the
        // value: without it the next option would become the continuation.
        let dangling = if value.ends_with('\n') { "\n" } else { "" };
        Ok(Token::Option { name: name.trim(), value: format!("{}{dangling}", value.trim()) })
    }

    /// Skips a comment; one that ends in a backslash goes on on the next line.
    fn skip_comment(&mut self) {
        loop {
            let line = self.take_line();
            if !line.strip_suffix(' ').unwrap_or(line).ends_with('\\') {
                return;
            }
        }
    }

    /// Skips blanks and line ends; returns what follows.
    fn skip_blanks(&mut self) -> Option<char> {
        let blanks = self.rest.len() - self.rest.trim_start().len();
        self.advance(blanks);
        self.rest.chars().next()
    }

    /// Takes the rest of the line, without its end. Nothing is left at the end of the text.
    fn take_line(&mut self) -> &'a str {
        let end = self.rest.find('\n').map_or(self.rest.len(), |newline| newline + 1);
        let line = self.advance(end);
        let line = line.strip_suffix('\n').unwrap_or(line);
        line.strip_suffix('\r').unwrap_or(line)
    }

    fn advance(&mut self, end: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(end);
        self.line += taken.matches('\n').count();
        self.rest = rest;
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn section(name: &str) -> Token<'_> {
        Token::Section(name)
    }

    fn option<'a>(name: &'a str, value: &str) -> Token<'a> {
        Token::Option { name, value: value.to_owned() }
    }

    #[test]
    fn headers_options_and_comments_are_told_apart() {
        let text = "# comment\n[Unit]\n; another\nDescription = Foo\n\n[Service]\n<<<<=bar\nExecStart=echo \"ping\";\n[Empty]";

        assert_eq!(
            lex(text),
            Ok(vec![
                section("Unit"),
                option("Description", "Foo"),
                section("Service"),
                option("<<<<", "bar"),
                option("ExecStart", "echo \"ping\";"),
                section("Empty"),
            ])
        );
    }

    #[test]
    fn text_before_the_first_section_is_ignored() {
        for text in
            ["This=Ignored\n[S]\na=b", ">>>>\n[S]\na=b", "\u{feff}[S]\na=b", "x # [T]\n[S]\na=b"]
        {
            assert_eq!(lex(text), Ok(vec![section("S"), option("a", "b")]), "{text}");
        }
    }

    #[test]
    fn values_go_on_after_a_backslash_and_keep_it() {
        for (text, value) in [
            ("a=b\\\nc\n", "b\\\nc"),
            ("a=b \\\n  c \\\n  d  \n", "b \\\n  c \\\n  d"),
            ("a=b\\\n# no comment\\\n; nor this\nx=y", "b\\\n# no comment\\\n; nor this"),
            ("a=b\\\n[no section]\n", "b\\\n[no section]"),
            ("a=b\\\r\nc\r\n", "b\\\nc"),
            ("a=b\\\n\nx=y\n", "b\\\n"),
            ("a=b\\", "b\\\n"),
            ("a=b\\ \nx=y\n", "b\\"),
            ("a=\nx=y", ""),
            ("a=", ""),
            ("a=  b c  \r\n", "b c"),
        ] {
            let text = format!("[S]\n{text}");
            let tokens = lex(&text).unwrap();
            assert_eq!(tokens.get(1), Some(&option("a", value)), "{text}");
        }
    }

    #[test]
    fn a_comment_that_ends_in_a_backslash_goes_on() {
        for comment in ["# x \\\na=b\n", "; x \\ \na=b\n", "#\\\n\\\na=b\n"] {
            let text = format!("[S]\n{comment}c=d");
            assert_eq!(lex(&text), Ok(vec![section("S"), option("c", "d")]), "{text}");
        }
    }

    #[test]
    fn lines_may_have_any_length() {
        let long = "x".repeat(100_000);

        assert_eq!(lex(&format!("[S]\na={long}\n")), Ok(vec![section("S"), option("a", &long)]));
    }

    #[test]
    fn text_without_content_has_no_tokens() {
        for text in ["", "\n \t\r\n", "# only\n; comments"] {
            assert_eq!(lex(text), Ok(vec![]), "{text:?}");
        }
    }

    #[test]
    fn errors_name_the_line_the_text_and_what_to_write() {
        let long_line = format!("[S]\n{}", "\u{e4}".repeat(61));
        let long_section = format!("[S]\n[{}]\na=\n", "x".repeat(257));
        for (text, expected) in [
            (
                "# a\n\nhello world\n",
                "line 3: not a unit file: no [Section] header: put one, such as [Service], before \"hello world\"",
            ),
            (
                "\nfirst # comment\n\nlast\n",
                "line 2: not a unit file: no [Section] header: put one, such as [Service], before \"first\"",
            ),
            (
                "[Unit]\nA=b\n\n<<<<\n",
                "line 4: \"<<<<\" has no \"=\": write \"Name=Value\", or put \"#\" before it to make it a comment",
            ),
            (
                "[Unit]\r\nA=b\\\r\nc\r\nOops",
                "line 4: \"Oops\" has no \"=\": write \"Name=Value\", or put \"#\" before it to make it a comment",
            ),
            (
                "[Unit]\na\rb=c",
                "line 2: \"a\\rb=c\" has no \"=\": write \"Name=Value\", or put \"#\" before it to make it a comment",
            ),
            (
                "x\n[Unit\nA=b]\n",
                "line 2: section header \"[Unit\" has no end: write \"[Section]\" on a line of its own",
            ),
            (
                "[Unit]\n# c \\\n d\n[Service] A=b\n",
                "line 4: found garbage after section name [Service]: move \"A=b\" to a line of its own",
            ),
            (
                "[Unit]\nA=\0",
                "line 2: not a unit file: holds bytes that are not text: give a unit file in UTF-8",
            ),
            (
                long_line.as_str(),
                &format!(
                    "line 2: \"{}...\" has no \"=\": write \"Name=Value\", or put \"#\" before it to make it a comment",
                    "\u{e4}".repeat(60)
                ),
            ),
            (
                long_section.as_str(),
                &format!(
                    "line 2: the name of section \"{}...\" has 257 bytes, 256 at most are possible: shorten it",
                    "x".repeat(60)
                ),
            ),
        ] {
            assert_eq!(
                lex(text).map_err(|error| error.to_string()),
                Err(expected.to_owned()),
                "{text}"
            );
        }
    }
}
