/* What KMDF does between a driver and the HAL: objects, devices, enablers, transactions, common
 * buffers, requests. Its behaviour is docs/spec/framework.md.
 *
 * Every call enters through ddi_enter, which turns a handle into an object, and leaves through
 * ddi_leave. Every callback of the driver is made between callback_enter and callback_leave.
 * After a callback, or after anything that may have run one, the machine may have halted and the
 * transaction may be gone: transaction_is_alive tells. */
#ifndef WDFDMA_FRAMEWORK_H
#define WDFDMA_FRAMEWORK_H

#include "hal/hal.h"
#include "machine/journal.h"
#include "verifier/sites.h"
#include "verifier/verifier.h"

/* The part that all of a driver's objects share. */
typedef struct fx_object {
    object head;
    struct fx_object *parent;
    struct fx_object *first_child;
    struct fx_object *last_child;
    struct fx_object *next_sibling;
    struct fx_object *previous_sibling;
    struct fx_context *contexts;
    uint32_t references;
    bool deleting;
    bool destroying; /* its last reference is gone */
} fx_object;

/* object.kind of an object that is deleted and lives on for its references. */
enum {
    KIND_DELETED = 1
};

typedef struct device {
    fx_object base;
    uint32_t alignment;
    bool dma_busy; /* a version 2 packet transaction is under way */
} device;

typedef struct enabler {
    fx_object base;
    device *device;
    adapter *adapters[2]; /* by direction; a simplex profile has the same twice */
    uint32_t version;
    uint32_t width;
    WDF_DMA_PROFILE profile;
    bool is_system;
    bool is_scatter_gather;
    bool is_duplex;
    bool single_transfer;
    bool fill_failed; /* in the last D0 entry */
    bool enable_failed;
    uint64_t maximum_elements;
    WDF_DMA_ENABLER_CONFIG config;
} enabler;

typedef struct wdf_request {
    fx_object base;
    wdfdma_request_config config;
    NTSTATUS status;
    uint32_t dma_references;
    bool completed;
    uint64_t information;
} wdf_request;

typedef struct common_buffer {
    fx_object base;
    adapter *adapter;
    common_memory memory;
    uint64_t length;
    uint64_t skipped_bytes; /* to the aligned start */
} common_buffer;

/* A list that a scatter-gather transaction holds. */
typedef enum list_state {
    LIST_NONE,
    LIST_HELD,
    LIST_PUT
} list_state;

/* A reservation that a Release left in place: whether it keeps others waiting. */
typedef enum kept_state {
    KEPT_NOT,  /* not released yet */
    KEPT_MUTE, /* the HAL has it looked at whenever somebody comes to wait */
    KEPT_TOLD  /* it does, as was told */
} kept_state;

/* What only a system transaction has. */
typedef struct system_part {
    transfer_context context;
    PFN_WDF_DMA_TRANSACTION_CONFIGURE_DMA_CHANNEL configure;
    PVOID configure_context;
    PFN_WDF_DMA_TRANSACTION_DMA_TRANSFER_COMPLETE complete;
    PVOID complete_context;
    uint32_t device_address_offset;
} system_part;

typedef struct transaction transaction;

/* A further list request of a transaction whose own is still waiting: a completion came while it
 * did. */
typedef struct extra_list {
    list_request request;
    struct extra_list *next;
} extra_list;

/* What may be in the way of a plain call (cycle.c), tested as one word. */
typedef union hindrances {
    struct {
        bool single_transfer;
        bool stopped;
        bool staging;
        bool stage_again;
        bool programming;    /* EvtProgramDma of a system transaction runs */
        bool completion_due; /* the controller finished meanwhile, with due_status */
        bool holds_request;
        bool immediate_lost; /* by a reset, and not set again since */
    };
    uint64_t any;
} hindrances;

struct transaction {
    fx_object base;
    enabler *enabler;
    adapter *adapter;  /* NULL: none, until Initialize or AllocateResources */
    void *wdm_context; /* the driver's DMA_TRANSFER_CONTEXT_SIZE_V1 bytes, once it asked for them */
    uint64_t request;  /* the handle of the request that it was initialized with, or 0 */
    PMDL mdl;
    /* The MDL that holds, or ends at, the next byte; its handle, and where it begins in the chain. */
    const mdl_object *cursor;
    uint64_t cursor_handle;
    uint64_t cursor_offset;
    uint64_t offset; /* of the first byte in [mdl] */
    uint64_t length;
    uint64_t transferred;
    uint64_t remaining;
    uint64_t fragment;
    uint64_t maximum_fragment;
    PFN_WDF_PROGRAM_DMA program_dma;
    PFN_WDF_RESERVE_DMA reserve_dma;
    PVOID context; /* of whichever of the two comes next */
    uint32_t life; /* counts releases: a list asked for before one is not for what comes after */
    uint32_t reserved;
    uint32_t base_register; /* of the run held, or NO_REGISTER */
    uint32_t base_count;
    uint8_t state;     /* wdfdma_transaction_state */
    uint8_t direction; /* WDF_DMA_DIRECTION */
    uint8_t held_list; /* list_state */
    uint8_t due_status;
    uint8_t zero_completions; /* of the transfer, one after another */
    bool is_system;           /* as its enabler's */
    bool is_scatter_gather;
    bool is_version_3;
    bool holds_base;
    bool immediate;
    uint8_t kept; /* kept_state */
    hindrances hindrances;
    mapping map;
    union {
        struct {
            list_request own;
            PSCATTER_GATHER_LIST list; /* of [capacity] elements; kept until it is deleted */
            extra_list *extras;        /* in the order of their making */
            uint32_t capacity;
            uint32_t list_base;
            uint32_t list_count;
            bool own_is_newer; /* than the extras that wait */
        } gather;
        struct {
            hal_request request;
            system_part system;
            uint64_t list[5]; /* a SCATTER_GATHER_LIST of one element, which drivers may write */
        } packet;
    } hal;
};

/* Where a handle could point, inside an object, stands no number of the driver's choice
 * (object.c). */
_Static_assert(offsetof(wdf_request, information) % OBJECT_UNIT_BYTES != 0 &&
                   offsetof(wdf_request, config.input_length) % OBJECT_UNIT_BYTES != 0 &&
                   offsetof(wdf_request, config.output_length) % OBJECT_UNIT_BYTES != 0,
               "the numbers of a request");
_Static_assert(offsetof(enabler, maximum_elements) % OBJECT_UNIT_BYTES != 0 &&
                   offsetof(enabler, config.MaximumLength) % OBJECT_UNIT_BYTES != 0,
               "the numbers of an enabler");
_Static_assert(offsetof(transaction, context) % OBJECT_UNIT_BYTES != 0 &&
                   offsetof(transaction, length) % OBJECT_UNIT_BYTES != 0 &&
                   offsetof(transaction, maximum_fragment) % OBJECT_UNIT_BYTES != 0,
               "the numbers of a transaction");
_Static_assert(offsetof(transaction, hal.packet.list) % OBJECT_UNIT_BYTES != 0 &&
                   offsetof(transaction, hal.packet.list) / OBJECT_UNIT_BYTES ==
                       (offsetof(transaction, hal.packet.list) + 39) / OBJECT_UNIT_BYTES,
               "the list of a transaction");
_Static_assert(offsetof(transaction, hal.packet.request) ==
                   offsetof(transaction, hal.gather.own.request),
               "the request of a transaction");
_Static_assert(sizeof(hindrances) == sizeof(uint64_t), "the hindrances are one word");

/* ddi.c: the way into and out of every call */
/* The object that [handle] names, live and of [type]; NULL (and no leave is due) when the
 * machine has halted, or halts for the handle. */
COLD fx_object *ddi_enter_slow(ddi_call *call, uint64_t handle, wdfdma_object_type type,
                               wdfdma_op op);
HOT_INLINE fx_object *ddi_enter(ddi_call *call, const void *handle, wdfdma_object_type type,
                                wdfdma_op op) {
    uint64_t bits = (uint64_t)(uintptr_t)handle;
    wdfdma_machine *machine = registry_peek(bits);
    if (UNLIKELY(machine == NULL)) {
        return ddi_enter_slow(call, bits, type, op);
    }
    object *found = object_find(machine, bits);
    if (UNLIKELY(found == NULL ||
                 ((found->type ^ (uint32_t)type) | found->kind |
                  (machine->attention & (ATTENTION_HALTED | ATTENTION_COVERAGE))) != 0)) {
        return ddi_enter_slow(call, bits, type, op);
    }
    if (machine->state.op == WDFDMA_OP_NONE && UNLIKELY(current_machine_id != machine->id)) {
        return ddi_enter_slow(call, bits, type, op);
    }
    ddi_begin(call, machine, op);
    return (fx_object *)found;
}
/* Leaves, with a record of [status] for the object with [label]. */
COLD NTSTATUS ddi_leave_status_slow(const ddi_call *call, uint32_t label, NTSTATUS status);
HOT_INLINE NTSTATUS ddi_leave_status(const ddi_call *call, uint32_t label, NTSTATUS status) {
    if (UNLIKELY(call->machine->attention != 0)) {
        return ddi_leave_status_slow(call, label, status);
    }
    ddi_leave(call);
    return status;
}
/* Leaves, with a record that holds up to two numbers. */
NO_INLINE void ddi_leave_values(const ddi_call *call, uint32_t label, uint64_t first,
                                uint64_t second);

/* wdfobject.c */
/* Makes an object of [type], child of [parent], with what [attributes] ask for (may be NULL). */
NTSTATUS fx_create(wdfdma_machine *machine, wdfdma_object_type type, size_t bytes,
                   fx_object *parent, PWDF_OBJECT_ATTRIBUTES attributes, fx_object **out);
/* Frees an object that fx_create made and nobody has seen. */
void fx_discard(wdfdma_machine *machine, fx_object *unseen);
/* Deletes with all children; each one's own end is fx_end. */
void fx_delete(wdfdma_machine *machine, fx_object *gone);
bool fx_attributes_are_valid(PWDF_OBJECT_ATTRIBUTES attributes, NTSTATUS *status);
bool fx_check(const wdfdma_machine *machine, wdfdma_check_failure *out);
/* The object after [at] in the tree below [root], parents first; NULL at the end. */
const fx_object *fx_next(const fx_object *at, const fx_object *root);
static inline WDFOBJECT fx_get_handle(const fx_object *item) {
    return (WDFOBJECT)(uintptr_t)item->head.handle;
}

/* What ends an object of each kind, after its children and before its memory goes. */
void transaction_end(wdfdma_machine *machine, transaction *gone);
void enabler_end(wdfdma_machine *machine, enabler *gone);
void common_buffer_end(wdfdma_machine *machine, common_buffer *gone);

/* transaction.c */
HOT_INLINE bool transaction_is_alive(const wdfdma_machine *machine, const transaction *item,
                                     uint64_t handle) {
    return LIKELY(item->base.head.handle == handle &&
                  (machine->state.halted | item->base.head.kind) == 0);
}
/* True when the cursor's MDL is the one it was, with counts that fit its pages. */
HOT_INLINE bool cursor_is_good(const transaction *item) {
    const mdl_object *at = item->cursor;
    return LIKELY(at != NULL && at->head.handle == item->cursor_handle && mdl_fits(at));
}
/* False where it was initialized by what its own release let through, and the release went on. */
HOT_INLINE bool transaction_has_buffer(const transaction *item) {
    return LIKELY(item->adapter != NULL && item->mdl != NULL);
}
/* What an injected fault asks of a transaction: fault_trait, or-ed. */
static inline uint32_t transaction_get_traits(const transaction *item) {
    bool packet_2 = !item->is_version_3 && !item->is_scatter_gather;
    bool single = item->hindrances.single_transfer && item->is_version_3;
    return (item->is_scatter_gather ? (uint32_t)FAULT_TRAIT_LISTS : 0) |
           (single ? (uint32_t)FAULT_TRAIT_SINGLE_TRANSFER : 0) |
           (packet_2 ? (uint32_t)FAULT_TRAIT_VERSION_2_PACKET : 0);
}
/* A call that the state does not allow: where that is because a failure was not heeded, a rule of
 * ours says so first. */
COLD void transaction_refuse(wdfdma_machine *machine, const transaction *item);
/* Tells, once, that immediate execution was reset. */
void immediate_loss_tell(wdfdma_machine *machine, transaction *item);
/* True when others wait for what the transaction has reserved. */
HOT_INLINE bool reservation_is_waited_for(const wdfdma_machine *machine, const transaction *item) {
    return machine->state.waiting_pool != 0 ||
           (item->is_system && item->adapter->queue.first != NULL);
}
/* True when a Release has nothing to say, or to note, of the reservation that it leaves. */
HOT_INLINE bool reservation_is_mute(const wdfdma_machine *machine, const transaction *item) {
    return item->kept == KEPT_MUTE ? !reservation_is_waited_for(machine, item)
                                   : item->kept == KEPT_TOLD;
}
COLD void transaction_bugcheck(wdfdma_machine *machine, const transaction *item);
void transaction_reset(transaction *item);
/* As WdfDmaTransactionRelease, state checks apart. */
void transaction_release(wdfdma_machine *machine, transaction *item);
void transaction_hold_request(wdfdma_machine *machine, transaction *item);
void transaction_forget_hold(wdfdma_machine *machine, transaction *item);
bool transaction_is_waiting(const transaction *item);

/* reserve.c */
/* A Release leaves the reservation: tells that others wait for it, or that somebody comes to. */
void reservation_keep(wdfdma_machine *machine, transaction *item);
/* The reservation ends. */
void reservation_drop(wdfdma_machine *machine, transaction *item);

/* initialize.c */
/* needed(): docs/spec/framework.md. STATUS_BUFFER_TOO_SMALL too far past the chain. */
typedef struct range_need {
    uint64_t registers;
    uint64_t covered;
    bool starts_past_end;
    bool broken;
} range_need;
NTSTATUS range_get_needed(wdfdma_machine *machine, PMDL chain, uint64_t offset, uint64_t length,
                          range_need *out);
typedef struct buffer_range {
    PMDL mdl;
    const mdl_object *of; /* what [mdl] is, or NULL: none */
    uint64_t offset;
    uint64_t length;
    PFN_WDF_PROGRAM_DMA program_dma;
    WDF_DMA_DIRECTION direction;
} buffer_range;
NTSTATUS transaction_initialize(wdfdma_machine *machine, transaction *item,
                                const buffer_range *range);

/* packet.c: packet and system transactions on the move */
NTSTATUS packet_start(wdfdma_machine *machine, transaction *item);
NTSTATUS packet_stage(wdfdma_machine *machine, transaction *item);
/* What is left of an adapter routine after its first EvtProgramDma. */
NO_INLINE void packet_stage_rest(wdfdma_machine *machine, transaction *item);
static inline PSCATTER_GATHER_LIST packet_get_list(transaction *item) {
    return (PSCATTER_GATHER_LIST)(void *)item->hal.packet.list;
}
NTSTATUS packet_allocate(wdfdma_machine *machine, transaction *item, uint32_t registers);
void packet_give_back(wdfdma_machine *machine, transaction *item, bool force);
/* The registers are given back: what of them the transaction has noted. */
void packet_forget_registers(transaction *item);
void packet_flush(wdfdma_machine *machine, transaction *item);
/* Calls EvtProgramDma; false when the transaction is no more, or the machine halted. */
bool program_dma_call(wdfdma_machine *machine, transaction *item, PSCATTER_GATHER_LIST list);

/* system.c */
/* The controller starts; whether it tells of the end is decided now. */
void system_transfer_start(transaction *item, uint64_t length);
void system_context_initialize(wdfdma_machine *machine, transaction *item);
NO_INLINE bool system_configure(wdfdma_machine *machine, transaction *item, uint64_t offset,
                                uint64_t length);
NO_INLINE void system_transfer_complete(wdfdma_machine *machine, transaction *item,
                                        DMA_COMPLETION_STATUS status);

/* scatter_gather.c */
NO_INLINE NTSTATUS gather_initialize(wdfdma_machine *machine, transaction *item);
NO_INLINE NTSTATUS gather_stage(wdfdma_machine *machine, transaction *item);
NO_INLINE void gather_give_back(wdfdma_machine *machine, transaction *item);
NO_INLINE void gather_put(wdfdma_machine *machine, transaction *item);
bool gather_cancel(wdfdma_machine *machine, transaction *item);
bool gather_is_waiting(const transaction *item);
NO_INLINE void gather_buffer_free(wdfdma_machine *machine, transaction *item);

/* The calls of cycle.c, for whatever may stand in the way of one. */
NO_INLINE NTSTATUS initialize_in_full(WDFDMATRANSACTION handle, PFN_WDF_PROGRAM_DMA program_dma,
                                      WDF_DMA_DIRECTION direction, PMDL mdl, PVOID address,
                                      size_t length);
NO_INLINE NTSTATUS initialize_at_in_full(WDFDMATRANSACTION handle, PFN_WDF_PROGRAM_DMA program_dma,
                                         WDF_DMA_DIRECTION direction, PMDL mdl, size_t offset,
                                         size_t length);
NO_INLINE NTSTATUS execute_in_full(WDFDMATRANSACTION handle, WDFCONTEXT context);
NO_INLINE BOOLEAN complete_in_full(WDFDMATRANSACTION handle, NTSTATUS *status);
NO_INLINE NTSTATUS release_in_full(WDFDMATRANSACTION handle);

/* complete.c */
void transaction_give_back(wdfdma_machine *machine, transaction *item, bool force);

/* describe.c */
void object_describe(const wdfdma_machine *machine, const object *of, wdfdma_object_state *out);

/* inspect.c */
void transaction_fill_info(const transaction *item, wdfdma_transaction_info *out);
/* The transaction whose request [waiter] is, or NULL where it is none's. */
WDFDMATRANSACTION request_get_handle(const wdfdma_machine *machine, const hal_request *waiter);

/* leaks.c */
/* Reports what [doomed], a device or an enabler that is to be deleted, and what lies below it still
 * hold. */
void leaks_report(wdfdma_machine *machine, const fx_object *doomed);

/* enabler.c */
static inline bool direction_is_valid(WDF_DMA_DIRECTION direction) {
    return direction == WdfDmaDirectionReadFromDevice || direction == WdfDmaDirectionWriteToDevice;
}

#endif
