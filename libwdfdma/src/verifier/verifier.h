/* What the framework's verifier and the rules do: breaks, bug checks by the framework's codes,
 * and our own rules. Framework and hal ask it; it asks only the machine. */
#ifndef WDFDMA_VERIFIER_H
#define WDFDMA_VERIFIER_H

#include "machine/machine.h"

/* The framework's verifier reports an error of the call in progress, which goes on where the rule
 * lets it; nothing with the verifier off. [concerned] may be NULL. */
COLD void verifier_break(wdfdma_machine *machine, const object *concerned);

/* WDF_VIOLATION with [violation], [second] and [third]. */
COLD void verifier_wdf_violation(wdfdma_machine *machine, wdfdma_wdf_violation violation,
                                 uint64_t second, uint64_t third, const object *concerned);

/* DRIVER_VERIFIER_DMA_VIOLATION: parameter 1 is the rule's. Where the machine goes on, the call
 * that broke the rule changes nothing. False where it is ignored, or the machine had halted. */
COLD bool verifier_dma_violation(wdfdma_machine *machine, wdfdma_rule rule, uint64_t second,
                                 uint64_t third, uint64_t fourth, const object *concerned);

/* One of our rules. Where what follows is undefined on a real machine, it does not follow: the
 * machine has halted. */
COLD void verifier_rule(wdfdma_machine *machine, wdfdma_rule rule, const object *concerned);

/* The same with parameters 2 to 4. False where it is ignored, or the machine had halted. */
COLD bool verifier_rule_with(wdfdma_machine *machine, wdfdma_rule rule, uint64_t second,
                             uint64_t third, uint64_t fourth, const object *concerned);

/* The same where further objects are concerned: [given] are parameters 2 to 4, [others] handles, 0
 * for none. */
COLD bool verifier_rule_among(wdfdma_machine *machine, wdfdma_rule rule, const uint64_t given[3],
                              const object *concerned, const uint64_t others[2]);

/* What the record of one of our rules would be now. */
COLD wdfdma_violation verifier_make(const wdfdma_machine *machine, wdfdma_rule rule,
                                    uint64_t second, uint64_t third, uint64_t fourth,
                                    const object *concerned);

/* rules.c */
const wdfdma_rule_info *verifier_get_rule(wdfdma_rule rule);

#endif
