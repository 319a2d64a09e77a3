"""What is wrong with a scenario is said in one clear line that names the place."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wdfdma import Scenario, ScenarioError, run_scenario

Data = dict[str, Any]


def spoil(scenario: Data, path: tuple[Any, ...], value: Any) -> None:
    """Sets what [path] leads to; an Ellipsis as the value takes it away."""
    *way, last = path
    target: Any = scenario
    for part in way:
        target = target[part]
    if value is ...:
        del target[last]
    else:
        target[last] = value


MISTAKES: list[tuple[tuple[Any, ...], Any, str]] = [
    # of the whole
    (("format",), "wdfdma-scenario/2", 'format: "wdfdma-scenario/2" is not wdfdma-scenario/1'),
    (("format",), ..., "format: is missing"),
    (("name",), 5, "name: 5 is not a string"),
    (("enablers",), ..., "enablers: is missing"),
    (("buffers",), {}, "buffers: {} is not a list"),
    (("steps",), None, "steps: null is not a list"),
    (("log",), [5], "log[0]: 5 is not an object"),
    (("undefined",), True, "undefined: true is not a string"),
    (("surprise",), 1, "surprise: unknown key"),
    (("a key",), 1, '"a key": unknown key'),
    # of the machine
    (("machine",), [], "machine: [] is not an object"),
    (("machine", "map_registers"), -1, "machine.map_registers: -1 is below 0"),
    (("machine", "map_registers"), 2**20 + 1, "machine.map_registers: 1048577 is above 1048576"),
    (("machine", "map_registers"), 8.0, "machine.map_registers: 8.0 is not a whole number"),
    (("machine", "map_registers"), "8", 'machine.map_registers: "8" is not a whole number'),
    (("machine", "map_registers"), True, "machine.map_registers: true is not a whole number"),
    (
        ("machine", "map_registers"),
        10**40,
        "machine.map_registers: a number of 133 bits is above 1048576",
    ),
    (
        ("machine", "registers_per_adapter"),
        None,
        "machine.registers_per_adapter: null is not a whole number",
    ),
    (("machine", "physical_address_bits"), 53, "machine.physical_address_bits: 53 is above 52"),
    (("machine", "verifier"), 1, "machine.verifier: 1 is not true or false"),
    (("machine", "registers"), 8, "machine.registers: unknown key"),
    # of enablers
    (("enablers", 0, "profile"), "paket", 'enablers[0].profile: "paket" is not packet, '),
    (("enablers", 0, "profile"), ..., "enablers[0].profile: is missing"),
    (
        ("enablers", 0, "maximum_length"),
        2**32,
        "enablers[0].maximum_length: 4294967296 is above 4294967295",
    ),
    (("enablers", 0, "dma_version"), 1, "enablers[0].dma_version: 1 is not 0, 2 or 3"),
    (("enablers", 0, "maximum_elements"), -1, "enablers[0].maximum_elements: -1 is below 0"),
    (("enablers", 0), "packet", 'enablers[0]: "packet" is not an object'),
    (("enablers", 0, "maximum_length"), 0, "enablers[0].maximum_length: 0 is below 1; STATUS"),
    (("enablers", 0, "address_width"), 40, "enablers[0].address_width: 40 is above 32; STATUS"),
    # of buffers
    (("buffers", 0, 0, "offset"), 4096, "buffers[0][0].offset: 4096 is above 4095"),
    (("buffers", 0, 0, "length"), 0, "buffers[0][0].length: 0 is below 1"),
    (("buffers", 0, 0, "length"), 100, "buffers[0][0].pfns: 3 pages, but the length needs 1"),
    (("buffers", 0, 0, "pfns", 1), 2**24, "buffers[0][0].pfns[1]: 16777216 is above 16777215"),
    (("buffers", 0, 0, "pfns", 1), "12", 'buffers[0][0].pfns[1]: "12" is not a whole number'),
    (("buffers", 0), {}, "buffers[0]: {} is not a list"),
    (("buffers", 0), [], "buffers[0]: is empty"),
    # of steps
    (("steps", 2, "length"), -5, "steps[2].length: -5 is below 0"),
    (("steps", 2, "length"), ..., "steps[2].length: is missing"),
    (("steps", 2, "length"), 2**32, "steps[2].length: 4294967296 is above 4294967295"),
    (("steps", 2, "direction"), "up", 'steps[2].direction: "up" is not read or write'),
    (("steps", 2, "buffer"), 1, "steps[2].buffer: there is no buffer 1"),
    (("steps", 2, "size"), 1, "steps[2].size: unknown key"),
    (("steps", 0, "enabler"), 1, "steps[0].enabler: there is no enabler 1"),
    (("steps", 0, "transaction"), 1, "steps[1].transaction: 0 is not created"),
    (("steps", 3, "op"), "run", 'steps[3].op: "run" is not an operation'),
    (("steps", 3, "op"), ..., "steps[3].op: is missing"),
    (("steps", 3, "op"), 4, "steps[3].op: 4 is not an operation"),
    (("steps", 3), "execute", 'steps[3]: "execute" is not an object'),
    (("steps", 3, "transaction"), 7, "steps[3].transaction: 7 is not created"),
    (
        ("steps", 4),
        {"op": "create", "transaction": 0, "enabler": 0},
        "steps[4].transaction: 0 is created already",
    ),
    (("steps", 1, "event"), "finish", 'steps[1].event: "finish" is not program_dma, '),
    (("steps", 1, "returns"), 0, "steps[1].returns: 0 is not true or false"),
    (("steps", 1, "do", 0, "op"), "stop", 'steps[1].do[0].op: "stop" is not an operation'),
    (("steps", 1, "do", 0, "transaction"), 4, "steps[1].do[0].transaction: 4 is not created"),
    (("steps", 1, "do", 0, "length"), 4, "steps[1].do[0].length: unknown key"),
    (
        ("steps", 4),
        {"op": "set_callback", "transaction": 0, "event": "program_dma", "value": True},
        'steps[4].event: "program_dma" does not fit here',
    ),
]


@pytest.mark.parametrize(
    ("path", "value", "expected"), MISTAKES, ids=[item[2][:50] for item in MISTAKES]
)
def test_a_mistake_is_named(
    path: tuple[Any, ...], value: Any, expected: str, scenario: Data
) -> None:
    spoil(scenario, path, value)
    with pytest.raises(ScenarioError) as caught:
        run_scenario(Scenario.parse(scenario, "s.jsonl:12"))
    lines = str(caught.value).splitlines()
    assert len(lines) == len(caught.value.problems) == 1
    assert lines[0].startswith(f"s.jsonl:12: {expected}")
    assert lines[0].isprintable()
    assert len(lines[0]) < 250


def test_all_mistakes_are_named(scenario: Data) -> None:
    spoil(scenario, ("steps", 0, "enabler"), "x")
    spoil(scenario, ("machine", "map_registers"), -1)
    with pytest.raises(ScenarioError) as caught:
        Scenario.parse(scenario, "a.json")
    assert str(caught.value).splitlines() == [
        "a.json: machine.map_registers: -1 is below 0",
        'a.json: steps[0].enabler: "x" is not a whole number',
    ]


def test_a_deleted_transaction_is_not_created(scenario: Data) -> None:
    scenario["steps"][4] = {"op": "delete", "transaction": 0}
    scenario["steps"] += [{"op": "release", "transaction": 0}]
    with pytest.raises(ScenarioError) as caught:
        run_scenario(scenario)
    assert str(caught.value) == "steps[5].transaction: 0 is not created"


def nest(scenario: Data, depth: int) -> Data:
    """The scenario with reactions [depth] deep."""
    step: Data = {"op": "release", "transaction": 0}
    for _ in range(depth):
        step = {"op": "on", "transaction": 0, "event": "reserve_dma", "do": [step]}
    return {**scenario, "steps": [scenario["steps"][0], step]}


def test_steps_may_be_nested_but_not_without_end(scenario: Data) -> None:
    assert run_scenario(nest(scenario, 60))
    for depth in (64, 100, 200):
        with pytest.raises(ScenarioError, match="nested too deeply"):
            run_scenario(nest(scenario, depth))


BAD_FILES: list[tuple[bytes, str]] = [
    (b"", "no scenarios"),
    (b"{", ":1: not JSON: "),
    (b'{"a', ":1: not JSON: Unterminated string starting at column "),
    (b'{"a": 1', ":1: not JSON: "),
    (b"\n\n{]\n", ":3: not JSON: "),
    (b"[]\n", ":1: [] is not an object"),
    (b"5\n", ":1: 5 is not an object"),
    (b'"' + b"x" * 1000 + b'"\n', ":1: "),
    (b"\xff\xfe{}\n", ": not UTF-8: byte 0xFF in line 1"),
    (b'{}\n{"a": "\xc3("}\n', ": not UTF-8: byte 0xC3 in line 2"),
    (b'{"name": "a", "name": "b"}\n', ':1: not JSON: the key "name" stands twice in an object'),
    (b'{"name": NaN}\n', ":1: not JSON: NaN is not a number of JSON"),
    (b'{"name": -Infinity}\n', ":1: not JSON: -Infinity is not a number of JSON"),
    (b'{"name": ' + b"9" * 5000 + b"}\n", ":1: "),
    (b"[" * 100000 + b"\n", ":1: not JSON: nested too deeply"),
    (b'{"a":' * 100000 + b"\n", ":1: not JSON: nested too deeply"),
    (b'{"\\ud800": 1}\n', ":1: "),
    (b'{"format": "\\ud800"}\n', ":1: "),
    (b"\x00\n", ":1: not JSON: "),
]


@pytest.mark.parametrize(("data", "expected"), BAD_FILES, ids=[repr(item[1]) for item in BAD_FILES])
def test_a_bad_file_is_named(data: bytes, expected: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_bytes(data)
    if expected == "no scenarios":
        assert Scenario.load_all(path) == []
        return
    with pytest.raises(ScenarioError) as caught:
        Scenario.load_all(path)
    for line in str(caught.value).splitlines():
        assert line.startswith(f"{path}{expected}")
        assert len(line) < len(str(path)) + 200
        line.encode()


def test_a_whole_file_is_named_without_a_line(tmp_path: Path, scenario: Data) -> None:
    path = tmp_path / "one.json"
    spoil(scenario, ("steps", 3, "op"), "run")
    path.write_text(json.dumps(scenario, indent=2))
    with pytest.raises(ScenarioError) as caught:
        Scenario.load(path)
    assert str(caught.value) == f'{path}: steps[3].op: "run" is not an operation'
    path.write_text('{\n"a": 1,\n}')
    with pytest.raises(ScenarioError, match=r"line [23], column [17]"):
        Scenario.load(path)


def test_load_wants_one_scenario(tmp_path: Path, scenario: Data) -> None:
    path = tmp_path / "two.jsonl"
    path.write_text(f"\ufeff{json.dumps(scenario)}\r\n\n{json.dumps(scenario)}", encoding="utf-8")
    first, second = Scenario.load_all(path)
    assert (first.where, second.where) == (f"{path}:1", f"{path}:3")
    with pytest.raises(ScenarioError, match="2 scenarios, not one"):
        Scenario.load(path)
    with pytest.raises(ScenarioError, match=r"neither \.json nor \.jsonl"):
        Scenario.load(path.rename(tmp_path / "two.txt"))
    with pytest.raises(FileNotFoundError):
        Scenario.load(tmp_path / "none.json")


def test_defaults(scenario: Data) -> None:
    del scenario["machine"], scenario["enablers"][0]["dma_version"]
    parsed = Scenario.parse(scenario)
    machine, enabler = parsed.machine, parsed.enablers[0]
    assert (machine.map_registers, machine.granted_registers) == (64, 64)
    assert (machine.physical_address_bits, machine.force_map_registers, machine.verifier) == (
        36,
        False,
        True,
    )
    assert (enabler.dma_version, enabler.address_width) == (0, 0)
    assert (enabler.maximum_elements, enabler.single_transfer) == (None, False)
    assert parsed.steps[1].returns is True


PLACES: list[tuple[Any, ...]] = [item[0] for item in MISTAKES]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)


@pytest.fixture(scope="module")
def sound() -> Callable[[], Data]:
    """Makes small sound scenarios."""
    path = Path(__file__).parents[1] / "conformance" / "canonical.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines()[:2]
    return lambda: copy.deepcopy(json.loads(lines[1]))


def catch(function: Callable[[], object]) -> ScenarioError | None:
    """The error of a scenario that the function raises; no other one is allowed."""
    try:
        function()
    except ScenarioError as error:
        return error
    return None


@given(place=st.sampled_from(PLACES), value=JSON)
def test_any_mistake_is_an_error_of_the_scenario(
    sound: Callable[[], Data], place: tuple[Any, ...], value: Any
) -> None:
    scenario = sound()
    try:
        spoil(scenario, place, value)
    except (IndexError, KeyError, TypeError):
        return
    error = catch(lambda: run_scenario(scenario))
    assert error is None or all(problem.message for problem in error.problems)


@given(
    st.binary(max_size=40) | st.text(max_size=40).map(lambda text: text.encode("utf-8", "replace"))
)
def test_any_bytes_are_an_error_of_the_file(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.jsonl"
    path.write_bytes(data)
    error = catch(lambda: Scenario.load_all(path))
    assert error is None or str(error).startswith(str(path))


def test_a_case_is_no_scenario() -> None:
    with pytest.raises(ScenarioError) as caught:
        Scenario.parse({"driver": "wdfdma:packet", "moves": [], "bytes": "00"}, "here")
    assert str(caught.value).startswith("here: a case of wdfdma fuzz, not a scenario: wdfdma fuzz")
