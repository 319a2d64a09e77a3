/* What the tests of the plain ways share: a machine with a log or without, and callbacks that remember what
 * they saw. */
#ifndef WDFDMA_TESTS_PLAIN_WORLD_H
#define WDFDMA_TESTS_PLAIN_WORLD_H

#include "world.h"

/* What EvtProgramDma saw and is to do, and who called what when. */
static struct {
    WDFDMAENABLER enabler;
    void (*act)(WDFDMATRANSACTION transaction); /* inside EvtProgramDma, once; NULL: nothing */
    uint32_t programmed;
    uint32_t inside; /* calls of EvtProgramDma that have not returned */
    uint32_t inside_most;
    KIRQL irql;
    uint32_t configured;
    BOOLEAN configure_answer;
    uint32_t ends;
    uint32_t ends_inside;
    DMA_COMPLETION_STATUS end;
    WDFDMATRANSACTION other;
    uint64_t address;
    PVOID context; /* of the last callback that is not EvtProgramDma */
    WDFCONTEXT program_context;
    const wdfdma_machine_state *state; /* of the machine, or NULL: not looked at */
} seen;

static inline BOOLEAN program(WDFDMATRANSACTION transaction, WDFDEVICE device, WDFCONTEXT context,
                              WDF_DMA_DIRECTION direction, PSCATTER_GATHER_LIST list) {
    (void)device;
    (void)direction;
    seen.programmed++;
    seen.program_context = context;
    seen.irql = KeGetCurrentIrql();
    seen.address = (uint64_t)list->Elements[0].Address.QuadPart;
    if (seen.state != NULL) {
        CHECK_EQUAL(seen.state->depth, 1);
        CHECK_EQUAL(seen.state->op, WDFDMA_OP_EXECUTE);
    }
    seen.inside++;
    seen.inside_most = seen.inside > seen.inside_most ? seen.inside : seen.inside_most;
    if (seen.act != NULL) {
        void (*act)(WDFDMATRANSACTION) = seen.act;
        seen.act = NULL;
        act(transaction);
    }
    seen.inside--;
    return TRUE;
}

static inline BOOLEAN configure(WDFDMATRANSACTION transaction, WDFDEVICE device, PVOID context,
                                PMDL mdl, size_t offset, size_t length) {
    (void)transaction;
    (void)device;
    (void)mdl;
    (void)offset;
    (void)length;
    seen.context = context;
    seen.configured++;
    return seen.configure_answer;
}

static inline void on_end(WDFDMATRANSACTION transaction, WDFDEVICE device, WDFCONTEXT context,
                          WDF_DMA_DIRECTION direction, DMA_COMPLETION_STATUS status) {
    (void)transaction;
    (void)device;
    (void)direction;
    seen.context = context;
    seen.ends++;
    seen.ends_inside += seen.inside != 0;
    seen.end = status;
}

/* By an address and by an offset, in turn. */
static inline NTSTATUS initialize(WDFDMATRANSACTION transaction, PMDL mdl, size_t offset,
                                  size_t length) {
    static uint32_t turn;
    if (turn++ % 2 == 0) {
        return WdfDmaTransactionInitialize(transaction, program, WdfDmaDirectionReadFromDevice, mdl,
                                           (uint8_t *)MmGetMdlVirtualAddress(mdl) + offset, length);
    }
    return WdfDmaTransactionInitializeUsingOffset(
        transaction, program, WdfDmaDirectionReadFromDevice, mdl, offset, length);
}

static inline void complete(WDFDMATRANSACTION transaction) {
    NTSTATUS status = STATUS_UNSUCCESSFUL;
    CHECK(WdfDmaTransactionDmaCompleted(transaction, &status));
    CHECK_STATUS(status, STATUS_SUCCESS);
}

/* A cycle that nothing hinders. */
static inline void transfer(WDFDMATRANSACTION transaction, PMDL mdl) {
    CHECK_STATUS(initialize(transaction, mdl, 0, mdl->ByteCount), STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionExecute(transaction, NULL), STATUS_SUCCESS);
    complete(transaction);
    CHECK_STATUS(WdfDmaTransactionRelease(transaction), STATUS_SUCCESS);
}

static inline world open_with(const wdfdma_machine_config *config, world_profile profile,
                              bool keeps_log) {
    world made = world_open(config, profile);
    memset(&seen, 0, sizeof seen);
    seen.enabler = made.enabler;
    CHECK_STATUS(wdfdma_log_configure(made.machine, keeps_log ? 16 : 0), STATUS_SUCCESS);
    return made;
}

static inline world open_world(WDF_DMA_PROFILE profile, bool keeps_log) {
    return open_with(NULL, (world_profile){.profile = profile, .version = 3}, keeps_log);
}

static const WDF_DMA_PROFILE profiles[] = {WdfDmaProfilePacket, WdfDmaProfileSystem,
                                           WdfDmaProfileScatterGather};
enum {
    PROFILES = sizeof profiles / sizeof *profiles
};

static inline void complete_half(WDFDMATRANSACTION transaction) {
    NTSTATUS status = STATUS_UNSUCCESSFUL;
    CHECK(!WdfDmaTransactionDmaCompletedWithLength(transaction, WORLD_PAGE / 2, &status));
    CHECK_STATUS(status, STATUS_MORE_PROCESSING_REQUIRED);
}

#endif
