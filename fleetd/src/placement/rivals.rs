//! Who would push whom away, and whether that comes back.

use std::collections::BTreeSet;

use fleet_units::UnitName;

use super::cluster::Cluster;
use super::view::RecordView;

impl Cluster {
    /// Whether the second unit, pushed away by the first, would push the first away in the end.
    ///
    /// A unit pushes away those that it replaces, and those go with it that it leaves alone: its
    /// followers by MachineOf. Whoever gave way on such a circle would come back and be pushed
    /// away for ever; as nobody on it gives way, every displacement leads downwards, and a
    /// cluster settles.
    #[must_use]
    pub fn are_rivals(&self, replacing: &UnitName, replaced: &UnitName) -> bool {
        let mut known = BTreeSet::from([replaced]);
        let mut next = vec![replaced];
        while let Some(name) = next.pop() {
            if name == replacing {
                return true;
            }
            let followers = self.followers.get(name).into_iter().flatten();
            let record = self.units.get(name).and_then(|unit| unit.record.as_ref());
            let replaces = record.filter(|record| record.is_wanted());
            let replaced = replaces.into_iter().flat_map(|record| self.replaced_by(record));
            next.extend(followers.chain(replaced).filter(|name| known.insert(name)));
        }
        false
    }

    fn replaced_by<'a>(&'a self, record: &'a RecordView) -> impl Iterator<Item = &'a UnitName> {
        let own = &record.rules.name;
        let replaced = record.rules.replaces.among(&self.units).map(|(name, _)| name);
        replaced.filter(move |name| *name != own)
    }
}
