"""Concepts and their symbols, what is drawn to learn from and to test on, and the measures at their limits."""

import colorsys
from itertools import pairwise
from math import log

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from phantastic.ground.errors import Refused
from phantastic.ground.randomness import numpy_generator, torch_generator
from phantastic.systems.scan import rooms as colour
from phantastic.systems.scan.concepts import LOGIC, OPEN, OPERATORS, Vocabulary, contradict, draw_operations
from phantastic.systems.scan.evaluation import mean_diversity
from phantastic.systems.scan.experiment import roughened
from phantastic.systems.scan.measure import Classifier, accuracy, distance, diversity, imagine_and_read, values_of
from phantastic.systems.scan.rooms import PALETTES, Rooms, as_input, as_observed, as_rgb, to_cone, to_rgb
from phantastic.systems.scan.study import PAPER, ScanRecipe
from phantastic.systems.scan.symbolic import draw_held_out, draw_lessons
from phantastic.systems.scan.visual import HEIGHTS, STAGES, beta_at
from phantastic.world.palette import RGB

VOCABULARY = Vocabulary((3, 4, 4, 4))


def rng(purpose: str = "test") -> np.random.Generator:
    return numpy_generator(0, purpose)


# --- concepts and symbols


def test_the_papers_vocabulary():
    paper = Vocabulary((3, 16, 16, 16))
    assert (paper.width, paper.concepts) == (51, 19_651)
    assert [(block.start, block.stop) for block in paper.blocks] == [(0, 3), (3, 19), (19, 35), (35, 51)]


def test_a_symbol_is_k_hot_with_nothing_in_the_block_of_an_open_factor():
    concepts = np.array([[2, 0, 3, 1], [OPEN, 3, OPEN, OPEN], [0, OPEN, OPEN, 2], [OPEN] * 4])
    code = VOCABULARY.khot(concepts)
    assert code.dtype == np.float32
    assert code.shape == (4, 15)
    for factor, block in enumerate(VOCABULARY.blocks):
        assert np.array_equal(code[:, block].sum(1), concepts[:, factor] != OPEN)
        named = concepts[:, factor] != OPEN
        assert np.array_equal(code[named, block].argmax(1), concepts[named, factor])


def test_drawn_concepts_are_distinct_and_of_every_level_equally():
    drawn = Vocabulary((3, 8, 8, 8)).draw(80, rng())
    assert drawn.shape == (80, 4)
    assert len(np.unique(drawn, axis=0)) == 80
    level = (drawn != OPEN).sum(1)
    assert np.bincount(level)[1:].min() >= 15  # there are only 27 of the first level
    assert np.array_equal(drawn, Vocabulary((3, 8, 8, 8)).draw(80, rng()))


def test_every_concept_can_be_drawn():
    small = Vocabulary((3, 2, 2, 2))
    assert len(np.unique(small.draw(small.concepts, rng()), axis=0)) == small.concepts == 107


@settings(max_examples=30)
@given(st.integers(0, 10**6))
def test_a_completed_concept_is_a_room_it_is_true_of(seed):
    generator = numpy_generator(seed, "concepts")
    concepts = VOCABULARY.draw(12, generator)
    filled = VOCABULARY.complete(concepts, generator)
    assert ((concepts == OPEN) | (filled == concepts)).all()
    assert (filled >= 0).all()
    assert (filled < VOCABULARY.sizes).all()


# --- operations


@settings(max_examples=25)
@given(st.integers(0, 10**6), st.sampled_from([(3, 2, 2, 2), (3, 4, 4, 4), (3, 16, 16, 16), (2, 2)]))
def test_drawn_operations_are_possible_and_name_something(seed, sizes):
    operator, first, second, result = draw_operations(Vocabulary(sizes), 60, numpy_generator(seed, "operations"))
    assert np.bincount(operator).tolist() == [20, 20, 20]
    assert (result != OPEN).any(axis=1).all()
    for part in (first, second):
        assert (part != OPEN).any(axis=1).all()
        assert (part < sizes).all()
    for index, name in enumerate(OPERATORS):
        rows = operator == index
        assert np.array_equal(result[rows], LOGIC[name](first[rows], second[rows]))
    joined, rest = operator == 0, operator == 2
    assert not contradict(first[joined], second[joined]).any()
    assert ((result != OPEN).sum(1) > np.maximum((first != OPEN).sum(1), (second != OPEN).sum(1)))[joined].all()
    assert ((result != OPEN).sum(1) < (first != OPEN).sum(1))[rest].all()  # some of it is taken away
    assert ((result != OPEN).sum(1) < len(sizes))[operator == 1].all()  # and never is all in common


def test_drawn_operations_reach_all_that_is_possible():
    """Of either operand of AND the other names something new; every factor takes part in every place."""
    operator, *parts = draw_operations(VOCABULARY, 1500, rng())
    for index in range(3):
        first, second, result = (part[operator == index] != OPEN for part in parts)
        least, most = [[(1, 1, 2), (3, 3, 4)], [(1, 1, 1), (4, 4, 3)], [(2, 1, 1), (4, 3, 3)]][index]
        for part, low, high in zip((first, second, result), least, most, strict=True):
            assert set(part.sum(1)) == set(range(low, high + 1))  # how many factors are named
        for part in (first, second, result):
            assert np.ptp(part.mean(0)) < 0.15  # no factor is preferred: 500 rows, 5 standard errors
    for part in parts:
        for factor, size in enumerate(VOCABULARY.sizes):
            share = np.bincount(part[:, factor] + 1, minlength=size + 1)[1:] / (part[:, factor] != OPEN).sum()
            assert np.abs(share - 1 / size).max() < 0.09


def test_operands_may_differ_in_what_they_do_not_share():
    operator, first, second, _ = draw_operations(VOCABULARY, 300, rng())
    shared = operator == 1
    assert 0.3 < contradict(first[shared], second[shared]).mean() < 1


@settings(max_examples=10)
@given(st.integers(0, 10**6), st.sampled_from([8, 16]))
def test_no_result_that_is_tested_is_taught(seed, colours):
    lessons, tests = draw_held_out(Vocabulary((3, colours, colours, colours)), 30, 200, seed)
    assert not {tuple(row) for row in lessons.result} & {tuple(row) for row in tests.result}
    assert len(tests.result) == 30
    assert set(lessons.operator) == {0, 1, 2}
    for name, part in lessons._asdict().items():
        assert len(part) == len(lessons.operator), name


def test_without_an_operation_to_learn_from_the_recipe_is_refused():
    with pytest.raises(Refused, match="test_concepts = 400 leaves no operation"):
        draw_held_out(Vocabulary((2, 2)), 400, 400, 0)


class Told(Rooms):
    """Rooms whose images are their factors."""

    def observe(self, factors: np.ndarray, generator: np.random.Generator) -> Tensor:
        return torch.from_numpy(factors)


def test_a_lesson_shows_rooms_that_its_concept_is_true_of():
    told = Told(32, 4)
    concepts = told.vocabulary.draw(20, rng())
    lessons = draw_lessons(told, concepts, 6, seed=0)
    shown = lessons.images.numpy()
    assert shown.shape == (20, 6, 4)
    assert ((concepts[:, None] == OPEN) | (concepts[:, None] == shown)).all()
    which, image = lessons.rows(3, 0, "batch", step=1, count=500)
    assert set(which) == set(range(20))
    assert set(image) == {0, 1, 2}  # no more than were asked for
    again, other = lessons.rows(3, 0, "batch", 1, 500), lessons.rows(3, 0, "batch", 2, 500)
    assert np.array_equal(again[0], which)
    assert not np.array_equal(other[0], which)


# --- accuracy and diversity


@settings(max_examples=30)
@given(st.integers(0, 10**6))
def test_perfect_labels_are_wholly_accurate_and_shifted_ones_not_at_all(seed):
    concepts = VOCABULARY.draw(10, numpy_generator(seed, "concepts"))
    labels = np.stack([VOCABULARY.complete(concepts, numpy_generator(seed, "rooms", i)) for i in range(5)], axis=1)
    assert np.array_equal(accuracy(concepts, labels), np.ones(10))
    assert np.array_equal(accuracy(concepts, (labels + 1) % VOCABULARY.sizes), np.zeros(10))


def test_accuracy_is_the_share_of_named_factors_whatever_the_open_ones_are():
    concepts = np.array([[1, 2, OPEN, OPEN]])
    labels = np.array([[[1, 2, 0, 0], [1, 0, 3, 3], [0, 0, 1, 2], [1, 2, 2, 1]]])
    assert accuracy(concepts, labels) == pytest.approx(5 / 8)


def test_diversity_is_0_for_flat_labels_and_log_k_for_constant_ones():
    concepts = np.array([[0, OPEN, 1, OPEN], [OPEN, OPEN, OPEN, 2], [0, 1, 2, 3]])
    flat = np.stack([np.arange(48) % size for size in VOCABULARY.sizes], axis=1)
    constant = np.ones_like(flat)
    for labels, expected in ((flat, [0, 0]), (constant, [log(4), (log(3) + 2 * log(4)) / 3])):
        result = diversity(concepts, np.stack([labels] * 3), VOCABULARY.sizes)
        assert result[:2] == pytest.approx(expected, abs=1e-12)
        assert np.isnan(result[2])  # nothing is open
        mean = mean_diversity(concepts, np.stack([labels] * 3), VOCABULARY, 0).value
        assert mean == pytest.approx(np.mean(expected), abs=1e-12)
    assert mean_diversity(concepts[2:], constant[None], VOCABULARY, 0).value == 0


def test_distance_is_what_accuracy_misses_and_what_diversity_misses_in_one_number():
    concepts = np.array([[0, OPEN, 1, OPEN], [0, 1, 2, 3]])
    flat = np.stack([np.arange(48) % size for size in VOCABULARY.sizes], axis=1)
    honest = np.stack([np.where(concept == OPEN, flat, concept) for concept in concepts])
    assert distance(concepts, honest, VOCABULARY.sizes) == pytest.approx([0, 0])
    # the same room again and again is right in all that is named, and has one of four values of the two open factors
    same = np.stack([np.tile(np.where(concept == OPEN, 0, concept), (48, 1)) for concept in concepts])
    assert accuracy(concepts, same) == pytest.approx([1, 1])
    assert distance(concepts, same, VOCABULARY.sizes) == pytest.approx([2 * (3 / 4) / 4, 0])
    # any room at all has the named identity in one of three, a named colour in one of four
    assert diversity(concepts[:1], flat[None], VOCABULARY.sizes) == pytest.approx([0], abs=1e-12)
    expected = [(2 / 3 + 3 / 4) / 4, (2 / 3 + 3 * 3 / 4) / 4]
    assert distance(concepts, np.stack([flat] * 2), VOCABULARY.sizes) == pytest.approx(expected)


def test_where_all_is_named_distance_is_what_accuracy_lacks():
    concepts = rng().integers(VOCABULARY.sizes, size=(20, 4))
    labels = rng().integers(VOCABULARY.sizes, size=(20, 9, 4))
    assert distance(concepts, labels, VOCABULARY.sizes) == pytest.approx(1 - accuracy(concepts, labels))


def test_the_diversity_of_random_labels_falls_as_one_over_their_number():
    """The divergence of a histogram of n labels from its own law is (k - 1) / 2n nats on average."""
    concepts = np.array([[OPEN, 0, OPEN, OPEN]] * 400)
    for count in (64, 256):
        labels = rng().integers(VOCABULARY.sizes, size=(400, count, 4))
        expected = np.mean([(size - 1) / (2 * count) for size in (3, 4, 4)])
        assert diversity(concepts, labels, VOCABULARY.sizes).mean() == pytest.approx(expected, rel=0.15)


@given(st.integers(0, 10**6))
@settings(max_examples=20)
def test_measures_do_not_depend_on_the_order_of_samples_and_keep_their_range(seed):
    generator = numpy_generator(seed, "labels")
    concepts = VOCABULARY.draw(6, generator)
    labels = generator.integers(VOCABULARY.sizes, size=(6, 9, 4))
    order = generator.permutation(9)
    right, flat = accuracy(concepts, labels), diversity(concepts, labels, VOCABULARY.sizes)
    assert np.allclose(right, accuracy(concepts, labels[:, order]))
    assert np.allclose(flat, diversity(concepts, labels[:, order], VOCABULARY.sizes), equal_nan=True)
    assert ((right >= 0) & (right <= 1)).all()
    assert (np.isnan(flat) | ((flat > -1e-12) & (flat < log(4) + 1e-12))).all()


def test_the_largest_entry_of_each_block_is_read():
    truth = VOCABULARY.complete(np.full((20, 4), OPEN), rng())
    logits = torch.from_numpy(VOCABULARY.khot(truth)) * 3 - torch.rand(20, 15, generator=torch_generator(0, "noise"))
    assert np.array_equal(values_of(logits, VOCABULARY.blocks), truth)


def test_imagined_images_are_judged_in_the_order_of_their_concepts():
    """Beyond one chunk of 512 images; the judge reads the factors that the image was made from."""
    judge = Classifier(32, VOCABULARY)
    judge.read = lambda images: images.numpy()  # type: ignore[method-assign, assignment]
    concepts = VOCABULARY.draw(60, rng())
    labels = imagine_and_read(concepts, lambda rows: torch.from_numpy(VOCABULARY.complete(rows, rng())), judge, 11)
    assert labels.shape == (60, 11, 4)
    assert np.array_equal(accuracy(concepts, labels), np.ones(60))


def test_the_judge_learns_from_soft_images_as_well_as_sharp_ones():
    images = as_input(Rooms(32, 4).draw(8, 0, "rooms")[1])
    rough = roughened(images, torch_generator(0, "noise"))
    assert rough.shape == images.shape
    assert 0.02 < float((rough[4:] - images[4:]).std()) < 0.04

    def sharpness(some: Tensor) -> float:
        return float((some[..., 2:] - some[..., :-2]).square().mean())  # neighbours but one: noise weighs less

    assert sharpness(rough[:4]) < 0.75 * sharpness(images[:4])
    assert 0.8 * sharpness(images[4:]) < sharpness(rough[4:])  # the other half stays sharp
    flat = roughened(torch.full((2, 3, 8, 8), 0.5), torch_generator(0, "noise"))
    assert float((flat - 0.5).abs().max()) < 0.15, "edges of the picture are no darker than its middle"


# --- colours as the network sees them

# A byte holds the two coordinates of a colour only so finely: half a step in each, turned into red, green and blue.
STEP = 1 + 0.71 / colour.CHROMA * np.hypot(1, 3 / np.pi / colour.ARC)


@settings(max_examples=60)
@given(st.tuples(*[st.integers(0, 255)] * 3))
def test_colours_survive_the_way_there_and_back(rgb):
    there = to_cone(np.array(rgb, np.uint8))
    assert np.abs(to_rgb(there / 255).astype(int) - rgb).max() <= STEP


def test_the_palette_survives_in_every_light():
    shades = (RGB[:, None] * np.linspace(0.3, 1, 15)[:, None]).round().astype(np.uint8)
    back = to_rgb(to_cone(shades) / 255).astype(int)
    assert np.abs(back - shades).max() <= STEP
    assert np.abs(back - shades).mean() < 1
    assert np.abs(back[:, -1] - shades[:, -1]).max() < np.abs(np.diff(RGB, axis=0)).max(1).min() / 3  # no other hue


def test_light_and_shade_leave_the_place_of_a_colour_alone():
    shades = (RGB[:, None] * np.linspace(0.6, 1, 9)[:, None]).round().astype(np.uint8)
    place = to_cone(shades)[..., :2].astype(int)
    assert np.ptp(place, axis=1).max() <= 2
    assert np.array_equal(to_cone(shades)[..., 2], shades.max(-1))


def test_neighbouring_hues_lie_next_to_each_other_from_indigo_to_blue():
    """One even arc from cut to cut, and no colour of the palette near the cut."""
    edges = np.array(
        [(255, 0, 0), (255, 255, 0), (0, 255, 0), (0, 255, 255), (0, 0, 255), (255, 0, 255), (255, 0, 0)], float
    )
    hues = np.concatenate([np.linspace(a, b, 50, endpoint=False) for a, b in pairwise(edges)])
    cut = round(len(hues) * colour.CUT)
    hues = np.concatenate([hues[cut + 1 :], hues[:cut]])
    cone = to_cone(hues.round().astype(np.uint8))[:, :2] / 255
    steps = np.hypot(*np.diff(cone, axis=0).T)
    length = 2 * np.pi * colour.CHROMA * colour.ARC / 6 / 50
    assert steps.max() < length + 1.5 / 255
    assert steps.sum() > 280 * length
    assert np.abs(np.hypot(cone[:, 0], cone[:, 1] - 0.5) - colour.CHROMA).max() < 1 / 255
    named = np.array([colorsys.rgb_to_hsv(*rgb)[0] for rgb in RGB])
    assert np.abs(named - colour.CUT).min() > 0.03


@settings(max_examples=40)
@given(st.tuples(*[st.floats(-0.5, 1.5)] * 3))
def test_what_no_colour_has_is_shown_as_the_nearest_one(pixel):
    assert to_rgb(np.array([pixel])).dtype == np.uint8
    nearest = to_cone(to_rgb(np.array([pixel]))) / 255
    assert np.abs(to_rgb(nearest).astype(int) - to_rgb(np.array([pixel])).astype(int)).max() <= STEP


def test_images_keep_their_layout():
    told, images = Rooms(32, 7).draw(5, 0, "rooms")
    assert told.shape == (5, 4)
    assert images.shape == (5, 3, 32, 32)
    assert images.dtype == torch.uint8
    assert images.is_contiguous(memory_format=torch.channels_last)
    assert as_input(images).is_contiguous(memory_format=torch.channels_last)
    rgb = as_rgb(as_input(images))
    assert rgb.shape == (5, 32, 32, 3)
    again = as_rgb(as_input(as_observed(rgb)))
    assert np.abs(again.astype(int) - rgb).max() <= STEP


@pytest.mark.parametrize("colours", PALETTES)
def test_rooms_have_the_colours_of_their_recipe(colours):
    few = Rooms(32, colours)
    assert few.vocabulary.sizes == (3, colours, colours, colours)
    assert len(set(few.palette)) == colours
    factors, images = few.draw(64, 0, "rooms")
    assert np.array_equal(factors.max(0), np.array(few.vocabulary.sizes) - 1)
    assert np.array_equal(images, few.draw(64, 0, "rooms")[1])
    assert not np.array_equal(images, few.draw(64, 1, "rooms")[1])


# --- schedules


@settings(max_examples=40)
@given(st.floats(0.1, 50), st.floats(1, 100), st.integers(50, 400))
def test_beta_is_low_middling_high_and_low(beta, factor, steps):
    recipe = ScanRecipe(beta=beta, beta_peak=beta * factor, visual_steps=steps)
    schedule = np.array([beta_at(recipe, step) for step in range(steps + 1)])
    at = np.arange(steps + 1) / steps
    bends = zip((0, *STAGES, 1), (HEIGHTS[0], *HEIGHTS, HEIGHTS[-1]), strict=True)
    assert HEIGHTS[-1] == 0 < HEIGHTS[0] < HEIGHTS[1] == HEIGHTS[2] < HEIGHTS[3] == HEIGHTS[4] == 1
    for (start, low), (stop, high) in pairwise(bends):
        part = (at >= start) & (at <= stop)
        assert np.allclose(schedule[part], beta * factor ** (low + (high - low) * (at[part] - start) / (stop - start)))


def test_the_papers_beta_is_constant():
    assert {beta_at(PAPER, step) for step in (0, 1000, PAPER.visual_steps)} == {PAPER.beta_peak} == {53.0}
