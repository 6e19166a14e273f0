//! Unit files: the text as submitted, and the options in it.

use serde::{Deserialize, Serialize};

use crate::lexer::{self, Token};
use crate::{ParseError, UnitHash, render};

/// One `Name=Value` line of a unit file.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UnitOption {
    /// Name, before the `=`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Section, without brackets.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub section: String,
    /// Value, without blanks at its ends; continuation lines are kept verbatim.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub value: String,
}

impl UnitOption {
    /// An option of a section.
    pub fn new(
        section: impl Into<String>,
        name: impl Into<String>,
        value: impl Into<String>,
    ) -> Self {
        Self { section: section.into(), name: name.into(), value: value.into() }
    }
}

/// A unit file. Two are equal if their texts are; they say the same if their hashes are equal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnitFile {
    text: String,
    sections: Vec<String>,
    options: Vec<UnitOption>,
}

impl UnitFile {
    /// Reads a unit file and keeps its text byte for byte. Empty text is a unit without options.
    ///
    /// # Errors
    ///
    /// Names the line, what is wrong with it and what to write instead.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let mut file = Self { text: text.to_owned(), ..Self::default() };
        let mut section = String::new();
        for token in lexer::lex(text)? {
            match token {
                Token::Section(name) => {
                    name.clone_into(&mut section);
                    file.sections.push(name.to_owned());
                }
                Token::Option { name, value } => {
                    file.options.push(UnitOption::new(section.clone(), name, value));
                }
            }
        }
        Ok(file)
    }

    /// Reads the bytes of a file as [`UnitFile::parse`] reads text.
    ///
    /// # Errors
    ///
    /// As [`UnitFile::parse`]; also bytes that are not UTF-8.
    pub fn parse_bytes(bytes: &[u8]) -> Result<Self, ParseError> {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::parse(text),
            Err(error) => Err(ParseError::not_text(&bytes[..error.valid_up_to()])),
        }
    }

    /// Makes a unit of options; its text is their canonical rendering.
    ///
    /// The options are those that reading this text gives, so an option that does not survive
    /// being written to a file is not trusted to mean what its fields say.
    ///
    /// # Errors
    ///
    /// As [`UnitFile::parse`], of the rendered text.
    pub fn from_options(options: Vec<UnitOption>) -> Result<Self, ParseError> {
        let submitted = Self { options, ..Self::default() };
        let written = Self::parse(&submitted.canonical())?;
        Self::parse(&written.canonical())
    }

    /// The text as submitted.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// All options, in the order of the text.
    #[must_use]
    pub fn options(&self) -> &[UnitOption] {
        &self.options
    }

    /// The canonical text: no comments, each section once.
    #[must_use]
    pub fn canonical(&self) -> String {
        render::canonical(&self.options)
    }

    /// The hash of the canonical text.
    #[must_use]
    pub fn hash(&self) -> UnitHash {
        UnitHash::of_canonical(&self.canonical())
    }

    /// The values of an option, in the order of the text.
    pub fn values(&self, section: &str, name: &str) -> impl Iterator<Item = &str> {
        self.options
            .iter()
            .filter(move |option| option.section == section && option.name == name)
            .map(|option| option.value.as_str())
    }

    /// Whether there is such a section, with options or without.
    #[must_use]
    pub fn has_section(&self, section: &str) -> bool {
        self.sections.iter().any(|known| known == section)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(text: &str) -> String {
        UnitFile::parse(text).unwrap().hash().to_string()
    }

    #[test]
    fn the_text_is_kept_byte_for_byte() {
        let text = "# why\r\n[Unit]\n\n\nDescription = x \n[Unit]\n";

        assert_eq!(UnitFile::parse(text).unwrap().text(), text);
    }

    #[test]
    fn hashes_are_those_of_1_0() {
        for (text, expected) in [
            ("", "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
            ("# nothing\n", "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
            ("[Service]\nExecStart=/bin/sleep 100\n", "1c6fb6f3684bafb0c173d8b8b957ceff031180c1"),
            (
                "[Service]\nExecStart=/usr/bin/sleep infinity",
                "40ea6646945809f4b420a50475ee68503088f127",
            ),
            (
                "\n[Service]\nExecStart=/usr/bin/sleep infinity\n",
                "40ea6646945809f4b420a50475ee68503088f127",
            ),
            ("[Service]\nExecStart=/usr/bin/sleep 10", "5bf16b98c62f35fcdc723d32989cdeba7a2dd2a8"),
            (
                "[Service]\nExecStart=/usr/bin/sleep 2000",
                "5ba5292ab6a82b623ee6086dc90b3354ba004832",
            ),
        ] {
            assert_eq!(hash(text), expected, "{text}");
        }
    }

    #[test]
    fn comments_and_blanks_do_not_change_the_hash_and_values_do() {
        let plain = hash("[Service]\nExecStart=/bin/a\nExecStop=/bin/b\n");

        assert_eq!(
            hash("# c\n[Service]\n\nExecStart = /bin/a\r\n;c\n[Service]\nExecStop=/bin/b"),
            plain
        );
        assert_ne!(hash("[Service]\nExecStart=/bin/a\nExecStop=/bin/c\n"), plain);
    }

    #[test]
    fn values_come_in_the_order_of_the_text() {
        let file = UnitFile::parse("[S]\na=1\n[T]\na=2\n[S]\nb=3\na=4\nA=5\nX-a=6").unwrap();

        assert_eq!(file.values("S", "a").collect::<Vec<_>>(), ["1", "4"]);
        assert_eq!(file.values("S", "c").count(), 0);
        assert_eq!(file.canonical(), "[S]\na=1\nb=3\na=4\nA=5\nX-a=6\n\n[T]\na=2\n");
    }

    #[test]
    fn a_section_needs_no_options_to_be_there() {
        let file = UnitFile::parse("[Service]\nExecStart=/bin/a\n[Install]\n").unwrap();

        let there = ["Service", "Install", "install", "Unit"].map(|name| file.has_section(name));

        assert_eq!(there, [true, true, false, false]);
    }

    #[test]
    fn options_become_their_canonical_text() {
        let options = vec![
            UnitOption::new("Unit", "After", "foo"),
            UnitOption::new("Service", "ExecStart", "a \\\n  b"),
            UnitOption::new("Unit", "Before", "bar"),
        ];

        let file = UnitFile::from_options(options).unwrap();

        assert_eq!(
            file,
            UnitFile::parse("[Unit]\nAfter=foo\nBefore=bar\n\n[Service]\nExecStart=a \\\n  b\n")
                .unwrap()
        );
    }

    #[test]
    fn options_are_what_reading_their_text_gives() {
        let hidden = UnitOption::new("Service", "ExecStart", " a\n[X-Fleet]\nGlobal=true ");

        let file = UnitFile::from_options(vec![hidden]).unwrap();

        assert_eq!(
            file.options(),
            [
                UnitOption::new("Service", "ExecStart", "a"),
                UnitOption::new("X-Fleet", "Global", "true"),
            ]
        );
        assert_eq!(file.text(), "[Service]\nExecStart=a\n\n[X-Fleet]\nGlobal=true\n");
    }

    #[test]
    fn options_that_cannot_be_written_are_refused() {
        let refused = [
            UnitOption::new("Service\n", "a", "b"),
            UnitOption::new("Service]", "a", "b"),
            UnitOption::new("Service", "a\nb", "c"),
            UnitOption::new("Service", "a", "b\nc"),
            UnitOption::new("Service", "a", "b\0"),
        ]
        .map(|option| UnitFile::from_options(vec![option]).map_err(|error| error.line));

        assert_eq!(refused, [Err(1), Err(1), Err(2), Err(3), Err(2)]);
    }

    #[test]
    fn bytes_that_are_not_text_are_refused_with_their_line() {
        assert_eq!(
            UnitFile::parse_bytes(b"[S]\na=\xff").map_err(|error| error.to_string()),
            Err(
                "line 2: not a unit file: holds bytes that are not text: give a unit file in UTF-8"
                    .to_owned()
            )
        );
        assert_eq!(UnitFile::parse_bytes(b"[S]\na=b"), UnitFile::parse("[S]\na=b"));
    }

    #[test]
    fn the_example_is_a_unit() {
        let text = include_str!("../examples/hello.service");

        let file = UnitFile::parse(text).unwrap();

        assert_eq!(file.text(), text);
        assert_eq!(file.options().len(), 8);
        assert_eq!(file.values("Unit", "After").collect::<Vec<_>>(), ["docker.service"]);
        assert_eq!(
            file.values("Service", "ExecStart").collect::<Vec<_>>(),
            [
                "/usr/bin/docker run --name hello busybox /bin/sh -c \"while true; do echo Hello World; sleep 1; done\""
            ]
        );
        assert_eq!(file.canonical(), text);
    }
}
