//! Where a machine's sshd listens.

use std::fmt;
use std::str::FromStr;

/// The port of sshd, unless somebody has chosen another.
pub(crate) const SSHD: u16 = 22;

/// Name or address of a machine, and the port of its sshd.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    /// Name or address; an IPv6 address without its brackets.
    pub(crate) host: String,
    /// The port; 22 leaves the choice to ssh's own configuration.
    pub(crate) port: u16,
}

/// A text that is no address.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no address; write HOST or HOST:PORT")]
pub(crate) struct AddressError {
    text: String,
}

impl Address {
    /// Takes what a machine says of itself: on its way through a tunnel ssh gives it to a shell.
    pub(crate) fn of_machine(host: &str, port: u16) -> Result<Self, AddressError> {
        let is_plain = |c: char| c.is_alphanumeric() || ".:-_%".contains(c);
        if host.is_empty() || host.starts_with('-') || !host.chars().all(is_plain) {
            return Err(AddressError { text: host.to_owned() });
        }
        Ok(Self { host: host.to_owned(), port })
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let bad = || AddressError { text: text.to_owned() };
        let (host, port) = match text.strip_prefix('[') {
            Some(bracketed) => {
                let (host, after) = bracketed.split_once(']').ok_or_else(bad)?;
                let port = after.strip_prefix(':');
                if port.is_none() && !after.is_empty() {
                    return Err(bad());
                }
                (host, port)
            }
            None => match text.split_once(':') {
                // More than one colon without brackets is an IPv6 address.
                Some((host, port)) if !port.contains(':') => (host, Some(port)),
                _ => (text, None),
            },
        };
        // ssh would read an option in it.
        if host.is_empty() || host.starts_with('-') || host.contains(char::is_whitespace) {
            return Err(bad());
        }
        let port = port.map_or(Ok(SSHD), str::parse).map_err(|_| bad())?;
        Ok(Self { host: host.to_owned(), port })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.port, self.host.contains(':')) {
            (SSHD, _) => f.write_str(&self.host),
            (port, true) => write!(f, "[{}]:{port}", self.host),
            (port, false) => write!(f, "{}:{port}", self.host),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        text.parse::<Address>().map_or_else(|error| error.to_string(), |found| found.to_string())
    }

    #[test]
    fn an_address_may_have_a_port_and_brackets() {
        let texts = ["a", "a:22", "a:23", "::1", "[::1]", "[::1]:23", "", ":1", "a:b", "[a", "-oX"];
        insta::assert_snapshot!(texts.map(shown).join("\n"), @r#"
        a
        a
        a:23
        ::1
        ::1
        [::1]:23
        `` is no address; write HOST or HOST:PORT
        `:1` is no address; write HOST or HOST:PORT
        `a:b` is no address; write HOST or HOST:PORT
        `[a` is no address; write HOST or HOST:PORT
        `-oX` is no address; write HOST or HOST:PORT
        "#);
    }

    #[test]
    fn a_machine_cannot_say_more_than_an_address() {
        let told = |host| Address::of_machine(host, 22).map(|address| address.to_string()).ok();
        for host in ["10.0.0.1", "fe80::1%eth0", "node-1.example.org"] {
            assert_eq!(told(host).as_deref(), Some(host));
        }
        for host in ["", "-oX", "a b", "'$(id)'", "a;id", "`id`"] {
            assert_eq!(told(host), None);
        }
    }
}
