"""What the tests of dumps and of waits share: the recordings, by name."""

from pathlib import Path

from wdfdma import Scenario

CANONICAL = Path(__file__).parents[1] / "conformance" / "canonical.jsonl"
FIFO = "queue: strict FIFO, a small request waits behind a big one"


def load_canonical() -> dict[str, Scenario]:
    return {scenario.name: scenario for scenario in Scenario.load_all(CANONICAL)}
