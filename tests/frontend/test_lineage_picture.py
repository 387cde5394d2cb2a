"""Where the boxes of a lineage stand."""

from __future__ import annotations

from frontend.lineage_picture import BOX_WIDTH, picture_of
from training.lineage import Edge, Lineage, Node

NODES = [
    Node(kind="checkpoint", id=1, name="PPO"),
    Node(kind="training run", id=1, name="PPO run"),
    Node(kind="model", id=2, name="Reward model with a name that no box can hold"),
    Node(kind="model", id=3, name="SFT"),
]


def lineage() -> Lineage:
    """The SFT model is reached from the run and, one step further, from the reward model."""
    edges = [
        Edge(child="checkpoint-1", parent="training-run-1", relation="made by"),
        Edge(child="training-run-1", parent="model-2", relation="rewarded by"),
        Edge(child="training-run-1", parent="model-3", relation="started from"),
        Edge(child="model-2", parent="model-3", relation="descends from"),
    ]
    return Lineage(root="checkpoint-1", nodes={node.key: node for node in NODES}, edges=edges)


def test_a_thing_stands_below_everything_that_rests_on_it() -> None:
    boxes = {box.node.key: box for box in picture_of(lineage()).boxes}

    heights = [boxes[key].y for key in ("checkpoint-1", "training-run-1", "model-2", "model-3")]
    assert heights == sorted(set(heights))


def test_boxes_of_one_row_do_not_overlap_and_stay_inside() -> None:
    graph = lineage()
    graph.edges.pop()  # now both models stand in one row
    picture = picture_of(graph)

    left, right = sorted(box.x for box in picture.boxes if box.node.kind == "model")
    assert left + BOX_WIDTH < right
    assert all(0 <= box.x <= picture.width - BOX_WIDTH for box in picture.boxes)


def test_what_two_things_say_of_a_third_stands_in_one_label() -> None:
    labels = [label.words for label in picture_of(lineage()).labels]

    assert labels == ["made by", "rewarded by", "started from · descends from"]


def test_long_names_end_in_an_ellipsis() -> None:
    shown = {box.node.id: box.shown_name for box in picture_of(lineage()).boxes if box.node.kind == "model"}

    assert shown[3] == "SFT"
    assert shown[2].endswith("…")
    assert len(shown[2]) == 27


def test_a_circle_ends() -> None:
    graph = lineage()
    graph.edges.append(Edge(child="model-3", parent="training-run-1", relation="trained on"))

    assert len(picture_of(graph).boxes) == 4
