package import Bytes

// What the directory keeps of people and applications; docs/reference/record-format.md has the tables.

/// 64 random bits that name something in the directory, written as 16 hexadecimal digits.
package protocol RandomName: Hashable, Comparable, Sendable, CustomStringConvertible {
    var value: UInt64 { get }
    init(_ value: UInt64)
}

extension RandomName {
    /// Reads 16 hexadecimal digits; nil when it is anything else.
    package init?(_ digits: Span<UInt8>) {
        guard digits.count == 16, let bytes = Hex.decode(digits) else { return nil }
        self.init(bytes.reduce(0) { $0 << 8 | UInt64($1) })
    }

    package var description: String {
        Hex.encode((0..<8).map { UInt8(truncatingIfNeeded: value >> (56 - 8 * UInt64($0))) })
    }

    package static func < (left: Self, right: Self) -> Bool { left.value < right.value }
}

package struct UserID: RandomName {
    package let value: UInt64

    package init(_ value: UInt64) { self.value = value }
}

/// An application for which tokens and sessions act.
package struct ApplicationRow: Equatable, Sendable {
    /// From 1, in the order in which they were made; never given twice.
    package let number: UInt32
    package let slug: String
    package var name: String

    package init(number: UInt32, slug: String, name: String) {
        self.number = number
        self.slug = slug
        self.name = name
    }
}

/// What may be done by those who have a role in an application.
package struct RoleRow: Equatable, Sendable, PermissionHolder {
    package let application: String
    package let slug: String
    package var name: String
    package var permissions: [String]

    package init(application: String, slug: String, name: String, permissions: [String]) {
        self.application = application
        self.slug = slug
        self.name = name
        self.permissions = permissions
    }

    /// Application first: the order of the directory.
    package var key: (String, String) { (application, slug) }
}

/// A role that a user was given, besides those that come with records.
package struct RoleAssignment: Hashable, Sendable {
    package let application: String
    package let role: String

    package init(application: String, role: String) {
        self.application = application
        self.role = role
    }
}

/// The records of a user. Each gives the role of its name in every application that has it.
package struct PersonRecords: OptionSet, Sendable {
    package let rawValue: UInt8

    package init(rawValue: UInt8) { self.rawValue = rawValue }

    package static let client = PersonRecords(rawValue: 1)
    package static let employee = PersonRecords(rawValue: 2)
    package static let liaison = PersonRecords(rawValue: 4)

    package static let all: [(record: PersonRecords, slug: String)] = [
        (.client, "client"), (.employee, "employee"), (.liaison, "liaison"),
    ]

    package var slugs: [String] { Self.all.filter { contains($0.record) }.map(\.slug) }
}

/// A password as it is kept: scrypt (RFC 7914) of it, with how it was made.
package struct PasswordHash: Equatable, Sendable {
    package static let saltByteCount = 16
    package static let digestByteCount = 32

    /// How much work a hash is.
    package struct Cost: Equatable, Sendable {
        /// N = 2 to this power.
        package let logN: UInt8
        package let r: UInt8
        package let p: UInt8

        package init(logN: UInt8, r: UInt8, p: UInt8) {
            self.logN = logN
            self.r = r
            self.p = p
        }

        /// 32 MiB for some tens of milliseconds.
        package static let current = Cost(logN: 15, r: 8, p: 1)
    }

    package let cost: Cost
    package let salt: [UInt8]
    package let digest: [UInt8]

    package init(cost: Cost, salt: [UInt8], digest: [UInt8]) {
        precondition(salt.count == Self.saltByteCount, "a salt of \(salt.count) bytes")
        precondition(digest.count == Self.digestByteCount, "a digest of \(digest.count) bytes")
        self.cost = cost
        self.salt = salt
        self.digest = digest
    }

    init(_ cursor: inout ByteCursor, _ bytes: Span<UInt8>) throws(ByteDefect) {
        let place = cursor.offset
        cost = Cost(
            logN: try cursor.integer(bytes), r: try cursor.integer(bytes),
            p: try cursor.integer(bytes))
        guard (10...20).contains(cost.logN), (1...16).contains(cost.r), (1...16).contains(cost.p)
        else { throw ByteDefect(offset: place) }
        salt = bytes.copy(try cursor.take(Self.saltByteCount))
        digest = bytes.copy(try cursor.take(Self.digestByteCount))
    }

    func append(to bytes: inout [UInt8]) {
        bytes.append(contentsOf: [cost.logN, cost.r, cost.p])
        bytes.append(contentsOf: salt)
        bytes.append(contentsOf: digest)
    }
}

/// Somebody who can log in.
package struct UserRow: Equatable, Identifiable, Sendable {
    package let id: UserID
    /// As it was given; no two users' are equal when the case of ASCII letters does not count.
    package var email: String
    package var firstName = ""
    package var lastName = ""
    package var phone = ""
    package var companyName = ""
    /// nil: nobody can log in by a password.
    package var password: PasswordHash?
    package var records: PersonRecords = []
    package var roles: [RoleAssignment] = []
    /// Sessions neither age nor lapse.
    package var remembersMe = false
    package var createdAt = Timestamp.absent
    package var updatedAt = Timestamp.absent

    package init(id: UserID, email: String) {
        self.id = id
        self.email = email
    }

    package init(_ cursor: inout ByteCursor, _ bytes: Span<UInt8>) throws(ByteDefect) {
        id = UserID(try cursor.integer(bytes))
        email = try cursor.text(bytes)
        firstName = try cursor.text(bytes)
        lastName = try cursor.text(bytes)
        phone = try cursor.text(bytes)
        companyName = try cursor.text(bytes)
        password = try cursor.flag(bytes) ? try PasswordHash(&cursor, bytes) : nil
        records = try cursor.records(bytes)
        roles = try cursor.roles(bytes)
        remembersMe = try cursor.flag(bytes)
        createdAt = Timestamp(microseconds: try cursor.integer(bytes))
        updatedAt = Timestamp(microseconds: try cursor.integer(bytes))
    }

    package func append(to bytes: inout [UInt8]) {
        bytes.append(littleEndian: id.value)
        for text in [email, firstName, lastName, phone, companyName] {
            bytes.append(counted: text)
        }
        bytes.append(password == nil ? 0 : 1)
        password?.append(to: &bytes)
        bytes.append(records.rawValue)
        bytes.append(roles: roles)
        bytes.append(remembersMe ? 1 : 0)
        bytes.append(littleEndian: createdAt.microseconds)
        bytes.append(littleEndian: updatedAt.microseconds)
    }
}

/// A user who is logged in.
package struct SessionRow: Equatable, Identifiable, Sendable {
    package let id: TokenID
    package let user: UserID
    /// The application that it acts for where a request names none.
    package let application: String
    /// SHA-256 of the secret half of its token.
    package let secretDigest: [UInt8]
    /// What was asked for at its beginning; nil: as the user prefers.
    package let remembersMe: Bool?
    package var createdAt: Timestamp
    /// The newest use that was recorded.
    package var usedAt: Timestamp

    package init(
        id: TokenID, user: UserID, application: String, secretDigest: [UInt8],
        remembersMe: Bool?, createdAt: Timestamp = .absent
    ) {
        self.id = id
        self.user = user
        self.application = application
        self.secretDigest = secretDigest
        self.remembersMe = remembersMe
        self.createdAt = createdAt
        usedAt = createdAt
    }

    package init(_ cursor: inout ByteCursor, _ bytes: Span<UInt8>) throws(ByteDefect) {
        id = TokenID(try cursor.integer(bytes))
        user = UserID(try cursor.integer(bytes))
        application = try cursor.text(bytes)
        secretDigest = bytes.copy(try cursor.take(32))
        switch try cursor.integer(bytes, as: UInt8.self) {
        case 0: remembersMe = false
        case 1: remembersMe = true
        case 2: remembersMe = nil
        default: throw ByteDefect(offset: cursor.offset - 1)
        }
        createdAt = Timestamp(microseconds: try cursor.integer(bytes))
        usedAt = Timestamp(microseconds: try cursor.integer(bytes))
    }

    package func append(to bytes: inout [UInt8]) {
        precondition(secretDigest.count == 32, "a digest of \(secretDigest.count) bytes")
        bytes.append(littleEndian: id.value)
        bytes.append(littleEndian: user.value)
        bytes.append(counted: application)
        bytes.append(contentsOf: secretDigest)
        bytes.append(remembersMe.map { $0 ? 1 : 0 } ?? 2)
        bytes.append(littleEndian: createdAt.microseconds)
        bytes.append(littleEndian: usedAt.microseconds)
    }
}

extension ApplicationRow {
    package init(_ cursor: inout ByteCursor, _ bytes: Span<UInt8>) throws(ByteDefect) {
        self.init(
            number: try cursor.integer(bytes), slug: try cursor.text(bytes),
            name: try cursor.text(bytes))
    }

    package func append(to bytes: inout [UInt8]) {
        bytes.append(littleEndian: number)
        bytes.append(counted: slug)
        bytes.append(counted: name)
    }
}

extension RoleRow {
    package init(_ cursor: inout ByteCursor, _ bytes: Span<UInt8>) throws(ByteDefect) {
        self.init(
            application: try cursor.text(bytes), slug: try cursor.text(bytes),
            name: try cursor.text(bytes), permissions: try cursor.texts(bytes))
    }

    package func append(to bytes: inout [UInt8]) {
        for text in [application, slug, name] { bytes.append(counted: text) }
        bytes.append(texts: permissions)
    }
}

extension ByteCursor {
    package mutating func flag(_ bytes: Span<UInt8>) throws(ByteDefect) -> Bool {
        let value = try integer(bytes, as: UInt8.self)
        guard value < 2 else { throw ByteDefect(offset: offset - 1) }
        return value == 1
    }

    /// Texts behind their number as 32 bits.
    package mutating func texts(_ bytes: Span<UInt8>) throws(ByteDefect) -> [String] {
        var texts: [String] = []
        for _ in 0..<(try integer(bytes, as: UInt32.self)) { texts.append(try text(bytes)) }
        return texts
    }

    mutating func records(_ bytes: Span<UInt8>) throws(ByteDefect) -> PersonRecords {
        let value = try integer(bytes, as: UInt8.self)
        guard value < 8 else { throw ByteDefect(offset: offset - 1) }
        return PersonRecords(rawValue: value)
    }

    mutating func roles(_ bytes: Span<UInt8>) throws(ByteDefect) -> [RoleAssignment] {
        var roles: [RoleAssignment] = []
        for _ in 0..<(try integer(bytes, as: UInt32.self)) {
            roles.append(RoleAssignment(application: try text(bytes), role: try text(bytes)))
        }
        return roles
    }
}

extension [UInt8] {
    /// Appends the number of `texts` as 32 bits, and each of them counted.
    package mutating func append(texts: [String]) {
        append(littleEndian: UInt32(texts.count))
        for text in texts { append(counted: text) }
    }

    mutating func append(roles: [RoleAssignment]) {
        append(littleEndian: UInt32(roles.count))
        for role in roles {
            append(counted: role.application)
            append(counted: role.role)
        }
    }
}
