/* What a WDM driver's calls through DMA_OPERATIONS keep in between: requests, contexts, lists,
 * mappings, buffers.
 *
 * A driver's own memory (a transfer context, a list's buffer) is a key here, never trusted and
 * never read: its address leads to a block of the machine's. */
#ifndef WDFDMA_WDM_FRONT_H
#define WDFDMA_WDM_FRONT_H

#include "hal.h"
#include "verifier/sites.h"

/* A list given to a driver. */
typedef struct wdm_list {
    mapping map;
    PSCATTER_GATHER_LIST list; /* the machine's */
    /* the copy in the driver's buffer, or NULL: it has [list] itself */
    PSCATTER_GATHER_LIST drivers;
    adapter *by;
    uint32_t base;
    uint32_t count;
} wdm_list;

/* A common buffer given to a driver. */
typedef struct wdm_buffer {
    common_memory memory;
    uint8_t *bytes; /* as the driver sees it */
    uint64_t logical;
    adapter *by;
    ULONG length;
} wdm_buffer;

/* A request for a channel, or for a list. */
typedef struct wdm_request {
    list_request list; /* first; its [request] is the channel's */
    PDEVICE_OBJECT device;
    PDRIVER_CONTROL control;
    PDRIVER_LIST_CONTROL list_control;
    PVOID context;
    struct wdm_context *transfer; /* NULL: version 2 */
    wdm_list *target;             /* of a list request */
    struct wdm_request
        *next_open; /* asked for the channel alone, and its routine has not returned */
    uint32_t granted_base;
} wdm_request;

/* A driver's transfer context. */
typedef struct wdm_context {
    transfer_context transfer; /* first */
    wdm_request *waiting;
    bool owns_channel;
    uint32_t users; /* requests under it: that wait, whose routine runs, or that own a channel */
    PDMA_COMPLETION_ROUTINE routine;
    PVOID routine_context;
    PDEVICE_OBJECT device;
    adapter *by;
} wdm_context;

/* What MapTransfer mapped, until it is flushed. */
typedef struct wdm_mapping {
    struct wdm_mapping *next;
    mapping map;
    SCATTER_GATHER_ELEMENT element;
    uint64_t start;     /* the virtual address of its first byte */
    uint32_t base;      /* of the run that it was mapped with */
    uint32_t registers; /* that it spans */
} wdm_mapping;

/* What a driver asks to be mapped or flushed: by an address in the first MDL, or by an offset into
 * the chain. */
typedef struct wdm_range {
    PMDL mdl;
    PVOID base;
    PVOID address;
    uint64_t offset;
    uint64_t length;
    bool by_address;
    bool to_device;
    bool may_fall_short; /* as map_part's */
} wdm_range;

/* The IRQL that a routine wants. */
typedef enum wdm_level {
    WDM_UP_TO_DISPATCH,
    WDM_AT_DISPATCH,
    WDM_AT_PASSIVE
} wdm_level;

typedef struct wdm_call {
    ddi_call call;
    adapter *by;
    uint32_t outer_routine;
} wdm_call;

/* wdm_rules.c: each notes what it finds wrong, and returns false or NULL; the machine may go on. */
/* The adapter that [given] is, on the current machine, at the right IRQL, for a call of [routine]. */
adapter *wdm_enter(wdm_call *entered, PDMA_ADAPTER given, wdm_level level, uint32_t routine);
bool wdm_level_is_right(wdfdma_machine *machine, wdm_level level, const object *concerned);
bool wdm_count_is_allowed(wdfdma_machine *machine, const adapter *by, uint64_t registers);
/* Nothing waits under the driver's transfer context [given], nor owns a channel; a synchronous request
 * that finds its channel owned fails, and leaves the context as it is. */
bool wdm_context_is_free(wdfdma_machine *machine, const adapter *by, PVOID given, bool synchronous);
/* [alone]: the device object may have no other such request open. */
bool wdm_channel_is_allowed(wdfdma_machine *machine, const adapter *by, PDEVICE_OBJECT device,
                            ULONG registers, bool alone);
/* True also for a range that runs past a chain of usable MDLs. */
bool wdm_chain_is_usable(wdfdma_machine *machine, PMDL mdl, uint64_t offset, uint64_t length);
/* [mdl] is one that mdl_find finds. */
bool wdm_address_is_inside(wdfdma_machine *machine, const adapter *by, const MDL *mdl,
                           PVOID address);
bool wdm_list_address_is_inside(wdfdma_machine *machine, const adapter *by, const MDL *mdl,
                                PVOID address);
bool wdm_registers_are_flushed(wdfdma_machine *machine, const adapter *by, uint32_t base);
static inline void wdm_leave(const wdm_call *entered) {
    entered->call.machine->routine = entered->outer_routine;
    ddi_leave(&entered->call);
}

/* A map register base as a driver sees it: NULL, or a number that only names the run. */
PVOID base_to_wdm(uint32_t base);
/* False where [given] names no run that is held. */
bool base_from_wdm(wdfdma_machine *machine, PVOID given, uint32_t *base, uint32_t *count);
wdm_context *wdm_context_find(wdfdma_machine *machine, PVOID given);
wdm_context *wdm_context_get(wdfdma_machine *machine, PVOID given);
/* Forgets a context that nothing goes on under: one that is not known is as one just initialized. */
void wdm_context_drop(wdfdma_machine *machine, wdm_context *unused);
/* [asked] is under it, if there is one. What waits under it already stays what it waits for: a synchronous request that
 * finds the channel owned fails. */
void wdm_context_enter(wdm_context *by, wdm_request *asked);
void wdm_context_release(wdfdma_machine *machine, wdm_context *by);
/* Frees a request that nobody waits for any more, and the list that it was for. */
void wdm_request_discard(wdfdma_machine *machine, wdm_request *asked);
/* Whether the owner of a channel is a list, whose routine runs now. */
bool wdm_list_is_granted_to(const hal_request *owner);
/* Where [address] lies in the buffer of [mdl]. */
uint64_t wdm_get_offset(const MDL *mdl, PVOID address);

/* guard.c: what may not change, and whether it did. */
enum {
    GUARD_TAG_BYTES = 8
};
/* Puts tags before and after a common buffer. */
void guard_tag(uint8_t *bytes, uint64_t length);
void guard_check_tags(wdfdma_machine *machine, const adapter *by, const uint8_t *bytes,
                      uint64_t length);

ALLOCATE_ADAPTER_CHANNEL wdm_allocate_adapter_channel;
ALLOCATE_ADAPTER_CHANNEL_EX wdm_allocate_adapter_channel_ex;
CANCEL_ADAPTER_CHANNEL wdm_cancel_adapter_channel;
FREE_ADAPTER_CHANNEL wdm_free_adapter_channel;
FREE_ADAPTER_OBJECT wdm_free_adapter_object;
FREE_MAP_REGISTERS wdm_free_map_registers;
INITIALIZE_DMA_TRANSFER_CONTEXT wdm_initialize_dma_transfer_context;
CANCEL_MAPPED_TRANSFER wdm_cancel_mapped_transfer;

MAP_TRANSFER wdm_map_transfer;
MAP_TRANSFER_EX wdm_map_transfer_ex;
FLUSH_ADAPTER_BUFFERS wdm_flush_adapter_buffers;
FLUSH_ADAPTER_BUFFERS_EX wdm_flush_adapter_buffers_ex;
/* The run that [given] names, usable by [by]; NO_REGISTER where that needs none. */
bool wdm_base_find(wdfdma_machine *machine, const adapter *by, PVOID given, uint32_t *base,
                   uint32_t *count);
wdm_range wdm_range_by_address(wdfdma_machine *machine, PMDL mdl, PVOID base, PVOID address,
                               uint64_t length);
/* Ends what is mapped on the run at [base], copying nothing. */
void wdm_mappings_end(wdfdma_machine *machine, adapter *by, uint32_t base);
/* The same for all of a list of mappings. */
void wdm_mappings_forget(wdfdma_machine *machine, wdm_mapping *left);

GET_SCATTER_GATHER_LIST wdm_get_scatter_gather_list;
GET_SCATTER_GATHER_LIST_EX wdm_get_scatter_gather_list_ex;
BUILD_SCATTER_GATHER_LIST wdm_build_scatter_gather_list;
BUILD_SCATTER_GATHER_LIST_EX wdm_build_scatter_gather_list_ex;
PUT_SCATTER_GATHER_LIST wdm_put_scatter_gather_list;
CALCULATE_SCATTER_GATHER_LIST_SIZE wdm_calculate_scatter_gather_list;

#endif
