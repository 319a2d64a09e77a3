/* What the journal says of calls that have no handle of the framework's: each is a mark, to the byte. */
#include "world.h"

static const char PATH[] = "test_journal_marks.wdj";

/* Checks that the file's last bytes are [expected], and that there were [before] of all before. */
static void check_appended(const wdfdma_machine *machine, uint64_t before, const uint8_t *expected,
                           size_t count) {
    static uint8_t bytes[1 << 16];
    FILE *file = fopen(PATH, "rb");
    size_t read = file == NULL ? 0 : fread(bytes, 1, sizeof bytes, file);
    if (file != NULL) {
        fclose(file);
    }
    CHECK_EQUAL(wdfdma_journal_get_bytes(machine, NULL), before + count);
    REQUIRE(before + count <= read);
    CHECK_BYTES(bytes + before, expected, count);
}

TEST(power_is_written) {
    world made = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket});
    REQUIRE(NT_SUCCESS(wdfdma_journal_begin(made.machine, PATH, 0)));
    const uint8_t entered[] = {WDFDMA_OP_ENTER_D0, 2, 0, 0};
    const uint8_t left[] = {WDFDMA_OP_LEAVE_D0, 2, 0, 0};
    uint64_t before = wdfdma_journal_get_bytes(made.machine, NULL);
    CHECK_STATUS(wdfdma_device_enter_d0(made.device, WdfPowerDeviceD3), STATUS_SUCCESS);
    check_appended(made.machine, before, entered, sizeof entered);
    CHECK_STATUS(wdfdma_device_leave_d0(made.device, WdfPowerDeviceD3), STATUS_SUCCESS);
    check_appended(made.machine, before + sizeof entered, left, sizeof left);
    wdfdma_journal_end(made.machine);
    remove(PATH);
}

/* The values of the entry that begins at byte [at]. */
static size_t entry_read(uint64_t at, uint64_t *values, size_t most) {
    static uint8_t bytes[1 << 16];
    FILE *file = fopen(PATH, "rb");
    size_t read = file == NULL ? 0 : fread(bytes, 1, sizeof bytes, file);
    if (file != NULL) {
        fclose(file);
    }
    size_t count = at + 2 < read ? bytes[at + 1] : 0;
    at += 2;
    for (size_t i = 0; i < count && i < most; i++) {
        values[i] = 0;
        for (int shift = 0; shift < 64; shift += 7) {
            values[i] |= (uint64_t)(bytes[at] & 127) << shift;
            if (bytes[at++] < 128) {
                break;
            }
        }
    }
    return count;
}

/* What is no MDL is not looked into, and is written without an offset. */
TEST(a_forged_buffer_is_written) {
    world made = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket});
    WDFDMATRANSACTION transaction = world_transaction(made.enabler);
    MDL forged = *world_mdl(made.machine, 0, WORLD_PAGE, NULL);
    uint64_t values[8] = {0};
    REQUIRE(NT_SUCCESS(wdfdma_journal_begin(made.machine, PATH, 0)));
    uint64_t before = wdfdma_journal_get_bytes(made.machine, NULL);
    CHECK_STATUS(WdfDmaTransactionInitialize(transaction, world_program_dma,
                                             WdfDmaDirectionWriteToDevice, &forged,
                                             MmGetMdlVirtualAddress(&forged), 100),
                 STATUS_UNSUCCESSFUL);
    CHECK_EQUAL(entry_read(before, values, 8), 5);
    CHECK_EQUAL(values[0], wdfdma_machine_localize(made.machine, (uintptr_t)transaction));
    CHECK_EQUAL(values[1], 0);
    CHECK_EQUAL(values[2], 100);
    CHECK_EQUAL(values[3], WdfDmaDirectionWriteToDevice);
    CHECK_EQUAL(values[4], 1);
    wdfdma_journal_end(made.machine);
    remove(PATH);
}

/* Each MDL of a chain is written with its place, before the call that has them. */
TEST(a_chain_is_written_in_order) {
    world made = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket});
    WDFDMATRANSACTION transaction = world_transaction(made.enabler);
    PMDL first = world_mdl(made.machine, 0, WORLD_PAGE, NULL);
    first->Next = world_mdl(made.machine, 0, 100, NULL);
    uint64_t values[8] = {0};
    REQUIRE(NT_SUCCESS(wdfdma_journal_begin(made.machine, PATH, 0)));
    uint64_t at = wdfdma_journal_get_bytes(made.machine, NULL);
    CHECK_STATUS(world_initialize(transaction, WdfDmaDirectionReadFromDevice, first, 0, WORLD_PAGE),
                 STATUS_SUCCESS);
    for (uint64_t place = 0; place < 2; place++) {
        CHECK_EQUAL(entry_read(at, values, 8), 5);
        CHECK_EQUAL(values[0], place);
        CHECK_EQUAL(values[3], place == 0 ? WORLD_PAGE : 100);
        at += 2;
        for (int i = 0; i < 5; i++) {
            uint64_t left = values[i];
            do {
                at++;
                left >>= 7;
            } while (left != 0);
        }
    }
    CHECK_EQUAL(entry_read(at, values, 8), 5);
    CHECK_EQUAL(values[2], WORLD_PAGE);
    wdfdma_journal_end(made.machine);
    remove(PATH);
}

/* A WDM driver's calls, and a call on no adapter: that one was made, and no more. */
TEST(an_adapters_calls_are_written) {
    world made = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket, .version = 3});
    const uint8_t called[] = {WDFDMA_JOURNAL_OTHER, 2, WDFDMA_OP_ADAPTER_CALL, 0};
    PDMA_ADAPTER by = WdfDmaEnablerWdmGetDmaAdapter(made.enabler, WdfDmaDirectionReadFromDevice);
    DEVICE_DESCRIPTION description = {.Version = DEVICE_DESCRIPTION_VERSION3,
                                      .Master = TRUE,
                                      .MaximumLength = WORLD_PAGE,
                                      .DmaAddressWidth = 32};
    ULONG registers;
    REQUIRE(NT_SUCCESS(wdfdma_journal_begin(made.machine, PATH, 0)));
    uint64_t before = wdfdma_journal_get_bytes(made.machine, NULL);
    CHECK_EQUAL(by->DmaOperations->GetDmaAlignment(by), 1);
    check_appended(made.machine, before, called, sizeof called);
    CHECK(IoGetDmaAdapter(NULL, &description, &registers) != NULL);
    check_appended(made.machine, before + sizeof called, called, sizeof called);
    CHECK_EQUAL(by->DmaOperations->GetDmaAlignment(NULL), 0);
    check_appended(made.machine, before + 2 * sizeof called, called, sizeof called);
    wdfdma_journal_end(made.machine);
    remove(PATH);
}

HARNESS_MAIN(ENTRY(power_is_written), ENTRY(an_adapters_calls_are_written),
             ENTRY(a_forged_buffer_is_written), ENTRY(a_chain_is_written_in_order))
