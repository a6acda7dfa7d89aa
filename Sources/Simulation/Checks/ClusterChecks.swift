/// What is checked while a run goes on.
struct ClusterChecks {
    var leaders = LeaderCheck()
    var log = LogMatchingCheck()
    var commits = CommitCheck()
}
