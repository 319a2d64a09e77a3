/* How an object stands, in a few numbers, for the records of rules that were broken: only read.
 * What is described is 0 until then, but for the first register, which is none. */
#include "framework.h"

static void transaction_describe(const transaction *item, wdfdma_object_state *out) {
    wdfdma_transaction_info info;
    transaction_fill_info(item, &info);
    out->state = info.state;
    out->waiting = info.waiting;
    out->first_register = info.first_register;
    out->registers = info.registers;
    out->reserved = info.reserved;
    out->length = info.length;
    out->bytes_transferred = info.bytes_transferred;
    out->transfer_length = info.transfer_length;
}

static void adapter_describe(const adapter *by, wdfdma_object_state *out) {
    out->state = by->channel != NULL;
    out->waiters += by->waiting;
    out->registers += by->registers_held;
}

static void enabler_describe(const enabler *of, wdfdma_object_state *out) {
    for (int direction = 0; direction < 2; direction++) {
        const adapter *by = of->adapters[direction];
        if (by != NULL && (direction == 0 || by != of->adapters[0])) {
            out->waiters += by->waiting;
            out->registers += by->registers_held;
        }
    }
}

static void request_describe(const wdf_request *of, wdfdma_object_state *out) {
    bool writes = of->config.type == WdfRequestTypeWrite;
    out->state = of->completed;
    out->length = writes ? of->config.input_length : of->config.output_length;
    out->bytes_transferred = of->information;
    out->references += of->dma_references;
}

static void mdl_describe(const mdl_object *of, wdfdma_object_state *out) {
    out->length = of->mdl->ByteCount;
    out->references = mdl_count_mappings(of);
}

void object_describe(const wdfdma_machine *machine, const object *of, wdfdma_object_state *out) {
    (void)machine;
    if (of->type >= WDFDMA_OBJECT_DEVICE && of->type <= WDFDMA_OBJECT_GENERAL) {
        out->references = ((const fx_object *)of)->references;
        out->deleted = of->kind == KIND_DELETED;
    }
    switch (of->type) {
    case WDFDMA_OBJECT_DEVICE:
        out->state = ((const device *)of)->dma_busy;
        break;
    case WDFDMA_OBJECT_ENABLER:
        enabler_describe((const enabler *)of, out);
        break;
    case WDFDMA_OBJECT_TRANSACTION:
        transaction_describe((const transaction *)of, out);
        break;
    case WDFDMA_OBJECT_COMMON_BUFFER:
        out->length = ((const common_buffer *)of)->length;
        break;
    case WDFDMA_OBJECT_REQUEST:
        request_describe((const wdf_request *)of, out);
        break;
    case WDFDMA_OBJECT_ADAPTER:
        adapter_describe((const adapter *)of, out);
        break;
    case WDFDMA_OBJECT_MDL:
        mdl_describe((const mdl_object *)of, out);
        break;
    default:
        break;
    }
}
