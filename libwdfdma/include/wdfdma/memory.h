/* Memory: buffers under MDLs, and the device's side of the bus. */
#ifndef WDFDMA_CONTROL_MEMORY_H
#define WDFDMA_CONTROL_MEMORY_H

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

/* A buffer to be described by an MDL. */
typedef struct wdfdma_mdl_config {
    uint32_t byte_offset; /* into the first page, 0 to 4095 */
    uint32_t byte_count;  /* at least 1 */
    const uint64_t *pfns; /* copied; one for each page, or NULL: pages of the machine's choice */
    size_t pfn_count;     /* pages(byte_offset, byte_count); 0 where [pfns] is NULL */
} wdfdma_mdl_config;

/* Makes an MDL over physical pages, which come to life zeroed unless another MDL has them
 * already. A page may be in several MDLs. [out] owned by the caller, release with
 * wdfdma_mdl_destroy.
 * Errors: STATUS_INVALID_PARAMETER for a bad offset, count, or PFN;
 * STATUS_INSUFFICIENT_RESOURCES. */
WDFDMA_API NTSTATUS wdfdma_mdl_create(wdfdma_machine *machine, const wdfdma_mdl_config *config,
                                      PMDL *out);

/* Ends [mdl], not its chain. Pages go when their last MDL goes. NULL is allowed and silent.
 * Errors: STATUS_INVALID_PARAMETER when it is not a live MDL of [machine]. */
WDFDMA_API NTSTATUS wdfdma_mdl_destroy(wdfdma_machine *machine, PMDL mdl);

/* Copies [bytes] bytes at byte [offset] of the chain [mdl] out of simulated memory into [out], as
 * the processor would read them: the pages' own, not those of a bounce. Works on a halted machine.
 * Errors, with nothing copied: STATUS_INVALID_PARAMETER for a dead MDL or where [out] is NULL;
 * STATUS_BUFFER_TOO_SMALL past the chain's end; STATUS_UNSUCCESSFUL where a rule stops the machine
 * for it. O(length of the chain + bytes). */
WDFDMA_API NTSTATUS wdfdma_mdl_read(wdfdma_machine *machine, PMDL mdl, uint64_t offset, void *out,
                                    size_t bytes);

/* Copies [bytes] bytes of [data] to byte [offset] of the chain [mdl], as the processor would write
 * them. [data] copied. Errors, with nothing copied: STATUS_INVALID_PARAMETER for a dead MDL or where
 * [data] is NULL; STATUS_BUFFER_TOO_SMALL past the chain's end; STATUS_UNSUCCESSFUL where a rule
 * stops the machine for it, or it has halted. O(length of the chain + bytes). */
WDFDMA_API NTSTATUS wdfdma_mdl_write(wdfdma_machine *machine, PMDL mdl, uint64_t offset,
                                     const void *data, size_t bytes);

/* The bytes of [mdl] alone, in place, where its pages lie one after another in the machine;
 * otherwise NULL (a page is shared with an earlier MDL). Owned by the machine. Models:
 * MmGetSystemAddressForMdlSafe. */
WDFDMA_API void *wdfdma_mdl_get_bytes(wdfdma_machine *machine, PMDL mdl);

/* The device's side */

/* The plan of faults may make each of these three go wrong (wdfdma/faults.h). */

/* Reads [bytes] bytes at a logical address, as a bus master does. What no live mapping of a
 * transfer to the device and no common buffer allows is bug check 0xE6 with parameter 1 = 0x26,
 * and nothing is copied. Where a map register and a directly mapped page have the same logical
 * address, the map register answers. Where rule DMA_26 is ignored there is no IOMMU: map registers
 * answer that nothing maps for the device, with 0x0F where no transfer bounces through them, unless
 * DMA_0F_3, 4 and 5 are ignored too.
 * Errors: STATUS_INVALID_PARAMETER where [machine] or [out] is NULL; STATUS_UNSUCCESSFUL, with
 * nothing copied, where that is not allowed or the machine has halted;
 * STATUS_INSUFFICIENT_RESOURCES. */
WDFDMA_API NTSTATUS wdfdma_device_read(wdfdma_machine *machine, uint64_t address, void *out,
                                       size_t bytes);

/* Writes [bytes] bytes of [data] to a logical address, as a bus master does. [data] copied. What no
 * live mapping of a transfer from the device and no common buffer allows is bug check 0xE6 with
 * parameter 1 = 0x26, and nothing is copied. A write through map registers reaches the buffer when
 * the transfer is completed. Errors: STATUS_INVALID_PARAMETER where [machine] or [data] is NULL;
 * STATUS_UNSUCCESSFUL, with nothing copied, where that is not allowed or the machine has halted;
 * STATUS_INSUFFICIENT_RESOURCES. */
WDFDMA_API NTSTATUS wdfdma_device_write(wdfdma_machine *machine, uint64_t address, const void *data,
                                        size_t bytes);

/* The system DMA controller finishes the transfer running on the channel of [enabler] for
 * [direction] (a simplex profile has one). True if one was running: its completion routine has
 * run. False on a bus master. */
WDFDMA_API bool wdfdma_enabler_complete_transfer(WDFDMAENABLER enabler,
                                                 WDF_DMA_DIRECTION direction);

/* cffi: end */

#ifdef __cplusplus
}
#endif

#endif
