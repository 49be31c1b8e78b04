import os

from gossamer.bench.quiet import quiet


def test_neither_python_nor_libraries_print(capfd):
    print("before")
    with quiet():
        print("from Python")
        os.write(1, b"from a library\n")
    print("after")
    assert capfd.readouterr().out == "before\nafter\n"
