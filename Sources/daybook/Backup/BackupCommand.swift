import Crypto
import JSON
import Linux
import Records
import SegmentLog

/// `daybook backup DIR`: the cluster's sealed segments, those that DIR has not yet.
enum BackupCommand {
    static func run(_ arguments: Arguments) throws -> ExitCode {
        let path = arguments.positional[0]
        let wait = try arguments.number("wait", in: 0...86_400) ?? Patience.standardSeconds
        let source = BackupSource(client: try HTTPClient(arguments), patienceSeconds: wait)
        var target = try BackupTarget(path)
        let sealed = try source.seal()
        try target.take(from: source, through: sealed)
        let marker = try target.finish()
        let copied = target.copied
        if arguments.isSet("json") {
            StandardStream.output.write(json(marker, copied))
        } else {
            StandardStream.output.write(
                "\(path): \(marker.events) of cluster \(marker.clusterID)\n"
                    + "\(copied.segments) segments copied (\(ByteText.text(copied.bytes))), "
                    + "\(copied.kept) were there already, \(copied.removed) removed\n")
        }
        return .done
    }

    private static func json(
        _ marker: BackupMarker, _ copied: BackupTarget.Copied
    ) -> [UInt8] {
        var output: [UInt8] = []
        var object = JSONObjectWriter(to: &output)
        object.member("cluster_id", "\(marker.clusterID)", to: &output)
        object.member("next_sequence", marker.nextSequence, to: &output)
        object.member("last_index", marker.lastIndex, to: &output)
        object.member("segments_copied", UInt64(copied.segments), to: &output)
        object.member("bytes_copied", UInt64(copied.bytes), to: &output)
        object.member("segments_kept", UInt64(copied.kept), to: &output)
        object.member("segments_removed", UInt64(copied.removed), to: &output)
        object.close(to: &output)
        return output + [0x0A]
    }
}

/// The directory of a backup while it is brought up to date.
///
/// What is copied lies beside the backup under names of its own until it is whole and verified; then
/// the manifest is replaced, which is the one step that counts. Cut short before it, the backup is
/// the one that was there; behind it, it is the new one.
struct BackupTarget {
    /// How often the node's manifest may change while it is copied from.
    static let attempts = 5
    /// Chunks that are written at once.
    private static let writtenChunks = 64

    struct Copied {
        var segments = 0
        var bytes = 0
        var kept = 0
        var removed = 0
    }

    private let path: String
    private let disk: DirectoryDisk
    private let lock: DirectoryLock
    private let hash = SHA256()
    private var manifest: Manifest?
    private(set) var copied = Copied()

    init(_ path: String) throws(CommandFailure) {
        self.path = path
        do throws(SystemError) {
            try SmallFile.createDirectory(path)
            disk = try DirectoryDisk(path: path)
        } catch { throw .local(error) }
        let names: [String]
        do throws(DiskError) {
            names = try disk.list()
            manifest = try Manifest.load(from: disk, hash)
        } catch { throw Self.failure(error, path) }
        let isBackup =
            names.contains(BackupMarker.name)
            || names.allSatisfy { $0 == "lock" || $0.hasSuffix(".fetched") }
        guard isBackup, !names.contains(FileName.identity) else {
            throw CommandFailure(
                .local, "\(path) is not empty and holds no backup; give a directory of its own")
        }
        do throws(SystemError) {
            lock = try DirectoryLock(path)
        } catch { throw .local(error) }
    }

    /// Copies what is not there yet, from whichever node has it.
    mutating func take(
        from source: BackupSource, through sealed: UInt64
    ) throws(CommandFailure) {
        for _ in 0..<Self.attempts {
            do {
                let node = try source.node(archivedThrough: sealed)
                try take(from: source, node)
                return
            } catch let failure as BackupSource.Failure {
                if case .failed(let failure) = failure { throw failure }
            } catch let error as DiskError {
                throw Self.failure(error, path)
            } catch let failure as CommandFailure {
                throw failure
            } catch {
                throw CommandFailure(.notReady, "\(error)")
            }
        }
        throw CommandFailure(
            .notReady, "the cluster's files changed \(Self.attempts) times meanwhile: try again")
    }

    private mutating func take(from source: BackupSource, _ node: BackupSource.Node) throws {
        let next = try source.manifest(of: node, hash)
        if let known = manifest, known.clusterID != next.clusterID {
            throw CommandFailure(
                .refused, "\(path) is a backup of cluster \(known.clusterID), not of this one")
        }
        guard next.lastIndex >= manifest?.lastIndex ?? .zero, let last = next.segments.last else {
            throw CommandFailure(.refused, "\(path) is of a later state than the cluster's")
        }
        copied = Copied()
        let missing = try missing(of: next)
        copied.kept = next.segments.count - missing.count
        var progress = ScanProgress(
            "copying", total: missing.reduce(0) { $0 + $1.byteCount })
        defer { progress.clear() }
        for segment in missing {
            try copy(segment, from: source, node, &progress)
            copied.segments += 1
            copied.bytes += segment.byteCount
        }
        let state = try source.state(of: last, on: node, hash)
        try FetchedFiles.verify(missing, on: disk)
        try state.store(on: disk)
        try next.store(on: disk, hash)
        try FetchedFiles.adopt(next.segments, on: disk)
        manifest = next
    }

    /// The segments that are not there in this generation and with this digest.
    private func missing(of next: Manifest) throws(DiskError) -> [SegmentDescriptor] {
        let known = manifest?.segments ?? []
        var missing: [SegmentDescriptor] = []
        for (place, segment) in next.segments.enumerated() {
            if place < known.count, known[place].digest == segment.digest,
                known[place].file == segment.file,
                try disk.byteCount(of: segment.file) == segment.byteCount
            {
                continue
            }
            missing.append(segment)
        }
        return missing
    }

    /// Copies a segment chunk by chunk; goes on where an earlier attempt was cut short.
    private func copy(
        _ segment: SegmentDescriptor, from source: BackupSource, _ node: BackupSource.Node,
        _ progress: inout ScanProgress
    ) throws {
        let digests = try source.digests(of: segment, on: node, hash)
        let name = FetchedFiles.name(of: segment)
        var have = 0
        if let bytes = try disk.contents(of: name) {
            while have < digests.chunks.count,
                case let range = digests.range(of: have), range.upperBound <= bytes.count,
                ChunkDigests.digest(bytes.span, in: range, hash) == digests.chunks[have]
            {
                have += 1
            }
            try disk.resize(name, byteCount: have * ChunkDigests.chunkBytes)
        } else {
            try disk.create(name, byteCount: 0)
        }
        progress.add(min(have * ChunkDigests.chunkBytes, segment.byteCount))
        while have < digests.chunks.count {
            let end = min(have + Self.writtenChunks, digests.chunks.count)
            var chunks: [[UInt8]] = []
            for number in have..<end {
                chunks.append(
                    try source.chunk(number, of: segment, digests, on: node, hash))
                progress.add(digests.range(of: number).count)
            }
            try disk.write(chunks, to: name, at: digests.range(of: have).lowerBound)
            have = end
        }
    }

    /// Says through which entry the backup goes, and removes what is no longer part of it.
    mutating func finish() throws(CommandFailure) -> BackupMarker {
        guard let manifest else { preconditionFailure("a backup without its manifest") }
        let marker = BackupMarker(of: manifest, createdAt: Founding.now)
        do throws(DiskError) {
            try disk.replace(BackupMarker.name, with: marker.encoded)
            var kept = Set(manifest.segments.map(\.file))
            kept.formUnion([BackupMarker.name, "lock", FileName.manifest(0), FileName.manifest(1)])
            if let last = manifest.segments.last { kept.insert(FileName.state(last.lastIndex)) }
            for name in try disk.list() where !kept.contains(name) {
                if FileName.segment(named: name) != nil { copied.removed += 1 }
                try disk.remove(name)
            }
        } catch { throw Self.failure(error, path) }
        return marker
    }

    private static func failure(_ error: DiskError, _ path: String) -> CommandFailure {
        let cause = SystemError(
            call: "\(error.operation) \(path)/\(error.file)", code: error.code)
        return CommandFailure(
            .local, "\(cause). The backup that was there before is as it was; run this again")
    }
}

/// One backup at a time into a directory.
private final class DirectoryLock {
    private let descriptor: FileDescriptor

    init(_ path: String) throws(SystemError) {
        descriptor = try SmallFile.lock(path + "/lock")
    }
}
