/* The framework as a driver sees it: handles, objects, requests, and all of its DMA functions.
 *
 * What every Wdf function has in common, and its block therefore does not repeat:
 * - A handle that is stale, forged, of another machine or of another type is a bug check:
 *   WDF_VIOLATION (0x10D) with parameter 1 = 5 and the handle. A missing required pointer is one
 *   with parameter 1 = 4.
 * - "bug check" without a number is 0x10D with parameter 1 = 8 (WDF_DMA_FATAL_ERROR), the
 *   transaction's handle and its state. A bug check halts the machine: later calls on it return
 *   STATUS_UNSUCCESSFUL, 0, FALSE or NULL and change nothing.
 * - "break": the framework's verifier reports an error, and the call goes on to the result named.
 * - "version 3", "version 2": that of the enabler's adapter. The states of a transaction are
 *   created, reserved, initialized, transfer, transfer_completed, transfer_failed, released.
 * - Sources are pages of Microsoft's driver reference; where a block tells another story than its
 *   page, it is what drivers meet on a real system, and this simulation keeps to it. */
#ifndef WDFDMA_WDK_WDF_H
#define WDFDMA_WDK_WDF_H

#include "ntddk.h"
#include "ntstatus.h"

#include "wdftypes.h"
#include "wdfobject.h"
#include "wdfdevice.h"
#include "wdfrequest.h"
#include "wdfdmaenabler.h"
#include "wdfdmatransaction.h"
#include "wdfcommonbuffer.h"

#endif
