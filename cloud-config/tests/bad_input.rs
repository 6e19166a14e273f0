//! What is no document at all is refused with a sentence and a place, in bounded time and memory.

use cloud_config::document::{CloudConfig, read};
use cloud_config::facts::Facts;

/// Reads what must be refused, and returns why.
fn refusal(bytes: &[u8]) -> String {
    let read = read(bytes, &Facts::sample());
    assert!(read.has_errors(), "{:?}", read.problems);
    assert_eq!((read.config, read.scripts), (CloudConfig::default(), vec![]));
    let told: Vec<String> = read.problems.iter().map(ToString::to_string).collect();
    told.join("\n")
}

const TAB: &str = "error: a tab where blanks should be: write blanks";

const COLONS: &str = "error: a second `: ` in one line, or a line that is indented too far: put the \
                      value in quotes, or align the line with its neighbours";

#[test]
fn a_tab_is_told_where_it_is() {
    for (text, place) in [
        ("\t\n", "2:1"),
        ("coreos:\n\tunits:\n", "3:1"),
        ("hostname: one\n\ttimezone: UTC\n", "3:1"),
        ("hostname:\tone\n", "2:10"),
        ("write_files:\n  - path: /etc/a\n    content: |\n\tx\n", "5:1"),
        ("write_files:\n  - path: /etc/a\n    content: |\n      x\n\ty\n", "6:1"),
    ] {
        assert_eq!(
            refusal(format!("#cloud-config\n{text}").as_bytes()),
            format!("{place}: {TAB}"),
            "{text:?}"
        );
    }
}

#[test]
fn what_is_not_yaml_is_told_in_words() {
    for (text, expected) in [
        ("a:\na\n", "3:1: error: a key without `:`: write `key: value`"),
        ("# why\na:\na\n", "4:1: error: a key without `:`: write `key: value`"),
        ("hostname: one\nb c\n", "3:1: error: a key without `:`: write `key: value`"),
        ("hostname: a: b\n", &format!("2:12: {COLONS}")),
        ("hostname: one\n  timezone: UTC\n", &format!("3:11: {COLONS}")),
        (
            "users:\n  - name: a\n   passwd: b\n",
            "4:4: error: a key beside items of a list: align it with the key before the list, or begin it with `- `",
        ),
        (
            "coreos:\n  etcd:\n    addr: a\n   name: b\n",
            "5:4: error: is indented differently from the keys before it: align it with them",
        ),
        ("hostname: \"one\n", "2:11: error: a quote that is not closed"),
        (
            "hostname: \"a\\qb\"\n",
            "2:11: error: a backslash in double quotes: write `\\\\`, or use single quotes",
        ),
        ("hostname: \"a\" b\n", "2:15: error: text after the closing quote"),
        ("hostname: @one\n", "2:11: error: `@` cannot begin a value: put the value in quotes"),
        ("hostname: *one\n", "2:11: error: an alias `*name` without an anchor `&name` before it"),
        (
            "hostname: {{ name }}\n",
            "2:12: error: a key must be text, not a list or map: a value that begins with `{` or `[` must be in quotes",
        ),
        ("users: [a, b\n", "2:1: error: a list `[...]` needs `,` or `]` here"),
        ("a: &a [*a]\n", "2:8: error: an alias stands for a value that holds it"),
        ("a: \u{10ff01}\n", "2:4: error: a character from U+10FF00 to U+10FF04: remove it"),
        (
            "a: \u{1}\n",
            "2:4: error: a control character (0x01): remove it, or use `encoding: base64`",
        ),
    ] {
        assert_eq!(refusal(format!("#cloud-config\n{text}").as_bytes()), expected, "{text:?}");
    }
}

#[test]
fn a_byte_that_is_not_text_is_told_with_its_place() {
    assert_eq!(
        refusal(b"#cloud-config\nhostname: \xc3\xbc\xfc\n"),
        "2:12: error: byte 0xfc is not UTF-8: save the document as UTF-8"
    );
    assert_eq!(
        refusal(b"\xff\xfe#\0c\0"),
        "1:1: error: is UTF-16, not UTF-8: save the document as UTF-8"
    );
    assert_eq!(
        refusal(b"\x7fELF\x02\x01"),
        "1:1: error: a control character (0x7f): remove it, or use `encoding: base64`"
    );
}

#[test]
fn size_is_bounded_wherever_it_comes_from() {
    let values =
        "error: says more than 100000 values or 16 MiB, aliases counted: use fewer aliases";
    let names = "bcdefghij".chars().scan('a', |last, name| {
        let of = std::mem::replace(last, name);
        Some(format!("{name}: &{name} [{}]\n", format!("*{of},").repeat(9)))
    });
    let bomb = format!("#cloud-config\na: &a [x,x,x,x,x,x,x,x,x]\n{}", names.collect::<String>());
    let long = format!("#cloud-config\nx: &x {}\nl: [{}]\n", "y".repeat(1 << 20), "*x,".repeat(99));
    let many = format!("#cloud-config\nruncmd: [{}]\n", "a,".repeat(100_001));
    let deep: String = (0..1000).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
    for (text, expected) in [
        (bomb, format!("7:8: {values}")),
        (long, format!("3:47: {values}")),
        (many, format!("2:200004: {values}")),
        (format!("#cloud-config\n{deep}"), "65:64: error: is nested more than 64 deep".to_owned()),
        (
            format!("#cloud-config\na: {}", "[".repeat(100_000)),
            "2:259: error: is nested too deep".to_owned(),
        ),
        (
            format!("#cloud-config\na: {}", "x".repeat(10_000_000)),
            "1:1: error: is larger than 4 MiB".to_owned(),
        ),
    ] {
        let refused = refusal(text.as_bytes());
        assert_eq!(refused.split(": ").nth(1), Some("error"), "{refused}");
        assert_eq!(refused, expected);
    }
}

#[test]
fn what_is_told_fits_a_line() {
    let controls = "\u{1b}[31m\u{f}".repeat(40);
    for text in [
        format!("Content-Type: multipart/mixed; boundary=\"{controls}\"\n\n--b\n"),
        format!(
            "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/jinja{controls}\n\nx\n--b--\n"
        ),
        "#cloud-config\nhostname: [\"\\e[31m\"]\n\"\\e[31m\": 1\n\"\\e[31m\": 2\n".to_owned(),
        "#cloud-config\ncoreos: {units: [{name: a.service, cluster: true, command: stop, content: \
         \"[X-Fleet]\\nMachineMetadata=a\\e[31m\\nMachineOf=b\\tc\"}]}\n"
            .to_owned(),
        "#cloud-config\nusers: [{name: \"\\e[31m\", shell: \"\\e[31m\"}]\n".to_owned(),
    ] {
        let problems = read(text.as_bytes(), &Facts::sample()).problems;
        assert!(!problems.is_empty(), "{text:?}");
        for line in problems.iter().map(ToString::to_string) {
            assert!(!line.contains(char::is_control) && line.len() < 500, "{line:?}");
        }
    }
}
