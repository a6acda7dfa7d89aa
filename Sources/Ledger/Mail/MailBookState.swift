package import Bytes
import Records

// Mail in the state table and on the way to gateways; docs/reference/segment-format.md has the form.

extension MailBook {
    package init(_ cursor: inout ByteCursor, _ bytes: Span<UInt8>) throws(ByteDefect) {
        let place = cursor.offset
        do {
            rules = try MailRules(try cursor.text(bytes))
        } catch let defect as ByteDefect {
            throw defect
        } catch {
            throw ByteDefect(offset: place)
        }
        if try cursor.flag(bytes) {
            let gateway = Identifier(
                bytes, at: try cursor.take(Identifier.encodedSize).lowerBound)
            lease = MailLease(gateway: gateway, until: try cursor.time(bytes))
        }
        mailCount = try cursor.integer(bytes)
        for _ in 0..<(try cursor.integer(bytes, as: UInt32.self)) {
            owed.append(try OwedMail(&cursor, bytes))
        }
        notificationCount = try cursor.integer(bytes)
        for _ in 0..<(try cursor.integer(bytes, as: UInt32.self)) {
            notifications.append(try Notification(&cursor, bytes))
        }
        guard Self.rise(owed.map(\.id), to: mailCount),
            Self.rise(notifications.map(\.id), to: notificationCount)
        else { throw ByteDefect(offset: place) }
    }

    package func append(to bytes: inout [UInt8]) {
        bytes.append(counted: rules.source)
        bytes.append(lease == nil ? 0 : 1)
        if let lease {
            lease.gateway.append(to: &bytes)
            bytes.append(littleEndian: lease.until.microseconds)
        }
        bytes.append(littleEndian: mailCount)
        bytes.append(littleEndian: UInt32(owed.count))
        for mail in owed { mail.append(to: &bytes) }
        bytes.append(littleEndian: notificationCount)
        bytes.append(littleEndian: UInt32(notifications.count))
        for notification in notifications { notification.append(to: &bytes) }
    }

    private static func rise(_ numbers: [UInt64], to last: UInt64) -> Bool {
        zip(numbers, numbers.dropFirst()).allSatisfy { $0 < $1 } && numbers.last ?? 0 <= last
    }
}

extension OwedMail {
    fileprivate init(_ cursor: inout ByteCursor, _ bytes: Span<UInt8>) throws(ByteDefect) {
        id = try cursor.integer(bytes)
        order = try MailOrder(&cursor, bytes)
        owedAt = try cursor.time(bytes)
        attempts = try cursor.integer(bytes)
        dueAt = try cursor.time(bytes)
        isReported = try cursor.flag(bytes)
    }

    fileprivate func append(to bytes: inout [UInt8]) {
        bytes.append(littleEndian: id)
        order.append(to: &bytes)
        bytes.append(littleEndian: owedAt.microseconds)
        bytes.append(littleEndian: attempts)
        bytes.append(littleEndian: dueAt.microseconds)
        bytes.append(isReported ? 1 : 0)
    }
}

extension Notification {
    fileprivate init(_ cursor: inout ByteCursor, _ bytes: Span<UInt8>) throws(ByteDefect) {
        id = try cursor.integer(bytes)
        createdAt = try cursor.time(bytes)
        guard let state = State(rawValue: try cursor.integer(bytes)) else {
            throw ByteDefect(offset: cursor.offset - 1)
        }
        self.state = state
        updatedAt = try cursor.time(bytes)
        mail = try cursor.integer(bytes)
        recipient = try cursor.text(bytes)
        user = try cursor.flag(bytes) ? UserID(try cursor.integer(bytes)) : nil
        rule = try cursor.text(bytes)
        sequence = try cursor.flag(bytes) ? Sequence(try cursor.integer(bytes)) : nil
        attempts = try cursor.integer(bytes)
        reason = try cursor.text(bytes)
        readAt = try cursor.flag(bytes) ? try cursor.time(bytes) : nil
    }

    fileprivate func append(to bytes: inout [UInt8]) {
        bytes.append(littleEndian: id)
        bytes.append(littleEndian: createdAt.microseconds)
        bytes.append(state.rawValue)
        bytes.append(littleEndian: updatedAt.microseconds)
        bytes.append(littleEndian: mail)
        bytes.append(counted: recipient)
        bytes.append(user == nil ? 0 : 1)
        if let user { bytes.append(littleEndian: user.value) }
        bytes.append(counted: rule)
        bytes.append(sequence == nil ? 0 : 1)
        if let sequence { bytes.append(littleEndian: sequence.value) }
        bytes.append(littleEndian: attempts)
        bytes.append(counted: reason)
        bytes.append(readAt == nil ? 0 : 1)
        if let readAt { bytes.append(littleEndian: readAt.microseconds) }
    }
}

extension ByteCursor {
    mutating func time(_ bytes: Span<UInt8>) throws(ByteDefect) -> Timestamp {
        Timestamp(microseconds: try integer(bytes))
    }
}
