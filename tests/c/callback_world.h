/* Transactions of which a callback does something, once, in the middle of its own or another one's call. */
#ifndef WDFDMA_TESTS_CALLBACK_WORLD_H
#define WDFDMA_TESTS_CALLBACK_WORLD_H

#include "world.h"

static struct {
    void (*act)(WDFDMATRANSACTION transaction); /* in the next callback, once; NULL: nothing */
    WDFDMATRANSACTION first;
    PMDL mdl;
    uint32_t programmed;
    uint32_t configured;
    uint32_t reserved;
    uint32_t ends;
    uint64_t address; /* of the last list */
    wdfdma_transaction_info inside;
} seen;

static inline void act_once(WDFDMATRANSACTION transaction) {
    void (*act)(WDFDMATRANSACTION) = seen.act;
    seen.act = NULL;
    if (act != NULL) {
        act(transaction);
    }
}

static inline BOOLEAN program(WDFDMATRANSACTION transaction, WDFDEVICE device, WDFCONTEXT context,
                              WDF_DMA_DIRECTION direction, PSCATTER_GATHER_LIST list) {
    (void)device;
    (void)context;
    (void)direction;
    seen.address = (uint64_t)list->Elements[0].Address.QuadPart;
    seen.programmed++;
    act_once(transaction);
    return TRUE;
}

static inline void reserve_dma(WDFDMATRANSACTION transaction, PVOID context) {
    (void)context;
    seen.reserved++;
    act_once(transaction);
}

static inline BOOLEAN configure(WDFDMATRANSACTION transaction, WDFDEVICE device, PVOID context,
                                PMDL mdl, size_t offset, size_t length) {
    (void)device;
    (void)context;
    (void)mdl;
    (void)offset;
    (void)length;
    seen.configured++;
    act_once(transaction);
    return TRUE;
}

static inline void on_end(WDFDMATRANSACTION transaction, WDFDEVICE device, WDFCONTEXT context,
                          WDF_DMA_DIRECTION direction, DMA_COMPLETION_STATUS status) {
    (void)device;
    (void)context;
    (void)direction;
    (void)status;
    seen.ends++;
    act_once(transaction);
}

static inline NTSTATUS initialize(WDFDMATRANSACTION transaction, PMDL mdl, size_t length) {
    return WdfDmaTransactionInitializeUsingOffset(transaction, program,
                                                  WdfDmaDirectionReadFromDevice, mdl, 0, length);
}

static inline NTSTATUS reserve(WDFDMATRANSACTION transaction, ULONG registers) {
    return WdfDmaTransactionAllocateResources(transaction, WdfDmaDirectionReadFromDevice, registers,
                                              reserve_dma, NULL);
}

static inline NTSTATUS start(WDFDMATRANSACTION transaction, PMDL mdl, size_t length) {
    NTSTATUS status = initialize(transaction, mdl, length);
    return NT_SUCCESS(status) ? WdfDmaTransactionExecute(transaction, NULL) : status;
}

static inline void complete(WDFDMATRANSACTION transaction) {
    NTSTATUS status = STATUS_UNSUCCESSFUL;
    CHECK(WdfDmaTransactionDmaCompleted(transaction, &status));
    CHECK_STATUS(status, STATUS_SUCCESS);
}

/* A machine of [registers], with an enabler of [profile]. */
static inline world open_world(uint32_t registers, WDF_DMA_PROFILE profile, bool verifier,
                               bool keeps_log) {
    wdfdma_machine_config config = world_config(registers);
    config.verifier = verifier;
    world made = world_open(&config, (world_profile){.profile = profile, .version = 3});
    CHECK_STATUS(wdfdma_log_configure(made.machine, keeps_log ? 16 : 0), STATUS_SUCCESS);
    memset(&seen, 0, sizeof seen);
    return made;
}

static inline WDFDMAENABLER open_other(const world *of) {
    return world_enabler(of->device,
                         &(world_profile){.profile = WdfDmaProfilePacket, .version = 3});
}

static inline void complete_half(WDFDMATRANSACTION transaction) {
    NTSTATUS status;
    CHECK(!WdfDmaTransactionDmaCompletedWithLength(transaction, WORLD_PAGE / 2, &status));
    CHECK_STATUS(status, STATUS_MORE_PROCESSING_REQUIRED);
}

#endif
