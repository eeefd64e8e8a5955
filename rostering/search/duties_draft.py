"""A move of the duties search: said, drafted, judged, then made or forgotten; compiled. It does not choose moves.

`say_nothing`, then `take_out`, `put_in` and `retime`, then `weighed`; then `make`, or `forget`. Until `make` nothing of
the roster has changed but the bounds of retimed tasks, which `forget` puts back.
"""

from __future__ import annotations

from rostering.search.duties_board import (
    C_BACK,
    C_COST,
    C_COUNT,
    C_HI,
    C_LEAVE,
    C_LO,
    C_OUT,
    C_RETIMED,
    C_RUN,
    C_TIMING,
    C_WORKED,
    C_WORST,
    D_EARLY,
    D_LATE,
    D_START,
    D_TASK,
    DRAFT,
    DRAFTS,
    G_RUNS,
    G_SOFT,
    G_TRAVEL,
    G_WORST,
    LINE,
    NEVER,
    NOBODY,
    NONE,
    ONE,
    P_AFTER,
    P_BEFORE,
    P_RUN,
    P_TASK,
    R_BACK,
    R_COST,
    R_COUNT,
    R_DRAFT,
    R_FIRST,
    R_KEPT,
    R_LAST,
    R_LEAVE,
    R_TIMING,
    R_WORKED,
    R_WORKER,
    R_WORST,
    ROW,
    RUN,
    S_ABSENT,
    S_COST,
    S_DRAFTS,
    S_OUTS,
    S_PUTS,
    S_RETIMED,
    T_AFTER,
    T_BEFORE,
    T_EARLY,
    T_HI,
    T_LATE,
    T_LO,
    T_OUT,
    T_RUN,
    T_START,
    TASK,
    V_ABSENT,
    V_ABSENT_AT,
    V_PENALTY,
    V_SLOTS,
    V_SOFT,
    VISIT,
    Board,
    Ints,
)
from rostering.search.duties_room import detour
from rostering.search.duties_seen import see
from rostering.search.duties_timing import begun, priced, settled
from rostering.search.kernel.jit import entered, inlined, inner


@inner
def say_nothing(b: Board) -> None:
    """Begin a move."""
    for j in range(b.work[S_OUTS]):
        b.visit[TASK * (b.work[DRAFT * j + C_OUT]) + T_OUT] = 0
    for i in range(b.work[S_DRAFTS]):
        b.run[RUN * (b.work[DRAFT * i + C_RUN]) + R_DRAFT] = NOBODY
    b.work[S_DRAFTS] = 0
    b.work[S_PUTS] = 0
    b.work[S_OUTS] = 0
    b.work[S_RETIMED] = 0


@inner
def take_out(b: Board, t: int) -> None:
    """Task `t`, if it is in a run, leaves it."""
    if b.visit[TASK * t + T_RUN] >= 0:
        b.visit[TASK * t + T_OUT] = 1
        b.work[DRAFT * (b.work[S_OUTS]) + C_OUT] = t
        b.work[S_OUTS] += 1


@inner
def take_visit_out(b: Board, v: int) -> None:
    """Visit `v` leaves the runs it is in."""
    for t in range(2 * v, 2 * v + b.visit[VISIT * v + V_SLOTS]):
        take_out(b, t)


@inner
def put_in(b: Board, t: int, r: int, before: int) -> None:
    """Task `t` enters run `r` after task `before` (NOBODY: first). Tasks that leave are looked past."""
    j = b.work[S_PUTS]
    while before >= 0 and b.visit[TASK * before + T_OUT] == 1:
        before = b.visit[TASK * before + T_BEFORE]
    after = b.run[RUN * r + R_FIRST] if before < 0 else b.visit[TASK * before + T_AFTER]
    while after >= 0 and b.visit[TASK * after + T_OUT] == 1:
        after = b.visit[TASK * after + T_AFTER]
    b.work[DRAFT * j + P_TASK] = t
    b.work[DRAFT * j + P_RUN] = r
    b.work[DRAFT * j + P_BEFORE] = before
    b.work[DRAFT * j + P_AFTER] = after
    b.work[S_PUTS] = j + 1


@inner
def retime(b: Board, t: int, lo: int, hi: int) -> None:
    """The bounds of task `t`'s start become [lo, hi]."""
    j = b.work[S_RETIMED]
    b.work[DRAFT * j + C_RETIMED] = t
    b.work[DRAFT * j + C_LO] = b.visit[TASK * t + T_LO]
    b.work[DRAFT * j + C_HI] = b.visit[TASK * t + T_HI]
    b.work[S_RETIMED] = j + 1
    b.visit[TASK * t + T_LO] = lo
    b.visit[TASK * t + T_HI] = hi


@inner
def open_draft(b: Board, r: int) -> int:
    """The draft of run `r`, which is made empty if there is none; NOBODY when the move changes too many runs."""
    for i in range(b.work[S_DRAFTS]):
        if b.work[DRAFT * i + C_RUN] == r:
            return i
    i = b.work[S_DRAFTS]
    if i == DRAFTS:
        return NOBODY
    b.work[DRAFT * i + C_RUN] = r
    b.work[DRAFT * i + C_COUNT] = 0
    b.work[S_DRAFTS] = i + 1
    return i  # type: ignore[no-any-return]


@inner
def _write(b: Board, i: int) -> None:
    """The stops of draft `i`: those of its run that stay, and those that enter."""
    r, n = b.work[DRAFT * i + C_RUN], 0
    puts = b.work[S_PUTS]
    for j in range(puts):
        if b.work[DRAFT * j + P_RUN] == r and b.work[DRAFT * j + P_BEFORE] < 0:
            b.work[LINE * n + ROW * i + D_TASK] = b.work[DRAFT * j + P_TASK]
            n += 1
    t = b.run[RUN * r + R_FIRST]
    while t >= 0:
        if b.visit[TASK * t + T_OUT] == 0:
            b.work[LINE * n + ROW * i + D_TASK] = t
            n += 1
            for j in range(puts):
                if b.work[DRAFT * j + P_RUN] == r and b.work[DRAFT * j + P_BEFORE] == t:
                    b.work[LINE * n + ROW * i + D_TASK] = b.work[DRAFT * j + P_TASK]
                    n += 1
        t = b.visit[TASK * t + T_AFTER]
    b.work[DRAFT * i + C_COUNT] = n


@inner
def written(b: Board) -> bool:
    """Drafts of every run the move changes, those that lose a stop first; False when they are too many."""
    for j in range(b.work[S_OUTS]):
        if open_draft(b, b.visit[TASK * (b.work[DRAFT * j + C_OUT]) + T_RUN]) < 0:
            return False
    for j in range(b.work[S_RETIMED]):
        t = b.work[DRAFT * j + C_RETIMED]
        if b.visit[TASK * t + T_RUN] >= 0 and open_draft(b, b.visit[TASK * t + T_RUN]) < 0:
            return False
    for j in range(b.work[S_PUTS]):
        if open_draft(b, b.work[DRAFT * j + P_RUN]) < 0:
            return False
    for i in range(b.work[S_DRAFTS]):
        _write(b, i)
    return True


@inner
def penalty_change(b: Board) -> int:
    """Points by which visits that leave or enter the runs change the penalties."""
    change = 0
    for j in range(b.work[S_OUTS]):
        t = b.work[DRAFT * j + C_OUT]
        if t & 1 == 0:
            change += b.visit[VISIT * (t >> 1) + V_PENALTY]
    for j in range(b.work[S_PUTS]):
        t = b.work[DRAFT * j + P_TASK]
        if t & 1 == 0:
            change -= b.visit[VISIT * (t >> 1) + V_PENALTY]
    return change


@inner
def _worst(b: Board) -> int:
    """The worst lateness of all runs, drafts in place of those they change."""
    worst = 0
    for r in range(b.work[G_RUNS]):
        i = b.run[RUN * r + R_DRAFT]
        worst = max(worst, b.run[RUN * r + R_WORST] if i < 0 else b.work[DRAFT * i + C_WORST])
    return worst


@inner
def quick_change(b: Board) -> int:
    """Points of travel and of who comes that the move adds, were no two of its places neighbours."""
    change = 0
    for j in range(b.work[S_OUTS]):
        t = b.work[DRAFT * j + C_OUT]
        r = b.visit[TASK * t + T_RUN]
        change -= b.work[G_TRAVEL] * detour(b, r, b.visit[TASK * t + T_BEFORE], t, b.visit[TASK * t + T_AFTER])
        change -= b.run[RUN * r + R_TIMING]
        if b.work[G_SOFT] == 1:
            change -= b.table[b.visit[VISIT * (t >> 1) + V_SOFT] + b.run[RUN * r + R_WORKER]]
    for j in range(b.work[S_PUTS]):
        t, r = b.work[DRAFT * j + P_TASK], b.work[DRAFT * j + P_RUN]
        change += b.work[G_TRAVEL] * detour(b, r, b.work[DRAFT * j + P_BEFORE], t, b.work[DRAFT * j + P_AFTER])
        change -= b.run[RUN * r + R_TIMING]
        if b.work[G_SOFT] == 1:
            change += b.table[b.visit[VISIT * (t >> 1) + V_SOFT] + b.run[RUN * r + R_WORKER]]
    return change


@inlined
def weighed(b: Board, bound: float) -> int:
    """Points that the move that was said adds, once drafted; NEVER if it is illegal or not below `bound`.

    A move that has drafted its runs itself has neither put in nor taken out.
    """
    change = _weighed(b, penalty_change(b) + see(b, int(ONE)), bound)
    if change == NEVER:
        see(b, -int(ONE))
    return change


@inner
def _weighed(b: Board, change: int, bound: float) -> int:
    worst_before = 0
    if b.work[G_WORST] > 0:
        worst_before = b.work[G_WORST] * _worst(b)
    if b.work[S_DRAFTS] == 0 and (change + quick_change(b) - worst_before >= bound or not written(b)):
        return NEVER
    for i in range(b.work[S_DRAFTS]):
        b.work[DRAFT * i + C_COST] = priced(b, i)
        change += b.work[DRAFT * i + C_COST] - b.run[RUN * (b.work[DRAFT * i + C_RUN]) + R_COST]
    if change - worst_before >= bound:
        return NEVER
    for i in range(b.work[S_DRAFTS]):
        b.run[RUN * (b.work[DRAFT * i + C_RUN]) + R_DRAFT] = i
        ready = begun(b, i)
        if ready == NONE or (ready == NEVER and not settled(b, i)):
            return NEVER
        change += b.work[DRAFT * i + C_TIMING]
        if change - worst_before >= bound:
            return NEVER
    if b.work[G_WORST] > 0:
        change += b.work[G_WORST] * _worst(b) - worst_before
        if change >= bound:
            return NEVER
    return change


@inner
def _set_absent(b: Board, v: int) -> None:
    """Put visit `v` on, or take it off, the list of absent visits, as its first task says."""
    at = b.visit[VISIT * v + V_ABSENT_AT]
    if b.visit[TASK * (2 * v) + T_RUN] < 0:
        if at < 0:
            b.visit[VISIT * v + V_ABSENT_AT] = b.work[S_ABSENT]
            b.visit[VISIT * (b.work[S_ABSENT]) + V_ABSENT] = v
            b.work[S_ABSENT] += 1
    elif at >= 0:
        b.work[S_ABSENT] -= 1
        other = b.visit[VISIT * (b.work[S_ABSENT]) + V_ABSENT]
        b.visit[VISIT * at + V_ABSENT] = other
        b.visit[VISIT * other + V_ABSENT_AT] = at
        b.visit[VISIT * v + V_ABSENT_AT] = NOBODY


@inner
def make(b: Board, change: int) -> None:
    """The drafts become the runs; `change` is what `weighed` said."""
    for j in range(b.work[S_OUTS]):
        b.visit[TASK * (b.work[DRAFT * j + C_OUT]) + T_RUN] = NOBODY
    for i in range(b.work[S_DRAFTS]):
        _file(b, i)
    for j in range(b.work[S_OUTS]):
        _set_absent(b, b.work[DRAFT * j + C_OUT] >> 1)
    for j in range(b.work[S_PUTS]):
        _set_absent(b, b.work[DRAFT * j + P_TASK] >> 1)
    b.work[S_COST] += change


@inner
def _file(b: Board, i: int) -> None:
    r, n, before = b.work[DRAFT * i + C_RUN], b.work[DRAFT * i + C_COUNT], NOBODY
    b.run[RUN * r + R_FIRST] = NOBODY
    b.run[RUN * r + R_KEPT] = 0
    for p in range(n):
        t = b.work[LINE * p + ROW * i + D_TASK]
        b.visit[TASK * t + T_RUN] = r
        b.visit[TASK * t + T_BEFORE] = before
        b.visit[TASK * t + T_AFTER] = NOBODY
        b.visit[TASK * t + T_EARLY] = b.work[LINE * p + ROW * i + D_EARLY]
        b.visit[TASK * t + T_LATE] = b.work[LINE * p + ROW * i + D_LATE]
        b.visit[TASK * t + T_START] = b.work[LINE * p + ROW * i + D_START]
        if before < 0:
            b.run[RUN * r + R_FIRST] = t
        else:
            b.visit[TASK * before + T_AFTER] = t
        before = t
    b.run[RUN * r + R_LAST] = before
    b.run[RUN * r + R_COUNT] = n
    b.run[RUN * r + R_COST] = b.work[DRAFT * i + C_COST] + b.work[DRAFT * i + C_TIMING]
    b.run[RUN * r + R_TIMING] = b.work[DRAFT * i + C_TIMING]
    b.run[RUN * r + R_WORST] = b.work[DRAFT * i + C_WORST]
    b.run[RUN * r + R_LEAVE] = b.work[DRAFT * i + C_LEAVE]
    b.run[RUN * r + R_BACK] = b.work[DRAFT * i + C_BACK]
    b.run[RUN * r + R_WORKED] = b.work[DRAFT * i + C_WORKED]


@entered
def hold(b: Board, r: int, tasks: Ints) -> bool:
    """Run `r`, empty so far, gets these tasks in this order, of visits in no run yet; False when that is illegal.

    Penalties and the list of absent visits are left for the caller to settle.
    """
    say_nothing(b)
    i = open_draft(b, r)
    for p in range(len(tasks)):
        b.work[LINE * p + ROW * i + D_TASK] = tasks[p]
    b.work[DRAFT * i + C_COUNT] = len(tasks)
    change = weighed(b, float(NEVER))
    if change < NEVER:
        make(b, change)
    say_nothing(b)
    return change < NEVER


@inner
def forget(b: Board) -> None:
    """The move is not made: bounds of retimed tasks go back."""
    for j in range(b.work[S_RETIMED] - 1, -1, -1):
        t = b.work[DRAFT * j + C_RETIMED]
        b.visit[TASK * t + T_LO] = b.work[DRAFT * j + C_LO]
        b.visit[TASK * t + T_HI] = b.work[DRAFT * j + C_HI]
    b.work[S_RETIMED] = 0
