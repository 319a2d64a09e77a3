/* Looking at a machine: its objects, its pool, who waits for whom. */
#ifndef WDFDMA_CONTROL_INSPECT_H
#define WDFDMA_CONTROL_INSPECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wdf.h"
#include "wdfdma/api.h"
#include "wdfdma/names.h"

#ifdef __cplusplus
extern "C" {
#endif

/* cffi: begin */

/* A transaction, as a debugger would show it. */
typedef struct wdfdma_transaction_info {
    WDFDMAENABLER enabler;
    uint32_t label;
    uint32_t state;     /* wdfdma_transaction_state */
    uint32_t direction; /* WDF_DMA_DIRECTION */
    uint32_t waiting;   /* wdfdma_waiting */
    uint64_t length;    /* bytes of the whole transaction */
    uint64_t bytes_transferred;
    uint64_t transfer_length; /* bytes of the current fragment */
    uint64_t remaining;       /* bytes that no fragment has mapped yet */
    uint64_t maximum_fragment;
    uint32_t reserved;              /* registers reserved by AllocateResources */
    uint32_t first_register;        /* of the run held; 0xFFFFFFFF: none */
    uint32_t registers;             /* length of the run held or waited for */
    uint32_t device_address_offset; /* of a system profile, in bytes; 0 of the others */
    bool holds_base;                /* a map register base is held, which may be NULL */
    bool bounces;                   /* the current mapping goes through the map registers */
    bool immediate_execution;
    bool single_transfer;
    bool stopped;
} wdfdma_transaction_info;

/* An enabler and, for one direction, its adapter. */
typedef struct wdfdma_enabler_info {
    uint32_t label;
    uint32_t profile; /* WDF_DMA_PROFILE */
    uint32_t version; /* 2 or 3 */
    uint32_t address_width;
    uint32_t map_registers; /* granted to its adapter */
    uint32_t waiting;       /* requests in its adapter's queue */
    uint64_t maximum_length;
    uint64_t fragment_length;
    bool configured; /* there is an adapter for this direction */
    bool needs_map_registers;
    bool channel_owned;
    WDFDMATRANSACTION channel_owner; /* NULL where the owner is no transaction, or there is none */
} wdfdma_enabler_info;

/* The type of a live object, or WDFDMA_OBJECT_NONE for a stale or forged handle; never a bug
 * check. */
WDFDMA_API uint32_t wdfdma_object_get_type(WDFOBJECT object);

/* The label of an object: a number that names it in logs and records, counted from 0 for each
 * type. */
WDFDMA_API uint32_t wdfdma_object_get_label(WDFOBJECT object);

/* The machine of a live object, or NULL; never a bug check. */
WDFDMA_API wdfdma_machine *wdfdma_object_get_machine(WDFOBJECT object);

/* How [transaction] stands, into [out]; also one that was deleted and lives on for its references,
 * and on a halted machine. Models: !wdfkd.wdfdmatransaction. Errors: STATUS_INVALID_PARAMETER where
 * [out] is NULL; STATUS_INVALID_HANDLE where the handle is no live transaction's, without a bug
 * check. O(1). */
WDFDMA_API NTSTATUS wdfdma_transaction_get_info(WDFDMATRANSACTION transaction,
                                                wdfdma_transaction_info *out);

/* How [enabler] and its adapter for [direction] stand, into [out]; a simplex profile has the same
 * adapter for both directions, and a system profile none before it is configured. Models:
 * !wdfkd.wdfdmaenabler. Errors: STATUS_INVALID_PARAMETER where [out] is NULL or [direction] is
 * none; STATUS_INVALID_HANDLE where the handle is no live enabler's, without a bug check. O(1). */
WDFDMA_API NTSTATUS wdfdma_enabler_get_info(WDFDMAENABLER enabler, WDF_DMA_DIRECTION direction,
                                            wdfdma_enabler_info *out);

/* The pool's bitmap: bit i % 64 of word i / 64 is 1 where register i is held. Owned by the
 * machine, live. [words] receives the number of words; bits past the last register are 1. */
WDFDMA_API const uint64_t *wdfdma_pool_get_bitmap(const wdfdma_machine *machine, size_t *words);

/* The length of the run that begins with [index], or 0 where none does; O(1). */
WDFDMA_API uint32_t wdfdma_pool_get_run(const wdfdma_machine *machine, uint32_t index);

/* Copies the first [capacity] transactions that wait for map registers, in their order, into
 * [out] (a NULL handle where a waiter is no transaction). Returns how many wait. */
WDFDMA_API size_t wdfdma_pool_copy_waiters(const wdfdma_machine *machine, WDFDMATRANSACTION *out,
                                           size_t capacity);

/* An adapter, as a debugger would show it. Its handle names it to these functions alone. */
typedef struct wdfdma_adapter_info {
    uint32_t label;
    uint32_t version;        /* 2 or 3 */
    uint32_t address_width;  /* bits */
    uint32_t map_registers;  /* granted to it: the most of one request */
    uint32_t registers_held; /* by all that were granted some of it */
    uint32_t lists_held;     /* scatter/gather lists */
    uint32_t common_buffers_held;
    uint32_t waiting; /* requests in its queue */
    uint64_t maximum_length;
    bool needs_map_registers;
    bool scatter_gather;
    bool master;        /* false: of the system DMA controller */
    bool transferring;  /* the controller has a transfer running */
    bool channel_owned; /* by [channel_owner], or by a WDM driver where that is NULL */
    bool wdm;           /* a WDM driver has its address, so that it may free registers too */
    WDFDMATRANSACTION channel_owner;
} wdfdma_adapter_info;

/* A request for an adapter's channel and for map registers, that waits. */
typedef struct wdfdma_waiter_info {
    WDFDMATRANSACTION transaction; /* NULL: a WDM driver's request */
    WDFOBJECT adapter;
    uint32_t registers; /* asked for */
    uint32_t waiting;   /* wdfdma_waiting */
} wdfdma_waiter_info;

/* A common buffer. */
typedef struct wdfdma_common_buffer_info {
    uint32_t label;
    uint64_t length;  /* bytes, as asked for */
    uint64_t logical; /* the aligned address, as the device sees it */
} wdfdma_common_buffer_info;

/* Copies the handles of the first [capacity] live objects of [type] into [out], in the order of
 * their places in memory. Deleted ones that references keep are among them. Returns how many there
 * are. O(objects of all types). */
WDFDMA_API size_t wdfdma_machine_copy_objects(const wdfdma_machine *machine, uint32_t type,
                                              WDFOBJECT *out, size_t capacity);

/* The parent of a live object of the framework, or NULL; never a bug check. O(1). */
WDFDMA_API WDFOBJECT wdfdma_object_get_parent(WDFOBJECT object);

/* The adapter of [enabler] for [direction], or NULL; never a bug check. O(1). */
WDFDMA_API WDFOBJECT wdfdma_enabler_get_adapter(WDFDMAENABLER enabler, WDF_DMA_DIRECTION direction);

/* How [adapter] stands, into [out]: an enabler's, or one that a WDM driver got. Models: !dma.
 * Errors: STATUS_INVALID_PARAMETER where [out] is NULL; STATUS_INVALID_HANDLE where the handle is no
 * live adapter's, without a bug check. O(1). */
WDFDMA_API NTSTATUS wdfdma_adapter_get_info(WDFOBJECT adapter, wdfdma_adapter_info *out);

/* Where [buffer] lies and how long it is, into [out]. Models: the common buffers that !dma lists.
 * Errors: STATUS_INVALID_PARAMETER where [out] is NULL; STATUS_INVALID_HANDLE where the handle is no
 * live common buffer's, without a bug check. O(1). */
WDFDMA_API NTSTATUS wdfdma_common_buffer_get_info(WDFCOMMONBUFFER buffer,
                                                  wdfdma_common_buffer_info *out);

/* Copies the first [capacity] requests that wait for the channel of [adapter], in their order,
 * into [out]. Returns how many wait; 0 where [adapter] is none. O(that number). */
WDFDMA_API size_t wdfdma_adapter_copy_waiters(WDFOBJECT adapter, wdfdma_waiter_info *out,
                                              size_t capacity);

/* Copies the first [capacity] requests that wait for map registers, of all adapters, in the order in
 * which they are to be granted, into [out]; each owns the channel of its adapter.
 * Returns how many wait; 0 where [machine] is NULL. O(that number). */
WDFDMA_API size_t wdfdma_pool_copy_requests(const wdfdma_machine *machine, wdfdma_waiter_info *out,
                                            size_t capacity);

/* The adapter that the run which begins with register [index] was granted to, or NULL where none
 * does; O(1). */
WDFDMA_API WDFOBJECT wdfdma_pool_get_owner(const wdfdma_machine *machine, uint32_t index);

/* cffi: end */

#ifdef __cplusplus
}
#endif

#endif
