#include "CVidxExtension.h"
