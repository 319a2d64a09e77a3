"""What `DmaStateMachine` adds to Hypothesis: its steps in a second against those of the same rules that do nothing.

Prints names and values, as the C programs do. Both machines run in turn, for as many steps; processor time is
compared, so that a busy machine does not matter, and the median of the rounds' ratios is given.
"""

import statistics
from collections.abc import Callable
from time import process_time
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from wdfdma.testing import DmaStateMachine

ROUNDS = 7
SETTINGS = settings(
    max_examples=60,
    stateful_step_count=50,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def report(name: str, value: float) -> None:
    print(f"{name}\t{value:.6g}", flush=True)


def make_idle(machine: type[RuleBasedStateMachine]) -> type[RuleBasedStateMachine]:
    """The same bundles, rules, arguments, filters, preconditions and invariants; none of them does anything."""
    made = machine()
    members: dict[str, Any] = {}
    for found, decorator in ((made.rules, rule), (made._initialize_rules_to_run, initialize)):
        for item in found:
            arguments = {name: make_idle_argument(value) for name, value in item.arguments.items()}
            targets = [Bundle(name) for name in item.targets]
            function = decorator(targets=targets, **arguments)(make_body(item))
            for _ in item.preconditions:
                function = precondition(lambda self: True)(function)
            members[item.function.__name__] = function
    members["check"] = invariant()(lambda self: None)
    members["list_fitting"] = lambda self, bundle, fits: (0,)
    return type("Idle", (RuleBasedStateMachine,), members)


def make_idle_argument(strategy: Any) -> Any:
    """A bundle of the twin's own; what else is drawn is the same."""
    if not isinstance(strategy, Bundle):
        return strategy
    bundle: Any = Bundle(strategy.name)
    return consumes(bundle) if "consume=True" in repr(strategy) else bundle


def make_body(item: Any) -> Callable[..., Any]:
    """What an initialize rule puts into a bundle is one value for each in its list; another rule puts one."""
    name = item.function.__name__

    def body(self: Any, **arguments: Any) -> Any:
        if not item.targets:
            return None
        return multiple(0, 1) if name.startswith("make_") else 0

    body.__name__ = name
    return body


def count_steps(machine: type[RuleBasedStateMachine], number: int) -> float:
    """Seconds of the processor for a step."""
    steps = 0

    class Counted(machine):  # type: ignore[misc, valid-type]
        @invariant()
        def count(self) -> None:
            nonlocal steps
            steps += 1

    Counted._hypothesis_internal_use_seed = number
    start = process_time()
    run_state_machine_as_test(Counted, settings=SETTINGS)
    return (process_time() - start) / steps


def main() -> None:
    idle = make_idle(DmaStateMachine)
    ours, bare, ratios = [], [], []
    for number in range(ROUNDS):
        before = count_steps(idle, number)
        cost = count_steps(DmaStateMachine, number)
        bare_cost = (before + count_steps(idle, number + ROUNDS)) / 2
        ours.append(cost)
        bare.append(bare_cost)
        ratios.append(bare_cost / cost)
    report("hypothesis.steps_per_s", 1 / statistics.median(ours))
    report("hypothesis.idle_steps_per_s", 1 / statistics.median(bare))
    report("hypothesis.of_idle", statistics.median(ratios))


if __name__ == "__main__":
    main()
