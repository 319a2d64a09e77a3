/* How far things go: a million idle transactions, callbacks in callbacks, chains of many MDLs, the
 * largest numbers. */
#include "world.h"

enum {
    MILLION = 1000000,
    LINKS = 20000
};

TEST(a_million_idle_transactions) {
    static const WDF_DMA_PROFILE profiles[] = {WdfDmaProfilePacket, WdfDmaProfileScatterGather};
    for (int i = 0; i < 2; i++) {
        world made = world_open(NULL, (world_profile){.profile = profiles[i], .version = 3});
        PMDL mdl = world_mdl(made.machine, 0, 2 * WORLD_PAGE, NULL);
        size_t before = wdfdma_machine_get_used_bytes(made.machine);
        WDFDMATRANSACTION transaction = NULL;
        for (uint32_t made_count = 0; made_count < MILLION; made_count++) {
            REQUIRE(WdfDmaTransactionCreate(made.enabler, NULL, &transaction) == STATUS_SUCCESS);
        }
        CHECK((wdfdma_machine_get_used_bytes(made.machine) - before) / MILLION <= 512);
        CHECK_EQUAL(wdfdma_object_get_label(transaction), MILLION - 1);
        NTSTATUS status;
        CHECK_STATUS(world_initialize(transaction, WdfDmaDirectionReadFromDevice, mdl, 0, 8192),
                     STATUS_SUCCESS);
        CHECK_STATUS(WdfDmaTransactionExecute(transaction, NULL), STATUS_SUCCESS);
        CHECK(WdfDmaTransactionDmaCompleted(transaction, &status));
        WdfObjectDelete(made.enabler);
        CHECK_EQUAL(wdfdma_machine_get_state(made.machine)->objects[WDFDMA_OBJECT_TRANSACTION], 0);
        harness_machine_end(made.machine);
    }
}

TEST(a_small_machine_says_no) {
    wdfdma_machine_config config = world_config(64);
    config.reserve_bytes = 16u << 20;
    world made = world_open(&config, (world_profile){.profile = WdfDmaProfilePacket});
    WDFDMATRANSACTION transaction = NULL, last = NULL;
    uint32_t count = 0;
    while (WdfDmaTransactionCreate(made.enabler, NULL, &transaction) == STATUS_SUCCESS &&
           count < MILLION) {
        last = transaction;
        count++;
    }
    CHECK(count > 1000 && count < MILLION);
    CHECK_MACHINE(made.machine);
    WdfObjectDelete(last);
    CHECK_STATUS(WdfDmaTransactionCreate(made.enabler, NULL, &transaction), STATUS_SUCCESS);
    CHECK(wdfdma_machine_get_bugcheck(made.machine) == NULL);
}

/* ---- Depth ---- */

/* Each reservation asks for another one inside its callback. */
static void reserve_deeper(WDFDMATRANSACTION transaction, PVOID context) {
    uint32_t *depth = context;
    wdfdma_transaction_info info = {0};
    WDFDMATRANSACTION next = NULL;
    ++*depth;
    if (wdfdma_transaction_get_info(transaction, &info) == STATUS_SUCCESS &&
        WdfDmaTransactionCreate(info.enabler, NULL, &next) == STATUS_SUCCESS) {
        WdfDmaTransactionAllocateResources(next, WdfDmaDirectionReadFromDevice, 1, reserve_deeper,
                                           depth);
    }
}

/* An adapter has one channel: each level needs an adapter of its own. */
static void reserve_deeper_with_enablers(WDFDMATRANSACTION transaction, PVOID context) {
    uint32_t *depth = context;
    WDFDMAENABLER enabler = NULL;
    WDFDMATRANSACTION next = NULL;
    ++*depth;
    WDFDEVICE device = WdfDmaTransactionGetDevice(transaction);
    wdfdma_machine *machine = wdfdma_object_get_machine(transaction);
    uint32_t irql = wdfdma_machine_get_state(machine)->irql;
    const world_profile packet = {.profile = WdfDmaProfilePacket, .version = 3};
    wdfdma_machine_set_irql(machine, PASSIVE_LEVEL);
    NTSTATUS status = world_enabler_try(device, &packet, &enabler);
    wdfdma_machine_set_irql(machine, irql);
    if (NT_SUCCESS(status) && WdfDmaTransactionCreate(enabler, NULL, &next) == STATUS_SUCCESS) {
        WdfDmaTransactionAllocateResources(next, WdfDmaDirectionReadFromDevice, 1,
                                           reserve_deeper_with_enablers, depth);
    }
}

static void nest(uint32_t maximum_depth) {
    wdfdma_machine_config config = world_config(4096);
    config.maximum_depth = maximum_depth;
    world made = world_open(&config, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
    uint32_t depth = 0;
    WdfDmaTransactionAllocateResources(world_transaction(made.enabler),
                                       WdfDmaDirectionReadFromDevice, 1,
                                       reserve_deeper_with_enablers, &depth);
    CHECK_EQUAL(depth, maximum_depth);
    CHECK_BUGCHECK(made.machine, WDFDMA_BUGCHECK_UNEXPECTED_KERNEL_MODE_TRAP);
    CHECK_EQUAL(world_parameter(made.machine, 0), 8);
    const wdfdma_bugcheck *bugcheck = wdfdma_machine_get_bugcheck(made.machine);
    CHECK(bugcheck != NULL && bugcheck->depth == maximum_depth);
    CHECK_EQUAL(wdfdma_machine_get_state(made.machine)->depth, 0);
    CHECK_EQUAL(wdfdma_machine_get_state(made.machine)->op, WDFDMA_OP_NONE);
    CHECK_MACHINE(made.machine);
    harness_machine_end(made.machine);
}

TEST(the_stack_is_used_up) {
    nest(1);
    nest(2);
    nest(256);
    nest(1024);
}

/* On one adapter the channel is taken until the callback has returned: the next waits, and nothing
 * nests. */
TEST(one_adapter_does_not_nest) {
    wdfdma_machine_config config = world_config(4096);
    config.maximum_depth = 2;
    world made = world_open(
        &config,
        (world_profile){.profile = WdfDmaProfilePacket, .version = 3, .maximum_length = 65536});
    uint32_t depth = 0;
    WdfDmaTransactionAllocateResources(world_transaction(made.enabler),
                                       WdfDmaDirectionReadFromDevice, 1, reserve_deeper, &depth);
    CHECK_EQUAL(depth, 4096);
    CHECK_EQUAL(world_free_registers(made.machine), 0);
    CHECK(wdfdma_machine_get_bugcheck(made.machine) == NULL);
}

/* A completion inside EvtProgramDma is a further round, not a further level. */
static BOOLEAN program_complete(WDFDMATRANSACTION transaction, WDFDEVICE device, WDFCONTEXT context,
                                WDF_DMA_DIRECTION direction, PSCATTER_GATHER_LIST list) {
    (void)device;
    (void)direction;
    (void)list;
    NTSTATUS status;
    uint32_t *rounds = (uint32_t *)context;
    ++*rounds;
    WdfDmaTransactionDmaCompleted(transaction, &status);
    return TRUE;
}

/* Executes [pages] transfers, each completed inside its EvtProgramDma, and counts them in [rounds]. */
static NTSTATUS complete_inside(WDFDMATRANSACTION transaction, wdfdma_machine *machine,
                                uint32_t pages, uint32_t *rounds) {
    PMDL mdl = world_mdl(machine, 0, pages * WORLD_PAGE, NULL);
    CHECK_STATUS(WdfDmaTransactionInitializeUsingOffset(transaction, program_complete,
                                                        WdfDmaDirectionReadFromDevice, mdl, 0,
                                                        (size_t)pages * WORLD_PAGE),
                 STATUS_SUCCESS);
    NTSTATUS status = WdfDmaTransactionExecute(transaction, rounds);
    CHECK_MACHINE(machine);
    return status;
}

static world page_open(WDF_DMA_PROFILE profile, uint32_t maximum_depth) {
    wdfdma_machine_config config = world_config(4);
    config.maximum_depth = maximum_depth;
    return world_open(
        &config, (world_profile){.profile = profile, .version = 3, .maximum_length = WORLD_PAGE});
}

TEST(a_packet_completes_in_rounds) {
    world made = page_open(WdfDmaProfilePacket, 1);
    WDFDMATRANSACTION transaction = world_transaction(made.enabler);
    uint32_t rounds = 0;
    CHECK_STATUS(complete_inside(transaction, made.machine, 5000, &rounds), STATUS_SUCCESS);
    CHECK_EQUAL(rounds, 5000);
    CHECK_EQUAL(world_state(transaction), WDFDMA_STATE_TRANSFER_COMPLETED);
    CHECK_EQUAL(WdfDmaTransactionGetBytesTransferred(transaction), 5000 * WORLD_PAGE);
}

/* A list's completion inside EvtProgramDma is a level more: deep ones end as on a real stack. */
TEST(lists_completed_inside_nest) {
    world made = page_open(WdfDmaProfileScatterGather64, 50);
    uint32_t rounds = 0;
    complete_inside(world_transaction(made.enabler), made.machine, 100, &rounds);
    const wdfdma_bugcheck *bugcheck = wdfdma_machine_get_bugcheck(made.machine);
    CHECK(rounds == 100 || (rounds == 50 && bugcheck != NULL &&
                            bugcheck->code == WDFDMA_BUGCHECK_UNEXPECTED_KERNEL_MODE_TRAP));
}

/* ---- Chains ---- */

static PMDL chain_make(wdfdma_machine *machine, uint32_t links) {
    PMDL first = NULL;
    PMDL *link = &first;
    for (uint32_t i = 0; i < links; i++) {
        *link = world_mdl(machine, i % 4096, 1, (const uint64_t[]){100 + i % 1000});
        link = &(*link)->Next;
    }
    return first;
}

TEST(a_long_chain_goes_byte_by_byte) {
    static uint8_t data[LINKS], back[LINKS];
    static const WDF_DMA_PROFILE profiles[] = {WdfDmaProfilePacket, WdfDmaProfileScatterGather,
                                               WdfDmaProfileScatterGather64, WdfDmaProfileSystem};
    for (int i = 0; i < 4; i++) {
        world made = world_open(NULL, (world_profile){.profile = profiles[i], .version = 3});
        PMDL chain = chain_make(made.machine, LINKS);
        WDFDMATRANSACTION transaction = world_transaction(made.enabler);
        NTSTATUS status = STATUS_MORE_PROCESSING_REQUIRED;
        world_fill(data, sizeof data, 1);
        CHECK_STATUS(wdfdma_mdl_write(made.machine, chain, 0, data, LINKS), STATUS_SUCCESS);
        CHECK_STATUS(world_initialize(transaction, WdfDmaDirectionWriteToDevice, chain, 0, LINKS),
                     STATUS_SUCCESS);
        CHECK_STATUS(WdfDmaTransactionExecute(transaction, NULL), STATUS_SUCCESS);
        uint32_t rounds = 0;
        for (; status == STATUS_MORE_PROCESSING_REQUIRED && rounds <= LINKS; rounds++) {
            wdfdma_enabler_complete_transfer(made.enabler, WdfDmaDirectionWriteToDevice);
            WdfDmaTransactionDmaCompleted(transaction, &status);
        }
        CHECK_STATUS(status, STATUS_SUCCESS);
        CHECK_EQUAL(WdfDmaTransactionGetBytesTransferred(transaction), LINKS);
        CHECK_STATUS(wdfdma_mdl_read(made.machine, chain, 0, back, LINKS), STATUS_SUCCESS);
        harness_machine_end(made.machine);
    }
}

TEST(transfer_information_of_a_long_chain) {
    world made = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
    PMDL chain = chain_make(made.machine, LINKS);
    WDFDMATRANSACTION transaction = world_transaction(made.enabler);
    ULONG registers = 0, elements = 0;
    CHECK_STATUS(world_initialize(transaction, WdfDmaDirectionWriteToDevice, chain, 0, LINKS),
                 STATUS_SUCCESS);
    WdfDmaTransactionGetTransferInfo(transaction, &registers, &elements);
    CHECK_EQUAL(registers, LINKS);
    CHECK(elements > 0);
    CHECK_STATUS(WdfDmaTransactionAllocateResources(transaction, WdfDmaDirectionWriteToDevice, 0,
                                                    world_reserve_dma, NULL),
                 STATUS_INSUFFICIENT_RESOURCES);
    CHECK_EQUAL(world_state(transaction), WDFDMA_STATE_TRANSFER_FAILED);
}

/* ---- Numbers ---- */

/* Lengths far past the chain: a packet transaction takes them at first, and what follows says no.
 */
TEST(lengths_past_all_bounds) {
    static const size_t lengths[] = {SIZE_MAX,     SIZE_MAX - 1,    SIZE_MAX - 4095,
                                     SIZE_MAX / 2, (size_t)1 << 32, ((size_t)1 << 44) + 1};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        for (uint32_t offset = 0; offset < 4096; offset += 4095) {
            world made =
                world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
            PMDL mdl = world_mdl(made.machine, offset, WORLD_PAGE, NULL);
            WDFDMATRANSACTION transaction = world_transaction(made.enabler);
            ULONG registers = 9, elements = 9;
            CHECK_STATUS(
                world_initialize(transaction, WdfDmaDirectionReadFromDevice, mdl, 0, lengths[i]),
                STATUS_SUCCESS);
            WdfDmaTransactionGetTransferInfo(transaction, &registers, &elements);
            CHECK_EQUAL(registers + elements, 0);
            CHECK_STATUS(WdfDmaTransactionAllocateResources(transaction,
                                                            WdfDmaDirectionReadFromDevice, 0,
                                                            world_reserve_dma, NULL),
                         STATUS_BUFFER_TOO_SMALL);
            CHECK_EQUAL(world_free_registers(made.machine), 64);
            CHECK_MACHINE(made.machine);
            harness_machine_end(made.machine);
        }
    }
}

TEST(counts_past_all_bounds) {
    world made = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
    static const ULONG counts[] = {65, 66, UINT32_MAX, UINT32_MAX - 1, 0x80000000};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        WDFDMATRANSACTION transaction = world_transaction(made.enabler);
        CHECK_STATUS(WdfDmaTransactionAllocateResources(transaction, WdfDmaDirectionReadFromDevice,
                                                        counts[i], world_reserve_dma, NULL),
                     STATUS_INSUFFICIENT_RESOURCES);
        CHECK_EQUAL(world_state(transaction), WDFDMA_STATE_TRANSFER_FAILED);
        CHECK_EQUAL(world_info(transaction).reserved, 0);
        CHECK_STATUS(WdfDmaTransactionRelease(transaction), STATUS_SUCCESS);
    }
    CHECK_EQUAL(world_free_registers(made.machine), 64);
}

HARNESS_MAIN(ENTRY(a_million_idle_transactions), ENTRY(a_small_machine_says_no),
             ENTRY(the_stack_is_used_up), ENTRY(one_adapter_does_not_nest),
             ENTRY(a_packet_completes_in_rounds), ENTRY(lists_completed_inside_nest),
             ENTRY(a_long_chain_goes_byte_by_byte), ENTRY(transfer_information_of_a_long_chain),
             ENTRY(lengths_past_all_bounds), ENTRY(counts_past_all_bounds))
