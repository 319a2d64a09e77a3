/* What the journal says of calls that have no handle of the framework's: each is a mark, to the byte. */
#include "journal_file.h"
#include "world.h"

static const char PATH[] = "test_journal_marks.wdj";

TEST(power_is_written) {
    world made = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket});
    REQUIRE(NT_SUCCESS(wdfdma_journal_begin(made.machine, PATH, 0)));
    const uint8_t entered[] = {WDFDMA_OP_ENTER_D0, 2, 0, 0};
    const uint8_t left[] = {WDFDMA_OP_LEAVE_D0, 2, 0, 0};
    uint64_t before = wdfdma_journal_get_bytes(made.machine, NULL);
    CHECK_STATUS(wdfdma_device_enter_d0(made.device, WdfPowerDeviceD3), STATUS_SUCCESS);
    journal_check_end(made.machine, PATH, before, entered, sizeof entered);
    CHECK_STATUS(wdfdma_device_leave_d0(made.device, WdfPowerDeviceD3), STATUS_SUCCESS);
    journal_check_end(made.machine, PATH, before + sizeof entered, left, sizeof left);
    wdfdma_journal_end(made.machine);
    remove(PATH);
}

/* What is no MDL is not looked into, and is written without an offset. */
TEST(a_forged_buffer_is_written) {
    world made = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket});
    WDFDMATRANSACTION transaction = world_transaction(made.enabler);
    MDL forged = *world_mdl(made.machine, 0, WORLD_PAGE, NULL);
    uint64_t values[8] = {0};
    uint8_t code = 0;
    REQUIRE(NT_SUCCESS(wdfdma_journal_begin(made.machine, PATH, 0)));
    uint64_t before = wdfdma_journal_get_bytes(made.machine, NULL);
    CHECK_STATUS(WdfDmaTransactionInitialize(transaction, world_program_dma,
                                             WdfDmaDirectionWriteToDevice, &forged,
                                             MmGetMdlVirtualAddress(&forged), 100),
                 STATUS_UNSUCCESSFUL);
    CHECK_EQUAL(journal_read_entry(PATH, before, &code, values, 8), 5);
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
    uint8_t code = 0;
    REQUIRE(NT_SUCCESS(wdfdma_journal_begin(made.machine, PATH, 0)));
    uint64_t at = wdfdma_journal_get_bytes(made.machine, NULL);
    CHECK_STATUS(world_initialize(transaction, WdfDmaDirectionReadFromDevice, first, 0, WORLD_PAGE),
                 STATUS_SUCCESS);
    for (uint64_t place = 0; place < 2; place++) {
        CHECK_EQUAL(journal_read_entry(PATH, at, &code, values, 8), 5);
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
    CHECK_EQUAL(journal_read_entry(PATH, at, &code, values, 8), 5);
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
    journal_check_end(made.machine, PATH, before, called, sizeof called);
    CHECK(IoGetDmaAdapter(NULL, &description, &registers) != NULL);
    journal_check_end(made.machine, PATH, before + sizeof called, called, sizeof called);
    CHECK_EQUAL(by->DmaOperations->GetDmaAlignment(NULL), 0);
    journal_check_end(made.machine, PATH, before + 2 * sizeof called, called, sizeof called);
    wdfdma_journal_end(made.machine);
    remove(PATH);
}

HARNESS_MAIN(ENTRY(power_is_written), ENTRY(an_adapters_calls_are_written),
             ENTRY(a_forged_buffer_is_written), ENTRY(a_chain_is_written_in_order))
