"""Names of the Python face: each DDI has its method, each enumeration is the headers'."""

import ast
import pickle
import re
from pathlib import Path
from typing import Any

import pytest

import wdfdma
from wdfdma import (
    BugCheckCode,
    CommonBuffer,
    CompletionStatus,
    Direction,
    DmaEnabler,
    DmaTransaction,
    ObjectType,
    Op,
    PowerState,
    Profile,
    RecordKind,
    RequestType,
    Rule,
    Status,
    StatusError,
    TransactionState,
    Waiting,
    WdfViolation,
)
from wdfdma._native import ffi, lib


def to_python_name(ddi: str, prefix: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", ddi.removeprefix(prefix)).lower()


@pytest.mark.parametrize(
    ("prefix", "face", "creators"),
    [
        ("WdfDmaTransaction", DmaTransaction, {"create"}),
        ("WdfDmaEnabler", DmaEnabler, {"create"}),
        ("WdfCommonBuffer", CommonBuffer, {"create", "create_with_config"}),
    ],
)
def test_every_ddi_has_its_method(prefix: str, face: type, creators: set[str]) -> None:
    ddis = [name for name in dir(lib) if re.match(rf"{prefix}[A-Z]", name)]
    ddis = [name for name in ddis if callable(getattr(lib, name))]
    assert len(ddis) > 4
    names = {to_python_name(ddi, prefix) for ddi in ddis} - creators
    assert not {name for name in names if not callable(getattr(face, name, None))}


@pytest.mark.parametrize(
    ("enumeration", "type_name"),
    [
        (Op, "wdfdma_op"),
        (ObjectType, "wdfdma_object_type"),
        (TransactionState, "wdfdma_transaction_state"),
        (Waiting, "wdfdma_waiting"),
        (BugCheckCode, "wdfdma_bugcheck_code"),
        (WdfViolation, "wdfdma_wdf_violation"),
        (Rule, "wdfdma_rule"),
        (RecordKind, "wdfdma_record_kind"),
        (Profile, "WDF_DMA_PROFILE"),
        (Direction, "WDF_DMA_DIRECTION"),
        (CompletionStatus, "DMA_COMPLETION_STATUS"),
        (RequestType, "WDF_REQUEST_TYPE"),
        (PowerState, "WDF_POWER_DEVICE_STATE"),
    ],
)
def test_enumerations_are_the_headers(enumeration: Any, type_name: str) -> None:
    elements = ffi.typeof(type_name).elements
    counts = {value for value, name in elements.items() if name.endswith("COUNT")}
    assert {int(member) for member in enumeration} == set(elements) - counts


def test_enumerations_keep_unknown_numbers() -> None:
    assert Profile(99) == 99
    assert Profile(99).name == "0x63"
    assert Direction.READ is Direction.READ_FROM_DEVICE
    assert (str(Profile.PACKET), f"{Profile.PACKET}", f"{Profile.PACKET:d}") == ("PACKET",) * 2 + (
        "1",
    )
    assert pickle.loads(pickle.dumps(Profile.PACKET)) is Profile.PACKET
    with pytest.raises(ValueError, match="not a valid"):
        Direction("read")


def test_statuses_are_the_headers() -> None:
    assert Status.STATUS_INSUFFICIENT_RESOURCES == 0xC000009A - 2**32
    assert Status(0xC000009A) is Status.STATUS_INSUFFICIENT_RESOURCES
    assert repr(Status.STATUS_SUCCESS) == "<Status.STATUS_SUCCESS: 0x00000000>"
    assert Status.STATUS_PENDING.check() is Status.STATUS_PENDING
    with pytest.raises(StatusError) as caught:
        Status.STATUS_WDF_BUSY.check("execute")
    assert caught.value.status is Status.STATUS_WDF_BUSY
    assert str(caught.value).startswith("execute: STATUS_WDF_BUSY (0xC0200")
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
    unknown = Status(-5)
    assert (unknown, unknown.name, unknown.is_success) == (-5, "0xFFFFFFFB", False)
    with pytest.raises(ValueError, match="not a valid"):
        Status(2**32)


def test_folders_of_the_package() -> None:
    assert Path(wdfdma.get_include()).name == "include"
    assert Path(wdfdma.get_cmake_dir()).parts[-3:] == ("lib", "cmake", "wdfdma")
    assert re.fullmatch(r"\d+\.\d+\.\d+", wdfdma.__version__)


def test_all_names_are_there() -> None:
    assert all(hasattr(wdfdma, name) for name in wdfdma.__all__)
    assert dir(wdfdma) == wdfdma.__all__
    with pytest.raises(AttributeError):
        wdfdma.nonsense  # noqa: B018


def test_only_one_module_imports_the_extension() -> None:
    folder = Path(wdfdma.__file__).parent
    importers = set()
    for path in folder.rglob("*.py"):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 300, path.name
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").endswith("_ffi"):
                importers.add(path.name)
            if isinstance(node, ast.Import) and any("_ffi" in item.name for item in node.names):
                importers.add(path.name)
    assert importers == {"_native.py"}
