"""A reference model of the simulated DMA stack: pool, HAL and transactions, slow and obvious.

Tests run the same scenario here and in the library and compare the logs record by record.
`run_scenario` takes a whole scenario; `Model` takes one step at a time and lets its pool, its
waiters and its invariants be looked at in between. `Undefined` ends what has no defined outcome.
"""

from .pool import Pool, Record, Undefined
from .runner import Model, run_scenario
from .transaction import Transaction

__all__ = ["Model", "Pool", "Record", "Transaction", "Undefined", "run_scenario"]
