package import Bytes

/// What a mail is about.
package enum MailSubject: Equatable, Sendable {
    case welcome(UserID)
    case alert(AlertedEvent)
}

/// An event as a mail tells of it. Texts are cut, so that mail that is owed stays small.
package struct AlertedEvent: Equatable, Sendable {
    /// Bytes of each text.
    package static let textBytes = 255

    /// The rule's text.
    package let rule: String
    package let sequence: Sequence
    package let revision: Revision
    package let application: String
    /// Whole: by it the mail goes when the event is erased.
    package let uniqueID: String
    package let scriptName: String
    package let hostName: String
    package let startTime: String
    /// Empty where there is none.
    package let stopTime: String

    /// The event in `record` (in `bytes`).
    package init(
        _ record: RecordView, in bytes: Span<UInt8>, sequence: Sequence, rule: AlertRule
    ) {
        func text(_ range: Range<Int>) -> String {
            String(decoding: bytes.copy(range), as: UTF8.self).cut(toBytes: Self.textBytes)
        }
        self.rule = rule.text.cut(toBytes: Self.textBytes)
        self.sequence = sequence
        revision = record.revision
        application = text(record.application)
        uniqueID = text(record.uniqueID)
        scriptName = text(record.scriptName)
        hostName = text(record.hostName)
        startTime = text(record.startTime)
        stopTime = record.stopTime.map(text) ?? ""
    }

    package init(_ cursor: inout ByteCursor, _ bytes: Span<UInt8>) throws(ByteDefect) {
        rule = try cursor.text(bytes)
        sequence = Sequence(try cursor.integer(bytes))
        revision = Revision(try cursor.integer(bytes))
        application = try cursor.text(bytes)
        uniqueID = try cursor.text(bytes)
        scriptName = try cursor.text(bytes)
        hostName = try cursor.text(bytes)
        startTime = try cursor.text(bytes)
        stopTime = try cursor.text(bytes)
    }

    package func append(to bytes: inout [UInt8]) {
        bytes.append(counted: rule)
        bytes.append(littleEndian: sequence.value)
        bytes.append(littleEndian: revision.value)
        for text in [application, uniqueID, scriptName, hostName, startTime, stopTime] {
            bytes.append(counted: text)
        }
    }
}

/// A mail that is to be owed.
package struct MailOrder: Equatable, Sendable {
    package let recipient: String
    package let subject: MailSubject

    package init(recipient: String, subject: MailSubject) {
        self.recipient = recipient
        self.subject = subject
    }

    package init(_ cursor: inout ByteCursor, _ bytes: Span<UInt8>) throws(ByteDefect) {
        recipient = try cursor.text(bytes)
        switch try cursor.integer(bytes, as: UInt8.self) {
        case 1: subject = .welcome(UserID(try cursor.integer(bytes)))
        case 2: subject = .alert(try AlertedEvent(&cursor, bytes))
        default: throw ByteDefect(offset: cursor.offset - 1)
        }
    }

    package func append(to bytes: inout [UInt8]) {
        bytes.append(counted: recipient)
        switch subject {
        case .welcome(let user):
            bytes.append(1)
            bytes.append(littleEndian: user.value)
        case .alert(let event):
            bytes.append(2)
            event.append(to: &bytes)
        }
    }
}

/// What a gateway says about mail. Each is harmless when it comes twice or late.
package enum MailReport: Equatable, Sendable {
    /// Bytes of a reason.
    package static let reasonBytes = 200
    /// Reports in one frame or entry. More wait for the next.
    package static let limit = 256

    /// The gateway of this name wants to be the one that delivers, or to stay it.
    case claim(Identifier)
    /// Mail of this number was taken by Mandrill.
    case delivered(UInt64)
    /// The attempt of this number, from 1, came to nothing.
    case failed(UInt64, attempt: UInt32, reason: String)
    /// Nobody has tried yet, and whoever waited for it has to be told so.
    case overdue(UInt64)
    /// The gateway of this name is about to end, and leaves delivering to others.
    case release(Identifier)

    package init(_ cursor: inout ByteCursor, _ bytes: Span<UInt8>) throws(ByteDefect) {
        let place = cursor.offset
        switch try cursor.integer(bytes, as: UInt8.self) {
        case 1:
            self = .claim(
                Identifier(bytes, at: try cursor.take(Identifier.encodedSize).lowerBound))
        case 2: self = .delivered(try cursor.integer(bytes))
        case 3:
            let mail: UInt64 = try cursor.integer(bytes)
            let attempt: UInt32 = try cursor.integer(bytes)
            let reason = try cursor.text(bytes)
            guard attempt > 0, reason.utf8.count <= Self.reasonBytes else {
                throw ByteDefect(offset: place)
            }
            self = .failed(mail, attempt: attempt, reason: reason)
        case 4: self = .overdue(try cursor.integer(bytes))
        case 5:
            self = .release(
                Identifier(bytes, at: try cursor.take(Identifier.encodedSize).lowerBound))
        default: throw ByteDefect(offset: place)
        }
    }

    package func append(to bytes: inout [UInt8]) {
        switch self {
        case .claim(let gateway):
            bytes.append(1)
            gateway.append(to: &bytes)
        case .delivered(let mail):
            bytes.append(2)
            bytes.append(littleEndian: mail)
        case .failed(let mail, let attempt, let reason):
            bytes.append(3)
            bytes.append(littleEndian: mail)
            bytes.append(littleEndian: attempt)
            bytes.append(counted: reason)
        case .overdue(let mail):
            bytes.append(4)
            bytes.append(littleEndian: mail)
        case .release(let gateway):
            bytes.append(5)
            gateway.append(to: &bytes)
        }
    }
}

/// A change of what mail is owed. The first three stand in the log; the others follow from its
/// entries, and are on the way to gateways alone.
package enum MailChange: Equatable, Sendable {
    /// The rules from now on, as text.
    case rules(String)
    /// A notification was read.
    case read(UInt64)
    /// Bookkeeping. None at all: time has passed.
    case reports([MailReport])
    case owe([MailOrder])
    /// The event of this unique_id was erased.
    case erase(uniqueID: String)
    /// So much mail came of one rule that no more is owed of it before this time.
    case heldBack(rule: String, until: Timestamp)

    /// Whether nobody may ask for it: the log's entries bring it about.
    package var isDerived: Bool {
        switch self {
        case .owe, .erase, .heldBack: true
        case .rules, .read, .reports: false
        }
    }

    package init(_ cursor: inout ByteCursor, _ bytes: Span<UInt8>) throws(ByteDefect) {
        let place = cursor.offset
        switch try cursor.integer(bytes, as: UInt8.self) {
        case 1: self = .rules(try cursor.text(bytes))
        case 2: self = .read(try cursor.integer(bytes))
        case 3: self = .reports(try MailReports.read(&cursor, bytes))
        case 4:
            var orders: [MailOrder] = []
            for _ in 0..<(try cursor.integer(bytes, as: UInt32.self)) {
                orders.append(try MailOrder(&cursor, bytes))
            }
            self = .owe(orders)
        case 5: self = .erase(uniqueID: try cursor.text(bytes))
        case 6:
            let rule = try cursor.text(bytes)
            self = .heldBack(
                rule: rule, until: Timestamp(microseconds: try cursor.integer(bytes)))
        default: throw ByteDefect(offset: place)
        }
    }

    package func append(to bytes: inout [UInt8]) {
        switch self {
        case .rules(let text):
            bytes.append(1)
            bytes.append(counted: text)
        case .read(let notification):
            bytes.append(2)
            bytes.append(littleEndian: notification)
        case .reports(let reports):
            bytes.append(3)
            MailReports.append(reports, to: &bytes)
        case .owe(let orders):
            bytes.append(4)
            bytes.append(littleEndian: UInt32(orders.count))
            for order in orders { order.append(to: &bytes) }
        case .erase(let uniqueID):
            bytes.append(5)
            bytes.append(counted: uniqueID)
        case .heldBack(let rule, let until):
            bytes.append(6)
            bytes.append(counted: rule)
            bytes.append(littleEndian: until.microseconds)
        }
    }
}

/// Reports behind their number as 32 bits.
package enum MailReports {
    package static func read(
        _ cursor: inout ByteCursor, _ bytes: Span<UInt8>
    ) throws(ByteDefect) -> [MailReport] {
        let count = try cursor.integer(bytes, as: UInt32.self)
        guard count <= MailReport.limit else { throw ByteDefect(offset: cursor.offset - 4) }
        var reports: [MailReport] = []
        for _ in 0..<count { reports.append(try MailReport(&cursor, bytes)) }
        return reports
    }

    package static func append(_ reports: [MailReport], to bytes: inout [UInt8]) {
        precondition(reports.count <= MailReport.limit, "\(reports.count) reports at once")
        bytes.append(littleEndian: UInt32(reports.count))
        for report in reports { report.append(to: &bytes) }
    }
}
