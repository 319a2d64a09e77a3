"""Scenarios as tests: what --wdfdma-replay names."""

import os
from collections.abc import Iterable
from os import PathLike
from pathlib import Path
from typing import Any

import pytest

from wdfdma._native import lib
from wdfdma.dumping.dump import make_core
from wdfdma.enums import Severity
from wdfdma.errors import BugCheck
from wdfdma.files import dump_json, read_line, read_values, write_file
from wdfdma.paging.page import describe_machine
from wdfdma.problems import ScenarioError
from wdfdma.pytest_artifacts import make_folder, write_capture
from wdfdma.pytest_keys import OPTIONS
from wdfdma.pytest_machine import Capture
from wdfdma.records import format_record
from wdfdma.replay import find_scenario_command
from wdfdma.rules import Violation
from wdfdma.run import Run, check_scenario, compare, execute_scenario, run_program
from wdfdma.run_pages import make_pages
from wdfdma.scenario import Scenario


class ScenarioFailed(Exception):
    """A scenario broke a rule, halted its machine, or differs from the log that it carries."""


class ScenarioFile(pytest.File):
    """A file of scenarios, or some of its lines."""

    def collect(self) -> Iterable["ScenarioItem"]:
        """A test for each. Errors: CollectError for a file that is not well."""
        numbers = self.config.stash[OPTIONS].replay[self.path]
        try:
            if None in numbers:
                found = list(read_values(self.path))
            else:
                chosen = sorted(number for number in numbers if number is not None)
                found = [read_line(self.path, number) for number in chosen]
            scenarios = [Scenario.parse(value, where) for where, value in found]
        except ScenarioError as error:
            raise self.CollectError("\n".join(error.lines)) from None
        for scenario in scenarios:
            number = scenario.where.removeprefix(str(self.path)).removeprefix(":")
            name = " ".join(part for part in (number, scenario.name) if part) or self.path.stem
            yield ScenarioItem.from_parent(self, name=name, scenario=scenario)


def make_file(parent: pytest.Collector, path: Path) -> ScenarioFile:
    """The collector of a file, which may lie outside of the root folder, where pytest would have no name for it."""
    node: ScenarioFile
    if path.is_relative_to(parent.config.rootpath):
        node = ScenarioFile.from_parent(parent, path=path)
    else:
        nodeid = Path(os.path.relpath(path, parent.config.rootpath)).as_posix()
        node = ScenarioFile.from_parent(parent, path=path, nodeid=nodeid)
    return node


class ScenarioItem(pytest.Item):
    """One scenario: it fails for a bug check, a broken rule that is no advice, or another log than its own."""

    def __init__(self, *, scenario: Scenario, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.scenario = scenario

    def runtest(self) -> None:
        """Runs the scenario. Errors: ScenarioFailed."""
        run = execute_scenario(self.scenario)
        self._add_properties(run)
        broken = [item for item in run.violations if item.severity != Severity.ADVICE]
        difference = compare(self.scenario, run.log) if self.scenario.log is not None else None
        if not broken and run.bugcheck is None and difference is None:
            return
        lines = [item.summary for item in [*broken, *_list_halts(run)]]
        if difference is not None:
            lines.append(f"the log differs from the one that the scenario carries: {difference}")
        pages = list(make_pages(self.scenario, run)) or [self._describe_end()]
        self.add_report_section("call", "wdfdma", "\n\n".join(pages))
        artifacts = self.config.stash[OPTIONS].artifacts
        if artifacts is not None:
            self._write(artifacts, run, "\n\n".join(pages))
        raise ScenarioFailed("\n".join(lines))

    def _add_properties(self, run: Run) -> None:
        program, result = check_scenario(self.scenario)
        with run_program(self.scenario, program, result) as machine:
            state = lib.wdfdma_machine_get_state(machine)
            total, least = int(state.map_registers), int(state.least_free_registers)
        self.user_properties.append(("wdfdma_least_free_registers", least))
        self.user_properties.append(("wdfdma_high_water", total - least))
        self.user_properties.append(("wdfdma_violations", len(run.violations)))
        self.user_properties.extend(("wdfdma_violation", item.summary) for item in run.violations)

    def _describe_end(self) -> str:
        """The page of a machine that no rule has halted, or none at all."""
        program, result = check_scenario(self.scenario)
        with run_program(self.scenario, program, result) as machine:
            page = describe_machine(make_core(machine), self.scenario.where)
        if "\n  replay " in page:
            return page
        return f"{page}\n\nAgain\n  replay      {find_scenario_command(self.scenario.where)}"

    def _write(self, artifacts: Path, run: Run, pages: str) -> None:
        from wdfdma.dumping.command import dump_scenario

        folder = make_folder(artifacts, self.nodeid)
        log = "\n".join(format_record(record) for record in run.log)
        write_capture(
            folder / "machine-0", Capture(pages, log, dump_scenario(self.scenario, html=True))
        )
        write_file(folder / "scenario.json", [dump_json(self.scenario.source)])

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The rules alone; the pages stand below."""
        if isinstance(excinfo.value, ScenarioFailed):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple["PathLike[str] | str", int | None, str]:
        """The file, the line from 0, and the scenario's name."""
        _, _, number = self.scenario.where.removeprefix(str(self.path)).rpartition(":")
        return self.path, int(number) - 1 if number else 0, f"scenario {self.name}"


def _list_halts(run: Run) -> list[BugCheck | Violation]:
    """A bug check that no rule's violation tells of."""
    if run.bugcheck is None or any(item.stopped for item in run.violations):
        return []
    return [run.bugcheck]
