/* FlushAdapterBuffers at the edges: which bytes come, what a flush that meets nothing is told, and chains that a
 * driver changes under a mapping. */
#include "wdm_run.h"

TEST(nothing_is_flushed_without_a_length) {
    run made = run_open(false, false, 2, WDFDMA_MODE_COLLECT);
    ULONG length = SOME;
    run_map(&made, 0, &length, TRUE);
    CHECK_STATUS(run_flush(&made, 0, 0), STATUS_UNSUCCESSFUL);
    CHECK_EQUAL(world_rule(made.wdm.machine), WDFDMA_RULE_LENGTH_PAST_BUFFER);
    CHECK_EQUAL(wdfdma_machine_get_state(made.wdm.machine)->mappings, 1);
}

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

/* More than the registers hold, from an offset on: what the MDL has from there is told. */
TEST(a_flush_is_bounded_by_its_registers) {
    run made = run_open(false, false, 2, WDFDMA_MODE_COLLECT);
    ULONG length = SOME;
    run_map(&made, 10, &length, FALSE);
    CHECK_STATUS(run_flush(&made, 10, 2 * WORLD_PAGE - 109), STATUS_UNSUCCESSFUL);
    told_check(run_told(&made, 1), WDFDMA_RULE_DMA_00_1, 1, BUFFER_BYTES - 10,
               2 * WORLD_PAGE - 109);
    CHECK_STATUS(run_flush(&made, 10, 2 * WORLD_PAGE - 110), STATUS_SUCCESS);
    run_told(&made, 1);
}

TEST(only_an_mdl_is_flushed) {
    for (int way = 0; way < 4; way++) {
        run made = run_open(false, false, 2, WDFDMA_MODE_DEFAULT);
        MDL forged = *made.wdm.mdl;
        ULONG length = SOME;
        run_map(&made, 0, &length, FALSE);
        made.wdm.mdl = way % 2 == 0 ? NULL : &forged;
        if (way / 2 == 0) {
            CHECK_STATUS(run_flush(&made, 0, SOME), STATUS_UNSUCCESSFUL);
        } else {
            CHECK(!made.wdm.ops->FlushAdapterBuffers(made.wdm.adapter, made.wdm.mdl, made.base,
                                                     made.start, SOME, FALSE));
        }
        CHECK_EQUAL(world_rule(made.wdm.machine), WDFDMA_RULE_INVALID_MDL);
        CHECK_EQUAL(wdfdma_machine_get_bugcheck(made.wdm.machine)->object_type,
                    WDFDMA_OBJECT_ADAPTER);
        CHECK_EQUAL(wdfdma_machine_get_state(made.wdm.machine)->mappings, 1);
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

HARNESS_MAIN(ENTRY(nothing_is_flushed_without_a_length), ENTRY(a_part_is_flushed),
             ENTRY(a_flush_meets_what_it_covers), ENTRY(a_flush_of_nothing_is_told_apart),
             ENTRY(a_flush_is_bounded_by_its_registers), ENTRY(only_an_mdl_is_flushed),
             ENTRY(a_chain_changes_under_its_registers))
