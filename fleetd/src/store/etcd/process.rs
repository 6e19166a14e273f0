//! Real etcd processes for tests, on loopback ports of their own. They end with their test.

use std::ffi::OsStr;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use super::{EtcdOptions, EtcdStore};
use crate::store::{Selection, Store};

/// Longer than any start or election takes.
const PATIENCE: Duration = Duration::from_secs(15);

/// A cluster of one or more members.
pub(crate) struct Etcd {
    members: Vec<Member>,
    _data: TempDir,
}

struct Member {
    url: String,
    command: Command,
    process: Child,
    data: PathBuf,
}

impl Drop for Member {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Member {
    fn kill(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

impl Etcd {
    /// Starts one member and waits until it answers.
    pub(crate) async fn start() -> Self {
        Self::start_cluster(1).await
    }

    /// Starts a cluster and waits until all members answer.
    pub(crate) async fn start_cluster(size: usize) -> Self {
        Self::start_cluster_at(Ipv4Addr::LOCALHOST, size).await
    }

    /// The same, with members that clients reach at another address of this machine.
    pub(crate) async fn start_cluster_at(host: Ipv4Addr, size: usize) -> Self {
        let etcd = Self::spawn(host, size, "http", &[]);
        for url in etcd.urls() {
            answers(&etcd.store_at(&[url])).await;
        }
        etcd
    }

    /// Starts one member that wants certificates signed by `ca`, and shows one. Does not wait.
    pub(crate) fn start_with_tls(ca: &Path, cert: &Path, key: &Path) -> Self {
        let options = [
            "--client-cert-auth".to_owned(),
            format!("--trusted-ca-file={}", ca.display()),
            format!("--cert-file={}", cert.display()),
            format!("--key-file={}", key.display()),
        ];
        Self::spawn(Ipv4Addr::LOCALHOST, 1, "https", &options)
    }

    fn spawn(host: Ipv4Addr, size: usize, scheme: &str, options: &[String]) -> Self {
        let data = TempDir::new().unwrap();
        let ports = free_ports(host, 2 * size);
        let (clients, peers) = ports.split_at(size);
        let url = |port: &u16| format!("http://127.0.0.1:{port}");
        let client_url = |port: &u16| format!("{scheme}://{host}:{port}");
        let cluster: Vec<_> =
            peers.iter().enumerate().map(|(n, port)| format!("m{n}={}", url(port))).collect();
        let members = clients.iter().zip(peers).enumerate().map(|(n, (client, peer))| {
            let data = data.path().join(format!("m{n}"));
            // It ends with its test also where nothing is dropped, as after a kill.
            let mut command = Command::new("setpriv");
            command
                .arg("--pdeathsig=KILL")
                .arg(binary())
                .arg(format!("--name=m{n}"))
                .arg(format!("--data-dir={}", data.display()))
                .arg(format!("--listen-client-urls={}", client_url(client)))
                .arg(format!("--advertise-client-urls={}", client_url(client)))
                .arg(format!("--listen-peer-urls={}", url(peer)))
                .arg(format!("--initial-advertise-peer-urls={}", url(peer)))
                .arg(format!("--initial-cluster={}", cluster.join(",")))
                // Quick elections, and with them leases of one second.
                .args(["--heartbeat-interval=50", "--election-timeout=500"])
                // Passwords that cost little, tokens that are stale soon.
                .args(["--bcrypt-cost=4", "--auth-token-ttl=1"])
                .args(options)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            Member { url: client_url(client), process: spawn(&mut command), command, data }
        });
        Self { members: members.collect(), _data: data }
    }

    /// URL of the first member.
    pub(crate) fn url(&self) -> &str {
        &self.members[0].url
    }

    /// A store that knows all members.
    pub(crate) fn store(&self) -> EtcdStore {
        let urls: Vec<_> = self.members.iter().map(|member| member.url.as_str()).collect();
        self.store_at(&urls)
    }

    /// A store that knows these members.
    pub(crate) fn store_at(&self, urls: &[&str]) -> EtcdStore {
        EtcdStore::connect(&EtcdOptions {
            endpoints: urls.iter().map(|url| (*url).to_owned()).collect(),
            request_timeout: Duration::from_secs(1),
            credentials: None,
            tls: None,
        })
        .unwrap()
    }

    /// URLs of all members.
    pub(crate) fn urls(&self) -> Vec<&str> {
        self.members.iter().map(|member| member.url.as_str()).collect()
    }

    /// Ends a cluster of one and begins another one, empty, at the same place.
    pub(crate) async fn rebuild(&mut self) {
        for member in &mut self.members {
            member.kill();
            std::fs::remove_dir_all(&member.data).unwrap();
            member.process = spawn(&mut member.command);
        }
        answers(&self.store()).await;
    }

    /// Writes a snapshot of a cluster of one into a file, as operators make their backups.
    pub(crate) fn save(&self, path: &Path) {
        let endpoints = format!("--endpoints={}", self.url());
        etcdctl([OsStr::new(&endpoints), "snapshot".as_ref(), "save".as_ref(), path.as_ref()]);
    }

    /// Ends a cluster of one and lets it begin again from a snapshot, as the same cluster.
    pub(crate) async fn restore(&mut self, path: &Path) {
        for member in &mut self.members {
            member.kill();
            std::fs::remove_dir_all(&member.data).unwrap();
            let data = format!("--data-dir={}", member.data.display());
            let same = member.command.get_args().filter(|argument| {
                let argument = argument.to_string_lossy();
                ["--name=", "--initial-cluster=", "--initial-advertise-peer-urls="]
                    .iter()
                    .any(|option| argument.starts_with(option))
            });
            let restore = [OsStr::new("snapshot"), "restore".as_ref(), path.as_ref()];
            etcdctl(restore.into_iter().chain([OsStr::new(&data)]).chain(same));
            member.process = spawn(&mut member.command);
        }
        answers(&self.store()).await;
    }

    /// Kills a member without warning.
    pub(crate) fn kill(&mut self, url: &str) {
        self.members.iter_mut().filter(|member| member.url == url).for_each(Member::kill);
    }

    /// Kills a member and starts it again.
    pub(crate) fn restart(&mut self, url: &str) {
        for member in self.members.iter_mut().filter(|member| member.url == url) {
            member.kill();
            member.process = spawn(&mut member.command);
        }
    }

    /// Takes the last member out of the cluster, and tells where it was.
    pub(crate) async fn remove_last(&mut self) -> String {
        let removed = self.members.pop().unwrap();
        let mut client = etcd_client::Client::connect([self.url()], None).await.unwrap();
        let listed = client.member_list().await.unwrap();
        let urls = [removed.url.clone()];
        let member = listed.members().iter().find(|member| member.client_urls() == urls).unwrap();
        // etcd refuses until it has seen all members for a while.
        let deadline = Instant::now() + PATIENCE;
        while let Err(error) = client.member_remove(member.id()).await {
            assert!(Instant::now() < deadline, "{error:?}");
            sleep(Duration::from_millis(100)).await;
        }
        removed.url.clone()
    }

    /// URL of the member that leads.
    pub(crate) async fn leader(&self) -> String {
        for member in &self.members {
            let mut client = etcd_client::Client::connect([&member.url], None).await.unwrap();
            let status = client.status().await.unwrap();
            if status.header().unwrap().member_id() == status.leader() {
                return member.url.clone();
            }
        }
        panic!("no member leads");
    }
}

fn etcdctl<'a>(arguments: impl IntoIterator<Item = &'a OsStr>) {
    // The one that came with etcd, which may be the only one.
    let beside = Path::new(&binary()).with_file_name("etcdctl");
    let program = if beside.exists() { beside } else { "etcdctl".into() };
    let done = Command::new(program).env("ETCDCTL_API", "3").args(arguments).output();
    let done = done.expect("etcdctl is needed: install etcd-client, or put it beside etcd");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

fn spawn(command: &mut Command) -> Child {
    command.spawn().expect("setpriv is needed: install util-linux")
}

async fn answers(store: &EtcdStore) {
    let deadline = Instant::now() + PATIENCE;
    let key = Selection::Key("ready".to_owned());
    while let Err(error) = store.range(&key, None).await {
        assert!(
            Instant::now() < deadline,
            "etcd does not start: install etcd-server, or name it in FLEET_TEST_ETCD: {error:?}"
        );
        sleep(Duration::from_millis(20)).await;
    }
}

fn binary() -> String {
    std::env::var("FLEET_TEST_ETCD").unwrap_or_else(|_| "etcd".to_owned())
}

fn free_ports(host: Ipv4Addr, count: usize) -> Vec<u16> {
    let listeners: Vec<_> = (0..count).map(|_| TcpListener::bind((host, 0)).unwrap()).collect();
    listeners.iter().map(|listener| listener.local_addr().unwrap().port()).collect()
}
