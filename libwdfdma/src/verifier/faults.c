/* The plan of faults: what each DDI may fail with, what is counted, what is hit.
 *
 * The plan lies in the machine, so that a restore takes it back too. While there is one, a bit of
 * the machine's attention is set, which sends every call the full way; without one, nothing here
 * is reached. */
#include "faults.h"

#include "machine/journal.h"
#include "sites.h"

#include <string.h>

enum {
    STATUSES_MOST = 5,
    FEWEST = 8,
    MOST = 1 << 16
};

/* What an op may fail with, from its page of the driver documentation and from
 * docs/spec/framework.md, but for what tells of a mistake in its arguments alone. [needs]: any of
 * these traits; 0: none is needed. */
typedef struct fault_op {
    NTSTATUS statuses[STATUSES_MOST];
    uint8_t needs[STATUSES_MOST];
    uint32_t count;
} fault_op;

/* STATUS_BUFFER_TOO_SMALL: as where DMA remapping measures a buffer of 4 GB - 4 KB
 * (microsoft/Windows-Driver-Frameworks#24). */
#define INITIALIZE_FAULTS \
    {.statuses = {STATUS_INSUFFICIENT_RESOURCES, STATUS_WDF_TOO_FRAGMENTED, \
                  STATUS_WDF_NOT_ENOUGH_MAP_REGISTERS, STATUS_WDF_TOO_MANY_TRANSFERS, \
                  STATUS_BUFFER_TOO_SMALL}, \
     .needs = {0, FAULT_TRAIT_LISTS | FAULT_TRAIT_SINGLE_TRANSFER, FAULT_TRAIT_SINGLE_TRANSFER, \
               FAULT_TRAIT_SINGLE_TRANSFER, FAULT_TRAIT_LISTS}, \
     .count = 5}
/* The start of the next transfer; a packet's registers stay, so that it cannot fail. */
#define COMPLETE_FAULTS \
    {.statuses = {STATUS_INSUFFICIENT_RESOURCES, STATUS_WDF_TOO_FRAGMENTED}, \
     .needs = {FAULT_TRAIT_LISTS, FAULT_TRAIT_LISTS}, \
     .count = 2}
#define NO_RESOURCES {.statuses = {STATUS_INSUFFICIENT_RESOURCES}, .count = 1}

static const fault_op ops[] = {
    [WDFDMA_OP_CREATE] = NO_RESOURCES,
    [WDFDMA_OP_INITIALIZE] = INITIALIZE_FAULTS,
    [WDFDMA_OP_EXECUTE] = {.statuses = {STATUS_INSUFFICIENT_RESOURCES, STATUS_WDF_TOO_FRAGMENTED,
                                        STATUS_WDF_BUSY},
                           .needs = {0, FAULT_TRAIT_LISTS, FAULT_TRAIT_VERSION_2_PACKET},
                           .count = 3},
    [WDFDMA_OP_ALLOCATE_RESOURCES] = NO_RESOURCES,
    [WDFDMA_OP_DMA_COMPLETED] = COMPLETE_FAULTS,
    [WDFDMA_OP_DMA_COMPLETED_WITH_LENGTH] = COMPLETE_FAULTS,
    [WDFDMA_OP_ENABLER_CREATE] = {.statuses = {STATUS_INSUFFICIENT_RESOURCES, STATUS_UNSUCCESSFUL,
                                               STATUS_NOT_SUPPORTED},
                                  .needs = {0, 0, FAULT_TRAIT_VERSION_3},
                                  .count = 3},
    [WDFDMA_OP_ENABLER_CONFIGURE_SYSTEM_PROFILE] = {.statuses = {STATUS_NOT_SUPPORTED,
                                                                 STATUS_UNSUCCESSFUL},
                                                    .count = 2},
    [WDFDMA_OP_INITIALIZE_USING_REQUEST] = INITIALIZE_FAULTS,
    [WDFDMA_OP_COMMON_BUFFER_CREATE] = NO_RESOURCES,
    /* These stand for several routines; routines.c knows which of them can fail how. */
    [WDFDMA_OP_REQUEST_CALL] = NO_RESOURCES,
    [WDFDMA_OP_OBJECT_CALL] = NO_RESOURCES,
    [WDFDMA_OP_ADAPTER_CALL] = {.statuses = {STATUS_INSUFFICIENT_RESOURCES, STATUS_NOT_SUPPORTED},
                                .count = 2},
};

static const fault_op *op_find(uint32_t op) {
    return op < sizeof ops / sizeof *ops && ops[op].count != 0 ? &ops[op] : NULL;
}

/* The place of [status] in [of], or its count. */
static uint32_t status_find(const fault_op *of, NTSTATUS status) {
    uint32_t at = 0;
    while (at < of->count && of->statuses[at] != status) {
        at++;
    }
    return at;
}

const NTSTATUS *wdfdma_fault_get_statuses(uint32_t op, size_t *count) {
    if (count == NULL) {
        return NULL;
    }
    const fault_op *of = op_find(op);
    *count = of == NULL ? 0 : of->count;
    return of == NULL ? NULL : of->statuses;
}

static bool call_is_valid(const wdfdma_fault *fault) {
    if (fault->routine != WDFDMA_ROUTINE_ANY) {
        const wdfdma_routine_info *info = wdfdma_fault_get_routine(fault->routine);
        return info != NULL && (fault->op == WDFDMA_OP_NONE || fault->op == info->op) &&
               routine_may_fail(fault->routine, fault->status);
    }
    const fault_op *of = op_find(fault->op);
    return of != NULL && status_find(of, fault->status) < of->count;
}

static bool move_is_valid(const wdfdma_fault *fault) {
    switch (fault->op) {
    case WDFDMA_OP_NONE:
    case WDFDMA_OP_DEVICE_READ:
    case WDFDMA_OP_DEVICE_WRITE:
    case WDFDMA_OP_COMPLETE_TRANSFER:
    case WDFDMA_OP_DMA_COMPLETED:
    case WDFDMA_OP_DMA_COMPLETED_WITH_LENGTH:
    case WDFDMA_OP_DMA_COMPLETED_FINAL:
        return fault->behaviour != WDFDMA_DEVICE_OBEYS &&
               fault->behaviour < WDFDMA_DEVICE_BEHAVIOUR_COUNT;
    default:
        return false;
    }
}

static bool fault_is_valid(const wdfdma_fault *fault) {
    bool is_call = fault->kind == WDFDMA_FAULT_CALL;
    bool is_move = fault->kind == WDFDMA_FAULT_DEVICE;
    if (fault->kind >= WDFDMA_FAULT_KIND_COUNT || fault->per_mille > 1000 ||
        (fault->nth != 0 && fault->per_mille != 0)) {
        return false;
    }
    if ((!is_call && (fault->routine != WDFDMA_ROUTINE_ANY || fault->status != STATUS_SUCCESS)) ||
        (!is_move && fault->behaviour != WDFDMA_DEVICE_OBEYS)) {
        return false;
    }
    if (is_call) {
        return call_is_valid(fault);
    }
    return is_move ? move_is_valid(fault) : fault->op == WDFDMA_OP_NONE;
}

static bool plan_grow(wdfdma_machine *machine) {
    fault_plan *plan = &machine->faults;
    uint32_t capacity = plan->capacity == 0 ? FEWEST : 2 * plan->capacity;
    void *grown = plan->capacity >= MOST
                      ? NULL
                      : data_grow(machine, plan->faults, plan->count * sizeof *plan->faults,
                                  capacity * sizeof *plan->faults);
    if (grown == NULL) {
        return false;
    }
    plan->faults = grown;
    plan->capacity = capacity;
    return true;
}

NTSTATUS wdfdma_machine_add_fault(wdfdma_machine *machine, const wdfdma_fault *fault) {
    if (machine == NULL || fault == NULL || !fault_is_valid(fault)) {
        return STATUS_INVALID_PARAMETER;
    }
    if (machine->state.halted) {
        return STATUS_UNSUCCESSFUL;
    }
    fault_plan *plan = &machine->faults;
    wdfdma_fault added = *fault; /* which may lie in the plan itself */
    if (plan->count == plan->capacity && !plan_grow(machine)) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    if (added.routine != WDFDMA_ROUTINE_ANY) {
        added.op = wdfdma_fault_get_routine(added.routine)->op;
    }
    added.hit_op = WDFDMA_OP_NONE;
    added.hit_step = 0;
    added.hits = 0;
    added.met = 0;
    plan->faults[plan->count++] = added;
    machine->attention |= ATTENTION_FAULTS;
    if (journal_is_on(machine)) {
        journal_write_fault(machine, &added);
    }
    return STATUS_SUCCESS;
}

const wdfdma_fault *wdfdma_machine_get_faults(const wdfdma_machine *machine, size_t *count) {
    if (machine == NULL || count == NULL) {
        return NULL;
    }
    *count = machine->faults.count;
    return machine->faults.faults;
}

NTSTATUS wdfdma_machine_clear_faults(wdfdma_machine *machine) {
    if (machine == NULL) {
        return STATUS_INVALID_PARAMETER;
    }
    if (machine->state.halted) {
        return STATUS_UNSUCCESSFUL;
    }
    journal_mark(machine, WDFDMA_JOURNAL_FAULTS_CLEARED, 0, 0);
    data_free(machine, machine->faults.faults);
    machine->faults = (fault_plan){.faults = NULL};
    machine->attention &= ~(uint32_t)ATTENTION_FAULTS;
    return STATUS_SUCCESS;
}

/* The n-th number after [seed]: what chance says depends on nothing else. */
static uint64_t chance_get(uint64_t seed, uint64_t n) {
    return seed_mix(seed + (n - 1) * 0x9E3779B97F4A7C15u);
}

bool fault_fits(uint32_t op, uint32_t routine, NTSTATUS status, uint32_t traits) {
    if (routine != WDFDMA_ROUTINE_ANY) {
        return routine_may_fail(routine, status);
    }
    const fault_op *of = op_find(op);
    uint32_t needs = of->needs[status_find(of, status)];
    return needs == 0 || (needs & traits) != 0;
}

static bool call_meets(const wdfdma_fault *fault, const fault_point *point) {
    bool named = fault->routine == WDFDMA_ROUTINE_ANY || fault->routine == point->routine;
    return named && fault->op == point->op &&
           fault_fits(point->op, point->routine, fault->status, point->traits);
}

static bool fault_meets(const wdfdma_fault *fault, const fault_point *point) {
    if (fault->kind != (uint32_t)point->kind) {
        return false;
    }
    if (point->kind == WDFDMA_FAULT_CALL) {
        return call_meets(fault, point);
    }
    if (point->kind == WDFDMA_FAULT_DEVICE) {
        return (fault->op == WDFDMA_OP_NONE || fault->op == point->op) &&
               (point->behaviours >> fault->behaviour & 1) != 0;
    }
    return true;
}

static bool fault_counts_to_hit(wdfdma_fault *fault) {
    fault->met++;
    return fault->nth != 0 ? fault->met == fault->nth
                           : chance_get(fault->seed, fault->met) % 1000 < fault->per_mille;
}

const wdfdma_fault *faults_hit(wdfdma_machine *machine, const fault_point *point) {
    const wdfdma_fault *first = NULL;
    if (machine->state.halted) {
        return NULL;
    }
    for (uint32_t i = 0; i < machine->faults.count; i++) {
        wdfdma_fault *fault = &machine->faults.faults[i];
        if (!fault_meets(fault, point) || !fault_counts_to_hit(fault)) {
            continue;
        }
        fault->hits++;
        fault->hit_op = point->op;
        fault->hit_step = machine->state.step;
        first = first == NULL ? fault : first;
    }
    return first;
}

bool faults_hit_call(wdfdma_machine *machine, uint32_t traits, uint32_t routine, NTSTATUS *status) {
    const fault_point point = {
        .kind = WDFDMA_FAULT_CALL, .op = machine->state.op, .traits = traits, .routine = routine};
    const wdfdma_fault *hit = faults_hit(machine, &point);
    if (hit != NULL) {
        *status = hit->status;
        return true;
    }
    return sites_are_asked(machine) &&
           sites_hit(machine, WDFDMA_FAULT_CALL, routine, traits, status);
}

bool faults_hit_below(wdfdma_machine *machine, wdfdma_fault_kind kind) {
    const fault_point point = {.kind = kind, .op = machine->state.op};
    NTSTATUS none;
    return faults_hit(machine, &point) != NULL ||
           (sites_are_asked(machine) && sites_hit(machine, kind, WDFDMA_ROUTINE_ANY, 0, &none));
}

uint32_t faults_misbehave(wdfdma_machine *machine, uint32_t op, uint32_t behaviours) {
    const fault_point point = {.kind = WDFDMA_FAULT_DEVICE, .op = op, .behaviours = behaviours};
    const wdfdma_fault *hit = faults_hit(machine, &point);
    return hit == NULL ? (uint32_t)WDFDMA_DEVICE_OBEYS : hit->behaviour;
}
