/* System DMA: transfer contexts, and the controller that owns the bytes until they complete.
 * docs/spec/hal.md, section 6. */
#include "hal.h"

void transfer_context_initialize(transfer_context *context) {
    WDFDMA_ASSERT(!context->mapped && context->adapter == NULL);
    context->cancelled = false;
}

static void context_stop(transfer_context *context) {
    if (context->adapter != NULL && context->adapter->controller == context) {
        context->adapter->controller = NULL;
    }
    context->adapter = NULL;
    context->mapped = false;
}

void transfer_start(adapter *by, transfer_context *context, uint64_t length) {
    context->length = length;
    context->mapped = true;
    context->adapter = by;
    by->controller = context;
}

void transfer_flush(transfer_context *context) {
    context_stop(context);
    context->cancelled = false;
}

NTSTATUS transfer_cancel(wdfdma_machine *machine, transfer_context *context) {
    if (context->cancelled) {
        return STATUS_UNSUCCESSFUL;
    }
    context->cancelled = true;
    if (context->mapped) {
        context_stop(context);
        if (context->complete != NULL) {
            context->complete(machine, context, DmaCancelled);
        }
    }
    return STATUS_SUCCESS;
}

bool controller_complete(wdfdma_machine *machine, adapter *by, DMA_COMPLETION_STATUS status) {
    transfer_context *context = by->controller;
    if (context == NULL) {
        return false;
    }
    context_stop(context);
    if (context->complete != NULL) {
        context->complete(machine, context, status);
    }
    return true;
}
