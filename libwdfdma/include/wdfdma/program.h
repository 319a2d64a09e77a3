/* Programs: a scenario as bytes, which one call runs. */
#ifndef WDFDMA_CONTROL_PROGRAM_H
#define WDFDMA_CONTROL_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wdf.h"
#include "wdfdma/api.h"
#include "wdfdma/machine.h"

#ifdef __cplusplus
extern "C" {
#endif

/* cffi: begin */

/* What an operand of an operation is. Numbers are LEB128. */
typedef enum wdfdma_operand_kind {
    WDFDMA_OPERAND_NUMBER = 0,      /* 0 to the operand's maximum */
    WDFDMA_OPERAND_BOOLEAN = 1,     /* a byte, 0 or 1 */
    WDFDMA_OPERAND_DIRECTION = 2,   /* a byte, 0 read (from the device), 1 write */
    WDFDMA_OPERAND_EVENT = 3,       /* a byte, wdfdma_event */
    WDFDMA_OPERAND_TRANSACTION = 4, /* a number of the program's choice */
    WDFDMA_OPERAND_ENABLER = 5,     /* an index */
    WDFDMA_OPERAND_BUFFER = 6,      /* an index */
    WDFDMA_OPERAND_STEPS = 7,       /* the length in bytes of nested steps, then these; the last */
    WDFDMA_OPERAND_NAMED = 8,       /* a number of the program's choice, for what the key says */
    WDFDMA_OPERAND_IRQL = 9,        /* a byte, KIRQL */
    WDFDMA_OPERAND_ACTION = 16,     /* a byte, IO_ALLOCATION_ACTION less 1 */
    WDFDMA_OPERAND_SIGNED = 17,     /* minus its maximum to that: 2n where n >= 0, else -2n - 1 */
    WDFDMA_OPERAND_ARGUMENT = 32    /* a byte, wdfdma_argument */
} wdfdma_operand_kind;

typedef struct wdfdma_operand {
    const char *name; /* the key in a scenario */
    uint32_t kind;    /* wdfdma_operand_kind */
    uint64_t maximum;
} wdfdma_operand;

/* How what an operation gives back stands in its log record. */
typedef enum wdfdma_result_kind {
    WDFDMA_RESULT_STATUS = 1,      /* the record's status */
    WDFDMA_RESULT_NUMBER = 2,      /* values[0] */
    WDFDMA_RESULT_BOOLEAN = 4,     /* values[0] */
    WDFDMA_RESULT_TWO_NUMBERS = 8, /* map_registers and elements: values[0] and values[1] */
    WDFDMA_RESULT_DIRECTION = 16,  /* values[1] */
    WDFDMA_RESULT_NO_RECORD = 32,
    WDFDMA_RESULT_ADDRESS = 64 /* address and length: values[0] and values[1] */
} wdfdma_result_kind;

/* One operation of a program: its name in a scenario, its operands in their order, its results.
 * The object of its record is the one that the first operand names, where that names one. */
typedef struct wdfdma_operation {
    const char *name;
    uint32_t operand_count;
    uint32_t results; /* wdfdma_result_kind, or-ed */
    wdfdma_operand operands[10];
} wdfdma_operation;

/* The operation with the number [op], or NULL. Static. */
WDFDMA_API const wdfdma_operation *wdfdma_program_get_operation(uint32_t op);

/* What is wrong with a program. */
typedef enum wdfdma_program_rule {
    WDFDMA_PROGRAM_OK = 0,
    WDFDMA_PROGRAM_TRUNCATED = 1,     /* it ends inside a header, a number or a step */
    WDFDMA_PROGRAM_NOT_A_PROGRAM = 2, /* another magic number or version */
    WDFDMA_PROGRAM_OUT_OF_RANGE = 3,  /* a number above its maximum */
    WDFDMA_PROGRAM_UNKNOWN_OPERATION = 4,
    WDFDMA_PROGRAM_NO_SUCH_ENABLER = 5,
    WDFDMA_PROGRAM_NO_SUCH_BUFFER = 6,
    WDFDMA_PROGRAM_NOT_CREATED = 7, /* a step on a transaction not created, or deleted */
    WDFDMA_PROGRAM_CREATED_TWICE = 8,
    WDFDMA_PROGRAM_ENABLER_REFUSED = 9, /* [value]: the framework's status */
    WDFDMA_PROGRAM_MACHINE_IN_USE = 10, /* the machine has objects already */
    WDFDMA_PROGRAM_NO_MEMORY = 11,
    WDFDMA_PROGRAM_NESTED_TOO_DEEP = 12, /* steps within steps past 64 levels */

    WDFDMA_PROGRAM_NO_SUCH_ELEMENT = 32 /* past those that the device was programmed with last */
} wdfdma_program_rule;

/* The outcome of a program: how far it came, and the first error. */
typedef struct wdfdma_program_result {
    uint32_t rule; /* wdfdma_program_rule */
    /* of the operand or operation concerned, in bytes from the program's start */
    uint64_t offset;
    int64_t value;   /* what stood there */
    uint64_t steps;  /* outermost steps that ran */
    uint64_t nested; /* steps that ran inside callbacks */
} wdfdma_program_result;

/* Checks the whole of a program; runs nothing. True when it is one. [out] may be NULL. */
WDFDMA_API bool wdfdma_program_check(const uint8_t *program, size_t bytes,
                                     wdfdma_program_result *out);

/* The machine settings that a program asks for, into [config] (the others of its fields keep
 * their values). False where the program is none. */
WDFDMA_API bool wdfdma_program_get_config(const uint8_t *program, size_t bytes,
                                          wdfdma_machine_config *config);

/* Runs a program on [machine], which must be fresh: its enablers and buffers, then its steps,
 * nested reactions included, at most [steps] of the outermost ones (UINT64_MAX: all). Records go
 * to the machine's log, a SNAPSHOT after each outermost step; a bug check ends it, and counts as
 * success here. [program] copied. True unless [out]->rule is set; then what ran before the error
 * has run. */
WDFDMA_API bool wdfdma_program_run(wdfdma_machine *machine, const uint8_t *program, size_t bytes,
                                   uint64_t steps, wdfdma_program_result *out);

/* Where the program that [machine] runs is, for whoever is called meanwhile: the offset, in bytes
 * from its start, of the innermost step in progress, or of the enabler that is being made; 0 where
 * there is neither. */
WDFDMA_API uint64_t wdfdma_program_get_offset(const wdfdma_machine *machine);

/* cffi: end */

#ifdef __cplusplus
}
#endif

#endif
