/* Out of memory: each allocation of a long sequence fails once. The call that meets it says so,
 * leaves everything as it was, and succeeds when it is tried again. */
#include "world.h"

enum {
    BUFFER_BYTES = 3 * WORLD_PAGE,
    SWEEP_MOST = 5000
};

typedef struct OOM_CONTEXT {
    uint64_t Value[20];
} OOM_CONTEXT;
WDF_DECLARE_CONTEXT_TYPE_WITH_NAME(OOM_CONTEXT, GetOom)

static struct sweep {
    wdfdma_machine *machine;
    wdfdma_machine_state before; /* the call that runs now */
    uint32_t failures;           /* calls that met the failure */
} sweep;

static void call_begins(void) {
    sweep.before = *wdfdma_machine_get_state(sweep.machine);
}

/* What may differ after a refused call: the number of the step, and memory that was committed. */
static bool call_failed(bool failed, int line) {
    if (!failed) {
        return false;
    }
    wdfdma_machine_state now = *wdfdma_machine_get_state(sweep.machine);
    sweep.failures++;
    now.step = sweep.before.step;
    if (memcmp(&now, &sweep.before, sizeof now) != 0) {
        printf("    a refused call at line %d changed the machine\n", line);
        harness.failures++;
    }
    CHECK_MACHINE(sweep.machine);
    return true;
}

/* A call that returns a status: refused at most once, then done. */
#define TRY(call) \
    do { \
        call_begins(); \
        NTSTATUS tried = (call); \
        if (call_failed(tried == STATUS_INSUFFICIENT_RESOURCES, __LINE__)) { \
            tried = (call); \
        } \
        CHECK_STATUS(tried, STATUS_SUCCESS); \
    } while (0)

static WDFDMAENABLER enabler_make(WDFDEVICE device, WDF_DMA_PROFILE profile) {
    WDF_DMA_ENABLER_CONFIG config;
    WDF_OBJECT_ATTRIBUTES attributes;
    WDFDMAENABLER made = NULL;
    WDF_DMA_ENABLER_CONFIG_INIT(&config, profile, BUFFER_BYTES);
    config.WdmDmaVersionOverride = 3;
    WDF_OBJECT_ATTRIBUTES_INIT_CONTEXT_TYPE(&attributes, OOM_CONTEXT);
    call_begins();
    NTSTATUS status = WdfDmaEnablerCreate(device, &config, &attributes, &made);
    /* An adapter that is not to be had has a status of its own. */
    if (call_failed(!NT_SUCCESS(status), __LINE__)) {
        CHECK(made == NULL);
        CHECK(status == STATUS_INSUFFICIENT_RESOURCES || status == STATUS_UNSUCCESSFUL);
        status = WdfDmaEnablerCreate(device, &config, &attributes, &made);
    }
    CHECK_STATUS(status, STATUS_SUCCESS);
    if (world_profile_is_system(profile)) {
        call_begins();
        status = world_configure(made, WdfDmaDirectionReadFromDevice);
        if (call_failed(!NT_SUCCESS(status), __LINE__)) {
            status = world_configure(made, WdfDmaDirectionReadFromDevice);
        }
        CHECK_STATUS(status, STATUS_SUCCESS);
    }
    return made;
}

static PMDL mdl_make(uint32_t offset, uint32_t count, const uint64_t *pfns, size_t pfn_count) {
    const wdfdma_mdl_config config = {offset, count, pfns, pfn_count};
    PMDL made = NULL;
    TRY(wdfdma_mdl_create(sweep.machine, &config, &made));
    return made;
}

static void common_buffers_play(WDFDMAENABLER enabler) {
    WDF_OBJECT_ATTRIBUTES attributes;
    WDF_COMMON_BUFFER_CONFIG config;
    WDFCOMMONBUFFER first = NULL, second = NULL;
    uint8_t byte = 0;
    WDF_OBJECT_ATTRIBUTES_INIT_CONTEXT_TYPE(&attributes, OOM_CONTEXT);
    WDF_COMMON_BUFFER_CONFIG_INIT(&config, 0xFFFF);
    TRY(WdfCommonBufferCreate(enabler, 9000, &attributes, &first));
    TRY(WdfCommonBufferCreateWithConfig(enabler, 100, &config, NULL, &second));
    TRY(wdfdma_device_read(sweep.machine,
                           (uint64_t)WdfCommonBufferGetAlignedLogicalAddress(first).QuadPart, &byte,
                           1));
    WdfObjectDelete(first);
}

static void contexts_play(WDFOBJECT object) {
    WDF_OBJECT_ATTRIBUTES attributes;
    PVOID context = NULL;
    WDF_OBJECT_ATTRIBUTES_INIT_CONTEXT_TYPE(&attributes, OOM_CONTEXT);
    TRY(WdfObjectAllocateContext(object, &attributes, &context));
    CHECK(GetOom(object) == context);
}

/* The whole way of a transaction; the device looks at what is mapped. */
static void transaction_play(WDFDMAENABLER enabler, PMDL mdl, WDF_DMA_DIRECTION direction) {
    WDFDMATRANSACTION transaction = NULL;
    world_seen seen = {0};
    NTSTATUS status;
    uint8_t byte = 0;
    TRY(WdfDmaTransactionCreate(enabler, NULL, &transaction));
    contexts_play(transaction);
    TRY(world_initialize(transaction, direction, mdl, 10, BUFFER_BYTES - 10));
    call_begins();
    status = WdfDmaTransactionExecute(transaction, &seen);
    if (status == STATUS_INSUFFICIENT_RESOURCES) {
        sweep.failures++;
        CHECK_MACHINE(sweep.machine);
        CHECK_EQUAL(world_state(transaction), WDFDMA_STATE_TRANSFER_FAILED);
        CHECK_STATUS(WdfDmaTransactionRelease(transaction), STATUS_SUCCESS);
        CHECK_STATUS(world_initialize(transaction, direction, mdl, 10, BUFFER_BYTES - 10),
                     STATUS_SUCCESS);
        status = WdfDmaTransactionExecute(transaction, &seen);
    }
    REQUIRE(CHECK_STATUS(status, STATUS_SUCCESS));
    uint64_t address = (uint64_t)seen.list[0].Address.QuadPart;
    if (direction == WdfDmaDirectionWriteToDevice) {
        TRY(wdfdma_device_read(sweep.machine, address, &byte, 1));
    } else {
        TRY(wdfdma_device_write(sweep.machine, address, &byte, 1));
    }
    wdfdma_enabler_complete_transfer(enabler, direction);
    CHECK(WdfDmaTransactionDmaCompletedFinal(transaction, 1, &status));
    CHECK_STATUS(WdfDmaTransactionRelease(transaction), STATUS_SUCCESS);
    WdfObjectDelete(transaction);
}

static void request_play(WDFDEVICE device, WDFDMAENABLER enabler, PMDL mdl) {
    const wdfdma_request_config config = {
        .type = WdfRequestTypeWrite, .input = mdl, .input_length = BUFFER_BYTES};
    WDFREQUEST request = NULL;
    WDFDMATRANSACTION transaction = NULL;
    NTSTATUS status;
    TRY(wdfdma_request_create(device, &config, &request));
    TRY(WdfDmaTransactionCreate(enabler, NULL, &transaction));
    TRY(WdfDmaTransactionInitializeUsingRequest(transaction, request, world_program_dma,
                                                WdfDmaDirectionWriteToDevice));
    CHECK_STATUS(WdfDmaTransactionExecute(transaction, NULL), STATUS_SUCCESS);
    while (!WdfDmaTransactionDmaCompleted(transaction, &status)) {
    }
    WdfRequestComplete(request, STATUS_SUCCESS);
    WdfObjectDelete(transaction);
    wdfdma_request_destroy(request);
}

static void io_mdl_play(PMDL mdl) {
    char *bytes = wdfdma_mdl_get_bytes(sweep.machine, mdl);
    call_begins();
    PMDL part = IoAllocateMdl(bytes + 100, 5000, FALSE, FALSE, NULL);
    if (call_failed(part == NULL, __LINE__)) {
        part = IoAllocateMdl(bytes + 100, 5000, FALSE, FALSE, NULL);
    }
    REQUIRE(part != NULL);
    IoBuildPartialMdl(mdl, part, bytes + 100, 5000);
    IoFreeMdl(part);
    PMDL mine = IoAllocateMdl(bytes, 5000, FALSE, FALSE, NULL);
    if (mine == NULL) {
        sweep.failures++;
        return;
    }
    MmBuildMdlForNonPagedPool(mine);
    IoFreeMdl(mine);
}

/* Everything that allocates, once or twice. */
static void sequence_play(void) {
    static const uint64_t shared[4] = {900, 901, 40, 902};
    WDFDEVICE device = NULL;
    TRY(wdfdma_device_create(sweep.machine, NULL, &device));
    contexts_play(device);
    WDFDMAENABLER packet = enabler_make(device, WdfDmaProfilePacket);
    WDFDMAENABLER gather = enabler_make(device, WdfDmaProfileScatterGatherDuplex);
    WDFDMAENABLER system = enabler_make(device, WdfDmaProfileSystem);
    PMDL plain = mdl_make(0, BUFFER_BYTES, NULL, 0);
    PMDL first = mdl_make(0, BUFFER_BYTES, shared, 3);
    PMDL second = mdl_make(5, BUFFER_BYTES, shared, 4);
    common_buffers_play(gather);
    transaction_play(packet, plain, WdfDmaDirectionWriteToDevice);
    transaction_play(packet, second, WdfDmaDirectionReadFromDevice);
    transaction_play(gather, second, WdfDmaDirectionWriteToDevice);
    transaction_play(system, first, WdfDmaDirectionReadFromDevice);
    request_play(device, packet, plain);
    io_mdl_play(plain);
    for (int i = 0; i < 70; i++) {
        mdl_make(0, 1, NULL, 0); /* so that tables grow */
    }
    CHECK_STATUS(wdfdma_mdl_destroy(sweep.machine, second), STATUS_SUCCESS);
    wdfdma_device_destroy(device);
}

TEST(every_allocation_fails_once) {
    wdfdma_machine_config config = world_config(8);
    config.log_records = WDFDMA_LOG_GROWS;
    sweep.machine = harness_machine(&config);
    wdfdma_snapshot *fresh = world_snapshot(sweep.machine);
    sequence_play();
    wdfdma_machine_state expected = *wdfdma_machine_get_state(sweep.machine);
    uint64_t n = 1;
    for (sweep.failures = 1; sweep.failures > 0 && n < SWEEP_MOST && harness.failures == 0; n++) {
        sweep.failures = 0;
        CHECK_STATUS(wdfdma_machine_restore(sweep.machine, fresh), STATUS_SUCCESS);
        CHECK_STATUS(wdfdma_machine_fail_allocation(sweep.machine, n), STATUS_SUCCESS);
        sequence_play();
        CHECK(sweep.failures <= 1);
        wdfdma_machine_state ended = *wdfdma_machine_get_state(sweep.machine);
        ended.step = expected.step;
        ended.breaks = expected.breaks;
        if (sweep.failures == 1 && memcmp(&ended, &expected, sizeof ended) != 0) {
            printf("    the sequence ended elsewhere\n");
            harness.failures++;
        }
        if (harness.failures != 0) {
            printf("    with allocation %" PRIu64 "\n", n);
        }
    }
    printf("    %" PRIu64 " allocations\n", n - 2);
    CHECK(n > 100 && n < SWEEP_MOST);
    wdfdma_snapshot_destroy(fresh);
}

/* The setting of the machine does the same, from its first allocation on. */
TEST(the_setting_fails_one_too) {
    for (uint64_t n = 1; n < 40; n++) {
        wdfdma_machine_config config = world_config(8);
        WDFDEVICE device = NULL;
        config.fail_allocation = n;
        sweep.failures = 0;
        sweep.machine = harness_machine(&config);
        TRY(wdfdma_device_create(sweep.machine, NULL, &device));
        CHECK_EQUAL(sweep.failures, n == 1);
        for (int i = 0; i < 40; i++) {
            mdl_make(0, 100, NULL, 0);
        }
        CHECK_EQUAL(sweep.failures, 1);
        harness_machine_end(sweep.machine);
    }
}

/* A program: its machine is made of nothing but what the program needs. */
TEST(programs_run_out_of_memory) {
    static const uint8_t program[] = {'W',
                                      'D',
                                      'P',
                                      1,
                                      8,
                                      8,
                                      36,
                                      2,
                                      2,
                                      WdfDmaProfilePacket,
                                      0x80,
                                      0x40,
                                      3,
                                      0,
                                      0,
                                      0,
                                      WdfDmaProfileScatterGather,
                                      0x80,
                                      0x40,
                                      3,
                                      0,
                                      0,
                                      0,
                                      1,
                                      2,
                                      0,
                                      0x80,
                                      0x20,
                                      77,
                                      0,
                                      0x80,
                                      0x20,
                                      99,
                                      WDFDMA_OP_CREATE,
                                      0,
                                      0,
                                      WDFDMA_OP_CREATE,
                                      1,
                                      1,
                                      WDFDMA_OP_INITIALIZE,
                                      0,
                                      0,
                                      0,
                                      100,
                                      1,
                                      WDFDMA_OP_INITIALIZE,
                                      1,
                                      0,
                                      0,
                                      100,
                                      1,
                                      WDFDMA_OP_ON,
                                      0,
                                      0,
                                      1,
                                      2,
                                      WDFDMA_OP_GET_BYTES_TRANSFERRED,
                                      0,
                                      WDFDMA_OP_EXECUTE,
                                      0,
                                      WDFDMA_OP_DMA_COMPLETED,
                                      0,
                                      WDFDMA_OP_DELETE,
                                      0};
    wdfdma_program_result result = {0};
    wdfdma_machine *machine = harness_machine(NULL);
    wdfdma_snapshot *fresh = world_snapshot(machine);
    REQUIRE(wdfdma_program_run(machine, program, sizeof program, UINT64_MAX, &result));
    wdfdma_machine_state expected = *wdfdma_machine_get_state(machine);
    uint64_t refused = 0, n = 0;
    bool same = false;
    while (!same && n++ < 200) {
        CHECK_STATUS(wdfdma_machine_restore(machine, fresh), STATUS_SUCCESS);
        CHECK_STATUS(wdfdma_machine_fail_allocation(machine, n), STATUS_SUCCESS);
        bool ran = wdfdma_program_run(machine, program, sizeof program, UINT64_MAX, &result);
        CHECK_MACHINE(machine);
        /* A refusal inside the set-up is the program's; one of a step is the step's own status. */
        CHECK(ran || result.rule == WDFDMA_PROGRAM_NO_MEMORY ||
              result.rule == WDFDMA_PROGRAM_NOT_CREATED ||
              result.rule == WDFDMA_PROGRAM_ENABLER_REFUSED);
        refused += !ran;
        CHECK_STATUS(wdfdma_machine_fail_allocation(machine, 0), STATUS_SUCCESS);
        same = ran && memcmp(wdfdma_machine_get_state(machine), &expected, sizeof expected) == 0;
    }
    CHECK(same && refused > 10);
    wdfdma_snapshot_destroy(fresh);
}

HARNESS_MAIN(ENTRY(every_allocation_fails_once), ENTRY(the_setting_fails_one_too),
             ENTRY(programs_run_out_of_memory))
