/* Scatter-gather transactions: cut at Initialize, staged list by list, put.
 *
 * A transaction holds at most one list. When it is put, its registers may let through another
 * one of this very transaction, which is forgotten with its registers as soon as the put
 * returns: so does the real framework. */
#include "framework.h"

static bool limit_is_exceeded(const transaction *item, uint64_t registers) {
    return registers > item->enabler->maximum_elements;
}

/* True where the first MDL holds all of a range: then [registers] are what it needs. */
HOT_INLINE bool range_is_plain(const transaction *item, uint64_t offset, uint64_t length,
                               uint64_t *registers) {
    if (!cursor_is_good(item)) {
        return false;
    }
    uint64_t byte_count = item->cursor->mdl->ByteCount;
    if (offset >= byte_count || length > byte_count - offset || length == 0) {
        return false;
    }
    *registers = pages_spanned(mdl_page_offset(item->cursor->mdl, offset), length);
    return true;
}

/* How many fragments from [offset] of [from] on are taken along by one that was asked: itself, or all
 * that the MDL holds once [asked] of them have shown every alignment in a page. */
static uint64_t fragments_alike(const MDL *from, uint64_t offset, uint64_t fragment, uint64_t left,
                                uint64_t asked) {
    uint64_t here = from->ByteCount > offset ? from->ByteCount - offset : 0;
    uint64_t row = (here < left ? here : left) / fragment;
    bool shown = fragment % PAGE_BYTES == 0 || asked >= PAGE_BYTES;
    return shown && row > 1 ? row : 1;
}

/* Asks needed() of each maximum fragment in turn. The ones past the first refusal do not matter. */
NO_INLINE static NTSTATUS fragments_check(wdfdma_machine *machine, transaction *item) {
    uint64_t done = 0;
    uint64_t asked = 0;
    PMDL from = item->mdl;
    uint64_t from_offset = item->offset;
    while (done < item->length) {
        uint64_t left = item->length - done;
        uint64_t fragment = left < item->maximum_fragment ? left : item->maximum_fragment;
        range_need need;
        NTSTATUS status = range_get_needed(machine, from, from_offset, fragment, &need);
        WDFDMA_ASSERT(!need.broken); /* all of the range has been walked */
        if (need.starts_past_end) {
            verifier_rule(machine, WDFDMA_RULE_LENGTH_PAST_BUFFER, &item->base.head);
            return STATUS_UNSUCCESSFUL;
        }
        if (!NT_SUCCESS(status)) {
            verifier_break(machine, &item->base.head);
            return status;
        }
        if (limit_is_exceeded(item, need.registers)) {
            return STATUS_WDF_TOO_FRAGMENTED;
        }
        uint64_t passed = fragment * fragments_alike(from, from_offset, fragment, left, ++asked);
        done += passed;
        from_offset += passed;
        /* As far as the chain is known to be good: the next round finds the rest. */
        while (from->Next != NULL && from_offset >= from->ByteCount &&
               mdl_find(machine, from->Next) != NULL) {
            from_offset -= from->ByteCount;
            from = from->Next;
            asked = 0;
        }
    }
    return STATUS_SUCCESS;
}

/* Room for [elements] in the list's buffer. */
NO_INLINE static bool list_buffer_ensure(wdfdma_machine *machine, transaction *item,
                                         uint64_t elements) {
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
    return item->hindrances.single_transfer && item->is_version_3;
}

/* The buffer is made for what the whole range could need; a list never has more elements than
 * its adapter has registers, but under single transfer. */
static NTSTATUS list_buffer_prepare(wdfdma_machine *machine, transaction *item,
                                    uint64_t registers) {
    uint64_t elements = registers;
    if (!is_single_transfer(item) && elements > item->adapter->map_registers) {
        elements = item->adapter->map_registers;
    }
    return elements <= item->hal.gather.capacity || list_buffer_ensure(machine, item, elements)
               ? STATUS_SUCCESS
               : STATUS_INSUFFICIENT_RESOURCES;
}

HOT_PATH NTSTATUS gather_initialize(wdfdma_machine *machine, transaction *item) {
    uint64_t registers;
    bool plain = range_is_plain(item, item->offset, item->length, &registers);
    bool one_fragment = item->length <= item->maximum_fragment;
    if (UNLIKELY(!plain)) {
        range_need need;
        range_get_needed(machine, item->mdl, item->offset, item->length, &need);
        registers = need.registers;
        if (need.broken) {
            mdl_bugcheck(machine, &item->base.head);
            return STATUS_UNSUCCESSFUL;
        }
    }
    if (is_single_transfer(item)) {
        return list_buffer_prepare(machine, item, registers);
    }
    if (UNLIKELY(!plain || !one_fragment)) {
        NTSTATUS status = fragments_check(machine, item);
        if (!NT_SUCCESS(status)) {
            return status;
        }
    } else if (limit_is_exceeded(item, registers)) {
        return STATUS_WDF_TOO_FRAGMENTED;
    }
    return list_buffer_prepare(machine, item, registers);
}

/* Requests: the one of the transaction itself, and extras for completions that came while it waits. */

bool gather_is_waiting(const transaction *item) {
    return item->hal.gather.own.request.waiting != WDFDMA_WAITING_NOT ||
           item->hal.gather.extras != NULL;
}

static transaction *request_get_owner(const list_request *request) {
    return request->request.context;
}

/* True where another MDL has the place of the one that the transaction was initialized with, or its counts no longer
 * fit its pages. */
static bool mdl_is_another(const transaction *item) {
    return item->cursor != NULL && !cursor_is_good(item);
}

/* What a grant finds when its transaction has moved on while it waited. */
static wdfdma_rule grant_rule(const transaction *item, const list_request *granted) {
    if (UNLIKELY(item->mdl == NULL || item->state == WDFDMA_STATE_DELETED ||
                 item->life != granted->life)) {
        return WDFDMA_RULE_PENDING_RESERVATION_DISTURBED;
    }
    return item->held_list == LIST_HELD ? WDFDMA_RULE_MAPPED_TWICE : WDFDMA_RULE_NONE;
}

NO_INLINE static void extra_remove(wdfdma_machine *machine, transaction *item, extra_list *gone) {
    extra_list **link = &item->hal.gather.extras;
    while (*link != gone) {
        link = &(*link)->next;
    }
    *link = gone->next;
    data_free(machine, gone);
}

/* The list routine of the HAL. */
static IO_ALLOCATION_ACTION list_is_granted(wdfdma_machine *machine, hal_request *granted) {
    list_request *request = (list_request *)(void *)granted;
    transaction *item = request_get_owner(request);
    wdfdma_rule rule = grant_rule(item, request);
    if (UNLIKELY(rule != WDFDMA_RULE_NONE)) {
        verifier_rule(machine, rule, &item->base.head);
        return DeallocateObjectKeepRegisters;
    }
    mdl_walk part = {.at = item->cursor,
                     .offset = request->offset,
                     .length = request->length,
                     .left = request->length};
    uint64_t registers;
    bool plain = range_is_plain(item, request->offset, request->length, &registers) &&
                 registers == granted->count;
    if (UNLIKELY(!plain) && mdl_is_another(item)) {
        mdl_bugcheck(machine, &item->base.head);
        return DeallocateObjectKeepRegisters;
    }
    if (UNLIKELY(!plain) && !list_find(machine, request, &part)) {
        return DeallocateObjectKeepRegisters;
    }
    request->capacity = item->hal.gather.capacity;
    item->held_list = LIST_HELD;
    item->hal.gather.list_base = granted->base;
    item->hal.gather.list_count = granted->count;
    if (!list_fill(machine, request, &part, &item->map, item->hal.gather.list)) {
        return DeallocateObjectKeepRegisters;
    }
    if (UNLIKELY(request != &item->hal.gather.own)) {
        extra_remove(machine, item, (extra_list *)(void *)request);
    }
    program_dma_call(machine, item, item->hal.gather.list);
    return DeallocateObjectKeepRegisters;
}

NO_INLINE static list_request *extra_add(wdfdma_machine *machine, transaction *item) {
    extra_list *extra = data_allocate(machine, sizeof *extra, &item->base.head);
    if (extra == NULL) {
        return NULL;
    }
    extra_list **link = &item->hal.gather.extras;
    while (*link != NULL) {
        link = &(*link)->next;
    }
    *link = extra;
    extra->request.request.context = item;
    return &extra->request;
}

/* The request for the next list: the transaction's own, or one more where that one is still
 * waiting. */
HOT_INLINE list_request *request_take(wdfdma_machine *machine, transaction *item) {
    list_request *own = &item->hal.gather.own;
    if (LIKELY(own->request.waiting == WDFDMA_WAITING_NOT)) {
        item->hal.gather.own_is_newer = item->hal.gather.extras != NULL;
        return own;
    }
    return extra_add(machine, item);
}

static void request_return(wdfdma_machine *machine, transaction *item, list_request *request) {
    if (request != &item->hal.gather.own) {
        extra_remove(machine, item, (extra_list *)(void *)request);
    }
}

/* Stages */

/* Cuts a fragment that needs too many registers to the end of the last whole MDL that fits. */
NO_INLINE static uint64_t fragment_cut(wdfdma_machine *machine, const transaction *item,
                                       uint64_t fragment) {
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

/* needed() of a fragment that several MDLs hold, or that the chain does not hold. */
NO_INLINE static NTSTATUS fragment_need(wdfdma_machine *machine, const transaction *item,
                                        uint64_t fragment, uint64_t *registers) {
    range_need need;
    NTSTATUS status =
        range_get_needed(machine, item->mdl, item->offset + item->transferred, fragment, &need);
    *registers = need.registers;
    if (need.broken || mdl_is_another(item)) {
        mdl_bugcheck(machine, &item->base.head);
        return STATUS_UNSUCCESSFUL;
    }
    if (need.starts_past_end) {
        verifier_rule(machine, WDFDMA_RULE_LENGTH_PAST_BUFFER, &item->base.head);
        return STATUS_UNSUCCESSFUL;
    }
    return status;
}

static NTSTATUS fragment_choose(wdfdma_machine *machine, transaction *item) {
    uint64_t fragment =
        item->remaining < item->maximum_fragment ? item->remaining : item->maximum_fragment;
    uint64_t registers;
    item->fragment = fragment;
    if (UNLIKELY(fragment == 0)) {
        verifier_rule(machine, WDFDMA_RULE_LENGTH_PAST_BUFFER, &item->base.head);
        return STATUS_UNSUCCESSFUL;
    }
    if (is_single_transfer(item)) {
        return STATUS_SUCCESS;
    }
    if (UNLIKELY(!range_is_plain(item, item->offset + item->transferred, fragment, &registers))) {
        NTSTATUS status = fragment_need(machine, item, fragment, &registers);
        if (!NT_SUCCESS(status)) {
            return status;
        }
    }
    if (limit_is_exceeded(item, registers)) {
        return STATUS_WDF_TOO_FRAGMENTED;
    }
    if (UNLIKELY(registers > item->adapter->map_registers)) {
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
    request->mdl = item->mdl;
    request->life = item->life;
    request->offset = item->offset + item->transferred;
    request->length = item->fragment;
    request->to_device = item->direction == WdfDmaDirectionWriteToDevice;
    uint64_t registers;
    NTSTATUS status = STATUS_SUCCESS;
    if (UNLIKELY(!range_is_plain(item, request->offset, request->length, &registers))) {
        status = list_get_registers(machine, request, &registers);
    }
    bool too_many = !is_single_transfer(item) && registers > item->adapter->map_registers;
    if (NT_SUCCESS(status) && too_many) {
        status = STATUS_BUFFER_TOO_SMALL;
    }
    if (NT_SUCCESS(status) && UNLIKELY(registers > item->hal.gather.capacity) &&
        !list_buffer_ensure(machine, item, registers)) {
        status = STATUS_INSUFFICIENT_RESOURCES;
    }
    if (!NT_SUCCESS(status)) {
        request_return(machine, item, request);
        return status;
    }
    uint64_t handle = item->base.head.handle;
    uint64_t fragment = item->fragment;
    item->remaining -= fragment;
    request->request.count = (uint32_t)registers;
    request->request.base = NO_REGISTER;
    request->request.routine = list_is_granted;
    status = channel_allocate(machine, &request->request, list_is_granted,
                              item->immediate && item->is_version_3);
    if (!NT_SUCCESS(status) && transaction_is_alive(machine, item, handle)) {
        item->remaining += fragment;
        request_return(machine, item, request);
    }
    return status;
}

/* True where an injected fault makes the stage fail: too many fragments are found before the fragment
 * is cut to what the registers carry. */
static bool stage_is_failed(wdfdma_machine *machine, transaction *item, NTSTATUS *status) {
    if (!fault_hits_call(machine, transaction_get_traits(item), status)) {
        return false;
    }
    if (*status == STATUS_WDF_TOO_FRAGMENTED) {
        item->fragment =
            item->remaining < item->maximum_fragment ? item->remaining : item->maximum_fragment;
    }
    return true;
}

HOT_PATH NTSTATUS gather_stage(wdfdma_machine *machine, transaction *item) {
    if (UNLIKELY(item->adapter == NULL)) {
        verifier_rule(machine, WDFDMA_RULE_NO_ADAPTER, &item->base.head);
        return STATUS_UNSUCCESSFUL;
    }
    NTSTATUS status = fragment_choose(machine, item);
    if (!NT_SUCCESS(status) || stage_is_failed(machine, item, &status)) {
        return status;
    }
    status = list_request_make(machine, item);
    return machine->state.halted ? STATUS_UNSUCCESSFUL : status;
}

/* Lists given back */

HOT_PATH void gather_put(wdfdma_machine *machine, transaction *item) {
    uint64_t handle = item->base.head.handle;
    if (item->held_list == LIST_NONE) {
        return;
    }
    if (item->held_list == LIST_PUT) {
        verifier_rule(machine, WDFDMA_RULE_LIST_PUT_TWICE, &item->base.head);
        return;
    }
    item->held_list = LIST_PUT;
    list_put(machine, item->adapter, &item->map, item->hal.gather.list_base,
             item->hal.gather.list_count, &item->base.head);
    if (transaction_is_alive(machine, item, handle)) {
        /* A list that came meanwhile is forgotten, its registers with it; no device may use it
         * any more. */
        item->held_list = LIST_NONE;
        mapping_end(machine, &item->map);
    }
}

HOT_PATH void gather_give_back(wdfdma_machine *machine, transaction *item) {
    uint64_t handle = item->base.head.handle;
    if (item->held_list != LIST_NONE && item->adapter == NULL) {
        verifier_rule(machine, WDFDMA_RULE_COMPLETED_TWICE, &item->base.head);
        return;
    }
    if (UNLIKELY(item->held_list != LIST_NONE)) {
        gather_put(machine, item);
    }
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
