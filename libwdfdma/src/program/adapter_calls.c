/* What a WDM driver's steps call, one function each: the adapter itself, common buffers, channels
 * and map registers. */
#include "adapter_steps.h"
#include "hal/wdm_front.h"

#include <string.h>

/* ---- Adapters ---- */

/* Room for an adapter's name; NULL where the program gave it out before. */
static uint64_t *adapter_name_make(const adapter_call *of) {
    if (table_find(&of->run->names[NAME_ADAPTER], of->values[0]) != NULL) {
        program_fail(of->run, WDFDMA_PROGRAM_CREATED_TWICE, of->step->offsets[0], of->values[0]);
        return NULL;
    }
    return name_get(of, NAME_ADAPTER, 0);
}

/* Before version 3 a description has three widths and no number of bits. */
static DEVICE_DESCRIPTION description_get(const uint64_t *values) {
    DEVICE_DESCRIPTION made = {.Version = (ULONG)values[4],
                               .Master = TRUE,
                               .ScatterGather = (BOOLEAN)values[1],
                               .MaximumLength = (ULONG)values[2],
                               .DmaAddressWidth = (ULONG)values[3]};
    made.Dma64BitAddresses = values[3] >= 64;
    made.Dma32BitAddresses = values[3] >= 32;
    return made;
}

void call_io_get_dma_adapter(adapter_call *of) {
    uint64_t *name = adapter_name_make(of);
    if (name == NULL) {
        return;
    }
    DEVICE_DESCRIPTION description = description_get(of->values);
    ULONG registers = 0;
    of->machine->next_label = (uint32_t)of->values[0];
    of->machine->label_given = true;
    PDMA_ADAPTER made =
        IoGetDmaAdapter(WdfDeviceWdmGetPhysicalDevice(of->run->device), &description, &registers);
    of->machine->label_given = false;
    *name = (uint64_t)(uintptr_t)made;
    of->first = made != NULL;
}

void call_wdm_get_dma_adapter(adapter_call *of) {
    uint64_t *name = adapter_name_make(of);
    if (name != NULL) {
        WDF_DMA_DIRECTION direction =
            of->values[2] == 0 ? WdfDmaDirectionReadFromDevice : WdfDmaDirectionWriteToDevice;
        PDMA_ADAPTER found =
            WdfDmaEnablerWdmGetDmaAdapter(of->run->enablers[of->values[1]], direction);
        *name = (uint64_t)(uintptr_t)found;
        of->first = found != NULL;
    }
}

void call_put_dma_adapter(adapter_call *of) {
    adapter_operations.PutDmaAdapter(of->adapter);
}

void call_get_dma_alignment(adapter_call *of) {
    of->first = adapter_operations.GetDmaAlignment(of->adapter);
}

void call_read_dma_counter(adapter_call *of) {
    of->first = adapter_operations.ReadDmaCounter(of->adapter);
}

void call_get_dma_adapter_info(adapter_call *of) {
    DMA_ADAPTER_INFO info = {.Version = DMA_ADAPTER_INFO_VERSION1};
    of->status = adapter_operations.GetDmaAdapterInfo(of->adapter, &info);
}

/* ---- Common buffers ---- */

static named_buffer *buffer_get(const adapter_call *of) {
    return name_get_block(of, NAME_COMMON_BUFFER, 1, sizeof(named_buffer));
}

static void buffer_keep(adapter_call *of, named_buffer *name, PVOID bytes,
                        PHYSICAL_ADDRESS logical) {
    name->bytes = bytes;
    name->logical.QuadPart = bytes == NULL ? 0 : logical.QuadPart;
    of->first = (uint64_t)name->logical.QuadPart;
    of->second = bytes == NULL ? 0 : of->values[2];
}

void call_allocate_common_buffer(adapter_call *of) {
    named_buffer *name = buffer_get(of);
    PHYSICAL_ADDRESS logical = {.QuadPart = 0};
    if (name != NULL) {
        PVOID bytes = adapter_operations.AllocateCommonBuffer(of->adapter, (ULONG)of->values[2],
                                                              &logical, TRUE);
        buffer_keep(of, name, bytes, logical);
    }
}

void call_allocate_common_buffer_ex(adapter_call *of) {
    named_buffer *name = buffer_get(of);
    PHYSICAL_ADDRESS logical = {.QuadPart = 0};
    PHYSICAL_ADDRESS most = {.QuadPart = (LONGLONG)of->values[3]};
    if (name != NULL) {
        PVOID bytes = adapter_operations.AllocateCommonBufferEx(
            of->adapter, &most, (ULONG)of->values[2], &logical, TRUE, 0);
        buffer_keep(of, name, bytes, logical);
    }
}

/* The driver's own stores, in the buffer or next to it: into the page before it, and into the tag
 * behind it, but nowhere else. */
void call_write_common_buffer(adapter_call *of) {
    const uint64_t *name = name_find(of, NAME_COMMON_BUFFER, 0);
    const named_buffer *given = name == NULL ? NULL : (const named_buffer *)(uintptr_t)*name;
    if (given == NULL) {
        return;
    }
    const uint64_t *live =
        table_find(&hal_of(of->machine)->wdm_buffers, (uint64_t)(uintptr_t)given->bytes);
    if (given->bytes == NULL || live == NULL) {
        program_fail(of->run, WDFDMA_PROGRAM_NOT_CREATED, of->step->offsets[0], of->values[0]);
        return;
    }
    uint64_t from_page = of->values[1] + PAGE_BYTES;
    uint64_t room = PAGE_BYTES + ((const wdm_buffer *)(uintptr_t)*live)->length + GUARD_TAG_BYTES;
    if (from_page > room || of->values[2] > room - from_page) {
        program_fail(of->run, WDFDMA_PROGRAM_OUT_OF_RANGE, of->step->offsets[1], of->values[1]);
        return;
    }
    memset((uint8_t *)given->bytes - PAGE_BYTES + from_page, 0xA5, (size_t)of->values[2]);
}

void call_free_common_buffer(adapter_call *of) {
    const uint64_t *name = name_find(of, NAME_COMMON_BUFFER, 1);
    const named_buffer *given = name == NULL ? NULL : (const named_buffer *)(uintptr_t)*name;
    if (given != NULL) {
        adapter_operations.FreeCommonBuffer(of->adapter, (ULONG)of->values[2], given->logical,
                                            given->bytes, TRUE);
    }
}

/* ---- Channels and map registers ---- */

static PVOID base_find(const adapter_call *of, uint32_t index, bool *known) {
    const uint64_t *name = name_find(of, NAME_BASE, index);
    *known = name != NULL;
    return name == NULL ? NULL : (PVOID)(uintptr_t)*name;
}

static IO_ALLOCATION_ACTION on_adapter_control(PDEVICE_OBJECT device_object, PIRP irp, PVOID base,
                                               PVOID context) {
    const driver_routine *of = context;
    (void)device_object;
    (void)irp;
    *table_find(&of->run->names[NAME_BASE], of->name) = (uint64_t)(uintptr_t)base;
    program_steps_run(of->machine, of->run, of->begin, of->end);
    return of->action;
}

void call_initialize_dma_transfer_context(adapter_call *of) {
    PVOID context = context_get(of, 1);
    if (context != NULL) {
        of->status = adapter_operations.InitializeDmaTransferContext(of->adapter, context);
    }
}

void call_allocate_adapter_channel(adapter_call *of) {
    driver_routine *routine = name_get(of, NAME_BASE, 1) == NULL ? NULL : routine_create(of, 1);
    if (routine != NULL) {
        of->status = adapter_operations.AllocateAdapterChannel(
            of->adapter, WdfDeviceWdmGetPhysicalDevice(of->run->device), (ULONG)of->values[2],
            on_adapter_control, routine);
    }
}

void call_allocate_adapter_channel_ex(adapter_call *of) {
    PVOID context = context_get(of, 3);
    driver_routine *routine =
        context == NULL || name_get(of, NAME_BASE, 1) == NULL ? NULL : routine_create(of, 1);
    if (routine != NULL) {
        of->status = adapter_operations.AllocateAdapterChannelEx(
            of->adapter, WdfDeviceWdmGetPhysicalDevice(of->run->device), context,
            (ULONG)of->values[2], of->values[4] != 0 ? DMA_SYNCHRONOUS_CALLBACK : 0,
            on_adapter_control, routine, NULL);
    }
}

void call_cancel_adapter_channel(adapter_call *of) {
    PVOID context = context_get(of, 1);
    if (context != NULL) {
        of->first = adapter_operations.CancelAdapterChannel(
            of->adapter, WdfDeviceWdmGetPhysicalDevice(of->run->device), context);
    }
}

void call_configure_adapter_channel(adapter_call *of) {
    of->status = adapter_operations.ConfigureAdapterChannel(of->adapter, 0, NULL);
}

void call_free_adapter_channel(adapter_call *of) {
    adapter_operations.FreeAdapterChannel(of->adapter);
}

void call_free_adapter_object(adapter_call *of) {
    adapter_operations.FreeAdapterObject(of->adapter,
                                         (IO_ALLOCATION_ACTION)(of->values[1] + KeepObject));
}

void call_free_map_registers(adapter_call *of) {
    bool known;
    PVOID base = base_find(of, 1, &known);
    if (known) {
        adapter_operations.FreeMapRegisters(of->adapter, base, (ULONG)of->values[2]);
    }
}

void call_cancel_mapped_transfer(adapter_call *of) {
    PVOID context = context_get(of, 1);
    if (context != NULL) {
        of->status = adapter_operations.CancelMappedTransfer(of->adapter, context);
    }
}
