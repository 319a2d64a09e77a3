"""The log on the page of a violation: the last records before it."""

from typing import Any

from wdfdma._core import Core
from wdfdma._native import ffi, lib
from wdfdma.circumstances import count
from wdfdma.enums import RecordKind
from wdfdma.explain import WIDTH, wrap

_RECORDS = 20
# Records that belong to the one before them.
_PARTS = (int(RecordKind.ELEMENT), int(RecordKind.STATE))


def describe_last(core: Core) -> list[str]:
    """The last records that the log has."""
    return describe_log(core, _get_view(core).written)


def describe_log(core: Core, position: int) -> list[str]:
    """The last of the first [position] records that the log was given, or why they are not there."""
    from wdfdma.log import make_log_array
    from wdfdma.records import format_record, render_log

    if not position and not lib.wdfdma_machine_get_config(core.get_machine()).log_records:
        return ['The log is off: Machine(log="grow"), or log=1000 for a ring, keeps one']
    view, array = _get_view(core), make_log_array(core)
    lost = view.written - len(array)
    begin = _find_begin(array, position - lost)
    records = render_log(array[begin : max(position - lost, 0)].tobytes())
    lines = [f"The last {count(len(records), 'record')} of the log"] if records else ["The log"]
    if lost and len(records) < _RECORDS:
        gone = "what was before" if records else "all that was before it"
        lines += wrap(f"the ring has overwritten {gone}; a longer one keeps more", "lost")
    elif not records:
        lines += wrap("nothing before it", "records")
    return [*lines, *(_shorten(f"  {format_record(record)}") for record in records)]


def _get_view(core: Core) -> Any:
    view = ffi.new("wdfdma_log_view *")
    lib.wdfdma_log_get_view(core.get_machine(), view)
    return view


def _find_begin(array: Any, end: int) -> int:
    """Where the last records before [end] begin, as a reader counts them."""
    begin, found = max(end, 0), 0
    while begin > 0 and found < _RECORDS:
        begin -= 1
        found += int(array["kind"][begin]) not in _PARTS
    return begin


def _shorten(line: str) -> str:
    """A line of a page; a long list is cut."""
    return line if len(line) <= WIDTH else f"{line[: WIDTH - 4]} ..."
