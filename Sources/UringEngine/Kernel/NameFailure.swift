/// Why a name leads to no address (getaddrinfo(3)).
///
/// > Thread: Any thread.
public enum NameFailure: Hashable, Sendable {
    /// There is no such name, or it has no address (EAI_NONAME, EAI_NODATA, EAI_ADDRFAMILY).
    case notFound
    /// The servers do not answer now; later they may (EAI_AGAIN).
    case temporary
    /// The servers refuse for good (EAI_FAIL).
    case refused
    /// There is no memory for it (EAI_MEMORY).
    case noMemory
    /// Something else; the number is that of getaddrinfo(3).
    case other(Int32)
}

extension NameFailure: CustomStringConvertible {
    /// The failure in words.
    public var description: String {
        switch self {
        case .notFound: "the name has no address"
        case .temporary: "the name servers do not answer; it may work later"
        case .refused: "the name servers refuse"
        case .noMemory: "there is no memory to resolve a name"
        case .other(let code): "getaddrinfo failed with \(code)"
        }
    }
}
