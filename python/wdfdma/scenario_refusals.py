"""Why the framework refuses an enabler of a scenario, as far as its settings tell."""

import re
from typing import TYPE_CHECKING

from wdfdma.status import Status

if TYPE_CHECKING:
    from wdfdma.scenario import Enabler, Scenario

_PLACE = re.compile(r"enablers\[(\d+)\]")
_SYSTEM = ("system", "system_duplex")


def find_refused(scenario: "Scenario", place: str, status: Status) -> tuple[str, str]:
    """The key that makes the framework refuse the enabler at [place], and what is wrong with its value.

    Both are empty where no setting says so: a fault, memory, an adapter that is not to be had.
    """
    matched = _PLACE.match(place)
    if matched is None or status != Status.STATUS_INVALID_PARAMETER:
        return "", ""
    return _find_key(scenario.enablers[int(matched[1])])


def _find_key(enabler: "Enabler") -> tuple[str, str]:
    """The checks of WdfDmaEnablerCreate, in their order."""
    if enabler.maximum_length == 0:
        return "maximum_length", "0 is below 1"
    width = enabler.address_width
    is_system = enabler.profile in _SYSTEM
    if width and is_system:
        return "address_width", f"{width} is not 0, which a system profile needs"
    most = 64 if "64" in enabler.profile else 32
    if width > most:
        return "address_width", f"{width} is above {most}"
    needs_3 = is_system or width or enabler.single_transfer
    if enabler.dma_version != 3 and needs_3 and (enabler.dma_version or enabler.single_transfer):
        why = "a system profile" if is_system else "address_width" if width else "single_transfer"
        return "dma_version", f"{enabler.dma_version} is not 3, which {why} needs"
    return "", ""
