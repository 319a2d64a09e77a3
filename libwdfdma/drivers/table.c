/* The shipped drivers by number. */
#include "drivers.h"

WDFDMA_DRIVER_EXPORT const wdfdma_driver *wdfdma_driver_get(uint32_t index);

const wdfdma_driver *wdfdma_driver_get(uint32_t index) {
    if (index < PacketDriverCount) {
        return &PacketDrivers[index];
    }
    index -= PacketDriverCount;
    if (index < ScatterGatherDriverCount) {
        return &ScatterGatherDrivers[index];
    }
    index -= ScatterGatherDriverCount;
    return index < SystemDriverCount ? &SystemDrivers[index] : NULL;
}
