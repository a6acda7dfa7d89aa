import Bytes
import Ledger
import Records

// The administration of applications, roles, services and routes.

extension GatewayCore {
    mutating func admitApplication(
        _ route: Route, _ credential: Credential, _ request: Identifier, requestID: String
    ) throws(Refusal) -> Admission {
        if route.action != .readApplication { try requireAdministrator(credential) }
        beginFaults()
        let slug = slug(route)
        let takesName = route.action == .createApplication || route.action == .updateApplication
        let name = takesName ? text(.name, of: route) : nil
        if route.action != .createApplication, let slug, directory?.application(slug) == nil {
            fault(.slug, .unknownID, "no such application")
        }
        if route.action == .updateApplication, name == nil, set[.name] == .absent {
            fault(.name, .missing, "the new name")
        }
        reading.readViews(set)
        try judgeFaults()
        let known = slug ?? ""
        let change: DirectoryChange
        switch route.action {
        case .createApplication: change = .createApplication(slug: known, name: name ?? known)
        case .updateApplication: change = .renameApplication(slug: known, name: name ?? known)
        case .deleteApplication: change = .deleteApplication(slug: known)
        default:
            var object: [UInt8] = []
            if let row = directory?.application(known) { DirectoryRow.append(row, to: &object) }
            return .answer(found(object, views(credential), requestID: requestID))
        }
        return .command(
            command(
                change, route.label, known, [:], credential, request,
                reveal: route.action == .deleteApplication ? .nothing : .application(known)))
    }

    mutating func admitRole(
        _ route: Route, _ credential: Credential, _ bytes: Span<UInt8>, _ request: Identifier
    ) throws(Refusal) -> Admission {
        try requireAdministrator(credential)
        beginFaults()
        if credential.application.isEmpty {
            fault(.application, .missing, "the role's application")
        }
        let slug = slug(route) ?? ""
        let role = RoleAssignment(application: credential.application, role: slug)
        if route.action != .createRole, !slug.isEmpty, !credential.application.isEmpty,
            directory?.role(role) == nil
        {
            fault(.slug, .unknownID, "no such role in \(credential.application)")
        }
        var name: String?
        var permissions: [String]?
        if route.action != .deleteRole {
            name = text(.name, of: route)
            permissions = self.permissions(bytes)
        }
        reading.readViews(set)
        try judgeFaults()
        let change: DirectoryChange
        switch route.action {
        case .createRole:
            change = .createRole(
                RoleRow(
                    application: role.application, slug: slug, name: name ?? slug,
                    permissions: permissions ?? []))
        case .updateRole: change = .updateRole(role, name: name, permissions: permissions)
        default: change = .deleteRole(role)
        }
        return .command(
            command(
                change, route.label, "\(role.application)/\(slug)",
                ["permissions": permissions?.joined(separator: ",") ?? ""], credential, request,
                reveal: route.action == .deleteRole ? .nothing : .role(role)))
    }

    /// Deploys or withdraws a service or a route.
    mutating func admitDeployment(
        _ route: Route, _ credential: Credential, _ request: Identifier
    ) throws(Refusal) -> Admission {
        try requireAdministrator(credential)
        beginFaults()
        let isService = route.action == .deployService || route.action == .withdrawService
        let isDeployed = route.action == .deployService || route.action == .deployRoute
        let parameter: ParameterName = isService ? .service : .route
        let name = text(parameter, of: route) ?? ""
        let known = isService ? RouteTable.services : RouteTable.names
        if !name.isEmpty, !known.contains(name) {
            fault(parameter, .unknownID, known.joined(separator: ", "))
        }
        reading.readViews(set)
        try judgeFaults()
        return .command(
            command(
                isService ? .deployService(name, isDeployed) : .deployRoute(name, isDeployed),
                route.label, name, [:], credential, request))
    }

    private mutating func slug(_ route: Route) -> String? {
        guard let slug = text(.slug, of: route) else { return nil }
        if Permission.isWord(Substring(slug)) { return slug }
        fault(.slug, .notAllowed, "lower-case letters, digits and underscores")
        return nil
    }

    private mutating func permissions(_ bytes: Span<UInt8>) -> [String]? {
        guard let permissions = texts(.permissions, bytes) else { return nil }
        guard permissions.allSatisfy(Permission.isWellFormed) else {
            fault(
                .permissions, .unrecognized,
                "strings such as audit_events_fmp/create, audit_events_fmp/* or *")
            return nil
        }
        return permissions
    }
}
