/* Drivers that act inside callbacks on the very thing that is being given back. */
#include "world.h"

enum { REGISTERS = 8 };

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

/* The registers of a system transaction let another one through, which releases the first and reserves anew: that
 * reservation waits with the channel, which the first completion must not free a second time. */
TEST(a_channel_is_freed_once) {
    wdfdma_machine_config config = world_config(REGISTERS);
    world made = world_open(&config, (world_profile){.profile = WdfDmaProfileSystem});
    WDFDMAENABLER packet = world_enabler(
        made.device, &(world_profile){.profile = WdfDmaProfilePacket, .version = 3});
    PMDL mdl = world_mdl(made.machine, 0, 2 * WORLD_PAGE, NULL);
    WDFDMATRANSACTION other = world_transaction(packet);
    NTSTATUS status;
    target = world_transaction(made.enabler);
    acted = 0;
    CHECK_STATUS(world_initialize(target, WdfDmaDirectionReadFromDevice, mdl, 0, 100), STATUS_SUCCESS);
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

HARNESS_MAIN(ENTRY(a_channel_is_freed_once))
