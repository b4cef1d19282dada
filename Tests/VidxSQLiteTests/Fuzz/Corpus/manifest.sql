UPDATE v_segments SET file = '../../etc/passwd'
UPDATE v_segments SET file = '/etc/passwd'
UPDATE v_segments SET file = 'app.db'
UPDATE v_segments SET file = replace(file, '.seg', '.seg' || char(0))
UPDATE v_segments SET file = hex(zeroblob(100000)) || '.seg'
INSERT INTO v_segments SELECT id + 10, CAST(file AS BLOB), entries, bytes FROM v_segments
INSERT INTO v_segments SELECT * FROM v_segments
UPDATE v_segments SET id = 1
UPDATE v_segments SET entries = 9223372036854775807, bytes = -9223372036854775808
UPDATE v_config SET value = x'ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f' WHERE key = 'revision'
UPDATE v_config SET value = x'fffffffffffffffffffffffffffffffffffffffffffffffffeffffffffffff7f' WHERE key = 'revision'
UPDATE v_config SET value = x'ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff3f' WHERE key = 'revision'
UPDATE v_config SET value = zeroblob(32) WHERE key = 'revision'
INSERT INTO v_config(key, value) SELECT 'retired:' || file, -9223372036854775808 FROM v_segments
INSERT INTO v_config(key, value) VALUES ('retired:../../etc/passwd', 'x'), ('rows_table', 'v'), ('rows_table', 'v_delta')
INSERT INTO v_config(key, value) VALUES ('content', 'v'), ('column', 'vector')
INSERT INTO v_config(key, value) VALUES ('content', 'v_delta'), ('column', 'vector')
INSERT INTO v_config(key, value) VALUES ('content', 'v_segments'), ('column', 'file')
INSERT INTO v_config(key, value) VALUES ('content', 'sqlite_master'), ('column', 'sql')
UPDATE v_config SET value = 64 WHERE key = 'filter_columns'
UPDATE v_config SET value = 9223372036854775807 WHERE key = 'version'
UPDATE v_config SET value = 'l1' WHERE key = 'metric'
UPDATE v_delta SET stamp = 9223372036854775807
UPDATE v_delta SET stamp = -9223372036854775808
UPDATE v_delta SET stamp = NULL
UPDATE v_delta SET id = 9223372036854775807
UPDATE v_delta SET id = NULL
INSERT INTO v_delta SELECT * FROM v_delta
UPDATE v_delta SET vector = zeroblob(1000000)
UPDATE v_delta SET vector = x'0000c07f0000c07f0000c07f0000c07f'
UPDATE v_delta SET vector = x'ffff7f7fffff7f7fffff7f7fffff7f7f'
UPDATE v_delta SET vector = x'01000000010000000100000001000000'
UPDATE v_delta SET vector = NULL
UPDATE v_tombstones SET entry = 9223372036854775807
UPDATE v_tombstones SET entry = -1
UPDATE v_tombstones SET segment = 9223372036854775807
INSERT INTO v_tombstones SELECT id, 0 FROM v_segments
INSERT INTO v_tombstones SELECT * FROM v_tombstones
DELETE FROM v_segments
DELETE FROM v_config
DELETE FROM v_delta
DELETE FROM v_config WHERE key = 'revision'
DROP TABLE v_tombstones
DROP TABLE v_segments; CREATE VIEW v_segments AS WITH c(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM c) SELECT id, 'a.seg' AS file, 1 AS entries, 1 AS bytes FROM c
DROP TABLE v_delta; CREATE VIEW v_delta AS SELECT 1 AS id, 1 AS stamp, zeroblob(16) AS vector, NULL AS f0
DROP TABLE v_config; CREATE VIRTUAL TABLE v_config USING fts5(key, value)
DROP TABLE v_segments; CREATE TABLE v_segments(id, file, entries, bytes AS (id / 0))
