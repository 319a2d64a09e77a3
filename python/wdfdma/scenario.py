"""Scenarios: what `docs/spec/scenario.md` says, as models that refuse everything else."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, create_model

from wdfdma.enums import AllocationAction, Argument, Direction, Event, Irql, Profile
from wdfdma.fault_forms import Fault, check_faults
from wdfdma.operations import OPERATIONS, Operand, OperandKind
from wdfdma.problems import Problem, ScenarioError, format_place, list_problems, show, suggest

_LARGEST_LENGTH = 2**32 - 1
_LARGEST_POOL = 2**20
_LARGEST_DEPTH = 1024
_NOT_GIVEN = -1

_MOST_FAULTS = 2**16  # the library's own bound

_Registers = Annotated[int, Field(ge=0, le=_LARGEST_POOL)]
_Length = Annotated[int, Field(ge=0, le=_LARGEST_LENGTH)]

if TYPE_CHECKING:
    ProfileName = str
else:
    ProfileName = Literal[tuple(profile.label for profile in Profile if profile)]


class _Model(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class MachineSettings(_Model):
    """The machine of a scenario."""

    map_registers: _Registers = 64
    registers_per_adapter: _Registers = _NOT_GIVEN
    physical_address_bits: Annotated[int, Field(ge=13, le=52)] = 36
    force_map_registers: bool = False
    verifier: bool = True
    maximum_depth: Annotated[int, Field(ge=1, le=_LARGEST_DEPTH)] = 256

    @property
    def granted_registers(self) -> int:
        """The most that one adapter is granted: all, if nothing else is said."""
        given = self.registers_per_adapter
        return self.map_registers if given == _NOT_GIVEN else given


class Enabler(_Model):
    """An enabler of a scenario."""

    profile: ProfileName
    maximum_length: _Length
    dma_version: Literal[0, 2, 3] = 0
    address_width: Annotated[int, Field(ge=0, le=64)] = 0
    maximum_elements: Annotated[int, Field(ge=0, le=_LARGEST_LENGTH)] | None = None
    single_transfer: bool = False
    configured: bool = True


class BufferPart(_Model):
    """One MDL of a buffer."""

    offset: Annotated[int, Field(ge=0, le=4095)] = 0
    length: Annotated[int, Field(ge=1, le=_LARGEST_LENGTH)]
    pfns: list[Annotated[int, Field(ge=0)]]


# The keys that may be left out, with what they are then.
_DEFAULTS: dict[str, Any] = {"returns": True, "synchronous": False}


def _make_field(operation: str, operand: Operand) -> Any:
    """The type and the default of an operand, for pydantic."""
    if operand.kind == OperandKind.BOOLEAN:
        return (bool, _DEFAULTS.get(operand.name, ...))
    if operand.kind == OperandKind.DIRECTION:
        return (Literal[tuple(direction.label for direction in Direction)], ...)
    if operand.kind == OperandKind.EVENT:
        return (Literal[tuple(event.label for event in Event)], ...)
    if operand.kind == OperandKind.IRQL:
        return (Literal[tuple(irql.label for irql in Irql)], ...)
    if operand.kind == OperandKind.ARGUMENT:
        return (Literal[tuple(argument.label for argument in Argument)], ...)
    if operand.kind == OperandKind.ACTION:
        return (Literal[tuple(action.label for action in AllocationAction)], ...)
    if operand.kind == OperandKind.STEPS:
        return (list["Step"], ... if operation == "on" else [])
    least = -operand.maximum if operand.kind == OperandKind.SIGNED else 0
    return (Annotated[int, Field(ge=least, le=operand.maximum)], ...)


def _make_step_models() -> list[Any]:
    """A model for each operation that the C library lists."""
    models: list[Any] = []
    for name, operation in OPERATIONS.items():
        fields = {operand.name: _make_field(name, operand) for operand in operation.operands}
        fields["op"] = (Literal[name], ...)
        models.append(create_model(f"Step_{name}", __base__=_Model, **fields))
    return models


_STEP_MODELS = _make_step_models()
Step: Any = Annotated[Union[tuple(_STEP_MODELS)], Field(discriminator="op")]  # noqa: UP007
for _model in _STEP_MODELS:
    if not _model.__pydantic_complete__:  # it has steps of its own
        _model.model_rebuild(_types_namespace={"Step": Step})


class Scenario(_Model):
    """A machine, its enablers and buffers, the steps that a driver takes, and the log of what they did.

    >>> scenario = Scenario.parse({"format": "wdfdma-scenario/1", "name": "one step",
    ...     "enablers": [{"profile": "packet", "maximum_length": 4096}], "buffers": [],
    ...     "steps": [{"op": "create", "transaction": 0, "enabler": 0}]})
    >>> scenario.machine.map_registers, scenario.steps[0].op
    (64, 'create')
    """

    format: Literal["wdfdma-scenario/1"]
    name: str = ""
    machine: MachineSettings = MachineSettings()
    enablers: list[Enabler]
    buffers: list[Annotated[list[BufferPart], Field(min_length=1)]]
    steps: list[Step]
    faults: Annotated[list[Fault], Field(max_length=_MOST_FAULTS)] = []
    rules: dict[str, Literal["stop", "collect", "ignore"]] = {}
    check_leaks: bool = False
    log: list[Any] | None = None
    undefined: str | None = None

    _where: str = PrivateAttr("")
    _source: dict[str, Any] = PrivateAttr(default_factory=dict)

    @property
    def where(self) -> str:
        """The file, and for a line of many its number, that the scenario comes from."""
        return self._where

    @property
    def source(self) -> dict[str, Any]:
        """The scenario as it was read."""
        return self._source

    @classmethod
    def parse(cls, source: Any, where: str = "") -> "Scenario":
        """The scenario that the JSON value [source] is. Errors: ScenarioError."""
        if isinstance(source, dict) and "moves" in source and "format" not in source:
            message = "a case of wdfdma fuzz, not a scenario: wdfdma fuzz --replay takes it"
            raise ScenarioError([Problem("", message)], where)
        try:
            scenario = cls.model_validate(source)
        except ValidationError as error:
            raise ScenarioError(list_problems(error), where) from None
        problems = _check_name(scenario) + _check_pages(scenario)
        problems += check_faults(scenario.faults) + _check_rules(scenario) + _check_log(scenario)
        if problems:
            raise ScenarioError(problems, where)
        scenario._where = where
        scenario._source = source
        return scenario

    @classmethod
    def load(cls, path: str | Path) -> "Scenario":
        """The one scenario in a file. Errors: ScenarioError, OSError."""
        scenarios = cls.load_all(path)
        if len(scenarios) != 1:
            raise ScenarioError([Problem("", f"{len(scenarios)} scenarios, not one")], str(path))
        return scenarios[0]

    @classmethod
    def load_all(cls, path: str | Path) -> "list[Scenario]":
        """All scenarios in a file: one in `.json`, one in each line of `.jsonl`."""
        from wdfdma.files import read_values

        return [cls.parse(value, where) for where, value in read_values(Path(path))]


def _check_name(scenario: Scenario) -> list[Problem]:
    """JSON can write half of a character, which nothing can print."""
    halves = any("\ud800" <= letter <= "\udfff" for letter in scenario.name)
    return [Problem("name", "half of a surrogate pair stands alone")] if halves else []


def _check_rules(scenario: Scenario) -> list[Problem]:
    if not scenario.rules:
        return []
    from wdfdma.rules import find_rule, list_rules

    names = [info.name for info in list_rules()]
    return [
        Problem(
            format_place(("rules", name)), f"there is no rule of this name{suggest(name, names)}"
        )
        for name in scenario.rules
        if find_rule(name) is None
    ]


def _check_log(scenario: Scenario) -> list[Problem]:
    """Records are objects. They are many, and pydantic would copy each."""
    return [
        Problem(f"log[{index}]", f"{show(record)} is not an object")
        for index, record in enumerate(scenario.log or ())
        if not isinstance(record, dict)
    ]


def _check_pages(scenario: Scenario) -> list[Problem]:
    """What no schema says: as many pages as the length needs, each within the machine's memory."""
    limit = 1 << (scenario.machine.physical_address_bits - 12)
    problems = []
    for index, buffer in enumerate(scenario.buffers):
        for part_index, part in enumerate(buffer):
            place = f"buffers[{index}][{part_index}].pfns"
            needed = (part.offset + part.length + 4095) // 4096
            if len(part.pfns) != needed:
                problems.append(
                    Problem(place, f"{len(part.pfns)} pages, but the length needs {needed}")
                )
            elif max(part.pfns) >= limit:
                at = next(at for at, pfn in enumerate(part.pfns) if pfn >= limit)
                problems.append(Problem(f"{place}[{at}]", f"{part.pfns[at]} is above {limit - 1}"))
    return problems
