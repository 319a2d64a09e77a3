/* The world of a program: its device, its enablers, its buffers. */
#include "program.h"

#include <stdlib.h>

static bool refuse(program_reader *reader, uint64_t offset, NTSTATUS status) {
    reader_fail(reader,
                status == STATUS_INSUFFICIENT_RESOURCES ? WDFDMA_PROGRAM_NO_MEMORY
                                                        : WDFDMA_PROGRAM_ENABLER_REFUSED,
                offset, 0);
    reader->result->value = status;
    return false;
}

static NTSTATUS system_profile_configure(WDFDMAENABLER made, WDF_DMA_PROFILE profile) {
    CM_PARTIAL_RESOURCE_DESCRIPTOR descriptor = {0};
    WDF_DMA_SYSTEM_PROFILE_CONFIG config;
    PHYSICAL_ADDRESS address = {.QuadPart = 0};
    WDF_DMA_SYSTEM_PROFILE_CONFIG_INIT(&config, address, Width8Bits, &descriptor);
    NTSTATUS status =
        WdfDmaEnablerConfigureSystemProfile(made, &config, WdfDmaDirectionReadFromDevice);
    if (NT_SUCCESS(status) && profile == WdfDmaProfileSystemDuplex) {
        status = WdfDmaEnablerConfigureSystemProfile(made, &config, WdfDmaDirectionWriteToDevice);
    }
    return status;
}

static NTSTATUS enabler_make(const interpreter *run, const program_enabler *asked,
                             WDFDMAENABLER *out) {
    WDF_DMA_ENABLER_CONFIG config;
    WDF_DMA_PROFILE profile = (WDF_DMA_PROFILE)asked->profile;
    WDF_DMA_ENABLER_CONFIG_INIT(&config, profile, (size_t)asked->maximum_length);
    config.WdmDmaVersionOverride = asked->version;
    config.AddressWidthOverride = asked->address_width;
    if ((asked->flags & PROGRAM_SINGLE_TRANSFER) != 0) {
        config.Flags |= WDF_DMA_ENABLER_CONFIG_REQUIRE_SINGLE_TRANSFER;
    }
    NTSTATUS status = WdfDmaEnablerCreate(run->device, &config, WDF_NO_OBJECT_ATTRIBUTES, out);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    if ((asked->flags & PROGRAM_NOT_CONFIGURED) == 0 &&
        (profile == WdfDmaProfileSystem || profile == WdfDmaProfileSystemDuplex)) {
        status = system_profile_configure(*out, profile);
    }
    if (asked->element_limit != 0) {
        WdfDmaEnablerSetMaximumScatterGatherElements(*out, (size_t)(asked->element_limit - 1));
    }
    return status;
}

static bool enablers_make(interpreter *run, program_reader *reader) {
    program_enabler asked;
    for (uint64_t i = 0; i < run->limits.enablers; i++) {
        if (!reader_enabler(reader, &asked)) {
            return false;
        }
        run->at = asked.offset;
        NTSTATUS status = enabler_make(run, &asked, &run->enablers[i]);
        if (!NT_SUCCESS(status)) {
            return refuse(reader, asked.offset, status);
        }
    }
    run->at = 0;
    return true;
}

static PMDL mdl_make(wdfdma_machine *machine, program_reader *reader) {
    wdfdma_mdl_config config = {0};
    config.byte_offset = (uint32_t)reader_number(reader, PAGE_BYTES - 1);
    config.byte_count = (uint32_t)reader_number(reader, UINT32_MAX);
    config.pfn_count = (size_t)pages_spanned(config.byte_offset, config.byte_count);
    uint64_t *pfns = malloc(config.pfn_count * sizeof *pfns);
    PMDL made = NULL;
    if (pfns != NULL) {
        for (size_t page = 0; page < config.pfn_count; page++) {
            pfns[page] = reader_number(reader, UINT64_MAX);
        }
        config.pfns = pfns;
        wdfdma_mdl_create(machine, &config, &made);
        free(pfns);
    }
    return made;
}

static bool buffers_make(wdfdma_machine *machine, interpreter *run, program_reader *reader) {
    for (uint64_t i = 0; i < run->limits.buffers; i++) {
        PMDL *link = &run->buffers[i];
        for (uint64_t mdls = reader_number(reader, UINT32_MAX); mdls > 0; mdls--) {
            uint64_t offset = reader->at;
            *link = mdl_make(machine, reader);
            if (*link == NULL) {
                return refuse(reader, offset, STATUS_INSUFFICIENT_RESOURCES);
            }
            link = &(*link)->Next;
        }
    }
    return true;
}

bool program_set_up(wdfdma_machine *machine, interpreter *run, program_reader *reader) {
    run->enablers =
        data_allocate(machine, (size_t)run->limits.enablers * sizeof *run->enablers, NULL);
    NTSTATUS status = wdfdma_device_create(machine, WDF_NO_OBJECT_ATTRIBUTES, &run->device);
    if (run->enablers == NULL || !NT_SUCCESS(status)) {
        return refuse(reader, 0, STATUS_INSUFFICIENT_RESOURCES);
    }
    if (!enablers_make(run, reader)) {
        return false;
    }
    uint64_t offset = reader->at;
    run->limits.buffers = reader_number(reader, UINT32_MAX);
    run->buffers = data_allocate(machine, (size_t)run->limits.buffers * sizeof *run->buffers, NULL);
    if (run->buffers == NULL) {
        return refuse(reader, offset, STATUS_INSUFFICIENT_RESOURCES);
    }
    return buffers_make(machine, run, reader);
}
