"""Every call site fails once: the log that remembers them, and who names the sites of Python."""

import errno
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Protocol

from wdfdma._callbacks import _define
from wdfdma._native import NULL, ffi, lib, read_string
from wdfdma.arguments import require_number
from wdfdma.problems import show
from wdfdma.status import Status

if TYPE_CHECKING:
    from wdfdma._core import Core

MOST_FRAMES = int(lib.WDFDMA_SITE_FRAMES)

# As the frames of this package have it, which are no part of a site.
_PACKAGE = str(Path(_define.__code__.co_filename).parent) + os.sep


class SiteLogError(ValueError):
    """A file that is no log of sites, or a damaged one: `path`, `line` from 1, its `text`, the broken `rule`.

    >>> print(SiteLogError("sites.log", 3, "there is no site"))
    sites.log:3: there is no site
    """

    def __init__(self, path: str, line: int, rule: str, text: str = "") -> None:
        self.path = path
        self.line = line
        self.rule = rule
        self.text = text
        shown = f": {show(text)}" if text else ""
        super().__init__(f"{path}:{line}: {rule}{shown}")

    def __reduce__(self) -> Any:
        return type(self), (self.path, self.line, self.rule, self.text)


def _read_line(path: str, number: int) -> str:
    """Line [number] of a file, from 1; empty where it is not to be had any more."""
    try:
        lines = Path(path).read_bytes().split(b"\n")
    except OSError:
        return ""
    return lines[number - 1].decode("utf-8", "replace") if number <= len(lines) else ""


@dataclass(frozen=True, slots=True)
class SiteFault:
    """A line of a log: the call that failed, named as in a scenario, with which status, and its site.

    The calls `register_grant`, `adapter` and `partial_map` are what lies below the DDIs, and have no status.
    """

    call: str
    status: Status | None
    site: str


class SiteLog:
    """What has failed where: a file that outlives the process, and is only ever appended to.

    It may serve several machines, at the same time too, of one process at a time. A last line that a crash left half
    written is ended by `~` and says nothing. Errors: SiteLogError for a file that is something else, or damaged,
    which is left as it is; OSError.

    >>> import os, tempfile
    >>> with tempfile.TemporaryDirectory() as folder, SiteLog(os.path.join(folder, "sites.log")) as log:
    ...     len(log)
    0
    """

    __slots__ = ("_log", "path")

    def __init__(self, path: "str | os.PathLike[str]") -> None:
        self.path = os.fspath(path)
        out = ffi.new("wdfdma_site_log **")
        error = ffi.new("wdfdma_site_log_error *")
        name = os.fsencode(self.path)
        if b"\0" in name:
            raise ValueError("path: has a null character")
        status = Status(lib.wdfdma_site_log_open(name, out, error))
        if error.error:
            raise OSError(error.error, os.strerror(error.error), self.path)
        if error.line:
            text = _read_line(self.path, error.line)
            raise SiteLogError(self.path, error.line, read_string(error.rule), text)
        status.check("wdfdma_site_log_open")
        self._log: Any = ffi.gc(out[0], lib.wdfdma_site_log_close)

    def get_log(self) -> Any:
        """The log for C. Errors: ValueError when it is closed."""
        if self._log is None:
            raise ValueError(f"{self.path}: the log is closed")
        return self._log

    def __len__(self) -> int:
        return int(lib.wdfdma_site_log_get_count(self.get_log()))

    def __getitem__(self, index: int) -> SiteFault:
        line = lib.wdfdma_site_log_get_line(self.get_log(), range(len(self))[index])
        call, status, site = ffi.string(line).decode("utf-8", "replace").split(" ", 2)
        return SiteFault(call, None if status == "-" else getattr(Status, status), site)

    def __iter__(self) -> Iterator[SiteFault]:
        for index in range(len(self)):
            yield self[index]

    def check_writing(self) -> None:
        """Errors: OSError where a line could not be written, as on a full disk; nothing fails for it any more."""
        if lib.wdfdma_site_log_is_lost(self.get_log()):
            raise OSError(errno.EIO, "the log of sites could not be written", self.path)

    def close(self) -> None:
        """Closes the log; machines that have it keep it. Twice is once."""
        if self._log is not None:
            ffi.release(self._log)
            self._log = None

    def __enter__(self) -> "SiteLog":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class SiteSource(Protocol):
    """Who names the sites of a machine; what it raises goes to [catch], which halts the machine."""

    def name_site(self, machine: Any) -> str:
        """The site of the call that the machine of C's is in; "" for none."""

    def catch(self, error: BaseException) -> None:
        """Keeps an error, and halts the machine."""


@_define
def name_site(context: Any, machine: Any, out: Any, capacity: int) -> int:
    """For C: the source that [context] is names the site."""
    source: SiteSource = ffi.from_handle(context)
    try:
        name = source.name_site(machine).encode("utf-8", "backslashreplace")[: capacity - 1]
    except BaseException as error:
        source.catch(error)
        return 0
    ffi.memmove(out, name, len(name))
    return len(name)


def set_sites(machine: Any, log: SiteLog, source: SiteSource, most: int) -> Any:
    """Gives a machine of C's a log; returns what must be kept as long as the machine has it."""
    handle = ffi.new_handle(source)
    config = ffi.new("wdfdma_site_config *")
    config.source = lib.wdfdma_python_name_site
    config.context = handle
    config.most = most
    status = Status(lib.wdfdma_machine_set_sites(machine, log.get_log(), config))
    status.check("wdfdma_machine_set_sites")
    return handle


@lru_cache(maxsize=1024)
def _shorten(file: str, roots: tuple[str, ...], folder: Path) -> str:
    """A file by its way from the deepest root that it lies in, or else from [folder]; the same on another machine."""
    if file.startswith("<"):
        return file
    path = Path(file).absolute()
    above = [root for name in roots if path.is_relative_to(root := Path(name).absolute())]
    root = max(above, key=lambda root: len(root.parts), default=folder)
    return (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()


def name_frames(frame: FrameType | None, frames: int) -> str:
    """The first [frames] of the callers that are no part of this package, from [frame] outwards.

    >>> def make():
    ...     return name_frames(sys._getframe(), 1)
    >>> make()
    '<doctest wdfdma.fault_sites.name_frames[0]>:2'
    """
    roots, folder = tuple(sys.path), Path.cwd()
    names: list[str] = []
    while frame is not None and len(names) < frames:
        file = frame.f_code.co_filename
        if not file.startswith(_PACKAGE):
            names.append(f"{_shorten(file, roots, folder)}:{frame.f_lineno}")
        frame = frame.f_back
    return " < ".join(names)


class FaultSites:
    """The call sites of one machine, each of which fails once; made by `machine.faults.every_site`.

    No part of the machine's value: a restore takes back neither the log nor that the machine has one.
    """

    __slots__ = ("_core", "_frames", "_handle", "_last", "_own_log", "log")

    def __init__(
        self, core: "Core", log: "SiteLog | str | os.PathLike[str]", frames: int, most: int
    ) -> None:
        require_number("frames", frames, 1, MOST_FRAMES)
        require_number("most", most, 0, 2**32 - 1)
        if core.halted:
            core.fail()
        machine = core.get_machine()
        self._core = core
        self._frames = frames
        self._own_log = not isinstance(log, SiteLog)
        self._last = (0, 0)
        self.log = log if isinstance(log, SiteLog) else SiteLog(log)
        if core.sites is not None:
            core.sites.close()
        self._handle = set_sites(machine, self.log, self, most)
        core.sites = self

    def name_site(self, machine: Any) -> str:
        """The files and lines of the callers, for C."""
        return name_frames(sys._getframe(1), self._frames)

    def catch(self, error: BaseException) -> None:
        """Halts the machine for an error, which the call in progress raises."""
        self._core.catch(error)

    def _read(self) -> tuple[int, int]:
        core = self._core
        if core.sites is self and not core.closed:
            state = lib.wdfdma_machine_get_sites(core.machine)
            self._last = (int(state.failed), int(state.unnamed))
        return self._last

    @property
    def failed(self) -> int:
        """How many faults were injected since `every_site`."""
        return self._read()[0]

    @property
    def unnamed(self) -> int:
        """How many calls could have failed, but for a site that nobody could name."""
        return self._read()[1]

    def close(self) -> None:
        """No further call fails for its site. Errors: OSError where the log could not be written."""
        core = self._core
        if core.sites is not self:
            return
        self._read()
        core.sites = None
        if not core.closed:
            lib.wdfdma_machine_set_sites(core.machine, NULL, NULL)
        try:
            self.log.check_writing()
        finally:
            if self._own_log:
                self.log.close()

    def __enter__(self) -> "FaultSites":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
