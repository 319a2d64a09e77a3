"""A corpus directory: how far the fuzzing of each driver came, so that it goes on there, and what failed."""

import json
from pathlib import Path
from typing import Any

from wdfdma._native import VERSION
from wdfdma.coverage import Coverage, merge_all
from wdfdma.coverage_files import format_coverage, parse_coverage
from wdfdma.testing.cases import CaseResult, Signature, describe_case
from wdfdma.testing.drivers import Driver
from wdfdma.testing.fuzzing import Finding, FuzzReport
from wdfdma.testing.reproducers import Reproducer

_COUNTS = ("runs", "moves", "steps", "requests", "failures", "features", "chunks")


class CorpusError(Exception):
    """A file of a corpus that is none, or of another driver or seed."""


def make_case_document(
    driver: Driver,
    case: bytes,
    seed: int,
    result: CaseResult | None,
    made: Reproducer | None = None,
) -> dict[str, Any]:
    """A case for JSON: what to run again, in words, and what its scenario shows, or why there is none."""
    world, *moves = describe_case(case)
    document: dict[str, Any] = {
        "version": VERSION,
        "driver": driver.origin or driver.name,
        "seed": seed,
        "bytes": case.hex(),
        "world": world,
        "moves": moves,
    }
    if result is not None:
        document["failure"] = str(result)
        document["signature"] = list(result.signature)
    if made is not None:
        document["scenario"] = made.tells
        document["left_out"] = made.omitted
    return document


def read_case(text: str) -> tuple[bytes, str | None]:
    """The case in [text], the path of a case's JSON file or hexadecimal digits, and its driver if the file has it.

    Errors: CorpusError.
    """
    path = Path(text)
    try:
        if path.suffix == ".json" or path.is_file():
            document = json.loads(path.read_bytes())
            return bytes.fromhex(document["bytes"]), str(document["driver"])
        return bytes.fromhex(text), None
    except OSError as error:
        raise CorpusError(f"{text}: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise CorpusError(f"{text}: no case: {_describe(error)}") from error


def _describe(error: Exception) -> str:
    """What is wrong with a document, also where it is a key that it lacks."""
    return f"the key {error} is missing" if isinstance(error, KeyError) else str(error)


def read_failure(text: str) -> int | None:
    """The number in FAILURES of what the case's JSON file in [text] failed with; None where it says nothing of it."""
    try:
        return int(json.loads(Path(text).read_bytes())["signature"][0])
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return None


class Corpus:
    """The files of one driver in [folder], which is made if it is not there; [coverage] is of all that came before.

    Errors: OSError, CorpusError.
    """

    def __init__(self, folder: str, driver: Driver, seed: int | None) -> None:
        self.folder = Path(folder)
        self.driver = driver
        self._name = _make_name(driver.name)
        self._state = self.folder / f"{self._name}.json"
        self.report = FuzzReport()
        self.coverage: Coverage | None = None
        self.seed = seed or 0
        (self.folder / "failures").mkdir(parents=True, exist_ok=True)
        if self._state.exists():
            self._read(seed)

    def _read(self, seed: int | None) -> None:
        try:
            state = json.loads(self._state.read_bytes())
            before = int(state["seed"])
            counts = {name: int(state["counts"][name]) for name in _COUNTS}
            findings = [_read_finding(entry) for entry in state["findings"]]
            counted = state.get("coverage")  # null where no chunk collected any
            self.coverage = None if counted is None else parse_coverage(json.dumps(counted))
        except (ValueError, KeyError, TypeError) as error:
            raise CorpusError(
                f"{self._state}: no state of a fuzzing run: {_describe(error)}"
            ) from error
        if seed not in (None, before):
            raise CorpusError(f"{self._state}: it was begun with seed {before}")
        self.seed = before
        for name, value in counts.items():
            setattr(self.report, name, value)
        self.report.findings = {finding.signature: finding for finding in findings}

    def write(self, report: FuzzReport) -> None:
        """Keeps how far it came, in one piece."""
        coverage = self.add_coverage(report)
        state = {
            "version": VERSION,
            "driver": self.driver.origin or self.driver.name,
            "seed": self.seed,
            "counts": {name: getattr(report, name) for name in _COUNTS},
            "findings": [_write_finding(finding) for finding in report.findings.values()],
            "coverage": None if coverage is None else json.loads(format_coverage(coverage)),
        }
        temporary = self._state.with_suffix(".tmp")
        temporary.write_text(json.dumps(state, indent=1) + "\n", encoding="utf-8")
        temporary.replace(self._state)

    def add_coverage(self, report: FuzzReport) -> Coverage | None:
        """What the chunks of [report] and those before them have covered; None where none collected it."""
        parts = [part for part in (self.coverage, report.coverage) if part is not None]
        return merge_all(parts) if parts else None

    def write_failure(self, finding: Finding, made: Reproducer | None = None) -> Path:
        """Writes the case of a failure; returns its file."""
        path = self.folder / "failures" / self._name_file(finding)
        document = make_case_document(self.driver, finding.case, self.seed, finding.result, made)
        path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
        return path

    def write_scenario(self, finding: Finding, made: Reproducer) -> Path | None:
        """Writes the scenario of a failure; returns its file, None where there is none."""
        path = self.folder / "scenarios" / self._name_file(finding)
        if made.source is None:
            path.unlink(missing_ok=True)  # of an earlier case
            return None
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(made.source) + "\n", encoding="utf-8")
        return path

    def write_journal(self, finding: Finding, data: bytes) -> Path:
        """Writes the journal of a crash; returns its file."""
        path = (self.folder / "journals" / self._name_file(finding)).with_suffix(".wdj")
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        return path

    def _name_file(self, finding: Finding) -> str:
        return f"{self._name}--{finding.signature.slug}.json"


def _make_name(name: str) -> str:
    return "".join(char if char.isalnum() else "-" for char in name)


def _write_finding(finding: Finding) -> dict[str, Any]:
    return {
        "signature": list(finding.signature),
        "found": finding.found.hex(),
        "bytes": finding.case.hex(),
        "hits": finding.hits,
        "run": finding.run,
        "result": [getattr(finding.result, name) for name in CaseResult.__slots__],
    }


def _read_finding(entry: dict[str, Any]) -> Finding:
    signature = Signature(*entry["signature"])
    values = dict(zip(CaseResult.__slots__, entry["result"], strict=True))
    values["signature"] = signature
    return Finding(
        signature,
        bytes.fromhex(entry["found"]),
        bytes.fromhex(entry["bytes"]),
        CaseResult(**values),
        int(entry["hits"]),
        int(entry["run"]),
    )
