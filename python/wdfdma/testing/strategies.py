"""Strategies for what a driver meets: machines, enablers, buffers, faults.

Each draws a part of a scenario (docs/spec/scenario.md) as the JSON value that it is, with the keys that differ from
their defaults, and shrinks to what a person would have written: few registers, one enabler, whole pages in a row.
"""

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from wdfdma.enums import Profile
from wdfdma.fault_records import BEHAVIOURS, FAULT_STATUSES, MOVES, ROUTINES
from wdfdma.testing.strategy_arguments import (
    are_names,
    checked,
    is_flag,
    is_number,
    is_strategy,
    or_none,
)

Settings = dict[str, Any]

PAGE = 4096
PROFILES = tuple(profile.label for profile in Profile if profile)
DIRECTIONS = ("read", "write")
_ADDRESS_BITS = (36, 20, 24, 32, 40)
_DEFAULT_ADDRESS_BITS = 36

# Bytes: a page, and what lies at the edges of one and of several.
LENGTHS = (4096, 8192, 12288, 8193, 16384, 20000, 4097, 8191, 1, 3, 512, 4095)
OFFSETS = (0, 512, 1, 4080, 4095)
_MAXIMUM_LENGTHS = (4096, 1, 512, 1000, 5000, 8192, 12288, 16384, 65536)
_FIRST_PAGE = 16
_IS_BITS = is_number(13, 52)
_IS_PAGE = is_number(0, 2**40 - 1)

# Ops that a run of a scenario can meet after its set-up.
_FAILING_OPS = tuple(op for op in FAULT_STATUSES if not op.startswith(("enabler", "adapter")))
_FAILING_OPS = tuple(op for op in _FAILING_OPS if not op.endswith("_call"))


def rarely(one_in: int) -> st.SearchStrategy[bool]:
    """True once in [one_in] draws or so; shrinks to False."""
    return st.integers(0, one_in - 1).map(lambda number: number == one_in - 1)


# Strategies that are made once: to make one costs Hypothesis more than to draw from it.
_REGISTERS = st.sampled_from((4, 2, 3, 5, 6, 8, 16))
_FEWER = st.sampled_from((0, 0, 1, 2, 3))
_BITS = st.sampled_from(_ADDRESS_BITS)
_SWITCHES = st.sampled_from(
    (
        *[{}] * 9,
        {"force_map_registers": True},
        {"verifier": False},
        {"force_map_registers": True, "verifier": False},
    )
)


@checked(map_registers=or_none(is_number(0, 1 << 20)))
@st.composite
def machines(draw: st.DrawFn, *, map_registers: int | None = None) -> Settings:
    """The machine of a scenario: a pool of few registers, of [map_registers] where that is given.

    >>> from hypothesis import find
    >>> find(machines(), lambda machine: True)
    {'map_registers': 4}
    """
    registers = draw(_REGISTERS) if map_registers is None else map_registers
    machine: Settings = {"map_registers": registers}
    fewer = draw(_FEWER)
    if fewer and registers > 2:
        machine["registers_per_adapter"] = max(registers - fewer, 2)
    bits = draw(_BITS)
    if bits != _DEFAULT_ADDRESS_BITS:
        machine["physical_address_bits"] = bits
    return {**machine, **draw(_SWITCHES)}


_PROFILES = st.sampled_from(PROFILES)
_MOST_BYTES = st.sampled_from(_MAXIMUM_LENGTHS)
_SYSTEM_VERSIONS = st.sampled_from((3, 0))
_VERSIONS = st.sampled_from((3, 3, 2, 0))
_SELDOM = rarely(6)
_WIDTHS = st.sampled_from((*[0] * 12, 32, 13, 24, 28, 36, 40, 64))
_ELEMENTS = st.sampled_from((*[0] * 8, 1, 2, 3, 8))


@checked(profiles=are_names(PROFILES))
@st.composite
def enablers(draw: st.DrawFn, *, profiles: Sequence[str] = PROFILES) -> Settings:
    """An enabler of a scenario that the framework accepts, with one of [profiles], as scenarios name them.

    >>> from hypothesis import find
    >>> find(enablers(), lambda enabler: enabler["profile"].startswith("scatter"))
    {'profile': 'scatter_gather', 'maximum_length': 4096, 'dma_version': 3}
    """
    profile = draw(_PROFILES if profiles is PROFILES else st.sampled_from(profiles))
    is_system = profile.startswith("system")
    enabler: Settings = {
        "profile": profile,
        "maximum_length": draw(_MOST_BYTES),
    }
    version = draw(_SYSTEM_VERSIONS if is_system else _VERSIONS)
    if version:
        enabler["dma_version"] = version
    width = draw(_WIDTHS)
    if width and not is_system and version != 2 and (width <= 32 or "64" in profile):
        enabler["address_width"] = width
    elements = draw(_ELEMENTS)
    if elements:
        enabler["maximum_elements"] = elements
    if draw(_SELDOM) and (version == 3 or is_system or "address_width" in enabler):
        enabler["single_transfer"] = True
    return enabler


@checked(address_bits=_IS_BITS, first_page=_IS_PAGE)
@st.composite
def mdls(draw: st.DrawFn, *, address_bits: int = 36, first_page: int = _FIRST_PAGE) -> Settings:
    """One MDL: lengths and offsets at the edges of pages, pages with gaps between them, or out of a device's reach.

    Its pages lie below [address_bits]; shrinks to whole pages in a row, from [first_page] on.

    >>> from hypothesis import find
    >>> find(mdls(), lambda mdl: len(mdl["pfns"]) == 2)
    {'length': 8192, 'pfns': [16, 17]}
    """
    offset = draw(_OFFSETS)
    if offset < 0:
        offset = draw(_ANY_OFFSET)
    length = draw(_LENGTHS)
    if length < 0:
        length = draw(_ANY_LENGTH)
    frames = 1 << (address_bits - 12)
    count = (offset + length + PAGE - 1) // PAGE
    pfns = [(first_page + page) % frames for page in range(count)]
    for _ in range(_MOST_MOVES):
        place = draw(_PLACES)
        if place is None:
            break
        _move_pages(pfns, place, draw(_FIRST_MOVED) % count, frames)
    mdl: Settings = {"offset": offset} if offset else {}
    return {**mdl, "length": length, "pfns": pfns}


_OFFSETS = st.sampled_from((*OFFSETS, *OFFSETS, -1))
_ANY_OFFSET = st.integers(0, PAGE - 1)
# Any other length stands where the shrinker comes from it to the simple ones, step by step.
_LENGTHS = st.sampled_from((*LENGTHS[:3], -1, *LENGTHS[3:]))
_ANY_LENGTH = st.integers(1, 20000)
_MOST_MOVES = 3
_FIRST_MOVED = st.integers(0, 3)
# Where pages lie that do not follow: a gap of so many frames, or how far below a border of what some device reaches, in
# bits of the page frame number (0: the last frame).
_PLACES = st.sampled_from(
    (
        *[None] * 24,
        *[("gap", gap) for gap in (2, 3, 1, 8)],
        *[("border", (bits, below)) for bits in (0, 20, 16, 12, 8, 24) for below in (0, 1, 2)],
    )
)


def _move_pages(pfns: list[int], place: tuple[str, Any], first: int, frames: int) -> None:
    """Moves the pages from the [first] on to a [place] of _PLACES, in a row still."""
    kind, where = place
    if kind == "gap":
        start = pfns[first] + where
    else:
        bits, below = where
        start = (1 << bits if bits and 1 << bits < frames else frames - 1) - below
    pfns[first:] = [(start + page) % frames for page in range(len(pfns) - first)]


_SOMETIMES = rarely(3)


@checked(address_bits=_IS_BITS, first_page=_IS_PAGE, most=is_number(1))
@st.composite
def buffers(
    draw: st.DrawFn, *, address_bits: int = 36, first_page: int = _FIRST_PAGE, most: int = 3
) -> list[Settings]:
    """A buffer of a scenario: a chain of 1 to [most] MDLs."""
    chain: list[Settings] = []
    while not chain or (len(chain) < most and draw(_SOMETIMES)):
        page = first_page + 8 * len(chain)
        chain.append(draw(mdls(address_bits=address_bits, first_page=page)))
    return chain


@checked(
    machine=or_none(is_strategy),
    enabler=or_none(is_strategy),
    most_enablers=is_number(1),
    most_buffers=is_number(1),
)
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
_HARMLESS = ("silent", "short")
_MOVES = ("device_write", "device_read", "complete_transfer")
_LOW = ("adapter_call", "common_buffer_create")

_USUAL_MOST = 4
_NTH = st.integers(0, _USUAL_MOST - 1)
_FORMS = st.sampled_from(("op", "register_grant", "partial_map", "device", "routine"))
_ALL_FORMS = st.sampled_from(
    ("op", "register_grant", "partial_map", "device", "routine", "adapter", "allocation")
)
_FAILURES = st.sampled_from(
    [(op, status.name) for op in _FAILING_OPS for status in FAULT_STATUSES[op]]
)
_ROUTINES = st.sampled_from(
    [
        (info.name, info.statuses[0].name)
        for info in ROUTINES.values()
        if info.op.label in _LOW and info.statuses
    ]
)
_SPOILED = st.sampled_from([(how, move) for how in _HARMLESS for move in _MOVES])
_ANY_SPOILED = st.sampled_from([(how, move) for how in BEHAVIOURS for move in MOVES])
_CHANCES = st.builds(
    lambda per_mille, seed: {"per_mille": per_mille, "seed": seed},
    st.sampled_from((50, 500, 1000)),
    st.integers(0, 9),
)


@checked(most=is_number(1), harmless=is_flag)
@st.composite
def faults(draw: st.DrawFn, *, most: int = _USUAL_MOST, harmless: bool = True) -> Settings:
    """One fault of a scenario; it hits the 1st to the [most]-th that it is about.

    A correct driver survives a [harmless] one; the others may be any that a scenario can have, or left to chance.

    >>> from hypothesis import find
    >>> find(faults(), lambda fault: fault.get("op") == "execute")
    {'op': 'execute', 'nth': 1, 'status': 'STATUS_INSUFFICIENT_RESOURCES'}
    """
    form = draw(_FORMS if harmless else _ALL_FORMS)
    nth: Any = 1 + (draw(_NTH) if most == _USUAL_MOST else draw(st.integers(0, most - 1)))
    if not harmless and form != "allocation" and draw(_SELDOM):
        nth = draw(_CHANCES)
    if form == "op":
        op, status = draw(_FAILURES)
        return {"op": op, "nth": nth, "status": status}
    if form == "routine":
        routine, status = draw(_ROUTINES)
        return {"routine": routine, "nth": nth, "status": status}
    if form == "device":
        behaviour, move = draw(_SPOILED if harmless else _ANY_SPOILED)
        return {"device": behaviour, "move": move, "nth": nth}
    return {form: nth}


_ONE_OR_TWO = st.lists(faults(), max_size=2)


@checked(most=is_number(0), harmless=is_flag)
def fault_plans(*, most: int = 2, harmless: bool = True) -> st.SearchStrategy[list[Settings]]:
    """The faults of a scenario, at most [most] of them; memory fails once at most."""
    if harmless:
        return _ONE_OR_TWO if most == 2 else st.lists(faults(), max_size=most)
    plans = st.lists(faults(harmless=False), max_size=most)
    return plans.filter(lambda plan: sum("allocation" in fault for fault in plan) <= 1)
