/* Maps of coverage: counters for the cells and the goals of coverage.def. What is met is found out by
 * the framework (framework/coverage.h); here it is only counted. */
#ifndef WDFDMA_COVERAGE_MAP_H
#define WDFDMA_COVERAGE_MAP_H

#include "machine/machine.h"
#include "wdfdma/coverage.h"

#define COVERAGE_STANDING(id, name) STANDING_##id,
typedef enum coverage_standing {
#include "coverage.def"
    STANDING_COUNT
} coverage_standing;

#define COVERAGE_OPERATION(id, name, op, kind) COVERED_##id,
typedef enum coverage_operation {
#include "coverage.def"
    COVERED_COUNT
} coverage_operation;

#define COVERAGE_OUTCOME(id, name) OUTCOME_##id,
typedef enum coverage_outcome {
#include "coverage.def"
    OUTCOME_COUNT
} coverage_outcome;

#define COVERAGE_GOAL(id, name, words) GOAL_##id,
typedef enum coverage_goal_id {
#include "coverage.def"
    GOAL_COUNT
} coverage_goal_id;

/* What a call answers. */
typedef enum answer_kind {
    ANSWERS_NOTHING,
    ANSWERS_BOOLEAN,
    ANSWERS_STATUS,
    IS_CALLBACK
} answer_kind;

/* A callback is an operation of this number and its wdfdma_event more. */
enum {
    CALLBACK_OPS = 240
};

typedef struct covered_operation {
    const char *name;
    uint32_t op; /* wdfdma_op, or a callback's number */
    answer_kind kind;
} covered_operation;

/* What is counted of an operation. */
const covered_operation *coverage_get_operation(coverage_operation operation);
/* The operation that an op is; COVERED_COUNT where it is not counted. */
coverage_operation coverage_find_operation(uint32_t op);

void coverage_keep(wdfdma_coverage *map);
void coverage_count(wdfdma_coverage *map, coverage_operation operation, coverage_standing standing,
                    coverage_outcome outcome);
void coverage_reach_goal(wdfdma_coverage *map, coverage_goal_id goal);
/* A goal of the user's, that has come about [count] times more. False without memory. */
bool coverage_add_sometimes(wdfdma_coverage *map, const char *name, uint64_t count);

#endif
