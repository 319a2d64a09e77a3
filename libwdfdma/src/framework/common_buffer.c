/* Common buffers, children of their enabler. */
#include "framework.h"

typedef struct buffer_ask {
    size_t length;
    ULONG mask;
    PWDF_OBJECT_ATTRIBUTES attributes;
    bool has_config;
} buffer_ask;

static NTSTATUS arguments_check(wdfdma_machine *machine, const buffer_ask *ask) {
    if (machine->state.irql > PASSIVE_LEVEL) {
        verifier_break(machine, NULL);
        return STATUS_INVALID_DEVICE_REQUEST;
    }
    if (ask->length == 0) {
        return STATUS_INVALID_PARAMETER;
    }
    if (ask->attributes != NULL && ask->attributes->ParentObject != NULL) {
        return STATUS_WDF_PARENT_ASSIGNMENT_NOT_ALLOWED;
    }
    return STATUS_SUCCESS;
}

static NTSTATUS buffer_fill(wdfdma_machine *machine, enabler *of, const buffer_ask *ask,
                            common_buffer *made) {
    adapter *by = of->adapters[0] != NULL ? of->adapters[0] : of->adapters[1];
    uint64_t extra = ask->mask >= PAGE_BYTES ? ask->mask : 0;
    if (by == NULL || ask->length > UINT64_MAX / 4) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    NTSTATUS status = common_allocate(machine, by, ask->length + extra, &made->memory);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    uint64_t aligned = (made->memory.logical + extra) & ~extra;
    made->adapter = by;
    made->length = ask->length;
    made->skipped_bytes = extra == 0 ? 0 : aligned - made->memory.logical;
    return STATUS_SUCCESS;
}

static NTSTATUS buffer_create(wdfdma_machine *machine, enabler *of, const buffer_ask *ask,
                              WDFCOMMONBUFFER *out) {
    NTSTATUS status = arguments_check(machine, ask);
    uint32_t routine = ask->has_config ? WDFDMA_ROUTINE_COMMON_BUFFER_CREATE_WITH_CONFIG
                                       : WDFDMA_ROUTINE_COMMON_BUFFER_CREATE;
    if (!NT_SUCCESS(status) || fault_hits_routine(machine, routine, &status)) {
        return status;
    }
    fx_object *made = NULL;
    status = fx_create(machine, WDFDMA_OBJECT_COMMON_BUFFER, sizeof(common_buffer), &of->base,
                       ask->attributes, &made);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    status = buffer_fill(machine, of, ask, (common_buffer *)made);
    if (!NT_SUCCESS(status)) {
        fx_discard(machine, made);
        return status;
    }
    *out = (WDFCOMMONBUFFER)fx_get_handle(made);
    return STATUS_SUCCESS;
}

/* [config] NULL: the enabler's own alignment. */
static NTSTATUS buffer_create_by_handle(WDFDMAENABLER handle,
                                        const WDF_COMMON_BUFFER_CONFIG *config, buffer_ask *ask,
                                        WDFCOMMONBUFFER *out) {
    ddi_call call;
    enabler *of =
        (enabler *)ddi_enter(&call, handle, WDFDMA_OBJECT_ENABLER, WDFDMA_OP_COMMON_BUFFER_CREATE);
    if (of == NULL) {
        return STATUS_UNSUCCESSFUL;
    }
    journal_mark(call.machine, WDFDMA_JOURNAL_OTHER, WDFDMA_OP_COMMON_BUFFER_CREATE, 0);
    NTSTATUS status = STATUS_UNSUCCESSFUL;
    if (out == NULL || (ask->has_config && config == NULL)) {
        verifier_wdf_violation(call.machine, WDFDMA_WDF_REQUIRED_PARAMETER_IS_NULL, 0, 0, NULL);
    } else if (config != NULL && config->Size != sizeof *config) {
        status = STATUS_INFO_LENGTH_MISMATCH;
    } else {
        ask->mask = config != NULL ? config->AlignmentRequirement
                                   : (of->is_scatter_gather ? of->device->alignment : 0);
        status = buffer_create(call.machine, of, ask, out);
    }
    ddi_leave(&call);
    return status;
}

NTSTATUS WdfCommonBufferCreate(WDFDMAENABLER DmaEnabler, size_t Length,
                               PWDF_OBJECT_ATTRIBUTES Attributes, WDFCOMMONBUFFER *CommonBuffer) {
    SITE_NOTE(DmaEnabler, WDFDMA_OP_COMMON_BUFFER_CREATE);
    buffer_ask ask = {.length = Length, .attributes = Attributes};
    return buffer_create_by_handle(DmaEnabler, NULL, &ask, CommonBuffer);
}

NTSTATUS WdfCommonBufferCreateWithConfig(WDFDMAENABLER DmaEnabler, size_t Length,
                                         PWDF_COMMON_BUFFER_CONFIG Config,
                                         PWDF_OBJECT_ATTRIBUTES Attributes,
                                         WDFCOMMONBUFFER *CommonBuffer) {
    SITE_NOTE(DmaEnabler, WDFDMA_OP_COMMON_BUFFER_CREATE);
    buffer_ask ask = {.length = Length, .attributes = Attributes, .has_config = true};
    return buffer_create_by_handle(DmaEnabler, Config, &ask, CommonBuffer);
}

void common_buffer_end(wdfdma_machine *machine, common_buffer *gone) {
    common_free(machine, gone->adapter, &gone->memory);
}

static const common_buffer *buffer_enter(ddi_call *call, WDFCOMMONBUFFER handle) {
    return (const common_buffer *)ddi_enter(call, handle, WDFDMA_OBJECT_COMMON_BUFFER,
                                            WDFDMA_OP_COMMON_BUFFER_CALL);
}

PVOID WdfCommonBufferGetAlignedVirtualAddress(WDFCOMMONBUFFER CommonBuffer) {
    ddi_call call;
    const common_buffer *of = buffer_enter(&call, CommonBuffer);
    if (of == NULL) {
        return NULL;
    }
    ddi_leave(&call);
    return of->memory.bytes + of->skipped_bytes;
}

PHYSICAL_ADDRESS WdfCommonBufferGetAlignedLogicalAddress(WDFCOMMONBUFFER CommonBuffer) {
    ddi_call call;
    PHYSICAL_ADDRESS address = {.QuadPart = 0};
    const common_buffer *of = buffer_enter(&call, CommonBuffer);
    if (of != NULL) {
        address.QuadPart = (LONGLONG)(of->memory.logical + of->skipped_bytes);
        ddi_leave(&call);
    }
    return address;
}

size_t WdfCommonBufferGetLength(WDFCOMMONBUFFER CommonBuffer) {
    ddi_call call;
    const common_buffer *of = buffer_enter(&call, CommonBuffer);
    if (of == NULL) {
        return 0;
    }
    ddi_leave(&call);
    return (size_t)of->length;
}
