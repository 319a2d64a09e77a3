/* What the tests of transactions at their edges share. */
#ifndef WDFDMA_TESTS_EDGE_WORLD_H
#define WDFDMA_TESTS_EDGE_WORLD_H

#include "world.h"

static uint32_t programmed;

static inline BOOLEAN program(WDFDMATRANSACTION transaction, WDFDEVICE device, WDFCONTEXT context,
                              WDF_DMA_DIRECTION direction, PSCATTER_GATHER_LIST list) {
    (void)device;
    (void)direction;
    (void)list;
    void (*act)(WDFDMATRANSACTION) = NULL;
    programmed++;
    memcpy(&act, &context, sizeof act);
    if (act != NULL && programmed == 1) {
        act(transaction);
    }
    return TRUE;
}

static inline NTSTATUS initialize(WDFDMATRANSACTION transaction, PMDL mdl, size_t offset,
                                  size_t length) {
    return WdfDmaTransactionInitializeUsingOffset(
        transaction, program, WdfDmaDirectionReadFromDevice, mdl, offset, length);
}

/* Executes; the first EvtProgramDma calls [act]. */
static inline NTSTATUS execute(WDFDMATRANSACTION transaction, void (*act)(WDFDMATRANSACTION)) {
    WDFCONTEXT context = NULL;
    memcpy(&context, &act, sizeof act);
    programmed = 0;
    return WdfDmaTransactionExecute(transaction, context);
}

static inline NTSTATUS reserve(WDFDMATRANSACTION transaction, WDF_DMA_DIRECTION direction,
                               ULONG registers) {
    return WdfDmaTransactionAllocateResources(transaction, direction, registers, world_reserve_dma,
                                              NULL);
}

static const wdfdma_violation *told_last(const wdfdma_machine *machine, size_t count) {
    static const wdfdma_violation none;
    size_t told = 0;
    const wdfdma_violation *all = wdfdma_machine_get_violations(machine, &told);
    CHECK_EQUAL(told, count);
    return told == 0 ? &none : &all[told - 1];
}

static inline world open_packet(uint32_t version) {
    return world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket, .version = version});
}

#endif
