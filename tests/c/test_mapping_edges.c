/* Mappings at the edges: what bounces and what does not, to the byte; who is told to own what is shared; what
 * lives when memory has run out. */
#include "bounce_world.h"

enum {
    FOUR_GIB = 1 << 20 /* pages */
};

/* ---- Bytes that bounce ---- */

TEST(the_shortest_transfers_bounce) {
    for (way by = 0; by < WAYS; by++) {
        for (size_t length = 1; length <= 2; length++) {
            bounced of = bounced_open(by, true);
            uint8_t *bytes = wdfdma_mdl_get_bytes(of.machine, of.mdl);
            uint8_t read[2] = {0};
            memset(bytes, 0x21, 4);
            bounced_start(&of, READ, length);
            device_write(&of, 0, length, 0x55);
            CHECK_EQUAL(bytes[0], 0x21);
            bounced_finish(&of);
            CHECK_EQUAL(bytes[length - 1], 0x55);
            CHECK_EQUAL(bytes[length], 0x21);
            bytes[0] = bytes[1] = 0x66;
            bounced_start(&of, WRITE, length);
            bytes_read(&of, 0, read, length);
            CHECK_EQUAL(read[0], 0x66);
            CHECK_EQUAL(read[1], length == 2 ? 0x66 : 0);
            bounced_finish(&of);
            harness_machine_end(of.machine);
        }
    }
}

/* Pages that lie anywhere in the host: each goes through its register, and nothing beside it. */
TEST(pages_apart_bounce_one_by_one) {
    static const size_t lengths[] = {LENGTH, WORLD_PAGE - OFFSET + 50, WORLD_PAGE - OFFSET,
                                     2 * WORLD_PAGE};
    for (int row = 0; row < 4 * WAYS; row++) {
        way by = (way)(row / 4);
        const size_t length = lengths[row % 4];
        static const uint64_t frames[] = {9, 30, 11};
        static uint8_t data[2 * WORLD_PAGE], back[3 * WORLD_PAGE], old[3 * WORLD_PAGE];
        bounced of = bounced_open(by, true);
        world_mdl(of.machine, 0, 1, &frames[1]);
        of.mdl = world_mdl(of.machine, OFFSET, 3 * WORLD_PAGE - OFFSET, frames);
        CHECK(wdfdma_mdl_get_bytes(of.machine, of.mdl) == NULL);
        world_fill(data, sizeof data, 3);
        world_fill(old, sizeof old, 90);
        CHECK_STATUS(wdfdma_mdl_write(of.machine, of.mdl, 0, old, 3 * WORLD_PAGE - OFFSET),
                     STATUS_SUCCESS);
        bounced_start(&of, READ, length);
        CHECK_STATUS(wdfdma_device_write(of.machine, of.address, data, length), STATUS_SUCCESS);
        bounced_finish(&of);
        CHECK_STATUS(wdfdma_mdl_read(of.machine, of.mdl, 0, back, 3 * WORLD_PAGE - OFFSET),
                     STATUS_SUCCESS);
        CHECK_BYTES(back, data, length);
        CHECK_BYTES(back + length, old + length, 3 * WORLD_PAGE - OFFSET - length);
        bounced_start(&of, WRITE, length);
        bytes_read(&of, 0, back, length);
        CHECK_BYTES(back, data, length);
        bytes_read(&of, (int64_t)length, back, 100);
        CHECK(memcmp(back, old + length, 100) != 0); /* what was not to go did not */
        bounced_finish(&of);
        harness_machine_end(of.machine);
    }
}

/* ---- What bounces ---- */

typedef struct mapped {
    wdm wdm;
    PMDL mdl;
    PVOID base;
    uint64_t room[8];
} mapped;

/* [registers] 0: an adapter that needs none. */
static mapped mapped_open(bool gathers, ULONG registers, const uint64_t frames[3]) {
    mapped made = {.wdm = wdm_open(gathers, false)};
    seen first;
    made.mdl = world_mdl(made.wdm.machine, 0, 3 * WORLD_PAGE, frames);
    made.base = channel_get(&made.wdm, registers, DeallocateObjectKeepRegisters, &first);
    memset(made.room, 0xFF, sizeof made.room);
    return made;
}

/* MapTransferEx of [length] bytes from [offset] on; the address that it gives. */
static uint64_t map_at(mapped *of, uint64_t offset, ULONG *length) {
    PSCATTER_GATHER_LIST list = (PSCATTER_GATHER_LIST)(void *)of->room;
    CHECK_STATUS(of->wdm.ops->MapTransferEx(of->wdm.adapter, of->mdl, of->base, offset, 0, length,
                                            FALSE, list, sizeof of->room, NULL, NULL),
                 STATUS_SUCCESS);
    CHECK_EQUAL(list->NumberOfElements, 1);
    CHECK_EQUAL(list->Reserved, 0);
    CHECK_EQUAL(list->Elements[0].Length, *length);
    CHECK_EQUAL(list->Elements[0].Reserved, 0);
    return (uint64_t)list->Elements[0].Address.QuadPart;
}

/* An adapter of 32 bits: where the buffer's pages lie, and what a first mapping of it is. */
TEST(what_the_adapter_does_not_reach_bounces) {
    static const struct {
        bool gathers;
        uint64_t frames[3];
        ULONG length;
        bool bounces;
        ULONG mapped;
    } rows[] = {
        {false, {FOUR_GIB - 2, FOUR_GIB - 1, 5}, 2 * WORLD_PAGE, false, 2 * WORLD_PAGE},
        {false, {FOUR_GIB - 1, FOUR_GIB, 5}, 2 * WORLD_PAGE, true, 2 * WORLD_PAGE},
        {false, {FOUR_GIB - 3, FOUR_GIB - 2, FOUR_GIB - 1}, 3 * WORLD_PAGE, false, 3 * WORLD_PAGE},
        {false, {FOUR_GIB - 2, FOUR_GIB - 1, FOUR_GIB}, 3 * WORLD_PAGE, true, 3 * WORLD_PAGE},
        {false, {FOUR_GIB, FOUR_GIB + 1, FOUR_GIB + 2}, 3 * WORLD_PAGE, true, 3 * WORLD_PAGE},
        {false, {7, 9, 11}, WORLD_PAGE, false, WORLD_PAGE},
        {false, {7, 9, 11}, WORLD_PAGE + 1, true, WORLD_PAGE + 1},
        {false, {11, 10, 9}, 3 * WORLD_PAGE, true, 3 * WORLD_PAGE},
        {true, {11, 10, 9}, 3 * WORLD_PAGE, false, WORLD_PAGE},
        {true, {7, 8, 11}, 3 * WORLD_PAGE, false, 2 * WORLD_PAGE},
        {true, {7, 9, FOUR_GIB}, 2 * WORLD_PAGE, false, WORLD_PAGE},
        {true, {7, 9, FOUR_GIB}, 3 * WORLD_PAGE, true, 3 * WORLD_PAGE},
        {true, {7, FOUR_GIB, 9}, 3 * WORLD_PAGE, true, 3 * WORLD_PAGE},
        {true, {FOUR_GIB - 1, FOUR_GIB, 9}, WORLD_PAGE, false, WORLD_PAGE},
        {true, {FOUR_GIB, 9, 10}, 10, true, 10},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        mapped of = mapped_open(rows[i].gathers, 3, rows[i].frames);
        ULONG length = rows[i].length;
        uint64_t address = map_at(&of, 0, &length);
        CHECK_EQUAL(length, rows[i].mapped);
        CHECK_EQUAL(address,
                    rows[i].bounces ? WORLD_REGISTERS_ADDRESS : rows[i].frames[0] * WORLD_PAGE);
        harness_machine_end(of.wdm.machine);
    }
}

/* A run of pages ends with a page, wherever in its first one the transfer begins. */
TEST(what_follows_is_mapped_at_once) {
    static const uint64_t frames[] = {7, 8, 11};
    for (ULONG at = 0; at < WORLD_PAGE; at += 1365) {
        mapped of = mapped_open(true, 3, frames);
        ULONG length = 3 * WORLD_PAGE - at;
        CHECK_EQUAL(map_at(&of, at, &length), 7 * WORLD_PAGE + at);
        CHECK_EQUAL(length, 2 * WORLD_PAGE - at);
        harness_machine_end(of.wdm.machine);
    }
}

/* A list over two MDLs of two pages, from [at] on: one page that the adapter does not reach has all of it bounce. */
TEST(one_page_has_its_list_bounce) {
    static const struct {
        uint64_t frames[4];
        uint64_t at;
        bool bounces;
    } rows[] = {{{5, 7, 9, 11}, 0, false},
                {{5, FOUR_GIB - 1, 9, FOUR_GIB - 1}, 0, false},
                {{FOUR_GIB, 7, 9, 11}, 0, true},
                {{5, FOUR_GIB, 9, 11}, 0, true},
                {{5, 7, FOUR_GIB, 11}, 0, true},
                {{5, 7, 9, FOUR_GIB}, 0, true},
                {{FOUR_GIB, 7, 9, 11}, WORLD_PAGE, false},
                {{FOUR_GIB, 7, 9, 11}, WORLD_PAGE - 1, true},
                {{5, FOUR_GIB, 9, 11}, WORLD_PAGE, true},
                {{5, FOUR_GIB, 9, 11}, 2 * WORLD_PAGE, false},
                {{5, 7, 9, FOUR_GIB + 1}, 3 * WORLD_PAGE, true}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        wdm made = wdm_open(true, false);
        PMDL chain = world_mdl(made.machine, 0, 2 * WORLD_PAGE, rows[i].frames);
        chain->Next = world_mdl(made.machine, 0, 2 * WORLD_PAGE, rows[i].frames + 2);
        PMDL first = rows[i].at < 2 * WORLD_PAGE ? chain : chain->Next;
        uint64_t at = rows[i].at % (2 * WORLD_PAGE);
        seen list = {0};
        CHECK_STATUS(made.ops->GetScatterGatherList(made.adapter, made.object, first,
                                                    (char *)MmGetMdlVirtualAddress(first) + at,
                                                    (ULONG)(4 * WORLD_PAGE - rows[i].at), on_list,
                                                    &list, FALSE),
                     STATUS_SUCCESS);
        REQUIRE(list.list != NULL);
        uint64_t address = (uint64_t)list.list->Elements[0].Address.QuadPart;
        CHECK_EQUAL(address, rows[i].bounces
                                 ? WORLD_REGISTERS_ADDRESS + at % WORLD_PAGE
                                 : rows[i].frames[rows[i].at / WORLD_PAGE] * WORLD_PAGE);
        harness_machine_end(made.machine);
    }
}

/* In one MDL, from its second page on. */
TEST(the_page_before_a_list_is_no_matter) {
    static const struct {
        uint64_t frames[3];
        bool bounces;
    } rows[] = {{{5, FOUR_GIB, 9}, true}, {{FOUR_GIB, 7, 9}, false}, {{5, 7, FOUR_GIB}, true}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        wdm made = wdm_open(true, false);
        PMDL mdl = world_mdl(made.machine, 0, 3 * WORLD_PAGE, rows[i].frames);
        seen list = {0};
        CHECK_STATUS(
            made.ops->GetScatterGatherList(made.adapter, made.object, mdl,
                                           (char *)MmGetMdlVirtualAddress(mdl) + WORLD_PAGE,
                                           WORLD_PAGE + 1, on_list, &list, FALSE),
            STATUS_SUCCESS);
        REQUIRE(list.list != NULL);
        CHECK_EQUAL(list.list->NumberOfElements, rows[i].bounces ? 1 : 2);
        CHECK_EQUAL(list.list->Elements[0].Address.QuadPart,
                    rows[i].bounces ? WORLD_REGISTERS_ADDRESS : 7 * WORLD_PAGE);
        harness_machine_end(made.machine);
    }
}

/* A transaction that bounced once does so no more where there is no need. */
TEST(a_transfer_after_one_that_bounced) {
    world made = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
    WDFDMATRANSACTION transaction = world_transaction(made.enabler);
    PMDL high = world_mdl(made.machine, 0, 100, (const uint64_t[]){FOUR_GIB});
    PMDL low = world_mdl(made.machine, 0, 100, (const uint64_t[]){77});
    for (int turn = 0; turn < 4; turn++) {
        world_seen told = {0};
        NTSTATUS status;
        CHECK_STATUS(world_initialize(transaction, READ, turn % 2 == 0 ? high : low, 0, 100),
                     STATUS_SUCCESS);
        CHECK_STATUS(WdfDmaTransactionExecute(transaction, &told), STATUS_SUCCESS);
        uint64_t address = (uint64_t)told.list[0].Address.QuadPart;
        CHECK_EQUAL(address, turn % 2 == 0 ? WORLD_REGISTERS_ADDRESS : 77 * WORLD_PAGE);
        CHECK_STATUS(wdfdma_device_write(made.machine, address + 99, "x", 1), STATUS_SUCCESS);
        CHECK(WdfDmaTransactionDmaCompleted(transaction, &status));
        CHECK_STATUS(WdfDmaTransactionRelease(transaction), STATUS_SUCCESS);
    }
}

/* What bounces lies behind what bounces through the run already; what does not takes no register. */
TEST(registers_of_a_run_are_given_to_what_bounces) {
    static const struct {
        uint64_t frames[3];
        ULONG registers;
        uint64_t first, second; /* where they begin in the buffer */
        int64_t places[2];      /* the register; -1: none */
        ULONG length, mapped;   /* of the second; 0: 100 */
    } rows[] = {
        {{40, FOUR_GIB, 41}, 2, WORLD_PAGE, WORLD_PAGE + 2000, {0, 1}, 0, 0},
        {{FOUR_GIB, 40, 50}, 1, 0, WORLD_PAGE, {0, -1}, 0, 0},
        {{FOUR_GIB, 40, 50}, 1, WORLD_PAGE, 0, {-1, 0}, 0, 0},
        {{FOUR_GIB, 40, FOUR_GIB}, 3, 2 * WORLD_PAGE, 0, {0, 1}, 0, 0},
        {{40, FOUR_GIB, 41}, 1, 0, 2 * WORLD_PAGE + 7, {-1, -1}, 0, 0},
        /* as much as one register would hold; what lies behind it would bounce */
        {{FOUR_GIB, 40, FOUR_GIB + 7},
         1,
         0,
         WORLD_PAGE + 100,
         {0, -1},
         2 * WORLD_PAGE - 100,
         WORLD_PAGE - 100},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        mapped of = mapped_open(false, rows[i].registers, rows[i].frames);
        for (size_t part = 0; part < 2; part++) {
            uint64_t offset = part == 0 ? rows[i].first : rows[i].second;
            int64_t place = rows[i].places[part];
            uint64_t page = place >= 0 ? WORLD_REGISTERS_ADDRESS + (uint64_t)place * WORLD_PAGE
                                       : rows[i].frames[offset / WORLD_PAGE] * WORLD_PAGE;
            bool given = part == 1 && rows[i].length != 0;
            ULONG length = given ? rows[i].length : 100;
            CHECK_EQUAL(map_at(&of, offset, &length), page + offset % WORLD_PAGE);
            CHECK_EQUAL(length, given ? rows[i].mapped : 100);
        }
        CHECK(wdfdma_machine_get_bugcheck(of.wdm.machine) == NULL);
        harness_machine_end(of.wdm.machine);
    }
}

/* A driver's own memory, which may hold anything: each element is written whole. */
TEST(elements_are_written_whole) {
    static const uint64_t frames[] = {7, 9, 11};
    for (int bounces = 0; bounces < 2; bounces++) {
        wdm made = wdm_open(true, bounces != 0);
        PMDL mdl = world_mdl(made.machine, 0, 3 * WORLD_PAGE, frames);
        seen list = {0};
        uint64_t room[32];
        memset(room, 0xFF, sizeof room);
        CHECK_STATUS(made.ops->BuildScatterGatherList(made.adapter, made.object, mdl,
                                                      MmGetMdlVirtualAddress(mdl), 3 * WORLD_PAGE,
                                                      on_list, &list, FALSE, room, sizeof room),
                     STATUS_SUCCESS);
        REQUIRE(list.list != NULL);
        CHECK_EQUAL(list.list->NumberOfElements, bounces != 0 ? 1 : 3);
        CHECK_EQUAL(list.list->Reserved, 0);
        for (ULONG i = 0; i < list.list->NumberOfElements; i++) {
            CHECK_EQUAL(list.list->Elements[i].Reserved, 0);
        }
        harness_machine_end(made.machine);
    }
}

/* The machine stops over it: nothing was mapped, whatever the call answers by. */
TEST(a_mapping_that_has_not_begun_has_no_length) {
    static const uint64_t frames[] = {7, 8, 9};
    for (int ex = 0; ex < 2; ex++) {
        mapped of = mapped_open(false, 2, frames);
        seen first;
        ULONG length = 100;
        CHECK_STATUS(wdfdma_machine_set_rule_mode(of.wdm.machine, WDFDMA_RULE_BUFFER_SHARED,
                                                  WDFDMA_MODE_STOP),
                     STATUS_SUCCESS);
        map_at(&of, 100, &length);
        of.wdm.adapter = adapter_get(&of.wdm, describe(false));
        of.base = channel_get(&of.wdm, 2, DeallocateObjectKeepRegisters, &first);
        length = 101; /* one byte more than there is room for */
        if (ex == 0) {
            PHYSICAL_ADDRESS address = of.wdm.ops->MapTransfer(
                of.wdm.adapter, of.mdl, of.base, MmGetMdlVirtualAddress(of.mdl), &length, FALSE);
            CHECK_EQUAL(address.QuadPart, 0);
            CHECK_EQUAL(length, 0);
        } else {
            CHECK(!NT_SUCCESS(of.wdm.ops->MapTransferEx(
                of.wdm.adapter, of.mdl, of.base, 0, 0, &length, FALSE,
                (PSCATTER_GATHER_LIST)(void *)of.room, sizeof of.room, NULL, NULL)));
        }
        CHECK_EQUAL(world_rule(of.wdm.machine), WDFDMA_RULE_BUFFER_SHARED);
        CHECK_EQUAL(wdfdma_machine_get_state(of.wdm.machine)->mappings, 1);
        harness_machine_end(of.wdm.machine);
    }
}

/* A transfer of [length] bytes from [offset] on, asked for by its size alone. */
static NTSTATUS info_get(const wdm *of, PMDL mdl, uint64_t offset, ULONG length, ULONG *elements) {
    DMA_TRANSFER_INFO info = {.Version = DMA_TRANSFER_INFO_VERSION1};
    NTSTATUS status = of->ops->GetDmaTransferInfo(of->adapter, mdl, offset, length, FALSE, &info);
    *elements = info.V1.ScatterGatherElementCount;
    return status;
}

/* A chain that is none ends the machine, wherever it breaks; one that is too short does not. */
TEST(a_broken_chain_has_no_size) {
    static const struct {
        uint64_t offset;
        ULONG length;
        NTSTATUS status;
    } rows[] = {{0, 200, STATUS_SUCCESS},
                {0, 201, STATUS_UNSUCCESSFUL},
                {199, 2, STATUS_UNSUCCESSFUL},
                {200, 1, STATUS_UNSUCCESSFUL}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (int forged = 0; forged < 2; forged++) {
            wdm made = wdm_open(true, false);
            PMDL chain = world_mdl(made.machine, 0, 100, NULL);
            MDL third = *chain;
            ULONG elements = 0;
            chain->Next = world_mdl(made.machine, 0, 100, NULL);
            chain->Next->Next = forged != 0 ? &third : NULL;
            bool breaks = forged != 0 && rows[i].status != STATUS_SUCCESS;
            NTSTATUS status = rows[i].status == STATUS_SUCCESS ? STATUS_SUCCESS
                              : forged != 0                    ? STATUS_UNSUCCESSFUL
                                                               : STATUS_BUFFER_TOO_SMALL;
            CHECK_STATUS(info_get(&made, chain, rows[i].offset, rows[i].length, &elements), status);
            CHECK_EQUAL(world_rule(made.machine),
                        breaks ? WDFDMA_RULE_INVALID_MDL : WDFDMA_RULE_NONE);
            CHECK_EQUAL(elements, status == STATUS_SUCCESS ? 2 : 0);
            harness_machine_end(made.machine);
        }
    }
}

/* A buffer given by its address begins there. */
TEST(an_address_in_a_buffer_is_a_place_in_it) {
    static const uint64_t frames[] = {7, 9, 11};
    static const size_t offsets[] = {0, 1, 4000, WORLD_PAGE, 2 * WORLD_PAGE + 17};
    for (size_t i = 0; i < sizeof offsets / sizeof *offsets; i++) {
        world made =
            world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
        PMDL mdl = world_mdl(made.machine, OFFSET, 3 * WORLD_PAGE - OFFSET, frames);
        WDFDMATRANSACTION transaction = world_transaction(made.enabler);
        world_seen told = {0};
        uint64_t at = OFFSET + offsets[i];
        CHECK_STATUS(WdfDmaTransactionInitialize(transaction, world_program_dma, READ, mdl,
                                                 (char *)MmGetMdlVirtualAddress(mdl) + offsets[i],
                                                 10),
                     STATUS_SUCCESS);
        CHECK_STATUS(WdfDmaTransactionExecute(transaction, &told), STATUS_SUCCESS);
        CHECK_EQUAL(told.list[0].Length, 10);
        if (at / WORLD_PAGE == (at + 9) / WORLD_PAGE) {
            CHECK_EQUAL(told.list[0].Address.QuadPart,
                        frames[at / WORLD_PAGE] * WORLD_PAGE + at % WORLD_PAGE);
        }
        harness_machine_end(made.machine);
    }
}

/* A base that names no register of the pool. */
TEST(a_run_past_the_pool_is_nobodys) {
    for (uint64_t past = 0; past < 3; past++) {
        wdm made = wdm_open(false, false);
        made.ops->FreeMapRegisters(
            made.adapter,
            (PVOID)(uintptr_t)(WORLD_REGISTERS_ADDRESS + (REGISTERS + past) * WORLD_PAGE), 1);
        check_violation(&made, 5);
        CHECK_EQUAL(world_free_registers(made.machine), REGISTERS);
        CHECK_EQUAL(wdfdma_pool_get_run(made.machine, (uint32_t)(REGISTERS + past)), 0);
        harness_machine_end(made.machine);
    }
}

HARNESS_MAIN(ENTRY(the_shortest_transfers_bounce), ENTRY(pages_apart_bounce_one_by_one),
             ENTRY(what_the_adapter_does_not_reach_bounces),
             ENTRY(registers_of_a_run_are_given_to_what_bounces),
             ENTRY(what_follows_is_mapped_at_once), ENTRY(one_page_has_its_list_bounce),
             ENTRY(the_page_before_a_list_is_no_matter), ENTRY(a_transfer_after_one_that_bounced),
             ENTRY(elements_are_written_whole), ENTRY(a_mapping_that_has_not_begun_has_no_length),
             ENTRY(a_broken_chain_has_no_size), ENTRY(an_address_in_a_buffer_is_a_place_in_it),
             ENTRY(a_run_past_the_pool_is_nobodys))
