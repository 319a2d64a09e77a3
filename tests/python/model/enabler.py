"""Enablers: the profile, the version of the adapter, and the adapters themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .hal import PAGE
from .pool import Adapter

PROFILES = (
    "packet",
    "packet64",
    "scatter_gather",
    "scatter_gather64",
    "scatter_gather_duplex",
    "scatter_gather64_duplex",
    "system",
    "system_duplex",
)
UNLIMITED = 0xFFFFFFFF


@dataclass(frozen=True)
class Machine:
    """The settings of a machine, with their defaults."""

    map_registers: int = 64
    registers_per_adapter: int | None = None
    physical_address_bits: int = 36
    force_map_registers: bool = False
    verifier: bool = True


@dataclass(eq=False)
class Enabler:
    """An enabler as it was made; both directions may share one adapter."""

    kind: str
    version: int
    maximum_length: int
    maximum_elements: int
    single_transfer: bool
    adapters: dict[str, Adapter]

    def fragment_length(self, direction: str) -> int:
        registers = self.adapters[direction].map_registers
        return min(self.maximum_length, (registers - 1) * PAGE)


def make_enabler(machine: Machine, settings: Mapping[str, Any]) -> Enabler:
    """The enabler that [settings] describe; ValueError where the framework refuses it."""
    profile: str = settings["profile"]
    if profile not in PROFILES:
        raise ValueError(f"unknown profile {profile}")
    kind = profile.removesuffix("_duplex").removesuffix("64")
    override: int = settings.get("address_width", 0)
    width64 = "64" in profile
    needed = 3 if kind == "system" or override else 2
    asked: int = settings.get("dma_version", 0)
    if override and (kind == "system" or (override > 32 and not width64)):
        raise ValueError("this profile takes no such address width")
    if asked and asked < needed:
        raise ValueError("the profile or its address width needs a higher version")
    version = asked or needed
    single: bool = settings.get("single_transfer", False)
    if single and version != 3:
        raise ValueError("single transfer needs version 3")
    maximum_length: int = settings["maximum_length"]
    width = override if version == 3 and override else 64 if width64 else 32
    limit = settings.get("maximum_elements") or UNLIMITED

    def adapter() -> Adapter:
        return make_adapter(machine, kind, width, maximum_length)

    if profile.endswith("_duplex"):
        adapters = {"read": adapter(), "write": adapter()}
    else:
        adapters = dict.fromkeys(("read", "write"), adapter())
    return Enabler(kind, version, maximum_length, limit, single, adapters)


def make_adapter(machine: Machine, kind: str, width: int, maximum_length: int) -> Adapter:
    """What the HAL grants to a device of this description; ValueError for nothing."""
    total = machine.map_registers
    most = machine.registers_per_adapter
    registers = min(-(-maximum_length // PAGE) + 1, total if most is None else most, total)
    if maximum_length == 0 or registers < 2:
        raise ValueError("no adapter with fewer than two map registers")
    scatter_gather = kind == "scatter_gather"
    if kind == "system":
        width = 64
    force = machine.force_map_registers
    needs = force or not scatter_gather or width < machine.physical_address_bits
    return Adapter(width, scatter_gather, kind == "system", registers, needs, force)
