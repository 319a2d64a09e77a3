"""Input that is not well: one clear error, with the place, the value and the rule, before anything runs."""

from pathlib import Path

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
