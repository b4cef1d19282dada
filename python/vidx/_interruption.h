/* Ctrl-C ends calls that take long. Part of _vidx.c. */

/* A call in progress, for the thread that made it. */
typedef struct {
  pthread_t thread;
  struct timespec last; /* when Python last saw to its signals; zero before it was first asked for */
} interruption;

/* Lets Python see to its signals, a few times a second: taking the interpreter lock more often would wait for whoever
 * has it. Not 0 with an exception. */
static int ask_signals(void *context) {
  interruption *state = context;
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  if (state->last.tv_sec == 0 && state->last.tv_nsec == 0) state->last = now;
  if ((now.tv_sec - state->last.tv_sec) * 1000 + (now.tv_nsec - state->last.tv_nsec) / 1000000 < 100) return 0;
  state->last = now;
  PyGILState_STATE lock = PyGILState_Ensure();
  int interrupted = PyErr_CheckSignals();
  PyGILState_Release(lock);
  return interrupted;
}

/* Raises the error of a call, unless the exception is there that ended it. */
static void raise_outcome(int code, char *message) {
  if (PyErr_Occurred()) library.free(message);
  else raise(code, message);
}
