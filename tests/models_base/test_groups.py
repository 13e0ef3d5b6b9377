"""The committed everyday words are what `models/base/build_groups.py` makes, and what a person would say of a photo."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from base_model import wordnet
from base_model.groups import EverydayError, Groups, slug
from base_model.sources import SourceError

BASE = Path(__file__).parents[2] / "models" / "base"
LABELS = (BASE / "labels.txt").read_text(encoding="utf-8").splitlines()
GROUPS: dict[str, list[int]] = json.loads((BASE / "groups.json").read_text(encoding="utf-8"))
# WordNet's own words for kinds: right, and said by nobody who looks at a photo.
BANNED = (
    *("abstraction", "artefact", "artifact", "attribute", "carnivore", "chordate", "commodity", "communication"),
    *("container", "conveyance", "covering", "device", "durables", "entity", "equipment", "establishment"),
    *("furnishing", "garment", "implement", "instrument", "instrumentality", "invertebrate", "machine", "mammal"),
    *("matter", "mechanism", "nutriment", "object", "organism", "placental", "produce", "structure", "substance"),
    *("support", "thing", "ungulate", "unit", "utensil", "vertebrate", "vessel", "ware", "whole"),
)
TRAPS = {
    "Dog": "Hotdog, African hunting dog",
    "Cat": "Madagascar cat, Lynx",
    "Bear": "Teddy, Red panda",
    "Big cat": "Sea lion, Tiger beetle, Tiger shark",
    "Animal": "Computer mouse, Teddy, Bearskin, Trilobite",
    "Bird": "Cabbage butterfly, Drumstick",
    "Fish": "Jellyfish, Starfish, Killer whale",
    "Insect": "Garden spider",
    "Pig": "Guinea pig",
    "Monkey": "Gorilla",
    "Rodent": "Angora",
    "Flower": "Sea anemone",
    "Fruit": "Acorn",
    "Vegetable": "Mushroom",
    "Food": "Menu, Hay",
    "Corn": "Acorn",
    "Hat": "Bathing cap",
    "Tool": "Corkscrew",
    "Truck": "Minivan",
    "Vehicle": "Shopping cart, Missile",
    "Aircraft": "Balloon, Plane",
    "Computer": "Web site",
    "Bag": "Sleeping bag",
    "Furniture": "Toilet seat",
    "Tower": "Tusker",
    "Ball": "Ballplayer",
    "Building": "Apiary",
    "Bread": "Meat loaf",
    "Chair": "Toilet seat",
    "Clothing": "Seat belt",
}
MEMBERS = {
    "Horse": "Sorrel",
    "Duck": "Drake",
    "Dog": "Cardigan",
    "Bird": "Kite, Crane",
    "Food": "Hotdog",
    "Insect": "Ladybug, Walking stick",
    "Butterfly": "Monarch, Admiral",
    "Fish": "Stingray",
    "Rabbit": "Angora",
    "Toy": "Teddy",
    "Houseplant": "Pot",
    "Corn": "Ear",
    "Ship": "Pirate",
    "Vehicle": "School bus, Bullet train",
    "Car": "Racer",
    "Bird of prey": "Kite",
}


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of both packages: EDGED_BASE_SOURCES where it has them, else one that pip and apt-get fill now."""
    given = os.environ.get("EDGED_BASE_SOURCES")
    if given and (Path(given) / wordnet.TIMM.filename).exists() and list(Path(given).glob("wordnet-base_*.deb")):
        return Path(given)
    folder = tmp_path_factory.mktemp("packages")
    try:
        wordnet.download(folder)
    except SourceError as error:
        pytest.skip(f"no WordNet: set EDGED_BASE_SOURCES to a folder that has it, or go online with Debian ({error})")
    return folder


@pytest.fixture(scope="session")
def nouns(packages: Path, tmp_path_factory: pytest.TempPathFactory) -> wordnet.Nouns:
    try:
        return wordnet.read_nouns(packages, tmp_path_factory.mktemp("wordnet"))
    except SourceError as error:
        pytest.skip(f"WordNet cannot be unpacked here, or is another release ({error})")


@pytest.mark.usefixtures("nouns")
def test_the_committed_groups_are_what_the_script_makes(packages: Path, tmp_path: Path) -> None:
    command = [sys.executable, str(BASE / "build_groups.py"), "--sources", str(packages), "--output", str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    for name in ("groups.json", "LICENSE.groups"):
        assert (tmp_path / name).read_bytes() == (BASE / name).read_bytes(), name


def test_wordnet_and_the_labels_mean_the_same_class_by_the_same_index(nouns: wordnet.Nouns) -> None:
    assert len(nouns.class_offsets) == len(LABELS)
    for offset, label in zip(nouns.class_offsets, LABELS, strict=True):
        words = {slug(word) for word in nouns.synsets[offset].words}
        # The two that base_model/package.py names in words that WordNet does not have.
        assert slug(label) in words or label in ("Rooster", "Pacifier"), label


def test_there_are_400_everyday_words_and_more() -> None:
    assert len(GROUPS) >= 400


def test_no_text_is_there_twice() -> None:
    pairs = json.loads((BASE / "groups.json").read_text(encoding="utf-8"), object_pairs_hook=list)
    again = {text: count for text, count in Counter(slug(text) for text, _ in pairs).items() if count > 1}
    assert not again
    assert len({tuple(classes) for classes in GROUPS.values()}) == len(GROUPS), "two words for the same thing"


def test_every_group_is_a_sorted_set_of_classes() -> None:
    for text, classes in GROUPS.items():
        assert classes, text
        assert classes == sorted(set(classes)), text
        assert classes[0] >= 0, text
        assert classes[-1] < len(LABELS), text


def test_words_are_in_the_order_of_their_slugs() -> None:
    assert list(GROUPS) == sorted(GROUPS, key=slug)


def test_a_group_with_a_class_s_text_holds_that_class() -> None:
    by_slug = {slug(text): classes for text, classes in GROUPS.items()}
    for number, label in enumerate(LABELS):
        assert number in by_slug.get(slug(label), [number]), label


def test_no_word_is_one_that_nobody_says() -> None:
    assert not {slug(text) for text in GROUPS} & set(BANNED)
    for text in GROUPS:
        assert text == text.strip(), text
        assert text[0].isupper(), text
        assert "," not in text, text


@pytest.mark.parametrize(("text", "labels"), TRAPS.items())
def test_a_group_does_not_fall_for_a_word(text: str, labels: str) -> None:
    for label in labels.split(", "):
        assert not _numbers(label) & set(GROUPS[text]), label


@pytest.mark.parametrize(("text", "labels"), MEMBERS.items())
def test_a_group_holds_what_its_label_does_not_tell(text: str, labels: str) -> None:
    for label in labels.split(", "):
        assert _numbers(label) & set(GROUPS[text]), label


def _numbers(label: str) -> set[int]:
    numbers = {number for number, text in enumerate(LABELS) if text == label}
    assert numbers, f"no class is called {label}"
    return numbers


def test_a_dog_is_118_breeds_and_a_cat_five() -> None:
    assert GROUPS["Dog"] == list(range(151, 269))
    assert GROUPS["Cat"] == list(range(281, 286))
    assert set(GROUPS["Dog"]) | set(GROUPS["Cat"]) < set(GROUPS["Animal"])


def test_the_dog_called_cardigan_is_no_garment_and_the_garment_no_dog() -> None:
    dog, garment = (number for number, label in enumerate(LABELS) if label == "Cardigan")
    assert dog in GROUPS["Dog"]
    assert dog not in GROUPS["Clothing"]
    assert garment in GROUPS["Sweater"]
    assert garment not in GROUPS["Dog"]


def test_wordnet_s_licence_travels_along() -> None:
    licence = (BASE / "LICENSE.groups").read_text(encoding="utf-8")
    assert "WordNet 3.0 Copyright 2006 by Princeton University.  All rights reserved." in licence
    assert "LICENSEE agrees to preserve same." in licence


@pytest.mark.parametrize(
    ("kinds", "themselves", "message"),
    [
        ({"Bird": "crane"}, [], r"2 meanings here: .*\(02012849\)"),
        ({"Bird": "no such word"}, [], "0 meanings"),
        ({"Bird": "bird, not banana"}, [], "takes away what is not there"),
        ({"Bird": "bird, not bird"}, [], "has no classes"),
        ({"Bird": "bird", "Feathered friend": "Bird"}, [], "the same classes"),
        ({"Ice cream": "ice cream", "Ice-cream": "dessert"}, [], "the same slug"),
        ({"One": "Other", "Other": "One"}, [], "One > Other > One"),
        ({"Bird": "bird"}, ["Bird"], "'Bird' is there twice"),
        ({}, ["Unicorn"], "no class is called so"),
        ({"Kite": "racket"}, [], "does not hold class 21, which is called Kite"),
    ],
)
def test_a_list_that_cannot_be_carried_out_is_refused(
    nouns: wordnet.Nouns, kinds: dict[str, str | None], themselves: list[str], message: str
) -> None:
    with pytest.raises(EverydayError, match=message):
        Groups(nouns, LABELS, kinds, themselves).build()


def test_a_word_may_be_another_group_a_class_or_the_text_itself(nouns: wordnet.Nouns) -> None:
    kinds = {
        "Fruit": "edible fruit, not fig",
        "Snack": "Fruit, pizza",
        "Crane": "crane (134), crane (517)",
        "Bear": None,
    }
    groups = Groups(nouns, LABELS, kinds, ["Zebra"]).build()
    assert list(groups) == ["Bear", "Crane", "Fruit", "Snack", "Zebra"]
    assert groups["Crane"] == [134, 517]
    assert groups["Bear"] == [294, 295, 296, 297]
    assert groups["Snack"] == [*groups["Fruit"], 963]
    assert LABELS.index("Fig") not in groups["Fruit"]


def test_packages_that_are_missing_are_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="timm-1"):
        wordnet.read_nouns(tmp_path, tmp_path)
