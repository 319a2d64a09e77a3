/* What the framework's verifier and the rules do: breaks, bug checks by the framework's codes,
 * and our own rules. Framework and hal ask it; it asks only the machine. */
#ifndef WDFDMA_VERIFIER_H
#define WDFDMA_VERIFIER_H

#include "machine/machine.h"

/* The framework's verifier reports an error of the call in progress, which goes on; nothing with
 * the verifier off. */
COLD void verifier_break(wdfdma_machine *machine);

/* WDF_VIOLATION with [violation], [second] and [third]. */
COLD void verifier_wdf_violation(wdfdma_machine *machine, wdfdma_wdf_violation violation,
                                 uint64_t second, uint64_t third, const object *concerned);

/* One of our rules: what follows is undefined on a real machine, so it does not follow. */
COLD void verifier_rule(wdfdma_machine *machine, wdfdma_rule rule, const object *concerned);

#endif
