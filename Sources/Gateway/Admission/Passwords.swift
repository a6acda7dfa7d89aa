import Bytes
import Crypto
import Ledger
package import Records

/// A password that is to be hashed off the loop, and what for.
package struct PasswordWork: Sendable {
    package enum Purpose: Sendable {
        case login(Login)
        /// The hash becomes a part of the command.
        case change(CommandAdmission)
    }

    package let password: [UInt8]
    package let salt: [UInt8]
    package let cost: PasswordHash.Cost
    package let purpose: Purpose
}

/// Somebody who says who they are.
package struct Login: Sendable {
    let email: String
    let application: String
    let remembersMe: Bool?
    let redirect: String?
    let view: EventReading.View
    let sessionView: EventReading.View
    let applicationView: EventReading.View
    let entropy: Entropy
    let attempt: LoginAttempt
}

/// An attempt to log in that was counted.
struct LoginAttempt: Sendable {
    let email: LimitKey
    let source: RequestSource
}

/// Random bytes of one request: what a command may need of them.
package struct Entropy: Sendable {
    package static let byteCount =
        Identifier.encodedSize + 8 + TokenText.secretByteCount + PasswordHash.saltByteCount

    let request: Identifier
    let id: UInt64
    let secret: [UInt8]
    let salt: [UInt8]

    init(_ bytes: [UInt8]) {
        precondition(bytes.count == Self.byteCount, "\(bytes.count) random bytes")
        request = Identifier(bytes.span, at: 0)
        id = bytes.span.littleEndian(at: 16)
        secret = Array(bytes[24..<(24 + TokenText.secretByteCount)])
        salt = Array(bytes.suffix(PasswordHash.saltByteCount))
    }
}

extension GatewayCore {
    /// A salt for those who have none: their hash costs the same and fits nothing.
    private static let noSalt = [UInt8](repeating: 0x5A, count: PasswordHash.saltByteCount)

    mutating func admitLogin(
        _ route: Route, _ bytes: Span<UInt8>, _ entropy: Entropy
    ) throws(Refusal) -> Admission {
        if case .text(let range) = set[.application], !range.isEmpty {
            _ = try application(in: range)
        }
        beginFaults()
        let email = text(.email, of: route) ?? ""
        let password = text(.password, of: route) ?? ""
        let application = text(.application, of: route) ?? ""
        let redirect = text(.redirectURL, of: route)
        if let redirect, !(redirect.hasPrefix("https://") || redirect.hasPrefix("http://")) {
            fault(.redirectURL, .notAllowed, "a URL that begins with https:// or http://")
        }
        let view = choice(.view, EventReading.View.summary)
        reading.readViews(set)
        let remembersMe = flag(.rememberMe)
        try judgeFaults()
        let attempt = try judgeLogin(email)
        let known = directory?.user(email: email)?.password
        return .hash(
            PasswordWork(
                password: Array(password.utf8), salt: known?.salt ?? Self.noSalt,
                cost: known?.cost ?? .current,
                purpose: .login(
                    Login(
                        email: email, application: application, remembersMe: remembersMe,
                        redirect: redirect, view: view, sessionView: reading.sessionView,
                        applicationView: reading.applicationView, entropy: entropy,
                        attempt: attempt))))
    }

    /// Goes on with a request whose password is hashed.
    package mutating func resume(
        _ work: PasswordWork, digest: [UInt8], at moment: Moment, requestID: String
    ) -> Admission {
        self.moment = moment
        let hash = PasswordHash(cost: work.cost, salt: work.salt, digest: digest)
        switch work.purpose {
        case .login(let login):
            do throws(Refusal) {
                return try admit(login, hash)
            } catch {
                return .answer(refuse(error, on: .compatible, requestID: requestID))
            }
        case .change(let command): return .command(command.with(hash))
        }
    }

    private mutating func admit(
        _ login: Login, _ hash: PasswordHash
    ) throws(Refusal) -> Admission {
        guard let directory, let user = directory.user(email: login.email) else {
            throw Refusal(.emailNotFound)
        }
        guard let password = user.password else { throw Refusal(.userHasNoPassword) }
        guard password.salt == hash.salt, ConstantTime.equal(password.digest, hash.digest) else {
            throw Refusal(.invalidPassword)
        }
        limits.logins.succeeded(
            email: login.attempt.email, from: login.attempt.source, at: moment.now)
        let isClient = !user.records.isEmpty
        if isClient, directory.roles(of: user, in: login.application).isEmpty {
            throw Refusal(.userRequiresRole)
        }
        let id = TokenID(login.entropy.id)
        let secret = login.entropy.secret
        let row = SessionRow(
            id: id, user: user.id, application: login.application,
            secretDigest: self.hash.hash(secret), remembersMe: login.remembersMe)
        let command = DirectoryCommand(
            request: login.entropy.request, author: id, change: .directory(.createSession(row)))
        let text = TokenText(kind: .session, id: id, secret: secret).text
        return .command(
            CommandAdmission(
                command: command,
                record: administration(
                    "sessions/create", id.description, ["user": user.id.description],
                    application: login.application, writtenBy: Writer.text(id, user: user.id)),
                reveal: .login(login, token: text), surface: .compatible))
    }
}
