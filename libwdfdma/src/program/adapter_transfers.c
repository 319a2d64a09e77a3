/* What a WDM driver's steps call, one function each: mappings, their flushes, scatter/gather lists,
 * and the MDLs below them. */
#include "adapter_steps.h"

#include <string.h>

/* The operands that calls on a part of a buffer have in common. */
typedef struct range {
    PVOID base;
    PMDL mdl;
    PVOID address;
    uint64_t offset;
    ULONG length;
    BOOLEAN to_device;
} range;

/* [first]: where they begin, with the buffer. */
static range range_get(const adapter_call *of, uint32_t first) {
    const uint64_t *values = of->values + first;
    PMDL mdl = of->run->buffers[values[0]];
    return (range){.mdl = mdl,
                   .address = address_get(mdl, values[1]),
                   .offset = values[1],
                   .length = (ULONG)values[2],
                   .to_device = (BOOLEAN)values[3]};
}

/* The same, on a map register base; false where no step has named that. */
static bool based_range_get(const adapter_call *of, range *out) {
    const uint64_t *base = name_find(of, NAME_BASE, 1);
    if (base != NULL) {
        *out = range_get(of, 2);
        out->base = (PVOID)(uintptr_t)*base;
    }
    return base != NULL;
}

void call_get_dma_transfer_info(adapter_call *of) {
    DMA_TRANSFER_INFO info = {.Version = DMA_TRANSFER_INFO_VERSION1};
    const range part = range_get(of, 1);
    of->status = adapter_operations.GetDmaTransferInfo(of->adapter, part.mdl, part.offset,
                                                       part.length, part.to_device, &info);
    of->first = info.V1.MapRegisterCount;
    of->second = info.V1.ScatterGatherElementCount;
}

/* ---- Mappings ---- */

void call_map_transfer(adapter_call *of) {
    range part;
    if (based_range_get(of, &part)) {
        ULONG length = part.length;
        PHYSICAL_ADDRESS address = adapter_operations.MapTransfer(
            of->adapter, part.mdl, part.base, part.address, &length, part.to_device);
        of->first = (uint64_t)address.QuadPart;
        of->second = length;
    }
}

static void on_completion(PDMA_ADAPTER adapter_given, PDEVICE_OBJECT device_object, PVOID context,
                          DMA_COMPLETION_STATUS status) {
    const driver_routine *of = context;
    (void)adapter_given;
    (void)device_object;
    (void)status;
    program_steps_run(of->machine, of->run, of->begin, of->end);
}

void call_map_transfer_ex(adapter_call *of) {
    union {
        SCATTER_GATHER_LIST list;
        uint8_t bytes[sizeof(SCATTER_GATHER_LIST) + sizeof(SCATTER_GATHER_ELEMENT)];
    } room;
    range part;
    driver_routine *routine = based_range_get(of, &part) ? routine_create(of, 1) : NULL;
    if (routine == NULL) {
        return;
    }
    ULONG length = part.length;
    memset(&room, 0, sizeof room);
    of->status = adapter_operations.MapTransferEx(of->adapter, part.mdl, part.base, part.offset, 0,
                                                  &length, part.to_device, &room.list, sizeof room,
                                                  on_completion, routine);
    if (NT_SUCCESS(of->status)) {
        of->first = (uint64_t)room.list.Elements[0].Address.QuadPart;
        of->second = length;
    }
}

void call_flush_adapter_buffers(adapter_call *of) {
    range part;
    if (based_range_get(of, &part)) {
        of->first = adapter_operations.FlushAdapterBuffers(
            of->adapter, part.mdl, part.base, part.address, part.length, part.to_device);
    }
}

void call_flush_adapter_buffers_ex(adapter_call *of) {
    range part;
    if (based_range_get(of, &part)) {
        of->status = adapter_operations.FlushAdapterBuffersEx(
            of->adapter, part.mdl, part.base, part.offset, part.length, part.to_device);
    }
}

/* ---- Lists ---- */

static named_list *list_named(const interpreter *run, uint64_t number) {
    return (named_list *)(uintptr_t)*table_find(&run->names[NAME_LIST], number);
}

/* The list that a step is to get or build, named if it is not yet. */
static named_list *list_make(const adapter_call *of) {
    return name_get_block(of, NAME_LIST, 1, sizeof(named_list));
}

/* The list that a step names, as it was given; false where no step has named it. */
static bool list_given(const adapter_call *of, PSCATTER_GATHER_LIST *out) {
    const uint64_t *name = name_find(of, NAME_LIST, 1);
    const named_list *found = name == NULL ? NULL : (const named_list *)(uintptr_t)*name;
    *out = found == NULL ? NULL : found->given;
    return found != NULL;
}

static void on_list(PDEVICE_OBJECT device_object, PIRP irp, PSCATTER_GATHER_LIST list,
                    PVOID context) {
    const driver_routine *of = context;
    (void)device_object;
    (void)irp;
    list_named(of->run, of->name)->given = list;
    program_steps_run(of->machine, of->run, of->begin, of->end);
}

/* The driver's buffer for the list, of [bytes] at least. A bigger one lies elsewhere; the smaller one
 * stays, for a list may be in it. */
static PVOID room_get(const adapter_call *of, named_list *list, uint64_t bytes) {
    if (list->room == NULL || list->room_bytes < bytes) {
        void *room = block_create(of, (size_t)bytes + 1);
        if (room == NULL) {
            return NULL;
        }
        list->room = room;
        list->room_bytes = bytes;
    }
    return list->room;
}

void call_get_scatter_gather_list(adapter_call *of) {
    const range part = range_get(of, 2);
    driver_routine *routine = list_make(of) == NULL ? NULL : routine_create(of, 1);
    if (routine != NULL) {
        of->status = adapter_operations.GetScatterGatherList(
            of->adapter, WdfDeviceWdmGetPhysicalDevice(of->run->device), part.mdl, part.address,
            part.length, on_list, routine, part.to_device);
    }
}

/* The operand at [index] is a context's name, and the one after it says whether to wait. */
static PVOID context_and_flags_get(const adapter_call *of, uint32_t index, ULONG *flags) {
    *flags = of->values[index + 1] != 0 ? DMA_SYNCHRONOUS_CALLBACK : 0;
    return context_get(of, index);
}

void call_get_scatter_gather_list_ex(adapter_call *of) {
    const range part = range_get(of, 2);
    ULONG flags;
    PVOID context = context_and_flags_get(of, 6, &flags);
    driver_routine *routine =
        context == NULL || list_make(of) == NULL ? NULL : routine_create(of, 1);
    if (routine != NULL) {
        of->status = adapter_operations.GetScatterGatherListEx(
            of->adapter, WdfDeviceWdmGetPhysicalDevice(of->run->device), context, part.mdl,
            part.offset, part.length, flags, on_list, routine, part.to_device, NULL, NULL, NULL);
    }
}

void call_build_scatter_gather_list(adapter_call *of) {
    const range part = range_get(of, 2);
    named_list *list = list_make(of);
    PVOID room = list == NULL ? NULL : room_get(of, list, of->values[6]);
    driver_routine *routine = room == NULL ? NULL : routine_create(of, 1);
    if (routine != NULL) {
        of->status = adapter_operations.BuildScatterGatherList(
            of->adapter, WdfDeviceWdmGetPhysicalDevice(of->run->device), part.mdl, part.address,
            part.length, on_list, routine, part.to_device, room, (ULONG)of->values[6]);
    }
}

void call_build_scatter_gather_list_ex(adapter_call *of) {
    const range part = range_get(of, 2);
    ULONG flags;
    PVOID context = context_and_flags_get(of, 7, &flags);
    named_list *list = context == NULL ? NULL : list_make(of);
    PVOID room = list == NULL ? NULL : room_get(of, list, of->values[6]);
    driver_routine *routine = room == NULL ? NULL : routine_create(of, 1);
    if (routine != NULL) {
        of->status = adapter_operations.BuildScatterGatherListEx(
            of->adapter, WdfDeviceWdmGetPhysicalDevice(of->run->device), context, part.mdl,
            part.offset, part.length, flags, on_list, routine, part.to_device, room,
            (ULONG)of->values[6], NULL, NULL, NULL);
    }
}

void call_put_scatter_gather_list(adapter_call *of) {
    PSCATTER_GATHER_LIST given;
    if (list_given(of, &given)) {
        adapter_operations.PutScatterGatherList(of->adapter, given, (BOOLEAN)of->values[2]);
    }
}

void call_calculate_scatter_gather_list(adapter_call *of) {
    PMDL mdl = of->run->buffers[of->values[1]];
    ULONG size = 0;
    of->status = adapter_operations.CalculateScatterGatherList(
        of->adapter, mdl, address_get(mdl, of->values[2]), (ULONG)of->values[3], &size, NULL);
    of->first = size;
}

void call_build_mdl_from_scatter_gather_list(adapter_call *of) {
    PSCATTER_GATHER_LIST given;
    PMDL made = NULL;
    if (list_given(of, &given)) {
        of->status = adapter_operations.BuildMdlFromScatterGatherList(
            of->adapter, given, of->run->buffers[of->values[2]], &made);
    }
}

/* The whole chain, one MDL after another, so long as the machine runs. */
void call_unlock_pages(adapter_call *of) {
    PMDL at = of->run->buffers[of->values[0]];
    while (at != NULL && !of->machine->state.halted) {
        MmUnlockPages(at);
        at = at->Next;
    }
}
