import Bytes
package import SegmentLog

/// Runs the compaction of one segment against the files of a directory.
///
/// Memory is bounded by two pieces and the longest entry. The output is written under its own name,
/// which no manifest knows before the swap: what a crash leaves of it is removed at the next try
/// or, as any file of a generation that the manifest does not name, at the next start.
package struct SegmentCompaction<D: Disk> {
    /// Bytes read, and about as many written, at a time.
    package static var pieceBytes: Int { 1_024 * 1_024 }

    /// What `run` made.
    package struct Output: Sendable {
        /// The input's own where nothing changed.
        package let descriptor: SegmentDescriptor
        /// What stands beside the output, nil where nothing changed.
        package let written: (digests: ChunkDigests, catalogue: SegmentCatalogue)?
        package let tally: SegmentTally
    }

    private let disk: D
    private let input: SegmentDescriptor
    private let before: SegmentDescriptor?
    private let rules: CompactionRules
    private let superseded: SupersededBits

    /// `before` is the segment in front of the input; nil in front of the first.
    package init(
        disk: D, input: SegmentDescriptor, after before: SegmentDescriptor?,
        rules: CompactionRules, superseded: SupersededBits
    ) {
        self.disk = disk
        self.input = input
        self.before = before
        self.rules = rules
        self.superseded = superseded
    }

    /// Reads and verifies the input and says what would become of it. Writes nothing.
    package func plan() throws(ReadFailure) -> SegmentTally {
        var compactor = compactor(.plan)
        try read(into: &compactor) { _ throws(ReadFailure) in true }
        return try compactor.finish()
    }

    /// Writes the output, durable on return, unless it would be the input.
    package func run() throws(ReadFailure) -> Output {
        var search = compactor(.plan)
        try read(into: &search) { search throws(ReadFailure) in !search.changes }
        guard search.changes else {
            return Output(descriptor: input, written: nil, tally: try search.finish())
        }
        let file = FileName.segment(input.firstIndex, generation: rules.generation)
        do {
            if try disk.byteCount(of: file) != nil { try disk.remove(file) }
            try disk.create(file, byteCount: 0)
        } catch { throw .disk(error) }
        var compactor = compactor(.run)
        try read(into: &compactor) { compactor throws(ReadFailure) in
            if compactor.output.count >= Self.pieceBytes { try write(&compactor, to: file) }
            return true
        }
        if !compactor.output.isEmpty { try write(&compactor, to: file) }
        let tally = try compactor.finish()
        let digests = compactor.digests()
        precondition(
            digests.byteCount == tally.outputBytes,
            "\(file) has \(digests.byteCount) bytes instead of \(tally.outputBytes)")
        return Output(
            descriptor: compactor.descriptor(digests),
            written: (digests, compactor.catalogue), tally: tally)
    }

    private func write(
        _ compactor: inout Compactor, to file: String
    ) throws(ReadFailure) {
        do {
            try disk.write([compactor.output], to: file, at: compactor.outputOffset)
        } catch { throw .disk(error) }
        compactor.drain()
    }

    private func compactor(_ mode: Compactor.Mode) -> Compactor {
        Compactor(input, after: before, rules: rules, superseded: superseded, mode: mode)
    }

    /// Brings the file to `compactor`, piece by piece, as long as `goOn` says so behind each.
    private func read(
        into compactor: inout Compactor,
        goOn: (inout Compactor) throws(ReadFailure) -> Bool
    ) throws(ReadFailure) {
        var bytes: [UInt8] = []
        var offset = 0
        while offset < input.byteCount {
            let piece: [UInt8]
            do {
                piece = try disk.read(input.file, at: offset, count: Self.pieceBytes)
            } catch { throw .disk(error) }
            guard !piece.isEmpty else {
                throw .corrupt(file: input.file, offset: offset, defect: .unsealed)
            }
            offset += piece.count
            if bytes.isEmpty { bytes = piece } else { bytes.append(contentsOf: piece) }
            bytes.removeFirst(try compactor.take(bytes.span))
            guard try goOn(&compactor) else { return }
        }
    }
}
