/* What belongs to a map of coverage, and what to a machine that counts into it: waits, names, memory, when it may
 * begin and end. */
#include "coverage_world.h"

#if defined(__GLIBC__)
#include <malloc.h>
#if __GLIBC_PREREQ(2, 33)
#define HAS_MALLINFO2
#endif
#endif

/* Whoever waited before a restore is not known to have waited after it. */
TEST(a_restore_forgets_who_waited) {
    for (int restored = 0; restored < 2; restored++) {
        world of = packet_world(8);
        WDFDMATRANSACTION held = world_transaction(of.enabler);
        WDFDMATRANSACTION waiting[4];
        wdfdma_coverage *map = coverage_of(of.machine);
        reserve(held, 8);
        for (int i = 0; i < 4; i++) {
            waiting[i] = world_transaction(packet_enabler(&of));
            reserve(waiting[i], 2);
        }
        if (restored != 0) {
            wdfdma_snapshot *now = world_snapshot(of.machine);
            CHECK_STATUS(wdfdma_machine_restore(of.machine, now), STATUS_SUCCESS);
            wdfdma_snapshot_destroy(now);
        }
        WdfDmaTransactionFreeResources(held);
        CHECK_EQUAL(wdfdma_coverage_get_goal(map, "reservation_behind_three"), !restored);
        CHECK_EQUAL(wdfdma_coverage_get_goal(map, "three_let_through"), 1);
        wdfdma_coverage_destroy(map);
    }
}

static uint32_t asked;

static void on_leaks(wdfdma_machine *machine, const wdfdma_violation *leaks, size_t count_of,
                     void *context) {
    (void)leaks;
    (void)context;
    asked++;
    CHECK(count_of != 0);
    CHECK(wdfdma_machine_get_coverage(machine) == NULL);
    CHECK_STATUS(wdfdma_machine_set_coverage(machine, NULL), STATUS_INVALID_DEVICE_STATE);
}

/* A machine's coverage ends before it tells of its leaks, and cannot begin again then. */
TEST(a_machine_that_ends_counts_no_more) {
    wdfdma_machine_config config = world_config(8);
    config.leak_handler = on_leaks;
    world of = world_open(&config, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
    wdfdma_coverage *map = coverage_of(of.machine);
    reserve(world_transaction(of.enabler), 2);
    asked = 0;
    harness_machine_end(of.machine);
    CHECK_EQUAL(asked, 1);
    CHECK_EQUAL(cell_count(map, "create", "no transaction", "STATUS_SUCCESS"), 1);
    wdfdma_coverage_destroy(map);
}

static void set_coverage_inside(script *of, WDFDMATRANSACTION own) {
    (void)own;
    CHECK_STATUS(wdfdma_machine_set_coverage(of->machine, NULL), STATUS_INVALID_DEVICE_STATE);
}

TEST(coverage_is_not_changed_in_a_callback) {
    world of = packet_world(8);
    wdfdma_coverage *map = coverage_of(of.machine);
    script sets = {.run = set_coverage_inside, .machine = of.machine};
    start(world_transaction(of.enabler), world_mdl(of.machine, 0, WORLD_PAGE, NULL), 100, &sets);
    CHECK(wdfdma_machine_get_coverage(of.machine) == map);
    wdfdma_coverage_destroy(map);
}

/* The longest name that a goal of the user's may have. */
TEST(a_name_has_a_hundred_bytes_at_most) {
    world of = packet_world(8);
    wdfdma_coverage *map = coverage_of(of.machine);
    char name[102];
    for (size_t length = 99; length <= 101; length++) {
        memset(name, 'y', sizeof name);
        name[length] = 0;
        wdfdma_sometimes(of.machine, name, true);
        CHECK_EQUAL(wdfdma_coverage_get_goal(map, name), length <= 100);
    }
    wdfdma_coverage_destroy(map);
}

#if defined(HAS_MALLINFO2)
static size_t memory_used(void) {
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

/* All that coverage took, for a machine or for a map, is given back. */
TEST(coverage_gives_its_memory_back) {
    size_t before = 0;
    for (int turn = 0; turn < 12; turn++) {
        world of = packet_world(8);
        PMDL mdl = world_mdl(of.machine, 0, WORLD_PAGE, NULL);
        for (int again = 0; again < 2; again++) {
            wdfdma_coverage *map = coverage_of(of.machine);
            start(world_transaction(of.enabler), mdl, 100, NULL);
            wdfdma_sometimes(of.machine, "it is", true);
            wdfdma_coverage_destroy(map);
        }
        harness_machine_end(of.machine);
        before = turn == 1 ? memory_used() : before;
    }
    CHECK_EQUAL(memory_used(), before);
}
#else
TEST(coverage_gives_its_memory_back) {
    SKIP("nothing tells how much memory is in use");
}
#endif

HARNESS_MAIN(ENTRY(a_restore_forgets_who_waited), ENTRY(a_machine_that_ends_counts_no_more),
             ENTRY(coverage_is_not_changed_in_a_callback),
             ENTRY(a_name_has_a_hundred_bytes_at_most), ENTRY(coverage_gives_its_memory_back))
