"""Strategies for machines, enablers and buffers: small pools, odd offsets, pages out of reach."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from model.enabler import PROFILES, Machine, make_enabler
from model.hal import PAGE, pages

Settings = dict[str, Any]

LENGTHS = [4096, 1, 512, 1000, 5000, 8192, 12288, 16384, 20000, 65536]
DIRECTIONS = st.sampled_from(["read", "write"])


@st.composite
def machines(draw: st.DrawFn) -> Settings:
    registers = draw(st.sampled_from([4, 2, 3, 5, 6, 8, 16]))
    return {
        "map_registers": registers,
        "registers_per_adapter": draw(st.just(registers) | st.integers(2, registers)),
        "physical_address_bits": draw(st.sampled_from([36, 20, 24, 32, 40])),
        "force_map_registers": draw(st.sampled_from([False] * 5 + [True])),
        "verifier": draw(st.sampled_from([True] * 5 + [False])),
    }


@st.composite
def any_enablers(draw: st.DrawFn) -> Settings:
    profile = draw(st.sampled_from(PROFILES))
    system = profile.startswith("system")
    enabler: Settings = {"profile": profile, "maximum_length": draw(st.sampled_from(LENGTHS))}
    enabler["dma_version"] = draw(st.sampled_from([3, 3, 0] if system else [3, 3, 2, 0]))
    if not system and enabler["dma_version"] != 2 and draw(st.sampled_from([False] * 4 + [True])):
        widths = [32, 13, 24, 28] + ([36, 40, 64] if "64" in profile else [])
        enabler["address_width"] = draw(st.sampled_from(widths))
    if draw(st.sampled_from([False] * 2 + [True])):
        enabler["maximum_elements"] = draw(st.integers(0, 8))
    version3 = enabler["dma_version"] == 3 or system or "address_width" in enabler
    if version3 and draw(st.sampled_from([False] * 5 + [True])):
        enabler["single_transfer"] = True
    return enabler


def is_accepted(machine: Settings, enabler: Settings) -> bool:
    try:
        make_enabler(Machine(**machine), enabler)
    except ValueError:
        return False
    return True


@st.composite
def mdls(draw: st.DrawFn, frames: int) -> Settings:
    """An MDL over runs of pages, low ones, some at a border of what a device reaches."""
    offset = draw(st.sampled_from([0, 512, 1, 4095, 4080]) | st.integers(0, PAGE - 1))
    length = draw(st.sampled_from([8192, 1, 3, 512, 4096, 12288]) | st.integers(1, 20000))
    found: list[int] = []
    while len(found) < pages(offset, length):
        near = draw(st.sampled_from([40, 0, 4094, 1 << 12, 256, (1 << 20) - 2, frames - 4]))
        first = (near + draw(st.integers(0, 6))) % frames
        run = draw(st.integers(1, 4))
        found += [frame for frame in range(first, first + run) if frame < frames]
    return {"offset": offset, "length": length, "pfns": found[: pages(offset, length)]}


@st.composite
def worlds(draw: st.DrawFn) -> Settings:
    """A scenario without steps."""
    machine = draw(machines())
    fitting = any_enablers().filter(lambda enabler: is_accepted(machine, enabler))
    chains = st.lists(mdls(1 << machine["physical_address_bits"] - 12), min_size=1, max_size=3)
    return {
        "machine": machine,
        "enablers": draw(st.lists(fitting, min_size=1, max_size=3)),
        "buffers": draw(st.lists(chains, min_size=1, max_size=2)),
    }
