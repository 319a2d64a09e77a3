/* What shall fail: the plan of faults. */
#ifndef WDFDMA_CONTROL_FAULTS_H
#define WDFDMA_CONTROL_FAULTS_H

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

/* cffi: end */

#ifdef __cplusplus
}
#endif

#endif
