import JSON
import Ledger
import Records

/// The objects `session` and `application` of an answer, as they were asked for; written already.
package struct Views: Sendable, Equatable {
    /// `,"session":{…},"application":{…}`, or a part of it.
    var bytes: [UInt8] = []

    package init() {}
}

extension GatewayCore {
    /// The views that the request asked for; `reading.readViews` was called.
    func views(_ credential: Credential) -> Views {
        guard reading.sessionView != .none || reading.applicationView != .none else {
            return Views()
        }
        var views = Views()
        if reading.sessionView != .none, let session = credential.session {
            views.append(
                session: sessionObject(
                    session, text: credential.text, application: credential.application,
                    isFull: reading.sessionView == .full))
        }
        appendApplication(
            credential.application, reading.applicationView, credential.authority.permissions,
            to: &views)
        return views
    }

    /// The views of a session that was begun just now.
    func views(_ login: Login, _ session: SessionRow, token: String) -> Views {
        var views = Views()
        if login.sessionView != .none {
            views.append(
                session: sessionObject(
                    session, text: Array(token.utf8), application: session.application,
                    isFull: login.sessionView == .full))
        }
        let authority = directory?.authority(of: session.id, application: "")
        appendApplication(
            session.application, login.applicationView, authority?.permissions ?? [], to: &views)
        return views
    }

    private func appendApplication(
        _ slug: String, _ view: EventReading.View, _ permissions: [String], to views: inout Views
    ) {
        guard view != .none, let row = directory?.application(slug) else { return }
        JSONWriter.appendRaw(",\"application\":", to: &views.bytes)
        var object = JSONObjectWriter(to: &views.bytes)
        object.member("id", UInt64(row.number), to: &views.bytes)
        object.member("slug", row.slug, to: &views.bytes)
        object.member("name", row.name, to: &views.bytes)
        if view == .full { object.member("permissions", permissions, to: &views.bytes) }
        object.close(to: &views.bytes)
    }

    /// A session as an object. `text`: its token, which the directory does not have; empty where it
    /// is not known. `application`: in which its roles are told.
    func sessionObject(
        _ session: SessionRow, text: [UInt8], application: String, isFull: Bool
    ) -> [UInt8] {
        var output: [UInt8] = []
        var object = JSONObjectWriter(to: &output)
        if text.isEmpty {
            object.member("id", session.id.description, to: &output)
        } else {
            object.member("token", String(decoding: text, as: UTF8.self), to: &output)
        }
        object.member("user_id", session.user.description, to: &output)
        object.member("created_at", RFC3339.text(session.createdAt), to: &output)
        object.name("expires_at", to: &output)
        if let expiry = directory?.expiry(of: session) {
            JSONWriter.append(RFC3339.text(expiry), to: &output)
        } else {
            JSONWriter.appendNull(to: &output)
        }
        if isFull, let user = directory?.user(session.user) {
            let application = application.isEmpty ? session.application : application
            object.member("application", application, to: &output)
            object.name("user", to: &output)
            DirectoryRow.append(user, to: &output)
            object.member("records", user.records.slugs, to: &output)
            let roles = directory?.roles(of: user, in: application).map(\.slug) ?? []
            object.member("roles", roles, to: &output)
        }
        object.close(to: &output)
        return output
    }
}

extension Views {
    fileprivate mutating func append(session: [UInt8]) {
        JSONWriter.appendRaw(",\"session\":", to: &bytes)
        bytes.append(contentsOf: session)
    }
}

extension JSONObjectWriter {
    /// An array of strings.
    mutating func member(_ name: StaticString, _ texts: [String], to output: inout [UInt8]) {
        self.name(name, to: &output)
        var array = JSONArrayWriter(to: &output)
        for text in texts {
            array.element(to: &output)
            JSONWriter.append(text, to: &output)
        }
        array.close(to: &output)
    }
}

/// Rows of the directory as objects: never a password, a secret or the digest of one.
enum DirectoryRow {
    static func append(_ user: UserRow, to output: inout [UInt8]) {
        var object = JSONObjectWriter(to: &output)
        object.member("id", user.id.description, to: &output)
        object.member("email", user.email, to: &output)
        object.member("first_name", user.firstName, to: &output)
        object.member("last_name", user.lastName, to: &output)
        object.member("phone", user.phone, to: &output)
        object.member("company_name", user.companyName, to: &output)
        object.member("has_password", user.password != nil, to: &output)
        object.member("records", user.records.slugs, to: &output)
        object.member(
            "roles", user.roles.map { "\($0.application)/\($0.role)" }, to: &output)
        object.member("remember_me", user.remembersMe, to: &output)
        object.member("created_at", RFC3339.text(user.createdAt), to: &output)
        object.member("updated_at", RFC3339.text(user.updatedAt), to: &output)
        object.close(to: &output)
    }

    static func append(_ role: RoleRow, to output: inout [UInt8]) {
        var object = JSONObjectWriter(to: &output)
        object.member("application", role.application, to: &output)
        object.member("slug", role.slug, to: &output)
        object.member("name", role.name, to: &output)
        object.member("permissions", role.permissions, to: &output)
        object.close(to: &output)
    }

    static func append(_ application: ApplicationRow, to output: inout [UInt8]) {
        var object = JSONObjectWriter(to: &output)
        object.member("id", UInt64(application.number), to: &output)
        object.member("slug", application.slug, to: &output)
        object.member("name", application.name, to: &output)
        object.close(to: &output)
    }

    /// A service or route.
    static func append(_ name: String, _ value: String, isDeployed: Bool, to output: inout [UInt8])
    {
        var object = JSONObjectWriter(to: &output)
        object.name(name, to: &output)
        JSONWriter.append(value, to: &output)
        object.member("deployed", isDeployed, to: &output)
        object.close(to: &output)
    }
}
