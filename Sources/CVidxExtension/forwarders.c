/* Written by scripts/generate-forwarders.py; do not edit. The SQLite functions that VidxSQLite calls,
 * forwarded through the table of routines of the SQLite that loaded the extension (CVidxExtension.c). */
#include <stdarg.h>
#include <stddef.h>

#include <sqlite3ext.h>

#pragma GCC visibility push(hidden)

/* The table; set once, before anything here is called. */
const sqlite3_api_routines *vidx_sqlite;

/* The first version of SQLite whose table has all of these. */
const int vidx_sqlite_minimum = 3038000;

#undef sqlite3_backup_finish
int sqlite3_backup_finish(sqlite3_backup *a0) {
  return vidx_sqlite->backup_finish(a0);
}

#undef sqlite3_backup_init
sqlite3_backup *sqlite3_backup_init(sqlite3 *a0, const char *a1, sqlite3 *a2, const char *a3) {
  return vidx_sqlite->backup_init(a0, a1, a2, a3);
}

#undef sqlite3_backup_pagecount
int sqlite3_backup_pagecount(sqlite3_backup *a0) {
  return vidx_sqlite->backup_pagecount(a0);
}

#undef sqlite3_backup_remaining
int sqlite3_backup_remaining(sqlite3_backup *a0) {
  return vidx_sqlite->backup_remaining(a0);
}

#undef sqlite3_backup_step
int sqlite3_backup_step(sqlite3_backup *a0, int a1) {
  return vidx_sqlite->backup_step(a0, a1);
}

#undef sqlite3_bind_blob64
int sqlite3_bind_blob64(sqlite3_stmt *a0, int a1, const void *a2, sqlite3_uint64 a3, void(*a4)(void*)) {
  return vidx_sqlite->bind_blob64(a0, a1, a2, a3, a4);
}

#undef sqlite3_bind_double
int sqlite3_bind_double(sqlite3_stmt *a0, int a1, double a2) {
  return vidx_sqlite->bind_double(a0, a1, a2);
}

#undef sqlite3_bind_int64
int sqlite3_bind_int64(sqlite3_stmt *a0, int a1, sqlite3_int64 a2) {
  return vidx_sqlite->bind_int64(a0, a1, a2);
}

#undef sqlite3_bind_null
int sqlite3_bind_null(sqlite3_stmt *a0, int a1) {
  return vidx_sqlite->bind_null(a0, a1);
}

#undef sqlite3_bind_parameter_count
int sqlite3_bind_parameter_count(sqlite3_stmt *a0) {
  return vidx_sqlite->bind_parameter_count(a0);
}

#undef sqlite3_bind_parameter_name
const char *sqlite3_bind_parameter_name(sqlite3_stmt *a0, int a1) {
  return vidx_sqlite->bind_parameter_name(a0, a1);
}

#undef sqlite3_bind_text
int sqlite3_bind_text(sqlite3_stmt *a0, int a1, const char *a2, int a3, void(*a4)(void*)) {
  return vidx_sqlite->bind_text(a0, a1, a2, a3, a4);
}

#undef sqlite3_bind_text64
int sqlite3_bind_text64(sqlite3_stmt *a0, int a1, const char *a2, sqlite3_uint64 a3, void(*a4)(void*), unsigned char a5) {
  return vidx_sqlite->bind_text64(a0, a1, a2, a3, a4, a5);
}

#undef sqlite3_bind_zeroblob
int sqlite3_bind_zeroblob(sqlite3_stmt *a0, int a1, int a2) {
  return vidx_sqlite->bind_zeroblob(a0, a1, a2);
}

#undef sqlite3_busy_timeout
int sqlite3_busy_timeout(sqlite3 *a0, int a1) {
  return vidx_sqlite->busy_timeout(a0, a1);
}

#undef sqlite3_changes
int sqlite3_changes(sqlite3 *a0) {
  return vidx_sqlite->changes(a0);
}

#undef sqlite3_clear_bindings
int sqlite3_clear_bindings(sqlite3_stmt *a0) {
  return vidx_sqlite->clear_bindings(a0);
}

#undef sqlite3_close
int sqlite3_close(sqlite3 *a0) {
  return vidx_sqlite->close(a0);
}

#undef sqlite3_close_v2
int sqlite3_close_v2(sqlite3 *a0) {
  return vidx_sqlite->close_v2(a0);
}

#undef sqlite3_column_blob
const void *sqlite3_column_blob(sqlite3_stmt *a0, int a1) {
  return vidx_sqlite->column_blob(a0, a1);
}

#undef sqlite3_column_bytes
int sqlite3_column_bytes(sqlite3_stmt *a0, int a1) {
  return vidx_sqlite->column_bytes(a0, a1);
}

#undef sqlite3_column_count
int sqlite3_column_count(sqlite3_stmt *a0) {
  return vidx_sqlite->column_count(a0);
}

#undef sqlite3_column_double
double sqlite3_column_double(sqlite3_stmt *a0, int a1) {
  return vidx_sqlite->column_double(a0, a1);
}

#undef sqlite3_column_int64
sqlite3_int64 sqlite3_column_int64(sqlite3_stmt *a0, int a1) {
  return vidx_sqlite->column_int64(a0, a1);
}

#undef sqlite3_column_name
const char *sqlite3_column_name(sqlite3_stmt *a0, int a1) {
  return vidx_sqlite->column_name(a0, a1);
}

#undef sqlite3_column_text
const unsigned char *sqlite3_column_text(sqlite3_stmt *a0, int a1) {
  return vidx_sqlite->column_text(a0, a1);
}

#undef sqlite3_column_type
int sqlite3_column_type(sqlite3_stmt *a0, int a1) {
  return vidx_sqlite->column_type(a0, a1);
}

#undef sqlite3_create_function_v2
int sqlite3_create_function_v2(sqlite3 *a0, const char *a1, int a2, int a3, void *a4, void (*a5)(sqlite3_context*,int,sqlite3_value**), void (*a6)(sqlite3_context*,int,sqlite3_value**), void (*a7)(sqlite3_context*), void(*a8)(void*)) {
  return vidx_sqlite->create_function_v2(a0, a1, a2, a3, a4, a5, a6, a7, a8);
}

#undef sqlite3_create_module_v2
int sqlite3_create_module_v2(sqlite3 *a0, const char *a1, const sqlite3_module *a2, void *a3, void(*a4)(void*)) {
  return vidx_sqlite->create_module_v2(a0, a1, a2, a3, a4);
}

#undef sqlite3_db_filename
sqlite3_filename sqlite3_db_filename(sqlite3 *a0, const char *a1) {
  return vidx_sqlite->db_filename(a0, a1);
}

#undef sqlite3_db_mutex
sqlite3_mutex *sqlite3_db_mutex(sqlite3 *a0) {
  return vidx_sqlite->db_mutex(a0);
}

#undef sqlite3_db_readonly
int sqlite3_db_readonly(sqlite3 *a0, const char *a1) {
  return vidx_sqlite->db_readonly(a0, a1);
}

#undef sqlite3_declare_vtab
int sqlite3_declare_vtab(sqlite3 *a0, const char *a1) {
  return vidx_sqlite->declare_vtab(a0, a1);
}

#undef sqlite3_errcode
int sqlite3_errcode(sqlite3 *a0) {
  return vidx_sqlite->errcode(a0);
}

#undef sqlite3_errmsg
const char *sqlite3_errmsg(sqlite3 *a0) {
  return vidx_sqlite->errmsg(a0);
}

#undef sqlite3_error_offset
int sqlite3_error_offset(sqlite3 *a0) {
  return vidx_sqlite->error_offset(a0);
}

#undef sqlite3_errstr
const char *sqlite3_errstr(int a0) {
  return vidx_sqlite->errstr(a0);
}

#undef sqlite3_exec
int sqlite3_exec(sqlite3 *a0, const char *a1, int (*a2)(void*,int,char**,char**), void *a3, char **a4) {
  return vidx_sqlite->exec(a0, a1, a2, a3, a4);
}

#undef sqlite3_extended_errcode
int sqlite3_extended_errcode(sqlite3 *a0) {
  return vidx_sqlite->extended_errcode(a0);
}

#undef sqlite3_file_control
int sqlite3_file_control(sqlite3 *a0, const char *a1, int a2, void *a3) {
  return vidx_sqlite->file_control(a0, a1, a2, a3);
}

#undef sqlite3_finalize
int sqlite3_finalize(sqlite3_stmt *a0) {
  return vidx_sqlite->finalize(a0);
}

#undef sqlite3_free
void sqlite3_free(void *a0) {
  vidx_sqlite->free(a0);
}

#undef sqlite3_get_autocommit
int sqlite3_get_autocommit(sqlite3 *a0) {
  return vidx_sqlite->get_autocommit(a0);
}

#undef sqlite3_get_auxdata
void *sqlite3_get_auxdata(sqlite3_context *a0, int a1) {
  return vidx_sqlite->get_auxdata(a0, a1);
}

#undef sqlite3_interrupt
void sqlite3_interrupt(sqlite3 *a0) {
  vidx_sqlite->interruptx(a0);
}

#undef sqlite3_last_insert_rowid
sqlite3_int64 sqlite3_last_insert_rowid(sqlite3 *a0) {
  return vidx_sqlite->last_insert_rowid(a0);
}

#undef sqlite3_log
void sqlite3_log(int code, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  char *text = vidx_sqlite->vmprintf(format, arguments);
  va_end(arguments);
  vidx_sqlite->log(code, "%s", text ? text : "out of memory");
  vidx_sqlite->free(text);
}

#undef sqlite3_mprintf
char *sqlite3_mprintf(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  char *text = vidx_sqlite->vmprintf(format, arguments);
  va_end(arguments);
  return text;
}

#undef sqlite3_next_stmt
sqlite3_stmt *sqlite3_next_stmt(sqlite3 *a0, sqlite3_stmt *a1) {
  return vidx_sqlite->next_stmt(a0, a1);
}

#undef sqlite3_open_v2
int sqlite3_open_v2(const char *a0, sqlite3 **a1, int a2, const char *a3) {
  return vidx_sqlite->open_v2(a0, a1, a2, a3);
}

#undef sqlite3_prepare_v3
int sqlite3_prepare_v3(sqlite3 *a0, const char *a1, int a2, unsigned int a3, sqlite3_stmt **a4, const char **a5) {
  return vidx_sqlite->prepare_v3(a0, a1, a2, a3, a4, a5);
}

#undef sqlite3_progress_handler
void sqlite3_progress_handler(sqlite3 *a0, int a1, int(*a2)(void*), void *a3) {
  vidx_sqlite->progress_handler(a0, a1, a2, a3);
}

#undef sqlite3_reset
int sqlite3_reset(sqlite3_stmt *a0) {
  return vidx_sqlite->reset(a0);
}

#undef sqlite3_result_blob64
void sqlite3_result_blob64(sqlite3_context *a0, const void *a1, sqlite3_uint64 a2, void(*a3)(void*)) {
  vidx_sqlite->result_blob64(a0, a1, a2, a3);
}

#undef sqlite3_result_double
void sqlite3_result_double(sqlite3_context *a0, double a1) {
  vidx_sqlite->result_double(a0, a1);
}

#undef sqlite3_result_error
void sqlite3_result_error(sqlite3_context *a0, const char *a1, int a2) {
  vidx_sqlite->result_error(a0, a1, a2);
}

#undef sqlite3_result_int64
void sqlite3_result_int64(sqlite3_context *a0, sqlite3_int64 a1) {
  vidx_sqlite->result_int64(a0, a1);
}

#undef sqlite3_result_null
void sqlite3_result_null(sqlite3_context *a0) {
  vidx_sqlite->result_null(a0);
}

#undef sqlite3_result_text
void sqlite3_result_text(sqlite3_context *a0, const char *a1, int a2, void(*a3)(void*)) {
  vidx_sqlite->result_text(a0, a1, a2, a3);
}

#undef sqlite3_result_text64
void sqlite3_result_text64(sqlite3_context *a0, const char *a1, sqlite3_uint64 a2, void(*a3)(void*), unsigned char a4) {
  vidx_sqlite->result_text64(a0, a1, a2, a3, a4);
}

#undef sqlite3_result_zeroblob
void sqlite3_result_zeroblob(sqlite3_context *a0, int a1) {
  vidx_sqlite->result_zeroblob(a0, a1);
}

#undef sqlite3_set_authorizer
int sqlite3_set_authorizer(sqlite3 *a0, int (*a1)(void*,int,const char*,const char*,const char*,const char*), void *a2) {
  return vidx_sqlite->set_authorizer(a0, a1, a2);
}

#undef sqlite3_set_auxdata
void sqlite3_set_auxdata(sqlite3_context *a0, int a1, void *a2, void (*a3)(void*)) {
  vidx_sqlite->set_auxdata(a0, a1, a2, a3);
}

#undef sqlite3_set_last_insert_rowid
void sqlite3_set_last_insert_rowid(sqlite3 *a0, sqlite3_int64 a1) {
  vidx_sqlite->set_last_insert_rowid(a0, a1);
}

#undef sqlite3_sql
const char *sqlite3_sql(sqlite3_stmt *a0) {
  return vidx_sqlite->sql(a0);
}

#undef sqlite3_step
int sqlite3_step(sqlite3_stmt *a0) {
  return vidx_sqlite->step(a0);
}

#undef sqlite3_stmt_busy
int sqlite3_stmt_busy(sqlite3_stmt *a0) {
  return vidx_sqlite->stmt_busy(a0);
}

#undef sqlite3_stmt_isexplain
int sqlite3_stmt_isexplain(sqlite3_stmt *a0) {
  return vidx_sqlite->stmt_isexplain(a0);
}

#undef sqlite3_stmt_readonly
int sqlite3_stmt_readonly(sqlite3_stmt *a0) {
  return vidx_sqlite->stmt_readonly(a0);
}

#undef sqlite3_stmt_status
int sqlite3_stmt_status(sqlite3_stmt *a0, int a1, int a2) {
  return vidx_sqlite->stmt_status(a0, a1, a2);
}

#undef sqlite3_strglob
int sqlite3_strglob(const char *a0, const char *a1) {
  return vidx_sqlite->strglob(a0, a1);
}

#undef sqlite3_stricmp
int sqlite3_stricmp(const char *a0, const char *a1) {
  return vidx_sqlite->stricmp(a0, a1);
}

#undef sqlite3_strlike
int sqlite3_strlike(const char *a0, const char *a1, unsigned int a2) {
  return vidx_sqlite->strlike(a0, a1, a2);
}

#undef sqlite3_table_column_metadata
int sqlite3_table_column_metadata(sqlite3 *a0, const char *a1, const char *a2, const char *a3, char const **a4, char const **a5, int *a6, int *a7, int *a8) {
  return vidx_sqlite->table_column_metadata(a0, a1, a2, a3, a4, a5, a6, a7, a8);
}

#undef sqlite3_threadsafe
int sqlite3_threadsafe(void) {
  return vidx_sqlite->xthreadsafe();
}

#undef sqlite3_total_changes64
sqlite3_int64 sqlite3_total_changes64(sqlite3 *a0) {
  return vidx_sqlite->total_changes64(a0);
}

#undef sqlite3_txn_state
int sqlite3_txn_state(sqlite3 *a0, const char *a1) {
  return vidx_sqlite->txn_state(a0, a1);
}

#undef sqlite3_uri_boolean
int sqlite3_uri_boolean(sqlite3_filename a0, const char *a1, int a2) {
  return vidx_sqlite->uri_boolean(a0, a1, a2);
}

#undef sqlite3_user_data
void *sqlite3_user_data(sqlite3_context *a0) {
  return vidx_sqlite->user_data(a0);
}

#undef sqlite3_value_blob
const void *sqlite3_value_blob(sqlite3_value *a0) {
  return vidx_sqlite->value_blob(a0);
}

#undef sqlite3_value_bytes
int sqlite3_value_bytes(sqlite3_value *a0) {
  return vidx_sqlite->value_bytes(a0);
}

#undef sqlite3_value_double
double sqlite3_value_double(sqlite3_value *a0) {
  return vidx_sqlite->value_double(a0);
}

#undef sqlite3_value_int64
sqlite3_int64 sqlite3_value_int64(sqlite3_value *a0) {
  return vidx_sqlite->value_int64(a0);
}

#undef sqlite3_value_nochange
int sqlite3_value_nochange(sqlite3_value *a0) {
  return vidx_sqlite->value_nochange(a0);
}

#undef sqlite3_value_numeric_type
int sqlite3_value_numeric_type(sqlite3_value *a0) {
  return vidx_sqlite->value_numeric_type(a0);
}

#undef sqlite3_value_text
const unsigned char *sqlite3_value_text(sqlite3_value *a0) {
  return vidx_sqlite->value_text(a0);
}

#undef sqlite3_value_type
int sqlite3_value_type(sqlite3_value *a0) {
  return vidx_sqlite->value_type(a0);
}

#undef sqlite3_vfs_find
sqlite3_vfs *sqlite3_vfs_find(const char *a0) {
  return vidx_sqlite->vfs_find(a0);
}

#undef sqlite3_vtab_collation
const char *sqlite3_vtab_collation(sqlite3_index_info *a0, int a1) {
  return vidx_sqlite->vtab_collation(a0, a1);
}

#undef sqlite3_vtab_config
int sqlite3_vtab_config(sqlite3 *db, int op, ...) {
  va_list arguments;
  va_start(arguments, op);
  int value = op == SQLITE_VTAB_CONSTRAINT_SUPPORT ? va_arg(arguments, int) : 0;
  va_end(arguments);
  return vidx_sqlite->vtab_config(db, op, value);
}

#undef sqlite3_vtab_distinct
int sqlite3_vtab_distinct(sqlite3_index_info *a0) {
  return vidx_sqlite->vtab_distinct(a0);
}

#undef sqlite3_vtab_in
int sqlite3_vtab_in(sqlite3_index_info *a0, int a1, int a2) {
  return vidx_sqlite->vtab_in(a0, a1, a2);
}

#undef sqlite3_vtab_in_first
int sqlite3_vtab_in_first(sqlite3_value *a0, sqlite3_value **a1) {
  return vidx_sqlite->vtab_in_first(a0, a1);
}

#undef sqlite3_vtab_in_next
int sqlite3_vtab_in_next(sqlite3_value *a0, sqlite3_value **a1) {
  return vidx_sqlite->vtab_in_next(a0, a1);
}

#undef sqlite3_vtab_nochange
int sqlite3_vtab_nochange(sqlite3_context *a0) {
  return vidx_sqlite->vtab_nochange(a0);
}

#undef sqlite3_vtab_on_conflict
int sqlite3_vtab_on_conflict(sqlite3 *a0) {
  return vidx_sqlite->vtab_on_conflict(a0);
}

#undef sqlite3_vtab_rhs_value
int sqlite3_vtab_rhs_value(sqlite3_index_info *a0, int a1, sqlite3_value **a2) {
  return vidx_sqlite->vtab_rhs_value(a0, a1, a2);
}

#pragma GCC visibility pop
