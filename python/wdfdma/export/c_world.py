"""The world of a scenario in C: its machine, its faults, its enablers and buffers."""

from wdfdma.enums import Rule
from wdfdma.export.c_calls import PROFILES
from wdfdma.export.c_steps import number, wrap
from wdfdma.fault_forms import translate_fault
from wdfdma.fault_records import FaultKind, PlannedFault
from wdfdma.rules import find_rule
from wdfdma.scenario import BufferPart, Enabler, Scenario


def write_world(scenario: Scenario) -> str:
    """The function that makes the world."""
    lines = ["static bool world_create(void) {", *_write_machine(scenario)]
    for index, fault in enumerate(scenario.faults):
        planned = translate_fault(fault)
        if planned is not None:
            lines += _write_fault(planned, index)
    lines.append("    wdfdma_device_create(machine, WDF_NO_OBJECT_ATTRIBUTES, &device);")
    if scenario.enablers:
        lines.append("    WDF_DMA_ENABLER_CONFIG enabler;")
    for index, enabler in enumerate(scenario.enablers):
        lines += _write_enabler(enabler, index)
    pages: list[str] = []
    for index, buffer in enumerate(scenario.buffers):
        pages += _write_pages(buffer, index)
        lines += _write_buffer(buffer, index)
    return "\n".join([*pages, "", *lines, "    return true;", "}\n"])


def declare_world(scenario: Scenario) -> str:
    """The variables that both the world and the driver use."""
    lines = [f"static WDFDMAENABLER enabler_{index};" for index in range(len(scenario.enablers))]
    lines += [f"static PMDL buffer_{index};" for index in range(len(scenario.buffers))]
    return "\n".join(lines)


def _write_machine(scenario: Scenario) -> list[str]:
    machine = scenario.machine
    settings = {
        "map_registers": machine.map_registers,
        "registers_per_adapter": machine.granted_registers,
        "physical_address_bits": machine.physical_address_bits,
        "force_map_registers": str(machine.force_map_registers).lower(),
        "verifier": str(machine.verifier).lower(),
        "maximum_depth": machine.maximum_depth,
        "log_records": "WDFDMA_LOG_GROWS",
    }
    lines = ["    wdfdma_machine_config config;", "    wdfdma_machine_config_init(&config);"]
    lines += [f"    config.{key} = {value};" for key, value in settings.items()]
    lines += [
        "    if (!NT_SUCCESS(wdfdma_machine_create(&config, &machine))) {",
        "        return false;",
        "    }",
    ]
    for name, mode in scenario.rules.items():
        rule = f"WDFDMA_RULE_{(find_rule(name) or Rule.NONE).name}"
        lines += wrap(
            f"wdfdma_machine_set_rule_mode(machine, {rule}, WDFDMA_MODE_{mode.upper()});", "    "
        )
    return lines


def _write_fault(fault: PlannedFault, index: int) -> list[str]:
    fields = [f".kind = WDFDMA_FAULT_{fault.kind.name}"]
    if fault.op and not fault.routine:
        fields.append(f".op = WDFDMA_OP_{fault.op.name}")
    if fault.routine:
        fields.append(f".routine = WDFDMA_ROUTINE_{fault.routine.name}")
    if fault.kind == FaultKind.DEVICE:
        fields.append(f".behaviour = WDFDMA_DEVICE_{fault.behaviour.name}")
    if fault.nth:
        fields.append(f".nth = {number(fault.nth)}")
    else:
        fields.append(f".per_mille = {fault.per_mille}, .seed = {number(fault.seed)}")
    if fault.kind == FaultKind.CALL:
        fields.append(f".status = {fault.status.name}")
    return [
        *wrap(f"const wdfdma_fault fault_{index} = {{{', '.join(fields)}}};", "    "),
        f"    wdfdma_machine_add_fault(machine, &fault_{index});",
    ]


def _write_enabler(enabler: Enabler, index: int) -> list[str]:
    name, profile = f"enabler_{index}", PROFILES[enabler.profile]
    length = number(enabler.maximum_length)
    lines = [f"    WDF_DMA_ENABLER_CONFIG_INIT(&enabler, {profile}, {length});"]
    if enabler.dma_version:
        lines.append(f"    enabler.WdmDmaVersionOverride = {enabler.dma_version};")
    if enabler.address_width:
        lines.append(f"    enabler.AddressWidthOverride = {enabler.address_width};")
    if enabler.single_transfer:
        lines.append("    enabler.Flags |= WDF_DMA_ENABLER_CONFIG_REQUIRE_SINGLE_TRANSFER;")
    lines += wrap(
        f"status = WdfDmaEnablerCreate(device, &enabler, WDF_NO_OBJECT_ATTRIBUTES, &{name});",
        "    ",
    )
    if enabler.configured and enabler.profile.startswith("system"):
        lines.append(f"    channel_configure({name}, WdfDmaDirectionReadFromDevice);")
        if enabler.profile == "system_duplex":
            lines.append(f"    channel_configure({name}, WdfDmaDirectionWriteToDevice);")
    if enabler.maximum_elements is not None:
        most = number(enabler.maximum_elements)
        lines.append(f"    WdfDmaEnablerSetMaximumScatterGatherElements({name}, {most});")
    return lines


def _write_pages(buffer: list[BufferPart], index: int) -> list[str]:
    lines = []
    for place, part in enumerate(buffer):
        pages = ", ".join(number(pfn) for pfn in part.pfns)
        lines += wrap(f"static const uint64_t pages_{index}_{place}[] = {{{pages}}};", "")
    return lines


def _write_buffer(buffer: list[BufferPart], index: int) -> list[str]:
    lines = []
    link = f"buffer_{index}"
    for place, part in enumerate(buffer):
        made = f"mdl_create({part.offset}, {number(part.length)}, pages_{index}_{place}, {len(part.pfns)})"
        lines.append(f"    {link} = {made};")
        link += "->Next"
    return lines
