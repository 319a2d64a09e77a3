/* Maps of coverage: made, counted into, merged, read. A map is the host's memory: it belongs to no
 * machine, and lives until the last of those that count into it, and its maker, have given it up. */
#include "coverage.h"

#include <stdlib.h>
#include <string.h>

/* A goal of the user's; they are in the order of their names. */
typedef struct sometimes {
    struct sometimes *next;
    uint64_t count;
    char name[];
} sometimes;

struct wdfdma_coverage {
    uint32_t references;
    sometimes *first;
    uint64_t cells[COVERED_COUNT][STANDING_COUNT][OUTCOME_COUNT];
    uint64_t goals[GOAL_COUNT];
};

#define COVERAGE_STANDING(id, name) name,
static const char *const standing_names[] = {
#include "coverage.def"
};
#define COVERAGE_OUTCOME(id, name) name,
static const char *const outcome_names[] = {
#include "coverage.def"
};
#define COVERAGE_OPERATION(id, name, op, kind) {name, op, kind},
static const covered_operation operations[] = {
#include "coverage.def"
};
#define COVERAGE_GOAL(id, name, words) {name, words, 0},
static const wdfdma_goal goals[] = {
#include "coverage.def"
};

/* A line of the table: which cells of an operation can be reached. */
typedef struct reach {
    coverage_operation operation;
    uint32_t use;
    uint64_t standings;
    uint64_t outcomes;
} reach;

#define S(id) (1ull << STANDING_##id)
#define O(id) (1ull << OUTCOME_##id)
/* Standings: ready for Initialize, initialized, in transfer, over well. */
#define EMPTY (S(CREATED) | S(RESERVED) | S(RELEASED) | S(RELEASED_HELD))
#define FILLED (S(INITIALIZED) | S(INITIALIZED_HELD))
#define PROGRAMMED (S(TRANSFER) | S(TRANSFER_HELD))
#define TRANSFER_WAITS (S(TRANSFER_CHANNEL) | S(TRANSFER_REGISTERS) | S(TRANSFER_LIST))
#define IN_TRANSFER (PROGRAMMED | TRANSFER_WAITS)
#define RESERVED_WAITS (S(RESERVED_CHANNEL) | S(RESERVED_REGISTERS))
#define DONE (S(COMPLETED) | S(COMPLETED_HELD))
#define LIVE (EMPTY | FILLED | IN_TRANSFER | RESERVED_WAITS | DONE | S(FAILED) | S(FAILED_HELD))
/* A reservation goes, and may let others through. */
#define GIVES_BACK \
    (S(RESERVED) | S(INITIALIZED_HELD) | S(COMPLETED_HELD) | S(FAILED_HELD) | S(RELEASED_HELD))
/* All that a profile without reservations can be in. */
#define UNRESERVED \
    (S(CREATED) | S(INITIALIZED) | S(TRANSFER) | TRANSFER_WAITS | S(COMPLETED) | S(FAILED) | \
     S(RELEASED))
/* Of a call with a handle that names no transaction, or one that is deleted. */
#define BAD (S(NONE) | S(DELETED))
#define MISTAKE (O(BREAK) | O(RULE) | O(BUGCHECK))
#define COVERAGE_RIGHT(operation, standings, outcomes) \
    {COVERED_##operation, WDFDMA_CELL_RIGHT, standings, outcomes},
#define COVERAGE_MISUSE(operation, standings, outcomes) \
    {COVERED_##operation, WDFDMA_CELL_MISUSE, standings, outcomes},
static const reach reaches[] = {
#include "coverage.def"
};

/* By its first line in the table. */
static uint32_t cell_get_use(uint32_t operation, uint32_t standing, uint32_t outcome) {
    for (size_t i = 0; i < sizeof reaches / sizeof *reaches; i++) {
        const reach *at = &reaches[i];
        if ((uint32_t)at->operation == operation && (at->standings >> standing & 1) != 0 &&
            (at->outcomes >> outcome & 1) != 0) {
            return at->use;
        }
    }
    return WDFDMA_CELL_IMPOSSIBLE;
}

const covered_operation *coverage_get_operation(coverage_operation operation) {
    return &operations[operation];
}

coverage_operation coverage_find_operation(uint32_t op) {
#define COVERAGE_OPERATION(id, name, op, kind) [op] = COVERED_##id + 1,
    static const uint8_t by_op[] = {
#include "coverage.def"
    };
    uint32_t found = op < sizeof by_op ? by_op[op] : 0;
    return found == 0 ? COVERED_COUNT : (coverage_operation)(found - 1);
}

static uint64_t count_add(uint64_t count, uint64_t more) {
    return count > UINT64_MAX - more ? UINT64_MAX : count + more;
}

NTSTATUS wdfdma_coverage_create(wdfdma_coverage **out) {
    if (out == NULL) {
        return STATUS_INVALID_PARAMETER;
    }
    wdfdma_coverage *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    made->references = 1;
    *out = made;
    return STATUS_SUCCESS;
}

static void sometimes_free(wdfdma_coverage *map) {
    while (map->first != NULL) {
        sometimes *gone = map->first;
        map->first = gone->next;
        free(gone);
    }
}

void wdfdma_coverage_destroy(wdfdma_coverage *coverage) {
    if (coverage != NULL && --coverage->references == 0) {
        sometimes_free(coverage);
        free(coverage);
    }
}

void coverage_keep(wdfdma_coverage *map) {
    map->references++;
}

void wdfdma_coverage_clear(wdfdma_coverage *coverage) {
    if (coverage != NULL) {
        sometimes_free(coverage);
        memset(coverage->cells, 0, sizeof coverage->cells);
        memset(coverage->goals, 0, sizeof coverage->goals);
    }
}

void coverage_count(wdfdma_coverage *map, coverage_operation operation, coverage_standing standing,
                    coverage_outcome outcome) {
    uint64_t *cell = &map->cells[operation][standing][outcome];
    *cell = count_add(*cell, 1);
}

void coverage_reach_goal(wdfdma_coverage *map, coverage_goal_id goal) {
    map->goals[goal] = count_add(map->goals[goal], 1);
}

/* Where a goal of the user's is, or belongs. */
static sometimes **sometimes_find(wdfdma_coverage *map, const char *name) {
    sometimes **link = &map->first;
    while (*link != NULL && strcmp((*link)->name, name) < 0) {
        link = &(*link)->next;
    }
    return link;
}

bool coverage_add_sometimes(wdfdma_coverage *map, const char *name, uint64_t count) {
    sometimes **link = sometimes_find(map, name);
    if (*link == NULL || strcmp((*link)->name, name) != 0) {
        size_t bytes = strlen(name) + 1;
        sometimes *made = malloc(sizeof *made + bytes);
        if (made == NULL) {
            return false;
        }
        made->count = 0;
        made->next = *link;
        memcpy(made->name, name, bytes);
        *link = made;
    }
    (*link)->count = count_add((*link)->count, count);
    return true;
}

NTSTATUS wdfdma_coverage_merge(wdfdma_coverage *into, const wdfdma_coverage *from) {
    if (into == NULL || from == NULL || into == from) {
        return STATUS_INVALID_PARAMETER;
    }
    uint64_t *sums = &into->cells[0][0][0];
    const uint64_t *counts = &from->cells[0][0][0];
    for (size_t i = 0; i < sizeof from->cells / sizeof *counts; i++) {
        sums[i] = count_add(sums[i], counts[i]);
    }
    for (size_t i = 0; i < GOAL_COUNT; i++) {
        into->goals[i] = count_add(into->goals[i], from->goals[i]);
    }
    for (const sometimes *at = from->first; at != NULL; at = at->next) {
        if (!coverage_add_sometimes(into, at->name, at->count)) {
            return STATUS_INSUFFICIENT_RESOURCES;
        }
    }
    return STATUS_SUCCESS;
}

typedef struct cell_walk {
    uint32_t operation;
    uint32_t standing;
    uint32_t outcome;
} cell_walk;

/* The next cell; false after the last. */
static bool cell_walk_next(cell_walk *at) {
    if (++at->outcome == OUTCOME_COUNT) {
        at->outcome = 0;
        if (++at->standing == STANDING_COUNT) {
            at->standing = 0;
            at->operation++;
        }
    }
    return at->operation < COVERED_COUNT;
}

static size_t cells_copy(const wdfdma_coverage *coverage, bool reached_only,
                         wdfdma_coverage_cell *out, size_t capacity) {
    size_t found = 0;
    cell_walk at = {0};
    do {
        uint64_t count =
            coverage == NULL ? 0 : coverage->cells[at.operation][at.standing][at.outcome];
        if (reached_only && count == 0) {
            continue;
        }
        uint32_t use = cell_get_use(at.operation, at.standing, at.outcome);
        if (use == WDFDMA_CELL_IMPOSSIBLE && count == 0) {
            continue;
        }
        if (out != NULL && found < capacity) {
            out[found] = (wdfdma_coverage_cell){.operation = operations[at.operation].name,
                                                .standing = standing_names[at.standing],
                                                .outcome = outcome_names[at.outcome],
                                                .use = use,
                                                .count = count};
        }
        found++;
    } while (cell_walk_next(&at));
    return found;
}

size_t wdfdma_coverage_copy_cells(const wdfdma_coverage *coverage, wdfdma_coverage_cell *out,
                                  size_t capacity) {
    return cells_copy(coverage, false, out, capacity);
}

size_t wdfdma_coverage_copy_reached(const wdfdma_coverage *coverage, wdfdma_coverage_cell *out,
                                    size_t capacity) {
    return cells_copy(coverage, true, out, capacity);
}

size_t wdfdma_coverage_copy_outcomes(const char **out, size_t capacity) {
    for (size_t i = 0; out != NULL && i < OUTCOME_COUNT && i < capacity; i++) {
        out[i] = outcome_names[i];
    }
    return OUTCOME_COUNT;
}

size_t wdfdma_coverage_copy_goals(const wdfdma_coverage *coverage, wdfdma_goal *out,
                                  size_t capacity) {
    size_t found = 0;
    for (; found < GOAL_COUNT; found++) {
        if (out != NULL && found < capacity) {
            out[found] = goals[found];
            out[found].count = coverage == NULL ? 0 : coverage->goals[found];
        }
    }
    for (const sometimes *at = coverage == NULL ? NULL : coverage->first; at != NULL;
         at = at->next) {
        if (out != NULL && found < capacity) {
            out[found] = (wdfdma_goal){.name = at->name, .words = "", .count = at->count};
        }
        found++;
    }
    return found;
}

uint64_t wdfdma_coverage_get_count(const wdfdma_coverage *coverage, const char *operation,
                                   const char *standing, const char *outcome) {
    if (coverage == NULL || operation == NULL || standing == NULL || outcome == NULL) {
        return 0;
    }
    cell_walk at = {0};
    do {
        if (strcmp(operations[at.operation].name, operation) == 0 &&
            strcmp(standing_names[at.standing], standing) == 0 &&
            strcmp(outcome_names[at.outcome], outcome) == 0) {
            return coverage->cells[at.operation][at.standing][at.outcome];
        }
    } while (cell_walk_next(&at));
    return 0;
}

uint64_t wdfdma_coverage_get_goal(const wdfdma_coverage *coverage, const char *name) {
    if (coverage == NULL || name == NULL) {
        return 0;
    }
    for (size_t i = 0; i < GOAL_COUNT; i++) {
        if (strcmp(goals[i].name, name) == 0) {
            return coverage->goals[i];
        }
    }
    for (const sometimes *at = coverage->first; at != NULL; at = at->next) {
        if (strcmp(at->name, name) == 0) {
            return at->count;
        }
    }
    return 0;
}

uint32_t wdfdma_coverage_count_reached(const wdfdma_coverage *coverage, uint32_t *all) {
    uint32_t reached = 0;
    uint32_t there = 0;
    cell_walk at = {0};
    do {
        if (cell_get_use(at.operation, at.standing, at.outcome) == WDFDMA_CELL_RIGHT) {
            there++;
            reached += coverage != NULL && coverage->cells[at.operation][at.standing][at.outcome];
        }
    } while (cell_walk_next(&at));
    if (all != NULL) {
        *all = there;
    }
    return reached;
}
