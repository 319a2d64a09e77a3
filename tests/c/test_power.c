/* Power: what enablers are told when their device enters and leaves D0, and what comes of
 * failures. */
#include "power_world.h"

/* The callbacks in the order of their calls: Fill, Enable, selfmanaged io Start, sTop, Disable,
 * fLush; each followed by its enabler's label. */
static char told[64];
static char failing[8]; /* the calls that fail, as they are told, without a label */
static uint32_t failing_label;

static NTSTATUS tell(WDFDMAENABLER enabler, char what) {
    size_t length = strlen(told);
    uint32_t label = wdfdma_object_get_label(enabler);
    if (length + 3 < sizeof told) {
        told[length] = what;
        told[length + 1] = (char)('0' + label);
        told[length + 2] = '\0';
    }
    bool fails = label == failing_label && strchr(failing, what) != NULL;
    return fails ? (NTSTATUS)(STATUS_UNSUCCESSFUL + what) : STATUS_SUCCESS;
}

static WDFDEVICE power_open(int enablers) {
    WDFDEVICE device = world_device(harness_machine(NULL));
    for (int i = 0; i < enablers; i++) {
        power_enabler(device);
    }
    told[0] = '\0';
    failing[0] = '\0';
    failing_label = 0;
    return device;
}

static void check_told(const char *expected) {
    if (strcmp(told, expected) != 0) {
        printf("    told %s, expected %s\n", told, expected);
        harness.failures++;
    }
    told[0] = '\0';
}

static NTSTATUS enter(WDFDEVICE device) {
    return wdfdma_device_enter_d0(device, WdfPowerDeviceD3);
}
static NTSTATUS leave(WDFDEVICE device) {
    return wdfdma_device_leave_d0(device, WdfPowerDeviceD3);
}

TEST(in_and_out) {
    WDFDEVICE device = power_open(1);
    for (int i = 0; i < 3; i++) {
        CHECK_STATUS(enter(device), STATUS_SUCCESS);
        check_told("F0E0S0");
        CHECK_STATUS(leave(device), STATUS_SUCCESS);
        check_told("T0D0L0");
    }
}

TEST(enablers_in_the_order_of_their_making) {
    WDFDEVICE device = power_open(3);
    CHECK_STATUS(enter(device), STATUS_SUCCESS);
    check_told("F0E0S0F1E1S1F2E2S2");
    CHECK_STATUS(leave(device), STATUS_SUCCESS);
    check_told("T0D0L0T1D1L1T2D2L2");
}

/* What fails on the way in, and what is told then, there and back. */
TEST(failures_on_the_way_in) {
    static const struct {
        const char *fails;
        const char *in;
        const char *out;
    } rows[] = {{"F", "F0", "T0"}, {"E", "F0E0", "T0D0"}, {"S", "F0E0S0", "T0D0L0"}};
    for (int i = 0; i < 3; i++) {
        WDFDEVICE device = power_open(1);
        strcpy(failing, rows[i].fails);
        CHECK_STATUS(enter(device), (NTSTATUS)(STATUS_UNSUCCESSFUL + rows[i].fails[0]));
        check_told(rows[i].in);
        CHECK_STATUS(leave(device), STATUS_SUCCESS);
        check_told(rows[i].out);
        failing[0] = '\0';
        CHECK_STATUS(enter(device), STATUS_SUCCESS);
        check_told("F0E0S0");
        CHECK_STATUS(leave(device), STATUS_SUCCESS);
        check_told("T0D0L0");
    }
}

TEST(all_are_told_on_the_way_out) {
    static const char *const rows[] = {"T", "D", "L", "TD", "TL", "DL", "TDL"};
    for (int i = 0; i < 7; i++) {
        WDFDEVICE device = power_open(2);
        CHECK_STATUS(enter(device), STATUS_SUCCESS);
        told[0] = '\0';
        strcpy(failing, rows[i]);
        CHECK_STATUS(leave(device), (NTSTATUS)(STATUS_UNSUCCESSFUL + rows[i][0]));
        check_told("T0D0L0T1D1L1");
    }
}

TEST(a_failure_stops_the_way_in) {
    WDFDEVICE device = power_open(3);
    failing_label = 1;
    strcpy(failing, "E");
    CHECK_STATUS(enter(device), (NTSTATUS)(STATUS_UNSUCCESSFUL + 'E'));
    check_told("F0E0S0F1E1");
}

TEST(missing_callbacks_are_passed_over) {
    WDFDEVICE device = world_device(harness_machine(NULL));
    world_enabler(device, &(world_profile){.profile = WdfDmaProfilePacket});
    CHECK_STATUS(enter(device), STATUS_SUCCESS);
    CHECK_STATUS(leave(device), STATUS_SUCCESS);
    CHECK_STATUS(enter(world_device(wdfdma_object_get_machine(device))), STATUS_SUCCESS);
}

static NTSTATUS on_fill_halt(WDFDMAENABLER enabler) {
    wdfdma_machine_halt(wdfdma_object_get_machine(enabler), 0xE2, 0);
    return STATUS_SUCCESS;
}

TEST(a_halt_ends_the_sequence) {
    wdfdma_machine *machine = harness_machine(NULL);
    WDFDEVICE device = world_device(machine);
    WDF_DMA_ENABLER_CONFIG config;
    WDFDMAENABLER enabler;
    WDF_DMA_ENABLER_CONFIG_INIT(&config, WdfDmaProfilePacket, 4096);
    config.EvtDmaEnablerFill = on_fill_halt;
    config.EvtDmaEnablerEnable = on_enable;
    CHECK_STATUS(WdfDmaEnablerCreate(device, &config, NULL, &enabler), STATUS_SUCCESS);
    told[0] = '\0';
    CHECK_STATUS(enter(device), STATUS_UNSUCCESSFUL);
    check_told("");
    CHECK_STATUS(leave(device), STATUS_UNSUCCESSFUL);
    CHECK_EQUAL(wdfdma_machine_get_state(machine)->depth, 0);
    CHECK_EQUAL(wdfdma_machine_get_state(machine)->op, WDFDMA_OP_NONE);
}

static NTSTATUS on_fill_delete(WDFDMAENABLER enabler) {
    WdfObjectDelete(enabler);
    return STATUS_SUCCESS;
}

/* An enabler that deletes itself on the way in: the way goes on, or the machine halts; nothing is
 * touched that is gone. */
TEST(an_enabler_goes_on_the_way_in) {
    wdfdma_machine *machine = harness_machine(NULL);
    WDFDEVICE device = world_device(machine);
    WDF_DMA_ENABLER_CONFIG config;
    WDFDMAENABLER enabler;
    told[0] = '\0';
    WDF_DMA_ENABLER_CONFIG_INIT(&config, WdfDmaProfilePacket, 4096);
    config.EvtDmaEnablerFill = on_fill_delete;
    config.EvtDmaEnablerEnable = on_enable;
    CHECK_STATUS(WdfDmaEnablerCreate(device, &config, NULL, &enabler), STATUS_SUCCESS);
    config.EvtDmaEnablerFill = on_fill;
    CHECK_STATUS(WdfDmaEnablerCreate(device, &config, NULL, &enabler), STATUS_SUCCESS);
    enter(device);
    CHECK(strstr(told, "E0") == NULL);
    CHECK(strstr(told, "F1E1") != NULL || wdfdma_machine_get_bugcheck(machine) != NULL);
    CHECK_MACHINE(machine);
}

HARNESS_MAIN(ENTRY(in_and_out), ENTRY(enablers_in_the_order_of_their_making),
             ENTRY(failures_on_the_way_in), ENTRY(all_are_told_on_the_way_out),
             ENTRY(a_failure_stops_the_way_in), ENTRY(missing_callbacks_are_passed_over),
             ENTRY(a_halt_ends_the_sequence), ENTRY(an_enabler_goes_on_the_way_in))
