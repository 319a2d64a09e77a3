/* The floor every other floor stands on: one world and what it is made of.
 *
 * A machine is a value. All of it lies in regions of one reserved range of addresses, each of
 * which grows by committing more of its share; a snapshot copies what is used of each, a restore
 * copies it back. So pointers into a machine may be kept inside it, and nothing of it may be
 * kept outside it. Only what says how far memory is committed stays as it is at a restore
 * (struct arena).
 *
 * Memory that an allocation hands out is always zero. */
#ifndef WDFDMA_MACHINE_H
#define WDFDMA_MACHINE_H

#include "machine/compiler.h"
#include "wdfdma.h"

#include <stdatomic.h>
#include <stdio.h>

enum {
    PAGE_BYTES = 4096,
    OBJECT_UNIT_BYTES = 128, /* objects begin at multiples of it; handles count in it */
    DATA_CLASS_COUNT = 96
};

/* In the order of their addresses: what is committed from the start comes first, in one piece. */
typedef enum region_id {
    REGION_MACHINE,   /* struct wdfdma_machine, then the pool's tables */
    REGION_REGISTERS, /* the pages behind the map registers */
    REGION_OBJECTS,   /* what handles name; never driver-writable */
    REGION_DATA,      /* small blocks: contexts, lists, MDLs, tables */
    REGION_PAGES,     /* simulated physical memory */
    REGION_LOG,
    REGION_COUNT
} region_id;

typedef struct region {
    uint8_t *base;
    size_t used_bytes;
    size_t limit_bytes;
} region;

/* What a restore leaves alone. */
typedef struct arena {
    uint8_t *base;
    size_t reserved_bytes;
    size_t committed_bytes[REGION_COUNT];
    size_t dirty_bytes[REGION_COUNT]; /* no byte at or past it was ever written */
    struct site_watch *sites;         /* the log of call sites, or NULL */
    struct journal *journal;          /* or NULL */
    struct coverage_watch *coverage;  /* or NULL */
} arena;

/* The head of everything that a handle names. [handle] is 0 while the slot is free; the
 * generation stays with the slot, which only ever holds one type. */
typedef struct object {
    uint64_t handle;
    union {
        struct object *next_free; /* of a free slot */
        uint64_t created_step;
    };
    uint32_t generation;
    uint32_t label;
    uint32_t type; /* wdfdma_object_type */
    uint32_t kind; /* what an INTERNAL object is; 0 otherwise */
} object;

/* The slots of one type. */
typedef struct object_slots {
    object *first_free;
    uint32_t stride_bytes;
    uint32_t next_label;
} object_slots;

typedef struct log_state {
    uint64_t capacity; /* 0: off; WDFDMA_LOG_GROWS: no bound */
    uint64_t written;  /* records ever appended */
    uint64_t lost;
} log_state;

/* A map from 64-bit keys to 64-bit values, open addressed; the key UINT64_MAX is not used. */
typedef struct table {
    struct table_entry *entries;
    uint64_t capacity; /* a power of two, or 0 */
    uint64_t count;
} table;

/* The rules that were broken. */
typedef struct violation_list {
    wdfdma_violation *records;
    uint32_t count;
    uint32_t capacity;
    uint64_t lost;
} violation_list;

/* The faults to be injected. */
typedef struct fault_plan {
    wdfdma_fault *faults;
    uint32_t count;
    uint32_t capacity;
} fault_plan;

/* A move of the device that comes later: who makes it, and what of it is kept. The bytes that it
 * carries, if any, follow it. */
typedef struct late_move {
    struct late_move *next;
    uint64_t step; /* in which it was put off */
    void (*make)(wdfdma_machine *machine, const struct late_move *move);
    uint64_t address; /* or a handle, or a number: what it concerns */
    uint64_t length;  /* bytes */
    uint32_t op;      /* wdfdma_op */
} late_move;

typedef struct late_queue {
    late_move *first;
    late_move *last;
} late_queue;

/* A callback of the driver in progress, in one word, for every cycle writes one. Low half: the low
 * bits of its object's handle; of one that is gone: its label. High half: wdfdma_event; of one that
 * is gone: CALLBACK_GONE and its type too. */
typedef uint64_t callback_entry;

enum {
    CALLBACK_EVENT_BITS = 8,
    CALLBACK_GONE = 1 << 16
};

/* How [of], which lives, stands. */
typedef void (*object_describer)(const wdfdma_machine *machine, const object *of,
                                 wdfdma_object_state *out);

enum {
    ATTENTION_HALTED = 1,
    ATTENTION_LOG = 2,
    ATTENTION_FAULTS = 4,   /* there is a plan, which every call asks on its full way */
    ATTENTION_SITES = 8,    /* call sites fail, once each; a restore leaves it */
    ATTENTION_LATE = 16,    /* a move of the device waits for the end of an outermost call */
    ATTENTION_JOURNAL = 32, /* calls are written down first; a restore leaves it */
    ATTENTION_COVERAGE = 64 /* calls are counted; a restore leaves it */
};

struct ddi_call;
/* Counts a call that ends. NULL: the machine was restored, and what was known of its objects is not so
 * any more. */
typedef void (*call_counter)(wdfdma_machine *machine, const struct ddi_call *call);

struct wdfdma_machine {
    wdfdma_machine_state state; /* first: the control plane hands out a pointer to it */
    uint32_t attention;         /* ATTENTION_...: what a call must look at before it returns */
    uint32_t routine;           /* wdfdma_routine of the innermost ADAPTER_CALL in progress */
    wdfdma_machine_config config;
    uint64_t id;     /* the machine's bits of its handles */
    uint64_t serial; /* no two machines of a process have the same */
    region regions[REGION_COUNT];
    object_slots slots[WDFDMA_OBJECT_TYPE_COUNT];
    void *data_free[DATA_CLASS_COUNT];
    log_state log;
    uint64_t random[4];
    uint64_t fail_countdown;
    uint32_t counts_steps; /* 1 where a call that begins now is a step of its own */
    uint32_t next_label;   /* of the next object to be made, where [label_given] */
    bool label_given;
    uint8_t rule_modes[WDFDMA_RULE_COUNT]; /* wdfdma_rule_mode */
    violation_list violations;
    uint64_t stop_countdown; /* the violation that halts the machine, from now on; 0: none */
    fault_plan faults;
    late_queue late; /* in the order in which they were put off */
    /* the callbacks in progress, each at its depth modulo the length */
    callback_entry callbacks[2 * WDFDMA_VIOLATION_FRAMES];
    object_describer describe; /* of the floor that knows what objects are */
    call_counter count_call;   /* the same, asked where the attention says COVERAGE */
    wdfdma_bugcheck bugcheck;
    struct interpreter *interpreter;
    struct workload *workload; /* that a driver under test runs in, or NULL */
    arena arena;               /* last: everything before it is part of a snapshot */
};

enum {
    MACHINE_BYTES = (sizeof(wdfdma_machine) + 63) / 64 * 64
};

/* platform.c: the one file that knows the operating system */
void *platform_reserve(size_t bytes);
bool platform_commit(void *address, size_t bytes);
void platform_release(void *address, size_t bytes);
void platform_lock(void);
void platform_unlock(void);
/* As fopen, with a path in UTF-8. */
FILE *platform_open_file(const char *path, const char *mode);
/* The file [path], written anew, as [bytes] bytes of zero that are shared with it; NULL where it is not to
 * be had. */
void *platform_map_file(const char *path, size_t bytes);
void platform_unmap_file(void *address, size_t bytes);
/* The program or shared library that [address] lies in: where it begins, and its file's name
 * without folders. */
enum {
    MODULE_NAME_BYTES = 256
};
typedef struct platform_module {
    const void *base;
    char name[MODULE_NAME_BYTES];
} platform_module;
bool platform_find_module(const void *address, platform_module *out);
/* The return addresses on the stack from [first] outwards, at most [most]; returns how many. 0
 * where [first] is not found among them. */
size_t platform_walk_callers(const void *first, const void **out, size_t most);

/* registry.c: the live machines, the only global mutable state. Handle bits: 63..48 machine
 * index + 1, 47..36 machine generation, 35..23 object generation, 22..0 unit. */
enum {
    HANDLE_UNIT_BITS = 23,
    HANDLE_GENERATION_BITS = 13,
    HANDLE_MACHINE_SHIFT = 36,
    HANDLE_INDEX_SHIFT = 48
};

extern _Atomic(wdfdma_machine *) registry_machines[];
/* A live machine that has the index of [handle], or NULL; its generation is not asked. */
static inline wdfdma_machine *registry_peek(uint64_t handle) {
    return atomic_load_explicit(&registry_machines[handle >> HANDLE_INDEX_SHIFT],
                                memory_order_acquire);
}
bool registry_add(wdfdma_machine *machine);
void registry_remove(wdfdma_machine *machine);
/* The live machine whose bits [handle] carries, or NULL. */
wdfdma_machine *registry_find(uint64_t handle);
/* The bits of the calling thread's current machine, which may be gone; 0: none. */
extern WDFDMA_FAST_TLS _Thread_local uint64_t current_machine_id;

/* arena.c */
wdfdma_machine *arena_create(const wdfdma_machine_config *config, size_t machine_bytes);
void arena_destroy(wdfdma_machine *machine);
/* [bytes] more of a region, zeroed; NULL when there is no more. */
void *region_grow(wdfdma_machine *machine, region_id id, size_t bytes);
/* True when this allocation is the one that has been told to fail. */
bool allocation_fails(wdfdma_machine *machine);

/* What a machine notes for itself is not the driver's memory: no injected failure meets it, and it
 * does not count. */
static inline uint64_t failures_suspend(wdfdma_machine *machine) {
    uint64_t countdown = machine->fail_countdown;
    machine->fail_countdown = 0;
    return countdown;
}
static inline void failures_resume(wdfdma_machine *machine, uint64_t countdown) {
    machine->fail_countdown = countdown;
}

/* heap.c: small blocks by size class, each with a hidden head */
typedef struct data_head {
    uint32_t size_class;
    uint32_t owner; /* the unit of the object it belongs to; 0: none */
    uint64_t magic;
} data_head;
void *data_allocate(wdfdma_machine *machine, size_t bytes, const object *owner);
void data_free(wdfdma_machine *machine, void *block);
/* The unit of the object that the block around the byte [inside] belongs to; 0: none, or no block. */
COLD uint32_t data_find_owner(const wdfdma_machine *machine, const void *inside);
/* A block of [bytes] that begins with the first [used] of [old], which goes; NULL, and [old]
 * stays, where there is no memory. */
void *data_grow(wdfdma_machine *machine, void *old, size_t used, size_t bytes);
static inline data_head *data_get_head(const void *block) {
    return (data_head *)(uintptr_t)block - 1;
}

#if defined(__GNUC__)
static inline uint32_t bit_find_lowest(uint64_t word) {
    return (uint32_t)__builtin_ctzll(word);
}
static inline uint32_t bit_find_highest(uint64_t word) {
    return 63 - (uint32_t)__builtin_clzll(word);
}
#else
static inline uint32_t bit_find_lowest(uint64_t word) {
    uint32_t bit = 0;
    while ((word >> bit & 1) == 0) {
        bit++;
    }
    return bit;
}
static inline uint32_t bit_find_highest(uint64_t word) {
    uint32_t bit = 63;
    while ((word >> bit & 1) == 0) {
        bit--;
    }
    return bit;
}
#endif

/* Size classes, of blocks and of page runs: 1, 2, 3, 4, 6, 8, 12, ... units. */
uint64_t size_class_get_units(uint32_t size_class);
uint32_t size_class_find(uint64_t units);

/* table.c */
bool table_put(wdfdma_machine *machine, table *map, uint64_t key, uint64_t value);
uint64_t *table_find(const table *map, uint64_t key);
void table_remove(table *map, uint64_t key);
/* Copies the lowest [capacity] values above [after] into [out], ascending. Returns how many. */
size_t table_copy_values(const table *map, uint64_t after, uint64_t *out, size_t capacity);

/* object.c: slots and handles */
object *object_create(wdfdma_machine *machine, wdfdma_object_type type, size_t bytes);
void object_free(wdfdma_machine *machine, object *dead);
/* The live object that [handle] names on [machine], of any type; NULL for all else. */
HOT_INLINE object *object_find(const wdfdma_machine *machine, uint64_t handle) {
    const region *objects = &machine->regions[REGION_OBJECTS];
    size_t offset = (size_t)(handle & ((1u << HANDLE_UNIT_BITS) - 1)) * OBJECT_UNIT_BYTES;
    if (UNLIKELY(offset >= objects->used_bytes)) {
        return NULL;
    }
    object *found = (object *)(void *)(objects->base + offset);
    return LIKELY(found->handle == handle) ? found : NULL;
}
/* The object that begins at [unit], live, of [type]; NULL otherwise. */
HOT_INLINE object *object_at(const wdfdma_machine *machine, uint32_t unit,
                             wdfdma_object_type type) {
    const region *objects = &machine->regions[REGION_OBJECTS];
    size_t offset = (size_t)unit * OBJECT_UNIT_BYTES;
    if (UNLIKELY(offset >= objects->used_bytes)) {
        return NULL;
    }
    object *item = (object *)(void *)(objects->base + offset);
    const uint64_t own_bits = (1u << HANDLE_UNIT_BITS) - 1;
    bool names_itself = (item->handle & own_bits) == unit &&
                        (item->handle ^ machine->id) >> HANDLE_MACHINE_SHIFT == 0;
    return LIKELY(names_itself && item->type == (uint32_t)type) ? item : NULL;
}
static inline uint32_t object_get_unit(const wdfdma_machine *machine, const object *item) {
    size_t offset = (size_t)((const uint8_t *)item - machine->regions[REGION_OBJECTS].base);
    return (uint32_t)(offset / OBJECT_UNIT_BYTES);
}

/* log.c */
COLD wdfdma_log_record *log_append_slow(wdfdma_machine *machine, wdfdma_record_kind kind,
                                        uint32_t code, uint32_t label);
/* A record to be filled in, or NULL where the log is off. */
static inline wdfdma_log_record *log_append(wdfdma_machine *machine, wdfdma_record_kind kind,
                                            uint32_t code, uint32_t label) {
    if (LIKELY(machine->log.capacity == 0)) {
        return NULL;
    }
    return log_append_slow(machine, kind, code, label);
}

/* late.c */
/* Puts a move off; [data]: the bytes that it carries, or NULL. [what] and [data] copied. */
COLD void late_add(wdfdma_machine *machine, const late_move *what, const uint8_t *data);
/* Makes what was put off before this step. */
COLD void late_run(wdfdma_machine *machine);
/* The same where the call that ends is an outermost one of its own. */
COLD void late_come(wdfdma_machine *machine);

/* call.c: what a call and a callback in progress leave to be put back */
typedef struct ddi_call {
    wdfdma_machine *machine;
    uint32_t outer_op;
} ddi_call;

/* A call begins: it is the innermost one, and a step where it is not inside another. */
HOT_INLINE void ddi_begin(ddi_call *call, wdfdma_machine *machine, wdfdma_op op) {
    call->machine = machine;
    call->outer_op = machine->state.op;
    machine->state.op = op;
    if (call->outer_op == WDFDMA_OP_NONE) {
        machine->state.step += machine->counts_steps;
    }
}
/* The end of a call that is counted, or after which a move of the device may come. */
COLD void ddi_leave_slow(const ddi_call *call);
HOT_INLINE void ddi_leave(const ddi_call *call) {
    if (UNLIKELY((call->machine->attention & (ATTENTION_LATE | ATTENTION_COVERAGE)) != 0)) {
        ddi_leave_slow(call);
        return;
    }
    call->machine->state.op = call->outer_op;
}

typedef struct callback_frame {
    wdfdma_machine *machine;
    uint32_t irql;
    uint32_t label;
    uint32_t event;
} callback_frame;

/* Halts the machine: the stack is used up. Returns false. */
COLD bool callback_refuse(wdfdma_machine *machine);
COLD void callback_record_leave(const callback_frame *frame);

/* Who is called back next, for whoever asks what was in progress. */
HOT_INLINE callback_entry callback_entry_make(uint32_t of, uint32_t event) {
    return (uint64_t)event << 32 | of;
}
HOT_INLINE void callback_note(wdfdma_machine *machine, uint64_t handle, uint32_t event) {
    machine->callbacks[machine->state.depth % (2 * WDFDMA_VIOLATION_FRAMES)] =
        callback_entry_make((uint32_t)handle, event);
}
/* [dead] goes while callbacks are in progress: those that concern it keep its type and its label. */
COLD void callback_forget(wdfdma_machine *machine, const object *dead);
/* The callback that is in progress at [depth]. */
wdfdma_violation_frame callback_read(const wdfdma_machine *machine, uint32_t depth);

/* False, with the machine halted, when the stack is used up. An event below WDFDMA_EVENT_COUNT
 * is logged by its caller before the driver runs, and its end by callback_leave. */
HOT_INLINE bool callback_enter(wdfdma_machine *machine, callback_frame *frame, const object *of,
                               uint32_t event, uint32_t irql) {
    frame->machine = machine;
    frame->irql = machine->state.irql;
    frame->label = of->label;
    frame->event = event;
    if (UNLIKELY(machine->state.depth >= machine->config.maximum_depth)) {
        return callback_refuse(machine);
    }
    callback_note(machine, of->handle, event);
    machine->state.depth++;
    machine->state.irql = frame->irql < irql ? irql : frame->irql;
    return true;
}
HOT_INLINE void callback_leave(const callback_frame *frame) {
    wdfdma_machine *machine = frame->machine;
    machine->state.depth--;
    machine->state.irql = frame->irql;
    if (UNLIKELY(machine->attention != 0)) {
        callback_record_leave(frame);
    }
}

/* bugcheck.c */
/* An address in the machine as its distance from the machine's begin, which is the same in every
 * run; any other number as it is. No handle is such an address. */
uint64_t address_localize(const wdfdma_machine *machine, uint64_t address);
/* Halts the machine; only the first one counts. [concerned] may be NULL. */
COLD void machine_bugcheck(wdfdma_machine *machine, uint32_t code, const uint64_t parameters[4],
                           wdfdma_rule rule, const object *concerned);

/* violations.c */
/* That [rule] is broken now, with all that the record says. [concerned] may be NULL. */
/* Halts a machine that runs, for a violation that was made just now. */
COLD void machine_stop(wdfdma_machine *machine, wdfdma_violation *now);
COLD wdfdma_violation violation_make(const wdfdma_machine *machine, wdfdma_rule rule, uint32_t code,
                                     const uint64_t parameters[4], const object *concerned);
/* Names the live ones of [others], handles or 0, as concerned too. */
COLD void violation_add_others(const wdfdma_machine *machine, wdfdma_violation *into,
                               const uint64_t others[2]);
COLD void violation_keep(wdfdma_machine *machine, const wdfdma_violation *made);
/* The log is emptied: what the records say of its length is so no more. */
void violations_forget_log(wdfdma_machine *machine);

/* machine.c */
NTSTATUS machine_config_validate(const wdfdma_machine_config *config, wdfdma_machine_config *out);
/* The number that splitmix64 has after [seed]. */
static inline uint64_t seed_mix(uint64_t seed) {
    uint64_t mixed = seed + 0x9E3779B97F4A7C15u;
    mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9u;
    mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBu;
    return mixed ^ (mixed >> 31);
}
void machine_seed(wdfdma_machine *machine, uint64_t seed);
/* Reports a broken invariant; returns false, so that a walk can return it. */
bool check_fail(wdfdma_check_failure *out, const char *invariant, uint64_t item, uint64_t expected,
                uint64_t actual);
bool machine_check_memory(const wdfdma_machine *machine, wdfdma_check_failure *out);

static inline size_t size_round_up(size_t bytes, size_t unit) {
    return (bytes + unit - 1) / unit * unit;
}

#endif
