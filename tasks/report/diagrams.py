"""A network as boxes in rows and columns, to be drawn from top to bottom without graphviz."""

from dataclasses import dataclass, replace
from typing import Any

import keras


@dataclass(frozen=True)
class Layer:
    """A box of a diagram: a layer, and those after it that go without saying.

    Attributes:
        name: of its first layer; boxes name their inputs by it.
        kind: of all its layers, as text.
        shape: of what leaves it, as text.
        parameters: of all its layers.
        inputs: names of the boxes above it, the deepest first.
        row: 0 is the highest; inputs are in higher rows.
        column: 0 is the longest way through the network; the others are to its right.
        lane: beside column 0, in which its arrows pass other boxes; 0 where they need not.
    """

    name: str
    kind: str
    shape: str
    parameters: int
    inputs: tuple[str, ...]
    row: int
    column: int
    lane: int


def layers_of(model: keras.Model) -> list[Layer]:
    """The boxes of a functional model, in an order in which inputs come first.

    A layer without parameters and a normalisation join the box of the input that is deepest, unless other layers need
    what that box gives without them. A layer of the model's inputs that something deeper needs beside its own input,
    like an embedding of labels that conditions a normalisation, joins the box of the latter.
    """
    return _place(_take_in_sides(_join(_read(model))))


_Layers = dict[str, Layer]
_WITH = "\nwith "


def _read(model: keras.Model) -> _Layers:
    operations = {operation.name: operation for operation in model.operations}
    layers: _Layers = {}
    for config in model.get_config()["layers"]:
        operation, inputs = operations[config["name"]], tuple(dict.fromkeys(_names(config["inbound_nodes"])))
        row = max((layers[name].row + 1 for name in inputs), default=0)
        deepest_first = tuple(sorted(inputs, key=lambda name: -layers[name].row))
        shape = "x".join(str(size) for size in operation.output.shape[1:]) or "1"
        parameters = operation.count_params() if isinstance(operation, keras.Layer) else 0
        layers[operation.name] = Layer(operation.name, _kind(operation), shape, parameters, deepest_first, row, 0, 0)
    return layers


def _names(nodes: Any) -> list[str]:
    """Layers whose output a layer's serialised calls take, in order."""
    if isinstance(nodes, dict) and "keras_history" in nodes:
        return [nodes["keras_history"][0]]
    parts = nodes.values() if isinstance(nodes, dict) else nodes if isinstance(nodes, list | tuple) else ()
    return [name for part in parts for name in _names(part)]


def _kind(operation: Any) -> str:
    kind = type(operation).__name__
    if kind == "Activation":
        return str(operation.activation.__name__)
    words = [kind.removesuffix("Layer")]
    if size := getattr(operation, "kernel_size", None):
        words.append("x".join(map(str, size)))
    if (stride := max(getattr(operation, "strides", (1,)))) > 1:
        words.append(f"stride {stride}")
    words += [f"{value:g}" for name in ("rate", "negative_slope") if (value := getattr(operation, name, 0))]
    activation = getattr(getattr(operation, "activation", None), "__name__", "linear")
    return " ".join(words if activation == "linear" else [*words, activation])


def _join(layers: _Layers) -> _Layers:
    """Boxes of layers without parameters, or normalisations, with what is before them."""
    box_of: dict[str, str] = {}
    boxes: _Layers = {}
    for layer in layers.values():
        host = _host(layer, layers, boxes, box_of)
        inputs = tuple(dict.fromkeys(box_of[name] for name in layer.inputs))
        if host is None:
            box_of[layer.name], boxes[layer.name] = layer.name, replace(layer, inputs=inputs)
        else:
            box_of[layer.name] = host.name
            boxes[host.name] = replace(
                host,
                kind=f"{host.kind} · {layer.kind}",
                shape=layer.shape,
                parameters=host.parameters + layer.parameters,
                inputs=tuple(dict.fromkeys((*host.inputs, *inputs[1:]))),
            )
    return boxes


def _host(layer: Layer, layers: _Layers, boxes: _Layers, box_of: dict[str, str]) -> Layer | None:
    """The box that the layer joins, if any: that of its deepest input, if nothing else needs what that gives."""
    rows = [layers[name].row for name in layer.inputs]
    if not rows or (layer.parameters and "Normalization" not in layer.kind) or rows[0] in rows[1:]:
        return None
    host = boxes[box_of[layer.inputs[0]]]
    later = [each for each in layers.values() if each.name not in box_of and each is not layer]
    takers = [each for each in later if host.name in (box_of.get(name) for name in each.inputs)]
    shared = any(host.name in box.inputs for box in boxes.values())
    return None if shared or any(layer.name not in each.inputs for each in takers) else host


def _take_in_sides(boxes: _Layers) -> _Layers:
    """Boxes with those taken in that need the model's inputs alone and condition one deeper box."""
    boxes = _with_rows(boxes)
    for side in list(boxes.values()):
        takers = [box for box in boxes.values() if side.name in box.inputs]
        if side.row != 1 or len(takers) != 1 or takers[0].row == 2:
            continue
        box = boxes[takers[0].name]
        others = (name for name in box.inputs if name != side.name)
        boxes[box.name] = replace(
            box,
            kind=f"{box.kind}{', ' if _WITH in box.kind else _WITH}{side.kind.split(' · ')[0]}",
            parameters=box.parameters + side.parameters,
            inputs=tuple(dict.fromkeys((*others, *side.inputs))),
        )
        del boxes[side.name]
    return _with_rows(boxes)


def _with_rows(boxes: _Layers) -> _Layers:
    """The boxes sorted by row, each in the highest row below its inputs, with the deepest of these first."""
    rows: dict[str, int] = {}

    def row(name: str) -> int:
        if name not in rows:
            rows[name] = max((row(each) + 1 for each in boxes[name].inputs), default=0)
        return rows[name]

    ordered = sorted(boxes, key=row)
    return {
        name: replace(
            boxes[name], row=rows[name], inputs=tuple(sorted(boxes[name].inputs, key=lambda each: -rows[each]))
        )
        for name in ordered
    }


def _place(boxes: _Layers) -> list[Layer]:
    """The boxes with columns and lanes; those beside the longest way as low as what needs them allows."""
    name, main = list(boxes)[-1], set[str]()
    while name:
        main.add(name)
        name = next(iter(boxes[name].inputs), "")
    takers = {name: [each.name for each in boxes.values() if name in each.inputs] for name in boxes}
    for name in reversed(list(boxes)):
        if name not in main and takers[name]:
            boxes[name] = replace(boxes[name], row=min(boxes[each].row for each in takers[name]) - 1)
    lanes: list[_User] = []
    columns: list[_User] = []
    for box in sorted(boxes.values(), key=lambda each: each.row):
        last = max((boxes[each].row for each in takers[box.name]), default=box.row)
        if box.name not in main:
            boxes[box.name] = replace(box, column=_free(columns, box, last, takers[box.name]))
        elif any(boxes[each].row > box.row + 1 for each in takers[box.name]):
            boxes[box.name] = replace(box, lane=_free(lanes, box, last, takers[box.name]))
    return sorted(boxes.values(), key=lambda each: (each.row, each.column))


_User = tuple[int, list[str]]  # of a column or lane: the last row that it passes, and the boxes that it feeds


def _free(users: list[_User], box: Layer, last: int, takers: list[str]) -> int:
    """Number, from 1, of a column that is free from the row of the box to the last, which it is not from now on.

    A box that is all that another one feeds may stand below it.
    """
    for number, (busy, fed) in enumerate(users):
        if busy < box.row or fed == [box.name]:
            users[number] = (last, takers)
            return number + 1
    users.append((last, takers))
    return len(users)
