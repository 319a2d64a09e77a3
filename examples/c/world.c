/* The world around the driver: a machine, a device, a request, and hardware that fills what it was told to. */
#include "reader.h"

#include <stdio.h>
#include <string.h>
#include <wdfdma.h>

/* The hardware writes each element's number into all of its bytes. */
static void hardware_runs(wdfdma_machine *machine, const SCATTER_GATHER_LIST *list) {
    static unsigned char bytes[65536];
    for (ULONG i = 0; i < list->NumberOfElements; i++) {
        ULONG length = list->Elements[i].Length;
        memset(bytes, (int)(i + 1), length);
        wdfdma_device_write(machine, (uint64_t)list->Elements[i].Address.QuadPart, bytes, length);
    }
}

int main(void) {
    wdfdma_machine *machine = NULL;
    WDFDEVICE device = NULL;
    WDFREQUEST request = NULL;
    PMDL mdl = NULL;
    READER reader = {0};
    wdfdma_request_info info = {0};
    const uint64_t pfns[] = {40, 90, 91, 12};
    const wdfdma_mdl_config buffer = {.byte_count = 4 * 4096, .pfns = pfns, .pfn_count = 4};

    NTSTATUS status = wdfdma_machine_create(NULL, &machine);
    if (NT_SUCCESS(status)) {
        status = wdfdma_device_create(machine, WDF_NO_OBJECT_ATTRIBUTES, &device);
    }
    if (NT_SUCCESS(status)) {
        status = wdfdma_mdl_create(machine, &buffer, &mdl);
    }
    const wdfdma_request_config read = {
        .type = WdfRequestTypeRead, .output = mdl, .output_length = 4 * 4096};
    if (NT_SUCCESS(status)) {
        status = wdfdma_request_create(device, &read, &request);
    }
    if (NT_SUCCESS(status)) {
        status = ReaderCreate(device, 2 * 4096, &reader);
    }
    if (NT_SUCCESS(status)) {
        status = ReaderStart(&reader, request);
    }
    while (NT_SUCCESS(status) && !info.completed && !wdfdma_machine_get_state(machine)->halted) {
        printf("a transfer of %u elements\n", (unsigned)reader.Programmed->NumberOfElements);
        hardware_runs(machine, reader.Programmed);
        ReaderInterrupt(&reader);
        status = wdfdma_request_get_info(request, &info);
    }
    unsigned char last = 0;
    wdfdma_mdl_read(machine, mdl, 4 * 4096 - 1, &last, 1);
    printf("completed with %u bytes, the last one is %u\n", (unsigned)info.information, last);
    wdfdma_machine_destroy(machine);
    return NT_SUCCESS(status) && info.information == 4 * 4096 ? 0 : 1;
}
