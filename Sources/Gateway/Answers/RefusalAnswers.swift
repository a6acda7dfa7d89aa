import Bytes
import HTTPWire

// Refusals as answers of the surface that was asked.

extension GatewayCore {
    /// The answer that says why nothing was done.
    package func refuse(
        _ refusal: Refusal, on surface: Route.Surface, requestID: String
    ) -> Answer {
        var headers: [(StaticString, String)] = []
        if refusal.status == .notReady || refusal.status == .rateLimitExceeded {
            let seconds = refusal.retryAfterSeconds ?? UInt64(settings.retryAfterSeconds)
            headers.append(("Retry-After", "\(seconds)"))
        }
        var body: [UInt8] = []
        switch surface {
        case .compatible:
            Envelope.appendRefusal(refusal, requestID: requestID, to: &body)
            return Answer(
                status: refusal.status.code, contentType: Envelope.contentType, body: body,
                headers: headers)
        case .native:
            if refusal.status.code == 401 {
                headers.append(("WWW-Authenticate", "Bearer realm=\"daybook\""))
            }
            let slug = "\(refusal.status.slug)"
            Problem.append(
                status: refusal.status.code, slug: slug, title: slug, detail: refusal.message,
                faults: refusal.faults, requestID: requestID, to: &body)
            return Answer(
                status: refusal.status.code, contentType: Problem.contentType, body: body,
                headers: headers)
        }
    }

    /// No route has this path: under `/api/` clients depend on a 500.
    func notFound(_ isCompatible: Bool, _ requestID: String) -> Answer {
        if isCompatible {
            return refuse(Refusal(.routeNonExistent), on: .compatible, requestID: requestID)
        }
        return problem(404, "not-found", "There is nothing at this path.", requestID)
    }

    /// The path has other methods: under `/api/` that is no route either.
    func notAllowed(
        _ method: HTTPMethod, _ isCompatible: Bool, _ allowed: String, _ requestID: String
    ) -> Answer {
        if isCompatible {
            return refuse(Refusal(.routeNonExistent), on: .compatible, requestID: requestID)
        }
        let headers: [(StaticString, String)] = [("Allow", allowed)]
        if method == .options {
            return Answer(status: 204, contentType: nil, body: [], headers: headers)
        }
        var answer = problem(
            405, "method-not-allowed", "This path takes \(allowed).", requestID)
        answer.headers = headers
        return answer
    }

    /// A native error that is no refusal of the contract.
    func problem(
        _ status: Int, _ slug: String, _ detail: String, _ requestID: String
    ) -> Answer {
        var body: [UInt8] = []
        Problem.append(
            status: status, slug: slug, title: slug, detail: detail, requestID: requestID,
            to: &body)
        return Answer(status: status, contentType: Problem.contentType, body: body)
    }
}
