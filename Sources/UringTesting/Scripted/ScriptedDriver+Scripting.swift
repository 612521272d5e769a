package import UringEngine

extension ScriptedDriver {
    /// Makes the next such call fail; several failures of one call come in the order in which they
    /// were scripted.
    package func failNext(_ call: ScriptedCall, with errno: Errno) {
        failures[call, default: []].append(errno)
    }

    /// Chooses what `outputState` answers from now on; nil lets the driver compute it again.
    package func setOutputState(_ state: OutputState?, of descriptor: Descriptor) {
        descriptors.update(descriptor) { $0.outputState = state }
    }

    /// Hands out a connected descriptor that no accept has reported: adopted from elsewhere, or for
    /// a scripted result.
    package func makeConnection(
        from peer: SocketAddress = .ipv4(0x7F00_0001, port: 50_000),
        to local: SocketAddress = .ipv4(0x7F00_0001, port: 7_000)
    ) -> Descriptor {
        let value = ScriptedDescriptor(state: .connected, localAddress: local, peerAddress: peer)
        return descriptors.add(value)
    }

    /// Takes the failure that was scripted for this call, if there is one.
    func takeFailure(of call: ScriptedCall) -> Errno? {
        guard let errno = failures[call]?.first else { return nil }
        failures[call]?.removeFirst()
        return errno
    }
}
