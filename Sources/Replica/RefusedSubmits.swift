// A client sends its submits in the order of their ids, without waiting for answers. When one is
// refused, those behind it may be on their way already; taken, they would stand in the log before
// it. So they are refused too, until the oldest that the client still waits for comes (go-back-N).

/// The clients that have to go back to the oldest submit that they still wait for.
struct RefusedSubmits {
    private var clients: [ClientID] = []

    /// Whether a submit of the client may be taken; if so, it has gone back.
    mutating func admit(_ client: ClientID, isOldest: Bool) -> Bool {
        guard let place = clients.firstIndex(of: client) else { return true }
        guard isOldest else { return false }
        clients.remove(at: place)
        return true
    }

    /// A submit of the client was refused.
    mutating func note(_ client: ClientID) {
        if !clients.contains(client) { clients.append(client) }
    }

    mutating func forget(_ client: ClientID) { clients.removeAll { $0 == client } }
}
