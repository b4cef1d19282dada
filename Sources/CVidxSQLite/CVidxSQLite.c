#include "CVidxSQLite.h"
