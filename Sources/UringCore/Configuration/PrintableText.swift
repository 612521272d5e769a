/// Foreign text, such as the environment's, in one line that shows every character.
///
/// It may hold line ends and terminal sequences, which would break or hide the line.
///
/// > Thread: Any thread.
package struct PrintableText: CustomStringConvertible {
    /// The text, with what would break or hide a line written as an escape.
    package let description: String

    /// Takes any text.
    package init(_ text: String) {
        description = text.unicodeScalars.reduce(into: "") { text, scalar in
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator:
                text += scalar.escaped(asASCII: true)
            default: text.unicodeScalars.append(scalar)
            }
        }
    }
}
