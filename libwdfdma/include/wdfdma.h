/* wdfdma: Windows' kernel DMA stack, simulated in user mode. The control plane.
 *
 * A driver's code includes "wdf.h" and calls the WDK's functions; whoever makes the world around
 * that driver includes this header: machines, memory, requests, the device's side of the bus,
 * time, logs, snapshots and programs.
 *
 * Ownership is said in four phrases. Borrowed: used during the call only. Copied: the caller
 * keeps its own. Owned by the caller: released with the function named. Owned by the machine:
 * valid until the machine is destroyed or restored, or the named call ends it.
 *
 * Errors are NTSTATUS values; on an error outputs are not written and nothing has changed. Every
 * function accepts a NULL machine or output and answers STATUS_INVALID_PARAMETER (false, 0 or
 * NULL where it returns no status). On a machine that a bug check has halted, functions that
 * would change it answer STATUS_UNSUCCESSFUL; those that only read still answer.
 *
 * A machine is used by one thread at a time; different machines may be used by different threads
 * at once. */
#ifndef WDFDMA_H
#define WDFDMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wdf.h"
#include "wdfdma_api.h"

#ifdef __cplusplus
extern "C" {
#endif

/* cffi: begin */

/* Names */

/* What a driver or the control plane may call. The first group is the operations of a program
 * and of a scenario, by their names there; their values are the operation bytes of a program. */
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
    WDFDMA_OP_PROGRAM_COUNT = 24, /* one past the operations of a program */

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
    WDFDMA_OP_CONTROL = 47       /* the control plane itself */
} wdfdma_op;

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

/* The codes with which a machine halts: Windows' own, but for the last. */
typedef enum wdfdma_bugcheck_code {
    WDFDMA_BUGCHECK_NONE = 0,
    WDFDMA_BUGCHECK_IRQL_NOT_GREATER_OR_EQUAL = 0x9, /* KeRaiseIrql downwards */
    WDFDMA_BUGCHECK_IRQL_NOT_LESS_OR_EQUAL = 0xA,    /* KeLowerIrql upwards */
    WDFDMA_BUGCHECK_DRIVER_VERIFIER_DMA_VIOLATION = 0xE6,
    WDFDMA_BUGCHECK_WDF_VIOLATION = 0x10D,
    /* parameter 1 = 8: the kernel stack is used up */
    WDFDMA_BUGCHECK_UNEXPECTED_KERNEL_MODE_TRAP = 0x7F,
    /* the control plane, or a failed callback of Python */
    WDFDMA_BUGCHECK_MANUALLY_INITIATED_CRASH = 0xE2,
    /* a rule of ours: undefined behaviour, stopped before it happens */
    WDFDMA_BUGCHECK_WDFDMA_VIOLATION = 0x57444D41
} wdfdma_bugcheck_code;

/* Parameter 1 of WDF_VIOLATION, for the codes that can arise here. */
typedef enum wdfdma_wdf_violation {
    WDFDMA_WDF_VERIFIER_FATAL_ERROR = 3,
    WDFDMA_WDF_REQUIRED_PARAMETER_IS_NULL = 4,
    WDFDMA_WDF_INVALID_HANDLE = 5,
    WDFDMA_WDF_REQUEST_FATAL_ERROR = 6,
    WDFDMA_WDF_OBJECT_ERROR = 7,
    WDFDMA_WDF_DMA_FATAL_ERROR = 8
} wdfdma_wdf_violation;

/* The rules of the verifier, from libwdfdma/src/verifier/rules.def by libwdfdma/make_rules.py. */
typedef enum wdfdma_rule {
    WDFDMA_RULE_NONE = 0,
    /* rules: begin */
    WDFDMA_RULE_PENDING_RESERVATION_DISTURBED = 1,
    WDFDMA_RULE_CANCELLED_RESERVATION_USED = 2,
    WDFDMA_RULE_NO_ADAPTER = 3,
    WDFDMA_RULE_COMPLETED_WHILE_WAITING = 4,
    WDFDMA_RULE_COMPLETED_TWICE = 5,
    WDFDMA_RULE_LENGTH_PAST_BUFFER = 6,
    WDFDMA_RULE_RESERVED_OTHER_DIRECTION = 7,
    WDFDMA_RULE_COMPLETED_WHILE_CONFIGURING = 8,
    WDFDMA_RULE_FREED_WHILE_TRANSFERRING = 9,
    WDFDMA_RULE_LIST_PUT_TWICE = 10,
    WDFDMA_RULE_NOT_CONFIGURED = 11,
    WDFDMA_RULE_MAPPED_TWICE = 12,
    WDFDMA_RULE_INVALID_MDL = 13,
    WDFDMA_RULE_CHANNEL_NOT_OWNED = 14,
    WDFDMA_RULE_INVALID_ADAPTER = 15,
    WDFDMA_RULE_STATUS_IGNORED = 16,
    WDFDMA_RULE_IMMEDIATE_LOST = 17,
    WDFDMA_RULE_RESERVATION_KEPT = 18,
    WDFDMA_RULE_ZERO_LENGTH_LIVELOCK = 19,
    WDFDMA_RULE_NEVER_COMPLETED = 20,
    WDFDMA_RULE_REQUEST_COMPLETED_IN_TRANSFER = 21,
    WDFDMA_RULE_BUFFER_SHARED = 22,
    WDFDMA_RULE_BUFFER_TOUCHED = 23,
    WDFDMA_RULE_BUFFER_FREED_WHILE_MAPPED = 24,
    WDFDMA_RULE_DEVICE_AFTER_COMPLETION = 25,
    WDFDMA_RULE_DEVICE_AFTER_FREE = 26,
    WDFDMA_RULE_DEVICE_OUTSIDE_LIST = 27,
    WDFDMA_RULE_RELEASED_IN_TRANSFER = 28,
    WDFDMA_RULE_CANCELLED_RESERVATION_KEPT = 29,
    WDFDMA_RULE_LEAK_TRANSACTION = 30,
    WDFDMA_RULE_LEAK_RESERVATION = 31,
    WDFDMA_RULE_LEAK_COMMON_BUFFER = 32,
    WDFDMA_RULE_LEAK_REQUEST = 33,
    WDFDMA_RULE_LEAK_REFERENCE = 34,
    WDFDMA_RULE_LEAK_REGISTERS = 35,
    WDFDMA_RULE_LEAK_LIST = 36,
    WDFDMA_RULE_LEAK_CHANNEL = 37,
    WDFDMA_RULE_LEAK_ADAPTER = 38,
    WDFDMA_RULE_WDF_VERIFIER_FATAL_ERROR = 39,
    WDFDMA_RULE_WDF_REQUIRED_PARAMETER_IS_NULL = 40,
    WDFDMA_RULE_WDF_INVALID_HANDLE = 41,
    WDFDMA_RULE_WDF_REQUEST_FATAL_ERROR = 42,
    WDFDMA_RULE_WDF_OBJECT_ERROR = 43,
    WDFDMA_RULE_WDF_DMA_FATAL_ERROR = 44,
    WDFDMA_RULE_IRQL_NOT_GREATER_OR_EQUAL = 45,
    WDFDMA_RULE_IRQL_NOT_LESS_OR_EQUAL = 46,
    WDFDMA_RULE_UNEXPECTED_KERNEL_MODE_TRAP = 47,
    WDFDMA_RULE_DMA_00_1 = 48,
    WDFDMA_RULE_DMA_00_2 = 49,
    WDFDMA_RULE_DMA_03 = 50,
    WDFDMA_RULE_DMA_04 = 51,
    WDFDMA_RULE_DMA_05 = 52,
    WDFDMA_RULE_DMA_06 = 53,
    WDFDMA_RULE_DMA_07 = 54,
    WDFDMA_RULE_DMA_08 = 55,
    WDFDMA_RULE_DMA_09 = 56,
    WDFDMA_RULE_DMA_0A = 57,
    WDFDMA_RULE_DMA_0B = 58,
    WDFDMA_RULE_DMA_0C = 59,
    WDFDMA_RULE_DMA_0D = 60,
    WDFDMA_RULE_DMA_0E = 61,
    WDFDMA_RULE_DMA_0F_1 = 62,
    WDFDMA_RULE_DMA_0F_2 = 63,
    WDFDMA_RULE_DMA_0F_3 = 64,
    WDFDMA_RULE_DMA_0F_4 = 65,
    WDFDMA_RULE_DMA_0F_5 = 66,
    WDFDMA_RULE_DMA_10 = 67,
    WDFDMA_RULE_DMA_13 = 68,
    WDFDMA_RULE_DMA_15 = 69,
    WDFDMA_RULE_DMA_16 = 70,
    WDFDMA_RULE_DMA_18 = 71,
    WDFDMA_RULE_DMA_19 = 72,
    WDFDMA_RULE_DMA_1B = 73,
    WDFDMA_RULE_DMA_1D = 74,
    WDFDMA_RULE_DMA_1F_1 = 75,
    WDFDMA_RULE_DMA_1F_2 = 76,
    WDFDMA_RULE_DMA_1F_3 = 77,
    WDFDMA_RULE_DMA_1F_4 = 78,
    WDFDMA_RULE_DMA_1F_5 = 79,
    WDFDMA_RULE_DMA_20 = 80,
    WDFDMA_RULE_DMA_21 = 81,
    WDFDMA_RULE_DMA_23 = 82,
    WDFDMA_RULE_DMA_24 = 83,
    WDFDMA_RULE_DMA_25 = 84,
    WDFDMA_RULE_DMA_26 = 85,
    WDFDMA_RULE_COUNT = 86
    /* rules: end */
} wdfdma_rule;

/* How bad it is to break a rule. */
typedef enum wdfdma_severity {
    WDFDMA_SEVERITY_BUGCHECK = 1,  /* Windows stops */
    WDFDMA_SEVERITY_VIOLATION = 2, /* a break: the driver is wrong */
    WDFDMA_SEVERITY_ADVICE = 3     /* legal, and rarely meant */
} wdfdma_severity;

/* What a machine does where a rule is broken. */
typedef enum wdfdma_rule_mode {
    WDFDMA_MODE_DEFAULT = 0, /* what the rule's ending says */
    WDFDMA_MODE_STOP = 1,    /* the machine halts */
    WDFDMA_MODE_COLLECT = 2, /* recorded, and the machine goes on */
    WDFDMA_MODE_IGNORE = 3   /* the machine goes on */
} wdfdma_rule_mode;

/* What may follow a broken rule. */
typedef enum wdfdma_rule_ending {
    /* nothing: Windows stops, or what follows is undefined, and the machine stops before it, in
     * every mode */
    WDFDMA_ENDING_ALWAYS = 1,
    /* Driver Verifier's own check: stops by default; otherwise the call changes nothing */
    WDFDMA_ENDING_CHECKED = 2,
    /* a defined result, if an unfortunate one: collected by default */
    WDFDMA_ENDING_DEFINED = 3,
    WDFDMA_ENDING_ABSENT = 4 /* cannot arise in this simulator */
} wdfdma_rule_ending;

/* A rule, in words. All text is owned by the library, static. */
typedef struct wdfdma_rule_info {
    const char *name;
    uint32_t rule;     /* wdfdma_rule */
    uint32_t severity; /* wdfdma_severity */
    uint32_t ending;   /* wdfdma_rule_ending */
    uint32_t code;     /* wdfdma_bugcheck_code: what the machine halts with */
    int32_t first;     /* parameter 1 */
    int32_t second;    /* parameter 2 where it tells the rule from others; -1: it does not */
    const char *parameters;
    const char *cause;
    const char *fix;
    const char *source;
    const char *example; /* the name of a scenario that breaks it, or "" */
} wdfdma_rule_info;

/* A status that calls of this library return, in words. All text is owned by the library,
 * static. */
typedef struct wdfdma_status_info {
    const char *name;
    NTSTATUS status;
    const char *calls; /* that return it */
    const char *cause;
    const char *fix;
    const char *source;
} wdfdma_status_info;

/* What a fault of a plan takes hold of. */
typedef enum wdfdma_fault_kind {
    WDFDMA_FAULT_CALL = 0,    /* a DDI: it fails, as it is documented to */
    WDFDMA_FAULT_GRANT = 1,   /* a request for map registers: there is no run for it now */
    WDFDMA_FAULT_ADAPTER = 2, /* the making of an adapter: IoGetDmaAdapter gives NULL */
    WDFDMA_FAULT_KIND_COUNT = 3
} wdfdma_fault_kind;

/* A fault to be injected. Counted is what has passed the checks of its arguments and of its
 * object's state, so that a misuse is still found, and could fail with [status] then. */
typedef struct wdfdma_fault {
    uint32_t kind; /* wdfdma_fault_kind */
    uint32_t op;   /* wdfdma_op; CALL only, otherwise 0 */
    uint32_t nth;  /* of those counted since the fault was added: 1 is the first; 0: by chance */
    uint32_t per_mille; /* by chance: of a thousand; 0 to 1000, and 0 only counts */
    uint64_t seed;      /* of that chance: the same seed hits the same ones */
    NTSTATUS status;    /* one of wdfdma_fault_get_statuses; CALL only, otherwise 0 */
    uint32_t hit_op;    /* written by the machine, as all that follows: the call hit last */
    uint64_t hit_step;  /* of the last hit */
    uint64_t hits;
    uint64_t met; /* how many were counted */
} wdfdma_fault;

/* The kinds of log records; what their fields hold is said at wdfdma_log_record. */
typedef enum wdfdma_record_kind {
    WDFDMA_RECORD_NONE = 0,
    WDFDMA_RECORD_OP = 1,
    WDFDMA_RECORD_EVENT = 2,
    WDFDMA_RECORD_ELEMENT = 3,
    WDFDMA_RECORD_LEAVE = 4,
    WDFDMA_RECORD_BREAK = 5,
    WDFDMA_RECORD_BUGCHECK = 6,
    WDFDMA_RECORD_SNAPSHOT = 7,
    WDFDMA_RECORD_STATE = 8
} wdfdma_record_kind;

/* Machines */

/* One independent world: a pool of map registers, memory, adapters, and the framework above
 * them. */
typedef struct wdfdma_machine wdfdma_machine;

/* A copy of all that a machine is. */
typedef struct wdfdma_snapshot wdfdma_snapshot;

/* Why a machine halted. [parameters] are Windows' own; handles are given as numbers. */
typedef struct wdfdma_bugcheck {
    uint32_t code; /* wdfdma_bugcheck_code */
    uint32_t rule; /* wdfdma_rule; WDFDMA_RULE_NONE for a halt that no rule made */
    uint64_t parameters[4];
    uint64_t time_ns;
    uint64_t step;
    uint32_t op;          /* wdfdma_op: the innermost call in progress */
    uint32_t depth;       /* callbacks of the driver in progress */
    uint32_t object_type; /* wdfdma_object_type of the object concerned; NONE if there is none */
    uint32_t object;      /* its label */
} wdfdma_bugcheck;

#define WDFDMA_VIOLATION_FRAMES 8

/* A callback of the driver that was in progress. */
typedef struct wdfdma_violation_frame {
    uint32_t event;  /* wdfdma_event; WDFDMA_EVENT_COUNT: one that is not a transaction's */
    uint32_t object; /* the label of the transaction or object that it concerned */
} wdfdma_violation_frame;

/* A rule that was broken. */
typedef struct wdfdma_violation {
    uint64_t parameters[4]; /* as the bug check's would be; handles are given as numbers */
    uint64_t time_ns;
    uint64_t step;
    uint64_t handle;                  /* of the object concerned, or 0 */
    uint64_t created_step;            /* in which that object was made */
    uint32_t rule;                    /* wdfdma_rule */
    uint32_t code;                    /* wdfdma_bugcheck_code */
    uint32_t op;                      /* wdfdma_op: the innermost call in progress */
    uint32_t object_type;             /* wdfdma_object_type; NONE: no object is concerned */
    uint32_t object;                  /* its label */
    uint32_t depth;                   /* callbacks in progress, the innermost of them in [frames] */
    bool stopped;                     /* the machine halted for it */
    wdfdma_violation_frame frames[8]; /* the innermost first */
} wdfdma_violation;

/* Called once when [machine] halts, inside the call that halts it. May read the machine; a
 * change is refused. */
typedef void (*wdfdma_bugcheck_handler)(wdfdma_machine *machine, const wdfdma_bugcheck *bugcheck,
                                        void *context);

/* The settings of a machine; wdfdma_machine_config_init gives the values in brackets. */
typedef struct wdfdma_machine_config {
    uint32_t size;          /* sizeof(wdfdma_machine_config) */
    uint32_t map_registers; /* registers in the pool, 0 to 1,048,576 [64] */
    /* the most that one adapter is granted [0xFFFFFFFF: map_registers] */
    uint32_t registers_per_adapter;
    uint32_t physical_address_bits; /* 12 to 52 [36] */
    bool force_map_registers;       /* every transfer is double-buffered [false] */
    bool verifier;                  /* the framework's own verifier [true] */
    /* callbacks of the driver in one another, 1 to 1024, before the stack is used up [256] */
    uint32_t maximum_depth;
    uint64_t seed; /* of the machine's generator [0] */
    /* 0: no log; n: a ring of the last n; WDFDMA_LOG_GROWS: all [0] */
    uint64_t log_records;
    /* the n-th allocation fails, as out of memory; 0: none does [0] */
    uint64_t fail_allocation;
    uint64_t reserve_bytes;          /* address space set aside, at least 16 MiB [4 GiB] */
    wdfdma_bugcheck_handler handler; /* called when the machine halts, or NULL [NULL] */
    void *handler_context;           /* borrowed for the machine's life [NULL] */
} wdfdma_machine_config;

/* What a machine counts. Live: a pointer to it shows each change, without a call. */
typedef struct wdfdma_machine_state {
    uint32_t halted; /* 1 after a bug check */
    uint32_t irql;   /* the current IRQL: 0 PASSIVE_LEVEL, 1 APC_LEVEL, 2 DISPATCH_LEVEL, ... */
    uint32_t depth;  /* callbacks of the driver in progress */
    uint32_t op;     /* wdfdma_op: the innermost call in progress */
    uint64_t time_ns;
    uint64_t step;           /* outermost calls made so far; in a program, the step that runs */
    uint32_t map_registers;  /* N, the size of the pool */
    uint32_t free_registers; /* free + held = N */
    uint32_t least_free_registers; /* the low-water mark of free_registers */
    uint32_t waiting_channel;      /* requests waiting for an adapter's channel */
    uint32_t waiting_pool;         /* requests waiting for map registers */
    uint32_t mappings;             /* live mappings that a device may use */
    uint64_t objects[11];          /* live objects by wdfdma_object_type */
    uint64_t breaks;               /* errors that the framework's verifier reported */
} wdfdma_machine_state;

/* The first broken invariant that wdfdma_machine_check found. */
typedef struct wdfdma_check_failure {
    const char *invariant; /* one sentence; owned by the library, static */
    uint64_t object;       /* the label of the object concerned, or the number of the register */
    uint64_t expected;
    uint64_t actual;
} wdfdma_check_failure;

/* The machine's default settings, into [config]. */
WDFDMA_API void wdfdma_machine_config_init(wdfdma_machine_config *config);

/* Makes a machine and makes it the calling thread's current one. [config] copied; NULL means the
 * defaults. [out] written on success; owned by the caller, release with wdfdma_machine_destroy.
 * Errors: STATUS_INVALID_PARAMETER for a setting out of its range or a wrong size;
 * STATUS_INSUFFICIENT_RESOURCES when the address space or the memory is not to be had. */
WDFDMA_API NTSTATUS wdfdma_machine_create(const wdfdma_machine_config *config,
                                          wdfdma_machine **out);

/* Ends [machine] and frees all that it holds; no callback runs. NULL is allowed and silent.
 * Refused inside one of its own callbacks, with STATUS_INVALID_DEVICE_STATE. Handles of it are
 * stale from then on. */
WDFDMA_API NTSTATUS wdfdma_machine_destroy(wdfdma_machine *machine);

/* Makes [machine] the calling thread's current one: the one that WDK calls without a handle
 * concern (KeGetCurrentIrql, IoAllocateMdl), and that a forged handle halts. NULL: none. Returns
 * the one before, or NULL. */
WDFDMA_API wdfdma_machine *wdfdma_machine_use(wdfdma_machine *machine);

/* The calling thread's current machine, or NULL. Borrowed. */
WDFDMA_API wdfdma_machine *wdfdma_machine_current(void);

/* The live counters of [machine]; owned by the machine, valid until it is destroyed. */
WDFDMA_API const wdfdma_machine_state *wdfdma_machine_get_state(const wdfdma_machine *machine);

/* The settings that [machine] was made with, defaults filled in; owned by the machine. */
WDFDMA_API const wdfdma_machine_config *wdfdma_machine_get_config(const wdfdma_machine *machine);

/* Why [machine] halted, or NULL while it runs; owned by the machine. */
WDFDMA_API const wdfdma_bugcheck *wdfdma_machine_get_bugcheck(const wdfdma_machine *machine);

/* Halts [machine] with [code] and [parameter] 1. Models: KeBugCheckEx. A machine already halted
 * keeps its first record. */
WDFDMA_API void wdfdma_machine_halt(wdfdma_machine *machine, uint32_t code, uint64_t parameter);

/* Walks all invariants: the register equation, queue order, parent links, overlaps, counts. True
 * when all hold; otherwise false, and [out] (may be NULL) names the first broken one. O(size of
 * the machine). Reads only. */
WDFDMA_API bool wdfdma_machine_check(const wdfdma_machine *machine, wdfdma_check_failure *out);

/* The [n]-th allocation from now on fails as if memory had run out, once; 0: none. Allocations
 * are those of the machine's own memory, whatever needs them. For out-of-memory sweeps. */
WDFDMA_API NTSTATUS wdfdma_machine_fail_allocation(wdfdma_machine *machine, uint64_t n);

/* How many allocations from now on the one that fails is; 0: none is to. */
WDFDMA_API uint64_t wdfdma_machine_get_fail_allocation(const wdfdma_machine *machine);

/* Moves virtual time on by [nanoseconds]. Errors: STATUS_INVALID_PARAMETER where the sum passes
 * 2^64 - 1. */
WDFDMA_API NTSTATUS wdfdma_machine_advance(wdfdma_machine *machine, uint64_t nanoseconds);

/* Sets the IRQL, 0 to 15. Errors: STATUS_INVALID_PARAMETER above 15. */
WDFDMA_API NTSTATUS wdfdma_machine_set_irql(wdfdma_machine *machine, uint32_t irql);

/* The next number of the machine's seeded generator; part of the machine's value. 0 for NULL. */
WDFDMA_API uint64_t wdfdma_machine_random(wdfdma_machine *machine);

/* Bytes of memory that [machine] uses: what a snapshot copies. */
WDFDMA_API size_t wdfdma_machine_get_used_bytes(const wdfdma_machine *machine);

/* Copies all that [machine] is. [out] owned by the caller, release with wdfdma_snapshot_destroy.
 * Works on a halted machine. Errors: STATUS_INVALID_DEVICE_STATE inside a callback;
 * STATUS_INSUFFICIENT_RESOURCES. */
WDFDMA_API NTSTATUS wdfdma_snapshot_create(wdfdma_machine *machine, wdfdma_snapshot **out);

/* Makes [machine] what it was when [snapshot] was made, log, generator and halt included; any
 * number of times, in any order. [snapshot] borrowed. Errors: STATUS_INVALID_PARAMETER for a
 * snapshot of another machine; STATUS_INVALID_DEVICE_STATE inside a callback. */
WDFDMA_API NTSTATUS wdfdma_machine_restore(wdfdma_machine *machine,
                                           const wdfdma_snapshot *snapshot);

/* Frees [snapshot]; NULL is allowed and silent. It may outlive its machine. */
WDFDMA_API void wdfdma_snapshot_destroy(wdfdma_snapshot *snapshot);

/* Bytes that [snapshot] holds. */
WDFDMA_API size_t wdfdma_snapshot_get_bytes(const wdfdma_snapshot *snapshot);

/* The log */

/* One record, 64 bytes. [code], [status] and [values] by [kind]:
 *   OP        code wdfdma_op, written when the call returned; values[0] what it returned or its
 *             first number,
 *             values[1] its second number or the direction; object the label of the transaction
 *             (of the
 *             enabler for GET_FRAGMENT_LENGTH and COMPLETE_TRANSFER)
 *   EVENT     code wdfdma_event; PROGRAM_DMA: values[0] direction (1: to the device), values[1]
 *             the number
 *             of ELEMENT records that follow; CONFIGURE_DMA_CHANNEL: values[0] offset, values[1]
 *             length;
 *             DMA_TRANSFER_COMPLETE: values[0] direction, values[1] DMA_COMPLETION_STATUS
 *   ELEMENT   values[0] logical address, values[1] length in bytes
 *   LEAVE     code wdfdma_event: that callback returned
 *   BREAK     code wdfdma_op, the innermost call in progress
 *   BUGCHECK  code the wdfdma_object_type of the object concerned; status the bug check's code,
 *             values[0..3]
 *             its parameters (a handle without the bits of its machine), values[4] the rule
 *   SNAPSHOT  values[0] free registers, values[1] the number of STATE records that follow
 *   STATE     code wdfdma_transaction_state; values[0] bytes transferred, values[1] transfer
 *             length */
typedef struct wdfdma_log_record {
    uint64_t time_ns;
    uint64_t values[5];
    uint32_t step;
    uint32_t object; /* label */
    int32_t status;
    uint16_t kind; /* wdfdma_record_kind */
    uint16_t code;
} wdfdma_log_record;

/* The records of a log, oldest first: [first], then [second] where a ring has wrapped. Owned by
 * the machine. */
typedef struct wdfdma_log_view {
    const wdfdma_log_record *first;
    const wdfdma_log_record *second;
    uint64_t first_count;
    uint64_t second_count;
    uint64_t lost; /* records that a ring has overwritten, or that found no memory */
} wdfdma_log_view;

/* Empties the log of [machine] and sets its length: 0 off, n a ring, WDFDMA_LOG_GROWS without
 * bound.
 * Errors: STATUS_INSUFFICIENT_RESOURCES, and the log stays as it was. */
WDFDMA_API NTSTATUS wdfdma_log_configure(wdfdma_machine *machine, uint64_t records);

/* The log's records, without a copy: valid until the machine is destroyed; later records may
 * overwrite a ring's. */
WDFDMA_API NTSTATUS wdfdma_log_get_view(const wdfdma_machine *machine, wdfdma_log_view *out);

/* Rules */

/* What there is to say of a rule, or NULL. Owned by the library, static. */
WDFDMA_API const wdfdma_rule_info *wdfdma_rule_get_info(uint32_t rule);

/* The name of a rule, or NULL. Owned by the library, static. */
WDFDMA_API const char *wdfdma_rule_get_name(uint32_t rule);

/* What there is to say of [status], or NULL where no call returns it. Owned by the library,
 * static. O(statuses). */
WDFDMA_API const wdfdma_status_info *wdfdma_status_get_info(NTSTATUS status);

/* Sets what [machine] does where [rule] is broken; WDFDMA_RULE_NONE: any rule. [mode] is a
 * wdfdma_rule_mode; a rule whose ending is ALWAYS stops the machine all the same. Errors:
 * STATUS_INVALID_PARAMETER for no such rule or mode; STATUS_UNSUCCESSFUL on a halted machine. */
WDFDMA_API NTSTATUS wdfdma_machine_set_rule_mode(wdfdma_machine *machine, uint32_t rule,
                                                 uint32_t mode);

/* What was set last, WDFDMA_MODE_DEFAULT if nothing was. */
WDFDMA_API uint32_t wdfdma_machine_get_rule_mode(const wdfdma_machine *machine, uint32_t rule);

/* The violations that [machine] has recorded, oldest first, those that halted it included. [count]
 * receives how many. Owned by the machine, valid until its next call. Part of the machine's value:
 * a restore takes them back. */
WDFDMA_API const wdfdma_violation *wdfdma_machine_get_violations(const wdfdma_machine *machine,
                                                                 size_t *count);

/* How many violations found no room: past 65,536 of them, or out of memory. */
WDFDMA_API uint64_t wdfdma_machine_get_violations_lost(const wdfdma_machine *machine);

/* Reports what is still held, as violations of NEVER_COMPLETED and of the rules LEAK_...:
 * everything, or where [below] is a device or an enabler, what lies below it and itself. [count]
 * receives how many were found that are not ignored. In the order of transactions, common
 * buffers, requests, references, adapters; in each of the objects in memory, or as the tree below
 * has them. Nothing else changes. wdfdma_device_destroy, and WdfObjectDelete of an enabler, report
 * the same for what they delete, but for common buffers, which go with their enabler; a machine
 * takes its violations with it, so ask before wdfdma_machine_destroy. O(size of the machine).
 * Errors: STATUS_INVALID_HANDLE where [below] is no live device or enabler of [machine];
 * STATUS_UNSUCCESSFUL on a halted machine, and where a rule that stops has halted it now. */
WDFDMA_API NTSTATUS wdfdma_machine_check_leaks(wdfdma_machine *machine, WDFOBJECT below,
                                               size_t *count);

/* Forgets all recorded violations. */
WDFDMA_API void wdfdma_machine_clear_violations(wdfdma_machine *machine);

/* Faults */

/* The statuses with which a fault may make [op] fail: what its documentation says it may return to
 * a driver whose arguments are right. NULL, and [count] 0, for an op that no fault takes hold of.
 * Owned by the library, static. */
WDFDMA_API const NTSTATUS *wdfdma_fault_get_statuses(uint32_t op, size_t *count);

/* Adds a fault to the plan of [machine]. A call that is hit fails with what such a failure leaves
 * behind (a failed Execute is transfer_failed) and nothing else; of several faults that hit one
 * call, the first added gives the status. A request for map registers that is hit finds none: it
 * fails where it is synchronous, and otherwise waits until registers are next freed. What the
 * machine writes into a fault begins at 0 here. [fault] copied. The plan is part of the machine's
 * value: a restore takes it back. Errors: STATUS_INVALID_PARAMETER for no such kind, op, chance or
 * status; STATUS_INSUFFICIENT_RESOURCES. */
WDFDMA_API NTSTATUS wdfdma_machine_add_fault(wdfdma_machine *machine, const wdfdma_fault *fault);

/* The plan, in the order of its making, with what has been met and hit so far. [count] receives
 * how many. Owned by the machine, valid until the plan is changed. */
WDFDMA_API const wdfdma_fault *wdfdma_machine_get_faults(const wdfdma_machine *machine,
                                                         size_t *count);

/* Ends the plan. */
WDFDMA_API NTSTATUS wdfdma_machine_clear_faults(wdfdma_machine *machine);

/* Memory */

/* A buffer to be described by an MDL. */
typedef struct wdfdma_mdl_config {
    uint32_t byte_offset; /* into the first page, 0 to 4095 */
    uint32_t byte_count;  /* at least 1 */
    const uint64_t *pfns; /* copied; one for each page, or NULL: pages of the machine's choice */
    size_t pfn_count;     /* pages(byte_offset, byte_count); 0 where [pfns] is NULL */
} wdfdma_mdl_config;

/* Makes an MDL over physical pages, which come to life zeroed unless another MDL has them
 * already. A page may be in several MDLs. [out] owned by the caller, release with
 * wdfdma_mdl_destroy.
 * Errors: STATUS_INVALID_PARAMETER for a bad offset, count, or PFN;
 * STATUS_INSUFFICIENT_RESOURCES. */
WDFDMA_API NTSTATUS wdfdma_mdl_create(wdfdma_machine *machine, const wdfdma_mdl_config *config,
                                      PMDL *out);

/* Ends [mdl], not its chain. Pages go when their last MDL goes. NULL is allowed and silent.
 * Errors: STATUS_INVALID_PARAMETER when it is not a live MDL of [machine]. */
WDFDMA_API NTSTATUS wdfdma_mdl_destroy(wdfdma_machine *machine, PMDL mdl);

/* Copies [bytes] bytes at [offset] of the chain [mdl] out of or into simulated memory, as the
 * processor would.
 * Errors: STATUS_INVALID_PARAMETER for a dead MDL; STATUS_BUFFER_TOO_SMALL past the chain's end;
 * STATUS_UNSUCCESSFUL, with nothing copied, where a rule stops the machine, or a write where it has
 * halted. */
WDFDMA_API NTSTATUS wdfdma_mdl_read(wdfdma_machine *machine, PMDL mdl, uint64_t offset, void *out,
                                    size_t bytes);
WDFDMA_API NTSTATUS wdfdma_mdl_write(wdfdma_machine *machine, PMDL mdl, uint64_t offset,
                                     const void *data, size_t bytes);

/* The bytes of [mdl] alone, in place, where its pages lie one after another in the machine;
 * otherwise NULL (a page is shared with an earlier MDL). Owned by the machine. Models:
 * MmGetSystemAddressForMdlSafe. */
WDFDMA_API void *wdfdma_mdl_get_bytes(wdfdma_machine *machine, PMDL mdl);

/* The device's side */

/* Reads [bytes] bytes at a logical address, as a bus master does. What no live mapping of a
 * transfer to the device and no common buffer allows is bug check 0xE6 with parameter 1 = 0x26,
 * and nothing is copied. Where a map register and a directly mapped page have the same logical
 * address, the map register answers.
 * Errors: STATUS_UNSUCCESSFUL when the machine halted. */
WDFDMA_API NTSTATUS wdfdma_device_read(wdfdma_machine *machine, uint64_t address, void *out,
                                       size_t bytes);

/* The same for a write, which a live mapping of a transfer from the device or a common buffer
 * must allow. */
WDFDMA_API NTSTATUS wdfdma_device_write(wdfdma_machine *machine, uint64_t address, const void *data,
                                        size_t bytes);

/* The system DMA controller finishes the transfer running on the channel of [enabler] for
 * [direction] (a simplex profile has one). True if one was running: its completion routine has
 * run. False on a bus master. */
WDFDMA_API bool wdfdma_enabler_complete_transfer(WDFDMAENABLER enabler,
                                                 WDF_DMA_DIRECTION direction);

/* Devices, requests, power */

/* Makes a device, which owns enablers. [out] owned by the caller, release with
 * wdfdma_device_destroy (or with the machine). [attributes] copied, may be NULL. Errors:
 * STATUS_INSUFFICIENT_RESOURCES. */
WDFDMA_API NTSTATUS wdfdma_device_create(wdfdma_machine *machine, PWDF_OBJECT_ATTRIBUTES attributes,
                                         WDFDEVICE *out);

/* Removes [device] and its children, as the framework does when a device goes. A stale handle is
 * a bug check. */
WDFDMA_API void wdfdma_device_destroy(WDFDEVICE device);

/* Enters or leaves D0: the enablers' callbacks, in the order of their making. Returns the first
 * failing status. */
WDFDMA_API NTSTATUS wdfdma_device_enter_d0(WDFDEVICE device, WDF_POWER_DEVICE_STATE previous);
WDFDMA_API NTSTATUS wdfdma_device_leave_d0(WDFDEVICE device, WDF_POWER_DEVICE_STATE target);

/* What a dispatcher hands a driver. */
typedef struct wdfdma_request_config {
    uint32_t type;            /* WDF_REQUEST_TYPE: read, write or device control */
    uint32_t io_control_code; /* device control only */
    /* borrowed: the chain of a write, or of a control's input; may be NULL */
    PMDL input;
    /* borrowed: the chain of a read, or of a control's output; may be NULL */
    PMDL output;
    uint64_t input_length;  /* bytes */
    uint64_t output_length; /* bytes */
} wdfdma_request_config;

/* How a request stands. */
typedef struct wdfdma_request_info {
    bool completed;
    NTSTATUS status;      /* once completed */
    uint64_t information; /* bytes, once completed */
    uint32_t references;  /* held by transactions in progress */
    uint32_t label;
} wdfdma_request_info;

/* Makes a request, owned by the driver until it completes it. [config] copied. [out] owned by
 * the caller, release with wdfdma_request_destroy. Errors: STATUS_INVALID_PARAMETER;
 * STATUS_INSUFFICIENT_RESOURCES. */
WDFDMA_API NTSTATUS wdfdma_request_create(WDFDEVICE device, const wdfdma_request_config *config,
                                          WDFREQUEST *out);
WDFDMA_API void wdfdma_request_destroy(WDFREQUEST request);
WDFDMA_API NTSTATUS wdfdma_request_get_info(WDFREQUEST request, wdfdma_request_info *out);

/* Looking at objects */

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
    uint64_t remaining;       /* bytes not in any fragment yet */
    uint64_t maximum_fragment;
    uint32_t reserved;       /* registers reserved by AllocateResources */
    uint32_t first_register; /* of the run held; 0xFFFFFFFF: none */
    uint32_t registers;      /* length of the run held or waited for */
    bool holds_base;         /* a map register base is held, which may be NULL */
    bool bounces;            /* the current mapping goes through the map registers */
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

/* Fills [out]. Errors: STATUS_INVALID_HANDLE, without a bug check. */
WDFDMA_API NTSTATUS wdfdma_transaction_get_info(WDFDMATRANSACTION transaction,
                                                wdfdma_transaction_info *out);
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

/* Who waits for whom */

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

/* Fills [out]. Errors: STATUS_INVALID_HANDLE, without a bug check. O(1). */
WDFDMA_API NTSTATUS wdfdma_adapter_get_info(WDFOBJECT adapter, wdfdma_adapter_info *out);
WDFDMA_API NTSTATUS wdfdma_common_buffer_get_info(WDFCOMMONBUFFER buffer,
                                                  wdfdma_common_buffer_info *out);

/* Copies the first [capacity] requests that wait for the channel of [adapter], in their order,
 * into [out]. Returns how many wait; 0 where [adapter] is none. O(that number). */
WDFDMA_API size_t wdfdma_adapter_copy_waiters(WDFOBJECT adapter, wdfdma_waiter_info *out,
                                              size_t capacity);

/* The same for those that wait for map registers. Each owns the channel of its adapter. */
WDFDMA_API size_t wdfdma_pool_copy_requests(const wdfdma_machine *machine, wdfdma_waiter_info *out,
                                            size_t capacity);

/* The adapter that the run which begins with register [index] was granted to, or NULL where none
 * does; O(1). */
WDFDMA_API WDFOBJECT wdfdma_pool_get_owner(const wdfdma_machine *machine, uint32_t index);

/* Programs */

/* What an operand of an operation is. Numbers are LEB128. */
typedef enum wdfdma_operand_kind {
    WDFDMA_OPERAND_NUMBER = 0,      /* 0 to the operand's maximum */
    WDFDMA_OPERAND_BOOLEAN = 1,     /* a byte, 0 or 1 */
    WDFDMA_OPERAND_DIRECTION = 2,   /* a byte, 0 read (from the device), 1 write */
    WDFDMA_OPERAND_EVENT = 3,       /* a byte, wdfdma_event */
    WDFDMA_OPERAND_TRANSACTION = 4, /* a number of the program's choice */
    WDFDMA_OPERAND_ENABLER = 5,     /* an index */
    WDFDMA_OPERAND_BUFFER = 6,      /* an index */
    WDFDMA_OPERAND_STEPS = 7        /* the length in bytes of nested steps, then these */
} wdfdma_operand_kind;

typedef struct wdfdma_operand {
    const char *name; /* the key in a scenario */
    uint32_t kind;    /* wdfdma_operand_kind */
    uint64_t maximum;
} wdfdma_operand;

/* How what an operation gives back stands in its log record. */
typedef enum wdfdma_result_kind {
    WDFDMA_RESULT_STATUS = 1,      /* the record's status */
    WDFDMA_RESULT_NUMBER = 2,      /* values[0] */
    WDFDMA_RESULT_BOOLEAN = 4,     /* values[0] */
    WDFDMA_RESULT_TWO_NUMBERS = 8, /* map_registers and elements: values[0] and values[1] */
    WDFDMA_RESULT_DIRECTION = 16,  /* values[1]; the record names an enabler, not a transaction */
    WDFDMA_RESULT_NO_RECORD = 32
} wdfdma_result_kind;

/* One operation of a program: its name in a scenario, its operands in their order, its results. */
typedef struct wdfdma_operation {
    const char *name;
    uint32_t operand_count;
    uint32_t results; /* wdfdma_result_kind, or-ed */
    wdfdma_operand operands[5];
} wdfdma_operation;

/* The operation with the number [op], or NULL. Static. */
WDFDMA_API const wdfdma_operation *wdfdma_program_get_operation(uint32_t op);

/* What is wrong with a program. */
typedef enum wdfdma_program_rule {
    WDFDMA_PROGRAM_OK = 0,
    WDFDMA_PROGRAM_TRUNCATED = 1,     /* it ends inside a header, a number or a step */
    WDFDMA_PROGRAM_NOT_A_PROGRAM = 2, /* another magic number or version */
    WDFDMA_PROGRAM_OUT_OF_RANGE = 3,  /* a number above its maximum */
    WDFDMA_PROGRAM_UNKNOWN_OPERATION = 4,
    WDFDMA_PROGRAM_NO_SUCH_ENABLER = 5,
    WDFDMA_PROGRAM_NO_SUCH_BUFFER = 6,
    WDFDMA_PROGRAM_NOT_CREATED = 7, /* a step on a transaction not created, or deleted */
    WDFDMA_PROGRAM_CREATED_TWICE = 8,
    WDFDMA_PROGRAM_ENABLER_REFUSED = 9, /* [value]: the framework's status */
    WDFDMA_PROGRAM_MACHINE_IN_USE = 10, /* the machine has objects already */
    WDFDMA_PROGRAM_NO_MEMORY = 11,
    WDFDMA_PROGRAM_NESTED_TOO_DEEP = 12 /* steps within steps past 64 levels */
} wdfdma_program_rule;

/* The outcome of a program: how far it came, and the first error. */
typedef struct wdfdma_program_result {
    uint32_t rule; /* wdfdma_program_rule */
    /* of the operand or operation concerned, in bytes from the program's start */
    uint64_t offset;
    int64_t value;   /* what stood there */
    uint64_t steps;  /* outermost steps that ran */
    uint64_t nested; /* steps that ran inside callbacks */
} wdfdma_program_result;

/* Checks the whole of a program; runs nothing. True when it is one. [out] may be NULL. */
WDFDMA_API bool wdfdma_program_check(const uint8_t *program, size_t bytes,
                                     wdfdma_program_result *out);

/* The machine settings that a program asks for, into [config] (the others of its fields keep
 * their values). False where the program is none. */
WDFDMA_API bool wdfdma_program_get_config(const uint8_t *program, size_t bytes,
                                          wdfdma_machine_config *config);

/* Runs a program on [machine], which must be fresh: its enablers and buffers, then its steps,
 * nested reactions included, at most [steps] of the outermost ones (UINT64_MAX: all). Records go
 * to the machine's log, a SNAPSHOT after each outermost step; a bug check ends it, and counts as
 * success here. [program] copied. True unless [out]->rule is set; then what ran before the error
 * has run. */
WDFDMA_API bool wdfdma_program_run(wdfdma_machine *machine, const uint8_t *program, size_t bytes,
                                   uint64_t steps, wdfdma_program_result *out);

/* cffi: end */

#define WDFDMA_LOG_GROWS UINT64_MAX

#ifdef __cplusplus
}
#endif

#endif
