#include "CVidxKernels.h"
