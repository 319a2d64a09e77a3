/* Bad handles by the million: what the calls of the framework and those of the kernel draw their
 * arguments from. */
#ifndef WDFDMA_TESTS_HANDLES_H
#define WDFDMA_TESTS_HANDLES_H

#include "world.h"

enum {
    MDL_COUNT = 5,
    HANDLE_COUNT = 64,
    ADAPTER_COUNT = 8,
    CONTEXT_COUNT = 4,
    NESTED_DEPTH = 4
};

/* Two machines of the same making; the calls go to the first, most of the time. */
typedef struct fuzz {
    wdfdma_machine *machines[2];
    wdfdma_snapshot *snapshots[2];
    WDFDEVICE devices[2];
    WDFDMAENABLER enablers[2][4];   /* packet, scatter-gather, system duplex, version 2 packet */
    uint64_t handles[HANDLE_COUNT]; /* live and stale ones of both machines */
    uint32_t handle_count;
    PMDL mdls[MDL_COUNT];
    MDL forged;
    PDMA_ADAPTER adapters[ADAPTER_COUNT];
    const DMA_OPERATIONS *operations; /* of any adapter */
    uint64_t contexts[CONTEXT_COUNT][DMA_TRANSFER_CONTEXT_SIZE_V1 / 8];
    uint64_t random;
    uint64_t calls;
    uint64_t halts;
    bool mild; /* mostly good handles and legal calls, so that transfers come about */
} fuzz;

typedef void (*fuzz_call)(void);

extern fuzz of;
extern const fuzz_call framework_calls[];
extern const size_t framework_call_count;
extern const fuzz_call kernel_calls[];
extern const size_t kernel_call_count;

/* Any call there is, unless callbacks are too deep in one another. */
void call_any(void);
/* What the state of some transaction allows. */
void call_transaction_step(void);

static inline uint64_t pick(uint64_t bound) {
    return world_random(&of.random) % bound;
}

static inline void *any_handle(void) {
    uint64_t handle = of.handles[pick(of.handle_count)];
    switch (pick(of.mild ? 1000 : 16)) {
    case 0:
        return NULL;
    case 1:
        return (void *)(uintptr_t)world_random(&of.random);
    case 2:
        handle ^= UINT64_C(1) << pick(64);
        break;
    case 3:
        handle += pick(5) - 2;
        break;
    case 4:
        handle += UINT64_C(1) << 23; /* another generation */
        break;
    case 5:
        handle = (handle << 32) | (handle >> 32);
        break;
    case 6:
        handle = (handle & 0xFFFFFFFF00000000u) | pick(4096);
        break;
    default:
        break;
    }
    return (void *)(uintptr_t)handle;
}

/* A handle of the type wanted, most of the time: so that calls get past the first check. */
static inline void *handle_of(wdfdma_object_type type) {
    for (int tries = 0; tries < 40 && pick(of.mild ? 500 : 8) != 0; tries++) {
        void *handle = (void *)(uintptr_t)of.handles[pick(of.handle_count)];
        bool own = wdfdma_object_get_machine(handle) == of.machines[0];
        if (wdfdma_object_get_type(handle) == (uint32_t)type && (own || !of.mild)) {
            return handle;
        }
    }
    return any_handle();
}

static inline WDFDMATRANSACTION transaction(void) {
    return handle_of(WDFDMA_OBJECT_TRANSACTION);
}
static inline WDFDMAENABLER enabler(void) {
    return handle_of(WDFDMA_OBJECT_ENABLER);
}
static inline WDFDEVICE device(void) {
    return handle_of(WDFDMA_OBJECT_DEVICE);
}
static inline WDFREQUEST request(void) {
    return handle_of(WDFDMA_OBJECT_REQUEST);
}
static inline WDFCOMMONBUFFER buffer(void) {
    return handle_of(WDFDMA_OBJECT_COMMON_BUFFER);
}

static inline uint64_t number(void) {
    static const uint64_t numbers[] = {0,
                                       1,
                                       2,
                                       4095,
                                       4096,
                                       4097,
                                       8192,
                                       65536,
                                       UINT32_MAX,
                                       UINT64_C(1) << 32,
                                       UINT64_MAX,
                                       UINT64_MAX / 2,
                                       UINT64_MAX - 4095,
                                       100};
    return pick(3) == 0 ? pick(20000) : numbers[pick(sizeof numbers / sizeof numbers[0])];
}

static inline ULONG small_number(void) {
    return pick(4) == 0 ? (ULONG)number() : (ULONG)pick(12);
}

static inline WDF_DMA_DIRECTION direction(void) {
    return (WDF_DMA_DIRECTION)(pick(16) == 0 ? (int)pick(5) - 2 : (int)pick(2));
}

static inline PMDL mdl(void) {
    switch (pick(12)) {
    case 0:
        return NULL;
    case 1:
        return (PMDL)(uintptr_t)world_random(&of.random);
    case 2:
        return &of.forged;
    default:
        return of.mdls[pick(MDL_COUNT)];
    }
}

/* An address inside, at an end of, or far from an MDL's. */
static inline void *address_in(PMDL chain) {
    bool known = false;
    for (int i = 0; i < MDL_COUNT - 1; i++) {
        known = known || of.mdls[i] == chain;
    }
    uint64_t start = known ? (uint64_t)(uintptr_t)chain->StartVa + chain->ByteOffset : 0;
    return (void *)(uintptr_t)(start + (pick(4) == 0 ? number() : pick(3000)));
}

/* True seldom, and more so in a mild phase: for what ends in a bug check. */
static inline bool seldom(void) {
    return pick(of.mild ? 500 : 16) == 0;
}

/* What a call made is a handle like any other from then on. */
static inline void keep(const void *handle) {
    if (handle != NULL) {
        of.handles[of.handle_count < HANDLE_COUNT ? of.handle_count++ : pick(HANDLE_COUNT)] =
            (uint64_t)(uintptr_t)handle;
    }
}

#endif
