use proptest::prelude::*;

use super::*;

fn name(unit: &str) -> UnitName {
    unit.parse().unwrap()
}

fn hash(text: &str) -> UnitHash {
    fleet_units::UnitFile::parse(&format!("[Service]\nExecStart={text}\n")).unwrap().hash()
}

fn record(target: TargetState) -> Applied {
    Applied { uid: 1, hash: hash("one"), generation: 1, stops: 0, target, placement: 1 }
}

const MODIFIED: Revision = Revision(7);

/// An owned [`View`].
#[derive(Clone, Debug, Default)]
struct World {
    assigned: BTreeMap<UnitName, Assigned>,
    applied: BTreeMap<UnitName, Applied>,
    installed: BTreeMap<UnitName, Version>,
    jobs: BTreeMap<UnitName, Activity>,
    filing: BTreeSet<UnitName>,
    blocked: BTreeSet<UnitName>,
    displaced: BTreeSet<UnitName>,
    forgetting: BTreeMap<UnitName, Revision>,
    leaving: bool,
}

impl World {
    fn assign(mut self, unit: &str, order: Order) -> Self {
        self = self.assign_text(unit, order, "");
        self
    }

    fn assign_text(mut self, unit: &str, order: Order, text: &str) -> Self {
        let relations = Relations::of(&name(unit), text);
        self.assigned.insert(name(unit), Assigned { order, modified: MODIFIED, relations });
        self
    }

    /// A unit that was brought to this record, its file included.
    fn apply(mut self, unit: &str, record: Applied) -> Self {
        self.installed.insert(name(unit), Version { uid: record.uid, hash: record.hash });
        self.applied.insert(name(unit), record);
        self
    }

    fn install(mut self, unit: &str, version: Version) -> Self {
        self.installed.insert(name(unit), version);
        self
    }

    fn job(mut self, unit: &str, activity: Activity) -> Self {
        self.jobs.insert(name(unit), activity);
        self
    }

    fn plan(&self) -> Plan {
        plan(&View {
            assigned: &self.assigned,
            applied: &self.applied,
            installed: &self.installed,
            jobs: &self.jobs,
            filing: &self.filing,
            blocked: &self.blocked,
            displaced: &self.displaced,
            forgetting: &self.forgetting,
            leaving: self.leaving,
        })
    }

    /// Carries out a plan as if everything succeeded at once.
    fn carry_out(&mut self, plan: Plan) {
        for unit in plan.stops.into_keys() {
            let version = self.installed.get(&unit).copied();
            let fresh = || {
                let version = version.expect("only what has a record or a file is stopped");
                Applied { uid: version.uid, hash: version.hash, ..record(TargetState::Inactive) }
            };
            self.applied.entry(unit).or_insert_with(fresh).target = TargetState::Inactive;
        }
        for unit in plan.installs {
            let Applied { uid, hash, .. } = self.wanted(&unit);
            self.installed.insert(unit, Version { uid, hash });
        }
        for unit in plan.starts.into_iter().chain(plan.notes) {
            let wanted = self.wanted(&unit);
            self.applied.insert(unit, wanted);
        }
        for unit in plan.removals {
            self.applied.remove(&unit);
            self.installed.remove(&unit);
        }
        for (unit, modified) in plan.forgets {
            let known = self.assigned.get(&unit).map_or(Revision::ABSENT, |it| it.modified);
            assert_eq!(modified, known, "{unit}");
            self.assigned.remove(&unit);
            self.displaced.remove(&unit);
        }
    }

    fn wanted(&self, unit: &UnitName) -> Applied {
        match &self.assigned[unit].order {
            Order::Hold(wanted) => wanted.clone(),
            other => panic!("{unit} is not held but {other:?}"),
        }
    }
}

fn held(target: TargetState) -> Order {
    Order::Hold(record(target))
}

fn launched() -> Applied {
    record(TargetState::Launched)
}

fn loaded() -> Applied {
    record(TargetState::Loaded)
}

fn stopped() -> Applied {
    record(TargetState::Inactive)
}

fn one() -> Version {
    Version { uid: 1, hash: hash("one") }
}

fn installs(units: &[&str]) -> Plan {
    Plan { installs: units.iter().map(|unit| name(unit)).collect(), ..Plan::default() }
}

fn starts(units: &[&str]) -> Plan {
    Plan { starts: units.iter().map(|unit| name(unit)).collect(), ..Plan::default() }
}

fn stops(unit: &str, reason: StopReason) -> Plan {
    Plan { stops: BTreeMap::from([(name(unit), reason)]), ..Plan::default() }
}

fn notes(unit: &str) -> Plan {
    Plan { notes: BTreeSet::from([name(unit)]), ..Plan::default() }
}

fn removals(unit: &str) -> Plan {
    Plan { removals: BTreeSet::from([name(unit)]), ..Plan::default() }
}

fn forgets(unit: &str, modified: Revision) -> Plan {
    Plan { forgets: BTreeMap::from([(name(unit), modified)]), ..Plan::default() }
}

const WEB: &str = "web.service";
const DB: &str = "db.service";

#[test]
fn a_new_unit_is_installed_and_then_started() {
    let world = World::default().assign(WEB, held(TargetState::Launched));
    assert_eq!(world.plan(), installs(&[WEB]));

    assert_eq!(world.install(WEB, one()).plan(), starts(&[WEB]));
}

#[test]
fn a_new_loaded_unit_is_installed_and_then_noted() {
    let world = World::default().assign(WEB, held(TargetState::Loaded));
    assert_eq!(world.plan(), installs(&[WEB]));

    assert_eq!(world.install(WEB, one()).plan(), notes(WEB));
}

#[test]
fn a_unit_that_is_where_it_should_be_needs_nothing() {
    for target in [TargetState::Loaded, TargetState::Launched] {
        let world = World::default().assign(WEB, held(target)).apply(WEB, record(target));

        assert_eq!(world.plan(), Plan::default(), "{target}");
    }
}

#[test]
fn a_lower_target_stops_and_a_higher_one_starts() {
    let lower = World::default().assign(WEB, held(TargetState::Loaded)).apply(WEB, launched());
    let higher = World::default().assign(WEB, held(TargetState::Launched)).apply(WEB, loaded());

    assert_eq!(lower.plan(), stops(WEB, StopReason::Target));
    assert_eq!(higher.plan(), starts(&[WEB]));
}

#[test]
fn another_text_stops_before_the_file_is_replaced_and_starts_after() {
    let wanted = Applied { hash: hash("two"), generation: 2, ..launched() };
    let mut world = World::default().assign(WEB, Order::Hold(wanted)).apply(WEB, launched());

    assert_eq!(world.plan(), stops(WEB, StopReason::Changed));
    world.carry_out(world.plan());
    assert_eq!(world.plan(), installs(&[WEB]));
    world.carry_out(world.plan());
    assert_eq!(world.plan(), starts(&[WEB]));
}

#[test]
fn another_unit_of_the_same_name_and_text_stops_first() {
    let wanted = Applied { uid: 2, ..loaded() };
    let world = World::default().assign(WEB, Order::Hold(wanted)).apply(WEB, loaded());

    assert_eq!(world.plan(), stops(WEB, StopReason::Changed));
}

#[test]
fn another_stop_count_stops_and_starts_without_touching_the_file() {
    let wanted = Applied { stops: 1, generation: 2, ..launched() };
    let mut world = World::default().assign(WEB, Order::Hold(wanted)).apply(WEB, launched());

    assert_eq!(world.plan(), stops(WEB, StopReason::Restarted));
    world.carry_out(world.plan());
    assert_eq!(world.plan(), starts(&[WEB]));
}

#[test]
fn another_generation_or_placement_alone_is_only_noted() {
    for wanted in [Applied { generation: 2, ..launched() }, Applied { placement: 2, ..launched() }]
    {
        let world =
            World::default().assign(WEB, Order::Hold(wanted.clone())).apply(WEB, launched());

        assert_eq!(world.plan(), notes(WEB), "{wanted:?}");
    }
}

#[test]
fn a_released_unit_is_stopped_then_removed_then_forgotten() {
    let mut world = World::default().assign(WEB, Order::Release).apply(WEB, launched());

    assert_eq!(world.plan(), stops(WEB, StopReason::Released));
    world.carry_out(world.plan());
    assert_eq!(world.plan(), removals(WEB));
    world.carry_out(world.plan());
    assert_eq!(world.plan(), forgets(WEB, MODIFIED));
}

#[test]
fn a_released_unit_that_was_never_ours_is_only_forgotten() {
    let world = World::default().assign("ssh.service", Order::Release);

    assert_eq!(world.plan(), forgets("ssh.service", MODIFIED));
}

#[test]
fn a_released_unit_with_a_file_and_no_record_is_stopped_all_the_same() {
    let world = World::default().assign(WEB, Order::Release).install(WEB, one());

    assert_eq!(world.plan(), stops(WEB, StopReason::Released));
}

#[test]
fn documents_are_deleted_once_per_revision_of_the_assignment() {
    let mut world = World::default().assign(WEB, Order::Release);

    world.forgetting.insert(name(WEB), MODIFIED);
    assert_eq!(world.plan(), Plan::default());

    world.forgetting.insert(name(WEB), Revision(6));
    assert_eq!(world.plan(), forgets(WEB, MODIFIED));
}

#[test]
fn absence_and_unreadable_or_retiring_assignments_change_nothing() {
    let orphan = World::default().apply(WEB, launched());
    let kept = World::default().assign(WEB, Order::Keep).apply(WEB, launched());
    let unknown = World::default().assign(WEB, Order::Keep);

    assert_eq!(
        [orphan, kept, unknown].map(|world| world.plan()),
        [(); 3].map(|()| Plan::default())
    );
}

#[test]
fn an_orphan_that_is_placed_elsewhere_goes() {
    let mut world = World::default().apply(WEB, launched());
    world.displaced.insert(name(WEB));

    assert_eq!(world.plan(), stops(WEB, StopReason::Displaced));
    world.carry_out(world.plan());
    assert_eq!(world.plan(), removals(WEB));
    world.carry_out(world.plan());
    assert_eq!(world.plan(), forgets(WEB, Revision::ABSENT));
    let mut gone = World::default().install(WEB, one());
    gone.displaced.insert(name(WEB));
    assert_eq!(gone.plan(), stops(WEB, StopReason::Displaced));
}

#[test]
fn a_leaving_machine_gives_up_everything() {
    let mut world = World::default()
        .assign("held.service", held(TargetState::Launched))
        .apply("held.service", launched())
        .assign("kept.service", Order::Keep)
        .apply("kept.service", launched())
        .assign("new.service", held(TargetState::Launched))
        .assign("retiring.service", Order::Keep)
        .assign("garbage.service", Order::Unreadable)
        .apply("orphan.service", loaded());
    world.leaving = true;

    let units = ["held.service", "kept.service", "orphan.service"];
    let stops = units.map(|unit| (name(unit), StopReason::Leaving)).into();
    let forgets = ["new.service", "retiring.service"].map(|unit| (name(unit), MODIFIED)).into();
    assert_eq!(world.plan(), Plan { stops, forgets, ..Plan::default() });
}

#[test]
fn nothing_happens_to_a_unit_whose_stop_has_not_ended() {
    let wanted = Applied { stops: 1, ..launched() };
    let world = World::default()
        .assign(WEB, Order::Hold(wanted))
        .apply(WEB, launched())
        .job(WEB, Activity::Stopping);

    assert_eq!(world.plan(), Plan::default());
}

#[test]
fn a_running_start_can_be_ended_by_a_stop_and_an_unanswered_one_cannot() {
    let world = World::default().assign(WEB, held(TargetState::Loaded)).apply(WEB, launched());

    let running = world.clone().job(WEB, Activity::Starting);
    assert_eq!(running.plan(), stops(WEB, StopReason::Target));
    assert_eq!(world.job(WEB, Activity::Asking).plan(), Plan::default());
}

#[test]
fn one_batch_of_files_goes_at_a_time_and_starts_go_meanwhile() {
    let mut world = World::default()
        .assign(WEB, held(TargetState::Launched))
        .install(WEB, one())
        .assign(DB, held(TargetState::Launched));
    world.filing.insert(name("other.service"));

    assert_eq!(world.plan(), starts(&[WEB]));
}

#[test]
fn a_blocked_unit_blocks_no_other() {
    let mut world = World::default()
        .assign(WEB, held(TargetState::Launched))
        .assign(DB, held(TargetState::Launched));
    world.blocked.insert(name(WEB));

    assert_eq!(world.plan(), installs(&[DB]));
}

#[test]
fn a_start_waits_for_the_files_of_units_that_it_pulls_in() {
    let text = "[Unit]\nRequires=db.service\n";
    let world = World::default()
        .assign_text(WEB, held(TargetState::Launched), text)
        .install(WEB, one())
        .assign(DB, held(TargetState::Launched));

    let waiting = BTreeMap::from([(name(WEB), name(DB))]);
    assert_eq!(world.plan(), Plan { waiting: waiting.clone(), ..installs(&[DB]) });

    let mut filing = world.clone();
    filing.filing.insert(name(DB));
    assert_eq!(filing.plan(), Plan { waiting, ..Plan::default() });

    assert_eq!(world.install(DB, one()).plan(), starts(&[DB, WEB]));
}

#[test]
fn a_start_waits_for_no_file_that_cannot_be_written() {
    let text = "[Unit]\nWants=db.service\n";
    let mut world = World::default()
        .assign_text(WEB, held(TargetState::Launched), text)
        .install(WEB, one())
        .assign(DB, held(TargetState::Launched));
    world.blocked.insert(name(DB));

    assert_eq!(world.plan(), starts(&[WEB]));
}

#[test]
fn a_start_waits_for_the_stop_of_what_it_excludes_in_either_direction() {
    for (own, other) in [
        ("[X-Fleet]\nConflicts=db*\n", ""),
        ("[X-Fleet]\nReplaces=db.service\n", ""),
        ("", "[X-Fleet]\nConflicts=web.service\n"),
    ] {
        let world = World::default()
            .assign_text(WEB, held(TargetState::Launched), own)
            .install(WEB, one())
            .assign_text(DB, Order::Release, other)
            .apply(DB, launched());

        let waiting = BTreeMap::from([(name(WEB), name(DB))]);
        let waits = Plan { waiting, ..Plan::default() };
        let stops = stops(DB, StopReason::Released).stops;
        assert_eq!(world.plan(), Plan { stops, ..waits.clone() }, "{own}{other}");
        assert_eq!(world.clone().job(DB, Activity::Stopping).plan(), waits, "{own}{other}");
        let stopped = world.apply(DB, stopped());
        assert_eq!(
            stopped.plan(),
            Plan { removals: removals(DB).removals, ..starts(&[WEB]) },
            "{own}{other}"
        );
    }
}

#[test]
fn a_start_does_not_wait_for_the_stop_of_a_stranger() {
    let world = World::default()
        .assign(WEB, held(TargetState::Launched))
        .install(WEB, one())
        .assign(DB, Order::Release)
        .apply(DB, launched())
        .job(DB, Activity::Stopping);

    assert_eq!(world.plan(), starts(&[WEB]));
}

fn target() -> impl Strategy<Value = TargetState> {
    prop_oneof![Just(TargetState::Loaded), Just(TargetState::Launched)]
}

fn wanted() -> impl Strategy<Value = Applied> {
    (1..3_i64, prop_oneof![Just("one"), Just("two")], 1..3_u64, 0..2_u64, target()).prop_map(
        |(uid, text, generation, stops, target)| {
            let hash = hash(text);
            Applied { uid, hash, generation, stops, target, placement: 1 }
        },
    )
}

fn order() -> impl Strategy<Value = Option<Order>> {
    prop_oneof![
        4 => wanted().prop_map(|wanted| Some(Order::Hold(wanted))),
        1 => Just(Some(Order::Release)),
        1 => Just(Some(Order::Keep)),
        1 => Just(Some(Order::Unreadable)),
        1 => Just(None),
    ]
}

/// Some texts relate their units to each other, in circles too.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        (0..5_u8).prop_map(|other| format!("[Unit]\nRequires=u{other}.service\n")),
        (0..5_u8).prop_map(|other| format!("[X-Fleet]\nConflicts=u{other}.service\n")),
        Just("[X-Fleet]\nConflicts=u*\n".to_owned()),
    ]
}

type Case = (Option<Order>, Option<Applied>, bool, bool, String);

fn case() -> impl Strategy<Value = Case> {
    (order(), proptest::option::of(wanted()), any::<bool>(), any::<bool>(), text())
}

fn worlds() -> impl Strategy<Value = World> {
    proptest::collection::vec(case(), 0..5).prop_map(|cases| {
        let mut world = World::default();
        for (index, (order, applied, file, displaced, text)) in cases.into_iter().enumerate() {
            let unit = format!("u{index}.service");
            if displaced && order.is_none() && (file || applied.is_some()) {
                world.displaced.insert(name(&unit));
            }
            if let Some(order) = order {
                world = world.assign_text(&unit, order, &text);
            }
            if let Some(applied) = applied {
                world = world.apply(&unit, applied);
            } else if file {
                world = world.install(&unit, one());
            }
        }
        world
    })
}

type Busy = (Option<Activity>, bool, bool);

fn busy() -> impl Strategy<Value = Busy> {
    let activity =
        prop_oneof![Just(Activity::Stopping), Just(Activity::Asking), Just(Activity::Starting)];
    (proptest::option::of(activity), proptest::bool::weighted(0.2), proptest::bool::weighted(0.2))
}

/// Worlds in which something is under way, or has failed.
fn busy_worlds() -> impl Strategy<Value = World> {
    (worlds(), proptest::collection::vec(busy(), 5)).prop_map(|(mut world, units)| {
        for (index, (job, filing, blocked)) in units.into_iter().enumerate() {
            let unit = name(&format!("u{index}.service"));
            world.jobs.extend(job.map(|job| (unit.clone(), job)));
            world.filing.extend(filing.then(|| unit.clone()));
            world.blocked.extend(blocked.then_some(unit));
        }
        world
    })
}

fn settle(world: &World) -> World {
    let mut world = world.clone();
    for _ in 0..50 {
        let plan = world.plan();
        if plan == Plan::default() {
            return world;
        }
        world.carry_out(plan);
    }
    panic!("no end to it: {:?}", world.plan());
}

proptest! {
    #[test]
    fn carrying_out_plans_ends_where_the_assignments_want_it(world in worlds()) {
        let settled = settle(&world);

        for (unit, assigned) in &world.assigned {
            match &assigned.order {
                Order::Hold(wanted) => {
                    prop_assert_eq!(settled.applied.get(unit), Some(wanted));
                    let version = Version { uid: wanted.uid, hash: wanted.hash };
                    prop_assert_eq!(settled.installed.get(unit), Some(&version));
                }
                Order::Release => {
                    prop_assert_eq!(settled.applied.get(unit), None);
                    prop_assert!(!settled.assigned.contains_key(unit));
                }
                Order::Keep | Order::Unreadable => {
                    prop_assert_eq!(settled.applied.get(unit), world.applied.get(unit));
                }
            }
        }
        for (unit, record) in &world.applied {
            if !world.assigned.contains_key(unit) {
                let kept = (!world.displaced.contains(unit)).then_some(record);
                prop_assert_eq!(settled.applied.get(unit), kept);
            }
        }
    }

    #[test]
    fn a_settled_machine_needs_nothing(world in worlds()) {
        prop_assert_eq!(settle(&world).plan(), Plan::default());
    }

    #[test]
    fn a_leaving_machine_ends_empty(world in worlds()) {
        let settled = settle(&World { leaving: true, ..world });

        prop_assert!(settled.applied.is_empty() && settled.installed.is_empty());
    }

    #[test]
    fn nothing_is_stopped_without_a_reason(world in busy_worlds()) {
        for unit in world.plan().stops.keys() {
            let released = match world.assigned.get(unit).map(|assigned| &assigned.order) {
                None => world.displaced.contains(unit),
                Some(Order::Release) => true,
                Some(Order::Keep | Order::Unreadable) => false,
                Some(Order::Hold(wanted)) => world.applied.get(unit).is_some_and(|record| {
                    (record.uid, record.hash, record.stops)
                        != (wanted.uid, wanted.hash, wanted.stops)
                        || record.target > wanted.target
                }),
            };
            prop_assert!(released, "{unit}");
        }
    }

    #[test]
    fn what_is_under_way_is_waited_for(world in busy_worlds()) {
        let Plan { stops, installs, starts, notes, removals, forgets, .. } = world.plan();
        let stops: BTreeSet<_> = stops.into_keys().collect();
        let filing = installs.union(&removals).cloned().collect::<BTreeSet<_>>();
        prop_assert!(filing.is_empty() || world.filing.is_empty(), "{filing:?}");
        let forgets = forgets.into_keys().collect();
        for unit in [stops.clone(), filing, starts, notes.clone(), forgets].into_iter().flatten() {
            prop_assert!(!world.filing.contains(&unit) && !world.blocked.contains(&unit), "{unit}");
            let may_go = match world.jobs.get(&unit) {
                None => true,
                Some(Activity::Starting) => stops.contains(&unit) || notes.contains(&unit),
                Some(Activity::Stopping | Activity::Asking) => false,
            };
            prop_assert!(may_go, "{unit}");
        }
    }
}
