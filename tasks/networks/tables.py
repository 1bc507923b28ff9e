"""A network as a table of its layers."""

from typing import Any

import keras


def layers_of(model: keras.Model) -> list[dict[str, Any]]:
    """A row for each layer of a functional model, inputs before what reads them: name, type, shape of its output,
    number of parameters, and names of the layers that it reads."""
    rows = []
    for config in model.get_config()["layers"]:
        layer = model.get_layer(config["name"])
        rows.append(
            {
                "name": layer.name,
                "type": type(layer).__name__,
                "shape": list(layer.output.shape[1:]),
                "parameters": layer.count_params(),
                "inputs": list(dict.fromkeys(_sources(config["inbound_nodes"]))),
            }
        )
    return rows


def _sources(nodes: Any) -> list[str]:
    """Layers whose output a layer's serialised calls take, in order."""
    if isinstance(nodes, dict) and "keras_history" in nodes:
        return [nodes["keras_history"][0]]
    parts = nodes.values() if isinstance(nodes, dict) else nodes if isinstance(nodes, list | tuple) else ()
    return [name for part in parts for name in _sources(part)]
