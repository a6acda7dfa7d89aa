internal import COpenSSL
internal import Glibc

/// Why TLS cannot be set up; the text says which file, and what OpenSSL says of it.
package struct TLSFailure: Error, Equatable, Sendable, CustomStringConvertible {
    package let description: String

    init(_ what: String) {
        let reason = TLSFailure.lastReason()
        description = reason.isEmpty ? what : "\(what): \(reason)"
    }

    /// The oldest error that OpenSSL noted on this thread, in its words; forgets all of them.
    static func lastReason() -> String {
        let code = ERR_get_error()
        ERR_clear_error()
        guard code != 0, let text = unsafe ERR_reason_error_string(code) else { return "" }
        return unsafe String(cString: text)
    }
}

/// Files in PEM that one end of TLS works with.
package struct TLSFiles: Equatable, Sendable {
    /// The certificate, and those between it and the authority.
    package let certificate: String
    package let key: String
    /// Certificates of authorities whose peers are let in.
    package let authority: String?

    package init(certificate: String, key: String, authority: String? = nil) {
        self.certificate = certificate
        self.key = key
        self.authority = authority
    }
}

/// What connections of one kind present and demand (TLS 1.2 and 1.3, by OpenSSL).
///
/// Sendable although OpenSSL's type is not annotated: it is not changed once it is made, and its count
/// of references is atomic.
@safe package final class TLSContext: @unchecked Sendable {
    let pointer: OpaquePointer

    private init() throws(TLSFailure) {
        // A write to a connection that is gone is an error of that write (TLS writes by write(2)).
        signal(SIGPIPE, SIG_IGN)
        guard let pointer = unsafe daybook_tls_context() else { throw TLSFailure("no TLS") }
        unsafe self.pointer = pointer
    }

    deinit { unsafe SSL_CTX_free(pointer) }

    /// HTTPS for clients who show no certificate; speaks `http/1.1` alone.
    package static func web(_ files: TLSFiles) throws(TLSFailure) -> TLSContext {
        let context = try TLSContext()
        try context.present(files)
        unsafe daybook_tls_speak_http(context.pointer)
        return context
    }

    /// For connections inside a cluster: both ends present a certificate of `files.authority`.
    package static func mutual(_ files: TLSFiles) throws(TLSFailure) -> TLSContext {
        guard let authority = files.authority else { throw TLSFailure("no authority is named") }
        let context = try TLSContext()
        try context.present(files)
        try context.trust(authority)
        unsafe daybook_tls_require_peer(context.pointer)
        return context
    }

    /// For clients of HTTPS: who answers must be certified by `authority`, or else by one that the
    /// system knows.
    package static func client(authority: String?) throws(TLSFailure) -> TLSContext {
        let context = try TLSContext()
        if let authority {
            try context.trust(authority)
        } else if unsafe SSL_CTX_set_default_verify_paths(context.pointer) != 1 {
            throw TLSFailure("the system's authorities cannot be read")
        }
        unsafe daybook_tls_require_peer(context.pointer)
        return context
    }

    private func present(_ files: TLSFiles) throws(TLSFailure) {
        guard unsafe SSL_CTX_use_certificate_chain_file(pointer, files.certificate) == 1 else {
            throw TLSFailure("certificate \(files.certificate)")
        }
        guard unsafe SSL_CTX_use_PrivateKey_file(pointer, files.key, SSL_FILETYPE_PEM) == 1,
            unsafe SSL_CTX_check_private_key(pointer) == 1
        else { throw TLSFailure("key \(files.key)") }
    }

    private func trust(_ authority: String) throws(TLSFailure) {
        guard unsafe SSL_CTX_load_verify_locations(pointer, authority, nil) == 1 else {
            throw TLSFailure("authority \(authority)")
        }
    }
}
