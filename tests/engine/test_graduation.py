"""When trained weights may ship."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from rasterlasso.benchmarks import graduation, plain_shapes
from rasterlasso.benchmarks.clicks import Trial
from rasterlasso.benchmarks.graduation import Pair
from rasterlasso.benchmarks.intervals import interval
from rasterlasso.benchmarks.one_prompt import OnePrompt
from rasterlasso.models.builtin.model import WEIGHTS


def trial(scene, cls, number, ious, box=0.7):
    one_prompt = OnePrompt(0.6, box, 0.5, 0.6)
    times = (0.1,) * len(ious)
    return Trial(scene, "builtin", cls, str(number), tuple(ious), tuple(ious), times, 0.1, (0.1,), (), one_prompt, 0.9, 12, 8)


def pairs(gains, box_gain=0.0):
    """gains: (class, gain) of five objects in each of six scenes."""
    return [
        Pair(
            trial(f"{cls}{scene}", cls, n, (0.6, 0.7, 0.8)),
            trial(f"{cls}{scene}", cls, n, np.add((0.6, 0.7, 0.8), gain), 0.7 + box_gain),
        )
        for cls, gain in gains
        for scene in range(6)
        for n in range(5)
    ]


@pytest.mark.parametrize(
    ("gains", "reason"),
    [
        ([("field", 0.03), ("tree", 0.02)], None),
        ([("field", 0.005), ("tree", 0.005)], "asked for"),
        ([("field", 0.08), ("tree", -0.03)], "class tree"),
    ],
)
def test_weights_ship_only_if_better_and_worse_in_no_class(gains, reason):
    verdict = graduation.judge(pairs(gains))
    assert verdict.passes is (reason is None)
    if reason:
        assert any(reason in each for each in verdict.reasons)


def test_a_first_click_that_gives_less_is_no_gain():
    ious = (0.59, 0.9, 0.95)
    later = [
        Pair(each.shipped, trial(each.new.scene, "field", number, ious)) for number, each in enumerate(pairs([("field", 0.0)]))
    ]
    [reason] = graduation.judge(later).reasons
    assert "falls by 0.005" in reason


def test_weights_that_answer_boxes_worse_do_not_ship():
    [reason] = graduation.judge(pairs([("field", 0.03)], box_gain=-0.01)).reasons
    assert "boxes falls by 0.010" in reason


def test_a_gain_that_may_be_chance_is_none():
    mixed = [*pairs([("field", 0.2)])[:5], *pairs([("water", -0.05)])[:5], *pairs([("tree", 0.0)])]
    assert any("chance" in each for each in graduation.judge(mixed).reasons)


def test_the_interval_comes_from_scenes_not_objects():
    values, scenes = [0.1] * 30 + [0.0] * 30, [f"{n // 10}" for n in range(60)]
    low, high = interval(values, scenes)
    assert low < 0.05 < high
    assert high - low > 4 * np.std(values) / 60**0.5  # of objects by themselves


def test_averages_of_snapshots_and_mixtures_with_the_shipped_weights(tmp_path):
    shipped = load_file(WEIGHTS)
    files = []
    for number, shift in enumerate((0.0, 1.0)):
        files.append(tmp_path / f"step-{number}.safetensors")
        save_file(
            {name: value + shift if name.endswith("coarse.bias") else value for name, value in shipped.items()}, files[-1]
        )
    found = dict(graduation.averages(files, WEIGHTS))
    name = next(each for each in shipped if each.endswith("coarse.bias"))
    assert torch.allclose(found["last 1"][name].float(), shipped[name].float() + 1, atol=1e-2)
    assert torch.allclose(found["last 2"][name].float(), shipped[name].float() + 0.5, atol=1e-2)
    mixture = graduation.mixed(shipped, found["last 1"], 0.4)
    assert torch.allclose(mixture[name].float(), shipped[name].float() + 0.4, atol=1e-2)
    assert mixture[name].dtype == shipped[name].dtype


def test_weights_that_draw_nothing_where_there_is_a_plain_shape_do_not_ship(monkeypatch):
    for name in ("RADII_PX", "MIDDLES_PX"):
        monkeypatch.setattr(plain_shapes, name, getattr(plain_shapes, name)[:1])
    shipped = load_file(WEIGHTS)
    spoilt = {name: torch.zeros_like(value) if "coarse" in name else value for name, value in shipped.items()}
    assert graduation.plain_iou(spoilt) < graduation.plain_iou(shipped)
    assert graduation.plain_iou(spoilt) < graduation.LEAST_PLAIN


def test_the_card_is_changed_between_its_marks_alone(tmp_path):
    card = tmp_path / "card.md"
    card.write_text(f"before\n{graduation.BEGIN}\nold\n{graduation.END}\nafter\n")
    graduation.write_card(card, "average", WEIGHTS, pairs([("field", 0.1)]), "make graduate")
    text = card.read_text()
    assert text.startswith("before\n")
    assert text.endswith(f"{graduation.END}\nafter\n")
    assert "old" not in text
    assert "0.60 → 0.70" in text


def test_the_shipped_card_has_its_marks():
    assert graduation.CARD.read_text().count(graduation.BEGIN) == graduation.CARD.read_text().count(graduation.END) == 1
