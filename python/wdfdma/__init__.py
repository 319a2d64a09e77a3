"""Windows' kernel DMA stack (KMDF) in user mode: machines, enablers, transactions, map registers.

>>> from wdfdma import Machine
>>> with Machine(map_registers=8) as machine:
...     transaction = machine.device().enabler(maximum_length=65536).transaction()
...     _ = transaction.initialize(machine.mdl(8192), program_dma=lambda *transfer: None)
...     _ = transaction.execute()
...     print(transaction)
<DmaTransaction transfer 0/8192 bytes, registers 0..1>
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    __version__: str

    from wdfdma._callbacks import Element
    from wdfdma._native import get_cmake_dir, get_include
    from wdfdma.circumstances import Frame, Moment, ObjectState
    from wdfdma.collecting import collect_coverage
    from wdfdma.common_buffer import CommonBuffer
    from wdfdma.coverage import Coverage, list_cells, list_goals
    from wdfdma.coverage_files import CoverageError
    from wdfdma.coverage_map import CoverageMap
    from wdfdma.device import Device
    from wdfdma.enabler import DmaEnabler, EnablerInfo
    from wdfdma.enums import (
        BugCheckCode,
        CompletionStatus,
        Direction,
        DmaWidth,
        Event,
        Irql,
        ObjectType,
        Op,
        PowerState,
        Profile,
        RecordKind,
        RequestType,
        Rule,
        RuleMode,
        Severity,
        TransactionState,
        Waiting,
        WdfViolation,
    )
    from wdfdma.errors import BugCheck, CheckError, ClosedError
    from wdfdma.fault_records import DeviceBehaviour, Routine
    from wdfdma.fault_sites import FaultSites, SiteFault, SiteLog, SiteLogError
    from wdfdma.journal import Journal, read_journal
    from wdfdma.machine import Machine
    from wdfdma.mdl import Mdl
    from wdfdma.pool import Pool, Run
    from wdfdma.problems import ScenarioError
    from wdfdma.request import Request, RequestInfo
    from wdfdma.rules import RuleInfo, Violation, get_rule_info, list_rules
    from wdfdma.run import Difference, first_difference, run_scenario
    from wdfdma.scenario import Scenario
    from wdfdma.snapshot import Snapshot
    from wdfdma.state import MachineState
    from wdfdma.status import Status, StatusError
    from wdfdma.statuses import StatusInfo, get_status_info, list_statuses
    from wdfdma.transaction import DmaCompletion, DmaTransaction
    from wdfdma.transaction_calls import TransactionInfo, TransferInfo
    from wdfdma.waits import Verdict, Wait

# A name's module is imported when somebody asks for it: pytest imports this package in every run (pytest_plugin).
_MODULES = {
    "BugCheck": "wdfdma.errors",
    "BugCheckCode": "wdfdma.enums",
    "CheckError": "wdfdma.errors",
    "ClosedError": "wdfdma.errors",
    "CommonBuffer": "wdfdma.common_buffer",
    "CompletionStatus": "wdfdma.enums",
    "Coverage": "wdfdma.coverage",
    "CoverageError": "wdfdma.coverage_files",
    "CoverageMap": "wdfdma.coverage_map",
    "Device": "wdfdma.device",
    "DeviceBehaviour": "wdfdma.fault_records",
    "Difference": "wdfdma.run",
    "Direction": "wdfdma.enums",
    "DmaCompletion": "wdfdma.transaction",
    "DmaEnabler": "wdfdma.enabler",
    "DmaTransaction": "wdfdma.transaction",
    "DmaWidth": "wdfdma.enums",
    "Element": "wdfdma._callbacks",
    "EnablerInfo": "wdfdma.enabler",
    "Event": "wdfdma.enums",
    "FaultSites": "wdfdma.fault_sites",
    "Frame": "wdfdma.circumstances",
    "Irql": "wdfdma.enums",
    "Journal": "wdfdma.journal",
    "Machine": "wdfdma.machine",
    "MachineState": "wdfdma.state",
    "Mdl": "wdfdma.mdl",
    "Moment": "wdfdma.circumstances",
    "ObjectState": "wdfdma.circumstances",
    "ObjectType": "wdfdma.enums",
    "Op": "wdfdma.enums",
    "Pool": "wdfdma.pool",
    "PowerState": "wdfdma.enums",
    "Profile": "wdfdma.enums",
    "RecordKind": "wdfdma.enums",
    "Request": "wdfdma.request",
    "RequestInfo": "wdfdma.request",
    "RequestType": "wdfdma.enums",
    "Routine": "wdfdma.fault_records",
    "Rule": "wdfdma.enums",
    "RuleInfo": "wdfdma.rules",
    "RuleMode": "wdfdma.enums",
    "Run": "wdfdma.pool",
    "Scenario": "wdfdma.scenario",
    "ScenarioError": "wdfdma.problems",
    "Severity": "wdfdma.enums",
    "SiteFault": "wdfdma.fault_sites",
    "SiteLog": "wdfdma.fault_sites",
    "SiteLogError": "wdfdma.fault_sites",
    "Snapshot": "wdfdma.snapshot",
    "Status": "wdfdma.status",
    "StatusError": "wdfdma.status",
    "StatusInfo": "wdfdma.statuses",
    "TransactionInfo": "wdfdma.transaction_calls",
    "TransactionState": "wdfdma.enums",
    "TransferInfo": "wdfdma.transaction_calls",
    "Verdict": "wdfdma.waits",
    "Violation": "wdfdma.rules",
    "Wait": "wdfdma.waits",
    "Waiting": "wdfdma.enums",
    "WdfViolation": "wdfdma.enums",
    "__version__": "wdfdma._native",
    "collect_coverage": "wdfdma.collecting",
    "first_difference": "wdfdma.run",
    "get_cmake_dir": "wdfdma._native",
    "get_include": "wdfdma._native",
    "get_rule_info": "wdfdma.rules",
    "get_status_info": "wdfdma.statuses",
    "list_cells": "wdfdma.coverage",
    "list_goals": "wdfdma.coverage",
    "list_rules": "wdfdma.rules",
    "list_statuses": "wdfdma.statuses",
    "read_journal": "wdfdma.journal",
    "run_scenario": "wdfdma.run",
}

__all__ = [
    "BugCheck",
    "BugCheckCode",
    "CheckError",
    "ClosedError",
    "CommonBuffer",
    "CompletionStatus",
    "Coverage",
    "CoverageError",
    "CoverageMap",
    "Device",
    "DeviceBehaviour",
    "Difference",
    "Direction",
    "DmaCompletion",
    "DmaEnabler",
    "DmaTransaction",
    "DmaWidth",
    "Element",
    "EnablerInfo",
    "Event",
    "FaultSites",
    "Frame",
    "Irql",
    "Journal",
    "Machine",
    "MachineState",
    "Mdl",
    "Moment",
    "ObjectState",
    "ObjectType",
    "Op",
    "Pool",
    "PowerState",
    "Profile",
    "RecordKind",
    "Request",
    "RequestInfo",
    "RequestType",
    "Routine",
    "Rule",
    "RuleInfo",
    "RuleMode",
    "Run",
    "Scenario",
    "ScenarioError",
    "Severity",
    "SiteFault",
    "SiteLog",
    "SiteLogError",
    "Snapshot",
    "Status",
    "StatusError",
    "StatusInfo",
    "TransactionInfo",
    "TransactionState",
    "TransferInfo",
    "Verdict",
    "Violation",
    "Wait",
    "Waiting",
    "WdfViolation",
    "__version__",
    "collect_coverage",
    "first_difference",
    "get_cmake_dir",
    "get_include",
    "get_rule_info",
    "get_status_info",
    "list_cells",
    "list_goals",
    "list_rules",
    "list_statuses",
    "read_journal",
    "run_scenario",
]


def __getattr__(name: str) -> Any:
    module = _MODULES.get(name)
    if module is None:
        raise AttributeError(f"module 'wdfdma' has no attribute {name!r}")
    import importlib

    found = getattr(importlib.import_module(module), "VERSION" if name == "__version__" else name)
    globals()[name] = found  # the next one finds it at once
    return found


def __dir__() -> list[str]:
    return __all__
