/* The arguments of a search. Part of _vidx.c. */

typedef struct {
  PyObject *query;
  Py_ssize_t k;
  Py_ssize_t threads;
  PyObject *where, *parameters, *ids, *filter; /* borrowed; NULL when not given */
  double within;
  vidx_cursor after;
  vidx_search_settings settings; /* points to those two when they are given */
} search_arguments;

enum { QUERY, K, EF_SEARCH, PROBES, TARGET_RECALL, EXACT, PLAN, WHERE, PARAMETERS, IDS, FILTER, WITHIN, AFTER,
       TIMEOUT, MODEL, THREADS, ARGUMENTS };

static const char *const argument_names[ARGUMENTS] = {
    "query", "k", "ef_search", "probes", "target_recall", "exact", "plan", "where", "parameters", "ids",
    "filter", "within", "after", "timeout", "model", "threads"};

static int set_count(PyObject *value, const char *name, uint32_t *result) {
  if (value == Py_None) return 1;
  Py_ssize_t number = PyNumber_AsSsize_t(value, PyExc_OverflowError);
  if (number == -1 && PyErr_Occurred()) return 0;
  if (number < 1 || (uint64_t)number > UINT32_MAX) {
    PyErr_Format(argument_error(), "%s is %zd; give a number that is at least 1", name,
                 number);
    return 0;
  }
  *result = (uint32_t)number;
  return 1;
}

static int set_recall(PyObject *value, float *result) {
  if (value == Py_None) return 1;
  double number = PyFloat_AsDouble(value);
  if (number == -1 && PyErr_Occurred()) return 0;
  if (!(number > 0 && number <= 1)) {
    PyErr_Format(argument_error(), "target_recall is %R; give a number above 0, and at most 1", value);
    return 0;
  }
  *result = (float)number;
  return 1;
}

static int set_timeout(PyObject *value, double *result) {
  if (value == Py_None) return 1;
  double number = PyFloat_AsDouble(value);
  if (number == -1 && PyErr_Occurred()) return 0;
  if (!(number > 0)) {
    PyErr_Format(argument_error(), "timeout is %R; give seconds above 0, or None for any time", value);
    return 0;
  }
  *result = number;
  return 1;
}

static int set_plan(PyObject *value, uint32_t *result) {
  static const char *const names[] = {NULL, "exact", "graph", "lists"}; /* by number, as in vidx.h */
  if (value == Py_None) return 1;
  for (uint32_t i = VIDX_PLAN_EXACT; i <= VIDX_PLAN_LISTS && PyUnicode_Check(value); i++)
    if (PyUnicode_CompareWithASCIIString(value, names[i]) == 0) {
      *result = i;
      return 1;
    }
  PyErr_Format(argument_error(),
               "plan cannot be %R: known are 'exact', 'graph' and 'lists', and None to have one chosen", value);
  return 0;
}

/* The text stays with its object, which the caller keeps. */
static int set_model(PyObject *value, const char **result) {
  if (value == Py_None) return 1;
  Py_ssize_t size = 0;
  const char *text = PyUnicode_Check(value) ? PyUnicode_AsUTF8AndSize(value, &size) : NULL;
  if (!text || strlen(text) != (size_t)size) {
    PyErr_Clear();
    PyErr_Format(argument_error(), "model is %R; give the name of a model, or None", value);
    return 0;
  }
  *result = text;
  return 1;
}

static int set_within(PyObject *value, search_arguments *result) {
  if (value == Py_None) return 1;
  result->within = PyFloat_AsDouble(value);
  if (result->within == -1 && PyErr_Occurred()) return 0;
  result->settings.within = &result->within;
  return 1;
}

/* (distance, id), as the last row of a page has them. */
static int set_after(PyObject *value, search_arguments *result) {
  if (value == Py_None) return 1;
  if (!PySequence_Check(value) || PyUnicode_Check(value) || PySequence_Size(value) != 2) {
    PyErr_Clear();
    PyErr_Format(argument_error(), "after is %R; give (distance, id) of the last row of the page before, or START",
                 value);
    return 0;
  }
  PyObject *distance = PySequence_GetItem(value, 0), *id = PySequence_GetItem(value, 1);
  PyObject *number = distance && id ? PyNumber_Index(id) : NULL;
  if (number) {
    result->after.distance = (float)PyFloat_AsDouble(distance);
    if (!PyErr_Occurred()) result->after.id = PyLong_AsLongLong(number);
  }
  Py_XDECREF(number);
  Py_XDECREF(distance);
  Py_XDECREF(id);
  result->settings.after = &result->after;
  return !PyErr_Occurred();
}

static int set_argument(int argument, PyObject *value, search_arguments *result) {
  switch (argument) {
  case QUERY: result->query = value; return 1;
  case K:
    result->k = PyNumber_AsSsize_t(value, PyExc_OverflowError);
    return result->k != -1 || !PyErr_Occurred();
  case EF_SEARCH: return set_count(value, "ef_search", &result->settings.ef_search);
  case PROBES: return set_count(value, "probes", &result->settings.probes);
  case TARGET_RECALL: return set_recall(value, &result->settings.target_recall);
  case EXACT: {
    int truth = PyObject_IsTrue(value);
    result->settings.exact = truth > 0;
    return truth >= 0;
  }
  case PLAN: return set_plan(value, &result->settings.plan);
  case WHERE: result->where = value == Py_None ? NULL : value; return 1;
  case PARAMETERS: result->parameters = value; return 1;
  case IDS: result->ids = value == Py_None ? NULL : value; return 1;
  case FILTER: result->filter = value == Py_None ? NULL : value; return 1;
  case WITHIN: return set_within(value, result);
  case AFTER: return set_after(value, result);
  case TIMEOUT: return set_timeout(value, &result->settings.timeout);
  case MODEL: return set_model(value, &result->settings.model);
  default:
    result->threads = PyNumber_AsSsize_t(value, PyExc_OverflowError);
    return result->threads != -1 || !PyErr_Occurred();
  }
}

static int find_argument(PyObject *name, const char *first, int count) {
  for (int i = 0; i < count; i++) {
    const char *candidate = i == QUERY ? first : argument_names[i];
    if (PyUnicode_CompareWithASCIIString(name, candidate) == 0) return i;
  }
  return -1;
}

/* (query, k=10, *, ...): `first` is what the query is called, `count` how many of the arguments there are. */
static int get_arguments(PyObject *const *args, Py_ssize_t positional, PyObject *keywords, const char *first, int count,
                         search_arguments *result) {
  memset(result, 0, sizeof *result);
  result->k = 10;
  result->threads = 2;
  if (positional > 2) {
    PyErr_Format(PyExc_TypeError, "takes %s and k by position, the others by name", first);
    return 0;
  }
  for (Py_ssize_t i = 0; i < positional; i++)
    if (!set_argument((int)i, args[i], result)) return 0;
  Py_ssize_t named = keywords ? PyTuple_Size(keywords) : 0;
  for (Py_ssize_t i = 0; i < named; i++) {
    PyObject *name = PyTuple_GetItem(keywords, i);
    int argument = find_argument(name, first, count);
    if (argument < 0 || argument < positional) {
      PyErr_Format(PyExc_TypeError, argument < 0 ? "there is no argument %R" : "argument %R is given twice", name);
      return 0;
    }
    if (!set_argument(argument, args[positional + i], result)) return 0;
  }
  if (!result->query) PyErr_Format(PyExc_TypeError, "argument '%s' is missing", first);
  return result->query != NULL;
}

/* The library checks k too, but memory is allocated before that. */
static int check_k(Py_ssize_t k) {
  if (k >= 1 && k <= 1000000) return 1;
  PyErr_Format(argument_error(), "k is %zd; give a number from 1 to 1000000", k);
  return 0;
}
