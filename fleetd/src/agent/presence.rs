//! Presence in the cluster: `machines/<id>` under a lease that is kept alive. A machine-id belongs
//! to one host at a time; a second host that shows the same id is refused, and told who holds it.

use std::sync::Arc;
use std::time::Duration;

use fleet_units::UnitName;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::AgentSettings;
use super::publish::BATCH;
use crate::log::chain;
use crate::registry::document::{DocumentError, Machine, Member, Standing, State, decode, encode};
use crate::registry::key::Key;
use crate::store::{
    Commit, Compare, Grant, KeepAlive, KeyValue, LeaseId, Revision, Selection, Store, StoreError,
    Transaction, Write,
};

/// What a registration needs.
#[derive(Clone, Debug)]
pub(crate) struct Registrar<S> {
    pub(crate) store: S,
    pub(crate) settings: Arc<AgentSettings>,
}

/// A registration that landed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Registered {
    /// The lease that presence and states are bound to.
    pub(crate) grant: Grant,
    /// Revision at which `machines/<id>` was written.
    pub(crate) revision: Revision,
}

/// Why a machine is not registered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RegisterError {
    /// Another host holds the machine-id.
    #[error("{0}")]
    Taken(String),
    /// Somebody wrote to the documents meanwhile.
    #[error("the machine's documents changed while it registered")]
    Raced,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What an existing `machines/<id>` means for a machine that registers.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Claim {
    /// Nobody holds the id, or we do.
    Ours,
    /// This installation held it in another boot: ours as soon as that boot is surely over.
    EarlierBoot(LeaseId, String),
    /// Another installation holds it as long as its lease lives.
    Foreign(LeaseId, String),
}

impl<S: Store> Registrar<S> {
    /// Registers the machine under a new lease: states first, the machine's document last. Tells
    /// also which leases are left to end: `previous` and the one that the document had.
    pub(crate) async fn register(
        &self,
        states: &[(UnitName, State)],
        previous: Option<LeaseId>,
    ) -> Result<(Registered, Vec<LeaseId>), RegisterError> {
        let entry = self.entry(&Key::Machine(self.settings.machine.clone())).await?;
        match judge(entry.as_ref(), &self.settings.presence) {
            Claim::Ours => {}
            Claim::EarlierBoot(lease, sentence) => self.await_end(lease, sentence).await?,
            Claim::Foreign(lease, sentence) => {
                if self.store.remaining(lease).await?.is_some() {
                    return Err(RegisterError::Taken(sentence));
                }
            }
        }
        let grant = self.store.grant(self.settings.agent_ttl).await?;
        self.put_states(states, grant.id).await?;
        let read = entry.as_ref().map_or(Revision::ABSENT, |entry| entry.mod_revision);
        let revision = match self.put_presence(read, grant.id).await? {
            Commit::Done(revision) => revision,
            Commit::Refused(_) => {
                self.store.revoke(grant.id).await?;
                return Err(RegisterError::Raced);
            }
        };
        let old = [entry.and_then(|entry| entry.lease), previous].into_iter().flatten();
        let old = old.filter(|lease| *lease != grant.id).collect();
        Ok((Registered { grant, revision }, old))
    }

    /// Writes what the machine says of itself now, under the lease that it has.
    pub(crate) async fn describe(&self, lease: LeaseId) -> Result<(), RegisterError> {
        let entry = self.entry(&Key::Machine(self.settings.machine.clone())).await?;
        // Somebody deleted it, or another lease holds it: a registration is due, not this.
        let entry = entry.filter(|entry| self.is_own(entry) && entry.lease == Some(lease));
        let read = entry.ok_or(RegisterError::Raced)?.mod_revision;
        match self.put_presence(read, lease).await? {
            Commit::Done(_) => Ok(()),
            Commit::Refused(_) => Err(RegisterError::Raced),
        }
    }

    /// Moves presence and states to another lease, to be found there by the next fleetd.
    pub(crate) async fn park(
        &self,
        states: &[(UnitName, State)],
        ttl: Duration,
    ) -> Result<(), RegisterError> {
        let entry = self.entry(&Key::Machine(self.settings.machine.clone())).await?;
        let Some(entry) = entry.filter(|entry| self.is_own(entry)) else {
            return Err(RegisterError::Raced);
        };
        let grant = self.store.grant(ttl).await?;
        self.put_states(states, grant.id).await?;
        match self.put_presence(entry.mod_revision, grant.id).await? {
            Commit::Done(_) => Ok(()),
            Commit::Refused(_) => Err(RegisterError::Raced),
        }
    }

    /// Says that the machine stops its units and goes.
    pub(crate) async fn announce_leave(&self) -> Result<(), RegisterError> {
        let (compare, write) = self.member(|_| Standing::Leaving).await?;
        self.commit(Transaction { compares: vec![compare], writes: write.into_iter().collect() })
            .await
    }

    /// Ends the presence; the machine has left.
    pub(crate) async fn leave(&self, lease: LeaseId) -> Result<(), RegisterError> {
        let key = Key::Machine(self.settings.machine.clone());
        let entry = self.entry(&key).await?;
        let key = self.settings.prefix.encode(&key);
        let (compare, write) = self.member(|_| Standing::Left).await?;
        let mut transaction =
            Transaction { compares: vec![compare], writes: write.into_iter().collect() };
        if let Some(entry) = entry.filter(|entry| self.is_own(entry)) {
            transaction.compares.push(Compare::Modified(key.clone(), entry.mod_revision));
            transaction.writes.push(Write::Delete(key));
        }
        self.commit(transaction).await?;
        Ok(self.store.revoke(lease).await?)
    }

    async fn commit(&self, transaction: Transaction) -> Result<(), RegisterError> {
        if transaction.writes.is_empty() {
            return Ok(());
        }
        match self.store.commit(transaction).await? {
            Commit::Done(_) => Ok(()),
            Commit::Refused(_) => Err(RegisterError::Raced),
        }
    }

    async fn entry(&self, key: &Key) -> Result<Option<KeyValue>, StoreError> {
        let key = self.settings.prefix.encode(key);
        Ok(self.store.range(&Selection::Key(key), None).await?.entries.pop())
    }

    fn is_own(&self, entry: &KeyValue) -> bool {
        judge(Some(entry), &self.settings.presence) == Claim::Ours && entry.lease.is_some()
    }

    /// Waits until the lease is gone, or has surely not been renewed for two thirds of its life:
    /// its owner would have renewed it twice.
    async fn await_end(&self, lease: LeaseId, sentence: String) -> Result<(), RegisterError> {
        let Some(before) = self.store.remaining(lease).await? else { return Ok(()) };
        let pause = self.settings.agent_ttl.mul_f64(2.0 / 3.0);
        info!("Waiting for the end of the presence of this machine's last boot");
        sleep(pause.min(before + Duration::from_secs(1))).await;
        let Some(after) = self.store.remaining(lease).await? else { return Ok(()) };
        // Leases are told in whole seconds, so the difference may be one too small.
        if before.saturating_sub(after) >= pause.mul_f64(2.0 / 3.0) {
            Ok(())
        } else {
            Err(RegisterError::Taken(sentence))
        }
    }

    async fn put_states(
        &self,
        states: &[(UnitName, State)],
        lease: LeaseId,
    ) -> Result<(), StoreError> {
        for chunk in states.chunks(BATCH) {
            self.store.commit(put_states(&self.settings, chunk, lease)).await?;
        }
        Ok(())
    }

    async fn put_presence(&self, read: Revision, lease: LeaseId) -> Result<Commit, StoreError> {
        let key = self.settings.prefix.encode(&Key::Machine(self.settings.machine.clone()));
        let (member, write) = self
            .member(|standing| match standing {
                Some(kept @ (Standing::Cordoned | Standing::Draining)) => kept,
                None | Some(Standing::Joined | Standing::Leaving | Standing::Left) => {
                    Standing::Joined
                }
            })
            .await?;
        let value = encode(&self.settings.presence);
        let mut writes: Vec<_> = write.into_iter().collect();
        writes.push(Write::Put { key: key.clone(), value, lease: Some(lease) });
        let compares = vec![Compare::Modified(key, read), member];
        self.store.commit(Transaction { compares, writes }).await
    }

    /// The write that gives the member another standing, if one is needed, and what it depends on.
    async fn member(
        &self,
        standing: impl Fn(Option<Standing>) -> Standing + Send,
    ) -> Result<(Compare, Option<Write>), StoreError> {
        let key = Key::Member(self.settings.machine.clone());
        let entry = self.entry(&key).await?;
        let key = self.settings.prefix.encode(&key);
        let read = entry.as_ref().map_or(Revision::ABSENT, |entry| entry.mod_revision);
        let compare = Compare::Modified(key.clone(), read);
        let found = match entry.map(|entry| decode::<Member>(&entry.value)).transpose() {
            Ok(found) => found,
            Err(error @ DocumentError::Newer(_)) => {
                warn!(%key, %error, "Member document is left as it is");
                return Ok((compare, None));
            }
            Err(DocumentError::Garbage(error)) => {
                warn!(%key, %error, "Member document is no document of fleet and is replaced");
                None
            }
        };
        let standing = standing(found.as_ref().map(|member| member.standing));
        let address = self.settings.presence.address;
        let member = Member { address, standing, missing: false };
        let write = (found.as_ref() != Some(&member)).then(|| Write::Put {
            key,
            value: encode(&member),
            lease: None,
        });
        Ok((compare, write))
    }

    /// Old leases hold nothing that is wanted any more; if this fails they end by themselves.
    pub(crate) async fn end_old(&self, leases: Vec<LeaseId>) {
        for lease in leases {
            if let Err(error) = self.store.revoke(lease).await {
                warn!(error = %chain(&error), "Old lease is not revoked and has to run out");
            }
        }
    }
}

/// The transaction that writes states.
pub(crate) fn put_states(
    settings: &AgentSettings,
    states: &[(UnitName, State)],
    lease: LeaseId,
) -> Transaction {
    let put = |(unit, state): &(UnitName, State)| Write::Put {
        key: settings.prefix.encode(&Key::State(settings.machine.clone(), unit.clone())),
        value: encode(state),
        lease: Some(lease),
    };
    Transaction { compares: Vec::new(), writes: states.iter().map(put).collect() }
}

fn judge(entry: Option<&KeyValue>, own: &Machine) -> Claim {
    let Some((entry, lease)) = entry.and_then(|entry| Some((entry, entry.lease?))) else {
        return Claim::Ours;
    };
    let holder = match decode::<Machine>(&entry.value) {
        Ok(holder) => holder,
        Err(error) => {
            let sentence = format!(
                "{key} is held by a document that cannot be read ({error}): remove the key if no \
                 host of that id runs",
                key = entry.key
            );
            return Claim::Foreign(lease, sentence);
        }
    };
    let address = holder.address.map_or_else(|| "no address".to_owned(), |ip| ip.to_string());
    let id = entry.key.rsplit('/').next().unwrap_or_default();
    let sentence = format!(
        "the machine-id {id} is held by host {host} ({address}): give this host an id of its own \
         in /etc/machine-id and restart fleet",
        host = holder.hostname,
    );
    if holder.instance != own.instance {
        Claim::Foreign(lease, sentence)
    } else if holder.boot != own.boot {
        Claim::EarlierBoot(lease, sentence)
    } else {
        Claim::Ours
    }
}

/// Renews a lease until it is stopped (`None`) or the lease is gone.
pub(crate) async fn keep_alive<S: Store>(
    store: S,
    grant: Grant,
    stop: CancellationToken,
) -> Option<LeaseId> {
    let mut ttl = grant.ttl;
    let mut pause = ttl / 3;
    let mut failing_since: Option<Instant> = None;
    loop {
        tokio::select! {
            () = stop.cancelled() => return None,
            () = sleep(pause) => {}
        }
        match timeout(ttl / 6, store.keep_alive(grant.id)).await {
            Ok(Ok(KeepAlive::Renewed { ttl: granted, .. })) => {
                ttl = granted;
                pause = ttl / 3;
                if let Some(since) = failing_since.take() {
                    info!(elapsed = ?since.elapsed(), "Presence is renewed again");
                }
            }
            Ok(Ok(KeepAlive::Expired)) => return Some(grant.id),
            Ok(Err(error)) => {
                pause = ttl / 12;
                if failing_since.is_none() {
                    failing_since = Some(Instant::now());
                    warn!(error = %chain(&error), "Presence is not renewed");
                }
            }
            Err(_) => {
                pause = ttl / 12;
                if failing_since.is_none() {
                    failing_since = Some(Instant::now());
                    warn!(error = "no answer in time", "Presence is not renewed");
                }
            }
        }
    }
}
