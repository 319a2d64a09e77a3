/* Requests in what a call lets through: each stands in one queue, and is counted in the one where it stands. */
#include "coverage_world.h"

static WDFDMATRANSACTION giver;
static WDFDMATRANSACTION waiter;
static PMDL buffer;

static void give_again(script *of, WDFDMATRANSACTION own) {
    (void)of;
    (void)own;
    fill(giver, buffer, WORLD_PAGE);
    WdfDmaTransactionRelease(giver);
    WdfDmaTransactionRelease(waiter);
    fill(waiter, buffer, WORLD_PAGE);
}

/* It still names its registers in there, and goes back to where it kept them unused; then they are another's. */
TEST(registers_that_are_given_back_are_kept_no_more) {
    wdfdma_machine_config config = world_config(8);
    world made = world_open(&config, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
    WDFDMATRANSACTION other = world_transaction(packet_enabler(&made));
    buffer = world_mdl(made.machine, 0, 8 * WORLD_PAGE, NULL);
    giver = world_transaction(made.enabler);
    waiter = world_transaction(packet_enabler(&made));
    reserve(waiter, 1);
    reserve(giver, 3);
    script let = {.run = give_again};
    start(other, world_mdl(made.machine, 0, 8 * WORLD_PAGE, NULL), 6 * WORLD_PAGE, &let);
    WdfDmaTransactionFreeResources(giver);
    CHECK_MACHINE(made.machine);
    CHECK_STATUS(WdfDmaTransactionAllocateResources(giver, READ, 3, world_reserve_dma, NULL),
                 STATUS_SUCCESS);
    CHECK_EQUAL(wdfdma_machine_get_state(made.machine)->waiting_pool, 1);
    CHECK_MACHINE(made.machine);
    NTSTATUS status = STATUS_UNSUCCESSFUL;
    CHECK(WdfDmaTransactionDmaCompleted(other, &status));
    CHECK_STATUS(WdfDmaTransactionRelease(other), STATUS_SUCCESS);
    CHECK_EQUAL(wdfdma_machine_get_state(made.machine)->waiting_pool, 0);
    CHECK_EQUAL(world_info(giver).reserved, 3);
    CHECK_MACHINE(made.machine);
}

static void ask_and_release(script *of, WDFDMATRANSACTION own) {
    (void)own;
    CHECK_STATUS(WdfDmaTransactionAllocateResources(giver, READ, 1, world_reserve_dma, NULL),
                 STATUS_SUCCESS);
    start(waiter, of->mdl, WORLD_PAGE, NULL);
    WdfDmaTransactionRelease(giver);
}

/* Released in its transfer, where that is ignored, it waits with registers in its name. */
TEST(who_waits_keeps_nothing_unused) {
    wdfdma_machine_config config = world_config(4);
    config.verifier = false;
    world made = world_open(&config, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
    wdfdma_machine_set_rule_mode(made.machine, WDFDMA_RULE_RELEASED_IN_TRANSFER,
                                 WDFDMA_MODE_IGNORE);
    giver = world_transaction(made.enabler);
    waiter = world_transaction(made.enabler);
    WDFDMATRANSACTION other = world_transaction(made.enabler);
    script let = {.run = ask_and_release, .mdl = world_mdl(made.machine, 0, WORLD_PAGE, NULL)};
    start(giver, world_mdl(made.machine, 0, 4 * WORLD_PAGE, NULL), 3 * WORLD_PAGE, NULL);
    start(other, world_mdl(made.machine, 0, 4 * WORLD_PAGE, NULL), 2 * WORLD_PAGE, &let);
    WdfDmaTransactionRelease(giver);
    CHECK_EQUAL(let.run == NULL, 1);
    CHECK_MACHINE(made.machine);
}

static void ask_the_other_way(script *of, WDFDMATRANSACTION own) {
    NTSTATUS status = STATUS_UNSUCCESSFUL;
    CHECK(WdfDmaTransactionDmaCompleted(own, &status));
    CHECK_STATUS(WdfDmaTransactionRelease(own), STATUS_SUCCESS);
    start(waiter, of->mdl, WORLD_PAGE, NULL);
    CHECK_STATUS(WdfDmaTransactionAllocateResources(own, READ, 1, world_reserve_dma, NULL),
                 STATUS_SUCCESS);
    WdfDmaTransactionInitializeUsingOffset(own, program, WdfDmaDirectionWriteToDevice, of->mdl, 0,
                                           WORLD_PAGE);
}

/* Its transaction has the other direction's adapter by the end of the call, where nobody waits. */
TEST(a_wait_is_counted_behind_those_of_its_own_adapter) {
    wdfdma_machine_config config = world_config(16);
    world made = world_open(&config, (world_profile){.profile = WdfDmaProfileSystemDuplex,
                                                     .maximum_length = 3 * WORLD_PAGE,
                                                     .version = 3});
    wdfdma_coverage *map = coverage_of(made.machine);
    giver = world_transaction(made.enabler);
    waiter = world_transaction(made.enabler);
    script let = {.run = ask_the_other_way, .mdl = world_mdl(made.machine, 0, WORLD_PAGE, NULL)};
    fill(giver, world_mdl(made.machine, 0, 4 * WORLD_PAGE, NULL), 2 * WORLD_PAGE);
    CHECK_STATUS(WdfDmaTransactionExecute(giver, &let), STATUS_UNSUCCESSFUL);
    CHECK_EQUAL(world_rule(made.machine), WDFDMA_RULE_RESERVED_OTHER_DIRECTION);
    CHECK_EQUAL(world_info(giver).waiting, WDFDMA_WAITING_CHANNEL);
    wdfdma_coverage_destroy(map);
}

static void ask(script *of, WDFDMATRANSACTION own) {
    (void)of;
    (void)own;
    CHECK_STATUS(WdfDmaTransactionAllocateResources(giver, READ, 1, world_reserve_dma, NULL),
                 STATUS_SUCCESS);
}

/* Release forgets the adapter behind what it let through: the request has it still. */
TEST(a_wait_without_its_transactions_adapter_is_counted) {
    wdfdma_machine_config config = world_config(4);
    config.verifier = false;
    world made = world_open(&config, (world_profile){.profile = WdfDmaProfileSystem,
                                                     .maximum_length = 2 * WORLD_PAGE,
                                                     .version = 3});
    wdfdma_coverage *map = coverage_of(made.machine);
    giver = world_transaction(made.enabler);
    waiter = world_transaction(made.enabler);
    WDFDMATRANSACTION other = world_transaction(packet_enabler(&made));
    BOOLEAN answer = FALSE;
    WdfDmaTransactionSetChannelConfigurationCallback(giver, world_configure_channel, &answer);
    script let = {.run = ask};
    start(giver, world_mdl(made.machine, 0, 4 * WORLD_PAGE, NULL), 2 * WORLD_PAGE, NULL);
    start(other, world_mdl(made.machine, 0, 4 * WORLD_PAGE, NULL), 2 * WORLD_PAGE, &let);
    start(waiter, world_mdl(made.machine, 0, 4 * WORLD_PAGE, NULL), 2 * WORLD_PAGE, NULL);
    CHECK_STATUS(WdfDmaTransactionRelease(giver), STATUS_SUCCESS);
    CHECK_EQUAL(world_info(giver).waiting, WDFDMA_WAITING_CHANNEL);
    CHECK(wdfdma_machine_get_bugcheck(made.machine) == NULL);
    wdfdma_coverage_destroy(map);
}

static IO_ALLOCATION_ACTION keep(PDEVICE_OBJECT device, PIRP irp, PVOID base, PVOID context) {
    (void)device;
    (void)irp;
    (void)base;
    (void)context;
    return KeepObject;
}

/* A synchronous request that finds the channel owned fails, and what waits under its context waits on. */
TEST(a_failed_request_leaves_the_context_to_who_waits) {
    enum {
        CONTEXT_BYTES = 512
    };
    static char contexts[2][CONTEXT_BYTES];
    wdfdma_machine_config config = world_config(16);
    wdfdma_machine *machine = harness_machine(&config);
    wdfdma_machine_use(machine);
    DEVICE_DESCRIPTION description = {.Version = DEVICE_DESCRIPTION_VERSION3,
                                      .Master = TRUE,
                                      .DmaAddressWidth = 32,
                                      .MaximumLength = 4 * WORLD_PAGE};
    ULONG granted = 0;
    PDMA_ADAPTER adapter = IoGetDmaAdapter(NULL, &description, &granted);
    const DMA_OPERATIONS *ops = adapter->DmaOperations;
    PVOID base = NULL;
    KIRQL old;
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    for (size_t i = 0; i < 2; i++) {
        ops->InitializeDmaTransferContext(adapter, contexts[i]);
        CHECK_STATUS(
            ops->AllocateAdapterChannelEx(adapter, NULL, contexts[i], 1, 0, keep, NULL, NULL),
            STATUS_SUCCESS);
    }
    CHECK_STATUS(ops->AllocateAdapterChannelEx(adapter, NULL, contexts[1], 1,
                                               DMA_SYNCHRONOUS_CALLBACK, NULL, NULL, &base),
                 STATUS_INSUFFICIENT_RESOURCES);
    CHECK_EQUAL(wdfdma_machine_get_state(machine)->waiting_channel, 1);
    CHECK(ops->CancelAdapterChannel(adapter, NULL, contexts[1]));
    CHECK_EQUAL(wdfdma_machine_get_state(machine)->waiting_channel, 0);
    CHECK_MACHINE(machine);
}

HARNESS_MAIN(ENTRY(registers_that_are_given_back_are_kept_no_more),
             ENTRY(who_waits_keeps_nothing_unused),
             ENTRY(a_wait_is_counted_behind_those_of_its_own_adapter),
             ENTRY(a_wait_without_its_transactions_adapter_is_counted),
             ENTRY(a_failed_request_leaves_the_context_to_who_waits))
