/* MapTransfer and FlushAdapterBuffers at the edges: which bytes go and come, what a flush that meets nothing
 * is told, and chains that a driver changes under a mapping. */
#include "dma_rules.h"

typedef struct run {
    wdm wdm;
    PVOID base;
    char *start;
    uint64_t room[8];
} run;

static run run_open(bool gathers, bool force, ULONG registers, uint32_t mode) {
    seen first;
    run made = {.wdm = wdm_open(gathers, force)};
    made.base = channel_get(&made.wdm, registers, DeallocateObjectKeepRegisters, &first);
    made.start = MmGetMdlVirtualAddress(made.wdm.mdl);
    wdfdma_machine_set_rule_mode(made.wdm.machine, WDFDMA_RULE_NONE, mode);
    return made;
}

static void run_use(run *of, PMDL mdl) {
    of->wdm.mdl = mdl;
    of->start = MmGetMdlVirtualAddress(mdl);
}

static uint64_t run_map(const run *of, ULONG offset, ULONG *length, BOOLEAN to_device) {
    return (uint64_t)of->wdm.ops
        ->MapTransfer(of->wdm.adapter, of->wdm.mdl, of->base, of->start + offset, length, to_device)
        .QuadPart;
}

static NTSTATUS run_map_ex(run *of, ULONGLONG offset, ULONG *length, BOOLEAN to_device) {
    return of->wdm.ops->MapTransferEx(of->wdm.adapter, of->wdm.mdl, of->base, offset, 0, length,
                                      to_device, (PSCATTER_GATHER_LIST)(void *)of->room,
                                      sizeof of->room, NULL, NULL);
}

static NTSTATUS run_flush(const run *of, ULONGLONG offset, ULONG length) {
    return of->wdm.ops->FlushAdapterBuffersEx(of->wdm.adapter, of->wdm.mdl, of->base, offset,
                                              length, FALSE);
}

static const wdfdma_violation *run_told(const run *of, size_t count) {
    static const wdfdma_violation none;
    size_t kept = 0;
    const wdfdma_violation *list = wdfdma_machine_get_violations(of->wdm.machine, &kept);
    return CHECK_EQUAL(kept, count) && kept != 0 ? &list[kept - 1] : &none;
}

static void told_check(const wdfdma_violation *told, wdfdma_rule rule, uint64_t second,
                       uint64_t third, uint64_t fourth) {
    CHECK_EQUAL(told->rule, rule);
    CHECK_EQUAL(told->parameters[1], second);
    CHECK_EQUAL(told->parameters[2], third);
    CHECK_EQUAL(told->parameters[3], fourth);
}

/* ---- What is mapped ---- */

/* At most what the registers carry, whatever is asked for; the adapter's limit is theirs. */
TEST(a_mapping_ends_with_its_registers) {
    for (ULONG count = 1; count <= 3; count++) {
        DEVICE_DESCRIPTION narrow = describe(false);
        seen first;
        run made = {.wdm = wdm_open(false, true)};
        narrow.MaximumLength = (count - (count > 1)) * WORLD_PAGE;
        made.wdm.adapter = adapter_get(&made.wdm, narrow);
        made.base = channel_get(&made.wdm, count, DeallocateObjectKeepRegisters, &first);
        run_use(&made, made.wdm.mdl);
        ULONG length = BUFFER_BYTES;
        CHECK_EQUAL(run_map(&made, 0, &length, TRUE), WORLD_REGISTERS_ADDRESS + 100);
        CHECK_EQUAL(length, count * WORLD_PAGE - 100);
        CHECK_STATUS(run_flush(&made, 0, length), STATUS_SUCCESS);
        length = BUFFER_BYTES;
        memset(made.room, 0xEE, sizeof made.room);
        CHECK_STATUS(run_map_ex(&made, 0, &length, TRUE), STATUS_SUCCESS);
        const SCATTER_GATHER_LIST *list = (PSCATTER_GATHER_LIST)(void *)made.room;
        CHECK_EQUAL(length, count * WORLD_PAGE - 100);
        CHECK_EQUAL(list->NumberOfElements, 1);
        CHECK_EQUAL(list->Reserved, 0);
        CHECK_EQUAL(list->Elements[0].Length, length);
        CHECK_EQUAL(list->Elements[0].Reserved, 0);
        CHECK(wdfdma_machine_get_bugcheck(made.wdm.machine) == NULL);
        harness_machine_end(made.wdm.machine);
    }
}

/* By an address, a length may run on to the end of the last page, by an offset not at all. */
TEST(a_length_may_run_to_the_end_of_its_page) {
    static const struct {
        uint32_t offset, bytes; /* of the MDL */
        ULONG past;             /* what its last page has behind it */
    } rows[] = {
        {0, 5000, 3192}, {100, 5000, 3092}, {4000, 5000, 3288}, {100, 3996, 0}, {0, 1, 4095}};
    for (size_t i = 0; i < 2 * sizeof rows / sizeof *rows; i++) {
        bool over = i % 2 != 0;
        uint32_t bytes = rows[i / 2].bytes;
        run made = run_open(true, false, 4, WDFDMA_MODE_COLLECT);
        run_use(&made, world_mdl(made.wdm.machine, rows[i / 2].offset, bytes, NULL));
        ULONG length = bytes + rows[i / 2].past + over, asked = length;
        run_map(&made, 0, &length, TRUE);
        CHECK_EQUAL(length, over ? 0 : bytes);
        if (over) {
            told_check(run_told(&made, 1), WDFDMA_RULE_DMA_1F_3, 3, address_number(made.wdm.mdl),
                       asked);
        } else {
            CHECK_STATUS(run_flush(&made, 0, bytes), STATUS_SUCCESS);
        }
        length = bytes + 1;
        CHECK_STATUS(run_map_ex(&made, 0, &length, TRUE), STATUS_UNSUCCESSFUL);
        CHECK_EQUAL(length, bytes + 1);
        told_check(run_told(&made, 1 + over), WDFDMA_RULE_DMA_24, 1, 0, 0);
        harness_machine_end(made.wdm.machine);
    }
}

/* The last page is the chain's. */
TEST(a_chain_may_run_to_the_end_of_its_last_page) {
    for (ULONG over = 0; over < 2; over++) {
        run made = run_open(true, false, 4, WDFDMA_MODE_COLLECT);
        PMDL second = world_mdl(made.wdm.machine, 200, 300, NULL);
        run_use(&made, world_mdl(made.wdm.machine, 0, 4096, NULL));
        made.wdm.mdl->Next = second;
        ULONG length = 4096 + WORLD_PAGE - 200 + over, asked = length;
        run_map(&made, 0, &length, TRUE);
        CHECK_EQUAL(length, over ? 0 : 4096);
        if (over) {
            told_check(run_told(&made, 1), WDFDMA_RULE_DMA_1F_3, 3, address_number(made.wdm.mdl),
                       asked);
        }
        harness_machine_end(made.wdm.machine);
    }
}

/* However few bytes the second MDL has. */
TEST(a_chain_is_mapped_an_mdl_at_a_time) {
    for (uint32_t bytes = 1; bytes < 4; bytes++) {
        run made = run_open(true, false, 4, WDFDMA_MODE_DEFAULT);
        run_use(&made, world_mdl(made.wdm.machine, 0, 4096, NULL));
        made.wdm.mdl->Next = world_mdl(made.wdm.machine, 0, bytes, NULL);
        ULONG length = 4096 + bytes;
        run_map(&made, 0, &length, TRUE);
        CHECK_EQUAL(length, 4096);
        CHECK_STATUS(run_flush(&made, 0, length), STATUS_SUCCESS);
        length = 4096 + bytes;
        CHECK_STATUS(run_map_ex(&made, 0, &length, TRUE), STATUS_SUCCESS);
        CHECK_EQUAL(length, 4096);
        harness_machine_end(made.wdm.machine);
    }
}

/* All that an adapter has mapped is at most what its registers carry, also where nothing bounces. */
TEST(mappings_are_bounded_together) {
    DEVICE_DESCRIPTION narrow = describe(false);
    seen first;
    run made = {.wdm = wdm_open(false, false)};
    narrow.MaximumLength = WORLD_PAGE;
    made.wdm.adapter = adapter_get(&made.wdm, narrow);
    made.base = channel_get(&made.wdm, 2, DeallocateObjectKeepRegisters, &first);
    run_use(&made, world_mdl(made.wdm.machine, 0, BUFFER_BYTES, NULL));
    wdfdma_machine_set_rule_mode(made.wdm.machine, WDFDMA_RULE_NONE, WDFDMA_MODE_COLLECT);
    ULONG length = SOME;
    run_map(&made, 2 * WORLD_PAGE, &length, TRUE);
    CHECK_EQUAL(length, SOME);
    length = 2 * WORLD_PAGE;
    run_map(&made, 0, &length, TRUE);
    CHECK_EQUAL(length, 0);
    told_check(run_told(&made, 1), WDFDMA_RULE_DMA_0D, 2 * WORLD_PAGE + SOME, 2 * WORLD_PAGE, 0);
    length = 2 * WORLD_PAGE - SOME;
    run_map(&made, 0, &length, TRUE);
    CHECK_EQUAL(length, 2 * WORLD_PAGE - SOME);
    run_told(&made, 1);
}

TEST(nothing_is_mapped_without_a_length) {
    run made = run_open(false, false, 2, WDFDMA_MODE_COLLECT);
    CHECK_EQUAL(run_map(&made, 0, NULL, TRUE), 0);
    told_check(run_told(&made, 1), WDFDMA_RULE_DMA_21, 0, 0, 0);
    CHECK_STATUS(run_map_ex(&made, 0, NULL, TRUE), STATUS_INVALID_PARAMETER);
    CHECK_EQUAL(wdfdma_machine_get_state(made.wdm.machine)->mappings, 0);
}

TEST(nothing_is_flushed_without_a_length) {
    run made = run_open(false, false, 2, WDFDMA_MODE_COLLECT);
    ULONG length = SOME;
    run_map(&made, 0, &length, TRUE);
    CHECK_STATUS(run_flush(&made, 0, 0), STATUS_UNSUCCESSFUL);
    CHECK_EQUAL(world_rule(made.wdm.machine), WDFDMA_RULE_LENGTH_PAST_BUFFER);
    CHECK_EQUAL(wdfdma_machine_get_state(made.wdm.machine)->mappings, 1);
}

/* ---- What is flushed ---- */

/* Of the bytes that a device wrote through registers only those come that are flushed, wherever in the
 * mapping they lie; what is flushed behind it stays as it was. */
TEST(a_part_is_flushed) {
    static const struct {
        ULONG offset, length;
    } rows[] = {{0, 9000},   {0, 50},      {10, 20},   {3000, 2000}, {4046, 1},   {4046, 500},
                {8500, 500}, {3996, 4096}, {50, 8950}, {8999, 1},    {8000, 3000}};
    static uint8_t data[9000], back[BUFFER_BYTES], expected[BUFFER_BYTES];
    enum {
        BEGIN = 50
    };
    world_fill(data, sizeof data, 9);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        run made = run_open(false, true, 4, WDFDMA_MODE_DEFAULT);
        ULONG length = sizeof data, left = length - rows[i].offset;
        world_fill(expected, sizeof expected, 77);
        CHECK_STATUS(wdfdma_mdl_write(made.wdm.machine, made.wdm.mdl, 0, expected, sizeof expected),
                     STATUS_SUCCESS);
        uint64_t at = run_map(&made, BEGIN, &length, FALSE);
        CHECK_EQUAL(length, sizeof data);
        CHECK_STATUS(wdfdma_device_write(made.wdm.machine, at, data, sizeof data), STATUS_SUCCESS);
        CHECK_STATUS(run_flush(&made, BEGIN + rows[i].offset, rows[i].length), STATUS_SUCCESS);
        memcpy(expected + BEGIN + rows[i].offset, data + rows[i].offset,
               rows[i].length < left ? rows[i].length : left);
        CHECK_STATUS(wdfdma_mdl_read(made.wdm.machine, made.wdm.mdl, 0, back, sizeof back),
                     STATUS_SUCCESS);
        CHECK_BYTES(back, expected, sizeof back);
        CHECK_EQUAL(wdfdma_machine_get_state(made.wdm.machine)->mappings, 0);
        harness_machine_end(made.wdm.machine);
    }
}

/* A range that reaches beyond what is mapped, on either side, ends it; one that only touches it does not. */
TEST(a_flush_meets_what_it_covers) {
    static const struct {
        ULONG offset, length;
        bool meets;
    } rows[] = {
        {900, 100, false}, {900, 101, true}, {1199, 10, true}, {1200, 10, false}, {0, 5000, true}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        run made = run_open(false, false, 2, WDFDMA_MODE_COLLECT);
        ULONG length = 200;
        run_map(&made, 1000, &length, FALSE);
        CHECK_STATUS(run_flush(&made, rows[i].offset, rows[i].length),
                     rows[i].meets ? STATUS_SUCCESS : STATUS_UNSUCCESSFUL);
        CHECK_EQUAL(wdfdma_machine_get_state(made.wdm.machine)->mappings, !rows[i].meets);
        if (!rows[i].meets) {
            told_check(run_told(&made, 1), WDFDMA_RULE_DMA_16, address_number(made.base), 0, 0);
        }
        harness_machine_end(made.wdm.machine);
    }
}

/* Nothing is mapped there: on these registers at all, or of these bytes. */
TEST(a_flush_of_nothing_is_told_apart) {
    enum {
        EMPTY_RUN,    /* while another has mappings */
        OTHER_BYTES,  /* behind two mappings of the same run */
        UNKNOWN_RUN,  /* a number that names none */
        NO_REGISTERS, /* of an adapter that needs none */
        NO_BASE,      /* of one that needs some */
        WAYS
    };
    for (int way = 0; way < WAYS; way++) {
        run made = run_open(true, false, 2, WDFDMA_MODE_COLLECT);
        run other = made;
        seen second;
        ULONG length = SOME;
        DEVICE_DESCRIPTION wide = describe(true);
        wide.DmaAddressWidth = 64;
        other.base = channel_get(&made.wdm, 2, DeallocateObjectKeepRegisters, &second);
        run_map(&other, 0, &length, FALSE);
        run_map(&made, 5000, &length, FALSE);
        if (way == OTHER_BYTES) {
            run_map(&made, 5000 + SOME, &length, FALSE);
            run_map(&other, SOME, &length, FALSE);
        } else if (way == EMPTY_RUN) {
            CHECK_STATUS(run_flush(&made, 5000, SOME), STATUS_SUCCESS);
        } else if (way == NO_REGISTERS) {
            made.wdm.adapter = adapter_get(&made.wdm, wide);
        }
        made.base = way == UNKNOWN_RUN                      ? (PVOID)(uintptr_t)0x107000
                    : way == NO_REGISTERS || way == NO_BASE ? NULL
                                                            : made.base;
        uint32_t before = wdfdma_machine_get_state(made.wdm.machine)->mappings;
        CHECK_STATUS(run_flush(&made, 300, SOME), STATUS_UNSUCCESSFUL);
        const wdfdma_violation *told = run_told(&made, 1);
        if (way == OTHER_BYTES || way == NO_REGISTERS) {
            told_check(told, WDFDMA_RULE_DMA_16, address_number(made.base), 0, 0);
        } else {
            told_check(told, WDFDMA_RULE_DMA_20, address_number(made.base),
                       address_number(made.start) + 300, address_number(made.wdm.mdl));
        }
        CHECK_EQUAL(wdfdma_machine_get_state(made.wdm.machine)->mappings, before);
        harness_machine_end(made.wdm.machine);
    }
}

/* ---- Chains that change ---- */

/* The buffer's two pages bounce through two registers, which the chain would not fit any more. */
TEST(a_chain_changes_under_its_registers) {
    for (int way = 0; way < 3; way++) {
        run made = run_open(false, true, 2, WDFDMA_MODE_DEFAULT);
        ULONG length = way == 1 ? WORLD_PAGE : 2 * WORLD_PAGE, first = WORLD_PAGE;
        run_use(&made, world_mdl(made.wdm.machine, 0, 2 * WORLD_PAGE, NULL));
        PMDL more = world_mdl(made.wdm.machine, 0, 2 * WORLD_PAGE, NULL);
        if (way == 1) { /* a mapping that has the second register alone */
            run_map(&made, 0, &first, FALSE);
        }
        CHECK_STATUS(run_map_ex(&made, way == 1 ? WORLD_PAGE : 0, &length, FALSE), STATUS_SUCCESS);
        made.wdm.mdl->ByteCount = WORLD_PAGE + 100;
        made.wdm.mdl->Next = more;
        CHECK_STATUS(run_flush(&made, way == 0 ? 0 : WORLD_PAGE, WORLD_PAGE),
                     way == 0 ? STATUS_SUCCESS : STATUS_UNSUCCESSFUL);
        CHECK_EQUAL(world_rule(made.wdm.machine),
                    way == 0 ? WDFDMA_RULE_NONE : WDFDMA_RULE_INVALID_MDL);
        CHECK_EQUAL(wdfdma_machine_get_state(made.wdm.machine)->mappings, (3 - way) % 3);
        made.wdm.mdl->ByteCount = 2 * WORLD_PAGE;
        made.wdm.mdl->Next = NULL;
        CHECK_MACHINE(made.wdm.machine);
    }
}

HARNESS_MAIN(ENTRY(a_mapping_ends_with_its_registers),
             ENTRY(a_length_may_run_to_the_end_of_its_page),
             ENTRY(a_chain_may_run_to_the_end_of_its_last_page),
             ENTRY(nothing_is_mapped_without_a_length), ENTRY(nothing_is_flushed_without_a_length),
             ENTRY(a_chain_is_mapped_an_mdl_at_a_time), ENTRY(mappings_are_bounded_together),
             ENTRY(a_part_is_flushed), ENTRY(a_flush_meets_what_it_covers),
             ENTRY(a_flush_of_nothing_is_told_apart), ENTRY(a_chain_changes_under_its_registers))
