"""Whom a record names: the object concerned, and who else has to do with it."""

import json
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from wdfdma import BugCheck, DmaTransaction, Machine, Mdl, Profile, Rule, StatusError, Violation
from wdfdma.circumstances import NamedObject
from wdfdma.enums import ObjectType
from wdfdma.report import Outcome, make_document
from wdfdma.run import execute_scenario
from wdfdma.scenario import Scenario

PAGE = 4096
RULES = Path(__file__).parents[1] / "rules"


@pytest.fixture
def machine() -> Iterator[Machine]:
    with Machine(map_registers=16, log=64) as made:
        yield made
        made.check()


class Transfers:
    """Transactions that transfer, and the elements that each was given last."""

    def __init__(self, machine: Machine) -> None:
        self.device = machine.device()
        self.elements: dict[int, Any] = {}

    def start(
        self,
        mdl: Mdl,
        profile: Profile = Profile.PACKET,
        direction: str = "read",
        length: int | None = None,
    ) -> DmaTransaction:
        made = self.device.enabler(profile, dma_version=3, maximum_length=1 << 20).transaction()
        label = len(self.elements)

        def note(_transaction: Any, _direction: Any, elements: Any) -> None:
            self.elements[label] = elements

        made.initialize(mdl, direction=direction, length=length, program_dma=note).check()
        made.execute().check()
        return made


def name(machine: Machine) -> tuple[Violation, list[str]]:
    violation = machine.violations[-1]
    return violation, [str(item) for item in violation.others]


@pytest.mark.parametrize("profile", [Profile.PACKET, Profile.SCATTER_GATHER])
def test_a_shared_buffer_names_both_transactions(machine: Machine, profile: Profile) -> None:
    transfers = Transfers(machine)
    mdl = machine.mdl(PAGE)
    transfers.start(machine.mdl(PAGE), profile)
    transfers.start(mdl, profile)
    transfers.start(mdl, profile)
    violation, others = name(machine)
    assert violation.rule == Rule.BUFFER_SHARED
    assert (violation.object_type, violation.label) == (ObjectType.MDL, 0)
    assert others == ["transaction 1", "transaction 2"]
    assert "BufferShared, mdl 0, transaction 1, transaction 2; in execute" in violation.summary
    assert "\n  with        transaction 1, transaction 2\n" in str(violation)


def test_a_chain_that_is_shared_names_both(machine: Machine) -> None:
    """The first one lies in the parts of a range, which know whose they are."""
    transfers = Transfers(machine)
    mdls = [machine.mdl(PAGE) for _ in range(3)]
    machine.chain(*mdls)
    transfers.start(mdls[0], Profile.SCATTER_GATHER)
    mdls[1].following = None
    transfers.start(mdls[1], Profile.SCATTER_GATHER)
    violation, others = name(machine)
    assert (violation.rule, violation.label) == (Rule.BUFFER_SHARED, 1)
    assert others == ["transaction 0", "transaction 1"]


def test_a_touched_buffer_names_whose_it_is(machine: Machine) -> None:
    transfers = Transfers(machine)
    transfers.start(machine.mdl(PAGE))
    mdl = machine.mdl(PAGE)
    transfers.start(mdl)
    mdl.read(10)
    violation, others = name(machine)
    assert violation.rule == Rule.BUFFER_TOUCHED
    assert others == ["transaction 1"]


def test_a_freed_buffer_names_who_transfers(machine: Machine) -> None:
    transfers = Transfers(machine)
    mdl = machine.mdl(PAGE)
    transaction = transfers.start(mdl)
    mdl.destroy()
    violation, others = name(machine)
    assert violation.rule == Rule.BUFFER_FREED_WHILE_MAPPED
    assert others == ["transaction 0"]
    transaction.dma_completed()


@pytest.mark.parametrize("goes", [False, True])
def test_a_device_that_goes_on_names_whose_mapping_it_was(machine: Machine, goes: bool) -> None:
    machine.set_rule(Rule.DMA_26, "ignore")
    transfers = Transfers(machine)
    mdl = machine.mdl(2 * PAGE)
    transfers.start(machine.mdl(PAGE))
    transaction = transfers.start(mdl)
    address = transfers.elements[1][0].address
    machine.device_write(address, b"now")
    transaction.dma_completed()
    if goes:
        transaction.release()
        transaction.delete()
        mdl.destroy()
    with pytest.raises(StatusError):
        machine.device_write(address, b"late")
    violation, others = name(machine)
    assert violation.rule == Rule.DEVICE_AFTER_COMPLETION
    if goes:
        assert (violation.handle, violation.object_type) == (0, ObjectType.NONE)
        assert others == []
        assert violation.parameters[1] != 0
    else:
        assert (violation.object_type, violation.label) == (ObjectType.TRANSACTION, 1)
        assert violation.parameters[1] == violation.handle
        assert others == ["mdl 0"]


def test_registers_that_were_freed_name_whose_they_were() -> None:
    with Machine(map_registers=8, force_map_registers=True) as machine:
        machine.set_rule(Rule.DMA_26, "ignore")
        transfers = Transfers(machine)
        transaction = transfers.start(machine.mdl(PAGE))
        address = transfers.elements[0][0].address
        machine.device_write(address, b"now")
        transaction.dma_completed()
        machine.device_write(address, b"late")
        violation, others = name(machine)
        assert violation.rule == Rule.DEVICE_AFTER_FREE
        assert (violation.object_type, violation.label) == (ObjectType.TRANSACTION, 0)
        assert others == ["mdl 0"]
        machine.set_rule(Rule.NONE, "ignore")


def test_an_invalid_chain_names_who_has_it(machine: Machine) -> None:
    transfers = Transfers(machine)
    first, second = machine.mdl(PAGE), machine.mdl(PAGE)
    machine.chain(first, second)
    transaction = transfers.device.enabler(Profile.SCATTER_GATHER, dma_version=3).transaction()
    transaction.initialize(first, program_dma=lambda *_: None).check()
    second.destroy()
    with pytest.raises(BugCheck) as caught:
        transaction.execute()
    error = caught.value
    assert error.rule == Rule.INVALID_MDL
    assert (error.object_type, error.label) == (ObjectType.TRANSACTION, 0)
    assert error.parameters[1] == error.handle != 0


def test_in_json_and_pickles(machine: Machine) -> None:
    transfers = Transfers(machine)
    mdl = machine.mdl(PAGE)
    machine.set_rule(Rule.BUFFER_SHARED, "stop")
    transfers.start(mdl)
    with pytest.raises(BugCheck) as caught:
        transfers.start(mdl)
    error, (violation,) = caught.value, machine.violations
    assert error.others == violation.others
    for item in (error, violation):
        assert pickle.loads(pickle.dumps(item)).others == item.others
    assert error.others[0] == NamedObject(ObjectType.TRANSACTION, 0, error.others[0].handle)


def read_rules() -> dict[str, Scenario]:
    """The scenarios of tests/rules that break a rule of ours, by their names."""
    lines = (RULES / "own.jsonl").read_text(encoding="utf-8").splitlines()
    return {made.name: made for made in (Scenario.parse(json.loads(line)) for line in lines)}


def test_in_the_json_of_a_run() -> None:
    """Handles are without what tells a machine from others, as everywhere in it."""
    (scenario,) = [made for name, made in read_rules().items() if name.startswith("BufferShared:")]
    entries = []
    for _ in range(2):
        outcome = Outcome(Path("a.json"), scenario, execute_scenario(scenario), None)
        document = make_document([outcome], check=False)
        entries += [item["others"] for item in document["scenarios"][0]["violations"]]
    assert len(entries) == 2
    assert entries[0] == entries[1]
    assert [item["type"] for item in entries[0]] == ["transaction", "transaction"]
    assert all(0 < item["handle"] < 1 << 48 for item in entries[0])


@pytest.mark.parametrize(
    "rule", ["InvalidMdl", "BufferShared", "BufferTouched", "DeviceAfterCompletion"]
)
def test_the_examples_name_an_object(rule: str) -> None:
    made = [item for name, item in read_rules().items() if name.startswith(f"{rule}:")]
    assert made
    for scenario in made:
        found = [item for item in execute_scenario(scenario).violations if item.info.name == rule]
        assert found
        assert all(item.object_type for item in found)
