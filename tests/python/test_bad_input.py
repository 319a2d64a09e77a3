"""Input that is not well: one clear error, with the place, the value and the rule, before anything runs."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from reader_driver import ReaderDriver
from wdfdma import Device, Machine, ScenarioError, read_journal
from wdfdma.cli import cli
from wdfdma.cli_ends import BAD_INPUT, MATCH, OUR_ERROR
from wdfdma.fuzz_workers import Workers
from wdfdma.testing.drivers import Driver, DriverError, get_driver, run_case
from wdfdma.testing.fuzzing import FuzzOptions, LostWorkerError, fuzz_driver
from wdfdma.testing.python_drivers import Hardware

HEAD = b"WDJ\x01\0\0\0\0"


def invoke(*arguments: object) -> Result:
    """The command with [arguments], which no exception leaves."""
    texts = [str(item) for item in arguments]
    return CliRunner().invoke(cli, texts, standalone_mode=False, catch_exceptions=False)


def get_refusal(*arguments: object) -> str:
    """What the command says of input that it refuses: one line, and nothing else."""
    result = invoke(*arguments)
    assert (result.return_value, result.stdout) == (BAD_INPUT, "")
    assert result.stderr.count("\n") == 1
    return result.stderr.strip()


@pytest.mark.parametrize("length", [2**63 - 1, 2**64 - 1, 2**40, 5])
def test_a_journal_whose_head_tells_of_too_much_is_refused(tmp_path: Path, length: int) -> None:
    path = tmp_path / "t4"
    path.write_bytes(HEAD + length.to_bytes(8, "little") + bytes(4))
    why = f"its head tells of {length} bytes, and 4 follow it"
    expected = f"{path}: a journal that is damaged or cut off: {why}"
    assert get_refusal("export", path, "--to", "json") == expected


@pytest.mark.parametrize("data", [b"", b"WDJ\x01", b"a text that is no journal, but long enough"])
def test_a_file_that_is_no_journal_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "text"
    path.write_bytes(data)
    with pytest.raises(ScenarioError) as caught:
        read_journal(path)
    assert str(caught.value) == f"{path}: not a journal"


def test_a_journal_with_any_byte_wrong_is_read_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.wdj"
    with Machine(map_registers=4, journal=path) as machine:
        enabler = machine.device().enabler("packet", maximum_length=8192, dma_version=3)
        transaction = enabler.transaction()
        transaction.initialize(machine.mdl(5000), program_dma=lambda *_: None)
        transaction.execute()
    data = path.read_bytes()
    end = 16 + int.from_bytes(data[8:16], "little")
    read_journal(path)
    refused: list[str] = []
    for at in range(16, end):
        for value in (0, 0x7F, 0x80, 0xFF):
            path.write_bytes(data[:at] + bytes([value]) + data[at + 1 : end])
            try:
                read_journal(path)
            except ScenarioError as error:
                refused.append(str(error))
    assert len(refused) > end - 16
    assert all(text.startswith(f"{path}: ") for text in refused)


# Drivers


class NoMethods:
    """It is no driver."""


class HalfADriver(ReaderDriver):
    """An object of it is no driver."""

    interrupt = None  # type: ignore[assignment]


class WildStatus(ReaderDriver):
    """What it returns is no NTSTATUS."""

    def add_device(self, device: Device, hardware: Hardware) -> object:
        super().add_device(device, hardware)
        return 2**40


class Unsigned(ReaderDriver):
    """It returns a failure as the headers write it."""

    def add_device(self, device: Device, hardware: Hardware) -> object:
        return 0xC000009A


def make_nothing() -> None:
    """A function that makes no driver."""


A_NUMBER = 5


@pytest.mark.parametrize("more", [[], ["--isolate"], ["-j", "2"]])
@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("HalfADriver", "a HalfADriver is no driver: no interrupt"),
        ("A_NUMBER", "a int is no driver, and makes none: it is not callable"),
        (
            "make_nothing",
            "a NoneType is no driver: no add_device, start_request, cancel_request, interrupt, remove_device",
        ),
    ],
)
def test_what_is_no_driver_is_refused(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], name: str, why: str, more: list[str]
) -> None:
    origin = f"test_bad_input:{name}"
    out = tmp_path / "corpus"
    assert get_refusal("fuzz", origin, "--runs", "20", "--out", out, *more) == f"{origin}: {why}"
    assert "Traceback" not in capfd.readouterr().err
    assert not list(out.glob("*.json"))


def test_what_is_no_driver_is_refused_in_python() -> None:
    with pytest.raises(TypeError, match="NoMethods is no driver: no add_device, start_request"):
        fuzz_driver(NoMethods, FuzzOptions(runs=2))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="a int is no driver"):
        run_case(5, b"")  # type: ignore[arg-type]
    with pytest.raises(DriverError, match="no driver that ships"):
        fuzz_driver("no-such", FuzzOptions(runs=2))
    named = fuzz_driver("packet/released-in-transfer", FuzzOptions(runs=500))
    taken = fuzz_driver(get_driver("packet/released-in-transfer"), FuzzOptions(runs=500))
    assert named.findings == taken.findings != {}


def test_what_add_device_returns(capfd: pytest.CaptureFixture[str]) -> None:
    assert "1099511627776 is not a valid Status" in str(run_case(WildStatus, bytes(12)))
    assert "STATUS_INSUFFICIENT_RESOURCES" in str(run_case(Unsigned, bytes(12)))
    assert capfd.readouterr().err == ""


def test_a_run_that_has_not_ended_well_is_not_told_as_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def lose(_self: Workers, driver: Driver, *_: object) -> None:
        raise LostWorkerError(driver, [0])

    well = invoke("fuzz", "packet", "--runs", "10")
    assert (well.return_value, "0 failures: no rule is broken" in well.stdout) == (MATCH, True)
    monkeypatch.setattr(Workers, "fuzz", lose)
    lost = invoke("fuzz", "packet", "--runs", "10")
    assert lost.return_value == OUR_ERROR
    assert lost.stdout.splitlines()[-1] == "0 failures so far: not all was run"


def test_a_shared_object_that_is_not_there(tmp_path: Path) -> None:
    for name in (
        tmp_path / "nosuch.so",
        "./nosuch.so",
        "nosuch.so",
        "./nosuch.so:packet",
        "nosuch.so:packet",
    ):
        assert get_refusal("fuzz", name, "--runs", "1") == f"{name}: no such file"
    assert "no driver that ships" in get_refusal("fuzz", "packet/nosuch", "--runs", "1")


# Options, cases and corpora


@pytest.mark.parametrize(
    ("rules", "shown"), [("nope", "nope"), ("", "''"), ("start,", "''"), ("start,nope", "nope")]
)
def test_rules_are_checked_before_anything_runs(tmp_path: Path, rules: str, shown: str) -> None:
    out = tmp_path / "corpus"
    said = get_refusal("fuzz", "packet", "--rules", rules, "--runs", "1", "--out", out)
    assert said.startswith(f"--rules: {shown}: no moves; there are start, ")
    assert not out.exists()


@pytest.mark.parametrize(
    ("keys", "kind", "message"),
    [
        ({"runs": -5}, ValueError, "runs: -5 is below 0"),
        ({"runs": 1.5}, TypeError, "runs: 1.5 is not a whole number"),
        ({"seconds": -5}, ValueError, "seconds: -5 is not 0 or more"),
        ({"seconds": float("nan")}, ValueError, "seconds: nan is not 0 or more"),
        ({"isolate": -1.0}, ValueError, "isolate: -1.0 is not above 0"),
        ({"isolate": "1"}, TypeError, "isolate: '1' is not a number of seconds"),
        ({"findings": 0}, ValueError, "findings: 0 is below 1"),
        ({"seed": -1}, ValueError, "seed: -1 is below 0"),
        ({"moves": "start"}, TypeError, "moves: 'start' is one name"),
        ({"moves": []}, ValueError, "moves: it is empty"),
    ],
)
def test_options_of_fuzzing(keys: dict[str, Any], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind) as caught:
        FuzzOptions(**keys)
    assert message in str(caught.value)


def test_a_case_without_its_keys(tmp_path: Path) -> None:
    case = tmp_path / "case.json"
    case.write_text("{}")
    assert get_refusal("fuzz", "--replay", case) == f"{case}: no case: the key 'bytes' is missing"
    state = tmp_path / "packet.json"
    state.write_text("{}")
    why = "no state of a fuzzing run: the key 'seed' is missing"
    said = get_refusal("fuzz", "packet", "--runs", "1", "--out", tmp_path)
    assert said == f"{state}: {why}"


@pytest.mark.parametrize("command", [["export", "--to", "json"], ["shrink"]])
@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"bytes": "xy", "driver": "packet"}', "no case: non-hexadecimal number"),
        ('{"bytes": "00"}', "no case: the key 'driver' is missing"),
        ('{"bytes": "00", "driver": "packet", "signature": [12]}', "no scenario: the driver ends"),
        ('{"bytes": "00", "driver": "nosuch"}', "nosuch: no driver that ships"),
    ],
)
def test_a_bad_case_is_named_once(tmp_path: Path, command: list[str], text: str, why: str) -> None:
    case = tmp_path / "case.json"
    case.write_text(text)
    assert get_refusal(*command, case).startswith(f"{case}: {why}")


def test_artifacts_that_cannot_be_written_end_the_run_at_once(tmp_path: Path) -> None:
    test = tmp_path / "test_it.py"
    test.write_text("def test_it(machine):\n    raise ValueError\n")
    (tmp_path / "file").write_text("")
    folder = tmp_path / "file" / "below"
    line = [sys.executable, "-m", "pytest", "-p", "wdfdma.pytest_plugin", str(test)]
    end = subprocess.run(
        [*line, f"--wdfdma-artifacts={folder}"], capture_output=True, text=True, cwd=tmp_path
    )
    assert end.returncode == pytest.ExitCode.USAGE_ERROR
    assert f"--wdfdma-artifacts: {folder}: Not a directory" in end.stderr
    assert "INTERNALERROR" not in end.stdout + end.stderr
