/* MDLs at the edges: what is written in one, what of a driver's changes is believed, what one costs, and
 * what the kernel's calls leave where they refuse. */
#include "world.h"

static const char PATH[] = "test_mdl_edges.wdj";

enum {
    PAGES = 3
};

static uint64_t mdl_handle(const wdfdma_machine *machine, size_t index) {
    WDFOBJECT handles[8] = {0};
    CHECK(wdfdma_machine_copy_objects(machine, WDFDMA_OBJECT_MDL, handles, 8) > index);
    return (uint64_t)(uintptr_t)handles[index];
}

/* ---- What is written in an MDL ---- */

TEST(the_size_is_told_where_it_fits) {
    static const struct {
        uint32_t pages;
        size_t size;
    } rows[] = {{1, sizeof(MDL) + 8}, {3999, sizeof(MDL) + 3999 * 8}, {4000, 0}, {5000, 0}};
    harness_machine(NULL);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        PMDL made = IoAllocateMdl(NULL, rows[i].pages * WORLD_PAGE, FALSE, FALSE, NULL);
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
        CHECK(start > last);
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

/* What is no MDL, or is no more, is the end of the machine and of nobody else. */
TEST(what_is_no_mdl_is_not_looked_into) {
    for (int call = 0; call < 4; call++) {
        wdfdma_machine *machine = harness_machine(NULL);
        PMDL built = world_mdl(machine, 0, WORLD_PAGE, NULL);
        MDL forged = *built;
        CSHORT flags = forged.MdlFlags;
        switch (call) {
        case 0:
            MmBuildMdlForNonPagedPool(&forged);
            break;
        case 1:
            MmProbeAndLockPages(&forged, KernelMode, IoReadAccess);
            break;
        case 2:
            MmUnlockPages(&forged);
            break;
        default:
            CHECK(MmMapLockedPagesSpecifyCache(&forged, KernelMode, MmCached, NULL, FALSE,
                                               NormalPagePriority) == NULL);
            MmUnmapLockedPages(NULL, &forged);
            break;
        }
        const wdfdma_bugcheck *found = wdfdma_machine_get_bugcheck(machine);
        REQUIRE(found != NULL);
        CHECK_EQUAL(found->rule, WDFDMA_RULE_INVALID_MDL);
        CHECK_EQUAL(found->handle, 0);
        CHECK_EQUAL(forged.MdlFlags, flags);
        harness_machine_end(machine);
    }
}

/* ---- Partial MDLs ---- */

typedef struct partial {
    wdfdma_machine *machine;
    PMDL source; /* PAGES pages, with frames that need more than two bytes */
    PMDL target; /* for PAGES pages, not built, of another address */
    char *start;
} partial;

static partial partial_open(void) {
    static const uint64_t frames[] = {0x123457, 0x234568, 0x345679};
    partial made = {.machine = harness_machine(NULL)};
    made.source = world_mdl(made.machine, 200, PAGES * WORLD_PAGE - 200, frames);
    made.target = IoAllocateMdl((PVOID)(uintptr_t)77, PAGES * WORLD_PAGE - 77, 0, 0, NULL);
    made.start = MmGetMdlVirtualAddress(made.source);
    return made;
}

TEST(a_partial_mdl_is_where_it_was_asked_for) {
    static const ULONG lengths[] = {0, PAGES * WORLD_PAGE - 200 - 50, 100};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        partial of = partial_open();
        uint8_t data[64], back[64];
        IoBuildPartialMdl(of.source, of.target, of.start + 50, lengths[i]);
        ULONG count = lengths[i] == 0 ? lengths[1] : lengths[i];
        ULONG pages = (250 + count + WORLD_PAGE - 1) / WORLD_PAGE;
        CHECK_EQUAL(of.target->ByteCount, count);
        CHECK_EQUAL(of.target->ByteOffset, 250);
        CHECK_EQUAL(of.target->MdlFlags, MDL_PAGES_LOCKED | MDL_PARTIAL | MDL_MAPPED_TO_SYSTEM_VA);
        CHECK(MmGetMdlVirtualAddress(of.target) == of.start + 50);
        CHECK_BYTES(MmGetMdlPfnArray(of.target), MmGetMdlPfnArray(of.source), pages * 8);
        world_fill(data, sizeof data, 5);
        CHECK_STATUS(wdfdma_mdl_write(of.machine, of.target, count - 64, data, 64), STATUS_SUCCESS);
        CHECK_STATUS(wdfdma_mdl_read(of.machine, of.source, 50 + count - 64, back, 64),
                     STATUS_SUCCESS);
        CHECK_BYTES(back, data, 64);
        harness_machine_end(of.machine);
    }
}

/* What is wrong is concerned; the target is as it was. */
TEST(a_refused_partial_mdl_changes_nothing) {
    enum {
        TARGET,
        SOURCE,
        NOBODY
    };
    for (int row = 0; row < 7; row++) {
        partial of = partial_open();
        MDL forged = *of.target;
        ULONG all = of.source->ByteCount;
        int concerned = TARGET;
        switch (row) {
        case 0: /* at the end */
            IoBuildPartialMdl(of.source, of.target, of.start + all, 1);
            break;
        case 1:
            IoBuildPartialMdl(of.source, of.target, of.start + all, 0);
            break;
        case 2:
            IoBuildPartialMdl(of.source, of.target, of.start + 1, all);
            break;
        case 3: /* behind the end */
            IoBuildPartialMdl(of.source, of.target, of.start + all + 1, 1);
            break;
        case 4: /* one that is built */
            MmUnlockPages(of.source);
            IoBuildPartialMdl(of.source, of.target, of.start, 1);
            concerned = SOURCE;
            break;
        case 5:
            IoBuildPartialMdl(of.source, of.source, of.start, 1);
            concerned = SOURCE;
            break;
        default:
            IoBuildPartialMdl(of.source, &forged, of.start, 1);
            concerned = NOBODY;
            break;
        }
        const wdfdma_bugcheck *found = wdfdma_machine_get_bugcheck(of.machine);
        REQUIRE(found != NULL);
        uint64_t handle =
            concerned == NOBODY ? 0 : mdl_handle(of.machine, concerned == SOURCE ? 0 : 1);
        CHECK_EQUAL(found->rule, WDFDMA_RULE_INVALID_MDL);
        CHECK_EQUAL(found->handle, handle);
        CHECK_EQUAL(found->parameters[1], handle);
        CHECK_EQUAL(of.target->ByteOffset, 77);
        CHECK_EQUAL(of.target->ByteCount, PAGES * WORLD_PAGE - 77);
        CHECK_EQUAL(of.target->MdlFlags, 0);
        harness_machine_end(of.machine);
    }
}

/* Its frames are alive already, so no memory is asked for; and they live on without the source. */
TEST(a_partial_mdl_needs_no_memory) {
    partial of = partial_open();
    CHECK_STATUS(wdfdma_machine_fail_allocation(of.machine, 1), STATUS_SUCCESS);
    IoBuildPartialMdl(of.source, of.target, of.start, WORLD_PAGE);
    CHECK_EQUAL(wdfdma_machine_get_fail_allocation(of.machine), 1);
    CHECK(wdfdma_machine_get_bugcheck(of.machine) == NULL);
    CHECK_STATUS(wdfdma_mdl_destroy(of.machine, of.source), STATUS_SUCCESS);
    CHECK_STATUS(wdfdma_mdl_write(of.machine, of.target, 0, "x", 1), STATUS_SUCCESS);
    IoFreeMdl(of.target);
    CHECK_EQUAL(wdfdma_machine_get_state(of.machine)->objects[WDFDMA_OBJECT_MEMORY], 0);
}

/* ---- Pages that a device has ---- */

/* What is unlocked under a transfer is told, and stays where that stops the machine. */
TEST(locked_pages_are_unlocked_under_a_transfer) {
    for (int stops = 0; stops < 2; stops++) {
        world made = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket});
        PMDL owner = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
        PMDL mine = IoAllocateMdl(wdfdma_mdl_get_bytes(made.machine, owner), 100, 0, 0, NULL);
        WDFDMATRANSACTION transaction = world_transaction(made.enabler);
        CHECK_STATUS(
            wdfdma_machine_set_rule_mode(made.machine, WDFDMA_RULE_BUFFER_FREED_WHILE_MAPPED,
                                         stops != 0 ? WDFDMA_MODE_STOP : WDFDMA_MODE_COLLECT),
            STATUS_SUCCESS);
        MmBuildMdlForNonPagedPool(mine);
        CHECK_STATUS(wdfdma_mdl_destroy(made.machine, owner), STATUS_SUCCESS);
        CHECK_STATUS(world_initialize(transaction, WdfDmaDirectionReadFromDevice, mine, 0, 100),
                     STATUS_SUCCESS);
        CHECK_STATUS(WdfDmaTransactionExecute(transaction, NULL), STATUS_SUCCESS);
        MmUnlockPages(mine);
        size_t count = 0;
        wdfdma_machine_get_violations(made.machine, &count);
        CHECK_EQUAL(count, 1);
        CHECK_EQUAL(world_rule(made.machine),
                    stops != 0 ? WDFDMA_RULE_BUFFER_FREED_WHILE_MAPPED : WDFDMA_RULE_NONE);
        CHECK_EQUAL((mine->MdlFlags & MDL_PAGES_LOCKED) != 0, stops);
        CHECK_EQUAL(wdfdma_machine_get_state(made.machine)->objects[WDFDMA_OBJECT_MEMORY], stops);
        CHECK_EQUAL(wdfdma_mdl_get_bytes(made.machine, mine) != NULL, stops);
        harness_machine_end(made.machine);
    }
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
    journal_end(machine);
}

TEST(the_irql_is_written) {
    wdfdma_machine *machine = harness_machine(NULL);
    uint64_t at = journal_begin(machine);
    CHECK_EQUAL(KfRaiseIrql(DISPATCH_LEVEL), PASSIVE_LEVEL);
    CHECK_EQUAL(KeGetCurrentIrql(), DISPATCH_LEVEL);
    check_journal(at, WDFDMA_OP_RAISE_IRQL, (const uint64_t[]){DISPATCH_LEVEL, 0}, 2);
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
             ENTRY(what_is_no_mdl_is_not_looked_into),
             ENTRY(a_partial_mdl_is_where_it_was_asked_for),
             ENTRY(a_refused_partial_mdl_changes_nothing), ENTRY(a_partial_mdl_needs_no_memory),
             ENTRY(locked_pages_are_unlocked_under_a_transfer),
             ENTRY(what_the_processor_touches_is_written), ENTRY(a_circle_is_written_once),
             ENTRY(the_irql_is_written))
