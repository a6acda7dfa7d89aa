import Records

// What a new cluster's directory begins with; administrators change it (docs/guides/permissions.md).

extension Directory {
    static let firstApplications = [
        ApplicationRow(number: 1, slug: "planoauth", name: "PlanoAuth"),
        ApplicationRow(number: 2, slug: "planoorder", name: "PlanoOrder"),
        ApplicationRow(number: 3, slug: "planox2", name: "PlanoX2"),
    ]

    /// The role whose permissions a new application's token gets where none are named.
    package static let tokenRole = "application"

    /// The roles of a new application, in the order of their slugs.
    static func firstRoles(of application: String) -> [RoleRow] {
        [
            ("administrator", "Administrator", ["*"]),
            (tokenRole, "Application token", ["audit_events_fmp/*", "events/*"]),
            ("client", "Client", ["audit_events_fmp/create", "audit_events_fmp/read"]),
            (
                "employee", "Employee",
                [
                    "audit_events_fmp/create", "audit_events_fmp/read", "audit_events_fmp/history",
                    "audit_events_fmp/index", "events/replay",
                ]
            ),
            (
                "liaison", "Liaison",
                ["audit_events_fmp/read", "audit_events_fmp/history", "audit_events_fmp/index"]
            ),
        ].map { slug, name, permissions in
            RoleRow(application: application, slug: slug, name: name, permissions: permissions)
        }
    }
}

/// How long sessions last, and how closely their use is followed. Microseconds.
package enum SessionRules {
    /// From its creation.
    package static let lifetime = 7 * 86_400 * 1_000_000
    /// From its last recorded use.
    package static let idleTime = 72 * 3_600 * 1_000_000
    /// A use so soon after the recorded one is not recorded.
    package static let useInterval = 60 * 1_000_000
    /// How long an expired session is remembered, so that its holder is told what it is.
    static let remembrance = 30 * 86_400 * 1_000_000
}

/// Bounds of the directory, which goes to gateways in one frame.
package enum DirectoryLimits {
    /// Tokens of a cluster, revoked ones included. One more is refused.
    package static let tokens = 10_000
    /// Users of a cluster. One more is refused.
    package static let users = 20_000
    /// Sessions of a cluster. When there are as many after the expired ones are forgotten, one more
    /// is refused.
    package static let sessions = 50_000
    /// Sessions of one user. One more takes the place of the one that was used least recently.
    package static let sessionsOfUser = 100
    /// Applications of a cluster. One more is refused.
    package static let applications = 100
    /// Roles of a cluster. One more is refused.
    package static let roles = 1_000
    /// Roles that one user is given. More is `invalid-param`.
    package static let rolesOfUser = 64
}
