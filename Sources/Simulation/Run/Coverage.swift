/// Situations that are rare, and that runs must reach now and then.
package enum CoverageCase: String, CaseIterable, Sendable {
    // Elections and leadership.
    case leaderElected, leaderSteppedDown, transferCompleted, transferAbandoned
    case transferDuringCompaction, figureEight, voterDiesAfterVoting, voteLostAtPowerLoss

    // The log.
    case tailTruncated, truncatedAcrossSeal, sealedSegmentArchived, tornTailCut
    case startOnOlderState, crashInRecovery, crashWhileMaintaining, crashWhileRepairing
    case powerLostEverywhere, tailRepaired, tailDiscarded, tailLacking
    case operatorRestoresTail, operatorRestoresSegment

    // Damage.
    case segmentRotsWhileRunning, segmentRotsWhileDown, segmentSectorsZeroed, segmentCutShort
    case segmentLost, segmentMended, archivesRotOnTwoNodes, placesRot, indexRots, indexRebuilt
    case stateRots, manifestCopyRots, voteCopyRots, persistRecordRots, damageFoundByRead
    case damageFoundByScrub, readAnsweredDamaged, fetchedWrong
    case writeMisdirected, diskLow, diskRoomAgain, diskStalled, diskRolledBack, diskWiped

    // Takeovers.
    case installBegun, installSwapped, installCutInRenames, outputsTakenOver
    case compactionDoneSeenByInstall

    // Compactions, holds and erasures.
    case compactionDone, compactionAbandoned, compactionWithheld, compactionFailed
    case compactionVoidedByChange, collectedAfterLeaderChange, eventCompacted
    case eventErased, compactedThenErased, duplicateOfCompacted, lateRetryOfErased
    case compactedRowRead, erasedRowRead, holdKeptEvent, eraseRefusedByHold

    // Members.
    case memberAdded, learnerPromoted, learnerRemoved, voterRemoved, formerLeaderRemoved
    case votersGrowToTwo, votersGrowToThree, votersGrowToFour, votersGrowToFive, votersGrowToSix
    case votersGrowToSeven, votersShrinkToOne, memberChangeUndone, learnerInstalls
    case promotionRefusedForLag, ghostNotPromoted, changeRefusedForQuorum
    case diskWipedInTheMix, wipedDiskJoins, wipedDiskVotes, strangerRefused, otherDiskRefused
    case rollbackNoticed

    // Clients.
    case duplicateAnswered, conflictAnswered, tokenRefused, answerUnknown, gatewayRestarted
    case staleRead

    /// Reached so seldom that some thousands of seeds may do without.
    package var mayBeMissed: Bool { Self.rare.contains(self) }

    private static let rare: [CoverageCase] = [
        .operatorRestoresSegment, .fetchedWrong, .compactionDoneSeenByInstall,
        .readAnsweredDamaged, .changeRefusedForQuorum, .otherDiskRefused, .wipedDiskJoins,
        .wipedDiskVotes,
    ]

    package var index: Int { Self.allCases.firstIndex(of: self) ?? 0 }
}

extension CoverageCase {
    /// `leaderElected` as `leader elected`.
    package var text: String {
        rawValue.reduce(into: "") { text, character in
            if character.isUppercase { text += " " }
            text += character.lowercased()
        }
    }
}
