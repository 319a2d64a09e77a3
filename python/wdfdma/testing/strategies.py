"""Strategies for what a driver meets: machines, enablers, buffers, faults.

Each draws a part of a scenario (docs/spec/scenario.md) as the JSON value that it is, with the keys that differ from
their defaults, and shrinks to what a person would have written: few registers, one enabler, whole pages in a row.
"""

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from wdfdma.enums import Profile
from wdfdma.fault_records import FAULT_STATUSES, ROUTINES

Settings = dict[str, Any]

PAGE = 4096
PROFILES = tuple(profile.label for profile in Profile if profile)
DIRECTIONS = ("read", "write")
_ADDRESS_BITS = (36, 20, 24, 32, 40)
_DEFAULT_ADDRESS_BITS = 36

# Bytes: a page, and what lies at the edges of one and of several.
LENGTHS = (4096, 8192, 12288, 1, 3, 512, 4095, 4097, 8191, 8193, 16384, 20000)
OFFSETS = (0, 512, 1, 4080, 4095)
_MAXIMUM_LENGTHS = (4096, 1, 512, 1000, 5000, 8192, 12288, 16384, 65536)
_FIRST_PAGE = 16

# Ops that a run of a scenario can meet after its set-up.
_FAILING_OPS = tuple(op for op in FAULT_STATUSES if not op.startswith(("enabler", "adapter")))
_FAILING_OPS = tuple(op for op in _FAILING_OPS if not op.endswith("_call"))


def rarely(one_in: int) -> st.SearchStrategy[bool]:
    """True once in [one_in] draws or so; shrinks to False."""
    return st.integers(0, one_in - 1).map(lambda number: number == one_in - 1)


@st.composite
def machines(draw: st.DrawFn, *, map_registers: int | None = None) -> Settings:
    """The machine of a scenario: a pool of few registers, of [map_registers] where that is given.

    >>> from hypothesis import find
    >>> find(machines(), lambda machine: True)
    {'map_registers': 4}
    """
    registers = map_registers or draw(st.sampled_from((4, 2, 3, 5, 6, 8, 16)))
    machine: Settings = {"map_registers": registers}
    fewer = draw(st.sampled_from((0, 0, 1, 2, 3)))
    if fewer and registers > 2:
        machine["registers_per_adapter"] = max(registers - fewer, 2)
    bits = draw(st.sampled_from(_ADDRESS_BITS))
    if bits != _DEFAULT_ADDRESS_BITS:
        machine["physical_address_bits"] = bits
    if draw(rarely(6)):
        machine["force_map_registers"] = True
    if draw(rarely(6)):
        machine["verifier"] = False
    return machine


@st.composite
def enablers(draw: st.DrawFn, *, profiles: Sequence[str] = PROFILES) -> Settings:
    """An enabler of a scenario that the framework accepts, with one of [profiles], as scenarios name them.

    >>> from hypothesis import find
    >>> find(enablers(), lambda enabler: enabler["profile"].startswith("scatter"))
    {'profile': 'scatter_gather', 'maximum_length': 4096, 'dma_version': 3}
    """
    profile = draw(st.sampled_from(profiles))
    is_system = profile.startswith("system")
    enabler: Settings = {
        "profile": profile,
        "maximum_length": draw(st.sampled_from(_MAXIMUM_LENGTHS)),
    }
    version = draw(st.sampled_from((3, 0) if is_system else (3, 3, 2, 0)))
    if version:
        enabler["dma_version"] = version
    width = draw(st.sampled_from((*[0] * 12, 32, 13, 24, 28, 36, 40, 64)))
    if width and not is_system and version != 2 and (width <= 32 or "64" in profile):
        enabler["address_width"] = width
    elements = draw(st.sampled_from((*[0] * 8, 1, 2, 3, 8)))
    if elements:
        enabler["maximum_elements"] = elements
    if draw(rarely(6)) and (version == 3 or is_system or "address_width" in enabler):
        enabler["single_transfer"] = True
    return enabler


@st.composite
def mdls(draw: st.DrawFn, *, address_bits: int = 36, first_page: int = _FIRST_PAGE) -> Settings:
    """One MDL: lengths and offsets at the edges of pages, pages with gaps between them, or out of a device's reach.

    Its pages lie below [address_bits]; shrinks to whole pages in a row, from [first_page] on.

    >>> from hypothesis import find
    >>> find(mdls(), lambda mdl: len(mdl["pfns"]) == 2)
    {'length': 8192, 'pfns': [16, 17]}
    """
    offset = draw(st.sampled_from(OFFSETS) | st.integers(0, PAGE - 1))
    length = draw(st.sampled_from(LENGTHS) | st.integers(1, 20000))
    frames = 1 << (address_bits - 12)
    count = (offset + length + PAGE - 1) // PAGE
    usual = first_page % frames
    pfns = [draw(_places(usual, frames)) if draw(rarely(3)) else usual]
    while len(pfns) < count:
        following = (pfns[-1] + 1) % frames
        pfns.append(draw(_places(following, frames)) if draw(rarely(5)) else following)
    mdl: Settings = {"offset": offset} if offset else {}
    return {**mdl, "length": length, "pfns": pfns}


def _places(usual: int, frames: int) -> st.SearchStrategy[int]:
    """Page frame numbers: the [usual] one, one near it, one at a border of what some device reaches, the last ones."""
    borders = [1 << bits for bits in (8, 12, 16, 20, 24) if 1 << bits < frames]
    near = st.sampled_from((2, 3, 1, 8)).map(lambda gap: (usual + gap) % frames)
    far = st.tuples(st.sampled_from([frames - 1, *borders]), st.integers(0, 2)).map(
        lambda place: place[0] - place[1]
    )
    return near | far


@st.composite
def buffers(
    draw: st.DrawFn, *, address_bits: int = 36, first_page: int = _FIRST_PAGE, most: int = 3
) -> list[Settings]:
    """A buffer of a scenario: a chain of 1 to [most] MDLs."""
    chain: list[Settings] = []
    while not chain or (len(chain) < most and draw(rarely(3))):
        page = first_page + 8 * len(chain)
        chain.append(draw(mdls(address_bits=address_bits, first_page=page)))
    return chain


@st.composite
def worlds(
    draw: st.DrawFn,
    *,
    machine: st.SearchStrategy[Settings] | None = None,
    enabler: st.SearchStrategy[Settings] | None = None,
    most_enablers: int = 3,
    most_buffers: int = 2,
) -> Settings:
    """The machine, the enablers and the buffers of a scenario; [machine] and [enabler] draw what is not to be usual.

    >>> from hypothesis import find
    >>> world = find(worlds(), lambda world: True)
    >>> world["enablers"], world["buffers"]
    ([{'profile': 'packet', 'maximum_length': 4096, 'dma_version': 3}], [[{'length': 4096, 'pfns': [16]}]])
    """
    settings = draw(machine or machines())
    bits = settings.get("physical_address_bits", _DEFAULT_ADDRESS_BITS)
    found = draw(st.lists(enabler or enablers(), min_size=1, max_size=most_enablers))
    chains: list[list[Settings]] = []
    while not chains or (len(chains) < most_buffers and draw(rarely(2))):
        first_page = _FIRST_PAGE * (2 * len(chains) + 1)
        chains.append(draw(buffers(address_bits=bits, first_page=first_page)))
    return {"machine": settings, "enablers": found, "buffers": chains}


# The moves that a fault of the device can spoil without the driver being to blame: they come late to nobody.
_BEHAVIOURS = ("silent", "short")
_MOVES = ("device_write", "device_read", "complete_transfer")


@st.composite
def faults(draw: st.DrawFn, *, most: int = 4) -> Settings:
    """One fault of a scenario, which a correct driver survives; it hits the 1st to the [most]-th that it is about.

    >>> from hypothesis import find
    >>> find(faults(), lambda fault: fault.get("op") == "execute")
    {'op': 'execute', 'nth': 1, 'status': 'STATUS_INSUFFICIENT_RESOURCES'}
    """
    form = draw(st.sampled_from(("op", "register_grant", "partial_map", "device", "routine")))
    nth = draw(st.integers(1, most))
    if form == "op":
        op = draw(st.sampled_from(_FAILING_OPS))
        status = draw(st.sampled_from([status.name for status in FAULT_STATUSES[op]]))
        return {"op": op, "nth": nth, "status": status}
    if form == "routine":
        info = draw(st.sampled_from([info for info in ROUTINES.values() if info.op.label in _LOW]))
        return {"routine": info.name, "nth": nth, "status": info.statuses[0].name}
    if form == "device":
        behaviour = draw(st.sampled_from(_BEHAVIOURS))
        return {
            "device": behaviour,
            "move": draw(st.sampled_from(_MOVES)),
            "nth": nth,
        }
    return {form: nth}


_LOW = ("adapter_call", "common_buffer_create")


def fault_plans(*, most: int = 2) -> st.SearchStrategy[list[Settings]]:
    """The faults of a scenario, at most [most]."""
    return st.lists(faults(), max_size=most)
