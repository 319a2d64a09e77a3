"""How to fuzz, with what is wrong in it said before anything runs."""

from collections.abc import Sequence
from dataclasses import dataclass

from wdfdma.arguments import SIZE, require_number
from wdfdma.testing.chunks import FuzzReport, count_left_out

_SAMPLED = 10  # chunks, of which one collects coverage


@dataclass(slots=True)
class FuzzOptions:
    """How to fuzz: from [seed], until [runs] runs, [seconds] or [findings] signatures, whichever comes first.

    [moves]: the kinds of moves that cases have (`wdfdma.testing.cases.MOVES`); None: all. [before]: the report of an
    earlier run from this seed, which is gone on with. [isolate]: each case runs in another process, and takes at most
    so many seconds; what crashes there is a failure like others. [coverage]: every chunk collects coverage, which
    costs about a quarter more time; otherwise one in ten does.
    """

    seed: int = 0
    runs: int | None = None
    seconds: float | None = None
    findings: int | None = None
    moves: Sequence[str] | None = None
    before: FuzzReport | None = None
    isolate: float | None = None
    coverage: bool = False

    def __post_init__(self) -> None:
        """Errors: TypeError, ValueError for what cannot be meant, before anything runs."""
        require_number("seed", self.seed, 0, SIZE)
        for name, low in (("runs", 0), ("findings", 1)):
            value = getattr(self, name)
            if value is not None:
                require_number(name, value, low, SIZE)
        _require_seconds("seconds", self.seconds, or_zero=True)
        _require_seconds("isolate", self.isolate, or_zero=False)
        count_left_out(self.moves)

    def collects(self, chunk: int) -> bool:
        """Whether the chunk with this number collects coverage."""
        return self.coverage or chunk % _SAMPLED == 0


def _require_seconds(name: str, value: object, *, or_zero: bool) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name}: {value!r} is not a number of seconds")
    if not (value >= 0 if or_zero else value > 0):
        raise ValueError(f"{name}: {value} is not {'0 or more' if or_zero else 'above 0'}")
