"""What `wdfdma faults` does: sweeps of scenarios, fault by fault or by chance, printed."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import click

from wdfdma._native import VERSION
from wdfdma.fault_chance import ChanceSweep, sweep_chances
from wdfdma.fault_report import (
    make_chance_entry,
    make_chance_table,
    make_entry,
    make_table,
    print_tables,
)
from wdfdma.faults import FaultSweep, sweep_faults
from wdfdma.files import dump_json
from wdfdma.problems import Problem, ScenarioError
from wdfdma.scenario import Scenario

_RUNS = 100


def sweep_all(
    scenarios: Iterable[Scenario],
    chance: int | None,
    seed: int | None,
    runs: int | None,
    show: Callable[[list[Any]], Iterable[Any]],
) -> Sequence[FaultSweep | ChanceSweep]:
    """Sweeps scenarios, by [chance] of a thousand where that is given. Errors: ScenarioError."""
    if chance is None:
        for name, given in (("--seed", seed), ("--runs", runs)):
            if given is not None:
                raise ScenarioError([Problem(name, "only together with --chance")])
        return [sweep_faults(scenario, show) for scenario in scenarios]
    count = _RUNS if runs is None else runs
    return [sweep_chances(scenario, chance, seed or 0, count, show) for scenario in scenarios]


def print_sweeps(sweeps: Sequence[FaultSweep | ChanceSweep], as_json: bool) -> None:
    """Prints a table for each sweep, or one JSON document."""
    if as_json:
        entries = [
            make_entry(sweep) if isinstance(sweep, FaultSweep) else make_chance_entry(sweep)
            for sweep in sweeps
        ]
        click.echo(dump_json({"version": VERSION, "scenarios": entries}, indent=1))
        return
    print_tables(
        make_table(sweep) if isinstance(sweep, FaultSweep) else make_chance_table(sweep)
        for sweep in sweeps
    )
