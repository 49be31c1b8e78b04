"""The LLVM toolchain: what a target can do, small helpers to write IR, compile, keep and load.

Part of the base, so that network kernels, coders and sparse coding can generate code without
knowing each other.
"""
