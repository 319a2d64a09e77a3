/* Every call site fails once: the sites, and the log that a rerun resumes. */
#ifndef WDFDMA_CONTROL_SITES_H
#define WDFDMA_CONTROL_SITES_H

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

#define WDFDMA_SITE_FRAMES 8   /* the most return addresses of a site */
#define WDFDMA_SITE_BYTES 1024 /* of a site's name, its final 0 among them */

/* What has failed where: a file that outlives the process, and is only ever appended to. Its first
 * line is `wdfdma-sites 1`; each other one a fault that was injected: the call, the status, the
 * site, with a space between. A call is named as in a scenario; `register_grant -`, `adapter -`
 * and `partial_map -` stand for what lies below the calls and has no status. A line that ends with
 * `~` was cut short, with the process that wrote it, and says nothing. */
typedef struct wdfdma_site_log wdfdma_site_log;

/* Why a log was not opened. */
typedef struct wdfdma_site_log_error {
    uint64_t line;    /* of the file, from 1; 0: no line of it */
    const char *rule; /* what is wrong there; static */
    int32_t error;    /* errno, where the system refused the file; otherwise 0 */
} wdfdma_site_log_error;

/* Opens the log in the file [path] (UTF-8), which is made if there is none. A last line that a
 * crash left half written is ended by `~`. [out]: owned by the caller, who closes it. [error], may
 * be NULL, is written on failure only. Errors: STATUS_UNSUCCESSFUL where the system refuses the
 * file, STATUS_INVALID_PARAMETER for a file that is no such log or is damaged (nothing is written
 * to it then), STATUS_INSUFFICIENT_RESOURCES. */
WDFDMA_API NTSTATUS wdfdma_site_log_open(const char *path, wdfdma_site_log **out,
                                         wdfdma_site_log_error *error);

/* Closes a log; NULL is allowed. Machines that it was given to keep it until they are given another
 * one or destroyed. */
WDFDMA_API void wdfdma_site_log_close(wdfdma_site_log *log);

/* How many faults the log tells of, those of earlier processes among them. */
WDFDMA_API size_t wdfdma_site_log_get_count(const wdfdma_site_log *log);

/* The line of a fault, in the order of their injection; NULL past the last. Owned by the log. */
WDFDMA_API const char *wdfdma_site_log_get_line(const wdfdma_site_log *log, size_t index);

/* True where a line could not be written, as on a full disk: no call fails for the log any more. */
WDFDMA_API bool wdfdma_site_log_is_lost(const wdfdma_site_log *log);

/* Names the site of the call in progress, in at most [capacity] bytes, the final 0 among them, and
 * returns the name's length; 0: it has no name, and does not fail. It may halt [machine], but make
 * no other call that changes it. */
typedef size_t (*wdfdma_site_source)(void *context, wdfdma_machine *machine, char *out,
                                     size_t capacity);

/* How the sites of a machine fail. All 0 is what most want. */
typedef struct wdfdma_site_config {
    uint32_t frames; /* return addresses that make a site: 1 to WDFDMA_SITE_FRAMES; 0: 1 */
    uint32_t most;   /* faults until the machine is given a log again; 0: no bound */
    wdfdma_site_source source; /* who names the sites; NULL: their return addresses do */
    void *context;             /* of [source]; borrowed while the machine has the log */
} wdfdma_site_config;

/* What came of it so far. */
typedef struct wdfdma_site_state {
    uint64_t failed;   /* faults injected since the machine was given the log */
    uint64_t unnamed;  /* calls that could have failed, but for a site that nobody could name */
    uint64_t hit_step; /* of the last fault */
    uint32_t hit_op;   /* wdfdma_op: the call that it hit */
} wdfdma_site_state;

/* Makes every call site fail once with each status that the log does not tell of: a call that could
 * fail (wdfdma_machine_add_fault says when) does so where [log] has no line for it, its site and
 * the status; of several such statuses the first. So does a request for map registers, the
 * making of an adapter, and a mapping, which covers less. The line is handed to the system before
 * the call fails, so that a process which the failure kills has left it: run the driver until
 * nothing fails, over as many processes as that takes, and each has failed once.
 *
 * A site is the return address of the DDI, and with [config]->frames above 1 those of the callers
 * of its caller, each as `module+0x1234`: the same in every process that runs the same binaries.
 * Log and binaries belong together; what is built anew begins a new log.
 *
 * [log] NULL: no more of it; on a halted machine too. Otherwise it is kept as long as it is needed,
 * and may serve several machines at a time, of one process. [config] copied; NULL: all 0. The
 * machine's value has no part in this: a restore takes back neither the log nor that the machine
 * has one, so that what failed before a restore does not fail after it. A fault of the plan that
 * hits the same call comes first. Errors: STATUS_INVALID_PARAMETER for too many frames;
 * STATUS_INVALID_DEVICE_STATE inside [config]->source; STATUS_INSUFFICIENT_RESOURCES. */
WDFDMA_API NTSTATUS wdfdma_machine_set_sites(wdfdma_machine *machine, wdfdma_site_log *log,
                                             const wdfdma_site_config *config);

/* NULL where the machine has no log. Owned by the machine, until it is given another one. */
WDFDMA_API const wdfdma_site_state *wdfdma_machine_get_sites(const wdfdma_machine *machine);

/* cffi: end */

#ifdef __cplusplus
}
#endif

#endif
