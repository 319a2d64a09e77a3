"""The options of the pytest plugin: as they are declared, and what they come to."""

import os
import random
import re
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from wdfdma.pytest_keys import Options

if TYPE_CHECKING:
    from wdfdma.pytest_faults import FaultChoice

PLUGIN = "wdfdma.pytest_plugin"
SEED_INPUT = "wdfdma_seed"  # what a worker of xdist is told


def _parse_seed(text: str) -> int | str:
    """A seed, or `random`. Errors: ValueError."""
    if text == "random":
        return text
    if not re.fullmatch(r"[0-9]+|0[xX][0-9a-fA-F]+", text) or int(text, 0) >= 2**64:
        raise ValueError
    return int(text, 0)


_parse_seed.__name__ = "seed"  # argparse's message has it


def add_options(parser: pytest.Parser) -> None:
    """Declares the options."""
    group = parser.getgroup("wdfdma", "machines of wdfdma")
    group.addoption(
        "--wdfdma-seed",
        type=_parse_seed,
        metavar="N",
        help="The seed of machines whose test names none [0]; `random`: another one each time, which the header tells.",
    )
    group.addoption(
        "--wdfdma-replay",
        action="append",
        default=[],
        metavar="FILE",
        help="Run the scenarios of FILE (or FILE:NUMBER, one line of a .jsonl file, or a folder) as tests: "
        "alone, or after the tests that the command line names. May be repeated.",
    )
    group.addoption(
        "--wdfdma-faults",
        action="store_true",
        help="Run each test that passes once more for every fault that its machines could meet.",
    )
    group.addoption(
        "--wdfdma-fault",
        action="append",
        default=[],
        metavar="JSON",
        help='Run the tests with this fault, as scenarios have them, in all machines or in that of a key "machine". '
        "May be repeated.",
    )
    group.addoption(
        "--wdfdma-artifacts",
        metavar="DIR",
        help="Write to DIR what each failing test's machines leave: the log, the page, the dump, the scenario.",
    )
    group.addoption(
        "--wdfdma-coverage",
        metavar="DIR",
        help="Count what the calls of all machines do, and write it to DIR, for `wdfdma coverage DIR`.",
    )


def read_options(config: pytest.Config) -> Options:
    """What the command line says. Errors: pytest.UsageError."""
    given = config.option
    seed = _choose_seed(config) if given.wdfdma_seed == "random" else given.wdfdma_seed
    artifacts, coverage = given.wdfdma_artifacts, given.wdfdma_coverage
    if artifacts is not None:
        _require_folder(Path(artifacts).absolute())
    return Options(
        seed=seed,
        artifacts=None if artifacts is None else Path(artifacts).absolute(),
        coverage=None if coverage is None else Path(coverage).absolute(),
        replay=_read_replay(given.wdfdma_replay),
        choices=_read_choices(given.wdfdma_fault),
        every_fault=given.wdfdma_faults,
        arguments=_list_arguments(config, seed),
    )


def _require_folder(artifacts: Path) -> None:
    """Makes the folder that all goes to, so that it is known at the start whether there can be one.

    Errors: pytest.UsageError.
    """
    try:
        artifacts.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=artifacts):
            pass
    except OSError as error:
        raise pytest.UsageError(f"--wdfdma-artifacts: {artifacts}: {error.strerror}") from None


def _choose_seed(config: pytest.Config) -> int:
    """Any seed; in a worker of xdist, the one that has been chosen for all."""
    chosen = getattr(config, "workerinput", {}).get(SEED_INPUT)
    return random.SystemRandom().getrandbits(32) if chosen is None else int(chosen)


def _list_arguments(config: pytest.Config, seed: int | None) -> list[str]:
    """What a command needs, beside a test's name, to do the same."""
    given = [str(item) for item in config.invocation_params.args]
    arguments = []
    if f"-p{PLUGIN}" in given or ("-p", PLUGIN) in pairwise(given):
        arguments += ["-p", PLUGIN]
    if seed is not None:
        arguments += ["--wdfdma-seed", str(seed)]
    return arguments


def _read_choices(texts: list[str]) -> "list[FaultChoice]":
    if not texts:
        return []
    from wdfdma.problems import ScenarioError
    from wdfdma.pytest_faults import parse_choice

    try:
        return [parse_choice(text) for text in texts]
    except ScenarioError as error:
        raise pytest.UsageError("\n".join(error.lines)) from None


def _read_replay(names: list[str]) -> dict[Path, set[int | None]]:
    if not names:
        return {}
    from wdfdma.files import list_files, split_number
    from wdfdma.problems import ScenarioError

    found: dict[Path, set[int | None]] = {}
    for name in names:
        path, number = split_number(name)
        if not path.exists():
            raise pytest.UsageError(f"--wdfdma-replay: no such file: {path}")
        try:
            files = list_files(path)
        except ScenarioError as error:
            raise pytest.UsageError(f"--wdfdma-replay: {error}") from None
        for file in files:
            if file.suffix not in (".json", ".jsonl"):
                raise pytest.UsageError(f"--wdfdma-replay: {file}: neither .json nor .jsonl")
            path = Path(os.path.abspath(file))  # noqa: PTH100 (as pytest does: it follows no links)
            found.setdefault(path, set()).add(number)
    return found


def add_replay_files(config: pytest.Config, options: Options) -> None:
    """Has pytest collect the scenarios: instead of what it finds by itself, after what the command line names."""
    if not options.replay:
        return
    files = [str(path) for path in options.replay]
    named = config.args_source is pytest.Config.ArgsSource.ARGS
    config.args = [*config.args, *files] if named else files
