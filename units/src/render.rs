//! Options as canonical text: the text that is hashed, and that 1.0 shows as the unit.

use std::collections::BTreeMap;

use crate::UnitOption;

/// Renders options grouped by section, sections in order of their first option.
pub(crate) fn canonical(options: &[UnitOption]) -> String {
    let mut positions: BTreeMap<&str, usize> = BTreeMap::new();
    let mut sections: Vec<String> = Vec::new();
    for option in options {
        let position = *positions.entry(&option.section).or_insert_with(|| {
            sections.push(format!("[{}]\n", option.section));
            sections.len() - 1
        });
        render_option(option, &mut sections[position]);
    }
    sections.join("\n")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_come_once_in_order_of_their_first_option() {
        let options = [
            UnitOption::new("Unit", "Description", "Foo"),
            UnitOption::new("Service", "ExecStart", "echo \"ping\";"),
            UnitOption::new("Service", "ExecStart", "echo \"pong\""),
            UnitOption::new("Unit", "After", "foo"),
        ];

        assert_eq!(
            canonical(&options),
            "[Unit]\nDescription=Foo\nAfter=foo\n\n\
             [Service]\nExecStart=echo \"ping\";\nExecStart=echo \"pong\"\n"
        );
    }

    #[test]
    fn no_options_are_no_text() {
        assert_eq!(canonical(&[]), "");
    }

    #[test]
    fn a_backslash_at_the_end_of_a_value_does_not_swallow_the_next_option() {
        let options = [UnitOption::new("S", "a", "b\\"), UnitOption::new("S", "c", "d")];

        assert_eq!(canonical(&options), "[S]\na=b\\ \nc=d\n");
    }
}
