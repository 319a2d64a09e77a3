/* The HAL of one machine: the pool of map registers, adapters and their channels, physical
 * memory and MDLs, mappings and lists, system DMA, common buffers. Its behaviour is
 * docs/spec/hal.md.
 *
 * A request for registers is part of whoever makes it (a transaction, a WDM driver's call):
 * queues link them in place, so that nothing is allocated on the way to a grant. A request is
 * not touched again once its routine has been called. */
#ifndef WDFDMA_HAL_H
#define WDFDMA_HAL_H

#include "machine/journal.h"
#include "machine/machine.h"
#include "verifier/faults.h"
#include "verifier/verifier.h"

enum {
    NO_REGISTER = UINT32_MAX
};
static const uint64_t REGISTERS_ADDRESS = 0x100000;

typedef struct adapter adapter;
typedef struct hal_request hal_request;
typedef IO_ALLOCATION_ACTION (*hal_routine)(wdfdma_machine *machine, hal_request *request);

/* A request for an adapter's channel and [count] registers. */
struct hal_request {
    hal_request *next;
    hal_request *previous;
    adapter *adapter;
    hal_routine routine;
    void *context;    /* a transaction, whose request it is; NULL: a WDM driver's */
    uint32_t count;   /* registers asked for by channel_allocate */
    uint32_t base;    /* granted by it: the first register, or NO_REGISTER: a NULL base */
    uint32_t waiting; /* wdfdma_waiting */
};

typedef struct request_queue {
    hal_request *first;
    hal_request *last;
} request_queue;

/* A transfer of a system adapter, or of any driver that keeps one: docs/spec/hal.md, section 6. */
typedef struct transfer_context {
    bool cancelled;
    bool mapped;
    adapter *adapter; /* while mapped */
    void (*complete)(wdfdma_machine *machine, struct transfer_context *context,
                     DMA_COMPLETION_STATUS status);
    uint64_t length;   /* bytes, while mapped */
    const void *given; /* the address that a driver knows it by, or NULL */
} transfer_context;

/* A part of memory that a device may use now. Entered in the index by page only when a device looks,
 * and known to the MDLs that hold it: mapping.c. */
typedef struct mapping {
    union {
        struct mapping *next;      /* of the listed; of a range's parts */
        struct mapped_page *pages; /* in the index */
    };
    struct mapping *previous;
    struct mdl_object *of; /* where the range begins; NULL: consecutive pages, which are no MDL's */
    uint64_t offset;       /* of the range in that MDL; without one, its logical address */
    uint64_t length;       /* may run on through the MDLs that follow */
    union {
        struct mapping *next_on; /* of those on the same MDL */
        struct mapping *parts;   /* of a range in several MDLs */
    };
    struct mapping *previous_on; /* means nothing for the first */
    uint32_t first_register;     /* NO_REGISTER where the range does not bounce, or has ended */
    uint32_t register_count;     /* of the run that it may use */
    union {
        struct {
            bool live;
            bool indexed;
            bool device_reads;
            bool device_writes;
        };
        uint32_t marks;
    };
    bool listed;   /* until a device looks, or it is taken out: a mapping may end and begin again */
    bool in_parts; /* lies in several MDLs */
} mapping;

struct adapter {
    object head;
    DMA_ADAPTER wdm;      /* what a WDM driver's pointer names */
    hal_request *channel; /* who owns it, or NULL */
    hal_request lost;     /* owns it when its owner is gone; its address counts alone */
    request_queue queue;
    uint64_t maximum_length;
    uint64_t fragment_length; /* of its enabler's transfers */
    uint64_t reach;           /* the first PFN that bounces: none below it does for itself */
    uint32_t width;
    uint32_t map_registers;
    uint32_t version;
    uint32_t waiting;      /* length of [queue] */
    uint32_t ownerships;   /* of the channel, so far: tells one from the next */
    uint32_t channel_base; /* the run that came with the channel */
    uint32_t channel_count;
    uint32_t registers_held;
    uint32_t lists_held;
    uint32_t common_buffers_held;
    bool running; /* its queue is being run */
    bool scatter_gather;
    bool master;
    bool needs_registers;
    transfer_context *controller;  /* a system adapter's running transfer */
    struct wdm_request *wdm_owner; /* a WDM driver's request that keeps the channel */
    struct wdm_mapping *wdm_mappings;
    bool is_enablers; /* put by its enabler alone */
    bool is_shown;    /* a driver asked its enabler for it */
    uint64_t owner;   /* the handle of its enabler, or what a driver named as its device */
};

/* The free runs below a node of the pool's tree. */
typedef struct free_runs {
    uint32_t prefix;
    uint32_t suffix;
    uint32_t longest;
} free_runs;

/* A run of registers that was granted. */
typedef struct pool_run {
    uint32_t length; /* 0: none */
    uint32_t owner;  /* adapter_get_tag() of the adapter that it was granted to */
} pool_run;

typedef struct pool {
    uint64_t *held;   /* bit set: not free; so are the bits past the end of the last word */
    free_runs *nodes; /* a heap-ordered tree over the words, root at 1 */
    pool_run *runs;   /* of each register: the run that begins with it */
    uint32_t word_count;
    uint32_t leaf_count; /* a power of two, at least word_count */
    uint32_t low_word;   /* every word below it is full */
    uint32_t stale_word; /* the one word whose nodes may be out of date */
    request_queue queue;
    const hal_request *denied; /* a fault made it wait, whatever is free; until the next drain */
    bool draining;
} pool;

struct page_block;
enum {
    PAGE_CLASS_COUNT = 96,
    ENDED_PAGES = 64
};

/* Bytes [start, end) of a logical page that a device used, and that it may use no more. */
typedef struct ended_page {
    uint64_t key;
    uint16_t start;
    uint16_t end;
    bool freed; /* a map register's: its run was freed since, whoever has it now */
    uint64_t
        owner; /* handles, 0 where not known: whose mapping it was, and the MDL that it began in */
    uint64_t mdl;
} ended_page;

typedef struct hal {
    pool pool;
    table frames; /* PFN -> block unit | page in block << 32 */
    table hosts;  /* page of REGION_PAGES -> the same */
    struct page_block *blocks_free[PAGE_CLASS_COUNT];
    uint64_t next_frame;
    mapping *listed;               /* not in the index: live, or ended by the plain way */
    table index;                   /* logical page -> struct mapped_page */
    ended_page ended[ENDED_PAGES]; /* the last ones, a ring */
    uint64_t ended_count;
    table wdm_contexts; /* a WDM driver's transfer context, by its address -> struct wdm_context */
    table wdm_lists;    /* a list given to a WDM driver, by its address -> struct wdm_list */
    table wdm_buffers;  /* its common buffers, by address -> struct wdm_buffer */
    table filled;       /* a register that is filled where nothing is mapped through it -> 1 */
    struct wdm_request *wdm_open; /* requests for a channel whose routine has not returned */
    request_queue kept;           /* granted requests whose registers or channel are kept unused */
    void (*kept_look)(wdfdma_machine *machine, hal_request *kept);
} hal;

/* The HAL lies behind the machine itself. */
static inline hal *hal_of(const wdfdma_machine *machine) {
    return (hal *)(void *)((uint8_t *)(uintptr_t)machine + MACHINE_BYTES);
}

/* pool.c */
size_t pool_get_bytes(uint32_t registers);
void pool_open(wdfdma_machine *machine, void *memory);
/* What of an adapter's handle tells it from every other one that lives. */
static inline uint32_t adapter_get_tag(const adapter *by) {
    return (uint32_t)by->head.handle;
}
/* Marks the lowest run of [count] free registers, one at least, as held by [owner]; false where
 * there is none. */
bool pool_take(wdfdma_machine *machine, const adapter *owner, uint32_t count, uint32_t *base);
/* The same where it lies in the low word, and that one's nodes may be out of date; false, with
 * nothing changed, otherwise. */
bool pool_take_here(wdfdma_machine *machine, const adapter *owner, uint32_t count, uint32_t *base);
/* Clears a run that pool_take made. */
void pool_put(wdfdma_machine *machine, uint32_t base, uint32_t count);
/* The same where the run lies in the one word whose nodes may be out of date; false, with nothing
 * changed, otherwise. */
bool pool_put_here(wdfdma_machine *machine, uint32_t base, uint32_t count);
/* The length of the run that begins with register [base], or 0. */
static inline uint32_t pool_get_run(const wdfdma_machine *machine, uint32_t base) {
    return base < machine->config.map_registers ? hal_of(machine)->pool.runs[base].length : 0;
}
/* The length of the run from [base] on, a register of the pool, that [owner] holds, or 0. */
static inline uint32_t pool_get_held(const wdfdma_machine *machine, const adapter *owner,
                                     uint32_t base) {
    WDFDMA_ASSERT(base < machine->config.map_registers);
    const pool_run *run = &hal_of(machine)->pool.runs[base];
    return LIKELY(run->owner == adapter_get_tag(owner)) ? run->length : 0;
}
bool pool_check(const wdfdma_machine *machine, wdfdma_check_failure *out);

/* channel.c: allocate, free, cancel */
/* [routine] is called inside where the channel and the registers are free; the request's own
 * after a wait. */
NTSTATUS channel_allocate(wdfdma_machine *machine, hal_request *request, hal_routine routine,
                          bool synchronous);
/* Takes channel and [count] registers (0: none) for [request] where that takes nothing but a few
 * bits of the pool; false, with nothing changed, otherwise. At most the adapter's limit may be
 * asked for. */
bool channel_take_here(wdfdma_machine *machine, adapter *by, hal_request *request, uint32_t count,
                       uint32_t *base);
/* The channel alone is given on; its registers stay. */
void channel_release(wdfdma_machine *machine, adapter *by);
static inline void channel_disown(adapter *by) {
    by->channel = NULL;
}
/* Frees the channel and the registers that came with it. False where those are not held any more: a
 * rule, and the channel stays owned. */
bool channel_free(wdfdma_machine *machine, adapter *from);
/* The channel's owner goes, and leaves it owned: nobody will free it. */
void channel_lose(adapter *by);
/* From now on [look] is called with [granted] whenever somebody comes to wait, until it is dropped:
 * inside [look] too. */
void channel_keep(wdfdma_machine *machine, hal_request *granted,
                  void (*look)(wdfdma_machine *machine, hal_request *kept));
void channel_drop(wdfdma_machine *machine, hal_request *kept);
/* Frees a run; a bug check where [from] does not hold it. */
void registers_free(wdfdma_machine *machine, adapter *from, uint32_t base, uint32_t count);
/* True where [from] holds the run; a bug check otherwise. */
bool registers_are_held(wdfdma_machine *machine, adapter *from, uint32_t base, uint32_t count);
/* The same where that takes nothing but a few bits of the pool and lets nobody through; false,
 * with nothing changed, otherwise. */
bool registers_put_here(wdfdma_machine *machine, adapter *from, uint32_t base, uint32_t count);
bool channel_cancel(wdfdma_machine *machine, hal_request *request);
bool channel_check(const wdfdma_machine *machine, wdfdma_check_failure *out);

/* adapter.c */
adapter *adapter_create(wdfdma_machine *machine, const DEVICE_DESCRIPTION *description);
/* Ends an adapter; a bug check if it still holds something. */
void adapter_put(wdfdma_machine *machine, adapter *gone);
/* memory.c: physical pages */
bool memory_reference(wdfdma_machine *machine, uint64_t *pfns, size_t count, bool given,
                      uint8_t **contiguous);
void memory_dereference(wdfdma_machine *machine, const uint64_t *pfns, size_t count);
/* The bytes of a page, or NULL where it has none. */
uint8_t *memory_get_page(const wdfdma_machine *machine, uint64_t pfn);
/* The PFN of the page that holds [address], if it is simulated memory. */
bool memory_find_pfn(const wdfdma_machine *machine, const void *address, uint64_t *pfn);
/* False where [pages] new pages would find no room: asked before work that grows with them. */
bool memory_can_hold(const wdfdma_machine *machine, uint64_t pages);
/* A free run of frames below [limit], or false. */
bool memory_find_frames(wdfdma_machine *machine, size_t count, uint64_t limit, uint64_t *first);

/* mdl.c */
static inline uint64_t pages_spanned(uint64_t offset, uint64_t length) {
    return (offset % PAGE_BYTES + length + PAGE_BYTES - 1) / PAGE_BYTES;
}

typedef struct mdl_object {
    object head;
    PMDL mdl;
    uint64_t *pfns; /* the library's own; the MDL's array is for drivers to read */
    uint8_t *bytes; /* of the first page, where all pages lie one after another; else NULL */
    size_t capacity_pages;
    size_t pages;         /* that hold references; 0 until built */
    uint64_t highest_pfn; /* of its frames */
    bool consecutive;     /* its frames follow one another */
    mapping *live;        /* the mappings that cover some of it, or parts of them; newest first */
} mdl_object;

/* The live MDL that [mdl] is; also one that is not built yet, or whose counts a driver has changed. */
mdl_object *mdl_find_any(const wdfdma_machine *machine, const MDL *mdl);
/* True when the counts, which a driver may change, fit the pages of [of]. */
static inline bool mdl_fits(const mdl_object *of) {
    const MDL *mdl = of->mdl;
    return mdl->ByteOffset < PAGE_BYTES && mdl->ByteCount != 0 &&
           pages_spanned(mdl->ByteOffset, mdl->ByteCount) <= of->pages;
}
/* The live MDL that [mdl] is, with counts that fit its pages; NULL otherwise. */
static inline mdl_object *mdl_find(const wdfdma_machine *machine, const MDL *mdl) {
    mdl_object *found = mdl_find_any(machine, mdl);
    return LIKELY(found != NULL && mdl_fits(found)) ? found : NULL;
}
/* Writes the MDLs of a chain to the journal, before the call that has it. */
COLD void chain_journal(wdfdma_machine *machine, const MDL *mdl);
/* Halts the machine for a chain that is none, or an MDL: [concerned] has it, or is it; or NULL. */
COLD void mdl_bugcheck(wdfdma_machine *machine, const object *concerned);
/* The same for an MDL, which may be none. */
COLD void mdl_refuse(wdfdma_machine *machine, const MDL *mdl);
mdl_object *mdl_create_empty(wdfdma_machine *machine, uint32_t byte_offset, uint32_t byte_count);
/* The pages that the MDL's counts span; 0 where they do not fit its capacity. */
size_t mdl_count_pages(const mdl_object *of);
/* Gives [made] its frames, already in [made]->pfns where [given]. */
bool mdl_build(wdfdma_machine *machine, mdl_object *made, bool given);

/* A walk over the parts of a range, an MDL at a time. */
typedef struct mdl_walk {
    const mdl_object *at;
    uint64_t offset; /* of the part in its MDL */
    uint64_t length; /* of the part */
    uint64_t left;   /* of the range, the part included */
    uint64_t next_hops;
    bool broken; /* a forged or dead MDL, or a circle, ended the walk */
} mdl_walk;
/* Stands on the part that holds the range's first byte; false where there is none (or [broken]). */
NO_INLINE bool mdl_walk_begin(const wdfdma_machine *machine, mdl_walk *walk, const MDL *chain,
                              uint64_t offset, uint64_t length);
NO_INLINE bool mdl_walk_next(const wdfdma_machine *machine, mdl_walk *walk);

/* Where byte [offset] of [mdl] lies in its page. */
static inline uint32_t mdl_page_offset(const MDL *mdl, uint64_t offset) {
    return (uint32_t)((mdl->ByteOffset + offset) % PAGE_BYTES);
}

/* Where [address] lies in [mdl]; one below the buffer wraps to an offset far above it. */
static inline uint64_t mdl_offset_of(const MDL *mdl, const void *address) {
    return (uint64_t)((uintptr_t)address - (uintptr_t)MmGetMdlVirtualAddress(mdl));
}

/* map.c: bouncing and single mappings */
/* What a mapping of a range would need and give. */
typedef struct range_shape {
    uint64_t registers; /* spanned() */
    uint64_t elements;
    bool past_end;
    bool broken;
    bool bounces;
} range_shape;
void range_measure(wdfdma_machine *machine, const adapter *by, PMDL chain, uint64_t offset,
                   uint64_t length, range_shape *out);
bool range_bounces(const wdfdma_machine *machine, const adapter *by, const mdl_walk *part);
uint64_t range_fill(const wdfdma_machine *machine, const mdl_walk *part, uint32_t first_register,
                    SCATTER_GATHER_ELEMENT *elements, uint64_t capacity);
/* The part of an MDL that is to be mapped, and the registers for it. */
typedef struct map_part {
    const mdl_object *of;
    uint64_t offset; /* in the MDL */
    uint64_t length; /* inside the MDL */
    uint32_t base;   /* NO_REGISTER: a NULL base */
    uint32_t registers;
    bool to_device;
    bool may_fall_short; /* the interface tells how much was mapped */
} map_part;
/* MapTransferEx of a packet or system adapter: one element. Returns the length mapped; 0 where the
 * machine has halted. */
uint64_t map_transfer(wdfdma_machine *machine, const adapter *by, const map_part *part,
                      mapping *out, SCATTER_GATHER_ELEMENT *element);
/* True when map_transfer would have [part] go through its registers. */
bool map_bounces(const adapter *by, const map_part *part);
/* Ends [used], which [concerned] made: copies [length] bytes of it out where it bounced and came from
 * the device. */
void map_flush(wdfdma_machine *machine, mapping *used, uint64_t length, const object *concerned);
NO_INLINE void bounce_copy(wdfdma_machine *machine, const mapping *through, uint64_t length,
                           bool to_registers);

/* mapping.c: which mappings live, and which MDLs hold them */
/* False where the machine halts over it: it has not begun. */
bool mapping_begin(wdfdma_machine *machine, mapping *made);
/* Ends [gone], if it lives, and takes it out of everything: its memory may go. */
void mapping_end(wdfdma_machine *machine, mapping *gone);
NO_INLINE void mapping_list(wdfdma_machine *machine, mapping *made);
void mapping_unlist(wdfdma_machine *machine, mapping *gone);
/* The same for a mapping that lies in one MDL, which has no other. It stays listed when it ends, so
 * that whoever maps again and again is listed once. */
HOT_INLINE void mapping_begin_alone(wdfdma_machine *machine, mapping *made) {
    if (UNLIKELY(!made->listed)) {
        mapping_list(machine, made);
    }
    machine->state.mappings++;
    made->of->live = made;
}
/* True where mapping_end_here may be called. */
HOT_INLINE bool mapping_is_here(const mapping *gone) {
    const mapping watched = {.live = true, .indexed = true};
    const mapping here = {.live = true};
    return LIKELY((gone->marks & watched.marks) == here.marks) && LIKELY(gone->of->live == gone);
}
HOT_INLINE void mapping_end_here(wdfdma_machine *machine, mapping *gone) {
    gone->live = false;
    machine->state.mappings--;
    gone->of->live = gone->next_on;
    gone->next_on = NULL;
}
/* The MDL in which [of] begins; NULL where it is no MDL's, or that one is gone. */
static inline PMDL mapping_get_mdl(const mapping *of) {
    return of->of == NULL ? NULL : of->of->mdl;
}
/* A rule of ours where the processor touches, or the driver frees, what a device owns. True where
 * the machine goes on. */
bool mdl_may_touch(wdfdma_machine *machine, const mdl_object *of, uint64_t offset, uint64_t bytes,
                   bool write);
uint32_t mdl_count_mappings(const mdl_object *of);
bool mdl_may_go(wdfdma_machine *machine, const mdl_object *of);
/* Lets the mappings of an MDL that goes all the same know that it is gone. */
void mdl_leave_mappings(mdl_object *gone);
/* mapping_owner.c: the object whose mapping, or whose part of one, [of] is: a transaction, a common
 * buffer, a WDM driver's adapter; NULL where it is not known. */
COLD const object *mapping_get_owner(const wdfdma_machine *machine, const mapping *of);
/* Its handle; 0 for NULL, too. */
COLD uint64_t mapping_get_owner_handle(const wdfdma_machine *machine, const mapping *of);
bool mapping_check(const wdfdma_machine *machine, wdfdma_check_failure *out);

/* list.c: scatter/gather lists */
typedef struct list_request {
    hal_request request;
    PMDL mdl;
    uint64_t offset;
    uint64_t length;
    uint32_t life;     /* of who asks, for its own use */
    uint32_t capacity; /* elements that the list's buffer holds */
    bool to_device;
} list_request;
/* The registers that a list over the range needs. STATUS_BUFFER_TOO_SMALL past the chain's end. */
NTSTATUS list_get_registers(wdfdma_machine *machine, const list_request *request,
                            uint64_t *registers);
/* Builds the list of a request whose registers are granted, and its mapping. [part] stands on the
 * range's first byte. False where the machine has halted. */
bool list_fill(wdfdma_machine *machine, const list_request *request, const mdl_walk *part,
               mapping *map, PSCATTER_GATHER_LIST list);
/* Stands on the range's first byte; false, with the machine halted, where the chain is no more. */
bool list_find(wdfdma_machine *machine, const list_request *request, mdl_walk *part);
/* Flushes the list, which [concerned] got, and frees its registers. */
void list_put(wdfdma_machine *machine, adapter *by, mapping *map, uint32_t base, uint32_t count,
              const object *concerned);

/* system.c: transfer contexts and the DMA controller */
void transfer_context_initialize(transfer_context *context);
void transfer_start(adapter *by, transfer_context *context, uint64_t length);
void transfer_flush(transfer_context *context);
NTSTATUS transfer_cancel(wdfdma_machine *machine, transfer_context *context);
/* The controller's transfer ends with [status]; false where none runs. */
bool controller_complete(wdfdma_machine *machine, adapter *by, DMA_COMPLETION_STATUS status);

/* common.c */
typedef struct common_memory {
    uint8_t *bytes; /* of the first page */
    uint64_t logical;
    uint64_t pages;
    uint64_t *pfns;
    mapping map;
} common_memory;
NTSTATUS common_allocate(wdfdma_machine *machine, adapter *by, uint64_t bytes, common_memory *out);
void common_free(wdfdma_machine *machine, adapter *by, common_memory *gone);

/* wdm_*.c: the same as a WDM driver calls it */
extern const DMA_OPERATIONS adapter_operations;

/* hal.c */
/* The bytes behind the machine. */
size_t hal_get_bytes(const wdfdma_machine_config *config);
void hal_open(wdfdma_machine *machine);
bool hal_check(const wdfdma_machine *machine, wdfdma_check_failure *out);

#endif
