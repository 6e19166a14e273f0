//! Keys for ssh.

use super::fields::{At, Reader};
use super::multipart::decode_base64;

/// Kinds of keys that sshd takes, certificates aside.
const KINDS: [&str; 9] = [
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ecdsa-sha2-nistp256@openssh.com",
    "sk-ssh-ed25519@openssh.com",
    "ssh-dss",
    "ssh-ed25519",
    "ssh-rsa",
    "ssh-xmss@openssh.com",
];

/// The keys of a list: each line of each item is one.
pub(super) fn read(reader: &mut Reader<'_>, at: &At<'_>) -> Vec<String> {
    let mut keys = Vec::new();
    for item in reader.list(at) {
        let Some(text) = reader.text(&item) else { continue };
        if text.contains("PRIVATE KEY-----") {
            reader.error(&item, "is a private key: give the public one, which ends in `.pub`");
            continue;
        }
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            if line.contains(char::is_control) {
                reader.error(&item, "holds a control character");
                continue;
            }
            if !line.starts_with('#') && !is_key(line) {
                reader.warning(
                    &item,
                    "does not look like a public key, such as `ssh-ed25519 AAAA... name`",
                );
            }
            keys.push(line.to_owned());
        }
    }
    keys
}

/// Whether a line is a kind and a key of that kind, after options or not.
fn is_key(line: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    words.windows(2).any(|pair| {
        let [kind, key] = pair else { return false };
        let bare = kind.replace("-cert-v01@openssh.com", "");
        let is_kind = KINDS.iter().any(|known| {
            *known == bare || known.strip_suffix("@openssh.com") == Some(bare.as_str())
        });
        is_kind && names_kind(key, kind)
    })
}

/// Whether a key says in itself which kind it is.
fn names_kind(key: &str, kind: &str) -> bool {
    let Some(blob) = decode_base64(key.as_bytes()) else { return false };
    let length = u32::try_from(kind.len()).unwrap_or_default().to_be_bytes();
    blob.strip_prefix(&length).is_some_and(|blob| blob.starts_with(kind.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIFPzG1lN8CrC3UyDAbDzi7/wZvNFb3JvPzmpsqCR1u3W";

    #[test]
    fn keys_are_known_by_what_they_say_of_themselves() {
        for (line, expected) in [
            (format!("ssh-ed25519 {KEY}"), true),
            (format!("ssh-ed25519 {KEY} core@example"), true),
            (format!("no-pty,command=\"/bin/echo a b\" ssh-ed25519 {KEY}"), true),
            (format!("ssh-rsa {KEY}"), false),
            ("ssh-ed25519".to_owned(), false),
            ("ssh-ed25519 key".to_owned(), false),
            (KEY.to_owned(), false),
        ] {
            assert_eq!(is_key(&line), expected, "{line}");
        }
    }
}
