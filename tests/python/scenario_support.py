"""Steps of scenarios that several tests begin with."""

from typing import Any


def make_initialize(length: int) -> dict[str, Any]:
    """Transaction 0 reads [length] bytes into the beginning of buffer 0."""
    place = {"buffer": 0, "offset": 0, "length": length, "direction": "read"}
    return {"op": "initialize", "transaction": 0, **place}
