/* The table of rules: rules.def, which the enumeration in wdfdma/rules.h and docs/rules.md come from. */
#include "verifier.h"

#define WDFDMA_RULE_ENTRY(number, id, rule_name, rule_severity, rule_code, rule_first, \
                          rule_second, ends, rule_parameters, rule_cause, rule_fix, rule_source, \
                          rule_example) \
    [WDFDMA_RULE_##id] = {.name = (rule_name), \
                          .rule = (number), \
                          .severity = WDFDMA_SEVERITY_##rule_severity, \
                          .ending = WDFDMA_ENDING_##ends, \
                          .code = (rule_code), \
                          .first = (rule_first), \
                          .second = (rule_second), \
                          .parameters = (rule_parameters), \
                          .cause = (rule_cause), \
                          .fix = (rule_fix), \
                          .source = (rule_source), \
                          .example = (rule_example)},
static const wdfdma_rule_info rules[WDFDMA_RULE_COUNT] = {
    [WDFDMA_RULE_NONE] = {.name = "None"},
#include "rules.def"
};

const wdfdma_rule_info *verifier_get_rule(wdfdma_rule rule) {
    return &rules[rule];
}

const wdfdma_rule_info *wdfdma_rule_get_info(uint32_t rule) {
    return rule < WDFDMA_RULE_COUNT ? &rules[rule] : NULL;
}

const char *wdfdma_rule_get_name(uint32_t rule) {
    return rule < WDFDMA_RULE_COUNT ? rules[rule].name : NULL;
}
