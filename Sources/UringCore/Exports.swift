@_exported public import UringEngine
