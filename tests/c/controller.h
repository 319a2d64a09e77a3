/* A transaction that a system DMA controller is to run, and the ends that came. */
#ifndef WDFDMA_TESTS_CONTROLLER_H
#define WDFDMA_TESTS_CONTROLLER_H

#include "fault_plan.h"

typedef struct controller {
    world world;
    WDFDMATRANSACTION transaction;
} controller;

static DMA_COMPLETION_STATUS completions[8];
static uint32_t completion_count;
static bool completion_completes;
static WDFDMAENABLER completion_deletes;

static inline void on_end(WDFDMATRANSACTION transaction, WDFDEVICE device, WDFCONTEXT context,
                          WDF_DMA_DIRECTION direction, DMA_COMPLETION_STATUS status) {
    (void)device;
    (void)context;
    (void)direction;
    NTSTATUS unwanted;
    completions[completion_count++ % 8] = status;
    if (completion_completes) {
        WdfDmaTransactionDmaCompleted(transaction, &unwanted);
    }
    if (completion_deletes != NULL) {
        WdfObjectDelete((WDFOBJECT)completion_deletes);
    }
}

/* Two transfers to run. */
static inline controller controller_open(void) {
    controller made = {.world = world_open(NULL, (world_profile){.profile = WdfDmaProfileSystem,
                                                                 .maximum_length = WORLD_PAGE})};
    PMDL mdl = world_mdl(made.world.machine, 0, 2 * WORLD_PAGE, NULL);
    completion_count = 0;
    completion_completes = true;
    completion_deletes = NULL;
    made.transaction = world_transaction(made.world.enabler);
    WdfDmaTransactionSetTransferCompleteCallback(made.transaction, on_end, NULL);
    CHECK_STATUS(
        world_initialize(made.transaction, WdfDmaDirectionReadFromDevice, mdl, 0, 2 * WORLD_PAGE),
        STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionExecute(made.transaction, NULL), STATUS_SUCCESS);
    return made;
}

static inline bool controller_end(const controller *of) {
    return wdfdma_enabler_complete_transfer(of->world.enabler, WdfDmaDirectionReadFromDevice);
}

#endif
