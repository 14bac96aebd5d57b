"""From a network to its mediator graph, checked."""
