/* The journal: every call of a driver, written to a mapped file before it runs. */
#ifndef WDFDMA_CONTROL_JOURNAL_H
#define WDFDMA_CONTROL_JOURNAL_H

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

/* The kinds of a journal's entries beside wdfdma_op. A journal is: 'W' 'D' 'J' 1, four bytes of
 * zero, the bytes of its entries as 8 bytes, the lowest first, then the entries, each a byte of its kind,
 * a number of values, the values. Numbers are LEB128; handles are as wdfdma_machine_localize has
 * them. A call is a wdfdma_op, with the handle that it was given as its first value and then:
 *   CREATE            the label that is to be given
 *   DELETE            wdfdma_object_type
 *   INITIALIZE        offset, length, direction, 1 where it has a callback; its MDLs came before
 *   INITIALIZE_USING_REQUEST   the request's handle, direction, 1 where it has a callback
 *   ALLOCATE_RESOURCES   direction, registers, 1 where it has a callback
 *   SET_CALLBACK      wdfdma_event, 1 where there is one
 *   DMA_COMPLETED...  the length; 0 for DMA_COMPLETED
 *   REQUEST_CREATE    WDF_REQUEST_TYPE, the length; its MDLs came before
 *   REQUEST_COMPLETE  the status, 1 where the entry INFORMATION before it has its information
 *   DEVICE_READ_ADDRESS, DEVICE_WRITE_ADDRESS   (no handle) address, length, the first byte written
 *   MDL_READ, MDL_WRITE   (no handle) offset, length, the first byte written; the MDLs came before
 *   FREE_MDL          (no handle) the MDL's label
 *   REMOVE_DEVICE     0
 *   RAISE_IRQL, LOWER_IRQL, SET_IRQL   (no handle) the level
 *   any other         what its wdfdma_operation says after the object */
typedef enum wdfdma_journal_mark {
    /* map_registers, registers_per_adapter, physical_address_bits, force_map_registers, verifier,
     * maximum_depth */
    WDFDMA_JOURNAL_MACHINE = 192,
    WDFDMA_JOURNAL_ENTER = 193,  /* a callback: wdfdma_event, the transaction's label */
    WDFDMA_JOURNAL_LEAVE = 194,  /* the same: it returned */
    WDFDMA_JOURNAL_ANSWER = 195, /* what the callback left last has returned, where not TRUE */
    WDFDMA_JOURNAL_MADE = 196,   /* wdfdma_object_type, its label, its handle */
    WDFDMA_JOURNAL_WRONG = 197,  /* wdfdma_op, a handle that is none of its type's */
    WDFDMA_JOURNAL_OTHER = 198,  /* wdfdma_op: a call that no scenario has */
    /* a handle, profile, maximum length, version, address width, flags */
    WDFDMA_JOURNAL_ENABLER = 199,
    WDFDMA_JOURNAL_CHANNEL = 200,  /* ConfigureSystemProfile: a handle, the direction */
    WDFDMA_JOURNAL_ELEMENTS = 201, /* SetMaximumScatterGatherElements: a handle, the number */
    /* one MDL of the chain that the next call has: its place there from 0, its label, its offset, its
     * length, its page frame numbers */
    WDFDMA_JOURNAL_PART = 202,
    WDFDMA_JOURNAL_REFERENCE = 203,   /* a handle; 1 a reference more, 0 one less */
    WDFDMA_JOURNAL_INFORMATION = 204, /* of the request that is completed next */
    /* A fault that is added to the plan: wdfdma_fault_kind, op, routine, behaviour, nth, per_mille, seed,
     * status. Those of the plan that a journal finds come first. */
    WDFDMA_JOURNAL_FAULT = 205,
    WDFDMA_JOURNAL_FAULTS_CLEARED = 206, /* the plan has ended; two values of 0 */
    /* A workload calls its driver: which function of wdfdma_driver, add_device being 0; 0 */
    WDFDMA_JOURNAL_DRIVER = 207
} wdfdma_journal_mark;

/* Begins a journal of [machine] in the file [path] (UTF-8), which is written anew and mapped, so that it holds
 * what was written even if the process ends at once. [bytes] is the most it may hold; 0: 64 MiB. What does
 * not fit is not written, nor anything after it. While there is a journal, every call goes the full way. It ends
 * with the machine, or by wdfdma_journal_end; no snapshot holds it, and no restore reaches it. Errors:
 * STATUS_INVALID_PARAMETER, also for fewer than 4096 bytes; STATUS_UNSUCCESSFUL on a halted machine, or
 * where the file is not to be had; STATUS_INSUFFICIENT_RESOURCES. */
WDFDMA_API NTSTATUS wdfdma_journal_begin(wdfdma_machine *machine, const char *path, uint64_t bytes);

/* Ends the journal of [machine]. Nothing without one. */
WDFDMA_API void wdfdma_journal_end(wdfdma_machine *machine);

/* Bytes that the journal of [machine] holds; 0 without one. [full] (may be NULL) receives whether
 * something did not fit. */
WDFDMA_API uint64_t wdfdma_journal_get_bytes(const wdfdma_machine *machine, bool *full);

/* cffi: end */

#ifdef __cplusplus
}
#endif

#endif
