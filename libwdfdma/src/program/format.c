/* The format of programs: the table of operations, and the reading of heads and steps. Nothing
 * here runs anything. */
#include "program.h"

enum {
    NESTING_LIMIT = 64
};

#define LENGTH_MAXIMUM UINT32_MAX
#define TRANSACTION {"transaction", WDFDMA_OPERAND_TRANSACTION, UINT32_MAX}
#define DIRECTION {"direction", WDFDMA_OPERAND_DIRECTION, 1}
#define ENABLER {"enabler", WDFDMA_OPERAND_ENABLER, UINT32_MAX}
#define EVENT {"event", WDFDMA_OPERAND_EVENT, WDFDMA_EVENT_COUNT - 1}
#define VALUE {"value", WDFDMA_OPERAND_BOOLEAN, 1}
#define LENGTH {"length", WDFDMA_OPERAND_NUMBER, LENGTH_MAXIMUM}
#define OFFSET {"offset", WDFDMA_OPERAND_NUMBER, LENGTH_MAXIMUM}
#define COMPLETION (WDFDMA_RESULT_STATUS | WDFDMA_RESULT_BOOLEAN)

static const wdfdma_operation operations[WDFDMA_OP_PROGRAM_COUNT] = {
    [WDFDMA_OP_CREATE] = {"create", 2, WDFDMA_RESULT_STATUS, {TRANSACTION, ENABLER}},
    [WDFDMA_OP_DELETE] = {"delete", 1, 0, {TRANSACTION}},
    [WDFDMA_OP_INITIALIZE] =
        {"initialize",
         5,
         WDFDMA_RESULT_STATUS,
         {TRANSACTION, {"buffer", WDFDMA_OPERAND_BUFFER, UINT32_MAX}, OFFSET, LENGTH, DIRECTION}},
    [WDFDMA_OP_EXECUTE] = {"execute", 1, WDFDMA_RESULT_STATUS, {TRANSACTION}},
    [WDFDMA_OP_ALLOCATE_RESOURCES] = {"allocate_resources",
                                      3,
                                      WDFDMA_RESULT_STATUS,
                                      {TRANSACTION,
                                       DIRECTION,
                                       {"map_registers", WDFDMA_OPERAND_NUMBER, UINT32_MAX}}},
    [WDFDMA_OP_FREE_RESOURCES] = {"free_resources", 1, 0, {TRANSACTION}},
    [WDFDMA_OP_SET_IMMEDIATE_EXECUTION] = {"set_immediate_execution", 2, 0, {TRANSACTION, VALUE}},
    [WDFDMA_OP_SET_MAXIMUM_LENGTH] = {"set_maximum_length", 2, 0, {TRANSACTION, LENGTH}},
    [WDFDMA_OP_SET_SINGLE_TRANSFER_REQUIREMENT] = {"set_single_transfer_requirement",
                                                   2,
                                                   0,
                                                   {TRANSACTION, VALUE}},
    [WDFDMA_OP_SET_DEVICE_ADDRESS_OFFSET] = {"set_device_address_offset",
                                             2,
                                             0,
                                             {TRANSACTION, OFFSET}},
    [WDFDMA_OP_GET_TRANSFER_INFO] = {"get_transfer_info",
                                     1,
                                     WDFDMA_RESULT_TWO_NUMBERS,
                                     {TRANSACTION}},
    [WDFDMA_OP_GET_BYTES_TRANSFERRED] = {"get_bytes_transferred",
                                         1,
                                         WDFDMA_RESULT_NUMBER,
                                         {TRANSACTION}},
    [WDFDMA_OP_GET_CURRENT_DMA_TRANSFER_LENGTH] = {"get_current_dma_transfer_length",
                                                   1,
                                                   WDFDMA_RESULT_NUMBER,
                                                   {TRANSACTION}},
    [WDFDMA_OP_GET_FRAGMENT_LENGTH] = {"get_fragment_length",
                                       2,
                                       WDFDMA_RESULT_NUMBER | WDFDMA_RESULT_DIRECTION,
                                       {ENABLER, DIRECTION}},
    [WDFDMA_OP_DMA_COMPLETED] = {"dma_completed", 1, COMPLETION, {TRANSACTION}},
    [WDFDMA_OP_DMA_COMPLETED_WITH_LENGTH] = {"dma_completed_with_length",
                                             2,
                                             COMPLETION,
                                             {TRANSACTION, LENGTH}},
    [WDFDMA_OP_DMA_COMPLETED_FINAL] = {"dma_completed_final", 2, COMPLETION, {TRANSACTION, LENGTH}},
    [WDFDMA_OP_RELEASE] = {"release", 1, WDFDMA_RESULT_STATUS, {TRANSACTION}},
    [WDFDMA_OP_CANCEL] = {"cancel", 1, WDFDMA_RESULT_BOOLEAN, {TRANSACTION}},
    [WDFDMA_OP_STOP_SYSTEM_TRANSFER] = {"stop_system_transfer", 1, 0, {TRANSACTION}},
    [WDFDMA_OP_SET_CALLBACK] = {"set_callback", 3, 0, {TRANSACTION, EVENT, VALUE}},
    [WDFDMA_OP_ON] = {"on",
                      4,
                      WDFDMA_RESULT_NO_RECORD,
                      {TRANSACTION,
                       EVENT,
                       {"returns", WDFDMA_OPERAND_BOOLEAN, 1},
                       {"do", WDFDMA_OPERAND_STEPS, UINT32_MAX}}},
    [WDFDMA_OP_COMPLETE_TRANSFER] = {"complete_transfer",
                                     2,
                                     WDFDMA_RESULT_BOOLEAN | WDFDMA_RESULT_DIRECTION,
                                     {ENABLER, DIRECTION}},
};

static const step_family *const families[] = {&adapter_steps, &device_steps, &framework_steps,
                                              &kernel_steps,  &memory_steps, &object_steps,
                                              &world_steps};

/* The family of an operation beyond the first group, or NULL. */
static const step_family *family_find(uint32_t op) {
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        if (op - families[i]->first < families[i]->count) {
            return families[i];
        }
    }
    return NULL;
}

static const wdfdma_operation *operation_find(uint32_t op, const step_family **family) {
    *family = op < WDFDMA_OP_PROGRAM_COUNT ? NULL : family_find(op);
    const wdfdma_operation *found = NULL;
    if (op < WDFDMA_OP_PROGRAM_COUNT) {
        found = &operations[op];
    } else if (*family != NULL) {
        found = &(*family)->operations[op - (*family)->first];
    }
    return found == NULL || found->name == NULL ? NULL : found;
}

const wdfdma_operation *wdfdma_program_get_operation(uint32_t op) {
    const step_family *family;
    return operation_find(op, &family);
}

bool reader_fail(program_reader *reader, wdfdma_program_rule rule, uint64_t offset,
                 uint64_t value) {
    if (reader_is_good(reader)) {
        reader->result->rule = rule;
        reader->result->offset = offset;
        reader->result->value = (int64_t)value;
    }
    return false;
}

uint64_t reader_number(program_reader *reader, uint64_t maximum) {
    uint64_t begin = reader->at;
    uint64_t value = 0;
    for (int shift = 0; reader_is_good(reader); shift += 7) {
        if (reader->at == reader->size) {
            reader_fail(reader, WDFDMA_PROGRAM_TRUNCATED, begin, reader->size);
            break;
        }
        uint64_t byte = reader->bytes[reader->at++];
        if (shift > 63 || (shift == 63 && (byte & 0x7E) != 0)) {
            reader_fail(reader, WDFDMA_PROGRAM_OUT_OF_RANGE, begin, value);
            break;
        }
        value |= (byte & 0x7F) << shift;
        if (byte < 0x80) {
            break;
        }
    }
    if (value > maximum) {
        reader_fail(reader, WDFDMA_PROGRAM_OUT_OF_RANGE, begin, value);
    }
    return reader_is_good(reader) ? value : 0;
}

uint8_t reader_byte(program_reader *reader, uint8_t maximum) {
    if (!reader_is_good(reader) || reader->at == reader->size) {
        reader_fail(reader, WDFDMA_PROGRAM_TRUNCATED, reader->at, reader->size);
        return 0;
    }
    uint8_t byte = reader->bytes[reader->at++];
    if (byte > maximum) {
        reader_fail(reader, WDFDMA_PROGRAM_OUT_OF_RANGE, reader->at - 1, byte);
    }
    return byte;
}

bool reader_head(program_reader *reader, program_head *head) {
    static const uint8_t magic[] = {'W', 'D', 'P', 1};
    for (size_t i = 0; i < sizeof magic; i++) {
        uint8_t byte = reader_byte(reader, UINT8_MAX);
        if (byte != magic[i]) {
            return reader_fail(reader, WDFDMA_PROGRAM_NOT_A_PROGRAM, i, byte);
        }
    }
    head->map_registers = reader_number(reader, 1u << 20);
    head->registers_per_adapter = reader_number(reader, UINT32_MAX);
    uint64_t offset = reader->at;
    head->physical_address_bits = reader_number(reader, 52);
    if (head->physical_address_bits < 12) {
        reader_fail(reader, WDFDMA_PROGRAM_OUT_OF_RANGE, offset, head->physical_address_bits);
    }
    head->flags = reader_byte(reader, PROGRAM_FORCES_REGISTERS | PROGRAM_HAS_VERIFIER);
    head->enabler_count = reader_number(reader, UINT32_MAX);
    return reader_is_good(reader);
}

bool reader_enabler(program_reader *reader, program_enabler *out) {
    out->offset = reader->at;
    out->profile = reader_byte(reader, UINT8_MAX);
    out->maximum_length = reader_number(reader, UINT64_MAX);
    out->version = reader_byte(reader, UINT8_MAX);
    out->address_width = reader_byte(reader, UINT8_MAX);
    out->element_limit = reader_number(reader, 1ull + UINT32_MAX);
    out->flags = reader_byte(reader, PROGRAM_SINGLE_TRANSFER | PROGRAM_NOT_CONFIGURED);
    return reader_is_good(reader);
}

static void body_read(program_reader *reader, uint64_t maximum, program_step *step) {
    uint64_t begin = reader->at;
    uint64_t bytes = reader_number(reader, maximum);
    if (bytes > reader->size - reader->at) {
        reader_fail(reader, WDFDMA_PROGRAM_TRUNCATED, begin, bytes);
        return;
    }
    step->body_begin = reader->at;
    step->body_end = reader->at + bytes;
    reader->at = step->body_end;
}

static void operand_read(program_reader *reader, const program_limits *limits, program_step *step,
                         const wdfdma_operand *operand, uint32_t index) {
    uint64_t begin = reader->at;
    uint64_t value = 0;
    step->offsets[index] = begin;
    switch (operand->kind) {
    case WDFDMA_OPERAND_BOOLEAN:
    case WDFDMA_OPERAND_DIRECTION:
    case WDFDMA_OPERAND_EVENT:
    case WDFDMA_OPERAND_IRQL:
    case WDFDMA_OPERAND_ARGUMENT:
    case WDFDMA_OPERAND_ACTION:
        value = reader_byte(reader, (uint8_t)operand->maximum);
        break;
    case WDFDMA_OPERAND_SIGNED:
        value = reader_number(reader, 2 * operand->maximum);
        value = (value >> 1) ^ (0 - (value & 1));
        break;
    case WDFDMA_OPERAND_STEPS:
        body_read(reader, operand->maximum, step);
        break;
    default:
        value = reader_number(reader, operand->maximum);
        break;
    }
    if (operand->kind == WDFDMA_OPERAND_ENABLER && value >= limits->enablers) {
        reader_fail(reader, WDFDMA_PROGRAM_NO_SUCH_ENABLER, begin, value);
    }
    if (operand->kind == WDFDMA_OPERAND_BUFFER && value >= limits->buffers) {
        reader_fail(reader, WDFDMA_PROGRAM_NO_SUCH_BUFFER, begin, value);
    }
    step->values[index] = value;
}

static bool event_fits(const program_step *step) {
    return step->op != WDFDMA_OP_SET_CALLBACK ||
           step->values[1] == WDFDMA_EVENT_CONFIGURE_DMA_CHANNEL ||
           step->values[1] == WDFDMA_EVENT_DMA_TRANSFER_COMPLETE;
}

bool reader_step(program_reader *reader, const program_limits *limits, program_step *step) {
    step->offset = reader->at;
    step->op = reader_byte(reader, UINT8_MAX);
    step->body_end = 0;
    const wdfdma_operation *operation = operation_find(step->op, &step->family);
    if (operation == NULL) {
        return reader_fail(reader, WDFDMA_PROGRAM_UNKNOWN_OPERATION, step->offset, step->op);
    }
    for (uint32_t i = 0; i < operation->operand_count && reader_is_good(reader); i++) {
        operand_read(reader, limits, step, &operation->operands[i], i);
    }
    if (reader_is_good(reader) && !event_fits(step)) {
        reader_fail(reader, WDFDMA_PROGRAM_OUT_OF_RANGE, step->offsets[1], step->values[1]);
    }
    return reader_is_good(reader);
}

static bool mdl_skip(program_reader *reader, uint64_t frame_limit) {
    uint64_t offset = reader_number(reader, PAGE_BYTES - 1);
    uint64_t begin = reader->at;
    uint64_t length = reader_number(reader, UINT32_MAX);
    if (length == 0) {
        reader_fail(reader, WDFDMA_PROGRAM_OUT_OF_RANGE, begin, 0);
    }
    for (uint64_t page = pages_spanned(offset, length); page > 0 && reader_is_good(reader);
         page--) {
        reader_number(reader, frame_limit - 1);
    }
    return reader_is_good(reader);
}

static bool buffers_skip(program_reader *reader, const program_head *head, program_limits *limits) {
    uint64_t frame_limit = 1ull << (head->physical_address_bits - 12);
    limits->buffers = reader_number(reader, UINT32_MAX);
    for (uint64_t i = 0; i < limits->buffers && reader_is_good(reader); i++) {
        uint64_t begin = reader->at;
        uint64_t mdls = reader_number(reader, UINT32_MAX);
        if (mdls == 0) {
            reader_fail(reader, WDFDMA_PROGRAM_OUT_OF_RANGE, begin, 0);
        }
        for (; mdls > 0 && reader_is_good(reader); mdls--) {
            mdl_skip(reader, frame_limit);
        }
    }
    return reader_is_good(reader);
}

/* The steps up to [end], bodies included, without recursion: [ends] is where each enclosing body
 * ends. */
static bool steps_check(program_reader *reader, program_limits *limits) {
    uint64_t ends[NESTING_LIMIT];
    uint64_t whole = reader->size;
    int depth = 0;
    ends[0] = whole;
    while (reader_is_good(reader)) {
        while (depth > 0 && reader->at == ends[depth]) {
            depth--;
            reader->size = ends[depth];
        }
        if (reader->at == whole) {
            return true;
        }
        program_step step;
        if (!reader_step(reader, limits, &step)) {
            return false;
        }
        limits->uses_elements |= step.family == &device_steps;
        if (step_has_body(&step)) {
            if (depth + 1 == NESTING_LIMIT) {
                return reader_fail(reader, WDFDMA_PROGRAM_NESTED_TOO_DEEP, step.offset,
                                   NESTING_LIMIT);
            }
            reader->at = step.body_begin;
            ends[++depth] = step.body_end;
            reader->size = step.body_end;
        }
    }
    return false;
}

bool program_check(const uint8_t *program, size_t bytes, program_limits *limits,
                   wdfdma_program_result *result) {
    *result = (wdfdma_program_result){.rule = WDFDMA_PROGRAM_OK};
    program_reader reader = {
        .bytes = program, .size = program == NULL ? 0 : bytes, .result = result};
    program_head head;
    if (!reader_head(&reader, &head)) {
        return false;
    }
    *limits = (program_limits){.enablers = head.enabler_count};
    program_enabler made;
    for (uint64_t i = 0; i < head.enabler_count && reader_enabler(&reader, &made); i++) {
    }
    return reader_is_good(&reader) && buffers_skip(&reader, &head, limits) &&
           steps_check(&reader, limits);
}

bool wdfdma_program_check(const uint8_t *program, size_t bytes, wdfdma_program_result *out) {
    wdfdma_program_result unwanted;
    program_limits limits;
    return program_check(program, bytes, &limits, out == NULL ? &unwanted : out);
}

bool wdfdma_program_get_config(const uint8_t *program, size_t bytes,
                               wdfdma_machine_config *config) {
    wdfdma_program_result result = {.rule = WDFDMA_PROGRAM_OK};
    program_reader reader = {
        .bytes = program, .size = program == NULL ? 0 : bytes, .result = &result};
    program_head head;
    if (config == NULL || !reader_head(&reader, &head)) {
        return false;
    }
    config->map_registers = (uint32_t)head.map_registers;
    config->registers_per_adapter = (uint32_t)head.registers_per_adapter;
    config->physical_address_bits = (uint32_t)head.physical_address_bits;
    config->force_map_registers = (head.flags & PROGRAM_FORCES_REGISTERS) != 0;
    config->verifier = (head.flags & PROGRAM_HAS_VERIFIER) != 0;
    return true;
}
