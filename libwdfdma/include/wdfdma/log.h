/* The log of a machine. */
#ifndef WDFDMA_CONTROL_LOG_H
#define WDFDMA_CONTROL_LOG_H

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

/* The kinds of log records; what their fields hold is said at wdfdma_log_record. */
typedef enum wdfdma_record_kind {
    WDFDMA_RECORD_NONE = 0,
    WDFDMA_RECORD_OP = 1,
    WDFDMA_RECORD_EVENT = 2,
    WDFDMA_RECORD_ELEMENT = 3,
    WDFDMA_RECORD_LEAVE = 4,
    WDFDMA_RECORD_BREAK = 5,
    WDFDMA_RECORD_BUGCHECK = 6,
    WDFDMA_RECORD_SNAPSHOT = 7,
    WDFDMA_RECORD_STATE = 8
} wdfdma_record_kind;

/* One record, 64 bytes. [code], [status] and [values] by [kind]:
 *   OP        code wdfdma_op, written when the call returned; values[0] what it returned or its
 *             first number,
 *             values[1] its second number or the direction; object the label of the transaction
 *             (of the
 *             enabler for GET_FRAGMENT_LENGTH and COMPLETE_TRANSFER)
 *   EVENT     code wdfdma_event; PROGRAM_DMA: values[0] direction (1: to the device), values[1]
 *             the number
 *             of ELEMENT records that follow; CONFIGURE_DMA_CHANNEL: values[0] offset, values[1]
 *             length;
 *             DMA_TRANSFER_COMPLETE: values[0] direction, values[1] DMA_COMPLETION_STATUS
 *   ELEMENT   values[0] logical address, values[1] length in bytes
 *   LEAVE     code wdfdma_event: that callback returned
 *   BREAK     code wdfdma_op, the innermost call in progress
 *   BUGCHECK  code the wdfdma_object_type of the object concerned; status the bug check's code,
 *             values[0..3]
 *             its parameters (a handle without the bits of its machine), values[4] the rule
 *   SNAPSHOT  values[0] free registers, values[1] the number of STATE records that follow
 *   STATE     code wdfdma_transaction_state; values[0] bytes transferred, values[1] transfer
 *             length */
typedef struct wdfdma_log_record {
    uint64_t time_ns;
    uint64_t values[5];
    uint32_t step;
    uint32_t object; /* label */
    int32_t status;
    uint16_t kind; /* wdfdma_record_kind */
    uint16_t code;
} wdfdma_log_record;

/* The records of a log, oldest first: [first], then [second] where a ring has wrapped. Owned by
 * the machine. */
typedef struct wdfdma_log_view {
    const wdfdma_log_record *first;
    const wdfdma_log_record *second;
    uint64_t first_count;
    uint64_t second_count;
    uint64_t lost; /* records that a ring has overwritten, or that found no memory */
    /* records ever appended: that many less first_count and second_count come before [first] */
    uint64_t written;
} wdfdma_log_view;

/* Empties the log of [machine] and sets its length: 0 off, n a ring, WDFDMA_LOG_GROWS without
 * bound.
 * Errors: STATUS_INSUFFICIENT_RESOURCES, and the log stays as it was. */
WDFDMA_API NTSTATUS wdfdma_log_configure(wdfdma_machine *machine, uint64_t records);

/* The log's records, without a copy: valid until the machine is destroyed; later records may
 * overwrite a ring's. */
WDFDMA_API NTSTATUS wdfdma_log_get_view(const wdfdma_machine *machine, wdfdma_log_view *out);

/* cffi: end */

#define WDFDMA_LOG_GROWS UINT64_MAX

#ifdef __cplusplus
}
#endif

#endif
