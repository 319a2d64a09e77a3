/* Objects as a debugger would show them: only read, never a bug check. */
#include "framework.h"

static const object *object_of(const void *handle, wdfdma_object_type type) {
    uint64_t bits = (uint64_t)(uintptr_t)handle;
    const wdfdma_machine *machine = registry_find(bits);
    const object *found = machine == NULL ? NULL : object_find(machine, bits);
    return found != NULL && found->type == (uint32_t)type ? found : NULL;
}

static void info_add_gather(const transaction *item, wdfdma_transaction_info *out) {
    const list_request *own = &item->hal.gather.own;
    out->waiting = own->request.waiting;
    if (out->waiting == WDFDMA_WAITING_NOT && item->hal.gather.extras != NULL) {
        out->waiting = item->hal.gather.extras->request.request.waiting;
    }
    out->registers = out->waiting != WDFDMA_WAITING_NOT ? own->request.count : 0;
    if (item->held_list == LIST_HELD) {
        out->holds_base = true;
        out->first_register = item->hal.gather.list_base;
        out->registers =
            item->hal.gather.list_base == NO_REGISTER ? 0 : item->hal.gather.list_count;
        out->bounces = item->map.first_register != NO_REGISTER;
    }
}

static void info_add_packet(const transaction *item, wdfdma_transaction_info *out) {
    const mapping *map = &item->map;
    out->waiting = item->hal.packet.request.waiting;
    out->holds_base = item->holds_base;
    out->first_register = item->base_register;
    out->registers =
        out->waiting != WDFDMA_WAITING_NOT ? item->hal.packet.request.count : item->base_count;
    out->bounces = map->live && map->first_register != NO_REGISTER;
    out->device_address_offset = item->hal.packet.system.device_address_offset;
}

void transaction_fill_info(const transaction *item, wdfdma_transaction_info *out) {
    *out = (wdfdma_transaction_info){
        .enabler = (WDFDMAENABLER)fx_get_handle(&item->enabler->base),
        .label = item->base.head.label,
        .state = item->state,
        .direction = item->direction,
        .length = item->length,
        .bytes_transferred = item->transferred,
        .transfer_length = item->fragment,
        .remaining = item->remaining,
        .maximum_fragment = item->maximum_fragment,
        .reserved = item->reserved,
        .first_register = NO_REGISTER,
        .immediate_execution = item->immediate,
        .single_transfer = item->hindrances.single_transfer,
        .stopped = item->hindrances.stopped,
    };
    if (item->is_scatter_gather) {
        info_add_gather(item, out);
    } else {
        info_add_packet(item, out);
    }
}

NTSTATUS wdfdma_transaction_get_info(WDFDMATRANSACTION handle, wdfdma_transaction_info *out) {
    const transaction *item = (const transaction *)object_of(handle, WDFDMA_OBJECT_TRANSACTION);
    if (item == NULL || out == NULL) {
        return out == NULL ? STATUS_INVALID_PARAMETER : STATUS_INVALID_HANDLE;
    }
    transaction_fill_info(item, out);
    return STATUS_SUCCESS;
}

/* A transaction's request names it; a WDM driver's names nothing. */
WDFDMATRANSACTION request_get_handle(const wdfdma_machine *machine, const hal_request *waiter) {
    const region *objects = &machine->regions[REGION_OBJECTS];
    uintptr_t offset = (uintptr_t)waiter->context - (uintptr_t)objects->base;
    if (offset >= objects->used_bytes || offset % OBJECT_UNIT_BYTES != 0) {
        return NULL;
    }
    const object *found =
        object_at(machine, (uint32_t)(offset / OBJECT_UNIT_BYTES), WDFDMA_OBJECT_TRANSACTION);
    return found == NULL ? NULL : (WDFDMATRANSACTION)(uintptr_t)found->handle;
}

NTSTATUS wdfdma_enabler_get_info(WDFDMAENABLER handle, WDF_DMA_DIRECTION direction,
                                 wdfdma_enabler_info *out) {
    const enabler *of = (const enabler *)object_of(handle, WDFDMA_OBJECT_ENABLER);
    if (out == NULL || !direction_is_valid(direction)) {
        return STATUS_INVALID_PARAMETER;
    }
    if (of == NULL) {
        return STATUS_INVALID_HANDLE;
    }
    *out = (wdfdma_enabler_info){.label = of->base.head.label,
                                 .profile = of->profile,
                                 .version = of->version,
                                 .address_width = of->width,
                                 .maximum_length = of->config.MaximumLength};
    const adapter *by = of->adapters[direction];
    if (by != NULL) {
        const wdfdma_machine *machine = registry_find(of->base.head.handle);
        out->configured = true;
        out->address_width = by->width;
        out->map_registers = by->map_registers;
        out->waiting = by->waiting;
        out->fragment_length = by->fragment_length;
        out->needs_map_registers = by->needs_registers;
        out->channel_owned = by->channel != NULL;
        out->channel_owner = by->channel == NULL ? NULL : request_get_handle(machine, by->channel);
    }
    return STATUS_SUCCESS;
}

size_t wdfdma_pool_copy_waiters(const wdfdma_machine *machine, WDFDMATRANSACTION *out,
                                size_t capacity) {
    size_t count = 0;
    if (machine == NULL) {
        return 0;
    }
    for (const hal_request *at = hal_of(machine)->pool.queue.first; at != NULL; at = at->next) {
        if (out != NULL && count < capacity) {
            out[count] = request_get_handle(machine, at);
        }
        count++;
    }
    return count;
}

/* Who waits for whom */

size_t wdfdma_machine_copy_objects(const wdfdma_machine *machine, uint32_t type, WDFOBJECT *out,
                                   size_t capacity) {
    size_t count = 0;
    if (machine == NULL) {
        return 0;
    }
    size_t units = machine->regions[REGION_OBJECTS].used_bytes / OBJECT_UNIT_BYTES;
    for (size_t unit = 0; unit < units; unit++) {
        const object *found = object_at(machine, (uint32_t)unit, (wdfdma_object_type)type);
        if (found == NULL) {
            continue;
        }
        if (out != NULL && count < capacity) {
            out[count] = (WDFOBJECT)(uintptr_t)found->handle;
        }
        count++;
    }
    return count;
}

WDFOBJECT wdfdma_object_get_parent(WDFOBJECT handle) {
    uint64_t bits = (uint64_t)(uintptr_t)handle;
    const wdfdma_machine *machine = registry_find(bits);
    const object *found = machine == NULL ? NULL : object_find(machine, bits);
    if (found == NULL || found->type == WDFDMA_OBJECT_NONE || found->type > WDFDMA_OBJECT_GENERAL) {
        return NULL;
    }
    const fx_object *parent = ((const fx_object *)found)->parent;
    return parent == NULL ? NULL : fx_get_handle(parent);
}

WDFOBJECT wdfdma_enabler_get_adapter(WDFDMAENABLER handle, WDF_DMA_DIRECTION direction) {
    const enabler *of = (const enabler *)object_of(handle, WDFDMA_OBJECT_ENABLER);
    if (of == NULL || !direction_is_valid(direction) || of->adapters[direction] == NULL) {
        return NULL;
    }
    return (WDFOBJECT)(uintptr_t)of->adapters[direction]->head.handle;
}

NTSTATUS wdfdma_adapter_get_info(WDFOBJECT handle, wdfdma_adapter_info *out) {
    const adapter *by = (const adapter *)object_of(handle, WDFDMA_OBJECT_ADAPTER);
    if (by == NULL || out == NULL) {
        return out == NULL ? STATUS_INVALID_PARAMETER : STATUS_INVALID_HANDLE;
    }
    const wdfdma_machine *machine = registry_find(by->head.handle);
    *out = (wdfdma_adapter_info){
        .label = by->head.label,
        .version = by->version,
        .address_width = by->width,
        .map_registers = by->map_registers,
        .registers_held = by->registers_held,
        .lists_held = by->lists_held,
        .common_buffers_held = by->common_buffers_held,
        .waiting = by->waiting,
        .maximum_length = by->maximum_length,
        .needs_map_registers = by->needs_registers,
        .scatter_gather = by->scatter_gather,
        .master = by->master,
        .transferring = by->controller != NULL,
        .channel_owned = by->channel != NULL,
        .wdm = !by->is_enablers || by->is_shown,
        .channel_owner = by->channel == NULL ? NULL : request_get_handle(machine, by->channel),
    };
    return STATUS_SUCCESS;
}

NTSTATUS wdfdma_common_buffer_get_info(WDFCOMMONBUFFER handle, wdfdma_common_buffer_info *out) {
    const common_buffer *of = (const common_buffer *)object_of(handle, WDFDMA_OBJECT_COMMON_BUFFER);
    if (of == NULL || out == NULL) {
        return out == NULL ? STATUS_INVALID_PARAMETER : STATUS_INVALID_HANDLE;
    }
    *out = (wdfdma_common_buffer_info){
        .label = of->base.head.label,
        .length = of->length,
        .logical = of->memory.logical + of->skipped_bytes,
    };
    return STATUS_SUCCESS;
}

static size_t queue_copy(const wdfdma_machine *machine, const request_queue *queue,
                         wdfdma_waiter_info *out, size_t capacity) {
    size_t count = 0;
    for (const hal_request *at = queue->first; at != NULL; at = at->next) {
        if (out != NULL && count < capacity) {
            out[count] = (wdfdma_waiter_info){
                .transaction = request_get_handle(machine, at),
                .adapter = (WDFOBJECT)(uintptr_t)at->adapter->head.handle,
                .registers = at->count,
                .waiting = at->waiting,
            };
        }
        count++;
    }
    return count;
}

size_t wdfdma_adapter_copy_waiters(WDFOBJECT handle, wdfdma_waiter_info *out, size_t capacity) {
    const adapter *by = (const adapter *)object_of(handle, WDFDMA_OBJECT_ADAPTER);
    return by == NULL ? 0 : queue_copy(registry_find(by->head.handle), &by->queue, out, capacity);
}

size_t wdfdma_pool_copy_requests(const wdfdma_machine *machine, wdfdma_waiter_info *out,
                                 size_t capacity) {
    return machine == NULL ? 0 : queue_copy(machine, &hal_of(machine)->pool.queue, out, capacity);
}

WDFOBJECT wdfdma_pool_get_owner(const wdfdma_machine *machine, uint32_t index) {
    if (machine == NULL || pool_get_run(machine, index) == 0) {
        return NULL;
    }
    uint32_t tag = hal_of(machine)->pool.runs[index].owner;
    const adapter *by = (const adapter *)object_at(machine, tag & ((1u << HANDLE_UNIT_BITS) - 1),
                                                   WDFDMA_OBJECT_ADAPTER);
    return by == NULL || adapter_get_tag(by) != tag ? NULL : (WDFOBJECT)(uintptr_t)by->head.handle;
}
