"""A network as a table of its layers."""

from typing import Any

import keras


def layers_of(model: keras.Model) -> list[dict[str, Any]]:
    """A row for each layer of a functional model, inputs before what reads them: name, type, shape of its output,
    number of parameters, and names of the layers that it reads."""
    rows = []
    for operation in model.operations:
        (node, *_) = operation._inbound_nodes  # networks here call each layer once
        rows.append(
            {
                "name": operation.name,
                "type": type(operation).__name__,
                "shape": list(operation.output.shape[1:]),
                "parameters": operation.count_params() if isinstance(operation, keras.Layer) else 0,
                "inputs": list(dict.fromkeys(parent.operation.name for parent in node.parent_nodes)),
            }
        )
    return rows
