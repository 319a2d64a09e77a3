/* Requests: what a dispatcher hands a driver, and how a transaction takes its buffer from one. */
#include "framework.h"

enum {
    METHOD_MASK = 3
};

static bool type_is_known(const wdfdma_request_config *config) {
    return config->type == WdfRequestTypeRead || config->type == WdfRequestTypeWrite ||
           config->type == WdfRequestTypeDeviceControl ||
           config->type == WdfRequestTypeDeviceControlInternal;
}

static COLD void creation_journal(wdfdma_machine *machine, const device *parent,
                                  const wdfdma_request_config *config) {
    bool reads = config->type == WdfRequestTypeRead;
    if (config->type != WdfRequestTypeRead && config->type != WdfRequestTypeWrite) {
        journal_mark(machine, WDFDMA_JOURNAL_OTHER, WDFDMA_OP_REQUEST_CREATE, 0);
        return;
    }
    const uint64_t values[] = {wdfdma_machine_localize(machine, parent->base.head.handle),
                               config->type, reads ? config->output_length : config->input_length};
    chain_journal(machine, reads ? config->output : config->input);
    journal_write(machine, WDFDMA_OP_REQUEST_CREATE, values, 3);
}

NTSTATUS wdfdma_request_create(WDFDEVICE handle, const wdfdma_request_config *config,
                               WDFREQUEST *out) {
    if (config == NULL || out == NULL || !type_is_known(config)) {
        return STATUS_INVALID_PARAMETER;
    }
    ddi_call call;
    device *parent = (device *)ddi_enter(&call, handle, WDFDMA_OBJECT_DEVICE, WDFDMA_OP_CONTROL);
    if (parent == NULL) {
        return STATUS_UNSUCCESSFUL;
    }
    if (journal_is_on(call.machine)) {
        creation_journal(call.machine, parent, config);
    }
    fx_object *made = NULL;
    NTSTATUS status = STATUS_INVALID_PARAMETER;
    bool buffers_live = (config->input == NULL || mdl_find(call.machine, config->input) != NULL) &&
                        (config->output == NULL || mdl_find(call.machine, config->output) != NULL);
    if (buffers_live) {
        status = fx_create(call.machine, WDFDMA_OBJECT_REQUEST, sizeof(wdf_request), &parent->base,
                           NULL, &made);
    }
    if (NT_SUCCESS(status)) {
        ((wdf_request *)made)->config = *config;
        *out = (WDFREQUEST)fx_get_handle(made);
        journal_made(call.machine, &made->head);
    }
    ddi_leave(&call);
    return status;
}

static wdf_request *request_enter(ddi_call *call, WDFREQUEST handle, wdfdma_op op) {
    return (wdf_request *)ddi_enter(call, handle, WDFDMA_OBJECT_REQUEST, op);
}

static void held_request_bugcheck(wdfdma_machine *machine, const wdf_request *held) {
    verifier_rule(machine, WDFDMA_RULE_REQUEST_COMPLETED_IN_TRANSFER, &held->base.head);
    verifier_wdf_violation(machine, WDFDMA_WDF_VERIFIER_FATAL_ERROR, held->base.head.handle,
                           held->dma_references, &held->base.head);
}

void wdfdma_request_destroy(WDFREQUEST handle) {
    ddi_call call;
    wdf_request *gone = request_enter(&call, handle, WDFDMA_OP_CONTROL);
    if (gone == NULL) {
        return;
    }
    if (gone->dma_references != 0) {
        held_request_bugcheck(call.machine, gone);
    } else {
        fx_delete(call.machine, &gone->base);
    }
    ddi_leave(&call);
}

NTSTATUS wdfdma_request_get_info(WDFREQUEST handle, wdfdma_request_info *out) {
    wdfdma_machine *machine = registry_find((uint64_t)(uintptr_t)handle);
    const object *found =
        machine == NULL ? NULL : object_find(machine, (uint64_t)(uintptr_t)handle);
    if (found == NULL || found->type != WDFDMA_OBJECT_REQUEST || out == NULL) {
        return out == NULL ? STATUS_INVALID_PARAMETER : STATUS_INVALID_HANDLE;
    }
    const wdf_request *of = (const wdf_request *)found;
    *out = (wdfdma_request_info){.completed = of->completed,
                                 .status = of->status,
                                 .information = of->information,
                                 .references = of->dma_references,
                                 .label = found->label};
    return STATUS_SUCCESS;
}

void WdfRequestGetParameters(WDFREQUEST Request, PWDF_REQUEST_PARAMETERS Parameters) {
    ddi_call call;
    const wdf_request *of = request_enter(&call, Request, WDFDMA_OP_REQUEST_CALL);
    if (of == NULL) {
        return;
    }
    if (Parameters == NULL) {
        verifier_wdf_violation(call.machine, WDFDMA_WDF_REQUIRED_PARAMETER_IS_NULL, 0, 0, NULL);
    } else {
        *Parameters = (WDF_REQUEST_PARAMETERS){.Size = sizeof *Parameters};
        Parameters->Type = (WDF_REQUEST_TYPE)of->config.type;
        if (of->config.type == WdfRequestTypeRead) {
            Parameters->Parameters.Read.Length = (size_t)of->config.output_length;
            Parameters->Parameters.Read.DeviceOffset = of->config.device_offset;
        } else if (of->config.type == WdfRequestTypeWrite) {
            Parameters->Parameters.Write.Length = (size_t)of->config.input_length;
            Parameters->Parameters.Write.DeviceOffset = of->config.device_offset;
        } else {
            Parameters->Parameters.DeviceIoControl.OutputBufferLength =
                (size_t)of->config.output_length;
            Parameters->Parameters.DeviceIoControl.InputBufferLength =
                (size_t)of->config.input_length;
            Parameters->Parameters.DeviceIoControl.IoControlCode = of->config.io_control_code;
        }
    }
    ddi_leave(&call);
}

static bool is_method_neither(const wdf_request *of) {
    bool is_control = of->config.type == WdfRequestTypeDeviceControl ||
                      of->config.type == WdfRequestTypeDeviceControlInternal;
    return is_control && (of->config.io_control_code & METHOD_MASK) == METHOD_NEITHER;
}

static NTSTATUS mdl_retrieve(WDFREQUEST handle, bool input, PMDL *out) {
    ddi_call call;
    const wdf_request *of = request_enter(&call, handle, WDFDMA_OP_REQUEST_CALL);
    if (of == NULL) {
        return STATUS_UNSUCCESSFUL;
    }
    NTSTATUS status = STATUS_SUCCESS;
    bool wrong_type =
        of->config.type == (uint32_t)(input ? WdfRequestTypeRead : WdfRequestTypeWrite) ||
        is_method_neither(of);
    PMDL mdl = input ? of->config.input : of->config.output;
    uint64_t length = input ? of->config.input_length : of->config.output_length;
    if (out == NULL) {
        verifier_wdf_violation(call.machine, WDFDMA_WDF_REQUIRED_PARAMETER_IS_NULL, 0, 0, NULL);
        status = STATUS_UNSUCCESSFUL;
    } else if (of->completed) {
        status = STATUS_INTERNAL_ERROR;
    } else if (wrong_type) {
        verifier_break(call.machine, &of->base.head);
        status = STATUS_INVALID_DEVICE_REQUEST;
    } else if (mdl == NULL || length == 0) {
        status = STATUS_BUFFER_TOO_SMALL;
    } else if (!fault_hits_routine(call.machine,
                                   input ? WDFDMA_ROUTINE_RETRIEVE_INPUT_WDM_MDL
                                         : WDFDMA_ROUTINE_RETRIEVE_OUTPUT_WDM_MDL,
                                   &status)) {
        *out = mdl;
    }
    ddi_leave(&call);
    return status;
}

NTSTATUS WdfRequestRetrieveInputWdmMdl(WDFREQUEST Request, PMDL *Mdl) {
    SITE_NOTE(Request, WDFDMA_OP_REQUEST_CALL);
    return mdl_retrieve(Request, true, Mdl);
}

NTSTATUS WdfRequestRetrieveOutputWdmMdl(WDFREQUEST Request, PMDL *Mdl) {
    SITE_NOTE(Request, WDFDMA_OP_REQUEST_CALL);
    return mdl_retrieve(Request, false, Mdl);
}

ULONG_PTR WdfRequestGetInformation(WDFREQUEST Request) {
    ddi_call call;
    const wdf_request *of = request_enter(&call, Request, WDFDMA_OP_REQUEST_CALL);
    if (of == NULL) {
        return 0;
    }
    ddi_leave(&call);
    return (ULONG_PTR)of->information;
}

void WdfRequestSetInformation(WDFREQUEST Request, ULONG_PTR Information) {
    ddi_call call;
    wdf_request *of = request_enter(&call, Request, WDFDMA_OP_REQUEST_CALL);
    if (of == NULL) {
        return;
    }
    of->information = Information;
    ddi_leave(&call);
}

/* The most that a request can report: what its buffer holds. */
static uint64_t information_limit(const wdf_request *of) {
    if (of->config.type == WdfRequestTypeWrite) {
        return of->config.input_length;
    }
    return of->config.output_length;
}

static void request_complete(wdfdma_machine *machine, wdf_request *of, NTSTATUS status) {
    if (of->completed) {
        verifier_wdf_violation(machine, WDFDMA_WDF_REQUEST_FATAL_ERROR, 1, of->base.head.handle,
                               &of->base.head);
    } else if (of->dma_references != 0) {
        held_request_bugcheck(machine, of);
    } else if (NT_SUCCESS(status) && of->information > information_limit(of)) {
        verifier_wdf_violation(machine, WDFDMA_WDF_REQUEST_FATAL_ERROR, 2, of->base.head.handle,
                               &of->base.head);
    } else {
        of->completed = true;
        of->status = status;
    }
}

void WdfRequestComplete(WDFREQUEST Request, NTSTATUS Status) {
    ddi_call call;
    wdf_request *of = request_enter(&call, Request, WDFDMA_OP_REQUEST_COMPLETE);
    if (of == NULL) {
        return;
    }
    journal_call_with_two(call.machine, of->base.head.handle, (uint32_t)Status, 0);
    request_complete(call.machine, of, Status);
    ddi_leave(&call);
}

void WdfRequestCompleteWithInformation(WDFREQUEST Request, NTSTATUS Status, ULONG_PTR Information) {
    ddi_call call;
    wdf_request *of = request_enter(&call, Request, WDFDMA_OP_REQUEST_COMPLETE);
    if (of == NULL) {
        return;
    }
    journal_mark(call.machine, WDFDMA_JOURNAL_INFORMATION, Information, 0);
    journal_call_with_two(call.machine, of->base.head.handle, (uint32_t)Status, 1);
    if (!of->completed) {
        of->information = Information;
    }
    request_complete(call.machine, of, Status);
    ddi_leave(&call);
}

/* WdfDmaTransactionInitializeUsingRequest */

static NTSTATUS control_choose(wdfdma_machine *machine, const wdf_request *of,
                               buffer_range *range) {
    bool to_device = range->direction == WdfDmaDirectionWriteToDevice;
    switch (of->config.io_control_code & METHOD_MASK) {
    case METHOD_BUFFERED:
        range->mdl = to_device ? of->config.input : of->config.output;
        range->length = to_device ? of->config.input_length : of->config.output_length;
        return STATUS_SUCCESS;
    case METHOD_IN_DIRECT:
    case METHOD_OUT_DIRECT:
        range->mdl = of->config.output;
        range->length = of->config.output_length;
        return to_device == ((of->config.io_control_code & METHOD_MASK) == METHOD_IN_DIRECT)
                   ? STATUS_SUCCESS
                   : STATUS_INVALID_DEVICE_REQUEST;
    default:
        verifier_break(machine, &of->base.head);
        return STATUS_INVALID_DEVICE_REQUEST;
    }
}

/* The buffer that a request offers for [range]->direction. */
static NTSTATUS buffer_choose(wdfdma_machine *machine, const wdf_request *of, buffer_range *range) {
    bool to_device = range->direction == WdfDmaDirectionWriteToDevice;
    switch (of->config.type) {
    case WdfRequestTypeRead:
        range->mdl = of->config.output;
        range->length = of->config.output_length;
        return to_device ? STATUS_INVALID_DEVICE_REQUEST : STATUS_SUCCESS;
    case WdfRequestTypeWrite:
        range->mdl = of->config.input;
        range->length = of->config.input_length;
        return to_device ? STATUS_SUCCESS : STATUS_INVALID_DEVICE_REQUEST;
    default:
        return control_choose(machine, of, range);
    }
}

static NTSTATUS initialize_using_request(wdfdma_machine *machine, transaction *item,
                                         wdf_request *of, buffer_range *range) {
    if (range->program_dma == NULL) {
        verifier_wdf_violation(machine, WDFDMA_WDF_REQUIRED_PARAMETER_IS_NULL, 0, 0,
                               &item->base.head);
        return STATUS_UNSUCCESSFUL;
    }
    if (!direction_is_valid(range->direction)) {
        return STATUS_INVALID_PARAMETER;
    }
    NTSTATUS status = buffer_choose(machine, of, range);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    if (range->length == 0 || range->mdl == NULL || of->completed) {
        return STATUS_INVALID_DEVICE_REQUEST;
    }
    range->of = mdl_find(machine, range->mdl);
    status = transaction_initialize(machine, item, range);
    if (NT_SUCCESS(status)) {
        item->request = of->base.head.handle;
    }
    return status;
}

NTSTATUS WdfDmaTransactionInitializeUsingRequest(WDFDMATRANSACTION DmaTransaction,
                                                 WDFREQUEST Request,
                                                 PFN_WDF_PROGRAM_DMA EvtProgramDmaFunction,
                                                 WDF_DMA_DIRECTION DmaDirection) {
    SITE_NOTE(DmaTransaction, WDFDMA_OP_INITIALIZE_USING_REQUEST);
    ddi_call call;
    transaction *item = (transaction *)ddi_enter(&call, DmaTransaction, WDFDMA_OBJECT_TRANSACTION,
                                                 WDFDMA_OP_INITIALIZE_USING_REQUEST);
    if (item == NULL) {
        return STATUS_UNSUCCESSFUL;
    }
    if (journal_is_on(call.machine)) {
        const uint64_t operands[] = {
            wdfdma_machine_localize(call.machine, (uint64_t)(uintptr_t)Request),
            (uint64_t)DmaDirection, EvtProgramDmaFunction != NULL};
        journal_write_call(call.machine, item->base.head.handle, operands, 3);
    }
    uint32_t label = item->base.head.label;
    uint64_t bits = (uint64_t)(uintptr_t)Request;
    object *found = object_find(call.machine, bits);
    if (found == NULL || found->type != WDFDMA_OBJECT_REQUEST || found->kind != 0) {
        verifier_wdf_violation(call.machine, WDFDMA_WDF_INVALID_HANDLE, bits, 0, NULL);
        return ddi_leave_status(&call, label, STATUS_UNSUCCESSFUL);
    }
    buffer_range range = {.program_dma = EvtProgramDmaFunction, .direction = DmaDirection};
    NTSTATUS status = initialize_using_request(call.machine, item, (wdf_request *)found, &range);
    return ddi_leave_status(&call, label, status);
}
