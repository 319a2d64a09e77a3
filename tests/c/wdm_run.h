/* A run of map registers that a WDM driver keeps, and what it maps and flushes on it. */
#ifndef WDFDMA_TESTS_WDM_RUN_H
#define WDFDMA_TESTS_WDM_RUN_H

#include "dma_rules.h"

typedef struct run {
    wdm wdm;
    PVOID base;
    char *start;
    uint64_t room[8];
} run;

static inline run run_open(bool gathers, bool force, ULONG registers, uint32_t mode) {
    seen first;
    run made = {.wdm = wdm_open(gathers, force)};
    made.base = channel_get(&made.wdm, registers, DeallocateObjectKeepRegisters, &first);
    made.start = MmGetMdlVirtualAddress(made.wdm.mdl);
    wdfdma_machine_set_rule_mode(made.wdm.machine, WDFDMA_RULE_NONE, mode);
    return made;
}

static inline void run_use(run *of, PMDL mdl) {
    of->wdm.mdl = mdl;
    of->start = MmGetMdlVirtualAddress(mdl);
}

static inline uint64_t run_map(const run *of, ULONG offset, ULONG *length, BOOLEAN to_device) {
    return (uint64_t)of->wdm.ops
        ->MapTransfer(of->wdm.adapter, of->wdm.mdl, of->base, of->start + offset, length, to_device)
        .QuadPart;
}

static inline NTSTATUS run_map_ex(run *of, ULONGLONG offset, ULONG *length, BOOLEAN to_device) {
    return of->wdm.ops->MapTransferEx(of->wdm.adapter, of->wdm.mdl, of->base, offset, 0, length,
                                      to_device, (PSCATTER_GATHER_LIST)(void *)of->room,
                                      sizeof of->room, NULL, NULL);
}

static inline NTSTATUS run_flush(const run *of, ULONGLONG offset, ULONG length) {
    return of->wdm.ops->FlushAdapterBuffersEx(of->wdm.adapter, of->wdm.mdl, of->base, offset,
                                              length, FALSE);
}

static inline const wdfdma_violation *run_told(const run *of, size_t count) {
    static const wdfdma_violation none;
    size_t kept = 0;
    const wdfdma_violation *list = wdfdma_machine_get_violations(of->wdm.machine, &kept);
    return CHECK_EQUAL(kept, count) && kept != 0 ? &list[kept - 1] : &none;
}

static inline void told_check(const wdfdma_violation *told, wdfdma_rule rule, uint64_t second,
                              uint64_t third, uint64_t fourth) {
    CHECK_EQUAL(told->rule, rule);
    CHECK_EQUAL(told->parameters[1], second);
    CHECK_EQUAL(told->parameters[2], third);
    CHECK_EQUAL(told->parameters[3], fourth);
}

#endif
