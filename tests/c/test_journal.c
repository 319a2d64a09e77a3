/* The journal: a call is in the file before it runs, whatever comes of it. */
#include "world.h"

static const char PATH[] = "test_journal.wdj";

static void path_remove(void) {
    remove(PATH);
}

static uint64_t bytes_get(const wdfdma_machine *machine) {
    return wdfdma_journal_get_bytes(machine, NULL);
}

/* How many entries of [kind] the file has. */
static size_t entries_count(uint32_t kind) {
    static uint8_t bytes[1 << 16];
    FILE *file = fopen(PATH, "rb");
    size_t read = file == NULL ? 0 : fread(bytes, 1, sizeof bytes, file);
    if (file != NULL) {
        fclose(file);
    }
    uint64_t end = 16;
    for (int i = 0; i < 8 && read > 16; i++) {
        end += (uint64_t)bytes[8 + i] << (8 * i);
    }
    size_t found = 0;
    for (uint64_t at = 16; at < end && at < read;) {
        found += bytes[at++] == kind;
        for (uint64_t values = bytes[at++]; values > 0; values--) {
            while (bytes[at++] > 127) {
            }
        }
    }
    return found;
}

typedef struct driver {
    wdfdma_machine *machine;
    size_t executes; /* entries of it, as EvtProgramDma found them */
    uint64_t bytes;
} driver;

static BOOLEAN on_program_dma(WDFDMATRANSACTION transaction, WDFDEVICE device, WDFCONTEXT context,
                              WDF_DMA_DIRECTION direction, PSCATTER_GATHER_LIST list) {
    driver *of = context;
    (void)transaction;
    (void)device;
    (void)direction;
    (void)list;
    of->executes = entries_count(WDFDMA_OP_EXECUTE);
    of->bytes = bytes_get(of->machine);
    return TRUE;
}

static PMDL buffer_make(wdfdma_machine *machine) {
    const wdfdma_mdl_config config = {.byte_count = WORLD_PAGE};
    PMDL made = NULL;
    CHECK_STATUS(wdfdma_mdl_create(machine, &config, &made), STATUS_SUCCESS);
    return made;
}

static WDFDMATRANSACTION transaction_make(const world *of, PMDL buffer) {
    WDFDMATRANSACTION made = NULL;
    CHECK_STATUS(WdfDmaTransactionCreate(of->enabler, WDF_NO_OBJECT_ATTRIBUTES, &made),
                 STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaTransactionInitializeUsingOffset(
                     made, on_program_dma, WdfDmaDirectionReadFromDevice, buffer, 0, WORLD_PAGE),
                 STATUS_SUCCESS);
    return made;
}

static world world_make(void) {
    world made = {.machine = harness_machine(NULL)};
    made.device = world_device(made.machine);
    WDF_DMA_ENABLER_CONFIG config;
    WDF_DMA_ENABLER_CONFIG_INIT(&config, WdfDmaProfilePacket, WORLD_PAGE);
    CHECK_STATUS(WdfDmaEnablerCreate(made.device, &config, WDF_NO_OBJECT_ATTRIBUTES, &made.enabler),
                 STATUS_SUCCESS);
    return made;
}

TEST(a_call_is_in_the_file_while_it_runs) {
    atexit(path_remove);
    world made = world_make();
    REQUIRE(NT_SUCCESS(wdfdma_journal_begin(made.machine, PATH, 0)));
    WDFDMATRANSACTION transaction = transaction_make(&made, buffer_make(made.machine));
    driver seen = {.machine = made.machine};
    CHECK_STATUS(WdfDmaTransactionExecute(transaction, &seen), STATUS_SUCCESS);
    CHECK_EQUAL(seen.executes, 1);
    CHECK(bytes_get(made.machine) > seen.bytes); /* that it left */
    NTSTATUS status;
    WdfDmaTransactionDmaCompleted(transaction, &status);
    WdfDmaTransactionRelease(transaction);
    wdfdma_journal_end(made.machine);
    CHECK_EQUAL(bytes_get(made.machine), 0);
    CHECK_EQUAL(entries_count(WDFDMA_OP_RELEASE), 1);
    CHECK_EQUAL(entries_count(WDFDMA_JOURNAL_ENTER), 1);
    CHECK_EQUAL(entries_count(WDFDMA_JOURNAL_LEAVE), 1);
    WdfDmaTransactionGetBytesTransferred(transaction);
    CHECK_EQUAL(entries_count(WDFDMA_OP_GET_BYTES_TRANSFERRED), 0);
}

TEST(a_wrong_handle_is_written_and_stops_the_machine) {
    world made = world_make();
    REQUIRE(NT_SUCCESS(wdfdma_journal_begin(made.machine, PATH, 0)));
    WdfDmaTransactionExecute(NULL, NULL);
    CHECK(wdfdma_machine_get_state(made.machine)->halted != 0);
    CHECK_EQUAL(entries_count(WDFDMA_JOURNAL_WRONG), 1);
    CHECK_STATUS(wdfdma_journal_begin(made.machine, PATH, 0), STATUS_UNSUCCESSFUL);
}

TEST(what_does_not_fit_ends_it) {
    world made = world_make();
    REQUIRE(NT_SUCCESS(wdfdma_journal_begin(made.machine, PATH, 4096)));
    WDFDMATRANSACTION transaction = transaction_make(&made, buffer_make(made.machine));
    bool full = false;
    uint64_t bytes = 0;
    for (int i = 0; i < 4096 && !full; i++) {
        WdfDmaTransactionGetBytesTransferred(transaction);
        bytes = wdfdma_journal_get_bytes(made.machine, &full);
    }
    CHECK(full);
    CHECK(bytes <= 4096);
    WdfDmaTransactionSetMaximumLength(transaction, 1);
    CHECK_EQUAL(bytes_get(made.machine), bytes);
    CHECK_EQUAL(entries_count(WDFDMA_OP_SET_MAXIMUM_LENGTH), 0);
}

TEST(a_restore_leaves_it) {
    world made = world_make();
    wdfdma_snapshot *snapshot = NULL;
    REQUIRE(NT_SUCCESS(wdfdma_snapshot_create(made.machine, &snapshot)));
    REQUIRE(NT_SUCCESS(wdfdma_journal_begin(made.machine, PATH, 0)));
    CHECK_STATUS(wdfdma_machine_restore(made.machine, snapshot), STATUS_SUCCESS);
    CHECK_EQUAL(entries_count(WDFDMA_JOURNAL_OTHER), 1);
    transaction_make(&made, buffer_make(made.machine));
    CHECK_EQUAL(entries_count(WDFDMA_OP_CREATE), 1);
    wdfdma_journal_end(made.machine);
    wdfdma_snapshot_destroy(snapshot);
}

TEST(its_errors) {
    wdfdma_machine *machine = harness_machine(NULL);
    CHECK_STATUS(wdfdma_journal_begin(NULL, PATH, 0), STATUS_INVALID_PARAMETER);
    CHECK_STATUS(wdfdma_journal_begin(machine, NULL, 0), STATUS_INVALID_PARAMETER);
    CHECK_STATUS(wdfdma_journal_begin(machine, PATH, 4095), STATUS_INVALID_PARAMETER);
    CHECK_STATUS(wdfdma_journal_begin(machine, "no such folder/journal", 0), STATUS_UNSUCCESSFUL);
    CHECK_EQUAL(bytes_get(machine), 0);
    CHECK_EQUAL(bytes_get(NULL), 0);
    wdfdma_journal_end(machine);
    wdfdma_journal_end(NULL);
}

TEST(faults_are_written) {
    world made = world_make();
    const wdfdma_fault fault = {.kind = WDFDMA_FAULT_GRANT, .nth = 3};
    CHECK_STATUS(wdfdma_machine_add_fault(made.machine, &fault), STATUS_SUCCESS);
    REQUIRE(NT_SUCCESS(wdfdma_journal_begin(made.machine, PATH, 0)));
    CHECK_EQUAL(entries_count(WDFDMA_JOURNAL_FAULT), 1); /* which it found */
    CHECK_STATUS(wdfdma_machine_add_fault(made.machine, &fault), STATUS_SUCCESS);
    CHECK_EQUAL(entries_count(WDFDMA_JOURNAL_FAULT), 2);
    CHECK_EQUAL(entries_count(WDFDMA_JOURNAL_FAULTS_CLEARED), 0);
    CHECK_STATUS(wdfdma_machine_clear_faults(made.machine), STATUS_SUCCESS);
    CHECK_EQUAL(entries_count(WDFDMA_JOURNAL_FAULTS_CLEARED), 1);
    wdfdma_device_destroy(made.device);
    CHECK_EQUAL(entries_count(WDFDMA_OP_REMOVE_DEVICE), 1);
}

HARNESS_MAIN(ENTRY(a_call_is_in_the_file_while_it_runs),
             ENTRY(a_wrong_handle_is_written_and_stops_the_machine),
             ENTRY(what_does_not_fit_ends_it), ENTRY(a_restore_leaves_it), ENTRY(its_errors),
             ENTRY(faults_are_written))
