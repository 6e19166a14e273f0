//! Settings of a program as variables of its unit.

use crate::document::Section;

/// Variables in the order in which they are told.
#[derive(Debug, Default)]
pub(super) struct Variables(Vec<(String, String)>);

impl Variables {
    /// All options of a section, as CoreOS named them.
    pub(super) fn of_section(prefix: &str, section: &Section) -> Self {
        let mut variables = Self::default();
        for (option, value) in &section.options {
            variables.set(&format!("{prefix}_{}", option.to_uppercase()), value);
        }
        variables
    }

    /// Sets a variable, in its place if it has one.
    pub(super) fn set(&mut self, name: &str, value: &str) {
        self.set_specified(name, escape(value));
    }

    /// Sets a variable to a value with specifiers of systemd.
    pub(super) fn set_specified(&mut self, name: &str, value: String) {
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }

    /// Gives a variable another name.
    pub(super) fn rename(&mut self, from: &str, to: &str) {
        for (name, _) in &mut self.0 {
            if name == from {
                to.clone_into(name);
            }
        }
    }

    /// Takes a variable away.
    pub(super) fn remove(&mut self, name: &str) {
        self.0.retain(|(known, _)| known != name);
    }

    /// A drop-in that sets them; `None` if there are none.
    pub(super) fn drop_in(&self) -> Option<String> {
        if self.0.is_empty() {
            return None;
        }
        let lines = self.0.iter().map(|(name, value)| format!("Environment=\"{name}={value}\"\n"));
        Some(format!("[Service]\n{}", lines.collect::<String>()))
    }
}

/// Text as systemd reads it back between double quotes.
pub(super) fn escape(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for c in value.chars() {
        match c {
            '"' => escaped.push_str("\\\""),
            '\\' => escaped.push_str("\\\\"),
            '%' => escaped.push_str("%%"),
            '\n' => escaped.push_str("\\n"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_systemd_would_take_for_its_own_is_escaped() {
        assert_eq!(escape("50%\"x\"\\\ny"), "50%%\\\"x\\\"\\\\\\ny");
    }

    #[test]
    fn a_variable_keeps_its_place() {
        let mut variables = Variables::default();
        variables.set("A", "1");
        variables.set("B", "%");
        variables.set("A", "2");

        assert_eq!(
            variables.drop_in().as_deref(),
            Some("[Service]\nEnvironment=\"A=2\"\nEnvironment=\"B=%%\"\n")
        );
    }
}
