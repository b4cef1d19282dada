-- schema.sql for PostgreSQL with pgvector: the same tables, columns, checks and indexes in its own types.

CREATE EXTENSION IF NOT EXISTS vector;

CREATE TABLE conversations(
  id bigint PRIMARY KEY,
  uuid uuid NOT NULL UNIQUE,
  phase text NOT NULL CHECK (phase IN ('phase_1', 'phase_2', 'phase_3', 'phase_4')),
  created_at timestamp NOT NULL,
  type text NOT NULL,
  subject_tags jsonb NOT NULL,
  metadata jsonb NOT NULL,
  storage_tier text NOT NULL CHECK (storage_tier IN ('hot', 'warm', 'cold'))
);

CREATE TABLE messages(
  id bigint PRIMARY KEY,
  conversation_id bigint NOT NULL REFERENCES conversations(id),
  turn_number integer NOT NULL,
  role text NOT NULL CHECK (role IN ('user', 'assistant')),
  content text NOT NULL,
  model_used text,
  context_engineered jsonb,
  quality_score double precision CHECK (quality_score BETWEEN 0 AND 1),
  created_at timestamp NOT NULL,
  embedding vector(384),
  UNIQUE (conversation_id, turn_number)
);

CREATE TABLE phase_1_conversations(
  id bigint PRIMARY KEY,
  conversation_id bigint NOT NULL UNIQUE REFERENCES conversations(id),
  expertise_domain text NOT NULL,
  subtopics jsonb NOT NULL,
  quality_validated boolean NOT NULL
);

CREATE TABLE phase_3_feedback(
  id bigint PRIMARY KEY,
  conversation_id bigint NOT NULL REFERENCES conversations(id),
  iteration_number integer NOT NULL,
  cet_context text NOT NULL,
  quality_metrics jsonb NOT NULL,
  learning_signal double precision CHECK (learning_signal BETWEEN -1 AND 1),
  feedback_timestamp timestamp NOT NULL,
  UNIQUE (conversation_id, iteration_number)
);

CREATE TABLE phase_4_production(
  id bigint PRIMARY KEY,
  conversation_id bigint NOT NULL REFERENCES conversations(id),
  user_id bigint NOT NULL,
  variant text NOT NULL,
  outcome_quality double precision CHECK (outcome_quality BETWEEN 0 AND 1)
);

CREATE TABLE executions(
  id bigint PRIMARY KEY,
  uuid uuid NOT NULL UNIQUE,
  timestamp timestamp NOT NULL,
  task_type text NOT NULL,
  repo text,
  model_tier text NOT NULL,
  pool_type text NOT NULL,
  success boolean NOT NULL,
  duration double precision NOT NULL,
  quality_score double precision CHECK (quality_score BETWEEN 0 AND 1),
  embedding vector(384) NOT NULL
);

CREATE TABLE memories(
  id bigint PRIMARY KEY,
  uuid uuid NOT NULL UNIQUE,
  user_id bigint NOT NULL,
  layer text NOT NULL CHECK (layer IN ('working', 'episodic', 'semantic', 'procedural')),
  content text NOT NULL,
  effectiveness_score double precision CHECK (effectiveness_score BETWEEN 0 AND 1),
  usage_count integer NOT NULL,
  expires_at timestamp,
  embedding vector(384) NOT NULL
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
