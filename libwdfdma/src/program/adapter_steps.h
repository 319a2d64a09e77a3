/* The steps of a WDM driver: a routine of DMA_OPERATIONS each, called as such a driver calls it.
 *
 * A program names what the routines give and take by numbers, as a driver's variables do: an
 * adapter, the map register base that AdapterControl was given, a transfer context, a list, a
 * common buffer. A name keeps what was last put in it, also when that is gone: the call decides what
 * to say to it. */
#ifndef WDFDMA_ADAPTER_STEPS_H
#define WDFDMA_ADAPTER_STEPS_H

#include "program.h"

/* One such call: what it is made with, and what it gave back, for its record. */
typedef struct adapter_call {
    wdfdma_machine *machine;
    interpreter *run;
    const program_step *step;
    const uint64_t *values; /* of the step */
    PDMA_ADAPTER adapter;   /* by the first operand; may be NULL, or gone */
    NTSTATUS status;
    uint64_t first;
    uint64_t second;
} adapter_call;

/* What a NAME_LIST leads to; a NAME_ADAPTER or NAME_BASE is the pointer itself. */
typedef struct named_list {
    PSCATTER_GATHER_LIST given; /* as the driver's routine was given it */
    void *room;                 /* the driver's buffer, where lists are built */
    uint64_t room_bytes;
} named_list;

/* What a NAME_COMMON_BUFFER leads to. */
typedef struct named_buffer {
    PVOID bytes; /* NULL: none was given */
    PHYSICAL_ADDRESS logical;
} named_buffer;

/* A routine of the driver that is to be called: its steps, and what it keeps and returns. */
typedef struct driver_routine {
    wdfdma_machine *machine;
    interpreter *run;
    uint64_t name; /* that receives what the routine is given */
    uint64_t begin;
    uint64_t end;
    IO_ALLOCATION_ACTION action;
} driver_routine;

/* adapter_steps.c */
/* Memory of the driver's own, zeroed; injected failures pass it by. It lives as long as the machine.
 * NULL where there is none, and the program ends. */
void *block_create(const adapter_call *of, size_t bytes);
/* What the operand at [index] names, or NULL where no step made that name: the program ends. */
uint64_t *name_find(const adapter_call *of, name_kind kind, uint32_t index);
/* The same, and makes the name, with 0 behind it; NULL where there is no memory. */
uint64_t *name_get(const adapter_call *of, name_kind kind, uint32_t index);
/* The same, with a block of [bytes] behind it. */
void *name_get_block(const adapter_call *of, name_kind kind, uint32_t index, size_t bytes);
/* The driver's memory for a transfer context, of which only the address counts. */
PVOID context_get(const adapter_call *of, uint32_t index);
/* A routine with the body of the step, or NULL where there is no memory; the last operand but the
 * body is its answer, if that is an action. */
driver_routine *routine_create(const adapter_call *of, uint32_t name_index);
/* The current virtual address: [offset] bytes from the begin of the buffer's first MDL. */
PVOID address_get(PMDL mdl, uint64_t offset);

/* adapter_calls.c: the adapter, common buffers, channels. */
void call_io_get_dma_adapter(adapter_call *of);
void call_wdm_get_dma_adapter(adapter_call *of);
void call_put_dma_adapter(adapter_call *of);
void call_get_dma_alignment(adapter_call *of);
void call_read_dma_counter(adapter_call *of);
void call_get_dma_adapter_info(adapter_call *of);
void call_allocate_common_buffer(adapter_call *of);
void call_allocate_common_buffer_ex(adapter_call *of);
void call_write_common_buffer(adapter_call *of);
void call_free_common_buffer(adapter_call *of);
void call_initialize_dma_transfer_context(adapter_call *of);
void call_allocate_adapter_channel(adapter_call *of);
void call_allocate_adapter_channel_ex(adapter_call *of);
void call_cancel_adapter_channel(adapter_call *of);
void call_configure_adapter_channel(adapter_call *of);
void call_free_adapter_channel(adapter_call *of);
void call_free_adapter_object(adapter_call *of);
void call_free_map_registers(adapter_call *of);
void call_cancel_mapped_transfer(adapter_call *of);

/* adapter_transfers.c: mappings, lists, MDLs. */
void call_get_dma_transfer_info(adapter_call *of);
void call_map_transfer(adapter_call *of);
void call_map_transfer_ex(adapter_call *of);
void call_flush_adapter_buffers(adapter_call *of);
void call_flush_adapter_buffers_ex(adapter_call *of);
void call_get_scatter_gather_list(adapter_call *of);
void call_get_scatter_gather_list_ex(adapter_call *of);
void call_build_scatter_gather_list(adapter_call *of);
void call_build_scatter_gather_list_ex(adapter_call *of);
void call_put_scatter_gather_list(adapter_call *of);
void call_calculate_scatter_gather_list(adapter_call *of);
void call_build_mdl_from_scatter_gather_list(adapter_call *of);
void call_unlock_pages(adapter_call *of);

#endif
