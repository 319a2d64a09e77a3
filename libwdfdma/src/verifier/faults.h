/* Injected faults: whether the call in progress is to fail. Framework and hal ask where a call
 * that is right could fail all the same, and then leave behind what that failure leaves. */
#ifndef WDFDMA_FAULTS_H
#define WDFDMA_FAULTS_H

#include "machine/machine.h"

/* What a call has to do with, where its documentation says a status of that only. */
typedef enum fault_trait {
    FAULT_TRAIT_LISTS = 1, /* a scatter/gather profile */
    FAULT_TRAIT_SINGLE_TRANSFER = 2,
    FAULT_TRAIT_VERSION_2_PACKET = 4,
    FAULT_TRAIT_VERSION_3 = 8
} fault_trait;

/* True where a call of [op] with [traits] may fail with [status], which is one of its own. */
bool fault_fits(uint32_t op, NTSTATUS status, uint32_t traits);

/* Counts for every fault of the plan; true where one hits. [status] is written only then. */
COLD bool faults_hit(wdfdma_machine *machine, wdfdma_fault_kind kind, uint32_t traits,
                     NTSTATUS *status);

/* True where the innermost call in progress, which has [traits], is to fail with [status]. */
static inline bool fault_hits_call(wdfdma_machine *machine, uint32_t traits, NTSTATUS *status) {
    return UNLIKELY((machine->attention & (ATTENTION_FAULTS | ATTENTION_SITES)) != 0) &&
           faults_hit(machine, WDFDMA_FAULT_CALL, traits, status);
}

/* The same for what lies below the DDIs, and has no status. */
static inline bool fault_hits(wdfdma_machine *machine, wdfdma_fault_kind kind) {
    NTSTATUS none;
    return UNLIKELY((machine->attention & (ATTENTION_FAULTS | ATTENTION_SITES)) != 0) &&
           faults_hit(machine, kind, 0, &none);
}

#endif
