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

HARNESS_MAIN(ENTRY(power_is_written))
