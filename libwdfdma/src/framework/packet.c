/* Packet and system transactions on the move: registers asked for, granted, staged, given back. */
#include "coverage.h"

static transaction *request_get_transaction(hal_request *granted) {
    return (transaction *)(void *)((uint8_t *)granted - offsetof(transaction, hal.packet.request));
}

static bool is_version_2_packet(const transaction *item) {
    return !item->is_version_3;
}

/* The way down */

/* What a grant finds when its transaction has moved on while it waited. */
NO_INLINE static bool grant_is_welcome(wdfdma_machine *machine, const transaction *item) {
    bool goes_on = item->state == WDFDMA_STATE_INITIALIZED || item->state == WDFDMA_STATE_TRANSFER;
    if (item->state == WDFDMA_STATE_RESERVED || (goes_on && item->mdl != NULL)) {
        return true;
    }
    verifier_rule(machine, WDFDMA_RULE_PENDING_RESERVATION_DISTURBED, &item->base.head);
    return false;
}

NO_INLINE static void reserve_dma_call(wdfdma_machine *machine, transaction *item) {
    PFN_WDF_RESERVE_DMA reserve_dma = item->reserve_dma;
    PVOID context = item->context;
    callback_frame frame;
    item->reserve_dma = NULL;
    item->context = NULL;
    if (reserve_dma == NULL || !callback_enter(machine, &frame, &item->base.head,
                                               WDFDMA_EVENT_RESERVE_DMA, DISPATCH_LEVEL)) {
        return;
    }
    log_append(machine, WDFDMA_RECORD_EVENT, WDFDMA_EVENT_RESERVE_DMA, frame.label);
    callback_tell(machine, item, WDFDMA_EVENT_RESERVE_DMA);
    reserve_dma((WDFDMATRANSACTION)(uintptr_t)item->base.head.handle, context);
    callback_leave(&frame);
}

/* A stage of a system transaction that fails in the adapter routine is told as a transfer's end. */
static void stage_result_tell(wdfdma_machine *machine, transaction *item, uint64_t handle,
                              NTSTATUS status) {
    if (!NT_SUCCESS(status) && transaction_is_alive(machine, item, handle) && item->is_system) {
        system_transfer_complete(machine, item,
                                 status == STATUS_CANCELLED ? DmaCancelled : DmaError);
    }
}

/* The adapter routine, and what stands for it where the registers are reserved already. */
static void base_is_granted(wdfdma_machine *machine, transaction *item) {
    uint64_t handle = item->base.head.handle;
    if (item->state == WDFDMA_STATE_RESERVED) {
        reserve_dma_call(machine, item);
        return;
    }
    stage_result_tell(machine, item, handle, packet_stage(machine, item));
}

/* The adapter routine where nothing was waited for. */
static IO_ALLOCATION_ACTION packet_is_granted_now(wdfdma_machine *machine, hal_request *granted) {
    transaction *item = request_get_transaction(granted);
    IO_ALLOCATION_ACTION action = item->is_system ? KeepObject : DeallocateObjectKeepRegisters;
    item->base_register = granted->base;
    item->base_count = granted->base == NO_REGISTER ? 0 : granted->count;
    item->holds_base = true;
    base_is_granted(machine, item);
    return action;
}

/* The same after a wait. */
static IO_ALLOCATION_ACTION packet_is_granted(wdfdma_machine *machine, hal_request *granted) {
    if (!grant_is_welcome(machine, request_get_transaction(granted))) {
        return DeallocateObjectKeepRegisters;
    }
    return packet_is_granted_now(machine, granted);
}

NTSTATUS packet_allocate(wdfdma_machine *machine, transaction *item, uint32_t registers) {
    hal_request *asked = &item->hal.packet.request;
    if (UNLIKELY(asked->waiting != WDFDMA_WAITING_NOT)) {
        verifier_rule(machine, WDFDMA_RULE_PENDING_RESERVATION_DISTURBED, &item->base.head);
        return STATUS_UNSUCCESSFUL;
    }
    asked->adapter = item->adapter;
    asked->count = registers;
    asked->routine = packet_is_granted;
    return channel_allocate(machine, asked, packet_is_granted_now,
                            item->immediate && item->is_version_3);
}

static uint32_t registers_of_transfer(const transaction *item) {
    if (item->is_system) {
        return item->adapter->map_registers;
    }
    /* The last transfer's alignment is known; one of several may begin anywhere in a page. */
    bool whole = item->fragment == item->remaining;
    uint64_t start = whole ? mdl_page_offset(item->mdl, item->offset) : PAGE_BYTES - 1;
    return (uint32_t)pages_spanned(start, item->fragment);
}

/* True where an injected fault makes the start fail: busy is found before the fragment is chosen,
 * everything else after it. With registers reserved nothing can fail. */
static bool start_is_failed(wdfdma_machine *machine, transaction *item, NTSTATUS *status) {
    bool may_fail = item->fragment == 0 && item->reserved == 0;
    if (!may_fail || !fault_hits_call(machine, transaction_get_traits(item), status)) {
        return false;
    }
    if (*status == STATUS_WDF_BUSY) {
        verifier_break(machine, &item->base.head);
    } else {
        item->fragment =
            item->remaining < item->maximum_fragment ? item->remaining : item->maximum_fragment;
    }
    return true;
}

NTSTATUS packet_start(wdfdma_machine *machine, transaction *item) {
    NTSTATUS status;
    if (UNLIKELY(!transaction_has_buffer(item))) {
        verifier_rule(machine, WDFDMA_RULE_NO_ADAPTER, &item->base.head);
        return STATUS_UNSUCCESSFUL;
    }
    if (is_version_2_packet(item) && item->enabler->device->dma_busy) {
        verifier_break(machine, &item->base.head);
        return STATUS_WDF_BUSY;
    }
    if (start_is_failed(machine, item, &status)) {
        return status;
    }
    if (is_version_2_packet(item)) {
        item->enabler->device->dma_busy = true;
    }
    if (UNLIKELY(item->fragment != 0)) {
        /* A reservation that came late has staged it already. */
        verifier_rule(machine, WDFDMA_RULE_PENDING_RESERVATION_DISTURBED, &item->base.head);
        return STATUS_UNSUCCESSFUL;
    }
    item->fragment =
        item->remaining < item->maximum_fragment ? item->remaining : item->maximum_fragment;
    if (item->reserved == 0) {
        return packet_allocate(machine, item, registers_of_transfer(item));
    }
    if (UNLIKELY(!item->holds_base)) {
        bool waits = item->hal.packet.request.waiting != WDFDMA_WAITING_NOT;
        verifier_rule(machine,
                      waits ? WDFDMA_RULE_PENDING_RESERVATION_DISTURBED
                            : WDFDMA_RULE_CANCELLED_RESERVATION_USED,
                      &item->base.head);
        return STATUS_UNSUCCESSFUL;
    }
    base_is_granted(machine, item);
    return STATUS_SUCCESS;
}

/* A stage */

/* Moves the cursor along until it holds, or ends at, [place]. */
NO_INLINE static bool cursor_move(wdfdma_machine *machine, transaction *item, uint64_t place) {
    uint64_t hops = machine->state.objects[WDFDMA_OBJECT_MDL];
    while (place - item->cursor_offset > item->cursor->mdl->ByteCount &&
           item->cursor->mdl->Next != NULL) {
        const mdl_object *next = mdl_find(machine, item->cursor->mdl->Next);
        if (next == NULL || hops-- == 0) {
            mdl_bugcheck(machine, &item->base.head);
            return false;
        }
        item->cursor_offset += item->cursor->mdl->ByteCount;
        item->cursor = next;
        item->cursor_handle = next->head.handle;
    }
    return true;
}

/* The place of the next byte: in the MDL that holds it or, where the last transfer ended with
 * its MDL, at that one's end. False, with the machine halted, where there is none. */
static bool place_find(wdfdma_machine *machine, transaction *item, uint64_t *offset_in_mdl) {
    uint64_t place = item->offset + item->transferred;
    if (UNLIKELY(!cursor_is_good(item))) {
        if (item->cursor != NULL) {
            mdl_bugcheck(machine, &item->base.head);
        } else {
            /* Released inside its own EvtProgramDma, the verifier off, and still to be staged. */
            verifier_rule(machine, WDFDMA_RULE_FREED_WHILE_TRANSFERRING, &item->base.head);
        }
        return false;
    }
    if (UNLIKELY(place - item->cursor_offset > item->cursor->mdl->ByteCount) &&
        !cursor_move(machine, item, place)) {
        return false;
    }
    *offset_in_mdl = place - item->cursor_offset;
    return true;
}

static void fragment_choose(transaction *item, uint32_t page_offset) {
    uint64_t fragment =
        item->remaining < item->maximum_fragment ? item->remaining : item->maximum_fragment;
    if (item->reserved != 0 && !item->hindrances.single_transfer) {
        uint64_t carried = (uint64_t)item->reserved * PAGE_BYTES - page_offset;
        fragment = fragment < carried ? fragment : carried;
    }
    item->fragment = fragment;
    item->remaining -= fragment;
}

/* What is wrong with a system transaction that asks for MapTransferEx. */
NO_INLINE static wdfdma_rule system_map_rule(const transaction *item) {
    if (item->adapter->controller != NULL) {
        return WDFDMA_RULE_MAPPED_TWICE;
    }
    return item->adapter->channel == &item->hal.packet.request ? WDFDMA_RULE_NONE
                                                               : WDFDMA_RULE_CHANNEL_NOT_OWNED;
}

static wdfdma_rule map_rule(const wdfdma_machine *machine, const transaction *item) {
    if (UNLIKELY(item->adapter == NULL)) {
        return item->is_system && item->hal.packet.system.configure != NULL
                   ? WDFDMA_RULE_COMPLETED_WHILE_CONFIGURING
                   : WDFDMA_RULE_COMPLETED_TWICE;
    }
    bool held = item->holds_base &&
                (item->base_register == NO_REGISTER ||
                 hal_of(machine)->pool.runs[item->base_register].length == item->base_count);
    if (UNLIKELY(!held)) {
        return WDFDMA_RULE_CANCELLED_RESERVATION_USED;
    }
    return item->is_system ? system_map_rule(item) : WDFDMA_RULE_NONE;
}

/* The part of the range that one MDL holds; false where the chain has none of it. */
static bool part_find(wdfdma_machine *machine, const transaction *item, uint64_t offset,
                      map_part *part) {
    mdl_walk walk;
    uint64_t byte_count = item->cursor->mdl->ByteCount;
    if (LIKELY(offset < byte_count)) {
        part->of = item->cursor;
        part->offset = offset;
        part->length = part->length < byte_count - offset ? part->length : byte_count - offset;
        return true;
    }
    if (!mdl_walk_begin(machine, &walk, item->cursor->mdl, offset, part->length)) {
        return false;
    }
    part->of = walk.at;
    part->offset = walk.offset;
    part->length = walk.length;
    return true;
}

/* Maps [length] bytes at [offset] of the cursor's MDL, or what of them one mapping holds. */
static NTSTATUS packet_map(wdfdma_machine *machine, transaction *item, uint64_t offset,
                           uint64_t length) {
    map_part part = {.length = length,
                     .base = item->base_register,
                     .registers = item->base_count,
                     .may_fall_short = item->is_version_3,
                     .to_device = item->direction == WdfDmaDirectionWriteToDevice};
    wdfdma_rule rule = map_rule(machine, item);
    if (UNLIKELY(rule != WDFDMA_RULE_NONE)) {
        verifier_rule(machine, rule, &item->base.head);
        return STATUS_UNSUCCESSFUL;
    }
    if (item->is_system && item->hal.packet.system.context.cancelled) {
        return STATUS_CANCELLED;
    }
    if (UNLIKELY(length == 0 || !part_find(machine, item, offset, &part))) {
        verifier_rule(machine, WDFDMA_RULE_LENGTH_PAST_BUFFER, &item->base.head);
        return STATUS_UNSUCCESSFUL;
    }
    if (UNLIKELY(item->map.live)) {
        mapping_end(machine, &item->map);
    }
    PSCATTER_GATHER_LIST list = packet_get_list(item);
    list->NumberOfElements = 1;
    list->Reserved = 0;
    uint64_t mapped = map_transfer(machine, item->adapter, &part, &item->map, list->Elements);
    if (UNLIKELY(machine->state.halted)) {
        return STATUS_UNSUCCESSFUL;
    }
    /* A range that the chain does not hold to its end is mapped no further than the chain goes. */
    item->remaining += length - mapped;
    item->fragment = mapped;
    if (item->is_system) {
        system_transfer_start(item, mapped);
    }
    return STATUS_SUCCESS;
}

bool program_dma_call(wdfdma_machine *machine, transaction *item, PSCATTER_GATHER_LIST list) {
    uint64_t handle = item->base.head.handle;
    callback_frame frame;
    if (!callback_enter(machine, &frame, &item->base.head, WDFDMA_EVENT_PROGRAM_DMA,
                        DISPATCH_LEVEL)) {
        return false;
    }
    wdfdma_log_record *record =
        log_append(machine, WDFDMA_RECORD_EVENT, WDFDMA_EVENT_PROGRAM_DMA, frame.label);
    if (UNLIKELY(record != NULL)) {
        record->values[0] = item->direction;
        record->values[1] = list->NumberOfElements;
        for (ULONG i = 0; i < list->NumberOfElements; i++) {
            record = log_append(machine, WDFDMA_RECORD_ELEMENT, 0, frame.label);
            if (record != NULL) {
                record->values[0] = (uint64_t)list->Elements[i].Address.QuadPart;
                record->values[1] = list->Elements[i].Length;
            }
        }
    }
    callback_tell(machine, item, WDFDMA_EVENT_PROGRAM_DMA);
    item->program_dma((WDFDMATRANSACTION)(uintptr_t)handle,
                      (WDFDEVICE)(uintptr_t)item->enabler->device->base.head.handle, item->context,
                      (WDF_DMA_DIRECTION)item->direction, list);
    callback_leave(&frame);
    return transaction_is_alive(machine, item, handle);
}

/* After EvtProgramDma of a system transaction: the completion that came meanwhile. */
NO_INLINE static bool completion_deliver(wdfdma_machine *machine, transaction *item) {
    uint64_t handle = item->base.head.handle;
    item->hindrances.completion_due = false;
    if (item->hindrances.stage_again) {
        verifier_rule(machine, WDFDMA_RULE_COMPLETED_TWICE, &item->base.head);
        return false;
    }
    system_transfer_complete(machine, item, (DMA_COMPLETION_STATUS)item->due_status);
    return transaction_is_alive(machine, item, handle);
}

/* One round of a stage; false when there is nothing more to do, [status] saying how it ended. */
static bool round_run(wdfdma_machine *machine, transaction *item, NTSTATUS *status) {
    uint64_t handle = item->base.head.handle;
    bool is_system = item->is_system;
    uint64_t offset;
    *status = STATUS_UNSUCCESSFUL;
    if (!place_find(machine, item, &offset)) {
        return false;
    }
    fragment_choose(item, mdl_page_offset(item->cursor->mdl, offset));
    uint64_t length = item->fragment;
    if (item->hindrances.stopped) {
        *status = STATUS_CANCELLED;
        return false;
    }
    if (is_system && item->hal.packet.system.configure != NULL) {
        bool go_on = system_configure(machine, item, item->offset + item->transferred, length);
        if (!transaction_is_alive(machine, item, handle)) {
            return false;
        }
        if (!go_on) {
            *status = STATUS_SUCCESS;
            return true;
        }
    }
    *status = packet_map(machine, item, offset, length);
    if (!NT_SUCCESS(*status)) {
        return false;
    }
    item->hindrances.programming = is_system;
    if (!program_dma_call(machine, item, packet_get_list(item))) {
        return false;
    }
    item->hindrances.programming = false;
    return LIKELY(!item->hindrances.completion_due) || completion_deliver(machine, item);
}

/* The rounds after one that ended with [status], and [more] to come if it was asked for. */
static NTSTATUS rounds_run(wdfdma_machine *machine, transaction *item, uint64_t handle,
                           NTSTATUS status, bool more) {
    while (more && item->hindrances.stage_again) {
        item->hindrances.stage_again = false;
        more = round_run(machine, item, &status);
    }
    if (LIKELY(more) || transaction_is_alive(machine, item, handle)) {
        item->hindrances.staging = false;
        item->hindrances.stage_again = false;
    }
    return machine->state.halted ? STATUS_UNSUCCESSFUL : status;
}

NTSTATUS packet_stage(wdfdma_machine *machine, transaction *item) {
    if (item->hindrances.staging) {
        item->hindrances.stage_again = true;
        return STATUS_SUCCESS;
    }
    uint64_t handle = item->base.head.handle;
    NTSTATUS status;
    item->hindrances.staging = true;
    item->hindrances.stage_again = false;
    bool more = round_run(machine, item, &status);
    return rounds_run(machine, item, handle, status, more);
}

void packet_stage_rest(wdfdma_machine *machine, transaction *item) {
    uint64_t handle = item->base.head.handle;
    item->hindrances.programming = false;
    bool more = !item->hindrances.completion_due || completion_deliver(machine, item);
    NTSTATUS status = rounds_run(machine, item, handle, STATUS_SUCCESS, more);
    stage_result_tell(machine, item, handle, status);
}

/* The way back */

void packet_flush(wdfdma_machine *machine, transaction *item) {
    if (item->adapter == NULL) {
        verifier_rule(machine, WDFDMA_RULE_COMPLETED_TWICE, &item->base.head);
        return;
    }
    if (!item->holds_base) {
        verifier_rule(machine, WDFDMA_RULE_COMPLETED_WHILE_WAITING, &item->base.head);
        return;
    }
    map_flush(machine, &item->map, item->fragment, &item->base.head);
    if (item->is_system && !machine->state.halted) {
        transfer_flush(&item->hal.packet.system.context);
    }
}

static bool channel_is_free_to_go(wdfdma_machine *machine, const transaction *item) {
    wdfdma_rule rule = WDFDMA_RULE_NONE;
    if (item->adapter->controller != NULL) {
        rule = WDFDMA_RULE_FREED_WHILE_TRANSFERRING;
    } else if (item->adapter->channel != &item->hal.packet.request) {
        rule = WDFDMA_RULE_CHANNEL_NOT_OWNED;
    }
    if (rule != WDFDMA_RULE_NONE) {
        verifier_rule(machine, rule, &item->base.head);
    }
    return rule == WDFDMA_RULE_NONE;
}

void packet_forget_registers(transaction *item) {
    if (is_version_2_packet(item)) {
        item->enabler->device->dma_busy = false;
    }
    item->reserved = 0;
    item->holds_base = false;
    item->base_register = NO_REGISTER;
    item->base_count = 0;
    item->adapter = NULL;
}

/* What the freed registers let through still meets the old values. */
void packet_give_back(wdfdma_machine *machine, transaction *item, bool force) {
    if (!item->holds_base || (item->reserved != 0 && !force)) {
        return;
    }
    uint64_t handle = item->base.head.handle;
    if (UNLIKELY(item->adapter == NULL)) {
        verifier_rule(machine, WDFDMA_RULE_COMPLETED_TWICE, &item->base.head);
        return;
    }
    if (UNLIKELY(item->map.live)) {
        mapping_end(machine, &item->map);
    }
    reservation_drop(machine, item);
    if (item->is_system) {
        if (channel_is_free_to_go(machine, item) && !channel_free(machine, item->adapter)) {
            channel_lose(item->adapter);
        }
    } else if (item->base_register != NO_REGISTER) {
        registers_free(machine, item->adapter, item->base_register, item->base_count);
    }
    if (!transaction_is_alive(machine, item, handle)) {
        return;
    }
    reservation_drop(machine, item); /* what they let through may have kept it anew */
    packet_forget_registers(item);
}
