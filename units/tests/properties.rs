//! What holds for any input: nothing panics, and what is written is read back the same.

use fleet_units::api::{self, PageToken};
use fleet_units::{Directives, Glob, MachineId, UnitFile, UnitHash, UnitName, UnitOption, nearest};
use proptest::prelude::*;

/// Text made of the characters that mean something in a unit file, so that most cases get far.
fn unit_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[\\[\\]#;=\\\\ \t\r\na\"%\u{a0}\u{85}]{0,8}",
        Just("[Service]\n".to_owned()),
        Just("[X-Fleet]\r\n".to_owned()),
        Just("[Install]\n".to_owned()),
        "(ExecStart|Conflicts|MachineOf|MachineMetadata|Global|Foo) ?= ?[ -~]{0,12}\\\\? ?\r?\n",
        Just("# comment\\\n".to_owned()),
        Just("\\\n".to_owned()),
        "\\PC{0,4}",
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

/// Options as a client may send them.
fn options() -> impl Strategy<Value = Vec<UnitOption>> {
    let value = prop_oneof!["[ -~]{0,12}", "[a\\\\\r\n =\\[\\]#]{0,8}"];
    let option = ("(Unit|Service|X-Fleet|a b)", "[A-Za-z-]{1,6}", value)
        .prop_map(|(section, name, value)| UnitOption::new(section, name, value));
    prop::collection::vec(option, 0..6)
}

fn unit_name() -> impl Strategy<Value = UnitName> {
    "[a-z.]{1,4}(@[a-z@]{0,3})?\\.(service|timer)"
        .prop_filter_map("a unit name", |text| text.parse().ok())
}

proptest! {
    #[test]
    fn a_unit_file_is_read_back_from_its_text(text in unit_text()) {
        if let Ok(file) = UnitFile::parse(&text) {
            prop_assert_eq!(file.text(), &text);
            prop_assert_eq!(UnitFile::parse(file.text()), Ok(file));
        }
    }

    #[test]
    fn a_unit_of_options_is_read_back_from_its_rendering(options in options()) {
        if let Ok(file) = UnitFile::from_options(options) {
            prop_assert_eq!(file.text(), file.canonical());
            prop_assert_eq!(UnitFile::parse(&file.canonical()), Ok(file));
        }
    }

    #[test]
    fn canonical_text_says_the_same_as_the_submitted_one(text in unit_text()) {
        if let Ok(file) = UnitFile::parse(&text) {
            let canonical = UnitFile::parse(&file.canonical());
            let resent = UnitFile::from_options(file.options().to_vec());
            prop_assert_eq!(canonical.as_ref().map(UnitFile::hash), Ok(file.hash()));
            prop_assert_eq!(&resent, &canonical);
            let mut expected = file.options().to_vec();
            let mut found = canonical.map(|file| file.options().to_vec()).unwrap_or_default();
            expected.sort();
            found.sort();
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in any::<String>(), bytes in any::<Vec<u8>>()) {
        let errors = [UnitFile::parse(&text).err(), UnitFile::parse_bytes(&bytes).err()];
        for error in errors.into_iter().flatten() {
            prop_assert!(error.line >= 1);
            prop_assert!(!error.to_string().is_empty());
        }
    }

    #[test]
    fn errors_name_a_line_of_the_text(text in unit_text()) {
        if let Err(error) = UnitFile::parse(&text) {
            prop_assert!((1..=text.matches('\n').count() + 1).contains(&error.line));
        }
    }

    #[test]
    fn no_directives_panic_and_stored_ones_are_the_accepted_ones(
        text in unit_text(),
        name in unit_name(),
    ) {
        if let Ok(file) = UnitFile::parse(&text) {
            let lenient = Directives::lenient(&file, &name);
            prop_assert!(lenient.warnings().iter().all(|warning| !warning.is_empty()));
            if let Ok(accepted) = Directives::of(&file, &name) {
                prop_assert_eq!(accepted, lenient);
            }
        }
    }

    #[test]
    fn names_are_their_own_text(text in "\\PC{0,12}(@\\PC{0,4})?(\\.service|\\.mount|\\PC{0,4})") {
        if let Ok(name) = text.parse::<UnitName>() {
            prop_assert_eq!(name.as_str(), &text);
            prop_assert_eq!(format!("{}.{}", name.stem(), name.kind()), text.as_str());
            prop_assert!(name.stem().starts_with(name.prefix()));
            prop_assert!(!text.contains('/'));
        }
        if let Ok(name) = UnitName::from_argument(&text) {
            prop_assert!(UnitName::complete(&text).ends_with(name.as_str()));
        }
        if let Ok(id) = text.parse::<MachineId>() {
            prop_assert!(id.matches(id.short()) && id.matches(&text));
        }
    }

    #[test]
    fn instances_belong_to_their_template(name in unit_name()) {
        prop_assert_eq!(name.template().is_some(), name.is_instance());
        prop_assert!(name.template().is_none_or(|template| template.is_template()));
    }

    #[test]
    fn no_pattern_panics_and_literal_ones_match_themselves(
        pattern in "[a-c*?\\[\\]^\\\\/-]{0,8}|\\PC{0,6}",
        text in "[a-c/-]{0,8}|\\PC{0,6}",
    ) {
        let glob = Glob::lenient(&pattern);
        prop_assert!(!glob.is_malformed() || !glob.matches(&text));
        if let Some(literal) = glob.as_literal() {
            prop_assert!(glob.matches(&literal));
            prop_assert_eq!(glob.matches(&text), literal == text);
        }
    }

    #[test]
    fn stars_match_what_a_simple_matcher_matches(
        pattern in "[ab*?]{0,8}",
        text in "[ab]{0,8}",
    ) {
        let expected = simple_match(pattern.as_bytes(), text.as_bytes());
        prop_assert_eq!(Glob::lenient(&pattern).matches(&text), expected, "{} {}", pattern, text);
    }

    #[test]
    fn tokens_are_read_back_and_other_text_is_refused(
        limit in any::<u16>(),
        page in any::<u16>(),
        text in "[A-Za-z0-9_=-]{0,10}|\\PC{0,8}",
    ) {
        let token = PageToken { limit, page };
        prop_assert_eq!(PageToken::decode(&token.encode()), Ok(token));
        if let Ok(decoded) = PageToken::decode(&text) {
            prop_assert_eq!(decoded.encode(), text);
        }
    }

    #[test]
    fn pages_put_together_are_the_list(count in 0_usize..300, limit in 1_u16..100) {
        let entries: Vec<usize> = (0..count).collect();
        let mut seen = Vec::new();
        let mut next = Some(PageToken::first(limit));
        while let Some(token) = next {
            let (page, following) = token.slice(&entries);
            seen.extend_from_slice(page);
            next = following;
        }
        prop_assert_eq!(seen, entries);
    }

    #[test]
    fn no_body_hash_or_word_panics(text in any::<String>(), bytes in any::<Vec<u8>>()) {
        prop_assert!(api::from_json::<api::Unit>(&bytes).is_err() || !bytes.is_empty());
        prop_assert!(text.parse::<UnitHash>().is_err() || text.len() == 40);
        prop_assert!(nearest(&text, ["Global", "MachineOf"]).is_none_or(|known| known.len() > 5));
    }

    #[test]
    fn hashes_are_read_back(options in options()) {
        if let Ok(file) = UnitFile::from_options(options) {
            prop_assert_eq!(file.hash().to_string().parse(), Ok(file.hash()));
        }
    }
}

fn simple_match(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern, text) {
        ([], []) => true,
        ([b'*', pattern @ ..], _) => {
            (0..=text.len()).any(|taken| simple_match(pattern, &text[taken..]))
        }
        ([b'?', pattern @ ..], [_, text @ ..]) => simple_match(pattern, text),
        ([wanted, pattern @ ..], [found, text @ ..]) => {
            wanted == found && simple_match(pattern, text)
        }
        (_, []) | ([], _) => false,
    }
}
