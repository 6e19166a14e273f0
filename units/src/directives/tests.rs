use super::*;

/// The directives of a unit with such a section, if they can go together.
fn directives(section: &str, name: &str) -> Result<Directives, DirectiveError> {
    let text = format!("[X-Fleet]\n{section}");
    Directives::of(&UnitFile::parse(&text).unwrap(), &name.parse().unwrap())
}

fn read(section: &str) -> Directives {
    directives(section, "hello.service").unwrap()
}

fn globs<const N: usize>(patterns: [&str; N]) -> Vec<Glob> {
    patterns.into_iter().map(Glob::lenient).collect()
}

fn metadata<const N: usize>(pairs: [(&str, &[&str]); N]) -> BTreeMap<String, BTreeSet<String>> {
    let set = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
    pairs.into_iter().map(|(key, values)| (key.to_owned(), set(values))).collect()
}

#[test]
fn every_directive_is_read() {
    assert_eq!(
        read(
            "MachineOf=db.service\nConflicts=web@*.service\nMachineMetadata=disk=ssd\nGlobal=false\nFoo=bar"
        ),
        Directives {
            machine_id: None,
            machine_of: vec!["db.service".into()],
            conflicts: globs(["web@*.service"]),
            metadata: metadata([("disk", &["ssd"])]),
            global: false,
            replaces: Vec::new(),
            unknown: vec![UnknownDirective { key: "Foo".into() }],
            malformed: Vec::new(),
            misspelt: BTreeSet::new(),
        }
    );
}

#[test]
fn other_sections_hold_no_directives() {
    let file =
        UnitFile::parse("[Unit]\nMachineID=abc\nGlobal=true\nConflicts=a.service\n").unwrap();

    assert_eq!(Directives::of(&file, &"hello.service".parse().unwrap()), Ok(Directives::default()));
}

#[test]
fn the_first_machine_id_counts_and_modern_spelling_beats_legacy() {
    for (section, expected) in [
        ("MachineID=abc", Some("abc")),
        ("MachineID=\"123\" \"456\"", Some("123")),
        ("MachineID=123\nMachineID=456", Some("123")),
        ("X-ConditionMachineID=old\nMachineID=new", Some("new")),
        ("MachineID=new\nX-ConditionMachineID=old", Some("new")),
        ("X-ConditionMachineBootID=boot\nX-ConditionMachineID=id", Some("id")),
        ("X-ConditionMachineBootID=boot", Some("boot")),
        ("MachineID=", None),
        ("MachineID=\"\"", None),
        ("MachineId=abc", None),
    ] {
        assert_eq!(read(section).machine_id.as_deref(), expected, "{section}");
    }
}

#[test]
fn machine_of_takes_legacy_values_first_and_splits_only_quoted_chunks() {
    for (section, expected) in [
        ("MachineOf=a.service", vec!["a.service"]),
        ("MachineOf=a.service\nX-ConditionMachineOf=b.service", vec!["b.service", "a.service"]),
        ("MachineOf=\"a.service\" \"b.service\"", vec!["a.service", "b.service"]),
        ("MachineOf=a.service\nMachineOf=b.service", vec!["a.service", "b.service"]),
        ("MachineOf=a.service b.service", vec!["a.service b.service"]),
        ("Machineof=a.service", vec![]),
        ("X-MachineOf=a.service", vec![]),
    ] {
        assert_eq!(read(section).machine_of, expected, "{section}");
    }
}

#[test]
fn conflicts_are_split_at_blanks_and_take_legacy_values_first() {
    for (section, expected) in [
        ("Conflicts=*bar*", globs(["*bar*"]).to_vec()),
        ("Conflicts=a.service\nX-Conflicts=b.service", globs(["b.service", "a.service"])),
        ("Conflicts=a.service  b.service", globs(["a.service", "b.service"])),
        ("Conflicts=\"a.service\" \"b.service c.service\"", {
            globs(["a.service", "b.service", "c.service"])
        }),
        ("Conflicts=", globs([])),
        ("X-ConditionConflicts=a.service", globs([])),
    ] {
        assert_eq!(read(section).conflicts, expected, "{section}");
    }
}

#[test]
fn replaces_is_not_split_at_blanks() {
    assert_eq!(read("Replaces=a.service b.service").replaces, globs(["a.service b.service"]));
    assert_eq!(
        read("Replaces=a@*.service\nReplaces=b.service").replaces,
        globs(["a@*.service", "b.service"])
    );
}

#[test]
fn metadata_of_one_key_are_alternatives_and_malformed_pairs_are_told() {
    let directives = read(
        "MachineMetadata=oh=yeah\nX-ConditionMachineMetadata=oh=no\nMachineMetadata=\"one=abc\" \"two=def\"\nMachineMetadata=ignored=\nMachineMetadata==x\nMachineMetadata=a=b=c\nMachineMetadata=word",
    );

    assert_eq!(
        directives.metadata,
        metadata([("oh", &["no", "yeah"]), ("one", &["abc"]), ("two", &["def"])])
    );
    let malformed: Vec<&str> = directives.malformed.iter().map(|one| one.value.as_str()).collect();
    assert_eq!(malformed, ["ignored=", "=x", "a=b=c", "word"]);
}

#[test]
fn global_takes_words_for_true_and_the_last_one_wins() {
    for (section, expected) in [
        ("Global=true", true),
        ("Global=True", true),
        ("Global=Yes", true),
        ("Global=On", true),
        ("Global=1", true),
        ("Global=t", true),
        ("Global=\"true\"", true),
        ("Global=no\nGlobal=true", true),
        ("Global=true\nGlobal=no", false),
        ("Global=true\nGlobal=", false),
        ("Global=what\nGlobal=true\nGlobal=wat", false),
        ("Global=false", false),
        ("Global=12", false),
        ("Global=what", false),
        ("X-Global=true", false),
        ("global=true", false),
    ] {
        assert_eq!(read(section).global, expected, "{section}");
    }
}

#[test]
fn specifiers_are_expanded_in_every_directive() {
    let section =
        "MachineOf=%p@%i.socket\nConflicts=%p@*.service x-%N.service\nMachineMetadata=unit=%n";

    let directives = directives(section, "web@2.service").unwrap();

    assert_eq!(directives.machine_of, ["web@2.socket"]);
    assert_eq!(directives.conflicts, globs(["web@*.service", "x-web@2.service"]));
    assert_eq!(directives.metadata, metadata([("unit", &["web@2.service"])]));
}

#[test]
fn combinations_that_cannot_be_met_are_refused_in_1_0s_words() {
    for (section, expected) in [
        (
            "MachineOf=foo.service\nConflicts=bar.service *foo*\nReplaces=foo.service\nMachineID=a",
            r#"unresolvable requirements: peer "foo.service" matches conflict "*foo*""#,
        ),
        (
            "MachineOf=foo.service\nReplaces=foo*",
            r#"unresolvable requirements: peer "foo.service" matches replace "foo*""#,
        ),
        ("MachineID=a\nMachineOf=b.service\nGlobal=true", "MachineID cannot be used with Peers"),
        ("MachineID=a\nConflicts=b.service\nGlobal=1", "MachineID cannot be used with Conflicts"),
        ("MachineID=a\nGlobal=true\nReplaces=b.service", "MachineID cannot be used with Global"),
        ("MachineID=a\nReplaces=b.service", "MachineID cannot be used with Replaces"),
        ("Global=true\nMachineOf=b.service", "Global cannot be used with Peers"),
        ("Global=true\nReplaces=b.service\nConflicts=c", "Global cannot be used with Replaces"),
        ("Conflicts=a.service\nReplaces=b.service", "Conflicts cannot be used with Replaces"),
        ("X-ConditionMachineID=a\nX-Conflicts=b", "MachineID cannot be used with Conflicts"),
        ("Conflicts=[\nReplaces=b.service", "Conflicts cannot be used with Replaces"),
    ] {
        let refused = directives(section, "hello.service").map_err(|error| error.to_string());
        assert_eq!(refused, Err(expected.to_owned()), "{section}");
    }
}

#[test]
fn more_peers_than_a_transaction_can_compare_are_refused() {
    let peers = |count: u8| -> String {
        (1..=count).map(|number| format!("MachineOf=p{number}.service\n")).collect()
    };

    let refused = directives(&peers(31), "hello.service").map_err(|error| error.to_string());

    assert!(directives(&peers(30), "hello.service").is_ok());
    let words = "MachineOf names 31 units, 30 at most are possible: chain them, each naming the \
                 one before";
    assert_eq!(refused, Err(words.to_owned()));
}

#[test]
fn a_unit_that_waits_for_itself_is_refused() {
    let words = "MachineOf names web@1.service itself, which would wait for itself for ever: name \
                 the unit to join";

    for section in
        ["MachineOf=web@1.service", "X-ConditionMachineOf=db.service\nMachineOf=%p@%i.service"]
    {
        let refused = directives(section, "web@1.service").map_err(|error| error.to_string());
        assert_eq!(refused, Err(words.to_owned()), "{section}");
    }
    assert_eq!(directives("MachineOf=web@1.service", "web@2.service").map(|_| ()), Ok(()));
}

#[test]
fn combinations_that_can_be_met_are_accepted() {
    for section in [
        "MachineID=a\nMachineMetadata=b=c",
        "Global=true\nConflicts=b.service",
        "Global=true\nMachineMetadata=b=c",
        "MachineOf=a.service\nConflicts=b.service",
        "MachineOf=a.service\nReplaces=b.service",
        "MachineID=a\nGlobal=false",
        "MachineID=a\nMachineID=b",
        "Conflicts=hello.service *",
        "Replaces=hello.service",
        "MachineOf=a.service\nConflicts=[",
    ] {
        assert_eq!(directives(section, "hello.service").map(|_| ()), Ok(()), "{section}");
    }
}

#[test]
fn stored_units_are_read_whatever_they_combine() {
    let file = UnitFile::parse("[X-Fleet]\nMachineID=a\nGlobal=true").unwrap();

    let directives = Directives::lenient(&file, &"hello.service".parse().unwrap());

    assert_eq!(
        directives,
        Directives { machine_id: Some("a".into()), global: true, ..Directives::default() }
    );
}

#[test]
fn all_spellings_of_1_0_are_known() {
    for key in KNOWN {
        assert_eq!(read(&format!("{key}=false")).unknown, [], "{key}");
    }
}

#[test]
fn people_are_told_of_all_that_is_known() {
    let legacy = DIRECTIVES.iter().flat_map(|directive| directive.legacy);
    let told = DIRECTIVES.iter().map(|directive| &directive.name).chain(legacy);
    assert_eq!(told.copied().collect::<BTreeSet<_>>(), BTreeSet::from(KNOWN));
}

#[test]
fn unknown_keys_come_with_the_nearest_known_one() {
    for (key, expected) in [
        ("X-ConditionConflicts", Some("Conflicts")),
        ("X-Peers", None),
        ("Machineof", Some("MachineOf")),
        ("X-Global", Some("Global")),
        ("global", Some("Global")),
        ("X-ConditionMachineId", Some("MachineID")),
        ("MachineId", Some("MachineID")),
        ("X-MachineMetadata", Some("MachineMetadata")),
        ("X-ConditionMetadata", Some("MachineMetadata")),
        ("Metadata", Some("MachineMetadata")),
        ("Foo", None),
        ("", None),
    ] {
        let unknown = read(&format!("{key}=x\n{key}=y")).unknown;
        let found: Vec<_> = unknown.iter().map(|one| (one.key.as_str(), one.nearest())).collect();
        assert_eq!(found, [(key, expected)]);
    }
}

#[test]
fn warnings_say_what_to_write_instead() {
    assert_eq!(
        read("MachineId=a\nPeers=b\nMachineOf=a b\nConflicts=[a\nMachineMetadata=x\nGlobal=12")
            .warnings(),
        [
            r#"unrecognized requirement in [X-Fleet] section: "MachineId", did you mean "MachineID"?"#,
            r#"unrecognized requirement in [X-Fleet] section: "Peers""#,
            "MachineOf=a b in [X-Fleet] section: name one unit, such as hello.service, per line, or each in quotes",
            r#"Conflicts=[a in [X-Fleet] section: close each "[" with "]" and write "\\" for a backslash"#,
            r#"MachineMetadata=x in [X-Fleet] section: write "key=value", each pair on a line of its own or in quotes"#,
            r#"Global=12 in [X-Fleet] section: write "true" or "false""#,
        ]
    );
}

#[test]
fn of_very_many_warnings_the_first_ones_are_told() {
    let lines: Vec<_> = (0..25).map(|number| format!("Key{number}=")).collect();

    let warnings = read(&lines.join("\n")).warnings();

    assert_eq!(
        (warnings.len(), warnings.last().map(String::as_str)),
        (21, Some("and 5 more of this kind"))
    );
}

#[test]
fn specifiers_do_not_make_gigabytes_of_a_unit() {
    let name = format!("{}.service", "x".repeat(248));
    let section = format!("Conflicts={}\nConflicts=web@*.service\n", "%n".repeat(250_000));

    let read = directives(&section, &name).unwrap();

    let told = MalformedDirective {
        key: CONFLICTS,
        value: format!("{}...", "%n".repeat(30)),
        instead: "with its specifiers expanded, the directives of this unit would be larger than 1 MiB: write less of them",
    };
    assert_eq!(
        read,
        Directives {
            conflicts: globs(["web@*.service"]),
            malformed: vec![told],
            ..Directives::default()
        }
    );
    let plain = format!("Conflicts={}", "web@*.service ".repeat(30_000));
    assert_eq!(directives(&plain, &name).unwrap().conflicts.len(), 30_000);
}

#[test]
fn what_has_no_effect_is_told() {
    for (section, expected) in [
        ("MachineID=a\nX-ConditionMachineID=a", None),
        (
            "X-ConditionMachineID=a\nMachineID=b",
            Some(
                "X-ConditionMachineID=a in [X-Fleet] section: a unit has one machine, and another one is named first: remove one of them",
            ),
        ),
        (
            "MachineID=\"a b\"",
            Some(
                "MachineID=a b in [X-Fleet] section: write the id of one machine, or its first eight characters",
            ),
        ),
        (
            "MachineOf=web@.service",
            Some(
                "MachineOf=web@.service in [X-Fleet] section: a template runs nowhere: name an instance of it",
            ),
        ),
        ("Replaces=hell?.service", None),
        (
            "Replaces=%n",
            Some(
                "Replaces=hello.service in [X-Fleet] section: a unit does not replace itself: name the one that is to give way",
            ),
        ),
    ] {
        let expected: Vec<_> = expected.into_iter().collect();
        assert_eq!(read(section).warnings(), expected, "{section}");
    }
    let template = directives("MachineOf=db@%i.service", "web@.service").unwrap();
    assert_eq!(template.warnings(), Vec::<String>::new());
}

#[test]
fn a_section_that_is_almost_that_of_the_directives_is_told() {
    for (section, is_told) in [
        ("x-fleet", true),
        ("X-FLEET", true),
        ("Fleet", true),
        ("X-Flet", true),
        ("X-Fleet", false),
        ("X-Float-Away", false),
        ("Unit", false),
        ("Slice", false),
        ("Install", false),
    ] {
        let text = format!("[{section}]\nGlobal=true\nGlobal=no\n");
        let file = UnitFile::parse(&text).unwrap();
        let told = Directives::lenient(&file, &"hello.service".parse().unwrap()).warnings();
        let warning = format!("section [{section}] is ignored, did you mean [X-Fleet]?");
        let expected = if is_told { vec![warning] } else { vec![] };
        assert_eq!(told, expected, "{section}");
    }
}

#[test]
fn only_lines_of_quoted_chunks_are_split() {
    for (line, expected) in [
        (r#""bar" "ping" "pong""#, vec!["bar", "ping", "pong"]),
        (r#""bar"  "ping""#, vec!["bar", "ping"]),
        (r#""bar""#, vec!["bar"]),
        (r#""a b" "c""#, vec!["a b", "c"]),
        (r#""""#, vec![""]),
        (r#"""#, vec![""]),
        (r#""bar"#, vec!["\"bar"]),
        (r#"bar""#, vec!["bar\""]),
        (r#""bar" ""#, vec!["bar", ""]),
        (r#""foo\"bar""#, vec![r"foo\bar"]),
        ("bar ping", vec!["bar ping"]),
        ("", vec![""]),
    ] {
        assert_eq!(split_quoted(line), expected, "{line}");
    }
}
