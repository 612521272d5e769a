/// Files: epoll says nothing of them, since a file is always ready and its calls block.
extension EpollDriver {
    /// Leaves all of it to the loop, which has it done on another thread.
    package func perform(_ token: OperationToken, _ request: FileRequest) -> Bool { false }
}
