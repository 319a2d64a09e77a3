"""The parts of a C reproducer that are the same in each; a part is written where what is written so far uses it."""

import re

HEAD = """\
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wdf.h"
#include "wdfdma.h"

static wdfdma_machine *machine;
static WDFDEVICE device;
"""

# By the name that another part uses, in the order in which they are to stand.
_PARTS = {
    "status": "static NTSTATUS status;\n",
    "old_irql": "static KIRQL old_irql;\n",
    "built": "static PMDL built;\n",
    "size": """\
/* A length that a call takes, and may change. */
static ULONG *size(ULONG length) {
    static ULONG given;
    given = length;
    return &given;
}
""",
    "reactions": """\
/* What a callback is to do when it is called next: numbers of its cases, oldest first. */
typedef struct reactions {
    unsigned cases[ROOM];
    unsigned first;
    unsigned count;
} reactions;
""",
    "react_later": """\
static void react_later(reactions *of, unsigned which) {
    of->cases[of->count++] = which;
}
""",
    "take": """\
static unsigned take(reactions *of) {
    return of->first < of->count ? of->cases[of->first++] : 0;
}
""",
    "forget": """\
static void forget(reactions *of) {
    of->first = of->count;
}
""",
    "elements_keep": """\
/* Keeps what the device is programmed with. */
static void elements_keep(SCATTER_GATHER_ELEMENT *out, ULONG room, const SCATTER_GATHER_LIST *list) {
    ULONG count = list->NumberOfElements < room ? list->NumberOfElements : room;
    memcpy(out, list->Elements, count * sizeof *out);
}
""",
    "device_access": """\
/* The device reads, or where [value] is not below 0, writes bytes of it. */
static void device_access(uint64_t address, size_t length, int value) {
    uint8_t *bytes = calloc(length + 1, 1);
    if (bytes == NULL) {
        return;
    }
    memset(bytes, value < 0 ? 0 : value, length);
    if (value < 0) {
        wdfdma_device_read(machine, address, bytes, length);
    } else {
        wdfdma_device_write(machine, address, bytes, length);
    }
    free(bytes);
}
""",
    "buffer_access": """\
/* The processor reads, or where [value] is not below 0, writes bytes of it. */
static void buffer_access(PMDL mdl, uint64_t offset, size_t length, int value) {
    uint8_t *bytes = calloc(length + 1, 1);
    if (bytes == NULL) {
        return;
    }
    memset(bytes, value < 0 ? 0 : value, length);
    if (value < 0) {
        wdfdma_mdl_read(machine, mdl, offset, bytes, length);
    } else {
        wdfdma_mdl_write(machine, mdl, offset, bytes, length);
    }
    free(bytes);
}
""",
    "buffer_free": """\
static void buffer_free(PMDL mdl) {
    NTSTATUS freed = STATUS_SUCCESS;
    while (mdl != NULL && NT_SUCCESS(freed)) {
        PMDL next = mdl->Next;
        freed = wdfdma_mdl_destroy(machine, mdl);
        mdl = next;
    }
}
""",
    "buffer_unlock": """\
static void buffer_unlock(PMDL mdl) {
    for (; mdl != NULL && !wdfdma_machine_get_state(machine)->halted; mdl = mdl->Next) {
        MmUnlockPages(mdl);
    }
}
""",
    "address_in": """\
/* The virtual address [offset] bytes from the begin of a buffer. */
static PVOID address_in(PMDL mdl, int64_t offset) {
    return (PVOID)((uintptr_t)MmGetMdlVirtualAddress(mdl) + (uintptr_t)offset);
}
""",
    "request_create": """\
static WDFREQUEST request_create(WDF_REQUEST_TYPE type, PMDL mdl, uint64_t length) {
    wdfdma_request_config config = {.type = (uint32_t)type};
    WDFREQUEST made = NULL;
    if (type == WdfRequestTypeWrite) {
        config.input = mdl;
        config.input_length = length;
    } else {
        config.output = mdl;
        config.output_length = length;
    }
    wdfdma_request_create(device, &config, &made);
    return made;
}
""",
    "leaks_check": """\
static void leaks_check(void) {
    size_t leaks = 0;
    wdfdma_machine_check_leaks(machine, NULL, &leaks);
}
""",
    "calls": """\
/* The routines of the adapters. */
static const DMA_OPERATIONS *calls;
""",
    "physical_device": """\
static PDEVICE_OBJECT physical_device(void) {
    return WdfDeviceWdmGetPhysicalDevice(device);
}
""",
    "adapter_keep": """\
static PDMA_ADAPTER adapter_keep(PDMA_ADAPTER adapter) {
    calls = adapter == NULL ? calls : adapter->DmaOperations;
    return adapter;
}
""",
    "adapter_get": """\
static PDMA_ADAPTER adapter_get(BOOLEAN scatter_gather, ULONG length, ULONG width, ULONG version) {
    DEVICE_DESCRIPTION description = {.Version = version,
                                      .Master = TRUE,
                                      .ScatterGather = scatter_gather,
                                      .Dma32BitAddresses = width >= 32,
                                      .Dma64BitAddresses = width >= 64,
                                      .DmaAddressWidth = width,
                                      .MaximumLength = length};
    ULONG map_registers = 0;
    return adapter_keep(IoGetDmaAdapter(physical_device(), &description, &map_registers));
}
""",
    "adapter_info_get": """\
static void adapter_info_get(PDMA_ADAPTER adapter) {
    DMA_ADAPTER_INFO info = {.Version = DMA_ADAPTER_INFO_VERSION1};
    status = calls->GetDmaAdapterInfo(adapter, &info);
}
""",
    "transfer_info_get": """\
static void transfer_info_get(PDMA_ADAPTER adapter, PMDL mdl, uint64_t offset, ULONG length,
                              BOOLEAN writes) {
    DMA_TRANSFER_INFO info = {.Version = DMA_TRANSFER_INFO_VERSION1};
    status = calls->GetDmaTransferInfo(adapter, mdl, offset, length, writes, &info);
}
""",
    "allocated_buffer": """\
typedef struct allocated_buffer {
    PVOID bytes; /* NULL: none was given */
    PHYSICAL_ADDRESS logical;
} allocated_buffer;
""",
    "common_buffer_allocate": """\
static allocated_buffer common_buffer_allocate(PDMA_ADAPTER adapter, ULONG length) {
    allocated_buffer made = {.bytes = NULL};
    made.bytes = calls->AllocateCommonBuffer(adapter, length, &made.logical, TRUE);
    return made;
}
""",
    "common_buffer_allocate_below": """\
static allocated_buffer common_buffer_allocate_below(PDMA_ADAPTER adapter, ULONG length,
                                                     LONGLONG most) {
    allocated_buffer made = {.bytes = NULL};
    PHYSICAL_ADDRESS maximum = {.QuadPart = most};
    made.bytes =
        calls->AllocateCommonBufferEx(adapter, &maximum, length, &made.logical, TRUE, 0);
    return made;
}
""",
    "common_buffer_write": """\
/* The driver's own stores: they may begin before the buffer, and end behind it. */
static void common_buffer_write(const allocated_buffer *buffer, int64_t offset, size_t length) {
    if (buffer->bytes != NULL) {
        memset((uint8_t *)buffer->bytes + offset, 0xA5, length);
    }
}
""",
    "mapped": """\
/* What MapTransferEx writes: a list of one element. */
static union {
    SCATTER_GATHER_LIST list;
    uint8_t bytes[sizeof(SCATTER_GATHER_LIST) + sizeof(SCATTER_GATHER_ELEMENT)];
} mapped;
""",
    "mapped_list": """\
static PSCATTER_GATHER_LIST mapped_list(void) {
    memset(&mapped, 0, sizeof mapped);
    return &mapped.list;
}
""",
    "mdl_create": """\
static PMDL mdl_create(uint32_t offset, uint32_t length, const uint64_t *pfns, size_t pages) {
    const wdfdma_mdl_config config = {
        .byte_offset = offset, .byte_count = length, .pfns = pfns, .pfn_count = pages};
    PMDL made = NULL;
    wdfdma_mdl_create(machine, &config, &made);
    return made;
}
""",
    "channel_configure": """\
static void channel_configure(WDFDMAENABLER enabler, WDF_DMA_DIRECTION direction) {
    CM_PARTIAL_RESOURCE_DESCRIPTOR descriptor = {0};
    PHYSICAL_ADDRESS address = {.QuadPart = 0};
    WDF_DMA_SYSTEM_PROFILE_CONFIG config;
    WDF_DMA_SYSTEM_PROFILE_CONFIG_INIT(&config, address, Width8Bits, &descriptor);
    status = WdfDmaEnablerConfigureSystemProfile(enabler, &config, direction);
}
""",
}


def find_parts(text: str, room: int) -> str:
    """The parts that [text] uses, and those that these use; [room]: the most reactions that a callback has."""
    used = set(re.findall(r"\w+", text))
    chosen: list[str] = []
    for name, part in reversed(_PARTS.items()):
        if name in used:
            chosen.append(part.replace("ROOM", str(room)))
            used |= set(re.findall(r"\w+", part))
    return "\n".join(reversed(chosen))
