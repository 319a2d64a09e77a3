"""`wdfdma explain`: what it finds, what it prints, what it refuses."""

import json
from collections.abc import Callable

import pytest

import wdfdma
from wdfdma import Rule, Status, get_status_info, list_rules, list_statuses
from wdfdma.explain import Entry, UnknownNameError, explain, find_entries, make_document
from wdfdma.fault_records import FAULT_STATUSES

Answer = tuple[int, str, str]


@pytest.mark.parametrize(
    ("what", "name"),
    [
        ("NoAdapter", "NoAdapter"),
        ("noadapter", "NoAdapter"),
        ("NO_ADAPTER", "NoAdapter"),
        ("no-adapter", "NoAdapter"),
        ("WDFDMA_RULE_NO_ADAPTER", "NoAdapter"),
        ("Rule.NO_ADAPTER", "NoAdapter"),
        ("0x57444D41/3", "NoAdapter"),
        ("DMA_0F_2", "DmaTagAfterOverwritten"),
        ("0xE6/0F/2", "DmaTagAfterOverwritten"),
        ("0xe6/f/2", "DmaTagAfterOverwritten"),
        ("E6/0xF/0x2", "DmaTagAfterOverwritten"),
        ("0xE6/05", "DmaFreedRegistersTwice"),
        ("E6/5", "DmaFreedRegistersTwice"),
        ("0x000000E6/0000000000000005/1/0/0", "DmaFreedRegistersTwice"),
        ("0x10D/8", "WdfDmaFatalError"),
        ("10d/8/ffff800012345678/4/0", "WdfDmaFatalError"),
        ("0x9", "IrqlNotGreaterOrEqual"),
        ("IRQL_NOT_LESS_OR_EQUAL", "IrqlNotLessOrEqual"),
        ("STATUS_WDF_BUSY", "STATUS_WDF_BUSY"),
        ("wdf_busy", "STATUS_WDF_BUSY"),
        ("0xC0200208", "STATUS_WDF_OBJECT_ATTRIBUTES_INVALID"),
        ("c0200208", "STATUS_WDF_OBJECT_ATTRIBUTES_INVALID"),
        ("-1071644152", "STATUS_WDF_OBJECT_ATTRIBUTES_INVALID"),
        ("0x00000000", "STATUS_SUCCESS"),
    ],
)
def test_one_is_found(what: str, name: str) -> None:
    assert [entry.name for entry in find_entries(what)] == [name]


@pytest.mark.parametrize(
    ("what", "count"),
    [("0x10D", 6), ("WDF_VIOLATION", 6), ("0xE6/0F", 5), ("e6/0", 2), ("0xE6", 38)],
)
def test_a_code_alone_lists_its_rules(what: str, count: int) -> None:
    lines = explain(what).splitlines()
    assert len(lines) == len(find_entries(what)) == count
    assert {line.split()[1].split("/")[0] for line in lines} == {"0x10D" if count == 6 else "0xE6"}


def test_every_rule_and_status_finds_itself() -> None:
    for info in list_rules():
        for name in (info.name, info.rule.name, info.code_text or info.name):
            assert find_entries(name) == [info]
    for status in list_statuses():
        for name in (status.name, f"0x{status.status & 0xFFFFFFFF:08X}"):
            assert find_entries(name) == [status]


def test_pages_are_narrow_and_say_everything(call: Callable[..., Answer]) -> None:
    entries: list[Entry] = [*list_rules(), *list_statuses()]
    for entry in entries:
        code, out, err = call("explain", entry.name)
        assert (code, err) == (0, "")
        assert max(map(len, out.splitlines())) <= 100
        told = " ".join(out.split())
        for text in (entry.name, entry.cause, entry.fix, entry.source):
            assert " ".join(text.split()) in told


def test_a_page() -> None:
    assert explain("0xE6/05").splitlines() == [
        "DmaFreedRegistersTwice, 0xE6/05",
        "",
        "Map registers were freed that are not held, or with another count than they were allocated with;",
        "mostly a run freed twice.",
        "",
        "  severity    bug check: Windows stops",
        "  then        the machine stops; in another mode, the call changes nothing",
        "  code        DRIVER_VERIFIER_DMA_VIOLATION (0xE6)",
        "  parameters  1: 0x5; 2: how many too many; 3: here the base; 4: here how many are held there",
        "  fix         Call FreeMapRegisters once for a run, with its own base and count.",
        "  example     DmaFreedRegistersTwice: map registers freed twice (tests/rules)",
        "  names       WDFDMA_RULE_DMA_05 in C, Rule.DMA_05 in Python",
        "  source      Microsoft Learn: Bug Check 0xE6",
    ]


def test_all_rules(call: Callable[..., Answer]) -> None:
    code, out, _ = call("explain")
    lines = out.splitlines()
    assert code == 0
    names = [line.split()[0] for line in lines]
    assert sorted(names) == sorted(info.name for info in list_rules())
    assert max(map(len, lines)) <= 100
    first = next(info for info in list_rules() if info.rule == Rule.DMA_0F_1)
    assert lines[names.index(first.name)].split()[1:3] == ["0xE6/0F/1", "bugcheck"]
    assert lines[0].split()[1:5] == ["-", "violation", "A", "transaction"]


def test_json(call: Callable[..., Answer]) -> None:
    code, out, err = call("explain", "--json", "E6/0F/2")
    document = json.loads(out)
    assert (code, err, document["version"]) == (0, "", wdfdma.__version__)
    (entry,) = document["entries"]
    assert (entry["kind"], entry["id"], entry["windows"]) == ("rule", "DMA_0F_2", "0xE6/0F/2")
    assert (entry["code"], entry["parameters"]) == (0xE6, [15, 2])
    assert entry["example"].startswith("DmaTagAfterOverwritten: ")
    (entry,) = json.loads(call("explain", "--json", "E6/1F/4")[1])["entries"]
    assert (entry["id"], entry["example"]) == ("DMA_1F_4", None)
    (entry,) = json.loads(call("explain", "STATUS_WDF_BUSY", "--json")[1])["entries"]
    assert (entry["kind"], entry["value"], entry["success"]) == ("status", 0xC0200204, False)
    assert len(json.loads(call("explain", "--json")[1])["entries"]) == len(list_rules())


@pytest.mark.parametrize(
    ("what", "message"),
    [
        (
            "NoAdaptr",
            "'NoAdaptr' is no rule, bug check or status; closest: NoAdapter, InvalidAdapter, LeakAdapter",
        ),
        (
            "qqqqqq",
            "'qqqqqq' is no rule, bug check or status; without a name, all rules are listed",
        ),
        ("0xE6/99", "0xE6/99 cannot arise here; `wdfdma explain 0xE6` lists"),
        ("STATUS_WDF_TO_FRAGMENTED", "closest: STATUS_WDF_TOO_FRAGMENTED"),
        ("STATUS_TIMEOUT", "STATUS_TIMEOUT (0x00000102): no call of this library returns it"),
        ("0xC0FFEE00", "0xC0FFEE00: no call of this library returns it"),
        ("", "'' is no rule, bug check or status"),
        ("x" * 200, f"'{'x' * 56} ...' is no rule"),
    ],
)
def test_what_is_unknown(call: Callable[..., Answer], what: str, message: str) -> None:
    code, out, err = call("explain", what)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err
    code, out, _ = call("explain", "--json", "--", what)
    assert code == 2
    assert json.loads(out)["errors"] == [err.removesuffix("\n")]
    with pytest.raises(UnknownNameError):
        explain(what)


CALLS = {
    "create": "makes an object",
    "initialize": "Initialize calls",
    "execute": "WdfDmaTransactionExecute",
    "allocate_resources": "WdfDmaTransactionAllocateResources",
    "dma_completed": "DmaCompleted calls",
    "dma_completed_with_length": "DmaCompleted calls",
    "enabler_create": "WdfDmaEnablerCreate|makes an object",
    "enabler_configure_system_profile": "WdfDmaEnablerConfigureSystemProfile",
    "initialize_using_request": "Initialize calls",
    "common_buffer_create": "makes an object",
    "request_call": "retrieve a request's MDL",
    "object_call": "WdfObjectAllocateContext",
    "adapter_call": "DMA_OPERATIONS|GetDmaAdapterInfo",
}


@pytest.mark.parametrize("op", FAULT_STATUSES)
def test_what_a_fault_injects_is_explained(op: str) -> None:
    """The page of each status names the calls that a fault can make return it."""
    assert FAULT_STATUSES[op]
    for status in FAULT_STATUSES[op]:
        calls = get_status_info(status).calls
        assert any(name in calls for name in CALLS[op].split("|")), f"{status.name}: {calls}"


def test_a_status_without_an_entry() -> None:
    assert get_status_info(0xC0200204) == get_status_info(Status.STATUS_WDF_BUSY)
    for status in (Status.STATUS_TIMEOUT, 0xC0FFEE00):
        with pytest.raises(KeyError):
            get_status_info(status)


@pytest.mark.parametrize(
    ("what", "head"),
    [
        ("DMA_FATAL_ERROR", "WdfDmaFatalError, 0x10D/"),
        ("REQUIRED_PARAMETER_IS_NULL", "WdfRequiredParameterIsNull, 0x10D/"),
        ("MANUALLY_INITIATED_CRASH", "MANUALLY_INITIATED_CRASH, 0xE2"),
        ("0xE2", "MANUALLY_INITIATED_CRASH, 0xE2"),
        ("e2", "MANUALLY_INITIATED_CRASH, 0xE2"),
    ],
)
def test_names_without_a_rule_of_that_name(what: str, head: str) -> None:
    assert explain(what).splitlines()[0].startswith(head)
    assert len(make_document(what)["entries"]) == 1


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("0xE6/02", "0xE6/02 cannot arise here; `wdfdma explain 0xE6` lists what can"),
        ("0x50", "0x50: no such bug check can arise here"),
    ],
)
def test_what_cannot_arise_here(what: str, message: str) -> None:
    with pytest.raises(UnknownNameError, match=f"^{message}"):
        explain(what)


def test_the_list_has_the_rules_of_one_bug_check_together() -> None:
    codes = [line.split()[1].partition("/")[0] for line in explain(None).splitlines()]
    changes = [code for code, before in zip(codes, ["", *codes], strict=False) if code != before]
    assert len(changes) == len(set(changes))
    assert len(codes) == len(list_rules())
