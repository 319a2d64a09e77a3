/* MDLs at the edges: what is written in one, what of a driver's changes is believed, what of their use is
 * written in the journal. */
#include "world.h"

static const char PATH[] = "test_mdl_edges.wdj";

enum {
    PAGES = 3
};

/* ---- What is written in an MDL ---- */

TEST(the_size_is_told_where_it_fits) {
    static const struct {
        ULONG bytes;
        size_t size;
    } rows[] = {{1, sizeof(MDL) + 8},
                {3999 * WORLD_PAGE, sizeof(MDL) + 3999 * 8},
                {3999 * WORLD_PAGE + 1, 0},
                {5000 * WORLD_PAGE, 0}};
    harness_machine(NULL);
    CHECK(IoAllocateMdl(NULL, 0, FALSE, FALSE, NULL) == NULL);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        PMDL made = IoAllocateMdl(NULL, rows[i].bytes, FALSE, FALSE, NULL);
        REQUIRE(made != NULL);
        CHECK_EQUAL(made->Size, rows[i].size);
        IoFreeMdl(made);
    }
}

/* Over pages of which one came to life before the others. */
static PMDL mdl_scatter(wdfdma_machine *machine, uint32_t offset) {
    static const uint64_t frames[] = {9, 30, 11};
    PMDL first = world_mdl(machine, 0, 1, frames + 1);
    PMDL made = world_mdl(machine, offset, PAGES * WORLD_PAGE - offset, frames);
    CHECK_STATUS(wdfdma_mdl_destroy(machine, first), STATUS_SUCCESS);
    return made;
}

TEST(flags_tell_how_it_was_made) {
    wdfdma_machine *machine = harness_machine(NULL);
    PMDL whole = world_mdl(machine, 16, 2 * WORLD_PAGE, NULL);
    PMDL parts = mdl_scatter(machine, 0);
    CHECK_EQUAL(whole->MdlFlags, MDL_PAGES_LOCKED | MDL_MAPPED_TO_SYSTEM_VA);
    CHECK_EQUAL(parts->MdlFlags, MDL_PAGES_LOCKED);
    char *start = wdfdma_mdl_get_bytes(machine, whole);
    CHECK(whole->MappedSystemVa == start);
    CHECK(MmGetSystemAddressForMdlSafe(whole, NormalPagePriority) == start);
    CHECK_EQUAL((uintptr_t)start % WORLD_PAGE, 16);
    PMDL mine = IoAllocateMdl(start, 100, FALSE, FALSE, NULL);
    REQUIRE(mine != NULL);
    CHECK_EQUAL(mine->MdlFlags, 0);
    MmProbeAndLockPages(mine, KernelMode, IoReadAccess);
    CHECK_EQUAL(mine->MdlFlags, MDL_PAGES_LOCKED | MDL_MAPPED_TO_SYSTEM_VA);
    CHECK(MmMapLockedPagesSpecifyCache(mine, KernelMode, MmCached, NULL, FALSE,
                                       NormalPagePriority) == start);
    MmUnlockPages(mine);
    CHECK_EQUAL(mine->MdlFlags, 0);
    CHECK(MmMapLockedPagesSpecifyCache(mine, KernelMode, MmCached, NULL, FALSE,
                                       NormalPagePriority) == NULL);
    MmBuildMdlForNonPagedPool(mine);
    CHECK_EQUAL(mine->MdlFlags,
                MDL_PAGES_LOCKED | MDL_MAPPED_TO_SYSTEM_VA | MDL_SOURCE_IS_NONPAGED_POOL);
    CHECK(wdfdma_machine_get_bugcheck(machine) == NULL);
}

/* Pages that do not lie one after another have no address; the number in its place has 8 GiB to itself. */
TEST(a_buffer_without_an_address_has_room) {
    wdfdma_machine *machine = harness_machine(NULL);
    uintptr_t last = 0;
    for (int i = 0; i < 4; i++) {
        PMDL made = mdl_scatter(machine, 5);
        uintptr_t start = (uintptr_t)MmGetMdlVirtualAddress(made);
        CHECK_EQUAL(start % ((uintptr_t)1 << 33), 5);
        CHECK(start >> 33 != 0 && start > last);
        last = start;
        world_device(machine); /* so that the next one lies at another distance */
    }
}

/* ---- What a driver changes ---- */

/* Counts that no buffer has are not believed, of an MDL that is built and of one that is not. */
TEST(counts_that_do_not_fit_are_none) {
    static const struct {
        ULONG offset, count;
        bool fits;
    } rows[] = {
        {0, 3 * WORLD_PAGE, true},  {WORLD_PAGE - 1, 1, true}, {0, 0, false},
        {1, 3 * WORLD_PAGE, false}, {WORLD_PAGE, 1, false},    {WORLD_PAGE + 5, WORLD_PAGE, false},
        {UINT32_MAX, 1, false}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        wdfdma_machine *machine = harness_machine(NULL);
        PMDL built = world_mdl(machine, 0, PAGES * WORLD_PAGE, NULL);
        uint8_t byte = 0;
        PMDL mine =
            IoAllocateMdl(wdfdma_mdl_get_bytes(machine, built), PAGES * WORLD_PAGE, 0, 0, NULL);
        REQUIRE(mine != NULL);
        mine->ByteOffset = built->ByteOffset = rows[i].offset;
        mine->ByteCount = built->ByteCount = rows[i].count;
        CHECK_STATUS(wdfdma_mdl_read(machine, built, 0, &byte, 1),
                     rows[i].fits ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER);
        CHECK_EQUAL(wdfdma_mdl_get_bytes(machine, built) != NULL, rows[i].fits);
        MmBuildMdlForNonPagedPool(mine);
        CHECK_EQUAL(world_rule(machine), rows[i].fits ? WDFDMA_RULE_NONE : WDFDMA_RULE_INVALID_MDL);
        CHECK_EQUAL(mine->MdlFlags != 0, rows[i].fits);
        harness_machine_end(machine);
    }
}

/* The page that StartVa lies in, wherever in it a driver has moved that. */
TEST(a_start_inside_its_page_is_its_pages) {
    wdfdma_machine *machine = harness_machine(NULL);
    PMDL built = world_mdl(machine, 0, PAGES * WORLD_PAGE, NULL);
    PMDL mine = IoAllocateMdl(wdfdma_mdl_get_bytes(machine, built), 2 * WORLD_PAGE, 0, 0, NULL);
    mine->StartVa = (char *)mine->StartVa + 100;
    MmBuildMdlForNonPagedPool(mine);
    CHECK(wdfdma_machine_get_bugcheck(machine) == NULL);
    CHECK_BYTES(MmGetMdlPfnArray(mine), MmGetMdlPfnArray(built), 16);
}

/* ---- The journal ---- */

/* The values of all entries of [kind] from byte [at] of the file on, one after another. */
static size_t journal_read(uint64_t at, uint32_t kind, uint64_t *values, size_t most) {
    static uint8_t bytes[1 << 16];
    FILE *file = fopen(PATH, "rb");
    size_t read = file == NULL ? 0 : fread(bytes, 1, sizeof bytes, file);
    size_t found = 0;
    if (file != NULL) {
        fclose(file);
    }
    while (at < read && bytes[at] != 0) {
        bool wanted = bytes[at++] == kind;
        for (uint64_t left = bytes[at++]; left > 0; left--) {
            uint64_t value = 0;
            for (int shift = 0;; shift += 7) {
                value |= (uint64_t)(bytes[at] & 127) << shift;
                if (bytes[at++] < 128) {
                    break;
                }
            }
            if (wanted && found < most) {
                values[found] = value;
            }
            found += wanted;
        }
    }
    return found;
}

static void check_journal(uint64_t at, uint32_t kind, const uint64_t *expected, size_t count) {
    uint64_t values[32] = {0};
    CHECK_EQUAL(journal_read(at, kind, values, 32), count);
    for (size_t i = 0; i < count; i++) {
        CHECK_EQUAL(values[i], expected[i]);
    }
}

static uint64_t journal_begin(wdfdma_machine *machine) {
    CHECK_STATUS(wdfdma_journal_begin(machine, PATH, 0), STATUS_SUCCESS);
    return wdfdma_journal_get_bytes(machine, NULL);
}

static void journal_end(wdfdma_machine *machine) {
    wdfdma_journal_end(machine);
    remove(PATH);
}

/* With the MDLs of the chain before it, each with its place, its label, its offset, its length, its frames. */
TEST(what_the_processor_touches_is_written) {
    static const uint64_t frames[] = {300, 301, 302};
    wdfdma_machine *machine = harness_machine(NULL);
    PMDL chain = world_mdl(machine, 123, 2 * WORLD_PAGE, frames);
    chain->Next = world_mdl(machine, 0, 50, frames);
    uint8_t bytes[] = {201, 7, 7};
    uint64_t at = journal_begin(machine);
    const uint64_t parts[] = {0, 0, 123, 2 * WORLD_PAGE, 300, 301, 302, 1, 1, 0, 50, 300};
    CHECK_STATUS(wdfdma_mdl_write(machine, chain, 5, bytes, 3), STATUS_SUCCESS);
    check_journal(at, WDFDMA_JOURNAL_PART, parts, 12);
    check_journal(at, WDFDMA_OP_MDL_WRITE, (const uint64_t[]){5, 3, 201}, 3);
    at = wdfdma_journal_get_bytes(machine, NULL);
    CHECK_STATUS(wdfdma_mdl_read(machine, chain, 6, bytes, 2), STATUS_SUCCESS);
    check_journal(at, WDFDMA_JOURNAL_PART, parts, 12);
    check_journal(at, WDFDMA_OP_MDL_READ, (const uint64_t[]){6, 2, 0}, 3);
    at = wdfdma_journal_get_bytes(machine, NULL);
    CHECK_STATUS(wdfdma_mdl_write(machine, chain, 5, bytes, 0), STATUS_SUCCESS);
    check_journal(at, WDFDMA_OP_MDL_WRITE, (const uint64_t[]){5, 0, 0}, 3);
    at = wdfdma_journal_get_bytes(machine, NULL);
    CHECK_STATUS(wdfdma_mdl_write(machine, chain, 2 * WORLD_PAGE + 50, bytes, 1),
                 STATUS_BUFFER_TOO_SMALL);
    CHECK_EQUAL(wdfdma_journal_get_bytes(machine, NULL), at); /* nothing was touched */
    journal_end(machine);
}

/* An MDL whose counts do not fit is written without frames. */
TEST(what_does_not_fit_has_no_frames_written) {
    wdfdma_machine *machine = harness_machine(NULL);
    PMDL chain = world_mdl(machine, 0, 100, (const uint64_t[]){300});
    chain->Next = world_mdl(machine, 0, 100, (const uint64_t[]){301});
    chain->Next->ByteCount = WORLD_PAGE + 1;
    uint8_t byte = 0;
    uint64_t at = journal_begin(machine);
    CHECK_STATUS(wdfdma_mdl_read(machine, chain, 0, &byte, 1), STATUS_SUCCESS);
    check_journal(at, WDFDMA_JOURNAL_PART,
                  (const uint64_t[]){0, 0, 0, 100, 300, 1, 1, 0, WORLD_PAGE + 1}, 9);
    journal_end(machine);
}

/* A chain that leads back into itself is written once round, and one more. */
TEST(a_circle_is_written_once) {
    wdfdma_machine *machine = harness_machine(NULL);
    PMDL chain = world_mdl(machine, 0, 100, NULL);
    chain->Next = world_mdl(machine, 0, 100, NULL);
    chain->Next->Next = chain;
    uint8_t byte = 0;
    uint64_t values[32] = {0};
    uint64_t at = journal_begin(machine);
    CHECK_STATUS(wdfdma_mdl_read(machine, chain, 0, &byte, 1), STATUS_SUCCESS);
    CHECK_EQUAL(journal_read(at, WDFDMA_JOURNAL_PART, values, 32), 3 * 5);
    CHECK_EQUAL(values[10], 2);
    CHECK_EQUAL(values[11], values[1]);
    uint8_t all[400];
    CHECK_STATUS(wdfdma_mdl_read(machine, chain, 0, all, 300), STATUS_SUCCESS);
    CHECK_STATUS(wdfdma_mdl_read(machine, chain, 0, all, 301), STATUS_INVALID_PARAMETER);
    CHECK_STATUS(wdfdma_mdl_write(machine, chain, 0, NULL, 1), STATUS_INVALID_PARAMETER);
    journal_end(machine);
}

TEST(the_irql_is_written) {
    wdfdma_machine *machine = harness_machine(NULL);
    uint64_t at = journal_begin(machine);
    CHECK_EQUAL(KfRaiseIrql(DISPATCH_LEVEL), PASSIVE_LEVEL);
    CHECK_EQUAL(KeGetCurrentIrql(), DISPATCH_LEVEL);
    check_journal(at, WDFDMA_OP_RAISE_IRQL, (const uint64_t[]){DISPATCH_LEVEL, 0}, 2);
    CHECK_EQUAL(KfRaiseIrql(DISPATCH_LEVEL), DISPATCH_LEVEL);
    CHECK_EQUAL(KfRaiseIrql(HIGH_LEVEL), DISPATCH_LEVEL);
    KeLowerIrql(APC_LEVEL);
    check_journal(at, WDFDMA_OP_LOWER_IRQL, (const uint64_t[]){APC_LEVEL, 0}, 2);
    PMDL first = world_mdl(machine, 0, 1, NULL);
    CHECK_STATUS(wdfdma_mdl_destroy(machine, world_mdl(machine, 0, 1, NULL)), STATUS_SUCCESS);
    check_journal(at, WDFDMA_OP_FREE_MDL, (const uint64_t[]){1, 0}, 2);
    CHECK_STATUS(wdfdma_mdl_destroy(machine, first), STATUS_SUCCESS);
    journal_end(machine);
}

HARNESS_MAIN(ENTRY(the_size_is_told_where_it_fits), ENTRY(flags_tell_how_it_was_made),
             ENTRY(a_buffer_without_an_address_has_room), ENTRY(counts_that_do_not_fit_are_none),
             ENTRY(a_start_inside_its_page_is_its_pages),
             ENTRY(what_the_processor_touches_is_written),
             ENTRY(what_does_not_fit_has_no_frames_written), ENTRY(a_circle_is_written_once),
             ENTRY(the_irql_is_written))
