//! Our words in etcd's, and back.

use std::time::Duration;

use etcd_client::proto::{PbEvent, PbKeyValue};
use etcd_client::{
    Compare as EtcdCompare, CompareOp, Error, PutOptions, ResponseHeader, Txn, TxnOp,
};

use super::fault::LEASE_GONE;
use crate::store::{
    ClusterId, Compare, Event, KeyValue, LeaseId, Revision, Selection, Transaction, Write,
};

/// Stands for the end of all keys in etcd's ranges.
const END: &[u8] = b"\0";

/// First key of a selection and the one behind its last; the latter is empty for a single key.
pub(super) fn bounds(selection: &Selection) -> (Vec<u8>, Vec<u8>) {
    match selection {
        Selection::Key(key) => (key.clone().into_bytes(), Vec::new()),
        Selection::Prefix(prefix) if prefix.is_empty() => (END.to_vec(), END.to_vec()),
        Selection::Prefix(prefix) => (prefix.clone().into_bytes(), end_of(prefix.as_bytes())),
    }
}

/// The key that directly follows.
pub(super) fn after(key: &[u8]) -> Vec<u8> {
    [key, b"\0"].concat()
}

fn end_of(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            return end;
        }
    }
    END.to_vec()
}

pub(super) fn transaction(transaction: &Transaction) -> Txn {
    let compares = transaction.compares.iter().map(|compare| match compare {
        Compare::Created(key, revision) => {
            EtcdCompare::create_revision(key.as_str(), CompareOp::Equal, revision.0)
        }
        Compare::Modified(key, revision) => {
            EtcdCompare::mod_revision(key.as_str(), CompareOp::Equal, revision.0)
        }
    });
    let writes = transaction.writes.iter().map(|write| match write {
        Write::Put { key, value, lease } => {
            let options = lease.map(|lease| PutOptions::new().with_lease(lease.0));
            TxnOp::put(key.as_str(), value.as_slice(), options)
        }
        Write::Delete(key) => TxnOp::delete(key.as_str(), None),
    });
    Txn::new().when(compares.collect::<Vec<_>>()).and_then(writes.collect::<Vec<_>>())
}

pub(super) fn revision(header: Option<&ResponseHeader>) -> Revision {
    Revision(header.map_or(0, ResponseHeader::revision))
}

pub(super) fn cluster(header: Option<&ResponseHeader>) -> ClusterId {
    ClusterId(header.map_or(0, ResponseHeader::cluster_id))
}

pub(super) fn key_value(entry: PbKeyValue) -> KeyValue {
    KeyValue {
        key: text(entry.key),
        value: entry.value,
        create_revision: Revision(entry.create_revision),
        mod_revision: Revision(entry.mod_revision),
        lease: (entry.lease != 0).then_some(LeaseId(entry.lease)),
    }
}

/// `None` for an event without a key, which no etcd sends.
pub(super) fn event(event: PbEvent) -> Option<Event> {
    /// The number of DELETE in etcd's `Event.EventType`.
    const DELETE: i32 = 1;

    let entry = event.kv?;
    Some(if event.r#type == DELETE {
        Event::Delete { key: text(entry.key), revision: Revision(entry.mod_revision) }
    } else {
        Event::Put(key_value(entry))
    })
}

/// The time to live in etcd's unit, never less than what is asked for.
pub(super) fn seconds(ttl: Duration) -> i64 {
    let seconds = ttl.as_secs() + u64::from(ttl.subsec_nanos() > 0);
    i64::try_from(seconds).unwrap_or(i64::MAX)
}

/// `None` if etcd says that the lease is gone.
pub(super) fn time_to_live(seconds: i64) -> Option<Duration> {
    u64::try_from(seconds).ok().map(Duration::from_secs)
}

/// What a lease has that was kept alive. Of one that is gone etcd says that it has 0 seconds.
pub(super) fn renewed(seconds: i64) -> Result<Duration, Error> {
    time_to_live(seconds)
        .filter(|ttl| !ttl.is_zero())
        .ok_or_else(|| Error::LeaseKeepAliveError(LEASE_GONE.to_owned()))
}

fn text(key: Vec<u8>) -> String {
    String::from_utf8(key)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests {
    use super::super::fault::{Failure, Fault};
    use super::*;

    #[test]
    fn a_prefix_ends_before_the_next_one() {
        assert_eq!(bounds(&Selection::Prefix("a/".into())), (b"a/".to_vec(), b"a0".to_vec()));
        assert_eq!(bounds(&Selection::Prefix(String::new())), (b"\0".to_vec(), b"\0".to_vec()));
        assert_eq!(end_of(b"a\xff"), b"b");
        assert_eq!(end_of(b"\xff\xff"), b"\0");
    }

    #[test]
    fn a_time_to_live_is_rounded_up() {
        let asked = [2000, 2001, 1].map(Duration::from_millis);

        assert_eq!(asked.map(seconds), [2, 3, 1]);
    }

    #[test]
    fn a_lease_that_has_no_time_left_was_not_renewed() {
        let outcomes = [5, 0, -1].map(|seconds| {
            renewed(seconds).map_err(|error| Failure::new("http://a:2379", error).fault)
        });

        let gone = Err(Fault::LeaseGone);
        assert_eq!(outcomes, [Ok(Duration::from_secs(5)), gone, gone]);
    }

    #[test]
    fn a_key_that_is_not_text_is_kept_readable() {
        assert_eq!(text(b"fleet/\xff".to_vec()), "fleet/\u{fffd}");
    }
}
