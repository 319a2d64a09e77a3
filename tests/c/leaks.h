/* What the tests of leaks share: a look for what is held, and what it told. */
#ifndef WDFDMA_TESTS_LEAKS_H
#define WDFDMA_TESTS_LEAKS_H

#include "wdm_world.h"

enum {
    LENGTH = 3 * WORLD_PAGE
};

static inline size_t count_leaks(wdfdma_machine *machine, void *below) {
    size_t count = 12345;
    CHECK_STATUS(wdfdma_machine_check_leaks(machine, (WDFOBJECT)below, &count), STATUS_SUCCESS);
    return count;
}

/* The newest [count] violations of [machine] are of these rules, in this order. */
static inline void check_last(const wdfdma_machine *machine, const uint32_t *rules, size_t count) {
    size_t all = 0;
    const wdfdma_violation *kept = wdfdma_machine_get_violations(machine, &all);
    REQUIRE(all >= count);
    for (size_t i = 0; i < count; i++) {
        CHECK_EQUAL(kept[all - count + i].rule, rules[i]);
    }
}

#define CHECK_LEAKS(machine, below, ...) \
    do { \
        static const uint32_t wanted[] = {__VA_ARGS__}; \
        size_t wanted_count = sizeof wanted / sizeof wanted[0]; \
        wdfdma_machine_clear_violations(machine); \
        CHECK_EQUAL(count_leaks((machine), (below)), wanted_count); \
        check_last((machine), wanted, wanted_count); \
        CHECK_EQUAL(count_violations(machine), wanted_count); \
    } while (0)
#define CHECK_CLEAN(machine) CHECK_EQUAL(count_leaks((machine), NULL), 0)

static inline size_t count_violations(const wdfdma_machine *machine) {
    size_t count = 0;
    wdfdma_machine_get_violations(machine, &count);
    return count;
}

static inline wdfdma_violation last_of(const wdfdma_machine *machine) {
    size_t count = 0;
    const wdfdma_violation *kept = wdfdma_machine_get_violations(machine, &count);
    const wdfdma_violation none = {0};
    return CHECK(count != 0) ? kept[count - 1] : none;
}

static inline uint64_t number_of(const void *handle) {
    return (uint64_t)(uintptr_t)handle;
}

/* A transaction of [of], begun on LENGTH bytes. */
static inline WDFDMATRANSACTION begin(const world *of) {
    WDFDMATRANSACTION transaction = world_transaction(of->enabler);
    PMDL mdl = world_mdl(of->machine, 0, LENGTH, NULL);
    CHECK_STATUS(world_initialize(transaction, WdfDmaDirectionReadFromDevice, mdl, 0, LENGTH),
                 STATUS_SUCCESS);
    return transaction;
}

static inline WDFDMATRANSACTION start(const world *of) {
    WDFDMATRANSACTION transaction = begin(of);
    CHECK_STATUS(WdfDmaTransactionExecute(transaction, NULL), STATUS_SUCCESS);
    return transaction;
}

static inline void complete(WDFDMATRANSACTION transaction) {
    NTSTATUS status = STATUS_UNSUCCESSFUL;
    CHECK(WdfDmaTransactionDmaCompleted(transaction, &status));
    CHECK_STATUS(status, STATUS_SUCCESS);
}

static inline void release(WDFDMATRANSACTION transaction) {
    CHECK_STATUS(WdfDmaTransactionRelease(transaction), STATUS_SUCCESS);
}

#endif
