/* What happens where a rule is broken: the machine stops, remembers, or takes no notice. */
#include "verifier.h"

#include <string.h>

static bool rule_stops(const wdfdma_machine *machine, const wdfdma_rule_info *info) {
    uint32_t mode = machine->rule_modes[info->rule];
    if (info->ending == WDFDMA_ENDING_ALWAYS || mode == WDFDMA_MODE_STOP) {
        return true;
    }
    return info->ending == WDFDMA_ENDING_CHECKED && mode == WDFDMA_MODE_DEFAULT;
}

/* Counts a violation that is not ignored; true for the one at which the machine is to stop. */
static bool violation_is_awaited(wdfdma_machine *machine) {
    return machine->stop_countdown != 0 && --machine->stop_countdown == 0;
}

static wdfdma_violation record_make(const wdfdma_machine *machine, wdfdma_rule rule,
                                    const uint64_t given[4], const object *concerned) {
    uint64_t parameters[4];
    for (int i = 0; i < 4; i++) {
        parameters[i] = address_localize(machine, given[i]);
    }
    return violation_make(machine, rule, verifier_get_rule(rule)->code, parameters, concerned);
}

wdfdma_violation verifier_make(const wdfdma_machine *machine, wdfdma_rule rule, uint64_t second,
                               uint64_t third, uint64_t fourth, const object *concerned) {
    const uint64_t parameters[4] = {rule, second, third, fourth};
    return record_make(machine, rule, parameters, concerned);
}

/* False where nobody takes notice. */
static bool rule_break(wdfdma_machine *machine, wdfdma_rule rule, const uint64_t given[4],
                       const object *concerned, const uint64_t others[2]) {
    const wdfdma_rule_info *info = verifier_get_rule(rule);
    if (machine->state.halted) {
        return false;
    }
    bool stops = rule_stops(machine, info);
    if (!stops && machine->rule_modes[rule] == WDFDMA_MODE_IGNORE) {
        return false;
    }
    wdfdma_violation made = record_make(machine, rule, given, concerned);
    violation_add_others(machine, &made, others);
    if (violation_is_awaited(machine) || stops) {
        machine_stop(machine, &made);
    } else {
        violation_keep(machine, &made);
    }
    return true;
}

static const uint64_t NO_OTHERS[2] = {0, 0};

static wdfdma_rule rule_of_violation(wdfdma_wdf_violation violation) {
    switch (violation) {
    case WDFDMA_WDF_VERIFIER_FATAL_ERROR:
        return WDFDMA_RULE_WDF_VERIFIER_FATAL_ERROR;
    case WDFDMA_WDF_REQUIRED_PARAMETER_IS_NULL:
        return WDFDMA_RULE_WDF_REQUIRED_PARAMETER_IS_NULL;
    case WDFDMA_WDF_INVALID_HANDLE:
        return WDFDMA_RULE_WDF_INVALID_HANDLE;
    case WDFDMA_WDF_REQUEST_FATAL_ERROR:
        return WDFDMA_RULE_WDF_REQUEST_FATAL_ERROR;
    case WDFDMA_WDF_OBJECT_ERROR:
        return WDFDMA_RULE_WDF_OBJECT_ERROR;
    default:
        return WDFDMA_RULE_WDF_DMA_FATAL_ERROR;
    }
}

void verifier_wdf_violation(wdfdma_machine *machine, wdfdma_wdf_violation violation,
                            uint64_t second, uint64_t third, const object *concerned) {
    const uint64_t parameters[4] = {violation, second, third};
    rule_break(machine, rule_of_violation(violation), parameters, concerned, NO_OTHERS);
}

bool verifier_dma_violation(wdfdma_machine *machine, wdfdma_rule rule, uint64_t second,
                            uint64_t third, uint64_t fourth, const object *concerned) {
    const uint64_t parameters[4] = {(uint64_t)verifier_get_rule(rule)->first, second, third,
                                    fourth};
    return rule_break(machine, rule, parameters, concerned, NO_OTHERS);
}

bool verifier_rule_with(wdfdma_machine *machine, wdfdma_rule rule, uint64_t second, uint64_t third,
                        uint64_t fourth, const object *concerned) {
    const uint64_t parameters[4] = {rule, second, third, fourth};
    return rule_break(machine, rule, parameters, concerned, NO_OTHERS);
}

bool verifier_rule_among(wdfdma_machine *machine, wdfdma_rule rule, const uint64_t given[3],
                         const object *concerned, const uint64_t others[2]) {
    const uint64_t parameters[4] = {rule, given[0], given[1], given[2]};
    return rule_break(machine, rule, parameters, concerned, others);
}

void verifier_break(wdfdma_machine *machine, const object *concerned) {
    if (!machine->config.verifier || machine->state.halted) {
        return;
    }
    machine->state.breaks++;
    log_append(machine, WDFDMA_RECORD_BREAK, machine->state.op, 0);
    verifier_rule_with(machine, WDFDMA_RULE_VERIFIER_BREAK, machine->state.op, 0, 0, concerned);
}

void verifier_rule(wdfdma_machine *machine, wdfdma_rule rule, const object *concerned) {
    verifier_rule_with(machine, rule, concerned == NULL ? 0 : concerned->handle, 0, 0, concerned);
}

NTSTATUS wdfdma_machine_stop_at_violation(wdfdma_machine *machine, uint64_t n) {
    if (machine == NULL) {
        return STATUS_INVALID_PARAMETER;
    }
    if (machine->state.halted) {
        return STATUS_UNSUCCESSFUL;
    }
    machine->stop_countdown = n;
    return STATUS_SUCCESS;
}

NTSTATUS wdfdma_machine_set_rule_mode(wdfdma_machine *machine, uint32_t rule, uint32_t mode) {
    if (machine == NULL || rule >= WDFDMA_RULE_COUNT || mode > WDFDMA_MODE_IGNORE) {
        return STATUS_INVALID_PARAMETER;
    }
    if (machine->state.halted) {
        return STATUS_UNSUCCESSFUL;
    }
    if (rule == WDFDMA_RULE_NONE) {
        memset(machine->rule_modes, (int)mode, sizeof machine->rule_modes);
    } else {
        machine->rule_modes[rule] = (uint8_t)mode;
    }
    return STATUS_SUCCESS;
}

uint32_t wdfdma_machine_get_rule_mode(const wdfdma_machine *machine, uint32_t rule) {
    return machine == NULL || rule >= WDFDMA_RULE_COUNT ? (uint32_t)WDFDMA_MODE_DEFAULT
                                                        : machine->rule_modes[rule];
}
