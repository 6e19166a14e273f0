//! A host with an agent: the store and systemd are in memory, files are on disk, time is virtual.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use fleet_units::{MachineId, TargetState, UnitFile, UnitName};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::super::{Agent, AgentSettings, Handle, Registration, Shutdown};
use crate::file::FileError;
use crate::registry::document::{
    Assignment, Machine, Member, Phase, State, VERSION, decode, encode,
};
use crate::registry::key::{Key, KeyPrefix};
use crate::store::embedded::EmbeddedStore;
use crate::store::{
    Commit, KeyValue, Revision, Selection, Store, Transaction, Witness, Witnessed, Write,
};
use crate::systemd::OwnJob;
use crate::systemd::memory::{Call, MemorySystemd};

pub(super) const TTL: Duration = Duration::from_secs(6);
pub(super) const TEXT: &str = "[Service]\nExecStart=/bin/sleep infinity\n";

pub(super) fn name(unit: &str) -> UnitName {
    unit.parse().unwrap()
}

pub(super) struct Host {
    pub(super) store: EmbeddedStore,
    pub(super) systemd: MemorySystemd,
    pub(super) settings: AgentSettings,
    pub(super) directory: TempDir,
    running: Option<Running>,
}

struct Running {
    stop: CancellationToken,
    task: JoinHandle<Result<Shutdown, FileError>>,
    handle: Handle,
    witness: Witness,
}

impl Host {
    pub(super) fn new() -> Self {
        Self::of(EmbeddedStore::in_memory().unwrap(), 1)
    }

    /// A host of the one machine-id; `instance` tells installations apart.
    pub(super) fn of(store: EmbeddedStore, instance: u128) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let presence = Machine {
            instance: Uuid::from_u128(instance),
            boot: "boot-1".to_owned(),
            hostname: format!("host-{instance}"),
            address: Some("10.0.0.1".parse().unwrap()),
            metadata: BTreeMap::new(),
            reads: VERSION,
            fleet: "test".to_owned(),
        };
        let settings = AgentSettings {
            machine: machine(),
            presence,
            agent_ttl: TTL,
            prefix: KeyPrefix::new("/fleet"),
            units_directory: directory.path().join("units"),
            state_directory: directory.path().to_owned(),
        };
        let systemd = MemorySystemd::default();
        systemd.set_unit_path(vec![directory.path().join("etc")]);
        Self { store, systemd, settings, directory, running: None }
    }

    pub(super) fn start(&mut self) {
        let (settings, systemd) = (self.settings.clone(), self.systemd.clone());
        let witness = Witness::open(settings.state_directory.join("seen")).unwrap();
        let store = Witnessed::new(self.store.clone(), witness.clone());
        let (agent, handle) = Agent::new(settings, store, witness.clone(), systemd);
        let stop = CancellationToken::new();
        let task = TaskTracker::new().spawn(agent.run(stop.clone()));
        self.running = Some(Running { stop, task, handle, witness });
    }

    /// Starts the agent and waits until the cluster knows it.
    pub(super) async fn join(&mut self) {
        self.start();
        let mut registered = self.running.as_ref().unwrap().handle.registered();
        registered
            .wait_for(|registration| *registration == Registration::Registered)
            .await
            .unwrap();
    }

    pub(super) async fn registration(
        &self,
        wanted: impl FnMut(&Registration) -> bool,
    ) -> Registration {
        let mut registered = self.running.as_ref().unwrap().handle.registered();
        registered.wait_for(wanted).await.unwrap().clone()
    }

    /// The store answers like another one, for once.
    pub(super) async fn doubt(&self) {
        let witness = self.running.as_ref().unwrap().witness.clone();
        let other = Witnessed::new(EmbeddedStore::in_memory().unwrap(), witness);
        other.range(&Selection::Key("/none".to_owned()), None).await.unwrap();
    }

    /// What others see of the running agent.
    pub(super) fn handle(&self) -> Handle {
        self.running.as_ref().unwrap().handle.clone()
    }

    /// SIGKILL: nothing of the agent runs any more.
    pub(super) async fn kill(&mut self) {
        let running = self.running.take().unwrap();
        running.task.abort();
        assert!(running.task.await.unwrap_err().is_cancelled());
    }

    /// SIGTERM while systemd runs this job for fleetd.
    pub(super) async fn terminate(&mut self, job: OwnJob) -> Shutdown {
        self.systemd.set_own_job(job);
        let running = self.running.take().unwrap();
        running.stop.cancel();
        running.task.await.unwrap().unwrap()
    }

    /// Power off and on: what is in memory is gone.
    pub(super) fn reboot(&mut self) {
        self.directory = tempfile::tempdir().unwrap();
        self.settings.units_directory = self.directory.path().join("units");
        self.settings.state_directory = self.directory.path().to_owned();
        self.settings.presence.boot = "boot-2".to_owned();
        self.systemd = MemorySystemd::default();
    }

    pub(super) async fn put(&self, key: &Key, value: Vec<u8>) -> Revision {
        let key = self.settings.prefix.encode(key);
        let write = Write::Put { key, value, lease: None };
        self.commit(vec![write]).await
    }

    pub(super) async fn delete(&self, key: &Key) -> Revision {
        self.commit(vec![Write::Delete(self.settings.prefix.encode(key))]).await
    }

    async fn commit(&self, writes: Vec<Write>) -> Revision {
        match self.store.commit(Transaction { compares: Vec::new(), writes }).await.unwrap() {
            Commit::Done(revision) => revision,
            Commit::Refused(_) => panic!("there was nothing to refuse"),
        }
    }

    pub(super) async fn assign(&self, unit: &str, assignment: &Assignment) -> Revision {
        self.put(&Key::Schedule(machine(), name(unit)), encode(assignment)).await
    }

    pub(super) async fn entry(&self, key: &Key) -> Option<KeyValue> {
        let key = self.settings.prefix.encode(key);
        self.store.range(&Selection::Key(key), None).await.unwrap().entries.pop()
    }

    pub(super) async fn state(&self, unit: &str) -> Option<State> {
        let entry = self.entry(&Key::State(machine(), name(unit))).await?;
        Some(decode(&entry.value).unwrap())
    }

    pub(super) async fn member(&self) -> Member {
        decode(&self.entry(&Key::Member(machine())).await.unwrap().value).unwrap()
    }

    pub(super) async fn keys(&self) -> Vec<String> {
        let all = Selection::Prefix("/fleet/".to_owned());
        let entries = self.store.range(&all, None).await.unwrap().entries;
        entries.into_iter().map(|entry| entry.key).collect()
    }

    pub(super) async fn revision(&self) -> Revision {
        self.store.range(&Selection::Key("/none".to_owned()), None).await.unwrap().revision
    }

    /// Waits until a unit's state is as wanted.
    pub(super) async fn until_state(&self, unit: &str, wanted: impl Fn(&State) -> bool) -> State {
        let deadline = Instant::now() + Duration::from_secs(120);
        loop {
            let state = self.state(unit).await;
            if let Some(state) = state.clone().filter(|state| wanted(state)) {
                return state;
            }
            assert!(Instant::now() < deadline, "state of {unit} is {state:?}");
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until nothing is left of a unit, in store, systemd or on disk.
    pub(super) async fn until_gone(&self, unit: &str) {
        let deadline = Instant::now() + Duration::from_secs(120);
        loop {
            let keys: Vec<_> =
                self.keys().await.into_iter().filter(|key| key.ends_with(unit)).collect();
            let disk: Vec<_> = [self.file(unit), self.record(unit)]
                .into_iter()
                .filter(|path| path.exists())
                .collect();
            let linked = self.systemd.linked().contains(&name(unit));
            if keys.is_empty() && disk.is_empty() && !linked {
                assert_eq!(self.systemd.loaded(&name(unit)), None, "{unit}");
                return;
            }
            assert!(Instant::now() < deadline, "{unit} is left: {keys:?} {disk:?} {linked}");
            sleep(Duration::from_millis(10)).await;
        }
    }

    pub(super) async fn until_active(&self, unit: &str) -> State {
        self.until_state(unit, |state| {
            state.active == "active" && state.job != crate::registry::document::JobState::Running
        })
        .await
    }

    pub(super) fn file(&self, unit: &str) -> PathBuf {
        self.settings.units_directory.join(unit)
    }

    pub(super) fn record(&self, unit: &str) -> PathBuf {
        self.settings.state_directory.join("applied").join(unit)
    }

    pub(super) fn active(&self, unit: &str) -> Option<String> {
        self.systemd.loaded(&name(unit)).map(|(active, _)| active)
    }

    /// Starts and stops that systemd was asked for.
    pub(super) fn jobs(&self) -> Vec<Call> {
        let calls = self.systemd.take_calls().into_iter();
        calls.filter(|call| matches!(call, Call::Start(_) | Call::Stop(_))).collect()
    }
}

pub(super) fn machine() -> MachineId {
    "148a18ff".parse().unwrap()
}

pub(super) fn assignment(target: TargetState) -> Assignment {
    Assignment {
        text: TEXT.to_owned(),
        hash: UnitFile::parse(TEXT).unwrap().hash(),
        target,
        uid: 11,
        generation: 1,
        stops: 0,
        placement: 12,
        phase: Phase::Held,
    }
}

pub(super) fn launched() -> Assignment {
    assignment(TargetState::Launched)
}
