//! A page as it is put together.

use std::io;

use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, bold, roman};

/// Name of the manual, at the top of each page.
const MANUAL: &str = "fleet";

/// What the pages describe, at the bottom of each page.
const SOURCE: &str = concat!("fleet ", env!("CARGO_PKG_VERSION"));

/// A page.
#[derive(Debug)]
pub(crate) struct Page {
    text: Vec<u8>,
    /// Whether nothing stands below the last heading yet.
    begun: bool,
}

impl Page {
    /// Begins a page.
    pub(crate) fn new(name: &str, section: &str, about: &str) -> Self {
        // No date: a page tells of a version, and is the same whenever it is made.
        let title = format!(".TH {name} {section} \"\" \"{SOURCE}\" {MANUAL}\n");
        let mut page = Self { text: title.into_bytes(), begun: false };
        page.heading("NAME").text(&format!("{name} - {about}"));
        page
    }

    /// Begins the page of a program: how it is called, what it does, and its flags.
    pub(crate) fn of(
        mut program: Command,
        name: &str,
        section: &str,
        description: &str,
    ) -> io::Result<Self> {
        let about = program.get_about().map(ToString::to_string).unwrap_or_default();
        let mut page = Self::new(name, section, &about);
        let usage = program.render_usage().to_string();
        page.heading("SYNOPSIS").text(usage.trim_start_matches("Usage: "));
        page.heading("DESCRIPTION").text(description);
        Man::new(program).render_options_section(&mut page.text)?;
        Ok(page)
    }

    /// The page as it is written to a file.
    pub(crate) fn finish(self) -> String {
        String::from_utf8_lossy(&self.text).into_owned()
    }

    pub(crate) fn heading(&mut self, heading: &str) -> &mut Self {
        let mut roff = Roff::default();
        roff.control("SH", [heading]);
        self.put(&roff);
        self.begun = true;
        self
    }

    /// Adds paragraphs, parted by empty lines.
    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        for paragraph in text.split("\n\n") {
            let mut roff = Roff::default();
            if !self.begun {
                roff.control("PP", []);
            }
            roff.text([roman(one_line(paragraph))]);
            self.put(&roff);
        }
        self
    }

    /// Explains words that stand for the same.
    pub(crate) fn entry(&mut self, words: &[String], text: &str) -> &mut Self {
        let mut roff = Roff::default();
        for (index, word) in words.iter().enumerate() {
            roff.control(if index == 0 { "TP" } else { "TQ" }, []);
            roff.text([bold(word.as_str())]);
        }
        roff.text([roman(one_line(text))]);
        self.put(&roff)
    }

    /// Adds lines that stay as they are.
    pub(crate) fn example(&mut self, lines: &str) -> &mut Self {
        let mut roff = Roff::default();
        if !self.begun {
            roff.control("PP", []);
        }
        roff.control("RS", ["4"]).control("nf", []);
        for line in lines.lines() {
            roff.text([Inline::from(line)]);
        }
        roff.control("fi", []).control("RE", []);
        self.put(&roff)
    }

    /// Names other pages.
    pub(crate) fn see(&mut self, pages: &[&str]) -> &mut Self {
        let mut pages: Vec<&str> = pages.to_vec();
        pages.sort_unstable_by_key(|page| page.chars().rev().nth(1));
        self.heading("SEE ALSO").text(&pages.join(", "))
    }

    fn put(&mut self, roff: &Roff) -> &mut Self {
        self.text.extend(roff.to_roff().bytes());
        self.begun = false;
        self
    }
}

/// Lines are broken by whoever renders the page.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
