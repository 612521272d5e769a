import Testing

/// Every fallback serves: older kernels are this one with features masked.
@Suite("A server without")
struct RungTests {
    static let features = [
        "", "defer_taskrun", "defer_taskrun,coop_taskrun", "submit_all", "buf_ring",
        "multishot_accept", "multishot_recv", "multishot_poll", "multishot_recvmsg", "recv_budget",
        "registered_ring", "no_iowait", "worker_cap",
        "multishot_accept,multishot_recv,multishot_poll,recv_budget",
        "defer_taskrun,coop_taskrun,submit_all,buf_ring,multishot_accept,multishot_recv,"
            + "multishot_poll,multishot_recvmsg,recv_budget,registered_ring,no_iowait,worker_cap",
    ]

    @Test(arguments: features)
    func aFeatureEchoesTheSameBytes(_ features: String) throws {
        let server = try EchoProcess(environment: ["URINGCORE_FEATURES_OFF": features])
        try server.echo(byteCount: 10_000_000)
        try server.echo(byteCount: 100_000, connections: 20)
        try server.stop()
    }

    @Test(arguments: [
        ("", "defer_taskrun"), ("defer_taskrun", "coop_taskrun"),
        ("defer_taskrun,coop_taskrun", "submit_all"), ("submit_all", "plain"),
    ])
    func aRungTakesTheNext(_ features: String, _ rung: String) throws {
        let server = try EchoProcess(environment: ["URINGCORE_FEATURES_OFF": features])
        try server.stop()
        let summaries = server.process.errorLines.filter { $0.contains("io_uring (") }
        #expect(summaries.count == 1, "all shards are alike: \(summaries)")
        #expect(summaries.first?.contains("io_uring (\(rung);") == true)
    }

    @Test func roomEchoesTheSameBytes() throws {
        let server = try EchoProcess(environment: [
            "URINGCORE_RING_ENTRIES": "4", "URINGCORE_CQ_ENTRIES": "8",
            "URINGCORE_BUFFER_SIZE": "64", "URINGCORE_BUFFER_COUNT": "4",
        ])
        try server.echo(byteCount: 300_000)
        try server.echo(byteCount: 20_000, connections: 20)
        try server.stop()
    }

    @Test func aSubmittingThreadOfItsOwnEchoesTheSameBytes() throws {
        let server = try EchoProcess(environment: [
            "URINGCORE_SQPOLL": "1", "URINGCORE_SQPOLL_IDLE_MS": "1",
        ])
        try server.echo(byteCount: 1_000_000)
        try server.echo(byteCount: 100_000, connections: 20)
        try server.stop()
    }
}
