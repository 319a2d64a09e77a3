"""The pages of a scenario's violations, each of the machine as it stood: the scenario is run again up to there."""

from collections.abc import Iterator
from dataclasses import replace

from wdfdma.dumping.dump import make_core
from wdfdma.paging.page import describe_moment
from wdfdma.rules import Violation, read_violations
from wdfdma.run import Run, check_scenario, run_program
from wdfdma.scenario import Scenario


def make_pages(scenario: Scenario, run: Run) -> Iterator[str]:
    """A page for each rule that [scenario] broke in [run], oldest first. Errors: as those of the run."""
    for number, violation in enumerate(run.violations, 1):
        yield _make_page(scenario, violation, number)


def _make_page(scenario: Scenario, violation: Violation, number: int) -> str:
    program, result = check_scenario(scenario)
    with run_program(scenario, program, result, stop_at=number) as machine:
        found = read_violations(machine)[number - 1]
        # That it halts here, and logs it, is our doing.
        then = replace(found, stopped=violation.stopped, moment=violation.moment)
        return describe_moment(make_core(machine), then, scenario.where)
