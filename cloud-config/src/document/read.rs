//! From user data to what it says.

use super::fields::quote;
use super::format::{self, Format};
use super::multipart::Part;
use super::unite::unite;
use super::{CloudConfig, config, gzip, multipart, tokens};
use crate::facts::Facts;
use crate::problem::{Position, Problem};

/// The most that is read, packed or not: clouds take a hundredth of it.
pub const MAX_BYTES: usize = 4 << 20;

/// Something packed in something packed, and so on.
const MAX_DEPTH: usize = 4;

/// What user data says, and what is wrong with it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Read {
    /// All its cloud-configs as one.
    pub config: CloudConfig,
    /// Its scripts, in order.
    pub scripts: Vec<Script>,
    /// What is wrong, in the order of the text.
    pub problems: Vec<Problem>,
}

impl Read {
    /// Whether something is wrong enough that the document must not be applied.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.problems.iter().any(Problem::is_error)
    }
}

/// A program that runs once for each instance-id.
#[derive(Clone, PartialEq, Eq)]
pub struct Script {
    /// Name of its part, or what it is the how-manieth part; fit for a file name.
    pub name: String,
    /// Begins with `#!`; tokens are replaced.
    pub content: Vec<u8>,
}

impl std::fmt::Debug for Script {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // No content may reach a log.
        formatter.debug_struct("Script").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Reads user data. Tokens become the addresses of `facts`; a token without an address is an error,
/// so give [`Facts::or_sample`] to check a document away from its host.
#[must_use]
pub fn read(user_data: &[u8], facts: &Facts) -> Read {
    let mut reading = Reading { facts, read: Read::default() };
    reading.whole(user_data, 0);
    reading.read.problems.sort_by_key(|problem| problem.position);
    reading.read
}

struct Reading<'a> {
    facts: &'a Facts,
    read: Read,
}

impl Reading<'_> {
    fn whole(&mut self, bytes: &[u8], depth: usize) {
        if bytes.len() > MAX_BYTES {
            return self.refuse(format!("is larger than {} MiB", MAX_BYTES >> 20));
        }
        match self.open(bytes, depth) {
            Some((Format::Unknown, bytes)) => self.refuse_header(&bytes),
            Some((Format::CloudConfig, bytes)) => self.config(&bytes, 0),
            Some((Format::Script, bytes)) => self.script(&bytes, "user-data", 0),
            Some((Format::Multipart, bytes)) => self.parts(&bytes, depth),
            Some((Format::Refused(sentence), _)) => self.refuse(format!("is {sentence}")),
            Some((Format::Empty | Format::Gzip | Format::Base64, _)) | None => {}
        }
    }

    /// Unpacks until there is something to read.
    fn open(&mut self, bytes: &[u8], depth: usize) -> Option<(Format, Vec<u8>)> {
        let mut bytes = bytes.to_vec();
        for _ in depth..MAX_DEPTH {
            match Format::of(&bytes) {
                Format::Gzip => match gzip::unpack(&bytes, MAX_BYTES) {
                    Ok(unpacked) => bytes = unpacked,
                    Err(error) => {
                        self.refuse(error.to_string());
                        return None;
                    }
                },
                Format::Base64 => bytes = multipart::decode_base64(&bytes)?,
                format => return Some((format, bytes)),
            }
        }
        self.refuse(format!("is packed more than {MAX_DEPTH} times"));
        None
    }

    fn parts(&mut self, bytes: &[u8], depth: usize) {
        match multipart::parts(bytes) {
            Ok(parts) => parts.iter().for_each(|part| self.part(part, depth)),
            Err(error) => self.refuse(error.to_string()),
        }
    }

    fn part(&mut self, part: &Part, depth: usize) {
        let before = self.read.problems.len();
        let lines = part.lines_before.unwrap_or(0);
        let Some((format, body)) = self.open(&part.body, depth) else {
            return self.name_part(part, before);
        };
        // Lines of what was packed are its own.
        let is_plain = part.lines_before.is_some() && body == part.body;
        let lines = if is_plain { lines } else { 0 };
        match format {
            Format::Empty | Format::Gzip | Format::Base64 => {}
            Format::CloudConfig => self.config(&body, lines),
            Format::Unknown if part.kind == "text/cloud-config" => self.config(&body, lines),
            Format::Script => self.script(&body, &script_name(part), lines),
            Format::Multipart if depth < MAX_DEPTH => self.parts(&body, depth + 1),
            Format::Multipart => self.refuse("parts are nested too deep".to_owned()),
            Format::Refused(sentence) => self.refuse_at(lines, format!("is {sentence}")),
            Format::Unknown => self.unknown_part(part, &body, lines),
        }
        if !is_plain {
            self.name_part(part, before);
        }
    }

    fn unknown_part(&mut self, part: &Part, body: &[u8], lines: usize) {
        const UNDONE: [&str; 6] =
            ["jinja", "include", "boothook", "part-handler", "archive", "upstart"];
        if part.kind.contains("shellscript") {
            return self
                .refuse_at(lines, "a script must begin with `#!`, such as `#!/bin/sh`".to_owned());
        }
        if UNDONE.iter().any(|undone| part.kind.contains(undone)) {
            let text =
                format!("parts of type {} are not read by fleet's cloud-config", quote(&part.kind));
            return self.refuse_at(lines, text);
        }
        let position = Position::START.below(lines);
        let text = format!(
            "part {} is neither a cloud-config nor a script, and is ignored: {}",
            part.number,
            format::explain_header(body)
        );
        self.read.problems.push(Problem::warning(position, "", text));
    }

    fn config(&mut self, bytes: &[u8], lines_before: usize) {
        let (config, problems) = config::read(bytes, lines_before, self.facts);
        self.read.problems.extend(problems);
        let start = Position::START.below(lines_before);
        unite(&mut self.read.config, config, start, &mut self.read.problems);
    }

    fn script(&mut self, bytes: &[u8], name: &str, lines_before: usize) {
        let mut problems = Vec::new();
        let content = tokens::substitute(bytes, self.facts, &mut problems);
        let first = content.split(|byte| *byte == b'\n').next().unwrap_or_default();
        if first.ends_with(b"\r") {
            let text = "lines end in CR LF, which the interpreter may take for part of its name: \
                        save the script with LF";
            problems.push(Problem::warning(Position::START, "", text));
        }
        for problem in &mut problems {
            problem.position = problem.position.below(lines_before);
        }
        self.read.problems.extend(problems);
        self.read.scripts.push(Script { name: name.to_owned(), content });
    }

    fn refuse_header(&mut self, bytes: &[u8]) {
        if let Some(problem) = config::not_text(bytes, 0) {
            return self.read.problems.push(problem);
        }
        self.refuse(format::explain_header(bytes));
    }

    fn refuse(&mut self, text: String) {
        self.refuse_at(0, text);
    }

    fn refuse_at(&mut self, lines_before: usize, text: String) {
        let position = Position::START.below(lines_before);
        self.read.problems.push(Problem::error(position, "", text));
    }

    /// Says in which part the problems from the `first` one on are.
    fn name_part(&mut self, part: &Part, first: usize) {
        let name =
            part.name.as_deref().map_or_else(String::new, |name| format!(" {}", quote(name)));
        let label = format!("part {}{name}", part.number);
        for problem in self.read.problems.iter_mut().skip(first) {
            let path = std::mem::take(&mut problem.path);
            problem.path = if path.is_empty() { label.clone() } else { format!("{label}: {path}") };
        }
    }
}

/// A name for a file: only letters, digits and a few signs, and the number of the part before it.
fn script_name(part: &Part) -> String {
    let is_fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let name = part.name.as_deref().unwrap_or("script");
    let name: String = name.chars().take(60).map(|c| if is_fine(c) { c } else { '_' }).collect();
    format!("{:03}-{name}", part.number)
}
