// Vidx
