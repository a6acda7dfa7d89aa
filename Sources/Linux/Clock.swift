internal import CLinux

/// The clocks. Deciders never ask for them: drivers do, and pass the reading on.
package enum Clock {
    /// Nanoseconds since some point before this machine's start; never goes back.
    package static func monotonicNanoseconds() -> UInt64 { daybook_clock(0) }

    /// Microseconds of UTC since 1970-01-01; may jump.
    package static func wallMicroseconds() -> Int64 { Int64(daybook_clock(1) / 1_000) }
}
