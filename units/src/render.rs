//! Options as canonical text: the text that is hashed, and that 1.0 shows as the unit.

use crate::UnitOption;

/// Renders options grouped by section, sections in order of their first option.
pub(crate) fn canonical(options: &[UnitOption]) -> String {
    let mut sections: Vec<(&str, String)> = Vec::new();
    for option in options {
        let known = sections.iter().position(|(section, _)| *section == option.section);
        let position = known.unwrap_or_else(|| {
            sections.push((&option.section, format!("[{}]\n", option.section)));
            sections.len() - 1
        });
        if let Some((_, text)) = sections.get_mut(position) {
            render_option(option, text);
        }
    }
    sections.into_iter().map(|(_, text)| text).collect::<Vec<_>>().join("\n")
}

fn render_option(option: &UnitOption, text: &mut String) {
    text.push_str(&option.name);
    text.push('=');
    text.push_str(&option.value);
    // The blank keeps the next line from being read as a continuation.
    if option.value.ends_with('\\') {
        text.push(' ');
    }
    text.push('\n');
}
