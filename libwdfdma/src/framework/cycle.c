/* The calls of every transaction's cycle: Initialize, Execute, DmaCompleted, Release.
 *
 * What they mean is in initialize.c, transaction.c, packet.c, scatter_gather.c and complete.c, for
 * everything that can stand in a transaction's way: a wait, a second transfer, a buffer of several
 * MDLs, a bounce, a misuse, a log to be written. Most calls of most drivers meet none of it. Here
 * is their straight way, the plain one, behind tests which make sure of that before anything is
 * changed; a call that fails one of them goes the full way, from its start. Where both ways are
 * open they do the same (tests/c/test_cycle.c): with a log, or in a hostile build, every call goes
 * the full way.
 *
 * The plain way of all but Execute calls nothing, so that the compiler has nothing to save. */
#include "framework.h"

#include <string.h>

enum {
    PLACE = offsetof(wdfdma_machine_state, depth)
};

_Static_assert(offsetof(wdfdma_machine_state, op) == PLACE + sizeof(uint32_t),
               "the depth and the call are one word");
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the first half of a word is its low one on every machine that Windows runs on"
#endif

/* A transaction that nothing hinders, of a machine that nothing asks attention of and that is the
 * thread's current one; NULL otherwise. A deleted one is told by its state, which each call asks. */
HOT_INLINE transaction *plain_enter(WDFDMATRANSACTION handle, wdfdma_machine **out,
                                    uint32_t *outer_op) {
    uint64_t bits = (uint64_t)(uintptr_t)handle;
    wdfdma_machine *machine = registry_peek(bits);
    if (WDFDMA_HOSTILE || UNLIKELY(machine == NULL)) {
        return NULL;
    }
    object *found = object_find(machine, bits);
    if (UNLIKELY(found == NULL) ||
        UNLIKELY(((found->type ^ (uint32_t)WDFDMA_OBJECT_TRANSACTION) | machine->attention) != 0) ||
        (LIKELY(machine->state.op == WDFDMA_OP_NONE) &&
         UNLIKELY(current_machine_id != machine->id))) {
        return NULL;
    }
    *out = machine;
    *outer_op = machine->state.op;
    return LIKELY(((transaction *)found)->hindrances.any == 0) ? (transaction *)found : NULL;
}

/* A call that goes the plain way to its end counts as any other. */
HOT_INLINE void plain_count(wdfdma_machine *machine, uint32_t outer_op) {
    if (LIKELY(outer_op == WDFDMA_OP_NONE)) {
        machine->state.step += machine->counts_steps;
    }
}

/* ---- Initialize ---- */

HOT_INLINE bool range_is_within(uint64_t offset, uint64_t length, uint64_t bytes) {
    return length <= bytes && offset <= bytes - length;
}

HOT_INLINE bool gather_is_plain(const transaction *item, uint64_t registers) {
    return registers <= item->enabler->maximum_elements && registers <= item->hal.gather.capacity;
}

HOT_INLINE bool plain_initialize(transaction *item, const mdl_object *of, uint64_t offset,
                                 uint64_t length, WDF_DMA_DIRECTION direction) {
    const MDL *mdl = of->mdl;
    const unsigned allowed =
        1u << WDFDMA_STATE_CREATED | 1u << WDFDMA_STATE_RESERVED | 1u << WDFDMA_STATE_RELEASED;
    if (UNLIKELY((allowed >> item->state & 1) == 0) || UNLIKELY(!direction_is_valid(direction)) ||
        UNLIKELY(length == 0 || !range_is_within(offset, length, mdl->ByteCount))) {
        return false;
    }
    adapter *by = item->enabler->adapters[direction];
    if (UNLIKELY(by == NULL || length > by->fragment_length)) {
        return false;
    }
    uint64_t registers = pages_spanned(mdl->ByteOffset + offset, length);
    if (item->is_scatter_gather && UNLIKELY(!gather_is_plain(item, registers))) {
        return false;
    }
    if (item->is_system) {
        transfer_context *context = &item->hal.packet.system.context;
        if (UNLIKELY(item->reserved != 0 || context->mapped)) {
            return false;
        }
        item->hal.packet.system.device_address_offset = 0;
        transfer_context_initialize(context);
    }
    item->adapter = by;
    item->direction = (uint8_t)direction;
    item->mdl = of->mdl;
    item->cursor = of;
    item->cursor_handle = of->head.handle;
    item->cursor_offset = 0;
    item->offset = offset;
    item->length = length;
    item->remaining = length;
    item->transferred = 0;
    item->maximum_fragment = by->fragment_length;
    item->state = WDFDMA_STATE_INITIALIZED;
    return true;
}

/* The whole of a call whose range begins at [address], or where that is NULL, at [offset]. */
HOT_INLINE bool plain_initialize_call(WDFDMATRANSACTION handle, PFN_WDF_PROGRAM_DMA program_dma,
                                      WDF_DMA_DIRECTION direction, PMDL mdl, const void *address,
                                      uint64_t offset, size_t length) {
    wdfdma_machine *machine;
    uint32_t outer_op;
    transaction *item = plain_enter(handle, &machine, &outer_op);
    if (UNLIKELY(item == NULL || program_dma == NULL)) {
        return false;
    }
    const mdl_object *of = mdl_find(machine, mdl);
    if (UNLIKELY(of == NULL)) {
        return false;
    }
    uint64_t begin = address == NULL ? offset : mdl_offset_of(mdl, address);
    if (UNLIKELY(!plain_initialize(item, of, begin, length, direction))) {
        return false;
    }
    item->program_dma = program_dma;
    plain_count(machine, outer_op);
    return true;
}

HOT_PATH NTSTATUS WdfDmaTransactionInitialize(WDFDMATRANSACTION DmaTransaction,
                                              PFN_WDF_PROGRAM_DMA EvtProgramDmaFunction,
                                              WDF_DMA_DIRECTION DmaDirection, PMDL Mdl,
                                              PVOID VirtualAddress, size_t Length) {
    if (LIKELY(VirtualAddress != NULL) &&
        LIKELY(plain_initialize_call(DmaTransaction, EvtProgramDmaFunction, DmaDirection, Mdl,
                                     VirtualAddress, 0, Length))) {
        return STATUS_SUCCESS;
    }
    SITE_KEEP();
    return initialize_in_full(DmaTransaction, EvtProgramDmaFunction, DmaDirection, Mdl,
                              VirtualAddress, Length);
}

HOT_PATH NTSTATUS WdfDmaTransactionInitializeUsingOffset(WDFDMATRANSACTION DmaTransaction,
                                                         PFN_WDF_PROGRAM_DMA EvtProgramDmaFunction,
                                                         WDF_DMA_DIRECTION DmaDirection, PMDL Mdl,
                                                         size_t Offset, size_t Length) {
    if (LIKELY(plain_initialize_call(DmaTransaction, EvtProgramDmaFunction, DmaDirection, Mdl, NULL,
                                     Offset, Length))) {
        return STATUS_SUCCESS;
    }
    SITE_KEEP();
    return initialize_at_in_full(DmaTransaction, EvtProgramDmaFunction, DmaDirection, Mdl, Offset,
                                 Length);
}

/* ---- Execute ---- */

/* The registers for the whole range, in one run of pages that the device reaches; 0 where it is not
 * that. */
HOT_INLINE uint64_t plain_measure(const transaction *item, uint64_t *address) {
    const adapter *by = item->adapter;
    const mdl_object *at = item->cursor;
    if (UNLIKELY(by == NULL || !cursor_is_good(item)) || UNLIKELY(at->live != NULL)) {
        return 0;
    }
    const MDL *mdl = at->mdl;
    uint64_t length = item->remaining;
    if (UNLIKELY(!range_is_within(item->offset, length, mdl->ByteCount)) ||
        UNLIKELY(length > item->maximum_fragment) || UNLIKELY(!at->consecutive) ||
        UNLIKELY(at->highest_pfn >= by->reach)) {
        return 0;
    }
    uint64_t start = mdl->ByteOffset + item->offset;
    uint64_t registers = pages_spanned(start, length);
    *address = at->pfns[0] * PAGE_BYTES + start;
    /* They carry any fragment, wherever it begins. */
    WDFDMA_ASSERT(registers <= by->map_registers);
    return registers;
}

/* What only a packet or system transaction asks before it starts. */
HOT_INLINE bool packet_may_start(const transaction *item) {
    if (item->is_system) {
        const system_part *system = &item->hal.packet.system;
        return system->configure == NULL && !system->context.cancelled &&
               item->adapter->controller == NULL;
    }
    return item->is_version_3 || !item->enabler->device->dma_busy;
}

/* True when the transaction holds what it reserved, and that carries [registers]. */
HOT_INLINE bool reservation_carries(const wdfdma_machine *machine, const transaction *item,
                                    uint64_t registers) {
    uint32_t base = item->base_register;
    bool held = item->holds_base && (base == NO_REGISTER ||
                                     hal_of(machine)->pool.runs[base].length == item->base_count);
    bool owns = !item->is_system || item->adapter->channel == &item->hal.packet.request;
    return held && owns && registers <= item->reserved;
}

/* The one mapping of a range, and the element that names it. One that is not live has no register. */
HOT_INLINE void plain_map(wdfdma_machine *machine, transaction *item, uint64_t address,
                          PSCATTER_GATHER_LIST list) {
    mapping *map = &item->map;
    uint64_t length = item->remaining;
    bool to_device = item->direction == WdfDmaDirectionWriteToDevice;
    list->NumberOfElements = 1;
    list->Reserved = 0;
    list->Elements[0].Address.QuadPart = (LONGLONG)address;
    list->Elements[0].Length = (ULONG)length;
    list->Elements[0].Reserved = 0;
    const mapping reads = {.live = true, .device_reads = true};
    const mapping writes = {.live = true, .device_writes = true};
    map->of = (mdl_object *)(uintptr_t)item->cursor;
    map->offset = item->offset;
    map->length = length;
    map->marks = to_device ? reads.marks : writes.marks;
    mapping_begin_alone(machine, map);
    item->fragment = length;
    item->remaining = 0;
}

/* Both map what is to be programmed; NULL, with nothing changed, where that is not plain. */
HOT_INLINE PSCATTER_GATHER_LIST gather_stage_plainly(wdfdma_machine *machine, transaction *item,
                                                     uint64_t address, uint64_t registers) {
    PSCATTER_GATHER_LIST list = item->hal.gather.list;
    adapter *by = item->adapter;
    uint32_t base;
    if (UNLIKELY(!gather_is_plain(item, registers)) ||
        UNLIKELY(item->held_list != LIST_NONE || item->hal.gather.extras != NULL) ||
        UNLIKELY(!channel_take_here(machine, by, &item->hal.gather.own.request, (uint32_t)registers,
                                    &base))) {
        return NULL;
    }
    plain_map(machine, item, address, list);
    by->lists_held++;
    item->hal.gather.list_base = base;
    item->hal.gather.list_count = (uint32_t)registers;
    item->held_list = LIST_HELD;
    return list;
}

HOT_INLINE PSCATTER_GATHER_LIST packet_stage_plainly(wdfdma_machine *machine, transaction *item,
                                                     uint64_t address, uint64_t registers) {
    adapter *by = item->adapter;
    bool is_system = item->is_system;
    uint32_t count = is_system ? by->map_registers : (uint32_t)registers;
    uint32_t base;
    if (UNLIKELY(!packet_may_start(item))) {
        return NULL;
    }
    if (item->reserved != 0) {
        count = item->base_count;
        if (UNLIKELY(!reservation_carries(machine, item, registers))) {
            return NULL;
        }
    } else {
        if (UNLIKELY(!channel_take_here(machine, by, &item->hal.packet.request, count, &base))) {
            return NULL;
        }
        count = base == NO_REGISTER ? 0 : count;
        item->base_register = base;
        item->base_count = count;
        item->holds_base = true;
    }
    if (UNLIKELY(!item->is_version_3)) {
        item->enabler->device->dma_busy = true;
    }
    plain_map(machine, item, address, packet_get_list(item));
    if (is_system) {
        system_transfer_start(item, item->fragment);
    }
    return packet_get_list(item);
}

/* The depth and the innermost call, which stand side by side, as one word: the depth in its low
 * half. */
HOT_INLINE uint64_t place_get(const wdfdma_machine *machine) {
    uint64_t place;
    memcpy(&place, (const char *)machine + PLACE, sizeof place);
    return place;
}
HOT_INLINE void place_set(wdfdma_machine *machine, uint64_t place) {
    memcpy((char *)machine + PLACE, &place, sizeof place);
}

/* What EvtProgramDma found, in the call that it was called from. */
typedef struct program_frame {
    ddi_call call;
    callback_frame callback;
    uint64_t handle;
    adapter *given_on; /* whose channel goes on afterwards, or NULL */
} program_frame;

/* The end of an Execute in whose EvtProgramDma something happened. */
NO_INLINE static NTSTATUS execute_finish(transaction *item, const program_frame *frame) {
    wdfdma_machine *machine = frame->call.machine;
    callback_leave(&frame->callback);
    if (transaction_is_alive(machine, item, frame->handle) && !item->is_scatter_gather) {
        packet_stage_rest(machine, item);
    }
    if (frame->given_on != NULL && !machine->state.halted) {
        channel_release(machine, frame->given_on);
    }
    return ddi_leave_status(&frame->call, frame->callback.label, STATUS_SUCCESS);
}

/* Calls EvtProgramDma, and gives the channel on. */
HOT_INLINE NTSTATUS plain_program(wdfdma_machine *machine, transaction *item,
                                  PSCATTER_GATHER_LIST list, WDFCONTEXT context, uint32_t outer_op,
                                  bool is_gather) {
    uint64_t handle = item->base.head.handle;
    uint32_t label = item->base.head.label;
    bool is_system = !is_gather && item->is_system;
    bool keeps_channel = is_system || (!is_gather && item->reserved != 0);
    adapter *by = keeps_channel ? NULL : item->adapter;
    const hindrances packet_staged = {.staging = true};
    const hindrances system_staged = {.staging = true, .programming = true};
    uint64_t staged = is_gather ? 0 : is_system ? system_staged.any : packet_staged.any;
    uint32_t irql = machine->state.irql;
    plain_count(machine, outer_op);
    item->context = context;
    if (!is_gather) {
        item->hindrances.any = staged;
    }
    item->state = WDFDMA_STATE_TRANSFER;
    callback_note(machine, handle, WDFDMA_EVENT_PROGRAM_DMA);
    uint64_t outer_place = place_get(machine);
    place_set(machine, (outer_place & UINT32_MAX) + 1 + ((uint64_t)WDFDMA_OP_EXECUTE << 32));
    machine->state.irql = irql < DISPATCH_LEVEL ? DISPATCH_LEVEL : irql;
    item->program_dma((WDFDMATRANSACTION)(uintptr_t)handle,
                      (WDFDEVICE)(uintptr_t)item->enabler->device->base.head.handle, context,
                      (WDF_DMA_DIRECTION)item->direction, list);
    if (UNLIKELY(machine->attention != 0) || UNLIKELY(item->base.head.handle != handle) ||
        UNLIKELY(item->hindrances.any != staged) ||
        UNLIKELY(by != NULL && by->queue.first != NULL)) {
        const program_frame frame = {.call = {machine, outer_op},
                                     .callback = {machine, irql, label, WDFDMA_EVENT_PROGRAM_DMA},
                                     .handle = handle,
                                     .given_on = by};
        return execute_finish(item, &frame);
    }
    if (!is_gather) {
        item->hindrances.any = 0;
    }
    place_set(machine, outer_place);
    machine->state.irql = irql;
    if (by != NULL) {
        channel_disown(by);
    }
    return STATUS_SUCCESS;
}

HOT_PATH NTSTATUS WdfDmaTransactionExecute(WDFDMATRANSACTION DmaTransaction, WDFCONTEXT Context) {
    wdfdma_machine *machine;
    uint32_t outer_op;
    transaction *item = plain_enter(DmaTransaction, &machine, &outer_op);
    if (LIKELY(item != NULL) && LIKELY(item->state == WDFDMA_STATE_INITIALIZED) &&
        LIKELY((item->request | item->fragment) == 0) && LIKELY(!item->map.live) &&
        LIKELY(item->hal.packet.request.waiting == WDFDMA_WAITING_NOT) &&
        LIKELY(machine->state.depth < machine->config.maximum_depth)) {
        uint64_t address;
        uint64_t registers = plain_measure(item, &address);
        PSCATTER_GATHER_LIST list;
        if (UNLIKELY(registers == 0)) {
            SITE_KEEP();
            return execute_in_full(DmaTransaction, Context);
        }
        if (item->is_scatter_gather) {
            list = gather_stage_plainly(machine, item, address, registers);
            if (LIKELY(list != NULL)) {
                return plain_program(machine, item, list, Context, outer_op, true);
            }
        } else {
            list = packet_stage_plainly(machine, item, address, registers);
            if (LIKELY(list != NULL)) {
                return plain_program(machine, item, list, Context, outer_op, false);
            }
        }
    }
    SITE_KEEP();
    return execute_in_full(DmaTransaction, Context);
}

/* ---- DmaCompleted ---- */

/* Gives registers back where that lets nobody through; false, with nothing changed, otherwise. */
HOT_INLINE bool plain_give_back(wdfdma_machine *machine, transaction *item) {
    adapter *by = item->adapter;
    if (item->is_scatter_gather) {
        uint32_t base = item->hal.gather.list_base;
        if (UNLIKELY(item->held_list != LIST_HELD || by->lists_held == 0) ||
            UNLIKELY(base != NO_REGISTER &&
                     !registers_put_here(machine, by, base, item->hal.gather.list_count))) {
            return false;
        }
        by->lists_held--;
        item->held_list = LIST_NONE;
        item->adapter = NULL;
        return true;
    }
    if (UNLIKELY(!item->holds_base)) {
        return false;
    }
    if (item->is_system) {
        transfer_context *context = &item->hal.packet.system.context;
        bool own = by->channel == &item->hal.packet.request;
        if (UNLIKELY(!own || (by->controller != NULL && by->controller != context))) {
            return false;
        }
        if (item->reserved == 0) {
            if (UNLIKELY(by->queue.first != NULL) ||
                UNLIKELY(by->channel_count != 0 &&
                         !registers_put_here(machine, by, by->channel_base, by->channel_count))) {
                return false;
            }
            channel_disown(by);
            packet_forget_registers(item);
        }
        transfer_flush(context);
    } else if (item->reserved == 0) {
        uint32_t base = item->base_register;
        if (base != NO_REGISTER &&
            UNLIKELY(!registers_put_here(machine, by, base, item->base_count))) {
            return false;
        }
        packet_forget_registers(item);
    }
    return true;
}

HOT_PATH BOOLEAN WdfDmaTransactionDmaCompleted(WDFDMATRANSACTION DmaTransaction, NTSTATUS *Status) {
    wdfdma_machine *machine;
    uint32_t outer_op;
    transaction *item = plain_enter(DmaTransaction, &machine, &outer_op);
    if (LIKELY(item != NULL && Status != NULL) && LIKELY(item->state == WDFDMA_STATE_TRANSFER) &&
        LIKELY(item->remaining == 0) && LIKELY(item->adapter != NULL) &&
        mapping_is_here(&item->map) && LIKELY(item->map.first_register == NO_REGISTER)) {
        uint64_t transferred = item->transferred + item->fragment;
        if (LIKELY(transferred <= item->length) && LIKELY(plain_give_back(machine, item))) {
            mapping_end_here(machine, &item->map);
            item->transferred = transferred;
            item->fragment = 0;
            item->state = WDFDMA_STATE_TRANSFER_COMPLETED;
            plain_count(machine, outer_op);
            *Status = STATUS_SUCCESS;
            return TRUE;
        }
    }
    SITE_KEEP();
    return complete_in_full(DmaTransaction, Status);
}

/* ---- Release ---- */

HOT_PATH NTSTATUS WdfDmaTransactionRelease(WDFDMATRANSACTION DmaTransaction) {
    wdfdma_machine *machine;
    uint32_t outer_op;
    transaction *item = plain_enter(DmaTransaction, &machine, &outer_op);
    if (LIKELY(item != NULL) && LIKELY(item->state == WDFDMA_STATE_TRANSFER_COMPLETED)) {
        bool gone =
            item->is_scatter_gather
                ? item->held_list == LIST_NONE
                : !item->holds_base || (item->reserved != 0 && reservation_is_mute(machine, item));
        if (LIKELY(gone)) {
            item->state = WDFDMA_STATE_RELEASED;
            item->request = 0;
            transaction_reset(item);
            plain_count(machine, outer_op);
            return STATUS_SUCCESS;
        }
    }
    SITE_KEEP();
    return release_in_full(DmaTransaction);
}
