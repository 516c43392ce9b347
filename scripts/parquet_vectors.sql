-- The Parquet files in packages/engine/src/datasets/readers/vectors, as DuckDB writes them: duckdb < scripts/parquet_vectors.sql
-- Run it in that folder. Another implementation of the format than the one that reads them in the tests.
CREATE TABLE letters AS
  SELECT i, 'text number ' || i || ' é漢👋 "q", x' AS text, CASE WHEN i % 3 = 0 THEN 'ham' ELSE 'spam' END AS label,
    'list ' || (i % 2) AS source, repeat('unused ', 3) AS other
  FROM range(0, 5000) t(i) ORDER BY i;
COPY (SELECT text, label, source, other FROM letters WHERE i < 40 ORDER BY i) TO 'letters-uncompressed.parquet' (FORMAT parquet, CODEC 'uncompressed');
COPY (SELECT text, label, source, other FROM letters WHERE i < 40 ORDER BY i) TO 'letters-snappy.parquet' (FORMAT parquet, CODEC 'snappy');
COPY (SELECT text, label, source, other FROM letters WHERE i < 40 ORDER BY i) TO 'letters-gzip.parquet' (FORMAT parquet, CODEC 'gzip');
COPY (SELECT text, label, source, other FROM letters WHERE i < 40 ORDER BY i) TO 'letters-zstd.parquet' (FORMAT parquet, CODEC 'zstd');
COPY (SELECT text, label, source, other FROM letters WHERE i < 40 ORDER BY i) TO 'letters-brotli.parquet' (FORMAT parquet, CODEC 'brotli');
COPY (SELECT text, label, source, other FROM letters WHERE i < 40 ORDER BY i) TO 'letters-lz4_raw.parquet' (FORMAT parquet, CODEC 'lz4_raw');
COPY (SELECT text, label, source FROM letters ORDER BY i) TO 'row-groups.parquet' (FORMAT parquet, CODEC 'zstd', ROW_GROUP_SIZE 2048);
COPY (SELECT ['one', 'two'] AS words, ['A', 'B'] AS tags UNION ALL SELECT ['three'], ['C']) TO 'words.parquet' (FORMAT parquet, CODEC 'snappy');
COPY (SELECT * FROM (VALUES ('first', 1::BIGINT), (NULL, 2), ('third', 3)) t(text, label)) TO 'hole.parquet' (FORMAT parquet, CODEC 'snappy');
COPY (SELECT 'x'::BLOB AS text, 'a' AS label UNION ALL SELECT '\xE9\x22'::BLOB, 'b') TO 'latin1.parquet' (FORMAT parquet, CODEC 'uncompressed');
