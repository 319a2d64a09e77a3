"""What the tests of injected faults share."""

from __future__ import annotations

from typing import Any

Data = dict[str, Any]
Answer = tuple[int, str, str]

GOOD, MORE = "STATUS_SUCCESS", "STATUS_MORE_PROCESSING_REQUIRED"
NO_RESOURCES = "STATUS_INSUFFICIENT_RESOURCES"


def list_calls(log: list[Data]) -> list[Any]:
    """The calls of a log by step: the op, and what it gave back."""
    step, calls = 0, []
    for record in log:
        if "op" in record and "event" not in record:
            calls.append((step, record["op"], record.get("status", record.get("returns"))))
        elif record.get("event") in ("bugcheck", "break"):
            calls.append((step, record["event"], record.get("op")))
        step += "snapshot" in record
    return calls
