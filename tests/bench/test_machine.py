from gossamer.bench.machine import detect_machine, parse_cpuinfo, usable_cores


def test_this_machine_is_described():
    machine = detect_machine()
    assert machine.cpu
    assert machine.cores == usable_cores() >= 1
    assert machine.cpu in str(machine)


def test_only_the_first_processor_is_read():
    text = "processor\t: 0\nmodel name\t: Alpha: 9\nflags\t\t: avx2 fma\n\nmodel name\t: Beta\n"
    facts = parse_cpuinfo(text)
    assert facts["model name"] == "Alpha: 9"
    assert facts["flags"] == "avx2 fma"


def test_an_empty_file_has_no_facts():
    assert parse_cpuinfo("") == {}
