/* Breaks, bug checks, and the names of our rules. */
#include "verifier.h"

void verifier_break(wdfdma_machine *machine) {
    if (!machine->config.verifier || machine->state.halted) {
        return;
    }
    machine->state.breaks++;
    log_append(machine, WDFDMA_RECORD_BREAK, machine->state.op, 0);
}

void verifier_wdf_violation(wdfdma_machine *machine, wdfdma_wdf_violation violation,
                            uint64_t second, uint64_t third, const object *concerned) {
    const uint64_t parameters[4] = {violation, second, third};
    machine_bugcheck(machine, WDFDMA_BUGCHECK_WDF_VIOLATION, parameters, WDFDMA_RULE_NONE,
                     concerned);
}

void verifier_rule(wdfdma_machine *machine, wdfdma_rule rule, const object *concerned) {
    const uint64_t parameters[4] = {rule, concerned == NULL ? 0 : concerned->handle};
    machine_bugcheck(machine, WDFDMA_BUGCHECK_WDFDMA_VIOLATION, parameters, rule, concerned);
}

static const char *const rule_names[WDFDMA_RULE_COUNT] = {
    "None",
    "PendingReservationDisturbed",
    "CancelledReservationUsed",
    "NoAdapter",
    "CompletedWhileWaiting",
    "CompletedTwice",
    "LengthPastBuffer",
    "ReservedOtherDirection",
    "CompletedWhileConfiguring",
    "FreedWhileTransferring",
    "ListPutTwice",
    "NotConfigured",
    "MappedTwice",
    "InvalidMdl",
    "ChannelNotOwned",
    "InvalidAdapter",
};

const char *wdfdma_rule_get_name(uint32_t rule) {
    return rule < WDFDMA_RULE_COUNT ? rule_names[rule] : NULL;
}
