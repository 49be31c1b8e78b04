from gossamer.train.progress import track


def test_silent_without_a_terminal(capsys):
    with track("working", 3) as advance:
        for _ in range(3):
            advance("note")
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""


def test_shows_on_a_terminal_unless_disabled(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    with track("working", 1) as advance:
        advance("noted")
    assert "working" in capsys.readouterr().err
    with track("working", 1, enabled=False) as advance:
        advance()
    assert capsys.readouterr().err == ""
