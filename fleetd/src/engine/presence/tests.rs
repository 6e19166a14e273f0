use super::*;
use crate::placement::testing::{World, machine};

const TTL: Duration = Duration::from_secs(10);
const GRACE: Duration = Duration::from_secs(60);

/// A judge with a clock that the test sets.
struct Court {
    judge: Presence,
    began: Instant,
}

impl Court {
    fn new(vouched: Option<&str>, grace: Duration) -> Self {
        let began = Instant::now();
        Self { judge: Presence::new(TTL, grace, vouched.map(machine), began), began }
    }

    fn at(&self, millis: u64) -> Instant {
        self.began + Duration::from_millis(millis)
    }

    fn observe(&mut self, world: &World, millis: u64) {
        self.judge.observe(&world.mirror(), self.at(millis));
    }

    /// Lost machines at a time, and whether nothing moves.
    fn verdict(&self, millis: u64) -> (String, bool) {
        let Outlook { lost, is_on_hold } = self.judge.outlook(self.at(millis));
        (lost.iter().map(MachineId::as_str).collect(), is_on_hold)
    }

    fn missing(&self, millis: u64) -> String {
        self.judge.missing(self.at(millis)).map(MachineId::as_str).collect()
    }

    fn deadline(&self, millis: u64) -> Option<u128> {
        let at = self.judge.next_deadline(self.at(millis))?;
        Some((at - self.began).as_millis())
    }
}

fn lost(ids: &str) -> (String, bool) {
    (ids.to_owned(), false)
}

fn held(ids: &str) -> (String, bool) {
    (ids.to_owned(), true)
}

#[test]
fn a_machine_that_vanishes_is_lost_once_its_absence_is_confirmed() {
    let mut world = World::with_machines("abc");
    let mut court = Court::new(None, Duration::ZERO);
    court.observe(&world, 0);
    world.vanish("b");
    court.observe(&world, 20_000);

    assert_eq!(court.verdict(20_499), lost(""));
    assert_eq!(court.deadline(20_000), Some(20_500));
    assert_eq!(court.verdict(20_500), lost("b"));
    assert_eq!(court.deadline(20_500), None);
}

#[test]
fn grace_comes_on_top_of_the_confirmation() {
    let mut world = World::with_machines("abc");
    let mut court = Court::new(None, GRACE);
    court.observe(&world, 0);
    world.vanish("b");
    court.observe(&world, 1_000);

    assert_eq!(court.verdict(61_499), lost(""));
    assert_eq!(court.verdict(61_500), lost("b"));
}

#[test]
fn a_machine_that_returns_in_time_was_never_away() {
    let mut world = World::with_machines("abc");
    let mut court = Court::new(None, Duration::ZERO);
    court.observe(&world, 0);
    world.vanish("b");
    court.observe(&world, 1_000);
    world.appear("b", "");
    court.observe(&world, 1_400);
    world.vanish("b");
    court.observe(&world, 1_450);

    assert_eq!(court.verdict(1_500), lost(""));
    assert_eq!(court.verdict(1_950), lost("b"));
}

#[test]
fn a_new_leader_waits_one_ttl_for_a_member_that_it_never_saw() {
    let mut world = World::with_machines("abc");
    world.vanish("b");
    let mut court = Court::new(None, Duration::ZERO);
    court.observe(&world, 100);

    assert_eq!(court.verdict(9_999), lost(""));
    assert_eq!(court.verdict(10_000), lost("b"));
}

#[test]
fn the_machine_of_the_leader_before_needs_no_such_wait() {
    let mut world = World::with_machines("abc");
    world.vanish("b");
    let mut court = Court::new(Some("b"), Duration::ZERO);
    court.observe(&world, 100);

    assert_eq!(court.verdict(600), lost("b"));
}

#[test]
fn a_machine_that_left_is_not_waited_for_and_one_that_is_leaving_is() {
    let mut world = World::with_machines("abc");
    let mut court = Court::new(None, Duration::ZERO);
    court.observe(&world, 0);
    for (id, standing) in [("a", Standing::Left), ("b", Standing::Leaving)] {
        world.stand(id, standing);
        world.vanish(id);
    }
    court.observe(&world, 1_000);

    assert_eq!(court.verdict(1_500), lost("b"));
}

#[test]
fn a_presence_that_cannot_be_read_is_one() {
    let mut world = World::with_machines("abc");
    world.put_raw(&Key::Machine(machine("b")), b"garbage".to_vec());
    let mut court = Court::new(None, Duration::ZERO);
    court.observe(&world, 0);

    assert_eq!(court.verdict(60_000), lost(""));
}

#[test]
fn one_machine_of_few_is_no_storm_and_two_of_three_are() {
    for (machines, vanishing, is_storm) in
        [("a", "a", false), ("ab", "a", false), ("abc", "a", false), ("abc", "ab", true)]
    {
        let mut world = World::with_machines(machines);
        let mut court = Court::new(None, Duration::ZERO);
        court.observe(&world, 0);
        vanishing.chars().for_each(|id| world.vanish(&id.to_string()));
        court.observe(&world, 1_000);

        let verdict = court.verdict(1_500);
        assert_eq!(verdict, (vanishing.to_owned(), is_storm), "{vanishing} of {machines}");
    }
}

#[test]
fn a_storm_takes_over_half_of_the_members_within_one_ttl() {
    let mut world = World::with_machines("abcdefg");
    let mut court = Court::new(None, Duration::ZERO);
    court.observe(&world, 0);
    for (id, millis) in [("a", 1_000), ("b", 20_000), ("c", 20_100), ("d", 40_000)] {
        world.vanish(id);
        court.observe(&world, millis);
    }
    assert_eq!(court.verdict(41_000), lost("abcd"));

    world.vanish("e");
    court.observe(&world, 45_000);
    assert_eq!(court.verdict(45_000), lost("abcd"));
    world.vanish("f");
    court.observe(&world, 46_000);
    assert_eq!(court.verdict(46_000), held("abcde"));
}

#[test]
fn a_storm_lasts_until_enough_machines_are_back() {
    let mut world = World::with_machines("abcde");
    let mut court = Court::new(None, Duration::ZERO);
    court.observe(&world, 0);
    ["a", "b", "c"].iter().for_each(|id| world.vanish(id));
    court.observe(&world, 1_000);

    court.observe(&world, 600_000);
    assert_eq!(court.verdict(600_000), held("abc"));
    world.appear("b", "");
    court.observe(&world, 600_100);
    assert_eq!(court.verdict(600_100), lost("ac"));
}

#[test]
fn a_storm_ends_when_an_operator_strikes_its_machines_from_the_members() {
    let mut world = World::with_machines("abc");
    let mut court = Court::new(None, Duration::ZERO);
    world.launch("web.service", "");
    world.hold("a", "web.service");
    court.observe(&world, 0);
    ["a", "b"].iter().for_each(|id| world.vanish(id));
    court.observe(&world, 1_000);
    assert_eq!(court.verdict(2_000), held("ab"));

    world.delete(&Key::Member(machine("a")));
    court.observe(&world, 60_000);

    assert_eq!(court.verdict(60_000), lost("ab"));
}

#[test]
fn machines_that_leave_in_order_make_no_storm() {
    for standing in [Standing::Leaving, Standing::Left] {
        let mut world = World::with_machines("abc");
        let mut court = Court::new(None, Duration::ZERO);
        court.observe(&world, 0);
        for (id, name) in [("a", "one.service"), ("b", "two.service")] {
            world.launch(name, "");
            world.hold(id, name);
            world.stand(id, standing);
            world.vanish(id);
        }
        court.observe(&world, 1_000);

        assert_eq!(court.verdict(1_500), lost("ab"), "{standing:?}");
    }
}

#[test]
fn members_that_are_long_dead_make_no_storm_for_a_new_leader_unless_units_are_at_stake() {
    let mut world = World::with_machines("abc");
    world.vanish("b");
    world.vanish("c");
    let mut court = Court::new(None, Duration::ZERO);
    court.observe(&world, 0);
    assert_eq!(court.verdict(10_000), lost("bc"));

    for (id, name) in [("b", "one.service"), ("c", "two.service")] {
        world.launch(name, "");
        world.hold(id, name);
    }
    let mut court = Court::new(None, Duration::ZERO);
    court.observe(&world, 0);
    assert_eq!(court.verdict(10_000), held("bc"));
}

#[test]
fn an_old_dead_machine_with_a_pinned_unit_makes_no_storm_of_the_next_loss() {
    let mut world = World::with_machines("abc");
    world.launch("pinned.service", "MachineID=c");
    world.hold("c", "pinned.service");
    world.vanish("c");
    world.miss("c");
    let mut court = Court::new(None, Duration::ZERO);
    court.observe(&world, 0);

    world.vanish("b");
    court.observe(&world, 1_000);

    assert_eq!(court.verdict(1_500), lost("b"));
    assert_eq!(court.verdict(10_000), lost("bc"));
}

#[test]
fn a_machine_is_missing_once_its_absence_is_confirmed_whatever_the_grace() {
    let mut world = World::with_machines("abc");
    let mut court = Court::new(None, GRACE);
    court.observe(&world, 0);
    world.vanish("b");
    court.observe(&world, 1_000);

    assert_eq!(court.deadline(1_000), Some(1_500));
    assert_eq!(court.missing(1_499), "");
    assert_eq!(court.missing(1_500), "b");
    assert_eq!(court.deadline(1_500), Some(61_500));
}

#[test]
fn machines_of_a_storm_are_not_noted_as_missing() {
    let mut world = World::with_machines("abc");
    let mut court = Court::new(None, Duration::ZERO);
    court.observe(&world, 0);
    ["a", "b"].iter().for_each(|id| world.vanish(id));
    court.observe(&world, 1_000);

    assert_eq!(court.missing(60_000), "");
}

#[test]
fn a_new_leader_takes_over_the_storm_of_the_one_before() {
    let mut world = World::with_machines("abc");
    // Without the hold they might be long dead: they hold nothing.
    ["a", "b"].iter().for_each(|id| world.vanish(id));
    world.suspend("ab");
    let mut court = Court::new(None, Duration::ZERO);
    court.observe(&world, 0);
    assert_eq!(court.verdict(600_000), held("ab"));

    world.appear("a", "");
    court.observe(&world, 600_000);
    assert_eq!(court.verdict(600_000), lost("b"));
}

#[test]
fn an_operator_who_deletes_the_hold_gives_its_machines_up() {
    let mut world = World::with_machines("abc");
    let mut court = Court::new(None, Duration::ZERO);
    court.observe(&world, 0);
    ["a", "b"].iter().for_each(|id| world.vanish(id));
    court.observe(&world, 1_000);
    world.suspend("ab");
    court.observe(&world, 2_000);
    assert_eq!(court.verdict(3_000), held("ab"));

    world.delete(&Key::Hold);
    court.observe(&world, 4_000);

    assert_eq!(court.verdict(4_000), lost("ab"));
    assert_eq!(court.missing(4_000), "ab");
}

#[test]
fn a_hold_that_the_leader_takes_back_gives_nobody_up() {
    let mut world = World::with_machines("abc");
    let mut court = Court::new(None, Duration::ZERO);
    court.observe(&world, 0);
    ["a", "b"].iter().for_each(|id| world.vanish(id));
    world.suspend("ab");
    court.observe(&world, 1_000);
    world.appear("b", "");
    court.observe(&world, 2_000);
    court.judge.withdraw();

    // It vanishes again while the hold goes.
    world.vanish("b");
    court.observe(&world, 2_100);
    world.delete(&Key::Hold);
    court.observe(&world, 2_200);

    assert_eq!(court.verdict(3_000), held("ab"));
}

#[test]
fn a_hold_that_cannot_be_read_is_one() {
    let mut world = World::with_machines("abc");
    world.put_raw(&Key::Hold, b"garbage".to_vec());
    let mut court = Court::new(None, Duration::ZERO);
    court.observe(&world, 0);
    world.vanish("a");
    court.observe(&world, 20_000);

    assert_eq!(court.verdict(30_000), held("a"));
}
