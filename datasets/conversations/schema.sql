-- Conversations of an assistant that learns in four phases, what it ran, and what it remembers. SQLite.
-- Row keys are whole numbers with the UUID beside them; arrays and objects are JSON text; times are UTC text.
-- Embeddings are BLOBs of 384 32-bit floats of length 1. They stand last, so that reading the other columns does not
-- read past them.

CREATE TABLE conversations(
  id INTEGER PRIMARY KEY,
  uuid TEXT NOT NULL UNIQUE,
  phase TEXT NOT NULL CHECK (phase IN ('phase_1', 'phase_2', 'phase_3', 'phase_4')),
  created_at TEXT NOT NULL,
  type TEXT NOT NULL,
  subject_tags TEXT NOT NULL CHECK (json_valid(subject_tags)),
  metadata TEXT NOT NULL CHECK (json_valid(metadata)),
  storage_tier TEXT NOT NULL CHECK (storage_tier IN ('hot', 'warm', 'cold'))
);

CREATE TABLE messages(
  id INTEGER PRIMARY KEY,
  conversation_id INTEGER NOT NULL REFERENCES conversations(id),
  turn_number INTEGER NOT NULL,
  role TEXT NOT NULL CHECK (role IN ('user', 'assistant')),
  content TEXT NOT NULL,
  model_used TEXT,
  context_engineered TEXT CHECK (context_engineered IS NULL OR json_valid(context_engineered)),
  quality_score REAL CHECK (quality_score BETWEEN 0 AND 1),
  created_at TEXT NOT NULL,
  embedding BLOB,
  UNIQUE (conversation_id, turn_number)
);

CREATE TABLE phase_1_conversations(
  id INTEGER PRIMARY KEY,
  conversation_id INTEGER NOT NULL UNIQUE REFERENCES conversations(id),
  expertise_domain TEXT NOT NULL,
  subtopics TEXT NOT NULL CHECK (json_valid(subtopics)),
  quality_validated INTEGER NOT NULL CHECK (quality_validated IN (0, 1))
);

CREATE TABLE phase_3_feedback(
  id INTEGER PRIMARY KEY,
  conversation_id INTEGER NOT NULL REFERENCES conversations(id),
  iteration_number INTEGER NOT NULL,
  cet_context TEXT NOT NULL,
  quality_metrics TEXT NOT NULL CHECK (json_valid(quality_metrics)),
  learning_signal REAL CHECK (learning_signal BETWEEN -1 AND 1),
  feedback_timestamp TEXT NOT NULL,
  UNIQUE (conversation_id, iteration_number)
);

CREATE TABLE phase_4_production(
  id INTEGER PRIMARY KEY,
  conversation_id INTEGER NOT NULL REFERENCES conversations(id),
  user_id INTEGER NOT NULL,
  variant TEXT NOT NULL,
  outcome_quality REAL CHECK (outcome_quality BETWEEN 0 AND 1)
);

CREATE TABLE executions(
  id INTEGER PRIMARY KEY,
  uuid TEXT NOT NULL UNIQUE,
  timestamp TEXT NOT NULL,
  task_type TEXT NOT NULL,
  repo TEXT,
  model_tier TEXT NOT NULL,
  pool_type TEXT NOT NULL,
  success INTEGER NOT NULL CHECK (success IN (0, 1)),
  duration REAL NOT NULL,
  quality_score REAL CHECK (quality_score BETWEEN 0 AND 1),
  embedding BLOB NOT NULL
);

CREATE TABLE memories(
  id INTEGER PRIMARY KEY,
  uuid TEXT NOT NULL UNIQUE,
  user_id INTEGER NOT NULL,
  layer TEXT NOT NULL CHECK (layer IN ('working', 'episodic', 'semantic', 'procedural')),
  content TEXT NOT NULL,
  effectiveness_score REAL CHECK (effectiveness_score BETWEEN 0 AND 1),
  usage_count INTEGER NOT NULL,
  expires_at TEXT,
  embedding BLOB NOT NULL
);

CREATE INDEX conversations_time ON conversations(created_at);
CREATE INDEX messages_time ON messages(created_at);
CREATE INDEX messages_engineered ON messages(quality_score) WHERE context_engineered IS NOT NULL;
CREATE INDEX phase_1_domain ON phase_1_conversations(expertise_domain, conversation_id);
CREATE INDEX phase_3_signal ON phase_3_feedback(learning_signal, conversation_id);
CREATE INDEX phase_4_user ON phase_4_production(user_id, conversation_id);
CREATE INDEX phase_4_conversation ON phase_4_production(conversation_id);
CREATE INDEX executions_repo ON executions(repo, timestamp);
CREATE INDEX executions_time ON executions(timestamp);
CREATE INDEX memories_user ON memories(user_id, layer, expires_at);
