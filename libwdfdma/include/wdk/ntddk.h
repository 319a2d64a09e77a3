/* What a driver that asks for ntddk.h gets: all of wdm.h. */
#ifndef WDFDMA_WDK_NTDDK_H
#define WDFDMA_WDK_NTDDK_H

#include "wdm.h"

#endif
