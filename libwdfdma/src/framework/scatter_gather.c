/* Scatter-gather transactions: cut at Initialize, staged list by list, put.
 *
 * A transaction holds at most one list. When it is put, its registers may let through another
 * one of this very transaction, which is forgotten with its registers as soon as the put
 * returns: so does the real framework. */
#include "framework.h"

static bool limit_is_exceeded(const transaction *item, uint64_t registers) {
    return registers > item->enabler->maximum_elements;
}

/* Asks needed() of each maximum fragment in turn. The ones past the first refusal do not matter. */
static NTSTATUS fragments_check(wdfdma_machine *machine, transaction *item) {
    uint64_t done = 0;
    PMDL from = item->mdl;
    uint64_t from_offset = item->offset;
    while (done < item->length) {
        uint64_t left = item->length - done;
        uint64_t fragment = left < item->maximum_fragment ? left : item->maximum_fragment;
        range_need need;
        NTSTATUS status = range_get_needed(machine, from, from_offset, fragment, &need);
        if (need.broken) {
            mdl_bugcheck(machine);
            return STATUS_UNSUCCESSFUL;
        }
        if (need.starts_past_end) {
            verifier_rule(machine, WDFDMA_RULE_LENGTH_PAST_BUFFER, &item->base.head);
            return STATUS_UNSUCCESSFUL;
        }
        if (!NT_SUCCESS(status)) {
            verifier_break(machine);
            return status;
        }
        if (limit_is_exceeded(item, need.registers)) {
            return STATUS_WDF_TOO_FRAGMENTED;
        }
        done += fragment;
        from_offset += fragment;
        /* As far as the chain is known to be good: the next round finds the rest. */
        while (from->Next != NULL && from_offset >= from->ByteCount &&
               mdl_find(machine, from->Next) != NULL) {
            from_offset -= from->ByteCount;
            from = from->Next;
        }
    }
    return STATUS_SUCCESS;
}

/* Room for [elements] in the list's buffer. */
static bool list_buffer_ensure(wdfdma_machine *machine, transaction *item, uint64_t elements) {
    if (elements <= item->hal.gather.capacity) {
        return true;
    }
    size_t bytes = sizeof(SCATTER_GATHER_LIST) + (size_t)elements * sizeof(SCATTER_GATHER_ELEMENT);
    PSCATTER_GATHER_LIST made = data_allocate(machine, bytes, NULL);
    if (made == NULL) {
        return false;
    }
    data_free(machine, item->hal.gather.list);
    item->hal.gather.list = made;
    item->hal.gather.capacity = (uint32_t)elements;
    return true;
}

void gather_buffer_free(wdfdma_machine *machine, transaction *item) {
    data_free(machine, item->hal.gather.list);
    item->hal.gather.list = NULL;
    item->hal.gather.capacity = 0;
}

static bool is_single_transfer(const transaction *item) {
    return item->single_transfer && item->enabler->version == 3;
}

/* The buffer is made for what the whole range could need; a list never has more elements than
 * its adapter has registers, but under single transfer. */
static NTSTATUS list_buffer_prepare(wdfdma_machine *machine, transaction *item) {
    range_need need;
    range_get_needed(machine, item->mdl, item->offset, item->length, &need);
    uint64_t elements = need.registers;
    if (!is_single_transfer(item) && elements > item->adapter->map_registers) {
        elements = item->adapter->map_registers;
    }
    return list_buffer_ensure(machine, item, elements) ? STATUS_SUCCESS
                                                       : STATUS_INSUFFICIENT_RESOURCES;
}

NTSTATUS gather_initialize(wdfdma_machine *machine, transaction *item) {
    if (!is_single_transfer(item)) {
        NTSTATUS status = fragments_check(machine, item);
        if (!NT_SUCCESS(status)) {
            return status;
        }
    }
    return list_buffer_prepare(machine, item);
}

/* Requests: the one of the transaction itself, and extras for completions that came while it waits. */

bool gather_is_waiting(const transaction *item) {
    return item->hal.gather.own.request.waiting != WDFDMA_WAITING_NOT ||
           item->hal.gather.extras != NULL;
}

static transaction *request_get_owner(const list_request *request) {
    return request->request.context;
}

/* What a grant finds when its transaction has moved on while it waited. */
static bool list_place(wdfdma_machine *machine, list_request *request, mapping **map,
                       PSCATTER_GATHER_LIST *list, uint64_t *capacity) {
    transaction *item = request_get_owner(request);
    wdfdma_rule rule = WDFDMA_RULE_NONE;
    if (item->mdl == NULL || item->state == WDFDMA_STATE_DELETED) {
        rule = WDFDMA_RULE_PENDING_RESERVATION_DISTURBED;
    } else if (item->held_list == LIST_HELD) {
        rule = WDFDMA_RULE_MAPPED_TWICE;
    }
    if (UNLIKELY(rule != WDFDMA_RULE_NONE)) {
        verifier_rule(machine, rule, &item->base.head);
        return false;
    }
    *map = &item->hal.gather.map;
    *list = item->hal.gather.list;
    *capacity = item->hal.gather.capacity;
    return true;
}

static void extra_remove(wdfdma_machine *machine, transaction *item, extra_list *gone) {
    extra_list **link = &item->hal.gather.extras;
    while (*link != gone) {
        link = &(*link)->next;
    }
    *link = gone->next;
    data_free(machine, gone);
}

static void list_is_built(wdfdma_machine *machine, list_request *request) {
    transaction *item = request_get_owner(request);
    item->held_list = LIST_HELD;
    item->hal.gather.list_base = request->request.base;
    item->hal.gather.list_count = request->request.count;
    if (UNLIKELY(request != &item->hal.gather.own)) {
        extra_remove(machine, item, (extra_list *)(void *)request);
    }
    program_dma_call(machine, item, item->hal.gather.list);
}

/* The request for the next list: the transaction's own, or one more where that one is still
 * waiting. */
static list_request *request_take(wdfdma_machine *machine, transaction *item) {
    list_request *own = &item->hal.gather.own;
    if (LIKELY(own->request.waiting == WDFDMA_WAITING_NOT)) {
        item->hal.gather.own_is_newer = item->hal.gather.extras != NULL;
        return own;
    }
    extra_list *extra = data_allocate(machine, sizeof *extra, NULL);
    if (extra == NULL) {
        return NULL;
    }
    extra_list **link = &item->hal.gather.extras;
    while (*link != NULL) {
        link = &(*link)->next;
    }
    *link = extra;
    return &extra->request;
}

static void request_return(wdfdma_machine *machine, transaction *item, list_request *request) {
    if (request != &item->hal.gather.own) {
        extra_remove(machine, item, (extra_list *)(void *)request);
    }
}

/* Stages */

/* Cuts a fragment that needs too many registers to the end of the last whole MDL that fits. */
static uint64_t fragment_cut(wdfdma_machine *machine, const transaction *item, uint64_t fragment) {
    mdl_walk part;
    uint64_t registers = 0;
    uint64_t fits = 0;
    bool more =
        mdl_walk_begin(machine, &part, item->mdl, item->offset + item->transferred, fragment);
    while (more) {
        registers += pages_spanned(mdl_page_offset(part.at->mdl, part.offset), part.length);
        if (registers > item->adapter->map_registers) {
            break;
        }
        fits += part.length;
        more = mdl_walk_next(machine, &part);
    }
    return fits;
}

static NTSTATUS fragment_choose(wdfdma_machine *machine, transaction *item) {
    uint64_t fragment =
        item->remaining < item->maximum_fragment ? item->remaining : item->maximum_fragment;
    item->fragment = fragment;
    if (is_single_transfer(item)) {
        return STATUS_SUCCESS;
    }
    range_need need;
    NTSTATUS status =
        range_get_needed(machine, item->mdl, item->offset + item->transferred, fragment, &need);
    if (need.broken) {
        mdl_bugcheck(machine);
        return STATUS_UNSUCCESSFUL;
    }
    if (fragment == 0 || need.starts_past_end) {
        verifier_rule(machine, WDFDMA_RULE_LENGTH_PAST_BUFFER, &item->base.head);
        return STATUS_UNSUCCESSFUL;
    }
    if (!NT_SUCCESS(status)) {
        return status;
    }
    if (limit_is_exceeded(item, need.registers)) {
        return STATUS_WDF_TOO_FRAGMENTED;
    }
    if (need.registers > item->adapter->map_registers) {
        item->fragment = fragment_cut(machine, item, fragment);
    }
    return STATUS_SUCCESS;
}

static NTSTATUS list_request_make(wdfdma_machine *machine, transaction *item) {
    list_request *request = request_take(machine, item);
    if (request == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    request->request.adapter = item->adapter;
    request->request.context = item;
    request->mdl = item->mdl;
    request->offset = item->offset + item->transferred;
    request->length = item->fragment;
    request->to_device = item->direction == WdfDmaDirectionWriteToDevice;
    request->place = list_place;
    request->built = list_is_built;
    uint64_t registers;
    NTSTATUS status = list_get_registers(machine, request, &registers);
    bool too_many = !is_single_transfer(item) && registers > item->adapter->map_registers;
    if (NT_SUCCESS(status) && too_many) {
        status = STATUS_BUFFER_TOO_SMALL;
    }
    if (NT_SUCCESS(status) && !list_buffer_ensure(machine, item, registers)) {
        status = STATUS_INSUFFICIENT_RESOURCES;
    }
    if (!NT_SUCCESS(status)) {
        request_return(machine, item, request);
        return status;
    }
    uint64_t handle = item->base.head.handle;
    uint64_t fragment = item->fragment;
    item->remaining -= fragment;
    status =
        list_build(machine, request, registers, item->immediate && item->enabler->version == 3);
    if (!NT_SUCCESS(status) && transaction_is_alive(machine, item, handle)) {
        item->remaining += fragment;
        request_return(machine, item, request);
    }
    return status;
}

NTSTATUS gather_stage(wdfdma_machine *machine, transaction *item) {
    if (UNLIKELY(item->adapter == NULL)) {
        verifier_rule(machine, WDFDMA_RULE_NO_ADAPTER, &item->base.head);
        return STATUS_UNSUCCESSFUL;
    }
    NTSTATUS status = fragment_choose(machine, item);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    status = list_request_make(machine, item);
    return machine->state.halted ? STATUS_UNSUCCESSFUL : status;
}

/* Lists given back */

void gather_put(wdfdma_machine *machine, transaction *item) {
    uint64_t handle = item->base.head.handle;
    if (item->held_list == LIST_NONE) {
        return;
    }
    if (item->held_list == LIST_PUT) {
        verifier_rule(machine, WDFDMA_RULE_LIST_PUT_TWICE, &item->base.head);
        return;
    }
    item->held_list = LIST_PUT;
    list_put(machine, item->adapter, &item->hal.gather.map, item->hal.gather.list_base,
             item->hal.gather.list_count);
    if (transaction_is_alive(machine, item, handle)) {
        /* A list that came meanwhile is forgotten, its registers with it; no device may use it
         * any more. */
        item->held_list = LIST_NONE;
        mapping_end(machine, &item->hal.gather.map);
    }
}

void gather_give_back(wdfdma_machine *machine, transaction *item) {
    uint64_t handle = item->base.head.handle;
    if (item->held_list != LIST_NONE && item->adapter == NULL) {
        verifier_rule(machine, WDFDMA_RULE_COMPLETED_TWICE, &item->base.head);
        return;
    }
    gather_put(machine, item);
    if (transaction_is_alive(machine, item, handle)) {
        item->adapter = NULL;
    }
}

/* Cancels the oldest of the requests that wait. */
bool gather_cancel(wdfdma_machine *machine, transaction *item) {
    list_request *own = &item->hal.gather.own;
    extra_list *extra = item->hal.gather.extras;
    bool own_waits = own->request.waiting != WDFDMA_WAITING_NOT;
    if (extra == NULL || (own_waits && !item->hal.gather.own_is_newer)) {
        return channel_cancel(machine, &own->request);
    }
    item->hal.gather.extras = extra->next;
    bool cancelled = channel_cancel(machine, &extra->request.request);
    data_free(machine, extra);
    return cancelled;
}
