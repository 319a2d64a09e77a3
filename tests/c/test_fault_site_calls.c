/* Whose site a failure is of: calls in calls, what lies below a call, and sites that are named by others. */
#define PROGRAM "test_fault_site_calls"
#include "fault_sites.h"

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
    CHECK(strstr(site, " < " PROGRAM) != NULL && strstr(site, "libwdfdma") == NULL);
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

/* The calls that can fail, or that let through what can, by how they are told. */
static NTSTATUS call_noted(int call, WDFDMATRANSACTION transaction, PMDL mdl) {
    NTSTATUS status = STATUS_SUCCESS;
    switch (call) {
    case 0:
        return WdfDmaTransactionInitialize(transaction, world_program_dma,
                                           WdfDmaDirectionReadFromDevice, mdl,
                                           MmGetMdlVirtualAddress(mdl), 100);
    case 1:
        return world_initialize(transaction, WdfDmaDirectionReadFromDevice, mdl, 0, 100);
    case 2:
        return WdfDmaTransactionAllocateResources(transaction, WdfDmaDirectionReadFromDevice, 4,
                                                  world_reserve_dma, NULL);
    case 3:
        WdfDmaTransactionFreeResources(transaction);
        return status;
    case 4:
        return WdfDmaTransactionRelease(transaction);
    case 5:
        CHECK(WdfDmaTransactionDmaCompleted(transaction, &status));
        return status;
    case 6:
        CHECK(WdfDmaTransactionDmaCompletedWithLength(transaction, 100, &status));
        return status;
    default:
        CHECK(WdfDmaTransactionDmaCompletedFinal(transaction, 50, &status));
        return status;
    }
}

/* Calls 3 to 7 give the channel to the second transaction, whose registers are denied: at their site,
 * which is not that of the call before. */
TEST(each_call_notes_its_site) {
    for (int call = 0; call < 8; call++) {
        wdfdma_site_log *log = log_begin();
        wdfdma_machine_config config = world_config(64);
        config.verifier = false;
        world made = world_open(&config, (world_profile){.profile = WdfDmaProfileSystem});
        PMDL mdl = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
        PMDL other = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
        WDFDMATRANSACTION first = world_transaction(made.enabler);
        WDFDMATRANSACTION second = world_transaction(made.enabler);
        WDFDMATRANSACTION third = world_transaction(made.enabler);
        if (call == 3) {
            CHECK_STATUS(call_noted(2, first, mdl), STATUS_SUCCESS);
        } else if (call > 3) {
            CHECK_STATUS(call_noted(1, first, mdl), STATUS_SUCCESS);
            CHECK_STATUS(WdfDmaTransactionExecute(first, NULL), STATUS_SUCCESS);
            CHECK(wdfdma_enabler_complete_transfer(made.enabler, WdfDmaDirectionReadFromDevice));
        }
        if (call >= 3) {
            CHECK_STATUS(call_noted(1, second, other), STATUS_SUCCESS);
            CHECK_STATUS(WdfDmaTransactionExecute(second, NULL), STATUS_SUCCESS);
            CHECK_EQUAL(world_info(second).waiting, WDFDMA_WAITING_CHANNEL);
        }
        sites_set(made.machine, log, 0);
        CHECK_STATUS(call_noted(call == 0, third, mdl), STATUS_INSUFFICIENT_RESOURCES);
        CHECK_STATUS(call_noted(call, first, mdl),
                     call < 3 ? STATUS_INSUFFICIENT_RESOURCES : STATUS_SUCCESS);
        CHECK(call < 3 || world_info(second).waiting == WDFDMA_WAITING_POOL);
        CHECK_EQUAL(wdfdma_machine_get_sites(made.machine)->unnamed, 0);
        if (!CHECK_EQUAL(count_sites(log, ""), 2)) {
            printf("    in call %d\n", call);
        }
        wdfdma_site_log_close(log);
        harness_machine_end(made.machine);
    }
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
    CHECK_EQUAL(count_lines(log, "partial_map - " PROGRAM), 1);
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

typedef struct EDGE_CONTEXT {
    uint64_t Value;
} EDGE_CONTEXT;
WDF_DECLARE_CONTEXT_TYPE_WITH_NAME(EDGE_CONTEXT, GetEdge)

/* The call number [way] of those that may fail, the transaction's own apart; all fail at their sites. */
APART static NTSTATUS call_fails(const world *of, WDFREQUEST request, int way) {
    WDF_OBJECT_ATTRIBUTES attributes;
    WDF_COMMON_BUFFER_CONFIG config;
    WDFCOMMONBUFFER buffer = NULL;
    PMDL mdl = NULL;
    WDF_OBJECT_ATTRIBUTES_INIT_CONTEXT_TYPE(&attributes, EDGE_CONTEXT);
    WDF_COMMON_BUFFER_CONFIG_INIT(&config, 0);
    switch (way) {
    case 0:
        return world_configure(of->enabler, WdfDmaDirectionReadFromDevice);
    case 1:
        return WdfCommonBufferCreate(of->enabler, 100, NULL, &buffer);
    case 2:
        return WdfCommonBufferCreateWithConfig(of->enabler, 100, &config, NULL, &buffer);
    case 3:
        return WdfRequestRetrieveInputWdmMdl(request, &mdl);
    case 4:
        return WdfRequestRetrieveOutputWdmMdl(request, &mdl);
    default:
        return WdfObjectAllocateContext(of->enabler, &attributes, NULL);
    }
}

TEST(each_call_that_may_fail_has_a_site) {
    for (int way = 0; way < 7; way++) {
        wdfdma_site_log *log = log_begin();
        world made = world_open(NULL, (world_profile){.profile = WdfDmaProfileSystem});
        PMDL mdl = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
        WDFREQUEST request = world_control_request(made.device, mdl, 100);
        WDFDMATRANSACTION transaction = world_transaction(made.enabler);
        if (way == 0) { /* an enabler whose channel is not configured yet */
            WDF_DMA_ENABLER_CONFIG system;
            WDF_DMA_ENABLER_CONFIG_INIT(&system, WdfDmaProfileSystem, WORLD_PAGE);
            CHECK_STATUS(WdfDmaEnablerCreate(made.device, &system, NULL, &made.enabler),
                         STATUS_SUCCESS);
        }
        sites_set(made.machine, log, 0);
        NTSTATUS status =
            way == 6 ? WdfDmaTransactionInitializeUsingRequest(
                           transaction, request, world_program_dma, WdfDmaDirectionReadFromDevice)
                     : call_fails(&made, request, way);
        CHECK(!NT_SUCCESS(status));
        CHECK(GetEdge(made.enabler) == NULL);
        CHECK_EQUAL(wdfdma_site_log_get_count(log), 1);
        CHECK_EQUAL(count_sites(log, ""), 1);
        CHECK_EQUAL(wdfdma_machine_get_sites(made.machine)->unnamed, 0);
        harness_machine_end(made.machine);
        wdfdma_site_log_close(log);
    }
}

/* ---- Who names a site ---- */

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
        harness_machine_end(made.machine); /* which has it open, too */
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

SITES_MAIN(ENTRY(a_call_keeps_its_site_over_others), ENTRY(the_library_is_no_frame),
           ENTRY(a_note_is_of_its_own_call_only), ENTRY(each_call_notes_its_site),
           ENTRY(registers_and_adapters_are_denied), ENTRY(a_mapping_falls_short),
           ENTRY(each_call_that_may_fail_has_a_site), ENTRY(a_wdm_driver_has_sites),
           ENTRY(a_source_names_the_sites), ENTRY(a_source_may_halt_the_machine))
