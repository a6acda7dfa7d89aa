import Bytes
import Records
import Testing

@testable import Consensus

struct QuorumTests {
    @Test(arguments: 1...15)
    func `what a majority has reached is the middle of the sorted values`(size: Int) {
        let configuration = Configuration(voters: (1...size).map { NodeID(UInt32($0)) })
        var random = RandomSource(seed: UInt64(size))
        for _ in 0..<500 {
            let values = (0..<size).map { _ in random.below(10) }
            let naive = values.sorted(by: >)[size / 2]
            #expect(configuration.agreed { values[Int($0.value) - 1] } == naive, "\(values)")
        }
    }

    @Test func `a majority is more than half`() {
        let quorums = (1...7).map { size in
            Configuration(voters: (1...size).map { NodeID(UInt32($0)) }).quorum
        }
        #expect(quorums == [1, 2, 2, 3, 3, 4, 4])
    }

    @Test func `voters stand in ascending order`() {
        let configuration = Configuration(voters: [NodeID(3), NodeID(1), NodeID(2)])
        #expect(configuration.voters.map(\.value) == [1, 2, 3])
    }

    @Test func `a cluster without voters is refused`() async {
        await #expect(processExitsWith: .failure) { _ = Configuration(voters: []) }
    }

    @Test func `a voter named twice is refused`() async {
        await #expect(processExitsWith: .failure) {
            _ = Configuration(voters: [NodeID(1), NodeID(1)])
        }
    }
}
