/* The names of what a machine does and holds: operations, callbacks, states, objects. */
#ifndef WDFDMA_CONTROL_NAMES_H
#define WDFDMA_CONTROL_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wdf.h"
#include "wdfdma/api.h"

#ifdef __cplusplus
extern "C" {
#endif

/* cffi: begin */

/* What a driver or the control plane may call. The values of those that wdfdma_program_get_operation
 * knows are the operation bytes of a program, and their names are those in a scenario: all of the
 * first group, and some above. */
typedef enum wdfdma_op {
    WDFDMA_OP_NONE = 0,
    WDFDMA_OP_CREATE = 1,
    WDFDMA_OP_DELETE = 2,
    WDFDMA_OP_INITIALIZE = 3,
    WDFDMA_OP_EXECUTE = 4,
    WDFDMA_OP_ALLOCATE_RESOURCES = 5,
    WDFDMA_OP_FREE_RESOURCES = 6,
    WDFDMA_OP_SET_IMMEDIATE_EXECUTION = 7,
    WDFDMA_OP_SET_MAXIMUM_LENGTH = 8,
    WDFDMA_OP_SET_SINGLE_TRANSFER_REQUIREMENT = 9,
    WDFDMA_OP_SET_DEVICE_ADDRESS_OFFSET = 10,
    WDFDMA_OP_GET_TRANSFER_INFO = 11,
    WDFDMA_OP_GET_BYTES_TRANSFERRED = 12,
    WDFDMA_OP_GET_CURRENT_DMA_TRANSFER_LENGTH = 13,
    WDFDMA_OP_GET_FRAGMENT_LENGTH = 14,
    WDFDMA_OP_DMA_COMPLETED = 15,
    WDFDMA_OP_DMA_COMPLETED_WITH_LENGTH = 16,
    WDFDMA_OP_DMA_COMPLETED_FINAL = 17,
    WDFDMA_OP_RELEASE = 18,
    WDFDMA_OP_CANCEL = 19,
    WDFDMA_OP_STOP_SYSTEM_TRANSFER = 20,
    WDFDMA_OP_SET_CALLBACK = 21,
    WDFDMA_OP_ON = 22,
    WDFDMA_OP_COMPLETE_TRANSFER = 23,
    WDFDMA_OP_PROGRAM_COUNT = 24, /* one past the first group */

    WDFDMA_OP_ENABLER_CREATE = 32,
    WDFDMA_OP_ENABLER_CONFIGURE_SYSTEM_PROFILE = 33,
    WDFDMA_OP_ENABLER_CALL = 34, /* the enabler's getters and setters */
    WDFDMA_OP_INITIALIZE_USING_REQUEST = 35,
    WDFDMA_OP_TRANSACTION_CALL = 36, /* the transaction's other getters */
    WDFDMA_OP_COMMON_BUFFER_CREATE = 37,
    WDFDMA_OP_COMMON_BUFFER_CALL = 38,
    WDFDMA_OP_REQUEST_COMPLETE = 39,
    WDFDMA_OP_REQUEST_CALL = 40,
    WDFDMA_OP_OBJECT_CALL = 41,
    WDFDMA_OP_DEVICE_CALL = 42,
    WDFDMA_OP_POWER = 43,
    WDFDMA_OP_DEVICE_READ = 44,
    WDFDMA_OP_DEVICE_WRITE = 45,
    WDFDMA_OP_ADAPTER_CALL = 46, /* through DMA_OPERATIONS */
    WDFDMA_OP_CONTROL = 47,      /* the control plane itself */

    /* Steps of a program that call the kernel. */
    WDFDMA_OP_RAISE_IRQL = 64,
    WDFDMA_OP_LOWER_IRQL = 65,

    /* Steps of a program that call the routines of a WDM driver; what is in progress then is
     * WDFDMA_OP_ADAPTER_CALL. */
    WDFDMA_OP_IO_GET_DMA_ADAPTER = 96,
    WDFDMA_OP_WDM_GET_DMA_ADAPTER = 97,
    WDFDMA_OP_PUT_DMA_ADAPTER = 98,
    WDFDMA_OP_GET_DMA_ALIGNMENT = 99,
    WDFDMA_OP_READ_DMA_COUNTER = 100,
    WDFDMA_OP_GET_DMA_ADAPTER_INFO = 101,
    WDFDMA_OP_GET_DMA_TRANSFER_INFO = 102,
    WDFDMA_OP_ALLOCATE_COMMON_BUFFER = 103,
    WDFDMA_OP_ALLOCATE_COMMON_BUFFER_EX = 104,
    WDFDMA_OP_WRITE_COMMON_BUFFER = 105,
    WDFDMA_OP_FREE_COMMON_BUFFER = 106,
    WDFDMA_OP_INITIALIZE_DMA_TRANSFER_CONTEXT = 107,
    WDFDMA_OP_ALLOCATE_ADAPTER_CHANNEL = 108,
    WDFDMA_OP_ALLOCATE_ADAPTER_CHANNEL_EX = 109,
    WDFDMA_OP_CANCEL_ADAPTER_CHANNEL = 110,
    WDFDMA_OP_CONFIGURE_ADAPTER_CHANNEL = 111,
    WDFDMA_OP_FREE_ADAPTER_CHANNEL = 112,
    WDFDMA_OP_FREE_ADAPTER_OBJECT = 113,
    WDFDMA_OP_FREE_MAP_REGISTERS = 114,
    WDFDMA_OP_MAP_TRANSFER = 115,
    WDFDMA_OP_MAP_TRANSFER_EX = 116,
    WDFDMA_OP_CANCEL_MAPPED_TRANSFER = 117,
    WDFDMA_OP_FLUSH_ADAPTER_BUFFERS = 118,
    WDFDMA_OP_FLUSH_ADAPTER_BUFFERS_EX = 119,
    WDFDMA_OP_GET_SCATTER_GATHER_LIST = 120,
    WDFDMA_OP_GET_SCATTER_GATHER_LIST_EX = 121,
    WDFDMA_OP_BUILD_SCATTER_GATHER_LIST = 122,
    WDFDMA_OP_BUILD_SCATTER_GATHER_LIST_EX = 123,
    WDFDMA_OP_PUT_SCATTER_GATHER_LIST = 124,
    WDFDMA_OP_CALCULATE_SCATTER_GATHER_LIST = 125,
    WDFDMA_OP_BUILD_MDL_FROM_SCATTER_GATHER_LIST = 126,
    WDFDMA_OP_UNLOCK_PAGES = 127,

    /* Steps of a program that touch memory, that concern objects, and that are the world's. */
    WDFDMA_OP_DEVICE_READ_ADDRESS = 128,
    WDFDMA_OP_DEVICE_WRITE_ADDRESS = 129,
    WDFDMA_OP_MDL_READ = 130,
    WDFDMA_OP_MDL_WRITE = 131,
    WDFDMA_OP_FREE_MDL = 132,

    WDFDMA_OP_REQUEST_CREATE = 136,
    WDFDMA_OP_REQUEST_COMPLETE_WITH_INFORMATION = 137,
    WDFDMA_OP_COMMON_BUFFER_DELETE = 138,
    WDFDMA_OP_OBJECT_REFERENCE = 139,
    WDFDMA_OP_OBJECT_DEREFERENCE = 140,
    WDFDMA_OP_OBJECT_DELETE = 141,
    WDFDMA_OP_DELETE_ENABLER = 142,
    WDFDMA_OP_PASS_WRONG = 143,

    WDFDMA_OP_ENTER_D0 = 152,
    WDFDMA_OP_LEAVE_D0 = 153,
    WDFDMA_OP_REMOVE_DEVICE = 154,
    WDFDMA_OP_SET_IRQL = 155,
    WDFDMA_OP_CHECK_LEAKS = 156
} wdfdma_op;

/* What a driver that a program plays may hand over instead of the right argument. */
typedef enum wdfdma_argument {
    WDFDMA_ARGUMENT_RIGHT = 0,
    WDFDMA_ARGUMENT_NULL_HANDLE = 1,
    WDFDMA_ARGUMENT_FORGED_HANDLE = 2, /* a number that was never a handle */
    WDFDMA_ARGUMENT_OTHER_HANDLE = 3,  /* the device's, where a transaction's is asked for */
    WDFDMA_ARGUMENT_NULL_MDL = 4,
    WDFDMA_ARGUMENT_NULL_CALLBACK = 5,
    WDFDMA_ARGUMENT_COUNT = 6
} wdfdma_argument;

/* The callbacks of a transaction, as a scenario names them. */
typedef enum wdfdma_event {
    WDFDMA_EVENT_PROGRAM_DMA = 0,
    WDFDMA_EVENT_RESERVE_DMA = 1,
    WDFDMA_EVENT_CONFIGURE_DMA_CHANNEL = 2,
    WDFDMA_EVENT_DMA_TRANSFER_COMPLETE = 3,
    WDFDMA_EVENT_COUNT = 4
} wdfdma_event;

/* The states of a transaction; parameter 3 of WDF_DMA_FATAL_ERROR. */
typedef enum wdfdma_transaction_state {
    WDFDMA_STATE_INVALID = 0,
    WDFDMA_STATE_CREATED = 1,
    WDFDMA_STATE_RESERVED = 2,
    WDFDMA_STATE_INITIALIZED = 3,
    WDFDMA_STATE_TRANSFER = 4,
    WDFDMA_STATE_TRANSFER_COMPLETED = 5,
    WDFDMA_STATE_TRANSFER_FAILED = 6,
    WDFDMA_STATE_RELEASED = 7,
    WDFDMA_STATE_DELETED = 8
} wdfdma_transaction_state;

/* Where a transaction's request for map registers is. */
typedef enum wdfdma_waiting {
    WDFDMA_WAITING_NOT = 0,
    WDFDMA_WAITING_CHANNEL = 1, /* in its adapter's queue */
    WDFDMA_WAITING_POOL = 2     /* holds the channel, waits for registers */
} wdfdma_waiting;

/* The kinds of objects that a handle or a record names. */
typedef enum wdfdma_object_type {
    WDFDMA_OBJECT_NONE = 0,
    WDFDMA_OBJECT_DEVICE = 1,
    WDFDMA_OBJECT_ENABLER = 2,
    WDFDMA_OBJECT_TRANSACTION = 3,
    WDFDMA_OBJECT_COMMON_BUFFER = 4,
    WDFDMA_OBJECT_REQUEST = 5,
    WDFDMA_OBJECT_GENERAL = 6, /* WdfObjectCreate */
    WDFDMA_OBJECT_ADAPTER = 7,
    WDFDMA_OBJECT_MDL = 8,
    WDFDMA_OBJECT_MEMORY = 9,
    WDFDMA_OBJECT_INTERNAL = 10,
    WDFDMA_OBJECT_TYPE_COUNT = 11
} wdfdma_object_type;

/* One independent world: a pool of map registers, memory, adapters, and the framework above
 * them. */
typedef struct wdfdma_machine wdfdma_machine;

/* A copy of all that a machine is. */
typedef struct wdfdma_snapshot wdfdma_snapshot;

/* cffi: end */

#ifdef __cplusplus
}
#endif

#endif
