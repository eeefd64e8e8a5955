"""Exact matching of stays to the slots of one customer's planned visits (rules.md, From evidence to visits). Not greedy: an assignment
problem, solved in whole numbers. It knows seconds, workers and ids only: neither evidence nor money.

In this order: (1) a valid explicit claim wins, earliest check-in first; (2) among the rest most pairs; (3) then the smallest sum of
|check-in - planned start| in seconds; (4) then most rostered workers; (5) then the matching whose first differing pair, by planned
start, visit and attendance id, comes first. A worker fills one slot of a visit at most: nobody is two hands."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from evm.domain.ids import VisitId, WorkerId

_CLAIM_REACH_SECONDS = 12 * 3600
"""A claim of a visit further than this from the check-in is a mistake of the phone, not evidence about that visit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """A planned visit as the matcher sees it: a check-in may pair when `since <= at < until` (all in seconds since the epoch)."""

    visit_id: VisitId
    start: int
    since: int
    until: int
    rostered: tuple[WorkerId | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A stay as the matcher sees it: `at` is its check-in (for a check-out only, when it would have begun)."""

    attendance_id: str
    worker: WorkerId
    at: int
    claimed: VisitId | None = None


Slots = dict[tuple[VisitId, int], Candidate]
_Pair = tuple[int, int]


def match(
    *, openings: Sequence[Opening], candidates: Sequence[Candidate], taken: Mapping[tuple[VisitId, int], Candidate]
) -> Slots:
    """The slots that the candidates fill, beside those already `taken`; candidates left out are unplanned.

    Independent of the order of both sequences. `openings` are all visits of one customer that are not cancelled."""
    visits = sorted(openings, key=lambda opening: (opening.start, opening.visit_id))
    stays = sorted(candidates, key=lambda stay: (stay.at, stay.attendance_id))
    room = _Room(visits, taken)
    rest = _take_claims(visits, stays, room)
    starts = [opening.start for opening in visits]
    for group in _components(visits, starts, rest):
        for visit, stay in _solve(visits, rest, group, room):
            room.enter(visit, rest[stay])
    return room.slots()


class _Room:
    """Who is at which visit so far, and how many slots are left."""

    def __init__(self, visits: list[Opening], taken: Mapping[tuple[VisitId, int], Candidate]) -> None:
        self._visits = visits
        self._index = {opening.visit_id: at for at, opening in enumerate(visits)}
        self._inside: list[list[Candidate]] = [[] for _ in visits]
        self._filled: list[dict[int, Candidate]] = [{} for _ in visits]
        for (visit_id, slot), stay in taken.items():
            self._filled[self._index[visit_id]][slot] = stay

    def left(self, visit: int) -> int:
        return len(self._visits[visit].rostered) - len(self._filled[visit]) - len(self._inside[visit])

    def holds(self, visit: int, worker: WorkerId) -> bool:
        inside = any(stay.worker == worker for stay in self._inside[visit])
        return inside or any(stay.worker == worker for stay in self._filled[visit].values())

    def claimed(self, stay: Candidate) -> int | None:
        """The index of the visit the stay may claim, if it is this customer's, near enough and has a slot free for this worker."""
        visit = self._index.get(stay.claimed) if stay.claimed else None
        if visit is None or abs(stay.at - self._visits[visit].start) > _CLAIM_REACH_SECONDS:
            return None
        return visit if self.left(visit) and not self.holds(visit, stay.worker) else None

    def enter(self, visit: int, stay: Candidate) -> None:
        self._inside[visit].append(stay)

    def slots(self) -> Slots:
        """Each newcomer's slot: rostered workers in their own, the others in the lowest free one by check-in and id."""
        found: Slots = {}
        for opening, inside, filled in zip(self._visits, self._inside, self._filled, strict=True):
            if inside:
                found.update(_placed(opening, inside, filled))
        return found


def _placed(opening: Opening, inside: list[Candidate], filled: Mapping[int, Candidate]) -> Slots:
    free = [slot for slot in range(len(opening.rostered)) if slot not in filled]
    found: Slots = {}
    others: list[Candidate] = []
    for stay in sorted(inside, key=lambda stay: (stay.at, stay.attendance_id)):
        own = next((slot for slot in free if opening.rostered[slot] == stay.worker), None)
        if own is None:
            others.append(stay)
            continue
        found[opening.visit_id, own] = stay
        free.remove(own)
    for stay, slot in zip(others, free, strict=False):
        found[opening.visit_id, slot] = stay
    return found


def _take_claims(visits: list[Opening], stays: list[Candidate], room: _Room) -> list[Candidate]:
    """Let every valid claim in, earliest first; give back the stays that are left."""
    rest: list[Candidate] = []
    for stay in stays:
        visit = room.claimed(stay)
        if visit is None:
            rest.append(stay)
        else:
            room.enter(visit, stay)
    return rest if visits else []


def _components(visits: list[Opening], starts: list[int], rest: list[Candidate]) -> Iterable[list[_Pair]]:
    """The allowed pairs, in groups that share no visit and no stay, so that each may be solved alone."""
    group: list[_Pair] = []
    reach = -1
    for at, stay in enumerate(rest):
        low, high = _allowed(visits, starts, stay)
        if low == high:
            continue
        if group and low > reach:
            yield group
            group = []
        group += [(visit, at) for visit in range(low, high)]
        reach = max(reach, high - 1)
    if group:
        yield group


def _allowed(visits: list[Opening], starts: list[int], stay: Candidate) -> tuple[int, int]:
    """The half-open range of visits the stay may pair with: the one that began last, and those about to begin."""
    before = bisect_right(starts, stay.at)
    low = bisect_left(starts, starts[before - 1]) if before else 0
    while low < before and not stay.at < visits[low].until:
        low += 1
    high = before
    while high < len(visits) and visits[high].since <= stay.at:
        high += 1
    return low, high


def _solve(visits: list[Opening], rest: list[Candidate], group: list[_Pair], room: _Room) -> list[_Pair]:
    pairs = [(visit, stay) for visit, stay in group if room.left(visit) and not room.holds(visit, rest[stay].worker)]
    if len(pairs) <= 1:
        return pairs
    pairs.sort(key=lambda pair: (pair[0], rest[pair[1]].attendance_id))
    weights = _weights(visits, rest, pairs)
    if len({visit for visit, _ in pairs}) == 1:
        return _best_of_one_visit(rest, pairs, weights, room)
    return _cheapest(rest, pairs, weights, room)


def _weights(visits: list[Opening], rest: list[Candidate], pairs: list[_Pair]) -> list[int]:
    """A whole number per pair so that the least sum is the lexicographic optimum (2), (3), (4), (5). All are negative."""
    tie_unit = 1 << len(pairs)
    count = len({stay for _, stay in pairs}) + 1
    distances = [abs(rest[stay].at - visits[visit].start) for visit, stay in pairs]
    pair_unit = (count * max(distances) + 1) * count * tie_unit
    weights = []
    for order, ((visit, stay), distance) in enumerate(zip(pairs, distances, strict=True)):
        rostered = rest[stay].worker in visits[visit].rostered
        ties = 1 << (len(pairs) - 1 - order)
        weights.append(distance * count * tie_unit - pair_unit - rostered * tie_unit - ties)
    return weights


def _best_of_one_visit(rest: list[Candidate], pairs: list[_Pair], weights: list[int], room: _Room) -> list[_Pair]:
    """With one visit only, taking the lightest pairs of different workers is exact (a partition matroid)."""
    chosen: list[_Pair] = []
    workers: set[WorkerId] = set()
    for _, pair in sorted(zip(weights, pairs, strict=True)):
        if rest[pair[1]].worker not in workers:
            workers.add(rest[pair[1]].worker)
            chosen.append(pair)
    return chosen[: room.left(pairs[0][0])]


_Node = tuple[str, int | tuple[int, WorkerId]]


def _cheapest(rest: list[Candidate], pairs: list[_Pair], weights: list[int], room: _Room) -> list[_Pair]:
    """Least-cost flow from stays through (visit, worker) to visits, by successive shortest paths, while a path gains."""
    network = _Network()
    for (visit, stay), weight in zip(pairs, weights, strict=True):
        person: _Node = ("person", (visit, rest[stay].worker))
        network.edge(("source", 0), ("stay", stay), capacity=1, cost=0)
        network.edge(("stay", stay), person, capacity=1, cost=weight)
        network.edge(person, ("visit", visit), capacity=1, cost=0)
        network.edge(("visit", visit), ("sink", 0), capacity=room.left(visit), cost=0)
    while network.augment(("source", 0), ("sink", 0)):
        pass
    return [
        (visit, stay) for visit, stay in pairs if network.flows(("stay", stay), ("person", (visit, rest[stay].worker)))
    ]


class _Network:
    """A residual graph small enough for Bellman-Ford; costs are exact whole numbers of any size."""

    def __init__(self) -> None:
        self._left: dict[_Node, dict[_Node, int]] = {}
        self._cost: dict[tuple[_Node, _Node], int] = {}

    def edge(self, tail: _Node, head: _Node, *, capacity: int, cost: int) -> None:
        if (tail, head) in self._cost:
            return
        self._left.setdefault(tail, {})[head] = capacity
        self._left.setdefault(head, {})[tail] = 0
        self._cost[tail, head], self._cost[head, tail] = cost, -cost

    def flows(self, tail: _Node, head: _Node) -> bool:
        return self._left[head][tail] > 0

    def augment(self, source: _Node, sink: _Node) -> bool:
        """Send one unit along the cheapest path if it lowers the cost; say whether it did."""
        cost, reached_from = self._shortest(source)
        if cost.get(sink, 0) >= 0:
            return False
        head = sink
        while head != source:
            tail = reached_from[head]
            self._left[tail][head] -= 1
            self._left[head][tail] += 1
            head = tail
        return True

    def _shortest(self, source: _Node) -> tuple[dict[_Node, int], dict[_Node, _Node]]:
        cost: dict[_Node, int] = {source: 0}
        reached_from: dict[_Node, _Node] = {}
        waiting = [source]
        while waiting:
            improved: dict[_Node, None] = {}
            for tail in waiting:
                for head, left in self._left[tail].items():
                    price = cost[tail] + self._cost[tail, head]
                    if left and (head not in cost or price < cost[head]):
                        cost[head], reached_from[head] = price, tail
                        improved[head] = None
            waiting = list(improved)
        return cost, reached_from
