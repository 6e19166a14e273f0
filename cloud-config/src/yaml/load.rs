//! From the events of the parser to a tree of limited size.

use std::collections::BTreeMap;
use std::ops::Range;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span, Tag};

use super::{Entry, Key, Node, Scalar, Style, Value, explain, merge};
use crate::problem::Position;

/// Deeper than any document that says something.
const MAX_DEPTH: usize = 64;

/// Values in a document, aliases replaced by what they stand for.
const MAX_NODES: usize = 100_000;

/// Bytes of text in them.
const MAX_TEXT: usize = 16 << 20;

/// The first document of a text.
pub(crate) struct Loaded {
    /// `None` if there are only comments.
    pub(crate) root: Option<Node>,
    /// Where a second document starts.
    pub(crate) rest: Option<Position>,
}

/// Why a text is not a document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{position}: {text}")]
pub(crate) struct SyntaxError {
    pub(crate) position: Position,
    pub(crate) text: String,
}

impl SyntaxError {
    pub(super) fn new(position: Position, text: impl Into<String>) -> Self {
        Self { position, text: text.into() }
    }

    fn below(self, lines: usize) -> Self {
        Self { position: self.position.below(lines), ..self }
    }
}

/// Reads the first document of `text`. `finish` gets the text of each scalar and its range in
/// `text`, in characters, and completes it. Positions count `lines_before` the text.
pub(crate) fn load(
    text: &str,
    lines_before: usize,
    finish: impl FnMut(&str, Range<usize>) -> Scalar,
) -> Result<Loaded, SyntaxError> {
    let mut parser = Parser::new_from_str(text);
    let mut loader = Loader {
        finish,
        lines_before,
        stack: Vec::new(),
        anchors: BTreeMap::new(),
        used: Size::default(),
    };
    let mut root = None;
    while let Some(next) = parser.next_event() {
        let (event, span) =
            next.map_err(|error| explain::explain(&error, text).below(lines_before))?;
        match event {
            Event::DocumentEnd => break,
            Event::StreamEnd => {
                explain::only_blanks(text).map_err(|error| error.below(lines_before))?;
                return Ok(Loaded { root: None, rest: None });
            }
            _ => root = loader.take(event, span)?.or(root),
        }
    }
    let rest = match parser.next_event() {
        Some(Ok((Event::DocumentStart(_), span))) => Some(position(span.start).below(lines_before)),
        Some(Err(error)) => Some(position(*error.marker()).below(lines_before)),
        _ => None,
    };
    Ok(Loaded { root, rest })
}

/// A place of the parser as a person counts.
pub(super) fn position(marker: Marker) -> Position {
    Position { line: marker.line().max(1), column: marker.col() + 1 }
}

/// How much of the limits something takes.
#[derive(Clone, Copy, Default)]
struct Size {
    nodes: usize,
    text: usize,
    depth: usize,
}

/// A list or map that has not ended yet.
struct Frame {
    position: Position,
    anchor: usize,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    Map(Vec<Entry>, Option<Key>),
}

/// A value that aliases may stand for; `None` until it has ended.
type Anchored = Option<(Node, Size)>;

struct Loader<F> {
    finish: F,
    lines_before: usize,
    stack: Vec<Frame>,
    anchors: BTreeMap<usize, Anchored>,
    used: Size,
}

impl<F: FnMut(&str, Range<usize>) -> Scalar> Loader<F> {
    /// Takes an event; returns the root once it has ended.
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<Option<Node>, SyntaxError> {
        let start = position(span.start).below(self.lines_before);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let range = span.start.index()..span.end.index();
                let scalar = self.scalar(&text, style, tag.as_deref(), range);
                self.spend(Size { nodes: 1, text: scalar.text.len(), depth: 1 }, start)?;
                self.add(Node { position: start, value: Value::Scalar(scalar) }, anchor)
            }
            Event::SequenceStart(anchor, _) => self.open(start, anchor, Content::List(Vec::new())),
            Event::MappingStart(anchor, _) => {
                self.open(start, anchor, Content::Map(Vec::new(), None))
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Alias(anchor) => self.alias(anchor, start),
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => Ok(None),
        }
    }

    fn scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        tag: Option<&Tag>,
        range: Range<usize>,
    ) -> Scalar {
        let core = |name| tag.is_some_and(|tag| tag.is_yaml_core_schema() && tag.suffix == name);
        let style = match style {
            ScalarStyle::Plain if !core("str") => Style::Plain,
            ScalarStyle::Literal => Style::Literal,
            ScalarStyle::Plain
            | ScalarStyle::SingleQuoted
            | ScalarStyle::DoubleQuoted
            | ScalarStyle::Folded => Style::Text,
        };
        Scalar { style, binary: core("binary"), ..(self.finish)(text, range) }
    }

    fn open(
        &mut self,
        position: Position,
        anchor: usize,
        content: Content,
    ) -> Result<Option<Node>, SyntaxError> {
        self.spend(Size { nodes: 1, text: 0, depth: 1 }, position)?;
        if anchor > 0 {
            self.anchors.insert(anchor, None);
        }
        self.stack.push(Frame { position, anchor, content });
        Ok(None)
    }

    fn close(&mut self) -> Result<Option<Node>, SyntaxError> {
        let Some(frame) = self.stack.pop() else { return Ok(None) };
        let value = match frame.content {
            Content::List(items) => Value::List(items),
            Content::Map(entries, _) => {
                let merged = merge::merge(entries)?;
                Value::Map(merged)
            }
        };
        self.add(Node { position: frame.position, value }, frame.anchor)
    }

    fn alias(&mut self, anchor: usize, position: Position) -> Result<Option<Node>, SyntaxError> {
        let Some(Some((node, size))) = self.anchors.get(&anchor) else {
            return Err(SyntaxError::new(position, "an alias stands for a value that holds it"));
        };
        let (node, size) = (node.clone(), *size);
        self.spend(size, position)?;
        self.add(node, 0)
    }

    /// Puts a value where it belongs: into the list or map around it.
    fn add(&mut self, node: Node, anchor: usize) -> Result<Option<Node>, SyntaxError> {
        if anchor > 0 {
            let size = measure(&node);
            self.anchors.insert(anchor, Some((node.clone(), size)));
        }
        let Some(frame) = self.stack.last_mut() else { return Ok(Some(node)) };
        match &mut frame.content {
            Content::List(items) => items.push(node),
            Content::Map(entries, key) => match key.take() {
                Some(key) => entries.push(Entry { key, value: node }),
                None => *key = Some(as_key(node)?),
            },
        }
        Ok(None)
    }

    fn spend(&mut self, size: Size, position: Position) -> Result<(), SyntaxError> {
        self.used.nodes += size.nodes;
        self.used.text += size.text;
        if self.stack.len() + size.depth > MAX_DEPTH {
            let text = format!("is nested more than {MAX_DEPTH} deep");
            return Err(SyntaxError::new(position, text));
        }
        if self.used.nodes > MAX_NODES || self.used.text > MAX_TEXT {
            let text = format!(
                "says more than {MAX_NODES} values or {} MiB, aliases counted: use fewer aliases",
                MAX_TEXT >> 20
            );
            return Err(SyntaxError::new(position, text));
        }
        Ok(())
    }
}

fn as_key(node: Node) -> Result<Key, SyntaxError> {
    match node.value {
        Value::Scalar(scalar) => Ok(Key {
            position: node.position,
            plain: scalar.style == Style::Plain,
            written: scalar.text,
        }),
        Value::List(_) | Value::Map(_) => Err(SyntaxError::new(
            node.position,
            "a key must be text, not a list or map: a value that begins with `{` or `[` must be in quotes",
        )),
    }
}

fn measure(node: &Node) -> Size {
    let parts = |children: &mut dyn Iterator<Item = &Node>| {
        let sum = children.map(measure).fold(Size::default(), |sum, part| Size {
            nodes: sum.nodes + part.nodes,
            text: sum.text + part.text,
            depth: sum.depth.max(part.depth),
        });
        Size { nodes: sum.nodes + 1, depth: sum.depth + 1, ..sum }
    };
    match &node.value {
        Value::Scalar(scalar) => Size { nodes: 1, text: scalar.text.len(), depth: 1 },
        Value::List(items) => parts(&mut items.iter()),
        Value::Map(entries) => parts(&mut entries.iter().map(|entry| &entry.value)),
    }
}
