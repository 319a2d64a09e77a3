/* What a driver did wrong: rules and their modes, bug checks, violations, leaks. */
#ifndef WDFDMA_CONTROL_RULES_H
#define WDFDMA_CONTROL_RULES_H

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
    WDFDMA_RULE_TRANSFER_CONTEXT_REUSED = 86,
    WDFDMA_RULE_VERIFIER_BREAK = 87,
    WDFDMA_RULE_COUNT = 88
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
    const char *example; /* the name of a scenario that breaks it and no other, or "" */
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

#define WDFDMA_VIOLATION_FRAMES 8

/* A callback of the driver that was in progress. */
typedef struct wdfdma_violation_frame {
    uint64_t handle;      /* of the object that it concerned; 0 where that was gone by then */
    uint32_t event;       /* wdfdma_event; WDFDMA_EVENT_COUNT: one that is not a transaction's */
    uint32_t object_type; /* wdfdma_object_type */
    uint32_t object;      /* its label */
} wdfdma_violation_frame;

/* An object as a record names it. */
typedef struct wdfdma_named {
    uint64_t handle;      /* 0: none */
    uint32_t object_type; /* wdfdma_object_type */
    uint32_t object;      /* its label */
} wdfdma_named;

/* How an object stood when a rule was broken. What its type has not is 0. */
typedef struct wdfdma_object_state {
    /* TRANSACTION: wdfdma_transaction_state; REQUEST: 1 once completed; ADAPTER: 1 while its channel
     * is owned; DEVICE: 1 while a version 2 packet transaction is under way */
    uint32_t state;
    uint32_t waiting; /* TRANSACTION: wdfdma_waiting, where its request for registers was */
    uint32_t waiters; /* ADAPTER, ENABLER: requests in the queues of its channels */
    /* TRANSACTION: of the run held; 0xFFFFFFFF: none, as for every other type */
    uint32_t first_register;
    uint32_t registers; /* TRANSACTION: held or waited for; ADAPTER, ENABLER: held */
    uint32_t reserved;  /* TRANSACTION: registers, by AllocateResources */
    /* the framework's own; MDL: live mappings; a REQUEST has those of its transactions too */
    uint32_t references;
    uint32_t deleted;           /* 1: it lived on for its references alone */
    uint64_t length;            /* bytes: TRANSACTION, COMMON_BUFFER, MDL (it alone), REQUEST */
    uint64_t bytes_transferred; /* TRANSACTION; REQUEST: its information */
    uint64_t transfer_length;   /* TRANSACTION: bytes of the current transfer */
} wdfdma_object_state;

/* How the machine stood when a rule was broken. */
typedef struct wdfdma_moment {
    uint64_t log_records;     /* given to the log so far, a bug check's own included */
    uint32_t free_registers;  /* of the pool */
    uint32_t waiting_pool;    /* requests waiting for map registers */
    uint32_t waiting_channel; /* requests waiting for an adapter's channel */
    uint32_t irql;
} wdfdma_moment;

/* Why a machine halted. [parameters] are Windows' own; handles are given as numbers, and addresses as
 * wdfdma_machine_localize has them. */
typedef struct wdfdma_bugcheck {
    uint32_t code; /* wdfdma_bugcheck_code */
    uint32_t rule; /* wdfdma_rule; WDFDMA_RULE_NONE for a halt that no rule made */
    uint64_t parameters[4];
    uint64_t time_ns;
    uint64_t step;
    uint64_t handle;       /* of the object concerned, or 0 */
    uint64_t created_step; /* in which that object was made */
    uint32_t op;           /* wdfdma_op: the innermost call in progress */
    uint32_t depth;        /* callbacks of the driver in progress, the innermost in [frames] */
    uint32_t object_type;  /* wdfdma_object_type of the object concerned; NONE if there is none */
    uint32_t object;       /* its label */
    uint32_t routine;      /* wdfdma_routine, where [op] is ADAPTER_CALL; otherwise ANY */
    wdfdma_object_state state;
    wdfdma_moment moment;
    wdfdma_violation_frame frames[8]; /* the innermost first */
    wdfdma_named others[2];           /* objects concerned beside the first */
} wdfdma_bugcheck;

/* A rule that was broken. */
typedef struct wdfdma_violation {
    uint64_t parameters[4]; /* as the bug check's would be */
    uint64_t time_ns;
    uint64_t step;
    uint64_t handle;       /* of the object concerned, or 0 */
    uint64_t created_step; /* in which that object was made */
    uint32_t rule;         /* wdfdma_rule */
    uint32_t code;         /* wdfdma_bugcheck_code */
    uint32_t op;           /* wdfdma_op: the innermost call in progress */
    uint32_t object_type;  /* wdfdma_object_type; NONE: no object is concerned */
    uint32_t object;       /* its label */
    uint32_t depth;        /* callbacks in progress, the innermost of them in [frames] */
    bool stopped;          /* the machine halted for it */
    uint32_t routine;      /* wdfdma_routine, where [op] is ADAPTER_CALL; otherwise ANY */
    wdfdma_object_state state;
    wdfdma_moment moment;
    wdfdma_violation_frame frames[8]; /* the innermost first */
    wdfdma_named others[2];           /* objects concerned beside the first */
} wdfdma_violation;

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

/* What was set last of [rule], of all rules for WDFDMA_RULE_NONE; WDFDMA_MODE_DEFAULT if nothing
 * was, and where there is no such rule or machine. O(1). */
WDFDMA_API uint32_t wdfdma_machine_get_rule_mode(const wdfdma_machine *machine, uint32_t rule);

/* The violations that [machine] has recorded, oldest first, those that halted it included. [count]
 * receives how many. Owned by the machine, valid until its next call. Part of the machine's value:
 * a restore takes them back. */
WDFDMA_API const wdfdma_violation *wdfdma_machine_get_violations(const wdfdma_machine *machine,
                                                                 size_t *count);

/* How many violations found no room: past 65,536 of them, or out of memory. */
WDFDMA_API uint64_t wdfdma_machine_get_violations_lost(const wdfdma_machine *machine);

/* Halts [machine] at the [n]-th violation from now on, those that halt it anyway included and those
 * that are ignored not: the rule of that one stops, whatever its mode, and the machine is to be
 * looked at as it stood then; 0: none. The same calls on a fresh machine come to the same n-th one.
 * Part of the machine's value. Errors: STATUS_INVALID_PARAMETER where [machine] is NULL;
 * STATUS_UNSUCCESSFUL on a halted machine. */
WDFDMA_API NTSTATUS wdfdma_machine_stop_at_violation(wdfdma_machine *machine, uint64_t n);

/* Reports what is still held, as violations of NEVER_COMPLETED and of the rules LEAK_...:
 * everything, or where [below] is a device or an enabler, what lies below it and itself. [count]
 * receives how many were found that are not ignored. In the order of transactions, common
 * buffers, requests, references, adapters; in each of the objects in memory, or as the tree below
 * has them; without [below], last, also the map registers that nothing is mapped through and that a
 * device wrote to, each once, as DMA_0F_3. What a violation in the record tells of already is
 * counted, and told again only where its rule stops the machine, or after
 * wdfdma_machine_clear_violations. Nothing else changes; where all these rules are ignored, nothing
 * is searched. wdfdma_device_destroy, and WdfObjectDelete of an enabler, report the same for what
 * they delete, but for registers, and for common buffers, which go with their enabler;
 * wdfdma_machine_destroy tells the machine's leak_handler. O(size of the machine).
 * Errors: STATUS_INVALID_HANDLE where [below] is no live device or enabler of [machine];
 * STATUS_UNSUCCESSFUL on a halted machine, and where a rule that stops has halted it now. */
WDFDMA_API NTSTATUS wdfdma_machine_check_leaks(wdfdma_machine *machine, WDFOBJECT below,
                                               size_t *count);

/* Lists what wdfdma_machine_check_leaks counts, told before or not, as it stands now: nothing is
 * recorded, and nothing stops. [out] receives the first [capacity] of them, [count] how many there
 * are; in the same order, without the registers of DMA_0F_3, which are told once. [out] may be NULL
 * where [capacity] is 0. O(size of the machine). Errors: as wdfdma_machine_check_leaks, but for
 * rules that stop. */
WDFDMA_API NTSTATUS wdfdma_machine_list_leaks(wdfdma_machine *machine, WDFOBJECT below,
                                              wdfdma_violation *out, size_t capacity,
                                              size_t *count);

/* Reports all that a machine which is about to end still holds, told before or not. The violations
 * recorded so far are forgotten, and a rule that would stop the machine collects from now on. Returns
 * the violations, [count] of them, owned by the machine, valid until its next call; none on a halted
 * machine. */
WDFDMA_API const wdfdma_violation *wdfdma_machine_take_leaks(wdfdma_machine *machine,
                                                             size_t *count);

/* [number], a parameter or a handle of a record or an address, as logs have it: a handle without the
 * bits that tell one machine from another, an address in [machine] (an MDL, a buffer) or near it as its
 * distance from the machine's begin, anything else as it is. The same calls give the same numbers on
 * every machine. */
WDFDMA_API uint64_t wdfdma_machine_localize(const wdfdma_machine *machine, uint64_t number);

/* Forgets all recorded violations. */
WDFDMA_API void wdfdma_machine_clear_violations(wdfdma_machine *machine);

/* cffi: end */

#ifdef __cplusplus
}
#endif

#endif
