/* Steps that call the kernel: the IRQL at which a driver's code runs. */
#include "program.h"

static const wdfdma_operation operations[] = {
    {"raise_irql", 1, 0, {{"irql", WDFDMA_OPERAND_IRQL, HIGH_LEVEL}}},
    {"lower_irql", 1, 0, {{"irql", WDFDMA_OPERAND_IRQL, HIGH_LEVEL}}},
};

static void kernel_step_run(wdfdma_machine *machine, interpreter *run, const program_step *step) {
    (void)run;
    if (step->op == WDFDMA_OP_RAISE_IRQL) {
        KfRaiseIrql((KIRQL)step->values[0]);
    } else {
        KeLowerIrql((KIRQL)step->values[0]);
    }
    step_record(machine, step, 0);
}

const step_family kernel_steps = {.first = WDFDMA_OP_RAISE_IRQL,
                                  .count = sizeof operations / sizeof *operations,
                                  .operations = operations,
                                  .run = kernel_step_run};
