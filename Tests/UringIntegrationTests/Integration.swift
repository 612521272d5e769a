import Testing

/// Everything on the real kernel, over loopback, one test after the other: they count the
/// process's descriptors.
@Suite(.serialized) enum Integration {}
