import Crypto
import Testing

@testable import Linux

/// TLS between two ends in this process, with certificates made on the spot.
struct TLSTests {
    /// PEM files in a directory of their own.
    private struct Files: ~Copyable {
        let directory: TemporaryDirectory
        let authority: CertifiedKey

        init() throws {
            let made = try CertificateAuthority.make(name: "test")
            let place = try TemporaryDirectory("tls")
            try SmallFile.writeDurably(place.file("ca.pem"), made.certificate)
            authority = made
            directory = place
        }

        func issue(_ name: String, hosts: [String] = []) throws -> TLSFiles {
            let made = try CertificateAuthority.issue(
                by: authority, name: name, hosts: hosts, seconds: 3_600)
            let file = directory.path + "/" + name
            try SmallFile.writeDurably(file + ".key", made.key)
            try SmallFile.writeDurably(file + ".pem", made.certificate)
            return TLSFiles(
                certificate: file + ".pem", key: file + ".key",
                authority: directory.path + "/ca.pem")
        }
    }

    /// Both ends of a connection, and what each has read.
    private final class Ends {
        let client: StreamSocket
        let server: StreamSocket
        var clientRead: [UInt8] = []
        var serverRead: [UInt8] = []
        var clientEnded = false
        var serverEnded = false

        init(_ client: consuming StreamSocket, _ server: consuming StreamSocket) {
            self.client = client
            self.server = server
        }

        /// Writes and reads until both are done or one has ended.
        func exchange(_ request: [UInt8], _ answer: [UInt8]) throws {
            var sent = 0
            var answered = 0
            for _ in 0..<200_000 {
                if sent < request.count,
                    case .count(let count) = try client.write(request, from: sent)
                {
                    sent += count
                }
                if answered < answer.count,
                    case .count(let count) = try server.write(answer, from: answered)
                {
                    answered += count
                }
                serverEnded = try server.read(into: &serverRead) == .closed
                clientEnded = try client.read(into: &clientRead) == .closed
                if serverEnded || clientEnded { return }
                if serverRead.count == request.count, clientRead.count == answer.count { return }
            }
            Issue.record("neither done nor ended")
        }
    }

    private func ends(
        client: TLSContext?, server: TLSContext, name: String? = nil
    ) throws -> Ends {
        var made: Ends?
        try StreamSocket.pair().split { first, second in
            let secured = try second.accepting(by: server)
            if let client {
                made = Ends(try first.connecting(by: client, to: name), secured)
            } else {
                made = Ends(first, secured)
            }
        }
        return try #require(made)
    }

    @Test func `bytes come out as they went in, whatever their number`() throws {
        let files = try Files()
        let node = try TLSContext.mutual(files.issue("node"))
        let both = try ends(client: node, server: node)
        let request = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
        let answer = Array(request.reversed().prefix(700_001))
        try both.exchange(request, answer)
        #expect(both.serverRead == request && both.clientRead == answer)
        #expect(both.client.certifiedName == "node" && both.server.certifiedName == "node")
    }

    @Test func `in a cluster, who shows no certificate of its authority is refused`() throws {
        let files = try Files()
        let others = try Files()
        let server = try TLSContext.mutual(files.issue("node"))
        for context in [
            try TLSContext.client(authority: files.directory.path + "/ca.pem"),
            try TLSContext.mutual(others.issue("node")),
        ] {
            let both = try ends(client: context, server: server)
            try both.exchange([1, 2, 3], [4])
            #expect(both.serverRead.isEmpty && both.clientRead.isEmpty)
            #expect(both.serverEnded || both.clientEnded)
        }
    }

    @Test func `a website's name and authority are held against its certificate`() throws {
        let files = try Files()
        let web = try TLSContext.web(files.issue("web", hosts: ["audit.example.com", "10.0.0.5"]))
        let client = try TLSContext.client(authority: files.directory.path + "/ca.pem")
        for name in ["audit.example.com", "10.0.0.5"] {
            let both = try ends(client: client, server: web, name: name)
            try both.exchange([1, 2, 3], [4])
            #expect(both.serverRead == [1, 2, 3] && both.clientRead == [4])
        }
        for name in ["other.example.com", "10.0.0.6"] {
            let both = try ends(client: client, server: web, name: name)
            try both.exchange([1, 2, 3], [4])
            #expect(both.serverRead.isEmpty && both.client.tlsFailure != nil)
        }
    }

    @Test func `plain bytes at a TLS port are answered by the end of the connection`() throws {
        let files = try Files()
        let both = try ends(client: nil, server: .web(files.issue("web", hosts: ["a"])))
        try both.exchange(Array("GET / HTTP/1.1\r\n\r\n".utf8), [])
        #expect(both.serverRead.isEmpty && both.serverEnded)
        #expect(both.server.tlsFailure != nil)
    }

    @Test func `files that do not belong together are refused by name`() throws {
        let files = try Files()
        let (first, second) = (try files.issue("one"), try files.issue("two"))
        let mixed = TLSFiles(certificate: first.certificate, key: second.key)
        #expect(throws: TLSFailure.self) { try TLSContext.web(mixed) }
        let absent = TLSFiles(certificate: files.directory.path + "/none", key: first.key)
        do {
            _ = try TLSContext.web(absent)
            Issue.record("an absent certificate was read")
        } catch {
            #expect("\(error)".contains("/none"))
        }
    }

    @Test func `loopback is what no other machine can reach`() {
        for text in ["127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "localhost:1"] {
            #expect(SocketAddress.isLoopback(text), "\(text)")
        }
        for text in ["0.0.0.0:1", "*:1", "10.0.0.1:1", "[::]:1", "nonsense"] {
            #expect(!SocketAddress.isLoopback(text), "\(text)")
        }
    }
}
