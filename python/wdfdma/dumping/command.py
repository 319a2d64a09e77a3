"""Dumps of scenarios: `wdfdma dump SCENARIO --at STEP`."""

from typing import Any

from wdfdma._core import Core
from wdfdma._native import VERSION
from wdfdma.dumping.dump import make_core, make_document, read_scene, render_text
from wdfdma.dumping.parts import show_all
from wdfdma.dumping.scene import Section
from wdfdma.files import STDIN, dump_json, read_line, read_values, split_number
from wdfdma.problems import Problem, ScenarioError
from wdfdma.run import check_scenario, run_program
from wdfdma.scenario import Scenario


def load_one(name: str) -> Scenario:
    """The scenario that [name] names: a file that holds one, or FILE:NUMBER, as in messages.

    The number is that of a line in a .jsonl file, counted from 1. A file of that very name goes first.
    Errors: ScenarioError, OSError.
    """
    path, number = split_number(name)
    if path.is_dir():
        raise ScenarioError([Problem("", "a folder, not a scenario")], str(path))
    values = list(read_values(path)) if number is None else [read_line(path, number)]
    if len(values) != 1:
        how = "" if not values else "; name one as FILE:NUMBER"
        message = f"{len(values) or 'no'} scenarios, not one{how}"
        raise ScenarioError([Problem("", message)], "<stdin>" if path == STDIN else str(path))
    where, value = values[0]
    return Scenario.parse(value, where)


def dump_scenario(
    scenario: Scenario, at: int | None = None, html: bool = False, as_json: bool = False
) -> str:
    """The dump of a scenario's machine after step [at], counted from 0 (None: after the last); later ones do not run.

    One that halts before is dumped where it halted, and says so. Errors: ScenarioError, for no such step too.
    """
    count = len(scenario.steps)
    if at is not None and not 0 <= at < count:
        steps = f"the steps are 0 to {count - 1}" if count else "there are none"
        raise ScenarioError([Problem(f"steps[{at}]", f"no such step; {steps}")], scenario.where)
    asked = count if at is None else at + 1
    program, result = check_scenario(scenario)
    with run_program(scenario, program, result, asked) as machine:
        core = make_core(machine)
        moment = _describe_moment(scenario, asked, result.steps, core.halted)
        if as_json:
            document = _make_document(scenario, core, result.steps, moment)
            return dump_json(document, indent=1) + "\n"
        fields = [("Scenario", scenario.name), ("From", scenario.where), ("Moment", moment)]
        sections = [Section("Dump of a scenario", fields), *show_all(read_scene(core))]
    if not html:
        return render_text(sections)
    from wdfdma.dumping.html_page import render_html

    return render_html(sections, f"Dump: {scenario.name or scenario.where}")


def _make_document(scenario: Scenario, core: Core, steps: int, moment: str) -> dict[str, Any]:
    return {
        "version": VERSION,
        "where": scenario.where,
        "name": scenario.name,
        "at": steps - 1 if steps else None,
        "moment": moment,
        "dump": make_document(core),
    }


def _describe_moment(scenario: Scenario, asked: int, ran: int, halted: bool) -> str:
    """Where the scenario stands: the step that ran last, and whether it is the one asked for."""
    if not ran:
        return "before the first step; there is none"
    step, count = ran - 1, len(scenario.steps)
    name = scenario.steps[step].op
    if not halted:
        return f"after step {step} ({name}), the last is {count - 1}"
    early = f", before step {asked - 1} was reached" if ran < asked else ""
    return f"halted in step {step} ({name}){early}"
