// VidxSQLite
