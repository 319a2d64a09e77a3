/* The kernel's calls: MDLs, adapters and their table of operations, the device's accesses. */
#include "handles.h"

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
        IoFreeMdl(
            IoAllocateMdl((PVOID)(uintptr_t)number(), (ULONG)pick(100000), FALSE, FALSE, NULL));
        break;
    }
}

static PDMA_ADAPTER adapter(void) {
    static DMA_ADAPTER forged;
    switch (pick(of.mild ? 200 : 16)) {
    case 0:
        return NULL;
    case 1:
        return &forged;
    case 2:
        return (PDMA_ADAPTER)(uintptr_t)world_random(&of.random);
    case 3:
        return (PDMA_ADAPTER)(void *)((char *)of.adapters[pick(ADAPTER_COUNT)] + 8 * pick(40));
    default:
        return of.adapters[pick(ADAPTER_COUNT)];
    }
}

static PVOID context(void) {
    return pick(16) == 0 ? NULL : (PVOID)of.contexts[pick(CONTEXT_COUNT)];
}

static PVOID base(void) {
    uint64_t address = WORLD_REGISTERS_ADDRESS + pick(10) * WORLD_PAGE;
    return pick(8) == 0 ? (PVOID)(uintptr_t)pick(3) : (PVOID)(uintptr_t)address;
}

static PDEVICE_OBJECT device_object(void) {
    return (PDEVICE_OBJECT)(void *)device();
}

static IO_ALLOCATION_ACTION on_control(PDEVICE_OBJECT owner, PIRP irp, PVOID registers,
                                       PVOID given) {
    (void)owner;
    (void)irp;
    (void)registers;
    (void)given;
    if (pick(4) == 0) {
        call_any();
    }
    return (IO_ALLOCATION_ACTION)(seldom() ? (int)pick(6) : 1 + (int)pick(3));
}

static void on_list(PDEVICE_OBJECT owner, PIRP irp, PSCATTER_GATHER_LIST list, PVOID given) {
    (void)owner;
    (void)irp;
    (void)given;
    switch (pick(4)) {
    case 0:
        call_any();
        break;
    case 1:
        of.operations->PutScatterGatherList(adapter(), list, (BOOLEAN)pick(2));
        break;
    default:
        break;
    }
}

static void on_complete(PDMA_ADAPTER by, PDEVICE_OBJECT owner, PVOID given,
                        DMA_COMPLETION_STATUS status) {
    (void)by;
    (void)owner;
    (void)given;
    (void)status;
    if (pick(4) == 0) {
        call_any();
    }
}

static void adapter_get(void) {
    DEVICE_DESCRIPTION description = {.Version = (ULONG)pick(5),
                                      .Master = (BOOLEAN)pick(2),
                                      .ScatterGather = (BOOLEAN)pick(2),
                                      .Dma32BitAddresses = (BOOLEAN)pick(2),
                                      .MaximumLength = (ULONG)number(),
                                      .DmaAddressWidth = (ULONG)pick(70)};
    ULONG registers;
    PDMA_ADAPTER made =
        IoGetDmaAdapter(device_object(), seldom() ? NULL : &description, &registers);
    if (made != NULL) {
        of.adapters[1 + pick(ADAPTER_COUNT - 1)] = made;
    }
}

/* Mostly the IRQL that these calls want; the one before. */
static KIRQL level_raise(void) {
    KIRQL before = KeGetCurrentIrql();
    return before < DISPATCH_LEVEL && !seldom() ? KfRaiseIrql(DISPATCH_LEVEL) : before;
}

static void channel_call(void) {
    KIRQL before = level_raise();
    PVOID registers = NULL;
    switch (pick(7)) {
    case 0:
        of.operations->AllocateAdapterChannel(adapter(), device_object(), small_number(),
                                              on_control, NULL);
        break;
    case 1:
        of.operations->AllocateAdapterChannelEx(
            adapter(), device_object(), context(), small_number(), (ULONG)pick(2),
            pick(4) == 0 ? NULL : on_control, NULL, pick(4) == 0 ? NULL : &registers);
        break;
    case 2:
        of.operations->CancelAdapterChannel(adapter(), device_object(), context());
        break;
    case 3:
        of.operations->FreeAdapterChannel(adapter());
        break;
    case 4:
        of.operations->FreeAdapterObject(adapter(), (IO_ALLOCATION_ACTION)pick(5));
        break;
    case 5:
        of.operations->FreeMapRegisters(adapter(), base(), small_number());
        break;
    default:
        of.operations->InitializeDmaTransferContext(adapter(), context());
        break;
    }
    KeLowerIrql(before);
}

static void mapping_call(void) {
    static uint64_t room[32];
    PMDL chain = mdl();
    ULONG length = (ULONG)number();
    switch (pick(5)) {
    case 0:
        of.operations->MapTransfer(adapter(), chain, base(), address_in(chain),
                                   seldom() ? NULL : &length, (BOOLEAN)pick(2));
        break;
    case 1:
        of.operations->MapTransferEx(adapter(), chain, base(), number(), small_number(),
                                     seldom() ? NULL : &length, (BOOLEAN)pick(2),
                                     seldom() ? NULL : (PSCATTER_GATHER_LIST)(void *)room,
                                     (ULONG)pick(256), pick(2) == 0 ? NULL : on_complete, NULL);
        break;
    case 2:
        of.operations->FlushAdapterBuffers(adapter(), chain, base(), address_in(chain), length,
                                           (BOOLEAN)pick(2));
        break;
    case 3:
        of.operations->FlushAdapterBuffersEx(adapter(), chain, base(), number(), length,
                                             (BOOLEAN)pick(2));
        break;
    default:
        of.operations->CancelMappedTransfer(adapter(), context());
        break;
    }
}

static void list_call(void) {
    KIRQL before = level_raise();
    static uint64_t rooms[4][64];
    PMDL chain = mdl();
    PSCATTER_GATHER_LIST list = (PSCATTER_GATHER_LIST)(void *)rooms[pick(4)];
    PSCATTER_GATHER_LIST out = NULL;
    ULONG length = pick(4) == 0 ? (ULONG)number() : 1 + (ULONG)pick(4000);
    ULONG size, registers;
    switch (pick(6)) {
    case 0:
        of.operations->GetScatterGatherList(adapter(), device_object(), chain, address_in(chain),
                                            length, seldom() ? NULL : on_list, NULL,
                                            (BOOLEAN)pick(2));
        break;
    case 1:
        of.operations->BuildScatterGatherList(
            adapter(), device_object(), chain, address_in(chain), length, seldom() ? NULL : on_list,
            NULL, (BOOLEAN)pick(2), seldom() ? NULL : list, sizeof rooms[0]);
        break;
    case 2:
        of.operations->GetScatterGatherListEx(adapter(), device_object(), context(), chain,
                                              pick(100), length, (ULONG)pick(2),
                                              pick(4) == 0 ? NULL : on_list, NULL, (BOOLEAN)pick(2),
                                              NULL, NULL, pick(2) == 0 ? NULL : &out);
        break;
    case 3:
        of.operations->BuildScatterGatherListEx(
            adapter(), device_object(), context(), chain, pick(100), length, (ULONG)pick(2),
            pick(4) == 0 ? NULL : on_list, NULL, (BOOLEAN)pick(2), seldom() ? NULL : list,
            (ULONG)pick(sizeof rooms[0]), NULL, NULL, pick(2) == 0 ? NULL : (PVOID)&out);
        break;
    case 4:
        of.operations->PutScatterGatherList(adapter(), list, (BOOLEAN)pick(2));
        break;
    default:
        of.operations->CalculateScatterGatherList(adapter(), chain, address_in(chain), length,
                                                  &size, pick(2) == 0 ? NULL : &registers);
        break;
    }
    if (out != NULL && pick(2) == 0) {
        of.operations->PutScatterGatherList(adapter(), out, (BOOLEAN)pick(2));
    }
    KeLowerIrql(before);
}

static void adapter_ask(void) {
    DMA_ADAPTER_INFO info = {.Version = (ULONG)pick(3)};
    DMA_TRANSFER_INFO transfer = {.Version = (ULONG)pick(4)};
    PHYSICAL_ADDRESS logical = {.QuadPart = 0};
    PVOID bytes;
    of.operations->GetDmaAdapterInfo(adapter(), seldom() ? NULL : &info);
    of.operations->GetDmaTransferInfo(adapter(), mdl(), pick(2) * number(), (ULONG)number(), FALSE,
                                      seldom() ? NULL : &transfer);
    of.operations->ReadDmaCounter(adapter());
    of.operations->GetDmaAlignment(adapter());
    PDMA_ADAPTER by = adapter();
    bytes = of.operations->AllocateCommonBuffer(by, (ULONG)pick(9000), seldom() ? NULL : &logical,
                                                TRUE);
    if (bytes != NULL || seldom()) {
        of.operations->FreeCommonBuffer(by, (ULONG)pick(9000), logical, bytes, TRUE);
    }
}

static void adapter_put(void) {
    if (pick(8) == 0) {
        of.operations->PutDmaAdapter(adapter());
    }
}

const fuzz_call kernel_calls[] = {device_access, mdl_call,     adapter_get,  channel_call,
                                  channel_call,  mapping_call, mapping_call, list_call,
                                  list_call,     adapter_ask,  adapter_put};
const size_t kernel_call_count = sizeof kernel_calls / sizeof kernel_calls[0];
