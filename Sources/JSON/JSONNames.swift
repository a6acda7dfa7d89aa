import Bytes

/// What is known of the names of an object that is being parsed.
struct SeenNames {
    /// The first name's node.
    let first: Int
    var count = 0
    /// The fingerprints of all names that were seen.
    var fingerprints: UInt64 = 0
}

// Repeated names. A narrow object is compared name by name, a wide one sorted at its end, so that
// no input costs more than n log n.
extension JSONDocument {
    /// Members up to which names are compared one by one.
    private static let narrowCount = 16

    /// Counts the name `node` in, and compares it with those before it while they are few.
    @inline(__always)
    mutating func note(
        _ node: Int, in seen: inout SeenNames, _ bytes: Span<UInt8>
    ) throws(JSONDefect) {
        let bits = fingerprint(node, bytes)
        if seen.fingerprints & bits != 0, seen.count < Self.narrowCount {
            try compare(node, with: seen, bytes)
        }
        seen.fingerprints |= bits
        seen.count += 1
    }

    /// One of 64 bits, the same for equal names; all bits for a name with escapes, which may equal any.
    @inline(__always)
    private func fingerprint(_ node: Int, _ bytes: Span<UInt8>) -> UInt64 {
        let name = nodes[node]
        if name.hasEscapes { return .max }
        let content = name.content
        var word: UInt64 = 0
        if content.lowerBound + 8 <= bytes.count {
            word = bytes.littleEndian(at: content.lowerBound)
            // A smart shift by 64 and more leaves zero, so that long names keep all eight bytes.
            word &= ~(UInt64.max << (8 * UInt64(content.count)))
        } else {
            for offset in content.reversed() { word = word << 8 | UInt64(bytes[offset]) }
        }
        let mixed = (word ^ UInt64(content.count)) &* 0x9E37_79B9_7F4A_7C15
        return 1 << (mixed >> 58)
    }

    private func compare(
        _ node: Int, with seen: SeenNames, _ bytes: Span<UInt8>
    ) throws(JSONDefect) {
        var earlier = seen.first
        while earlier < node {
            if isSame(earlier, node, bytes) {
                throw JSONDefect(.repeatedName, at: Int(nodes[node].start))
            }
            earlier = Int(nodes[earlier + 1].next)
        }
    }

    private func isSame(_ left: Int, _ right: Int, _ bytes: Span<UInt8>) -> Bool {
        let (leftName, rightName) = (nodes[left], nodes[right])
        if leftName.hasEscapes || rightName.hasEscapes { return order(left, right, bytes) == 0 }
        guard leftName.range.count == rightName.range.count else { return false }
        return bytes.equals(bytes.extracting(leftName.content), in: rightName.content)
    }

    /// Looks for repetitions in the names of a wide object, once it is whole.
    @inline(__always)
    mutating func finish(
        _ seen: SeenNames, of object: Int, _ bytes: Span<UInt8>
    ) throws(JSONDefect) {
        if seen.count > Self.narrowCount { try finishWide(object, bytes) }
    }

    private mutating func finishWide(
        _ object: Int, _ bytes: Span<UInt8>
    ) throws(JSONDefect) {
        names.removeAll(keepingCapacity: true)
        gatherNames(of: object, into: &names)
        sort(&names, bytes)
        var defect: UInt32?
        for place in 1..<names.count {
            if order(Int(names[place - 1]), Int(names[place]), bytes) == 0 {
                let start = nodes[Int(names[place])].start
                defect = min(defect ?? start, start)
            }
        }
        if let defect { throw JSONDefect(.repeatedName, at: Int(defect)) }
    }

    func gatherNames(of object: Int, into list: inout [UInt32]) {
        var name = firstChild(of: object)
        while let current = name {
            list.append(UInt32(current))
            name = nextName(after: current, in: object)
        }
    }

    /// Negative, zero or positive as the unescaped bytes of `left` are before, equal to or after
    /// those of `right`.
    func order(_ left: Int, _ right: Int, _ bytes: Span<UInt8>) -> Int {
        let (left, right) = (nodes[left], nodes[right])
        if left.hasEscapes || right.hasEscapes {
            return escapedOrder(left.content, right.content, bytes)
        }
        let shared = min(left.content.count, right.content.count)
        var offset = 0
        while offset < shared {
            let difference =
                Int(bytes[left.content.lowerBound + offset])
                - Int(bytes[right.content.lowerBound + offset])
            if difference != 0 { return difference }
            offset += 1
        }
        return left.content.count - right.content.count
    }

    private func escapedOrder(
        _ left: Range<Int>, _ right: Range<Int>, _ bytes: Span<UInt8>
    ) -> Int {
        var leftCursor = UnescapingCursor(left)
        var rightCursor = UnescapingCursor(right)
        while true {
            let leftByte = leftCursor.next(in: bytes)
            let rightByte = rightCursor.next(in: bytes)
            let difference = (leftByte.map(Int.init) ?? -1) - (rightByte.map(Int.init) ?? -1)
            if difference != 0 || leftByte == nil { return difference }
        }
    }

    /// Sorts name nodes by unescaped bytes, equal ones by place (heap sort: no closure, no memory).
    func sort(_ list: inout [UInt32], _ bytes: Span<UInt8>) {
        for root in stride(from: list.count / 2 - 1, through: 0, by: -1) {
            sift(&list, root, list.count, bytes)
        }
        for end in stride(from: list.count - 1, to: 0, by: -1) {
            list.swapAt(0, end)
            sift(&list, 0, end, bytes)
        }
    }

    private func sift(_ list: inout [UInt32], _ root: Int, _ end: Int, _ bytes: Span<UInt8>) {
        var parent = root
        while true {
            var largest = 2 * parent + 1
            guard largest < end else { return }
            if largest + 1 < end, isBefore(list[largest], list[largest + 1], bytes) {
                largest += 1
            }
            guard isBefore(list[parent], list[largest], bytes) else { return }
            list.swapAt(parent, largest)
            parent = largest
        }
    }

    private func isBefore(_ left: UInt32, _ right: UInt32, _ bytes: Span<UInt8>) -> Bool {
        let difference = order(Int(left), Int(right), bytes)
        return difference < 0 || (difference == 0 && left < right)
    }
}
