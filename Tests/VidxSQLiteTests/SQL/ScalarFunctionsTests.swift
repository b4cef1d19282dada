import Testing
import VidxSQLite

@Suite struct ScalarFunctionsTests {
  private func value(_ expression: String, _ parameters: SQLCell...) throws -> SQLCell {
    try #require(try SQLSession().rows("SELECT \(expression)", parameters).first?.first)
  }

  private func real(_ expression: String, _ parameters: SQLCell...) throws -> Double {
    let cell = try #require(try SQLSession().rows("SELECT \(expression)", parameters).first?.first)
    guard case .real(let value) = cell else {
      Issue.record("\(expression) gave \(cell)")
      return .nan
    }
    return value
  }

  /// The values of pgvector's own regression tests.
  @Test(
    arguments: [
      ("l2_distance('[0,0]', '[3,4]')", 5),
      ("l2_distance('[0,0]', '[0,1]')", 1),
      ("l2_distance('[3e38]', '[-3e38]')", 6e38),
      ("vector_l2_squared_distance('[1,2]', '[4,6]')", 25),
      ("inner_product('[1,2]', '[3,4]')", 11),
      ("inner_product('[3e38]', '[3e38]')", 9e76),
      ("negative_inner_product('[1,2]', '[3,4]')", -11),
      ("vector_negative_inner_product('[1,2]', '[3,4]')", -11),
      ("cosine_distance('[1,2]', '[2,4]')", 0),
      ("cosine_distance('[1,1]', '[1,1]')", 0),
      ("cosine_distance('[1,0]', '[0,2]')", 1),
      ("cosine_distance('[1,1]', '[-1,-1]')", 2),
      ("cosine_distance('[1,1]', '[1.1,1.1]')", 0),
      ("cosine_distance('[1,1]', '[-1.1,-1.1]')", 2),
      ("cosine_distance('[3e38]', '[3e38]')", 0),
      ("cosine_distance('[1e-30,1e-30]', '[1e-30,0]')", 1 - 0.5.squareRoot()),
      ("l1_distance('[0,0]', '[3,4]')", 7),
      ("l1_distance('[3e38]', '[-3e38]')", 6e38),
      ("vector_norm('[3,4]')", 5),
      ("vector_norm('[0,1]')", 1),
      ("l2_norm('[3e37,4e37]')", 5e37),
    ] as [(String, Double)])
  func givesWhatPgvectorGives(_ expression: String, expected: Double) throws {
    let actual = try real(expression)
    #expect(abs(actual - expected) <= max(abs(expected), 1) * 1e-6)
  }

  @Test(
    arguments: [
      ("vector_dims('[1,2,3]')", .integer(3)),
      ("vector_text('[1, 2.0, -3e-2]')", .text("[1,2,-0.03]")),
      ("vector_to_json('[1]')", .text("[1]")),
      ("vector('[1,-2]')", .vector([1, -2])),
      ("vector_text(vector('[1,-2]'))", .text("[1,-2]")),
      ("vector_text(l2_normalize('[3,4]'))", .text("[0.6,0.8]")),
      ("vector_text(l2_normalize('[3e38]'))", .text("[1]")),
      ("vector_text(l2_normalize('[0,0]'))", .text("[0,0]")),
      ("vector_text(subvector('[1,2,3,4,5]', 1, 3))", .text("[1,2,3]")),
      ("vector_text(subvector('[1,2,3,4,5]', 3, 2))", .text("[3,4]")),
      ("vector_text(subvector('[1,2,3,4,5]', -1, 3))", .text("[1]")),
      ("vector_text(subvector('[1,2,3,4,5]', 3, 9))", .text("[3,4,5]")),
      ("vector_text(subvector('[1,2,3,4,5]', 3, 9223372036854775807))", .text("[3,4,5]")),
      ("vector_text(vector_add('[1,2]', '[3,4.5]'))", .text("[4,6.5]")),
      ("vector_text(vector_sub('[1,2]', '[3,4.5]'))", .text("[-2,-2.5]")),
      ("vector_text(vector_mul('[1,2]', '[3,4.5]'))", .text("[3,9]")),
      ("vector_text(vector_concat('[1,2]', '[3]'))", .text("[1,2,3]")),
      ("vidx_version()", .text(Extension.version)),
      ("typeof(vector('[1]'))", .text("blob")),
    ] as [(String, SQLCell)])
  func gives(_ expression: String, expected: SQLCell) throws {
    #expect(try value(expression) == expected)
  }

  @Test(arguments: [
    "l2_distance(NULL, '[1]')", "l2_distance('[1]', NULL)", "cosine_distance(NULL, NULL)", "inner_product('[1]', NULL)",
    "l1_distance(NULL, '[1]')", "vector_dims(NULL)", "vector_norm(NULL)", "l2_norm(NULL)", "l2_normalize(NULL)",
    "vector(NULL)", "vector_text(NULL)", "vector_to_json(NULL)", "subvector(NULL, 1, 1)", "subvector('[1]', NULL, 1)",
    "subvector('[1]', 1, NULL)", "vector_add(NULL, '[1]')", "vector_concat('[1]', NULL)",
    "negative_inner_product(NULL, '[1]')", "vector_negative_inner_product('[1]', NULL)",
    "vector_l2_squared_distance(NULL, '[1]')", "vector_sub('[1]', NULL)", "vector_mul(NULL, NULL)",
  ])
  func nullInNullOut(_ expression: String) throws {
    #expect(try value(expression) == .null)
  }

  @Test(
    arguments: [
      ("l2_distance('[1,2]', '[3]')", "l2_distance: different dimensions, 2 and 1"),
      ("cosine_distance('[1,2]', '[3]')", "cosine_distance: different dimensions"),
      ("l2_distance('[1', '[1]')", "l2_distance: argument 1: the vector's text ends early"),
      ("l2_distance('[1]', x'0102')", "l2_distance: argument 2: a vector BLOB"),
      ("vector_dims(5)", "vector_dims: argument 1: a vector is a BLOB"),
      ("vector_dims(5.5)", "not REAL"),
      ("vector(x'0000c07f')", "vector: argument 1: component 0"),
      ("l2_distance('[1]', x'0000c07f')", "l2_distance: argument 2: component 0"),
      ("cosine_distance(x'0000807f', '[1]')", "cosine_distance: argument 1: component 0"),
      ("l1_distance(x'0000807f', x'0000807f')", "l1_distance: argument 1: component 0"),
      ("vector_norm(x'0000807f')", "vector_norm: argument 1: component 0"),
      ("subvector('[1,2]', 3, 1)", "subvector: the result would be empty"),
      ("subvector('[1,2]', 1, 0)", "subvector: the result would be empty"),
      ("subvector('[1,2]', -9223372036854775808, -1)", "subvector: the result would be empty"),
      ("subvector('[1,2]', 'x', 1)", "subvector: argument 2 must be an INTEGER, not TEXT"),
      ("vector_add('[3e38]', '[3e38]')", "vector_add: component 0 (counted from 0) of the result overflows"),
      ("vector_mul('[1,1e30]', '[1,1e30]')", "vector_mul: component 1"),
      ("vector_add('[1]', '[1,2]')", "vector_add: different dimensions"),
    ] as [(String, String)])
  func refuses(_ expression: String, message: String) throws {
    let error = try SQLSession().error("SELECT \(expression)")
    #expect(error.message.contains(message), "\(error.message)")
  }

  @Test func takesBlobsThatAreNotAligned() throws {
    // substr moves the bytes of a BLOB inside SQLite's value.
    let blob = SQLCell.blob([9] + VectorLiteral.blob(of: [3, 4]))
    #expect(try value("l2_distance(substr(?1, 2), '[0,0]')", blob) == 5.0)
    #expect(try value("vector_text(substr(?1, 2))", blob) == "[3,4]")
  }

  /// SQLite sorts NULL first and has no NaN: what has no direction must not come out on top.
  @Test func zeroVectorsSortLast() throws {
    let session = try SQLSession()
    try session.run("CREATE TABLE t(id INTEGER PRIMARY KEY, v)")
    try session.run("INSERT INTO t VALUES (1, '[0,0]'), (2, '[1,0]'), (3, '[-1,0]')")
    #expect(try session.integers("SELECT id FROM t ORDER BY cosine_distance(v, '[1,0]')") == [2, 3, 1])
    #expect(try session.integers("SELECT id FROM t WHERE cosine_distance(v, '[1,0]') <= 2") == [2, 3])
    #expect(try value("cosine_distance('[0,0]', '[1,0]')") == .real(.infinity))
    #expect(try value("cosine_distance('[0,0]', '[0,0]')") == .real(.infinity))
  }

  @Test func constantsAreKeptAndOthersAreNot() throws {
    let session = try SQLSession()
    try session.run("CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT)")
    try session.run("INSERT INTO t VALUES (1, '[1,0]'), (2, '[5,0]'), (3, '[9,0]')")
    // Text that changes from row to row, beside text that does not, on both sides.
    #expect(try session.column("SELECT l2_distance(v, '[0,0]') FROM t ORDER BY id") == [1.0, 5.0, 9.0])
    #expect(try session.column("SELECT l2_distance('[0,0]', v) FROM t ORDER BY id") == [1.0, 5.0, 9.0])
    #expect(try session.column("SELECT l2_distance(v, v) FROM t ORDER BY id") == [0.0, 0.0, 0.0])
    // A statement that is run again with another value.
    let statement = try session.connection.prepare("SELECT l2_distance('[0,0]', ?)")
    for (text, distance) in [("[3,4]", 5.0), ("[6,8]", 10.0)] {
      try statement.bind(text, at: 1)
      #expect(try statement.step())
      #expect(statement.double(0) == distance)
      statement.reset()
    }
  }

  /// Deterministic functions may be indexed, innocuous ones used in the schema.
  @Test func worksInIndexesAndGeneratedColumns() throws {
    let session = try SQLSession()
    try session.run("PRAGMA trusted_schema = OFF")
    try session.run("CREATE TABLE t(v BLOB CHECK (vector_dims(v) = 2), n AS (vector_norm(v)))")
    try session.run("CREATE INDEX i ON t(n)")
    try session.run("INSERT INTO t(v) VALUES (vector('[3,4]'))")
    #expect(try session.column("SELECT n FROM t WHERE n > 4") == [5.0])
    #expect(try session.error("INSERT INTO t(v) VALUES (vector('[3]'))").message.contains("CHECK"))
  }
}
