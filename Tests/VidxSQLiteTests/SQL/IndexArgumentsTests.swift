import Testing
import VidxIndexes
import VidxSQLite
import VidxSegments
import VidxVectors

@Suite struct IndexArgumentsTests {
  private func definition(_ arguments: String...) throws(IndexArgumentError) -> IndexDefinition {
    try IndexArguments.definition(of: arguments)
  }

  @Test func defaultsAreHNSWUnderCosine() throws {
    #expect(try definition("dimensions=384") == IndexDefinition(configuration: IndexConfiguration(dimensions: 384)))
    #expect(try definition("dimensions=384").configuration.kind == .hnsw)
    #expect(try definition("dimensions=384").configuration.metric == .cosine)
  }

  @Test func readsEveryOption() throws {
    let hnsw = try definition(
      " dimensions = 8 ", "METRIC='l2'", "index = \"HNSW\"", "m\t=\n32", "ef_construction=[200]", "codec=`f32`",
      "seed=7", "content='it''s'", "column=\"a b\"")
    #expect(
      hnsw
        == IndexDefinition(
          configuration: IndexConfiguration(
            dimensions: 8, metric: .l2, kind: .hnsw, m: 32, efConstruction: 200, codec: .fixed(.f32), seed: 7),
          content: "it's", column: "a b"))
    let ivf = try definition("dimensions=8", "index=ivfflat", "lists=100", "metric=ip")
    #expect(
      ivf.configuration == IndexConfiguration(dimensions: 8, metric: .innerProduct, kind: .ivfflat, lists: 100))
    #expect(try definition("dimensions=1", "index=flat", "metric=l1").configuration.metric == .l1)
  }

  @Test func readsAModelAsItIsSpelt() throws {
    for (text, model) in [
      ("model = bge-small-en-v1.5", "bge-small-en-v1.5"), ("MODEL='BAAI/bge, small'", "BAAI/bge, small"),
      ("model=\"it's\"", "it's"), ("model = a b", "a b"),
    ] {
      #expect(try definition("dimensions=8", text).model == model)
    }
    #expect(try definition("dimensions=8").model == nil)
    #expect(throws: IndexArgumentError.malformed("model=")) { try definition("dimensions=8", "model=") }
  }

  /// What a definition is written as is read as the same.
  @Test func writesWhatItReads() throws {
    for arguments in [
      ["dimensions=384"], ["dimensions=3", "metric=l2", "index=flat", "codec=f16", "seed=7"],
      ["dimensions=8", "metric=ip", "index=ivfflat", "lists=9", "model='it''s, (a) \"model\"'"],
      ["dimensions=8", "m=9", "ef_construction=77", "content='it''s'", "column=\"a \"\"b\""],
      ["dimensions=8", "partition \"a b\"", "filter c", "partition d", "codec='rabitq+2'", "index=ivfflat"],
    ] {
      let definition = try IndexArguments.definition(of: arguments)
      #expect(try IndexArguments.definition(of: definition.arguments) == definition)
    }
  }

  @Test(
    arguments: [
      ([], .missing("dimensions")),
      ([""], .missing("dimensions")),
      (["metric=l2"], .missing("dimensions")),
      (["dimensions"], .malformed("dimensions")),
      (["dimensions="], .malformed("dimensions=")),
      (["dimensions=8", ""], .malformed("")),
      (["384"], .malformed("384")),
      (["dimensions=8", "dimensions=8"], .duplicate("dimensions")),
      (["dimensions=8", "Metric=l2", "metric=ip"], .duplicate("metric")),
      (["dimension=8"], .unknownOption("dimension")),
      (["dimensions=eight"], .notAnInteger(option: "dimensions", value: "eight")),
      (["dimensions=8.0"], .notAnInteger(option: "dimensions", value: "8.0")),
      (["dimensions=0"], .outOfRange(option: "dimensions", value: 0, allowed: 1...16_000)),
      (["dimensions=-3"], .outOfRange(option: "dimensions", value: -3, allowed: 1...16_000)),
      (["dimensions=16001"], .outOfRange(option: "dimensions", value: 16_001, allowed: 1...16_000)),
      (["dimensions=99999999999999999999"], .notAnInteger(option: "dimensions", value: "99999999999999999999")),
      (["dimensions=8", "m=1"], .outOfRange(option: "m", value: 1, allowed: IndexLimits.m)),
      (
        ["dimensions=8", "metric=euclid"],
        .unknownValue(option: "metric", value: "euclid", known: ["cosine", "l2", "ip", "l1"])
      ),
      (
        ["dimensions=8", "index=ivf"], .unknownValue(option: "index", value: "ivf", known: ["flat", "ivfflat", "hnsw"])
      ),
      (
        ["dimensions=8", "codec=int7"],
        .unknownValue(
          option: "codec", value: "int7",
          known: ["auto", "f32", "f16", "int8", "int4", "rabitq", "rabitq+2", "rabitq+4", "rabitq+6"])
      ),
      (["dimensions=8", "metric=l1", "codec=int8"], .codec(.unsupported(.int8, .l1))),
      (["dimensions=8", "index=flat", "m=16"], .wrongKind(option: "m", belongsTo: "hnsw", index: "flat")),
      (["dimensions=8", "lists=16"], .wrongKind(option: "lists", belongsTo: "ivfflat", index: "hnsw")),
      (["dimensions=8", "content=t"], .needs(option: "content", other: "column")),
      (["dimensions=8", "column=t"], .needs(option: "column", other: "content")),
    ] as [([String], IndexArgumentError)])
  func refuses(_ arguments: [String], expected: IndexArgumentError) {
    #expect(throws: expected) { try IndexArguments.definition(of: arguments) }
  }

  /// vidx_build puts its options into a statement.
  @Test(
    arguments: [
      "filter \"x\"); DROP TABLE y; --\"", "filter [x]); DROP TABLE y; --]", "filter 'x'); SELECT ('y'",
      "partition \"x\"\"", "filter `x` `y`",
    ])
  func whatIsQuotedEndsWithItsMark(_ argument: String) {
    let word = String(argument.prefix { $0 != " " })
    #expect(throws: IndexArgumentError.malformedFilter(argument, word: word)) {
      try IndexArguments.definition(of: ["dimensions = 3", argument])
    }
  }

  @Test func doubledMarksStandForOne() throws {
    let made = try IndexArguments.definition(
      of: ["dimensions = 3", "filter \"a\"\"b\"", "filter 'c''d'", "filter \"\"\"\"", "filter [e\"f]"])
    #expect(made.filterColumns.map(\.name) == ["a\"b", "c'd", "\"", "e\"f"])
  }

  @Test func messagesNameTheNearestSpelling() {
    let option = "\(IndexArgumentError.unknownOption("ef_constuction"))"
    #expect(option.contains("did you mean 'ef_construction'?") && option.contains("known are dimensions, metric"))
    let metric = "\(IndexArgumentError.unknownValue(option: "metric", value: "cosin", known: ["cosine", "l2"]))"
    #expect(metric == "metric cannot be 'cosin' (did you mean 'cosine'?): known are cosine, l2")
    #expect(!"\(IndexArgumentError.unknownOption("entirely_different"))".contains("did you mean"))
  }
}
