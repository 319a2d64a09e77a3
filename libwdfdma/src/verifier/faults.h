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

/* Where a fault may hit. */
typedef struct fault_point {
    wdfdma_fault_kind kind;
    uint32_t op;         /* the call, or the move */
    uint32_t traits;     /* of a call: fault_trait, or-ed */
    uint32_t routine;    /* of an op that stands for several: wdfdma_routine */
    uint32_t behaviours; /* that a move can show: bits of 1 << wdfdma_device_behaviour */
} fault_point;

/* True where a call of [op], of its [routine] if that is told, with [traits] may fail with [status],
 * which is one of the op's own. */
bool fault_fits(uint32_t op, uint32_t routine, NTSTATUS status, uint32_t traits);

/* Counts for every fault of the plan that [point] meets; the first that hits, or NULL. */
COLD const wdfdma_fault *faults_hit(wdfdma_machine *machine, const fault_point *point);
COLD bool faults_hit_call(wdfdma_machine *machine, uint32_t traits, uint32_t routine,
                          NTSTATUS *status);
COLD bool faults_hit_below(wdfdma_machine *machine, wdfdma_fault_kind kind);

/* While there is a plan, or call sites fail. */
static inline bool faults_are_asked(const wdfdma_machine *machine) {
    return UNLIKELY((machine->attention & (ATTENTION_FAULTS | ATTENTION_SITES)) != 0);
}
static inline bool sites_are_asked(const wdfdma_machine *machine) {
    return (machine->attention & ATTENTION_SITES) != 0;
}
/* While there is a plan, which alone knows of the device. */
static inline bool faults_are_planned(const wdfdma_machine *machine) {
    return UNLIKELY((machine->attention & ATTENTION_FAULTS) != 0);
}

/* True where the innermost call in progress, which has [traits], is to fail with [status], which is
 * written only then. */
static inline bool fault_hits_call(wdfdma_machine *machine, uint32_t traits, NTSTATUS *status) {
    return faults_are_asked(machine) &&
           faults_hit_call(machine, traits, WDFDMA_ROUTINE_ANY, status);
}

/* The same of one of the routines that its op stands for. */
static inline bool fault_hits_routine(wdfdma_machine *machine, uint32_t routine, NTSTATUS *status) {
    return faults_are_asked(machine) && faults_hit_call(machine, 0, routine, status);
}

/* The same for what lies below the DDIs, and has no status. */
static inline bool fault_hits(wdfdma_machine *machine, wdfdma_fault_kind kind) {
    return faults_are_asked(machine) && faults_hit_below(machine, kind);
}

/* All that a move can show, and what is left of it where it has no half. */
enum {
    BEHAVIOURS_ALL = (1 << WDFDMA_DEVICE_BEHAVIOUR_COUNT) - 2,
    BEHAVIOURS_WHOLE = BEHAVIOURS_ALL & ~(1 << WDFDMA_DEVICE_SHORT)
};

/* How the device makes the move [op], of which it can show [behaviours]. */
COLD uint32_t faults_misbehave(wdfdma_machine *machine, uint32_t op, uint32_t behaviours);
static inline uint32_t device_behave(wdfdma_machine *machine, uint32_t op, uint32_t behaviours) {
    return faults_are_planned(machine) ? faults_misbehave(machine, op, behaviours)
                                       : (uint32_t)WDFDMA_DEVICE_OBEYS;
}

/* routines.c */
bool routine_may_fail(uint32_t routine, NTSTATUS status);

#endif
