"""Every call site fails once: from Python, in scenarios, and the log that a rerun resumes."""

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fault_support import NO_RESOURCES, Answer, Data
from wdfdma import (
    BugCheck,
    ClosedError,
    Machine,
    Op,
    Profile,
    SiteLog,
    SiteLogError,
    Status,
    StatusError,
)
from wdfdma.fault_sites import _shorten, name_frames
from wdfdma.faults import Outcome
from wdfdma.problems import ScenarioError
from wdfdma.scenario import Scenario
from wdfdma.site_command import make_entry
from wdfdma.site_sweep import require_labels, sweep_sites

HEADER = "wdfdma-sites 1\n"
HERE = Path(__file__).name


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sites.log"


def make_pair(machine: Machine) -> None:
    """Two call sites, of two statuses in all; their enabler has been made before."""
    enabler = machine.device().enabler(maximum_length=4096)
    enabler.common_buffer(64)
    enabler.transaction()


def drive(path: Path, function: Callable[[Machine], None], **settings: Any) -> list[str]:
    """Runs a driver on one machine after another until nothing fails: what it was told each time."""
    settings.setdefault("frames", 1)
    told = []
    for _ in range(50):
        with Machine() as machine, machine.faults.every_site(path, **settings) as sites:
            try:
                function(machine)
            except StatusError as error:
                told.append(error.status.name)
            if not sites.failed:
                return told
    raise AssertionError("it does not end")


# ---- From Python


def test_each_site_fails_with_each_status(path: Path) -> None:
    told = drive(path, make_pair)
    log = SiteLog(path)
    assert [(fault.call, fault.status) for fault in log] == [
        ("enabler_create", Status.STATUS_INSUFFICIENT_RESOURCES),
        ("enabler_create", Status.STATUS_UNSUCCESSFUL),
        ("adapter", None),
        ("common_buffer_create", Status.STATUS_INSUFFICIENT_RESOURCES),
        ("create", Status.STATUS_INSUFFICIENT_RESOURCES),
    ]
    assert len(told) == len(log) == 5
    assert log[-1] == log[4]
    assert drive(path, make_pair) == []
    line = make_pair.__code__.co_firstlineno + 2
    assert [fault.site for fault in log] == [f"{HERE}:{line}"] * 3 + [
        f"{HERE}:{line + 1}",
        f"{HERE}:{line + 2}",
    ]


def make_twice(machine: Machine) -> None:
    enabler = machine.device().enabler(maximum_length=4096)

    def make() -> None:
        enabler.transaction()

    make()
    make()


@pytest.mark.parametrize(("frames", "sites"), [(1, 1), (2, 2), (4, 2)])
def test_frames_tell_callers_apart(path: Path, frames: int, sites: int) -> None:
    drive(path, make_twice, frames=frames)
    faults = [fault for fault in SiteLog(path) if fault.call == "create"]
    assert len(faults) == sites
    assert {fault.site.count(" < ") for fault in faults} == {frames - 1}


def test_a_callback_is_a_site_of_its_own(path: Path) -> None:
    told = []

    def program(transaction: Any, _direction: Any, _elements: Any) -> None:
        try:
            enabler.transaction()
        except StatusError as error:
            told.append(error.status.name)
        transaction.dma_completed()

    with Machine() as machine:
        enabler = machine.device().enabler(Profile.SCATTER_GATHER64, maximum_length=4096)
        transaction = enabler.transaction()
        with machine.faults.every_site(path, frames=2) as sites:
            for _ in range(9):
                status = transaction.initialize(machine.mdl(4096), program_dma=program)
                if status.is_success:
                    told.append(transaction.execute().name)
                    transaction.release()
            assert sites.failed == 6
            assert sites.unnamed == 0
    assert told.count(NO_RESOURCES) == 2
    (fault,) = [fault for fault in SiteLog(path) if fault.call == "create"]
    inner, outer = fault.site.split(" < ")
    execute = next(fault.site for fault in SiteLog(path) if fault.call == "execute")
    assert outer == execute.split(" < ")[0] != inner


def test_at_most(path: Path) -> None:
    with Machine() as machine, machine.faults.every_site(path, most=2) as sites:
        for _ in range(2):
            with pytest.raises(StatusError):
                make_pair(machine)
        make_pair(machine)
        assert sites.failed == 2


def test_a_restore_leaves_the_log(path: Path) -> None:
    with Machine() as machine:
        before = machine.snapshot()
        sites = machine.faults.every_site(path, frames=1)
        armed = machine.snapshot()
        for count, snapshot in enumerate((before, armed, before, armed, before), 1):
            with pytest.raises(StatusError):
                make_pair(machine)
            machine.restore(snapshot)
            assert sites.failed == count == len(sites.log)
        make_pair(machine)
        sites.close()
        assert sites.failed == 5
        machine.restore(armed)
        path.unlink()
        make_pair(machine)
        assert not path.exists()


def test_machines_share_a_log(path: Path) -> None:
    with SiteLog(path) as log, Machine() as first, Machine() as second:
        first.faults.every_site(log, frames=1)
        second.faults.every_site(log, frames=1)
        for machine in (first, second, first, second, first):
            with pytest.raises(StatusError):
                make_pair(machine)
        make_pair(first)
        make_pair(second)
        assert len(log) == 5
    log.close()
    with pytest.raises(ValueError, match="the log is closed"):
        len(log)


def test_another_log_replaces_the_first(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.log"
    with Machine() as machine:
        first = machine.faults.every_site(path, frames=1)
        with pytest.raises(StatusError):
            make_pair(machine)
        second = machine.faults.every_site(other, frames=1)
        first.close()
        with pytest.raises(StatusError):
            make_pair(machine)
        assert (first.failed, second.failed) == (1, 1)
    assert path.read_text().splitlines()[1] == other.read_text().splitlines()[1]


def test_the_plan_comes_first(path: Path) -> None:
    with Machine() as machine, machine.faults.every_site(path) as sites:
        machine.faults.fail_call(Op.ENABLER_CREATE, nth=1)
        with pytest.raises(StatusError):
            make_pair(machine)
        assert sites.failed == 0


def test_settings_are_checked(path: Path) -> None:
    with Machine() as machine:
        with pytest.raises(ValueError, match="frames: 9 is above 8"):
            machine.faults.every_site(path, frames=9)
        with pytest.raises(ValueError, match="most: -1 is below 0"):
            machine.faults.every_site(path, most=-1)
        with pytest.raises(ValueError, match="null character"):
            SiteLog("a\0b")
        assert not path.exists()
        sites = machine.faults.every_site(path)
    sites.close()
    with pytest.raises(ClosedError):
        machine.faults.every_site(path)


def test_an_error_in_naming_is_raised(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: Any) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("wdfdma.fault_sites.name_frames", fail)
    machine = Machine()
    machine.faults.every_site(path)
    with pytest.raises(KeyboardInterrupt):
        make_pair(machine)
    with pytest.raises(BugCheck):
        machine.device()
    assert path.read_text() == HEADER


def test_names_are_short_and_the_same_elsewhere(tmp_path: Path) -> None:
    file = str(tmp_path / "driver" / "read.py")
    root, deeper, folder = str(tmp_path), str(tmp_path / "driver"), tmp_path / "driver"
    assert _shorten(file, (root,), folder) == "driver/read.py"
    assert _shorten(file, (root, deeper), folder) == "read.py"
    assert _shorten(file, ("/elsewhere",), folder) == "read.py"
    assert _shorten(file, (), Path("/elsewhere")) == Path(file).as_posix()
    assert _shorten("<stdin>", (root,), folder) == "<stdin>"
    assert name_frames(None, 4) == ""


# ---- Over processes

DRIVER = """
    import os, sys
    from wdfdma import Machine, StatusError

    def work(machine):
        enabler = machine.device().enabler(maximum_length=4096)
        enabler.transaction()
        enabler.transaction()

    while True:
        with Machine() as machine, machine.faults.every_site("sites.log") as sites:
            try:
                work(machine)
            except StatusError:
                if len(sites.log) == int(sys.argv[1]):
                    os.abort()
            if not sites.failed:
                break
"""


def test_a_crash_is_resumed(tmp_path: Path) -> None:
    """In folders of other names too: a site has no absolute path."""
    logs = []
    for name in ("here", "there"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "driver.py").write_text(textwrap.dedent(DRIVER))
        for crash, lines in ((2, 3), (4, 5), (0, 6), (0, 6)):
            done = subprocess.run(
                [sys.executable, str(folder / "driver.py"), str(crash)],
                cwd=folder,
                check=False,
                capture_output=True,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            )
            assert (done.returncode != 0) == (crash != 0), done.stderr
            log = (folder / "sites.log").read_text()
            assert len(log.splitlines()) == lines
        logs.append(log)
    assert logs[0] == logs[1]
    assert f"create {NO_RESOURCES} driver.py:8 < driver.py:13\n" in logs[0]


@pytest.mark.skipif(sys.platform == "win32", reason="there is no limit to be set")
def test_a_full_disk_is_told(tmp_path: Path) -> None:
    script = f"""
    import resource, signal
    from wdfdma import Machine
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, ({len(HEADER)}, {len(HEADER)}))
    with Machine() as machine:
        sites = machine.faults.every_site("sites.log")
        machine.device().enabler()
        assert sites.failed == 0
        try:
            sites.close()
        except OSError as error:
            print(error.filename)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        cwd=tmp_path,
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert (done.stdout, done.stderr) == ("sites.log\n", "")
    assert (tmp_path / "sites.log").read_text() == HEADER


# ---- The file


@pytest.mark.parametrize(
    ("text", "line", "rule"),
    [
        ("no log\n", 1, "not the first line of a log of sites"),
        (f"{HEADER}execute STATUS_WDF_BUSY\n", 2, "there is no site"),
        (f"{HEADER}adapter - a\nrelease - b\n", 3, "no call that can fail"),
        (f"{HEADER}create STATUS_WDF_BUSY a\n", 2, "a status that the call does not fail with"),
        (f"{HEADER}create \0", 2, "a character that no line has"),
    ],
)
def test_a_damaged_log(path: Path, text: str, line: int, rule: str) -> None:
    path.write_text(text)
    with pytest.raises(SiteLogError) as caught:
        SiteLog(path)
    damaged = text.split("\n")[line - 1]
    assert str(caught.value) == f"{path}:{line}: {rule}: {json.dumps(damaged)}"
    assert caught.value.text == damaged
    assert path.read_text() == text


def test_half_a_line_is_ended(path: Path) -> None:
    drive(path, make_pair)
    whole = path.read_text()
    path.write_text(whole[:-3])
    assert drive(path, make_pair) == [NO_RESOURCES]
    assert path.read_text() == f"{whole[:-3]}~\n{whole.splitlines()[-1]}\n"


def test_a_file_that_cannot_be_had(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        SiteLog(tmp_path / "none" / "sites.log")
    with pytest.raises(OSError, match=str(tmp_path)):
        SiteLog(tmp_path)


# ---- Scenarios


def test_each_step_is_a_site(scenario: Data, path: Path) -> None:
    scenario["steps"][1]["do"].insert(0, {"op": "create", "transaction": 1, "enabler": 0})
    with SiteLog(path) as log:
        sweep = sweep_sites(Scenario.parse(scenario), log)
        assert sweep_sites(Scenario.parse(scenario), log).runs == []
    found = [(run.fault.call, run.fault.site, run.step, run.outcome) for run in sweep.runs]
    assert found == [
        ("enabler_create", "small: enablers[0]", None, Outcome.REFUSED),
        ("enabler_create", "small: enablers[0]", None, Outcome.REFUSED),
        ("enabler_create", "small: enablers[0]", None, Outcome.REFUSED),
        ("adapter", "small: enablers[0]", None, Outcome.REFUSED),
        ("create", "small: steps[0]", 0, Outcome.UNMADE),
        ("initialize", "small: steps[2]", 2, Outcome.BUGCHECK),
        ("execute", "small: steps[3]", 3, Outcome.STATUS),
        ("register_grant", "small: steps[3]", 3, Outcome.BUGCHECK),
        ("partial_map", "small: steps[3]", 3, Outcome.BUGCHECK),
        ("create", "small: steps[1].do[0]", 3, Outcome.STATUS),
    ]
    assert not sweep.has_error
    assert make_entry(sweep)["runs"][4]["status"] == NO_RESOURCES


def test_what_the_log_tells_of_is_left_out(scenario: Data, path: Path) -> None:
    path.write_text(f"{HEADER}execute {NO_RESOURCES} small: steps[3]\nexec")
    with SiteLog(path) as log:
        sweep = sweep_sites(Scenario.parse(scenario), log)
    assert [run.fault.call for run in sweep.runs].count("execute") == 0
    assert len(sweep.runs) == 8


def test_the_scenarios_own_faults_come_first(scenario: Data, path: Path) -> None:
    scenario["faults"] = [{"op": "execute", "nth": 1, "status": NO_RESOURCES}]
    with SiteLog(path) as log:
        sweep = sweep_sites(Scenario.parse(scenario), log)
    assert "execute" not in {run.fault.call for run in sweep.runs}


def test_names_must_differ(scenario: Data) -> None:
    first, second = Scenario.parse(scenario, "a.json"), Scenario.parse(scenario, "b.json")
    require_labels([first])
    with pytest.raises(ScenarioError, match='"small" is the name of'):
        require_labels([first, second])
    del scenario["name"]
    require_labels([Scenario.parse(scenario, "x/a.json"), Scenario.parse(scenario, "x/b.json")])


def test_an_error_in_naming_ends_the_sweep(
    scenario: Data, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr("wdfdma.site_sweep.find_place", fail)
    with SiteLog(path) as log, pytest.raises(KeyboardInterrupt):
        sweep_sites(Scenario.parse(scenario), log)
    assert path.read_text() == HEADER


def test_every_recording_ends(recordings: dict[str, list[Any]], path: Path) -> None:
    for source in recordings["canonical"][::30] + recordings["random"][::60]:
        with SiteLog(path) as log:
            sweep = sweep_sites(Scenario.parse(source), log)
        assert sweep.runs
        assert not sweep.has_error


def test_the_command(
    call: Callable[..., Answer], tmp_path: Path, scenario: Data, path: Path
) -> None:
    file = tmp_path / "small.json"
    file.write_text(json.dumps(scenario), encoding="utf-8")
    code, out, err = call("faults", "--sites", path, file)
    assert (code, err) == (0, "")
    line = next(line for line in out.splitlines() if f"execute: {NO_RESOURCES}" in line)
    assert line.split()[2:5] == ["steps[3]", "3", "another"]
    code, out, err = call("faults", "--sites", path, "--json", file)
    assert (code, json.loads(out)["scenarios"][0]["runs"]) == (0, [])
    code, out, err = call("faults", "--sites", path, file)
    assert "nothing that the log does not tell of" in out
    path.write_text("something else\n")
    code, out, err = call("faults", "--sites", path, file)
    assert (code, out) == (2, "")
    assert err == f'{path}:1: not the first line of a log of sites: "something else"\n'
    code, out, err = call("faults", "--sites", tmp_path, file)
    assert (code, err) == (2, f"{tmp_path}: Is a directory\n")
