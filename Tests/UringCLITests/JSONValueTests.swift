import Foundation
import Testing

@testable import UringCLI

/// JSON that other programs read back.
@Suite("JSONValue")
struct JSONValueTests {
    /// What Foundation's reader makes of a text.
    private func read(_ value: JSONValue) throws -> Any {
        try JSONSerialization.jsonObject(with: Data(value.text().utf8), options: .fragmentsAllowed)
    }

    @Test(arguments: [
        "", "plain", "\"\\/", "\n\r\t\u{0}\u{1}\u{1F}\u{7F}", "é\u{1F600}\u{2028}", "\u{1B}[31m",
        "\r\n",
    ])
    func keepsAnyText(_ text: String) throws {
        #expect(try read(.string(text)) as? String == text)
        #expect(try read(.object([(text, .null)])) as? [String: NSNull] == [text: NSNull()])
        #expect(!JSONValue.string(text).text().unicodeScalars.contains { $0.value < 0x20 })
    }

    @Test func isOneLineWhenAskedTo() {
        let value = JSONValue.object([
            ("a", .array([.integer(1), .object([])])), ("b\n", .array([])), ("c", .string("\n")),
        ])
        #expect(value.line == #"{"a": [1, {}], "b\u000a": [], "c": "\u000a"}"#)
    }

    @Test(arguments: [0, 1, -1, .max, .min])
    func keepsAnyWholeNumber(_ number: Int) throws {
        #expect(try read(.integer(number)) as? Int == number)
    }

    @Test(arguments: [0, 1.5, -2.25, 1e300, 1e-300, 0.1])
    func keepsAnyFiniteNumber(_ number: Double) throws {
        #expect(try read(.number(number)) as? Double == number)
    }

    @Test(arguments: [Double.nan, .infinity, -.infinity])
    func hasNoNumberThatIsNotFinite(_ number: Double) {
        #expect(JSONValue.number(number).text() == "null")
    }

    @Test func putsMembersOnLinesAndPlainListsOnOne() {
        let value = JSONValue.object([
            ("list", .array([.integer(1), .bool(true), "a"])), ("none", .array([])),
            ("objects", .array([.object([("null", .null)]), .object([])])),
        ])
        let text = """
            {
              "list": [1, true, "a"],
              "none": [],
              "objects": [
                {
                  "null": null
                },
                {}
              ]
            }
            """
        #expect(value.text() == text)
    }
}
