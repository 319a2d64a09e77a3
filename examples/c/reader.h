#ifndef READER_H
#define READER_H

#include <wdf.h>

typedef struct _READER {
    WDFDMAENABLER Enabler;
    WDFDMATRANSACTION Transaction;
    PSCATTER_GATHER_LIST Programmed; /* what the hardware has been told */
} READER;

NTSTATUS ReaderCreate(WDFDEVICE Device, size_t MaximumLength, READER *Reader);
NTSTATUS ReaderStart(READER *Reader, WDFREQUEST Request);
VOID ReaderInterrupt(READER *Reader);

#endif
