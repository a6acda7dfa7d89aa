// swift-tools-version: 6.2
import PackageDescription

// Three rings (docs/ARCHITECTURE.md): words and bytes know nothing; deciders are pure; drivers own
// threads, clocks and descriptors. A target may import only what is listed for it here;
// `tools/tidy` compares the import lines with this table.

/// Planted bugs are run-time switches of one test build, and of no other (`tools/simulate`).
let plantedBugs: [SwiftSetting] =
    Context.environment["DAYBOOK_PLANTED_BUGS"] == nil ? [] : [.define("PLANTED_BUGS")]

let settings: [SwiftSetting] =
    [
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("InternalImportsByDefault"),
        .enableUpcomingFeature("MemberImportVisibility"),
        .strictMemorySafety(),
        .treatAllWarnings(as: .error),
    ] + plantedBugs

func module(_ name: String, imports: [String] = []) -> Target {
    .target(
        name: name, dependencies: imports.map { .byName(name: $0) }, swiftSettings: settings)
}

func tests(of name: String, imports: [String] = [], resources: [Resource] = []) -> Target {
    .testTarget(
        name: name + "Tests", dependencies: ([name] + imports).map { .byName(name: $0) },
        resources: resources, swiftSettings: settings)
}

func program(_ name: String, path: String? = nil, imports: [String]) -> Target {
    .executableTarget(
        name: name, dependencies: imports.map { .byName(name: $0) }, path: path,
        swiftSettings: settings)
}

let package = Package(
    name: "daybook",
    targets: [
        // C: the operating system and its libraries.
        .target(name: "CLinux"),
        .target(name: "CChecksum"),
        .systemLibrary(name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),

        // Words and bytes.
        module("BugZoo"),
        module("Bytes", imports: ["CChecksum"]),
        module("Crypto", imports: ["Bytes", "COpenSSL"]),
        module("JSON", imports: ["Bytes"]),
        module("Records", imports: ["Bytes", "Crypto", "JSON"]),

        // Deciders.
        module("HTTPWire", imports: ["Bytes"]),
        module("Consensus", imports: ["BugZoo", "Bytes", "Records"]),
        module("Ledger", imports: ["BugZoo", "Bytes", "Crypto", "Records"]),
        module("SegmentLog", imports: ["BugZoo", "Bytes", "Crypto", "Records"]),
        module("Compaction", imports: ["Bytes", "Crypto", "Records", "SegmentLog"]),
        module("EventIndex", imports: ["BugZoo", "Bytes", "Records", "SegmentLog"]),
        module(
            "SegmentInspection",
            imports: ["Bytes", "Crypto", "EventIndex", "Records", "SegmentLog"]),
        module(
            "Maintenance",
            imports: ["BugZoo", "Compaction", "Crypto", "EventIndex", "Records", "SegmentLog"]),
        module("PeerWire", imports: ["Bytes", "Consensus", "Ledger", "Records"]),
        module(
            "Replica",
            imports: [
                "BugZoo", "Bytes", "Compaction", "Consensus", "Crypto", "EventIndex", "Ledger",
                "Maintenance", "PeerWire", "Records", "SegmentLog",
            ]),
        module(
            "Restoration",
            imports: [
                "Bytes", "Crypto", "Ledger", "Records", "Replica", "SegmentInspection",
                "SegmentLog",
            ]),
        module(
            "Gateway",
            imports: [
                "BugZoo", "Bytes", "Crypto", "HTTPWire", "JSON", "Ledger", "PeerWire", "Records",
            ]),

        // Drivers.
        module("Linux", imports: ["Bytes", "CLinux", "COpenSSL", "SegmentLog"]),
        module(
            "Server",
            imports: [
                "Bytes", "Consensus", "Crypto", "EventIndex", "Gateway", "HTTPWire", "Ledger",
                "Linux", "Maintenance", "PeerWire", "Records", "Replica", "SegmentLog",
            ]),
        module("ModelCheck", imports: ["BugZoo", "Consensus", "Records"]),
        module(
            "Simulation",
            imports: [
                "BugZoo", "Bytes", "Consensus", "Crypto", "EventIndex", "Gateway", "Ledger",
                "Maintenance", "PeerWire", "Records", "Replica", "SegmentLog",
            ]),

        // Programs.
        program(
            "daybook",
            imports: [
                "Bytes", "Consensus", "Crypto", "EventIndex", "Gateway", "HTTPWire", "JSON",
                "Linux", "Maintenance", "Records", "Replica", "Restoration",
                "SegmentInspection", "SegmentLog", "Server",
            ]),
        program(
            "simulate", path: "tools/simulator",
            imports: ["BugZoo", "Bytes", "JSON", "Linux", "ModelCheck", "Simulation"]),
        program(
            "compactbench", path: "tools/bench/compaction",
            imports: ["Bytes", "Compaction", "Crypto", "Records", "SegmentLog", "Linux"]),
        program(
            "parse-requests", path: "tools/conformance/parser",
            imports: ["Bytes", "HTTPWire", "JSON", "Linux"]),
        program(
            "fuzz", path: "tools/fuzzer",
            imports: [
                "Bytes", "Consensus", "HTTPWire", "JSON", "Ledger", "Linux", "PeerWire", "Records",
            ]),
        program("bench", path: "tools/bench/load", imports: ["Bytes", "JSON", "Linux"]),

        // Tests mirror Sources.
        tests(of: "Bytes"),
        tests(of: "Crypto", imports: ["Bytes"]),
        tests(of: "JSON", imports: ["Bytes"]),
        tests(of: "Records", imports: ["Bytes", "Crypto", "JSON"], resources: [.copy("Golden")]),
        tests(of: "HTTPWire", imports: ["Bytes"]),
        tests(
            of: "Consensus", imports: ["BugZoo", "Bytes", "Records"],
            resources: [.copy("Scenarios")]),
        tests(of: "Ledger", imports: ["Bytes", "Crypto", "Records"]),
        tests(of: "SegmentLog", imports: ["Bytes", "Crypto", "Records", "Simulation"]),
        tests(
            of: "Compaction",
            imports: ["Bytes", "Crypto", "Records", "SegmentLog", "Simulation"]),
        tests(
            of: "EventIndex",
            imports: ["Bytes", "Crypto", "Records", "SegmentLog", "Simulation"]),
        tests(
            of: "SegmentInspection",
            imports: ["Bytes", "Crypto", "Records", "SegmentLog", "Simulation"]),
        tests(of: "PeerWire", imports: ["Bytes", "Consensus", "Crypto", "Ledger", "Records"]),
        tests(
            of: "Replica",
            imports: [
                "Bytes", "Compaction", "Consensus", "Crypto", "EventIndex", "Ledger", "Maintenance",
                "PeerWire",
                "Records", "SegmentLog", "Simulation",
            ]),
        tests(
            of: "Restoration",
            imports: [
                "Bytes", "Crypto", "Ledger", "Records", "Replica", "SegmentInspection",
                "SegmentLog", "Simulation",
            ]),
        tests(
            of: "Gateway",
            imports: ["Bytes", "Crypto", "HTTPWire", "JSON", "Ledger", "PeerWire", "Records"],
            resources: [.copy("Data")]),
        tests(of: "Linux", imports: ["Bytes", "Crypto", "SegmentLog"]),
        tests(of: "ModelCheck", imports: ["BugZoo", "Consensus", "Records"]),
        tests(
            of: "Simulation",
            imports: ["Bytes", "Crypto", "Ledger", "PeerWire", "Records", "SegmentLog"]),
        tests(
            of: "daybook", imports: ["HTTPWire", "JSON", "Linux", "Replica", "SegmentInspection"]),
        tests(
            of: "Server",
            imports: [
                "Bytes", "Crypto", "Gateway", "JSON", "Linux", "PeerWire", "Records", "Replica",
                "SegmentLog",
            ]),
    ],
    swiftLanguageModes: [.v6]
)
