/* What the journal has of calls on enablers, requests and objects: every entry of a sequence, with all its
 * values, in order. */
#include "world.h"

static const char PATH[] = "test_journal_entries.wdj";

enum {
    VALUES = 8,
    ENTRIES = 32,
    BYTES = 4096
};

typedef struct entry {
    uint32_t op; /* wdfdma_op or wdfdma_journal_op */
    uint32_t count;
    uint64_t values[VALUES];
} entry;

/* The numbers from byte [at] on, seven bits in each byte, the lowest first. */
static size_t number_read(const uint8_t *bytes, size_t at, uint64_t *number) {
    int shift = 0;
    *number = 0;
    do {
        *number |= (uint64_t)(bytes[at] & 127) << shift;
        shift += 7;
    } while (bytes[at++] >= 128);
    return at;
}

static size_t entries_read(const wdfdma_machine *machine, uint64_t from, entry *out) {
    static uint8_t bytes[BYTES];
    size_t end = (size_t)wdfdma_journal_get_bytes(machine, NULL);
    FILE *file = fopen(PATH, "rb");
    size_t read = file == NULL ? 0 : fread(bytes, 1, sizeof bytes, file);
    if (file != NULL) {
        fclose(file);
    }
    size_t count = 0;
    size_t at = (size_t)from;
    CHECK(end <= read);
    while (end <= read && at < end && count < ENTRIES) {
        entry *made = &out[count++];
        *made = (entry){.op = bytes[at], .count = bytes[at + 1]};
        at += 2;
        for (uint32_t i = 0; i < made->count && CHECK(i < VALUES); i++) {
            at = number_read(bytes, at, &made->values[i]);
        }
    }
    return count;
}

/* Exactly these entries were written since byte [from]. */
static void entries_expect(const wdfdma_machine *machine, uint64_t from, const entry *expected,
                           size_t count) {
    entry found[ENTRIES];
    size_t all = entries_read(machine, from, found);
    CHECK_EQUAL(all, count);
    for (size_t i = 0; i < all && i < count; i++) {
        CHECK_EQUAL(found[i].op, expected[i].op);
        CHECK_EQUAL(found[i].count, expected[i].count);
        for (int k = 0; k < VALUES; k++) {
            CHECK_EQUAL(found[i].values[k], expected[i].values[k]);
        }
    }
}

/* A machine with a journal: the bytes that it has are in [from]. */
static world journal_world(WDF_DMA_PROFILE profile, uint64_t *from) {
    world made = world_open(NULL, (world_profile){.profile = profile, .version = 3});
    remove(PATH);
    CHECK_STATUS(wdfdma_journal_begin(made.machine, PATH, 0), STATUS_SUCCESS);
    *from = wdfdma_journal_get_bytes(made.machine, NULL);
    return made;
}

static void journal_close(const world *of) {
    wdfdma_journal_end(of->machine);
    remove(PATH);
}

static uint64_t local(const world *of, const void *handle) {
    return wdfdma_machine_localize(of->machine, (uint64_t)(uintptr_t)handle);
}

TEST(an_enabler_is_written_with_its_profile) {
    uint64_t from = 0;
    world of = journal_world(WdfDmaProfilePacket, &from);
    WDF_DMA_ENABLER_CONFIG config;
    WDFDMAENABLER made = NULL;
    WDF_DMA_ENABLER_CONFIG_INIT(&config, WdfDmaProfileScatterGather64, 300000);
    config.WdmDmaVersionOverride = 3;
    config.AddressWidthOverride = 40;
    config.Flags = WDF_DMA_ENABLER_CONFIG_REQUIRE_SINGLE_TRANSFER;
    CHECK_STATUS(WdfDmaEnablerCreate(of.device, &config, WDF_NO_OBJECT_ATTRIBUTES, &made),
                 STATUS_SUCCESS);
    WdfDmaEnablerSetMaximumScatterGatherElements(made, 9);
    CHECK(WdfDmaEnablerGetFragmentLength(made, WdfDmaDirectionWriteToDevice) != 0);
    const entry expected[] = {
        {WDFDMA_JOURNAL_ENABLER,
         6,
         {local(&of, of.device), WdfDmaProfileScatterGather64, 300000, 3, 40, config.Flags}},
        {WDFDMA_JOURNAL_MADE, 3, {WDFDMA_OBJECT_ENABLER, 1, local(&of, made)}},
        {WDFDMA_JOURNAL_ELEMENTS, 2, {local(&of, made), 9}},
        {WDFDMA_OP_GET_FRAGMENT_LENGTH, 2, {local(&of, made), WdfDmaDirectionWriteToDevice}}};
    entries_expect(of.machine, from, expected, 4);
    journal_close(&of);
}

TEST(a_channel_is_written_with_its_direction) {
    uint64_t from = 0;
    world of = journal_world(WdfDmaProfileSystem, &from);
    WDF_DMA_ENABLER_CONFIG config;
    WDFDMAENABLER made = NULL;
    WDF_DMA_ENABLER_CONFIG_INIT(&config, WdfDmaProfileSystemDuplex, 4096);
    CHECK_STATUS(WdfDmaEnablerCreate(of.device, &config, WDF_NO_OBJECT_ATTRIBUTES, &made),
                 STATUS_SUCCESS);
    from = wdfdma_journal_get_bytes(of.machine, NULL);
    CHECK_STATUS(world_configure(made, WdfDmaDirectionWriteToDevice), STATUS_SUCCESS);
    const entry expected[] = {
        {WDFDMA_JOURNAL_CHANNEL, 2, {local(&of, made), WdfDmaDirectionWriteToDevice}}};
    entries_expect(of.machine, from, expected, 1);
    journal_close(&of);
}

static WDFREQUEST request_of(const world *of, WDF_REQUEST_TYPE type, PMDL input, PMDL output) {
    const wdfdma_request_config config = {
        .type = type, .input = input, .output = output, .input_length = 200, .output_length = 300};
    WDFREQUEST made = NULL;
    CHECK_STATUS(wdfdma_request_create(of->device, &config, &made), STATUS_SUCCESS);
    return made;
}

/* A read has its output, a write its input, a control neither. */
TEST(a_request_is_written_with_its_buffer) {
    static const WDF_REQUEST_TYPE types[] = {WdfRequestTypeRead, WdfRequestTypeWrite,
                                             WdfRequestTypeDeviceControl};
    for (int i = 0; i < 3; i++) {
        uint64_t from = 0;
        world of = journal_world(WdfDmaProfilePacket, &from);
        PMDL input = world_mdl(of.machine, 0, 200, NULL);
        PMDL output = world_mdl(of.machine, 0, 300, NULL);
        from = wdfdma_journal_get_bytes(of.machine, NULL);
        WDFREQUEST made = request_of(&of, types[i], input, output);
        uint64_t bytes = i == 0 ? 300 : 200;
        uint64_t frame = MmGetMdlPfnArray(i == 0 ? output : input)[0];
        const entry chain = {WDFDMA_JOURNAL_PART, 5, {0, i == 0, 0, bytes, frame}};
        const entry asked = {WDFDMA_OP_REQUEST_CREATE, 3, {local(&of, of.device), types[i], bytes}};
        const entry other = {WDFDMA_JOURNAL_OTHER, 2, {WDFDMA_OP_REQUEST_CREATE, 0}};
        const entry told = {WDFDMA_JOURNAL_MADE, 3, {WDFDMA_OBJECT_REQUEST, 0, local(&of, made)}};
        const entry whole[] = {chain, asked, told};
        const entry short_one[] = {other, told};
        entries_expect(of.machine, from, i < 2 ? whole : short_one, i < 2 ? 3 : 2);
        journal_close(&of);
    }
}

TEST(the_life_of_a_request_is_written) {
    uint64_t from = 0;
    world of = journal_world(WdfDmaProfilePacket, &from);
    PMDL mdl = world_mdl(of.machine, 0, 300, NULL);
    WDFREQUEST first = request_of(&of, WdfRequestTypeRead, NULL, mdl);
    WDFREQUEST second = request_of(&of, WdfRequestTypeRead, NULL, mdl);
    WDFDMATRANSACTION item = world_transaction(of.enabler);
    from = wdfdma_journal_get_bytes(of.machine, NULL);
    CHECK_STATUS(WdfDmaTransactionInitializeUsingRequest(item, first, world_program_dma,
                                                         WdfDmaDirectionReadFromDevice),
                 STATUS_SUCCESS);
    WdfRequestComplete(first, STATUS_CANCELLED);
    WdfRequestCompleteWithInformation(second, STATUS_SUCCESS, 77);
    const entry expected[] = {
        {WDFDMA_OP_INITIALIZE_USING_REQUEST,
         4,
         {local(&of, item), local(&of, first), WdfDmaDirectionReadFromDevice, 1}},
        {WDFDMA_OP_REQUEST_COMPLETE, 3, {local(&of, first), (uint32_t)STATUS_CANCELLED, 0}},
        {WDFDMA_JOURNAL_INFORMATION, 2, {77, 0}},
        {WDFDMA_OP_REQUEST_COMPLETE, 3, {local(&of, second), STATUS_SUCCESS, 1}}};
    entries_expect(of.machine, from, expected, 4);
    journal_close(&of);
}

TEST(references_and_deletions_are_written) {
    uint64_t from = 0;
    world of = journal_world(WdfDmaProfilePacket, &from);
    WDFDMATRANSACTION item = world_transaction(of.enabler);
    from = wdfdma_journal_get_bytes(of.machine, NULL);
    uint64_t handle = local(&of, item);
    WdfObjectReference(item);
    WdfObjectDereference(item);
    WdfObjectDelete(item);
    const entry expected[] = {{WDFDMA_JOURNAL_REFERENCE, 2, {handle, 1}},
                              {WDFDMA_JOURNAL_REFERENCE, 2, {handle, 0}},
                              {WDFDMA_OP_DELETE, 2, {handle, WDFDMA_OBJECT_TRANSACTION}}};
    entries_expect(of.machine, from, expected, 3);
    journal_close(&of);
}

TEST(a_common_buffer_is_another_call) {
    uint64_t from = 0;
    world of = journal_world(WdfDmaProfilePacket, &from);
    WDFCOMMONBUFFER buffer = NULL;
    CHECK_STATUS(WdfCommonBufferCreate(of.enabler, 100, WDF_NO_OBJECT_ATTRIBUTES, &buffer),
                 STATUS_SUCCESS);
    const entry expected[] = {{WDFDMA_JOURNAL_OTHER, 2, {WDFDMA_OP_COMMON_BUFFER_CREATE, 0}}};
    entries_expect(of.machine, from, expected, 1);
    journal_close(&of);
}

/* With the call that it was given to. */
TEST(a_wrong_handle_is_written) {
    uint64_t from = 0;
    world of = journal_world(WdfDmaProfilePacket, &from);
    WdfDmaTransactionExecute((WDFDMATRANSACTION)of.enabler, NULL);
    const entry expected[] = {
        {WDFDMA_JOURNAL_WRONG, 2, {WDFDMA_OP_EXECUTE, local(&of, of.enabler)}}};
    entries_expect(of.machine, from, expected, 1);
    journal_close(&of);
}

TEST(a_device_that_goes_is_written) {
    uint64_t from = 0;
    world of = journal_world(WdfDmaProfilePacket, &from);
    uint64_t device = local(&of, of.device);
    wdfdma_device_destroy(of.device);
    const entry expected[] = {{WDFDMA_OP_REMOVE_DEVICE, 2, {device, 0}}};
    entries_expect(of.machine, from, expected, 1);
    journal_close(&of);
}

HARNESS_MAIN(ENTRY(an_enabler_is_written_with_its_profile),
             ENTRY(a_channel_is_written_with_its_direction),
             ENTRY(a_request_is_written_with_its_buffer), ENTRY(the_life_of_a_request_is_written),
             ENTRY(references_and_deletions_are_written), ENTRY(a_common_buffer_is_another_call),
             ENTRY(a_wrong_handle_is_written), ENTRY(a_device_that_goes_is_written))
