//! Addresses by variables such as `COREOS_PRIVATE_IPV4`.

use super::{Fact, Facts};

/// Reads the variables; `place` is where they are, for people.
pub(super) fn facts(variable: &dyn Fn(&str) -> Option<String>, place: &str) -> Facts {
    let mut tried = vec![place.to_owned()];
    Facts {
        public_ipv4: read("COREOS_PUBLIC_IPV4", variable, place, &mut tried),
        private_ipv4: read("COREOS_PRIVATE_IPV4", variable, place, &mut tried),
        public_ipv6: read("COREOS_PUBLIC_IPV6", variable, place, &mut tried),
        private_ipv6: read("COREOS_PRIVATE_IPV6", variable, place, &mut tried),
        tried,
    }
}

fn read<T: std::str::FromStr>(
    name: &str,
    variable: &dyn Fn(&str) -> Option<String>,
    place: &str,
    tried: &mut Vec<String>,
) -> Option<Fact<T>> {
    let text = variable(name).filter(|text| !text.is_empty())?;
    match text.parse() {
        Ok(value) => Some(Fact { value, origin: format!("{name} in {place}") }),
        Err(_) => {
            tried.push(format!("{name} in {place}, which is not an address"));
            None
        }
    }
}

/// A variable of a text such as that of /etc/environment; the last line of a name counts.
pub(super) fn variable(text: &str, name: &str) -> Option<String> {
    text.lines().rev().find_map(|line| {
        let line = line.trim();
        let line = line.strip_prefix("export ").unwrap_or(line);
        let (key, value) = line.split_once('=')?;
        let value = value.trim();
        let quoted = ['"', '\''].into_iter().find_map(|quote| {
            value.strip_prefix(quote).and_then(|value| value.strip_suffix(quote))
        });
        (key.trim() == name).then(|| quoted.unwrap_or(value).to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# hosts\nPATH=/bin\r\nCOREOS_PRIVATE_IPV4=10.0.0.4\n\
                        export COREOS_PRIVATE_IPV4=\"10.0.0.5\"\nCOREOS_PUBLIC_IPV4=nowhere\n\
                        COREOS_PUBLIC_IPV6=\n";

    #[test]
    fn addresses_are_read_from_the_last_line_of_their_name() {
        let facts = facts(&|name| variable(TEXT, name), "/etc/environment");

        assert_eq!(
            facts,
            Facts {
                private_ipv4: Some(Fact {
                    value: std::net::Ipv4Addr::new(10, 0, 0, 5),
                    origin: "COREOS_PRIVATE_IPV4 in /etc/environment".to_owned(),
                }),
                tried: vec![
                    "/etc/environment".to_owned(),
                    "COREOS_PUBLIC_IPV4 in /etc/environment, which is not an address".to_owned(),
                ],
                ..Facts::default()
            }
        );
    }

    #[test]
    fn names_are_whole() {
        assert_eq!(
            variable("XCOREOS_PUBLIC_IPV4=1\nCOREOS_PUBLIC_IPV4X=2\n", "COREOS_PUBLIC_IPV4"),
            None
        );
    }
}
