/* The frame of a C test program: checks that tell place and value, a table of tests, machines that
 * are checked.
 *
 *     TEST(registers_come_back) {
 *         wdfdma_machine *machine = harness_machine(NULL);
 *         CHECK_EQUAL(wdfdma_machine_get_state(machine)->free_registers, 64);
 *     }
 *     HARNESS_MAIN(ENTRY(registers_come_back))
 *
 * After each test every machine made by harness_machine() is checked (wdfdma_machine_check) and
 * destroyed. The program runs all tests, or those whose names contain its first argument, and exits
 * 0 when all passed, 1 when one failed, 77 when none failed and all were skipped. */
#ifndef WDFDMA_TESTS_HARNESS_H
#define WDFDMA_TESTS_HARNESS_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wdfdma.h"

enum {
    HARNESS_MACHINES = 64, /* at once, in one test */
    HARNESS_SHOWN = 20     /* failed checks printed for one test */
};

typedef struct harness_entry {
    const char *name;
    void (*run)(void);
} harness_entry;

static struct harness_state {
    wdfdma_machine *machines[HARNESS_MACHINES];
    size_t machine_count;
    size_t failures;
    bool skipped;
} harness;

#define TEST(name) static void name(void)
#define ENTRY(name) {#name, name}

/* Checks go on after a failure; REQUIRE leaves the test (a function that returns nothing). */
#define CHECK(condition) \
    ((condition) ? true : harness_fail(__FILE__, __LINE__, #condition " does not hold"))
#define REQUIRE(condition) \
    do { \
        if (!CHECK(condition)) { \
            return; \
        } \
    } while (0)
/* Whole numbers, Booleans and pointers of any type. */
#define CHECK_EQUAL(actual, expected) \
    harness_equal(__FILE__, __LINE__, #actual, (uint64_t)(actual), (uint64_t)(expected))
#define CHECK_STATUS(actual, expected) \
    harness_status(__FILE__, __LINE__, #actual, (actual), (expected))
#define CHECK_BYTES(actual, expected, bytes) \
    harness_bytes(__FILE__, __LINE__, #actual, (actual), (expected), (bytes))
/* The invariants of a machine, between two steps. */
#define CHECK_MACHINE(machine) harness_check(__FILE__, __LINE__, (machine))
/* The machine has halted with [code]. */
#define CHECK_BUGCHECK(machine, code) \
    harness_bugcheck(__FILE__, __LINE__, (machine), (uint32_t)(code))
/* Leaves the test, which cannot run here. */
#define SKIP(reason) \
    do { \
        printf("    skipped: %s\n", (reason)); \
        harness.skipped = true; \
        return; \
    } while (0)

static inline bool harness_fail(const char *file, int line, const char *text) {
    if (harness.failures++ < HARNESS_SHOWN) {
        printf("%s:%d: %s\n", file, line, text);
    }
    return false;
}

static inline bool harness_equal(const char *file, int line, const char *what, uint64_t actual,
                                 uint64_t expected) {
    if (actual == expected) {
        return true;
    }
    char text[512];
    snprintf(text, sizeof(text),
             "%s is %" PRIu64 " (0x%" PRIX64 "), expected %" PRIu64 " (0x%" PRIX64 ")", what,
             actual, actual, expected, expected);
    return harness_fail(file, line, text);
}

static inline bool harness_status(const char *file, int line, const char *what, NTSTATUS actual,
                                  NTSTATUS expected) {
    if (actual == expected) {
        return true;
    }
    char text[512];
    snprintf(text, sizeof(text), "%s is 0x%08" PRIX32 ", expected 0x%08" PRIX32, what,
             (uint32_t)actual, (uint32_t)expected);
    return harness_fail(file, line, text);
}

static inline bool harness_bytes(const char *file, int line, const char *what, const void *actual,
                                 const void *expected, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) {
        unsigned got = ((const unsigned char *)actual)[i];
        unsigned wanted = ((const unsigned char *)expected)[i];
        if (got != wanted) {
            char text[512];
            snprintf(text, sizeof(text), "%s: byte %zu of %zu is 0x%02X, expected 0x%02X", what, i,
                     bytes, got, wanted);
            return harness_fail(file, line, text);
        }
    }
    return true;
}

static inline bool harness_check(const char *file, int line, const wdfdma_machine *machine) {
    wdfdma_check_failure failure = {0};
    if (wdfdma_machine_check(machine, &failure)) {
        return true;
    }
    char text[512];
    snprintf(text, sizeof(text),
             "broken invariant: %s (object %" PRIu64 ", expected %" PRIu64 ", actual %" PRIu64 ")",
             failure.invariant != NULL ? failure.invariant : "it has no name", failure.object,
             failure.expected, failure.actual);
    return harness_fail(file, line, text);
}

static inline bool harness_bugcheck(const char *file, int line, const wdfdma_machine *machine,
                                    uint32_t code) {
    const wdfdma_bugcheck *bugcheck = wdfdma_machine_get_bugcheck(machine);
    if (bugcheck == NULL) {
        return harness_fail(file, line, "the machine has not halted");
    }
    return harness_equal(file, line, "the bug check's code", bugcheck->code, code);
}

/* A machine of the running test; [config] NULL: the defaults. It ends the program when there is
 * none to be had. */
static inline wdfdma_machine *harness_machine(const wdfdma_machine_config *config) {
    wdfdma_machine *machine = NULL;
    NTSTATUS status = wdfdma_machine_create(config, &machine);
    if (status != STATUS_SUCCESS || harness.machine_count == HARNESS_MACHINES) {
        printf("no machine: status 0x%08" PRIX32 ", %zu machines\n", (uint32_t)status,
               harness.machine_count);
        exit(1);
    }
    harness.machines[harness.machine_count++] = machine;
    return machine;
}

/* Checks and ends a machine of harness_machine() before its test ends. */
static inline void harness_machine_end(wdfdma_machine *machine) {
    for (size_t i = 0; i < harness.machine_count; i++) {
        if (harness.machines[i] == machine) {
            CHECK_MACHINE(machine);
            CHECK_STATUS(wdfdma_machine_destroy(machine), STATUS_SUCCESS);
            harness.machines[i] = harness.machines[--harness.machine_count];
            return;
        }
    }
    harness_fail(__FILE__, __LINE__, "not a machine of this test");
}

/* Runs one test; true when it passed or was skipped. */
static inline bool harness_run(const harness_entry *entry) {
    harness.failures = 0;
    harness.skipped = false;
    printf("%s\n", entry->name);
    fflush(stdout);
    entry->run();
    while (harness.machine_count > 0) {
        harness_machine_end(harness.machines[harness.machine_count - 1]);
    }
    if (harness.failures > 0) {
        printf("    FAILED: %zu checks\n", harness.failures);
    }
    return harness.failures == 0;
}

static inline int harness_main(const harness_entry *entries, size_t count, const char *only) {
    size_t ran = 0, failed = 0, skipped = 0;
    for (size_t i = 0; i < count; i++) {
        if (only == NULL || strstr(entries[i].name, only) != NULL) {
            ran++;
            failed += harness_run(&entries[i]) ? 0u : 1u;
            skipped += harness.skipped ? 1u : 0u;
        }
    }
    printf("%zu tests, %zu failed, %zu skipped\n", ran, failed, skipped);
    if (failed > 0 || ran == 0) {
        return 1;
    }
    return skipped == ran ? 77 : 0;
}

#define HARNESS_MAIN(...) \
    int main(int argc, char **argv) { \
        static const harness_entry entries[] = {__VA_ARGS__}; \
        return harness_main(entries, sizeof(entries) / sizeof(entries[0]), \
                            argc > 1 ? argv[1] : NULL); \
    }

#endif
