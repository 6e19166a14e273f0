//! The layer between this machine's file system and the file systems of all hosts: it adds the
//! packages that only hosts need, and hides what is this machine's own business.
//!
//! Nothing in it starts unless [`STARTED`] names it: whatever the machine has enabled stays off.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, XattrFlags, makedev, mknodat, setxattr};

use crate::command::{self, command};
use crate::error::Error;
use crate::{file, lists, paths, ui};

/// Packages beside those that hosts have everywhere.
const PACKAGES: [&str; 7] = [
    "busybox-static",
    "docker-registry",
    "fuse-overlayfs",
    "iproute2",
    "openssh-client",
    "openssh-server",
    "procps",
];

/// The services that a host starts at boot beside those of systemd itself.
const STARTED: [&str; 2] = ["ssh.service", "systemd-networkd.service"];

/// Directories that are empty in a host, whatever the machine has there.
const HIDDEN: [&str; 16] = [
    "etc/cron.d",
    "etc/netplan",
    "etc/rc2.d",
    "etc/rc3.d",
    "etc/rc4.d",
    "etc/rc5.d",
    "etc/rcS.d",
    "etc/systemd/network",
    "home",
    "opt",
    "root",
    "srv",
    "var/lib/containers",
    "var/lib/etcd",
    "var/lib/fleet-testbed",
    "var/log",
];

/// Directories of the root that hosts see; a person's others (`/data`, `/scratch`) are hidden.
const VISIBLE: [&str; 22] = [
    "bin",
    "boot",
    "dev",
    "etc",
    "home",
    "lib",
    "lib32",
    "lib64",
    "libx32",
    "media",
    "mnt",
    "opt",
    "proc",
    "root",
    "run",
    "sbin",
    "srv",
    "sys",
    "tmp",
    "usr",
    "var",
    "lost+found",
];

/// Changed whenever a layer made by an older testbed would not do.
const RECIPE: &str = "2";

/// Installs in the layer, with `$1` as its root and `$2...` as packages. No daemon can start: no
/// systemd is in sight, and policy-rc.d refuses.
const INSTALL: &str = r#"
set -eu
root=$1 options=$2; shift 2
mount -t overlay overlay -o "$options" "$root"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/run"
mount -t tmpfs tmpfs "$root/tmp"
names=$(realpath -m /etc/resolv.conf)
case $names in /run/*) mkdir -p "$root${names%/*}"; cp "$names" "$root$names";; esac
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod 755 "$root/usr/sbin/policy-rc.d"
export DEBIAN_FRONTEND=noninteractive
install() {
    chroot "$root" apt-get -qy --no-install-recommends -o Dpkg::Options::=--force-overwrite \
        -o Dpkg::Options::=--force-confold install "$@"
}
install "$@" || { chroot "$root" apt-get -q update; install "$@"; }
chroot "$root" sh -eu <<'END'
apt-get clean
id core >/dev/null 2>&1 || useradd --create-home --shell /bin/bash --groups systemd-journal core
mkdir -p /home/core && chown core: /home/core
# Without PAM, sshd lets nobody in whose password is locked with `!`.
usermod -p '*' core
usermod -p '*' root
rm -f /etc/ssh/ssh_host_*
ssh-keygen -q -t ed25519 -N '' -C hosts -f /etc/ssh/ssh_host_ed25519_key
ssh-keygen -q -t ed25519 -N '' -C testbed -f /etc/ssh/testbed_key
for home in /root /home/core; do
    install -d -m 700 "$home/.ssh"
    install -m 600 /etc/ssh/testbed_key "$home/.ssh/id_ed25519"
    install -m 600 /etc/ssh/testbed_key.pub "$home/.ssh/authorized_keys"
    chown -R --reference="$home" "$home/.ssh"
done
chown -R core: /home/core
printf '* %s\n' "$(cut -d' ' -f1,2 /etc/ssh/ssh_host_ed25519_key.pub)" >/etc/ssh/ssh_known_hosts
END
"#;

/// Makes the layer unless a good one is there.
///
/// # Errors
///
/// The root file system is split, or a package cannot be installed.
pub(crate) fn install(in_use: bool) -> Result<(), Error> {
    let layer = paths::layer();
    let stamp = layer.join("stamp");
    let recipe = recipe();
    let found = file::read(&stamp)?;
    // Hosts that run from a layer keep it, even if the machine has been upgraded since.
    if found.as_deref() == Some(&recipe) || (in_use && found.is_some()) {
        return Ok(());
    }
    check_root()?;
    ui::say("Installing what only hosts need into a layer of theirs (once)");
    remove()?;
    let upper = layer.join("upper");
    for part in ["upper", "work", "root"] {
        file::make_dir(&layer.join(part))?;
    }
    hide(&upper)?;
    let (root, options) = (layer.join("root"), options("/", &layer));
    // The installation ends with this program, however that ends: nothing may write to the layer
    // that the next `up` or `down` removes.
    let mut line = command(["setpriv", "--pdeathsig=KILL", "unshare", "--pid", "--fork"]);
    line.args(["--kill-child=KILL", "--mount", "--propagation", "slave", "sh", "-c", INSTALL]);
    command::read(line.arg("sh").arg(root).arg(options).args(packages()))?;
    configure(&upper)?;
    Ok(file::write(&stamp, recipe)?)
}

/// Removes the layer; no host may run from it.
pub(crate) fn remove() -> Result<(), Error> {
    command::read(command(["rm", "-rf", "--one-file-system"]).arg(paths::layer()))?;
    Ok(())
}

/// Options of an overlay mount that puts `over` (its `upper` and `work`) on `lower`.
pub(crate) fn options(lower: &str, over: &Path) -> String {
    let over = over.display();
    format!("lowerdir={lower},upperdir={over}/upper,workdir={over}/work")
}

/// Where a host mounts the layer, in its own mount namespace, before its own changes on top of it.
pub(crate) fn root() -> PathBuf {
    paths::layer().join("root")
}

/// Options of the mount at [`root`]; `work` is a directory of the host. The layer cannot simply be
/// one more lower directory: the kernel refuses one that lies inside another. All hosts share it,
/// and so none may write to it.
pub(crate) fn root_options(work: &Path) -> String {
    let upper = paths::layer().join("upper");
    format!("ro,index=off,lowerdir=/,upperdir={},workdir={}", upper.display(), work.display())
}

/// A program of a package of ours: from the layer, or from the machine if it has the package.
pub(crate) fn program(path: &str) -> PathBuf {
    let ours = paths::layer().join("upper").join(path.trim_start_matches('/'));
    if ours.exists() { ours } else { path.into() }
}

fn recipe() -> String {
    // A machine that has installed or upgraded packages since no longer fits below the layer.
    let status = fs::metadata("/var/lib/dpkg/status");
    let changed = status.map_or(0, |status| status.mtime());
    format!("{RECIPE} {changed} {}\n", packages().join(" "))
}

fn packages() -> Vec<&'static str> {
    lists::packages().chain(PACKAGES).collect()
}

fn check_root() -> Result<(), Error> {
    let device = |path: &str| fs::metadata(path).map(|found| found.dev());
    for path in ["/etc", "/usr", "/var", "/var/lib"] {
        if device(path).map_err(file::at("look at", Path::new(path)))?
            != device("/").map_err(file::at("look at", Path::new("/")))?
        {
            return Err(Error::SplitRoot { path: path.into() });
        }
    }
    Ok(())
}

fn hide(upper: &Path) -> Result<(), Error> {
    for path in HIDDEN {
        make_opaque(&upper.join(path))?;
    }
    file::set_mode(&upper.join("root"), 0o700)?;
    for name in file::entries(Path::new("/")) {
        if !VISIBLE.contains(&name.as_str()) {
            whiteout(&upper.join(name))?;
        }
    }
    // The machine may have another docker client earlier in PATH; it fails without its daemon.
    if Path::new("/usr/local/bin/docker").exists() {
        file::make_dir(&upper.join("usr/local/bin"))?;
        whiteout(&upper.join("usr/local/bin/docker"))?;
    }
    Ok(())
}

fn make_opaque(path: &Path) -> Result<(), Error> {
    file::remove_tree(path)?;
    file::make_dir(path)?;
    setxattr(path, "trusted.overlay.opaque", b"y", XattrFlags::empty())
        .map_err(|error| file::at("hide what is below", path)(error.into()))?;
    Ok(())
}

fn whiteout(path: &Path) -> Result<(), Error> {
    mknodat(CWD, path, FileType::CharacterDevice, Mode::empty(), makedev(0, 0))
        .map_err(|error| file::at("hide", path)(error.into()))?;
    Ok(())
}

fn configure(upper: &Path) -> Result<(), Error> {
    // After the packages, as they enable their services here.
    let units = upper.join("etc/systemd/system");
    make_opaque(&units)?;
    for service in STARTED {
        let target = format!("/lib/systemd/system/{service}");
        file::link(&target, &units.join("multi-user.target.wants").join(service))?;
    }
    file::link("/lib/systemd/system/multi-user.target", &units.join("default.target"))?;
    file::make_dir(&upper.join("var/log/journal"))?;
    file::make_dir(&upper.join("var/lib/dbus"))?;
    file::link("/etc/machine-id", &upper.join("var/lib/dbus/machine-id"))?;
    file::remove(&upper.join("etc/resolv.conf"))?;
    for (path, contents) in FILES {
        file::write(&upper.join(path), contents)?;
    }
    Ok(())
}

const FILES: [(&str, &str); 8] = [
    ("etc/fstab", ""),
    ("etc/crypttab", ""),
    ("etc/resolv.conf", ""),
    (
        "etc/ssh/sshd_config",
        "HostKey /etc/ssh/ssh_host_ed25519_key\nUsePAM no\nPasswordAuthentication no\n\
         UseDNS no\nAcceptEnv LANG LC_*\nSubsystem sftp /usr/lib/openssh/sftp-server\n",
    ),
    // A host may lack the right to make cgroups of its own and to raise limits; systemd's cgroup
    // of the unit holds its processes all the same. The journald driver would log lines twice.
    (
        "etc/containers/containers.conf",
        "[containers]\ncgroups=\"disabled\"\nnetns=\"host\"\nlog_driver=\"k8s-file\"\n",
    ),
    ("etc/containers/nodocker", ""),
    ("etc/sudoers.d/core", "core ALL=(ALL) NOPASSWD: ALL\n"),
    ("etc/environment", ""),
];
