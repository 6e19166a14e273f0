//! What becomes of each option of etcd 0.4 and 2 with the etcd of today.

/// What becomes of an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Today's etcd takes it as it is.
    Used,
    /// It is told under today's name, or as what it means today.
    Translated(&'static str),
    /// It changes nothing any more: a warning says why.
    Ignored(&'static str),
}

use Fate::{Ignored, Translated, Used};

const REMOVED_BY_HAND: &str =
    "members leave only when somebody removes them (`etcdctl member remove`)";
const NO_TIMEOUTS: &str = "etcd has fixed time limits for requests";
const ONE_AT_EACH_BOOT: &str = "it would make a cluster of one at each boot: run etcd with \
                                --force-new-cluster by hand, once";

/// Options of the section `etcd`.
pub const ETCD: [(&str, Fate); 49] = [
    ("addr", Translated("ETCD_ADVERTISE_CLIENT_URLS, ETCD_LISTEN_CLIENT_URLS")),
    ("advertise_client_urls", Used),
    ("bind_addr", Translated("ETCD_LISTEN_CLIENT_URLS")),
    ("ca_file", Translated("ETCD_TRUSTED_CA_FILE, ETCD_CLIENT_CERT_AUTH")),
    ("cert_file", Used),
    ("cluster_active_size", Ignored("all members are active")),
    ("cluster_remove_delay", Ignored(REMOVED_BY_HAND)),
    ("cluster_sync_interval", Ignored("members are always in sync")),
    ("cors", Used),
    ("data_dir", Used),
    ("discovery", Used),
    ("discovery_fallback", Used),
    ("discovery_srv", Used),
    ("discovery_proxy", Used),
    ("election_timeout", Used),
    ("force_new_cluster", Ignored(ONE_AT_EACH_BOOT)),
    ("graphite_host", Ignored("etcd has its metrics at /metrics")),
    ("heartbeat_interval", Used),
    ("http_read_timeout", Ignored(NO_TIMEOUTS)),
    ("http_write_timeout", Ignored(NO_TIMEOUTS)),
    ("initial_advertise_peer_urls", Used),
    ("initial_cluster", Used),
    ("initial_cluster_state", Used),
    ("initial_cluster_token", Used),
    ("key_file", Used),
    ("listen_client_urls", Used),
    ("listen_peer_urls", Used),
    ("max_result_buffer", Ignored("etcd sizes its buffers itself")),
    ("max_retry_attempts", Ignored("etcd tries until it has joined")),
    ("max_snapshots", Used),
    ("max_wals", Used),
    ("name", Used),
    ("peer_addr", Translated("ETCD_INITIAL_ADVERTISE_PEER_URLS, ETCD_LISTEN_PEER_URLS")),
    ("peer_bind_addr", Translated("ETCD_LISTEN_PEER_URLS")),
    ("peer_ca_file", Translated("ETCD_PEER_TRUSTED_CA_FILE, ETCD_PEER_CLIENT_CERT_AUTH")),
    ("peer_cert_file", Used),
    ("peer_election_timeout", Translated("ETCD_ELECTION_TIMEOUT")),
    ("peer_heartbeat_interval", Translated("ETCD_HEARTBEAT_INTERVAL")),
    ("peer_key_file", Used),
    ("peers", Translated("ETCD_INITIAL_CLUSTER")),
    ("peers_file", Ignored("write the members in `peers` or `initial_cluster`")),
    ("proxy", Used),
    ("retry_interval", Ignored("etcd tries until it has joined")),
    ("snapshot", Ignored("etcd always takes snapshots")),
    ("snapshot_count", Translated("ETCD_SNAPSHOT_COUNT")),
    ("trace", Ignored("etcd has no traces of this kind")),
    ("verbose", Translated("ETCD_LOG_LEVEL")),
    ("very_verbose", Translated("ETCD_LOG_LEVEL")),
    ("very_very_verbose", Translated("ETCD_LOG_LEVEL")),
];

/// Options of the section `etcd2`.
pub const ETCD2: [(&str, Fate); 41] = [
    ("advertise_client_urls", Used),
    ("ca_file", Translated("ETCD_TRUSTED_CA_FILE, ETCD_CLIENT_CERT_AUTH")),
    ("cert_file", Used),
    ("client_cert_auth", Used),
    ("cors", Used),
    ("data_dir", Used),
    ("debug", Translated("ETCD_LOG_LEVEL")),
    ("discovery", Used),
    ("discovery_fallback", Used),
    ("discovery_srv", Used),
    ("discovery_proxy", Used),
    ("election_timeout", Used),
    ("enable_pprof", Used),
    ("force_new_cluster", Ignored(ONE_AT_EACH_BOOT)),
    ("heartbeat_interval", Used),
    ("initial_advertise_peer_urls", Used),
    ("initial_cluster", Used),
    ("initial_cluster_state", Used),
    ("initial_cluster_token", Used),
    ("key_file", Used),
    ("listen_client_urls", Used),
    ("listen_peer_urls", Used),
    ("log_package_levels", Used),
    ("max_snapshots", Used),
    ("max_wals", Used),
    ("name", Used),
    ("peer_ca_file", Translated("ETCD_PEER_TRUSTED_CA_FILE, ETCD_PEER_CLIENT_CERT_AUTH")),
    ("peer_cert_file", Used),
    ("peer_key_file", Used),
    ("peer_client_cert_auth", Used),
    ("peer_trusted_ca_file", Used),
    ("proxy", Used),
    ("proxy_dial_timeout", Used),
    ("proxy_failure_wait", Used),
    ("proxy_read_timeout", Used),
    ("proxy_refresh_interval", Used),
    ("proxy_write_timeout", Used),
    ("snapshot_count", Used),
    ("strict_reconfig_check", Used),
    ("trusted_ca_file", Used),
    ("wal_dir", Used),
];
