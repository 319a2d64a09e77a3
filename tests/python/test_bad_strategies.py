"""What strategies and state machines are not to be asked for: refused at the call, with the argument and the rule."""

from typing import Any

import pytest

from wdfdma import testing


@pytest.mark.parametrize(
    ("name", "keys", "kind", "message"),
    [
        ("machines", {"map_registers": -1}, ValueError, "map_registers: -1 is below 0"),
        ("machines", {"map_registers": "4"}, TypeError, "map_registers: '4' is not a whole"),
        ("enablers", {"profiles": ["foo"]}, ValueError, "profiles: 'foo' is none of packet"),
        ("enablers", {"profiles": "packet"}, TypeError, "profiles: 'packet' is one name"),
        ("enablers", {"profiles": []}, ValueError, "profiles: it is empty"),
        ("mdls", {"address_bits": -3}, ValueError, "address_bits: -3 is below 13"),
        ("mdls", {"first_page": -1}, ValueError, "first_page: -1 is below 0"),
        ("buffers", {"most": 0}, ValueError, "most: 0 is below 1"),
        ("worlds", {"machine": {}}, TypeError, "machine: {} is no SearchStrategy"),
        ("worlds", {"most_enablers": 0}, ValueError, "most_enablers: 0 is below 1"),
        ("faults", {"most": 0}, ValueError, "most: 0 is below 1"),
        ("faults", {"harmless": "no"}, TypeError, "harmless: 'no' is neither True nor False"),
        ("fault_plans", {"most": -1}, ValueError, "most: -1 is below 0"),
        ("reactions", {"event": "nope"}, ValueError, "event: 'nope' is none of "),
        ("scenarios", {"families": ["nope"]}, ValueError, "families: 'nope' is none of transac"),
        ("scenarios", {"most": -1}, ValueError, "most: -1 is below 0"),
        ("scenarios", {"worlds": None}, TypeError, "unexpected keyword argument 'worlds'"),
    ],
)
def test_a_strategy_refuses_what_it_cannot_draw(
    name: str, keys: dict[str, Any], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind) as caught:
        getattr(testing, name)(**keys)
    assert message in str(caught.value)


def test_rules_are_a_sequence_of_names() -> None:
    with pytest.raises(TypeError, match="rules: 'cancel' is one name, not a sequence of them"):

        class Few(testing.DmaStateMachine, rules="cancel"):
            """A letter is no rule."""

    with pytest.raises(ValueError, match=r"rules: 'nope' is none of transfer, .*, create, "):

        class Unknown(testing.DmaStateMachine, rules=("nope",)):
            """There is no such rule."""


def test_the_rule_that_is_always_kept_may_be_named() -> None:
    class Named(testing.DmaStateMachine, rules=("create",)):
        """It has no other rule."""

    assert [rule.function.__name__ for rule in Named().rules] == ["create"]
