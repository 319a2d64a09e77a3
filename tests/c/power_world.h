/* An enabler with all callbacks of power, each of which tells what it is: Fill, Enable, selfmanaged io Start,
 * sTop, Disable, fLush. The test says in tell() what comes of it. */
#ifndef WDFDMA_TESTS_POWER_WORLD_H
#define WDFDMA_TESTS_POWER_WORLD_H

#include "world.h"

static NTSTATUS tell(WDFDMAENABLER enabler, char what);

static inline NTSTATUS on_fill(WDFDMAENABLER enabler) {
    CHECK_EQUAL(KeGetCurrentIrql(), PASSIVE_LEVEL);
    return tell(enabler, 'F');
}

static inline NTSTATUS on_enable(WDFDMAENABLER enabler) {
    CHECK_EQUAL(KeGetCurrentIrql(), DISPATCH_LEVEL);
    return tell(enabler, 'E');
}

static inline NTSTATUS on_start(WDFDMAENABLER enabler) {
    CHECK_EQUAL(KeGetCurrentIrql(), PASSIVE_LEVEL);
    return tell(enabler, 'S');
}

static inline NTSTATUS on_stop(WDFDMAENABLER enabler) {
    return tell(enabler, 'T');
}

static inline NTSTATUS on_disable(WDFDMAENABLER enabler) {
    CHECK_EQUAL(KeGetCurrentIrql(), DISPATCH_LEVEL);
    return tell(enabler, 'D');
}

static inline NTSTATUS on_flush(WDFDMAENABLER enabler) {
    return tell(enabler, 'L');
}

/* Made on [device]. */
static inline void power_enabler(WDFDEVICE device) {
    WDF_DMA_ENABLER_CONFIG config;
    WDFDMAENABLER enabler;
    WDF_DMA_ENABLER_CONFIG_INIT(&config, WdfDmaProfilePacket, WORLD_PAGE);
    config.EvtDmaEnablerFill = on_fill;
    config.EvtDmaEnablerEnable = on_enable;
    config.EvtDmaEnablerSelfManagedIoStart = on_start;
    config.EvtDmaEnablerSelfManagedIoStop = on_stop;
    config.EvtDmaEnablerDisable = on_disable;
    config.EvtDmaEnablerFlush = on_flush;
    CHECK_STATUS(WdfDmaEnablerCreate(device, &config, NULL, &enabler), STATUS_SUCCESS);
}

#endif
