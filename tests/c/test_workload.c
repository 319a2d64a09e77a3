/* Workloads: what a case is, what is found in a driver, and that nothing is found in a correct one. */
#include "drivers.h"
#include "harness.h"

const wdfdma_driver *wdfdma_driver_get(uint32_t index);

enum {
    CORRECT_RUNS = 4000,
    FAULTY_RUNS = 50000,
    FAULTY_DRIVERS = 12,
    MOVES_OF_A_SHORT_CASE = 8
};

/* A driver that does one thing with a request. */

typedef enum toy_way {
    TOY_KEEPS,          /* it never completes it */
    TOY_CLAIMS_ALL,     /* completed with its length, and no byte has moved */
    TOY_CLAIMS_NOTHING, /* completed with success and no bytes */
    TOY_FAILS,
    TOY_SAYS_CANCELLED,
    TOY_SAYS_NOT_SUPPORTED,
    TOY_COMPLETES_TWICE,
    TOY_STARTS_ANYWHERE, /* the hardware, for no request */
    TOY_STARTS_FOR_EVER,
    TOY_STARTS_OFF, /* the hardware, without power */
    TOY_CANNOT_START,
    TOY_KEEPS_UNTIL_CANCEL,
    TOY_WAYS
} toy_way;

static toy_way toy;
static uint32_t toy_cancelled;

typedef struct toy_device {
    WDFDEVICE device;
    ULONG added;
} toy_device;

static NTSTATUS toy_add_device(WDFDEVICE device, void *context) {
    toy_device *own = context;
    CHECK_EQUAL(own->added, 0);
    own->device = device;
    own->added = 1;
    return toy == TOY_CANNOT_START ? STATUS_DEVICE_CONFIGURATION_ERROR : STATUS_SUCCESS;
}

static NTSTATUS toy_start_hardware(const toy_device *own, uint64_t position) {
    SCATTER_GATHER_LIST list = {.NumberOfElements = 0};
    return wdfdma_hardware_start(own->device, 0, position, &list, WdfDmaDirectionReadFromDevice);
}

static void toy_start_request(void *context, WDFREQUEST request) {
    const toy_device *own = context;
    REQUEST_SHAPE shape = RequestGetShape(request);
    switch (toy) {
    case TOY_CLAIMS_ALL:
        WdfRequestCompleteWithInformation(request, STATUS_SUCCESS, shape.Length);
        break;
    case TOY_CLAIMS_NOTHING:
        WdfRequestCompleteWithInformation(request, STATUS_SUCCESS, 0);
        break;
    case TOY_FAILS:
        WdfRequestComplete(request, STATUS_UNSUCCESSFUL);
        break;
    case TOY_SAYS_CANCELLED:
        WdfRequestComplete(request, STATUS_CANCELLED);
        break;
    case TOY_SAYS_NOT_SUPPORTED:
        WdfRequestComplete(request, STATUS_NOT_SUPPORTED);
        break;
    case TOY_COMPLETES_TWICE:
        WdfRequestComplete(request, STATUS_NOT_SUPPORTED);
        WdfRequestComplete(request, STATUS_NOT_SUPPORTED);
        break;
    case TOY_STARTS_ANYWHERE:
        CHECK_STATUS(toy_start_hardware(own, 0), STATUS_INVALID_PARAMETER);
        break;
    case TOY_STARTS_FOR_EVER:
        while (NT_SUCCESS(toy_start_hardware(own, shape.Position))) {
            wdfdma_hardware_stop(own->device, 0);
        }
        break;
    default:
        break;
    }
}

static void toy_cancel_request(void *context, WDFREQUEST request) {
    (void)context;
    toy_cancelled++;
    if (toy == TOY_KEEPS_UNTIL_CANCEL) {
        WdfRequestComplete(request, STATUS_CANCELLED);
    }
}

static void toy_interrupt(void *context) {
    (void)context;
    CHECK_EQUAL(KeGetCurrentIrql(), DISPATCH_LEVEL);
}

static void toy_remove_device(void *context) {
    const toy_device *own = context;
    if (toy == TOY_STARTS_OFF) {
        CHECK_STATUS(toy_start_hardware(own, 0), STATUS_DEVICE_NOT_READY);
    }
}

static const wdfdma_driver toy_driver = {sizeof(wdfdma_driver), "toy",          NULL,
                                         sizeof(toy_device),    toy_add_device, toy_start_request,
                                         toy_cancel_request,    toy_interrupt,  toy_remove_device};

static wdfdma_workload_result case_run(const wdfdma_driver *driver, const uint8_t *bytes,
                                       size_t size) {
    wdfdma_workload_result result = {.failure = WDFDMA_FAILURE_COUNT};
    CHECK_STATUS(wdfdma_workload_run_case(driver, bytes, size, &result), STATUS_SUCCESS);
    return result;
}

static const wdfdma_case_target *target_of(const wdfdma_driver *driver) {
    static wdfdma_case_target target;
    target.driver = driver;
    return &target;
}

/* One read of a byte. */
static const uint8_t ONE_READ[2 * WDFDMA_CASE_STRIDE];

TEST(each_failure_is_told_from_the_others) {
    static const uint32_t FAILURES[TOY_WAYS] = {
        [TOY_KEEPS] = WDFDMA_FAILURE_NEVER_COMPLETED,
        [TOY_CLAIMS_ALL] = WDFDMA_FAILURE_WRONG_DATA,
        [TOY_CLAIMS_NOTHING] = WDFDMA_FAILURE_WRONG_INFORMATION,
        [TOY_FAILS] = WDFDMA_FAILURE_WRONG_STATUS,
        [TOY_SAYS_CANCELLED] = WDFDMA_FAILURE_WRONG_STATUS,
        [TOY_SAYS_NOT_SUPPORTED] = WDFDMA_FAILURE_NONE,
        [TOY_COMPLETES_TWICE] = WDFDMA_FAILURE_BUGCHECK,
        [TOY_STARTS_ANYWHERE] = WDFDMA_FAILURE_HARDWARE,
        [TOY_STARTS_FOR_EVER] = WDFDMA_FAILURE_LIVELOCK,
        [TOY_STARTS_OFF] = WDFDMA_FAILURE_NEVER_COMPLETED,
        [TOY_CANNOT_START] = WDFDMA_FAILURE_ADD_DEVICE,
        [TOY_KEEPS_UNTIL_CANCEL] = WDFDMA_FAILURE_NEVER_COMPLETED,
    };
    for (int way = 0; way < TOY_WAYS; way++) {
        toy = (toy_way)way;
        wdfdma_workload_result result = case_run(&toy_driver, ONE_READ, sizeof ONE_READ);
        CHECK_EQUAL(result.failure, FAILURES[way]);
    }
    toy = TOY_STARTS_OFF;
    CHECK_EQUAL(case_run(&toy_driver, NULL, 0).failure, WDFDMA_FAILURE_HARDWARE);
}

TEST(a_request_is_cancelled_once) {
    static const uint8_t CANCELLED[] = {
        [3 * WDFDMA_CASE_STRIDE - 6] = WDFDMA_MOVE_CANCEL,
        [4 * WDFDMA_CASE_STRIDE - 1] = 0, /* a second read, which nobody cancels */
    };
    toy = TOY_KEEPS_UNTIL_CANCEL;
    toy_cancelled = 0;
    wdfdma_workload_result result = case_run(&toy_driver, CANCELLED, 3 * WDFDMA_CASE_STRIDE);
    CHECK_EQUAL(result.failure, WDFDMA_FAILURE_NONE);
    CHECK_EQUAL(toy_cancelled, 1);
    CHECK_EQUAL(result.requests, 1);
    result = case_run(&toy_driver, CANCELLED, sizeof CANCELLED);
    CHECK_EQUAL(result.failure, WDFDMA_FAILURE_NEVER_COMPLETED);
    CHECK_EQUAL(result.request, 2);
    CHECK_EQUAL(toy_cancelled, 2);
}

TEST(every_string_of_bytes_is_a_case) {
    uint8_t bytes[WDFDMA_CASE_BYTES + 100];
    char line[256];
    uint64_t state = 5;
    for (int round = 0; round < 300; round++) {
        size_t size = (size_t)round;
        for (size_t i = 0; i < size; i++) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            bytes[i] = (uint8_t)(state >> 56);
        }
        uint32_t moves = wdfdma_workload_count_moves(bytes, size);
        CHECK(moves <= WDFDMA_CASE_MOVES);
        CHECK_EQUAL(wdfdma_workload_describe(bytes, size, moves, line, sizeof line), 0);
        for (uint32_t i = 0; i <= moves; i++) {
            CHECK(wdfdma_workload_describe(bytes, size, i - 1, line, sizeof line) != 0);
        }
        for (uint32_t index = 0; wdfdma_driver_get(index) != NULL; index++) {
            if (wdfdma_driver_get(index)->fault == NULL) {
                wdfdma_workload_result result = case_run(wdfdma_driver_get(index), bytes, size);
                CHECK_EQUAL(result.failure, WDFDMA_FAILURE_NONE);
                CHECK_EQUAL(result.moves, moves);
            }
        }
    }
}

TEST(changed_cases_are_cases) {
    uint8_t bytes[WDFDMA_CASE_BYTES];
    for (uint64_t seed = 0; seed < 2000; seed++) {
        size_t size = seed % 7 == 0 ? (size_t)(seed % 11) : wdfdma_workload_generate(seed, bytes);
        CHECK(size <= WDFDMA_CASE_BYTES);
        for (uint64_t i = 0; i < 20; i++) {
            size = wdfdma_workload_mutate(seed + i, bytes, size);
            REQUIRE(size <= WDFDMA_CASE_BYTES && size >= 2 * WDFDMA_CASE_STRIDE);
        }
    }
}

TEST(a_machine_is_to_be_fresh_and_a_driver_whole) {
    wdfdma_workload_result result;
    wdfdma_machine *machine = harness_machine(NULL);
    wdfdma_driver cut = toy_driver;
    toy = TOY_SAYS_NOT_SUPPORTED;
    CHECK_STATUS(wdfdma_workload_run(NULL, &toy_driver, NULL, 0, &result),
                 STATUS_INVALID_PARAMETER);
    CHECK_STATUS(wdfdma_workload_run(machine, NULL, NULL, 0, &result), STATUS_INVALID_PARAMETER);
    CHECK_STATUS(wdfdma_workload_run(machine, &toy_driver, NULL, 1, &result),
                 STATUS_INVALID_PARAMETER);
    cut.size--;
    CHECK_STATUS(wdfdma_workload_run(machine, &cut, NULL, 0, &result), STATUS_INVALID_PARAMETER);
    cut = toy_driver;
    cut.interrupt = NULL;
    CHECK_STATUS(wdfdma_workload_run(machine, &cut, NULL, 0, &result), STATUS_INVALID_PARAMETER);
    CHECK_STATUS(wdfdma_workload_run(machine, &toy_driver, ONE_READ, sizeof ONE_READ, &result),
                 STATUS_SUCCESS);
    CHECK_STATUS(wdfdma_workload_run(machine, &toy_driver, ONE_READ, sizeof ONE_READ, &result),
                 STATUS_INVALID_DEVICE_STATE);
}

TEST(without_a_workload_there_is_no_hardware) {
    wdfdma_machine *machine = harness_machine(NULL);
    WDFDEVICE device;
    uint64_t bytes;
    NTSTATUS status;
    SCATTER_GATHER_LIST list = {.NumberOfElements = 0};
    CHECK_STATUS(wdfdma_device_create(machine, NULL, &device), STATUS_SUCCESS);
    CHECK_STATUS(wdfdma_hardware_start(device, 0, 0, &list, WdfDmaDirectionReadFromDevice),
                 STATUS_NO_SUCH_DEVICE);
    CHECK(!wdfdma_hardware_get_result(device, 0, &bytes, &status));
    CHECK_EQUAL(wdfdma_hardware_get_revision(device), 0);
    wdfdma_hardware_stop(device, 0);
}

/* The shipped drivers */

static wdfdma_finding findings[16];
static wdfdma_fuzz fuzz;

TEST(the_correct_drivers_are_clean) {
    for (uint32_t index = 0; wdfdma_driver_get(index) != NULL; index++) {
        const wdfdma_driver *driver = wdfdma_driver_get(index);
        if (driver->fault == NULL) {
            wdfdma_fuzz_init(&fuzz, index, findings, 16);
            CHECK_STATUS(wdfdma_workload_fuzz(&fuzz, target_of(driver), CORRECT_RUNS, false),
                         STATUS_SUCCESS);
            CHECK_EQUAL(fuzz.runs, CORRECT_RUNS);
            CHECK_EQUAL(fuzz.failures, 0);
            CHECK(fuzz.requests > CORRECT_RUNS);
        }
    }
}

static bool moves_are_all_needed(const wdfdma_driver *driver, const uint8_t *bytes, size_t size,
                                 const wdfdma_workload_result *result) {
    uint8_t shorter[WDFDMA_CASE_BYTES];
    for (size_t at = WDFDMA_CASE_STRIDE; at < size; at += WDFDMA_CASE_STRIDE) {
        memcpy(shorter, bytes, at);
        memcpy(shorter + at, bytes + at + WDFDMA_CASE_STRIDE, size - at - WDFDMA_CASE_STRIDE);
        wdfdma_workload_result other = case_run(driver, shorter, size - WDFDMA_CASE_STRIDE);
        if (other.failure == result->failure && other.rule == result->rule &&
            other.object_type == result->object_type && other.op == result->op) {
            return false;
        }
    }
    return true;
}

static void faulty_driver_find(const wdfdma_driver *driver, uint64_t seed) {
    wdfdma_workload_result result;
    wdfdma_fuzz_init(&fuzz, seed, findings, 16);
    CHECK_STATUS(wdfdma_workload_fuzz(&fuzz, target_of(driver), FAULTY_RUNS, true), STATUS_SUCCESS);
    if (!CHECK(fuzz.finding_count == 1)) {
        printf("    %s, seed %u\n", driver->name, (unsigned)seed);
        return;
    }
    wdfdma_finding *found = &findings[0];
    size_t size = found->size;
    CHECK_STATUS(wdfdma_workload_shrink(target_of(driver), found->bytes, &size, 0, &result),
                 STATUS_SUCCESS);
    CHECK(result.moves <= MOVES_OF_A_SHORT_CASE);
    CHECK_EQUAL(result.failure, found->result.failure);
    CHECK_EQUAL(result.rule, found->result.rule);
    CHECK(moves_are_all_needed(driver, found->bytes, size, &result));
    /* Alone, on a machine of its own, it is the same. */
    wdfdma_workload_result again = case_run(driver, found->bytes, size);
    CHECK_BYTES(&again, &result, sizeof again);
}

TEST(each_faulty_driver_is_found_from_each_seed) {
    uint32_t faulty = 0;
    for (uint32_t index = 0; wdfdma_driver_get(index) != NULL; index++) {
        if (wdfdma_driver_get(index)->fault != NULL) {
            faulty++;
            for (uint64_t seed = 1; seed <= 5; seed++) {
                faulty_driver_find(wdfdma_driver_get(index), seed);
            }
        }
    }
    CHECK_EQUAL(faulty, FAULTY_DRIVERS);
}

TEST(a_correct_driver_has_nothing_to_be_shrunk) {
    uint8_t bytes[WDFDMA_CASE_BYTES];
    size_t size = wdfdma_workload_generate(1, bytes);
    size_t before = size;
    wdfdma_workload_result result;
    CHECK_STATUS(wdfdma_workload_shrink(target_of(wdfdma_driver_get(0)), bytes, &size, 0, &result),
                 STATUS_INVALID_PARAMETER);
    CHECK_EQUAL(size, before);
}

/* Fails each case with more than [runner_context] moves. */
static NTSTATUS count_moves(const uint8_t *bytes, size_t size, wdfdma_workload_result *out,
                            void *most) {
    uint32_t moves = wdfdma_workload_count_moves(bytes, size);
    *out = (wdfdma_workload_result){.moves = moves};
    out->failure = moves > *(const uint32_t *)most ? WDFDMA_FAILURE_CRASH : WDFDMA_FAILURE_NONE;
    return STATUS_SUCCESS;
}

TEST(moves_are_left_out) {
    uint32_t most = 0;
    const wdfdma_case_target target = {.runner = count_moves, .runner_context = &most};
    wdfdma_fuzz_init(&fuzz, 3, findings, 16);
    fuzz.left_out = (1u << WDFDMA_MOVE_COUNT) - 1 - (1u << WDFDMA_MOVE_POWER);
    CHECK_STATUS(wdfdma_workload_fuzz(&fuzz, &target, 1000, true), STATUS_SUCCESS);
    REQUIRE(fuzz.finding_count == 1);
    for (size_t i = WDFDMA_CASE_STRIDE; i < findings[0].size; i += WDFDMA_CASE_STRIDE) {
        CHECK_EQUAL(findings[0].bytes[i] % WDFDMA_MOVE_COUNT, WDFDMA_MOVE_POWER);
    }
}

TEST(a_runner_of_the_callers_takes_the_cases) {
    uint32_t most = 5;
    const wdfdma_case_target target = {.runner = count_moves, .runner_context = &most};
    wdfdma_workload_result result;
    wdfdma_fuzz_init(&fuzz, 3, findings, 16);
    CHECK_STATUS(wdfdma_workload_fuzz(&fuzz, &target, 1000, true), STATUS_SUCCESS);
    REQUIRE(fuzz.finding_count == 1);
    CHECK_EQUAL(findings[0].result.failure, WDFDMA_FAILURE_CRASH);
    size_t size = findings[0].size;
    CHECK_STATUS(wdfdma_workload_shrink(&target, findings[0].bytes, &size, 0, &result),
                 STATUS_SUCCESS);
    CHECK_EQUAL(result.moves, most + 1);
    for (size_t i = 0; i < size; i++) {
        CHECK_EQUAL(findings[0].bytes[i], 0);
    }
}

TEST(the_same_seed_finds_the_same) {
    static wdfdma_fuzz other;
    static wdfdma_finding others[16];
    const wdfdma_driver *driver = wdfdma_driver_get(1);
    CHECK(driver->fault != NULL);
    wdfdma_fuzz_init(&fuzz, 9, findings, 16);
    wdfdma_fuzz_init(&other, 9, others, 16);
    CHECK_STATUS(wdfdma_workload_fuzz(&fuzz, target_of(driver), 300, false), STATUS_SUCCESS);
    /* In two parts. */
    CHECK_STATUS(wdfdma_workload_fuzz(&other, target_of(driver), 100, false), STATUS_SUCCESS);
    CHECK_STATUS(wdfdma_workload_fuzz(&other, target_of(driver), 200, false), STATUS_SUCCESS);
    CHECK_EQUAL(fuzz.finding_count, other.finding_count);
    CHECK_EQUAL(fuzz.steps, other.steps);
    CHECK_EQUAL(fuzz.feature_sets, other.feature_sets);
    CHECK_BYTES(findings, others, fuzz.finding_count * sizeof findings[0]);
}

typedef struct expected_case {
    uint8_t bytes[WDFDMA_CASE_BYTES];
    size_t size;
    uint32_t most;
} expected_case;

static NTSTATUS case_expect(const uint8_t *bytes, size_t size, wdfdma_workload_result *out,
                            void *context) {
    expected_case *next = context;
    CHECK_EQUAL(size, next->size);
    CHECK_BYTES(bytes, next->bytes, size);
    return count_moves(bytes, size, out, &next->most);
}

/* Each is known before it runs; one that somebody else has run is counted as if it ran here. */
TEST(the_next_case_is_told) {
    static wdfdma_fuzz other;
    static wdfdma_finding others[16];
    expected_case next = {.most = 30};
    const wdfdma_case_target target = {.runner = case_expect, .runner_context = &next};
    wdfdma_fuzz_init(&fuzz, 4, findings, 16);
    wdfdma_fuzz_init(&other, 4, others, 16);
    for (uint32_t i = 0; i < 500; i++) {
        wdfdma_workload_result result;
        next.size = wdfdma_fuzz_get_next(&fuzz, next.bytes);
        CHECK_STATUS(count_moves(next.bytes, next.size, &result, &next.most), STATUS_SUCCESS);
        CHECK_STATUS(wdfdma_workload_fuzz(&fuzz, &target, 1, false), STATUS_SUCCESS);
        wdfdma_fuzz_count(&other, &result);
    }
    CHECK(fuzz.failures != 0);
    CHECK_EQUAL(other.runs, 500);
    CHECK_EQUAL(other.failures, fuzz.failures);
    CHECK_BYTES(others, findings, sizeof others[0]);
    CHECK_EQUAL(wdfdma_fuzz_get_next(NULL, next.bytes), 0);
    CHECK_EQUAL(wdfdma_fuzz_get_next(&fuzz, NULL), 0);
    wdfdma_fuzz_count(NULL, NULL);
    wdfdma_fuzz_count(&other, NULL);
    CHECK_EQUAL(other.runs, 500);
}

/* Runs one START, of the kind [shape] (case_read_request), that claims to have moved all. */
static wdfdma_machine *machine_after(uint8_t shape, wdfdma_workload_result *result) {
    const uint8_t bytes[2 * WDFDMA_CASE_STRIDE] = {[WDFDMA_CASE_STRIDE + 1] = shape};
    wdfdma_machine *machine = harness_machine(NULL);
    toy = TOY_CLAIMS_ALL;
    CHECK_STATUS(wdfdma_workload_run(machine, &toy_driver, bytes, sizeof bytes, result),
                 STATUS_SUCCESS);
    return machine;
}

TEST(a_byte_that_is_wrong_is_told) {
    wdfdma_workload_result result;
    wdfdma_workload_byte byte = {.label = 99};
    CHECK(!wdfdma_workload_get_byte(harness_machine(NULL), 0, 0, &byte)); /* no workload */
    wdfdma_machine *machine = machine_after(0, &result);
    CHECK_EQUAL(result.failure, WDFDMA_FAILURE_WRONG_DATA);
    REQUIRE(wdfdma_workload_get_byte(machine, result.request, result.actual, &byte));
    CHECK_EQUAL(byte.label, 0);
    CHECK(byte.expected != 0);
    CHECK_EQUAL(byte.actual, 0);
    CHECK(!wdfdma_workload_get_byte(machine, result.request, 1, &byte)); /* past its end */
    CHECK(!wdfdma_workload_get_byte(machine, 1, 0, &byte));
    CHECK(!wdfdma_workload_get_byte(NULL, 0, 0, &byte));
    CHECK(!wdfdma_workload_get_byte(machine, 0, 0, NULL));
    machine = machine_after(1, &result); /* a write */
    CHECK_EQUAL(result.failure, WDFDMA_FAILURE_WRONG_DATA);
    CHECK(!wdfdma_workload_get_byte(machine, result.request, result.actual, &byte));
    machine = machine_after(32, &result); /* no bytes */
    CHECK_EQUAL(result.requests, 1);
    CHECK(!wdfdma_workload_get_byte(machine, 0, 0, &byte));
}

HARNESS_MAIN(ENTRY(each_failure_is_told_from_the_others), ENTRY(a_request_is_cancelled_once),
             ENTRY(every_string_of_bytes_is_a_case), ENTRY(changed_cases_are_cases),
             ENTRY(a_machine_is_to_be_fresh_and_a_driver_whole),
             ENTRY(without_a_workload_there_is_no_hardware), ENTRY(the_correct_drivers_are_clean),
             ENTRY(each_faulty_driver_is_found_from_each_seed),
             ENTRY(a_correct_driver_has_nothing_to_be_shrunk), ENTRY(moves_are_left_out),
             ENTRY(a_runner_of_the_callers_takes_the_cases), ENTRY(the_same_seed_finds_the_same),
             ENTRY(the_next_case_is_told), ENTRY(a_byte_that_is_wrong_is_told))
