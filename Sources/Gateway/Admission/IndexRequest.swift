import Bytes

/// What a request to an index asks for, whatever it is an index of.
struct IndexRequest {
    enum Order: String, CaseIterable { case asc, desc }

    /// Rows of a page where nothing else is asked for, and at most.
    static let standardSize = 50
    static let largestSize = 1_000
    static let filterLimit = 16

    var view = EventReading.View.full
    var term = ""
    /// nil: all that can be searched.
    var attributes: [String]?
    var filters: [String] = []
    var wantsCount = false
    var size = standardSize
    /// From 1; counts where no cursor is given.
    var number = 1
    var after: [UInt8]?
    var sortBy: String?
    var order: Order?

    var skipped: Int { (number - 1) * size }
}

extension GatewayCore {
    /// Reads the parameters of an index; their faults are gathered. `sorts` and `attributes`: what
    /// may be named.
    mutating func indexRequest(
        _ route: Route, _ bytes: Span<UInt8>, sorts: [String], attributes: [String]
    ) -> IndexRequest {
        var request = IndexRequest()
        request.view = choice(.view, EventReading.View.full)
        request.term = text(.searchTerm, of: route) ?? ""
        request.attributes = texts(.searchAttributes, bytes)
        if let unknown = request.attributes?.first(where: { !attributes.contains($0) }) {
            fault(
                .searchAttributes, .unrecognized,
                "\(unknown) is none of \(attributes.joined(separator: ", "))")
        }
        request.filters = texts(.filters, bytes, limit: IndexRequest.filterLimit) ?? []
        request.wantsCount = flag(.count) ?? false
        let largest = Int64(IndexRequest.largestSize)
        request.size = number(.pageSize, in: 1...largest, bytes).map(Int.init) ?? request.size
        request.number = number(.pageNumber, in: 1...1_000_000, bytes).map(Int.init) ?? 1
        if let text = text(.pageAfter, of: route) {
            request.after = Base64.decode(text)
            if request.after == nil { fault(.pageAfter, .unrecognized, Self.cursorDetail) }
        }
        request.sortBy = text(.sortBy, of: route)
        if let name = request.sortBy, !sorts.contains(name) {
            fault(.sortBy, .unrecognized, sorts.joined(separator: ", "))
        }
        if set[.sortOrder] != .absent { request.order = choice(.sortOrder, IndexRequest.Order.asc) }
        reading.readViews(set)
        return request
    }

    static let cursorDetail = "what `data.next` of an answer to the same search was"
}
