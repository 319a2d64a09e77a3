"""Arguments as callers give them: one clear error that names the argument, the value and the rule."""

import operator
from collections.abc import Iterable, Mapping
from typing import Any, SupportsIndex, TypeVar

from wdfdma.enums import Constant, Direction, Profile

_T = TypeVar("_T")
_C = TypeVar("_C", bound=Constant)

ULONG = 2**32 - 1  # the largest number of 32 bits
SIZE = 2**64 - 1  # and of 64
_ENUM = 2**31 - 1
_FEW = 10  # names that an error lists; of more it has the closest


def require_number(name: str, value: SupportsIndex, low: int, high: int) -> int:
    """[value] as an int from [low] to [high]; a Boolean is none. Errors: TypeError, ValueError.

    >>> require_number("offset", 4096, 0, 4095)
    Traceback (most recent call last):
    ...
    ValueError: offset: 4096 is above 4095
    """
    if isinstance(value, bool):
        raise TypeError(f"{name}: {value} is not a number") from None
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name}: {value!r} is not a whole number") from None
    if number < low:
        raise ValueError(f"{name}: {number} is below {low}") from None
    if number > high:
        raise ValueError(f"{name}: {number} is above {high}") from None
    return number


def list_closest(value: str, known: Iterable[str]) -> list[str]:
    """The up to three of the names [known] that are most like [value], however that is capitalized.

    >>> list_closest("exexute", ["execute", "release"])
    ['execute']
    """
    import difflib

    names = {_fold(name): name for name in known}
    return [names[name] for name in difflib.get_close_matches(_fold(value), names, n=3)]


def _fold(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "").replace(" ", "")


def require_name(name: str, value: str, known: Mapping[str, _T]) -> _T:
    """What [value] is a name of among [known], however it is capitalized.

    Errors: ValueError, with the names, or the closest of many.

    >>> require_name("op", "exexute", dict.fromkeys(map(str, range(20))) | {"execute": 1})
    Traceback (most recent call last):
    ...
    ValueError: op: 'exexute' is no such name; closest: execute
    """
    folded = {_fold(item): found for item, found in known.items()}
    if _fold(value) in folded:
        return folded[_fold(value)]
    if len(known) <= _FEW:
        raise ValueError(f"{name}: {value!r} is none of {', '.join(known)}") from None
    close = list_closest(value, known)
    closest = f"; closest: {', '.join(close)}" if close else ""
    raise ValueError(f"{name}: {value!r} is no such name{closest}") from None


def require_member(name: str, value: "_C | int | str", kind: type[_C]) -> _C:
    """[value] as a member of [kind]: itself, its number, or its name as in a scenario or in Python.

    A number without a name stays what it is, for the library to judge. Errors: TypeError, ValueError.

    >>> require_member("direction", "write", Direction)
    <Direction.WRITE: 1>
    >>> require_member("direction", "up", Direction)
    Traceback (most recent call last):
    ...
    ValueError: direction: 'up' is none of read, write
    """
    if isinstance(value, kind):
        return value
    if not isinstance(value, str):
        return kind(require_number(name, value, 0, _ENUM))
    members: Any = kind.__members__
    if value.upper() in members:  # also those with a second name
        found: _C = members[value.upper()]
        return found
    return require_name(name, value, {member.label: member for member in kind})


def require_direction(value: Direction | int | str) -> int:
    """[value] as the number of a direction. Errors: TypeError, ValueError."""
    return int(require_member("direction", value, Direction))


def require_profile(value: Profile | int | str) -> Profile:
    """[value] as a profile that there is: the headers' 0 and what they do not name are none.

    Errors: TypeError, ValueError.
    """
    known = [profile for profile in Profile if profile]
    if isinstance(value, str):
        return require_name("profile", value, {item.label: item for item in known})
    found = require_member("profile", value, Profile)
    if found not in known:
        named = ", ".join(f"{item.label} ({int(item)})" for item in known)
        raise ValueError(f"profile: {int(found)} is none of {named}")
    return found


def require_type(name: str, value: object, kind: type[_T]) -> _T:
    """[value], which must be a [kind]. Errors: TypeError.

    >>> require_type("mdl", 5, Constant)
    Traceback (most recent call last):
    ...
    TypeError: mdl: 5 is no Constant
    """
    if isinstance(value, kind):
        return value
    raise TypeError(f"{name}: {_shorten(value)} is no {kind.__name__}") from None


def require_any(name: str, value: object, *kinds: type) -> Any:
    """[value], which must be one of [kinds]. Errors: TypeError.

    >>> require_any("path", 5, str, bytes)
    Traceback (most recent call last):
    ...
    TypeError: path: 5 is no str and no bytes
    """
    if isinstance(value, kinds):
        return value
    names = " and no ".join(kind.__name__ for kind in kinds)
    raise TypeError(f"{name}: {_shorten(value)} is no {names}") from None


def require_face(name: str, value: Any, kind: str) -> Any:
    """The core of [value], which must be this package's [kind], by its name: its modules import one another.

    Errors: TypeError.
    """
    if any(base.__name__ == kind for base in type(value).__mro__) and hasattr(value, "_core"):
        return value._core
    raise TypeError(f"{name}: {_shorten(value)} is no {kind}") from None


def require_flag(name: str, value: object) -> bool:
    """[value], which must be True or False, or as much as one of them: 1, 0, NumPy's own.

    Errors: TypeError; ValueError for another number.

    >>> require_flag("value", "x")
    Traceback (most recent call last):
    ...
    TypeError: value: 'x' is neither True nor False
    """
    if value is True or value is False:
        return value
    is_known = isinstance(value, int) or type(value).__module__ == "numpy"
    if is_known and value in (0, 1):
        return bool(value)
    kind = ValueError if is_known else TypeError
    raise kind(f"{name}: {_shorten(value)} is neither True nor False") from None


def require_buffer(name: str, value: object) -> Any:
    """[value], which must have a buffer, as a memoryview over it. Errors: TypeError."""
    try:
        return memoryview(value)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"{name}: {_shorten(value)} is not anything with a buffer") from None


def _shorten(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:56]} ..."


def require_callable(name: str, value: object) -> None:
    """A function, or None. Errors: TypeError."""
    if value is not None and not callable(value):
        raise TypeError(f"{name}: {value!r} is not callable") from None
