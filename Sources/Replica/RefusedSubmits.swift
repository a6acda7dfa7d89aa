// A client sends its submits in the order of their ids, without waiting for answers. When one is
// refused, those behind it may be on their way already; taken, they would stand in the log before
// it. So none is taken while one with a lower id that was refused has not come again (go-back-N).
// Copies that were late may be refused once more behind the first, so each is remembered by itself.

/// The submits that were refused and have not come again, for each client.
struct RefusedSubmits {
    /// Submits remembered for one client. Of more, those beyond are refused while the others are
    /// missing, and may then come in another order than they were sent in.
    static let limit = 16_384

    private struct Refused {
        let client: ClientID
        /// In ascending order, not empty.
        var batches: [UInt64]
    }

    private var clients: [Refused] = []

    /// Whether the client's submit `batch` may be taken. Those before `oldest` were given up.
    mutating func admit(_ client: ClientID, _ batch: UInt64, oldest: UInt64) -> Bool {
        guard let place = clients.firstIndex(where: { $0.client == client }) else { return true }
        clients[place].batches.removeAll { $0 < oldest }
        let first = clients[place].batches.first ?? .max
        if first == batch { clients[place].batches.removeFirst() }
        if clients[place].batches.isEmpty { clients.remove(at: place) }
        return batch <= first
    }

    /// A submit of the client was refused.
    mutating func note(_ client: ClientID, _ batch: UInt64) {
        guard let place = clients.firstIndex(where: { $0.client == client }) else {
            return clients.append(Refused(client: client, batches: [batch]))
        }
        let batches = clients[place].batches
        guard batches.count < Self.limit, !batches.contains(batch) else { return }
        let index = batches.firstIndex { $0 > batch } ?? batches.count
        clients[place].batches.insert(batch, at: index)
    }

    mutating func forget(_ client: ClientID) { clients.removeAll { $0.client == client } }
}
