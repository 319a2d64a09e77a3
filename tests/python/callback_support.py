"""What the tests of callbacks share: callbacks that fail or do nothing, and what follows."""

from collections.abc import Callable
from typing import Any

import pytest

from wdfdma import (
    BugCheck,
    BugCheckCode,
    DmaTransaction,
    Machine,
    Status,
)

Make = Callable[..., DmaTransaction]


class Oops(Exception):
    pass


def fail(*_arguments: Any) -> None:
    raise Oops


def ignore(*_arguments: Any) -> None:
    pass


def start(
    transaction: DmaTransaction, machine: Machine, program_dma: Any, length: int = 512
) -> Status:
    transaction.initialize(machine.mdl(length), program_dma=program_dma).check()
    return transaction.execute()


def assert_halted_by_python(machine: Machine) -> None:
    bugcheck = machine.bugcheck
    assert bugcheck is not None
    assert bugcheck.code == BugCheckCode.MANUALLY_INITIATED_CRASH
    with pytest.raises(BugCheck, match=r"^MANUALLY_INITIATED_CRASH"):
        machine.device()
