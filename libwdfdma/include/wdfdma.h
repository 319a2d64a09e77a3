/* wdfdma: Windows' kernel DMA stack, simulated in user mode. The control plane.
 *
 * A driver's code includes "wdf.h" and calls the WDK's functions; whoever makes the world around
 * that driver includes this header: machines, memory, requests, the device's side of the bus,
 * time, logs, snapshots and programs.
 *
 * Ownership is said in four phrases. Borrowed: used during the call only. Copied: the caller
 * keeps its own. Owned by the caller: released with the function named. Owned by the machine:
 * valid until the machine is destroyed or restored, or the named call ends it.
 *
 * Errors are NTSTATUS values; on an error outputs are not written and nothing has changed. Every
 * function accepts a NULL machine or output and answers STATUS_INVALID_PARAMETER (false, 0 or
 * NULL where it returns no status). On a machine that a bug check has halted, functions that
 * would change it answer STATUS_UNSUCCESSFUL; those that only read still answer.
 *
 * A machine is used by one thread at a time; different machines may be used by different threads
 * at once. */
#ifndef WDFDMA_H
#define WDFDMA_H

#include "wdf.h"
#include "wdfdma/api.h"
#include "wdfdma/coverage.h"
#include "wdfdma/driver.h"
#include "wdfdma/faults.h"
#include "wdfdma/inspect.h"
#include "wdfdma/journal.h"
#include "wdfdma/log.h"
#include "wdfdma/machine.h"
#include "wdfdma/memory.h"
#include "wdfdma/names.h"
#include "wdfdma/objects.h"
#include "wdfdma/program.h"
#include "wdfdma/rules.h"
#include "wdfdma/sites.h"
#include "wdfdma/workload.h"

#endif
