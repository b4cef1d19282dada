#ifndef CVIDXEXTENSION_H
#define CVIDXEXTENSION_H

/* The entry points of libvidx.so are in CVidxExtension.c. Nothing here is called from Swift: VidxExtension depends on
 * this target so that its objects are in the library. */

#endif
