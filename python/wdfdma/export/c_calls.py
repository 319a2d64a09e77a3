"""The calls of a driver in C, one form for each operation of a scenario, as a person would write them."""

# What stands in braces: an operand as C has it (`Writer.make_words`), or
# {callback}: EvtProgramDma, {reserve}: EvtReserveDma, {mdl}: the buffer, each NULL where the step is to pass NULL;
# {routine}: the driver's routine with the steps of `do`; {object}: {transaction} as a WDFOBJECT.

_RANGE = "{buffer}, {base}, {address}, {length}, {writes}"
_RANGE_EX = "{buffer}, {base}, {offset}, {length}, {writes}"

FRAMEWORK_CALLS = {
    "create": "status = WdfDmaTransactionCreate({enabler}, WDF_NO_OBJECT_ATTRIBUTES, &{transaction});",
    "delete": "WdfObjectDelete({object});",
    "initialize": "status = WdfDmaTransactionInitializeUsingOffset({transaction}, {callback}, {direction}, {mdl},"
    " {offset}, {length});",
    "initialize_using_request": "status = WdfDmaTransactionInitializeUsingRequest({transaction}, {request},"
    " {callback}, {direction});",
    "execute": "status = WdfDmaTransactionExecute({transaction}, NULL);",
    "allocate_resources": "status = WdfDmaTransactionAllocateResources({transaction}, {direction}, {map_registers},"
    " {reserve}, NULL);",
    "free_resources": "WdfDmaTransactionFreeResources({transaction});",
    "set_immediate_execution": "WdfDmaTransactionSetImmediateExecution({transaction}, {value});",
    "set_maximum_length": "WdfDmaTransactionSetMaximumLength({transaction}, {length});",
    "set_single_transfer_requirement": "WdfDmaTransactionSetSingleTransferRequirement({transaction}, {value});",
    "set_device_address_offset": "WdfDmaTransactionSetDeviceAddressOffset({transaction}, {offset});",
    "get_transfer_info": "WdfDmaTransactionGetTransferInfo({transaction}, size(0), NULL);",
    "get_bytes_transferred": "WdfDmaTransactionGetBytesTransferred({transaction});",
    "get_current_dma_transfer_length": "WdfDmaTransactionGetCurrentDmaTransferLength({transaction});",
    "get_fragment_length": "WdfDmaEnablerGetFragmentLength({enabler}, {direction});",
    "dma_completed": "WdfDmaTransactionDmaCompleted({transaction}, &status);",
    "dma_completed_with_length": "WdfDmaTransactionDmaCompletedWithLength({transaction}, {length}, &status);",
    "dma_completed_final": "WdfDmaTransactionDmaCompletedFinal({transaction}, {length}, &status);",
    "release": "status = WdfDmaTransactionRelease({transaction});",
    "cancel": "WdfDmaTransactionCancel({transaction});",
    "stop_system_transfer": "WdfDmaTransactionStopSystemTransfer({transaction});",
    "complete_transfer": "wdfdma_enabler_complete_transfer({enabler}, {direction});",
    "object_reference": "WdfObjectReference({object});",
    "object_dereference": "WdfObjectDereference({object});",
    "object_delete": "WdfObjectDelete({object});",
    "delete_enabler": "WdfObjectDelete((WDFOBJECT){enabler});",
    "common_buffer_create": "status = WdfCommonBufferCreate({enabler}, {length}, WDF_NO_OBJECT_ATTRIBUTES,"
    " &{common_buffer});",
    "common_buffer_delete": "WdfObjectDelete((WDFOBJECT){common_buffer});",
    "request_create": "{request} = request_create({type}, {buffer}, {length});",
    "request_complete": "WdfRequestComplete({request}, STATUS_SUCCESS);",
    "request_complete_with_information": "WdfRequestCompleteWithInformation({request}, STATUS_SUCCESS,"
    " {information});",
    "raise_irql": "KeRaiseIrql({irql}, &old_irql);",
    "lower_irql": "KeLowerIrql({irql});",
    "set_irql": "wdfdma_machine_set_irql(machine, {irql});",
    "enter_d0": "status = wdfdma_device_enter_d0(device, WdfPowerDeviceD3Final);",
    "leave_d0": "status = wdfdma_device_leave_d0(device, WdfPowerDeviceD3);",
    "remove_device": "wdfdma_device_destroy(device);",
    "check_leaks": "leaks_check();",
    "device_read": "device_access({element} + {offset}, {length}, -1);",
    "device_write": "device_access({element} + {offset}, {length}, {value});",
    "device_read_address": "device_access({address}, {length}, -1);",
    "device_write_address": "device_access({address}, {length}, {value});",
    "mdl_read": "buffer_access({buffer}, {offset}, {length}, -1);",
    "mdl_write": "buffer_access({buffer}, {offset}, {length}, {value});",
    "free_mdl": "buffer_free({buffer});",
    "unlock_pages": "buffer_unlock({buffer});",
}

ADAPTER_CALLS = {
    "io_get_dma_adapter": "{adapter} = adapter_get({scatter_gather}, {maximum_length}, {address_width}, {version});",
    "wdm_get_dma_adapter": "{adapter} = adapter_keep(WdfDmaEnablerWdmGetDmaAdapter({enabler}, {direction}));",
    "put_dma_adapter": "calls->PutDmaAdapter({adapter});",
    "get_dma_alignment": "calls->GetDmaAlignment({adapter});",
    "read_dma_counter": "calls->ReadDmaCounter({adapter});",
    "get_dma_adapter_info": "adapter_info_get({adapter});",
    "get_dma_transfer_info": "transfer_info_get({adapter}, {buffer}, {offset}, {length}, {writes});",
    "allocate_common_buffer": "{allocated} = common_buffer_allocate({adapter}, {length});",
    "allocate_common_buffer_ex": "{allocated} = common_buffer_allocate_below({adapter}, {length}, {maximum_address});",
    "write_common_buffer": "common_buffer_write(&{allocated}, {offset}, {length});",
    "free_common_buffer": "calls->FreeCommonBuffer({adapter}, {length}, {allocated}.logical, {allocated}.bytes, TRUE);",
    "initialize_dma_transfer_context": "status = calls->InitializeDmaTransferContext({adapter}, {context});",
    "allocate_adapter_channel": "status = calls->AllocateAdapterChannel({adapter}, physical_device(),"
    " {map_registers}, {routine}, NULL);",
    "allocate_adapter_channel_ex": "status = calls->AllocateAdapterChannelEx({adapter}, physical_device(), {context},"
    " {map_registers}, {synchronous}, {routine}, NULL, NULL);",
    "cancel_adapter_channel": "calls->CancelAdapterChannel({adapter}, physical_device(), {context});",
    "configure_adapter_channel": "status = calls->ConfigureAdapterChannel({adapter}, 0, NULL);",
    "free_adapter_channel": "calls->FreeAdapterChannel({adapter});",
    "free_adapter_object": "calls->FreeAdapterObject({adapter}, {action});",
    "free_map_registers": "calls->FreeMapRegisters({adapter}, {base}, {map_registers});",
    "map_transfer": "calls->MapTransfer({adapter}, {buffer}, {base}, {address}, size({length}), {writes});",
    "map_transfer_ex": "status = calls->MapTransferEx({adapter}, {buffer}, {base}, {offset}, 0,"
    " size({length}), {writes}, mapped_list(), sizeof mapped, {routine}, NULL);",
    "cancel_mapped_transfer": "status = calls->CancelMappedTransfer({adapter}, {context});",
    "flush_adapter_buffers": f"calls->FlushAdapterBuffers({{adapter}}, {_RANGE});",
    "flush_adapter_buffers_ex": f"status = calls->FlushAdapterBuffersEx({{adapter}}, {_RANGE_EX});",
    "get_scatter_gather_list": "status = calls->GetScatterGatherList({adapter}, physical_device(), {buffer},"
    " {address}, {length}, {routine}, NULL, {writes});",
    "get_scatter_gather_list_ex": "status = calls->GetScatterGatherListEx({adapter}, physical_device(), {context},"
    " {buffer}, {offset}, {length}, {synchronous}, {routine}, NULL, {writes}, NULL, NULL, NULL);",
    "build_scatter_gather_list": "status = calls->BuildScatterGatherList({adapter}, physical_device(), {buffer},"
    " {address}, {length}, {routine}, NULL, {writes}, {room}, sizeof {room});",
    "build_scatter_gather_list_ex": "status = calls->BuildScatterGatherListEx({adapter}, physical_device(), {context},"
    " {buffer}, {offset}, {length}, {synchronous}, {routine}, NULL, {writes}, {room}, sizeof {room}, NULL, NULL,"
    " NULL);",
    "put_scatter_gather_list": "calls->PutScatterGatherList({adapter}, {list}, {writes});",
    "calculate_scatter_gather_list": "status = calls->CalculateScatterGatherList({adapter}, {buffer}, {address},"
    " {length}, size(0), NULL);",
    "build_mdl_from_scatter_gather_list": "status = calls->BuildMdlFromScatterGatherList({adapter}, {list}, {buffer},"
    " &built);",
}

CALLS = FRAMEWORK_CALLS | ADAPTER_CALLS

# What AdapterControl returns.
ACTIONS = {
    "keep_object": "KeepObject",
    "deallocate_object": "DeallocateObject",
    "deallocate_object_keep_registers": "DeallocateObjectKeepRegisters",
}

PROFILES = {
    "packet": "WdfDmaProfilePacket",
    "packet64": "WdfDmaProfilePacket64",
    "scatter_gather": "WdfDmaProfileScatterGather",
    "scatter_gather64": "WdfDmaProfileScatterGather64",
    "scatter_gather_duplex": "WdfDmaProfileScatterGatherDuplex",
    "scatter_gather64_duplex": "WdfDmaProfileScatterGather64Duplex",
    "system": "WdfDmaProfileSystem",
    "system_duplex": "WdfDmaProfileSystemDuplex",
}

# Of each callback, of a transaction and of a WDM driver: its type, its head, and the arguments that it has no use for.
CALLBACKS = {
    "program_dma": (
        "EVT_WDF_PROGRAM_DMA",
        "BOOLEAN {name}(WDFDMATRANSACTION Transaction, WDFDEVICE Device, WDFCONTEXT Context,"
        " WDF_DMA_DIRECTION Direction, PSCATTER_GATHER_LIST SgList)",
        ("Transaction", "Device", "Context", "Direction", "SgList"),
    ),
    "reserve_dma": (
        "EVT_WDF_RESERVE_DMA",
        "void {name}(WDFDMATRANSACTION Transaction, PVOID Context)",
        ("Transaction", "Context"),
    ),
    "configure_dma_channel": (
        "EVT_WDF_DMA_TRANSACTION_CONFIGURE_DMA_CHANNEL",
        "BOOLEAN {name}(WDFDMATRANSACTION Transaction, WDFDEVICE Device, PVOID Context, PMDL Mdl,"
        " size_t Offset, size_t Length)",
        ("Transaction", "Device", "Context", "Mdl", "Offset", "Length"),
    ),
    "dma_transfer_complete": (
        "EVT_WDF_DMA_TRANSACTION_DMA_TRANSFER_COMPLETE",
        "void {name}(WDFDMATRANSACTION Transaction, WDFDEVICE Device, WDFCONTEXT Context,"
        " WDF_DMA_DIRECTION Direction, DMA_COMPLETION_STATUS Status)",
        ("Transaction", "Device", "Context", "Direction", "Status"),
    ),
}
ROUTINES = {
    "adapter_control": (
        "DRIVER_CONTROL",
        "IO_ALLOCATION_ACTION {name}(PDEVICE_OBJECT DeviceObject, PIRP Irp, PVOID MapRegisterBase, PVOID Context)",
        ("DeviceObject", "Irp", "Context"),
    ),
    "list_control": (
        "DRIVER_LIST_CONTROL",
        "void {name}(PDEVICE_OBJECT DeviceObject, PIRP Irp, PSCATTER_GATHER_LIST ScatterGather, PVOID Context)",
        ("DeviceObject", "Irp", "Context"),
    ),
    "completion": (
        "DMA_COMPLETION_ROUTINE",
        "void {name}(PDMA_ADAPTER DmaAdapter, PDEVICE_OBJECT DeviceObject, PVOID Context,"
        " DMA_COMPLETION_STATUS Status)",
        ("DmaAdapter", "DeviceObject", "Context", "Status"),
    ),
}
