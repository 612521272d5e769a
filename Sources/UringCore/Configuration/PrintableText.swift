/// Text of the environment in one line that shows every character.
///
/// It may hold line ends and terminal sequences, which would break or hide the line.
///
/// > Thread: Any thread.
struct PrintableText: CustomStringConvertible {
    let description: String

    init(_ text: String) {
        description = text.unicodeScalars.reduce(into: "") { text, scalar in
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator:
                text += scalar.escaped(asASCII: true)
            default: text.unicodeScalars.append(scalar)
            }
        }
    }
}
