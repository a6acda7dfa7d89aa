internal import Bytes
private import COpenSSL

/// Why OpenSSL does not make a key or certificate.
package struct CertificateFailure: Error, Equatable, Sendable, CustomStringConvertible {
    package let description: String

    init(_ what: String, reason: String) { description = "\(what): \(reason)" }

    init(_ what: String) {
        let code = ERR_get_error()
        ERR_clear_error()
        let reason = unsafe ERR_reason_error_string(code).map { unsafe String(cString: $0) }
        description = "\(what): \(reason ?? "OpenSSL does not say why")"
    }
}

/// A key of elliptic curve P-256 and its X.509 certificate (RFC 5280), both in PEM.
package struct CertifiedKey: Equatable, Sendable {
    package let certificate: [UInt8]
    package let key: [UInt8]

    package init(certificate: [UInt8], key: [UInt8]) {
        self.certificate = certificate
        self.key = key
    }
}

/// Makes certificates for one cluster: an authority of its own, and what it vouches for.
///
/// A certificate's common name is who the cluster takes its holder for: `daybook node 3`, or
/// `daybook gateway NAME`.
package enum CertificateAuthority {
    /// Seconds that an authority is valid.
    package static let authoritySeconds = 10 * 365 * 86_400

    /// A new authority, valid for ten years.
    package static func make(name: String) throws(CertificateFailure) -> CertifiedKey {
        guard let key = unsafe OwnedKey(daybook_new_key()) else {
            throw CertificateFailure("a key")
        }
        let certificate = try Draft(subject: name, key: key, seconds: authoritySeconds)
        try certificate.extend(
            issuer: certificate,
            [
                (NID_basic_constraints, "critical,CA:TRUE,pathlen:0"),
                (NID_key_usage, "critical,keyCertSign,cRLSign"),
                (NID_subject_key_identifier, "hash"),
            ])
        try certificate.sign(as: certificate, with: key)
        return CertifiedKey(certificate: try certificate.pem(), key: try key.pem())
    }

    /// A key that `authority` vouches for under `name`, for both ends of connections to `hosts`: DNS
    /// names and addresses.
    package static func issue(
        by authority: CertifiedKey, name: String, hosts: [String], seconds: Int
    ) throws(CertificateFailure) -> CertifiedKey {
        guard let key = unsafe OwnedKey(daybook_new_key()) else {
            throw CertificateFailure("a key")
        }
        let issuer = try Draft(pem: authority.certificate)
        let signing = try OwnedKey(pem: authority.key)
        let certificate = try Draft(subject: name, key: key, seconds: seconds)
        var extensions: [(Int32, String)] = [
            (NID_basic_constraints, "critical,CA:FALSE"),
            (NID_key_usage, "critical,digitalSignature"),
            (NID_ext_key_usage, "serverAuth,clientAuth"),
            (NID_subject_key_identifier, "hash"),
            (NID_authority_key_identifier, "keyid"),
        ]
        for host in hosts where !isHost(host) {
            throw CertificateFailure("\"\(host)\"", reason: "no DNS name and no address")
        }
        if !hosts.isEmpty {
            let names = hosts.map { (isAddress($0) ? "IP:" : "DNS:") + $0 }
            extensions.append((NID_subject_alt_name, names.joined(separator: ",")))
        }
        try certificate.extend(issuer: issuer, extensions)
        try certificate.sign(as: issuer, with: signing)
        return CertifiedKey(certificate: try certificate.pem(), key: try key.pem())
    }

    /// Whether nothing in it means something else to OpenSSL.
    private static func isHost(_ host: String) -> Bool {
        !host.isEmpty
            && host.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"):
                    true
                default: ".-*".utf8.contains(byte) || byte == UInt8(ascii: ":") && isAddress(host)
                }
            }
    }

    private static func isAddress(_ host: String) -> Bool {
        guard let address = unsafe a2i_IPADDRESS(host) else { return false }
        unsafe ASN1_OCTET_STRING_free(address)
        return true
    }
}

/// A private key of OpenSSL's.
@safe private final class OwnedKey {
    let pointer: OpaquePointer

    init?(_ pointer: OpaquePointer?) {
        guard let pointer = unsafe pointer else { return nil }
        unsafe self.pointer = pointer
    }

    init(pem: [UInt8]) throws(CertificateFailure) {
        let read = unsafe withBIO(of: pem) { bio in
            unsafe PEM_read_bio_PrivateKey(bio, nil, nil, nil)
        }
        guard let read = unsafe read else { throw CertificateFailure("the authority's key") }
        unsafe pointer = read
    }

    deinit { unsafe EVP_PKEY_free(pointer) }

    func pem() throws(CertificateFailure) -> [UInt8] {
        try unsafe written("a key") { bio in
            unsafe PEM_write_bio_PrivateKey(bio, pointer, nil, nil, 0, nil, nil)
        }
    }
}

/// A certificate, or one in the making.
@safe private final class Draft {
    let pointer: OpaquePointer

    init(pem: [UInt8]) throws(CertificateFailure) {
        let read = unsafe withBIO(of: pem) { bio in unsafe PEM_read_bio_X509(bio, nil, nil, nil) }
        guard let read = unsafe read else {
            throw CertificateFailure("the authority's certificate")
        }
        unsafe pointer = read
    }

    /// Valid from five minutes ago, for clocks that are behind.
    init(subject: String, key: OwnedKey, seconds: Int) throws(CertificateFailure) {
        guard let made = unsafe X509_new() else { throw CertificateFailure("a certificate") }
        unsafe pointer = made
        let text = Array(subject.utf8)
        let name = unsafe X509_get_subject_name(pointer)
        var serial = RandomBytes.make(count: 16)
        serial[0] &= 0x7F
        let number = unsafe BN_bin2bn(serial, Int32(serial.count), nil)
        defer { unsafe BN_free(number) }
        guard unsafe X509_set_version(pointer, 2) == 1,
            unsafe BN_to_ASN1_INTEGER(number, X509_get_serialNumber(pointer)) != nil,
            unsafe X509_gmtime_adj(X509_getm_notBefore(pointer), -300) != nil,
            unsafe X509_gmtime_adj(X509_getm_notAfter(pointer), seconds) != nil,
            unsafe X509_NAME_add_entry_by_NID(
                name, NID_commonName, MBSTRING_UTF8, text, Int32(text.count), -1, 0) == 1,
            unsafe X509_set_pubkey(pointer, key.pointer) == 1
        else { throw CertificateFailure("a certificate for \(subject)") }
    }

    deinit { unsafe X509_free(pointer) }

    func extend(
        issuer: Draft, _ extensions: [(Int32, String)]
    ) throws(CertificateFailure) {
        for (kind, value) in extensions {
            guard unsafe daybook_add_extension(pointer, issuer.pointer, kind, value) == 1 else {
                throw CertificateFailure("\"\(value)\" in a certificate")
            }
        }
    }

    func sign(as issuer: Draft, with key: OwnedKey) throws(CertificateFailure) {
        let name = unsafe X509_get_subject_name(issuer.pointer)
        guard unsafe X509_set_issuer_name(pointer, name) == 1,
            unsafe X509_sign(pointer, key.pointer, EVP_sha256()) > 0
        else { throw CertificateFailure("a signature") }
    }

    func pem() throws(CertificateFailure) -> [UInt8] {
        try unsafe written("a certificate") { bio in unsafe PEM_write_bio_X509(bio, pointer) }
    }
}

private func withBIO(of bytes: [UInt8], _ body: (OpaquePointer?) -> OpaquePointer?)
    -> OpaquePointer?
{
    unsafe bytes.withUnsafeBytes { buffer in
        let bio = unsafe BIO_new_mem_buf(buffer.baseAddress, Int32(buffer.count))
        defer { unsafe BIO_free(bio) }
        return unsafe body(bio)
    }
}

private func written(
    _ what: String, _ body: (OpaquePointer?) -> Int32
) throws(CertificateFailure) -> [UInt8] {
    let bio = unsafe BIO_new(BIO_s_mem())
    defer { unsafe BIO_free(bio) }
    guard unsafe body(bio) == 1 else { throw CertificateFailure(what) }
    var start: UnsafeMutablePointer<CChar>?
    let count = unsafe daybook_bio_bytes(bio, &start)
    return unsafe Array(
        UnsafeRawBufferPointer(start: start, count: max(0, count)))
}
