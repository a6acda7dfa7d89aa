import Records

/// A promise that was broken.
package struct Violation: Error, Equatable, Sendable {
    package let text: String

    package init(_ text: String) { self.text = text }
}
