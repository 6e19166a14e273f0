//! The options of each program, in the order in which they are told to it.

use super::options::{Kind, Table};

/// Options of etcd 0.4, and those of etcd 2 that people wrote here.
pub(super) const ETCD: Table = Table {
    options: &[
        ("addr", Kind::Text),
        ("advertise_client_urls", Kind::Text),
        ("bind_addr", Kind::Text),
        ("ca_file", Kind::Text),
        ("cert_file", Kind::Text),
        ("cluster_active_size", Kind::Whole),
        ("cluster_remove_delay", Kind::Number),
        ("cluster_sync_interval", Kind::Number),
        ("cors", Kind::Text),
        ("data_dir", Kind::Text),
        ("discovery", Kind::Discovery),
        ("discovery_fallback", Kind::Text),
        ("discovery_srv", Kind::Text),
        ("discovery_proxy", Kind::Text),
        ("election_timeout", Kind::Whole),
        ("force_new_cluster", Kind::Truth),
        ("graphite_host", Kind::Text),
        ("heartbeat_interval", Kind::Whole),
        ("http_read_timeout", Kind::Number),
        ("http_write_timeout", Kind::Number),
        ("initial_advertise_peer_urls", Kind::Text),
        ("initial_cluster", Kind::Text),
        ("initial_cluster_state", Kind::Text),
        ("initial_cluster_token", Kind::Text),
        ("key_file", Kind::Text),
        ("listen_client_urls", Kind::Text),
        ("listen_peer_urls", Kind::Text),
        ("max_result_buffer", Kind::Whole),
        ("max_retry_attempts", Kind::Whole),
        ("max_snapshots", Kind::Whole),
        ("max_wals", Kind::Whole),
        ("name", Kind::Text),
        ("peer_addr", Kind::Text),
        ("peer_bind_addr", Kind::Text),
        ("peer_ca_file", Kind::Text),
        ("peer_cert_file", Kind::Text),
        ("peer_election_timeout", Kind::Whole),
        ("peer_heartbeat_interval", Kind::Whole),
        ("peer_key_file", Kind::Text),
        ("peers", Kind::Text),
        ("peers_file", Kind::Text),
        ("proxy", Kind::Text),
        ("retry_interval", Kind::Number),
        ("snapshot", Kind::Truth),
        ("snapshot_count", Kind::Whole),
        ("trace", Kind::Text),
        ("verbose", Kind::Truth),
        ("very_verbose", Kind::Truth),
        ("very_very_verbose", Kind::Truth),
    ],
    renamed: &[("discovery_url", "discovery")],
};

/// Options of etcd 2.
pub(super) const ETCD2: Table = Table::of(&[
    ("advertise_client_urls", Kind::Text),
    ("ca_file", Kind::Text),
    ("cert_file", Kind::Text),
    ("client_cert_auth", Kind::Truth),
    ("cors", Kind::Text),
    ("data_dir", Kind::Text),
    ("debug", Kind::Truth),
    ("discovery", Kind::Discovery),
    ("discovery_fallback", Kind::Text),
    ("discovery_srv", Kind::Text),
    ("discovery_proxy", Kind::Text),
    ("election_timeout", Kind::Whole),
    ("enable_pprof", Kind::Truth),
    ("force_new_cluster", Kind::Truth),
    ("heartbeat_interval", Kind::Whole),
    ("initial_advertise_peer_urls", Kind::Text),
    ("initial_cluster", Kind::Text),
    ("initial_cluster_state", Kind::Text),
    ("initial_cluster_token", Kind::Text),
    ("key_file", Kind::Text),
    ("listen_client_urls", Kind::Text),
    ("listen_peer_urls", Kind::Text),
    ("log_package_levels", Kind::Text),
    ("max_snapshots", Kind::Whole),
    ("max_wals", Kind::Whole),
    ("name", Kind::Text),
    ("peer_ca_file", Kind::Text),
    ("peer_cert_file", Kind::Text),
    ("peer_key_file", Kind::Text),
    ("peer_client_cert_auth", Kind::Truth),
    ("peer_trusted_ca_file", Kind::Text),
    ("proxy", Kind::Word(&["on", "off", "readonly"])),
    ("proxy_dial_timeout", Kind::Whole),
    ("proxy_failure_wait", Kind::Whole),
    ("proxy_read_timeout", Kind::Whole),
    ("proxy_refresh_interval", Kind::Whole),
    ("proxy_write_timeout", Kind::Whole),
    ("snapshot_count", Kind::Whole),
    ("strict_reconfig_check", Kind::Truth),
    ("trusted_ca_file", Kind::Text),
    ("wal_dir", Kind::Text),
]);

/// Options of fleetd.
pub(super) const FLEET: Table = Table::of(&[
    ("agent_ttl", Kind::Text),
    ("authorized_keys_file", Kind::Text),
    ("disable_engine", Kind::Truth),
    ("engine_reconcile_interval", Kind::Number),
    ("etcd_cafile", Kind::Text),
    ("etcd_certfile", Kind::Text),
    ("etcd_keyfile", Kind::Text),
    ("etcd_key_prefix", Kind::Text),
    ("etcd_request_timeout", Kind::Number),
    ("etcd_servers", Kind::Text),
    ("etcd_username", Kind::Text),
    ("etcd_password", Kind::Text),
    ("metadata", Kind::Text),
    ("public_ip", Kind::Text),
    ("token_limit", Kind::Whole),
    ("verbosity", Kind::Whole),
    ("verify_units", Kind::Truth),
    // Beyond fleet 1.0, or of no use any more; fleetd knows them all.
    ("api_cafile", Kind::Text),
    ("api_certfile", Kind::Text),
    ("api_keyfile", Kind::Text),
    ("disable_watches", Kind::Truth),
    ("enable_grpc", Kind::Truth),
    ("insecure_tcp", Kind::Truth),
    ("reschedule_grace", Kind::Text),
    ("store", Kind::Word(&["etcd", "embedded"])),
    ("systemd_user", Kind::Truth),
    ("units_directory", Kind::Text),
]);

/// Options of flannel.
pub(super) const FLANNEL: Table = Table::of(&[
    ("etcd_endpoints", Kind::Text),
    ("etcd_cafile", Kind::Text),
    ("etcd_certfile", Kind::Text),
    ("etcd_keyfile", Kind::Text),
    ("etcd_prefix", Kind::Text),
    ("etcd_username", Kind::Text),
    ("etcd_password", Kind::Text),
    ("ip_masq", Kind::Text),
    ("subnet_file", Kind::Text),
    ("interface", Kind::Text),
    ("public_ip", Kind::Text),
]);

/// Options of locksmith.
pub(super) const LOCKSMITH: Table = Table::of(&[
    ("endpoint", Kind::Text),
    ("etcd_cafile", Kind::Text),
    ("etcd_certfile", Kind::Text),
    ("etcd_keyfile", Kind::Text),
    ("etcd_username", Kind::Text),
    ("etcd_password", Kind::Text),
    ("group", Kind::Text),
    ("window_start", Kind::Form(is_window_start, "`Sun 04:00` or `23:30`")),
    ("window_length", Kind::Form(is_window_length, "`1h30m`")),
]);

/// Options of updates.
pub(super) const UPDATE: Table = Table::of(&[
    ("reboot_strategy", Kind::Word(&["etcd-lock", "reboot", "off", "best-effort"])),
    ("group", Kind::Text),
    ("server", Kind::Text),
]);

/// What names the image.
pub(super) const OEM: Table = Table::of(&[
    ("id", Kind::Text),
    ("name", Kind::Text),
    ("version_id", Kind::Text),
    ("home_url", Kind::Text),
    ("bug_report_url", Kind::Text),
]);

/// A time of day, on one day of the week or on each.
fn is_window_start(text: &str) -> bool {
    const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
    let time = match text.split_once(' ') {
        Some((day, time)) if DAYS.contains(&day.to_ascii_lowercase().as_str()) => time,
        Some(_) => return false,
        None => text,
    };
    let below = |digits: &str, end: u32| {
        digits.bytes().all(|byte| byte.is_ascii_digit())
            && digits.parse::<u32>().is_ok_and(|number| number < end)
    };
    time.split_once(':').is_some_and(|(hour, minute)| below(hour, 24) && below(minute, 60))
}

/// A length of time: numbers, each with a unit.
fn is_window_length(text: &str) -> bool {
    let mut rest = text.trim_start_matches(['+', '-']);
    if text.len() - rest.len() > 1 || rest.is_empty() {
        return false;
    }
    while !rest.is_empty() {
        let number = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        let unit = number.trim_start_matches(|c: char| c.is_ascii_lowercase());
        let digits = &rest[..rest.len() - number.len()];
        if digits.matches('.').count() > 1 || unit.len() == number.len() {
            return false;
        }
        rest = unit;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_start_at_a_time_of_day() {
        for good in ["Sun 0:0", "sUn 23:59", "00:00", "20:50", "000:009"] {
            assert!(is_window_start(good), "{good}");
        }
        for bad in ["tues 0:0", "thur 0:0", "sat00:00", "20:60", "24:00", "", ":", "1:", "+1:0"] {
            assert!(!is_window_start(bad), "{bad}");
        }
    }

    #[test]
    fn windows_last_for_numbers_with_units() {
        for good in ["1h", "1d", "0d", "0.5h", "1h30m", "-1h", ".5h", "h"] {
            assert!(is_window_length(good), "{good}");
        }
        for bad in ["0.5.0h", "", "1", "1h5", "+", "--1h", "1H"] {
            assert!(!is_window_length(bad), "{bad}");
        }
    }

    #[test]
    fn tables_name_each_option_once() {
        for table in [ETCD, ETCD2, FLEET, FLANNEL, LOCKSMITH, UPDATE, OEM] {
            let mut names: Vec<&str> = table.options.iter().map(|(name, _)| *name).collect();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), table.options.len());
        }
    }
}
