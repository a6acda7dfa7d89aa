import Testing

@testable import Crypto

/// Certificates that OpenSSL makes; what TLS does with them is in LinuxTests.
struct CertificateTests {
    @Test func `an authority and what it issues are PEM, and each is another one`() throws {
        let authority = try CertificateAuthority.make(name: "a cluster")
        let first = try CertificateAuthority.issue(
            by: authority, name: "daybook node 1", hosts: ["localhost", "127.0.0.1", "::1"],
            seconds: 3_600)
        let second = try CertificateAuthority.issue(
            by: authority, name: "daybook node 1", hosts: [], seconds: 3_600)
        for one in [authority, first, second] {
            #expect(
                String(decoding: one.certificate, as: UTF8.self).hasPrefix(
                    "-----BEGIN CERTIFICATE-----"))
            #expect(
                String(decoding: one.key, as: UTF8.self).hasPrefix("-----BEGIN PRIVATE KEY-----"))
        }
        #expect(first.certificate != second.certificate && first.key != second.key)
    }

    @Test func `what is no authority issues nothing`() throws {
        let authority = try CertificateAuthority.make(name: "a cluster")
        let broken = CertifiedKey(certificate: authority.certificate, key: [1, 2, 3])
        #expect(throws: CertificateFailure.self) {
            try CertificateAuthority.issue(by: broken, name: "x", hosts: [], seconds: 3_600)
        }
        let empty = CertifiedKey(certificate: [], key: authority.key)
        #expect(throws: CertificateFailure.self) {
            try CertificateAuthority.issue(by: empty, name: "x", hosts: [], seconds: 3_600)
        }
    }

    @Test func `a host that is no name is refused`() throws {
        let authority = try CertificateAuthority.make(name: "a cluster")
        #expect(throws: CertificateFailure.self) {
            try CertificateAuthority.issue(
                by: authority, name: "x", hosts: ["a,email:b"], seconds: 3_600)
        }
    }
}
