"""Where the objects of a machine were made, in the user's own code."""

import os
import sys
from dataclasses import replace
from pathlib import Path
from traceback import StackSummary
from types import FrameType
from typing import Any

from wdfdma._native import ffi
from wdfdma.rules import Violation

_PACKAGE = str(Path(__file__).parent) + os.sep


def _list_frames() -> list[tuple[FrameType, int]]:
    """The frames of the call, outermost first, but for this package's."""
    frames = []
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if not frame.f_code.co_filename.startswith(_PACKAGE):
            frames.append((frame, frame.f_lineno))
        frame = frame.f_back
    return frames[::-1]


class Traces:
    """A stack for each object, deleted ones included: what `Machine(trace=True)` keeps."""

    __slots__ = ("_stacks",)

    def __init__(self) -> None:
        self._stacks: dict[int, StackSummary] = {}

    def keep(self, handle: Any) -> None:
        """Notes that the object with this handle, or the MDL at this address, is being made now."""
        # The lines of source are read only if somebody prints them.
        stack = StackSummary.extract(iter(_list_frames()), lookup_lines=False)
        self._stacks[int(ffi.cast("uintptr_t", handle))] = stack

    def find(self, *numbers: int) -> StackSummary | None:
        """The stack of the first of [numbers] that is an object's handle, or None."""
        return next((self._stacks[number] for number in numbers if number in self._stacks), None)

    def find_line(self, *numbers: int) -> str:
        """The line of the same stack that is nearest to the object, in words; empty where there is none."""
        from wdfdma.replay import shorten_path

        stack = self.find(*numbers)
        if not stack:
            return ""
        return f"{shorten_path(stack[-1].filename)}:{stack[-1].lineno}, in {stack[-1].name}"

    def name_lines(self, violations: list[Violation]) -> list[Violation]:
        """The violations, each with the line that made its object."""
        return [
            replace(item, made_at=self.find_line(item.handle, *item.parameters[1:]))
            for item in violations
        ]
