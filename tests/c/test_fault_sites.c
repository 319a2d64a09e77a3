/* Every call site fails once: which sites there are, that each fails with each of its statuses, and what a
 * rerun resumes, in another process too. */
#define PROGRAM "test_fault_sites"
#include "fault_sites.h"

enum {
    RUNS_MOST = 50,
    CRASHED = 250, /* how a process ends that leaves all as it stands */
    DRIVER_SITES = 3,
    DRIVER_FAULTS = 6, /* of a list profile: Create 1, Initialize 3, Execute 2 */
    CRASHES_AFTER = 2
};

static const char *program;

/* ---- A driver ---- */

APART static NTSTATUS driver_transfer(WDFDMAENABLER enabler, PMDL mdl) {
    WDFDMATRANSACTION transaction = NULL;
    NTSTATUS status = WdfDmaTransactionCreate(enabler, WDF_NO_OBJECT_ATTRIBUTES, &transaction);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    status = world_initialize(transaction, WdfDmaDirectionReadFromDevice, mdl, 0, WORLD_PAGE);
    if (NT_SUCCESS(status)) {
        status = WdfDmaTransactionExecute(transaction, NULL);
        if (NT_SUCCESS(status)) {
            WdfDmaTransactionDmaCompleted(transaction, &status);
        }
        WdfDmaTransactionRelease(transaction);
    }
    WdfObjectDelete(transaction);
    return status;
}

/* Runs the driver until nothing fails; how often something did. */
static size_t driver_run(world made, size_t crashes_after) {
    PMDL mdl = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
    uint64_t before = failed(made.machine);
    size_t failures = 0;
    for (int i = 0; i < RUNS_MOST && !NT_SUCCESS(driver_transfer(made.enabler, mdl)); i++) {
        failures++;
        if (failures == crashes_after) {
            _Exit(CRASHED);
        }
    }
    CHECK_EQUAL(failed(made.machine), before + failures);
    CHECK_MACHINE(made.machine);
    return failures;
}

/* ---- Sites ---- */

TEST(each_site_fails_with_each_status) {
    wdfdma_site_log *log = log_begin();
    world made = list_open();
    sites_set(made.machine, log, 0);
    CHECK_EQUAL(driver_run(made, 0), DRIVER_FAULTS);
    CHECK_EQUAL(wdfdma_site_log_get_count(log), DRIVER_FAULTS);
    CHECK_EQUAL(count_sites(log, ""), DRIVER_SITES);
    CHECK_EQUAL(count_lines(log, "create STATUS_INSUFFICIENT_RESOURCES "), 1);
    CHECK_EQUAL(count_lines(log, "initialize STATUS_INSUFFICIENT_RESOURCES "), 1);
    CHECK_EQUAL(count_lines(log, "initialize STATUS_WDF_TOO_FRAGMENTED "), 1);
    CHECK_EQUAL(count_lines(log, "initialize STATUS_BUFFER_TOO_SMALL "), 1);
    CHECK_EQUAL(count_lines(log, "execute STATUS_INSUFFICIENT_RESOURCES "), 1);
    CHECK_EQUAL(count_lines(log, "execute STATUS_WDF_TOO_FRAGMENTED "), 1);
    for (size_t i = 0; i < DRIVER_FAULTS; i++) {
        const char *site = line_site(wdfdma_site_log_get_line(log, i));
        CHECK(strncmp(site, PROGRAM, strlen(PROGRAM)) == 0 && strstr(site, "+0x") != NULL);
    }
    CHECK_EQUAL(driver_run(made, 0), 0);
    wdfdma_site_log_close(log);
}

/* The state of the last fault, and a machine that is given the log again. */
TEST(another_machine_goes_on) {
    wdfdma_site_log *log = log_begin();
    size_t failures = 0;
    for (size_t run = 0; run < RUNS_MOST; run++) {
        const wdfdma_site_config one = {.most = 1};
        world made = list_open();
        CHECK_STATUS(wdfdma_machine_set_sites(made.machine, log, &one), STATUS_SUCCESS);
        size_t here = driver_run(made, 0);
        const wdfdma_site_state *state = wdfdma_machine_get_sites(made.machine);
        CHECK_EQUAL(state->unnamed, 0);
        CHECK_EQUAL(state->hit_op != WDFDMA_OP_NONE && state->hit_step != 0, here);
        CHECK(!wdfdma_site_log_is_lost(log));
        failures += here;
        harness_machine_end(made.machine);
        if (here == 0) {
            break;
        }
        CHECK_EQUAL(here, 1);
    }
    CHECK_EQUAL(failures, DRIVER_FAULTS);
    wdfdma_site_log_close(log);
}

/* What a further process answers; 255 where it could not be had. */
static int child_run(const char *what) {
    char command[1024];
    snprintf(command, sizeof command, "\"%s\" %s", program, what);
    fflush(stdout);
    int answer = system(command);
#if !defined(_WIN32)
    answer = answer < 0 ? 255 : (answer >> 8 | (answer & 0x7F));
#endif
    return answer & 0xFF;
}

/* The driver in a process of its own; ends with how often it failed. */
static int child_main(size_t crashes_after) {
    wdfdma_site_log *log = log_open();
    world made = list_open();
    sites_set(made.machine, log, 0);
    size_t failures = driver_run(made, crashes_after);
    wdfdma_site_log_close(log);
    wdfdma_machine_destroy(made.machine);
    return harness.failures == 0 ? (int)failures : 100;
}

TEST(a_crash_is_resumed) {
    wdfdma_site_log_close(log_begin());
    CHECK_EQUAL(child_run("crash"), CRASHED);
    wdfdma_site_log *log = log_open();
    CHECK_EQUAL(wdfdma_site_log_get_count(log), CRASHES_AFTER);
    wdfdma_site_log_close(log);
    CHECK_EQUAL(child_run("drive"), DRIVER_FAULTS - CRASHES_AFTER);
    CHECK_EQUAL(child_run("drive"), 0);
    log = log_open();
    CHECK_EQUAL(wdfdma_site_log_get_count(log), DRIVER_FAULTS);
    CHECK_EQUAL(count_sites(log, ""), DRIVER_SITES);
    wdfdma_site_log_close(log);
}

APART static NTSTATUS buffer_make(WDFDMAENABLER enabler) {
    WDFCOMMONBUFFER buffer = NULL;
    NTSTATUS status = WdfCommonBufferCreate(enabler, 64, WDF_NO_OBJECT_ATTRIBUTES, &buffer);
    if (NT_SUCCESS(status)) {
        WdfObjectDelete(buffer);
    }
    return status;
}

APART static int buffers_make(WDFDMAENABLER enabler) {
    int good = NT_SUCCESS(buffer_make(enabler));
    good += NT_SUCCESS(buffer_make(enabler));
    return good;
}

/* A compiler that unrolls a loop makes more sites of it: what is counted stands apart. */
APART static void pair_make(WDFDMAENABLER enabler, NTSTATUS *first, NTSTATUS *second) {
    WDFDMATRANSACTION made = NULL;
    // clang-format off
    *first = WdfDmaTransactionCreate(enabler, NULL, &made); *second = WdfDmaTransactionCreate(enabler, NULL, &made);
    // clang-format on
}

TEST(two_calls_in_a_line_are_two_sites) {
    wdfdma_site_log *log = log_begin();
    world made = list_open();
    sites_set(made.machine, log, 0);
    for (int round = 0; round < 2; round++) {
        NTSTATUS first;
        NTSTATUS second;
        pair_make(made.enabler, &first, &second);
        CHECK_EQUAL(NT_SUCCESS(first), round);
        CHECK_EQUAL(NT_SUCCESS(second), round);
    }
    CHECK_EQUAL(count_sites(log, "create"), 2);
    wdfdma_site_log_close(log);
}

TEST(more_frames_tell_callers_apart) {
    for (uint32_t frames = 1; frames <= 2; frames++) {
        wdfdma_site_log *log = log_begin();
        world made = list_open();
        sites_set(made.machine, log, frames);
        CHECK_EQUAL(buffers_make(made.enabler), 2 - (int)frames);
        CHECK_EQUAL(buffers_make(made.enabler), 2);
        CHECK_EQUAL(count_sites(log, "common_buffer_create"), frames);
        const char *site = line_site(wdfdma_site_log_get_line(log, 0));
        CHECK_EQUAL(strstr(site, " < ") != NULL, frames == 2);
        wdfdma_site_log_close(log);
    }
}

/* ---- The machine's value, and its log ---- */

TEST(a_restore_leaves_the_log) {
    wdfdma_site_log *log = log_begin();
    world made = list_open();
    wdfdma_snapshot *without = world_snapshot(made.machine);
    sites_set(made.machine, log, 0);
    wdfdma_snapshot *with = world_snapshot(made.machine);
    for (size_t i = 0; i < DRIVER_FAULTS; i++) {
        PMDL mdl = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
        CHECK(!NT_SUCCESS(driver_transfer(made.enabler, mdl)));
        wdfdma_machine_restore(made.machine, i % 2 == 0 ? without : with);
        CHECK_EQUAL(failed(made.machine), i + 1);
    }
    CHECK_EQUAL(driver_run(made, 0), 0);
    CHECK_STATUS(wdfdma_machine_set_sites(made.machine, NULL, NULL), STATUS_SUCCESS);
    remove(LOG);
    wdfdma_site_log_close(log);
    wdfdma_machine_restore(made.machine, with);
    CHECK(wdfdma_machine_get_sites(made.machine) == NULL);
    PMDL mdl = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
    CHECK_STATUS(driver_transfer(made.enabler, mdl), STATUS_SUCCESS);
    wdfdma_snapshot_destroy(without);
    wdfdma_snapshot_destroy(with);
}

TEST(a_fault_of_the_plan_comes_first) {
    wdfdma_site_log *log = log_begin();
    world made = list_open();
    const wdfdma_fault fault = {.kind = WDFDMA_FAULT_CALL,
                                .op = WDFDMA_OP_CREATE,
                                .nth = 1,
                                .status = STATUS_INSUFFICIENT_RESOURCES};
    PMDL mdl = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
    CHECK_STATUS(wdfdma_machine_add_fault(made.machine, &fault), STATUS_SUCCESS);
    sites_set(made.machine, log, 0);
    CHECK(!NT_SUCCESS(driver_transfer(made.enabler, mdl)));
    CHECK_EQUAL(failed(made.machine), 0);
    wdfdma_machine_clear_faults(made.machine);
    CHECK_EQUAL(driver_run(made, 0), DRIVER_FAULTS);
    wdfdma_site_log_close(log);
}

TEST(two_machines_share_a_log) {
    wdfdma_site_log *log = log_begin();
    world first = list_open();
    world second = list_open();
    sites_set(first.machine, log, 0);
    sites_set(second.machine, log, 0);
    wdfdma_site_log_close(log);
    CHECK_EQUAL(driver_run(first, 0), DRIVER_FAULTS);
    CHECK_EQUAL(driver_run(second, 0), 0);
}

int main(int argc, char **argv) {
    static const harness_entry entries[] = {ENTRY(each_site_fails_with_each_status),
                                            ENTRY(another_machine_goes_on),
                                            ENTRY(a_crash_is_resumed),
                                            ENTRY(two_calls_in_a_line_are_two_sites),
                                            ENTRY(more_frames_tell_callers_apart),
                                            ENTRY(a_restore_leaves_the_log),
                                            ENTRY(a_fault_of_the_plan_comes_first),
                                            ENTRY(two_machines_share_a_log)};
    program = argv[0];
    if (argc > 1 && (strcmp(argv[1], "drive") == 0 || strcmp(argv[1], "crash") == 0)) {
        return child_main(argv[1][0] == 'c' ? CRASHES_AFTER : 0);
    }
    return sites_main(entries, sizeof entries / sizeof *entries, argc > 1 ? argv[1] : NULL);
}
