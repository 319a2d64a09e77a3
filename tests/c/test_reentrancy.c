/* Drivers that act inside callbacks on the very thing that is being given back. */
#include "world.h"

enum {
    REGISTERS = 8
};

static WDFDMATRANSACTION target; /* what a callback acts on */
static uint32_t acted;

static BOOLEAN program_release_and_reserve(WDFDMATRANSACTION transaction, WDFDEVICE device,
                                           WDFCONTEXT context, WDF_DMA_DIRECTION direction,
                                           PSCATTER_GATHER_LIST list) {
    (void)transaction;
    (void)device;
    (void)context;
    (void)direction;
    (void)list;
    acted++;
    CHECK_STATUS(WdfDmaTransactionRelease(target), STATUS_SUCCESS);
    WdfDmaTransactionAllocateResources(target, WdfDmaDirectionReadFromDevice, REGISTERS,
                                       world_reserve_dma, NULL);
    return TRUE;
}

/* The registers of a system transaction let another one through, which releases the first and
 * reserves anew: that reservation waits with the channel, which the first completion must not free
 * a second time. */
TEST(a_channel_is_freed_once) {
    wdfdma_machine_config config = world_config(REGISTERS);
    world made = world_open(&config, (world_profile){.profile = WdfDmaProfileSystem});
    WDFDMAENABLER packet =
        world_enabler(made.device, &(world_profile){.profile = WdfDmaProfilePacket, .version = 3});
    PMDL mdl = world_mdl(made.machine, 0, 2 * WORLD_PAGE, NULL);
    WDFDMATRANSACTION other = world_transaction(packet);
    NTSTATUS status;
    target = world_transaction(made.enabler);
    acted = 0;
    CHECK_STATUS(world_initialize(target, WdfDmaDirectionReadFromDevice, mdl, 0, 100),
                 STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionExecute(target, NULL), STATUS_SUCCESS);
    CHECK_EQUAL(world_free_registers(made.machine), 0);
    CHECK_STATUS(WdfDmaTransactionInitializeUsingOffset(other, program_release_and_reserve,
                                                        WdfDmaDirectionReadFromDevice, mdl, 0, 100),
                 STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionExecute(other, NULL), STATUS_SUCCESS);
    CHECK_EQUAL(acted, 0);
    CHECK(wdfdma_enabler_complete_transfer(made.enabler, WdfDmaDirectionReadFromDevice));
    WdfDmaTransactionDmaCompleted(target, &status);
    CHECK_EQUAL(acted, 1);
    CHECK_MACHINE(made.machine);
}

static BOOLEAN program_delete(WDFDMATRANSACTION transaction, WDFDEVICE device, WDFCONTEXT context,
                              WDF_DMA_DIRECTION direction, PSCATTER_GATHER_LIST list) {
    (void)device;
    (void)context;
    (void)direction;
    (void)list;
    NTSTATUS status;
    CHECK(WdfDmaTransactionDmaCompleted(transaction, &status));
    WdfObjectDelete(transaction);
    return TRUE;
}

TEST(a_transaction_deletes_itself_when_programmed) {
    static const WDF_DMA_PROFILE profiles[] = {WdfDmaProfilePacket, WdfDmaProfileScatterGather};
    for (int i = 0; i < 2; i++) {
        world made = world_open(NULL, (world_profile){.profile = profiles[i], .version = 3});
        PMDL mdl = world_mdl(made.machine, 0, 100, NULL);
        WDFDMATRANSACTION transaction = world_transaction(made.enabler);
        CHECK_STATUS(WdfDmaTransactionInitializeUsingOffset(
                         transaction, program_delete, WdfDmaDirectionReadFromDevice, mdl, 0, 100),
                     STATUS_SUCCESS);
        CHECK_STATUS(WdfDmaTransactionExecute(transaction, NULL), STATUS_SUCCESS);
        CHECK_EQUAL(wdfdma_object_get_type(transaction), WDFDMA_OBJECT_NONE);
        CHECK_EQUAL(wdfdma_machine_get_state(made.machine)->objects[WDFDMA_OBJECT_TRANSACTION], 0);
        CHECK_EQUAL(world_free_registers(made.machine), 64);
        CHECK(wdfdma_machine_get_bugcheck(made.machine) == NULL);
    }
}

static BOOLEAN program_delete_enabler(WDFDMATRANSACTION transaction, WDFDEVICE device,
                                      WDFCONTEXT context, WDF_DMA_DIRECTION direction,
                                      PSCATTER_GATHER_LIST list) {
    (void)device;
    (void)direction;
    (void)list;
    NTSTATUS status;
    CHECK(WdfDmaTransactionDmaCompleted(transaction, &status));
    WdfObjectDelete((WDFOBJECT)context);
    return TRUE;
}

/* The enabler's adapter is in the middle of a grant then: whatever comes of it, it is not
 * undefined. */
TEST(an_enabler_goes_when_programmed) {
    static const WDF_DMA_PROFILE profiles[] = {WdfDmaProfilePacket, WdfDmaProfileScatterGather};
    for (int i = 0; i < 2; i++) {
        world made = world_open(NULL, (world_profile){.profile = profiles[i], .version = 3});
        PMDL mdl = world_mdl(made.machine, 0, 100, NULL);
        WDFDMATRANSACTION transaction = world_transaction(made.enabler);
        CHECK_STATUS(WdfDmaTransactionInitializeUsingOffset(transaction, program_delete_enabler,
                                                            WdfDmaDirectionReadFromDevice, mdl, 0,
                                                            100),
                     STATUS_SUCCESS);
        WdfDmaTransactionExecute(transaction, (WDFCONTEXT)made.enabler);
        CHECK_BUGCHECK(made.machine, WDFDMA_BUGCHECK_DRIVER_VERIFIER_DMA_VIOLATION);
        CHECK_MACHINE(made.machine);
    }
}

HARNESS_MAIN(ENTRY(a_channel_is_freed_once), ENTRY(a_transaction_deletes_itself_when_programmed),
             ENTRY(an_enabler_goes_when_programmed))
