//! What user data can be packed in.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cloud_config::document::{MAX_BYTES, Read, read};
use cloud_config::facts::Facts;
use flate2::Compression;
use flate2::write::GzEncoder;

fn pack(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn sample(bytes: impl AsRef<[u8]>) -> Read {
    read(bytes.as_ref(), &Facts::sample())
}

fn told(read: &Read) -> Vec<String> {
    read.problems.iter().map(ToString::to_string).collect()
}

fn scripts(read: &Read) -> Vec<(&str, String)> {
    let text = |content: &[u8]| String::from_utf8(content.to_vec()).unwrap();
    read.scripts.iter().map(|script| (script.name.as_str(), text(&script.content))).collect()
}

/// A message of two levels: texts, packed and encoded ones.
fn message() -> String {
    let packed = STANDARD.encode(pack(b"#cloud-config\nruncmd: [two]\n"));
    let script = STANDARD.encode("#!/usr/bin/python3\nprint('$private_ipv4')\n");
    format!(
        "Content-Type: multipart/mixed;\n boundary=\"outer\"\nMIME-Version: 1.0\n\nfor people\n\
         --outer\nContent-Type: text/cloud-config; charset=\"us-ascii\"\n\n\
         #cloud-config\nhostname: one\nruncmd: [one]\n\
         --outer\nContent-Type: multipart/mixed; boundary=inner\n\n\
         --inner\nContent-Type: application/gzip\nContent-Transfer-Encoding: base64\n\n{packed}\n\
         --inner\nContent-Type: text/x-shellscript\nContent-Transfer-Encoding: base64\n\
         Content-Disposition: attachment; filename=\"set up.py\"\n\n{script}\n--inner--\n\
         --outer\nContent-Type: text/cloud-config\n\nhostname: three\nruncmd: [three]\n\
         --outer\nContent-Type: text/plain\n\n#!/bin/sh\necho plain\n\
         --outer--\nfor nobody\n"
    )
}

#[test]
fn nothing_says_nothing() {
    for text in
        ["", "\n", " \n\t\n", "#cloud-config", "#cloud-config\n---\n", "#cloud-config\n# a\n~\n"]
    {
        assert_eq!(sample(text), Read::default(), "{text:?}");
    }
}

#[test]
fn the_first_line_may_end_in_blanks() {
    for header in ["#cloud-config", "#cloud-config \t", "#cloud-config \r", "#cloud-config\u{a0}"] {
        let read = sample(format!("{header}\nhostname: one\n"));

        assert_eq!((read.config.hostname.as_deref(), told(&read)), (Some("one"), vec![]));
    }
}

#[test]
fn other_first_lines_are_refused_with_what_to_do() {
    let wanted =
        "1:1: error: the first line must be `#cloud-config`, or begin with `#!` for a script";
    for (text, hint) in [
        ("# cloud-config\n", ", without blanks or other words: it is almost that"),
        ("#cloud-confg\n", ", without blanks or other words: it is almost that"),
        ("\u{feff}#cloud-config\n", ": remove the byte order mark before it"),
        ("\n#cloud-config\n", ": remove the empty line before it"),
        (" #cloud-config\n", ": remove the blanks before it"),
        (" #!/bin/sh\n", ": remove the blanks before `#!`"),
        ("---\n#cloud-config\n", ": remove the lines before it"),
        ("hostname: one\n", ": write that above the text"),
        ("{}", ": write that above the text"),
        ("<html></html>", ": write that above the text"),
    ] {
        assert_eq!(told(&sample(text)), [format!("{wanted}{hint}")], "{text:?}");
    }
}

#[test]
fn documents_for_other_programs_are_refused_by_name() {
    for (text, expected) in [
        (
            "{\"ignitionVersion\": 0}",
            "is an Ignition config, which is for the first boot of CoreOS's successors: write a cloud-config, which begins with `#cloud-config`",
        ),
        (
            "{\"ignition\": {\"version\": \"3.0.0\"}}",
            "is an Ignition config, which is for the first boot of CoreOS's successors: write a cloud-config, which begins with `#cloud-config`",
        ),
        (
            "#include\nhttp://example.org/a\n",
            "is a list of URLs (#include), which fleet's cloud-config does not fetch: give the documents themselves, as parts of a multipart message if there are several",
        ),
        (
            "## template: jinja\n#cloud-config\n",
            "is a jinja template, which fleet's cloud-config does not fill in: use tokens such as `$private_ipv4`",
        ),
        (
            "#cloud-config-archive\n- a\n",
            "is an archive of documents (#cloud-config-archive), which fleet's cloud-config does not read: use a multipart message",
        ),
        (
            "#cloud-boothook\n",
            "is a boothook, which fleet's cloud-config does not run: begin the script with `#!/bin/sh`",
        ),
    ] {
        assert_eq!(told(&sample(text)), [format!("1:1: error: {expected}")]);
    }
}

#[test]
fn a_script_keeps_its_bytes_but_for_tokens() {
    let read = sample(b"#!/usr/bin/perl\nprint '$private_ipv4 \\$private_ipv4 \xff';\n");

    assert_eq!(told(&read), [""; 0]);
    assert_eq!(read.scripts.len(), 1);
    assert_eq!(
        (read.scripts[0].name.as_str(), read.scripts[0].content.as_slice()),
        ("user-data", b"#!/usr/bin/perl\nprint '192.0.2.1 $private_ipv4 \xff';\n".as_slice())
    );
}

#[test]
fn a_script_with_lines_of_windows_gets_a_warning() {
    let read = sample("#!bin/bash\r\necho\r\n");

    assert_eq!(
        told(&read),
        [
            "1:1: warning: lines end in CR LF, which the interpreter may take for part of its name: save the script with LF"
        ]
    );
    assert_eq!(scripts(&read), [("user-data", "#!bin/bash\r\necho\r\n".to_owned())]);
}

#[test]
fn a_script_on_a_host_without_addresses_is_an_error() {
    let read = read(b"#!/bin/sh\n# \xfc\n \xfc $public_ipv6\n", &Facts::default());

    assert_eq!(
        told(&read),
        ["3:4: error: the address for `$public_ipv6` is not known: set COREOS_PUBLIC_IPV6 in \
          /etc/environment, or write `\\$public_ipv6` for these very characters"]
    );
}

#[test]
fn packed_documents_are_the_documents() {
    let text = b"#cloud-config\nhostname: one\n";
    for bytes in [
        pack(text),
        pack(&pack(text)),
        STANDARD.encode(text).into_bytes(),
        STANDARD.encode(pack(text)).into_bytes(),
    ] {
        assert_eq!(sample(&bytes), sample(text), "{bytes:?}");
    }
}

#[test]
fn damaged_packing_is_an_error() {
    let packed = pack(b"#cloud-config\nhostname: one\n");
    let mut damaged = packed.clone();
    damaged[12] ^= 0xff;
    for (bytes, expected) in [
        (packed[..packed.len() - 4].to_vec(), "is cut off: the gzip data ends too early"),
        (damaged, "is not gzip data, or is damaged"),
        (pack(&vec![b' '; MAX_BYTES + 1]), "is larger than 4 MiB once unpacked"),
        (vec![b' '; MAX_BYTES + 1], "is larger than 4 MiB"),
        (pack(&pack(&pack(&pack(&pack(b"#!"))))), "is packed more than 4 times"),
    ] {
        assert_eq!(told(&sample(bytes)), [format!("1:1: error: {expected}")]);
    }
}

#[test]
fn parts_are_united_and_the_first_hostname_stays() {
    for text in [message(), message().replace('\n', "\r\n")] {
        let read = sample(&text);

        assert_eq!(
            told(&read),
            ["30:1: warning: hostname: an earlier part says otherwise: this is ignored"]
        );
        assert_eq!(read.config.hostname.as_deref(), Some("one"));
        assert_eq!(
            format!("{:?}", read.config.runcmd),
            r#"[Shell("one"), Shell("two"), Shell("three")]"#
        );
        assert_eq!(
            scripts(&read)[0],
            ("003-set_up.py", "#!/usr/bin/python3\nprint('192.0.2.1')\n".to_owned())
        );
        assert_eq!(scripts(&read)[1].0, "005-script");
    }
}

#[test]
fn problems_in_parts_have_the_line_of_the_message_if_they_can() {
    let wrong = STANDARD.encode("#cloud-config\n\nhostnme: one\n");
    let read = sample(format!(
        "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n\
         --b\nContent-Type: text/cloud-config\n\n#cloud-config\ncoreos:\n  units:\n    - name: a\n\
         --b\nContent-Type: text/cloud-config\nContent-Transfer-Encoding: base64\n\
         Content-Disposition: attachment; filename=two.yml\n\n{wrong}\n\
         --b\nContent-Type: text/cloud-config\n\nhostname: [\n\
         --b\nContent-Type: text/markdown\n\n# Hello\n\
         --b\nContent-Type: text/x-shellscript\n\necho\n\
         --b\nContent-Type: text/jinja2\n\nhello\n\
         --b\n\n#include\nhttp://example.org\n--b--\n"
    ));

    assert_eq!(
        told(&read),
        [
            "3:1: error: part 2 `two.yml`: hostnme: unknown key `hostnme`: did you mean `hostname`?",
            "10:13: error: coreos.units[0].name: `a` is not a name of a unit: unit name must contain \".\": did you mean `a.service`?",
            "20:1: error: a list or map that is not closed",
            "24:1: warning: part 4 is neither a cloud-config nor a script, and is ignored: the first line must be `#cloud-config`, or begin with `#!` for a script: write that above the text",
            "28:1: error: a script must begin with `#!`, such as `#!/bin/sh`",
            "32:1: error: parts of type `text/jinja2` are not read by fleet's cloud-config",
            "35:1: error: is a list of URLs (#include), which fleet's cloud-config does not fetch: give the documents themselves, as parts of a multipart message if there are several",
        ]
    );
}

#[test]
fn broken_messages_are_refused() {
    let deep: String = (0..9)
        .map(|n| format!("Content-Type: multipart/mixed; boundary=b{n}\n\n--b{n}\n"))
        .collect();
    let many =
        format!("Content-Type: multipart/mixed; boundary=b\n\n{}--b--", "--b\n\n#!\n".repeat(300));
    for (text, expected) in [
        (
            "Content-Type: multipart/mixed\n\n--b\n\n#!\n--b--\n",
            "a multipart message without a boundary: write `boundary=\"...\"` in Content-Type",
        ),
        (
            "Content-Type: multipart/mixed; boundary=b\n\nhello\n",
            "no line `--b`, which begins a part",
        ),
        (
            "Content-Type: multipart/mixed; boundary=b\n\n--b\n\n#!/bin/sh\n",
            "a multipart message without its last line `--b--`: it may be cut off",
        ),
        (
            "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Transfer-Encoding: base64\n\n!!\n--b--\n",
            "part 1 is not what its Content-Transfer-Encoding says: it is not base64",
        ),
        (
            "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Transfer-Encoding: x-uuencode\n\n!!\n--b--\n",
            "part 1 is not what its Content-Transfer-Encoding says: use 7bit, 8bit, binary, base64 or quoted-printable",
        ),
        (many.as_str(), "more than 200 parts"),
        (deep.as_str(), "a multipart message without its last line `--b0--`: it may be cut off"),
    ] {
        let read = sample(text);

        assert_eq!(told(&read), [format!("1:1: error: {expected}")]);
    }
}

#[test]
fn quoted_printable_is_decoded() {
    let read = sample(
        "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/cloud-config\n\
         Content-Transfer-Encoding: quoted-printable\n\n#cloud-config\nhostname:=20o=\nne\n--b--\n",
    );

    assert_eq!((read.config.hostname.as_deref(), told(&read)), (Some("one"), vec![]));
}
