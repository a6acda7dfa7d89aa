import PeerWire

// Invariants, for each client:
// - its batches have rising ids, and it sends again in their order, what was refused included
// - while a refused batch has not come again, nothing that was sent after it is taken

/// Which submits were refused and are to come again, so that what one client posted in turn reaches
/// the log in turn (go-back-N).
struct RefusedSubmits {
    private struct Row {
        let client: ClientID
        /// The greatest id that was refused.
        var last: UInt64
        /// Of the refused ids, those up to here have come again and were taken.
        var taken: UInt64
    }

    /// In the order in which the clients were first refused.
    private var rows: [Row] = []

    /// Whether the batch may be taken. One that was refused comes again only after its sender has
    /// heard of all refusals before it, so whatever it leaves out then was given up.
    func admits(_ batch: UInt64, from client: ClientID) -> Bool {
        guard let row = rows.first(where: { $0.client == client }) else { return true }
        return batch <= row.last
    }

    mutating func take(_ batch: UInt64, from client: ClientID) {
        guard let place = rows.firstIndex(where: { $0.client == client }) else { return }
        rows[place].taken = max(rows[place].taken, batch)
        if rows[place].taken >= rows[place].last { rows.remove(at: place) }
    }

    /// `waitsForOther`: the batch is refused only because one before it has not come again.
    mutating func refuse(_ batch: UInt64, from client: ClientID, waitsForOther: Bool) {
        guard let place = rows.firstIndex(where: { $0.client == client }) else {
            rows.append(Row(client: client, last: batch, taken: 0))
            return
        }
        // What was refused before this and comes now was sent before this was heard of.
        rows[place].last = waitsForOther ? max(rows[place].last, batch) : batch
        rows[place].taken = waitsForOther ? rows[place].taken : 0
    }

    mutating func forget(_ client: ClientID) { rows.removeAll { $0.client == client } }
}
