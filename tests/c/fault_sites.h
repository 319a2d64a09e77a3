/* The log of call sites in a file, read and counted by lines. A program that includes it defines PROGRAM,
 * its own name: the log's too. */
#ifndef WDFDMA_TESTS_FAULT_SITES_H
#define WDFDMA_TESTS_FAULT_SITES_H

#include "world.h"

#if defined(__GNUC__)
#define APART __attribute__((noinline))
#else
#define APART __declspec(noinline)
#endif

static const char *const LOG = PROGRAM ".log";

static inline wdfdma_site_log *log_open(void) {
    wdfdma_site_log *log = NULL;
    wdfdma_site_log_error error = {0};
    CHECK_STATUS(wdfdma_site_log_open(LOG, &log, &error), STATUS_SUCCESS);
    return log;
}

static inline wdfdma_site_log *log_begin(void) {
    remove(LOG);
    return log_open();
}

/* The site of a line: what follows its second word. */
static inline const char *line_site(const char *line) {
    const char *second = line == NULL ? NULL : strchr(line, ' ');
    const char *third = second == NULL ? NULL : strchr(second + 1, ' ');
    return third == NULL ? "" : third + 1;
}

/* How many different sites the lines have that begin with [call]. */
static inline size_t count_sites(const wdfdma_site_log *log, const char *call) {
    size_t found = 0;
    for (size_t i = 0; i < wdfdma_site_log_get_count(log); i++) {
        const char *line = wdfdma_site_log_get_line(log, i);
        bool is_new = strncmp(line, call, strlen(call)) == 0;
        for (size_t before = 0; before < i && is_new; before++) {
            const char *earlier = wdfdma_site_log_get_line(log, before);
            is_new = strncmp(earlier, call, strlen(call)) != 0 ||
                     strcmp(line_site(line), line_site(earlier)) != 0;
        }
        found += is_new;
    }
    return found;
}

static inline size_t count_lines(const wdfdma_site_log *log, const char *begin) {
    size_t found = 0;
    for (size_t i = 0; i < wdfdma_site_log_get_count(log); i++) {
        found += strncmp(wdfdma_site_log_get_line(log, i), begin, strlen(begin)) == 0;
    }
    return found;
}

static inline void sites_set(wdfdma_machine *machine, wdfdma_site_log *log, uint32_t frames) {
    const wdfdma_site_config config = {.frames = frames};
    CHECK_STATUS(wdfdma_machine_set_sites(machine, log, &config), STATUS_SUCCESS);
}

static inline uint64_t failed(const wdfdma_machine *machine) {
    const wdfdma_site_state *state = wdfdma_machine_get_sites(machine);
    return CHECK(state != NULL) ? state->failed : 0;
}

/* Its registers are never short: no request for them can be denied. */
static inline world list_open(void) {
    return world_open(NULL, (world_profile){.profile = WdfDmaProfileScatterGather64});
}

/* A source that names every site as [context] says. */
static inline size_t name_given(void *context, wdfdma_machine *machine, char *out,
                                size_t capacity) {
    const char *name = context;
    CHECK(wdfdma_machine_set_sites(machine, NULL, NULL) == STATUS_INVALID_DEVICE_STATE);
    return (size_t)snprintf(out, capacity, "%s", name);
}

/* As harness_main; the log does not stay. */
static inline int sites_main(const harness_entry *entries, size_t count, const char *part) {
    int answer = harness_main(entries, count, part);
    remove(LOG);
    return answer;
}

#define SITES_MAIN(...) \
    int main(int argc, char **argv) { \
        static const harness_entry entries[] = {__VA_ARGS__}; \
        return sites_main(entries, sizeof entries / sizeof *entries, argc > 1 ? argv[1] : NULL); \
    }

#endif
