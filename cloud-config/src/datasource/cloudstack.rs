//! The virtual router of CloudStack, which is the host's DHCP server.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use super::service::Service;
use super::{Asking, Found, Name, Reading, ec2, local};

/// The name of the router where DNS has it.
const DATA_SERVER: &str = "http://data-server/";

/// Where programs leave what a DHCP server gave them, and how they write its address.
const LEASES: [(&str, &str); 4] = [
    ("run/systemd/netif/leases", "SERVER_ADDRESS="),
    ("var/lib/dhcp", "option dhcp-server-identifier "),
    ("var/lib/dhclient", "option dhcp-server-identifier "),
    ("var/lib/NetworkManager", "option dhcp-server-identifier "),
];

pub(super) fn read(asking: &Asking<'_>) -> Reading {
    let server = dhcp_server(asking.search.root).map(|address| format!("http://{address}/"));
    let base = asking.base(server.as_deref().unwrap_or(DATA_SERVER));
    let service = Service::new(asking, &base, &[]);
    let probes = ["latest/meta-data/", "latest/meta-data/instance-id", "latest/user-data"];
    if !service.waits_for(&probes)? {
        return Ok(None);
    }
    let user_data = service.bytes("latest/user-data")?;
    let mut found = Found::new(Name::CloudStack).with_user_data(user_data);
    ec2::crawl(&service, "latest/", &mut found)?;
    Ok(Some(found))
}

/// The address of the DHCP server that the newest lease is from.
pub(super) fn dhcp_server(root: &Path) -> Option<Ipv4Addr> {
    LEASES.iter().find_map(|(folder, key)| {
        newest_first(&root.join(folder)).iter().find_map(|path| server(&local::hint(path), key))
    })
}

/// The files of a directory.
fn newest_first(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<_> = entries
        .filter_map(|entry| {
            let modified = entry.metadata().ok().filter(std::fs::Metadata::is_file)?.modified();
            Some((modified.ok(), entry.path()))
        })
        .collect();
    files.sort();
    files.into_iter().rev().map(|(_, path)| path).collect()
}

/// The last server that a text of leases names.
fn server(text: &str, key: &str) -> Option<Ipv4Addr> {
    text.lines()
        .rev()
        .find_map(|line| line.trim().strip_prefix(key)?.trim_end_matches(';').trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_of_the_newest_lease_is_taken() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("var/lib/dhcp");
        std::fs::create_dir_all(&folder).unwrap();
        let lease = "lease {\n  fixed-address 10.1.1.7;\n  option dhcp-server-identifier 10.1.1.1;\n}\n\
                     lease {\n  option dhcp-server-identifier 10.1.1.2;\n}\n";
        std::fs::write(folder.join("dhclient.eth0.leases"), lease).unwrap();

        assert_eq!(dhcp_server(root.path()), Some(Ipv4Addr::new(10, 1, 1, 2)));

        let folder = root.path().join("run/systemd/netif/leases");
        std::fs::create_dir_all(&folder).unwrap();
        let lease = "# This is private data.\nADDRESS=10.2.0.9\nSERVER_ADDRESS=10.2.0.1\n";
        std::fs::write(folder.join("2"), lease).unwrap();

        assert_eq!(dhcp_server(root.path()), Some(Ipv4Addr::new(10, 2, 0, 1)));
    }

    #[test]
    fn a_host_without_leases_has_no_server() {
        assert_eq!(dhcp_server(tempfile::tempdir().unwrap().path()), None);
        assert_eq!(server("SERVER_ADDRESS=nowhere\n", "SERVER_ADDRESS="), None);
    }
}
