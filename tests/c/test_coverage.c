/* Coverage: which cell each call of a known sequence counts in, which goals it reaches, and that none of it
 * is there where nobody asks for it. */
#include "world.h"

#include "machine/machine.h"

static wdfdma_coverage *coverage_of(wdfdma_machine *machine) {
    wdfdma_coverage *made = NULL;
    CHECK_STATUS(wdfdma_coverage_create(&made), STATUS_SUCCESS);
    CHECK_STATUS(wdfdma_machine_set_coverage(machine, made), STATUS_SUCCESS);
    return made;
}

static uint64_t count(const wdfdma_coverage *coverage, const char *operation, const char *standing,
                      const char *outcome) {
    return wdfdma_coverage_get_count(coverage, operation, standing, outcome);
}

static uint64_t sum(const wdfdma_coverage *coverage) {
    wdfdma_coverage_cell cells[4096];
    size_t found = wdfdma_coverage_copy_cells(coverage, cells, 4096);
    uint64_t total = 0;
    for (size_t i = 0; i < found && i < 4096; i++) {
        total += cells[i].count;
    }
    return total;
}

static void cycle_run(const world *of, size_t length) {
    WDFDMATRANSACTION transaction = world_transaction(of->enabler);
    PMDL mdl = world_mdl(of->machine, 0, (uint32_t)length, NULL);
    NTSTATUS status;
    CHECK_STATUS(world_initialize(transaction, WdfDmaDirectionReadFromDevice, mdl, 0, length),
                 STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionExecute(transaction, NULL), STATUS_SUCCESS);
    CHECK(WdfDmaTransactionDmaCompleted(transaction, &status));
    CHECK_STATUS(WdfDmaTransactionRelease(transaction), STATUS_SUCCESS);
    WdfObjectDelete(transaction);
}

TEST(a_cycle_counts_each_call_once) {
    world of = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
    wdfdma_coverage *map = coverage_of(of.machine);
    cycle_run(&of, 4096);
    CHECK_EQUAL(count(map, "create", "no transaction", "STATUS_SUCCESS"), 1);
    CHECK_EQUAL(count(map, "initialize", "created", "STATUS_SUCCESS"), 1);
    CHECK_EQUAL(count(map, "execute", "initialized", "STATUS_SUCCESS, called back inside"), 1);
    CHECK_EQUAL(count(map, "program_dma", "transfer", "called in a call on this transaction"), 1);
    CHECK_EQUAL(count(map, "dma_completed", "transfer", "STATUS_SUCCESS"), 1);
    CHECK_EQUAL(count(map, "release", "transfer_completed", "STATUS_SUCCESS"), 1);
    CHECK_EQUAL(count(map, "delete", "released", "returned"), 1);
    CHECK_EQUAL(sum(map), 7);
    CHECK_EQUAL(wdfdma_coverage_get_goal(map, "profile_packet"), 1);
    CHECK_EQUAL(wdfdma_coverage_get_goal(map, "profile_system"), 0);
    wdfdma_coverage_destroy(map);
}

/* Four reservations on a pool for one: each in its turn, and one cancelled. */
TEST(waits_and_cancels_are_told_apart) {
    const wdfdma_machine_config config = world_config(2);
    world of = world_open(&config, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
    wdfdma_coverage *map = coverage_of(of.machine);
    WDFDMATRANSACTION waiting[5];
    for (int i = 0; i < 5; i++) {
        WDFDMAENABLER own = world_enabler(
            of.device, &(world_profile){.profile = WdfDmaProfilePacket, .version = 3});
        waiting[i] = world_transaction(own);
        CHECK_STATUS(WdfDmaTransactionAllocateResources(waiting[i], WdfDmaDirectionReadFromDevice,
                                                        2, world_reserve_dma, NULL),
                     STATUS_SUCCESS);
    }
    const char *waits = "reserved, waits for registers";
    CHECK_EQUAL(count(map, "allocate_resources", "created", "STATUS_SUCCESS, called back inside"),
                1);
    CHECK_EQUAL(count(map, "allocate_resources", "created", "STATUS_SUCCESS, it waits"), 4);
    CHECK_EQUAL(wdfdma_coverage_get_goal(map, "pool_empty"),
                9); /* after the first: four times a create and a reservation */
    CHECK(WdfDmaTransactionCancel(waiting[1]));
    CHECK_EQUAL(count(map, "cancel", waits, "TRUE"), 1);
    CHECK_EQUAL(wdfdma_coverage_get_goal(map, "cancel_while_two_wait"), 1);
    CHECK_EQUAL(wdfdma_coverage_get_goal(map, "cancel_reservation"), 1);
    CHECK(!WdfDmaTransactionCancel(waiting[0]));
    CHECK_EQUAL(count(map, "cancel", "reserved", "FALSE"), 1);
    WdfDmaTransactionFreeResources(waiting[0]);
    CHECK_EQUAL(count(map, "free_resources", "reserved", "returned, others were let through"), 1);
    CHECK_EQUAL(count(map, "reserve_dma", "reserved", "called in a call on another"), 1);
    CHECK_EQUAL(wdfdma_coverage_get_goal(map, "reservation_behind_three"), 0);
    WdfDmaTransactionFreeResources(waiting[2]);
    WdfDmaTransactionFreeResources(waiting[3]);
    CHECK_EQUAL(wdfdma_coverage_get_goal(map, "reservation_behind_three"), 1);
    /* Who waits alone is cancelled: no goal of two. */
    WDFDMATRANSACTION late = world_transaction(of.enabler);
    CHECK_STATUS(WdfDmaTransactionAllocateResources(late, WdfDmaDirectionReadFromDevice, 2,
                                                    world_reserve_dma, NULL),
                 STATUS_SUCCESS);
    CHECK(WdfDmaTransactionCancel(late));
    CHECK_EQUAL(wdfdma_coverage_get_goal(map, "cancel_reservation"), 2);
    CHECK_EQUAL(wdfdma_coverage_get_goal(map, "cancel_while_two_wait"), 1);
    wdfdma_coverage_destroy(map);
}

TEST(a_bug_check_and_a_break_have_cells) {
    world of = world_open(NULL, (world_profile){.profile = WdfDmaProfileScatterGather});
    wdfdma_coverage *map = coverage_of(of.machine);
    WDFDMATRANSACTION transaction = world_transaction(of.enabler);
    WdfDmaTransactionFreeResources(transaction);
    CHECK_EQUAL(count(map, "free_resources", "created", "a break of the framework's verifier"), 1);
    NTSTATUS status;
    WdfDmaTransactionDmaCompleted(transaction, &status);
    CHECK_EQUAL(count(map, "dma_completed", "created", "a bug check"), 1);
    CHECK_BUGCHECK(of.machine, WDFDMA_BUGCHECK_WDF_VIOLATION);
    wdfdma_coverage_destroy(map);
}

static void program_and_forge(WDFDMATRANSACTION transaction) {
    NTSTATUS status;
    WdfDmaTransactionDmaCompletedWithLength(transaction, 1, &status);
    WdfDmaTransactionRelease(transaction);
}

static BOOLEAN program_badly(WDFDMATRANSACTION transaction, WDFDEVICE device, WDFCONTEXT context,
                             WDF_DMA_DIRECTION direction, PSCATTER_GATHER_LIST list) {
    (void)device;
    (void)context;
    (void)direction;
    if (list->Elements[0].Length == 4096) {
        program_and_forge(transaction);
    }
    return TRUE;
}

/* The call that the callback was made in did nothing wrong itself. */
TEST(a_halt_in_a_callback_is_the_inner_calls) {
    world of = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
    wdfdma_coverage *map = coverage_of(of.machine);
    WDFDMATRANSACTION transaction = world_transaction(of.enabler);
    PMDL mdl = world_mdl(of.machine, 0, 4096, NULL);
    WdfDmaTransactionInitializeUsingOffset(transaction, program_badly,
                                           WdfDmaDirectionReadFromDevice, mdl, 0, 4096);
    WdfDmaTransactionExecute(transaction, NULL);
    CHECK_EQUAL(
        count(map, "dma_completed_with_length", "transfer", "STATUS_MORE_PROCESSING_REQUIRED"), 1);
    CHECK_EQUAL(count(map, "release", "transfer", "a bug check"), 1);
    CHECK_EQUAL(count(map, "execute", "initialized", "halted in a callback"), 1);
    CHECK_EQUAL(wdfdma_coverage_get_goal(map, "completed_in_program_dma"), 1);
    wdfdma_coverage_destroy(map);
}

/* The plain way is open again: with nothing to attend to, a machine costs nothing. */
TEST(nothing_is_counted_when_it_is_off) {
    world of = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
    wdfdma_coverage *map = coverage_of(of.machine);
    CHECK(wdfdma_machine_get_coverage(of.machine) == map);
    CHECK_EQUAL(of.machine->attention, ATTENTION_COVERAGE);
    cycle_run(&of, 4096);
    CHECK_STATUS(wdfdma_machine_set_coverage(of.machine, NULL), STATUS_SUCCESS);
    CHECK(wdfdma_machine_get_coverage(of.machine) == NULL);
    CHECK_EQUAL(of.machine->attention, 0);
    cycle_run(&of, 4096);
    wdfdma_sometimes(of.machine, "never told", true);
    CHECK_EQUAL(sum(map), 7);
    CHECK_EQUAL(wdfdma_coverage_copy_goals(map, NULL, 0),
                wdfdma_coverage_copy_goals(NULL, NULL, 0));
    wdfdma_coverage_destroy(map);
}

TEST(machines_share_a_map_which_outlives_its_maker) {
    wdfdma_machine *first = harness_machine(NULL);
    wdfdma_machine *second = harness_machine(NULL);
    wdfdma_coverage *map = coverage_of(first);
    CHECK_STATUS(wdfdma_machine_set_coverage(second, map), STATUS_SUCCESS);
    wdfdma_coverage *sums = NULL;
    CHECK_STATUS(wdfdma_coverage_create(&sums), STATUS_SUCCESS);
    world of = {.machine = second, .device = world_device(second)};
    of.enabler = world_enabler(of.device, &(world_profile){.profile = WdfDmaProfilePacket});
    cycle_run(&of, 4096);
    wdfdma_sometimes(first, "b", true);
    wdfdma_sometimes(first, "a", false);
    wdfdma_sometimes(first, "b", true);
    CHECK_STATUS(wdfdma_coverage_merge(sums, map), STATUS_SUCCESS);
    CHECK_STATUS(wdfdma_coverage_merge(sums, map), STATUS_SUCCESS);
    CHECK_STATUS(wdfdma_coverage_merge(sums, sums), STATUS_INVALID_PARAMETER);
    wdfdma_coverage_destroy(map);
    cycle_run(&of, 4096);
    CHECK_EQUAL(sum(map), 14); /* two machines keep it */
    CHECK_EQUAL(sum(sums), 14);
    CHECK_EQUAL(wdfdma_coverage_get_goal(sums, "b"), 4);
    CHECK_EQUAL(wdfdma_coverage_get_goal(sums, "profile_packet"), 2);
    wdfdma_goal goals[128];
    size_t found = wdfdma_coverage_copy_goals(sums, goals, 128);
    CHECK_EQUAL(found, wdfdma_coverage_copy_goals(NULL, NULL, 0) + 2);
    CHECK(strcmp(goals[found - 2].name, "a") == 0 && goals[found - 2].count == 0);
    wdfdma_coverage_clear(sums);
    CHECK_EQUAL(sum(sums), 0);
    wdfdma_coverage_destroy(sums);
}

/* Neither the map nor the attention is taken back; who waited behind whom is forgotten. */
TEST(a_restore_leaves_the_map) {
    world of = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
    wdfdma_snapshot *before = world_snapshot(of.machine);
    wdfdma_coverage *map = coverage_of(of.machine);
    cycle_run(&of, 4096);
    CHECK_STATUS(wdfdma_machine_restore(of.machine, before), STATUS_SUCCESS);
    cycle_run(&of, 4096);
    CHECK_EQUAL(sum(map), 14);
    wdfdma_snapshot_destroy(before);
    wdfdma_coverage_destroy(map);
}

TEST(wrong_arguments_are_refused) {
    wdfdma_machine *machine = harness_machine(NULL);
    CHECK_STATUS(wdfdma_coverage_create(NULL), STATUS_INVALID_PARAMETER);
    CHECK_STATUS(wdfdma_machine_set_coverage(NULL, NULL), STATUS_INVALID_PARAMETER);
    CHECK_STATUS(wdfdma_coverage_merge(NULL, NULL), STATUS_INVALID_PARAMETER);
    wdfdma_coverage_destroy(NULL);
    wdfdma_coverage_clear(NULL);
    wdfdma_sometimes(NULL, "a", true);
    wdfdma_coverage *map = coverage_of(machine);
    wdfdma_sometimes(machine, NULL, true);
    wdfdma_sometimes(machine, "", true);
    char name[102];
    memset(name, 'x', 101);
    name[101] = 0;
    wdfdma_sometimes(machine, name, true);
    CHECK_EQUAL(wdfdma_coverage_get_goal(map, name), 0);
    CHECK_EQUAL(wdfdma_coverage_get_goal(map, NULL), 0);
    CHECK_EQUAL(wdfdma_coverage_get_count(map, "cancel", "created", NULL), 0);
    CHECK_EQUAL(wdfdma_coverage_get_count(map, "cancel", "created", "none such"), 0);
    wdfdma_machine_halt(machine, 1, 0);
    CHECK_STATUS(wdfdma_machine_set_coverage(machine, map), STATUS_UNSUCCESSFUL);
    wdfdma_coverage_destroy(map);
}

/* What the table calls impossible is not in the list, and the shares count what is. */
TEST(the_table_says_what_can_be_reached) {
    wdfdma_coverage_cell cells[4096];
    size_t found = wdfdma_coverage_copy_cells(NULL, cells, 4096);
    uint32_t all = 0;
    uint32_t right = 0;
    CHECK(found < 4096);
    for (size_t i = 0; i < found; i++) {
        CHECK(cells[i].use == WDFDMA_CELL_RIGHT || cells[i].use == WDFDMA_CELL_MISUSE);
        CHECK_EQUAL(cells[i].count, 0);
        right += cells[i].use == WDFDMA_CELL_RIGHT;
    }
    CHECK_EQUAL(wdfdma_coverage_count_reached(NULL, &all), 0);
    CHECK_EQUAL(all, right);
    world of = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
    wdfdma_coverage *map = coverage_of(of.machine);
    cycle_run(&of, 4096);
    CHECK_EQUAL(wdfdma_coverage_count_reached(map, NULL), 7);
    wdfdma_coverage_destroy(map);
}

HARNESS_MAIN(ENTRY(a_cycle_counts_each_call_once), ENTRY(waits_and_cancels_are_told_apart),
             ENTRY(a_bug_check_and_a_break_have_cells),
             ENTRY(a_halt_in_a_callback_is_the_inner_calls),
             ENTRY(nothing_is_counted_when_it_is_off),
             ENTRY(machines_share_a_map_which_outlives_its_maker), ENTRY(a_restore_leaves_the_map),
             ENTRY(wrong_arguments_are_refused), ENTRY(the_table_says_what_can_be_reached))
