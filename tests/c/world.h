/* What the C tests share beyond the harness: a machine with a device and an enabler, MDLs, a
 * driver that only remembers what it was told, and a generator of numbers that is the same
 * everywhere. */
#ifndef WDFDMA_TESTS_WORLD_H
#define WDFDMA_TESTS_WORLD_H

#include "harness.h"

enum {
    WORLD_PAGE = 4096,
    WORLD_ELEMENTS = 16
};

static const uint64_t WORLD_REGISTERS_ADDRESS = 0x100000;

typedef struct world {
    wdfdma_machine *machine;
    WDFDEVICE device;
    WDFDMAENABLER enabler;
} world;

/* The enabler of a world; all else is left at its default. */
typedef struct world_profile {
    WDF_DMA_PROFILE profile;
    size_t maximum_length; /* bytes; 0: 64 KiB */
    ULONG version;         /* 0: what the profile needs */
    ULONG flags;           /* WDF_DMA_ENABLER_CONFIG_FLAGS */
} world_profile;

/* What a transaction's callbacks saw; handed to Execute or AllocateResources as their context. */
typedef struct world_seen {
    uint32_t programmed; /* calls of EvtProgramDma */
    uint32_t reserved;   /* calls of EvtReserveDma */
    uint32_t elements;
    SCATTER_GATHER_ELEMENT list[WORLD_ELEMENTS]; /* of the last call */
    WDF_DMA_DIRECTION direction;
} world_seen;

static inline uint64_t world_random(uint64_t *state) {
    uint64_t mixed = (*state += 0x9E3779B97F4A7C15u);
    mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9u;
    mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBu;
    return mixed ^ (mixed >> 31);
}

/* A number below [bound]. */
static inline uint32_t world_random_below(uint64_t *state, uint64_t bound) {
    return (uint32_t)(world_random(state) % bound);
}

static inline BOOLEAN world_program_dma(WDFDMATRANSACTION transaction, WDFDEVICE device,
                                        WDFCONTEXT context, WDF_DMA_DIRECTION direction,
                                        PSCATTER_GATHER_LIST list) {
    (void)transaction;
    (void)device;
    world_seen *seen = context;
    if (seen != NULL) {
        seen->programmed++;
        seen->direction = direction;
        seen->elements = list->NumberOfElements;
        for (ULONG i = 0; i < list->NumberOfElements && i < WORLD_ELEMENTS; i++) {
            seen->list[i] = list->Elements[i];
        }
    }
    return TRUE;
}

static inline void world_reserve_dma(WDFDMATRANSACTION transaction, PVOID context) {
    (void)transaction;
    world_seen *seen = context;
    if (seen != NULL) {
        seen->reserved++;
    }
}

/* A driver's answer to being asked to configure its channel: [context], or TRUE where that is NULL. */
static inline BOOLEAN world_configure_channel(WDFDMATRANSACTION transaction, WDFDEVICE device,
                                              PVOID context, PMDL mdl, size_t offset,
                                              size_t length) {
    (void)transaction;
    (void)device;
    (void)mdl;
    (void)offset;
    (void)length;
    const BOOLEAN *answer = context;
    return answer == NULL || *answer;
}

static inline void world_on_end(WDFDMATRANSACTION transaction, WDFDEVICE device, WDFCONTEXT context,
                                WDF_DMA_DIRECTION direction, DMA_COMPLETION_STATUS status) {
    (void)transaction;
    (void)device;
    (void)context;
    (void)direction;
    (void)status;
}

static inline WDFDEVICE world_device(wdfdma_machine *machine) {
    WDFDEVICE device = NULL;
    CHECK_STATUS(wdfdma_device_create(machine, WDF_NO_OBJECT_ATTRIBUTES, &device), STATUS_SUCCESS);
    return device;
}

static inline NTSTATUS world_configure(WDFDMAENABLER enabler, WDF_DMA_DIRECTION direction) {
    CM_PARTIAL_RESOURCE_DESCRIPTOR descriptor = {.Type = CmResourceTypeDma};
    WDF_DMA_SYSTEM_PROFILE_CONFIG config;
    PHYSICAL_ADDRESS port = {.QuadPart = 0x3F8};
    WDF_DMA_SYSTEM_PROFILE_CONFIG_INIT(&config, port, Width8Bits, &descriptor);
    return WdfDmaEnablerConfigureSystemProfile(enabler, &config, direction);
}

static inline bool world_profile_is_system(WDF_DMA_PROFILE profile) {
    return profile == WdfDmaProfileSystem || profile == WdfDmaProfileSystemDuplex;
}

static inline NTSTATUS world_enabler_try(WDFDEVICE device, const world_profile *profile,
                                         WDFDMAENABLER *out) {
    WDF_DMA_ENABLER_CONFIG config;
    size_t length = profile->maximum_length == 0 ? 65536 : profile->maximum_length;
    WDF_DMA_ENABLER_CONFIG_INIT(&config, profile->profile, length);
    config.WdmDmaVersionOverride = profile->version;
    config.Flags = profile->flags;
    NTSTATUS status = WdfDmaEnablerCreate(device, &config, WDF_NO_OBJECT_ATTRIBUTES, out);
    if (NT_SUCCESS(status) && world_profile_is_system(profile->profile)) {
        status = world_configure(*out, WdfDmaDirectionReadFromDevice);
        if (NT_SUCCESS(status) && profile->profile == WdfDmaProfileSystemDuplex) {
            status = world_configure(*out, WdfDmaDirectionWriteToDevice);
        }
    }
    return status;
}

static inline WDFDMAENABLER world_enabler(WDFDEVICE device, const world_profile *profile) {
    WDFDMAENABLER enabler = NULL;
    CHECK_STATUS(world_enabler_try(device, profile, &enabler), STATUS_SUCCESS);
    return enabler;
}

/* [config] NULL: the defaults. */
static inline world world_open(const wdfdma_machine_config *config, world_profile profile) {
    world made = {.machine = harness_machine(config)};
    made.device = world_device(made.machine);
    made.enabler = world_enabler(made.device, &profile);
    return made;
}

static inline wdfdma_machine_config world_config(uint32_t map_registers) {
    wdfdma_machine_config config;
    wdfdma_machine_config_init(&config);
    config.map_registers = map_registers;
    return config;
}

static inline WDFDMATRANSACTION world_transaction(WDFDMAENABLER enabler) {
    WDFDMATRANSACTION transaction = NULL;
    CHECK_STATUS(WdfDmaTransactionCreate(enabler, WDF_NO_OBJECT_ATTRIBUTES, &transaction),
                 STATUS_SUCCESS);
    return transaction;
}

/* An MDL over [pfns], or over pages of the machine's choice where that is NULL. */
static inline PMDL world_mdl(wdfdma_machine *machine, uint32_t byte_offset, uint32_t byte_count,
                             const uint64_t *pfns) {
    size_t pages = ((size_t)byte_offset + byte_count + WORLD_PAGE - 1) / WORLD_PAGE;
    const wdfdma_mdl_config config = {byte_offset, byte_count, pfns, pfns == NULL ? 0 : pages};
    PMDL mdl = NULL;
    CHECK_STATUS(wdfdma_mdl_create(machine, &config, &mdl), STATUS_SUCCESS);
    return mdl;
}

/* A request to read all [length] bytes of [mdl]. */
static inline WDFREQUEST world_read_request(WDFDEVICE device, PMDL mdl, size_t length) {
    const wdfdma_request_config config = {
        .type = WdfRequestTypeRead, .output = mdl, .output_length = length};
    WDFREQUEST request = NULL;
    CHECK_STATUS(wdfdma_request_create(device, &config, &request), STATUS_SUCCESS);
    return request;
}

/* A buffered control request whose two buffers are the first [length] bytes of [mdl]. */
static inline WDFREQUEST world_control_request(WDFDEVICE device, PMDL mdl, size_t length) {
    const wdfdma_request_config config = {.type = WdfRequestTypeDeviceControl,
                                          .io_control_code = METHOD_BUFFERED,
                                          .input = mdl,
                                          .output = mdl,
                                          .input_length = length,
                                          .output_length = length};
    WDFREQUEST request = NULL;
    CHECK_STATUS(wdfdma_request_create(device, &config, &request), STATUS_SUCCESS);
    return request;
}

static inline NTSTATUS world_initialize(WDFDMATRANSACTION transaction, WDF_DMA_DIRECTION direction,
                                        PMDL mdl, size_t offset, size_t length) {
    return WdfDmaTransactionInitializeUsingOffset(transaction, world_program_dma, direction, mdl,
                                                  offset, length);
}

static inline wdfdma_transaction_info world_info(WDFDMATRANSACTION transaction) {
    wdfdma_transaction_info info = {0};
    CHECK_STATUS(wdfdma_transaction_get_info(transaction, &info), STATUS_SUCCESS);
    return info;
}

static inline uint32_t world_state(WDFDMATRANSACTION transaction) {
    return world_info(transaction).state;
}

static inline uint32_t world_free_registers(const wdfdma_machine *machine) {
    return wdfdma_machine_get_state(machine)->free_registers;
}

/* The rule with which [machine] halted. */
static inline uint32_t world_rule(const wdfdma_machine *machine) {
    const wdfdma_bugcheck *bugcheck = wdfdma_machine_get_bugcheck(machine);
    return bugcheck == NULL ? WDFDMA_RULE_NONE : bugcheck->rule;
}

static inline uint64_t world_parameter(const wdfdma_machine *machine, int index) {
    const wdfdma_bugcheck *bugcheck = wdfdma_machine_get_bugcheck(machine);
    return bugcheck == NULL ? 0 : bugcheck->parameters[index];
}

/* Bytes that tell their place. */
static inline void world_fill(uint8_t *bytes, size_t count, uint32_t seed) {
    for (size_t i = 0; i < count; i++) {
        bytes[i] = (uint8_t)((i * 31 + i / 251 + seed) & 0xFF);
    }
}

static inline wdfdma_snapshot *world_snapshot(wdfdma_machine *machine) {
    wdfdma_snapshot *snapshot = NULL;
    CHECK_STATUS(wdfdma_snapshot_create(machine, &snapshot), STATUS_SUCCESS);
    return snapshot;
}

#endif
