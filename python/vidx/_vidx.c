/* The call path from Python to libvidx (vidx.h): one query costs one call, no copy, and the interpreter lock is
 * released meanwhile. Arrays come in through the buffer protocol and go out as what numpy.empty makes, so that neither
 * NumPy's headers nor its ABI are needed; the limited API of Python 3.11 makes one binary do for all later versions.
 *
 * Nothing is linked: _load(path, ...) loads the library, once. Arguments are made ready by vidx/__init__.py, except on
 * the path of a query. */
#define Py_LIMITED_API 0x030B0000
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "vidx.h"

/* ---- The library ---- */

static struct {
  void *handle;
  __typeof__(vidx_version) *version;
  __typeof__(vidx_free) *free;
  __typeof__(vidx_build_filtered) *build;
  __typeof__(vidx_open) *open;
  __typeof__(vidx_close) *close;
  __typeof__(vidx_refresh) *refresh;
  __typeof__(vidx_dimensions) *dimensions;
  __typeof__(vidx_search) *search;
  __typeof__(vidx_search_batch) *search_batch;
  __typeof__(vidx_info) *info;
  __typeof__(vidx_filter_where) *filter_where;
  __typeof__(vidx_filter_ids) *filter_ids;
  __typeof__(vidx_filter_columns) *filter_columns;
  __typeof__(vidx_filter_all) *filter_all;
  __typeof__(vidx_filter_free) *filter_free;
  __typeof__(vidx_last_search) *last_search;
} library;

/* What Python hands over: a tuple of exception classes by code, numpy.empty, dtypes, and what makes a float32 array and
 * one of row ids. */
static PyObject *errors, *numpy_empty, *numpy_int64, *numpy_float32, *as_floats, *as_ids, *as_tests;

/* Structures of another interface would be read as what they are not. 0 with an exception. */
static int check_abi(void *handle, const char *path) {
  int (*abi)(void) = (int (*)(void))dlsym(handle, "vidx_abi");
  int found = abi ? abi() : 0;
  if (found == VIDX_ABI) return 1;
  PyErr_Format(PyExc_ImportError,
               "%s is a libvidx of interface %d, and this package is for %d: install both from one checkout "
               "(make build, then pip install ./python), or take VIDX_LIBRARY away if it names another library",
               path, found, VIDX_ABI);
  return 0;
}

static PyObject *load(PyObject *module, PyObject *args) {
  (void)module;
  const char *path;
  PyObject *classes, *empty, *int64, *float32, *convert, *convert_ids, *convert_tests;
  if (!PyArg_ParseTuple(args, "sO!OOOOOO", &path, &PyTuple_Type, &classes, &empty, &int64, &float32, &convert,
                        &convert_ids, &convert_tests))
    return NULL;
  void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!handle) return PyErr_Format(PyExc_ImportError, "%s", dlerror());
  if (!check_abi(handle, path)) return NULL;
  struct { const char *name; void **function; } functions[] = {
      {"vidx_version", (void **)&library.version},
      {"vidx_free", (void **)&library.free},
      {"vidx_build_filtered", (void **)&library.build},
      {"vidx_open", (void **)&library.open},
      {"vidx_close", (void **)&library.close},
      {"vidx_refresh", (void **)&library.refresh},
      {"vidx_dimensions", (void **)&library.dimensions},
      {"vidx_search", (void **)&library.search},
      {"vidx_search_batch", (void **)&library.search_batch},
      {"vidx_info", (void **)&library.info},
      {"vidx_filter_where", (void **)&library.filter_where},
      {"vidx_filter_ids", (void **)&library.filter_ids},
      {"vidx_filter_columns", (void **)&library.filter_columns},
      {"vidx_filter_all", (void **)&library.filter_all},
      {"vidx_filter_free", (void **)&library.filter_free},
      {"vidx_last_search", (void **)&library.last_search},
  };
  for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
    *functions[i].function = dlsym(handle, functions[i].name);
    if (!*functions[i].function)
      return PyErr_Format(PyExc_ImportError, "%s lacks %s: build it again (make build)", path, functions[i].name);
  }
  library.handle = handle;
  errors = Py_NewRef(classes);
  numpy_empty = Py_NewRef(empty);
  numpy_int64 = Py_NewRef(int64);
  numpy_float32 = Py_NewRef(float32);
  as_floats = Py_NewRef(convert);
  as_ids = Py_NewRef(convert_ids);
  as_tests = Py_NewRef(convert_tests);
  return PyUnicode_FromString(library.version());
}

/* Raises the error of a code; frees the message. */
static PyObject *raise(int code, char *message) {
  PyObject *type = PyTuple_GetItem(errors, code < PyTuple_Size(errors) ? code : VIDX_ERROR);
  if (type) PyErr_SetString(type, message ? message : "out of memory");
  library.free(message);
  return NULL;
}

static PyObject *argument_error(void) { return PyTuple_GetItem(errors, VIDX_BAD_ARGUMENT); }

/* ---- Arrays ---- */

/* Float vectors in somebody's memory. */
typedef struct {
  Py_buffer view;
  const float *floats;
  size_t count, dimensions;
} vectors;

static int is_float32(const Py_buffer *view) {
  const char *format = view->format;
  return format && view->itemsize == 4 && (!strcmp(format, "f") || !strcmp(format, "<f") || !strcmp(format, "=f"));
}

static int get_buffer(PyObject *object, int rank, Py_buffer *view) {
  if (PyObject_GetBuffer(object, view, PyBUF_FORMAT | PyBUF_C_CONTIGUOUS) != 0) {
    PyErr_Clear();
    return 0;
  }
  if (is_float32(view) && view->ndim == rank) return 1;
  PyBuffer_Release(view);
  return 0;
}

/* The floats of an array of float32 in C order as they are; anything else is converted, once. 0 with an exception. */
static int get_vectors(PyObject *object, int rank, vectors *result) {
  if (!get_buffer(object, rank, &result->view)) {
    PyObject *array = PyObject_CallFunction(as_floats, "Oi", object, rank);
    if (!array) return 0;
    int done = get_buffer(array, rank, &result->view);
    Py_DECREF(array); /* the view keeps it */
    if (!done) {
      PyErr_SetString(PyExc_TypeError, "vectors cannot be read as an array of float32");
      return 0;
    }
  }
  result->floats = result->view.buf;
  result->count = rank == 2 ? (size_t)result->view.shape[0] : 1;
  result->dimensions = (size_t)result->view.shape[rank - 1];
  return 1;
}

/* A new array, and its memory. NULL with an exception. */
static PyObject *new_array(PyObject *shape, PyObject *dtype, void **memory) {
  PyObject *array = PyObject_CallFunctionObjArgs(numpy_empty, shape, dtype, NULL);
  if (!array) return NULL;
  Py_buffer view;
  if (PyObject_GetBuffer(array, &view, PyBUF_WRITABLE) != 0) {
    Py_DECREF(array);
    return NULL;
  }
  /* The array is ours and of fixed size: its memory stays where it is. */
  *memory = view.buf;
  PyBuffer_Release(&view);
  return array;
}

/* ---- Arguments and filters of a search, Ctrl-C ---- */

#include "_arguments.h"
#include "_filters.h"
#include "_interruption.h"

/* ---- Index ---- */

typedef struct {
  PyObject_HEAD
  vidx_index *index; /* NULL once it is closed */
  Py_ssize_t users;  /* calls that use it just now, on any thread; guarded by the interpreter lock */
  int closing;       /* the last of them is to close it */
  recent_filters recent;
} index_object;

static void close_now(index_object *self) {
  vidx_index *index = self->index;
  self->index = NULL;
  forget_filters(&self->recent);
  if (index) library.close(index);
}

/* Makes the index stay open during a call. 0 with an exception when it is closed. */
static int begin_use(index_object *self) {
  if (!self->index || self->closing) {
    PyErr_SetString(argument_error(), "the index is closed; open it again");
    return 0;
  }
  self->users++;
  return 1;
}

static void end_use(index_object *self) {
  if (--self->users == 0 && self->closing) close_now(self);
}

static PyObject *index_new(PyTypeObject *type, PyObject *args, PyObject *keywords) {
  static char *names[] = {"path", "name", "snapshot", NULL};
  PyObject *path;
  const char *name;
  int snapshot;
  if (!PyArg_ParseTupleAndKeywords(args, keywords, "O&sp", names, PyUnicode_FSConverter, &path, &name, &snapshot))
    return NULL;
  allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
  index_object *self = (index_object *)allocate(type, 0);
  if (!self) goto done;
  const char *text = PyBytes_AsString(path);
  char *message = NULL;
  int code;
  Py_BEGIN_ALLOW_THREADS
  code = library.open(text, name, snapshot ? VIDX_SNAPSHOT : 0, &self->index, &message);
  Py_END_ALLOW_THREADS
  if (code != VIDX_OK) {
    self->index = NULL;
    raise(code, message);
    Py_DECREF(self);
    self = NULL;
  }
done:
  Py_DECREF(path);
  return (PyObject *)self;
}

static void index_dealloc(index_object *self) {
  PyTypeObject *type = Py_TYPE((PyObject *)self);
  close_now(self);
  freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
  release(self);
  Py_DECREF(type);
}

/* ---- Searching ---- */

static PyObject *first_items(PyObject *array, size_t count) {
  PyObject *part = PySequence_GetSlice(array, 0, (Py_ssize_t)count);
  Py_DECREF(array);
  return part;
}

static PyObject *pair(PyObject *ids, PyObject *distances) {
  PyObject *result = ids && distances ? PyTuple_Pack(2, ids, distances) : NULL;
  Py_XDECREF(ids);
  Py_XDECREF(distances);
  return result;
}

static PyObject *index_search(index_object *self, PyObject *const *args, Py_ssize_t positional, PyObject *keywords) {
  search_arguments wanted;
  vectors query;
  if (!get_arguments(args, positional, keywords, "query", THREADS, &wanted) || !check_k(wanted.k)) return NULL;
  if (!get_vectors(wanted.query, 1, &query)) return NULL;
  void *ids_memory, *distances_memory;
  PyObject *k = PyLong_FromSsize_t(wanted.k), *ids = NULL, *distances = NULL;
  if (k) ids = new_array(k, numpy_int64, &ids_memory);
  if (ids) distances = new_array(k, numpy_float32, &distances_memory);
  Py_XDECREF(k);
  if (!distances || !begin_use(self)) goto failed;
  search_filter filter;
  if (!begin_filter(self->index, &self->recent, &wanted, &filter)) {
    end_use(self);
    goto failed;
  }
  size_t found = 0;
  char *message = NULL;
  int code;
  interruption state = {.thread = pthread_self()};
  wanted.settings.cancel = ask_signals;
  wanted.settings.cancel_context = &state;
  Py_BEGIN_ALLOW_THREADS
  code = library.search(self->index, query.floats, query.dimensions, (size_t)wanted.k, &wanted.settings, ids_memory,
                        distances_memory, &found, &message);
  Py_END_ALLOW_THREADS
  end_filter(&filter);
  end_use(self);
  if (code != VIDX_OK) {
    raise_outcome(code, message);
    goto failed;
  }
  PyBuffer_Release(&query.view);
  if (found == (size_t)wanted.k) return pair(ids, distances);
  return pair(first_items(ids, found), first_items(distances, found));
failed:
  PyBuffer_Release(&query.view);
  Py_XDECREF(ids);
  Py_XDECREF(distances);
  return NULL;
}

static PyObject *index_search_batch(index_object *self, PyObject *const *args, Py_ssize_t positional,
                                    PyObject *keywords) {
  search_arguments wanted;
  vectors queries;
  if (!get_arguments(args, positional, keywords, "queries", ARGUMENTS, &wanted) || !check_k(wanted.k)) return NULL;
  if (wanted.threads < 0) {
    PyErr_SetString(argument_error(), "threads is negative; 0 is as many as processors");
    return NULL;
  }
  if (!get_vectors(wanted.query, 2, &queries)) return NULL;
  void *ids_memory, *distances_memory;
  PyObject *shape = Py_BuildValue("nn", (Py_ssize_t)queries.count, wanted.k), *ids = NULL, *distances = NULL;
  if (shape) ids = new_array(shape, numpy_int64, &ids_memory);
  if (ids) distances = new_array(shape, numpy_float32, &distances_memory);
  Py_XDECREF(shape);
  if (!distances || !begin_use(self)) goto failed;
  search_filter filter;
  if (!begin_filter(self->index, &self->recent, &wanted, &filter)) {
    end_use(self);
    goto failed;
  }
  char *message = NULL;
  int code;
  interruption state = {.thread = pthread_self()};
  wanted.settings.cancel = ask_signals;
  wanted.settings.cancel_context = &state;
  Py_BEGIN_ALLOW_THREADS
  code = library.search_batch(self->index, queries.floats, queries.count, queries.dimensions, (size_t)wanted.k,
                              &wanted.settings, (size_t)wanted.threads, ids_memory, distances_memory, &message);
  Py_END_ALLOW_THREADS
  end_filter(&filter);
  end_use(self);
  if (code != VIDX_OK) {
    raise_outcome(code, message);
    goto failed;
  }
  PyBuffer_Release(&queries.view);
  return pair(ids, distances);
failed:
  PyBuffer_Release(&queries.view);
  Py_XDECREF(ids);
  Py_XDECREF(distances);
  return NULL;
}

/* ---- The other methods ---- */

static PyObject *index_info(index_object *self, PyObject *unused) {
  (void)unused;
  if (!begin_use(self)) return NULL;
  char *json = NULL, *message = NULL;
  int code;
  Py_BEGIN_ALLOW_THREADS
  code = library.info(self->index, &json, &message);
  Py_END_ALLOW_THREADS
  end_use(self);
  if (code != VIDX_OK) return raise(code, message);
  PyObject *text = PyUnicode_FromString(json);
  library.free(json);
  return text;
}

static PyObject *index_refresh(index_object *self, PyObject *unused) {
  (void)unused;
  if (!begin_use(self)) return NULL;
  char *message = NULL;
  int code;
  Py_BEGIN_ALLOW_THREADS
  code = library.refresh(self->index, &message);
  Py_END_ALLOW_THREADS
  end_use(self);
  if (code != VIDX_OK) return raise(code, message);
  Py_RETURN_NONE;
}

static PyObject *index_last_search(PyObject *self, PyObject *unused) {
  (void)self, (void)unused;
  vidx_search_report report;
  library.last_search(&report);
  if (!report.plan) Py_RETURN_NONE;
  PyObject *cached = report.filtered ? (report.filter_cached ? Py_True : Py_False) : Py_None;
  PyObject *yielded = report.filtered ? PyLong_FromUnsignedLongLong(report.rows_yielded) : Py_NewRef(Py_None);
  PyObject *without = report.filtered && report.rows_without_vector != VIDX_UNKNOWN
                          ? PyLong_FromUnsignedLongLong(report.rows_without_vector)
                          : Py_NewRef(Py_None);
  PyObject *checked = report.filtered ? PyLong_FromUnsignedLongLong(report.rows_checked) : Py_NewRef(Py_None);
  if (!yielded || !without || !checked) {
    Py_XDECREF(yielded);
    Py_XDECREF(without);
    Py_XDECREF(checked);
    return NULL;
  }
  return Py_BuildValue("{sssOsOsKsNsNsNsKsO}", "plan", report.plan, "exact", report.exact ? Py_True : Py_False,
                       "complete", report.complete ? Py_True : Py_False, "rows_scored",
                       (unsigned long long)report.rows_scored, "rows_yielded", yielded, "rows_without_vector", without,
                       "rows_checked", checked, "distance_computations",
                       (unsigned long long)report.distance_computations, "filter_cached", cached);
}

static PyObject *index_close(index_object *self, PyObject *unused) {
  (void)unused;
  if (self->users > 0) self->closing = 1;
  else close_now(self);
  Py_RETURN_NONE;
}

static PyObject *index_closed(index_object *self, void *unused) {
  (void)unused;
  return PyBool_FromLong(!self->index || self->closing);
}

static PyObject *index_dimensions(index_object *self, void *unused) {
  (void)unused;
  if (!begin_use(self)) return NULL;
  size_t dimensions;
  Py_BEGIN_ALLOW_THREADS
  dimensions = library.dimensions(self->index);
  Py_END_ALLOW_THREADS
  end_use(self);
  return PyLong_FromSize_t(dimensions);
}

static PyMethodDef index_methods[] = {
    {"search", (PyCFunction)(void (*)(void))index_search, METH_FASTCALL | METH_KEYWORDS,
     "search(query, k=10, *, ef_search=None, probes=None, target_recall=None, exact=False, plan=None, where=None,\n"
     "parameters=(), ids=None, filter=None, within=None, after=None, timeout=None, model=None)\n--\n\n"
     "The k rows nearest to one vector: (ids int64, distances float32), nearest first; fewer than k when the index\n"
     "has fewer rows. Only rows for which the SQL condition `where` holds, with `parameters` for its `?`, that have\n"
     "one of the `ids`, and that pass the tests of filter columns in `filter`; of those given, all hold. Only rows\n"
     "at the distance `within` or nearer; and only those after the row `after`, a (distance, id) or START: a page,\n"
     "which is exact. `timeout` is for the condition, in seconds. `plan` is 'exact', 'graph' or 'lists' in place of\n"
     "the planner's choice. `model` names the embedding model of the query: a ModelError when the index names\n"
     "another, or none. Any number of threads may search at once."},
    {"search_batch", (PyCFunction)(void (*)(void))index_search_batch, METH_FASTCALL | METH_KEYWORDS,
     "search_batch(queries, k=10, *, ef_search=None, probes=None, target_recall=None, exact=False, plan=None,\n"
     "where=None, parameters=(), ids=None, filter=None, within=None, after=None, timeout=None, model=None,\n"
     "threads=2)\n--\n\n"
     "The k rows nearest to each of many vectors, all on one state of the index: (ids int64, distances float32),\n"
     "each len(queries) x k; where fewer rows are found, -1 and infinity."},
    {"_info", (PyCFunction)index_info, METH_NOARGS, NULL},
    {"last_search", (PyCFunction)index_last_search, METH_NOARGS,
     "last_search()\n--\n\nWhat the last search of this thread did, of any index: a dict of plan, exact, complete,\n"
     "rows_scored, rows_yielded, rows_without_vector, rows_checked, distance_computations and filter_cached; those\n"
     "of a filter are None without one, and rows_without_vector when nobody looked. For a batch that of all its\n"
     "queries together. None before the first, and after an error."},
    {"refresh", (PyCFunction)index_refresh, METH_NOARGS,
     "refresh()\n--\n\nWith snapshot=True: searches see what is committed now."},
    {"close", (PyCFunction)index_close, METH_NOARGS,
     "close()\n--\n\nEnds the use of the index, once the searches that run are done. Twice is no error."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef index_properties[] = {
    {"closed", (getter)index_closed, NULL, "Whether close() has been called.", NULL},
    {"dimensions", (getter)index_dimensions, NULL, "The components of every vector.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot index_slots[] = {
    {Py_tp_new, index_new},
    {Py_tp_dealloc, index_dealloc},
    {Py_tp_methods, index_methods},
    {Py_tp_getset, index_properties},
    {0, NULL},
};

static PyType_Spec index_spec = {"vidx._vidx.Index", sizeof(index_object), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
                                 index_slots};

/* ---- Building ---- */

/* Ctrl-C ends a build: its thread, which takes part in it, sees to it; others may not. */
static int report(void *context, const char *stage, size_t done, size_t total) {
  (void)stage, (void)done, (void)total;
  interruption *state = context;
  return pthread_equal(pthread_self(), state->thread) && ask_signals(state);
}

/* A filter column of a new index, and what holds its values. */
typedef struct {
  vidx_value *values;
  Py_buffer view;
} column_memory;

static int get_cells(PyObject *list, vidx_value *values) {
  for (Py_ssize_t i = 0, count = PyList_Size(list); i < count; i++) {
    PyObject *cell = PyList_GetItem(list, i); /* the list keeps it, and with it the bytes of a text or blob */
    Py_buffer view = {0};
    if (PyBytes_Check(cell)) {
      char *bytes;
      Py_ssize_t size;
      if (PyBytes_AsStringAndSize(cell, &bytes, &size) != 0) return 0;
      values[i] = (vidx_value){.type = VIDX_BLOB, .bytes = bytes, .count = (size_t)size};
    } else if (!get_value(cell, &values[i], &view)) {
      return 0;
    } else if (view.obj) {
      PyBuffer_Release(&view);
      PyErr_Format(argument_error(), "value %zd of a filter column is %R; give None, numbers, str or bytes", i, cell);
      return 0;
    }
  }
  return 1;
}

/* (name as bytes, int64 or float64 array or list, "i", "f" or "v") */
static int get_column(PyObject *given, vidx_column *column, column_memory *memory) {
  const char *kind;
  PyObject *cells;
  if (!PyArg_ParseTuple(given, "yOs", &column->name, &cells, &kind)) return 0;
  if (*kind == 'v') {
    memory->values = PyMem_Calloc((size_t)PyList_Size(cells) + 1, sizeof *memory->values);
    if (!memory->values) return PyErr_NoMemory() != NULL;
    column->values = memory->values;
    return get_cells(cells, memory->values);
  }
  if (PyObject_GetBuffer(cells, &memory->view, PyBUF_C_CONTIGUOUS) != 0) return 0;
  if (*kind == 'i') column->integers = memory->view.buf;
  else column->reals = memory->view.buf;
  return 1;
}

/* _build(path, name, vectors 2-d float32, ids int64 or None, options tuple of bytes, threads, columns) */
static PyObject *build(PyObject *module, PyObject *args) {
  (void)module;
  PyObject *path, *array, *ids, *options, *filters;
  vidx_column columns[64] = {0};
  column_memory memories[64] = {0};
  Py_ssize_t column_count = 0;
  const char *name, *texts[64];
  Py_ssize_t threads;
  if (!PyArg_ParseTuple(args, "O&sOOO!nO!", PyUnicode_FSConverter, &path, &name, &array, &ids, &PyTuple_Type, &options,
                        &threads, &PyTuple_Type, &filters))
    return NULL;
  vectors source;
  Py_buffer numbers = {0};
  PyObject *result = NULL;
  Py_ssize_t count = PyTuple_Size(options);
  if (count >= (Py_ssize_t)(sizeof texts / sizeof *texts)) count = sizeof texts / sizeof *texts - 1;
  for (Py_ssize_t i = 0; i < count; i++)
    if (!(texts[i] = PyBytes_AsString(PyTuple_GetItem(options, i)))) goto no_source;
  texts[count] = NULL;
  if (!get_vectors(array, 2, &source)) goto no_source;
  if (ids != Py_None && PyObject_GetBuffer(ids, &numbers, PyBUF_C_CONTIGUOUS) != 0) goto no_ids;
  for (; column_count < PyTuple_Size(filters) && column_count < 64; column_count++)
    if (!get_column(PyTuple_GetItem(filters, column_count), &columns[column_count], &memories[column_count]))
      goto no_columns;
  char *message = NULL;
  int code;
  const char *file = PyBytes_AsString(path);
  interruption state = {.thread = pthread_self()};
  Py_BEGIN_ALLOW_THREADS
  code = library.build(file, name, source.floats, source.count, source.dimensions, numbers.buf, texts, columns,
                       (size_t)column_count, (size_t)threads, report, &state, &message);
  Py_END_ALLOW_THREADS
  if (code == VIDX_OK) result = Py_NewRef(Py_None);
  else raise_outcome(code, message);
no_columns:
  for (size_t i = 0; i < sizeof memories / sizeof *memories; i++) {
    if (memories[i].view.obj) PyBuffer_Release(&memories[i].view);
    PyMem_Free(memories[i].values);
  }
  if (ids != Py_None) PyBuffer_Release(&numbers);
no_ids:
  PyBuffer_Release(&source.view);
no_source:
  Py_DECREF(path);
  return result;
}

/* ---- The module ---- */

static PyMethodDef functions[] = {
    {"_load", load, METH_VARARGS, NULL},
    {"_build", build, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_vidx", "The call path to libvidx.", -1, functions, NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__vidx(void) {
  PyObject *module = PyModule_Create(&definition);
  if (!module) return NULL;
  PyObject *type = PyType_FromSpec(&index_spec);
  if (!type || PyModule_AddObjectRef(module, "Index", type) != 0) {
    Py_XDECREF(type);
    Py_DECREF(module);
    return NULL;
  }
  Py_DECREF(type);
  return module;
}
