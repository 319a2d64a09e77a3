/* Every call site fails once: which sites there are, that each fails with each of its statuses,
 * and the log that a rerun resumes, in another process too. */
#include "world.h"

#if defined(__GNUC__)
#define APART __attribute__((noinline))
#else
#define APART __declspec(noinline)
#endif

enum {
    LINES_MOST = 64,
    RUNS_MOST = 50,
    DRIVER_SITES = 3,
    DRIVER_FAULTS = 6, /* of a list profile: Create 1, Initialize 3, Execute 2 */
    CRASHES_AFTER = 2
};

static const char *LOG = "test_fault_sites.log";
static const char *program;

/* ---- Files and lines ---- */

static void file_write(const char *text) {
    FILE *file = fopen(LOG, "wb");
    if (CHECK(file != NULL)) {
        CHECK(fputs(text, file) >= 0);
        fclose(file);
    }
}

static void file_check(const char *expected) {
    char text[4096] = "";
    FILE *file = fopen(LOG, "rb");
    if (CHECK(file != NULL)) {
        size_t bytes = fread(text, 1, sizeof text - 1, file);
        CHECK_EQUAL(bytes, strlen(expected));
        CHECK(strcmp(text, expected) == 0);
        fclose(file);
    }
}

static wdfdma_site_log *log_open(void) {
    wdfdma_site_log *log = NULL;
    wdfdma_site_log_error error = {0};
    CHECK_STATUS(wdfdma_site_log_open(LOG, &log, &error), STATUS_SUCCESS);
    return log;
}

static wdfdma_site_log *log_begin(void) {
    remove(LOG);
    return log_open();
}

/* The site of a line: what follows its second word. */
static const char *line_site(const char *line) {
    const char *second = line == NULL ? NULL : strchr(line, ' ');
    const char *third = second == NULL ? NULL : strchr(second + 1, ' ');
    return third == NULL ? "" : third + 1;
}

/* How many different sites the lines have that begin with [call]. */
static size_t count_sites(const wdfdma_site_log *log, const char *call) {
    size_t found = 0;
    for (size_t i = 0; i < wdfdma_site_log_get_count(log); i++) {
        const char *line = wdfdma_site_log_get_line(log, i);
        bool is_new = strncmp(line, call, strlen(call)) == 0;
        for (size_t before = 0; before < i && is_new; before++) {
            const char *earlier = wdfdma_site_log_get_line(log, before);
            is_new = strncmp(earlier, call, strlen(call)) != 0 ||
                     strcmp(line_site(line), line_site(earlier)) != 0;
        }
        found += is_new;
    }
    return found;
}

static size_t count_lines(const wdfdma_site_log *log, const char *begin) {
    size_t found = 0;
    for (size_t i = 0; i < wdfdma_site_log_get_count(log); i++) {
        found += strncmp(wdfdma_site_log_get_line(log, i), begin, strlen(begin)) == 0;
    }
    return found;
}

static void sites_set(wdfdma_machine *machine, wdfdma_site_log *log, uint32_t frames) {
    const wdfdma_site_config config = {.frames = frames};
    CHECK_STATUS(wdfdma_machine_set_sites(machine, log, &config), STATUS_SUCCESS);
}

static uint64_t failed(const wdfdma_machine *machine) {
    const wdfdma_site_state *state = wdfdma_machine_get_sites(machine);
    return CHECK(state != NULL) ? state->failed : 0;
}

/* ---- A driver ---- */

/* Its registers are never short: no request for them can be denied. */
static world list_open(void) {
    return world_open(NULL, (world_profile){.profile = WdfDmaProfileScatterGather64});
}

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
            abort();
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
        CHECK(strncmp(site, "test_fault_sites", 16) == 0 && strstr(site, "+0x") != NULL);
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
    return answer < 0 ? 255 : (answer >> 8 | (answer & 0x7F)) & 0xFF;
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
    CHECK(child_run("crash") > DRIVER_FAULTS);
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

/* ---- Calls in calls, and what lies below ---- */

static BOOLEAN program_and_make(WDFDMATRANSACTION transaction, WDFDEVICE device, WDFCONTEXT context,
                                WDF_DMA_DIRECTION direction, PSCATTER_GATHER_LIST list) {
    (void)transaction;
    (void)device;
    (void)direction;
    (void)list;
    WDFDMATRANSACTION made = NULL;
    CHECK_STATUS(WdfDmaTransactionCreate(context, WDF_NO_OBJECT_ATTRIBUTES, &made),
                 STATUS_INSUFFICIENT_RESOURCES);
    return TRUE;
}

/* The completion lets another transaction through, whose callback makes calls of its own, before it
 * asks for its next transfer. */
TEST(a_call_keeps_its_site_over_others) {
    wdfdma_site_log *log = log_begin();
    wdfdma_machine_config config = world_config(3);
    world made = world_open(&config, (world_profile){.profile = WdfDmaProfileScatterGather,
                                                     .maximum_length = 2 * WORLD_PAGE});
    PMDL mdl = world_mdl(made.machine, 0, 2 * WORLD_PAGE, NULL);
    PMDL wide = world_mdl(made.machine, 512, 2 * WORLD_PAGE, NULL);
    WDFDMATRANSACTION first = world_transaction(made.enabler);
    WDFDMATRANSACTION second = world_transaction(made.enabler);
    NTSTATUS status;
    CHECK_STATUS(world_initialize(first, WdfDmaDirectionReadFromDevice, mdl, 0, 2 * WORLD_PAGE),
                 STATUS_SUCCESS);
    WdfDmaTransactionSetMaximumLength(first, WORLD_PAGE);
    CHECK_STATUS(WdfDmaTransactionInitializeUsingOffset(second, program_and_make,
                                                        WdfDmaDirectionReadFromDevice, wide, 0,
                                                        2 * WORLD_PAGE),
                 STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionExecute(first, NULL), STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionExecute(second, made.enabler), STATUS_SUCCESS);
    CHECK_EQUAL(world_info(second).waiting, WDFDMA_WAITING_POOL);
    sites_set(made.machine, log, 0);
    CHECK(WdfDmaTransactionDmaCompleted(first, &status));
    CHECK_STATUS(status, STATUS_INSUFFICIENT_RESOURCES);
    CHECK_EQUAL(count_lines(log, "create "), 1);
    CHECK_EQUAL(count_lines(log, "dma_completed "), 1);
    CHECK_EQUAL(count_sites(log, ""), 2);
    CHECK_EQUAL(wdfdma_machine_get_sites(made.machine)->unnamed, 0);
    wdfdma_site_log_close(log);
}

static wdfdma_site_log *armed_in_callback;

static BOOLEAN program_arms_and_makes(WDFDMATRANSACTION transaction, WDFDEVICE device,
                                      WDFCONTEXT context, WDF_DMA_DIRECTION direction,
                                      PSCATTER_GATHER_LIST list) {
    sites_set(wdfdma_object_get_machine(transaction), armed_in_callback, WDFDMA_SITE_FRAMES);
    return program_and_make(transaction, device, context, direction, list);
}

/* Between a callback and the call that it came from lies this library, which is no part of a site
 * (where it is a module of its own). */
TEST(the_library_is_no_frame) {
    wdfdma_site_log *log = log_begin();
    world made = list_open();
    PMDL mdl = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
    WDFDMATRANSACTION transaction = world_transaction(made.enabler);
    CHECK_STATUS(WdfDmaTransactionInitializeUsingOffset(transaction, program_arms_and_makes,
                                                        WdfDmaDirectionReadFromDevice, mdl, 0,
                                                        WORLD_PAGE),
                 STATUS_SUCCESS);
    armed_in_callback = log;
    CHECK_STATUS(WdfDmaTransactionExecute(transaction, made.enabler), STATUS_SUCCESS);
    const char *site = line_site(wdfdma_site_log_get_line(log, 0));
    CHECK(strstr(site, " < test_fault_sites") != NULL && strstr(site, "libwdfdma") == NULL);
    wdfdma_site_log_close(log);
}

/* A call that cannot fail itself lets another's request through: that one has no site, least of all
 * the one noted before. */
TEST(a_note_is_of_its_own_call_only) {
    wdfdma_site_log *log = log_begin();
    world made = world_open(NULL, (world_profile){.profile = WdfDmaProfileSystem});
    PMDL mdl = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
    WDFDMATRANSACTION first = world_transaction(made.enabler);
    WDFDMATRANSACTION second = world_transaction(made.enabler);
    WDFDMATRANSACTION third = NULL;
    CHECK_STATUS(WdfDmaTransactionAllocateResources(first, WdfDmaDirectionReadFromDevice, 4,
                                                    world_reserve_dma, NULL),
                 STATUS_SUCCESS);
    CHECK_STATUS(world_initialize(second, WdfDmaDirectionReadFromDevice, mdl, 0, 100),
                 STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionExecute(second, NULL), STATUS_SUCCESS);
    CHECK_EQUAL(world_info(second).waiting, WDFDMA_WAITING_CHANNEL);
    sites_set(made.machine, log, 0);
    CHECK(!NT_SUCCESS(WdfDmaTransactionCreate(made.enabler, NULL, &third)));
    WdfObjectDelete(first);
    CHECK_EQUAL(world_info(second).waiting, WDFDMA_WAITING_NOT);
    CHECK_EQUAL(wdfdma_site_log_get_count(log), 1);
    CHECK_EQUAL(wdfdma_machine_get_sites(made.machine)->unnamed, 1);
    wdfdma_site_log_close(log);
}

APART static NTSTATUS enabler_make(WDFDEVICE device) {
    WDFDMAENABLER made = NULL;
    const world_profile profile = {.profile = WdfDmaProfilePacket, .version = 3};
    return world_enabler_try(device, &profile, &made);
}

APART static NTSTATUS execute(WDFDMATRANSACTION transaction) {
    volatile NTSTATUS status = WdfDmaTransactionExecute(transaction, NULL);
    return status;
}

TEST(registers_and_adapters_are_denied) {
    wdfdma_site_log *log = log_begin();
    world made = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
    PMDL mdl = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
    WDFDMATRANSACTION transaction = world_transaction(made.enabler);
    sites_set(made.machine, log, 0);
    for (int i = 0; i < 4; i++) {
        CHECK(!NT_SUCCESS(enabler_make(made.device)));
    }
    CHECK_STATUS(enabler_make(made.device), STATUS_SUCCESS);
    CHECK_EQUAL(count_lines(log, "enabler_create "), 3);
    CHECK_EQUAL(count_lines(log, "adapter - "), 1);
    CHECK_EQUAL(count_sites(log, ""), 1);
    sites_set(made.machine, NULL, 0);
    CHECK_STATUS(world_initialize(transaction, WdfDmaDirectionReadFromDevice, mdl, 0, 100),
                 STATUS_SUCCESS);
    sites_set(made.machine, log, 0);
    for (int i = 0; i < 2; i++) {
        CHECK_STATUS(execute(transaction), i == 0 ? STATUS_INSUFFICIENT_RESOURCES : STATUS_SUCCESS);
        CHECK_EQUAL(world_info(transaction).waiting,
                    i == 0 ? WDFDMA_WAITING_NOT : WDFDMA_WAITING_POOL);
        CHECK_EQUAL(count_lines(log, "register_grant - "), i);
        sites_set(made.machine, NULL, 0);
        WdfDmaTransactionCancel(transaction);
        CHECK_STATUS(WdfDmaTransactionRelease(transaction), STATUS_SUCCESS);
        CHECK_STATUS(world_initialize(transaction, WdfDmaDirectionReadFromDevice, mdl, 0, 100),
                     STATUS_SUCCESS);
        sites_set(made.machine, log, 0);
    }
    wdfdma_site_log_close(log);
}

TEST(a_mapping_falls_short) {
    wdfdma_site_log *log = log_begin();
    world made = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
    PMDL mdl = world_mdl(made.machine, 0, 4 * WORLD_PAGE, NULL);
    WDFDMATRANSACTION transaction = world_transaction(made.enabler);
    CHECK_STATUS(WdfDmaTransactionAllocateResources(transaction, WdfDmaDirectionReadFromDevice, 4,
                                                    world_reserve_dma, NULL),
                 STATUS_SUCCESS);
    CHECK_STATUS(
        world_initialize(transaction, WdfDmaDirectionReadFromDevice, mdl, 0, 4 * WORLD_PAGE),
        STATUS_SUCCESS);
    sites_set(made.machine, log, 0);
    CHECK_STATUS(execute(transaction), STATUS_SUCCESS);
    CHECK_EQUAL(world_info(transaction).transfer_length, 2 * WORLD_PAGE);
    CHECK_EQUAL(count_lines(log, "partial_map - test_fault_sites"), 1);
    CHECK_EQUAL(failed(made.machine), 1);
    wdfdma_site_log_close(log);
}

static IO_ALLOCATION_ACTION control_free(PDEVICE_OBJECT device, PIRP irp, PVOID base,
                                         PVOID context) {
    (void)device;
    (void)irp;
    (void)base;
    (void)context;
    return DeallocateObject;
}

APART static PDMA_ADAPTER adapter_get(WDFDEVICE device) {
    DEVICE_DESCRIPTION description = {.Version = DEVICE_DESCRIPTION_VERSION3,
                                      .Master = TRUE,
                                      .DmaAddressWidth = 32,
                                      .MaximumLength = 65536};
    ULONG registers;
    PDMA_ADAPTER made =
        IoGetDmaAdapter(WdfDeviceWdmGetPhysicalDevice(device), &description, &registers);
    CHECK(made == NULL || registers == 17);
    return made;
}

APART static NTSTATUS channel_get(PDMA_ADAPTER adapter, PDEVICE_OBJECT object) {
    volatile NTSTATUS status =
        adapter->DmaOperations->AllocateAdapterChannel(adapter, object, 4, control_free, NULL);
    return status;
}

TEST(a_wdm_driver_has_sites) {
    wdfdma_site_log *log = log_begin();
    world made = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
    PDEVICE_OBJECT object = WdfDeviceWdmGetDeviceObject(made.device);
    sites_set(made.machine, log, 0);
    CHECK(adapter_get(made.device) == NULL);
    PDMA_ADAPTER adapter = adapter_get(made.device);
    REQUIRE(adapter != NULL);
    CHECK_STATUS(wdfdma_machine_set_irql(made.machine, DISPATCH_LEVEL), STATUS_SUCCESS);
    /* One fails, one waits for registers that nobody holds. */
    CHECK_STATUS(channel_get(adapter, object), STATUS_INSUFFICIENT_RESOURCES);
    CHECK_STATUS(channel_get(adapter, object), STATUS_SUCCESS);
    CHECK_EQUAL(wdfdma_machine_get_state(made.machine)->waiting_pool, 1);
    CHECK_EQUAL(count_lines(log, "adapter - "), 1);
    CHECK_EQUAL(count_lines(log, "adapter_call STATUS_INSUFFICIENT_RESOURCES "), 1);
    CHECK_EQUAL(count_lines(log, "register_grant - "), 1);
    CHECK_EQUAL(count_sites(log, ""), 2);
    wdfdma_site_log_close(log);
}

/* ---- Who names a site ---- */

static size_t name_given(void *context, wdfdma_machine *machine, char *out, size_t capacity) {
    const char *name = context;
    CHECK(wdfdma_machine_set_sites(machine, NULL, NULL) == STATUS_INVALID_DEVICE_STATE);
    return (size_t)snprintf(out, capacity, "%s", name);
}

TEST(a_source_names_the_sites) {
    static const struct {
        const char *name;
        const char *site;
    } names[] = {{"steps[3]", "steps[3]"}, {"a\nb\x7F ~c~", "a?b? ~c?"}, {"", NULL}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        wdfdma_site_log *log = log_begin();
        world made = list_open();
        WDFDMATRANSACTION transaction = NULL;
        wdfdma_site_config config = {.source = name_given,
                                     .context = (void *)(uintptr_t)names[i].name};
        CHECK_STATUS(wdfdma_machine_set_sites(made.machine, log, &config), STATUS_SUCCESS);
        NTSTATUS status = WdfDmaTransactionCreate(made.enabler, NULL, &transaction);
        CHECK_EQUAL(NT_SUCCESS(status), names[i].site == NULL);
        CHECK_EQUAL(wdfdma_machine_get_sites(made.machine)->unnamed, names[i].site == NULL);
        const char *line = wdfdma_site_log_get_line(log, 0);
        CHECK_EQUAL(line != NULL, names[i].site != NULL);
        CHECK(line == NULL || strcmp(line_site(line), names[i].site) == 0);
        wdfdma_site_log_close(log);
        wdfdma_site_log_close(log_open());
    }
}

static size_t name_halts(void *context, wdfdma_machine *machine, char *out, size_t capacity) {
    (void)context;
    wdfdma_machine_halt(machine, WDFDMA_BUGCHECK_MANUALLY_INITIATED_CRASH, 0);
    return (size_t)snprintf(out, capacity, "here");
}

TEST(a_source_may_halt_the_machine) {
    wdfdma_site_log *log = log_begin();
    world made = list_open();
    const wdfdma_site_config config = {.source = name_halts};
    const wdfdma_machine_state *state = wdfdma_machine_get_state(made.machine);
    WDFDMATRANSACTION transaction = NULL;
    CHECK_STATUS(wdfdma_machine_set_sites(made.machine, log, &config), STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionCreate(made.enabler, NULL, &transaction), STATUS_UNSUCCESSFUL);
    CHECK_EQUAL(state->objects[WDFDMA_OBJECT_TRANSACTION], 0);
    CHECK_EQUAL(wdfdma_site_log_get_count(log), 0);
    wdfdma_site_log_close(log);
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

TEST(a_misuse_is_refused) {
    wdfdma_site_log *log = log_begin();
    wdfdma_machine *machine = harness_machine(NULL);
    const wdfdma_site_config far = {.frames = WDFDMA_SITE_FRAMES + 1};
    CHECK_STATUS(wdfdma_machine_set_sites(NULL, log, NULL), STATUS_INVALID_PARAMETER);
    CHECK_STATUS(wdfdma_machine_set_sites(machine, log, &far), STATUS_INVALID_PARAMETER);
    CHECK_STATUS(wdfdma_site_log_open(NULL, &log, NULL), STATUS_INVALID_PARAMETER);
    CHECK_STATUS(wdfdma_site_log_open(LOG, NULL, NULL), STATUS_INVALID_PARAMETER);
    CHECK(wdfdma_machine_get_sites(machine) == NULL && wdfdma_machine_get_sites(NULL) == NULL);
    CHECK_EQUAL(wdfdma_site_log_get_count(NULL), 0);
    CHECK(!wdfdma_site_log_is_lost(NULL));
    CHECK(wdfdma_site_log_get_line(log, 0) == NULL && wdfdma_site_log_get_line(NULL, 0) == NULL);
    wdfdma_site_log_close(NULL);
    sites_set(machine, log, 0);
    wdfdma_machine_halt(machine, WDFDMA_BUGCHECK_MANUALLY_INITIATED_CRASH, 0);
    CHECK_STATUS(wdfdma_machine_set_sites(machine, log, NULL), STATUS_UNSUCCESSFUL);
    CHECK_STATUS(wdfdma_machine_set_sites(machine, NULL, NULL), STATUS_SUCCESS);
    CHECK(wdfdma_machine_get_sites(machine) == NULL);
    wdfdma_site_log_close(log);
}

/* ---- The file ---- */

#define FIRST "wdfdma-sites 1\n"
#define LINE "execute STATUS_WDF_BUSY driver.sys+0x10\n"

TEST(a_damaged_log_is_refused) {
    static const struct {
        const char *text;
        uint64_t line;
        const char *rule;
    } damaged[] = {
        {"anything", 1, "not the first line"},
        {"wdfdma-sites 2\n", 1, "not the first line"},
        {"wdfdma-sites 1 \n", 1, "not the first line"},
        {"\n" FIRST, 1, "not the first line"},
        {LINE FIRST, 1, "not the first line"},
        {FIRST LINE "exec STATUS_WDF_BUSY a\n", 3, "no call"},
        {FIRST LINE LINE "\n", 4, "no call"},
        {FIRST FIRST, 2, "no call"},
        {FIRST "release STATUS_WDF_BUSY a\n" LINE, 2, "no call"},
        {FIRST "execute STATUS_CANCELLED a\n" LINE, 2, "a status"},
        {FIRST "create STATUS_WDF_BUSY a\n", 2, "a status"},
        {FIRST "execute - a\n", 2, "a status"},
        {FIRST "adapter STATUS_UNSUCCESSFUL a\n", 2, "a status"},
        {FIRST "execute STATUS_WDF_BUSY\n", 2, "there is no site"},
        {FIRST "execute STATUS_WDF_BUSY \n", 2, "there is no site"},
        {FIRST "execute STATUS_WDF_BUSY a\tb\n", 2, "a character"},
        {FIRST "execute STATUS_WDF_BUSY a\r\n", 2, "a character"},
        {FIRST "garbage", 2, "no call"},
        {FIRST "garbage~\n", 2, "no call"},
        {FIRST "execute STATUS_X", 2, "a status"},
    };
    for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++) {
        wdfdma_site_log *log = NULL;
        wdfdma_site_log_error error = {0};
        file_write(damaged[i].text);
        CHECK_STATUS(wdfdma_site_log_open(LOG, &log, &error), STATUS_INVALID_PARAMETER);
        CHECK(log == NULL);
        CHECK_EQUAL(error.line, damaged[i].line);
        CHECK(error.rule != NULL && strstr(error.rule, damaged[i].rule) != NULL);
        file_check(damaged[i].text);
    }
}

TEST(what_a_crash_leaves_is_taken) {
    static const struct {
        const char *text;
        size_t count;
        const char *after;
    } cut[] = {
        {"", 0, FIRST},
        {"wdfdma-si", 0, "wdfdma-si~\n" FIRST},
        {"wdfdma-sites 1", 0, "wdfdma-sites 1~\n" FIRST},
        {FIRST, 0, FIRST},
        {FIRST LINE, 1, FIRST LINE},
        {FIRST LINE LINE, 1, FIRST LINE LINE},
        {FIRST LINE "e", 1, FIRST LINE "e~\n"},
        {FIRST LINE "execute ", 1, FIRST LINE "execute ~\n"},
        {FIRST LINE "execute STATUS_W", 1, FIRST LINE "execute STATUS_W~\n"},
        {FIRST "execute STATUS_WDF_BUSY driver.s", 0, FIRST "execute STATUS_WDF_BUSY driver.s~\n"},
        {FIRST "execute ST~\n" LINE "adapter - x y", 1,
         FIRST "execute ST~\n" LINE "adapter - x y~\n"},
        {"wdfdma~\n" FIRST LINE, 1, "wdfdma~\n" FIRST LINE},
    };
    for (size_t i = 0; i < sizeof cut / sizeof *cut; i++) {
        file_write(cut[i].text);
        for (int round = 0; round < 2; round++) {
            wdfdma_site_log *log = log_open();
            CHECK_EQUAL(wdfdma_site_log_get_count(log), cut[i].count);
            wdfdma_site_log_close(log);
            file_check(cut[i].after);
        }
    }
}

/* A line is in the file before the call fails, with nothing closed. */
TEST(a_line_is_there_at_once) {
    wdfdma_site_log *log = log_begin();
    world made = list_open();
    WDFDMATRANSACTION transaction = NULL;
    wdfdma_site_config config = {.source = name_given, .context = (void *)(uintptr_t)"here"};
    CHECK_STATUS(wdfdma_machine_set_sites(made.machine, log, &config), STATUS_SUCCESS);
    CHECK(!NT_SUCCESS(WdfDmaTransactionCreate(made.enabler, NULL, &transaction)));
    file_check(FIRST "create STATUS_INSUFFICIENT_RESOURCES here\n");
    wdfdma_site_log_close(log);
}

TEST(a_file_that_cannot_be_had) {
    wdfdma_site_log *log = NULL;
    wdfdma_site_log_error error = {0};
    CHECK_STATUS(wdfdma_site_log_open("no such folder/sites.log", &log, &error),
                 STATUS_UNSUCCESSFUL);
    CHECK_EQUAL(error.line, 0);
    CHECK(error.error != 0 && error.rule != NULL && log == NULL);
}

/* More lines than the log's first room. */
TEST(a_long_log_is_read_back) {
    enum {
        LONG_LINES = 3000
    };
    FILE *file = fopen(LOG, "wb");
    REQUIRE(file != NULL);
    fputs(FIRST, file);
    for (int i = 0; i < LONG_LINES; i++) {
        fprintf(file, "create STATUS_INSUFFICIENT_RESOURCES site %d\n", i);
    }
    fclose(file);
    wdfdma_site_log *log = log_open();
    CHECK_EQUAL(wdfdma_site_log_get_count(log), LONG_LINES);
    world made = list_open();
    for (int i = LONG_LINES - 3; i < LONG_LINES + 3; i++) {
        char name[32];
        WDFDMATRANSACTION transaction = NULL;
        wdfdma_site_config config = {.source = name_given, .context = name};
        snprintf(name, sizeof name, "site %d", i);
        CHECK_STATUS(wdfdma_machine_set_sites(made.machine, log, &config), STATUS_SUCCESS);
        NTSTATUS status = WdfDmaTransactionCreate(made.enabler, NULL, &transaction);
        CHECK_EQUAL(NT_SUCCESS(status), i < LONG_LINES);
        wdfdma_machine_set_sites(made.machine, NULL, NULL);
    }
    wdfdma_site_log_close(log);
}

int main(int argc, char **argv) {
    static const harness_entry entries[] = {ENTRY(each_site_fails_with_each_status),
                                            ENTRY(another_machine_goes_on),
                                            ENTRY(a_crash_is_resumed),
                                            ENTRY(two_calls_in_a_line_are_two_sites),
                                            ENTRY(more_frames_tell_callers_apart),
                                            ENTRY(a_call_keeps_its_site_over_others),
                                            ENTRY(a_note_is_of_its_own_call_only),
                                            ENTRY(the_library_is_no_frame),
                                            ENTRY(registers_and_adapters_are_denied),
                                            ENTRY(a_mapping_falls_short),
                                            ENTRY(a_wdm_driver_has_sites),
                                            ENTRY(a_source_names_the_sites),
                                            ENTRY(a_source_may_halt_the_machine),
                                            ENTRY(a_restore_leaves_the_log),
                                            ENTRY(a_fault_of_the_plan_comes_first),
                                            ENTRY(two_machines_share_a_log),
                                            ENTRY(a_misuse_is_refused),
                                            ENTRY(a_damaged_log_is_refused),
                                            ENTRY(what_a_crash_leaves_is_taken),
                                            ENTRY(a_line_is_there_at_once),
                                            ENTRY(a_file_that_cannot_be_had),
                                            ENTRY(a_long_log_is_read_back)};
    program = argv[0];
    if (argc > 1 && (strcmp(argv[1], "drive") == 0 || strcmp(argv[1], "crash") == 0)) {
        return child_main(argv[1][0] == 'c' ? CRASHES_AFTER : 0);
    }
    int answer = harness_main(entries, sizeof entries / sizeof *entries, argc > 1 ? argv[1] : NULL);
    remove(LOG);
    return answer;
}
