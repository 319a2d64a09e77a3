/* Enablers: a profile, its adapters, and what they are asked. */
#include "framework.h"

static bool profile_is_system(WDF_DMA_PROFILE profile) {
    return profile == WdfDmaProfileSystem || profile == WdfDmaProfileSystemDuplex;
}

static bool profile_is_64(WDF_DMA_PROFILE profile) {
    return profile == WdfDmaProfilePacket64 || profile == WdfDmaProfileScatterGather64 ||
           profile == WdfDmaProfileScatterGather64Duplex;
}

static bool profile_is_packet(WDF_DMA_PROFILE profile) {
    return profile == WdfDmaProfilePacket || profile == WdfDmaProfilePacket64;
}

static bool profile_is_duplex(WDF_DMA_PROFILE profile) {
    return profile == WdfDmaProfileScatterGatherDuplex ||
           profile == WdfDmaProfileScatterGather64Duplex || profile == WdfDmaProfileSystemDuplex;
}

static uint32_t width_choose(const WDF_DMA_ENABLER_CONFIG *config) {
    if (config->AddressWidthOverride != 0) {
        return config->AddressWidthOverride;
    }
    return profile_is_64(config->Profile) ? 64 : 32;
}

/* The checks that end in a break, in their order; [version] is chosen on the way. */
static NTSTATUS config_check(wdfdma_machine *machine, const WDF_DMA_ENABLER_CONFIG *config,
                             uint32_t *version) {
    bool is_system = profile_is_system(config->Profile);
    uint32_t width = config->AddressWidthOverride;
    uint32_t needed = is_system || width != 0 ? 3 : 2;
    bool width_fits =
        width == 0 || (!is_system && width <= (profile_is_64(config->Profile) ? 64u : 32u));
    *version = config->WdmDmaVersionOverride == 0 ? needed : config->WdmDmaVersionOverride;
    bool single = (config->Flags & WDF_DMA_ENABLER_CONFIG_REQUIRE_SINGLE_TRANSFER) != 0;
    if (!width_fits || *version < needed || *version > 3 || (single && *version != 3)) {
        verifier_break(machine, NULL);
        return STATUS_INVALID_PARAMETER;
    }
    return STATUS_SUCCESS;
}

static adapter *adapter_of_profile(wdfdma_machine *machine, const enabler *of) {
    const DEVICE_DESCRIPTION description = {
        .Version = of->version == 3 ? DEVICE_DESCRIPTION_VERSION3 : DEVICE_DESCRIPTION_VERSION2,
        .Master = !of->is_system,
        .ScatterGather = of->is_scatter_gather,
        .Dma32BitAddresses = TRUE,
        .Dma64BitAddresses = profile_is_64(of->profile),
        .DmaAddressWidth = of->width,
        .MaximumLength =
            (ULONG)(of->config.MaximumLength < UINT32_MAX ? of->config.MaximumLength : UINT32_MAX)};
    adapter *made = adapter_create(machine, &description);
    if (made != NULL) {
        uint64_t carried = (uint64_t)(made->map_registers - 1) * PAGE_BYTES;
        made->is_enablers = true;
        made->owner = of->base.head.handle;
        made->fragment_length =
            of->config.MaximumLength < carried ? of->config.MaximumLength : carried;
    }
    return made;
}

static void adapters_put(wdfdma_machine *machine, enabler *of) {
    adapter *first = of->adapters[0];
    adapter *second = of->adapters[1] == first ? NULL : of->adapters[1];
    of->adapters[0] = NULL;
    of->adapters[1] = NULL;
    if (first != NULL) {
        adapter_put(machine, first);
    }
    if (second != NULL && !machine->state.halted) {
        adapter_put(machine, second);
    }
}

static bool adapters_get(wdfdma_machine *machine, enabler *of) {
    of->adapters[0] = adapter_of_profile(machine, of);
    of->adapters[1] = of->is_duplex ? adapter_of_profile(machine, of) : of->adapters[0];
    if (of->adapters[0] != NULL && of->adapters[1] != NULL) {
        return true;
    }
    adapters_put(machine, of);
    return false;
}

static void enabler_set_up(enabler *of, device *parent, const WDF_DMA_ENABLER_CONFIG *config,
                           uint32_t version) {
    of->device = parent;
    of->config = *config;
    of->maximum_elements = UINT32_MAX;
    of->version = version;
    of->width = width_choose(config);
    of->profile = config->Profile;
    of->is_system = profile_is_system(config->Profile);
    of->is_scatter_gather = !of->is_system && !profile_is_packet(config->Profile);
    of->is_duplex = profile_is_duplex(config->Profile);
    of->single_transfer = (config->Flags & WDF_DMA_ENABLER_CONFIG_REQUIRE_SINGLE_TRANSFER) != 0;
}

static NTSTATUS enabler_create(wdfdma_machine *machine, device *parent,
                               const WDF_DMA_ENABLER_CONFIG *config,
                               PWDF_OBJECT_ATTRIBUTES attributes, WDFDMAENABLER *out) {
    if (config->Size != sizeof *config) {
        return STATUS_INFO_LENGTH_MISMATCH;
    }
    if (config->Profile < WdfDmaProfilePacket || config->Profile > WdfDmaProfileSystemDuplex ||
        config->MaximumLength == 0) {
        return STATUS_INVALID_PARAMETER;
    }
    uint32_t version;
    NTSTATUS status = config_check(machine, config, &version);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    if (attributes != NULL && attributes->ParentObject != NULL &&
        attributes->ParentObject != fx_get_handle(&parent->base)) {
        return STATUS_WDF_PARENT_ASSIGNMENT_NOT_ALLOWED;
    }
    if (fault_hits_call(machine, version == 3 ? FAULT_TRAIT_VERSION_3 : 0, &status)) {
        return status;
    }
    fx_object *made = NULL;
    status = fx_create(machine, WDFDMA_OBJECT_ENABLER, sizeof(enabler), &parent->base, attributes,
                       &made);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    enabler *of = (enabler *)made;
    enabler_set_up(of, parent, config, version);
    if (!of->is_system && !adapters_get(machine, of)) {
        fx_discard(machine, made);
        return STATUS_UNSUCCESSFUL;
    }
    *out = (WDFDMAENABLER)fx_get_handle(made);
    journal_made(machine, &made->head);
    return STATUS_SUCCESS;
}

NTSTATUS WdfDmaEnablerCreate(WDFDEVICE Device, PWDF_DMA_ENABLER_CONFIG Config,
                             PWDF_OBJECT_ATTRIBUTES Attributes, WDFDMAENABLER *DmaEnablerHandle) {
    SITE_NOTE(Device, WDFDMA_OP_ENABLER_CREATE);
    ddi_call call;
    device *parent =
        (device *)ddi_enter(&call, Device, WDFDMA_OBJECT_DEVICE, WDFDMA_OP_ENABLER_CREATE);
    if (parent == NULL) {
        return STATUS_UNSUCCESSFUL;
    }
    wdfdma_machine *machine = call.machine;
    NTSTATUS status = STATUS_UNSUCCESSFUL;
    if (machine->state.irql > PASSIVE_LEVEL) {
        verifier_break(machine, NULL);
        status = STATUS_INVALID_DEVICE_REQUEST;
    } else if (Config == NULL || DmaEnablerHandle == NULL) {
        verifier_wdf_violation(machine, WDFDMA_WDF_REQUIRED_PARAMETER_IS_NULL, 0, 0, NULL);
    } else {
        if (journal_is_on(machine)) {
            const uint64_t values[] = {wdfdma_machine_localize(machine, parent->base.head.handle),
                                       (uint64_t)Config->Profile,
                                       Config->MaximumLength,
                                       Config->WdmDmaVersionOverride,
                                       Config->AddressWidthOverride,
                                       Config->Flags};
            journal_write(machine, WDFDMA_JOURNAL_ENABLER, values, 6);
        }
        status = enabler_create(machine, parent, Config, Attributes, DmaEnablerHandle);
    }
    ddi_leave(&call);
    return machine->state.halted ? STATUS_UNSUCCESSFUL : status;
}

void enabler_end(wdfdma_machine *machine, enabler *gone) {
    adapters_put(machine, gone);
}

static enabler *enabler_enter(ddi_call *call, WDFDMAENABLER handle, wdfdma_op op) {
    return (enabler *)ddi_enter(call, handle, WDFDMA_OBJECT_ENABLER, op);
}

static NTSTATUS system_profile_configure(wdfdma_machine *machine, enabler *of,
                                         const WDF_DMA_SYSTEM_PROFILE_CONFIG *config,
                                         WDF_DMA_DIRECTION direction) {
    if (config == NULL || config->DmaDescriptor == NULL) {
        verifier_break(machine, &of->base.head);
        return STATUS_INVALID_PARAMETER;
    }
    if (config->Size != sizeof *config) {
        verifier_break(machine, &of->base.head);
        return STATUS_INFO_LENGTH_MISMATCH;
    }
    if (!direction_is_valid(direction)) {
        return STATUS_INVALID_PARAMETER;
    }
    if (of->adapters[direction] != NULL) {
        verifier_break(machine, &of->base.head);
        return STATUS_INVALID_PARAMETER;
    }
    NTSTATUS status;
    if (fault_hits_call(machine, 0, &status)) {
        return status;
    }
    adapter *made = adapter_of_profile(machine, of);
    if (made == NULL) {
        return STATUS_UNSUCCESSFUL;
    }
    of->adapters[direction] = made;
    if (!of->is_duplex) {
        of->adapters[!direction] = made;
    }
    return STATUS_SUCCESS;
}

NTSTATUS WdfDmaEnablerConfigureSystemProfile(WDFDMAENABLER DmaEnabler,
                                             PWDF_DMA_SYSTEM_PROFILE_CONFIG ProfileConfig,
                                             WDF_DMA_DIRECTION ConfigDirection) {
    SITE_NOTE(DmaEnabler, WDFDMA_OP_ENABLER_CONFIGURE_SYSTEM_PROFILE);
    ddi_call call;
    enabler *of = enabler_enter(&call, DmaEnabler, WDFDMA_OP_ENABLER_CONFIGURE_SYSTEM_PROFILE);
    if (of == NULL) {
        return STATUS_UNSUCCESSFUL;
    }
    journal_mark(call.machine, WDFDMA_JOURNAL_CHANNEL,
                 wdfdma_machine_localize(call.machine, of->base.head.handle),
                 (uint64_t)ConfigDirection);
    NTSTATUS status = STATUS_INVALID_DEVICE_REQUEST;
    if (of->is_system) {
        status = system_profile_configure(call.machine, of, ProfileConfig, ConfigDirection);
    } else {
        verifier_break(call.machine, &of->base.head);
    }
    ddi_leave(&call);
    return status;
}

size_t WdfDmaEnablerGetMaximumLength(WDFDMAENABLER DmaEnabler) {
    ddi_call call;
    const enabler *of = enabler_enter(&call, DmaEnabler, WDFDMA_OP_ENABLER_CALL);
    if (of == NULL) {
        return 0;
    }
    ddi_leave(&call);
    return of->config.MaximumLength;
}

size_t WdfDmaEnablerGetMaximumScatterGatherElements(WDFDMAENABLER DmaEnabler) {
    ddi_call call;
    const enabler *of = enabler_enter(&call, DmaEnabler, WDFDMA_OP_ENABLER_CALL);
    if (of == NULL) {
        return 0;
    }
    ddi_leave(&call);
    return (size_t)of->maximum_elements;
}

void WdfDmaEnablerSetMaximumScatterGatherElements(WDFDMAENABLER DmaEnabler,
                                                  size_t MaximumFragments) {
    ddi_call call;
    enabler *of = enabler_enter(&call, DmaEnabler, WDFDMA_OP_ENABLER_CALL);
    if (of == NULL) {
        return;
    }
    journal_mark(call.machine, WDFDMA_JOURNAL_ELEMENTS,
                 wdfdma_machine_localize(call.machine, of->base.head.handle), MaximumFragments);
    if (MaximumFragments != 0) {
        of->maximum_elements = MaximumFragments;
    }
    ddi_leave(&call);
}

/* The adapter that serves [direction]; NULL, with a break, where there is none. */
static adapter *adapter_for(wdfdma_machine *machine, const enabler *of,
                            WDF_DMA_DIRECTION direction) {
    adapter *by = direction_is_valid(direction) ? of->adapters[direction] : NULL;
    if (by == NULL) {
        verifier_break(machine, &of->base.head);
    }
    return by;
}

size_t WdfDmaEnablerGetFragmentLength(WDFDMAENABLER DmaEnabler, WDF_DMA_DIRECTION DmaDirection) {
    ddi_call call;
    const enabler *of = enabler_enter(&call, DmaEnabler, WDFDMA_OP_GET_FRAGMENT_LENGTH);
    if (of == NULL) {
        return 0;
    }
    journal_call_with(call.machine, of->base.head.handle, (uint64_t)DmaDirection);
    const adapter *by = adapter_for(call.machine, of, DmaDirection);
    size_t length = by == NULL ? 0 : (size_t)by->fragment_length;
    ddi_leave_values(&call, of->base.head.label, length, (uint64_t)DmaDirection);
    return length;
}

PDMA_ADAPTER WdfDmaEnablerWdmGetDmaAdapter(WDFDMAENABLER DmaEnabler,
                                           WDF_DMA_DIRECTION DmaDirection) {
    ddi_call call;
    const enabler *of = enabler_enter(&call, DmaEnabler, WDFDMA_OP_ENABLER_CALL);
    if (of == NULL) {
        return NULL;
    }
    adapter *by = adapter_for(call.machine, of, DmaDirection);
    if (by != NULL) {
        by->is_shown = true;
    }
    ddi_leave(&call);
    return by == NULL ? NULL : &by->wdm;
}
