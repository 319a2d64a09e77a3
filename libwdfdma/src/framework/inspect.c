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
}

NTSTATUS wdfdma_transaction_get_info(WDFDMATRANSACTION handle, wdfdma_transaction_info *out) {
    const transaction *item = (const transaction *)object_of(handle, WDFDMA_OBJECT_TRANSACTION);
    if (item == NULL || out == NULL) {
        return out == NULL ? STATUS_INVALID_PARAMETER : STATUS_INVALID_HANDLE;
    }
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
    return STATUS_SUCCESS;
}

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
