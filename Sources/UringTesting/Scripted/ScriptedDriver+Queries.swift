package import UringEngine

extension ScriptedDriver {
    /// Every operation so far, finished ones included, in the order of preparation.
    package var operations: [ScriptedOperation] { operationTable.all }

    /// The operation of this name; nil for a token that was never used.
    package func operation(_ token: OperationToken) -> ScriptedOperation? { operationTable[token] }

    /// Those of a kind, on a descriptor, or both, oldest first.
    package func operations(
        of kind: OperationKind,
        on descriptor: Descriptor? = nil
    ) -> [ScriptedOperation] {
        operations.filter { operation in
            operation.kind == kind && (descriptor == nil || operation.descriptor == descriptor)
        }
    }

    /// The newest of a kind; nil when there was none.
    package func lastOperation(
        of kind: OperationKind,
        on descriptor: Descriptor? = nil
    ) -> ScriptedOperation? {
        operations.last { operation in
            operation.kind == kind && (descriptor == nil || operation.descriptor == descriptor)
        }
    }

    /// Those without a terminal completion, prepared ones included, oldest first.
    package var inFlight: [ScriptedOperation] { operations.filter(\.isInFlight) }

    /// Those of a kind on a descriptor without a terminal completion, oldest first.
    package func inFlight(of kind: OperationKind, on descriptor: Descriptor) -> [ScriptedOperation]
    {
        operations(of: kind, on: descriptor).filter(\.isInFlight)
    }

    /// All bytes that were reported as sent on `descriptor`, in the order of the sends.
    package func sentBytes(on descriptor: Descriptor) -> [UInt8] {
        operations(of: .send, on: descriptor).flatMap(\.sentBytes)
    }

    /// What is known of a descriptor, closed ones included; nil for a number that was never handed
    /// out.
    package func descriptor(_ descriptor: Descriptor) -> ScriptedDescriptor? {
        descriptors.all[descriptor]
    }

    /// The descriptors that are not closed, lowest first: what a test compares to find a leak.
    package var openDescriptors: [Descriptor] { descriptors.open }

    /// The successful control calls on a descriptor, in order.
    package func events(on descriptor: Descriptor) -> [ScriptedEvent] {
        journal.filter { $0.descriptor == descriptor }
    }
}
