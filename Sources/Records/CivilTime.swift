/// A date and time of day in the proleptic Gregorian calendar.
struct CivilTime: Equatable {
    var year: Int
    var month: Int
    var day: Int
    var hour = 0
    var minute = 0
    var second = 0
    var microsecond = 0

    static let microsecondsPerDay: Int64 = 86_400_000_000
    /// The moments of the years 1 to 9999 in UTC.
    static let writable =
        CivilTime(year: 1, month: 1, day: 1).timestamp(
            offsetMinutes: 0)..<CivilTime(year: 10_000, month: 1, day: 1).timestamp(
            offsetMinutes: 0)

    /// The time in UTC that `timestamp` names.
    init(_ timestamp: Timestamp) {
        let days = timestamp.microseconds.flooringDivision(by: Self.microsecondsPerDay)
        let rest = Int(timestamp.microseconds - days * Self.microsecondsPerDay)
        // Days to civil: H. Hinnant, "chrono-Compatible Low-Level Date Algorithms" (2014): years
        // begin in March, so that the leap day is the last one.
        let shifted = Int(days) + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra =
            (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        hour = rest / 3_600_000_000
        minute = rest / 60_000_000 % 60
        second = rest / 1_000_000 % 60
        microsecond = rest % 1_000_000
    }

    init(year: Int, month: Int, day: Int) {
        (self.year, self.month, self.day) = (year, month, day)
    }

    /// Whether there is such a day and such a time of day; 24:00 and leap seconds are none.
    var exists: Bool {
        guard (1...9_999).contains(year), (1...12).contains(month) else { return false }
        return (1...Self.days(in: month, of: year)).contains(day) && (0...23).contains(hour)
            && (0...59).contains(minute) && (0...59).contains(second)
    }

    /// The moment, when the clock shows this `offsetMinutes` ahead of UTC.
    func timestamp(offsetMinutes: Int) -> Timestamp {
        let shiftedYear = month <= 2 ? year - 1 : year
        let era = (shiftedYear >= 0 ? shiftedYear : shiftedYear - 399) / 400
        let yearOfEra = shiftedYear - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        let days = era * 146_097 + dayOfEra - 719_468
        let seconds = days * 86_400 + hour * 3_600 + (minute - offsetMinutes) * 60 + second
        return Timestamp(microseconds: Int64(seconds) * 1_000_000 + Int64(microsecond))
    }

    private static func days(in month: Int, of year: Int) -> Int {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }
}

extension Int64 {
    fileprivate func flooringDivision(by divisor: Int64) -> Int64 {
        let quotient = self / divisor
        return self % divisor < 0 ? quotient - 1 : quotient
    }
}

/// Times as this program writes them (RFC 3339): UTC, six digits of a second.
package enum RFC3339 {
    /// Appends 27 characters: `YYYY-MM-DDTHH:MM:SS.ffffffZ`.
    package static func append(_ timestamp: Timestamp, to output: inout [UInt8]) {
        let time = CivilTime(timestamp)
        digits(time.year, 4, to: &output)
        for (separator, value) in [
            ("-", time.month), ("-", time.day), ("T", time.hour), (":", time.minute),
            (":", time.second),
        ] as [(Unicode.Scalar, Int)] {
            output.append(UInt8(ascii: separator))
            digits(value, 2, to: &output)
        }
        output.append(UInt8(ascii: "."))
        digits(time.microsecond, 6, to: &output)
        output.append(UInt8(ascii: "Z"))
    }

    package static func text(_ timestamp: Timestamp) -> String {
        var output: [UInt8] = []
        append(timestamp, to: &output)
        return String(decoding: output, as: UTF8.self)
    }

    private static func digits(_ value: Int, _ count: Int, to output: inout [UInt8]) {
        var divisor = 1
        for _ in 1..<count { divisor *= 10 }
        while divisor > 0 {
            output.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: value / divisor % 10))
            divisor /= 10
        }
    }
}
