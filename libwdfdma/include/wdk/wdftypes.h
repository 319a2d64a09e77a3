/* The framework's handles. A handle is a number in the shape of a pointer: never follow it. */
#ifndef WDFDMA_WDK_WDFTYPES_H
#define WDFDMA_WDK_WDFTYPES_H

#include "wdm.h"

#define WDF_NO_HANDLE NULL
#define WDF_NO_CONTEXT NULL
#define WDF_NO_EVENT_CALLBACK NULL
#define WDF_NO_OBJECT_ATTRIBUTES NULL
#define WDF_NO_SEND_OPTIONS NULL

#ifdef __cplusplus
extern "C" {
#endif

/* cffi: begin */
/* Any handle of the framework converts to it. */
typedef HANDLE WDFOBJECT, *PWDFOBJECT;
/* What a driver hands to WdfDmaTransactionExecute and gets back in its callbacks. */
typedef HANDLE WDFCONTEXT, *PWDFCONTEXT;

typedef struct WDFDRIVER__ *WDFDRIVER;
typedef struct WDFDEVICE__ *WDFDEVICE;
typedef struct WDFQUEUE__ *WDFQUEUE;
typedef struct WDFREQUEST__ *WDFREQUEST;
typedef struct WDFFILEOBJECT__ *WDFFILEOBJECT;
typedef struct WDFMEMORY__ *WDFMEMORY;
typedef struct WDFINTERRUPT__ *WDFINTERRUPT;
typedef struct WDFDPC__ *WDFDPC;
typedef struct WDFTIMER__ *WDFTIMER;
typedef struct WDFWORKITEM__ *WDFWORKITEM;
typedef struct WDFSPINLOCK__ *WDFSPINLOCK;
typedef struct WDFWAITLOCK__ *WDFWAITLOCK;
typedef struct WDFCMRESLIST__ *WDFCMRESLIST;
typedef struct WDFDMAENABLER__ *WDFDMAENABLER;
typedef struct WDFDMATRANSACTION__ *WDFDMATRANSACTION;
typedef struct WDFCOMMONBUFFER__ *WDFCOMMONBUFFER;

typedef enum _WDF_TRI_STATE {
    WdfFalse = 0,
    WdfTrue = 1,
    WdfUseDefault = 2
} WDF_TRI_STATE, *PWDF_TRI_STATE;
/* cffi: end */

#ifdef __cplusplus
}
#endif

#endif
