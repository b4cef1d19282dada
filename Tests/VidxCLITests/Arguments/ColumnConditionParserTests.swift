import Testing
import Vidx

@testable import VidxCLI

@Suite struct ColumnConditionParserTests {
  @Test(arguments: [
    ("section = 'admin'", ColumnCondition("section", .equals("admin"))),
    ("section = \"admin\"", ColumnCondition("section", .equals("admin"))),
    ("\"a \"\"name\" == 'it''s'", ColumnCondition("a \"name", .equals("it's"))),
    ("[two words] <> `x`", ColumnCondition("two words", .differs(from: "x"))),
    ("size != -5", ColumnCondition("size", .differs(from: -5))), ("size<5", ColumnCondition("size", .isBelow(5))),
    ("size <= 5.5", ColumnCondition("size", .isAtMost(5.5))),
    ("size > 1e3", ColumnCondition("size", .isAbove(1_000.0))),
    ("size >= .5", ColumnCondition("size", .isAtLeast(0.5))),
    ("size BETWEEN 1 AND -2.5e-1", ColumnCondition("size", .isBetween(1, -0.25))),
    ("a in (1, 'x', null)", ColumnCondition("a", .isIn([1, "x", .null]))), ("a IN ()", ColumnCondition("a", .isIn([]))),
    ("between is null", ColumnCondition("between", .isNull)), ("x is not null", ColumnCondition("x", .isNotNull)),
    ("x = x'00fF'", ColumnCondition("x", .equals(.blob([0, 255])))),
    ("größe = true", ColumnCondition("größe", .equals(1))),
    ("a = NULL", ColumnCondition("a", .equals(.null))),
    ("a > 9223372036854775808", ColumnCondition("a", .isAbove(9.223372036854775808e18))),
  ])
  func readsATest(text: String, condition: ColumnCondition) throws {
    #expect(try ColumnConditionParser.conditions(text) == [condition])
    let twice = "\(text)\n AND (1 = 1)"
    #expect(throws: UsageError.self) { try ColumnConditionParser.conditions(twice) }
    #expect(try ColumnConditionParser.conditions("\(text) and \(text)") == [condition, condition])
  }

  @Test(arguments: [
    "", "section", "section =", "section = admin", "= 5", "a = 1 OR b = 2", "NOT a = 1", "a = 1 AND", "a = 'x",
    "a IN (1 2)", "a IN (1", "a BETWEEN 1", "a IS 5", "a LIKE 'x%'", "a = 1; b = 2", "a = 5x", "a = 1 b = 2", "\"a = 1",
    "a = x'0'", "a = --5",
  ])
  func refusesWhatIsNone(text: String) throws {
    let error = #expect(throws: UsageError.self) { try ColumnConditionParser.conditions(text) }
    #expect(error?.message.hasPrefix("--filter \(text): ") == true)
  }
}
