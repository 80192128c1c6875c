"""Updates: at any moment, whatever is late or lost, a packet meets one whole configuration."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.label import MAX_VERSION
from controller.rollout import Batch, Rollout
from controller.rules import Entry, Group, Rule, table
from controller.wiring import Wiring
from tests.controller.networks import NO_SHRINKING, Configuration, configurations, networks
from tests.controller.slow_switches import Packets, Place, Reply, SlowSwitch, packets_of
from topologies.graph import Graph
from topologies.linkstate import LinkState

IN_FLIGHT_S = 1.0


class Turmoil:
    """A controller, its switches and all packets; `moment` checks those whenever a rule changes."""

    def __init__(self, wiring: Wiring, seed: int) -> None:
        self.wiring, self.random, self.now_s = wiring, Random(seed), 0.0
        self.switches = {dpid: SlowSwitch(dpid) for dpid in wiring.names}
        self.packets = Packets(wiring, {d: switch.held for d, switch in self.switches.items()})
        self.connected: set[int] = set()
        self.replies: list[Reply] = []
        self.rollout = Rollout(wiring, IN_FLIGHT_S)
        self.wanted: Configuration | None = None
        self.versions: dict[int, Packets] = {}
        """What becomes of packets where nothing is held but one version."""
        workers = [host.name for host in wiring.graph.workers]
        self.entering = [self.packets.entering(a, b) for a in workers for b in workers if a != b]
        self.under_way: dict[Place, float] = {}
        """Where packets may be, with the time by which they have arrived."""

    # What packets meet.

    def moment(self) -> None:
        """Check every packet that enters now, and every one that entered before."""
        for place in self.entering:
            for on_the_way in self.check(place):
                if on_the_way.label:
                    self.under_way[on_the_way] = self.now_s + IN_FLIGHT_S
        for place, until_s in self.under_way.items():
            if until_s > self.now_s:
                self.check(place)

    def check(self, place: Place) -> set[Place]:
        """Check that a packet fares as if its version was alone; return the places on its ways."""
        ends, places = self.packets.fates(place)
        labels = {on_the_way.label for on_the_way in places} - {0}
        for version in labels:
            alone = self.versions[version]
            alone.kill(self.packets.dead)
            assert ends == alone.fates(place)[0], (self.now_s, version, place)
        return places

    def elapse(self, seconds: float) -> None:
        self.now_s += seconds
        for place in self.entering:  # packets have entered all the while
            for on_the_way in self.packets.fates(place)[1]:
                if on_the_way.label:
                    self.under_way[on_the_way] = self.now_s + IN_FLIGHT_S
        self.under_way = {
            p: until_s for p, until_s in self.under_way.items() if until_s > self.now_s
        }
        self.rollout.expire(self.now_s)
        self.go_on()

    # What the controller does, as `controller.state` has it.

    def go_on(self) -> None:
        rollout, wanted, busy = self.rollout, self.wanted, self.rollout.busy
        if wanted and not busy and not rollout.unknown and self.dares():
            if rollout.serving and rollout.same(wanted.entries(rollout.serving)):
                rollout.refusal = None
            else:
                rollout.propose(self.numbered)
        for batch in rollout.advance(self.now_s):
            assert batch.dpid in self.connected
            self.switches[batch.dpid].tell(batch, self.random)
        if busy and not rollout.busy:
            self.go_on()  # something else may be wanted by now

    def dares(self) -> bool:
        """Return whether to ask for anything new, which seldom is right after a refusal."""
        return not self.rollout.refusal or self.random.random() < 0.05

    def numbered(self, version: int) -> list[Entry]:
        assert self.wanted
        assert not any(place.label == version for place in self.under_way), "number used anew"
        self.versions[version] = packets_of(self.wiring, self.wanted.in_force(version))
        return self.wanted.entries(version)

    def connect(self, dpid: int) -> None:
        self.connected.add(dpid)
        self.rollout.connected(dpid, [*self.switches[dpid].held.values()], self.now_s)
        self.go_on()

    def restart(self) -> None:
        """Kill the controller and start another, which the switches have to find first."""
        for dpid in [*self.connected]:
            self.cut(dpid)
        self.rollout = Rollout(self.wiring, IN_FLIGHT_S)

    # What happens by chance.

    def cut(self, dpid: int) -> None:
        """Break a connection; what the switch has received before, it may do or not."""
        switch = self.switches[dpid]
        self.connected.discard(dpid)
        for _ in range(self.random.choice([0, 0, 1, 20])):
            if not switch.idle:
                self.work(dpid)
        switch.cut()
        self.replies = [reply for reply in self.replies if reply.dpid != dpid]

    def work(self, dpid: int) -> None:
        done = self.switches[dpid].work(self.random)
        if isinstance(done, Reply):
            self.replies.append(done)
        elif self.packets.changed(done):
            self.moment()

    def reply(self) -> None:
        # A connection keeps the order of what is sent over it.
        firsts = {reply.dpid: reply for reply in reversed(self.replies)}
        reply = firsts[self.random.choice([*firsts])]
        self.replies.remove(reply)
        if reply.refused:
            self.rollout.refused(reply.dpid, reply.xid, "full")
        else:
            self.rollout.confirmed(reply.dpid, reply.xid)
            self.go_on()

    def fail(self) -> None:
        """Let some span die, or all be well again."""
        span = self.random.choice([*self.wiring.graph.spans])
        ends = frozenset(self.wiring.ends(span))
        self.packets.kill(frozenset() if self.packets.dead & ends else self.packets.dead | ends)
        self.moment()

    def happen(self) -> None:
        random = self.random
        busy = [dpid for dpid in self.connected if not self.switches[dpid].idle]
        away = [dpid for dpid in self.switches if dpid not in self.connected]
        chance = random.random()
        if chance < 0.02 and self.connected:
            dpid = random.choice([*self.connected])
            self.cut(dpid)
            self.rollout.disconnected(dpid)
            self.go_on()
        elif chance < 0.025:
            self.restart()
        elif chance < 0.045:
            self.fail()
        elif chance < 0.055:
            switch = random.choice([*self.switches.values()])
            switch.full = not switch.full
        elif chance < 0.1:
            self.elapse(random.choice([0.01, 0.3]))
        elif chance < 0.2 and away:
            self.connect(random.choice(away))
        elif chance < 0.4 and self.replies:
            self.reply()
        elif busy:
            dpid = random.choice(busy)
            for _ in range(random.choice([1, 1, 5, 50])):
                if not self.switches[dpid].idle:
                    self.work(dpid)
        elif self.replies:
            self.reply()
        elif away:
            self.connect(random.choice(away))

    def settle(self) -> None:
        """Let all that is late arrive, until nothing is left to do."""
        for switch in self.switches.values():
            switch.full = False
        while True:
            for dpid in self.switches:
                if dpid not in self.connected:
                    self.connect(dpid)
            busy = [dpid for dpid in self.switches if not self.switches[dpid].idle]
            if busy:
                self.work(self.random.choice(busy))
            elif self.replies:
                self.reply()
            elif stuck := self.rollout.missing:
                self.cut(stuck[0])
            elif self.rollout.busy or self.rollout.retiring() or self.rollout.refusal:
                self.elapse(0.3)
            else:
                return

    def held(self) -> list[Entry]:
        return [entry for switch in self.switches.values() for entry in switch.held.values()]


@settings(max_examples=40, deadline=None, phases=NO_SHRINKING)
@given(st.data())
def test_every_packet_meets_one_whole_configuration_at_every_moment(data: st.DataObject) -> None:
    wiring = Wiring(data.draw(networks(fabrics=3, workers=2)))
    wanted = data.draw(st.lists(configurations(wiring), min_size=2, max_size=4))
    turmoil = Turmoil(wiring, data.draw(st.integers(0, 2**32)))
    for configuration in wanted:
        turmoil.wanted = configuration
        turmoil.go_on()
        for _ in range(turmoil.random.choice([10, 100, 300])):
            turmoil.happen()
        if turmoil.random.random() < 0.5:
            turmoil.settle()
    turmoil.settle()
    assert not turmoil.rollout.missing
    # Nothing is left over, and nothing lacks.
    expected = wanted[-1].in_force(turmoil.rollout.serving)
    assert table(turmoil.held()) == table(expected)
    assert table(turmoil.rollout.entries()) == table(expected)
    turmoil.packets.kill(frozenset())
    turmoil.moment()


class Obedient:
    """A rollout whose switches do at once what they are told, unless they refuse."""

    def __init__(self, wiring: Wiring, held: dict[int, SlowSwitch] | None = None) -> None:
        self.random = Random(0)
        self.rollout = Rollout(wiring, IN_FLIGHT_S)
        self.switches = held or {dpid: SlowSwitch(dpid) for dpid in wiring.names}
        for dpid in self.switches:
            self.connect(dpid)

    def connect(self, dpid: int) -> None:
        self.rollout.connected(dpid, [*self.switches[dpid].held.values()], 0.0)
        self.go_on()

    def go_on(self, now_s: float = 0.0) -> int:
        """Do all that is to do; return how many entries that were."""
        before = self.rollout.changes
        while batches := self.rollout.advance(now_s):
            for batch in batches:
                self.obey(batch)
        return self.rollout.changes - before

    def obey(self, batch: Batch) -> None:
        switch = self.switches[batch.dpid]
        switch.tell(batch, self.random)
        while not switch.idle:
            done = switch.work(self.random)
            if isinstance(done, Reply) and done.refused:
                self.rollout.refused(batch.dpid, done.xid, "full")
            elif isinstance(done, Reply):
                self.rollout.confirmed(batch.dpid, done.xid)

    def put(self, configuration: Configuration, now_s: float = 0.0) -> int:
        self.rollout.propose(configuration.entries)
        return self.go_on(now_s)


@pytest.fixture
def wiring(graph: Graph) -> Wiring:
    return Wiring(graph)


@pytest.fixture
def first(wiring: Wiring, links: dict[str, LinkState]) -> Configuration:
    return Configuration(wiring, "shortest-delay", links)


@pytest.fixture
def second(wiring: Wiring, links: dict[str, LinkState]) -> Configuration:
    links["north-south"] = LinkState(10**9, 0)
    return Configuration(wiring, "shortest-delay", links)


def test_an_old_version_stays_until_its_packets_have_arrived(
    wiring: Wiring, first: Configuration, second: Configuration
) -> None:
    obedient = Obedient(wiring)
    rollout = obedient.rollout
    obedient.put(first)
    assert (rollout.serving, rollout.retiring(), rollout.missing) == (1, False, [])
    before = len(rollout.entries())
    added = obedient.put(second, now_s=5.0)
    assert (rollout.serving, rollout.retiring()) == (2, True)
    assert len(rollout.entries()) > before
    rollout.expire(5.0 + 0.9 * IN_FLIGHT_S)
    assert obedient.go_on() == 0
    rollout.expire(5.0 + IN_FLIGHT_S)
    assert 0 < obedient.go_on() < added
    assert table(rollout.entries()) == table(second.in_force(2))
    assert not rollout.retiring()


def test_a_controller_that_starts_anew_changes_nothing(
    wiring: Wiring, first: Configuration, second: Configuration
) -> None:
    before = Obedient(wiring)
    before.put(first)
    before.put(second)
    before.rollout.expire(IN_FLIGHT_S)
    before.go_on()
    after = Obedient(wiring, before.switches)
    assert (after.rollout.changes, after.rollout.serving, after.rollout.busy) == (0, 2, False)
    assert after.rollout.same(second.entries(2))
    assert not after.rollout.same(first.entries(2))
    after.put(first)
    assert after.rollout.serving == 3


def test_what_nobody_asked_for_goes_once_all_switches_are_known(
    wiring: Wiring, first: Configuration
) -> None:
    before = Obedient(wiring)
    before.put(first)
    dpid = min(wiring.names)
    strange = Rule(dpid, 0, 50, (("eth_type", 0x0800),)), Group(dpid, 7, "select", ())
    before.switches[dpid].held |= table(strange)
    after = Obedient(wiring, {dpid: before.switches[dpid]})
    assert after.rollout.unknown
    assert table(strange).items() <= before.switches[dpid].held.items()
    after = Obedient(wiring, before.switches)
    assert not after.rollout.unknown
    assert after.rollout.changes == len(strange)
    assert table(after.rollout.entries()) == table(first.in_force(1))


def test_a_version_that_is_refused_is_given_up_and_the_next_needs_nobody_to_come_back(
    wiring: Wiring, first: Configuration, second: Configuration
) -> None:
    obedient = Obedient(wiring)
    rollout = obedient.rollout
    obedient.put(first)
    full = obedient.switches[wiring.dpids["north-border"]]
    full.full = True
    obedient.put(second)
    assert (rollout.serving, rollout.busy, rollout.missing) == (1, False, [])
    assert rollout.refusal == 'switch "north-border" refused a rule: full'
    assert table(rollout.entries()) == table(first.in_force(1))
    full.full = False
    obedient.put(second)
    assert rollout.serving == 3, "the number 2 is not used anew"
    assert not rollout.refusal


def test_what_more_is_refused_of_a_version_given_up_does_not_touch_the_next(
    wiring: Wiring, first: Configuration, second: Configuration
) -> None:
    obedient = Obedient(wiring)
    rollout = obedient.rollout
    obedient.put(first)
    rollout.propose(second.entries)
    batches = rollout.advance(0.0)
    for batch in batches[:2]:
        rollout.refused(batch.dpid, batch.xid, "full")
    rollout.propose(second.entries)
    assert rollout.advance(0.0) == [], "all have something to confirm"
    for batch in batches:
        rollout.refused(batch.dpid, batch.xid, "full")
        rollout.confirmed(batch.dpid, batch.xid)
    assert (rollout.busy, rollout.refusal) == (True, None)
    obedient.go_on()
    assert rollout.serving == 3


def test_a_switch_that_lost_all_and_refuses_it_is_missed_until_it_comes_back(
    wiring: Wiring, first: Configuration
) -> None:
    obedient = Obedient(wiring)
    obedient.put(first)
    dpid = wiring.dpids["north-border"]
    switch = obedient.switches[dpid]
    switch.held.clear()
    switch.full = True
    obedient.connect(dpid)
    assert obedient.rollout.missing == [dpid]
    assert obedient.rollout.refusal
    switch.full = False
    obedient.connect(dpid)
    assert not obedient.rollout.missing
    assert not obedient.rollout.refusal
    assert table(obedient.rollout.entries()) == table(first.in_force(1))


def test_only_the_barrier_of_the_newest_batch_confirms_it(
    wiring: Wiring, first: Configuration
) -> None:
    rollout = Rollout(wiring, IN_FLIGHT_S)
    dpid = min(wiring.names)
    rollout.connected(dpid, (), 0.0)
    (batch,) = rollout.advance(0.0)
    for stranger in ((dpid, batch.xid + 1), (dpid + 1, batch.xid)):
        rollout.confirmed(*stranger)
        assert dpid in rollout.missing
    rollout.connected(dpid, (), 0.0)
    (again,) = rollout.advance(0.0)
    rollout.confirmed(dpid, batch.xid)
    assert dpid in rollout.missing
    rollout.confirmed(dpid, again.xid)
    assert dpid not in rollout.missing


def test_a_switch_is_missing_until_it_was_told_what_it_lacks(
    wiring: Wiring, first: Configuration
) -> None:
    obedient = Obedient(wiring)
    obedient.put(first)
    rollout, dpid = obedient.rollout, min(wiring.names)
    rollout.disconnected(dpid)
    rollout.connected(dpid, [*obedient.switches[dpid].held.values()], 0.0)
    assert rollout.missing == [dpid]
    assert rollout.advance(0.0) == [], "it lacks nothing"
    assert rollout.missing == []


def test_a_switch_that_is_slow_to_confirm_does_not_hold_up_one_that_comes_back(
    wiring: Wiring, first: Configuration, second: Configuration
) -> None:
    obedient = Obedient(wiring)
    obedient.put(first)
    slow, lost = sorted(wiring.names)[:2]
    obedient.rollout.propose(second.entries)
    for batch in obedient.rollout.advance(0.0):
        if batch.dpid != slow:
            obedient.obey(batch)
    obedient.switches[lost].held.clear()
    obedient.connect(lost)
    assert obedient.rollout.missing == [slow]
    assert len(obedient.switches[lost].held) > 10


@pytest.mark.parametrize("told", [False, True])
def test_nothing_comes_into_force_while_a_switch_is_away(
    wiring: Wiring, first: Configuration, second: Configuration, told: bool
) -> None:
    obedient = Obedient(wiring)
    rollout = obedient.rollout
    obedient.put(first)
    away = wiring.dpids["north-leaf1"]
    rollout.propose(second.entries)
    if told:  # and to go before it is told to stamp
        for batch in rollout.advance(0.0):
            obedient.obey(batch)
    rollout.disconnected(away)
    obedient.go_on()
    assert (rollout.serving, rollout.busy, rollout.missing) == (1, True, [away])
    assert not rollout.retiring()
    obedient.connect(away)
    assert (rollout.serving, rollout.busy, rollout.missing) == (2, False, [])


def test_version_numbers_begin_again_and_leave_out_those_in_use(
    wiring: Wiring, first: Configuration, second: Configuration
) -> None:
    obedient = Obedient(wiring)
    obedient.rollout._newest = MAX_VERSION - 1
    obedient.put(first)
    assert obedient.rollout.serving == MAX_VERSION
    obedient.put(second)
    assert obedient.rollout.serving == 1
    after = Obedient(wiring, obedient.switches)
    assert after.rollout.serving == 1
    after.put(first)
    assert after.rollout.serving == 2, "1 is in force, and the greatest number still in use"
