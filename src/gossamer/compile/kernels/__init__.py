"""The generated kernels, one family a file.

A kernel is a frozen record of choices that writes one function `void name(args, thread)` into an
LLVM module. `args` points to 64-bit slots (addresses and numbers), named by `slots`; each thread
works on its own part, given by a table of (begin, end) pairs. Kernel names say number type,
operation, tile and vector extension.
"""
