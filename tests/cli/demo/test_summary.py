from dataclasses import replace

from gossamer.cli.demo.summary import summarise


def rows(result):
    return {row[0]: row[1:] for row in summarise(result).rows}


def test_each_quantity_stands_before_and_after_asked_and_got(demo_result):
    found = rows(demo_result)
    assert found["test accuracy"] == ("≥ 97.5%", "98.9%", "98.6%", "98.9%", "98.6%")
    assert found["sparsity"] == ("90%", "0.0%", "90.0%", "0.0%", "90.0%")
    assert found["file bytes"][1:3] == ("527,000", "15,337")
    assert found["effective MACs"][1:3] == ("2,083,456", "208,345")
    assert found["file is smaller by"][1:3] == ("", "34.4×")
    assert found["same answers as torch"] == ("all", "", "360/360", "", "360/360")


def test_gossamer_is_compared_with_each_engine_on_the_same_network(demo_result):
    found = rows(demo_result)
    assert found["faster than torch"][1:3] == ("5.0×", "20.0×")
    assert found["faster than onnxruntime"][1:3] == ("1.2×", "5.0×")


def test_an_engine_that_is_not_installed_has_no_row(demo_result):
    def without(state):
        timings = state.record.timings[:2]
        return replace(state, record=replace(state.record, timings=timings))

    outcomes = tuple(
        replace(outcome, before=without(outcome.before), after=without(outcome.after))
        for outcome in demo_result.outcomes
    )
    found = rows(replace(demo_result, outcomes=outcomes))
    assert "torch ms" in found
    assert not any("onnxruntime" in label for label in found)


def test_the_columns_name_each_network_and_state(demo_result):
    assert summarise(demo_result).columns[1:] == (
        "asked",
        "digits-plain before",
        "digits-plain after",
        "digits-igc before",
        "digits-igc after",
    )
