//! How fast the planner is: on a cluster where nothing is placed yet, on one where one more unit
//! comes to many, and on one at rest.
//!
//! `cargo run --release -p fleetd --example plan -- [--json] [--units=N]`

#![expect(clippy::print_stdout, reason = "the figures are its output")]

use std::collections::BTreeMap;
use std::error::Error;
use std::time::Duration;

use fleet_units::{MachineId, TargetState, UnitFile, UnitName};
use fleetd::placement::{Changes, Cluster, RulesCache};
use fleetd::plan::decision::Group;
use fleetd::plan::transaction::{Basis, Packet, landed, pack, rebase};
use fleetd::plan::{Outlook, plan, replan};
use fleetd::registry::document::{Leader, Machine, Member, Standing, Unit, VERSION, encode};
use fleetd::registry::key::{Key, KeyPrefix};
use fleetd::registry::mirror::Mirror;
use fleetd::store::{ClusterId, Event, KeyValue, Revision, Snapshot, Write};
use rustix::time::{ClockId, clock_gettime};
use uuid::Uuid;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Units, unless the command line says otherwise.
const UNITS: usize = 10_000;

/// Units that come to a settled cluster, one after the other.
const MORE: usize = 200;

/// Each figure is the median of so many runs.
const RUNS: usize = 3;

#[derive(Clone, Copy, Debug)]
enum Scenario {
    /// Units that ask for nothing.
    Plain,
    /// Two fifths ask for nothing; a fifth conflicts with its kind, a fifth comes in pairs tied by
    /// MachineOf, a fifth asks for metadata.
    Mixed,
}

impl Scenario {
    const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Mixed => "mixed",
        }
    }

    fn unit(self, number: usize) -> (String, String) {
        let plain = |name: &str| (format!("{name}@{number:05}.service"), String::new());
        match (self, number % 10) {
            (Self::Plain, _) => plain("web"),
            (Self::Mixed, 0..=3) => plain("app"),
            (Self::Mixed, 4 | 5) => {
                let kind = (number / 10) % 10;
                let name = format!("shard{kind}@{number:05}.service");
                (name, format!("Conflicts=shard{kind}@*.service"))
            }
            (Self::Mixed, 6) => plain("db"),
            (Self::Mixed, 7) => {
                let name = format!("backup@{number:05}.service");
                (name, format!("MachineOf=db@{:05}.service", number - 1))
            }
            (Self::Mixed, _) => {
                let (name, _) = plain("picky");
                let (role, rack) = (number / 10 % 4, number / 40 % 16);
                (name, format!("MachineMetadata=role={role}\nMachineMetadata=rack={rack}"))
            }
        }
    }
}

/// A cluster as a leader sees it, on a store in a map.
struct Stage {
    prefix: KeyPrefix,
    entries: BTreeMap<String, KeyValue>,
    revision: i64,
    leadership: Revision,
    mirror: Mirror,
    cache: RulesCache,
    cluster: Cluster,
    changes: Changes,
}

impl Stage {
    fn new(machines: usize) -> Outcome<Self> {
        let prefix = KeyPrefix::new("/_coreos.com/fleet");
        let mut stage = Self {
            mirror: Mirror::new(prefix.clone()),
            prefix,
            entries: BTreeMap::new(),
            revision: 0,
            leadership: Revision::ABSENT,
            cache: RulesCache::default(),
            cluster: Cluster::default(),
            changes: Changes::default(),
        };
        stage.put(&Key::Leader, encode(&Leader { machine: machine(0)? }));
        stage.leadership = Revision(stage.revision);
        for number in 0..machines {
            let id = machine(number)?;
            let member = Member { address: None, standing: Standing::Joined, missing: false };
            stage.put(&Key::Member(id.clone()), encode(&member));
            stage.put(&Key::Machine(id), encode(&presence(number)));
        }
        Ok(stage)
    }

    fn submit(&mut self, scenario: Scenario, number: usize) -> Outcome<Event> {
        let (name, directives) = scenario.unit(number);
        let text = format!(
            "[Unit]\nDescription=Unit {number}\n\n[Service]\nExecStart=/usr/bin/sleep infinity\n\n\
             [X-Fleet]\n{directives}\n"
        );
        let hash = UnitFile::parse(&text)?.hash();
        let target = TargetState::Launched;
        let unit = Unit { text, hash, target, generation: 1, stops: 0 };
        Ok(self.put(&Key::Unit(name.parse::<UnitName>()?), encode(&unit)))
    }

    fn put(&mut self, key: &Key, value: Vec<u8>) -> Event {
        self.put_text(self.prefix.encode(key), value)
    }

    fn put_text(&mut self, key: String, value: Vec<u8>) -> Event {
        self.revision += 1;
        let mod_revision = Revision(self.revision);
        let before = self.entries.get(&key);
        let create_revision = before.map_or(mod_revision, |entry| entry.create_revision);
        let entry = KeyValue { key, value, create_revision, mod_revision, lease: None };
        self.entries.insert(entry.key.clone(), entry.clone());
        Event::Put(entry)
    }

    fn list(&mut self) {
        let snapshot = Snapshot {
            cluster: ClusterId(1),
            revision: Revision(self.revision),
            entries: self.entries.values().cloned().collect(),
        };
        self.mirror.reset(snapshot);
    }

    fn view(&mut self) {
        self.cluster = Cluster::of(&self.mirror, &mut self.cache);
        self.changes = Changes::everything();
    }

    fn hear(&mut self, events: Vec<Event>) {
        let touched = self.mirror.apply(Revision(self.revision), events);
        self.cluster.refresh(&self.mirror, &mut self.cache, &touched, &mut self.changes);
    }

    fn replan(&mut self) -> Vec<Group> {
        replan(&mut self.cluster, &Outlook::default(), &std::mem::take(&mut self.changes))
    }

    fn pack(&self, groups: &[Group]) -> Vec<Packet> {
        let Self { prefix, mirror, cluster, leadership, .. } = self;
        pack(&Basis { prefix, mirror, cluster, leadership: *leadership }, groups)
    }

    /// Writes as the leader does; returns what it hears then.
    fn land(&mut self, packets: Vec<Packet>) -> Vec<Vec<Event>> {
        let mut written = BTreeMap::new();
        let mut heard = Vec::new();
        for mut packet in packets {
            rebase(&mut packet.transaction, &written);
            let mut events = Vec::new();
            for write in packet.transaction.writes.clone() {
                if let Write::Put { key, value, .. } = write {
                    events.push(self.put_text(key, value));
                }
            }
            written.extend(landed(&packet.transaction, Revision(self.revision)));
            heard.push(events);
        }
        heard
    }
}

fn machine(number: usize) -> Outcome<MachineId> {
    // Any spread will do: ids are not in the order of the racks.
    let spread = (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    Ok(format!("{spread:016x}{number:016x}").parse()?)
}

fn presence(number: usize) -> Machine {
    let metadata = [
        ("role", (number % 4).to_string()),
        ("rack", (number / 4 % 16).to_string()),
        ("disk", if number % 8 < 4 { "ssd" } else { "hdd" }.to_owned()),
    ];
    Machine {
        instance: Uuid::nil(),
        boot: String::new(),
        hostname: format!("host{number}"),
        address: None,
        metadata: metadata.into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
        reads: VERSION,
        fleet: String::new(),
    }
}

/// One run's figures, each a time.
#[derive(Clone, Copy, Debug, Default)]
struct Figures {
    /// Decoding a list of all documents.
    decode: Duration,
    /// Viewing them for the first time.
    view: Duration,
    /// Planning all units.
    plan: Duration,
    /// Making transactions of the plan.
    pack: Duration,
    /// Taking over all that was written.
    refresh: Duration,
    /// One more unit, from its document to the decision.
    one_more: Duration,
    /// A machine that writes its document anew, and nothing to do.
    rest: Duration,
    /// A look at everything, with nothing to do.
    full: Duration,
}

/// Takes the time of the processor: a planner waits for nothing, and what else the machine does is
/// not its fault.
fn timed<T>(time: &mut Duration, work: impl FnOnce() -> T) -> T {
    let began = clock_gettime(ClockId::ThreadCPUTime);
    let outcome = work();
    let took = clock_gettime(ClockId::ThreadCPUTime) - began;
    *time = took.try_into().unwrap_or_default();
    outcome
}

fn run(scenario: Scenario, machines: usize, units: usize) -> Outcome<Figures> {
    let mut figures = Figures::default();
    let mut stage = Stage::new(machines)?;
    for number in 0..units {
        stage.submit(scenario, number)?;
    }
    timed(&mut figures.decode, || stage.list());
    timed(&mut figures.view, || stage.view());
    let groups = timed(&mut figures.plan, || stage.replan());
    let placed: usize = groups.iter().map(Vec::len).sum();
    if placed != units {
        return Err(format!("{placed} units of {units} are placed").into());
    }
    let packets = timed(&mut figures.pack, || stage.pack(&groups));
    let heard = stage.land(packets);
    timed(&mut figures.refresh, || heard.into_iter().for_each(|events| stage.hear(events)));
    let left = stage.replan();
    if !left.is_empty() {
        return Err(format!("the cluster is not settled: {left:?}").into());
    }
    figures.one_more = one_more(&mut stage, scenario, units)?;
    let event = stage.put(&Key::Machine(machine(1)?), encode(&presence(1)));
    timed(&mut figures.rest, || {
        stage.hear(vec![event]);
        stage.replan()
    });
    let full = timed(&mut figures.full, || plan(&stage.cluster, &Outlook::default()));
    if !full.is_empty() {
        return Err(format!("the cluster is not at rest: {full:?}").into());
    }
    Ok(figures)
}

/// The mean over units of all kinds, each landed before the next one comes.
fn one_more(stage: &mut Stage, scenario: Scenario, units: usize) -> Outcome<Duration> {
    let mut total = Duration::ZERO;
    for number in units..units + MORE {
        let event = stage.submit(scenario, number)?;
        let mut time = Duration::ZERO;
        let groups = timed(&mut time, || {
            stage.hear(vec![event]);
            stage.replan()
        });
        total += time;
        if groups.len() != 1 {
            return Err(format!("one more unit makes {} groups", groups.len()).into());
        }
        let packets = stage.pack(&groups);
        for events in stage.land(packets) {
            stage.hear(events);
        }
        let left = stage.replan();
        if !left.is_empty() {
            return Err(format!("one more unit is not settled: {left:?}").into());
        }
    }
    Ok(total / u32::try_from(MORE)?)
}

fn median(runs: &[Figures], figure: impl Fn(&Figures) -> Duration) -> Duration {
    let mut times: Vec<_> = runs.iter().map(figure).collect();
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn main() -> Outcome<()> {
    let arguments: Vec<_> = std::env::args().collect();
    let is_json = arguments.iter().any(|argument| argument == "--json");
    let units = arguments.iter().find_map(|argument| argument.strip_prefix("--units="));
    let units = units.map_or(Ok(UNITS), str::parse)?;
    for scenario in [Scenario::Plain, Scenario::Mixed] {
        for machines in [1_000, 5_000] {
            let runs = (0..RUNS).map(|_| run(scenario, machines, units));
            tell(scenario, machines, units, &runs.collect::<Outcome<Vec<_>>>()?, is_json);
        }
    }
    Ok(())
}

fn tell(scenario: Scenario, machines: usize, units: usize, runs: &[Figures], is_json: bool) {
    let millis = |figure: fn(&Figures) -> Duration| median(runs, figure).as_secs_f64() * 1e3;
    let micros = |figure: fn(&Figures) -> Duration| median(runs, figure).as_secs_f64() * 1e6;
    let scenario = scenario.name();
    let plan = median(runs, |run| run.plan);
    let per_second = units as f64 / plan.as_secs_f64();
    let (decode, view) = (millis(|run| run.decode), millis(|run| run.view));
    let (plan, pack) = (millis(|run| run.plan), millis(|run| run.pack));
    let (refresh, full) = (millis(|run| run.refresh), millis(|run| run.full));
    let (one_more, rest) = (micros(|run| run.one_more), micros(|run| run.rest));
    if is_json {
        println!(
            "{{\"scenario\":\"{scenario}\",\"machines\":{machines},\"units\":{units},\
             \"placements_per_second\":{per_second:.0},\"one_more_us\":{one_more:.1},\
             \"rest_us\":{rest:.1},\"decode_ms\":{decode:.1},\"view_ms\":{view:.1},\
             \"plan_ms\":{plan:.1},\"pack_ms\":{pack:.1},\"refresh_ms\":{refresh:.1},\
             \"full_ms\":{full:.1}}}"
        );
    } else {
        println!(
            "{scenario}, {machines} machines, {units} units: {per_second:.0} placements/s, one \
             more in {one_more:.1} us, at rest {rest:.1} us\n    decode {decode:.1} ms, view \
             {view:.1} ms, plan {plan:.1} ms, pack {pack:.1} ms, take over {refresh:.1} ms, look \
             at everything {full:.1} ms"
        );
    }
}
