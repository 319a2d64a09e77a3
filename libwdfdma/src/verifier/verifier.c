/* What happens where a rule is broken: the machine stops, remembers, or takes no notice. */
#include "verifier.h"

void verifier_break(wdfdma_machine *machine) {
    if (!machine->config.verifier || machine->state.halted) {
        return;
    }
    machine->state.breaks++;
    log_append(machine, WDFDMA_RECORD_BREAK, machine->state.op, 0);
}

static bool rule_stops(const wdfdma_machine *machine, const wdfdma_rule_info *info) {
    uint32_t mode = machine->rule_modes[info->rule];
    if (info->ending == WDFDMA_ENDING_ALWAYS || mode == WDFDMA_MODE_STOP) {
        return true;
    }
    return info->ending == WDFDMA_ENDING_CHECKED && mode == WDFDMA_MODE_DEFAULT;
}

/* False where nobody takes notice. */
static bool rule_break(wdfdma_machine *machine, wdfdma_rule rule, const uint64_t parameters[4],
                       const object *concerned) {
    const wdfdma_rule_info *info = verifier_get_rule(rule);
    if (machine->state.halted) {
        return false;
    }
    if (rule_stops(machine, info)) {
        machine_bugcheck(machine, info->code, parameters, rule, concerned);
    } else if (machine->rule_modes[rule] != WDFDMA_MODE_IGNORE) {
        violation_record(machine, rule, info->code, parameters, concerned, false);
    } else {
        return false;
    }
    return true;
}

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
    rule_break(machine, rule_of_violation(violation), parameters, concerned);
}

void verifier_dma_violation(wdfdma_machine *machine, wdfdma_rule rule, uint64_t second,
                            uint64_t third, uint64_t fourth, const object *concerned) {
    const uint64_t parameters[4] = {(uint64_t)verifier_get_rule(rule)->first, second, third,
                                    fourth};
    rule_break(machine, rule, parameters, concerned);
}

bool verifier_rule_with(wdfdma_machine *machine, wdfdma_rule rule, uint64_t second, uint64_t third,
                        uint64_t fourth, const object *concerned) {
    const uint64_t parameters[4] = {rule, second, third, fourth};
    return rule_break(machine, rule, parameters, concerned);
}

void verifier_rule(wdfdma_machine *machine, wdfdma_rule rule, const object *concerned) {
    verifier_rule_with(machine, rule, concerned == NULL ? 0 : concerned->handle, 0, 0, concerned);
}
