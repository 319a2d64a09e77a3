/* Enablers: which settings are accepted, what version and width come of them, and what an adapter
 * is granted. */
#include "world.h"

static const WDF_DMA_PROFILE profiles[] = {WdfDmaProfilePacket,
                                           WdfDmaProfileScatterGather,
                                           WdfDmaProfilePacket64,
                                           WdfDmaProfileScatterGather64,
                                           WdfDmaProfileScatterGatherDuplex,
                                           WdfDmaProfileScatterGather64Duplex,
                                           WdfDmaProfileSystem,
                                           WdfDmaProfileSystemDuplex};

static bool is_64(WDF_DMA_PROFILE profile) {
    return profile == WdfDmaProfilePacket64 || profile == WdfDmaProfileScatterGather64 ||
           profile == WdfDmaProfileScatterGather64Duplex;
}

static bool is_system(WDF_DMA_PROFILE profile) {
    return world_profile_is_system(profile);
}

static bool is_packet(WDF_DMA_PROFILE profile) {
    return profile == WdfDmaProfilePacket || profile == WdfDmaProfilePacket64;
}

static bool is_duplex(WDF_DMA_PROFILE profile) {
    return profile == WdfDmaProfileScatterGatherDuplex ||
           profile == WdfDmaProfileScatterGather64Duplex || profile == WdfDmaProfileSystemDuplex;
}

/* What the framework's own checks say, in their order; the version is what comes out. */
static NTSTATUS expect(const WDF_DMA_ENABLER_CONFIG *config, ULONG *version, bool *breaks) {
    ULONG width = config->AddressWidthOverride;
    ULONG needed = is_system(config->Profile) || width != 0 ? 3 : 2;
    *breaks = true;
    if (width != 0 && is_system(config->Profile)) {
        return STATUS_INVALID_PARAMETER;
    }
    if (width > 32 && !is_64(config->Profile)) {
        return STATUS_INVALID_PARAMETER;
    }
    if (config->WdmDmaVersionOverride != 0 && config->WdmDmaVersionOverride < needed) {
        return STATUS_INVALID_PARAMETER;
    }
    *version = config->WdmDmaVersionOverride != 0 ? config->WdmDmaVersionOverride : needed;
    if ((config->Flags & WDF_DMA_ENABLER_CONFIG_REQUIRE_SINGLE_TRANSFER) != 0 && *version != 3) {
        return STATUS_INVALID_PARAMETER;
    }
    *breaks = false;
    return STATUS_SUCCESS;
}

static ULONG expect_width(const WDF_DMA_ENABLER_CONFIG *config) {
    if (is_system(config->Profile)) {
        return 64;
    }
    return config->AddressWidthOverride != 0 ? config->AddressWidthOverride
                                             : (is_64(config->Profile) ? 64 : 32);
}

static void check_made(WDFDMAENABLER enabler, WDF_DMA_ENABLER_CONFIG *config, ULONG version) {
    if (is_system(config->Profile)) {
        CHECK_EQUAL(WdfDmaEnablerGetFragmentLength(enabler, WdfDmaDirectionReadFromDevice), 0);
        CHECK_STATUS(world_configure(enabler, WdfDmaDirectionReadFromDevice), STATUS_SUCCESS);
        CHECK_STATUS(world_configure(enabler, WdfDmaDirectionWriteToDevice),
                     is_duplex(config->Profile) ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER);
    }
    wdfdma_enabler_info info[2] = {{0}, {0}};
    for (int direction = 0; direction < 2; direction++) {
        CHECK_STATUS(
            wdfdma_enabler_get_info(enabler, (WDF_DMA_DIRECTION)direction, &info[direction]),
            STATUS_SUCCESS);
        CHECK(info[direction].configured);
        CHECK_EQUAL(info[direction].version, version);
        CHECK_EQUAL(info[direction].address_width, expect_width(config));
        CHECK_EQUAL(info[direction].profile, config->Profile);
        CHECK_EQUAL(info[direction].needs_map_registers, is_packet(config->Profile) ||
                                                             is_system(config->Profile) ||
                                                             expect_width(config) < 36);
        CHECK_EQUAL(info[direction].maximum_length, config->MaximumLength);
        CHECK_EQUAL(WdfDmaEnablerGetFragmentLength(enabler, (WDF_DMA_DIRECTION)direction),
                    info[direction].fragment_length);
    }
    PDMA_ADAPTER in = WdfDmaEnablerWdmGetDmaAdapter(enabler, WdfDmaDirectionReadFromDevice);
    PDMA_ADAPTER out = WdfDmaEnablerWdmGetDmaAdapter(enabler, WdfDmaDirectionWriteToDevice);
    CHECK(in != NULL && out != NULL && (in != out) == is_duplex(config->Profile));
    CHECK(in->DmaOperations->Size > offsetof(DMA_OPERATIONS, CancelMappedTransfer));
}

static void combination_try(world *of, WDF_DMA_ENABLER_CONFIG *config) {
    const wdfdma_machine_state *state = wdfdma_machine_get_state(of->machine);
    uint64_t breaks_before = state->breaks;
    uint64_t enablers_before = state->objects[WDFDMA_OBJECT_ENABLER];
    uint64_t adapters_before = state->objects[WDFDMA_OBJECT_ADAPTER];
    ULONG version = 0;
    bool breaks = false;
    WDFDMAENABLER enabler = NULL;
    NTSTATUS expected = expect(config, &version, &breaks);
    CHECK_STATUS(WdfDmaEnablerCreate(of->device, config, NULL, &enabler), expected);
    CHECK_EQUAL(state->breaks - breaks_before, breaks);
    CHECK_EQUAL(enabler != NULL, NT_SUCCESS(expected));
    if (NT_SUCCESS(expected)) {
        CHECK_EQUAL(WdfDmaEnablerGetMaximumLength(enabler), config->MaximumLength);
        check_made(enabler, config, version);
        WdfObjectDelete(enabler);
    }
    CHECK_EQUAL(state->objects[WDFDMA_OBJECT_ENABLER], enablers_before);
    CHECK_EQUAL(state->objects[WDFDMA_OBJECT_ADAPTER], adapters_before);
}

TEST(the_matrix) {
    static const ULONG widths[] = {0, 12, 20, 24, 31, 32, 33, 36, 40, 63, 64};
    world made = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket});
    for (size_t profile = 0; profile < 8; profile++) {
        for (size_t width = 0; width < sizeof widths / sizeof widths[0]; width++) {
            for (ULONG version = 0; version <= 3; version++) {
                for (ULONG flags = 0; flags <= 3; flags++) {
                    WDF_DMA_ENABLER_CONFIG config;
                    size_t failures = harness.failures;
                    WDF_DMA_ENABLER_CONFIG_INIT(&config, profiles[profile], 0x12345);
                    config.AddressWidthOverride = widths[width];
                    config.WdmDmaVersionOverride = version;
                    config.Flags = flags;
                    combination_try(&made, &config);
                    if (harness.failures != failures) {
                        printf("    profile %d width %u version %u flags %u\n",
                               (int)profiles[profile], (unsigned)widths[width], (unsigned)version,
                               (unsigned)flags);
                    }
                }
            }
        }
    }
}

static NTSTATUS create_with(world *of, WDF_DMA_PROFILE profile, size_t length, ULONG size,
                            uint64_t breaks) {
    WDF_DMA_ENABLER_CONFIG config;
    WDFDMAENABLER enabler = NULL;
    uint64_t before = wdfdma_machine_get_state(of->machine)->breaks;
    WDF_DMA_ENABLER_CONFIG_INIT(&config, profile, length);
    config.Size = size;
    NTSTATUS status = WdfDmaEnablerCreate(of->device, &config, NULL, &enabler);
    CHECK_EQUAL(wdfdma_machine_get_state(of->machine)->breaks - before, breaks);
    CHECK_EQUAL(enabler != NULL, NT_SUCCESS(status));
    return status;
}

TEST(settings_are_checked_in_order) {
    world made = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket});
    const ULONG size = sizeof(WDF_DMA_ENABLER_CONFIG);
    CHECK_STATUS(create_with(&made, WdfDmaProfileInvalid, 0, size - 1, 0),
                 STATUS_INFO_LENGTH_MISMATCH);
    CHECK_STATUS(create_with(&made, WdfDmaProfileInvalid, 1, size, 0), STATUS_INVALID_PARAMETER);
    CHECK_STATUS(create_with(&made, (WDF_DMA_PROFILE)9, 1, size, 0), STATUS_INVALID_PARAMETER);
    CHECK_STATUS(create_with(&made, (WDF_DMA_PROFILE)-1, 1, size, 0), STATUS_INVALID_PARAMETER);
    CHECK_STATUS(create_with(&made, WdfDmaProfilePacket, 0, size, 0), STATUS_INVALID_PARAMETER);
    CHECK_STATUS(wdfdma_machine_set_irql(made.machine, APC_LEVEL), STATUS_SUCCESS);
    CHECK_STATUS(create_with(&made, WdfDmaProfilePacket, 0, 0, 1), STATUS_INVALID_DEVICE_REQUEST);
    WDFDMAENABLER enabler = NULL;
    CHECK_STATUS(WdfDmaEnablerCreate(made.device, NULL, NULL, &enabler),
                 STATUS_INVALID_DEVICE_REQUEST);
    CHECK_STATUS(wdfdma_machine_set_irql(made.machine, PASSIVE_LEVEL), STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaEnablerCreate(made.device, NULL, NULL, &enabler), STATUS_UNSUCCESSFUL);
    CHECK_EQUAL(world_parameter(made.machine, 0), WDFDMA_WDF_REQUIRED_PARAMETER_IS_NULL);
}

TEST(breaks_need_the_verifier) {
    wdfdma_machine_config config = world_config(64);
    config.verifier = false;
    world made = world_open(&config, (world_profile){.profile = WdfDmaProfilePacket});
    CHECK_STATUS(wdfdma_machine_set_irql(made.machine, APC_LEVEL), STATUS_SUCCESS);
    CHECK_STATUS(create_with(&made, WdfDmaProfilePacket, 1, sizeof(WDF_DMA_ENABLER_CONFIG), 0),
                 STATUS_INVALID_DEVICE_REQUEST);
}

/* The registers granted: those that the maximum length takes at the worst alignment, within two
 * bounds. */
TEST(registers_are_granted_by_length) {
    static const struct {
        size_t length;
        uint32_t pool, per_adapter, granted;
        size_t fragment;
    } rows[] = {{1, 64, 64, 2, 1},
                {4096, 64, 64, 2, 4096},
                {4097, 64, 64, 3, 4097},
                {65536, 64, 64, 17, 65536},
                {65536, 8, 64, 8, 7 * 4096},
                {65536, 64, 5, 5, 4 * 4096},
                {1 << 20, 64, 64, 64, 63 * 4096},
                {SIZE_MAX, 64, UINT32_MAX, 64, 63 * 4096},
                {4096, 1, 64, 0, 0},
                {4096, 64, 1, 0, 0},
                {4096, 64, 0, 0, 0}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        wdfdma_machine_config config = world_config(rows[i].pool);
        config.registers_per_adapter = rows[i].per_adapter;
        WDFDEVICE device = world_device(harness_machine(&config));
        WDFDMAENABLER enabler = NULL;
        wdfdma_enabler_info info = {0};
        const world_profile asked = {.profile = WdfDmaProfilePacket,
                                     .maximum_length = rows[i].length};
        CHECK_STATUS(world_enabler_try(device, &asked, &enabler),
                     rows[i].granted == 0 ? STATUS_UNSUCCESSFUL : STATUS_SUCCESS);
        if (enabler != NULL) {
            CHECK_STATUS(wdfdma_enabler_get_info(enabler, WdfDmaDirectionReadFromDevice, &info),
                         STATUS_SUCCESS);
            CHECK_EQUAL(info.map_registers, rows[i].granted);
            CHECK_EQUAL(info.fragment_length, rows[i].fragment);
        }
    }
}

TEST(elements_are_limited) {
    world made = world_open(NULL, (world_profile){.profile = WdfDmaProfileScatterGather});
    CHECK_EQUAL(WdfDmaEnablerGetMaximumScatterGatherElements(made.enabler),
                WDF_DMA_ENABLER_UNLIMITED_FRAGMENTS);
    WdfDmaEnablerSetMaximumScatterGatherElements(made.enabler, 0);
    CHECK_EQUAL(WdfDmaEnablerGetMaximumScatterGatherElements(made.enabler),
                WDF_DMA_ENABLER_UNLIMITED_FRAGMENTS);
    WdfDmaEnablerSetMaximumScatterGatherElements(made.enabler, 2);
    CHECK_EQUAL(WdfDmaEnablerGetMaximumScatterGatherElements(made.enabler), 2);
    PMDL mdl = world_mdl(made.machine, 100, 2 * WORLD_PAGE, NULL);
    WDFDMATRANSACTION transaction = world_transaction(made.enabler);
    CHECK_STATUS(
        world_initialize(transaction, WdfDmaDirectionReadFromDevice, mdl, 0, 2 * WORLD_PAGE),
        STATUS_WDF_TOO_FRAGMENTED);
    CHECK_EQUAL(world_state(transaction), WDFDMA_STATE_RELEASED);
    CHECK_STATUS(world_initialize(transaction, WdfDmaDirectionReadFromDevice, mdl, 0, WORLD_PAGE),
                 STATUS_SUCCESS);
    WdfDmaEnablerSetMaximumScatterGatherElements(made.enabler, 1);
    CHECK_STATUS(WdfDmaTransactionExecute(transaction, NULL), STATUS_WDF_TOO_FRAGMENTED);
}

TEST(a_system_profile_is_configured_once) {
    world made = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket});
    const wdfdma_machine_state *state = wdfdma_machine_get_state(made.machine);
    WDF_DMA_ENABLER_CONFIG enabler_config;
    WDFDMAENABLER enabler = NULL;
    WDF_DMA_ENABLER_CONFIG_INIT(&enabler_config, WdfDmaProfileSystemDuplex, 8192);
    CHECK_STATUS(WdfDmaEnablerCreate(made.device, &enabler_config, NULL, &enabler), STATUS_SUCCESS);
    CM_PARTIAL_RESOURCE_DESCRIPTOR descriptor = {0};
    PHYSICAL_ADDRESS port = {.QuadPart = 0};
    WDF_DMA_SYSTEM_PROFILE_CONFIG config;
    WDF_DMA_SYSTEM_PROFILE_CONFIG_INIT(&config, port, Width8Bits, NULL);
    const WDF_DMA_DIRECTION read = WdfDmaDirectionReadFromDevice;
    CHECK_STATUS(WdfDmaEnablerConfigureSystemProfile(enabler, NULL, read),
                 STATUS_INVALID_PARAMETER);
    CHECK_STATUS(WdfDmaEnablerConfigureSystemProfile(enabler, &config, read),
                 STATUS_INVALID_PARAMETER);
    CHECK_EQUAL(state->breaks, 2);
    config.DmaDescriptor = &descriptor;
    config.Size--;
    CHECK_STATUS(WdfDmaEnablerConfigureSystemProfile(enabler, &config, read),
                 STATUS_INFO_LENGTH_MISMATCH);
    CHECK_EQUAL(state->breaks, 3);
    config.Size++;
    CHECK_STATUS(WdfDmaEnablerConfigureSystemProfile(enabler, &config, (WDF_DMA_DIRECTION)7),
                 STATUS_INVALID_PARAMETER);
    CHECK_EQUAL(state->breaks, 3);
    CHECK_STATUS(WdfDmaEnablerConfigureSystemProfile(enabler, &config, read), STATUS_SUCCESS);
    CHECK_STATUS(WdfDmaEnablerConfigureSystemProfile(enabler, &config, read),
                 STATUS_INVALID_PARAMETER);
    CHECK_EQUAL(state->breaks, 4);
    CHECK_EQUAL(WdfDmaEnablerGetFragmentLength(enabler, WdfDmaDirectionWriteToDevice), 0);
    CHECK_EQUAL(WdfDmaEnablerGetFragmentLength(enabler, (WDF_DMA_DIRECTION)5), 0);
    CHECK(WdfDmaEnablerWdmGetDmaAdapter(enabler, (WDF_DMA_DIRECTION)5) == NULL);
}

TEST(information_is_only_read) {
    world made = world_open(NULL, (world_profile){.profile = WdfDmaProfilePacket});
    wdfdma_enabler_info info;
    CHECK_STATUS(wdfdma_enabler_get_info(made.enabler, WdfDmaDirectionReadFromDevice, NULL),
                 STATUS_INVALID_PARAMETER);
    CHECK_STATUS(wdfdma_enabler_get_info(NULL, WdfDmaDirectionReadFromDevice, &info),
                 STATUS_INVALID_HANDLE);
    CHECK_STATUS(wdfdma_enabler_get_info(made.enabler, (WDF_DMA_DIRECTION)2, &info),
                 STATUS_INVALID_PARAMETER);
    CHECK_STATUS(wdfdma_enabler_get_info((WDFDMAENABLER)(void *)made.device,
                                         WdfDmaDirectionReadFromDevice, &info),
                 STATUS_INVALID_HANDLE);
    WDFDMATRANSACTION transaction = world_transaction(made.enabler);
    CHECK(WdfDmaTransactionGetDevice(transaction) == made.device);
    CHECK_STATUS(WdfDmaTransactionAllocateResources(transaction, WdfDmaDirectionReadFromDevice, 0,
                                                    world_reserve_dma, NULL),
                 STATUS_INVALID_DEVICE_REQUEST); /* version 2 */
    CHECK(wdfdma_machine_get_bugcheck(made.machine) == NULL);
}

HARNESS_MAIN(ENTRY(the_matrix), ENTRY(settings_are_checked_in_order),
             ENTRY(breaks_need_the_verifier), ENTRY(registers_are_granted_by_length),
             ENTRY(elements_are_limited), ENTRY(a_system_profile_is_configured_once),
             ENTRY(information_is_only_read))
