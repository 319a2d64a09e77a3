/* A driver that includes only the WDK's headers, and the world around it: its device, its
 * requests. */
#include "driver_sample.h"

#include "world.h"

enum {
    BUFFER_BYTES = 20000,
    BUFFER_OFFSET = 100
};

/* The hardware: what it holds, and how much of a transfer it moves at most. */
typedef struct hardware {
    wdfdma_machine *machine;
    WDFDEVICE device;
    SAMPLE_REGISTERS registers;
    uint8_t memory[BUFFER_BYTES];
    size_t position;      /* in [memory], of the next byte */
    size_t most_per_ring; /* bytes */
} hardware;

typedef struct bench {
    hardware hardware;
    PMDL mdl;
    WDFREQUEST request;
} bench;

static bool hardware_move(hardware *of, const SAMPLE_DESCRIPTOR *descriptor, size_t bytes) {
    uint8_t *at = of->memory + of->position;
    of->position += bytes;
    of->registers.BytesMoved += (ULONG)bytes;
    if (descriptor->ToDevice) {
        return CHECK_STATUS(wdfdma_device_read(of->machine, descriptor->Address, at, bytes),
                            STATUS_SUCCESS);
    }
    return CHECK_STATUS(wdfdma_device_write(of->machine, descriptor->Address, at, bytes),
                        STATUS_SUCCESS);
}

/* Fetches a descriptor as the device does, over the bus. */
static bool hardware_fetch(hardware *of, ULONG index, SAMPLE_DESCRIPTOR *out) {
    uint64_t base = (uint64_t)SampleGetDeviceContext(of->device)->DescriptorsLogical.QuadPart;
    return CHECK_STATUS(
        wdfdma_device_read(of->machine, base + index * sizeof *out, out, sizeof *out),
        STATUS_SUCCESS);
}

/* Works on what the doorbell says, then interrupts; true if there was something to do. */
static bool hardware_ring(hardware *of) {
    ULONG count = of->registers.Doorbell;
    SAMPLE_DESCRIPTOR descriptor;
    if (count == 0) {
        return false;
    }
    of->registers.Doorbell = 0;
    of->registers.BytesMoved = 0;
    for (ULONG i = 0; i < count && hardware_fetch(of, i, &descriptor); i++) {
        size_t left = of->most_per_ring - of->registers.BytesMoved;
        if (!hardware_move(of, &descriptor, descriptor.Length < left ? descriptor.Length : left)) {
            return false;
        }
    }
    SampleInterruptDpc(of->device);
    return true;
}

static void bench_open(bench *out, WDF_DMA_PROFILE profile, uint32_t map_registers) {
    wdfdma_machine_config config = world_config(map_registers);
    WDF_OBJECT_ATTRIBUTES attributes;
    memset(out, 0, sizeof *out);
    hardware *of = &out->hardware;
    of->machine = harness_machine(&config);
    of->most_per_ring = SIZE_MAX;
    WDF_OBJECT_ATTRIBUTES_INIT_CONTEXT_TYPE(&attributes, SAMPLE_DEVICE_CONTEXT);
    CHECK_STATUS(wdfdma_device_create(of->machine, &attributes, &of->device), STATUS_SUCCESS);
    CHECK_STATUS(SamplePrepareHardware(of->device, profile, &of->registers), STATUS_SUCCESS);
    out->mdl = world_mdl(of->machine, BUFFER_OFFSET, BUFFER_BYTES, NULL);
}

static void bench_request(bench *of, WDF_REQUEST_TYPE type) {
    bool write = type == WdfRequestTypeWrite;
    const wdfdma_request_config config = {.type = type,
                                          .input = write ? of->mdl : NULL,
                                          .output = write ? NULL : of->mdl,
                                          .input_length = write ? BUFFER_BYTES : 0,
                                          .output_length = write ? 0 : BUFFER_BYTES};
    CHECK_STATUS(wdfdma_request_create(of->hardware.device, &config, &of->request), STATUS_SUCCESS);
}

static void request_check(WDFREQUEST request, NTSTATUS status, uint64_t information) {
    wdfdma_request_info info = {0};
    CHECK_STATUS(wdfdma_request_get_info(request, &info), STATUS_SUCCESS);
    CHECK(info.completed);
    CHECK_STATUS(info.status, status);
    CHECK_EQUAL(info.information, information);
    CHECK_EQUAL(info.references, 0);
}

static void bench_close(bench *of) {
    wdfdma_machine *machine = of->hardware.machine;
    const wdfdma_machine_state *state = wdfdma_machine_get_state(machine);
    ULONG cleanups = SampleCleanups;
    wdfdma_request_destroy(of->request);
    SampleReleaseHardware(of->hardware.device);
    CHECK_EQUAL(SampleCleanups, cleanups + 1);
    CHECK_EQUAL(state->free_registers, state->map_registers);
    CHECK_EQUAL(state->mappings, 0);
    CHECK_EQUAL(state->breaks, 0);
    wdfdma_device_destroy(of->hardware.device);
    CHECK_STATUS(wdfdma_mdl_destroy(machine, of->mdl), STATUS_SUCCESS);
    for (int type = WDFDMA_OBJECT_DEVICE; type <= WDFDMA_OBJECT_MDL; type++) {
        CHECK_EQUAL(state->objects[type], 0);
    }
    CHECK(wdfdma_machine_get_bugcheck(machine) == NULL);
}

static void write_to_device(WDF_DMA_PROFILE profile, size_t most_per_ring) {
    static bench made;
    static uint8_t data[BUFFER_BYTES];
    bench_open(&made, profile, 4);
    made.hardware.most_per_ring = most_per_ring;
    world_fill(data, sizeof data, 7);
    CHECK_STATUS(wdfdma_mdl_write(made.hardware.machine, made.mdl, 0, data, sizeof data),
                 STATUS_SUCCESS);
    bench_request(&made, WdfRequestTypeWrite);
    SampleStartRequest(made.hardware.device, made.request, WdfDmaDirectionWriteToDevice);
    while (hardware_ring(&made.hardware)) {
    }
    request_check(made.request, STATUS_SUCCESS, BUFFER_BYTES);
    CHECK_BYTES(made.hardware.memory, data, sizeof data);
    bench_close(&made);
}

static void read_from_device(WDF_DMA_PROFILE profile, size_t most_per_ring) {
    static bench made;
    static uint8_t data[BUFFER_BYTES];
    bench_open(&made, profile, 4);
    made.hardware.most_per_ring = most_per_ring;
    world_fill(made.hardware.memory, BUFFER_BYTES, 99);
    bench_request(&made, WdfRequestTypeRead);
    SampleStartRequest(made.hardware.device, made.request, WdfDmaDirectionReadFromDevice);
    while (hardware_ring(&made.hardware)) {
    }
    request_check(made.request, STATUS_SUCCESS, BUFFER_BYTES);
    CHECK_STATUS(wdfdma_mdl_read(made.hardware.machine, made.mdl, 0, data, sizeof data),
                 STATUS_SUCCESS);
    CHECK_BYTES(data, made.hardware.memory, sizeof data);
    bench_close(&made);
}

TEST(a_driver_writes) {
    write_to_device(WdfDmaProfilePacket, SIZE_MAX);
    write_to_device(WdfDmaProfileScatterGather, SIZE_MAX);
    write_to_device(WdfDmaProfileScatterGather64Duplex, SIZE_MAX);
}

TEST(a_driver_reads) {
    read_from_device(WdfDmaProfilePacket64, SIZE_MAX);
    read_from_device(WdfDmaProfileScatterGather64, SIZE_MAX);
    read_from_device(WdfDmaProfileScatterGatherDuplex, SIZE_MAX);
}

TEST(a_driver_completes_with_less) {
    write_to_device(WdfDmaProfilePacket, 1000);
    read_from_device(WdfDmaProfilePacket, 3333);
    write_to_device(WdfDmaProfileScatterGather, 5000);
    read_from_device(WdfDmaProfileScatterGather64, 4097);
}

TEST(a_driver_ends_early) {
    static bench made;
    bench_open(&made, WdfDmaProfilePacket, 8);
    made.hardware.most_per_ring = 1234;
    bench_request(&made, WdfRequestTypeWrite);
    WDFDMATRANSACTION transaction = SampleGetDeviceContext(made.hardware.device)->Transaction;
    SampleGetTransactionContext(transaction)->Final = TRUE;
    SampleStartRequest(made.hardware.device, made.request, WdfDmaDirectionWriteToDevice);
    CHECK(hardware_ring(&made.hardware));
    CHECK(!hardware_ring(&made.hardware));
    request_check(made.request, STATUS_SUCCESS, 1234);
    bench_close(&made);
}

TEST(a_driver_reports_an_error) {
    static bench made;
    bench_open(&made, WdfDmaProfileScatterGather, 8);
    made.hardware.most_per_ring = 10;
    made.hardware.registers.Error = 1;
    bench_request(&made, WdfRequestTypeRead);
    SampleStartRequest(made.hardware.device, made.request, WdfDmaDirectionReadFromDevice);
    CHECK(hardware_ring(&made.hardware));
    request_check(made.request, STATUS_DEVICE_DATA_ERROR, 0);
    bench_close(&made);
}

TEST(a_driver_refuses_the_wrong_direction) {
    static bench made;
    bench_open(&made, WdfDmaProfilePacket, 8);
    bench_request(&made, WdfRequestTypeRead);
    SampleStartRequest(made.hardware.device, made.request, WdfDmaDirectionWriteToDevice);
    request_check(made.request, STATUS_INVALID_DEVICE_REQUEST, 0);
    bench_close(&made);
}

TEST(a_driver_reserves_ahead) {
    static bench made;
    static uint8_t data[BUFFER_BYTES];
    bench_open(&made, WdfDmaProfilePacket, 5);
    world_fill(data, sizeof data, 3);
    CHECK_STATUS(wdfdma_mdl_write(made.hardware.machine, made.mdl, 0, data, sizeof data),
                 STATUS_SUCCESS);
    bench_request(&made, WdfRequestTypeWrite);
    SampleStartReservedRequest(made.hardware.device, made.request, WdfDmaDirectionWriteToDevice);
    CHECK_EQUAL(SampleGetDeviceContext(made.hardware.device)->Reservations, 1);
    CHECK_EQUAL(world_free_registers(made.hardware.machine), 2);
    while (hardware_ring(&made.hardware)) {
        CHECK_EQUAL(world_free_registers(made.hardware.machine), 2);
    }
    request_check(made.request, STATUS_SUCCESS, BUFFER_BYTES);
    CHECK_BYTES(made.hardware.memory, data, sizeof data);
    /* The reservation outlives its request. */
    CHECK_EQUAL(world_free_registers(made.hardware.machine), 2);
    SampleFreeReservation(made.hardware.device);
    CHECK_EQUAL(world_free_registers(made.hardware.machine), 5);
    bench_close(&made);
}

HARNESS_MAIN(ENTRY(a_driver_writes), ENTRY(a_driver_reads), ENTRY(a_driver_completes_with_less),
             ENTRY(a_driver_ends_early), ENTRY(a_driver_reports_an_error),
             ENTRY(a_driver_refuses_the_wrong_direction), ENTRY(a_driver_reserves_ahead))
