/* Bad handles by the million: stale, forged, swapped, of another machine or type, with NULLs and extreme numbers, also
 * from inside callbacks. Whatever is called, nothing crashes, and the check of the machine holds.
 * The program's argument is the number of calls. */
#include "world.h"

enum { LIVE_COUNT = 12, STALE_COUNT = 8, MDL_COUNT = 5, HANDLE_COUNT = 64, NESTED_DEPTH = 4 };

typedef struct CALL_CONTEXT {
    uint64_t Value;
} CALL_CONTEXT;
WDF_DECLARE_CONTEXT_TYPE_WITH_NAME(CALL_CONTEXT, GetCallContext)

/* Two machines of the same making; the calls go to the first, most of the time. */
typedef struct fuzz {
    wdfdma_machine *machines[2];
    wdfdma_snapshot *snapshots[2];
    WDFDEVICE devices[2];
    WDFDMAENABLER enablers[2][4]; /* packet, scatter-gather, system duplex, version 2 packet */
    uint64_t handles[HANDLE_COUNT]; /* live and stale ones of both machines */
    uint32_t handle_count;
    PMDL mdls[MDL_COUNT];
    MDL forged;
    uint64_t random;
    uint64_t calls;
    uint64_t halts;
    bool mild; /* mostly good handles and legal calls, so that transfers come about */
} fuzz;

static fuzz of;

static uint64_t pick(uint64_t bound) {
    return world_random(&of.random) % bound;
}

static void call_any(void);

/* ---- Arguments ---- */

static void *any_handle(void) {
    uint64_t handle = of.handles[pick(of.handle_count)];
    switch (pick(of.mild ? 1000 : 16)) {
    case 0:
        return NULL;
    case 1:
        return (void *)(uintptr_t)world_random(&of.random);
    case 2:
        handle ^= UINT64_C(1) << pick(64);
        break;
    case 3:
        handle += pick(5) - 2;
        break;
    case 4:
        handle += UINT64_C(1) << 23; /* another generation */
        break;
    case 5:
        handle = (handle << 32) | (handle >> 32);
        break;
    case 6:
        handle = (handle & 0xFFFFFFFF00000000u) | pick(4096);
        break;
    default:
        break;
    }
    return (void *)(uintptr_t)handle;
}

/* A handle of the type wanted, most of the time: so that calls get past the first check. */
static void *handle_of(wdfdma_object_type type) {
    for (int tries = 0; tries < 40 && pick(of.mild ? 500 : 8) != 0; tries++) {
        void *handle = (void *)(uintptr_t)of.handles[pick(of.handle_count)];
        bool own = wdfdma_object_get_machine(handle) == of.machines[0];
        if (wdfdma_object_get_type(handle) == (uint32_t)type && (own || !of.mild)) {
            return handle;
        }
    }
    return any_handle();
}

static WDFDMATRANSACTION transaction(void) {
    return handle_of(WDFDMA_OBJECT_TRANSACTION);
}
static WDFDMAENABLER enabler(void) {
    return handle_of(WDFDMA_OBJECT_ENABLER);
}
static WDFDEVICE device(void) {
    return handle_of(WDFDMA_OBJECT_DEVICE);
}
static WDFREQUEST request(void) {
    return handle_of(WDFDMA_OBJECT_REQUEST);
}
static WDFCOMMONBUFFER buffer(void) {
    return handle_of(WDFDMA_OBJECT_COMMON_BUFFER);
}

static uint64_t number(void) {
    static const uint64_t numbers[] = {0,          1,          2,         4095,       4096,
                                       4097,       8192,       65536,     UINT32_MAX, UINT64_C(1) << 32,
                                       UINT64_MAX, UINT64_MAX / 2, UINT64_MAX - 4095, 100};
    return pick(3) == 0 ? pick(20000) : numbers[pick(sizeof numbers / sizeof numbers[0])];
}

static ULONG small_number(void) {
    return pick(4) == 0 ? (ULONG)number() : (ULONG)pick(12);
}

static WDF_DMA_DIRECTION direction(void) {
    return (WDF_DMA_DIRECTION)(pick(16) == 0 ? (int)pick(5) - 2 : (int)pick(2));
}

static PMDL mdl(void) {
    switch (pick(12)) {
    case 0:
        return NULL;
    case 1:
        return (PMDL)(uintptr_t)world_random(&of.random);
    case 2:
        return &of.forged;
    default:
        return of.mdls[pick(MDL_COUNT)];
    }
}

/* An address inside, at an end of, or far from an MDL's. */
static void *address_in(PMDL chain) {
    bool known = false;
    for (int i = 0; i < MDL_COUNT - 1; i++) {
        known = known || of.mdls[i] == chain;
    }
    uint64_t start = known ? (uint64_t)(uintptr_t)chain->StartVa + chain->ByteOffset : 0;
    return (void *)(uintptr_t)(start + (pick(4) == 0 ? number() : pick(3000)));
}

static BOOLEAN on_program_dma(WDFDMATRANSACTION item, WDFDEVICE owner, WDFCONTEXT context,
                              WDF_DMA_DIRECTION way, PSCATTER_GATHER_LIST list) {
    (void)owner;
    (void)context;
    (void)way;
    (void)list;
    NTSTATUS status;
    if (pick(4) == 0) {
        call_any();
    } else if (pick(4) == 0) {
        WdfDmaTransactionDmaCompleted(item, &status);
    }
    return TRUE;
}

static void on_reserve_dma(WDFDMATRANSACTION item, PVOID context) {
    (void)item;
    (void)context;
    if (pick(4) == 0) {
        call_any();
    }
}

static BOOLEAN on_configure(WDFDMATRANSACTION item, WDFDEVICE owner, PVOID context, PMDL chain,
                            size_t offset, size_t length) {
    (void)item;
    (void)owner;
    (void)context;
    (void)chain;
    (void)offset;
    (void)length;
    if (pick(4) == 0) {
        call_any();
    }
    return pick(4) != 0;
}

static void on_transfer_complete(WDFDMATRANSACTION item, WDFDEVICE owner, WDFCONTEXT context,
                                 WDF_DMA_DIRECTION way, DMA_COMPLETION_STATUS result) {
    (void)item;
    (void)owner;
    (void)context;
    (void)way;
    (void)result;
    if (pick(4) == 0) {
        call_any();
    }
}

static void on_object(WDFOBJECT object) {
    (void)object;
    if (pick(4) == 0) {
        call_any();
    }
}

/* True seldom, and more so in a mild phase: for what ends in a bug check. */
static bool seldom(void) {
    return pick(of.mild ? 500 : 16) == 0;
}

static PFN_WDF_PROGRAM_DMA program_dma(void) {
    return seldom() ? NULL : on_program_dma;
}

static PWDF_OBJECT_ATTRIBUTES attributes(void) {
    static WDF_OBJECT_ATTRIBUTES made;
    if (pick(2) == 0) {
        return NULL;
    }
    WDF_OBJECT_ATTRIBUTES_INIT(&made);
    if (pick(2) == 0) {
        WDF_OBJECT_ATTRIBUTES_SET_CONTEXT_TYPE(&made, CALL_CONTEXT);
    }
    if (pick(4) == 0) {
        made.EvtCleanupCallback = on_object;
        made.EvtDestroyCallback = on_object;
    }
    switch (pick(8)) {
    case 0:
        made.Size = small_number();
        break;
    case 1:
        made.ParentObject = any_handle();
        break;
    case 2:
        made.ContextSizeOverride = UINT64_C(1) << pick(64);
        break;
    default:
        break;
    }
    return &made;
}

/* What a call made is a handle like any other from then on. */
static void keep(const void *handle) {
    if (handle != NULL) {
        of.handles[of.handle_count < HANDLE_COUNT ? of.handle_count++ : pick(HANDLE_COUNT)] =
            (uint64_t)(uintptr_t)handle;
    }
}

/* ---- The calls ---- */

/* What the state of a transaction allows. */
static void transaction_step(void) {
    WDFDMATRANSACTION item = transaction();
    wdfdma_transaction_info info;
    NTSTATUS status;
    if (wdfdma_transaction_get_info(item, &info) != STATUS_SUCCESS) {
        return;
    }
    switch (info.state) {
    case WDFDMA_STATE_CREATED:
    case WDFDMA_STATE_RELEASED:
    case WDFDMA_STATE_RESERVED:
        if (info.state != WDFDMA_STATE_RESERVED && info.reserved == 0 && pick(3) == 0) {
            WdfDmaTransactionAllocateResources(item, direction(), 1 + (ULONG)pick(5), on_reserve_dma, NULL);
        } else if (info.waiting == WDFDMA_WAITING_NOT) {
            WdfDmaTransactionInitializeUsingOffset(item, on_program_dma, direction(), of.mdls[pick(4)], 0,
                                                   1 + (size_t)pick(12000));
        }
        break;
    case WDFDMA_STATE_INITIALIZED:
        WdfDmaTransactionExecute(item, NULL);
        break;
    case WDFDMA_STATE_TRANSFER:
        if (info.waiting != WDFDMA_WAITING_NOT) {
            WdfDmaTransactionCancel(item);
        } else if (pick(2) == 0) {
            wdfdma_enabler_complete_transfer(info.enabler, direction());
        } else {
            WdfDmaTransactionDmaCompletedWithLength(item, (size_t)pick(info.transfer_length + 1), &status);
        }
        break;
    default:
        if (pick(2) == 0 && info.reserved != 0) {
            WdfDmaTransactionFreeResources(item);
        } else {
            WdfDmaTransactionRelease(item);
        }
        break;
    }
}

static void enabler_create(void) {
    WDF_DMA_ENABLER_CONFIG config;
    WDFDMAENABLER made = NULL;
    WDF_DMA_ENABLER_CONFIG_INIT(&config, (WDF_DMA_PROFILE)pick(10), (size_t)number());
    config.Flags = (ULONG)pick(4);
    config.WdmDmaVersionOverride = (ULONG)pick(5);
    config.AddressWidthOverride = pick(4) == 0 ? (ULONG)pick(70) : 0;
    config.Size += pick(16) == 0;
    WdfDmaEnablerCreate(device(), seldom() ? NULL : &config, attributes(), seldom() ? NULL : &made);
    keep(made);
}

static void enabler_configure(void) {
    CM_PARTIAL_RESOURCE_DESCRIPTOR descriptor = {0};
    WDF_DMA_SYSTEM_PROFILE_CONFIG config;
    PHYSICAL_ADDRESS port = {.QuadPart = 0};
    WDF_DMA_SYSTEM_PROFILE_CONFIG_INIT(&config, port, (DMA_WIDTH)pick(6), pick(8) == 0 ? NULL : &descriptor);
    config.Size += pick(16) == 0;
    WdfDmaEnablerConfigureSystemProfile(enabler(), seldom() ? NULL : &config, direction());
}

static void enabler_ask(void) {
    WDFDMAENABLER asked = enabler();
    WdfDmaEnablerGetMaximumLength(asked);
    WdfDmaEnablerGetMaximumScatterGatherElements(asked);
    WdfDmaEnablerGetFragmentLength(asked, direction());
    WdfDmaEnablerWdmGetDmaAdapter(asked, direction());
}
static void enabler_limit(void) {
    WdfDmaEnablerSetMaximumScatterGatherElements(enabler(), (size_t)number());
}
static void enabler_complete(void) {
    wdfdma_enabler_complete_transfer(enabler(), direction());
}

static void transaction_create(void) {
    WDFDMATRANSACTION made = NULL;
    WdfDmaTransactionCreate(enabler(), attributes(), seldom() ? NULL : &made);
    keep(made);
}
static void initialize_offset(void) {
    WdfDmaTransactionInitializeUsingOffset(transaction(), program_dma(), direction(), mdl(),
                                           pick(4) == 0 ? (size_t)number() : 0, (size_t)number());
}
static void initialize_address(void) {
    PMDL chain = mdl();
    WdfDmaTransactionInitialize(transaction(), program_dma(), direction(), chain, address_in(chain),
                                (size_t)number());
}
static void initialize_request(void) {
    WdfDmaTransactionInitializeUsingRequest(transaction(), request(), program_dma(), direction());
}
static void transaction_execute(void) {
    WdfDmaTransactionExecute(transaction(), any_handle());
}
static void transaction_reserve(void) {
    WdfDmaTransactionAllocateResources(transaction(), direction(), small_number(),
                                       seldom() ? NULL : on_reserve_dma, any_handle());
}
static void transaction_free_resources(void) {
    WdfDmaTransactionFreeResources(transaction());
}
static void transaction_release(void) {
    WdfDmaTransactionRelease(transaction());
}
static void transaction_cancel(void) {
    WdfDmaTransactionCancel(transaction());
}
static void transaction_stop(void) {
    WdfDmaTransactionStopSystemTransfer(transaction());
}
static void completed(void) {
    NTSTATUS status;
    WdfDmaTransactionDmaCompleted(transaction(), seldom() ? NULL : &status);
}
static void completed_with_length(void) {
    NTSTATUS status;
    WdfDmaTransactionDmaCompletedWithLength(transaction(), (size_t)number(), seldom() ? NULL : &status);
}
static void completed_final(void) {
    NTSTATUS status;
    WdfDmaTransactionDmaCompletedFinal(transaction(), (size_t)number(), seldom() ? NULL : &status);
}
static void transaction_ask(void) {
    WDFDMATRANSACTION asked = transaction();
    ULONG registers, elements;
    WdfDmaTransactionGetBytesTransferred(asked);
    WdfDmaTransactionGetCurrentDmaTransferLength(asked);
    WdfDmaTransactionGetRequest(asked);
    WdfDmaTransactionGetDevice(asked);
    WdfDmaTransactionWdmGetTransferContext(asked);
    WdfDmaTransactionGetTransferInfo(asked, pick(2) == 0 ? NULL : &registers, pick(2) == 0 ? NULL : &elements);
}
static void transaction_set(void) {
    WDFDMATRANSACTION item = transaction();
    switch (pick(6)) {
    case 0:
        WdfDmaTransactionSetMaximumLength(item, (size_t)number());
        break;
    case 1:
        WdfDmaTransactionSetSingleTransferRequirement(item, (BOOLEAN)pick(256));
        break;
    case 2:
        WdfDmaTransactionSetImmediateExecution(item, (BOOLEAN)pick(256));
        break;
    case 3:
        WdfDmaTransactionSetDeviceAddressOffset(item, (ULONG)number());
        break;
    case 4:
        WdfDmaTransactionSetChannelConfigurationCallback(item, pick(2) == 0 ? NULL : on_configure, NULL);
        break;
    default:
        WdfDmaTransactionSetTransferCompleteCallback(item, pick(2) == 0 ? NULL : on_transfer_complete, NULL);
        break;
    }
}

static void buffer_create(void) {
    WDF_COMMON_BUFFER_CONFIG config;
    WDFCOMMONBUFFER made = NULL;
    size_t length = pick(64) == 0 ? (size_t)number() : (size_t)pick(20000);
    WDF_COMMON_BUFFER_CONFIG_INIT(&config, pick(16) == 0 ? (ULONG)number() : (ULONG)pick(2) * 4095);
    config.Size += pick(16) == 0;
    if (pick(2) == 0) {
        WdfCommonBufferCreate(enabler(), length, attributes(), seldom() ? NULL : &made);
    } else {
        WdfCommonBufferCreateWithConfig(enabler(), length, seldom() ? NULL : &config, attributes(),
                                        seldom() ? NULL : &made);
    }
    keep(made);
}
static void buffer_ask(void) {
    WDFCOMMONBUFFER asked = buffer();
    WdfCommonBufferGetAlignedVirtualAddress(asked);
    WdfCommonBufferGetAlignedLogicalAddress(asked);
    WdfCommonBufferGetLength(asked);
}

static void request_create(void) {
    const wdfdma_request_config config = {.type = (uint32_t)pick(16),
                                          .io_control_code = (uint32_t)pick(4),
                                          .input = mdl(),
                                          .output = mdl(),
                                          .input_length = number(),
                                          .output_length = number()};
    WDFREQUEST made = NULL;
    wdfdma_request_create(device(), seldom() ? NULL : &config, seldom() ? NULL : &made);
    keep(made);
}
static void request_ask(void) {
    WDFREQUEST asked = request();
    WDF_REQUEST_PARAMETERS parameters;
    wdfdma_request_info info;
    PMDL chain;
    WDF_REQUEST_PARAMETERS_INIT(&parameters);
    WdfRequestGetParameters(asked, seldom() ? NULL : &parameters);
    WdfRequestRetrieveInputWdmMdl(asked, seldom() ? NULL : &chain);
    WdfRequestRetrieveOutputWdmMdl(asked, seldom() ? NULL : &chain);
    WdfRequestGetInformation(asked);
    WdfRequestSetInformation(asked, number());
    wdfdma_request_get_info(asked, pick(4) == 0 ? NULL : &info);
}
static void request_end(void) {
    switch (pick(3)) {
    case 0:
        WdfRequestComplete(request(), (NTSTATUS)number());
        break;
    case 1:
        WdfRequestCompleteWithInformation(request(), (NTSTATUS)number(), number());
        break;
    default:
        wdfdma_request_destroy(request());
        break;
    }
}

static void object_delete(void) {
    WdfObjectDelete(any_handle());
}
static void object_reference(void) {
    void *object = any_handle();
    WdfObjectReference(object);
    if (pick(2) == 0) {
        WdfObjectDereference(object);
    }
}
static void object_dereference(void) {
    WdfObjectDereference(any_handle());
}
static void object_context(void) {
    WDFOBJECT object = any_handle();
    PVOID context = NULL;
    WdfObjectAllocateContext(object, attributes(), pick(2) == 0 ? NULL : &context);
    CALL_CONTEXT *found = GetCallContext(object);
    WdfObjectContextGetObject(pick(2) == 0 ? (PVOID)found : (PVOID)(uintptr_t)world_random(&of.random));
}

static void device_call(void) {
    WDFDEVICE asked = device();
    switch (pick(8)) {
    case 0:
        wdfdma_device_destroy(asked);
        break;
    case 1:
        wdfdma_device_enter_d0(asked, (WDF_POWER_DEVICE_STATE)pick(8));
        break;
    case 2:
        wdfdma_device_leave_d0(asked, (WDF_POWER_DEVICE_STATE)pick(8));
        break;
    default:
        WdfDeviceSetAlignmentRequirement(asked, (ULONG)pick(3) * 4095);
        WdfDeviceGetAlignmentRequirement(asked);
        WdfDeviceWdmGetDeviceObject(asked);
        WdfDeviceWdmGetPhysicalDevice(asked);
        break;
    }
}

static void object_look(void) {
    void *handle = any_handle();
    wdfdma_transaction_info info;
    wdfdma_enabler_info enabler_info;
    wdfdma_object_get_type(handle);
    wdfdma_object_get_label(handle);
    wdfdma_object_get_machine(handle);
    wdfdma_transaction_get_info(handle, pick(8) == 0 ? NULL : &info);
    wdfdma_enabler_get_info(handle, direction(), pick(8) == 0 ? NULL : &enabler_info);
}

static void device_access(void) {
    static uint8_t bytes[4096];
    uint64_t address = pick(2) == 0 ? WORLD_REGISTERS_ADDRESS + pick(9 * 4096) : number();
    size_t count = pick(16) == 0 ? SIZE_MAX : (size_t)pick(sizeof bytes);
    if (pick(4) != 0) {
        return; /* seldom: most of these halt the machine */
    }
    if (pick(2) == 0) {
        wdfdma_device_read(of.machines[0], address, bytes, count);
    } else {
        wdfdma_device_write(of.machines[0], address, bytes, count);
    }
}

static void mdl_call(void) {
    uint8_t bytes[64] = {0};
    size_t count = (size_t)pick(sizeof bytes + 1);
    switch (pick(5)) {
    case 0:
        wdfdma_mdl_read(of.machines[pick(2)], mdl(), number(), bytes, count);
        break;
    case 1:
        wdfdma_mdl_write(of.machines[pick(2)], mdl(), number(), bytes, count);
        break;
    case 2:
        wdfdma_mdl_get_bytes(of.machines[pick(2)], mdl());
        break;
    case 3:
        MmUnmapLockedPages(NULL, mdl());
        break;
    default:
        IoFreeMdl(IoAllocateMdl((PVOID)(uintptr_t)number(), (ULONG)pick(100000), FALSE, FALSE, NULL));
        break;
    }
}

static void (*const calls[])(void) = {
    enabler_create,  enabler_configure, enabler_ask,      enabler_limit,   enabler_complete,
    transaction_create, initialize_offset, initialize_offset, initialize_address, initialize_request,
    transaction_execute, transaction_execute, transaction_reserve, transaction_free_resources,
    transaction_release, transaction_cancel, transaction_stop, completed, completed_with_length,
    completed_final, transaction_ask,  transaction_set,  buffer_create,   buffer_ask,
    request_create,  request_ask,      request_end,      object_delete,   object_reference,
    object_dereference, object_context, device_call,     object_look,     device_access,
    mdl_call};

static void call_any(void) {
    if (wdfdma_machine_get_state(of.machines[0])->depth < NESTED_DEPTH) {
        of.calls++;
        if (of.mild && pick(16) != 0) {
            transaction_step();
            return;
        }
        calls[pick(sizeof calls / sizeof calls[0])]();
    }
}

/* ---- The machines ---- */

static void machine_open(uint32_t index) {
    static const WDF_DMA_PROFILE kinds[] = {WdfDmaProfilePacket, WdfDmaProfileScatterGather,
                                            WdfDmaProfileSystemDuplex, WdfDmaProfilePacket64};
    wdfdma_machine_config config = world_config(8);
    config.reserve_bytes = 64u << 20;
    of.machines[index] = harness_machine(&config);
    of.devices[index] = world_device(of.machines[index]);
    keep(of.devices[index]);
    for (int i = 0; i < 4; i++) {
        const world_profile asked = {.profile = kinds[i], .version = i < 3 ? 3u : 2u};
        of.enablers[index][i] = world_enabler(of.devices[index], &asked);
        keep(of.enablers[index][i]);
        keep(world_transaction(of.enablers[index][i]));
        WDFDMATRANSACTION stale = world_transaction(of.enablers[index][i]);
        keep(stale);
        WdfObjectDelete(stale);
    }
    WDFCOMMONBUFFER made = NULL;
    CHECK_STATUS(WdfCommonBufferCreate(of.enablers[index][0], 100, NULL, &made), STATUS_SUCCESS);
    keep(made);
}

static void mdls_open(void) {
    static const uint64_t scattered[3] = {9, 7, 5};
    wdfdma_machine *machine = of.machines[0];
    of.mdls[0] = world_mdl(machine, 100, 2 * WORLD_PAGE, NULL);
    of.mdls[1] = world_mdl(machine, 4000, WORLD_PAGE, NULL);
    of.mdls[2] = world_mdl(machine, 0, 3 * WORLD_PAGE, scattered);
    of.mdls[3] = world_mdl(machine, 1, 1, NULL);
    of.mdls[1]->Next = of.mdls[2];
    of.forged = *of.mdls[0];
    of.mdls[4] = world_mdl(machine, 1, 1, NULL);
    CHECK_STATUS(wdfdma_mdl_destroy(machine, of.mdls[4]), STATUS_SUCCESS);
}

static void requests_open(void) {
    wdfdma_request_config config = {.type = WdfRequestTypeRead,
                                    .output = of.mdls[0],
                                    .output_length = 5000};
    WDFREQUEST made = NULL;
    CHECK_STATUS(wdfdma_request_create(of.devices[0], &config, &made), STATUS_SUCCESS);
    keep(made);
}

static void machines_put_back(void) {
    for (int i = 0; i < 2; i++) {
        bool halted = wdfdma_machine_get_bugcheck(of.machines[i]) != NULL;
        if (halted || of.calls % 4096 < 2) {
            CHECK_MACHINE(of.machines[i]);
            of.halts += halted;
            CHECK_STATUS(wdfdma_machine_restore(of.machines[i], of.snapshots[i]), STATUS_SUCCESS);
            wdfdma_machine_use(of.machines[0]);
        }
    }
}

static uint64_t calls_wanted = 200000;

TEST(bad_handles_by_the_million) {
    machine_open(1);
    machine_open(0);
    mdls_open();
    requests_open();
    uint64_t kept_handles[HANDLE_COUNT];
    uint32_t kept_count = of.handle_count;
    memcpy(kept_handles, of.handles, sizeof kept_handles);
    for (int i = 0; i < 2; i++) {
        of.snapshots[i] = world_snapshot(of.machines[i]);
    }
    wdfdma_machine_use(of.machines[0]);
    while (of.calls < calls_wanted && harness.failures == 0) {
        uint64_t halts = of.halts;
        call_any();
        machines_put_back();
        if (of.halts != halts && pick(4) == 0) {
            of.mild = pick(3) != 0;
            memcpy(of.handles, kept_handles, sizeof kept_handles);
            of.handle_count = kept_count;
        }
    }
    printf("    %" PRIu64 " calls, %" PRIu64 " bug checks\n", of.calls, of.halts);
    CHECK(of.halts > calls_wanted / 200);
    for (int i = 0; i < 2; i++) {
        wdfdma_snapshot_destroy(of.snapshots[i]);
    }
}

int main(int argc, char **argv) {
    static const harness_entry entries[] = {ENTRY(bad_handles_by_the_million)};
    if (argc > 1) {
        calls_wanted = strtoull(argv[1], NULL, 10);
    }
    of.random = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    return harness_main(entries, 1, NULL);
}
