/* Every call site fails once: where a call comes from, and whether it is to fail for that.
 *
 * A DDI notes its return address as the first thing that it does on its full way, and only where
 * the machine has a log of sites. One note for each depth of callbacks is enough: a call is the
 * only one at its depth, and finds its note as it was when the callbacks in it have returned. */
#ifndef WDFDMA_SITES_H
#define WDFDMA_SITES_H

#include "machine/machine.h"

/* The address that the function in which this stands returns to. */
#if defined(__GNUC__)
#define SITE_CALLER __builtin_extract_return_addr(__builtin_return_address(0))
#elif defined(_MSC_VER)
void *_ReturnAddress(void);
#pragma intrinsic(_ReturnAddress)
#define SITE_CALLER _ReturnAddress()
#else
#define SITE_CALLER NULL
#endif

COLD void sites_note(wdfdma_machine *machine, wdfdma_op op, const void *caller);
static inline void site_note(uint64_t handle, wdfdma_op op, const void *caller) {
    wdfdma_machine *machine = registry_peek(handle);
    if (machine != NULL && UNLIKELY((machine->attention & ATTENTION_SITES) != 0)) {
        sites_note(machine, op, caller);
    }
}
/* In a function that drivers call, before [op] begins on the machine of [handle]. */
#define SITE_NOTE(handle, op) site_note((uint64_t)(uintptr_t)(handle), (op), SITE_CALLER)

/* The plain calls of a cycle only keep it, which costs them no stack, and leave the note to their
 * full way. */
extern WDFDMA_FAST_TLS _Thread_local const void *site_kept;
#define SITE_KEEP() ((void)(site_kept = SITE_CALLER))
#define SITE_NOTE_KEPT(handle, op) site_note((uint64_t)(uintptr_t)(handle), (op), site_kept)

/* True where the call in progress, of [routine] if that is told, is to fail for its site, which the
 * log tells of then. [status] is written only where the fault has one. */
bool sites_hit(wdfdma_machine *machine, wdfdma_fault_kind kind, uint32_t routine, uint32_t traits,
               NTSTATUS *status);

/* The machine is given up: its log is closed. */
void sites_end(wdfdma_machine *machine);

/* site_log.c */
/* What stands for an op in the log, or for what has no op; NULL where nothing can fail. */
const char *site_call_get_name(wdfdma_fault_kind kind, uint32_t op);
void site_log_keep(wdfdma_site_log *log);
/* True where [line] is new, and is in the file now. */
bool site_log_add(wdfdma_site_log *log, const char *line);

#endif
