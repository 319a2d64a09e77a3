"""What chance leads to: a scenario run again and again, each time with every fault that it could meet by chance."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from wdfdma.errors import CheckError
from wdfdma.fault_forms import Fault
from wdfdma.fault_kinds import list_chances
from wdfdma.fault_records import PlannedFault
from wdfdma.faults import Outcome, Sweep, judge, observe
from wdfdma.problems import ScenarioError
from wdfdma.scenario import Scenario


@dataclass(frozen=True, slots=True)
class ChanceRun:
    """One run by chance: its faults, those that hit and how often, and what they led to.

    [faults] may stand in a scenario as they are, and lead to the same there. [step] is the first of the last hits of
    the faults; None: nothing hit.
    """

    seed: int
    faults: list[Fault]
    hits: list[tuple[Fault, int]]
    step: int | None
    outcome: Outcome
    detail: str


@dataclass(frozen=True, slots=True)
class ChanceSweep(Sweep):
    """A scenario's runs by chance, by their seeds."""

    scenario: Scenario
    per_mille: int
    runs: list[ChanceRun]


def sweep_chances(
    scenario: Scenario,
    per_mille: int,
    seed: int,
    runs: int,
    show: Callable[[list[int]], Iterable[int]] = iter,
) -> ChanceSweep:
    """Runs a scenario [runs] times, with every fault that it could meet by a chance of [per_mille] of a thousand.

    Memory does not fail, and no enabler is refused. The runs have the seeds from [seed] on; the same seed does the
    same. The scenario's own faults are part of every run; [show] as in sweep_faults. Errors: ScenarioError where the
    scenario itself is refused.
    """
    base = observe(scenario, count=True)
    done = []
    for own in show(list(range(seed, seed + runs))):
        faults = list_chances(scenario, base.plan, per_mille, own)
        changed = scenario.model_copy(update={"faults": [*scenario.faults, *faults]})
        try:
            seen = observe(changed)
        except (CheckError, ScenarioError, MemoryError, AssertionError) as error:
            detail = f"{type(error).__name__}: {error}"
            done.append(ChanceRun(own, faults, [], None, Outcome.ERROR, detail))
            continue
        plan = seen.plan[len(seen.plan) - len(faults) :]
        hits = [(fault, item.hits) for fault, item in zip(faults, plan, strict=True) if item.hits]
        outcome, detail = judge(base, seen)
        done.append(ChanceRun(own, faults, hits, _find_first(plan), outcome, detail))
    return ChanceSweep(scenario, per_mille, done)


def _find_first(plan: list[PlannedFault]) -> int | None:
    return min((item.hit_step for item in plan if item.hits), default=None)
