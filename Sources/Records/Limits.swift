/// Every bound of the formats and of the queues that the deciders keep, with what happens at it.
/// docs/reference/limits.md is compared with this file by `tools/tidy`.
package enum Limits {
    /// Bytes of unique_id, host_name and updated_in. Longer is `invalid-param`, "too long".
    package static let shortStringBytes = 255
    /// Bytes of script_name and file_name. Longer is `invalid-param`, "too long".
    package static let longStringBytes = 1_024
    /// Bytes of a start_time or stop_time as sent. Longer is `invalid-param`, "not a time".
    package static let timeBytes = 64
    /// Bytes of notes as sent. Longer is `invalid-param`, "too long".
    package static let notesBytes = 65_536
    /// Bytes of an application's slug. No longer one can be configured.
    package static let applicationBytes = 64
    /// Bytes of one stored record: the longest strings and notes, and what stands around them.
    package static let recordBytes = 96 * 1_024
    /// Bytes of one entry. A leader ends its batch before it; a longer one is no entry.
    package static let entryBytes = 8 * 1_024 * 1_024
    /// Records of one entry. More is no entry; a batch has far fewer.
    package static let entryRecords = 1_048_576
    /// Bytes of records that a leader puts into one entry. What waits beyond it is the next entry.
    package static let batchBytes = 1_024 * 1_024
    /// Members of a cluster. `daybook init` refuses more.
    package static let members = 15
}
