"""Drivers under test: those that ship, shared objects, classes of Python; what a case of theirs comes to."""

from pathlib import Path

import pytest

from compile_support import SOURCES, build
from reader_driver import ReaderDriver
from wdfdma import BugCheck
from wdfdma.status import Status
from wdfdma.testing.cases import (
    FAILURES,
    MOVES,
    describe_case,
    generate_case,
    mutate_case,
)
from wdfdma.testing.drivers import (
    Driver,
    DriverError,
    find_driver,
    get_driver,
    list_drivers,
    load_driver,
    load_drivers,
    make_driver,
    run_case,
)
from wdfdma.testing.fuzzing import shrink_case
from wdfdma.testing.python_drivers import DriverRequest

ONE_READ = bytes(12)
TWO_TRANSFERS = bytes([0, 3, 0, 0, 0, 0, 0, 0, 0, 48])  # 12,289 bytes through 4 map registers
CANCEL = bytes([2, 0, 0, 0, 0, 0])
POWER = bytes([6, 0, 0, 0, 0, 0])


def name_failure(driver: object, case: bytes) -> str:
    return FAILURES[run_case(driver, case).signature.failure]  # type: ignore[arg-type]


# Drivers in C


def test_three_are_correct_and_twelve_are_faulty() -> None:
    correct = [driver.name for driver in list_drivers() if driver.fault is None]
    assert correct == ["packet", "scatter-gather", "system"]
    faulty = [driver for driver in list_drivers() if driver.fault]
    assert len(faulty) == 12
    assert {driver.name.split("/")[0] for driver in faulty} == set(correct)


@pytest.mark.parametrize("name", ["packet", "scatter-gather", "system"])
def test_a_correct_driver_does_what_is_asked(name: str) -> None:
    result = run_case(get_driver(name), TWO_TRANSFERS)
    assert not result.has_failed
    assert (result.requests, result.starts) == (1, 2)


def test_a_failure_is_told_in_words() -> None:
    result = run_case(get_driver("packet/offset-not-advanced"), TWO_TRANSFERS)
    assert str(result) == "wrong data, at the end: byte 12288 of 12289"
    result = run_case(get_driver("system/completed-before-flush"), ONE_READ)
    assert str(result).startswith("bug check WdfVerifierFatalError request")


def test_any_bytes_are_a_case() -> None:
    for case in (b"", b"\xff", bytes(range(256)), b"wdfdma" * 40):
        lines = list(describe_case(case))
        result = run_case(get_driver("packet"), case)
        assert len(lines) == 1 + result.moves
        assert not result.has_failed


def test_the_same_seed_makes_the_same_case() -> None:
    assert generate_case(5) == generate_case(5) != generate_case(6)
    assert mutate_case(generate_case(5), 1) == mutate_case(generate_case(5), 1)
    with pytest.raises(ValueError, match="a case of 247 bytes"):
        mutate_case(bytes(247), 0)


def test_unknown_drivers(tmp_path: Path) -> None:
    with pytest.raises(DriverError, match="no driver that ships"):
        get_driver("nothing")
    with pytest.raises(DriverError, match="no such file"):
        load_driver(tmp_path / "none.so")
    with pytest.raises(DriverError, match="no_such_module"):
        find_driver("no_such_module:Class")
    text = tmp_path / "text.so"
    text.write_text("no library")
    with pytest.raises(DriverError, match=r"text\.so"):
        load_driver(text)


@pytest.fixture(scope="session")
def built_driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The drivers' sources as anybody would build a driver of theirs."""
    out = tmp_path_factory.mktemp("driver") / "mydriver.so"
    return build(out, *sorted((SOURCES / "drivers").glob("*.c")))


def test_a_shared_object_is_loaded_by_its_path(built_driver: Path) -> None:
    assert [driver.name for driver in load_drivers(built_driver)] == [
        driver.name for driver in list_drivers()
    ]
    driver = load_driver(built_driver, "packet/offset-not-advanced")
    assert name_failure(driver, TWO_TRANSFERS) == "wrong data"
    found = find_driver(f"{built_driver}:packet")
    assert found.name == "packet"
    assert load_driver(built_driver).name == "packet"
    with pytest.raises(DriverError, match="no driver none; there are packet"):
        load_driver(built_driver, "none")
    assert driver.origin == f"{built_driver}:packet/offset-not-advanced"


def test_a_shared_object_without_drivers(tmp_path: Path) -> None:
    source = tmp_path / "empty.c"
    source.write_text("int nothing;\n")
    with pytest.raises(DriverError, match="it exports no wdfdma_driver_get"):
        load_driver(build(tmp_path / "empty.so", source))


# Drivers in Python


def test_a_driver_in_python_does_what_is_asked() -> None:
    result = run_case(ReaderDriver, TWO_TRANSFERS)
    assert not result.has_failed
    assert (result.requests, result.starts) == (1, 2)
    assert not run_case(ReaderDriver, ONE_READ + CANCEL).has_failed
    assert not run_case(ReaderDriver, ONE_READ + POWER + POWER).has_failed


class NotReleased(ReaderDriver):
    """It never releases its transaction."""

    def release(self) -> None:
        pass


class Forgetful(ReaderDriver):
    """It does not hear of interrupts."""

    def interrupt(self) -> None:
        pass


class Generous(ReaderDriver):
    """It tells of more bytes than came."""

    def finish(self, status: int, length: int) -> None:
        super().finish(status, max(length - 1, 0))


class Unlucky(ReaderDriver):
    """It raises an exception."""

    def start_request(self, request: DriverRequest) -> None:
        raise KeyError(request.length)


class Absent(ReaderDriver):
    """It cannot be started."""

    def add_device(self, *_: object) -> Status:
        return Status.STATUS_DEVICE_CONFIGURATION_ERROR


@pytest.mark.parametrize(
    ("factory", "failure"),
    [
        (NotReleased, "bug check"),
        (Forgetful, "never completed"),
        (Generous, "wrong information"),
        (Unlucky, "exception"),
        (Absent, "add device"),
    ],
)
def test_a_faulty_driver_in_python_is_found_out(factory: type, failure: str) -> None:
    assert name_failure(factory, ONE_READ + ONE_READ[6:]) == failure


def test_an_exception_is_a_failure_with_its_place() -> None:
    result = run_case(Unlucky, ONE_READ)
    assert str(result).endswith("KeyError: 1")
    other = run_case(Unlucky, TWO_TRANSFERS)
    assert result.signature == other.signature


class Interrupted(ReaderDriver):
    """Somebody presses Ctrl-C in it."""

    def start_request(self, request: DriverRequest) -> None:
        raise KeyboardInterrupt


def test_an_interrupt_is_no_failure_of_the_drivers() -> None:
    with pytest.raises(KeyboardInterrupt):
        run_case(Interrupted, ONE_READ)
    with pytest.raises(KeyboardInterrupt):
        shrink_case(Interrupted, ONE_READ)


class Breaking(ReaderDriver):
    """It executes what was never initialized, and hears of the bug check."""

    def start_request(self, request: DriverRequest) -> None:
        try:
            self.transaction.execute()
        except BugCheck:
            heard.append(request.length)
            raise


heard: list[int] = []


def test_a_bug_check_is_told_by_its_rule() -> None:
    heard.clear()
    assert "WdfDmaFatalError" in str(run_case(Breaking, ONE_READ))
    assert heard == [1]


def test_one_driver_may_run_the_case_of_another() -> None:
    class Nested(ReaderDriver):
        def start_request(self, request: DriverRequest) -> None:
            assert not run_case(ReaderDriver, TWO_TRANSFERS).has_failed
            super().start_request(request)

    assert not run_case(Nested, TWO_TRANSFERS).has_failed


def test_a_driver_stays_what_it_is() -> None:
    driver = make_driver(ReaderDriver)
    assert make_driver(driver) is driver
    assert isinstance(driver, Driver)
    assert not driver.is_native
    assert driver.name == "ReaderDriver"


def test_the_moves_have_names() -> None:
    cases = (bytes([0] * 6 + [kind, 0, 0, 0, 0, 0]) for kind in range(len(MOVES)))
    lines = [list(describe_case(case))[1] for case in cases]
    assert len(set(lines)) == len(MOVES)
