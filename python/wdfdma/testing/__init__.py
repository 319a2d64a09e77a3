"""Property-based testing of what uses the framework's DMA: strategies, a state machine, drivers.

What is named here needs the extra: `pip install "wdfdma[fuzz]"`.
`wdfdma.testing.drivers` and `wdfdma.testing.fuzzing` do not.

>>> from wdfdma.testing import DmaStateMachine
>>> class FewRules(DmaStateMachine, rules=("reserve", "cancel")):
...     '''Reservations alone.'''
>>> sorted(rule.function.__name__ for rule in FewRules().rules)
['allocate_resources', 'cancel', 'create', 'free_resources']
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wdfdma.testing.actor import Actor
    from wdfdma.testing.bundles import transaction_rule
    from wdfdma.testing.player import Player
    from wdfdma.testing.state_machine import DmaStateMachine
    from wdfdma.testing.step_strategies import reactions, scenarios
    from wdfdma.testing.strategies import (
        buffers,
        enablers,
        fault_plans,
        faults,
        machines,
        mdls,
        worlds,
    )

_HOMES = {
    "Actor": "actor",
    "DmaStateMachine": "state_machine",
    "Player": "player",
    "buffers": "strategies",
    "enablers": "strategies",
    "fault_plans": "strategies",
    "faults": "strategies",
    "machines": "strategies",
    "mdls": "strategies",
    "reactions": "step_strategies",
    "scenarios": "step_strategies",
    "transaction_rule": "bundles",
    "worlds": "strategies",
}

__all__ = [
    "Actor",
    "DmaStateMachine",
    "Player",
    "buffers",
    "enablers",
    "fault_plans",
    "faults",
    "machines",
    "mdls",
    "reactions",
    "scenarios",
    "transaction_rule",
    "worlds",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'wdfdma.testing' has no attribute {name!r}")
    try:
        return getattr(importlib.import_module(f"wdfdma.testing.{home}"), name)
    except ModuleNotFoundError as error:
        if error.name != "hypothesis":
            raise
        raise ModuleNotFoundError(
            'wdfdma.testing needs Hypothesis: pip install "wdfdma[fuzz]"', name="hypothesis"
        ) from None


def __dir__() -> list[str]:
    return __all__
