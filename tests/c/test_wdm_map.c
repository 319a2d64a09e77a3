/* MapTransfer at the edges: what registers, pages and chains carry of what is asked for. */
#include "wdm_run.h"

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

/* Each run has its own registers, and what bounces on it begins with the first that is not used. */
TEST(each_run_is_filled_from_its_start) {
    run low = run_open(false, true, 3, WDFDMA_MODE_DEFAULT), high = low;
    seen first;
    high.base = channel_get(&low.wdm, 3, DeallocateObjectKeepRegisters, &first);
    for (uint32_t i = 0; i < 4; i++) {
        uint64_t first_register = (i % 2 == 0 ? 3u : 0u) + i / 2;
        ULONG length = SOME;
        CHECK_EQUAL(run_map(i % 2 == 0 ? &high : &low, i * SOME, &length, TRUE),
                    WORLD_REGISTERS_ADDRESS + first_register * WORLD_PAGE + 100 + i * SOME);
        CHECK_EQUAL(length, SOME);
    }
    CHECK(wdfdma_machine_get_bugcheck(low.wdm.machine) == NULL);
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

HARNESS_MAIN(ENTRY(a_mapping_ends_with_its_registers),
             ENTRY(a_length_may_run_to_the_end_of_its_page),
             ENTRY(a_chain_may_run_to_the_end_of_its_last_page),
             ENTRY(each_run_is_filled_from_its_start), ENTRY(a_chain_is_mapped_an_mdl_at_a_time),
             ENTRY(mappings_are_bounded_together), ENTRY(nothing_is_mapped_without_a_length))
