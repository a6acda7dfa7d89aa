import Records

/// What is to happen, earliest first; what is due at the same time, in the order of insertion.
///
/// A binary heap.
struct EventQueue<Event> {
    private struct Slot {
        let time: Instant
        let order: UInt64
        let event: Event

        func isBefore(_ other: Slot) -> Bool {
            time == other.time ? order < other.order : time < other.time
        }
    }

    private var slots: [Slot] = []
    private var inserted: UInt64 = 0

    var count: Int { slots.count }
    var nextTime: Instant? { slots.first?.time }

    mutating func insert(_ event: Event, at time: Instant) {
        inserted += 1
        slots.append(Slot(time: time, order: inserted, event: event))
        var place = slots.count - 1
        while place > 0, slots[place].isBefore(slots[(place - 1) / 2]) {
            slots.swapAt(place, (place - 1) / 2)
            place = (place - 1) / 2
        }
    }

    mutating func removeFirst() -> (time: Instant, event: Event)? {
        guard let first = slots.first else { return nil }
        let last = slots.removeLast()
        if !slots.isEmpty {
            slots[0] = last
            sink()
        }
        return (first.time, first.event)
    }

    private mutating func sink() {
        var place = 0
        while true {
            let left = 2 * place + 1
            guard left < slots.count else { return }
            let right = left + 1
            let least = right < slots.count && slots[right].isBefore(slots[left]) ? right : left
            guard slots[least].isBefore(slots[place]) else { return }
            slots.swapAt(place, least)
            place = least
        }
    }
}
