/* Another driver on the same pool of map registers: it reserves some, or waits for them, and gives them
 * back. */
#include "workload.h"

static void traffic_on_reserve(WDFDMATRANSACTION transaction, PVOID context) {
    (void)transaction;
    (void)context;
}

bool traffic_create(workload *run) {
    WDF_DMA_ENABLER_CONFIG config;
    work_traffic *made = &run->traffic;
    WDF_DMA_ENABLER_CONFIG_INIT(&config, WdfDmaProfilePacket, 1 << 20);
    config.WdmDmaVersionOverride = 3;
    return NT_SUCCESS(
               wdfdma_device_create(run->machine, WDF_NO_OBJECT_ATTRIBUTES, &made->device)) &&
           NT_SUCCESS(WdfDmaEnablerCreate(made->device, &config, WDF_NO_OBJECT_ATTRIBUTES,
                                          &made->enabler));
}

/* A reservation that was cancelled ends with its transaction alone. */
void traffic_give(workload *run) {
    work_traffic *of = &run->traffic;
    if (of->transaction == NULL) {
        return;
    }
    WDFDMATRANSACTION transaction = of->transaction;
    of->transaction = NULL;
    if (!WdfDmaTransactionCancel(transaction)) {
        WdfDmaTransactionFreeResources(transaction);
    }
    WdfObjectDelete((WDFOBJECT)transaction);
}

void traffic_take(workload *run, uint32_t registers) {
    work_traffic *of = &run->traffic;
    wdfdma_enabler_info info;
    traffic_give(run);
    if (run_is_over(run) ||
        !NT_SUCCESS(wdfdma_enabler_get_info(of->enabler, WdfDmaDirectionReadFromDevice, &info)) ||
        !NT_SUCCESS(
            WdfDmaTransactionCreate(of->enabler, WDF_NO_OBJECT_ATTRIBUTES, &of->transaction))) {
        return;
    }
    registers = registers < info.map_registers ? registers : info.map_registers;
    if (!NT_SUCCESS(WdfDmaTransactionAllocateResources(
            of->transaction, WdfDmaDirectionReadFromDevice, registers, traffic_on_reserve, NULL))) {
        WdfDmaTransactionRelease(of->transaction);
        WdfObjectDelete((WDFOBJECT)of->transaction);
        of->transaction = NULL;
        return;
    }
    if (run->machine->state.waiting_pool != 0) {
        run_note(run, FEATURE_TRAFFIC_WAITED);
    }
}
