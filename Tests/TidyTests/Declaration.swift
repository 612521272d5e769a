/// What one Swift keyword such as `struct`, `func` or `var` declares.
struct Declaration: Sendable {
    enum Kind: Sendable {
        case type
        case `extension`
        /// Anything that may hold statements: functions, initializers, subscripts, properties.
        case member
        /// A type alias or the like.
        case name
    }

    let kind: Kind
    let keyword: String
    /// Empty where there is none, as for `init`.
    let name: String
    let modifiers: [String]
    /// Outside every type and function.
    let isTopLevel: Bool
    /// Outside every function.
    let isVisibleOutside: Bool
    /// Where the first attribute or modifier stands.
    let firstLine: Int
    let keywordLine: Int
    /// Where the body closes; without a body, where the declaration ends.
    var lastLine: Int
    var hasBody = false

    var isAPI: Bool {
        isVisibleOutside && modifiers.contains { ["public", "package", "open"].contains($0) }
    }

    var isType: Bool { kind == .type }

    /// Reads like source: `func tick`.
    var title: String {
        name.isEmpty ? keyword : "\(keyword) \(name)"
    }

    func holds(line: Int) -> Bool {
        (firstLine...lastLine).contains(line)
    }
}
