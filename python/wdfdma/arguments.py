"""Numbers as callers give them: one clear error that names the argument, the value and the rule."""

import operator
from typing import SupportsIndex


def require_number(name: str, value: SupportsIndex, low: int, high: int) -> int:
    """[value] as an int from [low] to [high]; a Boolean is none. Errors: TypeError, ValueError.

    >>> require_number("offset", 4096, 0, 4095)
    Traceback (most recent call last):
    ...
    ValueError: offset: 4096 is above 4095
    """
    if isinstance(value, bool):
        raise TypeError(f"{name}: {value} is not a number")
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name}: {value!r} is not a whole number") from None
    if number < low:
        raise ValueError(f"{name}: {number} is below {low}")
    if number > high:
        raise ValueError(f"{name}: {number} is above {high}")
    return number
