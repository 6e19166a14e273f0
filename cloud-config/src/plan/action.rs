//! One thing that is to be done.

use std::fmt;
use std::path::PathBuf;

use crate::document::UnitCommand;
use crate::host::{Accounts, FileState};

/// One thing that is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Names the host.
    Hostname(String),
    /// Makes a group.
    Group(String),
    /// Makes a user.
    User(NewUser),
    /// Sets what /etc/shadow holds as password.
    Password {
        /// Whose.
        user: String,
        /// What it will hold.
        hash: Hash,
    },
    /// Adds a user to a group.
    Member {
        /// Who.
        user: String,
        /// Where.
        group: String,
    },
    /// Writes a file.
    File(FileChange),
    /// Makes a symbolic link, in place of what is there.
    Link {
        /// Where.
        path: PathBuf,
        /// What it says.
        target: PathBuf,
    },
    /// Removes a file or link, and the folder of drop-ins that it leaves empty.
    Remove(PathBuf),
    /// Removes a set of keys.
    RemoveKeys {
        /// The home directory, below which links are not followed.
        home: PathBuf,
        /// Where.
        path: PathBuf,
    },
    /// Makes a unit start at boot.
    Enable {
        /// Its name.
        unit: String,
        /// For this boot only.
        runtime: bool,
    },
    /// Makes a unit not start at boot.
    Disable(String),
    /// Makes systemd read its units again.
    Reload,
    /// Makes systemd-networkd read its files again.
    ReloadNetwork,
    /// Asks something of a unit.
    Command {
        /// Its name.
        unit: String,
        /// What.
        command: UnitCommand,
    },
    /// Gives a unit to the cluster, once.
    Submit {
        /// Its name.
        unit: String,
        /// Where its file is.
        path: PathBuf,
        /// Whether the cluster starts it.
        start: bool,
    },
    /// Runs a script, once for each instance.
    Run(Task),
}

/// A user to make.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewUser {
    /// Login name.
    pub name: String,
    /// Comment field.
    pub gecos: Option<String>,
    /// Home directory.
    pub home: Option<PathBuf>,
    /// Leave the home directory alone.
    pub no_create_home: bool,
    /// Group by name or number.
    pub primary_group: Option<String>,
    /// More groups.
    pub groups: Vec<String>,
    /// No group of the user's name.
    pub no_user_group: bool,
    /// A system account.
    pub system: bool,
    /// Not in the login databases.
    pub no_log_init: bool,
    /// Login shell.
    pub shell: Option<PathBuf>,
}

/// A hash of a password; never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Hash(pub String);

impl fmt::Debug for Hash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Hash(..)")
    }
}

/// A file to write.
#[derive(Clone, PartialEq, Eq)]
pub struct FileChange {
    /// Where.
    pub path: PathBuf,
    /// What is there.
    pub before: Option<FileState>,
    /// What it will hold; may be secret.
    pub content: Vec<u8>,
    /// Mode bits, special ones included.
    pub mode: u32,
    /// Whose it will be; that of this program, if nobody says.
    pub owner: Option<Owner>,
    /// Whether its content must not be printed.
    pub hidden: bool,
    /// How folders are made that are not there.
    pub parents: Parents,
    /// What must be right with it before it is put in place.
    pub check: Option<Check>,
}

impl fmt::Debug for FileChange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // No content may reach a log.
        formatter
            .debug_struct("FileChange")
            .field("path", &self.path)
            .field("mode", &format_args!("{:04o}", self.mode))
            .field("owner", &self.owner)
            .field("size", &self.content.len())
            .finish_non_exhaustive()
    }
}

/// User and group of a file, by names or numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The user.
    pub user: String,
    /// The group.
    pub group: OwnerGroup,
}

/// The group of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OwnerGroup {
    /// The one that new files of this program have.
    Unsaid,
    /// The primary group of the user.
    Primary,
    /// By name or number.
    Named(String),
}

impl Owner {
    /// By `user`, `user:`, `user:group`, or `:group`, which is root's.
    #[must_use]
    pub fn read(text: &str) -> Self {
        match text.split_once(':') {
            Some((user, "")) => Self { user: user.to_owned(), group: OwnerGroup::Primary },
            Some((user, group)) => {
                let user = if user.is_empty() { "0" } else { user };
                Self { user: user.to_owned(), group: OwnerGroup::Named(group.to_owned()) }
            }
            None => Self { user: text.to_owned(), group: OwnerGroup::Unsaid },
        }
    }

    /// The numbers, the group's only if it is said; `Err` names what is not there.
    ///
    /// # Errors
    ///
    /// A user or group that is not there.
    pub fn numbers(&self, accounts: &Accounts) -> Result<(u32, Option<u32>), String> {
        let missing = |what: &str, name: &str| format!("there is no {what} `{name}`");
        let uid = accounts.uid(&self.user).ok_or_else(|| missing("user", &self.user))?;
        let gid = match &self.group {
            OwnerGroup::Unsaid => None,
            OwnerGroup::Primary => accounts.users.get(&self.user).map(|account| account.gid),
            OwnerGroup::Named(group) => {
                Some(accounts.gid(group).ok_or_else(|| missing("group", group))?)
            }
        };
        Ok((uid, gid))
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.user)?;
        match &self.group {
            OwnerGroup::Named(group) => write!(formatter, ":{group}"),
            OwnerGroup::Unsaid | OwnerGroup::Primary => Ok(()),
        }
    }
}

/// How folders are made that are not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parents {
    /// For all to read; they belong to whom the folder belongs that they are made in.
    Open,
    /// For root alone to read.
    Closed,
    /// For the owner alone, below this directory of theirs; links are not followed there.
    Private(PathBuf),
}

/// What must be right with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// visudo takes it, if that is installed: one bad line, and nobody is root any more.
    Sudoers,
}

/// A script to run.
#[derive(Clone, PartialEq, Eq)]
pub struct Task {
    /// Fit for a file name.
    pub name: String,
    /// Begins with `#!`; may be secret.
    pub content: Vec<u8>,
}

impl fmt::Debug for Task {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // No content may reach a log.
        formatter.debug_struct("Task").field("name", &self.name).finish_non_exhaustive()
    }
}

impl UnitCommand {
    /// The word for it in documents.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Restart => "restart",
            Self::Reload => "reload",
            Self::TryRestart => "try-restart",
            Self::ReloadOrRestart => "reload-or-restart",
            Self::ReloadOrTryRestart => "reload-or-try-restart",
        }
    }
}

/// In a few words, without contents.
impl fmt::Display for Action {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hostname(name) => write!(formatter, "hostname {name}"),
            Self::Group(name) => write!(formatter, "group {name}"),
            Self::User(user) => write!(formatter, "user {}", user.name),
            Self::Password { user, .. } => write!(formatter, "password of {user}"),
            Self::Member { user, group } => write!(formatter, "user {user} in group {group}"),
            Self::File(file) => write!(formatter, "write {}", file.path.display()),
            Self::Link { path, target } => {
                write!(formatter, "link {} to {}", path.display(), target.display())
            }
            Self::Remove(path) | Self::RemoveKeys { path, .. } => {
                write!(formatter, "remove {}", path.display())
            }
            Self::Enable { unit, .. } => write!(formatter, "enable {unit}"),
            Self::Disable(unit) => write!(formatter, "disable {unit}"),
            Self::Reload => formatter.write_str("reload systemd"),
            Self::ReloadNetwork => formatter.write_str("reload systemd-networkd"),
            Self::Command { unit, command } => write!(formatter, "{} {unit}", command.as_str()),
            Self::Submit { unit, start: true, .. } => {
                write!(formatter, "start {unit} in the cluster")
            }
            Self::Submit { unit, start: false, .. } => {
                write!(formatter, "submit {unit} to the cluster")
            }
            Self::Run(task) => write!(formatter, "run {}", task.name),
        }
    }
}
