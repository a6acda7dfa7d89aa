import Bytes

/// How a gateway reads the times that clients send.
package struct TimeReading: Equatable, Sendable {
    package enum DateOrder: Sendable { case monthFirst, dayFirst }

    /// Of dates with slashes.
    package var dateOrder = DateOrder.monthFirst
    /// Minutes ahead of UTC of times without a zone.
    package var zoneMinutes = 0

    package init() {}

    /// The moment that the text in `range` names; nil when it is no time.
    ///
    /// Read are RFC 3339 (the zone may be left out, a space may stand for the `T`), and FileMaker's
    /// `MM/DD/YYYY HH:MM[:SS][.fff] [AM|PM]` (leading zeros optional); a date alone is midnight.
    package func timestamp(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Timestamp? {
        var scanner = TimeScanner(offset: range.lowerBound, end: range.upperBound)
        guard let first = scanner.number(bytes, digits: 1...4) else { return nil }
        let isSlashed = scanner.take("/", bytes)
        guard
            var time = isSlashed
                ? slashedDate(first, &scanner, bytes) : dashedDate(first, &scanner, bytes)
        else { return nil }
        var offsetMinutes = zoneMinutes
        if !scanner.isAtEnd {
            let read =
                isSlashed
                ? scanner.timeOfDay12(bytes, into: &time)
                : scanner.timeOfDay24(bytes, into: &time, offsetMinutes: &offsetMinutes)
            guard read, scanner.isAtEnd else { return nil }
        }
        guard time.exists else { return nil }
        let moment = time.timestamp(offsetMinutes: offsetMinutes)
        // A zone may carry it out of the years that have four digits, where nothing writes it down.
        return CivilTime.writable.contains(moment) ? moment : nil
    }

    private func slashedDate(
        _ first: (value: Int, digits: Int), _ scanner: inout TimeScanner, _ bytes: Span<UInt8>
    ) -> CivilTime? {
        guard first.digits <= 2, let second = scanner.number(bytes, digits: 1...2),
            scanner.take("/", bytes), let year = scanner.number(bytes, digits: 4...4)
        else { return nil }
        let (month, day) =
            dateOrder == .monthFirst
            ? (first.value, second.value) : (second.value, first.value)
        return CivilTime(year: year.value, month: month, day: day)
    }

    private func dashedDate(
        _ first: (value: Int, digits: Int), _ scanner: inout TimeScanner, _ bytes: Span<UInt8>
    ) -> CivilTime? {
        guard first.digits == 4, scanner.take("-", bytes),
            let month = scanner.number(bytes, digits: 2...2), scanner.take("-", bytes),
            let day = scanner.number(bytes, digits: 2...2)
        else { return nil }
        return CivilTime(year: first.value, month: month.value, day: day.value)
    }
}

/// Reads the parts of a time from left to right.
private struct TimeScanner {
    var offset: Int
    let end: Int

    var isAtEnd: Bool { offset == end }

    mutating func take(_ character: Unicode.Scalar, _ bytes: Span<UInt8>) -> Bool {
        guard offset < end, bytes[offset] == UInt8(ascii: character) else { return false }
        offset += 1
        return true
    }

    /// Takes as many digits as there are up to the upper bound; nil when there are too few.
    mutating func number(
        _ bytes: Span<UInt8>, digits: ClosedRange<Int>
    ) -> (value: Int, digits: Int)? {
        var value = 0
        var count = 0
        while offset < end, count < digits.upperBound,
            (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes[offset])
        {
            value = value * 10 + Int(bytes[offset] - UInt8(ascii: "0"))
            count += 1
            offset += 1
        }
        return digits.contains(count) ? (value, count) : nil
    }

    /// A fraction of a second, if one follows: 1 to 9 digits, cut to microseconds.
    mutating func fraction(_ bytes: Span<UInt8>, into time: inout CivilTime) -> Bool {
        guard take(".", bytes) else { return true }
        guard let digits = number(bytes, digits: 1...9) else { return false }
        var value = digits.value
        for _ in 0..<max(6 - digits.digits, 0) { value *= 10 }
        for _ in 0..<max(digits.digits - 6, 0) { value /= 10 }
        time.microsecond = value
        return true
    }

    /// ` HH:MM:SS[.f][Z|±HH:MM]`, the first character a `T` or a space.
    mutating func timeOfDay24(
        _ bytes: Span<UInt8>, into time: inout CivilTime, offsetMinutes: inout Int
    ) -> Bool {
        guard take("T", bytes) || take("t", bytes) || take(" ", bytes),
            let hour = number(bytes, digits: 2...2), take(":", bytes),
            let minute = number(bytes, digits: 2...2), take(":", bytes),
            let second = number(bytes, digits: 2...2), fraction(bytes, into: &time)
        else { return false }
        (time.hour, time.minute, time.second) = (hour.value, minute.value, second.value)
        if isAtEnd { return true }
        if take("Z", bytes) || take("z", bytes) {
            offsetMinutes = 0
            return true
        }
        let isAhead = take("+", bytes)
        guard isAhead || take("-", bytes), let hours = number(bytes, digits: 2...2),
            take(":", bytes), let minutes = number(bytes, digits: 2...2), hours.value <= 23,
            minutes.value <= 59
        else { return false }
        offsetMinutes = (hours.value * 60 + minutes.value) * (isAhead ? 1 : -1)
        return true
    }

    /// ` H:MM[:SS[.f]] [AM|PM]`.
    mutating func timeOfDay12(_ bytes: Span<UInt8>, into time: inout CivilTime) -> Bool {
        guard take(" ", bytes), let hour = number(bytes, digits: 1...2), take(":", bytes),
            let minute = number(bytes, digits: 2...2)
        else { return false }
        (time.hour, time.minute) = (hour.value, minute.value)
        if take(":", bytes) {
            guard let second = number(bytes, digits: 2...2) else { return false }
            time.second = second.value
        }
        guard fraction(bytes, into: &time) else { return false }
        if isAtEnd { return true }
        _ = take(" ", bytes)
        let isAfternoon = take("P", bytes) || take("p", bytes)
        guard isAfternoon || take("A", bytes) || take("a", bytes),
            take("M", bytes) || take("m", bytes), (1...12).contains(time.hour)
        else { return false }
        time.hour = time.hour % 12 + (isAfternoon ? 12 : 0)
        return true
    }
}
