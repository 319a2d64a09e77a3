/* A world in which one rule is broken, alone: a machine, two transactions and a buffer that they may share,
 * and what is told. */
#ifndef WDFDMA_TESTS_RULE_WORLD_H
#define WDFDMA_TESTS_RULE_WORLD_H

#include "world.h"

enum {
    REGISTERS = 4
};

typedef struct rule_world {
    wdfdma_machine *machine;
    WDFDEVICE device;
    WDFDMAENABLER enabler;
    WDFDMATRANSACTION first;
    WDFDMATRANSACTION second;
    PMDL mdl;
} rule_world;

static const WDF_DMA_DIRECTION READ = WdfDmaDirectionReadFromDevice;
static const WDF_DMA_DIRECTION WRITE = WdfDmaDirectionWriteToDevice;

static inline rule_world open_rules(WDF_DMA_PROFILE profile) {
    wdfdma_machine_config config = world_config(REGISTERS);
    world made = world_open(&config, (world_profile){.profile = profile, .version = 3});
    return (rule_world){made.machine,
                        made.device,
                        made.enabler,
                        world_transaction(made.enabler),
                        world_transaction(made.enabler),
                        world_mdl(made.machine, 0, 2 * WORLD_PAGE, NULL)};
}

static inline size_t count_violations(const rule_world *of) {
    size_t count = 0;
    wdfdma_machine_get_violations(of->machine, &count);
    return count;
}

/* True when exactly one rule was broken, [rule], in [op]. */
static inline bool was_broken(const rule_world *of, uint32_t rule, uint32_t op) {
    size_t count = 0;
    const wdfdma_violation *found = wdfdma_machine_get_violations(of->machine, &count);
    bool one = CHECK_EQUAL(count, 1);
    return one && CHECK_EQUAL(found[0].rule, rule) && CHECK_EQUAL(found[0].op, op) &&
           CHECK_EQUAL(found[0].parameters[0], rule) &&
           CHECK_EQUAL(found[0].code, WDFDMA_BUGCHECK_WDFDMA_VIOLATION) &&
           CHECK(wdfdma_machine_get_bugcheck(of->machine) == NULL);
}

static inline void start(const rule_world *of, WDFDMATRANSACTION transaction, size_t length) {
    CHECK_STATUS(world_initialize(transaction, READ, of->mdl, 0, length), STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionExecute(transaction, NULL), STATUS_SUCCESS);
}

static inline void finish(WDFDMATRANSACTION transaction) {
    NTSTATUS status = STATUS_UNSUCCESSFUL;
    CHECK(WdfDmaTransactionDmaCompleted(transaction, &status));
    CHECK_STATUS(WdfDmaTransactionRelease(transaction), STATUS_SUCCESS);
}

static inline void start_at(WDFDMATRANSACTION transaction, PMDL mdl, size_t offset, size_t length) {
    CHECK_STATUS(world_initialize(transaction, READ, mdl, offset, length), STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionExecute(transaction, NULL), STATUS_SUCCESS);
}

static inline void reserve(WDFDMATRANSACTION transaction, ULONG registers) {
    CHECK_STATUS(
        WdfDmaTransactionAllocateResources(transaction, READ, registers, world_reserve_dma, NULL),
        STATUS_SUCCESS);
}

#endif
