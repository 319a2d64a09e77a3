"""What the rules of `DmaStateMachine` share: its bundles, and rules that want a transaction in some state."""

from collections.abc import Callable
from typing import Any, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, precondition, rule

from wdfdma.testing.actor import Actor
from wdfdma.testing.strategies import DIRECTIONS, LENGTHS, OFFSETS

F = TypeVar("F", bound=Callable[..., Any])
Test = Callable[[Actor], bool]

# Enablers, buffers, requests and common buffers by their numbers in the scenario.
ENABLERS: Bundle[int] = Bundle("enablers")
BUFFERS: Bundle[int] = Bundle("buffers")
TRANSACTIONS: Bundle[Actor] = Bundle("transactions")
RESERVATIONS: Bundle[Actor] = Bundle("reservations")
REQUESTS: Bundle[int] = Bundle("requests")
COMMON_BUFFERS: Bundle[int] = Bundle("common_buffers")

direction = st.sampled_from(DIRECTIONS)
# Bytes that a rule fits into what there is; a length of 0 is all of it.
offset = st.sampled_from(OFFSETS)
length = st.sampled_from((0, *LENGTHS))
number = st.integers(0, 3)

_RUNNER = st.runner()
_PLACE = st.integers(0, 59)  # divided by any small number of them, each is as likely


@st.composite
def fitting(draw: st.DrawFn, bundle: str, fits: Callable[[Any], bool]) -> Any:
    """A value of the [bundle] that [fits], of which there is one; the oldest is the simplest.

    A filter of the bundle draws until one fits, and gives up the whole case where none of a few tries does.
    """
    found = draw(_RUNNER).list_fitting(bundle, fits)
    return found[draw(_PLACE) % len(found)]


def transaction_rule(
    fits: Test,
    *,
    name: str = "transaction",
    bundle: "Bundle[Actor]" = TRANSACTIONS,
    **settings: Any,
) -> Callable[[F], F]:
    """A rule whose argument [name] is a transaction of [bundle] that [fits], and which waits until there is one."""

    def decorate(function: F) -> F:
        settings[name] = fitting(bundle.name, fits)
        make: Any = rule
        made: F = make(**settings)(function)
        needs: Callable[[F], F] = precondition(lambda self: self.has_fitting(bundle.name, fits))
        return needs(made)

    return decorate
