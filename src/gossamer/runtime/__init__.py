"""Running what the compiler made: memory, threads inside native code, the `Program`."""
