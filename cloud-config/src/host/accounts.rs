//! Users and groups of a host, from the files that hold them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;

/// Users and groups.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Accounts {
    /// Users by name.
    pub users: BTreeMap<String, Account>,
    /// Groups by name.
    pub groups: BTreeMap<String, Group>,
    /// What /etc/shadow holds as password; secrets.
    pub passwords: BTreeMap<String, String>,
}

/// A user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Number of the user.
    pub uid: u32,
    /// Number of the primary group.
    pub gid: u32,
    /// Home directory.
    pub home: PathBuf,
}

/// A group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Number of the group.
    pub gid: u32,
    /// Users for whom it is not the primary one.
    pub members: BTreeSet<String>,
}

impl Accounts {
    /// Reads the texts of /etc/passwd, /etc/group and /etc/shadow. Lines of other forms are passed
    /// over, as the C library does.
    #[must_use]
    pub fn read(passwd: &str, group: &str, shadow: &str) -> Self {
        let users = passwd.lines().filter_map(|line| {
            let mut fields = line.split(':');
            let (name, _, uid, gid) =
                (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
            let home = PathBuf::from(fields.nth(1)?);
            Some((
                name.to_owned(),
                Account { uid: uid.parse().ok()?, gid: gid.parse().ok()?, home },
            ))
        });
        let groups = group.lines().filter_map(|line| {
            let mut fields = line.split(':');
            let (name, _, gid) = (fields.next()?, fields.next()?, fields.next()?);
            let members = fields.next().unwrap_or_default().split(',').map(str::trim);
            let members = members.filter(|member| !member.is_empty()).map(str::to_owned).collect();
            Some((name.to_owned(), Group { gid: gid.parse().ok()?, members }))
        });
        let passwords = shadow.lines().filter_map(|line| {
            let (name, rest) = line.split_once(':')?;
            Some((name.to_owned(), rest.split(':').next().unwrap_or_default().to_owned()))
        });
        Self { users: users.collect(), groups: groups.collect(), passwords: passwords.collect() }
    }

    /// The number of a user, by name or number.
    #[must_use]
    pub fn uid(&self, user: &str) -> Option<u32> {
        user.parse().ok().or_else(|| self.users.get(user).map(|account| account.uid))
    }

    /// The number of a group, by name or number.
    #[must_use]
    pub fn gid(&self, group: &str) -> Option<u32> {
        group.parse().ok().or_else(|| self.groups.get(group).map(|group| group.gid))
    }

    /// Whether a user is in a group.
    #[must_use]
    pub fn is_member(&self, user: &str, group: &str) -> bool {
        self.groups.get(group).is_some_and(|group| {
            let primary = self.users.get(user).is_some_and(|account| account.gid == group.gid);
            primary || group.members.contains(user)
        })
    }
}

impl fmt::Debug for Accounts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // No hash may reach a log.
        formatter
            .debug_struct("Accounts")
            .field("users", &self.users)
            .field("groups", &self.groups)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_read_as_the_c_library_does() {
        let accounts = Accounts::read(
            "root:x:0:0:root:/root:/bin/bash\nbroken\ncore:x:500:501::/home/core:/bin/bash\n",
            "root:x:0:\nsudo:x:27:core,jane\ncore:x:501:\n",
            "core:$6$hash:19000:0:99999:7:::\n",
        );

        assert_eq!(accounts.uid("core"), Some(500));
        assert_eq!(accounts.gid("core"), Some(501));
        assert_eq!((accounts.uid("12"), accounts.uid("nobody")), (Some(12), None));
        assert!(accounts.is_member("core", "core") && accounts.is_member("jane", "sudo"));
        assert!(!accounts.is_member("jane", "core"));
        assert_eq!(accounts.users["core"].home, PathBuf::from("/home/core"));
        assert_eq!(accounts.passwords["core"], "$6$hash");
        assert!(!format!("{accounts:?}").contains("$6$"));
    }
}
