/* Workloads: cases that a driver under test is put through, and what is wrong with it. */
#ifndef WDFDMA_CONTROL_WORKLOAD_H
#define WDFDMA_CONTROL_WORKLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wdf.h"
#include "wdfdma/api.h"
#include "wdfdma/coverage.h"
#include "wdfdma/driver.h"
#include "wdfdma/machine.h"

#ifdef __cplusplus
extern "C" {
#endif

/* cffi: begin */

/* A case is a string of bytes, of any length and any content: [WDFDMA_CASE_STRIDE] bytes of the
 * world, then as many for each move of dispatcher and device, the first of which says which move it
 * is. What is missing at the end is 0, the simplest; what stands past the last move is not looked
 * at. */
enum {
    WDFDMA_CASE_STRIDE = 6,
    WDFDMA_CASE_MOVES = 40, /* at most */
    WDFDMA_CASE_BYTES = 246 /* of the longest case */
};

/* A move is a byte, modulo WDFDMA_MOVE_COUNT, and what it needs in the five that follow. */
typedef enum wdfdma_move {
    WDFDMA_MOVE_START = 0,     /* a request is handed to the driver */
    WDFDMA_MOVE_FINISH = 1,    /* a channel of the hardware comes to an end, or some way */
    WDFDMA_MOVE_CANCEL = 2,    /* a request is to be cancelled */
    WDFDMA_MOVE_INTERRUPT = 3, /* that the device did not make now */
    WDFDMA_MOVE_TAKE = 4,      /* another driver takes map registers, or waits for them */
    WDFDMA_MOVE_GIVE = 5,      /* it gives them back */
    WDFDMA_MOVE_POWER = 6,     /* the device leaves D0, or enters it again */
    WDFDMA_MOVE_FAULT = 7,     /* a call that the driver makes next will fail */
    WDFDMA_MOVE_FAST = 8,      /* what is started next ends at once, inside EvtProgramDma */
    WDFDMA_MOVE_ADVANCE = 9,   /* time goes by */
    WDFDMA_MOVE_COUNT = 10
} wdfdma_move;

/* How a channel goes on, in a FINISH. */
typedef enum wdfdma_ending {
    WDFDMA_END_RIGHT = 0,   /* all is moved, and an interrupt tells */
    WDFDMA_END_SHORT = 1,   /* some is moved; the rest is to be asked for again */
    WDFDMA_END_NO_MORE = 2, /* some is moved, and there is no more for this request */
    WDFDMA_END_FAILED = 3,  /* some is moved, then there was an error */
    WDFDMA_END_SILENT = 4,  /* all is moved; the interrupt is late */
    WDFDMA_END_TWICE = 5,   /* all is moved, and two interrupts tell */
    WDFDMA_END_NOT_YET = 6, /* some is moved, and the channel works on */
    WDFDMA_END_COUNT = 7
} wdfdma_ending;

/* What is wrong with a driver. */
typedef enum wdfdma_failure {
    WDFDMA_FAILURE_NONE = 0,
    WDFDMA_FAILURE_BUGCHECK = 1,
    WDFDMA_FAILURE_VIOLATION = 2,       /* a rule, no advice, is broken and the machine went on */
    WDFDMA_FAILURE_LEAK = 3,            /* something is held at the end */
    WDFDMA_FAILURE_NEVER_COMPLETED = 4, /* a request, though the hardware has ended all its work */
    WDFDMA_FAILURE_WRONG_DATA = 5,      /* where a request that succeeded says that there is data */
    WDFDMA_FAILURE_WRONG_INFORMATION =
        6, /* a request that succeeded tells of too few or many bytes */
    WDFDMA_FAILURE_WRONG_STATUS =
        7,                       /* a request failed without a reason, or was CANCELLED by nobody */
    WDFDMA_FAILURE_HARDWARE = 8, /* programmed while at work, without power, or for no request */
    WDFDMA_FAILURE_LIVELOCK = 9, /* the hardware is programmed without end */
    WDFDMA_FAILURE_ADD_DEVICE = 10, /* it failed, and nothing had gone wrong */
    WDFDMA_FAILURE_EXCEPTION =
        11, /* told by who ran the case: what the driver is written in raised one */
    WDFDMA_FAILURE_CRASH = 12, /* told by who ran the case: the process ended */
    WDFDMA_FAILURE_COUNT = 13
} wdfdma_failure;

/* The outcome of a case. The first failure ends it. The first four members are its signature: two
 * cases in which they are equal are taken for the same bug. */
typedef struct wdfdma_workload_result {
    uint32_t failure;     /* wdfdma_failure */
    uint32_t rule;        /* wdfdma_rule, of a BUGCHECK, VIOLATION or LEAK */
    uint32_t object_type; /* wdfdma_object_type, of the object concerned */
    uint32_t op;          /* wdfdma_op, the call that was in progress */
    uint32_t move;        /* in which: an index; the number of moves: at the end */
    uint32_t moves;       /* that the case has */
    uint32_t request;     /* of a request's failure: which START made it */
    uint32_t requests;    /* started */
    uint64_t expected;    /* of WRONG_...: what should have been, where there is one such thing */
    uint64_t actual;      /* and was */
    uint64_t starts;      /* commands that the hardware was given */
    uint64_t steps;       /* calls of the machine made, each with all that it led to */
    uint64_t features; /* what has come about, as bits: two cases with the same did much the same */
} wdfdma_workload_result;

/* The settings of the machine that the case [bytes] of [size] bytes asks for, into [config]: the
 * others of its fields keep their values. False where an argument is NULL. */
WDFDMA_API bool wdfdma_workload_get_config(const uint8_t *bytes, size_t size,
                                           wdfdma_machine_config *config);

/* How many moves the case has. 0 for NULL. */
WDFDMA_API uint32_t wdfdma_workload_count_moves(const uint8_t *bytes, size_t size);

/* Puts into [out], of [capacity] bytes, one line that says in English what move [index] of the case
 * does, or UINT32_MAX: its world; ended by a 0, cut where it is too long. Returns the length that
 * it has. 0 for no such move. */
WDFDMA_API size_t wdfdma_workload_describe(const uint8_t *bytes, size_t size, uint32_t index,
                                           char *out, size_t capacity);

/* Puts [driver] through the case on [machine], which is fresh and was made with its settings. [driver]
 * and [bytes] borrowed. What is left of the world stays in the machine for who looks at it. Errors:
 * STATUS_INVALID_PARAMETER for a missing argument, a wrong size of the driver, or a driver without
 * [add_device]; STATUS_INVALID_DEVICE_STATE for a machine in use; STATUS_INSUFFICIENT_RESOURCES. A
 * failure of the driver is no error: [out] has it. */
WDFDMA_API NTSTATUS wdfdma_workload_run(wdfdma_machine *machine, const wdfdma_driver *driver,
                                        const uint8_t *bytes, size_t size,
                                        wdfdma_workload_result *out);

/* Runs a case as wdfdma_workload_run does, on a machine made for it and ended again. */
WDFDMA_API NTSTATUS wdfdma_workload_run_case(const wdfdma_driver *driver, const uint8_t *bytes,
                                             size_t size, wdfdma_workload_result *out);

/* A byte of a request's buffer, as it is left when a case is over. */
typedef struct wdfdma_workload_byte {
    uint32_t label;   /* of the request */
    uint8_t expected; /* what the device has there */
    uint8_t actual;
} wdfdma_workload_byte;

/* Looks at byte [at] of the read that the START in [move] made, after wdfdma_workload_run on [machine],
 * for a request that has failed: the others' buffers are gone. False where there is none. */
WDFDMA_API bool wdfdma_workload_get_byte(wdfdma_machine *machine, uint32_t move, uint64_t at,
                                         wdfdma_workload_byte *out);

/* Fills [out], of WDFDMA_CASE_BYTES, with a case; the same [seed], the same case. Returns its
 * length. */
WDFDMA_API size_t wdfdma_workload_generate(uint64_t seed, uint8_t *out);

/* Changes the case of [size] bytes in [bytes], of WDFDMA_CASE_BYTES, at a few places. Returns its new
 * length. */
WDFDMA_API size_t wdfdma_workload_mutate(uint64_t seed, uint8_t *bytes, size_t size);

/* Runs a case for who cannot leave it to wdfdma_workload_run_case, as for a driver that is not written in
 * C, and writes [out]. Its errors end what calls it. */
typedef NTSTATUS (*wdfdma_case_runner)(const uint8_t *bytes, size_t size,
                                       wdfdma_workload_result *out, void *context);

/* Whom cases are for. Borrowed. */
typedef struct wdfdma_case_target {
    const wdfdma_driver *driver;
    wdfdma_case_runner runner; /* NULL: [driver] is run on machines of the library's own */
    void *runner_context;      /* borrowed */
    wdfdma_coverage *coverage; /* that the library's own machines count into, or NULL: none */
} wdfdma_case_target;

/* The first case of a signature. */
typedef struct wdfdma_finding {
    wdfdma_workload_result result;
    uint64_t run;  /* in which it came, counted from 0 */
    uint64_t hits; /* runs with this signature */
    uint32_t size; /* bytes of the case */
    uint8_t bytes[246];
} wdfdma_finding;

/* What is to be run, and what came of it. wdfdma_workload_fuzz goes on where it stopped when it
 * is called again with the same, [runs] counting further. */
typedef struct wdfdma_fuzz {
    uint32_t size; /* sizeof(wdfdma_fuzz) */
    uint32_t finding_count;
    uint64_t seed;
    wdfdma_finding *findings; /* borrowed: room for those of the first [capacity] signatures */
    uint32_t capacity;
    uint32_t kept;     /* cases that showed something new, to be mutated */
    uint32_t left_out; /* moves that no case is to have: bits 1 << wdfdma_move; 0: it has all */
    uint32_t unused;
    uint64_t runs; /* so far; written, as all that follows */
    uint64_t failures;
    uint64_t moves;
    uint64_t steps;
    uint64_t requests;
    uint64_t features;     /* of all runs */
    uint64_t feature_sets; /* different ones seen, up to 4096 */
    uint8_t cases[16][246];
    uint32_t case_sizes[16];
    uint64_t seen[4096]; /* the sets of features, hashed */
} wdfdma_fuzz;

/* Makes [fuzz] ready to begin. [findings] borrowed until the last call. */
WDFDMA_API void wdfdma_fuzz_init(wdfdma_fuzz *fuzz, uint64_t seed, wdfdma_finding *findings,
                                 uint32_t capacity);

/* Puts [target] through [runs] more cases. Stops earlier where [until_found] and a new signature has
 * come. The same driver, seed and number of runs give the same findings. Errors: as
 * wdfdma_workload_run. */
WDFDMA_API NTSTATUS wdfdma_workload_fuzz(wdfdma_fuzz *fuzz, const wdfdma_case_target *target,
                                         uint64_t runs, bool until_found);

/* The case that wdfdma_workload_fuzz runs next, into [out], of WDFDMA_CASE_BYTES; returns its length, 0
 * for NULL. Where [fuzz] lies in memory that two processes share, this is the case in which one of
 * them ended. */
WDFDMA_API size_t wdfdma_fuzz_get_next(const wdfdma_fuzz *fuzz, uint8_t *out);

/* Counts that case as run, by whoever did, with [result]; the next one follows. */
WDFDMA_API void wdfdma_fuzz_count(wdfdma_fuzz *fuzz, const wdfdma_workload_result *result);

/* Makes the case of [size] bytes in [bytes], which fails, as short and as simple as its signature
 * allows: no move can be left out, no number halved or lessened. At most [runs] runs (0: as many as
 * it takes). [size] and [out] are those of the shorter case. Errors: as wdfdma_workload_run;
 * STATUS_INVALID_PARAMETER where it does not fail. */
WDFDMA_API NTSTATUS wdfdma_workload_shrink(const wdfdma_case_target *target, uint8_t *bytes,
                                           size_t *size, uint64_t runs,
                                           wdfdma_workload_result *out);

/* cffi: end */

#ifdef __cplusplus
}
#endif

#endif
