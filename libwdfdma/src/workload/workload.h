/* The floor that puts a driver under test through a case: it plays the dispatcher and the device.
 *
 * case.c reads a case's bytes; world.c makes and ends the world, dispatcher.c hands requests out and judges
 * how they come back, hardware.c is the bus master, traffic.c another driver on the same pool. run.c
 * makes the moves, injected.c those that make calls fail; generate.c, fuzz.c and shrink.c find cases and make them short,
 * on machines that shelf.c keeps. All of a running case
 * lies in its machine. */
#ifndef WDFDMA_WORKLOAD_INTERNAL_H
#define WDFDMA_WORKLOAD_INTERNAL_H

#include "machine/journal.h"
#include "machine/machine.h"

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

enum {
    REQUEST_MDLS = 4,
    /* Each request has a part of the hardware's memory: longer than any request. */
    REQUEST_POSITION_SHIFT = 20,
    CHUNK_BYTES = 4096,
    STARTS_MAXIMUM = 4096 /* past them the driver is taken to go on for ever */
};

/* What has come about in a case. */
enum {
    FEATURE_WAITED_POOL,
    FEATURE_WAITED_CHANNEL,
    FEATURE_TWO_PENDING,
    FEATURE_FOUR_PENDING,
    FEATURE_TWO_BUSY,
    FEATURE_SEVERAL_TRANSFERS,
    FEATURE_SEVERAL_ELEMENTS,
    FEATURE_SUCCEEDED,
    FEATURE_CANCELLED,
    FEATURE_FAILED,
    FEATURE_NOT_SUPPORTED,
    FEATURE_SHORT_INFORMATION,
    FEATURE_CANCEL_BUSY,
    FEATURE_CANCEL_WAITING,
    FEATURE_POWER_PENDING,
    FEATURE_POWER_BUSY,
    FEATURE_POWER_WAITING,
    FEATURE_TRAFFIC_WAITED,
    FEATURE_FAST_USED,
    FEATURE_FAULT_HIT,
    FEATURE_STOPPED,
    FEATURE_COMPLETED_INSIDE,
    FEATURE_FORCED,
    FEATURE_ENDING_FIRST, /* and one for each ending */
    FEATURE_DIRECTION_FIRST = FEATURE_ENDING_FIRST + WDFDMA_END_COUNT,
    FEATURE_CHAIN = FEATURE_DIRECTION_FIRST + 2,
    FEATURE_REVISION_FIRST /* and one for each of the revision's low bits, set */
};

typedef struct work_request {
    WDFREQUEST handle;
    PMDL mdls[REQUEST_MDLS];
    uint32_t mdl_count;
    uint32_t move; /* that started it */
    bool is_write;
    bool pending;
    bool cancelled; /* the driver was asked to */
    bool troubled;  /* something went wrong that may make it fail */
    bool ended;     /* the device had no more for it, from [end] on */
    uint64_t end;
    uint64_t length;
    uint32_t starts;
    uint8_t *received; /* of a write: what the hardware has read, 0 elsewhere */
} work_request;

typedef struct work_channel {
    bool busy;
    bool done; /* with a result that the driver has not asked for */
    bool is_write;
    WDFDMAENABLER enabler; /* of a channel that is paced by the controller */
    WDF_DMA_DIRECTION direction;
    work_request *request;
    uint64_t position;
    uint64_t moved; /* bytes of the command */
    uint64_t total;
    NTSTATUS status;
    uint32_t element_count;
    uint32_t element; /* that is moved next, from byte [element_moved] on */
    uint64_t element_moved;
    SCATTER_GATHER_ELEMENT *elements;
    uint32_t capacity;
} work_channel;

typedef struct work_traffic {
    WDFDEVICE device;
    WDFDMAENABLER enabler;
    WDFDMATRANSACTION transaction; /* that holds registers or waits, or NULL */
} work_traffic;

typedef struct workload {
    wdfdma_machine *machine;
    const wdfdma_driver *driver;
    WDFDEVICE device;
    void *context;
    bool powered;
    bool fast;     /* the next command ends at once */
    bool faulted;  /* something was made to fail */
    bool in_fast;  /* inside that */
    uint32_t move; /* in progress */
    uint32_t revision;
    work_traffic traffic;
    work_channel channels[WDFDMA_HARDWARE_CHANNELS];
    work_request requests[WDFDMA_CASE_MOVES];
    uint32_t pending;
    uint32_t violations_seen;
    wdfdma_workload_result result;
} workload;

/* The functions of a driver, as a journal has them. */
typedef enum driver_function {
    DRIVER_ADD_DEVICE,
    DRIVER_START_REQUEST,
    DRIVER_CANCEL_REQUEST,
    DRIVER_INTERRUPT,
    DRIVER_REMOVE_DEVICE
} driver_function;
static inline void driver_note(const workload *run, driver_function which) {
    journal_mark(run->machine, WDFDMA_JOURNAL_DRIVER, (uint64_t)which, 0);
}

/* case.c */
typedef struct case_move {
    uint32_t kind; /* wdfdma_move */
    uint8_t values[WDFDMA_CASE_STRIDE - 1];
} case_move;
typedef struct case_world {
    uint32_t map_registers;
    uint32_t registers_per_adapter;
    uint32_t physical_address_bits;
    uint32_t revision;
    bool force_map_registers;
} case_world;
typedef struct case_request {
    uint64_t length; /* bytes; 0: a request without a buffer */
    uint32_t byte_offset;
    uint32_t mdls;
    uint32_t layout;
    bool is_write;
} case_request;
case_world case_read_world(const uint8_t *bytes, size_t size);
case_move case_read_move(const uint8_t *bytes, size_t size, uint32_t index);
case_request case_read_request(const case_move *move);

/* injected.c */
/* What a FAULT with the byte [kind] makes fail, in words. */
const char *fault_name(uint32_t kind);
void fault_inject(workload *run, const case_move *move);

/* dispatcher.c */
bool request_start(workload *run, const case_move *move);
void request_cancel(workload *run, work_request *asked);
/* The [index]-th request that the driver has, counted round, or NULL. */
work_request *request_pick(workload *run, uint32_t index);
/* The request that the driver has and whose part of the hardware's memory [position] lies in. */
work_request *request_at(workload *run, uint64_t position, uint64_t length, bool is_write);
void requests_judge(workload *run);
/* Fills [out] with what the hardware's memory has from [position] on. */
void pattern_fill(uint64_t position, uint8_t *out, size_t bytes);

/* hardware.c */
void channel_finish(workload *run, work_channel *of, uint32_t ending, uint32_t of_256);
/* The [index]-th channel at work, counted round, or NULL. */
work_channel *channel_pick(workload *run, uint32_t index);
void hardware_interrupt(workload *run);

/* traffic.c */
bool traffic_create(workload *run);
void traffic_take(workload *run, uint32_t registers);
void traffic_give(workload *run);

/* world.c */
NTSTATUS world_create(workload *run);
void world_power(workload *run);
/* Lets the hardware end, which completes all requests, removes the device, looks for what is held. */
void world_end(workload *run);

/* run.c */
/* Notes the first failure; the case is over. */
void run_fail(workload *run, uint32_t failure, const work_request *of, uint64_t expected,
              uint64_t actual);
/* Looks for what the verifier has found since the last time. */
void run_look(workload *run);
static inline bool run_is_over(const workload *run) {
    return run->result.failure != WDFDMA_FAILURE_NONE || run->machine->state.halted;
}
static inline void run_note(workload *run, uint32_t feature) {
    run->result.features |= 1ull << feature;
}
bool result_is_same(const wdfdma_workload_result *one, const wdfdma_workload_result *other);

/* shelf.c */
enum {
    SHELF_PLACES = 8 /* as many as there are sizes of the pool */
};
typedef struct shelf_place {
    wdfdma_machine *machine;
    wdfdma_snapshot *beginning;
} shelf_place;
typedef struct machine_shelf {
    shelf_place places[SHELF_PLACES];
} machine_shelf;
/* The case for [target], by its runner where it has one. */
NTSTATUS shelf_run(machine_shelf *shelf, const wdfdma_case_target *target, const uint8_t *bytes,
                   size_t size, wdfdma_workload_result *out);
void shelf_end(machine_shelf *shelf);

/* generate.c: a small generator of its own */
uint64_t mix_next(uint64_t *state);

#endif
