/* Scatter/gather transactions at their edges: chains cut into any fragments, the list's buffer and when it is
 * made, chains that change, lists that fail. */
#include "world.h"

enum {
    MDLS = 4,
    MOST_LISTS = 64
};

static const WDF_DMA_DIRECTION READ = WdfDmaDirectionReadFromDevice;

/* A chain of MDLs, each by its byte offset and count. */
typedef struct chain {
    PMDL mdls[MDLS];
    uint32_t offsets[MDLS];
    uint32_t counts[MDLS];
    int count;
    uint64_t bytes;
} chain;

static chain chain_make(wdfdma_machine *machine, uint64_t *random, int count, uint32_t most) {
    chain made = {.count = count};
    for (int i = count - 1; i >= 0; i--) {
        made.offsets[i] = world_random_below(random, 3) == 0 ? world_random_below(random, 4096) : 0;
        made.counts[i] = 1 + world_random_below(random, most);
        made.mdls[i] = world_mdl(machine, made.offsets[i], made.counts[i], NULL);
        made.mdls[i]->Next = i + 1 < count ? made.mdls[i + 1] : NULL;
        made.bytes += made.counts[i];
    }
    return made;
}

/* The pages of [length] bytes from [at] on, each MDL counted by itself. */
static uint64_t pages_needed(const chain *of, uint64_t at, uint64_t length) {
    uint64_t pages = 0;
    for (int i = 0; i < of->count && length != 0; i++) {
        if (at >= of->counts[i]) {
            at -= of->counts[i];
            continue;
        }
        uint64_t here = of->counts[i] - at < length ? of->counts[i] - at : length;
        pages += ((of->offsets[i] + at) % WORLD_PAGE + here + WORLD_PAGE - 1) / WORLD_PAGE;
        length -= here;
        at = 0;
    }
    return pages;
}

/* How many bytes the next list has: a fragment, or as many whole MDLs of it as [registers] carry. */
static uint64_t list_length(const chain *of, uint64_t at, uint64_t fragment, uint64_t registers) {
    if (pages_needed(of, at, fragment) <= registers) {
        return fragment;
    }
    uint64_t end = 0;
    uint64_t fits = 0;
    for (int i = 0; i < of->count; i++) {
        end += of->counts[i];
        if (end > at && end - at <= fragment && pages_needed(of, at, end - at) <= registers) {
            fits = end - at;
        }
    }
    return fits;
}

static NTSTATUS initialize_expected(const chain *of, uint64_t offset, uint64_t length,
                                    uint64_t fragment, uint64_t limit) {
    for (uint64_t done = 0; done < length; done += fragment) {
        uint64_t left = length - done < fragment ? length - done : fragment;
        if (pages_needed(of, offset + done, left) > limit) {
            return STATUS_WDF_TOO_FRAGMENTED;
        }
    }
    return STATUS_SUCCESS;
}

/* One list after another: each as long as it should be, and of these bytes in the lists' elements. */
static void lists_expect(WDFDMATRANSACTION item, const chain *of, uint64_t offset, uint64_t length,
                         uint64_t fragment, uint64_t registers) {
    world_seen seen = {0};
    NTSTATUS status = STATUS_MORE_PROCESSING_REQUIRED;
    uint64_t done = 0;
    CHECK_STATUS(WdfDmaTransactionExecute(item, &seen), STATUS_SUCCESS);
    for (uint32_t lists = 1; status == STATUS_MORE_PROCESSING_REQUIRED && done < length; lists++) {
        uint64_t asked = length - done < fragment ? length - done : fragment;
        uint64_t expected = list_length(of, offset + done, asked, registers);
        uint64_t bytes = 0;
        for (uint32_t i = 0; i < seen.elements && i < WORLD_ELEMENTS; i++) {
            bytes += seen.list[i].Length;
        }
        if (!CHECK_EQUAL(seen.programmed, lists) ||
            !CHECK_EQUAL(WdfDmaTransactionGetCurrentDmaTransferLength(item), expected)) {
            return;
        }
        CHECK(seen.elements > WORLD_ELEMENTS || bytes == expected);
        done += expected;
        WdfDmaTransactionDmaCompleted(item, &status);
    }
    CHECK_STATUS(status, STATUS_SUCCESS);
    CHECK_EQUAL(done, length);
    CHECK_EQUAL(WdfDmaTransactionGetBytesTransferred(item), length);
}

/* Any chain, cut into fragments of any length, under any limit of elements. */
TEST(chains_are_cut_as_they_should_be) {
    static const uint64_t fragments[] = {3, 100, 4095, 4096, 4097, 5000, 8192, 9000, 12288};
    static const uint64_t limits[] = {1, 2, 3, 4, UINT32_MAX};
    uint64_t random = 5;
    uint32_t fits = 0;
    uint32_t refused = 0;
    for (int turn = 0; turn < 700; turn++) {
        uint64_t fragment = fragments[world_random_below(&random, 9)];
        uint64_t limit = limits[world_random_below(&random, 5)];
        wdfdma_machine_config config = world_config(16);
        config.registers_per_adapter = 4;
        config.force_map_registers = world_random_below(&random, 2) != 0;
        world of = world_open(&config, (world_profile){.profile = WdfDmaProfileScatterGather,
                                                       .maximum_length = (size_t)fragment});
        WDFDMATRANSACTION item = world_transaction(of.enabler);
        chain buffer =
            chain_make(of.machine, &random, 1 + turn % MDLS, fragment < 1000 ? 300 : 12000);
        uint64_t offset = world_random_below(&random, buffer.counts[0]);
        uint64_t length = 1 + world_random_below(&random, buffer.bytes - offset);
        WdfDmaEnablerSetMaximumScatterGatherElements(of.enabler, (size_t)limit);
        NTSTATUS expected = initialize_expected(&buffer, offset, length, fragment, limit);
        CHECK_STATUS(world_initialize(item, READ, buffer.mdls[0], offset, length), expected);
        if (NT_SUCCESS(expected)) {
            wdfdma_enabler_info info;
            CHECK_STATUS(wdfdma_enabler_get_info(of.enabler, READ, &info), STATUS_SUCCESS);
            lists_expect(item, &buffer, offset, length, fragment, info.map_registers);
            fits++;
        }
        refused += !NT_SUCCESS(expected);
        harness_machine_end(of.machine);
    }
    CHECK(fits > 100 && refused > 100);
}

/* What the first MDL shows of its alignments does not hold for the next one. */
TEST(the_second_mdl_has_alignments_of_its_own) {
    for (uint32_t odd = 0; odd < 2; odd++) {
        world of = world_open(
            NULL, (world_profile){.profile = WdfDmaProfileScatterGather, .maximum_length = 2});
        WDFDMATRANSACTION item = world_transaction(of.enabler);
        PMDL first = world_mdl(of.machine, 0, 10000, NULL);
        first->Next = world_mdl(of.machine, odd, 10000, NULL);
        WdfDmaEnablerSetMaximumScatterGatherElements(of.enabler, 1);
        CHECK_STATUS(world_initialize(item, READ, first, 0, 20000),
                     odd ? STATUS_WDF_TOO_FRAGMENTED : STATUS_SUCCESS);
    }
}

/* The list's buffer is made by Initialize, for as much as was ever needed, and never by Execute. */
TEST(the_buffer_of_a_list_is_made_ahead) {
    static const struct {
        bool single;
        uint32_t pages[6];
        bool makes[6];
    } rows[] = {
        {false, {2, 2, 1, 3, 4, 9}, {true, false, false, true, true, false}},
        {true, {2, 2, 1, 3, 4, 9}, {true, false, false, true, true, true}},
    };
    for (size_t row = 0; row < 2; row++) {
        wdfdma_machine_config config = world_config(16);
        config.registers_per_adapter = 4;
        world of = world_open(&config, (world_profile){.profile = WdfDmaProfileScatterGather64,
                                                       .maximum_length = 9 * WORLD_PAGE,
                                                       .version = 3});
        WDFDMATRANSACTION item = world_transaction(of.enabler);
        PMDL mdl = world_mdl(of.machine, 0, 9 * WORLD_PAGE, NULL);
        for (int i = 0; i < 6; i++) {
            size_t length = rows[row].pages[i] * (size_t)WORLD_PAGE;
            NTSTATUS status;
            WdfDmaTransactionSetSingleTransferRequirement(item, rows[row].single);
            CHECK_STATUS(wdfdma_machine_fail_allocation(of.machine, 1), STATUS_SUCCESS);
            CHECK_STATUS(world_initialize(item, READ, mdl, 0, length),
                         rows[row].makes[i] ? STATUS_INSUFFICIENT_RESOURCES : STATUS_SUCCESS);
            CHECK_EQUAL(wdfdma_machine_get_fail_allocation(of.machine), !rows[row].makes[i]);
            CHECK_STATUS(wdfdma_machine_fail_allocation(of.machine, 0), STATUS_SUCCESS);
            if (rows[row].makes[i]) {
                WdfDmaTransactionSetSingleTransferRequirement(item, rows[row].single);
                CHECK_STATUS(world_initialize(item, READ, mdl, 0, length), STATUS_SUCCESS);
            }
            CHECK_STATUS(wdfdma_machine_fail_allocation(of.machine, 1), STATUS_SUCCESS);
            CHECK_STATUS(WdfDmaTransactionExecute(item, NULL), STATUS_SUCCESS);
            for (int list = 0; list < 9 && !WdfDmaTransactionDmaCompleted(item, &status); list++) {
                CHECK_STATUS(status, STATUS_MORE_PROCESSING_REQUIRED);
            }
            CHECK_STATUS(status, STATUS_SUCCESS);
            CHECK_EQUAL(wdfdma_machine_get_fail_allocation(of.machine), 1);
            CHECK_STATUS(wdfdma_machine_fail_allocation(of.machine, 0), STATUS_SUCCESS);
            CHECK_STATUS(WdfDmaTransactionRelease(item), STATUS_SUCCESS);
        }
    }
}

/* A chain that a driver cuts off while it is transferred, and one that is no chain. */
TEST(a_chain_that_ends_too_soon) {
    for (int way = 0; way < 3; way++) {
        world of = world_open(NULL, (world_profile){.profile = WdfDmaProfileScatterGather,
                                                    .maximum_length = WORLD_PAGE});
        WDFDMATRANSACTION item = world_transaction(of.enabler);
        PMDL first = world_mdl(of.machine, 0, WORLD_PAGE, NULL);
        PMDL second = world_mdl(of.machine, 0, WORLD_PAGE, NULL);
        MDL forged = *second;
        NTSTATUS status = STATUS_SUCCESS;
        world_seen seen = {0};
        uint32_t free_before = world_free_registers(of.machine);
        first->Next = way < 2 ? second : &forged;
        if (way == 2) {
            CHECK_STATUS(world_initialize(item, READ, first, 0, 2 * WORLD_PAGE),
                         STATUS_UNSUCCESSFUL);
            CHECK_EQUAL(world_rule(of.machine), WDFDMA_RULE_INVALID_MDL);
            continue;
        }
        CHECK_STATUS(world_initialize(item, READ, first, 0, 2 * WORLD_PAGE), STATUS_SUCCESS);
        CHECK_STATUS(WdfDmaTransactionExecute(item, &seen), STATUS_SUCCESS);
        first->Next = way == 0 ? NULL : &forged;
        WdfDmaTransactionDmaCompleted(item, &status);
        CHECK_EQUAL(world_rule(of.machine),
                    way == 0 ? WDFDMA_RULE_LENGTH_PAST_BUFFER : WDFDMA_RULE_INVALID_MDL);
        first->Next = NULL;
        /* Nothing was asked for on the way. */
        CHECK_EQUAL(seen.programmed, 1);
        CHECK_EQUAL(world_free_registers(of.machine), free_before);
        CHECK_EQUAL(world_info(item).remaining, WORLD_PAGE);
    }
}

/* A driver that takes another chain in between needs another buffer, which may not be had. */
TEST(a_chain_that_grows_needs_a_larger_list) {
    static const uint32_t counts[] = {100, 100, 7892};
    for (int fails = 0; fails < 2; fails++) {
        world of = world_open(NULL, (world_profile){.profile = WdfDmaProfileScatterGather});
        WDFDMATRANSACTION item = world_transaction(of.enabler);
        PMDL first = world_mdl(of.machine, 0, 2 * WORLD_PAGE, NULL);
        PMDL last = first;
        world_seen seen = {0};
        CHECK_STATUS(world_initialize(item, READ, first, 0, 2 * WORLD_PAGE), STATUS_SUCCESS);
        for (int i = 0; i < 3; i++) {
            last->Next = world_mdl(of.machine, 0, counts[i], NULL);
            last = last->Next;
        }
        first->ByteCount = 100;
        CHECK_STATUS(wdfdma_machine_fail_allocation(of.machine, (uint64_t)fails), STATUS_SUCCESS);
        CHECK_STATUS(WdfDmaTransactionExecute(item, &seen),
                     fails ? STATUS_INSUFFICIENT_RESOURCES : STATUS_SUCCESS);
        CHECK_EQUAL(seen.programmed, !fails);
        CHECK_EQUAL(wdfdma_machine_get_fail_allocation(of.machine), 0);
        CHECK_EQUAL(world_state(item),
                    fails ? WDFDMA_STATE_TRANSFER_FAILED : WDFDMA_STATE_TRANSFER);
        uint64_t bytes = 0;
        for (uint32_t i = 0; i < seen.elements; i++) {
            bytes += seen.list[i].Length;
        }
        CHECK_EQUAL(bytes, fails ? 0 : 2 * WORLD_PAGE);
        first->ByteCount = 2 * WORLD_PAGE;
        first->Next = NULL;
    }
}

/* A fault that finds too many fragments finds them in the whole fragment; another one in what was cut of it. */
TEST(a_stage_that_fails_has_its_length) {
    static const NTSTATUS statuses[] = {STATUS_WDF_TOO_FRAGMENTED, STATUS_INSUFFICIENT_RESOURCES};
    for (int way = 0; way < 2; way++) {
        for (size_t asked = 4; asked <= 5; asked++) {
            wdfdma_machine_config config = world_config(16);
            config.registers_per_adapter = 4;
            world of = world_open(&config, (world_profile){.profile = WdfDmaProfileScatterGather,
                                                           .maximum_length = 12000});
            WDFDMATRANSACTION item = world_transaction(of.enabler);
            PMDL first = world_mdl(of.machine, 0, 2000, NULL);
            first->Next = world_mdl(of.machine, 4000, 2000, NULL);
            first->Next->Next = world_mdl(of.machine, 4000, 4000 + (uint32_t)asked, NULL);
            size_t length = 8000 + asked;
            const wdfdma_fault fault = {.kind = WDFDMA_FAULT_CALL,
                                        .op = WDFDMA_OP_EXECUTE,
                                        .nth = 1,
                                        .status = statuses[way]};
            CHECK_STATUS(world_initialize(item, READ, first, 0, length), STATUS_SUCCESS);
            CHECK_STATUS(wdfdma_machine_add_fault(of.machine, &fault), STATUS_SUCCESS);
            CHECK_STATUS(WdfDmaTransactionExecute(item, NULL), statuses[way]);
            CHECK_EQUAL(world_info(item).transfer_length, way == 0 ? length : 4000);
        }
    }
}

/* What comes and goes takes no memory with it. */
TEST(lists_give_their_memory_back) {
    world of = world_open(NULL, (world_profile){.profile = WdfDmaProfileScatterGather});
    PMDL mdl = world_mdl(of.machine, 0, 16 * WORLD_PAGE, NULL);
    size_t used = 0;
    for (int turn = 0; turn < 40; turn++) {
        WDFDMATRANSACTION item = world_transaction(of.enabler);
        NTSTATUS status;
        CHECK_STATUS(world_initialize(item, READ, mdl, 0, 16 * WORLD_PAGE), STATUS_SUCCESS);
        CHECK_STATUS(WdfDmaTransactionExecute(item, NULL), STATUS_SUCCESS);
        CHECK(WdfDmaTransactionDmaCompleted(item, &status));
        WdfObjectDelete(item);
        CHECK(turn < 2 || wdfdma_machine_get_used_bytes(of.machine) == used);
        used = wdfdma_machine_get_used_bytes(of.machine);
    }
}

HARNESS_MAIN(ENTRY(chains_are_cut_as_they_should_be),
             ENTRY(the_second_mdl_has_alignments_of_its_own),
             ENTRY(the_buffer_of_a_list_is_made_ahead), ENTRY(a_chain_that_ends_too_soon),
             ENTRY(a_chain_that_grows_needs_a_larger_list),
             ENTRY(a_stage_that_fails_has_its_length), ENTRY(lists_give_their_memory_back))
