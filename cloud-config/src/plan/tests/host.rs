//! Users, files and names.

use super::*;

#[test]
fn a_group_that_is_there_before_its_user_is_the_users() {
    for text in [
        "users: [{name: joe}, {name: ann, groups: [joe]}]\n",
        "groups: joe\nusers: [{name: joe}]\n",
        "users: [{name: joe}, {name: ann, primary_group: joe}]\n",
    ] {
        let host = after(&bare(), &of(text, &bare()));

        let joe = &host.accounts.users["joe"];
        assert_eq!(joe.gid, host.accounts.groups["joe"].gid, "{text}");
    }
    let host = after(&bare(), &of("groups: core\nssh_authorized_keys: [ssh-rsa k]\n", &bare()));
    assert_eq!(host.accounts.users["core"].gid, host.accounts.groups["core"].gid);
}

#[test]
fn lines_are_added_once() {
    let text = "write_files:\n  - {path: /etc/l, content: a, append: true}\n  \
                - {path: /etc/l, content: b, append: true}\n";
    let mut host = bare();
    host.files.insert("/etc/l".into(), regular("old", 0o644));

    for _ in 0..3 {
        host = after(&host, &of(text, &host));
        assert_eq!(content(&host, "/etc/l"), "old\na\nb");
    }
}

#[test]
fn a_group_alone_or_that_of_a_user_owns_a_file_as_chown_has_it() {
    let text = "write_files: [{path: /etc/a, owner: ':sudo'}, {path: /etc/b, owner: 'jane:'}]\n";
    let mut host = bare();
    let jane = Account { uid: 500, gid: 27, home: "/home/jane".into() };
    host.accounts.users.insert("jane".to_owned(), jane);

    let host = after(&host, &of(text, &host));

    for (path, expected) in [("/etc/a", (0, 27)), ("/etc/b", (500, 27))] {
        let Some(FileState::Regular(file)) = host.files.get(Path::new(path)) else { panic!() };
        assert_eq!(file.owner, expected, "{path}");
    }
    assert_eq!(words(&of(text, &host)), [""; 0]);
}

#[test]
fn a_time_zone_that_is_a_folder_is_none() {
    let mut host = bare();
    host.files.insert("/usr/share/zoneinfo/Europe".into(), FileState::Other);

    let plan = of("timezone: Europe\n", &host);

    assert_eq!(words(&plan), [""; 0]);
    assert!(plan.problems[0].text.contains("is no file on this host"));
}
