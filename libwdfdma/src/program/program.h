/* A driver's calls as data: what a program is made of, and its reading.
 *
 * A program is: 'W' 'D' 'P' 1, the machine's settings, enablers, buffers, then steps to the end.
 * Numbers are LEB128. The settings: map_registers, registers_per_adapter, physical_address_bits,
 * a byte of flags (1 force_map_registers, 2 verifier). An enabler: a byte of WDF_DMA_PROFILE,
 * maximum_length, bytes of version and address width, the element limit (0: none; else one more
 * than it), a byte of flags (1 single transfer, 2 no
 * system channel). A buffer: the number of its MDLs, each an
 * offset, a length and its PFNs. A step: its operation's byte, then its operands as its
 * wdfdma_operation says. */
#ifndef WDFDMA_PROGRAM_H
#define WDFDMA_PROGRAM_H

#include "framework/framework.h"

typedef struct program_reader {
    const uint8_t *bytes;
    uint64_t size;
    uint64_t at;
    wdfdma_program_result *result; /* its rule is set by the first error */
} program_reader;

typedef struct program_enabler {
    uint64_t maximum_length;
    uint64_t element_limit; /* 0: none; else one more than it */
    uint64_t offset;        /* in the program */
    uint8_t profile;
    uint8_t version;
    uint8_t address_width;
    uint8_t flags;
} program_enabler;

typedef struct program_head {
    uint64_t map_registers;
    uint64_t registers_per_adapter;
    uint64_t physical_address_bits;
    uint64_t enabler_count;
    uint8_t flags;
} program_head;

enum {
    PROGRAM_FORCES_REGISTERS = 1,
    PROGRAM_HAS_VERIFIER = 2,
    PROGRAM_SINGLE_TRANSFER = 1,
    PROGRAM_NOT_CONFIGURED = 2
};

enum {
    OPERANDS_MOST = sizeof(((wdfdma_operation *)0)->operands) / sizeof(wdfdma_operand)
};

typedef struct step_family step_family;

/* One step, its operands by their place in its wdfdma_operation. */
typedef struct program_step {
    uint64_t offset; /* of its operation */
    uint64_t values[OPERANDS_MOST];
    uint64_t offsets[OPERANDS_MOST]; /* of its operands */
    uint64_t body_begin;             /* the steps of an operand STEPS */
    uint64_t body_end;               /* 0: it has no such operand */
    const step_family *family;       /* NULL: of the first group */
    uint8_t op;
} program_step;

/* What a driver that a program plays remembers. */
typedef struct program_limits {
    uint64_t enablers;
    uint64_t buffers;
    bool uses_elements; /* a step goes where a transaction was programmed */
} program_limits;

bool reader_fail(program_reader *reader, wdfdma_program_rule rule, uint64_t offset, uint64_t value);
uint64_t reader_number(program_reader *reader, uint64_t maximum);
uint8_t reader_byte(program_reader *reader, uint8_t maximum);
static inline bool reader_is_good(const program_reader *reader) {
    return reader->result->rule == WDFDMA_PROGRAM_OK;
}
bool reader_head(program_reader *reader, program_head *head);
bool reader_enabler(program_reader *reader, program_enabler *out);
bool reader_step(program_reader *reader, const program_limits *limits, program_step *step);
/* As wdfdma_program_check; [limits] receives what the program has. */
bool program_check(const uint8_t *program, size_t bytes, program_limits *limits,
                   wdfdma_program_result *result);
/* True for an operation that has steps of its own. */
static inline bool step_has_body(const program_step *step) {
    return step->body_end != 0;
}

/* Makes the enablers and buffers of a program. setup.c */
typedef struct interpreter interpreter;
bool program_set_up(wdfdma_machine *machine, interpreter *run, program_reader *reader);

/* The driver that a program plays: a transaction and its reactions. */
typedef struct reaction {
    struct reaction *next;
    uint64_t begin;
    uint64_t end;
    bool returns;
} reaction;

typedef struct actor {
    struct actor *next;
    struct actor *previous;
    WDFDMATRANSACTION handle;
    reaction *first[WDFDMA_EVENT_COUNT];
    reaction *last[WDFDMA_EVENT_COUNT];
    SCATTER_GATHER_ELEMENT *elements; /* that it was programmed with last; see actor_remember */
    uint32_t element_count;
    uint32_t number;
    uint8_t wrong; /* wdfdma_argument: what its next call is handed */
} actor;

/* completion.c */
void completion_step(wdfdma_machine *machine, const actor *who, WDFDMATRANSACTION handle,
                     const program_step *step);

/* What the steps of a WDM driver give numbers to. */
typedef enum name_kind {
    NAME_ADAPTER,
    NAME_BASE, /* of map registers */
    NAME_CONTEXT,
    NAME_LIST,
    NAME_COMMON_BUFFER,
    NAME_KIND_COUNT
} name_kind;

struct interpreter {
    uint8_t *bytes;
    uint64_t size;
    WDFDEVICE device;
    WDFDMAENABLER *enablers;
    PMDL *buffers;
    program_limits limits;
    table actors;         /* number -> actor */
    table requests;       /* number -> WDFREQUEST */
    table common_buffers; /* number -> WDFCOMMONBUFFER */
    actor *first_actor;   /* in the order of their making */
    actor *last_actor;
    bool keeps_deleted; /* some transactions may be gone; the script still has their handles */
    table names[NAME_KIND_COUNT]; /* number -> what adapter_steps.h says */
    uint64_t at; /* the offset of the innermost step in progress, or of the enabler being made */
    wdfdma_program_result result;
};

/* Operations beyond the first group, in a file of their own: [operations] has the one with the byte
 * [first] at its begin; one without a name is none. A family is listed in format.c. */
struct step_family {
    uint32_t first;
    uint32_t count;
    const wdfdma_operation *operations;
    void (*run)(wdfdma_machine *machine, interpreter *run, const program_step *step);
};
extern const step_family kernel_steps;
extern const step_family framework_steps; /* object_steps.c */
extern const step_family object_steps;
extern const step_family device_steps; /* memory_steps.c */
extern const step_family memory_steps;
extern const step_family world_steps;
extern const step_family adapter_steps;

/* What a family's steps need of the interpreter. */
/* Runs the steps of a body, inside a callback. */
void program_steps_run(wdfdma_machine *machine, interpreter *run, uint64_t begin, uint64_t end);
/* Ends the program with an error, unless it has one. */
void program_fail(interpreter *run, wdfdma_program_rule rule, uint64_t offset, uint64_t value);
/* The record of a step that returned, with the label of its object; NULL without a log, or where the
 * machine has halted. */
wdfdma_log_record *step_record(wdfdma_machine *machine, const program_step *step, uint32_t label);
/* The transaction that a step's first operand names; NULL, and the program ends, where there is
 * none. */
actor *actor_find(interpreter *run, const program_step *step);
/* What its next call is handed, wdfdma_argument; from then on, what is right. */
uint32_t actor_take_wrong(actor *who);
WDFDMATRANSACTION actor_get_handle(const interpreter *run, const actor *who, uint32_t argument);
/* Keeps what the device is programmed with, for the steps that go there. memory_steps.c */
void actor_remember(wdfdma_machine *machine, interpreter *run, actor *who,
                    const SCATTER_GATHER_LIST *list);
EVT_WDF_PROGRAM_DMA actor_program_dma;

#endif
