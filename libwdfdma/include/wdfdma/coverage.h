/* Coverage of behaviour: in which states a transaction met which call with which outcome, and which
 * situations have come about. */
#ifndef WDFDMA_CONTROL_COVERAGE_H
#define WDFDMA_CONTROL_COVERAGE_H

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

/* A map of coverage: a counter for each cell and each goal, which stays at its highest value when
 * that is reached. Any number of machines may count into one, of one thread at a time. */
typedef struct wdfdma_coverage wdfdma_coverage;

/* Whether a cell can be reached. */
typedef enum wdfdma_cell_use {
    WDFDMA_CELL_IMPOSSIBLE = 0, /* by no driver, as docs/spec/framework.md has it */
    WDFDMA_CELL_RIGHT = 1,      /* by one that makes no mistake */
    WDFDMA_CELL_MISUSE = 2      /* only by a mistake: a rule is broken, or was before */
} wdfdma_cell_use;

/* A cell of the matrix. The names are for ever; they are owned by the library. */
typedef struct wdfdma_coverage_cell {
    const char *operation; /* a call, or a callback that is made */
    const char *standing;  /* of the transaction concerned, when the operation began */
    const char *outcome;
    uint32_t use; /* wdfdma_cell_use */
    uint32_t unused;
    uint64_t count;
} wdfdma_coverage_cell;

/* A situation that should come about sometimes. */
typedef struct wdfdma_goal {
    const char *name;  /* owned by the library; a user's by the map, until it is destroyed */
    const char *words; /* the same; "" for a user's */
    uint64_t count;    /* how often it came about */
} wdfdma_goal;

/* Makes an empty map into [out]; owned by the caller, release with wdfdma_coverage_destroy. Errors:
 * STATUS_INVALID_PARAMETER, STATUS_INSUFFICIENT_RESOURCES. */
WDFDMA_API NTSTATUS wdfdma_coverage_create(wdfdma_coverage **out);

/* Gives a map up; NULL is allowed. It lives on while machines count into it. */
WDFDMA_API void wdfdma_coverage_destroy(wdfdma_coverage *coverage);

/* Sets all counters to 0, and forgets what wdfdma_sometimes has named. */
WDFDMA_API void wdfdma_coverage_clear(wdfdma_coverage *coverage);

/* Has [machine] count into [coverage] from now on, or into none where that is NULL. While it does, every
 * call goes the full way. It ends with the machine; no snapshot holds it, and no restore reaches it. Errors:
 * STATUS_INVALID_PARAMETER; STATUS_INVALID_DEVICE_STATE inside a call or a callback;
 * STATUS_UNSUCCESSFUL for a map on a halted machine; STATUS_INSUFFICIENT_RESOURCES. */
WDFDMA_API NTSTATUS wdfdma_machine_set_coverage(wdfdma_machine *machine, wdfdma_coverage *coverage);

/* The map that [machine] counts into, or NULL. Borrowed. */
WDFDMA_API wdfdma_coverage *wdfdma_machine_get_coverage(const wdfdma_machine *machine);

/* Adds all counters of [from] to those of [into]. Errors: STATUS_INVALID_PARAMETER, also for one map
 * twice; STATUS_INSUFFICIENT_RESOURCES, with some of the users' goals added. */
WDFDMA_API NTSTATUS wdfdma_coverage_merge(wdfdma_coverage *into, const wdfdma_coverage *from);

/* Copies the first [capacity] cells that can be reached, or were, into [out]: by operation, standing and
 * outcome, in the order of the table. [coverage] NULL: all counts are 0. Returns how many there are. */
WDFDMA_API size_t wdfdma_coverage_copy_cells(const wdfdma_coverage *coverage,
                                             wdfdma_coverage_cell *out, size_t capacity);

/* Copies the first [capacity] cells that were met into [out], in the same order. Returns how many there
 * are; 0 where [coverage] is NULL. */
WDFDMA_API size_t wdfdma_coverage_copy_reached(const wdfdma_coverage *coverage,
                                               wdfdma_coverage_cell *out, size_t capacity);

/* Copies the names of the first [capacity] outcomes into [out], in the order of the table; they are owned by
 * the library. Returns how many there are. */
WDFDMA_API size_t wdfdma_coverage_copy_outcomes(const char **out, size_t capacity);

/* Copies the first [capacity] goals into [out]: those of the table in its order, then the users' by name.
 * [coverage] NULL: all counts are 0. Returns how many there are. */
WDFDMA_API size_t wdfdma_coverage_copy_goals(const wdfdma_coverage *coverage, wdfdma_goal *out,
                                             size_t capacity);

/* How often a cell was met, by the names that it has; 0 for names that are none. */
WDFDMA_API uint64_t wdfdma_coverage_get_count(const wdfdma_coverage *coverage,
                                              const char *operation, const char *standing,
                                              const char *outcome);

/* How often a goal came about, by its name; 0 for a name that is none. */
WDFDMA_API uint64_t wdfdma_coverage_get_goal(const wdfdma_coverage *coverage, const char *name);

/* How many cells that a driver without a mistake can reach were reached; [all] (may be NULL) receives how
 * many there are. */
WDFDMA_API uint32_t wdfdma_coverage_count_reached(const wdfdma_coverage *coverage, uint32_t *all);

/* Says that [condition] should be true sometimes: a goal of the user's own, that is never reached until it
 * was. Nothing where [machine] collects no coverage, where [name] (copied) is NULL or of no or more than 100
 * bytes, or without memory. */
WDFDMA_API void wdfdma_sometimes(wdfdma_machine *machine, const char *name, bool condition);

/* cffi: end */

#ifdef __cplusplus
}
#endif

#endif
