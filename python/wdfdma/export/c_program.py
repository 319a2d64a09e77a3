"""Scenarios as C: a `main` that makes the same calls, and ends with 0 where the same rules break at the same steps."""

from typing import Any

from wdfdma.enums import Event, Op, RecordKind
from wdfdma.export.c_check import CHECK, MAIN
from wdfdma.export.c_frame import HEAD, find_parts
from wdfdma.export.c_steps import StepWriter, number, wrap
from wdfdma.export.c_world import declare_world, write_world
from wdfdma.fault_forms import Fault
from wdfdma.problems import Problem, ScenarioError
from wdfdma.record_json import copy_bugcheck, copy_violations
from wdfdma.records import LAYOUT
from wdfdma.run import Run, check_scenario, run_program
from wdfdma.scenario import Scenario
from wdfdma.status import Status

_OTHER_BYTES = 12345
_COMPLETIONS = ("dma_completed", "dma_completed_with_length", "dma_completed_final")


def export_c(scenario: Scenario, run: Run) -> str:
    """The text of a C program that does what [run], of [scenario], did. Errors: ScenarioError for what C cannot say.

    It needs `wdf.h`, `wdfdma.h` and the library. What is broken is compared by rule, code, parameters, op, kind of
    object and step; the driver's calls and callbacks by their records.
    """
    last = _count_steps(scenario, run)
    writer = StepWriter(_count_elements(run))
    steps = writer.write(scenario.steps[:last], "steps")
    problems = writer.problems + _check_faults(scenario) + _check_adapters(scenario, run, last)
    if problems:
        raise ScenarioError(problems[:1], scenario.where)
    world = write_world(scenario)
    callbacks = writer.write_callbacks()
    declarations = writer.write_declarations()
    driver = ["static void driver_run(void) {", *writer.write_unused(), *steps]
    if last < len(scenario.steps):
        driver.append(
            f"    /* The machine has halted: {len(scenario.steps) - last} more steps are not come to. */"
        )
    elif scenario.check_leaks:
        driver.append("    leaks_check();")
    body = "\n".join([declare_world(scenario), declarations, callbacks, world, *driver, "}\n"])
    expected = _write_expected(run, _run_elsewhere(scenario))
    parts = find_parts(body, writer.most_reactions)
    text = "\n".join([_write_head(scenario), HEAD, parts, expected, CHECK, body, MAIN])
    return text.replace("\n\n\n", "\n\n")


def _write_head(scenario: Scenario) -> str:
    name = (scenario.name or "A scenario").replace("*/", "* /")
    return f"""\
/* {name}
 *
 * Made by wdfdma export. It ends with 0 where it does what the scenario did: the same rules broken, with the
 * same parameters, at the same steps, and the same records of calls and callbacks; with 1 where not.
 *
 *   cc reproducer.c -I<include> -I<include>/wdk -lwdfdma */
"""


def _count_elements(run: Run) -> int:
    """How many elements the device is programmed with, at most."""
    programmed = [record for record in run.log if record.get("event") == "program_dma"]
    return max((len(record["elements"]) for record in programmed), default=0)


def _count_steps(scenario: Scenario, run: Run) -> int:
    """How many outermost steps there are up to the one in which the machine halted."""
    if run.bugcheck is None:
        return len(scenario.steps)
    return min(run.bugcheck.step + 1, len(scenario.steps))


def _walk(steps: Any) -> Any:
    for step in steps:
        yield step
        yield from _walk(getattr(step, "do", ()))


def _check_faults(scenario: Scenario) -> list[Problem]:
    """Faults that count what a scenario's driver does, and a C one does not."""
    completes = any(step.op in _COMPLETIONS for step in _walk(scenario.steps))
    problems = []
    for index, fault in enumerate(scenario.faults):
        if fault.allocation is not None:
            message = "C cannot say it: the scripted driver's own memory counts, too"
            problems.append(Problem(f"faults[{index}].allocation", message))
        elif fault.device is not None and _is_of_the_script(fault, completes):
            message = "C cannot say it: the scripted driver's completions and steps take part"
            problems.append(Problem(f"faults[{index}].device", message))
    return problems


def _is_of_the_script(fault: Fault, completes: bool) -> bool:
    comes_later = fault.device in ("late", "twice") and fault.move != "complete_transfer"
    return (
        comes_later or fault.device == "late" or (completes and fault.move in (None, *_COMPLETIONS))
    )


def _check_adapters(scenario: Scenario, run: Run, last: int) -> list[Problem]:
    """A call through an adapter needs the table of one: a C program would crash on NULL."""
    refused = {
        record["adapter"]
        for record in run.log
        if record.get("op") in ("io_get_dma_adapter", "wdm_get_dma_adapter")
        and not record["returns"]
    }
    problems = []
    given = False
    for index, step in enumerate(scenario.steps[:last]):
        for each in _walk([step]):
            if each.op in ("io_get_dma_adapter", "wdm_get_dma_adapter"):
                given = given or each.adapter not in refused
            elif not given and getattr(each, "adapter", None) in refused:
                message = "C cannot call a routine of an adapter that is NULL"
                problems.append(Problem(f"steps[{index}].adapter", message))
    return problems


def _run_elsewhere(scenario: Scenario) -> Run:
    """The same run, with another driver's memory beside it: what differs is where something lies in that."""
    program, result = check_scenario(scenario)
    program += bytes([Op.CHECK_LEAKS]) * _OTHER_BYTES  # these do not run
    with run_program(scenario, program, result, len(scenario.steps)) as machine:
        return Run([], b"", 0, copy_violations(machine), copy_bugcheck(machine))


def _write_expected(run: Run, elsewhere: Run) -> str:
    rows = [
        f"    {{{item.step}, {_name('RULE', item.rule)}, {_name('BUGCHECK', item.code)}, {_name('OP', item.op)},"
        f" {_name('OBJECT', item.object_type)}, {_write_parameters(item, other)}}},"
        for item, other in zip(run.violations, elsewhere.violations, strict=True)
    ]
    records = _list_records(run.data)
    halt = run.bugcheck
    stopped = "{0, 0, {0}}"
    if halt is not None:
        parameters = _write_parameters(halt, elsewhere.bugcheck)
        stopped = f"{{{halt.step}, {_name('BUGCHECK', halt.code)}, {parameters}}}"
    return f"""\
/* What it is to come to. Handles are as wdfdma_machine_localize has them. */
#define ADDRESS UINT64_MAX /* one that depends on what memory the driver has */
enum {{
    VIOLATIONS = {len(rows)},
    RECORDS = {len(records)}
}};

static const struct {{
    uint64_t step;
    uint32_t rule;
    uint32_t code;
    uint32_t op;
    uint32_t object_type;
    uint64_t parameters[4];
}} violations[VIOLATIONS + 1] = {{
{chr(10).join([*rows, "    {0}};"])}

static const struct {{
    uint64_t step;
    uint32_t code;
    uint64_t parameters[4];
}} halt = {stopped};

static const wdfdma_log_record records[RECORDS + 1] = {{
{chr(10).join([*records, "    {0}};"])}
"""


def _name(group: str, value: Any) -> str:
    name = value.name
    return str(int(value)) if name.startswith("0x") else f"WDFDMA_{group}_{name}"


def _write_parameters(item: Any, other: Any) -> str:
    pairs = zip(item.parameters, other.parameters, strict=True)
    return "{" + ", ".join(number(one) if one == two else "ADDRESS" for one, two in pairs) + "}"


def _write_numbers(values: Any) -> str:
    return "{" + ", ".join(number(value) for value in values) + "}"


def _list_records(data: bytes) -> list[str]:
    """The rows of a log's records that a C program's machine has too: not those of a scenario's own steps."""
    own = {RecordKind.SNAPSHOT, RecordKind.STATE, RecordKind.BUGCHECK}  # that is in `halt`
    rows = []
    for _, *values, _, _, status, kind, code in LAYOUT.iter_unpack(data):
        if kind in own or (kind == RecordKind.OP and not _is_of_framework(code)):
            continue
        while values and values[-1] == 0:
            values.pop()
        shown = Status(status).name
        shown = shown if shown.startswith("STATUS_") else str(status)
        fields = [
            f".kind = {_name('RECORD', RecordKind(kind))}",
            f".code = {_name_code(kind, code)}",
        ]
        fields += [f".status = {shown}"] if status else []
        fields += [f".values = {_write_numbers(values)}"] if values else []
        rows.append("\n".join(wrap(f"{{{', '.join(fields)}}},", "    ")))
    return rows


def _is_of_framework(code: int) -> bool:
    return code <= Op.COMPLETE_TRANSFER or code == Op.INITIALIZE_USING_REQUEST


def _name_code(kind: int, code: int) -> str:
    if kind in (RecordKind.EVENT, RecordKind.LEAVE):
        return _name("EVENT", Event(code))
    return _name("OP", Op(code)) if kind in (RecordKind.OP, RecordKind.BREAK) else "0"
