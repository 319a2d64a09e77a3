/* The plain ways of cycle.c against the full ones: two drivers do the same at random, one on a machine that keeps a
 * log, which takes every call the full way, and one on a machine that keeps none. */
#include "world.h"

enum {
    REGISTERS = 6,
    ENABLERS = 3,
    TRANSACTIONS = 4,
    BUFFERS = 4,
    DEEPEST = 2,
    STEPS = 150,
    ROUNDS = 6000
};

/* One of the two drivers; both have the same numbers to come. */
typedef struct twin {
    wdfdma_machine *machine;
    WDFDEVICE device;
    WDFDMAENABLER enablers[ENABLERS];
    WDFDMATRANSACTION transactions[TRANSACTIONS];
    PMDL buffers[BUFFERS];
    uint64_t random;
    uint64_t trace; /* of all that it was told */
    uint32_t depth;
    uint32_t quiet; /* callbacks do nothing in [quiet] of 8 cases */
} twin;

static twin *running;

static uint32_t draw(uint64_t bound) {
    return world_random_below(&running->random, bound);
}

static void tell(uint64_t value) {
    running->trace = (running->trace ^ value) * 0x100000001B3u + 0x9E3779B97F4A7C15u;
}

static void step_take(void);

static void react(uint64_t event, WDFDMATRANSACTION transaction) {
    tell(event);
    tell(wdfdma_object_get_label(transaction));
    if (running->depth < DEEPEST && draw(8) >= running->quiet) {
        running->depth++;
        step_take();
        running->depth--;
    }
    tell(event);
}

static BOOLEAN program_dma(WDFDMATRANSACTION transaction, WDFDEVICE device, WDFCONTEXT context,
                           WDF_DMA_DIRECTION direction, PSCATTER_GATHER_LIST list) {
    tell(wdfdma_object_get_label(device));
    tell((uint64_t)(uintptr_t)context);
    tell(direction);
    for (ULONG i = 0; i < list->NumberOfElements; i++) {
        tell((uint64_t)list->Elements[i].Address.QuadPart);
        tell(list->Elements[i].Length);
    }
    if (draw(4) == 0) {
        /* The device looks, so that the mapping is one that it knows. */
        uint8_t byte = (uint8_t)draw(256);
        uint64_t address = (uint64_t)list->Elements[0].Address.QuadPart;
        tell(byte);
        tell((uint64_t)(direction == WdfDmaDirectionReadFromDevice
                            ? wdfdma_device_write(running->machine, address, &byte, 1)
                            : wdfdma_device_read(running->machine, address, &byte, 1)));
    }
    react(1, transaction);
    return TRUE;
}

static void reserve_dma(WDFDMATRANSACTION transaction, PVOID context) {
    tell((uint64_t)(uintptr_t)context);
    react(2, transaction);
}

static void transfer_complete(WDFDMATRANSACTION transaction, WDFDEVICE device, WDFCONTEXT context,
                              WDF_DMA_DIRECTION direction, DMA_COMPLETION_STATUS status) {
    (void)device;
    (void)context;
    tell((uint64_t)direction << 8 | status);
    react(3, transaction);
}

static BOOLEAN configure(WDFDMATRANSACTION transaction, WDFDEVICE device, PVOID context, PMDL mdl,
                         size_t offset, size_t length) {
    (void)device;
    (void)context;
    (void)mdl;
    tell(offset);
    tell(length);
    react(4, transaction);
    return TRUE;
}

/* Mostly what fits the buffer, and often all of it. */
static NTSTATUS initialize(WDFDMATRANSACTION transaction) {
    static const size_t lengths[] = {8192, 4096, 512, 100, 5000, 12288, 40000, 0};
    PMDL mdl = running->buffers[draw(16) == 0 ? 3 : draw(3)];
    WDF_DMA_DIRECTION direction = (WDF_DMA_DIRECTION)(draw(16) == 0 ? 2 : draw(2));
    size_t offset = draw(2) == 0 ? 0 : draw(141) * 64;
    size_t length = lengths[draw(4) == 0 ? draw(8) : draw(3)];
    if (offset < mdl->ByteCount && offset + length > mdl->ByteCount && draw(16) != 0) {
        length = mdl->ByteCount - offset;
    }
    if (draw(2) == 0) {
        return WdfDmaTransactionInitializeUsingOffset(transaction, program_dma, direction, mdl,
                                                      offset, length);
    }
    return WdfDmaTransactionInitialize(transaction, program_dma, direction, mdl,
                                       (uint8_t *)MmGetMdlVirtualAddress(mdl) + offset, length);
}

static void complete(WDFDMATRANSACTION transaction) {
    NTSTATUS status = 0;
    uint32_t kind = draw(8);
    size_t length = WdfDmaTransactionGetCurrentDmaTransferLength(transaction);
    length = draw(4) == 0 ? 0 : draw(2) == 0 ? length : length / 2;
    BOOLEAN returned =
        kind == 0   ? WdfDmaTransactionDmaCompletedWithLength(transaction, length, &status)
        : kind == 1 ? WdfDmaTransactionDmaCompletedFinal(transaction, length, &status)
                    : WdfDmaTransactionDmaCompleted(transaction, &status);
    tell(returned);
    tell((uint64_t)status);
}

static void set_something(WDFDMATRANSACTION transaction, bool is_initialized) {
    uint32_t kind = draw(8);
    if (kind < 3) {
        WdfDmaTransactionSetImmediateExecution(transaction, draw(2) == 0);
    } else if (kind == 3 && (is_initialized || draw(32) == 0)) {
        WdfDmaTransactionSetMaximumLength(transaction, 1 + draw(9000));
    } else if (kind == 4) {
        WdfDmaTransactionSetSingleTransferRequirement(transaction, draw(4) == 0);
    } else if (kind == 5) {
        WdfDmaTransactionSetTransferCompleteCallback(transaction,
                                                     draw(2) == 0 ? transfer_complete : NULL, NULL);
    } else if (kind == 6) {
        WdfDmaTransactionSetChannelConfigurationCallback(transaction,
                                                         draw(4) == 0 ? configure : NULL, NULL);
    } else {
        WdfDmaEnablerSetMaximumScatterGatherElements(running->enablers[draw(ENABLERS)],
                                                     draw(4) == 0 ? draw(3) : 8);
    }
}

/* The counts of a buffer, which a driver may write. */
static void bend(void) {
    PMDL mdl = running->buffers[3];
    mdl->ByteCount = draw(4) == 0 ? draw(20000) : 8192;
    mdl->ByteOffset = draw(4) == 0 ? draw(5000) : 0;
}

static void tell_info(WDFDMATRANSACTION transaction) {
    wdfdma_transaction_info info;
    if (wdfdma_transaction_get_info(transaction, &info) == STATUS_SUCCESS) {
        const uint64_t values[] = {
            info.state,          info.direction,           info.waiting,
            info.length,         info.bytes_transferred,   info.transfer_length,
            info.remaining,      info.maximum_fragment,    info.reserved,
            info.first_register, info.registers,           info.holds_base,
            info.bounces,        info.immediate_execution, info.single_transfer,
            info.stopped};
        for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
            tell(values[i]);
        }
    }
}

/* A transaction goes, sometimes held on to, and another one comes in its place. */
static void replace(uint32_t index) {
    WDFDMATRANSACTION gone = running->transactions[index];
    bool held = draw(4) == 0;
    if (held) {
        WdfObjectReference(gone);
    }
    WdfObjectDelete(gone);
    if (held && draw(2) == 0) {
        WdfObjectDereference(gone);
    }
    WDFDMATRANSACTION made = NULL;
    tell((uint64_t)WdfDmaTransactionCreate(running->enablers[index % ENABLERS],
                                           WDF_NO_OBJECT_ATTRIBUTES, &made));
    if (made != NULL) {
        running->transactions[index] = made;
    }
}

/* What a careful driver does not do in this state. */
static bool is_misuse(uint32_t next, uint32_t state) {
    bool resting = state == WDFDMA_STATE_CREATED || state == WDFDMA_STATE_RELEASED;
    bool starts = resting || state == WDFDMA_STATE_INITIALIZED;
    return (next == 4 && !starts) || (next == 6 && resting) ||
           (next == 5 && (state == WDFDMA_STATE_CREATED || state == WDFDMA_STATE_TRANSFER));
}

/* What the device has written, as far as it has arrived. */
static void tell_bytes(void) {
    for (int i = 0; i < BUFFERS - 1; i++) {
        uint8_t bytes[4096] = {0};
        tell((uint64_t)wdfdma_mdl_read(running->machine, running->buffers[i], 0, bytes,
                                       sizeof bytes));
        for (size_t at = 0; at < sizeof bytes; at += 64) {
            tell(bytes[at]);
        }
    }
}

/* What comes next for a transaction in its state; now and then anything. */
static void step_take(void) {
    uint32_t index = draw(TRANSACTIONS);
    WDFDMATRANSACTION transaction = running->transactions[index];
    wdfdma_transaction_info info = {0};
    wdfdma_transaction_get_info(transaction, &info);
    uint32_t choice = draw(12);
    uint32_t next = 11;
    if (choice >= 3) {
        bool waits = info.waiting != WDFDMA_WAITING_NOT && draw(32) != 0;
        next = info.state == WDFDMA_STATE_TRANSFER      ? (waits ? 7 : 2)
               : info.state == WDFDMA_STATE_INITIALIZED ? 1
               : info.state == WDFDMA_STATE_CREATED || info.state == WDFDMA_STATE_RELEASED ||
                       info.state == WDFDMA_STATE_RESERVED
                   ? 0
                   : 3;
    } else if (choice == 0) {
        next = draw(32) == 0 ? draw(4) : 4 + draw(7);
        if (is_misuse(next, info.state) && draw(32) != 0) {
            next = 7;
        }
    }
    switch (next) {
    case 0:
        tell((uint64_t)initialize(transaction));
        break;
    case 1:
        tell((uint64_t)WdfDmaTransactionExecute(transaction, (WDFCONTEXT)(uintptr_t)draw(100)));
        break;
    case 2:
        complete(transaction);
        break;
    case 3:
        tell((uint64_t)WdfDmaTransactionRelease(transaction));
        break;
    case 4:
        tell((uint64_t)WdfDmaTransactionAllocateResources(transaction, (WDF_DMA_DIRECTION)draw(2),
                                                          draw(4), reserve_dma,
                                                          (PVOID)(uintptr_t)draw(100)));
        break;
    case 5:
        WdfDmaTransactionFreeResources(transaction);
        break;
    case 6:
        tell(WdfDmaTransactionCancel(transaction));
        break;
    case 7:
        tell(wdfdma_enabler_complete_transfer(running->enablers[draw(ENABLERS)],
                                              (WDF_DMA_DIRECTION)draw(2)));
        break;
    case 8:
        if (info.state != WDFDMA_STATE_TRANSFER || draw(4) == 0) {
            replace(index);
            transaction = running->transactions[index];
        }
        break;
    case 9:
        bend();
        tell_bytes();
        break;
    default:
        set_something(transaction, info.state == WDFDMA_STATE_INITIALIZED);
        break;
    }
    tell(next);
    tell_info(transaction);
}

static void open_twin(twin *of, uint64_t seed, bool keeps_log) {
    static const WDF_DMA_PROFILE profiles[] = {
        WdfDmaProfilePacket,          WdfDmaProfileScatterGather, WdfDmaProfileSystem,
        WdfDmaProfileScatterGather64, WdfDmaProfilePacket64,      WdfDmaProfileScatterGatherDuplex};
    static const uint64_t low[] = {40, 41, 42};
    static const uint64_t parts[] = {50, 52};
    static const uint64_t high[] = {(1ull << 20) + 5, (1ull << 20) + 6, (1ull << 20) + 7};
    wdfdma_machine_config config = world_config(REGISTERS);
    *of = (twin){.random = seed};
    running = of;
    config.verifier = draw(4) != 0;
    config.force_map_registers = draw(8) == 0;
    config.maximum_depth = draw(16) == 0 ? 1 : config.maximum_depth;
    of->quiet = draw(9);
    of->machine = harness_machine(&config);
    of->device = world_device(of->machine);
    for (int i = 0; i < ENABLERS; i++) {
        WDF_DMA_PROFILE profile = profiles[draw(6)];
        uint32_t version = world_profile_is_system(profile) || draw(3) != 0 ? 3 : 2;
        of->enablers[i] = world_enabler(
            of->device, &(world_profile){profile, draw(3) == 0 ? 8192 : 0, version, 0});
    }
    for (int i = 0; i < TRANSACTIONS; i++) {
        of->transactions[i] = world_transaction(of->enablers[i % ENABLERS]);
    }
    of->buffers[0] = world_mdl(of->machine, draw(2) * 128, 8192, low);
    of->buffers[1] = world_mdl(of->machine, 0, 8192, parts);
    of->buffers[2] = world_mdl(of->machine, 96, 12000, high);
    of->buffers[3] = world_mdl(of->machine, 0, 8192, NULL);
    if (draw(4) == 0) {
        of->buffers[0]->Next = of->buffers[1];
    }
    CHECK_STATUS(wdfdma_log_configure(of->machine, keeps_log ? 1 : 0), STATUS_SUCCESS);
}

/* The label of the transaction that owns a channel; -1: none. */
static uint64_t owner_get_label(WDFDMAENABLER enabler) {
    wdfdma_enabler_info info;
    CHECK_STATUS(wdfdma_enabler_get_info(enabler, WdfDmaDirectionReadFromDevice, &info),
                 STATUS_SUCCESS);
    return info.channel_owner == NULL ? UINT64_MAX : wdfdma_object_get_label(info.channel_owner);
}

/* False where the two can be told apart. */
/* Handles but for the bits that name the machine. */
static bool frames_are_equal(const wdfdma_violation *found, const wdfdma_violation *wanted) {
    bool same = CHECK_EQUAL(found->depth, wanted->depth);
    for (size_t i = 0; i < WDFDMA_VIOLATION_FRAMES; i++) {
        const wdfdma_violation_frame *left = &found->frames[i];
        const wdfdma_violation_frame *right = &wanted->frames[i];
        same = CHECK_EQUAL((uint32_t)left->handle, (uint32_t)right->handle) &&
               CHECK_EQUAL(left->event, right->event) &&
               CHECK_EQUAL(left->object_type, right->object_type) &&
               CHECK_EQUAL(left->object, right->object) && same;
    }
    return same;
}

static bool compare(const twin *logged, const twin *plain) {
    const wdfdma_bugcheck *one = wdfdma_machine_get_bugcheck(logged->machine);
    const wdfdma_bugcheck *other = wdfdma_machine_get_bugcheck(plain->machine);
    size_t words;
    bool same = CHECK_EQUAL(plain->trace, logged->trace);
    same = CHECK_EQUAL(other != NULL, one != NULL) && same;
    if (one != NULL && other != NULL) {
        same = CHECK_EQUAL(other->code, one->code) && CHECK_EQUAL(other->rule, one->rule) &&
               CHECK_EQUAL(other->object, one->object) && CHECK_EQUAL(other->step, one->step) &&
               CHECK_EQUAL(other->op, one->op) && CHECK_EQUAL(other->depth, one->depth) && same;
    }
    same = CHECK_EQUAL(*wdfdma_pool_get_bitmap(plain->machine, &words),
                       *wdfdma_pool_get_bitmap(logged->machine, &words)) &&
           same;
    for (int i = 0; i < ENABLERS; i++) {
        same = CHECK_EQUAL(owner_get_label(plain->enablers[i]),
                           owner_get_label(logged->enablers[i])) &&
               same;
    }
    size_t recorded = 0;
    size_t others = 0;
    const wdfdma_violation *found = wdfdma_machine_get_violations(plain->machine, &recorded);
    const wdfdma_violation *wanted = wdfdma_machine_get_violations(logged->machine, &others);
    same = CHECK_EQUAL(recorded, others) && same;
    for (size_t i = 0; same && i < recorded; i++) {
        same = CHECK_EQUAL(found[i].rule, wanted[i].rule) &&
               CHECK_EQUAL(found[i].step, wanted[i].step) &&
               CHECK_EQUAL(found[i].object, wanted[i].object) &&
               frames_are_equal(&found[i], &wanted[i]) &&
               CHECK_BYTES(&found[i].state, &wanted[i].state, sizeof found[i].state);
    }
    return CHECK_BYTES(wdfdma_machine_get_state(plain->machine),
                       wdfdma_machine_get_state(logged->machine), sizeof(wdfdma_machine_state)) &&
           same;
}

TEST(the_plain_ways_do_as_the_full_ones) {
    uint64_t halts = 0;
    uint64_t steps = 0;
    for (uint64_t round = 0; round < ROUNDS; round++) {
        twin logged;
        twin plain;
        open_twin(&logged, round, true);
        open_twin(&plain, round, false);
        bool halted = false;
        for (int step = 0; step < STEPS && !halted; step++) {
            running = &logged;
            step_take();
            running = &plain;
            step_take();
            if (!compare(&logged, &plain)) {
                printf("    in round %" PRIu64 ", step %d\n", round, step);
                return;
            }
            halted = wdfdma_machine_get_bugcheck(plain.machine) != NULL;
            steps++;
        }
        halts += halted;
        harness_machine_end(plain.machine);
        harness_machine_end(logged.machine);
    }
    printf("    %" PRIu64 " steps, %" PRIu64 " of %d rounds ended in a bug check\n", steps, halts,
           ROUNDS);
    CHECK(steps > (uint64_t)ROUNDS * STEPS / 10);
}

HARNESS_MAIN(ENTRY(the_plain_ways_do_as_the_full_ones))
