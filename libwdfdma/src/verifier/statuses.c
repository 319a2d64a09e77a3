/* The table of statuses: statuses.def, which docs/statuses.md comes from. */
#include "verifier.h"

#define STATUS_ENTRY(status_name, value, status_calls, status_cause, status_fix, status_source) \
    {.name = (status_name), \
     .status = (value), \
     .calls = (status_calls), \
     .cause = (status_cause), \
     .fix = (status_fix), \
     .source = (status_source)},
static const wdfdma_status_info statuses[] = {
#include "statuses.def"
};

const wdfdma_status_info *wdfdma_status_get_info(NTSTATUS status) {
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        if (statuses[i].status == status) {
            return &statuses[i];
        }
    }
    return NULL;
}
