/* What an enabler, its common buffers and its requests are made with, at the ends of what is allowed; and
 * machines that cannot be made. */
#include "world.h"

static const WDF_DMA_DIRECTION READ = WdfDmaDirectionReadFromDevice;
static const WDF_DMA_DIRECTION WRITE = WdfDmaDirectionWriteToDevice;

static uint64_t breaks_of(const wdfdma_machine *machine) {
    return wdfdma_machine_get_state(machine)->breaks;
}

/* The widest address and the highest version of each kind of profile. */
TEST(widths_and_versions_have_an_end) {
    static const struct {
        WDF_DMA_PROFILE profile;
        ULONG width;
        ULONG version;
        ULONG flags;
        bool fits;
    } rows[] = {
        {WdfDmaProfilePacket, 0, 0, 0, true},
        {WdfDmaProfilePacket, 0, 2, 0, true},
        {WdfDmaProfilePacket, 0, 3, 0, true},
        {WdfDmaProfilePacket, 0, 1, 0, false},
        {WdfDmaProfilePacket, 0, 4, 0, false},
        {WdfDmaProfilePacket, 32, 0, 0, true},
        {WdfDmaProfilePacket, 32, 2, 0, false},
        {WdfDmaProfilePacket, 33, 0, 0, false},
        {WdfDmaProfilePacket64, 33, 0, 0, true},
        {WdfDmaProfilePacket64, 64, 0, 0, true},
        {WdfDmaProfilePacket64, 65, 0, 0, false},
        {WdfDmaProfileScatterGather64Duplex, 64, 3, 0, true},
        {WdfDmaProfileScatterGather64Duplex, 65, 3, 0, false},
        {WdfDmaProfileSystem, 0, 0, 0, true},
        {WdfDmaProfileSystem, 0, 2, 0, false},
        {WdfDmaProfileSystem, 24, 3, 0, false},
        {WdfDmaProfilePacket, 0, 2, WDF_DMA_ENABLER_CONFIG_REQUIRE_SINGLE_TRANSFER, false},
        {WdfDmaProfilePacket, 0, 3, WDF_DMA_ENABLER_CONFIG_REQUIRE_SINGLE_TRANSFER, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        WDFDEVICE device = world_device(harness_machine(NULL));
        WDF_DMA_ENABLER_CONFIG config;
        WDFDMAENABLER made = NULL;
        wdfdma_enabler_info info;
        WDF_DMA_ENABLER_CONFIG_INIT(&config, rows[i].profile, WORLD_PAGE);
        config.AddressWidthOverride = rows[i].width;
        config.WdmDmaVersionOverride = rows[i].version;
        config.Flags = rows[i].flags;
        CHECK_STATUS(WdfDmaEnablerCreate(device, &config, NULL, &made),
                     rows[i].fits ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER);
        CHECK_EQUAL(breaks_of(wdfdma_machine_current()), !rows[i].fits);
        if (CHECK((made != NULL) == rows[i].fits) && made != NULL) {
            CHECK_STATUS(wdfdma_enabler_get_info(made, READ, &info), STATUS_SUCCESS);
            uint32_t needed = rows[i].width != 0 || rows[i].profile == WdfDmaProfileSystem ? 3 : 2;
            CHECK_EQUAL(info.version, rows[i].version != 0 ? rows[i].version : needed);
            CHECK(rows[i].width == 0 || info.address_width == rows[i].width);
        }
        harness_machine_end(wdfdma_object_get_machine(device));
    }
}

/* Its device may be named as its parent, nothing else. */
TEST(an_enabler_lies_below_its_device) {
    world of = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket});
    void *parents[] = {NULL, of.device, world_device(of.machine), of.enabler};
    for (int i = 0; i < 4; i++) {
        WDF_DMA_ENABLER_CONFIG config;
        WDF_OBJECT_ATTRIBUTES attributes;
        WDFDMAENABLER made = NULL;
        WDF_DMA_ENABLER_CONFIG_INIT(&config, WdfDmaProfilePacket, WORLD_PAGE);
        WDF_OBJECT_ATTRIBUTES_INIT(&attributes);
        attributes.ParentObject = parents[i];
        CHECK_STATUS(WdfDmaEnablerCreate(of.device, &config, &attributes, &made),
                     i < 2 ? STATUS_SUCCESS : STATUS_WDF_PARENT_ASSIGNMENT_NOT_ALLOWED);
        CHECK((made != NULL) == (i < 2));
    }
}

/* Deleted, but for a reference: it has no adapter any more, and is otherwise what it was. */
TEST(a_deleted_enabler_has_no_adapter) {
    static const WDF_DMA_PROFILE profiles[] = {WdfDmaProfileScatterGather,
                                               WdfDmaProfileScatterGatherDuplex};
    for (int duplex = 0; duplex < 2; duplex++) {
        world of = world_open(NULL, (world_profile){.profile = profiles[duplex], .version = 3});
        wdfdma_enabler_info before;
        wdfdma_enabler_info after;
        CHECK_STATUS(wdfdma_enabler_get_info(of.enabler, READ, &before), STATUS_SUCCESS);
        CHECK(before.configured);
        CHECK((wdfdma_enabler_get_adapter(of.enabler, READ) ==
               wdfdma_enabler_get_adapter(of.enabler, WRITE)) == (duplex == 0));
        WdfObjectReference(of.enabler);
        WdfObjectDelete(of.enabler);
        CHECK_EQUAL(wdfdma_machine_get_state(of.machine)->objects[WDFDMA_OBJECT_ADAPTER], 0);
        for (int direction = 0; direction < 2; direction++) {
            CHECK(wdfdma_enabler_get_adapter(of.enabler, (WDF_DMA_DIRECTION)direction) == NULL);
            CHECK_STATUS(wdfdma_enabler_get_info(of.enabler, (WDF_DMA_DIRECTION)direction, &after),
                         STATUS_SUCCESS);
            CHECK(!after.configured);
            CHECK_EQUAL(after.version, before.version);
            CHECK_EQUAL(after.profile, before.profile);
            CHECK_EQUAL(after.address_width, before.address_width);
            CHECK_EQUAL(after.maximum_length, before.maximum_length);
        }
        WdfObjectDereference(of.enabler);
    }
}

/* Only a system profile has a channel to configure, each of its directions once, and with all that it needs. */
TEST(a_channel_is_configured_once) {
    CM_PARTIAL_RESOURCE_DESCRIPTOR descriptor = {.Type = CmResourceTypeDma};
    PHYSICAL_ADDRESS port = {.QuadPart = 0x3F8};
    static const struct {
        WDF_DMA_PROFILE profile;
        int way; /* 1: no config, 2: no descriptor, 3: another size, 4: a bad direction */
        NTSTATUS status;
        int breaks;
    } rows[] = {
        {WdfDmaProfilePacket, 0, STATUS_INVALID_DEVICE_REQUEST, 1},
        {WdfDmaProfileSystemDuplex, 1, STATUS_INVALID_PARAMETER, 1},
        {WdfDmaProfileSystemDuplex, 2, STATUS_INVALID_PARAMETER, 1},
        {WdfDmaProfileSystemDuplex, 3, STATUS_INFO_LENGTH_MISMATCH, 1},
        {WdfDmaProfileSystemDuplex, 4, STATUS_INVALID_PARAMETER, 0},
        {WdfDmaProfileSystemDuplex, 5, STATUS_INVALID_PARAMETER, 1},
        {WdfDmaProfileSystemDuplex, 0, STATUS_SUCCESS, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        WDFDEVICE device = world_device(harness_machine(NULL));
        WDF_DMA_ENABLER_CONFIG config;
        WDF_DMA_SYSTEM_PROFILE_CONFIG channel;
        WDFDMAENABLER made = NULL;
        int way = rows[i].way;
        WDF_DMA_ENABLER_CONFIG_INIT(&config, rows[i].profile, WORLD_PAGE);
        CHECK_STATUS(WdfDmaEnablerCreate(device, &config, NULL, &made), STATUS_SUCCESS);
        WDF_DMA_SYSTEM_PROFILE_CONFIG_INIT(&channel, port, Width8Bits,
                                           way == 2 ? NULL : &descriptor);
        channel.Size -= way == 3;
        if (way == 5) {
            CHECK_STATUS(WdfDmaEnablerConfigureSystemProfile(made, &channel, WRITE),
                         STATUS_SUCCESS);
        }
        CHECK_STATUS(WdfDmaEnablerConfigureSystemProfile(made, way == 1 ? NULL : &channel,
                                                         way == 4 ? (WDF_DMA_DIRECTION)2 : WRITE),
                     rows[i].status);
        CHECK_EQUAL(breaks_of(wdfdma_object_get_machine(device)), rows[i].breaks);
    }
}

static uint32_t buffers_held(WDFDMAENABLER enabler, WDF_DMA_DIRECTION direction) {
    wdfdma_adapter_info info = {0};
    WDFOBJECT adapter = wdfdma_enabler_get_adapter(enabler, direction);
    return adapter != NULL && NT_SUCCESS(wdfdma_adapter_get_info(adapter, &info))
               ? info.common_buffers_held
               : 0;
}

/* A common buffer is of the adapter that reads, or of the only one that there is. */
TEST(a_common_buffer_has_an_adapter) {
    for (int configured = 0; configured < 4; configured++) { /* bits: read, write */
        WDFDEVICE device = world_device(harness_machine(NULL));
        WDF_DMA_ENABLER_CONFIG config;
        WDFDMAENABLER made = NULL;
        WDFCOMMONBUFFER buffer = NULL;
        WDF_DMA_ENABLER_CONFIG_INIT(&config, WdfDmaProfileSystemDuplex, WORLD_PAGE);
        CHECK_STATUS(WdfDmaEnablerCreate(device, &config, NULL, &made), STATUS_SUCCESS);
        for (int direction = 0; direction < 2; direction++) {
            if ((configured >> direction & 1) != 0) {
                CHECK_STATUS(world_configure(made, (WDF_DMA_DIRECTION)direction), STATUS_SUCCESS);
            }
        }
        CHECK_STATUS(WdfCommonBufferCreate(made, 100, NULL, &buffer),
                     configured == 0 ? STATUS_INSUFFICIENT_RESOURCES : STATUS_SUCCESS);
        CHECK_EQUAL(buffers_held(made, (WDF_DMA_DIRECTION)0), (configured & 1) != 0);
        CHECK_EQUAL(buffers_held(made, (WDF_DMA_DIRECTION)1), configured == 2);
        if (buffer != NULL) {
            WdfObjectDelete(buffer);
        }
        CHECK_EQUAL(buffers_held(made, (WDF_DMA_DIRECTION)0), 0);
        CHECK_EQUAL(buffers_held(made, (WDF_DMA_DIRECTION)1), 0);
    }
}

/* A mask from a page on moves the start; one below it costs nothing, not even a byte. */
TEST(a_common_buffer_is_as_long_as_its_mask_asks) {
    static const struct {
        ULONG mask;
        uint32_t pages; /* that it takes, of a page's length */
    } rows[] = {{0, 1}, {1, 1}, {4095, 1}, {4096, 2}, {8191, 3}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        world of = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket});
        WDF_COMMON_BUFFER_CONFIG config;
        uint64_t end = 0;
        WDF_COMMON_BUFFER_CONFIG_INIT(&config, rows[i].mask);
        for (int turn = 0; turn < 4; turn++) {
            WDFCOMMONBUFFER buffer = NULL;
            WDFCOMMONBUFFER next = NULL;
            CHECK_STATUS(
                WdfCommonBufferCreateWithConfig(of.enabler, WORLD_PAGE, &config, NULL, &buffer),
                STATUS_SUCCESS);
            CHECK_STATUS(WdfCommonBufferCreate(of.enabler, WORLD_PAGE, NULL, &next),
                         STATUS_SUCCESS);
            uint64_t address = (uint64_t)WdfCommonBufferGetAlignedLogicalAddress(buffer).QuadPart;
            uint64_t after = (uint64_t)WdfCommonBufferGetAlignedLogicalAddress(next).QuadPart;
            CHECK_EQUAL(address & rows[i].mask & ~4095u, 0);
            CHECK_EQUAL(address % WORLD_PAGE, 0);
            CHECK(turn == 0 || after - end == (rows[i].pages + 1) * (uint64_t)WORLD_PAGE);
            end = after;
        }
    }
}

/* The scatter-gather profiles have their device's alignment, where a buffer has none of its own. */
TEST(a_device_has_an_alignment) {
    world of = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket});
    WDFDMAENABLER gathers =
        world_enabler(of.device, &(world_profile){.profile = WdfDmaProfileScatterGather});
    CHECK_EQUAL(WdfDeviceGetAlignmentRequirement(of.device), 0);
    WdfDeviceSetAlignmentRequirement(of.device, 0x3FFF);
    CHECK_EQUAL(WdfDeviceGetAlignmentRequirement(of.device), 0x3FFF);
    int odd = 0;
    for (int i = 0; i < 8; i++) {
        WDFCOMMONBUFFER aligned = NULL;
        WDFCOMMONBUFFER any = NULL;
        CHECK_STATUS(WdfCommonBufferCreate(gathers, 100, NULL, &aligned), STATUS_SUCCESS);
        CHECK_STATUS(WdfCommonBufferCreate(of.enabler, 100, NULL, &any), STATUS_SUCCESS);
        CHECK_EQUAL(WdfCommonBufferGetAlignedLogicalAddress(aligned).QuadPart & 0x3FFF, 0);
        odd += (WdfCommonBufferGetAlignedLogicalAddress(any).QuadPart & 0x3FFF) != 0;
    }
    CHECK(odd != 0);
}

/* What a request says of itself, and which buffer it hands out. */
TEST(a_request_hands_out_its_buffers) {
    world of = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket});
    PMDL mdl = world_mdl(of.machine, 0, WORLD_PAGE, NULL);
    static const struct {
        WDF_REQUEST_TYPE type;
        ULONG code;
        uint64_t input;
        uint64_t output;
        NTSTATUS expected[2]; /* of the input and of the output */
    } rows[] = {
        {WdfRequestTypeRead, 0, 0, 100, {STATUS_INVALID_DEVICE_REQUEST, STATUS_SUCCESS}},
        {WdfRequestTypeRead,
         METHOD_NEITHER,
         0,
         100,
         {STATUS_INVALID_DEVICE_REQUEST, STATUS_SUCCESS}},
        {WdfRequestTypeRead, 0, 100, 0, {STATUS_INVALID_DEVICE_REQUEST, STATUS_BUFFER_TOO_SMALL}},
        {WdfRequestTypeWrite,
         METHOD_NEITHER,
         100,
         0,
         {STATUS_SUCCESS, STATUS_INVALID_DEVICE_REQUEST}},
        {WdfRequestTypeWrite, 0, 0, 100, {STATUS_BUFFER_TOO_SMALL, STATUS_INVALID_DEVICE_REQUEST}},
        {WdfRequestTypeDeviceControl,
         METHOD_BUFFERED,
         100,
         0,
         {STATUS_SUCCESS, STATUS_BUFFER_TOO_SMALL}},
        {WdfRequestTypeDeviceControl,
         METHOD_BUFFERED,
         0,
         100,
         {STATUS_BUFFER_TOO_SMALL, STATUS_SUCCESS}},
        {WdfRequestTypeDeviceControl,
         METHOD_NEITHER,
         100,
         100,
         {STATUS_INVALID_DEVICE_REQUEST, STATUS_INVALID_DEVICE_REQUEST}},
        {WdfRequestTypeDeviceControlInternal,
         METHOD_NEITHER,
         100,
         100,
         {STATUS_INVALID_DEVICE_REQUEST, STATUS_INVALID_DEVICE_REQUEST}},
        {WdfRequestTypeDeviceControlInternal,
         METHOD_OUT_DIRECT,
         100,
         100,
         {STATUS_SUCCESS, STATUS_SUCCESS}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const wdfdma_request_config config = {.type = rows[i].type,
                                              .io_control_code = rows[i].code,
                                              .input = mdl,
                                              .output = mdl,
                                              .input_length = rows[i].input,
                                              .output_length = rows[i].output,
                                              .device_offset = 0x123456789A};
        WDFREQUEST request = NULL;
        PMDL found[2] = {NULL, NULL};
        WDF_REQUEST_PARAMETERS says;
        CHECK_STATUS(wdfdma_request_create(of.device, &config, &request), STATUS_SUCCESS);
        CHECK_STATUS(WdfRequestRetrieveInputWdmMdl(request, &found[0]), rows[i].expected[0]);
        CHECK_STATUS(WdfRequestRetrieveOutputWdmMdl(request, &found[1]), rows[i].expected[1]);
        for (int k = 0; k < 2; k++) {
            CHECK(found[k] == (NT_SUCCESS(rows[i].expected[k]) ? mdl : NULL));
        }
        WdfRequestGetParameters(request, &says);
        if (rows[i].type == WdfRequestTypeRead) {
            CHECK_EQUAL(says.Parameters.Read.Length, rows[i].output);
            CHECK_EQUAL(says.Parameters.Read.DeviceOffset, config.device_offset);
        } else if (rows[i].type == WdfRequestTypeWrite) {
            CHECK_EQUAL(says.Parameters.Write.Length, rows[i].input);
            CHECK_EQUAL(says.Parameters.Write.DeviceOffset, config.device_offset);
        } else {
            CHECK_EQUAL(says.Parameters.DeviceIoControl.InputBufferLength, rows[i].input);
            CHECK_EQUAL(says.Parameters.DeviceIoControl.OutputBufferLength, rows[i].output);
            CHECK_EQUAL(says.Parameters.DeviceIoControl.IoControlCode, rows[i].code);
        }
    }
}

/* A control's buffer for each method and direction: which MDL, how many bytes; or why none. */
TEST(a_control_has_a_buffer_by_its_method) {
    static const struct {
        ULONG method;
        WDF_DMA_DIRECTION direction;
        bool has_input;
        bool has_output;
        uint64_t length; /* 0: refused */
    } rows[] = {
        {METHOD_BUFFERED, WdfDmaDirectionWriteToDevice, true, false, 200},
        {METHOD_BUFFERED, WdfDmaDirectionWriteToDevice, true, true, 200},
        {METHOD_BUFFERED, WdfDmaDirectionWriteToDevice, false, true, 0},
        {METHOD_BUFFERED, WdfDmaDirectionReadFromDevice, false, true, 300},
        {METHOD_BUFFERED, WdfDmaDirectionReadFromDevice, true, true, 300},
        {METHOD_BUFFERED, WdfDmaDirectionReadFromDevice, true, false, 0},
        {METHOD_IN_DIRECT, WdfDmaDirectionWriteToDevice, false, true, 300},
        {METHOD_IN_DIRECT, WdfDmaDirectionReadFromDevice, true, true, 0},
        {METHOD_OUT_DIRECT, WdfDmaDirectionReadFromDevice, false, true, 300},
        {METHOD_OUT_DIRECT, WdfDmaDirectionWriteToDevice, true, true, 0},
        {METHOD_NEITHER, WdfDmaDirectionReadFromDevice, true, true, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        world of = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket});
        const wdfdma_request_config config = {
            .type = WdfRequestTypeDeviceControl,
            .io_control_code = rows[i].method,
            .input = rows[i].has_input ? world_mdl(of.machine, 0, 200, NULL) : NULL,
            .output = rows[i].has_output ? world_mdl(of.machine, 0, 300, NULL) : NULL,
            .input_length = 200,
            .output_length = 300};
        WDFREQUEST request = NULL;
        WDFDMATRANSACTION item = world_transaction(of.enabler);
        CHECK_STATUS(wdfdma_request_create(of.device, &config, &request), STATUS_SUCCESS);
        CHECK_STATUS(WdfDmaTransactionInitializeUsingRequest(item, request, world_program_dma,
                                                             rows[i].direction),
                     rows[i].length == 0 ? STATUS_INVALID_DEVICE_REQUEST : STATUS_SUCCESS);
        CHECK_EQUAL(world_info(item).length, rows[i].length);
        CHECK_EQUAL(breaks_of(of.machine), rows[i].method == METHOD_NEITHER);
    }
}

/* Wrong settings, and what comes of the right ones. */
TEST(machines_that_cannot_be_made) {
    wdfdma_machine *machine = NULL;
    wdfdma_machine_config config = world_config(8);
    WDFDEVICE device = NULL;
    CHECK_STATUS(wdfdma_machine_create(NULL, NULL), STATUS_INVALID_PARAMETER);
    config.maximum_depth = 0;
    CHECK_STATUS(wdfdma_machine_create(&config, &machine), STATUS_INVALID_PARAMETER);
    config = world_config(8);
    config.fail_allocation = 7;
    config.seed = 99;
    machine = harness_machine(&config);
    CHECK_EQUAL(wdfdma_machine_get_fail_allocation(machine), 7);
    uint64_t drawn = wdfdma_machine_random(machine);
    CHECK(drawn != wdfdma_machine_random(harness_machine(NULL)));
    CHECK_EQUAL(drawn, wdfdma_machine_random(harness_machine(&config)));
    CHECK_STATUS(wdfdma_device_create(NULL, NULL, &device), STATUS_INVALID_PARAMETER);
    CHECK_STATUS(wdfdma_device_create(machine, NULL, NULL), STATUS_INVALID_PARAMETER);
    CHECK_STATUS(wdfdma_machine_destroy(NULL), STATUS_SUCCESS);
    wdfdma_machine_halt(machine, 1, 0);
    CHECK_STATUS(wdfdma_device_create(machine, NULL, &device), STATUS_UNSUCCESSFUL);
    CHECK(device == NULL);
}

/* More machines than there is address space: the last is refused, and leaves nothing behind; nor do those
 * whose log finds no room. */
TEST(address_space_comes_to_an_end) {
    enum {
        MACHINES = 512
    };
    static wdfdma_machine *made[MACHINES];
    wdfdma_machine_config config = world_config(8);
    NTSTATUS status = STATUS_SUCCESS;
    int count = 0;
    config.reserve_bytes = (uint64_t)1 << 40;
    while (count < MACHINES && NT_SUCCESS(status)) {
        made[count] = NULL;
        status = wdfdma_machine_create(&config, &made[count]);
        REQUIRE((made[count] != NULL) == NT_SUCCESS(status));
        count += NT_SUCCESS(status);
    }
    if (count == MACHINES) {
        SKIP("there is address space for all of them");
    }
    CHECK_STATUS(status, STATUS_INSUFFICIENT_RESOURCES);
    for (int i = 0; i < count; i++) {
        CHECK_STATUS(wdfdma_machine_destroy(made[i]), STATUS_SUCCESS);
    }
    config.log_records = (uint64_t)1 << 60;
    for (int i = 0; count != 0 && i < MACHINES; i++) {
        CHECK_STATUS(wdfdma_machine_create(&config, &made[0]), STATUS_INSUFFICIENT_RESOURCES);
    }
    config.log_records = 0;
    if (count != 0) {
        harness_machine(&config);
    }
}

HARNESS_MAIN(ENTRY(address_space_comes_to_an_end), ENTRY(widths_and_versions_have_an_end),
             ENTRY(an_enabler_lies_below_its_device), ENTRY(a_deleted_enabler_has_no_adapter),
             ENTRY(a_channel_is_configured_once), ENTRY(a_common_buffer_has_an_adapter),
             ENTRY(a_common_buffer_is_as_long_as_its_mask_asks), ENTRY(a_device_has_an_alignment),
             ENTRY(a_request_hands_out_its_buffers), ENTRY(a_control_has_a_buffer_by_its_method),
             ENTRY(machines_that_cannot_be_made))
