/* Physical pages and MDLs: what they hold, how they share, and what the kernel's own calls make of
 * them. */
#include "world.h"

enum {
    PAGES = 5
};

static NTSTATUS mdl_try(wdfdma_machine *machine, uint32_t offset, uint32_t count,
                        const uint64_t *pfns, size_t pfn_count) {
    const wdfdma_mdl_config config = {offset, count, pfns, pfn_count};
    PMDL mdl = NULL;
    NTSTATUS status = wdfdma_mdl_create(machine, &config, &mdl);
    CHECK((status == STATUS_SUCCESS) == (mdl != NULL));
    if (mdl != NULL) {
        CHECK_EQUAL(MmGetMdlByteCount(mdl), count);
        CHECK_EQUAL(MmGetMdlByteOffset(mdl), offset);
        CHECK(mdl->Next == NULL);
        CHECK_STATUS(wdfdma_mdl_destroy(machine, mdl), STATUS_SUCCESS);
    }
    return status;
}

TEST(bad_buffers_are_refused) {
    static const uint64_t pfns[3] = {10, 11, 12};
    wdfdma_machine *machine = harness_machine(NULL);
    PMDL mdl = NULL;
    const wdfdma_mdl_config good = {0, 1, NULL, 0};
    CHECK_STATUS(mdl_try(machine, 4096, 1, NULL, 0), STATUS_INVALID_PARAMETER);
    CHECK_STATUS(mdl_try(machine, UINT32_MAX, 1, NULL, 0), STATUS_INVALID_PARAMETER);
    CHECK_STATUS(mdl_try(machine, 0, 0, NULL, 0), STATUS_INVALID_PARAMETER);
    CHECK_STATUS(mdl_try(machine, 0, 1, NULL, 1), STATUS_INVALID_PARAMETER);
    CHECK_STATUS(mdl_try(machine, 0, 4097, pfns, 1), STATUS_INVALID_PARAMETER);
    CHECK_STATUS(mdl_try(machine, 0, 4096, pfns, 2), STATUS_INVALID_PARAMETER);
    CHECK_STATUS(mdl_try(machine, 1, 4096, pfns, 1), STATUS_INVALID_PARAMETER);
    CHECK_STATUS(mdl_try(machine, 0, 4096, pfns, 0), STATUS_INVALID_PARAMETER);
    CHECK_STATUS(wdfdma_mdl_create(NULL, &good, &mdl), STATUS_INVALID_PARAMETER);
    CHECK_STATUS(wdfdma_mdl_create(machine, NULL, &mdl), STATUS_INVALID_PARAMETER);
    CHECK_STATUS(wdfdma_mdl_create(machine, &good, NULL), STATUS_INVALID_PARAMETER);
    CHECK_STATUS(mdl_try(machine, 4095, 2, pfns, 2), STATUS_SUCCESS);
    CHECK_STATUS(mdl_try(machine, 4095, 1, pfns, 1), STATUS_SUCCESS);
    CHECK_STATUS(mdl_try(machine, 0, 3 * WORLD_PAGE, pfns, 3), STATUS_SUCCESS);
    CHECK_EQUAL(wdfdma_machine_get_state(machine)->objects[WDFDMA_OBJECT_MDL], 0);
}

TEST(frames_end_with_the_physical_address) {
    for (uint32_t bits = 13; bits <= 52; bits += 13) {
        wdfdma_machine_config config = world_config(64);
        config.physical_address_bits = bits;
        wdfdma_machine *machine = harness_machine(&config);
        uint64_t pfns[2] = {(UINT64_C(1) << (bits - 12)) - 1, 0};
        CHECK_STATUS(mdl_try(machine, 0, 4096, pfns, 1), STATUS_SUCCESS);
        CHECK_STATUS(mdl_try(machine, 4095, 2, pfns, 2), STATUS_SUCCESS);
        pfns[1] = UINT64_C(1) << (bits - 12);
        CHECK_STATUS(mdl_try(machine, 4095, 2, pfns, 2), STATUS_INVALID_PARAMETER);
        pfns[1] = UINT64_MAX;
        CHECK_STATUS(mdl_try(machine, 4095, 2, pfns, 2), STATUS_INVALID_PARAMETER);
    }
}

/* Two frames: there is room for no more, and what goes comes back. */
TEST(physical_memory_runs_out) {
    wdfdma_machine_config config = world_config(0);
    config.physical_address_bits = 16;
    wdfdma_machine *machine = harness_machine(&config);
    CHECK_STATUS(mdl_try(machine, 0, 17 * WORLD_PAGE, NULL, 0), STATUS_INSUFFICIENT_RESOURCES);
    PMDL held = world_mdl(machine, 0, 12 * WORLD_PAGE, NULL);
    CHECK_STATUS(mdl_try(machine, 0, 5 * WORLD_PAGE, NULL, 0), STATUS_INSUFFICIENT_RESOURCES);
    CHECK_STATUS(wdfdma_mdl_destroy(machine, held), STATUS_SUCCESS);
    CHECK_STATUS(mdl_try(machine, 0, 12 * WORLD_PAGE, NULL, 0), STATUS_SUCCESS);
}

TEST(an_mdl_tells_its_frames) {
    static const uint64_t pfns[3] = {7, 300, 8};
    wdfdma_machine *machine = harness_machine(NULL);
    PMDL mdl = world_mdl(machine, 4000, 4096 + 200, pfns);
    CHECK_EQUAL(memcmp(MmGetMdlPfnArray(mdl), pfns, sizeof pfns), 0);
    CHECK_EQUAL((uintptr_t)MmGetMdlVirtualAddress(mdl) % 4096, 4000);
    PMDL chosen = world_mdl(machine, 0, 3 * WORLD_PAGE, NULL);
    const PFN_NUMBER *frames = MmGetMdlPfnArray(chosen);
    CHECK(frames[1] == frames[0] + 1 && frames[2] == frames[0] + 2);
    CHECK(frames[0] != 7 && frames[1] != 7 && frames[2] != 7);
}

TEST(bytes_are_read_as_written) {
    wdfdma_machine *machine = harness_machine(NULL);
    static uint8_t data[PAGES * WORLD_PAGE], back[PAGES * WORLD_PAGE];
    PMDL mdl = world_mdl(machine, 123, sizeof data - 123, NULL);
    size_t whole = sizeof data - 123;
    CHECK_STATUS(wdfdma_mdl_read(machine, mdl, 0, back, whole), STATUS_SUCCESS);
    CHECK_BYTES(back, data, whole);
    world_fill(data, sizeof data, 9);
    CHECK_STATUS(wdfdma_mdl_write(machine, mdl, 0, data, whole), STATUS_SUCCESS);
    CHECK_STATUS(wdfdma_mdl_read(machine, mdl, 4000, back, 3000), STATUS_SUCCESS);
    CHECK_BYTES(back, data + 4000, 3000);
    CHECK_STATUS(wdfdma_mdl_read(machine, mdl, whole, back, 0), STATUS_SUCCESS);
    CHECK_STATUS(wdfdma_mdl_read(machine, mdl, whole - 1, back, 1), STATUS_SUCCESS);
    CHECK_STATUS(wdfdma_mdl_read(machine, mdl, whole - 1, back, 2), STATUS_BUFFER_TOO_SMALL);
    CHECK_STATUS(wdfdma_mdl_write(machine, mdl, whole, data, 1), STATUS_BUFFER_TOO_SMALL);
    CHECK_STATUS(wdfdma_mdl_read(machine, mdl, UINT64_MAX, back, 2), STATUS_INVALID_PARAMETER);
    CHECK_STATUS(wdfdma_mdl_read(machine, mdl, 0, NULL, 1), STATUS_INVALID_PARAMETER);
    CHECK_STATUS(wdfdma_mdl_read(machine, NULL, 0, back, 1), STATUS_INVALID_PARAMETER);
    CHECK_STATUS(wdfdma_mdl_read(NULL, mdl, 0, back, 1), STATUS_INVALID_PARAMETER);
    const uint8_t *bytes = wdfdma_mdl_get_bytes(machine, mdl);
    REQUIRE(bytes != NULL);
    CHECK_BYTES(bytes, data, whole);
}

TEST(a_chain_is_one_buffer) {
    wdfdma_machine *machine = harness_machine(NULL);
    static uint8_t data[9000], back[9000];
    PMDL chain = world_mdl(machine, 4090, 10, NULL);
    chain->Next = world_mdl(machine, 1, 1, NULL);
    chain->Next->Next = world_mdl(machine, 0, sizeof data - 11, NULL);
    world_fill(data, sizeof data, 3);
    CHECK_STATUS(wdfdma_mdl_write(machine, chain, 0, data, sizeof data), STATUS_SUCCESS);
    CHECK_STATUS(wdfdma_mdl_read(machine, chain, 9, back, 100), STATUS_SUCCESS);
    CHECK_BYTES(back, data + 9, 100);
    CHECK_STATUS(wdfdma_mdl_read(machine, chain->Next->Next, 0, back, sizeof data - 11),
                 STATUS_SUCCESS);
    CHECK_BYTES(back, data + 11, sizeof data - 11);
    CHECK_STATUS(wdfdma_mdl_read(machine, chain, 1, back, sizeof data), STATUS_BUFFER_TOO_SMALL);
    CHECK_STATUS(wdfdma_mdl_destroy(machine, chain->Next), STATUS_SUCCESS);
    CHECK_STATUS(wdfdma_mdl_read(machine, chain, 0, back, 10), STATUS_SUCCESS);
    CHECK_STATUS(wdfdma_mdl_read(machine, chain, 0, back, 11), STATUS_INVALID_PARAMETER);
}

TEST(pages_are_shared) {
    static const uint64_t first_pfns[3] = {100, 101, 102};
    static const uint64_t second_pfns[3] = {102, 55, 100};
    static const uint64_t twice_pfns[2] = {100, 100};
    wdfdma_machine *machine = harness_machine(NULL);
    PMDL first = world_mdl(machine, 0, 3 * WORLD_PAGE, first_pfns);
    PMDL second = world_mdl(machine, 0, 3 * WORLD_PAGE, second_pfns);
    PMDL twice = world_mdl(machine, 0, 2 * WORLD_PAGE, twice_pfns);
    uint8_t byte = 0xC3, back = 0;
    CHECK_STATUS(wdfdma_mdl_write(machine, first, 17, &byte, 1), STATUS_SUCCESS);
    CHECK_STATUS(wdfdma_mdl_read(machine, second, 2 * WORLD_PAGE + 17, &back, 1), STATUS_SUCCESS);
    CHECK_EQUAL(back, 0xC3);
    CHECK_STATUS(wdfdma_mdl_read(machine, twice, WORLD_PAGE + 17, &back, 1), STATUS_SUCCESS);
    CHECK_EQUAL(back, 0xC3);
    CHECK(wdfdma_mdl_get_bytes(machine, first) != NULL);
    CHECK(wdfdma_mdl_get_bytes(machine, second) == NULL);
    CHECK(wdfdma_mdl_get_bytes(machine, twice) == NULL);
    CHECK(MmGetSystemAddressForMdlSafe(second, NormalPagePriority) == NULL);
    CHECK_STATUS(wdfdma_mdl_destroy(machine, first), STATUS_SUCCESS);
    back = 0;
    CHECK_STATUS(wdfdma_mdl_read(machine, twice, 17, &back, 1), STATUS_SUCCESS);
    CHECK_EQUAL(back, 0xC3);
    CHECK_STATUS(wdfdma_mdl_destroy(machine, second), STATUS_SUCCESS);
    CHECK_STATUS(wdfdma_mdl_destroy(machine, twice), STATUS_SUCCESS);
    first = world_mdl(machine, 0, 3 * WORLD_PAGE, first_pfns);
    CHECK_STATUS(wdfdma_mdl_read(machine, first, 17, &back, 1), STATUS_SUCCESS);
    CHECK_EQUAL(back, 0);
}

/* A page that only the first of two MDLs had goes with it, though the other one lives on. */
TEST(pages_go_with_their_last_mdl) {
    static const uint64_t both[2] = {100, 101};
    wdfdma_machine *machine = harness_machine(NULL);
    PMDL first = world_mdl(machine, 0, 2 * WORLD_PAGE, both);
    PMDL second = world_mdl(machine, 0, WORLD_PAGE, both);
    uint8_t bytes[2] = {1, 2}, back[2] = {9, 9};
    CHECK_STATUS(wdfdma_mdl_write(machine, first, 0, &bytes[0], 1), STATUS_SUCCESS);
    CHECK_STATUS(wdfdma_mdl_write(machine, first, WORLD_PAGE, &bytes[1], 1), STATUS_SUCCESS);
    CHECK_STATUS(wdfdma_mdl_destroy(machine, first), STATUS_SUCCESS);
    CHECK_STATUS(wdfdma_mdl_read(machine, second, 0, &back[0], 1), STATUS_SUCCESS);
    CHECK_EQUAL(back[0], 1);
    PMDL third = world_mdl(machine, 0, WORLD_PAGE, &both[1]);
    CHECK_STATUS(wdfdma_mdl_read(machine, third, 0, &back[1], 1), STATUS_SUCCESS);
    CHECK_EQUAL(back[1], 0);
}

TEST(a_dead_mdl_is_known) {
    wdfdma_machine *machine = harness_machine(NULL);
    wdfdma_machine *other = harness_machine(NULL);
    PMDL mdl = world_mdl(machine, 0, 10, NULL);
    MDL forged = *mdl;
    uint8_t byte = 0;
    CHECK_STATUS(wdfdma_mdl_destroy(machine, NULL), STATUS_SUCCESS);
    CHECK_STATUS(wdfdma_mdl_destroy(NULL, mdl), STATUS_INVALID_PARAMETER);
    CHECK_STATUS(wdfdma_mdl_destroy(other, mdl), STATUS_INVALID_PARAMETER);
    CHECK_STATUS(wdfdma_mdl_destroy(machine, &forged), STATUS_INVALID_PARAMETER);
    CHECK_STATUS(wdfdma_mdl_destroy(machine, mdl), STATUS_SUCCESS);
    CHECK_STATUS(wdfdma_mdl_destroy(machine, mdl), STATUS_INVALID_PARAMETER);
    CHECK_STATUS(wdfdma_mdl_read(machine, mdl, 0, &byte, 1), STATUS_INVALID_PARAMETER);
    CHECK(wdfdma_mdl_get_bytes(machine, mdl) == NULL);
    CHECK(wdfdma_mdl_get_bytes(NULL, mdl) == NULL);
    PMDL again = world_mdl(machine, 0, 10, NULL);
    CHECK_STATUS(wdfdma_mdl_destroy(machine, (PMDL)(void *)((char *)again + 16)),
                 STATUS_INVALID_PARAMETER);
    CHECK_STATUS(wdfdma_mdl_destroy(machine, (PMDL)(uintptr_t)UINT64_MAX),
                 STATUS_INVALID_PARAMETER);
}

TEST(the_longest_mdl) {
    wdfdma_machine_config config = world_config(64);
    config.reserve_bytes = UINT64_C(16) << 30;
    wdfdma_machine *machine = harness_machine(&config);
    PMDL mdl = world_mdl(machine, 4095, UINT32_MAX, NULL);
    uint8_t byte = 0x77, back = 0;
    CHECK_STATUS(wdfdma_mdl_write(machine, mdl, UINT32_MAX - 1, &byte, 1), STATUS_SUCCESS);
    CHECK_STATUS(wdfdma_mdl_read(machine, mdl, UINT32_MAX - 1, &back, 1), STATUS_SUCCESS);
    CHECK_EQUAL(back, 0x77);
    CHECK_STATUS(wdfdma_mdl_read(machine, mdl, UINT32_MAX, &back, 1), STATUS_BUFFER_TOO_SMALL);
}

TEST(many_come_and_go) {
    enum {
        LIVE = 64
    };
    wdfdma_machine *machine = harness_machine(NULL);
    static PMDL live[LIVE];
    uint64_t random = 5;
    for (uint32_t i = 0; i < 20000; i++) {
        uint32_t at = world_random_below(&random, LIVE);
        CHECK_STATUS(wdfdma_mdl_destroy(machine, live[at]), STATUS_SUCCESS);
        uint32_t bytes = 1 + world_random_below(&random, 5 * WORLD_PAGE);
        uint64_t pfns[7];
        for (int page = 0; page < 7; page++) {
            pfns[page] = 1 + world_random_below(&random, 50);
        }
        bool given = world_random_below(&random, 2) == 0;
        live[at] =
            world_mdl(machine, world_random_below(&random, 4096), bytes, given ? pfns : NULL);
    }
    CHECK_MACHINE(machine);
    size_t used = wdfdma_machine_get_used_bytes(machine);
    CHECK(used < 16u << 20);
    for (int at = 0; at < LIVE; at++) {
        CHECK_STATUS(wdfdma_mdl_destroy(machine, live[at]), STATUS_SUCCESS);
    }
    CHECK_EQUAL(wdfdma_machine_get_state(machine)->objects[WDFDMA_OBJECT_MDL], 0);
    CHECK_EQUAL(wdfdma_machine_get_state(machine)->objects[WDFDMA_OBJECT_MEMORY], 0);
}

/* ---- The kernel's own calls ---- */

TEST(a_driver_makes_its_own_mdl) {
    wdfdma_machine *machine = harness_machine(NULL);
    PMDL owner = world_mdl(machine, 0, 3 * WORLD_PAGE, NULL);
    uint8_t *bytes = MmGetSystemAddressForMdlSafe(owner, NormalPagePriority);
    REQUIRE(bytes != NULL);
    PMDL mine = IoAllocateMdl(bytes + 100, WORLD_PAGE, FALSE, FALSE, NULL);
    REQUIRE(mine != NULL);
    CHECK(MmGetMdlVirtualAddress(mine) == bytes + 100);
    CHECK_STATUS(wdfdma_mdl_read(machine, mine, 0, &(uint8_t){0}, 1), STATUS_INVALID_PARAMETER);
    MmBuildMdlForNonPagedPool(mine);
    CHECK_EQUAL(MmGetMdlPfnArray(mine)[0], MmGetMdlPfnArray(owner)[0]);
    CHECK_EQUAL(MmGetMdlPfnArray(mine)[1], MmGetMdlPfnArray(owner)[1]);
    CHECK(MmGetSystemAddressForMdlSafe(mine, NormalPagePriority) == bytes + 100);
    CHECK((mine->MdlFlags & MDL_SOURCE_IS_NONPAGED_POOL) != 0);
    bytes[100] = 42;
    uint8_t back = 0;
    CHECK_STATUS(wdfdma_mdl_read(machine, mine, 0, &back, 1), STATUS_SUCCESS);
    CHECK_EQUAL(back, 42);
    IoFreeMdl(mine);
    IoFreeMdl(NULL);
    CHECK(wdfdma_machine_get_bugcheck(machine) == NULL);
    CHECK_STATUS(wdfdma_mdl_destroy(machine, owner), STATUS_SUCCESS);
}

TEST(locked_pages_are_unlocked) {
    wdfdma_machine *machine = harness_machine(NULL);
    PMDL owner = world_mdl(machine, 0, 2 * WORLD_PAGE, NULL);
    uint8_t *bytes = wdfdma_mdl_get_bytes(machine, owner);
    PMDL mine = IoAllocateMdl(bytes, 2 * WORLD_PAGE, FALSE, FALSE, NULL);
    REQUIRE(mine != NULL);
    MmProbeAndLockPages(mine, KernelMode, IoWriteAccess);
    CHECK((mine->MdlFlags & MDL_PAGES_LOCKED) != 0);
    CHECK_STATUS(wdfdma_mdl_destroy(machine, owner), STATUS_SUCCESS);
    bytes[0] = 1; /* the pages live on */
    CHECK_STATUS(wdfdma_mdl_read(machine, mine, 0, &(uint8_t){0}, 1), STATUS_SUCCESS);
    MmUnlockPages(mine);
    CHECK((mine->MdlFlags & MDL_PAGES_LOCKED) == 0);
    CHECK_STATUS(wdfdma_mdl_read(machine, mine, 0, &(uint8_t){0}, 1), STATUS_INVALID_PARAMETER);
    IoFreeMdl(mine);
    CHECK(wdfdma_machine_get_bugcheck(machine) == NULL);
    CHECK_EQUAL(wdfdma_machine_get_state(machine)->objects[WDFDMA_OBJECT_MDL], 0);
}

TEST(a_partial_mdl_shares_its_pages) {
    wdfdma_machine *machine = harness_machine(NULL);
    static const uint64_t pfns[4] = {9, 30, 11, 50};
    PMDL source = world_mdl(machine, 200, 3 * WORLD_PAGE, pfns);
    char *start = MmGetMdlVirtualAddress(source);
    PMDL part = IoAllocateMdl(start + 5000, 4000, FALSE, FALSE, NULL);
    REQUIRE(part != NULL);
    IoBuildPartialMdl(source, part, start + 5000, 4000);
    CHECK_EQUAL(MmGetMdlByteOffset(part), (200 + 5000) % 4096);
    CHECK_EQUAL(MmGetMdlByteCount(part), 4000);
    CHECK_EQUAL(MmGetMdlPfnArray(part)[0], 30);
    CHECK_EQUAL(MmGetMdlPfnArray(part)[1], 11);
    CHECK(MmGetMdlVirtualAddress(part) == start + 5000);
    uint8_t byte = 99, back = 0;
    CHECK_STATUS(wdfdma_mdl_write(machine, part, 3999, &byte, 1), STATUS_SUCCESS);
    CHECK_STATUS(wdfdma_mdl_read(machine, source, 8999, &back, 1), STATUS_SUCCESS);
    CHECK_EQUAL(back, 99);
    PMDL rest = IoAllocateMdl(start + 12000, 288, FALSE, FALSE, NULL);
    REQUIRE(rest != NULL);
    IoBuildPartialMdl(source, rest, start + 12000, 0);
    CHECK_EQUAL(MmGetMdlByteCount(rest), 3 * WORLD_PAGE - 12000);
    IoFreeMdl(rest);
    IoFreeMdl(part);
    CHECK(wdfdma_machine_get_bugcheck(machine) == NULL);
}

/* Each of these is the end of its machine, by the rule InvalidMdl. */
static void free_twice(PMDL mdl, PMDL built) {
    (void)built;
    IoFreeMdl(mdl);
    IoFreeMdl(mdl);
}
static void free_forged(PMDL mdl, PMDL built) {
    (void)mdl;
    MDL forged = *built;
    IoFreeMdl(&forged);
}
static void build_over_foreign_memory(PMDL mdl, PMDL built) {
    (void)built;
    MmBuildMdlForNonPagedPool(mdl);
}
static void build_twice(PMDL mdl, PMDL built) {
    (void)mdl;
    MmProbeAndLockPages(built, KernelMode, IoReadAccess);
}
static void unlock_unbuilt(PMDL mdl, PMDL built) {
    (void)built;
    MmUnlockPages(mdl);
}
static void partial_outside(PMDL mdl, PMDL built) {
    IoBuildPartialMdl(built, mdl, (char *)MmGetMdlVirtualAddress(built) + 1,
                      MmGetMdlByteCount(built));
}
static void partial_before(PMDL mdl, PMDL built) {
    IoBuildPartialMdl(built, mdl, (char *)MmGetMdlVirtualAddress(built) - 1, 1);
}
static void partial_too_long_for_target(PMDL mdl, PMDL built) {
    IoBuildPartialMdl(built, mdl, MmGetMdlVirtualAddress(built), 3 * WORLD_PAGE);
}
static void partial_of_unbuilt(PMDL mdl, PMDL built) {
    IoBuildPartialMdl(mdl, built, MmGetMdlVirtualAddress(mdl), 1);
}
static void partial_into_itself(PMDL mdl, PMDL built) {
    (void)mdl;
    IoBuildPartialMdl(built, built, MmGetMdlVirtualAddress(built), 1);
}
static void unmap_forged(PMDL mdl, PMDL built) {
    (void)mdl;
    MDL forged = *built;
    MmUnmapLockedPages(NULL, &forged);
}

TEST(misuse_of_the_kernels_calls_is_an_invalid_mdl) {
    static void (*const misuses[])(PMDL, PMDL) = {free_twice,
                                                  free_forged,
                                                  build_over_foreign_memory,
                                                  build_twice,
                                                  unlock_unbuilt,
                                                  partial_outside,
                                                  partial_before,
                                                  partial_too_long_for_target,
                                                  partial_of_unbuilt,
                                                  partial_into_itself,
                                                  unmap_forged};
    for (size_t i = 0; i < sizeof misuses / sizeof misuses[0]; i++) {
        wdfdma_machine *machine = harness_machine(NULL);
        uint64_t memory[16];
        PMDL built = world_mdl(machine, 16, 3 * WORLD_PAGE, NULL);
        PMDL mdl = IoAllocateMdl(memory, 100, FALSE, FALSE, NULL);
        REQUIRE(mdl != NULL);
        misuses[i](mdl, built);
        CHECK_BUGCHECK(machine, WDFDMA_BUGCHECK_WDFDMA_VIOLATION);
        CHECK_EQUAL(world_rule(machine), WDFDMA_RULE_INVALID_MDL);
        CHECK_MACHINE(machine);
    }
}

TEST(without_a_machine_nothing_happens) {
    wdfdma_machine_use(NULL);
    CHECK(IoAllocateMdl(NULL, 1, FALSE, FALSE, NULL) == NULL);
    IoFreeMdl(NULL);
    MmBuildMdlForNonPagedPool(NULL);
    MmUnlockPages(NULL);
    MmUnmapLockedPages(NULL, NULL);
    IoBuildPartialMdl(NULL, NULL, NULL, 0);
    CHECK(MmMapLockedPagesSpecifyCache(NULL, KernelMode, MmCached, NULL, FALSE, 0) == NULL);
    wdfdma_machine *machine = harness_machine(NULL);
    CHECK(IoAllocateMdl(NULL, 0, FALSE, FALSE, NULL) == NULL);
    PMDL longest = IoAllocateMdl((PVOID)(uintptr_t)4095, UINT32_MAX, FALSE, FALSE, NULL);
    CHECK(longest != NULL);
    IoFreeMdl(longest);
    PMDL highest = IoAllocateMdl((PVOID)(uintptr_t)(UINT64_MAX - 10), 8192, FALSE, FALSE, NULL);
    REQUIRE(highest != NULL);
    CHECK(wdfdma_machine_get_bugcheck(machine) == NULL);
    MmBuildMdlForNonPagedPool(highest);
    CHECK_EQUAL(world_rule(machine), WDFDMA_RULE_INVALID_MDL);
}

HARNESS_MAIN(ENTRY(bad_buffers_are_refused), ENTRY(frames_end_with_the_physical_address),
             ENTRY(physical_memory_runs_out), ENTRY(an_mdl_tells_its_frames),
             ENTRY(bytes_are_read_as_written), ENTRY(a_chain_is_one_buffer),
             ENTRY(pages_are_shared), ENTRY(pages_go_with_their_last_mdl),
             ENTRY(a_dead_mdl_is_known), ENTRY(the_longest_mdl), ENTRY(many_come_and_go),
             ENTRY(a_driver_makes_its_own_mdl), ENTRY(locked_pages_are_unlocked),
             ENTRY(a_partial_mdl_shares_its_pages),
             ENTRY(misuse_of_the_kernels_calls_is_an_invalid_mdl),
             ENTRY(without_a_machine_nothing_happens))
