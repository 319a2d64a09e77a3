/* What shall fail: the plan of faults. */
#ifndef WDFDMA_CONTROL_FAULTS_H
#define WDFDMA_CONTROL_FAULTS_H

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

/* What a fault of a plan takes hold of. */
typedef enum wdfdma_fault_kind {
    WDFDMA_FAULT_CALL = 0,    /* a DDI: it fails, as it is documented to */
    WDFDMA_FAULT_GRANT = 1,   /* a request for map registers: there is no run for it now */
    WDFDMA_FAULT_ADAPTER = 2, /* the making of an adapter: IoGetDmaAdapter gives NULL */
    WDFDMA_FAULT_MAP = 3,     /* a mapping: it covers fewer bytes than were asked for */
    WDFDMA_FAULT_DEVICE = 4,  /* a move of the device: it goes wrong as [behaviour] says */
    WDFDMA_FAULT_KIND_COUNT = 5
} wdfdma_fault_kind;

/* The routines of those ops that stand for several: what a fault may name, as far as one can fail
 * though its arguments are right, and what the record of a broken rule names. */
typedef enum wdfdma_routine {
    WDFDMA_ROUTINE_ANY = 0,
    WDFDMA_ROUTINE_ALLOCATE_COMMON_BUFFER = 1, /* of ADAPTER_CALL, as all up to MapTransferEx */
    WDFDMA_ROUTINE_ALLOCATE_COMMON_BUFFER_EX = 2,
    WDFDMA_ROUTINE_ALLOCATE_ADAPTER_CHANNEL = 3,
    WDFDMA_ROUTINE_ALLOCATE_ADAPTER_CHANNEL_EX = 4,
    WDFDMA_ROUTINE_GET_SCATTER_GATHER_LIST = 5,
    WDFDMA_ROUTINE_GET_SCATTER_GATHER_LIST_EX = 6,
    WDFDMA_ROUTINE_BUILD_SCATTER_GATHER_LIST = 7,
    WDFDMA_ROUTINE_BUILD_SCATTER_GATHER_LIST_EX = 8,
    WDFDMA_ROUTINE_CALCULATE_SCATTER_GATHER_LIST = 9,
    WDFDMA_ROUTINE_GET_DMA_ADAPTER_INFO = 10,
    WDFDMA_ROUTINE_GET_DMA_TRANSFER_INFO = 11,
    WDFDMA_ROUTINE_MAP_TRANSFER_EX = 12,
    WDFDMA_ROUTINE_RETRIEVE_INPUT_WDM_MDL = 13, /* of REQUEST_CALL */
    WDFDMA_ROUTINE_RETRIEVE_OUTPUT_WDM_MDL = 14,
    WDFDMA_ROUTINE_OBJECT_ALLOCATE_CONTEXT = 15, /* of OBJECT_CALL */
    WDFDMA_ROUTINE_COMMON_BUFFER_CREATE = 16,    /* of COMMON_BUFFER_CREATE */
    WDFDMA_ROUTINE_COMMON_BUFFER_CREATE_WITH_CONFIG = 17,
    /* These, of ADAPTER_CALL, have no status that a fault could name. */
    WDFDMA_ROUTINE_PUT_DMA_ADAPTER = 18,
    WDFDMA_ROUTINE_FREE_COMMON_BUFFER = 19,
    WDFDMA_ROUTINE_FLUSH_ADAPTER_BUFFERS = 20,
    WDFDMA_ROUTINE_FREE_ADAPTER_CHANNEL = 21,
    WDFDMA_ROUTINE_FREE_MAP_REGISTERS = 22,
    WDFDMA_ROUTINE_MAP_TRANSFER = 23,
    WDFDMA_ROUTINE_GET_DMA_ALIGNMENT = 24,
    WDFDMA_ROUTINE_READ_DMA_COUNTER = 25,
    WDFDMA_ROUTINE_PUT_SCATTER_GATHER_LIST = 26,
    WDFDMA_ROUTINE_BUILD_MDL_FROM_SCATTER_GATHER_LIST = 27,
    WDFDMA_ROUTINE_INITIALIZE_DMA_TRANSFER_CONTEXT = 28,
    WDFDMA_ROUTINE_CONFIGURE_ADAPTER_CHANNEL = 29,
    WDFDMA_ROUTINE_CANCEL_ADAPTER_CHANNEL = 30,
    WDFDMA_ROUTINE_FLUSH_ADAPTER_BUFFERS_EX = 31,
    WDFDMA_ROUTINE_FREE_ADAPTER_OBJECT = 32,
    WDFDMA_ROUTINE_CANCEL_MAPPED_TRANSFER = 33,
    WDFDMA_ROUTINE_IO_GET_DMA_ADAPTER = 34,
    WDFDMA_ROUTINE_COUNT = 35
} wdfdma_routine;

/* How a move of the device goes wrong. A move is an access of wdfdma_device_read or
 * wdfdma_device_write that is allowed, the end of a transfer that the system DMA controller runs
 * (wdfdma_enabler_complete_transfer), or a completion that a program's step makes for a
 * transaction in transfer: the program's driver stands in its interrupt then. A late move is made
 * at the end of the next outermost call (in a program: step), whatever has come meanwhile.
 * [out] of a read that is not made, or not now, stays as it was. */
typedef enum wdfdma_device_behaviour {
    WDFDMA_DEVICE_OBEYS = 0,
    /* An access: the first half of its bytes. A controller: DmaAborted. A completion: with half
     * of its length, by WithLength where the driver called DmaCompleted. */
    WDFDMA_DEVICE_SHORT = 1,
    WDFDMA_DEVICE_SILENT = 2, /* nothing happens */
    WDFDMA_DEVICE_LATE = 3,
    /* An access: now, and a late one more. A controller, a completion: two, one after another. */
    WDFDMA_DEVICE_TWICE = 4,
    /* An access: each byte is its complement. A controller: DmaError. A completion: with one byte
     * more than was programmed. */
    WDFDMA_DEVICE_WRONG = 5,
    WDFDMA_DEVICE_BEHAVIOUR_COUNT = 6
} wdfdma_device_behaviour;

/* A fault to be injected. Counted is what has passed the checks of its arguments and of its
 * object's state, so that a misuse is still found, and could fail with [status] then. */
typedef struct wdfdma_fault {
    uint32_t kind; /* wdfdma_fault_kind */
    /* wdfdma_op. CALL: which, or 0 where [routine] says it. DEVICE: DEVICE_READ, DEVICE_WRITE,
     * COMPLETE_TRANSFER, one of the three DMA_COMPLETED, or 0: any move. Otherwise 0. */
    uint32_t op;
    uint32_t routine;   /* wdfdma_routine; CALL only, otherwise 0 */
    uint32_t behaviour; /* wdfdma_device_behaviour, not 0; DEVICE only, otherwise 0 */
    uint32_t nth; /* of those counted since the fault was added: 1 is the first; 0: by chance */
    uint32_t per_mille; /* by chance: of a thousand; 0 to 1000, and 0 only counts */
    uint64_t seed;      /* of that chance: the same seed hits the same ones */
    NTSTATUS status;    /* one of wdfdma_fault_get_statuses; CALL only, otherwise 0 */
    uint32_t hit_op;    /* written by the machine, as all that follows: the call hit last */
    uint64_t hit_step;  /* of the last hit */
    uint64_t hits;
    uint64_t met; /* how many were counted */
} wdfdma_fault;

/* The statuses with which a fault may make [op] fail: what its documentation says it may return to
 * a driver whose arguments are right. NULL, and [count] 0, for an op that no fault takes hold of.
 * Owned by the library, static. */
WDFDMA_API const NTSTATUS *wdfdma_fault_get_statuses(uint32_t op, size_t *count);

/* A routine, which a fault may name if it has statuses. */
typedef struct wdfdma_routine_info {
    const char *name;         /* the WDK's; as all else here owned by the library, static */
    uint32_t op;              /* that it is one of */
    uint32_t status_count;    /* 0: no fault may name it */
    const NTSTATUS *statuses; /* a routine that returns a pointer gives NULL instead */
} wdfdma_routine_info;

/* What is known of the routine with the number [routine], or NULL; NULL also for ANY. */
WDFDMA_API const wdfdma_routine_info *wdfdma_fault_get_routine(uint32_t routine);

/* Adds a fault to the plan of [machine]. A call that is hit fails with what such a failure leaves
 * behind (a failed Execute is transfer_failed) and nothing else; of several faults that hit one
 * call, the first added gives the status. A request for map registers that is hit finds none: it
 * fails where it is synchronous, and otherwise waits until registers are next freed. A mapping that
 * is hit covers half of the pages it would, counted down; one within a page is not counted, nor one
 * by an interface that maps all or nothing: lists, and MapTransfer without scatter/gather. What the
 * machine writes into a fault begins at 0 here. [fault] copied. The plan is part of the machine's
 * value: a restore takes it back. Errors: STATUS_INVALID_PARAMETER for no such kind, op, routine,
 * behaviour, chance or status; STATUS_INSUFFICIENT_RESOURCES. */
WDFDMA_API NTSTATUS wdfdma_machine_add_fault(wdfdma_machine *machine, const wdfdma_fault *fault);

/* The plan, in the order of its making, with what has been met and hit so far. [count] receives
 * how many. Owned by the machine, valid until the plan is changed. */
WDFDMA_API const wdfdma_fault *wdfdma_machine_get_faults(const wdfdma_machine *machine,
                                                         size_t *count);

/* How many moves of the device are late and still to come. 0 for NULL. */
WDFDMA_API size_t wdfdma_machine_count_late(const wdfdma_machine *machine);

/* Ends the plan. What is late already still comes. */
WDFDMA_API NTSTATUS wdfdma_machine_clear_faults(wdfdma_machine *machine);

/* cffi: end */

#ifdef __cplusplus
}
#endif

#endif
