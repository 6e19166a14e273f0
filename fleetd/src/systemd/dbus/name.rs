//! Unit names in D-Bus object paths: what a label cannot hold is written as `_` and two hex digits.

use fleet_units::UnitName;

/// Object paths of units are below this one.
pub(super) const UNITS: &str = "/org/freedesktop/systemd1/unit";

/// The unit that an object path stands for; `None` for other objects and for names that fleet
/// cannot have given.
pub(super) fn unit_of(path: &str) -> Option<UnitName> {
    let label = path.strip_prefix(UNITS)?.strip_prefix('/')?;
    unescape(label)?.parse().ok()
}

fn unescape(label: &str) -> Option<String> {
    if label == "_" {
        return Some(String::new());
    }
    let mut bytes = Vec::with_capacity(label.len());
    let mut rest = label.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'_' => hex(rest.next()?)? << 4 | hex(rest.next()?)?,
            plain => plain,
        });
    }
    String::from_utf8(bytes).ok()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaped_bytes_of_a_path_become_the_unit_name() {
        let names = [
            "/org/freedesktop/systemd1/unit/hello_2eservice",
            "/org/freedesktop/systemd1/unit/web_401_2eservice",
            "/org/freedesktop/systemd1/unit/a_5cx2db_2esocket",
            "/org/freedesktop/systemd1/unit/_37z_2eservice",
        ]
        .map(|path| unit_of(path).map(|unit| unit.to_string()));

        let want = ["hello.service", "web@1.service", r"a\x2db.socket", "7z.service"];
        assert_eq!(names, want.map(|name| Some(name.to_owned())));
    }

    #[test]
    fn paths_that_name_no_unit_of_ours_are_none() {
        for path in [
            "/org/freedesktop/systemd1/unit",
            "/org/freedesktop/systemd1/unit/_",
            "/org/freedesktop/systemd1/unit/hello_2",
            "/org/freedesktop/systemd1/unit/hello_zz",
            "/org/freedesktop/systemd1/unit/_ff_2eservice",
            "/org/freedesktop/systemd1/unitx/hello_2eservice",
            "/org/freedesktop/systemd1/job/17",
        ] {
            assert_eq!(unit_of(path), None, "{path}");
        }
    }
}
