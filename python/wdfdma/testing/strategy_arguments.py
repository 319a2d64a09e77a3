"""The arguments of strategies: what is wrong with one is said at the call, not when something is drawn."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial, wraps
from inspect import signature
from typing import Any, TypeVar, cast

from hypothesis.strategies import SearchStrategy

from wdfdma.arguments import ULONG, require_any, require_flag, require_number, require_type

_F = TypeVar("_F", bound=Callable[..., Any])

Check = Callable[[str, Any], object]


def checked(**checks: Check) -> Callable[[_F], _F]:
    """What makes a strategy, with a check of each argument by its name; an argument of another name is a TypeError.

    >>> @checked(most=is_number(1, 3))
    ... def numbers(*, most=2):
    ...     return range(most)
    >>> numbers(most=4)
    Traceback (most recent call last):
    ...
    ValueError: most: 4 is above 3
    """

    def decorate(make: _F) -> _F:
        parameters = signature(make)

        @wraps(make)
        def call(*arguments: Any, **keys: Any) -> Any:
            if arguments or keys.keys() - checks.keys():
                keys = parameters.bind(*arguments, **keys).arguments
            for name, value in keys.items():
                checks[name](name, value)
            return make(**keys)

        return cast("_F", call)

    return decorate


def is_number(low: int, high: int = ULONG) -> Check:
    """A whole number from [low] to [high]."""
    return partial(_check_number, low=low, high=high)


def _check_number(name: str, value: Any, low: int, high: int) -> None:
    require_number(name, value, low, high)


def is_flag(name: str, value: object) -> None:
    """True or False."""
    require_flag(name, value)


def is_strategy(name: str, value: object) -> None:
    """A strategy."""
    require_type(name, value, SearchStrategy)


def is_name(known: Iterable[str]) -> Check:
    """One of the names that are [known]."""
    names = tuple(known)

    def check(name: str, value: object) -> None:
        require_type(name, value, str)
        if value not in names:
            raise ValueError(f"{name}: {value!r} is none of {', '.join(names)}")

    return check


def are_names(known: Iterable[str]) -> Check:
    """A sequence of one or more of the names that are [known]."""
    check_one = is_name(known)

    def check(name: str, value: object) -> None:
        if isinstance(value, (str, bytes)):
            raise TypeError(f"{name}: {value!r} is one name, not a sequence of them")
        items = require_any(name, value, Sequence)
        if not items:
            raise ValueError(f"{name}: it is empty")
        for item in items:
            check_one(name, item)

    return check


def or_none(check: Check) -> Check:
    """None, or what [check] takes."""

    def check_given(name: str, value: object) -> None:
        if value is not None:
            check(name, value)

    return check_given
