"""A scenario's steps as C: the driver's calls, and its callbacks with their reactions in order."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from wdfdma.export.c_calls import ACTIONS, CALLBACKS, CALLS, ROUTINES
from wdfdma.problems import Problem

_WIDTH = 100
# A step that makes no call: nothing that was scripted comes to pass in it.
_SILENT = ("on", "pass_wrong")
# Steps on a transaction that no wrong argument is for.
_NOT_HANDED = ("create", "device_read", "device_write")
_WRONG_HANDLES = {
    "null_handle": "NULL",
    "forged_handle": "(WDFDMATRANSACTION)(uintptr_t)0x5A5A5A5A",
    "other_handle": "(WDFDMATRANSACTION)(void *)device",
}
_NAMES = ("adapter", "base", "context", "list", "request", "enabler", "buffer", "transaction")


def number(value: int) -> str:
    """A number as C has it.

    >>> number(4096), number(2**32)
    ('4096', '0x100000000')
    """
    return str(value) if value < 2**31 else f"0x{value:X}"


def wrap(line: str, indent: str) -> list[str]:
    """A line of C, cut where it is too long."""
    lines = []
    while len(indent) + len(line) > _WIDTH and ", " in line[: _WIDTH - len(indent)]:
        at = line.rindex(", ", 0, _WIDTH - len(indent)) + 1
        lines.append(indent + line[:at])
        line = "    " + line[at + 1 :]
    return [*lines, indent + line]


class StepWriter:
    """Writes steps as C; gathers the callbacks, variables and [problems] that they need.

    [elements] is how many elements a device is ever programmed with, at most.
    """

    def __init__(self, elements: int) -> None:
        self.problems: list[Problem] = []
        self._elements = elements
        self._cases: dict[tuple[int, str], list[tuple[Any, list[str]]]] = defaultdict(list)
        self._routines: list[str] = []
        self._declared: dict[str, str] = {}
        self._callbacks: dict[str, tuple[int, str]] = {}
        self._remembers: set[int] = set()
        self._handed: set[str] = set()  # callbacks that a call is given

    def write(self, steps: Sequence[Any], place: str, indent: str = "    ") -> list[str]:
        """The lines of [steps], which stand at [place]; those of the outermost ones say their number."""
        lines: list[str] = []
        wrong: dict[int, tuple[str, str]] = {}
        outermost = place == "steps"
        for index, step in enumerate(steps):
            where = f"{place}[{index}]"
            if outermost:
                lines.append(f"{indent}step({index}); /* {step.op} */")
            if step.op == "pass_wrong":
                wrong[step.transaction] = (step.argument, where)
            else:
                self._require_order(step, wrong)
                lines += self._write_step(step, where, wrong, indent)
        if not outermost:
            self._refuse_wrong(wrong.values())
        return lines

    def _require_order(self, step: Any, wrong: dict[int, tuple[str, str]]) -> None:
        """A wrong argument must be for the next call that is written: no callback may come before it."""
        number = getattr(step, "transaction", None)
        if wrong and step.op not in _SILENT:
            self._refuse_wrong(item for key, item in wrong.items() if key != number)

    def _refuse_wrong(self, pending: Iterable[tuple[str, str]]) -> None:
        for argument, where in pending:
            if argument != "right":
                message = "C cannot say which call is handed it: the next step must be that call"
                self.problems.append(Problem(where, message))

    def _write_step(
        self, step: Any, where: str, wrong: dict[int, tuple[str, str]], indent: str
    ) -> list[str]:
        if step.op == "on":
            return wrap(self._write_reaction(step, where), indent)
        argument = "right"
        if "transaction" in type(step).model_fields and step.op not in _NOT_HANDED:
            argument = wrong.pop(step.transaction, ("right", ""))[0]
        form = self._write_set_callback(step) if step.op == "set_callback" else CALLS.get(step.op)
        if form is None:
            self.problems.append(Problem(where, f"{step.op} has no form in C"))
            return []
        lines = wrap(form.format_map(self._make_words(step, argument, where)), indent)
        if step.op == "delete":
            lines += [
                f"{indent}forget(&{event}_{number}_reactions);"
                for number, event in self._cases
                if number == step.transaction
            ]
        return lines

    def _write_reaction(self, step: Any, where: str) -> str:
        cases = self._cases[step.transaction, step.event]
        place = len(cases)
        cases.append((step, []))
        name = self._name_callback(step.transaction, step.event)
        cases[place] = (step, self.write(step.do, f"{where}.do", " " * 8))
        return f"react_later(&{name}_reactions, {place + 1});"

    def _write_set_callback(self, step: Any) -> str:
        name = self._hand(step.transaction, step.event) if step.value else "NULL"
        call = (
            "WdfDmaTransactionSetChannelConfigurationCallback"
            if step.event == "configure_dma_channel"
            else "WdfDmaTransactionSetTransferCompleteCallback"
        )
        return f"{call}({{transaction}}, {name}, NULL);"

    def _name_callback(self, transaction: int, event: str) -> str:
        name = f"{event}_{transaction}"
        self._callbacks[name] = (transaction, event)
        return name

    def _hand(self, transaction: int, event: str) -> str:
        name = self._name_callback(transaction, event)
        self._handed.add(name)
        return name

    def _declare(self, kind: str, name: str, text: str) -> str:
        self._declared.setdefault(name, f"static {kind} {text};")
        return name

    def _make_words(self, step: Any, argument: str, where: str) -> dict[str, str]:
        """The operands of a step as C has them."""
        words: dict[str, str] = {}
        for key in type(step).model_fields:
            value = getattr(step, key)
            if isinstance(value, bool):
                words[key] = "TRUE" if value else "FALSE"
            elif isinstance(value, int):
                words[key] = number(value)
        for kind in _NAMES:
            if kind in words:
                words[kind] = f"{kind}_{getattr(step, kind)}"
        if "direction" in type(step).model_fields:
            read = step.direction == "read"
            words["direction"] = f"WdfDmaDirection{'ReadFrom' if read else 'WriteTo'}Device"
            words["writes"] = "FALSE" if read else "TRUE"
            words["type"] = f"WdfRequestType{'Read' if read else 'Write'}"
        self._add_names(step, words)
        if "transaction" in words:
            self._add_transaction(step, words, argument)
        if "do" in type(step).model_fields:
            words["routine"] = self._write_routine(step, words, where)
        return words

    def _add_names(self, step: Any, words: dict[str, str]) -> None:
        """What has a variable: declared where it is first named."""
        kinds = {"adapter": "PDMA_ADAPTER", "base": "PVOID", "list": "PSCATTER_GATHER_LIST"}
        kinds |= {"request": "WDFREQUEST", "transaction": "WDFDMATRANSACTION"}
        for key, kind in kinds.items():
            if key in words:
                self._declare(kind, words[key], words[key])
        if "context" in words:
            self._declare(
                "UCHAR", words["context"], f"{words['context']}[DMA_TRANSFER_CONTEXT_SIZE_V1]"
            )
        if "room" in words:
            name = f"room_{step.list}_{step.room}"
            self._declare("UCHAR", name, f"_Alignas(16) {name}[{max(step.room, 1)}]")
            words["room_bytes"], words["room"] = words["room"], name
        if "common_buffer" in words:
            own = "adapter" in words or step.op == "write_common_buffer"
            name = f"{'allocated' if own else 'common_buffer'}_{step.common_buffer}"
            words["allocated"] = words["common_buffer"] = name
            self._declare("allocated_buffer" if own else "WDFCOMMONBUFFER", name, name)
        if "irql" in type(step).model_fields:
            words["irql"] = step.irql.upper()
        if "action" in type(step).model_fields:
            words["action"] = ACTIONS[step.action]
        if "synchronous" in words:
            words["synchronous"] = "DMA_SYNCHRONOUS_CALLBACK" if step.synchronous else "0"
        if "buffer" in words and "offset" in words:
            words["address"] = f"address_in({words['buffer']}, {words['offset']})"

    def _add_transaction(self, step: Any, words: dict[str, str], argument: str) -> None:
        if "element" in words:
            self._remembers.add(step.transaction)
            place = f"elements_{step.transaction}[{step.element}]"
            words["element"] = f"(uint64_t){place}.Address.QuadPart"
        words["transaction"] = _WRONG_HANDLES.get(argument, words["transaction"])
        words["object"] = f"(WDFOBJECT){words['transaction']}"
        words["mdl"] = "NULL" if argument == "null_mdl" else words.get("buffer", "NULL")
        for key, event in (("callback", "program_dma"), ("reserve", "reserve_dma")):
            if f"{{{key}}}" in CALLS.get(step.op, ""):
                is_null = argument == "null_callback"
                words[key] = "NULL" if is_null else self._hand(step.transaction, event)

    def _write_routine(self, step: Any, words: dict[str, str], where: str) -> str:
        """The routine that a WDM driver's call is given."""
        kind = "completion" if step.op == "map_transfer_ex" else "list_control"
        kind = "adapter_control" if "action" in words else kind
        name = re.sub(r"\W+", "_", f"{kind}_of_{where}").strip("_")
        role, head, unused = ROUTINES[kind]
        lines = [*wrap(f"static {head.format(name=name)} {{", "")]
        lines += [f"    (void){argument};" for argument in unused]
        if kind == "adapter_control":
            lines.append(f"    {words['base']} = MapRegisterBase;")
        elif kind == "list_control":
            lines.append(f"    {words['list']} = ScatterGather;")
        lines += self.write(step.do, f"{where}.do")
        if kind == "adapter_control":
            lines.append(f"    return {words['action']};")
        self._declared[name] = f"static {role} {name};"
        self._routines.append("\n".join([*lines, "}\n"]))
        return name

    @property
    def most_reactions(self) -> int:
        """How many reactions the callback with the most has."""
        return max((len(cases) for cases in self._cases.values()), default=1)

    def write_unused(self) -> list[str]:
        """Lines that name the callbacks which no call is given, for the compiler."""
        unused = [name for name in self._callbacks if name not in self._handed]
        return [f"    (void){name}; /* no call is given it */" for name in unused]

    def write_declarations(self) -> str:
        """The variables, and the callbacks' names."""
        lines = list(self._declared.values())
        for number_, event in self._cases:
            lines.append(f"static reactions {event}_{number_}_reactions;")
        for number_ in sorted(self._remembers):
            self._name_callback(number_, "program_dma")
            lines.append(
                f"static SCATTER_GATHER_ELEMENT elements_{number_}[{max(self._elements, 1)}];"
            )
        used = (
            f"static {CALLBACKS[event][0]} {name};" for name, (_, event) in self._callbacks.items()
        )
        return "\n".join([*lines, *used, ""])

    def write_callbacks(self) -> str:
        """The callbacks, and the routines of a WDM driver."""
        made = [self._write_callback(*item) for item in self._callbacks.items()]
        return "\n".join([*made, *self._routines])

    def _write_callback(self, name: str, of: tuple[int, str]) -> str:
        transaction, event = of
        _, head, arguments = CALLBACKS[event]
        cases = self._cases.get(of, [])
        remembers = event == "program_dma" and transaction in self._remembers
        unused = [item for item in arguments if not (remembers and item == "SgList")]
        lines = [*wrap(f"static {head.format(name=name)} {{", "")]
        lines += [f"    (void){item};" for item in unused]
        if remembers:
            lines.append(f"    elements_keep(elements_{transaction}, {self._elements}, SgList);")
        returns = head.startswith("BOOLEAN")
        if cases:
            lines.append(f"    switch (take(&{name}_reactions)) {{")
            for place, (step, body) in enumerate(cases, 1):
                end = f"return {'TRUE' if step.returns else 'FALSE'};" if returns else "break;"
                lines += [f"    case {place}:", *body, f"        {end}"]
            lines += ["    default:", "        break;", "    }"]
        if returns:
            lines.append("    return TRUE;")
        return "\n".join([*lines, "}\n"])
