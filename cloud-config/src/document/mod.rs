//! What a cloud-config says, checked: nothing in here can be of the wrong type or form.

mod canonical;
mod commands;
mod config;
mod coreos;
mod coreos_reader;
mod fields;
mod files;
mod format;
mod groups;
mod gzip;
mod identity;
mod keys;
mod multipart;
mod options;
mod paths;
mod read;
mod sections;
mod tokens;
mod unit_text;
mod unite;
mod units;
mod users;

use std::path::PathBuf;

pub use coreos::*;
pub(crate) use gzip::unpack;
pub(crate) use multipart::decode_base64;
pub use read::{MAX_BYTES, Read, Script, read};
pub(crate) use units::is_network;

use crate::problem::Position;

/// Names of the options of `coreos.fleet`: the settings of fleetd.
pub fn fleet_options() -> impl Iterator<Item = &'static str> {
    sections::FLEET.options.iter().map(|(name, _)| *name)
}

/// A cloud-config document, tokens resolved and content decoded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CloudConfig {
    /// `hostname`, or what `fqdn` begins with.
    pub hostname: Option<String>,
    /// `fqdn`.
    pub fqdn: Option<String>,
    /// `timezone`, a name of the time zone database.
    pub timezone: Option<String>,
    /// `manage_etc_hosts`: the name of the host gets an entry in /etc/hosts.
    pub manage_etc_hosts: bool,
    /// Keys of user `core`, or whom the host is configured for.
    pub ssh_authorized_keys: Vec<String>,
    /// `groups` at the top level.
    pub groups: Vec<Group>,
    /// `users`, in their order.
    pub users: Vec<User>,
    /// `write_files`, in their order.
    pub write_files: Vec<File>,
    /// `runcmd`: commands that run once for each instance-id.
    pub runcmd: Vec<Command>,
    /// `coreos`.
    pub coreos: CoreOs,
}

/// A group with members, which is made if it is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Users to add.
    pub members: Vec<String>,
}

/// A user of the host.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    /// Where its item starts.
    pub position: Position,
    /// Login name.
    pub name: String,
    /// Hash of the password; a secret.
    pub passwd: Option<String>,
    /// Comment field.
    pub gecos: Option<String>,
    /// Home directory.
    pub homedir: Option<PathBuf>,
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
    /// Lines for sudoers without the user's name, such as `ALL=(ALL) NOPASSWD:ALL`; `None` if the
    /// document does not speak of it.
    pub sudo: Option<Vec<String>>,
    /// `lock_passwd`: no login with a password.
    pub lock_passwd: Option<bool>,
    /// Keys that may log in.
    pub ssh_authorized_keys: Vec<String>,
}

/// A file to write.
#[derive(Clone, PartialEq, Eq)]
pub struct File {
    /// Where its item starts.
    pub position: Position,
    /// Absolute, without `..`.
    pub path: PathBuf,
    /// Decoded content; may be secret.
    pub content: Vec<u8>,
    /// Mode bits, special ones included.
    pub permissions: u32,
    /// `user`, `user:group` or numbers.
    pub owner: Option<String>,
    /// Added to the end of what is there, unless it ends so already.
    pub append: bool,
}

/// A command of `runcmd`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// A line for the shell.
    Shell(String),
    /// A program and its arguments.
    Program(Vec<String>),
}

impl std::fmt::Debug for User {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // No hash may reach a log.
        formatter.debug_struct("User").field("name", &self.name).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for File {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // No content may reach a log.
        formatter.debug_struct("File").field("path", &self.path).finish_non_exhaustive()
    }
}
