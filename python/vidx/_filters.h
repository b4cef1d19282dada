/* The filters of searches: what where=, parameters=, filter= and ids= become. Part of _vidx.c. */

/* The filter that a search has used with a condition and its values, for later ones: made of the same text it would be
 * the same. Guarded by the interpreter lock. */
typedef struct {
  vidx_filter *filter; /* NULL: the place is free */
  PyObject *where, *parameters;
  uint64_t last_use;
  Py_ssize_t users;
} recent_filter;

enum { RECENT = 16 };

typedef struct {
  recent_filter entries[RECENT];
  uint64_t uses;
} recent_filters;

static void forget_filter(recent_filter *entry) {
  recent_filter old = *entry;
  memset(entry, 0, sizeof *entry);
  library.filter_free(old.filter);
  Py_XDECREF(old.where);
  Py_XDECREF(old.parameters);
}

static void forget_filters(recent_filters *recent) {
  for (int i = 0; i < RECENT; i++)
    if (recent->entries[i].filter) forget_filter(&recent->entries[i]);
}

/* The filter of a search: its own, or one of the recent. */
typedef struct {
  vidx_filter *filter; /* NULL for all rows */
  recent_filter *entry;
  vidx_filter *own; /* to be freed; NULL when it is one of the recent */
} search_filter;

static void end_filter(search_filter *used) {
  if (used->entry) used->entry->users--;
  library.filter_free(used->own);
}

/* Parameters are the same when their types are: 1 == 1.0 == True, and SQL tells them apart. */
static int same_parameters(PyObject *a, PyObject *b) {
  Py_ssize_t count = PyTuple_Size(a);
  if (a == b) return 1;
  if (count != PyTuple_Size(b)) return 0;
  for (Py_ssize_t i = 0; i < count; i++) {
    PyObject *x = PyTuple_GetItem(a, i), *y = PyTuple_GetItem(b, i);
    if (x == y) continue;
    if (Py_TYPE(x) != Py_TYPE(y)) return 0;
    /* Only what is compared at once, and by value: an array, for one, is not. */
    if (!PyLong_CheckExact(x) && !PyUnicode_CheckExact(x) && !PyFloat_CheckExact(x) && !PyBytes_CheckExact(x)) return 0;
    if (PyObject_RichCompareBool(x, y, Py_EQ) != 1) return 0;
  }
  return 1;
}

static int is_immutable(PyObject *tuple) {
  for (Py_ssize_t i = 0, count = PyTuple_Size(tuple); i < count; i++) {
    PyObject *value = PyTuple_GetItem(tuple, i);
    if (value != Py_None && !PyLong_Check(value) && !PyUnicode_Check(value) && !PyFloat_Check(value) &&
        !PyBytes_Check(value))
      return 0;
  }
  return 1;
}

static recent_filter *find_recent(recent_filters *recent, PyObject *where, PyObject *parameters) {
  for (int i = 0; i < RECENT; i++) {
    recent_filter *entry = &recent->entries[i];
    if (!entry->filter || (entry->where != where && PyUnicode_Compare(entry->where, where) != 0)) continue;
    if (!same_parameters(entry->parameters, parameters)) continue;
    entry->last_use = ++recent->uses;
    return entry;
  }
  return NULL;
}

/* The entry to put a new filter into: the one used longest ago that nobody uses; NULL when all are in use. */
static recent_filter *oldest_recent(recent_filters *recent) {
  recent_filter *oldest = NULL;
  for (int i = 0; i < RECENT; i++) {
    recent_filter *entry = &recent->entries[i];
    if (entry->users == 0 && (!oldest || entry->last_use < oldest->last_use)) oldest = entry;
  }
  return oldest;
}

/* 0 with an exception. `view` is held by `values` from then on when it has a buffer. */
static int get_value(PyObject *object, vidx_value *value, Py_buffer *view) {
  memset(value, 0, sizeof *value);
  if (object == Py_None) return 1;
  if (PyLong_Check(object)) {
    value->type = VIDX_INTEGER;
    value->integer = PyLong_AsLongLong(object);
    return value->integer != -1 || !PyErr_Occurred();
  }
  if (PyFloat_Check(object)) {
    value->type = VIDX_REAL;
    value->real = PyFloat_AsDouble(object);
    return 1;
  }
  if (PyUnicode_Check(object)) {
    Py_ssize_t size;
    value->type = VIDX_TEXT;
    value->bytes = PyUnicode_AsUTF8AndSize(object, &size);
    value->count = (size_t)size;
    return value->bytes != NULL;
  }
  if (PyIndex_Check(object)) { /* numpy's whole numbers */
    PyObject *number = PyNumber_Index(object);
    int done = number && get_value(number, value, view);
    Py_XDECREF(number);
    return done;
  }
  if (PyObject_CheckBuffer(object) && !PyObject_HasAttrString(object, "__float__")) {
    if (PyObject_GetBuffer(object, view, PyBUF_C_CONTIGUOUS) != 0) return 0;
    value->type = VIDX_BLOB;
    value->bytes = view->buf;
    value->count = (size_t)view->len;
    return 1;
  }
  value->type = VIDX_REAL;
  value->real = PyFloat_AsDouble(object);
  return value->real != -1 || !PyErr_Occurred();
}

/* Tests of filter columns, as vidx/__init__.py writes them: after a byte 2, for each a letter from 'a' on (the test),
 * the number of its values, a blank, the name and a byte 31. `used` becomes the number of all their values. */
static int make_columns(vidx_index *index, char *tests, const vidx_value *values, size_t *used, vidx_filter **filter,
                        char **message) {
  vidx_condition conditions[64];
  size_t count = 0;
  *used = 0;
  for (char *next = tests + 1; *next && count < sizeof conditions / sizeof *conditions; count++) {
    conditions[count].test = (uint32_t)(*next++ - 'a');
    conditions[count].count = strtoul(next, &next, 10);
    conditions[count].values = values + *used;
    *used += conditions[count].count;
    conditions[count].column = ++next;
    next = strchr(next, 31);
    *next++ = 0;
  }
  return library.filter_columns(index, conditions, count, filter, message);
}

/* The filter of a text: a condition in SQL, or tests of filter columns, or both with a byte 3 between them. */
static int make_filter(vidx_index *index, char *text, const vidx_value *values, size_t count, vidx_filter **filter,
                       char **message) {
  if (*text != 2) return library.filter_where(index, text, values, count, filter, message);
  char *where = strchr(text, 3);
  if (where) *where++ = 0;
  size_t used;
  vidx_filter *parts[2] = {NULL, NULL};
  int code = make_columns(index, text, values, &used, &parts[0], message);
  if (code == VIDX_OK && !where) {
    *filter = parts[0];
    return code;
  }
  if (code == VIDX_OK) code = library.filter_where(index, where, values + used, count - used, &parts[1], message);
  if (code == VIDX_OK) code = library.filter_all(index, (const vidx_filter *const *)parts, 2, filter, message);
  for (int i = 0; i < 2; i++) library.filter_free(parts[i]);
  return code;
}

/* A new filter of a condition; NULL with an exception. */
static vidx_filter *make_where(vidx_index *index, PyObject *where, PyObject *parameters) {
  Py_ssize_t count = PyTuple_Size(parameters), got = 0;
  vidx_value *values = PyMem_Calloc((size_t)count + 1, sizeof *values);
  Py_buffer *views = PyMem_Calloc((size_t)count + 1, sizeof *views);
  vidx_filter *filter = NULL;
  if (!values || !views) {
    PyErr_NoMemory();
    goto done;
  }
  for (; got < count; got++)
    if (!get_value(PyTuple_GetItem(parameters, got), &values[got], &views[got])) goto done;
  Py_ssize_t size;
  const char *text = PyUnicode_AsUTF8AndSize(where, &size);
  if (!text) goto done;
  if (strlen(text) != (size_t)size) {
    PyErr_SetString(argument_error(), "where has a zero byte in it; leave it out");
    goto done;
  }
  char *message = NULL, *copy = PyMem_Malloc((size_t)size + 1);
  int code;
  if (!copy) {
    PyErr_NoMemory();
    goto done;
  }
  memcpy(copy, text, (size_t)size + 1);
  Py_BEGIN_ALLOW_THREADS
  code = make_filter(index, copy, values, (size_t)count, &filter, &message);
  Py_END_ALLOW_THREADS
  PyMem_Free(copy);
  if (code != VIDX_OK) {
    filter = NULL;
    raise(code, message);
  }
done:
  for (Py_ssize_t i = 0; i < got; i++)
    if (views[i].obj) PyBuffer_Release(&views[i]);
  PyMem_Free(values);
  PyMem_Free(views);
  return filter;
}

static vidx_filter *make_ids(vidx_index *index, PyObject *ids) {
  PyObject *array = PyObject_CallFunctionObjArgs(as_ids, ids, NULL);
  Py_buffer view;
  if (!array) return NULL;
  int got = PyObject_GetBuffer(array, &view, PyBUF_C_CONTIGUOUS);
  Py_DECREF(array); /* the view keeps it */
  if (got != 0) return NULL;
  vidx_filter *filter = NULL;
  char *message = NULL;
  int code;
  Py_BEGIN_ALLOW_THREADS
  code = library.filter_ids(index, view.buf, (size_t)view.len / 8, &filter, &message);
  Py_END_ALLOW_THREADS
  PyBuffer_Release(&view);
  if (code == VIDX_OK) return filter;
  raise(code, message);
  return NULL;
}

static int find_filter(vidx_index *index, recent_filters *recent, PyObject *where, PyObject *parameters,
                       search_filter *result) {
  recent_filter *entry = find_recent(recent, where, parameters);
  if (!entry) {
    vidx_filter *filter = make_where(index, where, parameters);
    if (!filter) return 0;
    result->filter = filter;
    /* Other threads ran meanwhile. */
    entry = is_immutable(parameters) ? oldest_recent(recent) : NULL;
    if (!entry) {
      result->own = filter;
      return 1;
    }
    forget_filter(entry);
    entry->filter = filter;
    entry->where = Py_NewRef(where);
    entry->parameters = Py_NewRef(parameters);
    entry->last_use = ++recent->uses;
  }
  entry->users++;
  result->filter = entry->filter;
  result->entry = entry;
  return 1;
}

/* What where= and filter= ask for, as make_filter takes it, and all values for it. 0 with an exception. */
static int get_text(search_arguments *wanted, PyObject **text, PyObject **values) {
  PyObject *given = wanted->parameters, *tests = NULL, *own = NULL;
  if (wanted->where) {
    if (!PyUnicode_Check(wanted->where)) {
      PyErr_Format(PyExc_TypeError, "where is %R; give SQL as a str", wanted->where);
      return 0;
    }
    if (PyUnicode_ReadChar(wanted->where, 0) == 2) {
      PyErr_SetString(argument_error(), "where begins with a control character; leave it out");
      return 0;
    }
    PyErr_Clear(); /* an empty text has no first character */
    if (given && (PyUnicode_Check(given) || PyBytes_Check(given))) {
      PyErr_SetString(PyExc_TypeError, "parameters is a text; give a tuple, for one value (value,)");
      return 0;
    }
    own = !given || given == Py_None ? PyTuple_New(0) : PySequence_Tuple(given);
    if (!own) return 0;
  }
  if (!wanted->filter) {
    *text = Py_NewRef(wanted->where);
    *values = own;
    return 1;
  }
  tests = PyObject_CallFunctionObjArgs(as_tests, wanted->filter, NULL);
  if (tests && !wanted->where) {
    *text = Py_NewRef(PyTuple_GetItem(tests, 0));
    *values = Py_NewRef(PyTuple_GetItem(tests, 1));
  } else if (tests) {
    *text = PyUnicode_FromFormat("%U\3%U", PyTuple_GetItem(tests, 0), wanted->where);
    *values = *text ? PySequence_Concat(PyTuple_GetItem(tests, 1), own) : NULL;
    if (!*values) Py_CLEAR(*text);
  }
  Py_XDECREF(tests);
  Py_XDECREF(own);
  return *text != NULL;
}

/* Makes a filter of ids, beside the one there is. 0 with an exception, and then the filter is ended. */
static int add_ids(vidx_index *index, PyObject *ids, search_filter *result) {
  vidx_filter *of_ids = make_ids(index, ids), *both = NULL;
  char *message = NULL;
  int code = VIDX_OK;
  if (of_ids && result->filter) {
    const vidx_filter *parts[] = {result->filter, of_ids};
    code = library.filter_all(index, parts, 2, &both, &message);
    library.filter_free(of_ids);
    of_ids = code == VIDX_OK ? both : NULL;
  }
  if (!of_ids) {
    end_filter(result);
    if (code != VIDX_OK) raise(code, message);
    return 0;
  }
  library.filter_free(result->own);
  result->filter = result->own = of_ids;
  return 1;
}

/* Makes ready the filter that the arguments ask for, to be ended by end_filter. 0 with an exception. */
static int begin_filter(vidx_index *index, recent_filters *recent, search_arguments *wanted,
                        search_filter *result) {
  memset(result, 0, sizeof *result);
  if (!wanted->where && wanted->parameters && wanted->parameters != Py_None) {
    PyErr_SetString(argument_error(), "parameters are for a where=; give one, or leave them out");
    return 0;
  }
  if (wanted->where || wanted->filter) {
    PyObject *text = NULL, *values = NULL;
    if (!get_text(wanted, &text, &values)) return 0;
    int found = find_filter(index, recent, text, values, result);
    Py_DECREF(text);
    Py_DECREF(values);
    if (!found) return 0;
  }
  if (wanted->ids && !add_ids(index, wanted->ids, result)) return 0;
  wanted->settings.filter = result->filter;
  return 1;
}
