"""Windows' kernel DMA stack (KMDF) in user mode: machines, enablers, transactions, map registers.

>>> with Machine(map_registers=8) as machine:
...     transaction = machine.device().enabler(maximum_length=65536).transaction()
...     _ = transaction.initialize(machine.mdl(8192), program_dma=lambda *transfer: None)
...     _ = transaction.execute()
...     print(transaction)
<DmaTransaction transfer 0/8192 bytes, registers 0..1>
"""

from typing import TYPE_CHECKING, Any

from wdfdma._callbacks import Element
from wdfdma._native import VERSION, get_cmake_dir, get_include
from wdfdma.circumstances import Frame, Moment, ObjectState
from wdfdma.common_buffer import CommonBuffer
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
from wdfdma.machine import Machine
from wdfdma.mdl import Mdl
from wdfdma.pool import Pool, Run
from wdfdma.problems import ScenarioError
from wdfdma.request import Request, RequestInfo
from wdfdma.rules import RuleInfo, Violation, get_rule_info, list_rules
from wdfdma.snapshot import Snapshot
from wdfdma.state import MachineState
from wdfdma.status import Status, StatusError
from wdfdma.transaction import DmaCompletion, DmaTransaction
from wdfdma.transaction_calls import TransactionInfo, TransferInfo

__version__ = VERSION

if TYPE_CHECKING:
    from wdfdma.fault_records import DeviceBehaviour, Routine
    from wdfdma.fault_sites import FaultSites, SiteFault, SiteLog, SiteLogError
    from wdfdma.run import Difference, first_difference, run_scenario
    from wdfdma.scenario import Scenario
    from wdfdma.statuses import StatusInfo, get_status_info, list_statuses
    from wdfdma.waits import Verdict, Wait

# These need pydantic, or time, which most who import this package do not.
_LATER_NAMES = {
    "DeviceBehaviour": "wdfdma.fault_records",
    "Difference": "wdfdma.run",
    "Routine": "wdfdma.fault_records",
    "FaultSites": "wdfdma.fault_sites",
    "Scenario": "wdfdma.scenario",
    "SiteFault": "wdfdma.fault_sites",
    "SiteLog": "wdfdma.fault_sites",
    "SiteLogError": "wdfdma.fault_sites",
    "StatusInfo": "wdfdma.statuses",
    "Verdict": "wdfdma.waits",
    "Wait": "wdfdma.waits",
    "first_difference": "wdfdma.run",
    "get_status_info": "wdfdma.statuses",
    "list_statuses": "wdfdma.statuses",
    "run_scenario": "wdfdma.run",
}

__all__ = [
    "BugCheck",
    "BugCheckCode",
    "CheckError",
    "ClosedError",
    "CommonBuffer",
    "CompletionStatus",
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
    "first_difference",
    "get_cmake_dir",
    "get_include",
    "get_rule_info",
    "get_status_info",
    "list_rules",
    "list_statuses",
    "run_scenario",
]


def __getattr__(name: str) -> Any:
    module = _LATER_NAMES.get(name)
    if module is None:
        raise AttributeError(f"module 'wdfdma' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(module), name)


def __dir__() -> list[str]:
    return __all__
