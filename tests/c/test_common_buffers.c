/* Common buffers: driver and device see the same bytes, aligned, within reach, for as long as they
 * live. */
#include "world.h"

static WDFCOMMONBUFFER buffer_make(WDFDMAENABLER enabler, size_t length) {
    WDFCOMMONBUFFER buffer = NULL;
    CHECK_STATUS(WdfCommonBufferCreate(enabler, length, WDF_NO_OBJECT_ATTRIBUTES, &buffer),
                 STATUS_SUCCESS);
    return buffer;
}

static uint64_t buffer_address(WDFCOMMONBUFFER buffer) {
    return (uint64_t)WdfCommonBufferGetAlignedLogicalAddress(buffer).QuadPart;
}

TEST(driver_and_device_see_the_same) {
    static const WDF_DMA_PROFILE profiles[] = {
        WdfDmaProfilePacket, WdfDmaProfileScatterGather64Duplex, WdfDmaProfileSystem};
    for (int i = 0; i < 3; i++) {
        world made = world_open(NULL, (world_profile){.profile = profiles[i]});
        WDFCOMMONBUFFER buffer = buffer_make(made.enabler, 10000);
        uint8_t *bytes = WdfCommonBufferGetAlignedVirtualAddress(buffer);
        static uint8_t back[10000];
        REQUIRE(bytes != NULL);
        CHECK_EQUAL(WdfCommonBufferGetLength(buffer), 10000);
        CHECK(bytes[0] == 0 && bytes[9999] == 0);
        world_fill(bytes, 10000, 8);
        CHECK_STATUS(wdfdma_device_read(made.machine, buffer_address(buffer), back, 10000),
                     STATUS_SUCCESS);
        CHECK_BYTES(back, bytes, 10000);
        back[0] = 0xDC;
        CHECK_STATUS(wdfdma_device_write(made.machine, buffer_address(buffer) + 9999, back, 1),
                     STATUS_SUCCESS);
        CHECK_EQUAL(bytes[9999], 0xDC);
        CHECK_EQUAL(wdfdma_machine_get_state(made.machine)->mappings, 1);
        CHECK_EQUAL(world_free_registers(made.machine), 64);
        WdfObjectDelete(buffer);
        CHECK_EQUAL(wdfdma_machine_get_state(made.machine)->mappings, 0);
    }
}

TEST(a_deleted_buffer_is_closed) {
    world made = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket});
    WDFCOMMONBUFFER buffer = buffer_make(made.enabler, 100);
    uint64_t address = buffer_address(buffer);
    uint8_t byte = 0;
    CHECK_STATUS(wdfdma_device_read(made.machine, address, &byte, 1), STATUS_SUCCESS);
    WdfObjectDelete(buffer);
    CHECK_STATUS(wdfdma_device_read(made.machine, address, &byte, 1), STATUS_UNSUCCESSFUL);
    CHECK_BUGCHECK(made.machine, WDFDMA_BUGCHECK_DRIVER_VERIFIER_DMA_VIOLATION);
}

TEST(a_buffer_goes_with_its_enabler) {
    world made = world_open(NULL, (world_profile){.profile = WdfDmaProfileScatterGather});
    for (int i = 0; i < 10; i++) {
        buffer_make(made.enabler, 5000);
    }
    CHECK_EQUAL(wdfdma_machine_get_state(made.machine)->objects[WDFDMA_OBJECT_COMMON_BUFFER], 10);
    WdfObjectDelete(made.enabler);
    CHECK_EQUAL(wdfdma_machine_get_state(made.machine)->objects[WDFDMA_OBJECT_COMMON_BUFFER], 0);
    CHECK_EQUAL(wdfdma_machine_get_state(made.machine)->mappings, 0);
    CHECK(wdfdma_machine_get_bugcheck(made.machine) == NULL);
}

static NTSTATUS aligned_try(WDFDMAENABLER enabler, size_t length, ULONG mask,
                            WDFCOMMONBUFFER *out) {
    WDF_COMMON_BUFFER_CONFIG config;
    WDF_COMMON_BUFFER_CONFIG_INIT(&config, mask);
    return WdfCommonBufferCreateWithConfig(enabler, length, &config, WDF_NO_OBJECT_ATTRIBUTES, out);
}

TEST(buffers_are_aligned) {
    world made = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket});
    for (uint32_t bits = 0; bits <= 20; bits++) {
        WDFCOMMONBUFFER buffer = NULL;
        ULONG mask = (1u << bits) - 1;
        buffer_make(made.enabler, 4096); /* so that the next one is not aligned by chance */
        CHECK_STATUS(aligned_try(made.enabler, 3000, mask, &buffer), STATUS_SUCCESS);
        CHECK_EQUAL(buffer_address(buffer) & mask, 0);
        CHECK_EQUAL(WdfCommonBufferGetLength(buffer), 3000);
        uint8_t *bytes = WdfCommonBufferGetAlignedVirtualAddress(buffer);
        uint8_t back = 0;
        bytes[2999] = 0x42;
        CHECK_STATUS(wdfdma_device_read(made.machine, buffer_address(buffer) + 2999, &back, 1),
                     STATUS_SUCCESS);
        CHECK_EQUAL(back, 0x42);
    }
}

/* Masks that are none, and lengths that nothing holds: an answer, never a crash. */
TEST(odd_masks_and_lengths) {
    world made = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket64});
    static const ULONG masks[] = {0xABCDE, 0xFFFFFFFF, 0x80000000, 0x1001};
    static const size_t lengths[] = {1,           (size_t)1 << 32, (size_t)1 << 40, (size_t)1 << 52,
                                     SIZE_MAX,    SIZE_MAX / 2,    SIZE_MAX - 4095, SIZE_MAX / 4,
                                     SIZE_MAX / 8};
    for (size_t i = 0; i < sizeof masks / sizeof masks[0]; i++) {
        for (size_t j = 0; j < sizeof lengths / sizeof lengths[0]; j++) {
            WDFCOMMONBUFFER buffer = NULL;
            NTSTATUS status = aligned_try(made.enabler, lengths[j], masks[i], &buffer);
            CHECK(status == STATUS_INSUFFICIENT_RESOURCES || status == STATUS_SUCCESS);
            CHECK(lengths[j] < (size_t)1 << 33 || status == STATUS_INSUFFICIENT_RESOURCES);
            if (NT_SUCCESS(status)) {
                WdfObjectDelete(buffer);
            }
        }
    }
    CHECK_MACHINE(made.machine);
}

/* The cost of a refusal does not grow with what is asked for. */
TEST(a_wide_address_and_a_huge_length) {
    wdfdma_machine_config config = world_config(64);
    config.physical_address_bits = 52;
    world made = world_open(&config, (world_profile){.profile = WdfDmaProfilePacket64});
    WDFCOMMONBUFFER buffer = NULL;
    for (int bits = 34; bits < 52; bits++) {
        CHECK_STATUS(WdfCommonBufferCreate(made.enabler, (size_t)1 << bits, NULL, &buffer),
                     STATUS_INSUFFICIENT_RESOURCES);
    }
}

/* 4 GiB and a little: every byte of it is the device's, if it is given at all. */
TEST(a_buffer_beyond_4_gib) {
    wdfdma_machine_config config = world_config(64);
    config.reserve_bytes = UINT64_C(16) << 30;
    world made = world_open(&config, (world_profile){.profile = WdfDmaProfilePacket64});
    WDFCOMMONBUFFER buffer = NULL;
    size_t length = ((size_t)1 << 32) + 100;
    uint8_t byte = 0;
    if (WdfCommonBufferCreate(made.enabler, length, NULL, &buffer) != STATUS_SUCCESS) {
        SKIP("such a buffer is refused here");
    }
    CHECK_STATUS(wdfdma_device_read(made.machine, buffer_address(buffer) + length - 1, &byte, 1),
                 STATUS_SUCCESS);
    CHECK_STATUS(wdfdma_device_read(made.machine, buffer_address(buffer) + 5000, &byte, 1),
                 STATUS_SUCCESS);
}

TEST(a_scatter_gather_enabler_aligns_as_its_device) {
    world made = world_open(NULL, (world_profile){.profile = WdfDmaProfileScatterGather});
    WdfDeviceSetAlignmentRequirement(made.device, 0xFFFF);
    CHECK_EQUAL(WdfDeviceGetAlignmentRequirement(made.device), 0xFFFF);
    for (int i = 0; i < 3; i++) {
        CHECK_EQUAL(buffer_address(buffer_make(made.enabler, 1)) & 0xFFFF, 0);
    }
    WDFDMAENABLER packet =
        world_enabler(made.device, &(world_profile){.profile = WdfDmaProfilePacket});
    uint64_t misaligned = 0;
    for (int i = 0; i < 3; i++) {
        misaligned |= buffer_address(buffer_make(packet, 1)) & 0xFFFF;
    }
    CHECK(misaligned != 0);
}

TEST(arguments_are_checked_in_order) {
    world made = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket});
    const wdfdma_machine_state *state = wdfdma_machine_get_state(made.machine);
    WDF_COMMON_BUFFER_CONFIG config;
    WDF_OBJECT_ATTRIBUTES attributes;
    WDFCOMMONBUFFER buffer = NULL;
    WDF_COMMON_BUFFER_CONFIG_INIT(&config, 0);
    config.Size++;
    WDF_OBJECT_ATTRIBUTES_INIT(&attributes);
    attributes.ParentObject = made.enabler;
    CHECK_STATUS(wdfdma_machine_set_irql(made.machine, DISPATCH_LEVEL), STATUS_SUCCESS);
    CHECK_STATUS(WdfCommonBufferCreateWithConfig(made.enabler, 0, &config, &attributes, &buffer),
                 STATUS_INFO_LENGTH_MISMATCH);
    CHECK_EQUAL(state->breaks, 0);
    config.Size--;
    CHECK_STATUS(WdfCommonBufferCreateWithConfig(made.enabler, 0, &config, &attributes, &buffer),
                 STATUS_INVALID_DEVICE_REQUEST);
    CHECK_EQUAL(state->breaks, 1);
    CHECK_STATUS(wdfdma_machine_set_irql(made.machine, PASSIVE_LEVEL), STATUS_SUCCESS);
    CHECK_STATUS(WdfCommonBufferCreateWithConfig(made.enabler, 0, &config, &attributes, &buffer),
                 STATUS_INVALID_PARAMETER);
    CHECK_STATUS(WdfCommonBufferCreateWithConfig(made.enabler, 1, &config, &attributes, &buffer),
                 STATUS_WDF_PARENT_ASSIGNMENT_NOT_ALLOWED);
    CHECK(buffer == NULL);
    CHECK_EQUAL(state->breaks, 1);
    CHECK_STATUS(WdfCommonBufferCreate(made.enabler, 1, NULL, NULL), STATUS_UNSUCCESSFUL);
    CHECK_EQUAL(world_parameter(made.machine, 0), WDFDMA_WDF_REQUIRED_PARAMETER_IS_NULL);
}

/* A narrow adapter gets what it can reach, until there is none. */
TEST(buffers_are_within_reach) {
    wdfdma_machine *machine = harness_machine(NULL);
    WDFDEVICE device = world_device(machine);
    WDF_DMA_ENABLER_CONFIG config;
    WDFDMAENABLER enabler = NULL;
    WDF_DMA_ENABLER_CONFIG_INIT(&config, WdfDmaProfilePacket, 65536);
    config.AddressWidthOverride = 22; /* 1024 pages */
    CHECK_STATUS(WdfDmaEnablerCreate(device, &config, NULL, &enabler), STATUS_SUCCESS);
    size_t pages = 0;
    WDFCOMMONBUFFER buffer = NULL;
    while (WdfCommonBufferCreate(enabler, 8 * WORLD_PAGE, NULL, &buffer) == STATUS_SUCCESS) {
        CHECK(buffer_address(buffer) + 8 * WORLD_PAGE <= 1u << 22);
        pages += 8;
        REQUIRE(pages <= 1024);
    }
    CHECK(pages >= 900);
    CHECK_STATUS(WdfCommonBufferCreate(enabler, 1u << 22, NULL, &buffer),
                 STATUS_INSUFFICIENT_RESOURCES);
    CHECK_MACHINE(machine);
}

HARNESS_MAIN(ENTRY(driver_and_device_see_the_same), ENTRY(a_deleted_buffer_is_closed),
             ENTRY(a_buffer_goes_with_its_enabler), ENTRY(buffers_are_aligned),
             ENTRY(odd_masks_and_lengths), ENTRY(a_wide_address_and_a_huge_length),
             ENTRY(a_buffer_beyond_4_gib), ENTRY(a_scatter_gather_enabler_aligns_as_its_device),
             ENTRY(arguments_are_checked_in_order), ENTRY(buffers_are_within_reach))
