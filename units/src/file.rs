//! Unit files: the text as submitted, and the options in it.

use serde::{Deserialize, Serialize};

use crate::lexer::{self, Token};
use crate::{ParseError, UnitHash, render};

/// One `Name=Value` line of a unit file.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
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
