/* The kernel's calls on MDLs at the edges: what they refuse and leave as it was, partial MDLs, pages that a device
 * has. */
#include "world.h"

enum {
    PAGES = 3
};

static uint64_t mdl_handle(const wdfdma_machine *machine, size_t index) {
    WDFOBJECT handles[8] = {0};
    CHECK(wdfdma_machine_copy_objects(machine, WDFDMA_OBJECT_MDL, handles, 8) > index);
    return (uint64_t)(uintptr_t)handles[index];
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
    enum {
        ALL = PAGES * WORLD_PAGE - 200
    };
    static const struct {
        ULONG at, length;
    } rows[] = {{50, 0}, {50, ALL - 50}, {50, 100}, {4000, 100}, {4000, 5000}, {9000, 0}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        partial of = partial_open();
        uint8_t data[64], back[64];
        ULONG at = rows[i].at;
        IoBuildPartialMdl(of.source, of.target, of.start + at, rows[i].length);
        ULONG count = rows[i].length == 0 ? ALL - at : rows[i].length;
        ULONG offset = (200 + at) % WORLD_PAGE;
        ULONG pages = (offset + count + WORLD_PAGE - 1) / WORLD_PAGE;
        CHECK_EQUAL(of.target->ByteCount, count);
        CHECK_EQUAL(of.target->ByteOffset, offset);
        CHECK_EQUAL(of.target->MdlFlags, MDL_PAGES_LOCKED | MDL_PARTIAL | MDL_MAPPED_TO_SYSTEM_VA);
        CHECK(MmGetMdlVirtualAddress(of.target) == of.start + at);
        CHECK_BYTES(MmGetMdlPfnArray(of.target),
                    MmGetMdlPfnArray(of.source) + (200 + at) / WORLD_PAGE, pages * 8);
        world_fill(data, sizeof data, 5);
        CHECK_STATUS(wdfdma_mdl_write(of.machine, of.target, count - 64, data, 64), STATUS_SUCCESS);
        CHECK_STATUS(wdfdma_mdl_read(of.machine, of.source, at + count - 64, back, 64),
                     STATUS_SUCCESS);
        CHECK_BYTES(back, data, 64);
        harness_machine_end(of.machine);
    }
}

/* A source without an address gives none, but a place beside its own. */
TEST(a_partial_mdl_of_pages_apart) {
    static const uint64_t frames[] = {9, 30, 11};
    wdfdma_machine *machine = harness_machine(NULL);
    world_mdl(machine, 0, 1, &frames[1]);
    PMDL source = world_mdl(machine, 200, PAGES * WORLD_PAGE - 200, frames);
    PMDL target = IoAllocateMdl(NULL, PAGES * WORLD_PAGE, FALSE, FALSE, NULL);
    char *start = MmGetMdlVirtualAddress(source);
    IoBuildPartialMdl(source, target, start + 50, 0);
    CHECK(MmGetMdlVirtualAddress(target) == start + 50);
    CHECK_EQUAL(target->MdlFlags, MDL_PAGES_LOCKED | MDL_PARTIAL);
    CHECK(wdfdma_mdl_get_bytes(machine, target) == NULL);
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

/* ---- What is refused ---- */

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

/* What was to be locked, or unlocked, is concerned. */
TEST(a_refused_lock_concerns_its_mdl) {
    for (int call = 0; call < 4; call++) {
        wdfdma_machine *machine = harness_machine(NULL);
        PMDL built = world_mdl(machine, 0, WORLD_PAGE, NULL);
        PMDL mine = IoAllocateMdl(&machine, 1, FALSE, FALSE, NULL); /* no simulated memory */
        switch (call) {
        case 0:
            MmBuildMdlForNonPagedPool(mine);
            break;
        case 1:
            MmProbeAndLockPages(mine, KernelMode, IoReadAccess);
            break;
        case 2:
            MmUnlockPages(mine);
            break;
        default:
            MmProbeAndLockPages(built, KernelMode, IoReadAccess);
            break;
        }
        const wdfdma_bugcheck *found = wdfdma_machine_get_bugcheck(machine);
        REQUIRE(found != NULL);
        CHECK_EQUAL(found->rule, WDFDMA_RULE_INVALID_MDL);
        CHECK_EQUAL(found->handle, mdl_handle(machine, call == 3 ? 0 : 1));
        CHECK_EQUAL(found->parameters[1], found->handle);
        CHECK_EQUAL(mine->MdlFlags, 0);
        harness_machine_end(machine);
    }
}

/* On a machine that has halted, and without one. */
TEST(nothing_is_done_where_nothing_runs) {
    wdfdma_machine *machine = harness_machine(NULL);
    PMDL built = world_mdl(machine, 0, WORLD_PAGE, NULL);
    void *bytes = wdfdma_mdl_get_bytes(machine, built);
    PMDL mine = IoAllocateMdl(bytes, 10, FALSE, FALSE, NULL);
    PMDL none = NULL;
    const wdfdma_mdl_config config = {0, 1, NULL, 0};
    uint8_t byte = 0x42;
    KeLowerIrql(HIGH_LEVEL);
    CHECK_EQUAL(world_rule(machine), WDFDMA_RULE_IRQL_NOT_LESS_OR_EQUAL);
    for (int runs = 0; runs < 2; runs++) {
        CHECK(IoAllocateMdl(bytes, 10, FALSE, FALSE, NULL) == NULL);
        CHECK(MmMapLockedPagesSpecifyCache(built, KernelMode, MmCached, NULL, FALSE, 0) == NULL);
        MmBuildMdlForNonPagedPool(mine);
        MmUnlockPages(built);
        IoBuildPartialMdl(built, mine, bytes, 10);
        MmUnmapLockedPages(bytes, mine);
        IoFreeMdl(mine);
        CHECK_EQUAL(KfRaiseIrql(DISPATCH_LEVEL), PASSIVE_LEVEL);
        CHECK_EQUAL(KeGetCurrentIrql(), PASSIVE_LEVEL);
        CHECK_EQUAL(mine->MdlFlags, 0);
        CHECK((built->MdlFlags & MDL_PAGES_LOCKED) != 0);
        CHECK_EQUAL(wdfdma_machine_get_state(machine)->objects[WDFDMA_OBJECT_MDL], 2);
        wdfdma_machine_use(NULL);
    }
    CHECK_STATUS(wdfdma_mdl_create(machine, &config, &none), STATUS_UNSUCCESSFUL);
    CHECK_STATUS(wdfdma_mdl_destroy(machine, built), STATUS_UNSUCCESSFUL);
    CHECK_STATUS(wdfdma_mdl_destroy(machine, NULL), STATUS_SUCCESS);
    CHECK_STATUS(wdfdma_mdl_write(machine, built, 0, &byte, 1), STATUS_UNSUCCESSFUL);
    CHECK_STATUS(wdfdma_mdl_read(machine, built, 0, &byte, 1), STATUS_SUCCESS);
    CHECK_EQUAL(byte, 0);
}

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

HARNESS_MAIN(ENTRY(a_partial_mdl_is_where_it_was_asked_for), ENTRY(a_partial_mdl_of_pages_apart),
             ENTRY(a_refused_partial_mdl_changes_nothing), ENTRY(a_partial_mdl_needs_no_memory),
             ENTRY(what_is_no_mdl_is_not_looked_into), ENTRY(a_refused_lock_concerns_its_mdl),
             ENTRY(nothing_is_done_where_nothing_runs),
             ENTRY(locked_pages_are_unlocked_under_a_transfer))
