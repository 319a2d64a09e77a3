/* Whose a mapping is, as a rule that is broken tells it: of one MDL and of chains, of a transaction and of a
 * WDM driver's adapter. */
#include "wdm_world.h"

static const WDF_DMA_DIRECTION READ = WdfDmaDirectionReadFromDevice;

static uint64_t handle_get(const wdfdma_machine *machine, wdfdma_object_type type, size_t index) {
    WDFOBJECT handles[512] = {0};
    CHECK(wdfdma_machine_copy_objects(machine, type, handles, 512) > index);
    return (uint64_t)(uintptr_t)handles[index];
}

/* The last violation, of [count] so far: its rule, parameters 2 to 4, and who is concerned beside the MDL. */
static void check_told(const wdfdma_machine *machine, size_t count, uint32_t rule,
                       const uint64_t parameters[3], uint64_t first, uint64_t second) {
    size_t found = 0;
    const wdfdma_violation *all = wdfdma_machine_get_violations(machine, &found);
    CHECK_EQUAL(found, count);
    REQUIRE(found == count && count != 0);
    const wdfdma_violation *last = &all[count - 1];
    CHECK_EQUAL(last->rule, rule);
    CHECK_EQUAL(last->handle, parameters[0]);
    for (int i = 0; i < 3; i++) {
        CHECK_EQUAL(last->parameters[i + 1], parameters[i]);
    }
    CHECK_EQUAL(last->others[0].handle, first);
    CHECK_EQUAL(last->others[1].handle, second);
}

static size_t count_told(const wdfdma_machine *machine) {
    size_t count = 0;
    wdfdma_machine_get_violations(machine, &count);
    return count;
}

static void start(WDFDMATRANSACTION transaction, PMDL mdl, size_t offset, size_t length) {
    CHECK_STATUS(world_initialize(transaction, READ, mdl, offset, length), STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionExecute(transaction, NULL), STATUS_SUCCESS);
}

static void finish(WDFDMATRANSACTION transaction) {
    NTSTATUS status = STATUS_UNSUCCESSFUL;
    CHECK(WdfDmaTransactionDmaCompleted(transaction, &status));
    CHECK_STATUS(WdfDmaTransactionRelease(transaction), STATUS_SUCCESS);
}

typedef struct owners {
    world world;
    wdfdma_machine *machine;
    WDFDMATRANSACTION first;
    WDFDMATRANSACTION second;
} owners;

static owners owners_open(uint64_t reserve_bytes) {
    wdfdma_machine_config config = world_config(512);
    config.reserve_bytes = reserve_bytes;
    owners made = {.world =
                       world_open(&config, (world_profile){.profile = WdfDmaProfileScatterGather,
                                                           .maximum_length = 512 * WORLD_PAGE,
                                                           .version = 3})};
    made.machine = made.world.machine;
    made.first = world_transaction(made.world.enabler);
    made.second = world_transaction(made.world.enabler);
    return made;
}

/* A chain of [count] MDLs of 100 bytes. */
static PMDL chain_make(wdfdma_machine *machine, size_t count) {
    PMDL chain = NULL;
    for (size_t i = 0; i < count; i++) {
        PMDL made = world_mdl(machine, 0, 100, NULL);
        made->Next = chain;
        chain = made;
    }
    return chain;
}

/* ---- One MDL ---- */

TEST(two_transfers_on_one_buffer) {
    static const struct {
        size_t offset, length; /* of the second; the first has 1000 to 1100 */
        bool shares;
    } rows[] = {{0, 1000, false},   {0, 1001, true},   {999, 1, false},  {1000, 1, true},
                {950, 100, true},   {1099, 1, true},   {1100, 1, false}, {1099, 500, true},
                {1100, 500, false}, {900, 1000, true}, {1010, 10, true}, {1000, 100, true}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        owners of = owners_open(UINT64_C(1) << 30);
        PMDL mdl = world_mdl(of.machine, 0, WORLD_PAGE, NULL);
        uint64_t handle = handle_get(of.machine, WDFDMA_OBJECT_MDL, 0);
        uint8_t byte = 0;
        start(of.first, mdl, 1000, 100);
        start(of.second, mdl, rows[i].offset, rows[i].length);
        CHECK_EQUAL(count_told(of.machine), rows[i].shares);
        if (rows[i].shares) {
            check_told(of.machine, 1, WDFDMA_RULE_BUFFER_SHARED,
                       (const uint64_t[]){handle, rows[i].offset, rows[i].length},
                       (uintptr_t)of.first, (uintptr_t)of.second);
        }
        finish(of.second);
        CHECK_STATUS(wdfdma_mdl_read(of.machine, mdl, 1099, &byte, 1), STATUS_SUCCESS);
        check_told(of.machine, 1u + rows[i].shares, WDFDMA_RULE_BUFFER_TOUCHED,
                   (const uint64_t[]){handle, 1099, 1}, (uintptr_t)of.first, 0);
        harness_machine_end(of.machine);
    }
}

/* Where that stops the machine, nothing was read or written. */
TEST(a_touch_that_stops_moves_nothing) {
    for (int writes = 0; writes < 2; writes++) {
        owners of = owners_open(UINT64_C(1) << 30);
        PMDL mdl = world_mdl(of.machine, 0, WORLD_PAGE, NULL);
        uint8_t byte = 0x42;
        CHECK_STATUS(
            wdfdma_machine_set_rule_mode(of.machine, WDFDMA_RULE_BUFFER_TOUCHED, WDFDMA_MODE_STOP),
            STATUS_SUCCESS);
        start(of.first, mdl, 0, 100);
        CHECK_STATUS(writes != 0 ? wdfdma_mdl_write(of.machine, mdl, 99, &byte, 1)
                                 : wdfdma_mdl_read(of.machine, mdl, 99, &byte, 1),
                     STATUS_UNSUCCESSFUL);
        CHECK_EQUAL(world_rule(of.machine), WDFDMA_RULE_BUFFER_TOUCHED);
        CHECK_EQUAL(byte, 0x42);
        CHECK_STATUS(wdfdma_mdl_read(of.machine, mdl, 99, &byte, 1), STATUS_SUCCESS);
        CHECK_EQUAL(byte, 0);
        harness_machine_end(of.machine);
    }
}

TEST(a_buffer_is_freed_under_its_transfers) {
    for (int both = 0; both < 2; both++) {
        owners of = owners_open(UINT64_C(1) << 30);
        PMDL mdl = world_mdl(of.machine, 0, WORLD_PAGE, NULL);
        uint64_t handle = handle_get(of.machine, WDFDMA_OBJECT_MDL, 0);
        start(of.first, mdl, 0, 100);
        if (both != 0) {
            start(of.second, mdl, 100, 100);
        }
        CHECK_STATUS(wdfdma_mdl_destroy(of.machine, mdl), STATUS_SUCCESS);
        check_told(of.machine, 1, WDFDMA_RULE_BUFFER_FREED_WHILE_MAPPED,
                   (const uint64_t[]){handle, both != 0 ? 2 : 1, 0},
                   (uintptr_t)(both != 0 ? of.second : of.first),
                   both != 0 ? (uintptr_t)of.first : 0);
        finish(of.first);
        harness_machine_end(of.machine);
    }
}

/* Those that it had know nothing of one another any more: each begins anew, alone. */
TEST(transfers_of_a_buffer_that_is_gone_begin_anew) {
    for (int order = 0; order < 2; order++) {
        owners of = owners_open(UINT64_C(1) << 30);
        WDFDMATRANSACTION lanes[2] = {of.first, of.second};
        PMDL next[2] = {world_mdl(of.machine, 0, 200, NULL), world_mdl(of.machine, 0, 200, NULL)};
        PMDL mdl = world_mdl(of.machine, 0, 200, NULL);
        start(of.first, mdl, 0, 100);
        start(of.second, mdl, 100, 100);
        CHECK_STATUS(wdfdma_mdl_destroy(of.machine, mdl), STATUS_SUCCESS);
        finish(lanes[order]);
        finish(lanes[!order]);
        for (size_t i = 0; i < 2; i++) {
            WDFDMATRANSACTION lane = lanes[i];
            start(lane, next[i], 0, 200);
            CHECK_MACHINE(of.machine);
            CHECK_STATUS(wdfdma_mdl_destroy(of.machine, next[i]), STATUS_SUCCESS);
            size_t told = count_told(of.machine);
            const wdfdma_violation *all = wdfdma_machine_get_violations(of.machine, &told);
            REQUIRE(told == 2 + i);
            CHECK_EQUAL(all[told - 1].parameters[2], 1);
            CHECK_EQUAL(all[told - 1].others[0].handle, (uintptr_t)lane);
            CHECK_EQUAL(all[told - 1].others[1].handle, 0);
        }
        finish(of.first);
        finish(of.second);
        harness_machine_end(of.machine);
    }
}

/* However its last transfer ended, and on whatever: the next one is alone on its buffer. */
TEST(a_transaction_begins_anew) {
    for (int way = 0; way < 3; way++) {
        owners of = owners_open(UINT64_C(1) << 30);
        NTSTATUS status;
        PMDL mdl = world_mdl(of.machine, 0, 200, NULL);
        PMDL chain = chain_make(of.machine, 2);
        PMDL next = world_mdl(of.machine, 0, 200, NULL);
        uint64_t handle = handle_get(of.machine, WDFDMA_OBJECT_MDL, 3);
        start(of.first, mdl, 0, 100);
        start(of.second, way == 2 ? chain : mdl, way == 2 ? 0 : 100, way == 2 ? 200 : 100);
        if (way != 0) {
            CHECK(WdfDmaTransactionDmaCompletedFinal(of.second, way == 2 ? 200 : 100, &status));
            CHECK_STATUS(WdfDmaTransactionRelease(of.second), STATUS_SUCCESS);
        } else {
            finish(of.second);
        }
        finish(of.first);
        start(of.second, next, 0, 200);
        CHECK_MACHINE(of.machine);
        CHECK_STATUS(wdfdma_mdl_destroy(of.machine, next), STATUS_SUCCESS);
        check_told(of.machine, 1, WDFDMA_RULE_BUFFER_FREED_WHILE_MAPPED,
                   (const uint64_t[]){handle, 1, 0}, (uintptr_t)of.second, 0);
        finish(of.second);
        harness_machine_end(of.machine);
    }
}

/* ---- Chains ---- */

/* What lives on the first of its MDLs is no matter: the second's is told. */
TEST(a_chain_shares_its_second_part) {
    owners of = owners_open(UINT64_C(1) << 30);
    PMDL chain = chain_make(of.machine, 2);
    WDFDMATRANSACTION third = world_transaction(of.world.enabler);
    start(of.first, chain, 0, 50);
    start(of.second, chain->Next, 0, 100);
    start(third, chain, 50, 100); /* beside the first, then on the second's */
    check_told(of.machine, 1, WDFDMA_RULE_BUFFER_SHARED,
               (const uint64_t[]){handle_get(of.machine, WDFDMA_OBJECT_MDL, 0), 0, 50},
               (uintptr_t)of.second, (uintptr_t)third);
    finish(of.first);
    finish(third);
    finish(of.second);
    CHECK_EQUAL(count_told(of.machine), 1);
}

/* The same where nothing lives on the first. */
TEST(a_chain_shares_its_second_part_alone) {
    owners of = owners_open(UINT64_C(1) << 30);
    PMDL chain = chain_make(of.machine, 3);
    start(of.first, chain->Next->Next, 0, 100);
    start(of.second, chain, 50, 200);
    check_told(of.machine, 1, WDFDMA_RULE_BUFFER_SHARED,
               (const uint64_t[]){handle_get(of.machine, WDFDMA_OBJECT_MDL, 0), 0, 50},
               (uintptr_t)of.first, (uintptr_t)of.second);
}

/* What its MDLs know of a transfer goes with it. */
TEST(chains_come_and_go) {
    owners of = owners_open(UINT64_C(1) << 30);
    PMDL chain = chain_make(of.machine, 5);
    size_t used = 0;
    for (int turn = 0; turn < 300; turn++) {
        start(of.first, chain, 0, 500);
        finish(of.first);
        used = turn == 0 ? wdfdma_machine_get_used_bytes(of.machine) : used;
    }
    CHECK_EQUAL(wdfdma_machine_get_used_bytes(of.machine), used);
}

/* Each MDL knows the transfer once, and whose it is, however long the chain. */
TEST(every_part_of_a_chain_has_its_owner) {
    static const size_t lengths[] = {2, 3, 10, 400};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        owners of = owners_open(UINT64_C(1) << 30);
        size_t count = lengths[i];
        PMDL chain = chain_make(of.machine, count);
        uint8_t byte = 0;
        start(of.first, chain, 0, count * 100);
        PMDL at = chain;
        for (size_t part = 0; part < count; part++) {
            PMDL next = at->Next;
            uint64_t handle = handle_get(of.machine, WDFDMA_OBJECT_MDL, count - 1 - part);
            size_t told = count_told(of.machine);
            CHECK_STATUS(wdfdma_mdl_read(of.machine, at, 99, &byte, 1), STATUS_SUCCESS);
            check_told(of.machine, told + 1, WDFDMA_RULE_BUFFER_TOUCHED,
                       (const uint64_t[]){handle, 99, 1}, (uintptr_t)of.first, 0);
            CHECK_STATUS(wdfdma_mdl_destroy(of.machine, at), STATUS_SUCCESS);
            check_told(of.machine, told + 2, WDFDMA_RULE_BUFFER_FREED_WHILE_MAPPED,
                       (const uint64_t[]){handle, 1, 0}, (uintptr_t)of.first, 0);
            at = next;
        }
        finish(of.first);
        harness_machine_end(of.machine);
    }
}

/* The device keeps what comes before the MDL that is gone, and has nothing of the one in its place. */
TEST(what_is_left_of_a_chain_is_the_devices) {
    for (size_t gone = 0; gone < 3; gone++) {
        owners of = owners_open(UINT64_C(1) << 30);
        PMDL chain = chain_make(of.machine, 3);
        PMDL parts[] = {chain, chain->Next, chain->Next->Next};
        uint64_t addresses[3];
        for (size_t i = 0; i < 3; i++) {
            addresses[i] = MmGetMdlPfnArray(parts[i])[0] * WORLD_PAGE;
        }
        start(of.first, chain, 0, 300);
        CHECK_STATUS(wdfdma_mdl_destroy(of.machine, parts[gone]), STATUS_SUCCESS);
        PMDL next = world_mdl(of.machine, 0, 300, NULL);
        CHECK(next == parts[gone]); /* in its place, where the one before it still leads */
        for (size_t i = 0; i < gone; i++) {
            CHECK_STATUS(wdfdma_device_write(of.machine, addresses[i], "x", 1), STATUS_SUCCESS);
        }
        CHECK_STATUS(
            wdfdma_machine_set_rule_mode(of.machine, WDFDMA_RULE_DMA_26, WDFDMA_MODE_COLLECT),
            STATUS_SUCCESS);
        CHECK_STATUS(
            wdfdma_device_write(of.machine, MmGetMdlPfnArray(next)[0] * WORLD_PAGE, "x", 1),
            STATUS_UNSUCCESSFUL);
        CHECK_STATUS(wdfdma_device_write(of.machine, addresses[gone], "x", 1), STATUS_UNSUCCESSFUL);
        CHECK_MACHINE(of.machine);
        harness_machine_end(of.machine);
    }
}

/* No memory is left for what the other MDLs know: the first one knows the transfer while it lives. */
TEST(a_chain_is_mapped_in_full_memory) {
    owners of = owners_open(UINT64_C(16) << 20);
    PMDL chain = chain_make(of.machine, 3);
    uint8_t byte = 0;
    NTSTATUS status = STATUS_UNSUCCESSFUL;
    start(of.second, chain, 0, 300);
    CHECK_STATUS(wdfdma_mdl_read(of.machine, chain, 0, &byte, 1), STATUS_SUCCESS);
    finish(of.second); /* what a list and a violation need is there */
    CHECK_STATUS(world_initialize(of.second, READ, chain, 0, 300), STATUS_SUCCESS);
    for (ULONG pages = 1 << 13; pages != 0; pages--) { /* blocks of every size */
        while (IoAllocateMdl(NULL, pages * (ULONG)WORLD_PAGE - 1, FALSE, FALSE, NULL) != NULL) {
        }
    }
    CHECK_STATUS(WdfDmaTransactionExecute(of.second, NULL), STATUS_SUCCESS);
    CHECK_EQUAL(wdfdma_machine_get_state(of.machine)->mappings, 1);
    CHECK_STATUS(wdfdma_mdl_read(of.machine, chain->Next, 0, &byte, 1), STATUS_SUCCESS);
    CHECK_EQUAL(count_told(of.machine), 1);
    CHECK_STATUS(wdfdma_mdl_read(of.machine, chain, 0, &byte, 1), STATUS_SUCCESS);
    CHECK_EQUAL(count_told(of.machine), 2);
    CHECK_MACHINE(of.machine);
    CHECK(WdfDmaTransactionDmaCompletedFinal(of.second, 300, &status));
    CHECK_STATUS(wdfdma_mdl_read(of.machine, chain, 0, &byte, 1), STATUS_SUCCESS);
    CHECK_STATUS(wdfdma_mdl_destroy(of.machine, chain), STATUS_SUCCESS);
    CHECK_EQUAL(count_told(of.machine), 2);
    CHECK_EQUAL(wdfdma_machine_get_state(of.machine)->mappings, 0);
}

/* ---- A WDM driver's ---- */

TEST(an_adapter_owns_what_it_maps) {
    for (int listed = 0; listed < 2; listed++) {
        wdm made = wdm_open(true, false);
        uint64_t adapter = handle_get(made.machine, WDFDMA_OBJECT_ADAPTER, 0);
        uint64_t mdl = handle_get(made.machine, WDFDMA_OBJECT_MDL, 0);
        seen first = {0};
        ULONG length = 100;
        uint8_t byte = 0;
        if (listed != 0) {
            CHECK_STATUS(made.ops->GetScatterGatherList(made.adapter, made.object, made.mdl,
                                                        MmGetMdlVirtualAddress(made.mdl), length,
                                                        on_list, &first, FALSE),
                         STATUS_SUCCESS);
        } else {
            PVOID base = channel_get(&made, 2, DeallocateObjectKeepRegisters, &first);
            made.ops->MapTransfer(made.adapter, made.mdl, base, MmGetMdlVirtualAddress(made.mdl),
                                  &length, FALSE);
        }
        CHECK_STATUS(wdfdma_mdl_read(made.machine, made.mdl, 99, &byte, 1), STATUS_SUCCESS);
        check_told(made.machine, 1, WDFDMA_RULE_BUFFER_TOUCHED, (const uint64_t[]){mdl, 99, 1},
                   adapter, 0);
        harness_machine_end(made.machine);
    }
}

/* ---- What a driver wrote in a list ---- */

static uint32_t reserved_found;

static BOOLEAN on_program_spoil(WDFDMATRANSACTION transaction, WDFDEVICE device, WDFCONTEXT context,
                                WDF_DMA_DIRECTION direction, PSCATTER_GATHER_LIST list) {
    (void)transaction;
    (void)device;
    (void)context;
    (void)direction;
    for (ULONG i = 0; i < list->NumberOfElements; i++) {
        reserved_found += list->Elements[i].Reserved != 0;
        list->Elements[i].Reserved = 77;
    }
    reserved_found += list->Reserved != 0;
    list->Reserved = 77;
    return TRUE;
}

TEST(a_list_is_written_anew) {
    static const uint64_t frames[] = {7, 9, 11};
    for (int profile = 0; profile < 2; profile++) {
        world made =
            world_open(NULL, (world_profile){.profile = profile == 0 ? WdfDmaProfileScatterGather
                                                                     : WdfDmaProfilePacket,
                                             .maximum_length = 3 * WORLD_PAGE});
        PMDL mdl = world_mdl(made.machine, 0, 3 * WORLD_PAGE, frames);
        WDFDMATRANSACTION transaction = world_transaction(made.enabler);
        reserved_found = 0;
        for (int turn = 0; turn < 3; turn++) {
            CHECK_STATUS(WdfDmaTransactionInitializeUsingOffset(transaction, on_program_spoil, READ,
                                                                mdl, 0, 3 * WORLD_PAGE),
                         STATUS_SUCCESS);
            CHECK_STATUS(WdfDmaTransactionExecute(transaction, NULL), STATUS_SUCCESS);
            finish(transaction);
        }
        CHECK_EQUAL(reserved_found, 0);
        harness_machine_end(made.machine);
    }
}

HARNESS_MAIN(ENTRY(two_transfers_on_one_buffer), ENTRY(a_touch_that_stops_moves_nothing),
             ENTRY(a_buffer_is_freed_under_its_transfers),
             ENTRY(transfers_of_a_buffer_that_is_gone_begin_anew), ENTRY(a_transaction_begins_anew),
             ENTRY(a_chain_shares_its_second_part), ENTRY(a_chain_shares_its_second_part_alone),
             ENTRY(chains_come_and_go), ENTRY(every_part_of_a_chain_has_its_owner),
             ENTRY(what_is_left_of_a_chain_is_the_devices), ENTRY(a_chain_is_mapped_in_full_memory),
             ENTRY(an_adapter_owns_what_it_maps), ENTRY(a_list_is_written_anew))
