"""What comes of each call site of a scenario that fails: a run for each fault that a log does not tell of yet."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wdfdma._native import lib
from wdfdma.enums import BugCheckCode
from wdfdma.errors import CheckError
from wdfdma.fault_sites import SiteFault, SiteLog, set_sites
from wdfdma.faults import Observation, Outcome, Sweep, judge, observe
from wdfdma.problems import Problem, ScenarioError, show
from wdfdma.program import find_place
from wdfdma.scenario import Scenario

_LONGEST_LABEL = 200


@dataclass(frozen=True, slots=True)
class SiteRun:
    """A fault and what it led to: the step in which it hit (None: before the first), and in words what came."""

    fault: SiteFault
    step: int | None
    outcome: Outcome
    detail: str


@dataclass(frozen=True, slots=True)
class SiteSweep(Sweep):
    """The faults of a scenario that were new, each with its run."""

    scenario: Scenario
    runs: list[SiteRun]


class _ScenarioSites:
    """Names the sites of a scenario by its steps: `NAME: steps[3]`; remembers the one named last."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.label = get_label(scenario)
        self.step: int | None = None
        self.error: BaseException | None = None
        self._places: dict[int, str] = {}
        self._machine: Any = None
        self._handle: Any = None

    def arm(self, machine: Any, log: SiteLog) -> None:
        """Makes one call of a machine fail, the first that the log does not tell of."""
        self._machine = machine
        self._handle = set_sites(machine, log, self, most=1)

    def name_site(self, machine: Any) -> str:
        offset = int(lib.wdfdma_program_get_offset(machine))
        if offset not in self._places:
            self._places[offset] = find_place(self.scenario, offset)[0]
        place = self._places[offset]
        steps = lib.wdfdma_machine_get_state(machine).step
        self.step = int(steps) if place.startswith("steps") else None
        return f"{self.label}: {place}"

    def catch(self, error: BaseException) -> None:
        self.error = error
        lib.wdfdma_machine_halt(self._machine, int(BugCheckCode.MANUALLY_INITIATED_CRASH), 0)


def get_label(scenario: Scenario) -> str:
    """What a log knows a scenario by: its name, or its file's; cut so that a step's place follows it."""
    return (scenario.name or Path(scenario.where).name)[:_LONGEST_LABEL]


def require_labels(scenarios: Iterable[Scenario]) -> None:
    """Errors: ScenarioError for two scenarios that a log could not tell apart."""
    seen: dict[str, Scenario] = {}
    for scenario in scenarios:
        other = seen.setdefault(get_label(scenario), scenario)
        if other is not scenario:
            message = f"{show(get_label(scenario))} is the name of {other.where} too"
            raise ScenarioError([Problem("name", message)], scenario.where)


def sweep_sites(scenario: Scenario, log: SiteLog) -> SiteSweep:
    """Runs a scenario once for every fault at one of its steps that [log] does not tell of, until there is no more.

    The log has a fault's line before the call fails: who is interrupted goes on with the next one. The scenario's own
    faults are part of every run. Errors: ScenarioError where the scenario itself is refused; OSError.
    """
    base = observe(scenario, count=True)
    sites = _ScenarioSites(scenario)
    return SiteSweep(scenario, list(_list_runs(scenario, log, sites, base)))


def _list_runs(
    scenario: Scenario, log: SiteLog, sites: _ScenarioSites, base: Observation
) -> Iterator[SiteRun]:
    known = -1
    while known < len(log):
        known = len(log)
        outcome, detail = _run_once(scenario, log, sites, base)
        log.check_writing()
        if sites.error is not None:
            raise sites.error
        if len(log) > known:
            yield SiteRun(log[known], sites.step, outcome, detail)
        elif outcome == Outcome.ERROR:
            raise AssertionError(f"{scenario.where}: {detail}")


def _run_once(
    scenario: Scenario, log: SiteLog, sites: _ScenarioSites, base: Observation
) -> tuple[Outcome, str]:
    try:
        seen = observe(scenario, arm=lambda machine: sites.arm(machine, log))
    except (CheckError, ScenarioError, MemoryError, AssertionError) as error:
        return Outcome.ERROR, f"{type(error).__name__}: {error}"
    return judge(base, seen)
