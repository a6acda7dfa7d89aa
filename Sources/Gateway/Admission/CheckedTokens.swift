import Crypto
import Records

/// The tokens that were checked against the present directory, newest first, so that a busy client's
/// is compared and not hashed at every request.
struct CheckedTokens {
    /// Tokens remembered; the oldest goes first.
    static let limit = 16

    private struct Checked {
        let text: [UInt8]
        let credential: Credential
    }

    private var checked: [Checked] = []

    /// The credential of a token that was checked before; compared in constant time.
    func credential(_ text: [UInt8]) -> Credential? {
        for known in checked where ConstantTime.equal(known.text, text) {
            return known.credential
        }
        return nil
    }

    mutating func remember(_ text: [UInt8], _ credential: Credential) {
        if checked.count == Self.limit { checked.removeLast() }
        checked.insert(Checked(text: text, credential: credential), at: 0)
    }

    /// The directory changed: everything is checked anew.
    mutating func forget() { checked.removeAll(keepingCapacity: true) }
}
