//! YAML as a tree that keeps what was written: positions, raw text and styles.
//!
//! What a scalar means depends on the type that is wanted, so that is decided by whoever wants it,
//! see [`scalar`].

mod duplicates;
mod explain;
mod load;
mod merge;
pub(crate) mod scalar;

pub(crate) use duplicates::{join, unite_duplicates};
pub(crate) use load::{SyntaxError, load};

use crate::problem::Position;

/// Longer keys are no names.
const MAX_NAME: usize = 40;

/// A value and where it starts.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) position: Position,
    pub(crate) value: Value,
}

/// What a value is made of.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Scalar(Scalar),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A value without parts.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Scalar {
    /// The text, without quotes and indentation.
    pub(crate) text: String,
    pub(crate) style: Style,
    /// Whether `!!binary` is before it.
    pub(crate) binary: bool,
    /// Tokens in it that stand for addresses of the host.
    pub(crate) tokens: Vec<Token>,
}

/// A token, and where it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) position: Position,
    pub(crate) name: &'static str,
    /// Whether the address is known that it stands for.
    pub(crate) is_known: bool,
}

/// How a scalar is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// Without quotes: it may be a number, truth or nothing.
    Plain,
    /// In quotes, or folded: text.
    Text,
    /// A block whose lines are the lines of the text.
    Literal,
}

/// A key and its value.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) key: Key,
    pub(crate) value: Node,
}

/// A key as written.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) position: Position,
    pub(crate) written: String,
    /// Whether it is written without quotes.
    pub(crate) plain: bool,
}

impl Key {
    /// The name that it is known by: dashes are underscores.
    pub(crate) fn name(&self) -> String {
        self.written.replace('-', "_")
    }

    /// Whether it may be told. What does not look like a name may be content that is indented
    /// wrongly, and a secret.
    pub(crate) fn is_name(&self) -> bool {
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        (1..=MAX_NAME).contains(&self.written.len()) && self.written.chars().all(is_allowed)
    }
}

impl Node {
    /// Whether it is written as nothing.
    pub(crate) fn is_null(&self) -> bool {
        matches!(&self.value, Value::Scalar(scalar) if scalar.is_null())
    }
}
