use super::*;
use crate::error::chain;

const ONE: &str = "[Service]\nExecStart=/bin/one\n";
const COMMENTED: &str = "# first\n[Service]\nExecStart=/bin/one\n";
const TWO: &str = "[Service]\nExecStart=/bin/two\n";
const CLASH: &str = "[X-Fleet]\nGlobal=true\nMachineOf=b.service\n";
const TYPO: &str = "[X-Fleet]\nMachineId=abc\n";
const NONE: &str = "ExecStart=/bin/one\n[Service\n";

fn file(text: &str) -> UnitFile {
    UnitFile::parse(text).unwrap()
}

fn local(path: &str, text: &str) -> Option<Local> {
    let contents = UnitFile::parse(text).map_err(LocalError::from);
    Some(Local { path: PathBuf::from(path), contents })
}

fn registered(desired: TargetState, text: &str) -> Option<Registered> {
    Some(Registered { desired, contents: Some(file(text)), verbatim: true })
}

fn shown(argument: &str, findings: Findings, may_replace: Option<&[TargetState]>) -> String {
    let argument = Argument::parse(argument).unwrap();
    match resolve(&argument, findings, may_replace) {
        Ok(Resolved::Keep { note: None }) => "keep".to_owned(),
        Ok(Resolved::Keep { note: Some(note) }) => format!("keep, {note}"),
        Ok(Resolved::Same { note }) => format!("same, {note}"),
        Ok(Resolved::Write { contents, notes }) => {
            let first = contents.options().first().map(|option| option.value.clone());
            format!("write {} {}", first.unwrap_or_default(), notes.join(", "))
        }
        Err(error) => format!("error: {}", chain(&error)),
    }
}

#[test]
fn contents_come_from_registry_then_file_then_registered_template_then_template_file() {
    let launched = TargetState::Launched;
    let all = || Findings {
        registered: registered(launched, ONE),
        file: local("dir/a@1.service", TWO),
        template: Some(file("[Service]\nExecStart=/bin/template\n")),
        template_file: local("dir/a@.service", "[Service]\nExecStart=/bin/local\n"),
    };
    let cases = [
        ("in the registry and on disk", all()),
        (
            "the same in the registry and on disk",
            Findings { file: local("dir/a@1.service", COMMENTED), ..all() },
        ),
        ("in the registry, template on disk", Findings { file: None, ..all() }),
        ("only in the registry", Findings { file: None, template_file: None, ..all() }),
        ("on disk", Findings { registered: None, ..all() }),
        ("template in the registry", Findings { registered: None, file: None, ..all() }),
        ("template on disk", Findings { registered: None, file: None, template: None, ..all() }),
        ("nowhere", Findings::default()),
    ];
    let rows =
        cases.map(|(case, findings)| format!("{case}: {}", shown("dir/a@1", findings, None)));
    insta::assert_snapshot!(rows.join("\n"), @r#"
    in the registry and on disk: keep, WARNING: Unit a@1.service in registry differs from local unit file dir/a@1.service. Add --replace to override.
    the same in the registry and on disk: keep
    in the registry, template on disk: keep, WARNING: Unit a@1.service in registry differs from local template unit file dir/a@.service. Add --replace to override.
    only in the registry: keep
    on disk: write /bin/two 
    template in the registry: write /bin/template 
    template on disk: write /bin/local 
    nowhere: error: failed getting Unit(dir/a@1.service) from template: unable to find template Unit(a@.service) in Registry or on filesystem
    "#);
}

#[test]
fn what_is_no_unit_or_makes_no_sense_is_told_with_its_name() {
    let on_disk = |text| Findings { file: local("dir/a.service", text), ..Findings::default() };
    let unreadable = Some(Local {
        path: PathBuf::from("dir/a.service"),
        contents: Err(LocalError::Unreadable("permission denied".to_owned())),
    });
    let cases = [
        Findings::default(),
        on_disk(NONE),
        on_disk("Some prose.\n"),
        on_disk("[Service]\n"),
        on_disk(CLASH),
        on_disk(TYPO),
        Findings { file: unreadable, ..Findings::default() },
    ];
    let rows = cases.map(|findings| shown("dir/a.service", findings, None));
    let name = Argument::parse("dir/a b.service").map_err(|error| chain(&error));
    insta::assert_snapshot!(format!("{}\n{name:?}", rows.join("\n")), @r#"
    error: unable to find Unit(a.service) in Registry or on filesystem
    error: failed getting Unit(dir/a.service) from file: line 2: section header "[Service" has no end: write "[Section]" on a line of its own
    error: failed getting Unit(dir/a.service) from file: line 1: not a unit file: no [Section] header: put one, such as [Service], before "Some prose."
    error: failed getting Unit(dir/a.service) from file: it holds no option: write a section such as [Service], and ExecStart= in it
    error: failed creating unit a.service: Global cannot be used with Peers
    write abc Unit a.service: unrecognized requirement in [X-Fleet] section: "MachineId", did you mean "MachineID"?
    error: failed getting Unit(dir/a.service) from file: cannot read it: permission denied
    Err("error extracting information from unit name dir/a b.service: invalid character ' ' in unit name")
    "#);
}

#[test]
fn a_unit_is_replaced_by_what_is_on_disk_if_the_command_may() {
    let states: &[TargetState] = &[TargetState::Inactive, TargetState::Loaded];
    let of = |state, text, path: Option<&str>| Findings {
        registered: registered(state, text),
        file: path.and_then(|_| local("a@1.service", TWO)),
        template: Some(file(ONE)),
        template_file: local("a@.service", COMMENTED),
    };
    let cases = [
        ("from its file", of(TargetState::Loaded, ONE, Some("file"))),
        ("from the template beside it", of(TargetState::Loaded, TWO, None)),
        (
            "from the registered template",
            Findings { template_file: None, ..of(TargetState::Loaded, TWO, None) },
        ),
        ("it is the same", of(TargetState::Launched, TWO, Some("file"))),
        ("only comments differ", of(TargetState::Loaded, ONE, None)),
        ("it runs", of(TargetState::Launched, ONE, Some("file"))),
        (
            "nothing to replace it by",
            Findings { template: None, template_file: None, ..of(TargetState::Loaded, ONE, None) },
        ),
    ];
    let rows = cases.map(|(case, findings)| {
        format!("{case}: {}", shown("a@1.service", findings, Some(states)))
    });
    insta::assert_snapshot!(rows.join("\n"), @r#"
    from its file: write /bin/two 
    from the template beside it: write /bin/one 
    from the registered template: write /bin/one 
    it is the same: same, Found same Unit(a@1.service) in Registry, nothing to do
    only comments differ: write /bin/one 
    it runs: keep, Warning: can not replace Unit(a@1.service) in state 'launched', use the appropriate command
    nothing to replace it by: error: unable to find Unit(a@1.service) in Registry or on filesystem
    "#);
}

#[test]
fn files_are_looked_for_beside_the_argument_and_absence_is_no_error() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a@.service");
    std::fs::write(&path, ONE).unwrap();
    std::fs::create_dir(directory.path().join("a@1.service")).unwrap();
    let argument = Argument::parse(&directory.path().join("a@1").to_string_lossy()).unwrap();
    assert_eq!(argument.local(), (None, Some(Local { path, contents: Ok(file(ONE)) })));
}
