"""The end of each C reproducer: what came of the calls is compared with what is to come of them."""

# What the machine is compared with: tables `violations`, `halt` and `records` stand before it.
CHECK = """\
static uint64_t steps_seen[VIOLATIONS + 1]; /* of each violation */
static size_t violations_seen;
static uint64_t step_now;
static uint64_t step_halted = UINT64_MAX;

/* A step begins; what was broken until now is the one's before. */
static void step(uint64_t number) {
    size_t count = 0;
    wdfdma_machine_get_violations(machine, &count);
    for (; violations_seen != count; violations_seen++) {
        steps_seen[violations_seen % (VIOLATIONS + 1)] = step_now;
    }
    if (wdfdma_machine_get_state(machine)->halted && step_halted == UINT64_MAX) {
        step_halted = step_now;
    }
    step_now = number;
}

static int fail(const char *what, size_t place) {
    printf("not reproduced: %s %zu differs\\n", what, place);
    return 1;
}

static bool parameters_match(const uint64_t *expected, const uint64_t *came) {
    bool match = true;
    for (int i = 0; i < 4; i++) {
        uint64_t number = wdfdma_machine_localize(machine, came[i]);
        match = match && (number == expected[i] || expected[i] == ADDRESS);
    }
    return match;
}

static int violations_check(void) {
    size_t count = 0;
    const wdfdma_violation *came = wdfdma_machine_get_violations(machine, &count);
    for (size_t i = 0; i != count && i <= VIOLATIONS; i++) {
        printf("violation: %s, step %" PRIu64 "\\n", wdfdma_rule_get_name(came[i].rule),
               steps_seen[i]);
    }
    for (size_t i = 0; i != VIOLATIONS && i != count; i++) {
        if (came[i].rule != violations[i].rule || came[i].code != violations[i].code ||
            came[i].op != violations[i].op || came[i].object_type != violations[i].object_type ||
            steps_seen[i] != violations[i].step ||
            !parameters_match(violations[i].parameters, came[i].parameters)) {
            return fail("violation", i);
        }
    }
    return count == VIOLATIONS ? 0 : fail("the number of violations, not", VIOLATIONS);
}

static int halt_check(void) {
    const wdfdma_bugcheck *came = wdfdma_machine_get_bugcheck(machine);
    if (came == NULL || halt.code == 0) {
        return (came == NULL) == (halt.code == 0) ? 0 : fail("the bug check in step", step_now);
    }
    printf("bug check: 0x%X, step %" PRIu64 "\\n", came->code, step_halted);
    bool match = came->code == halt.code && step_halted == halt.step &&
                 parameters_match(halt.parameters, came->parameters);
    return match ? 0 : fail("the bug check in step", step_now);
}

static bool values_match(const uint64_t *expected, const uint64_t *came) {
    bool match = true;
    for (int i = 0; i < 5; i++) {
        match = match && came[i] == expected[i];
    }
    return match;
}

/* Records of the driver's calls and callbacks; a C program has no others. */
static int log_check(void) {
    wdfdma_log_view view;
    wdfdma_log_get_view(machine, &view);
    bool halts = view.first_count > 0 && halt.code != 0; /* the bug check's own record is the last */
    size_t count = (size_t)view.first_count - halts;
    for (size_t i = 0; i != RECORDS && i != count; i++) {
        const wdfdma_log_record *came = &view.first[i];
        if (came->kind != records[i].kind || came->code != records[i].code ||
            came->status != records[i].status ||
            !values_match(records[i].values, came->values)) {
            return fail("record", i);
        }
    }
    return count == RECORDS ? 0 : fail("the number of records, not", RECORDS);
}
"""

MAIN = """\
int main(void) {
    if (!world_create()) {
        printf("no such machine\\n");
        return 2;
    }
    driver_run();
    step(0);
    int different = violations_check() | halt_check() | log_check();
    wdfdma_machine_destroy(machine);
    printf(different ? "not reproduced\\n" : "reproduced\\n");
    return different;
}
"""
