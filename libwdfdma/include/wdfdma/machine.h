/* Machines: settings, counters, time, snapshots. */
#ifndef WDFDMA_CONTROL_MACHINE_H
#define WDFDMA_CONTROL_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wdf.h"
#include "wdfdma/api.h"
#include "wdfdma/rules.h"

#ifdef __cplusplus
extern "C" {
#endif

/* cffi: begin */

/* Called once when [machine] halts, inside the call that halts it. May read the machine; a
 * change is refused. */
typedef void (*wdfdma_bugcheck_handler)(wdfdma_machine *machine, const wdfdma_bugcheck *bugcheck,
                                        void *context);

/* Called by wdfdma_machine_destroy where [machine] still holds something: [leaks] are [count]
 * violations, as wdfdma_machine_take_leaks gives them, borrowed until it returns. May read the
 * machine; it cannot end it. */
typedef void (*wdfdma_leak_handler)(wdfdma_machine *machine, const wdfdma_violation *leaks,
                                    size_t count, void *context);

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
    uint64_t reserve_bytes;           /* address space set aside, at least 16 MiB [4 GiB] */
    wdfdma_bugcheck_handler handler;  /* called when the machine halts, or NULL [NULL] */
    void *handler_context;            /* borrowed for the machine's life [NULL] */
    wdfdma_leak_handler leak_handler; /* told what is held at the end, or NULL [NULL] */
    void *leak_context;               /* borrowed for the machine's life [NULL] */
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

/* Ends [machine] and frees all that it holds; no callback of the driver runs. NULL is allowed and
 * silent. What it still held is told to its leak_handler, unless it has halted.
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

/* cffi: end */

#ifdef __cplusplus
}
#endif

#endif
