/* IoGetDmaAdapter, the table of DMA_OPERATIONS, and what an adapter says and gives besides
 * channels and lists.
 *
 * Choice: the table ends with CancelMappedTransfer, as its Size says; DMA domains came later and
 * concern remapping. */
#include "wdm_front.h"

/* Where a handle could point, inside an object, stands no number of the driver's choice. */
_Static_assert(offsetof(adapter, owner) % OBJECT_UNIT_BYTES != 0, "the device of an adapter");

static bool description_is_allowed(wdfdma_machine *machine, const DEVICE_DESCRIPTION *description) {
    ddi_call call;
    ddi_begin(&call, machine, WDFDMA_OP_ADAPTER_CALL);
    journal_mark(machine, WDFDMA_JOURNAL_OTHER, WDFDMA_OP_ADAPTER_CALL, 0);
    uint32_t outer_routine = machine->routine;
    machine->routine = WDFDMA_ROUTINE_IO_GET_DMA_ADAPTER;
    bool allowed = wdm_level_is_right(machine, WDM_AT_PASSIVE, NULL);
    if (allowed && description->Version > DEVICE_DESCRIPTION_VERSION3) {
        verifier_dma_violation(machine, WDFDMA_RULE_DMA_25, 0, 0, 0, NULL);
        allowed = false;
    }
    machine->routine = outer_routine;
    ddi_leave(&call);
    return allowed;
}

PDMA_ADAPTER IoGetDmaAdapter(PDEVICE_OBJECT PhysicalDeviceObject,
                             PDEVICE_DESCRIPTION DeviceDescription, PULONG NumberOfMapRegisters) {
    wdfdma_machine *machine = registry_find((uint64_t)(uintptr_t)PhysicalDeviceObject);
    machine = machine == NULL ? wdfdma_machine_current() : machine;
    if (machine == NULL || machine->state.halted || DeviceDescription == NULL ||
        NumberOfMapRegisters == NULL || !description_is_allowed(machine, DeviceDescription)) {
        return NULL;
    }
    SITE_NOTE(machine->id, (wdfdma_op)machine->state.op);
    adapter *made = adapter_create(machine, DeviceDescription);
    if (made == NULL) {
        return NULL;
    }
    made->owner = (uint64_t)(uintptr_t)PhysicalDeviceObject;
    *NumberOfMapRegisters = made->map_registers;
    return &made->wdm;
}

static void wdm_put_dma_adapter(PDMA_ADAPTER DmaAdapter) {
    wdm_call entered;
    adapter *by =
        wdm_enter(&entered, DmaAdapter, WDM_UP_TO_DISPATCH, WDFDMA_ROUTINE_PUT_DMA_ADAPTER);
    if (by == NULL) {
        return;
    }
    if (by->is_enablers) {
        verifier_rule(entered.call.machine, WDFDMA_RULE_INVALID_ADAPTER, &by->head);
    } else {
        wdm_mapping *left = by->wdm_mappings;
        adapter_put(entered.call.machine, by);
        if (by->head.handle == 0) {
            wdm_mappings_forget(entered.call.machine, left);
        }
    }
    wdm_leave(&entered);
}

/* A page before the buffer, and room behind it, for the tags. No device may use the former. */
static NTSTATUS buffer_fill_in(wdfdma_machine *machine, adapter *by, ULONG length,
                               wdm_buffer *out) {
    uint64_t bytes = PAGE_BYTES + (uint64_t)length + GUARD_TAG_BYTES;
    NTSTATUS status = common_allocate(machine, by, bytes, &out->memory);
    if (NT_SUCCESS(status)) {
        out->memory.map.offset += PAGE_BYTES;
        out->memory.map.length = size_round_up(length, PAGE_BYTES);
        out->bytes = out->memory.bytes + PAGE_BYTES;
        out->logical = out->memory.logical + PAGE_BYTES;
        out->by = by;
        out->length = length;
        guard_tag(out->bytes, length);
    }
    return status;
}

static PVOID buffer_create(wdfdma_machine *machine, adapter *by, ULONG length,
                           PPHYSICAL_ADDRESS logical) {
    wdm_buffer *made = data_allocate(machine, sizeof *made, &by->head);
    if (made == NULL) {
        return NULL;
    }
    if (!NT_SUCCESS(buffer_fill_in(machine, by, length, made))) {
        data_free(machine, made);
        return NULL;
    }
    if (!table_put(machine, &hal_of(machine)->wdm_buffers, (uint64_t)(uintptr_t)made->bytes,
                   (uint64_t)(uintptr_t)made)) {
        common_free(machine, by, &made->memory);
        data_free(machine, made);
        return NULL;
    }
    logical->QuadPart = (LONGLONG)made->logical;
    return made->bytes;
}

static void buffer_free(wdfdma_machine *machine, adapter *by, wdm_buffer *gone) {
    guard_check_tags(machine, by, gone->bytes, gone->length);
    if (!machine->state.halted) {
        table_remove(&hal_of(machine)->wdm_buffers, (uint64_t)(uintptr_t)gone->bytes);
        common_free(machine, by, &gone->memory);
        data_free(machine, gone);
    }
}

static PVOID buffer_allocate(PDMA_ADAPTER DmaAdapter, ULONG Length,
                             PPHYSICAL_ADDRESS LogicalAddress, uint32_t routine) {
    wdm_call entered;
    adapter *by = wdm_enter(&entered, DmaAdapter, WDM_AT_PASSIVE, routine);
    if (by == NULL) {
        return NULL;
    }
    NTSTATUS unwanted;
    PVOID bytes = NULL;
    if (Length != 0 && LogicalAddress != NULL &&
        !fault_hits_routine(entered.call.machine, routine, &unwanted)) {
        bytes = buffer_create(entered.call.machine, by, Length, LogicalAddress);
    }
    wdm_leave(&entered);
    return bytes;
}

static PVOID wdm_allocate_common_buffer(PDMA_ADAPTER DmaAdapter, ULONG Length,
                                        PPHYSICAL_ADDRESS LogicalAddress, BOOLEAN CacheEnabled) {
    SITE_NOTE(current_machine_id, WDFDMA_OP_ADAPTER_CALL);
    (void)CacheEnabled;
    return buffer_allocate(DmaAdapter, Length, LogicalAddress,
                           WDFDMA_ROUTINE_ALLOCATE_COMMON_BUFFER);
}

/* What lies above [MaximumAddress] is refused rather than searched for lower down: common memory
 * is taken from the bottom up as it is. */
static PVOID wdm_allocate_common_buffer_ex(PDMA_ADAPTER DmaAdapter,
                                           PPHYSICAL_ADDRESS MaximumAddress, ULONG Length,
                                           PPHYSICAL_ADDRESS LogicalAddress, BOOLEAN CacheEnabled,
                                           NODE_REQUIREMENT PreferredNode) {
    SITE_NOTE(current_machine_id, WDFDMA_OP_ADAPTER_CALL);
    (void)PreferredNode;
    PHYSICAL_ADDRESS found;
    PVOID bytes =
        buffer_allocate(DmaAdapter, Length, &found, WDFDMA_ROUTINE_ALLOCATE_COMMON_BUFFER_EX);
    if (bytes == NULL || LogicalAddress == NULL) {
        return NULL;
    }
    if (MaximumAddress != NULL &&
        found.QuadPart + (LONGLONG)Length - 1 > MaximumAddress->QuadPart) {
        DmaAdapter->DmaOperations->FreeCommonBuffer(DmaAdapter, Length, found, bytes, CacheEnabled);
        return NULL;
    }
    *LogicalAddress = found;
    return bytes;
}

static void wdm_free_common_buffer(PDMA_ADAPTER DmaAdapter, ULONG Length,
                                   PHYSICAL_ADDRESS LogicalAddress, PVOID VirtualAddress,
                                   BOOLEAN CacheEnabled) {
    (void)CacheEnabled;
    wdm_call entered;
    adapter *by =
        wdm_enter(&entered, DmaAdapter, WDM_AT_PASSIVE, WDFDMA_ROUTINE_FREE_COMMON_BUFFER);
    if (by == NULL) {
        return;
    }
    wdfdma_machine *machine = entered.call.machine;
    uint64_t key = (uint64_t)(uintptr_t)VirtualAddress;
    const uint64_t *found = table_find(&hal_of(machine)->wdm_buffers, key);
    wdm_buffer *gone = found == NULL ? NULL : (wdm_buffer *)(uintptr_t)*found;
    if (gone == NULL || gone->by != by || gone->length != Length ||
        (uint64_t)LogicalAddress.QuadPart != gone->logical) {
        verifier_dma_violation(machine, WDFDMA_RULE_DMA_03, 1, 0, Length, &by->head);
    } else {
        buffer_free(machine, by, gone);
    }
    wdm_leave(&entered);
}

static ULONG wdm_get_dma_alignment(PDMA_ADAPTER DmaAdapter) {
    wdm_call entered;
    if (wdm_enter(&entered, DmaAdapter, WDM_AT_PASSIVE, WDFDMA_ROUTINE_GET_DMA_ALIGNMENT) == NULL) {
        return 0;
    }
    wdm_leave(&entered);
    return 1;
}

static ULONG wdm_read_dma_counter(PDMA_ADAPTER DmaAdapter) {
    wdm_call entered;
    const adapter *by =
        wdm_enter(&entered, DmaAdapter, WDM_UP_TO_DISPATCH, WDFDMA_ROUTINE_READ_DMA_COUNTER);
    if (by == NULL) {
        return 0;
    }
    ULONG left = by->controller == NULL ? 0 : (ULONG)by->controller->length;
    wdm_leave(&entered);
    return left;
}

static NTSTATUS wdm_build_mdl(PDMA_ADAPTER DmaAdapter, PSCATTER_GATHER_LIST ScatterGather,
                              PMDL OriginalMdl, PMDL *TargetMdl) {
    (void)ScatterGather;
    (void)OriginalMdl;
    (void)TargetMdl;
    wdm_call entered;
    if (wdm_enter(&entered, DmaAdapter, WDM_UP_TO_DISPATCH,
                  WDFDMA_ROUTINE_BUILD_MDL_FROM_SCATTER_GATHER_LIST) == NULL) {
        return STATUS_UNSUCCESSFUL;
    }
    wdm_leave(&entered);
    return STATUS_NOT_SUPPORTED;
}

static NTSTATUS wdm_get_dma_adapter_info(PDMA_ADAPTER DmaAdapter, PDMA_ADAPTER_INFO AdapterInfo) {
    SITE_NOTE(current_machine_id, WDFDMA_OP_ADAPTER_CALL);
    wdm_call entered;
    const adapter *by =
        wdm_enter(&entered, DmaAdapter, WDM_UP_TO_DISPATCH, WDFDMA_ROUTINE_GET_DMA_ADAPTER_INFO);
    if (by == NULL) {
        return STATUS_UNSUCCESSFUL;
    }
    NTSTATUS status = STATUS_INVALID_PARAMETER;
    if (AdapterInfo != NULL && AdapterInfo->Version == DMA_ADAPTER_INFO_VERSION1 &&
        !fault_hits_routine(entered.call.machine, WDFDMA_ROUTINE_GET_DMA_ADAPTER_INFO, &status)) {
        AdapterInfo->V1 = (DMA_ADAPTER_INFO_V1){.ReadDmaCounterAvailable = !by->master,
                                                .ScatterGatherLimit = by->map_registers,
                                                .DmaAddressWidth = by->width,
                                                .MinimumTransferUnit = 1};
        status = STATUS_SUCCESS;
    }
    wdm_leave(&entered);
    return status;
}

static NTSTATUS transfer_info_get(wdfdma_machine *machine, const adapter *by,
                                  const list_request *range, PDMA_TRANSFER_INFO out) {
    range_shape shape;
    bool known = out != NULL && (out->Version == DMA_TRANSFER_INFO_VERSION1 ||
                                 out->Version == DMA_TRANSFER_INFO_VERSION2);
    if (!known || range->length == 0) {
        return STATUS_INVALID_PARAMETER;
    }
    range_measure(machine, by, range->mdl, range->offset, range->length, &shape);
    if (shape.broken) {
        mdl_bugcheck(machine, &by->head);
        return STATUS_UNSUCCESSFUL;
    }
    if (shape.past_end) {
        return STATUS_BUFFER_TOO_SMALL;
    }
    NTSTATUS status;
    if (fault_hits_routine(machine, WDFDMA_ROUTINE_GET_DMA_TRANSFER_INFO, &status)) {
        return status;
    }
    out->V1.MapRegisterCount = by->needs_registers ? (ULONG)shape.registers : 0;
    out->V1.ScatterGatherElementCount = (ULONG)shape.elements;
    out->V1.ScatterGatherListSize =
        (ULONG)(sizeof(SCATTER_GATHER_LIST) + shape.registers * sizeof(SCATTER_GATHER_ELEMENT));
    if (out->Version == DMA_TRANSFER_INFO_VERSION2) {
        out->V2.LogicalPageCount = (ULONG)shape.registers;
    }
    return STATUS_SUCCESS;
}

static NTSTATUS wdm_get_dma_transfer_info(PDMA_ADAPTER DmaAdapter, PMDL Mdl, ULONGLONG Offset,
                                          ULONG Length, BOOLEAN WriteOnly,
                                          PDMA_TRANSFER_INFO TransferInfo) {
    SITE_NOTE(current_machine_id, WDFDMA_OP_ADAPTER_CALL);
    (void)WriteOnly;
    wdm_call entered;
    const adapter *by =
        wdm_enter(&entered, DmaAdapter, WDM_UP_TO_DISPATCH, WDFDMA_ROUTINE_GET_DMA_TRANSFER_INFO);
    if (by == NULL) {
        return STATUS_UNSUCCESSFUL;
    }
    const list_request range = {.mdl = Mdl, .offset = Offset, .length = Length};
    NTSTATUS status = transfer_info_get(entered.call.machine, by, &range, TransferInfo);
    wdm_leave(&entered);
    return status;
}

/* The functions of a system's controller are its maker's: there are none here. */
static NTSTATUS wdm_configure_adapter_channel(PDMA_ADAPTER DmaAdapter, ULONG FunctionNumber,
                                              PVOID Context) {
    (void)FunctionNumber;
    (void)Context;
    wdm_call entered;
    if (wdm_enter(&entered, DmaAdapter, WDM_UP_TO_DISPATCH,
                  WDFDMA_ROUTINE_CONFIGURE_ADAPTER_CHANNEL) == NULL) {
        return STATUS_UNSUCCESSFUL;
    }
    wdm_leave(&entered);
    return STATUS_NOT_SUPPORTED;
}

const DMA_OPERATIONS adapter_operations = {
    .Size = offsetof(DMA_OPERATIONS, CancelMappedTransfer) + sizeof(PCANCEL_MAPPED_TRANSFER),
    .PutDmaAdapter = wdm_put_dma_adapter,
    .AllocateCommonBuffer = wdm_allocate_common_buffer,
    .FreeCommonBuffer = wdm_free_common_buffer,
    .AllocateAdapterChannel = wdm_allocate_adapter_channel,
    .FlushAdapterBuffers = wdm_flush_adapter_buffers,
    .FreeAdapterChannel = wdm_free_adapter_channel,
    .FreeMapRegisters = wdm_free_map_registers,
    .MapTransfer = wdm_map_transfer,
    .GetDmaAlignment = wdm_get_dma_alignment,
    .ReadDmaCounter = wdm_read_dma_counter,
    .GetScatterGatherList = wdm_get_scatter_gather_list,
    .PutScatterGatherList = wdm_put_scatter_gather_list,
    .CalculateScatterGatherList = wdm_calculate_scatter_gather_list,
    .BuildScatterGatherList = wdm_build_scatter_gather_list,
    .BuildMdlFromScatterGatherList = wdm_build_mdl,
    .GetDmaAdapterInfo = wdm_get_dma_adapter_info,
    .GetDmaTransferInfo = wdm_get_dma_transfer_info,
    .InitializeDmaTransferContext = wdm_initialize_dma_transfer_context,
    .AllocateCommonBufferEx = wdm_allocate_common_buffer_ex,
    .AllocateAdapterChannelEx = wdm_allocate_adapter_channel_ex,
    .ConfigureAdapterChannel = wdm_configure_adapter_channel,
    .CancelAdapterChannel = wdm_cancel_adapter_channel,
    .MapTransferEx = wdm_map_transfer_ex,
    .GetScatterGatherListEx = wdm_get_scatter_gather_list_ex,
    .BuildScatterGatherListEx = wdm_build_scatter_gather_list_ex,
    .FlushAdapterBuffersEx = wdm_flush_adapter_buffers_ex,
    .FreeAdapterObject = wdm_free_adapter_object,
    .CancelMappedTransfer = wdm_cancel_mapped_transfer,
};
