"""What a log says of some of its scenario's steps."""

from typing import Any

from wdfdma.records import Record


def cut_log(log: list[Record], steps: list[Any], kept: list[int]) -> list[Record]:
    """The records of the outermost steps [kept] alone, by their places.

    Their snapshots are without the transactions that none of them makes. The last step that the log comes to may have
    no snapshot.

    >>> log = [{"op": "cancel"}, {"snapshot": {}}, {"op": "release"}]
    >>> cut_log(log, [{"op": "cancel"}, {"op": "release"}], [1])
    [{'op': 'release'}]
    """
    parts: list[list[Record]] = [[]]
    for record in log:
        parts[-1].append(record)
        if "snapshot" in record:
            parts.append([])
    made = {str(number) for at in kept for number in _list_made(steps[at])}
    return [_leave_out(record, made) for at in kept if at < len(parts) for record in parts[at]]


def _list_made(step: Any) -> list[int]:
    """The transactions that a step, or a reaction in it, makes."""
    own = [step["transaction"]] if step["op"] == "create" else []
    return own + [number for inner in step.get("do", ()) for number in _list_made(inner)]


def _leave_out(record: Record, made: set[str]) -> Record:
    if not record.get("snapshot"):
        return record
    snapshot = record["snapshot"]
    states = {key: state for key, state in snapshot["transactions"].items() if key in made}
    return {"snapshot": snapshot | {"transactions": states}}
