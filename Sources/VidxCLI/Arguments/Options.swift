/// Every option there is, once: commands pick from here, and explain one where they differ.
enum Options {
  static let help = Option(name: "help", short: "h", help: "show this help")
  static let json = Option(name: "json", help: "print JSON, one object a line, for programs")

  // Files and tables
  static let index = Option(name: "index", value: "NAME", help: "the index")
  static let vectors = Option(
    name: "vectors", value: "FILE", help: "vectors: .npy (f16, f32), .fvecs, .bvecs or .jsonl")
  static let field = Option(name: "field", value: "NAME", help: "the field of the .jsonl objects that holds the vector")
  static let rows = Option(name: "rows", value: "FILE", help: "rows, .jsonl or .csv, in the order of the vectors")
  static let table = Option(name: "table", value: "NAME", help: "the table of the rows")
  static let column = Option(name: "column", value: "NAME", help: "the column of --table that holds the vectors")

  // The index
  static let metric = Option(name: "metric", value: "METRIC", help: "cosine (default), l2, ip or l1")
  static let type = Option(name: "type", value: "TYPE", help: "flat, ivfflat or hnsw (default)")
  static let m = Option(name: "m", value: "N", help: "hnsw: links per node (16)")
  static let efConstruction = Option(
    name: "ef-construction", value: "N", help: "hnsw: candidates kept while building (128)")
  static let lists = Option(name: "lists", value: "N", help: "ivfflat: lists (default: by the number of rows)")
  static let codec = Option(
    name: "codec", value: "CODEC",
    help: "codes compared first: auto (default), f32, f16, int8, int4, rabitq, rabitq+2, +4 or +6")
  static let filterColumns = Option(
    name: "filter-columns", value: "A,B", help: "columns of the rows to keep in the index, to restrict searches by")
  static let model = Option(name: "model", value: "NAME", help: "the embedding model that all vectors are of")
  static let threads = Option(name: "threads", value: "N", help: "threads to use (default: all processors)")
  static let memory = Option(
    name: "memory", value: "SIZE",
    help: "memory to build with, such as 8G (default: most); for more rows, several segments")
  static let resume = Option(
    name: "resume", help: "commit part by part; given again, go on with what was interrupted")
  static let estimate = Option(name: "estimate", help: "say what the build would take, and do nothing")

  // The query
  static let vector = Option(name: "vector", value: "'[...]'", help: "the query, as a JSON array")
  static let queryFile = Option(name: "query-file", value: "FILE", help: "queries from a file: all, or --row N")
  static let row = Option(name: "row", value: "N", help: "only row N of --query-file, from 0")
  static let like = Option(name: "like", value: "ROWID", help: "the vector of this row is the query")
  static let k = Option(name: "k", value: "N", help: "how many neighbours (10)", hasOneDash: true)
  static let whereCondition = Option(
    name: "where", value: "SQL", help: "only rows for which this condition on the index's table holds")
  static let idsFrom = Option(name: "ids-from", value: "SELECT", help: "only rows whose id this query answers")
  static let filter = Option(
    name: "filter", value: "TESTS", help: "only rows whose filter columns pass, as section = 'admin' AND size < 500",
    repeats: true)
  static let within = Option(name: "within", value: "DISTANCE", help: "only rows at this distance or nearer")
  static let efSearch = Option(name: "ef-search", value: "N", help: "hnsw: candidates kept while searching (40)")
  static let targetRecall = Option(
    name: "target-recall", value: "SHARE", help: "hnsw: the share of true neighbours to find, such as 0.95; 1: exact")
  static let exact = Option(name: "exact", help: "compare every row that passes: the true neighbours")
  static let plan = Option(
    name: "plan", value: "PLAN", help: "exact, graph or lists, whatever the planner would choose")
  static let probes = Option(name: "probes", value: "N", help: "ivfflat: lists scanned (square root of their number)")
  static let after = Option(
    name: "after", value: "DISTANCE,ROWID", help: "the page after this row, exact; \"start\" is the first page")
  static let explain = Option(name: "explain", help: "say what was planned and what it took")
  static let timeout = Option(name: "timeout", value: "SECONDS", help: "give up after so long")
  static let sample = Option(name: "sample", value: "N", help: "this many rows of the index are the queries (500)")
  static let recall = Option(name: "recall", value: "SHARE", help: "recommend a setting with this recall (0.95, 0.99)")
  static let seed = Option(name: "seed", value: "N", help: "draws other rows and other made-up filters (42)")
  static let rounds = Option(name: "rounds", value: "N", help: "how often all queries are timed (3)")
  static let columns = Option(
    name: "columns", value: "A,B", help: "columns of the table to print (all but the vectors)")
  static let param = Option(
    name: "param", value: "NAME=VALUE", help: "value of a parameter; @file.npy[row] for a vector", repeats: true)
  static let version = Option(name: "version", help: "print the version")
}
